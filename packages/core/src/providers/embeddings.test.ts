import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { EmbeddingRequest, EmbeddingResponse } from '../decide/embedding.ts';
import type { Failure } from '../decide/failure.ts';
import type { Gap, Provider } from '../provider.ts';
import { WireLog } from '../run/wire.ts';
import { anthropic } from './anthropic.ts';
import { cohere } from './cohere.ts';
import { google } from './google.ts';
import { googleGenAI } from './google-genai.ts';
import { json, raw, startVendor, stopVendors } from './one-attempt.test-kit.ts';
import { openai } from './openai.ts';

// What the vendors say and hear, in the bytes that their documents show, through their SDKs.

afterEach(stopVendors);

const PROVIDERS = {
  openai: (url: string): Provider => openai('m', { apiKey: 'k', baseURL: `${url}/v1` }).connect('m', undefined),
  'openai, responses': (url: string): Provider =>
    openai('m', { apiKey: 'k', baseURL: `${url}/v1`, api: 'responses' }).connect('m', undefined),
  cohere: (url: string): Provider => cohere('m', { token: 'k', baseUrl: url }).connect('m', undefined),
  google: (url: string): Provider => google('m', { apiKey: 'k', baseURL: url }).connect('m', undefined),
  'google-genai': (url: string): Provider =>
    googleGenAI('m', { apiKey: 'k', httpOptions: { baseUrl: url } }).connect('m', undefined),
} as const;

type Name = keyof typeof PROVIDERS;

const ANSWERS: Readonly<Record<Name, object>> = {
  openai: {
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: [0.5, -0.25] }],
    model: 'm-1',
    usage: { prompt_tokens: 8, total_tokens: 8 },
  },
  'openai, responses': {
    object: 'list',
    // The same two numbers, as 32-bit floats.
    data: [{ object: 'embedding', index: 0, embedding: 'AAAAPwAAgL4=' }],
    model: 'm-1',
    usage: { prompt_tokens: 8, total_tokens: 8 },
  },
  cohere: {
    id: 'da6e531f-54c5-4a73-bf92-f60566d8d753',
    embeddings: { float: [[0.5, -0.25]] },
    texts: ['hello'],
    response_type: 'embeddings_by_type',
    meta: { api_version: { version: '2' }, billed_units: { input_tokens: 8 } },
  },
  google: { embeddings: [{ values: [0.5, -0.25] }] },
  'google-genai': { embeddings: [{ values: [0.5, -0.25] }], usageMetadata: { promptTokenCount: 8 } },
};

const ALL = Object.keys(PROVIDERS) as Name[];
const never = new AbortController().signal;

const embed = async (
  provider: Provider,
  request: EmbeddingRequest,
  signal: AbortSignal = never,
): Promise<EmbeddingResponse | Failure> => {
  const wire = new WireLog();
  const { embeddings } = provider;
  if (embeddings === undefined) throw new Error('no embeddings');
  try {
    return await wire.follow(() => embeddings.embed(request, { signal, wire }));
  } catch (error) {
    return provider.explain(error, wire);
  }
};

const hello: EmbeddingRequest = { inputs: ['hello'] };

const bodyFor = async (name: Name, request: EmbeddingRequest): Promise<unknown> => {
  const vendor = await startVendor(json(ANSWERS[name]));
  await embed(PROVIDERS[name](vendor.url), request);
  return vendor.asked[0];
};

const gapsOf = (name: Name, request: EmbeddingRequest): readonly Gap[] | undefined =>
  PROVIDERS[name]('http://unused').embeddings?.gaps(request);

