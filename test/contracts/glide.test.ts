import { readFile } from 'node:fs/promises';
import { createAdaptorServer } from '@hono/node-server';
import { createRouter, type Router, type RouterConfig } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';
import type { TargetOptions } from '@switchyard/core/provider';
import { switchyard } from '@switchyard/hono';
import type { HandlerOptions } from '@switchyard/http';
import { type SimulatedVendor, type Simulator, startSimulator } from '@switchyard/simulator';
import { Hono } from 'hono';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { PROVIDERS, simulated, vendorOf } from '../wire/targets.ts';
import { type RunningServer, running } from './adapter.ts';

// What was written for Glide has to go on working: its requests, its answers, the names of its errors. Glide has no client
// for this language, so that requests are sent as its documentation shows them.

interface Message {
  readonly role: string;
  readonly content: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string } }[];
}

interface Answer {
  readonly id: string;
  readonly model_id: string;
  readonly model_name: string;
  readonly finish_reason: string;
  readonly model_response: { readonly message: Message; readonly token_usage: Readonly<Record<string, number>> };
}

interface Frame {
  readonly id: string;
  readonly metadata?: object;
  readonly router_id: string;
  readonly chunk?: {
    readonly provider_id: string;
    readonly model_id: string;
    readonly model_name: string;
    readonly cached: boolean;
    readonly model_response: { readonly message: Message; readonly token_usage?: Readonly<Record<string, number>> };
    readonly finish_reason?: string;
  };
  readonly error?: { readonly name: string; readonly message: string; readonly finish_reason?: string };
}

/** As Glide's documentation shows it. */
const SAMPLE = {
  message: { role: 'user', content: 'Where was it played?' },
  message_history: [
    { role: 'system', content: 'You are a helpful assistant.' },
    { role: 'user', content: 'Who won the world series in 2020?' },
    { role: 'assistant', content: 'The Los Angeles Dodgers won the World Series in 2020.' },
  ],
};

let simulators: readonly [Simulator, Simulator];
let first: SimulatedVendor;
let second: SimulatedVendor;
const open: RunningServer[] = [];

beforeAll(async () => {
  simulators = [await startSimulator({ seed: 1 }), await startSimulator({ seed: 2 })];
  [first, second] = [simulators[0].vendors.openai, simulators[1].vendors.openai];
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  for (const { vendors } of simulators) for (const vendor of Object.values(vendors)) vendor.heal();
});
afterAll(async () => {
  for (const simulator of simulators) await simulator.close();
});

// #region mount
/** Puts the router where Glide was. */
const mountAsGlide = (app: Hono, router: Router): void => {
  app.use('/v1/language/*', switchyard(router, { basePath: '/v1/language' }));
};
// #endregion

const mountAtDefault =
  (options: HandlerOptions) =>
  (app: Hono, router: Router): void => {
    app.use('/llm/*', switchyard(router, options));
  };

const serve = async (
  pool: RouterConfig['routes'][string]['pool'],
  options: HandlerOptions = {},
  mount = mountAtDefault(options),
): Promise<string> => {
  const app = new Hono();
  mount(app, createRouter({ routes: { default: { pool } } }));
  const server = await running(createAdaptorServer({ fetch: app.fetch }) as Parameters<typeof running>[0]);
  open.push(server);
  return server.url;
};

const KEY = 'sk-secret-of-the-team';

const at = ({ url }: SimulatedVendor, model: string, options: TargetOptions = {}) =>
  openai(model, { apiKey: KEY, baseURL: `${url}/v1`, ...options });

/** Two targets at two vendors, of which the second answers only when the first has failed. */
const pair = () => [at(first, 'gpt-4', { id: 'main' }), at(second, 'gpt-4o', { id: 'spare' })];

const ask = (base: string, body: object, init: RequestInit = {}, path = '/llm/default/chat'): Promise<Response> =>
  fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...init,
  });

const answerOf = async (response: Response): Promise<Answer> => {
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
  return (await response.json()) as Answer;
};

const framesOf = async (response: Response): Promise<readonly Frame[]> => {
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const frames = (await response.text()).split('\n\n');
  expect(frames.pop()).toBe('');
  return frames.map((frame) => JSON.parse(/^data: (.*)$/.exec(frame)?.[1] ?? 'not one frame') as Frame);
};

const textOf = (frames: readonly Frame[]): string =>
  frames.map(({ chunk }) => chunk?.model_response.message.content ?? '').join('');

/** What a vendor was asked last, in its own words. */
const asked = (vendor: SimulatedVendor): Readonly<Record<string, unknown>> =>
  vendor.requests.at(-1)?.body as Readonly<Record<string, unknown>>;

const roles = (vendor: SimulatedVendor): readonly string[] =>
  (asked(vendor).messages as readonly Message[]).map(({ role }) => role);

