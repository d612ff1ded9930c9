import { createServer } from 'node:http';
import Anthropic, { BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { createRouter, type Router, type RouterConfig, type System, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { switchyard } from '@switchyard/node';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ProviderName, simulated } from '../wire/targets.ts';
import { type RunningServer, running } from './adapter.ts';

let simulator: Simulator;
const open: RunningServer[] = [];

beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  for (const vendor of Object.values(simulator.vendors)) vendor.heal();
});
afterAll(() => simulator.close());

const connected = async (
  pool: readonly TargetSpec[],
  config: Partial<RouterConfig> = {},
): Promise<{ client: Anthropic; url: string; router: Router }> => {
  const router = createRouter({ ...config, routes: { chat: { pool } } });
  const middleware = switchyard(router);
  const server = await running(
    createServer((request, response) => middleware(request, response, () => response.end())),
  );
  open.push(server);
  return { client: clientAt(`${server.url}/llm`), url: server.url, router };
};

const clientAt = (baseURL: string): Anthropic =>
  new Anthropic({ baseURL, apiKey: 'the-team-s-own', maxRetries: 0, logLevel: 'off' });

const target = (provider: ProviderName, options = {}): TargetSpec => simulated(simulator, provider, options);

const SYSTEM = 'You are brief, and know all of the weather there has ever been.';
const TOOL: Anthropic.Tool = {
  name: 'get_weather',
  description: 'The weather in a city.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } } },
};
const hi: Anthropic.MessageParam[] = [{ role: 'user', content: 'What is the weather in Berlin?' }];
const question = { model: 'chat', messages: hi, system: SYSTEM, tools: [TOOL] } as const;

/** The count, and what the headers say of it. */
const counted = async (
  client: Anthropic,
  body: Parameters<Anthropic['messages']['countTokens']>[0] = { ...question, tools: [TOOL] },
): Promise<{ tokens: number; by: string | null; estimate: string | null }> => {
  const { data, response } = await client.messages.countTokens(body).withResponse();
  expect(Object.keys(data)).toEqual(['input_tokens']);
  const { headers } = response;
  return {
    tokens: data.input_tokens,
    by: headers.get('x-switchyard-target'),
    estimate: headers.get('x-switchyard-estimate'),
  };
};

const callsOf = () => Object.values(simulator.vendors).map(({ calls }) => calls);

describe('the anthropic client has tokens counted', () => {
  test.each(['anthropic', 'google', 'google-genai'] as const)(
    'by %s: all of the prompt, as the usage of the answer tells afterwards',
    async (provider) => {
      const { client } = await connected([target(provider, { id: 'it' })]);
      const { tokens, by, estimate } = await counted(client);
      expect([by, estimate]).toEqual(['it', null]);
      const { usage } = await client.messages.create({ ...question, tools: [TOOL], max_tokens: 512 });
      expect(tokens).toBe(usage.input_tokens);
      const alone = await counted(client, { model: 'chat', messages: hi });
      expect(alone.tokens).toBeLessThan(tokens - 15);
    },
  );

  test('at Anthropic in its own words: betas, and fields that nobody else knows, and none of the answer’s', async () => {
    const spec = target('anthropic', { params: { maxOutputTokens: 99, temperature: 0.5, stop: ['x'] } });
    const { client } = await connected([spec]);
    const body = {
      ...question,
      tools: [TOOL],
      context_management: { edits: [] },
    } as Anthropic.MessageCountTokensParams;
    await client.messages.countTokens(body, { headers: { 'anthropic-beta': 'one,two' } });
    const request = simulator.vendors.anthropic.requests.at(-1);
    expect(request?.path).toBe('/v1/messages/count_tokens');
    expect(request?.body).toEqual({ ...body, model: 'claude-sonnet-5-5' });
    expect(request?.headers['anthropic-beta']).toBe('one,two');
    expect(JSON.stringify(request?.headers)).toContain('any-key');
    expect(JSON.stringify(request?.headers)).not.toContain('the-team-s-own');
  });

  test('by the first of the pool that can, in whichever place it stands', async () => {
    const pool = [target('openai'), target('cohere'), target('anthropic', { id: 'it' }), target('google')];
    const { client } = await connected(pool);
    const before = callsOf();
    expect((await counted(client)).by).toBe('it');
    expect(callsOf().map((calls, i) => calls - (before[i] ?? 0))).toEqual([0, 1, 0, 0]);
  });

  test('as an estimate, which says so, where nobody of the pool can', async () => {
    const { client } = await connected([target('openai'), target('cohere')]);
    const before = callsOf();
    const { tokens, by, estimate } = await counted(client);
    expect([by, estimate]).toEqual([null, 'tokens']);
    expect(tokens).toBeGreaterThan(20);
    expect(tokens).toBeLessThan(400);
    const twice = await counted(client, { model: 'chat', messages: [{ role: 'user', content: SYSTEM.repeat(20) }] });
    expect(twice.tokens).toBeGreaterThan(200);
    expect(callsOf()).toEqual(before);
  });

  test('with a client that cannot count, such as Bedrock’s, as an estimate', async () => {
    const full = new Anthropic({ apiKey: 'k', baseURL: simulator.vendors.anthropic.url });
    const { apiKey, authToken, baseURL } = full;
    const messages = { create: full.messages.create.bind(full.messages) };
    const { client } = await connected([anthropic('m', { client: { apiKey, authToken, baseURL, messages } })]);
    expect((await counted(client)).estimate).toBe('tokens');
    expect((await client.messages.create({ ...question, tools: [TOOL], max_tokens: 512 })).type).toBe('message');
  });
});