describe('from the vendor', () => {
  test.each(ALL)('%s: an answer as its documents show it', async (name) => {
    const vendor = await startVendor(json(ANSWERS[name]));
    const { vectors, model, usage, source } = (await embed(PROVIDERS[name](vendor.url), hello)) as EmbeddingResponse;
    expect(vectors.map((vector) => Array.from(vector))).toEqual([[0.5, -0.25]]);
    expect(model).toBe(name.startsWith('openai') ? 'm-1' : 'm');
    expect(usage).toEqual(name === 'google' ? undefined : { inputTokens: 8 });
    expect(source).toBeUndefined();
  });

  test('a vendor without embeddings has none', () => {
    expect(anthropic('m', { apiKey: 'k' }).connect('m', undefined).embeddings).toBeUndefined();
  });

  const broken: readonly (readonly [string, (response: ServerResponse) => ServerResponse])[] = [
    ['an empty object', json({})],
    ['vectors that are none', json({ data: 'x', embeddings: 'x' })],
    ['a vector that is none', json({ data: [{ embedding: 7 }], embeddings: [{ values: 7 }] })],
    ['an empty body', raw('')],
    ['a web page', raw('<html>', 'text/html')],
    ['half a body', raw('{"data":[{"embedding":[0.5')],
  ];
  const cases = ALL.flatMap((name) => broken.map(([what, answer]) => [name, what, answer] as const));

  test.each(cases)('%s: %s is broken', async (name, _, answer) => {
    const vendor = await startVendor(answer);
    expect(await embed(PROVIDERS[name](vendor.url), hello)).toMatchObject({ kind: 'broken' });
  });

  test.each([
    ['openai', { error: { message: 'busy', type: 'server_error', code: null } }, 'server-error'],
    ['cohere', { message: 'rate_limit' }, 'rate-limited'],
    ['google', { error: { code: 503, message: 'busy', status: 'UNAVAILABLE' } }, 'overloaded'],
  ] as const)('%s: an error inside a 200 is what it says', async (name, body, kind) => {
    const vendor = await startVendor(json(body));
    expect(await embed(PROVIDERS[name](vendor.url), hello)).toMatchObject({ kind });
  });

  test.each(ALL)('%s: a 429 is not tried again here, and keeps what it asks for', async (name) => {
    const vendor = await startVendor(json({ error: { message: 'slow' } }, 429, { 'retry-after': '20' }));
    expect(await embed(PROVIDERS[name](vendor.url), hello)).toMatchObject({
      kind: 'rate-limited',
      retryAfterMs: 20_000,
    });
    expect(vendor.asked).toHaveLength(1);
  });

  test.each(ALL)('%s: an abort closes the connection', async (name) => {
    const vendor = await startVendor(() => {});
    const caller = new AbortController();
    const asked = embed(PROVIDERS[name](vendor.url), hello, caller.signal);
    await vi.waitFor(() => expect(vendor.asked).toHaveLength(1));
    caller.abort();
    await asked;
    await vendor.hungUp;
  });
});

describe('to the vendor', () => {
  test('OpenAI and those that resemble it: what arrived in its format goes out as it came, but for the model', async () => {
    const body = { model: 'route', input: [[1, 2], [3]], user: 'u', input_type: 'query', encoding_format: 'float' };
    const source = { format: 'openai-embeddings', body } as const;
    expect(await bodyFor('openai', { inputs: body.input, source })).toEqual({ ...body, model: 'm' });
    // The SDK would ask for base64 by itself.
    const bare = { input: 'hello' };
    expect(await bodyFor('openai', { ...hello, source: { ...source, body: bare } })).toEqual({ ...bare, model: 'm' });
    expect(gapsOf('openai', { inputs: body.input, source })).toEqual([]);
  });

  test('a passed-through answer is handed on byte for byte, where it is in the encoding that was asked for', async () => {
    const text = `${JSON.stringify({ ...ANSWERS.openai, added: 'yesterday' }, null, 2)}\n`;
    const vendor = await startVendor(raw(text));
    const asking = (encoding_format?: string): EmbeddingRequest => ({
      ...hello,
      source: { format: 'openai-embeddings', body: { input: 'hello', ...(encoding_format && { encoding_format }) } },
    });
    const provider = PROVIDERS.openai(vendor.url);
    expect(await embed(provider, asking())).toMatchObject({ source: { format: 'openai-embeddings', body: text } });
    expect(await embed(provider, asking('base64'))).not.toHaveProperty('source');
  });

  test('from code: numbers of servers that resemble OpenAI, and base64 of OpenAI itself', async () => {
    const asked = { inputs: ['a', 'b'], dimensions: 2, extra: { user: 'u' } };
    expect(await bodyFor('openai', asked)).toEqual({
      model: 'm',
      input: ['a', 'b'],
      dimensions: 2,
      user: 'u',
      encoding_format: 'float',
    });
    let sent: unknown;
    const fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
      sent = JSON.parse(String(init?.body));
      return Response.json(ANSWERS['openai, responses']);
    };
    const own = openai('m', {
      apiKey: 'k',
      baseURL: 'https://api.openai.com/v1',
      fetch: fetch as typeof globalThis.fetch,
    });
    await embed(own.connect('m', undefined), hello);
    expect(sent).toEqual({ model: 'm', input: ['hello'], encoding_format: 'base64' });
  });

  test('Cohere: all that it has words for', async () => {
    const extra = { input_type: 'clustering', truncate: 'NONE' };
    expect(await bodyFor('cohere', { inputs: ['a', 'b'], dimensions: 512, extra })).toEqual({
      model: 'm',
      texts: ['a', 'b'],
      input_type: 'clustering',
      truncate: 'NONE',
      embedding_types: ['float'],
      output_dimension: 512,
    });
  });

  test.each(['google', 'google-genai'] as const)('%s: one content for each text', async (name) => {
    const extra = { input_type: 'search_document' };
    const body = (await bodyFor(name, { inputs: ['a', 'b'], dimensions: 768, extra })) as { requests: object[] };
    expect(body.requests).toHaveLength(2);
    for (const [i, text] of ['a', 'b'].entries()) {
      expect(body.requests[i]).toEqual({
        model: 'models/m',
        content: { role: 'user', parts: [{ text }] },
        taskType: 'RETRIEVAL_DOCUMENT',
        outputDimensionality: 768,
      });
    }
  });

  test('a model of the second generation gets texts apart too, of which its SDK would make one', async () => {
    const vendor = await startVendor(json(ANSWERS['google-genai']));
    const model = 'gemini-embedding-2';
    await embed(googleGenAI(model, { apiKey: 'k', httpOptions: { baseUrl: vendor.url } }).connect(model, undefined), {
      inputs: ['a', 'b'],
    });
    expect(vendor.asked[0]).toMatchObject({ requests: [{ content: { parts: [{ text: 'a' }] } }, {}] });
  });

  test('what a vendor has no words for is a gap, and what changes no vector a harmless one', () => {
    const asked = { inputs: ['a', [1, 2]], extra: { user: 'u', added: 1, input_type: 'image', truncate: 'END' } };
    const tokens = { what: 'tokens as input' };
    const user = { what: 'user', harmless: true };
    expect(gapsOf('cohere', asked)).toEqual([tokens, user, { what: 'added' }]);
    expect(gapsOf('google', asked)).toEqual([
      tokens,
      { what: 'input_type image' },
      user,
      { what: 'added' },
      { what: 'truncate' },
    ]);
    expect(gapsOf('google-genai', asked)).toEqual(gapsOf('google', asked));
    expect(gapsOf('openai', asked)).toEqual([]);
  });
});