describe('a plain answer', () => {
  test('to what Glide’s documentation shows has what it shows (P7, P8)', async () => {
    const response = await ask(await serve(pair()), SAMPLE);
    expect(response.headers.get('x-switchyard-target')).toBe('main');
    const { token_usage } = (await answerOf(response.clone())).model_response;
    expect(await answerOf(response)).toEqual({
      id: expect.stringMatching(/^chatcmpl/),
      created_at: expect.closeTo(Date.now() / 1_000, -2),
      provider_id: 'openai',
      router_id: 'default',
      model_id: 'main',
      model_name: 'gpt-4',
      cached: false,
      model_response: {
        metadata: { response_id: expect.stringMatching(/^chatcmpl/) },
        message: { role: 'assistant', content: expect.stringContaining('"Where was it played?"') },
        token_usage: {
          prompt_tokens: expect.any(Number),
          response_tokens: expect.any(Number),
          total_tokens: (token_usage.prompt_tokens ?? 0) + (token_usage.response_tokens ?? 0),
        },
      },
      finish_reason: 'complete',
    });
    expect(token_usage.response_tokens).toBeGreaterThan(0);
    expect(roles(first)).toEqual(['system', 'user', 'assistant', 'user']);
  });

  test.each(PROVIDERS)('comes from %s as from any, and so does a stream', async (provider) => {
    const base = await serve([simulated(simulators[0], provider)]);
    const vendor = simulators[0].vendors[vendorOf(provider)];
    const { model_response, finish_reason } = await answerOf(await ask(base, { ...SAMPLE, max_tokens: 100 }));
    expect(finish_reason).toBe('complete');
    expect(model_response.message.content).toContain('"Where was it played?"');
    expect(model_response.token_usage.prompt_tokens).toBeGreaterThan(0);
    expect(JSON.stringify(asked(vendor))).toContain('You are a helpful assistant.');
    const frames = await framesOf(await ask(base, { ...SAMPLE, max_tokens: 100, stream: true }));
    expect(textOf(frames)).toBe(model_response.message.content);
    const { chunk } = frames.at(-1) as Frame;
    expect(chunk?.finish_reason).toBe('complete');
    expect(chunk?.model_response.token_usage).toEqual(model_response.token_usage);
  });

  test('comes from the next target when the first one fails', async () => {
    first.break({ kind: 'status', status: 500 });
    const response = await ask(await serve(pair()), SAMPLE);
    expect(await answerOf(response)).toMatchObject({ model_id: 'spare', model_name: 'gpt-4o' });
    expect(response.headers.get('x-switchyard-attempts')).toBe('2');
  });

  test('is asked for with the settings of the request, also those that are 0 (A1)', async () => {
    await answerOf(await ask(await serve(pair()), { ...SAMPLE, temperature: 0, max_tokens: 7 }));
    expect(asked(first)).toMatchObject({ temperature: 0, max_tokens: 7 });
    await answerOf(await ask(await serve(pair()), SAMPLE));
    expect(asked(first)).not.toHaveProperty('max_tokens');
  });

  test('of a model that was cut short says so', async () => {
    const answer = await answerOf(await ask(await serve(pair()), { ...SAMPLE, max_tokens: 2 }));
    expect(answer.finish_reason).toBe('max_tokens');
  });

  test('that calls a tool is followed by one that has its result', async () => {
    const base = await serve(pair());
    const parameters = { type: 'object', properties: { city: { type: 'string' } } };
    const tools = [{ type: 'function', function: { name: 'get_weather', parameters } }];
    const question = { content: 'What is the weather in Berlin?' };
    const called = await answerOf(await ask(base, { message: question, tools }));
    expect(called.finish_reason).toBe('tool_calls');
    const said = called.model_response.message;
    const result = { role: 'tool', tool_call_id: said.tool_calls?.[0]?.id, content: 'Sunny.' };
    const answer = await answerOf(await ask(base, { message: result, message_history: [question, said], tools }));
    expect(answer.finish_reason).toBe('complete');
    expect(roles(first)).toEqual(['user', 'assistant', 'tool']);
  });

  test('names the speakers to OpenAI', async () => {
    const base = await serve(pair());
    await answerOf(await ask(base, { message: { ...SAMPLE.message, name: 'ann' } }));
    expect(asked(first).messages).toEqual([{ role: 'user', content: 'Where was it played?', name: 'ann' }]);
    const frames = await framesOf(await ask(base, { message: { ...SAMPLE.message, name: 'ann' }, stream: true }));
    expect(frames.at(-1)?.chunk?.model_response.token_usage?.response_tokens).toBeGreaterThan(0);
  });

  test('is found where Glide served it, when the router is mounted there', async () => {
    const base = await serve(pair(), {}, mountAsGlide);
    const answer = await answerOf(await ask(base, SAMPLE, {}, '/v1/language/default/chat'));
    expect(answer.model_id).toBe('main');
  });
});

