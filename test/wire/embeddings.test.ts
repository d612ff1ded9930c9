import { createServer } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { createRouter, type FailureKind, type RouterConfig, type RouterEvent } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { type Fault, type Simulator, startSimulator } from '@switchyard/simulator';
import { Hono } from 'hono';
import OpenAI, { BadRequestError } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, running } from '../contracts/adapter.ts';
import { EMBEDDERS, type EmbedderName, embedder, MODELS, spaceOf } from './embedders.ts';
import { simulated, vendorOf } from './targets.ts';

// Embeddings over real HTTP, in both directions: the openai client of a caller, the SDKs of the vendors (N13).

let simulators: readonly [Simulator, Simulator];
const servers: RunningServer[] = [];

beforeAll(async () => {
  simulators = [await startSimulator({ seed: 1 }), await startSimulator({ seed: 2 })];
});
afterEach(async () => {
  for (const { close } of servers.splice(0)) await close();
  for (const { vendors } of simulators) for (const vendor of Object.values(vendors)) vendor.heal();
});
afterAll(async () => {
  for (const simulator of simulators) await simulator.close();
});

const events: RouterEvent[] = [];

const serve = async (routes: RouterConfig['routes']): Promise<OpenAI> => {
  events.length = 0;
  const app = new Hono();
  app.use('/llm/*', switchyard(createRouter({ routes, onEvent: (event) => events.push(event) })));
  const server = await running(createAdaptorServer({ fetch: app.fetch }) as Parameters<typeof running>[0]);
  servers.push(server);
  return new OpenAI({ baseURL: `${server.url}/llm/vectors/v1`, apiKey: 'the-team-s-own', maxRetries: 0 });
};

const SHORT_TIMEOUTS = { connect: '500ms', answer: '600ms' } as const;

/** The same model at two vendors of its kind, the second of them in another simulator. */
const pair = (provider: EmbedderName): RouterConfig['routes'] => ({
  vectors: {
    pool: [
      embedder(simulators[0], provider, { id: 'first', contextWindow: 1_000, timeouts: SHORT_TIMEOUTS }),
      embedder(simulators[1], provider, { id: 'second', contextWindow: 2_000 }),
    ],
  },
});

const model = 'any';
const norm = (vector: readonly number[]): number => Math.hypot(...vector);