describe('whoever fails to count', () => {
  test('is followed by the next that can, each asked once, and nothing of it is held against anybody', async () => {
    const { client, router } = await connected([target('anthropic'), target('google', { id: 'it' })]);
    const { anthropic: first, google: second } = simulator.vendors;
    const routes = router.snapshot();
    for (const fault of [
      { kind: 'status', status: 500 },
      { kind: 'status', status: 401 },
      { kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 60_000 } },
      { kind: 'reset' },
      { kind: 'truncated-json' },
      { kind: 'html' },
    ] as const) {
      first.break(fault);
      const [one, two] = [first.calls, second.calls];
      expect([fault, (await counted(client)).by]).toEqual([fault, 'it']);
      expect([first.calls - one, second.calls - two]).toEqual([1, 1]);
      second.break({ kind: 'status', status: 503 });
      expect((await counted(client)).estimate).toBe('tokens');
      second.heal();
    }
    expect(router.snapshot()).toEqual(routes);
  });

  test('by taking too long is stopped, and is a failure like another', async () => {
    // Five seconds pass in fifty milliseconds.
    const system: System = {
      nowMs: () => performance.now(),
      dice: () => 0.5,
      schedule: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs / 100);
        return () => clearTimeout(timer);
      },
    };
    const { client } = await connected([target('anthropic')], { system });
    simulator.vendors.anthropic.break({ kind: 'hang-before-headers' });
    expect((await counted(client)).estimate).toBe('tokens');
    await vi.waitFor(() => expect(simulator.vendors.anthropic.lastCalls.at(-1)?.outcome).toBe('aborted'));
  });
});

test('nobody is asked who is left alone, also when the time for a probe has come', async () => {
  let aheadMs = 0;
  const system: System = {
    nowMs: () => performance.now() + aheadMs,
    dice: () => 0.5,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
  const { client, router } = await connected([target('anthropic'), target('openai')], { system });
  const vendor = simulator.vendors.anthropic;
  vendor.break({ kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 60_000 } });
  await client.messages.create({ ...question, tools: [TOOL], max_tokens: 512 });
  vendor.heal();
  const standing = () => router.snapshot()[0]?.targets[0]?.standing;
  expect(standing()).toBe('cooling');
  const before = vendor.calls;
  expect((await counted(client)).estimate).toBe('tokens');
  aheadMs = 3_600_000;
  expect(router.snapshot()[0]?.targets[0]?.dueInMs).toBe(0);
  expect((await counted(client)).estimate).toBe('tokens');
  expect([vendor.calls, standing()]).toEqual([before, 'cooling']);
  // Answers are what bring it back.
  for (let i = 0; i < 3; i++) await client.messages.create({ ...question, tools: [TOOL], max_tokens: 512 });
  expect((await counted(client)).by).toBe('anthropic/claude-sonnet-5-5');
});