describe('override_params', () => {
  const words = (vendor: SimulatedVendor): string => JSON.stringify(asked(vendor).messages);

  const overridden = {
    ...SAMPLE,
    temperature: 1,
    override_params: {
      // By the model and by the id of the same target: the id wins.
      'gpt-4': { message: { role: 'user', content: 'the words for the model' } },
      main: { message: { role: 'user', content: 'the words for the id' } },
      'gpt-4o': { temperature: 0 },
    },
  };

  test.each([false, true])('act on the target they name alone; streamed: %s (P7, A1, A4, S9)', async (stream) => {
    const base = await serve(pair());
    first.break({ kind: 'status', status: 500, times: 1 });
    expect((await ask(base, { ...overridden, stream })).status).toBe(200);
    expect(words(first)).toContain('the words for the id');
    expect(words(first)).not.toContain('the words for the model');
    expect(roles(first)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(asked(first).temperature).toBe(1);
    // Without a message of its own it keeps the original one.
    expect(words(second)).toContain('Where was it played?');
    expect(words(second)).not.toContain('the words for');
    expect(asked(second).temperature).toBe(0);
  });

  test('find a target by the name of its model', async () => {
    const override_params = { 'gpt-4': { message: { content: 'the words for the model' } } };
    await answerOf(await ask(await serve(pair()), { ...SAMPLE, override_params }));
    expect(words(first)).toContain('the words for the model');
  });

  test('that a vendor cannot express skip its target, and no other', async () => {
    const base = await serve([simulated(simulators[0], 'anthropic'), at(second, 'gpt-4o')]);
    const override_params = { 'claude-sonnet-5-5': { seed: 7 } };
    const response = await ask(base, { ...SAMPLE, override_params });
    expect(response.headers.get('x-switchyard-trace')).toContain(
      'anthropic/claude-sonnet-5-5;skipped="cannot express seed"',
    );
    expect((await answerOf(response)).model_name).toBe('gpt-4o');
    expect(asked(second)).not.toHaveProperty('seed');
  });

  test('do not undo what the target itself is set to', async () => {
    const pool = [at(first, 'gpt-4', { params: { temperature: 0.5 } })];
    await answerOf(await ask(await serve(pool), { ...SAMPLE, override_params: { 'gpt-4': { temperature: 1 } } }));
    expect(asked(first).temperature).toBe(0.5);
  });

  test.each([false, true])(
    'of a target that is not there are an error, and nobody is asked; streamed: %s',
    async (stream) => {
      const base = await serve(pair());
      const before = first.requests.length;
      const response = await ask(base, { ...SAMPLE, stream, override_params: { 'gpt-9': {} } });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        name: 'payload_parse_error',
        message: expect.stringMatching(/^override_params\.gpt-9: .*main, spare/),
      });
      expect(first.requests.length).toBe(before);
    },
  );
});

describe('a stream', () => {
  const named = { ...SAMPLE, id: 'request-7', metadata: { user: { id: 'u' } } };

  test.each([
    ['stream: true', { stream: true }, {}],
    ['its accept header', {}, { accept: 'text/event-stream' }],
  ])('is asked for by %s, and names model and request in each chunk (P10)', async (_, fields, headers) => {
    const base = await serve(pair());
    const body = { ...named, ...fields };
    const response = await ask(base, body, { headers: { 'content-type': 'application/json', ...headers } });
    const frames = await framesOf(response);
    expect(frames.length).toBeGreaterThan(5);
    for (const frame of frames) {
      expect(frame).toMatchObject({
        id: 'request-7',
        created_at: expect.any(Number),
        router_id: 'default',
        metadata: { user: { id: 'u' } },
        chunk: { provider_id: 'openai', model_id: 'main', model_name: 'gpt-4', cached: false },
      });
    }
    expect(frames.map(({ chunk }) => chunk?.finish_reason).filter(Boolean)).toEqual(['complete']);
    expect(frames.at(-1)?.chunk?.finish_reason).toBe('complete');
    expect(textOf(frames)).toContain('"Where was it played?"');
  });

  test('comes from the next target when the first one fails, and says nothing of it', async () => {
    first.break({ kind: 'status', status: 500 });
    const frames = await framesOf(await ask(await serve(pair()), { ...named, stream: true }));
    expect(new Set(frames.map(({ chunk }) => chunk?.model_id))).toEqual(new Set(['spare']));
  });

  test('that breaks off ends with one error, and no reason that looks like an end (S3)', async () => {
    first.break({ kind: 'cut', afterEvents: 4 });
    const frames = await framesOf(await ask(await serve(pair()), { ...named, stream: true }));
    expect(frames.at(-1)).toMatchObject({
      id: 'request-7',
      router_id: 'default',
      metadata: { user: { id: 'u' } },
      error: { name: 'model_unavailable', finish_reason: 'error' },
    });
    expect(frames.filter(({ error }) => error !== undefined)).toHaveLength(1);
    expect(frames.some(({ chunk }) => chunk?.finish_reason !== undefined)).toBe(false);
    expect(textOf(frames)).not.toBe('');
  });

  test('whose caller leaves stops at the vendor (S6)', async () => {
    first.break({ kind: 'stall', afterEvents: 4 });
    const { body } = await ask(await serve(pair()), { ...named, stream: true });
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    expect(first.lastCalls.at(-1)?.outcome).toBe('open');
    await reader.cancel();
    await vi.waitFor(() => expect(first.lastCalls.at(-1)?.outcome).toBe('aborted'));
    expect(second.lastCalls.at(-1)?.outcome).not.toBe('open');
  });

  test('that nobody can begin is a plain error', async () => {
    for (const vendor of [first, second]) vendor.break({ kind: 'status', status: 503 });
    const response = await ask(await serve(pair()), { ...named, stream: true });
    expect([response.status, response.headers.get('content-type')]).toEqual([503, 'application/json']);
    expect(await response.json()).toMatchObject({ name: 'all_models_unavailable' });
  });
});

