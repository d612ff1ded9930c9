import { GoogleGenAI } from '@google/genai';
import { GoogleGenerativeAI } from '@google/generative-ai';
import { CohereClientV2 } from 'cohere-ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from './simulator.ts';

let simulator: Simulator;
let openai: OpenAI;
let cohere: CohereClientV2;
let google: GoogleGenAI;

beforeAll(async () => {
  simulator = await startSimulator();
  const { vendors } = simulator;
  openai = new OpenAI({ apiKey: 'k', baseURL: `${vendors.openai.url}/v1`, maxRetries: 0 });
  cohere = new CohereClientV2({ token: 'k', baseUrl: vendors.cohere.url, maxRetries: 0 });
  google = new GoogleGenAI({ apiKey: 'k', vertexai: false, httpOptions: { baseUrl: vendors.google.url } });
});
beforeEach(() => {
  for (const vendor of Object.values(simulator.vendors)) vendor.heal();
});
afterAll(() => simulator.close());

const model = 'text-embedding-3-small';
const input = ['one', 'two', 'one'];

const expectUnitVectors = (vectors: readonly (readonly number[] | undefined)[], length: number): void => {
  expect(vectors).toHaveLength(3);
  for (const vector of vectors) {
    expect(vector).toHaveLength(length);
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 4);
  }
  expect(vectors[0]).toEqual(vectors[2]);
  expect(vectors[0]).not.toEqual(vectors[1]);
};

const cohereAsks = { model: 'embed-v4.0', inputType: 'search_document', embeddingTypes: ['float'] } as const;

describe('each vendor answers its own SDK with vectors of length 1, the same for the same text', () => {
  test('OpenAI, as base64 and as numbers', async () => {
    const packed = await openai.embeddings.create({ model, input });
    expectUnitVectors(
      packed.data.map(({ embedding }) => Array.from(embedding)),
      1_536,
    );
    expect(packed.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
    const listed = await openai.embeddings.create({ model, input, encoding_format: 'float', dimensions: 64 });
    expectUnitVectors(
      listed.data.map(({ embedding }) => embedding),
      64,
    );
    const tokens = await openai.embeddings.create({ model, input: [[1, 2], [3], [1, 2]] });
    expectUnitVectors(
      tokens.data.map(({ embedding }) => Array.from(embedding)),
      1_536,
    );
  });

  test('Cohere', async () => {
    const answer = await cohere.embed({ ...cohereAsks, embeddingTypes: ['float'], texts: input });
    expectUnitVectors(answer.embeddings.float ?? [], 1_536);
    expect(answer.meta?.billedUnits?.inputTokens).toBe(3);
  });

  test('Google, through both of its SDKs', async () => {
    const contents = input.map((text) => ({ role: 'user', parts: [{ text }] }));
    const answer = await google.models.embedContent({ model: 'gemini-embedding-001', contents });
    expectUnitVectors(answer.embeddings?.map(({ values }) => values) ?? [], 3_072);
    const older = new GoogleGenerativeAI('k').getGenerativeModel(
      { model: 'gemini-embedding-001' },
      { baseUrl: simulator.vendors.google.url },
    );
    const batch = await older.batchEmbedContents({ requests: contents.map((content) => ({ content })) });
    expect(batch.embeddings.map(({ values }) => values)).toEqual(answer.embeddings?.map(({ values }) => values));
    expect((await older.embedContent('one')).embedding.values).toEqual(answer.embeddings?.[0]?.values);
  });
});

test('a shorter vector is the beginning of the long one, made as long', async () => {
  const embed = async (dimensions: number): Promise<readonly number[]> => {
    const { data } = await openai.embeddings.create({ model, input: 'one', encoding_format: 'float', dimensions });
    return data[0]?.embedding ?? [];
  };
  const [long, short] = [await embed(512), await embed(64)];
  const ratio = (short[0] ?? 0) / (long[0] ?? 1);
  for (const [i, number] of short.entries()) expect(number).toBeCloseTo((long[i] ?? 0) * ratio, 6);
});

describe('what a vendor would refuse is refused', () => {
  test('by OpenAI', async () => {
    const wrong = (body: object) => openai.embeddings.create({ model, input: 'one', ...body });
    await expect(wrong({ input: [] })).rejects.toMatchObject({ status: 400, param: 'input' });
    await expect(wrong({ input: ['a', ''] })).rejects.toMatchObject({ status: 400, param: 'input[1]' });
    await expect(wrong({ dimensions: 1_537 })).rejects.toMatchObject({ status: 400, param: 'dimensions' });
    await expect(wrong({ temperature: 1 })).rejects.toMatchObject({ status: 400, code: 'unknown_parameter' });
    await expect(wrong({ model: 'missing-model' })).rejects.toMatchObject({ status: 404 });
  });

  test('by Cohere', async () => {
    const wrong = (body: object) => cohere.embed({ ...cohereAsks, embeddingTypes: ['float'], texts: input, ...body });
    await expect(wrong({ texts: Array(97).fill('a') })).rejects.toMatchObject({ statusCode: 400 });
    await expect(wrong({ outputDimension: 300 })).rejects.toMatchObject({ statusCode: 400 });
  });

  test('by Google', async () => {
    const contents = Array.from({ length: 101 }, () => ({ role: 'user', parts: [{ text: 'a' }] }));
    const asked = google.models.embedContent({ model: 'gemini-embedding-001', contents });
    await expect(asked).rejects.toMatchObject({ status: 400 });
  });
});

test('a fault strikes it like any other call', async () => {
  const { openai: vendor } = simulator.vendors;
  vendor.break({ kind: 'status', status: 503, times: 1 });
  await expect(openai.embeddings.create({ model, input })).rejects.toMatchObject({ status: 503 });
  vendor.break({ kind: 'truncated-json', times: 1 });
  await expect(openai.embeddings.create({ model, input })).rejects.toThrow(SyntaxError);
  await openai.embeddings.create({ model, input });
  expect(vendor.lastCalls.slice(-3).map(({ outcome }) => outcome)).toEqual([
    'fault:status',
    'fault:truncated-json',
    'answered',
  ]);
});