test('a caller who leaves stops the count', async () => {
  const { client } = await connected([target('anthropic'), target('google')]);
  const { anthropic: first, google: second } = simulator.vendors;
  first.break({ kind: 'hang-before-headers' });
  const [before, others] = [first.calls, second.calls];
  const caller = new AbortController();
  const asked = client.messages.countTokens({ model: 'chat', messages: hi }, { signal: caller.signal });
  asked.catch(() => {});
  await vi.waitFor(() => expect(first.calls).toBe(before + 1));
  caller.abort();
  await vi.waitFor(() => expect(first.lastCalls.at(-1)?.outcome).toBe('aborted'));
  expect(second.calls).toBe(others);
});

test('to count takes no turn from those that share a pool by weight', async () => {
  const pool = [target('anthropic'), target('google')];
  const router = createRouter({ routes: { chat: { strategy: 'weighted-round-robin', pool } } });
  const request = { messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }] };
  const first = () => router.explain('chat', request).ranking[0]?.target;
  const before = first();
  for (let i = 0; i < 3; i++) {
    expect((await router.countTokens('chat', request)).countedBy?.id).toBe(before);
    expect(first()).toBe(before);
  }
});

test('a function that ranks says who counts, as it says who answers', async () => {
  const pool = [target('anthropic', { id: 'one' }), target('google', { id: 'two' })];
  const router = createRouter({ routes: { chat: { strategy: async () => ['two', 'one'], pool } } });
  const request = { messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }] };
  expect((await router.countTokens('chat', request)).countedBy?.id).toBe('two');
  simulator.vendors.google.break({ kind: 'status', status: 500 });
  expect((await router.countTokens('chat', request)).countedBy?.id).toBe('one');
});

test('what is wrong is said as Messages say it', async () => {
  const { client, url } = await connected([target('anthropic')]);
  const before = callsOf();
  const wrong = client.messages.countTokens({ model: 'chat', messages: 'hi' as never });
  await expect(wrong).rejects.toThrow(BadRequestError);
  await expect(wrong).rejects.toThrow('messages: expected an array');
  await expect(client.messages.countTokens({ model: 'nobody', messages: hi })).rejects.toThrow(NotFoundError);
  expect(callsOf()).toEqual(before);
  // The route in the path, whatever the model is called.
  expect(await counted(clientAt(`${url}/llm/chat`), { model: 'claude', messages: hi })).toMatchObject({
    estimate: null,
  });
});

describe('the models', () => {
  test('are listed to a client of Anthropic as Anthropic lists them, in pages, and one by one', async () => {
    const { client } = await connected([target('openai'), target('anthropic')]);
    const ids = ['chat', 'openai/gpt-5-mini', 'anthropic/claude-sonnet-5-5'];
    const listed = await Array.fromAsync(client.models.list());
    expect(listed.map(({ id }) => id)).toEqual(ids);
    expect((await Array.fromAsync(client.models.list({ limit: 1 }))).map(({ id }) => id)).toEqual(ids);
    for (const model of listed) {
      expect(model).toMatchObject({ type: 'model', display_name: model.id });
      expect(Math.abs(Date.parse(model.created_at) - Date.now())).toBeLessThan(60_000);
      expect(await client.models.retrieve(model.id)).toEqual(model);
    }
    await expect(client.models.retrieve('nobody')).rejects.toThrow(NotFoundError);
  });

  test('are told to a client of OpenAI one by one', async () => {
    const { url } = await connected([target('openai')]);
    for (const baseURL of [`${url}/llm/v1`, `${url}/llm/chat/v1`]) {
      const client = new OpenAI({ baseURL, apiKey: 'k', maxRetries: 0 });
      expect(await client.models.retrieve('openai/gpt-5-mini')).toMatchObject({ object: 'model', owned_by: 'openai' });
      expect(await client.models.retrieve('chat')).toMatchObject({ id: 'chat', owned_by: 'switchyard' });
      await expect(client.models.retrieve('nobody')).rejects.toMatchObject({ status: 404 });
    }
  });
});
