import {
  ApiError,
  type Content,
  FunctionCallingConfigMode,
  type GenerateContentParameters,
  GoogleGenAI,
} from '@google/genai';
import { GoogleGenerativeAI } from '@google/generative-ai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../simulator.ts';

let simulator: Simulator;
let client: GoogleGenAI;

const connect = (apiKey: string): GoogleGenAI =>
  new GoogleGenAI({
    apiKey,
    vertexai: false,
    httpOptions: { baseUrl: simulator.vendors.google.url, apiVersion: 'v1beta' },
  });

beforeAll(async () => {
  simulator = await startSimulator();
  client = connect('key');
});
beforeEach(() => simulator.vendors.google.heal());
afterAll(() => simulator.close());

const ask: GenerateContentParameters = { model: 'gemini-3-pro', contents: 'hello' };
const parametersJsonSchema = { type: 'object', properties: { city: { type: 'string' } } };
const tools = [{ functionDeclarations: [{ name: 'get_weather', parametersJsonSchema }] }];
const askWeather: GenerateContentParameters = { ...ask, contents: 'weather, twice', config: { tools } };

describe("Google's SDK", () => {
  test('reads an answer and its usage', async () => {
    const answer = await client.models.generateContent(ask);
    expect(answer.text).toContain('google/gemini-3-pro (simulated) heard: "hello"');
    expect(answer.candidates?.[0]?.finishReason).toBe('STOP');
    const { promptTokenCount = 0, candidatesTokenCount = 0, totalTokenCount } = answer.usageMetadata ?? {};
    expect(totalTokenCount).toBe(promptTokenCount + candidatesTokenCount);
  });

  test('reads the same answer from a stream, with usage that grows', async () => {
    const whole = await client.models.generateContent(ask);
    const texts: string[] = [];
    const counts: number[] = [];
    const reasons: unknown[] = [];
    for await (const chunk of await client.models.generateContentStream(ask)) {
      texts.push(chunk.text ?? '');
      counts.push(chunk.usageMetadata?.candidatesTokenCount ?? 0);
      reasons.push(chunk.candidates?.[0]?.finishReason);
    }
    expect(texts.join('')).toBe(whole.text);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBe(whole.usageMetadata?.candidatesTokenCount);
    expect(reasons.filter(Boolean)).toEqual(['STOP']);
  });

  test('reads parallel function calls, whole and from a stream, and sends their results', async () => {
    const answer = await client.models.generateContent(askWeather);
    expect(answer.functionCalls).toMatchObject(Array(2).fill({ name: 'get_weather', args: { city: 'some city' } }));
    const streamed = [];
    for await (const chunk of await client.models.generateContentStream(askWeather))
      streamed.push(...(chunk.functionCalls ?? []));
    expect(streamed).toHaveLength(2);
    const functionResponse = { name: 'get_weather', response: { output: '21 degrees' } };
    const contents = [
      { role: 'user', parts: [{ text: 'weather, twice' }] },
      answer.candidates?.[0]?.content as Content,
      { role: 'user', parts: [{ functionResponse }, { functionResponse }] },
    ];
    expect((await client.models.generateContent({ ...askWeather, contents })).text).toContain('21 degrees');
  });

  test('forces a function call', async () => {
    const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['get_weather'] };
    const answer = await client.models.generateContent({
      ...ask,
      config: { tools, toolConfig: { functionCallingConfig } },
    });
    expect(answer.functionCalls).toHaveLength(1);
  });

  test('reads what the model thought', async () => {
    const { usageMetadata } = await client.models.generateContent({ ...ask, config: { thinkingConfig: {} } });
    expect(usageMetadata?.thoughtsTokenCount).toBeGreaterThan(0);
    const shown = await client.models.generateContent({
      ...ask,
      config: { thinkingConfig: { includeThoughts: true } },
    });
    expect(shown.candidates?.[0]?.content?.parts?.[0]?.thought).toBe(true);
  });

  test('reads output to a schema, several candidates, and why an answer is short', async () => {
    const config = { responseMimeType: 'application/json', responseJsonSchema: parametersJsonSchema };
    expect((await client.models.generateContent({ ...ask, config })).text).toBe('{"city":"some city"}');
    const json = await client.models.generateContent({ ...ask, config: { responseMimeType: 'application/json' } });
    expect(JSON.parse(json.text ?? '')).toEqual({ answer: expect.any(String) });
    const two = await client.models.generateContent({ ...ask, config: { candidateCount: 2 } });
    expect(two.candidates).toHaveLength(2);
    const cut = await client.models.generateContent({ ...ask, config: { maxOutputTokens: 3 } });
    expect(cut.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
  });

  test('throws the errors it throws for the vendor', async () => {
    await expect(connect('bad-key').models.generateContent(ask)).rejects.toThrow('API_KEY_INVALID');
    await expect(client.models.generateContent({ ...ask, model: 'missing-model' })).rejects.toMatchObject({
      status: 404,
    });
    simulator.vendors.google.break({ kind: 'status', status: 429 });
    await expect(client.models.generateContent(ask)).rejects.toBeInstanceOf(ApiError);
    simulator.vendors.google.break({ kind: 'context-length' });
    await expect(client.models.generateContent(ask)).rejects.toThrow('exceeds the maximum number of tokens');
  });

  test('throws an error that comes inside a stream', async () => {
    simulator.vendors.google.break({ kind: 'error-after-content' });
    const read = async (): Promise<void> => {
      for await (const _ of await client.models.generateContentStream(ask));
    };
    await expect(read()).rejects.toMatchObject({ status: 503 });
  });

  test('reads that a prompt was blocked', async () => {
    simulator.vendors.google.break({ kind: 'content-filter' });
    const answer = await client.models.generateContent(ask);
    expect(answer.promptFeedback?.blockReason).toBe('SAFETY');
    expect(answer.candidates).toBeUndefined();
  });
});