describe('more texts than a vendor takes at once', () => {
  const many = (count: number): EmbeddingRequest => ({ inputs: Array.from({ length: count }, (_, i) => `text ${i}`) });
  const textsOf = (asked: unknown): readonly string[] => (asked as { texts: string[] }).texts;

  test('go out in several calls, four at once, and come back in their order with the sum of their usage', async () => {
    let underWay = 0;
    let most = 0;
    const vendor = await startVendor(async (response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      const texts = textsOf(vendor.asked.at(-1));
      // Whoever comes first answers last.
      await new Promise((resolve) => setTimeout(resolve, 40 - 5 * vendor.asked.length));
      underWay -= 1;
      json({
        embeddings: { float: texts.map((text) => [Number(text.slice(5)), 1]) },
        meta: { billed_units: { input_tokens: texts.length } },
      })(response);
    });
    const answer = (await embed(PROVIDERS.cohere(vendor.url), many(500))) as EmbeddingResponse;
    expect(answer.vectors.map(([first]) => first)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(answer.usage).toEqual({ inputTokens: 500 });
    expect(vendor.asked.map((asked) => textsOf(asked).length).sort()).toEqual([20, 96, 96, 96, 96, 96]);
    expect(most).toBe(4);
  });

  test('are in one call as long as they fit', async () => {
    const vendor = await startVendor(json({ embeddings: { float: Array(96).fill([1, 0]) } }));
    const answer = (await embed(PROVIDERS.cohere(vendor.url), many(96))) as EmbeddingResponse;
    expect(answer.vectors).toHaveLength(96);
    expect(answer.usage).toBeUndefined();
    expect(vendor.asked).toHaveLength(1);
  });

  test('fail together: one call that fails stops the others, and no more are made', async () => {
    const vendor = await startVendor((response) => {
      if (vendor.asked.length === 4) json({ message: 'no' }, 500)(response);
    });
    expect(await embed(PROVIDERS.cohere(vendor.url), many(2_048))).toMatchObject({ kind: 'server-error' });
    await vendor.hungUp;
    expect(vendor.asked).toHaveLength(4);
  });

  test('are broken when two wrong numbers of vectors add up to the right one', async () => {
    const vendor = await startVendor((response) => {
      const count = vendor.asked.length === 1 ? 95 : 97;
      json({ embeddings: { float: Array(count).fill([1, 0]) } })(response);
    });
    expect(await embed(PROVIDERS.cohere(vendor.url), many(192))).toMatchObject({ kind: 'broken' });
  });
});