describe.each(EMBEDDERS)('the openai client asks %s', (provider) => {
  const [, length] = MODELS[provider];

  test('gets one vector of length 1 for each input, in their order, and the usage', async () => {
    const client = await serve(pair(provider));
    const { data, response } = await client.embeddings.create({ model, input: ['one', 'two', 'one'] }).withResponse();
    expect(data).toMatchObject({
      object: 'list',
      model: MODELS[provider][0],
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
    expect(data.data.map(({ index, object }) => [index, object])).toEqual([0, 1, 2].map((i) => [i, 'embedding']));
    const [one, two, again] = data.data.map(({ embedding }) => embedding);
    expect(one).toHaveLength(length);
    expect(norm(one ?? [])).toBeCloseTo(1, 4);
    expect(one).toEqual(again);
    expect(one).not.toEqual(two);
    expect(response.headers.get('x-switchyard-target')).toBe('first');
    expect(response.headers.get('x-switchyard-attempts')).toBe('1');
  });

  test('gets the same vectors as numbers and as base64, which is what the client asks for unasked', async () => {
    const client = await serve(pair(provider));
    const unasked = await client.embeddings.create({ model, input: 'one' });
    const numbers = await client.embeddings.create({ model, input: 'one', encoding_format: 'float' });
    const text = await client.embeddings.create({ model, input: 'one', encoding_format: 'base64' });
    const [vector] = numbers.data;
    expect(typeof text.data[0]?.embedding).toBe('string');
    expect(Array.from(unasked.data[0]?.embedding ?? [])).toEqual(
      Array.from(Float32Array.from(vector?.embedding ?? [])),
    );
    expect(toNumbers(text.data[0]?.embedding)).toEqual(Array.from(unasked.data[0]?.embedding ?? []));
  });

  test('gets shorter vectors where it asks for them', async () => {
    const client = await serve(pair(provider));
    const { data } = await client.embeddings.create({ model, input: ['one', 'two'], dimensions: 256 });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([256, 256]);
    // And whole ones after it.
    const whole = await client.embeddings.create({ model, input: 'one' });
    expect(whole.data[0]?.embedding).toHaveLength(length);
  });

  test('gets many at once: a vendor that takes fewer is called several times, within one attempt', async () => {
    const client = await serve(pair(provider));
    const vendor = simulators[0].vendors[vendorOf(provider)];
    const before = vendor.calls;
    const input = Array.from({ length: 250 }, (_, i) => `text ${i}`);
    const { data, response } = await client.embeddings.create({ model, input, dimensions: 256 }).withResponse();
    expect(data.data).toHaveLength(250);
    for (const i of [0, 95, 96, 99, 100, 249]) {
      const alone = await client.embeddings.create({ model, input: `text ${i}`, dimensions: 256 });
      expect([i, data.data[i]?.embedding]).toEqual([i, alone.data[0]?.embedding]);
    }
    expect(response.headers.get('x-switchyard-attempts')).toBe('1');
    expect(vendor.calls - before - 6).toBe(provider === 'openai' ? 1 : 3);
  });

  const moves = (fault: Fault, kind: FailureKind): readonly [string, Fault, FailureKind] => [
    `${fault.kind} ${'status' in fault ? fault.status : ''}`,
    fault,
    kind,
  ];

  test.each([
    ...([500, 502, 504] as const).map((status) => moves({ kind: 'status', status }, 'server-error')),
    ...([503, 529] as const).map((status) => moves({ kind: 'status', status }, 'overloaded')),
    ...([401, 403] as const).map((status) => moves({ kind: 'status', status }, 'unauthorized')),
    moves({ kind: 'status', status: 402 }, 'quota-exhausted'),
    moves({ kind: 'status', status: 404 }, 'not-found'),
    moves({ kind: 'status', status: 429 }, 'rate-limited'),
    moves({ kind: 'refuse' }, 'unreachable'),
    moves({ kind: 'reset' }, 'unreachable'),
    moves({ kind: 'hang-before-headers' }, 'timed-out'),
    moves({ kind: 'hang-after-headers' }, 'timed-out'),
    moves({ kind: 'stall' }, 'timed-out'),
    moves({ kind: 'slow-first-token', ms: 5_000 }, 'timed-out'),
    moves({ kind: 'cut' }, 'broken'),
    moves({ kind: 'malformed-chunk' }, 'broken'),
    moves({ kind: 'empty' }, 'broken'),
    moves({ kind: 'truncated-json' }, 'broken'),
    moves({ kind: 'html' }, 'broken'),
    moves({ kind: 'context-length' }, 'too-long'),
    moves({ kind: 'error-before-content' }, ERROR_INSIDE[provider]),
    moves({ kind: 'flap', onMs: 60_000, offMs: 1 }, 'overloaded'),
  ])('%s: the second target of the same space answers, with the same vector', async (_, fault, kind) => {
    const client = await serve(pair(provider));
    const healthy = await client.embeddings.create({ model, input: 'one' });
    const first = simulators[0].vendors[vendorOf(provider)];
    const before = first.calls;
    first.break(fault);
    const { data, response } = await client.embeddings.create({ model, input: 'one' }).withResponse();
    expect(response.headers.get('x-switchyard-target')).toBe('second');
    expect(data.data).toEqual(healthy.data);
    expect(first.calls - before).toBe(fault.kind === 'refuse' ? 0 : 1);
    const ended = events.flatMap((event) => (event.type === 'attempt-ended' ? [event.attempt.outcome] : []));
    expect(ended).toEqual(['answered', kind, 'answered']);
  });

  test.each([400, 422])('a %i of the vendor is the answer, and nobody else is asked', async (status) => {
    const client = await serve(pair(provider));
    simulators[0].vendors[vendorOf(provider)].break({ kind: 'status', status });
    const before = simulators[1].vendors[vendorOf(provider)].calls;
    await expect(client.embeddings.create({ model, input: 'one' })).rejects.toMatchObject({ status });
    expect(simulators[1].vendors[vendorOf(provider)].calls).toBe(before);
  });
});

/** What an error inside a 200 is; one of Google's SDKs drops it. */
const ERROR_INSIDE: Readonly<Record<EmbedderName, FailureKind>> = {
  openai: 'server-error',
  cohere: 'server-error',
  google: 'overloaded',
  'google-genai': 'broken',
};

const toNumbers = (base64: unknown): readonly number[] => {
  const bytes = Uint8Array.from(Buffer.from(String(base64), 'base64'));
  return Array.from(new Float32Array(bytes.buffer));
};

describe('what is asked passes through to a target of the same format', () => {
  test('body and answer whole but for the model, and nothing is asked for that the caller did not', async () => {
    const client = await serve(pair('openai'));
    const body = { model: 'vectors', input: 'one', user: 'u-1' };
    const answer = await fetch(`${client.baseURL}/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { openai: vendor } = simulators[0].vendors;
    expect(vendor.requests.at(-1)?.body).toEqual({ ...body, model: 'text-embedding-3-small' });
    expect(vendor.requests.at(-1)?.headers.authorization).toBe('Bearer any-key');
    expect(await answer.json()).toMatchObject({ model: 'text-embedding-3-small', usage: { total_tokens: 1 } });
  });

  test('tokens go to it, and skip the targets that take texts only', async () => {
    const space = 'shared';
    const client = await serve({
      vectors: {
        pool: [
          embedder(simulators[0], 'cohere', { space, id: 'texts', unsupported: 'skip' }),
          embedder(simulators[0], 'openai', { space, id: 'tokens' }),
        ],
      },
    });
    for (const input of [
      [1, 2, 3],
      [[1, 2], [3]],
    ]) {
      const { data, response } = await client.embeddings.create({ model, input }).withResponse();
      expect(data.data).toHaveLength(Array.isArray(input[0]) ? 2 : 1);
      expect(response.headers.get('x-switchyard-trace')).toContain('texts;skipped="cannot express tokens as input"');
    }
  });

  test('a target that leaves out what it cannot express still cannot leave out its inputs', async () => {
    const client = await serve({ vectors: { pool: [embedder(simulators[0], 'cohere', { unsupported: 'drop' })] } });
    const before = simulators[0].vendors.cohere.calls;
    const error = await client.embeddings.create({ model, input: [1, 2] }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(String(error)).toContain('takes texts, and no tokens');
    expect(simulators[0].vendors.cohere.calls).toBe(before);
  });
});

describe('what the vectors are for', () => {
  const asked = (vendor: 'cohere' | 'google') => simulators[0].vendors[vendor].requests.at(-1)?.body;

  test('is said to Cohere always, and is a document where nobody says', async () => {
    const client = await serve(pair('cohere'));
    await client.embeddings.create({ model, input: 'one' });
    expect(asked('cohere')).toMatchObject({
      input_type: 'search_document',
      texts: ['one'],
      embedding_types: ['float'],
    });
    const query = { model, input: 'one', dimensions: 512, input_type: 'search_query', truncate: 'END' };
    await client.embeddings.create(query);
    expect(asked('cohere')).toMatchObject({ input_type: 'search_query', truncate: 'END', output_dimension: 512 });
  });

  test.each(['google', 'google-genai'] as const)('is said to %s in its own words', async (provider) => {
    const client = await serve(pair(provider));
    const requestsFor = async (extra: object): Promise<unknown> => {
      await client.embeddings.create({ model, input: 'one', dimensions: 768, ...extra });
      return asked('google');
    };
    expect(await requestsFor({ input_type: 'search_query' })).toMatchObject({
      requests: [{ taskType: 'RETRIEVAL_QUERY', outputDimensionality: 768, content: { parts: [{ text: 'one' }] } }],
    });
    expect(await requestsFor({ task_type: 'FACT_VERIFICATION' })).toMatchObject({
      requests: [{ taskType: 'FACT_VERIFICATION' }],
    });
    expect(JSON.stringify(await requestsFor({}))).not.toContain('taskType');
  });

  test('skips a target that has no word for it, and names it', async () => {
    const client = await serve(pair('google'));
    const unheard = { model, input: 'one', input_type: 'image' };
    await expect(client.embeddings.create(unheard)).rejects.toThrow(/cannot express input_type image/);
  });

  test('leaves out who the user is where the vendor has no word for it, and says so', async () => {
    const client = await serve(pair('google'));
    const { response } = await client.embeddings.create({ model, input: 'one', user: 'u-1' }).withResponse();
    expect(response.headers.get('x-switchyard-trace')).toContain('dropped="user"');
  });
});

describe('a wrong vector is never handed out', () => {
  /** A server that resembles OpenAI's, and answers with these vectors. */
  const sends = async (...data: readonly unknown[]): Promise<string> => {
    const server = await running(
      createServer((_, response) => {
        const items = data.map((embedding, index) => ({ object: 'embedding', index, embedding }));
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ object: 'list', data: items, model: 'odd', usage: { prompt_tokens: 1 } }));
      }),
    );
    servers.push(server);
    return `${server.url}/v1`;
  };

  const beside = (baseURL: string, space = spaceOf('openai')): RouterConfig['routes'] => ({
    vectors: {
      pool: [
        openai('odd', { id: 'odd', apiKey: 'k', baseURL, space }),
        embedder(simulators[0], 'openai', { id: 'sound', space }),
      ],
    },
  });

  const long = (length: number, value: unknown = 0.5): readonly unknown[] => Array(length).fill(value);

  test.each([
    ['fewer vectors than inputs', [long(1_536)]],
    ['more vectors than inputs', [long(1_536), long(1_536), long(1_536)]],
    ['an empty vector', [long(1_536), []]],
    ['vectors of two lengths', [long(1_536), long(768)]],
    ['vectors that are shorter than the name of the space says', [long(768), long(768)]],
    ['null in place of a number', [long(1_536), [...long(1_535), null]]],
    ['a text in place of a number', [long(1_536), [...long(1_535), 'NaN']]],
    ['base64 that was cut', ['AAAA', 'AAAA']],
    ['no vector at all', [long(1_536), undefined]],
  ])('%s: the next target answers', async (_, vectors) => {
    const client = await serve(beside(await sends(...vectors)));
    const { data, response } = await client.embeddings
      .create({ model, input: ['one', 'two'], encoding_format: 'float' })
      .withResponse();
    expect(response.headers.get('x-switchyard-target')).toBe('sound');
    expect(response.headers.get('x-switchyard-trace')).toMatch(/^odd;outcome=broken;/);
    expect(data.data.map(({ embedding }) => embedding.length)).toEqual([1_536, 1_536]);
  });

  test('where the name does not say how long they are, the first answer does', async () => {
    const routes = beside(await sends(long(768)), 'unsaid');
    const [odd, sound] = routes.vectors?.pool ?? [];
    if (odd === undefined || sound === undefined) throw new Error('no pool');
    const client = await serve({ other: { pool: [sound] }, vectors: { pool: [odd, sound] } });
    const first = new OpenAI({ baseURL: client.baseURL.replace('vectors', 'other'), apiKey: 'k', maxRetries: 0 });
    await first.embeddings.create({ model, input: 'one' });
    const { response } = await client.embeddings.create({ model, input: 'one' }).withResponse();
    expect(response.headers.get('x-switchyard-trace')).toMatch(/^odd;outcome=broken;/);
    expect(response.headers.get('x-switchyard-target')).toBe('sound');
  });

  test('vectors of another length than was asked for move on, and harm nobody: the next caller may ask for none', async () => {
    const client = await serve(beside(await sends(long(1_536))));
    for (let i = 0; i < 5; i++) {
      const { response } = await client.embeddings.create({ model, input: 'one', dimensions: 256 }).withResponse();
      expect(response.headers.get('x-switchyard-trace')).toMatch(/^odd;outcome=unsupported;/);
      expect(response.headers.get('x-switchyard-target')).toBe('sound');
    }
    const { response } = await client.embeddings.create({ model, input: 'one' }).withResponse();
    expect(response.headers.get('x-switchyard-target')).toBe('odd');
  });

  test('one encoding in place of the other is printed as it was asked for', async () => {
    const client = await serve(beside(await sends(long(1_536))));
    const answer = await client.embeddings.create({ model, input: 'one', encoding_format: 'base64' });
    expect(toNumbers(answer.data[0]?.embedding)).toEqual(long(1_536));
  });

  test('vectors that come out of order are put in order by their index, or refused', async () => {
    const inOrder = async (indices: readonly number[]): Promise<string> => {
      const server = await running(
        createServer((_, response) => {
          const data = indices.map((index) => ({ index, embedding: long(1_536, index + 1) }));
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data, model: 'odd' }));
        }),
      );
      servers.push(server);
      return `${server.url}/v1`;
    };
    const input = ['one', 'two'];
    const turned = await serve(beside(await inOrder([1, 0])));
    const { data } = await turned.embeddings.create({ model, input, encoding_format: 'base64' });
    expect(data.map(({ embedding }) => toNumbers(embedding)[0])).toEqual([1, 2]);
    const twice = await serve(beside(await inOrder([1, 1])));
    const { response } = await twice.embeddings.create({ model, input }).withResponse();
    expect(response.headers.get('x-switchyard-target')).toBe('sound');
  });
});

describe('a route and what it is for', () => {
  test('a route without a space makes no embeddings, and says what to configure', async () => {
    const client = await serve({ vectors: { pool: [simulated(simulators[0], 'openai')] } });
    const error = await client.embeddings.create({ model, input: 'one' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, code: 'no_capable_target', type: 'invalid_request_error' });
    expect(String(error)).toContain("Route 'vectors' makes no embeddings");
    expect(String(error)).toContain('`space`');
  });

  test('a route of nothing but embeddings takes no chat', async () => {
    const client = await serve(pair('openai'));
    const ask = client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] });
    await expect(ask).rejects.toMatchObject({ status: 400, message: expect.stringContaining('embeddings only') });
  });

  test('in a pool of both each request goes to its own kind, and the trace says why the others were skipped', async () => {
    const pool = [
      simulated(simulators[0], 'anthropic', { id: 'talks' }),
      embedder(simulators[0], 'openai', { id: 'embeds' }),
    ];
    const client = await serve({ vectors: { pool } });
    const chat = client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] });
    const traceOf = async (asked: typeof chat | ReturnType<typeof client.embeddings.create>) =>
      (await asked.withResponse()).response.headers.get('x-switchyard-trace');
    expect(await traceOf(chat)).toMatch(/^talks;outcome=answered;.*, embeds;skipped="makes embeddings"$/);
    const embedding = client.embeddings.create({ model, input: 'one' });
    expect(await traceOf(embedding)).toMatch(/^embeds;outcome=answered;.*, talks;skipped="declares no vector space"$/);
  });

  test('a vendor without embeddings cannot be given a space', () => {
    const pool = [anthropic('claude', { apiKey: 'k', space: 'a' })];
    expect(() => createRouter({ routes: { vectors: { pool } } })).toThrow(
      'routes.vectors.pool[0].space: anthropic has no embeddings',
    );
  });
});

test('a caller who leaves stops all calls of an attempt, and harms nobody', async () => {
  const client = await serve(pair('cohere'));
  const { cohere } = simulators[0].vendors;
  cohere.break({ kind: 'hang-before-headers' });
  const before = cohere.calls;
  const caller = new AbortController();
  const input = Array.from({ length: 1_000 }, (_, i) => `text ${i}`);
  const asked = client.embeddings.create({ model, input }, { signal: caller.signal });
  await expect.poll(() => cohere.calls - before).toBe(4);
  caller.abort();
  await expect(asked).rejects.toThrow();
  await expect.poll(() => cohere.lastCalls.slice(-4).map(({ outcome }) => outcome)).toEqual(Array(4).fill('aborted'));
  expect(cohere.calls - before).toBe(4);
  expect(events.filter(({ type }) => type.startsWith('target-'))).toEqual([]);
});

test('when one of several calls fails the others are stopped, and the next target makes all the vectors', async () => {
  const client = await serve(pair('google-genai'));
  const { google } = simulators[0].vendors;
  const before = google.calls;
  google.break({ kind: 'status', status: 500, times: 1 });
  const input = Array.from({ length: 2_048 }, (_, i) => `text ${i}`);
  const { data, response } = await client.embeddings.create({ model, input, dimensions: 64 }).withResponse();
  expect(response.headers.get('x-switchyard-target')).toBe('second');
  expect(data.data).toHaveLength(2_048);
  // Of 21: those that were under way when the first one failed, and hardly more.
  expect(google.calls - before).toBeLessThan(10);
});