describe("Google's older SDK", () => {
  const model = (name: string, apiKey = 'key') =>
    new GoogleGenerativeAI(apiKey).getGenerativeModel({ model: name }, { baseUrl: simulator.vendors.google.url });

  test('reads an answer, whole and from a stream', async () => {
    const { response } = await model('gemini-2').generateContent('hello');
    expect(response.text()).toContain('google/gemini-2 (simulated) heard: "hello"');
    const { stream } = await model('gemini-2').generateContentStream('hello');
    let text = '';
    for await (const chunk of stream) text += chunk.text();
    expect(text).toBe(response.text());
  });

  test('throws the details of an error', async () => {
    const failed = model('gemini-2', 'bad-key').generateContent('hello');
    await expect(failed).rejects.toMatchObject({ status: 400, errorDetails: [{ reason: 'API_KEY_INVALID' }] });
  });
});

describe('Google refuses', () => {
  const part = (...parts: object[]): object => ({ contents: [{ role: 'user', parts }] });
  const called = (functionCall: object): object => ({ role: 'model', parts: [functionCall] });
  const answered = { role: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] };
  const functionCall = { name: 'f', args: {} };

  test.each<[string, object, string]>([
    ['no contents', { contents: undefined }, 'GenerateContentRequest.contents: must be specified'],
    [
      'an unknown role',
      { contents: [{ role: 'assistant', parts: [{ text: 'x' }] }] },
      'Please use a valid role: user, model.',
    ],
    ['a part without data', part({}), "required oneof field 'data'"],
    ['a temperature beyond 2', { generationConfig: { temperature: 3 } }, 'generation_config.temperature'],
    ['six stop sequences', { generationConfig: { stopSequences: [...'abcdef'] } }, 'generation_config.stop_sequences'],
    [
      'a function response that is no object',
      {
        contents: [
          called({ functionCall, thoughtSignature: 'skip_thought_signature_validator' }),
          { role: 'user', parts: [{ functionResponse: { name: 'f', response: 'x' } }] },
        ],
      },
      'function_response.response',
    ],
    [
      'a function call without a signature',
      { contents: [called({ functionCall }), answered] },
      'missing a thought_signature',
    ],
    [
      'a signature from elsewhere',
      { contents: [called({ functionCall, thoughtSignature: 'eHl6' }), answered] },
      'Thought signature is not valid',
    ],
    ['a function response nobody asked for', { contents: [answered] }, 'number of function response parts'],
    [
      'a function without a name',
      { tools: [{ functionDeclarations: [{}] }] },
      'tools[0].function_declarations[0].name',
    ],
    ['an unknown mode', { toolConfig: { functionCallingConfig: { mode: 'auto' } } }, 'function_calling_config.mode'],
    [
      'a schema without its mime type',
      { generationConfig: { responseSchema: {} } },
      'Response schema is only supported',
    ],
    ['a name it does not know', { messages: [] }, 'Unknown name "messages": Cannot find field.'],
    [
      'an option it does not know',
      { generationConfig: { max_tokens: 1 } },
      'Unknown name "max_tokens" at \'generation_config\'',
    ],
  ])('%s', async (_what, fields, message) => {
    const response = await fetch(`${simulator.vendors.google.url}/v1beta/models/gemini-3-pro:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': 'key' },
      body: JSON.stringify({ ...part({ text: 'hello' }), ...fields }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 400, status: 'INVALID_ARGUMENT', message: expect.stringContaining(message) },
    });
  });

  test('no function call without a signature before Gemini 3', async () => {
    const response = await fetch(
      `${simulator.vendors.google.url}/v1beta/models/gemini-2.5-pro:generateContent?key=key`,
      {
        method: 'POST',
        body: JSON.stringify({ contents: [called({ functionCall }), answered] }),
      },
    );
    expect(response.status).toBe(200);
  });

  test.each<[number, string]>([
    [403, '/v1beta/models/m:generateContent'],
    [404, '/v1beta/models/m:computeTokens'],
    [400, '/v1beta/models/m:streamGenerateContent?key=key'],
  ])('with status %i', async (status, path) => {
    const response = await fetch(simulator.vendors.google.url + path, { method: 'POST', body: '{}' });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code: status } });
  });
});