describe('an error has Glide’s name for it (P9)', () => {
  const json = { 'content-type': 'application/json' };

  test.each([
    ['a route that is not there', '/llm/nowhere/chat', { body: JSON.stringify(SAMPLE) }, 404, 'router_not_found'],
    ['a body that is not JSON', '/llm/default/chat', { body: '{' }, 400, 'payload_parse_error'],
    ['a body without a message', '/llm/default/chat', { body: '{}' }, 400, 'payload_parse_error'],
    [
      'a body of another type',
      '/llm/default/chat',
      { body: 'hi', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    [
      'a body that is too long',
      '/llm/default/chat',
      { body: JSON.stringify({ message: { content: 'a'.repeat(2_000) } }) },
      413,
      'payload_too_large',
    ],
  ])('%s', async (_, path, init, status, name) => {
    const base = await serve(pair(), { bodyLimit: 1_000 });
    const before = first.requests.length;
    const response = await fetch(base + path, { method: 'POST', headers: json, ...init });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ name, message: expect.any(String) });
    expect(first.requests.length).toBe(before);
  });

  test('all targets down: with the cause of each, and neither key nor prompt (A6)', async () => {
    for (const vendor of [first, second]) vendor.break({ kind: 'status', status: 503 });
    const response = await ask(await serve(pair()), SAMPLE);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({
      name: 'all_models_unavailable',
      attempts: [
        { target: 'main', status: 503 },
        { target: 'spare', status: 503 },
      ],
    });
    expect(text).not.toContain(KEY);
    expect(text).not.toContain('Where was it played');
  });

  test('a request that the vendor refuses: with its status and its words, and the next one is not asked', async () => {
    const before = second.requests.length;
    first.break({ kind: 'status', status: 422 });
    const response = await ask(await serve(pair()), SAMPLE);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ name: 'request_refused', attempts: [{ target: 'main' }] });
    expect(second.requests.length).toBe(before);
  });

  test('a caller who may not pass', async () => {
    const response = await ask(await serve(pair(), { authorize: () => false }), SAMPLE);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ name: 'unauthorized' });
  });

  test.each(['/llm/chat', '/llm/v1/chat', '/llm/default/v1/chat', '/llm/default/chatStream', '/llm/default/chat/x'])(
    '%s is not ours',
    async (path) => {
      const response = await ask(await serve(pair()), SAMPLE, {}, path);
      expect([response.status, await response.text()]).toEqual([404, '404 Not Found']);
    },
  );
});

describe('docs/glide.md', () => {
  /** The same with the kinds of things in the place of the things: what differs from run to run. */
  const shapeOf = (value: unknown): unknown =>
    typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]))
      : typeof value;

  test('shows an answer, and the end of a stream, as they are', async () => {
    const page = await readFile(new URL('../../docs/glide.md', import.meta.url), 'utf8');
    const shown = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, code = '']) => JSON.parse(code) as object);
    const base = await serve(pair());
    const answer = await answerOf(await ask(base, SAMPLE));
    const named = { ...SAMPLE, id: 'request-7', metadata: { user: 'u-1' } };
    const chunks = await framesOf(await ask(base, { ...named, stream: true }));
    first.break({ kind: 'cut', afterEvents: 4 });
    const broken = await framesOf(await ask(base, { ...named, stream: true }));
    expect(shown.map(shapeOf)).toEqual([answer, chunks.at(-1), broken.at(-1)].map(shapeOf));
  });
});
