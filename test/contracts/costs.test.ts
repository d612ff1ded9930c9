import Anthropic from '@anthropic-ai/sdk';
import { createAdaptorServer } from '@hono/node-server';
import {
  createRouter,
  type RouteConfig,
  type Router,
  type RouterEvent,
  type TargetPrice,
  type TargetSpec,
} from '@switchyard/core';
import { switchyard } from '@switchyard/hono';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { Hono } from 'hono';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PROVIDERS, type ProviderName, simulated, vendorOf } from '../wire/targets.ts';
import { type RunningServer, running } from './adapter.ts';

// Costs over real HTTP: vendors on the wire, called through their own SDKs, and read by the clients that callers have.

const price: TargetPrice = { inputUsdPerMTok: 3, cachedInputUsdPerMTok: 0.3, outputUsdPerMTok: 15 };
const messages = [{ role: 'user' as const, content: 'How far is the moon from here, and why?' }];

let simulator: Simulator;
let server: RunningServer | undefined;
let events: RouterEvent[] = [];
let router: Router;

const serve = async (pool: readonly TargetSpec[], route: Partial<RouteConfig> = {}): Promise<string> => {
  events = [];
  router = createRouter({ routes: { chat: { ...route, pool } }, onEvent: (event) => events.push(event) });
  const app = new Hono();
  app.use('/llm/*', switchyard(router));
  server = await running(createAdaptorServer({ fetch: app.fetch }) as Parameters<typeof running>[0]);
  return `${server.url}/llm/chat`;
};

beforeAll(async () => {
  simulator = await startSimulator({ seed: 3 });
});
afterEach(async () => {
  for (const vendor of Object.values(simulator.vendors)) vendor.heal();
  await server?.close();
  server = undefined;
});
afterAll(() => simulator.close());

const post = (url: string, path: string, body: object): Promise<Response> =>
  fetch(`${url}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const completed = (): RouterEvent & { readonly type: 'request-completed' } => {
  const found = events.findLast((event) => event.type === 'request-completed');
  if (found?.type !== 'request-completed') throw new Error('no answer was whole');
  return found;
};

/** What the vendor's own words come to. */
const usdOfEvent = (): number => {
  const { usage } = completed();
  if (usage === undefined) throw new Error('the vendor told no usage');
  const { inputTokens, cachedInputTokens, outputTokens } = usage;
  return ((inputTokens - cachedInputTokens) * 3 + cachedInputTokens * 0.3 + outputTokens * 15) / 1e6;
};

/** As headers and comments say it: six digits that count. */
const six = (usd: number): number => Number(usd.toPrecision(6));

describe.each(PROVIDERS)('an answer of %s', (provider: ProviderName) => {
  test('says in a header what it cost, and in the trace', async () => {
    const url = await serve([simulated(simulator, provider, { price })]);
    const { headers } = await post(url, 'v1/chat/completions', { messages });
    expect(usdOfEvent()).toBeGreaterThan(0);
    expect(Number(headers.get('x-switchyard-cost'))).toBe(six(usdOfEvent()));
    expect(headers.get('x-switchyard-cost')).toMatch(/^0\.0\d+$/);
    expect(headers.get('x-switchyard-trace')).toContain(`;usd=${headers.get('x-switchyard-cost')}`);
    expect(headers.has('x-switchyard-cost-failed')).toBe(false);
  });

  test('that is a stream says so in a comment behind all that clients read', async () => {
    const url = await serve([simulated(simulator, provider, { price })]);
    const body = { messages, stream: true, stream_options: { include_usage: true } };
    const text = await (await post(url, 'v1/chat/completions', body)).text();
    expect(text.endsWith(`data: [DONE]\n\n: switchyard cost=${six(usdOfEvent())}\n\n`), text.slice(-200)).toBe(true);
  });
});

test('an openai client reads the stream, its usage and its end, and nothing of the comment', async () => {
  const url = await serve([simulated(simulator, 'anthropic', { price })]);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'k', maxRetries: 0 });
  const stream = client.chat.completions.stream({ model: 'chat', messages, stream_options: { include_usage: true } });
  const whole = await stream.finalChatCompletion();
  expect(whole.choices[0]?.message.content).toContain('moon');
  expect(whole.usage?.completion_tokens).toBe(completed().usage?.outputTokens);
  const events: string[] = [];
  for await (const event of await client.responses.create({ model: 'chat', input: 'hi', stream: true })) {
    events.push(event.type);
  }
  expect(events.at(-1)).toBe('response.completed');
});

test('an anthropic client does too', async () => {
  const url = await serve([simulated(simulator, 'openai', { price })]);
  const client = new Anthropic({ baseURL: url, apiKey: 'k', maxRetries: 0 });
  const message = await client.messages.stream({ model: 'chat', max_tokens: 200, messages }).finalMessage();
  expect(message.stop_reason).toBe('end_turn');
  expect(message.usage.output_tokens).toBe(completed().usage?.outputTokens);
});

test('what a failed attempt cost stands in a header of its own', async () => {
  simulator.vendors.openai.break({ kind: 'truncated-json' });
  const url = await serve([
    simulated(simulator, 'openai', { price }),
    simulated(simulator, 'anthropic', { price: { inputUsdPerMTok: 30, outputUsdPerMTok: 150 } }),
  ]);
  const { headers } = await post(url, 'v1/chat/completions', { messages });
  expect(headers.get('x-switchyard-target')).toBe('anthropic/claude-sonnet-5-5');
  const failed = Number(headers.get('x-switchyard-cost-failed'));
  const content = [{ type: 'text' as const, text: messages[0]?.content ?? '' }];
  const { estimatedTokens } = router.explain('chat', { messages: [{ role: 'user', content }] });
  expect(failed).toBeCloseTo((estimatedTokens * 3) / 1e6, 9);
  expect(headers.get('x-switchyard-trace')).toContain('outcome=broken;ms=');
  expect(headers.get('x-switchyard-trace')).toContain(';estimated, anthropic');
  expect(Number(headers.get('x-switchyard-cost'))).toBeGreaterThan(10 * failed);
});

test('least cost serves from the cheaper vendor, and the header says how much cheaper', async () => {
  const url = await serve(
    [
      simulated(simulator, 'openai', { price: { inputUsdPerMTok: 30, outputUsdPerMTok: 150 } }),
      simulated(simulator, 'cohere'),
      simulated(simulator, 'google', { price }),
    ],
    { strategy: 'least-cost' },
  );
  const ask = (): Promise<Response> => post(url, 'v1/chat/completions', { messages });
  const cheap = await ask();
  expect(cheap.headers.get('x-switchyard-target')).toBe('google/gemini-2.5-flash');
  simulator.vendors[vendorOf('google')].break({ kind: 'status', status: 500 });
  const dear = await ask();
  expect(dear.headers.get('x-switchyard-target')).toBe('openai/gpt-5-mini');
  expect(Number(dear.headers.get('x-switchyard-cost'))).toBeGreaterThan(
    3 * Number(cheap.headers.get('x-switchyard-cost')),
  );
  simulator.vendors.openai.break({ kind: 'status', status: 500 });
  const unknown = await ask();
  expect(unknown.headers.get('x-switchyard-target')).toBe('cohere/command-a-03-2025');
  expect(unknown.headers.has('x-switchyard-cost')).toBe(false);
});

describe('a route without money', () => {
  const broke = async (): Promise<string> => {
    const url = await serve([simulated(simulator, 'openai', { price })], { budget: { usd: 1e-9, per: '1h' } });
    expect((await post(url, 'v1/chat/completions', { messages })).status).toBe(200);
    return url;
  };

  test('is a 402 that an openai client does not try again', async () => {
    const url = await broke();
    const before = events.length;
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'k', maxRetries: 2 });
    const error = await client.chat.completions.create({ model: 'chat', messages }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, type: 'insufficient_quota', code: 'budget_spent' });
    expect(events.slice(before).filter(({ type }) => type === 'request-started')).toHaveLength(1);
  });

  test('is a billing_error to an anthropic client, which does not try again either', async () => {
    const url = await broke();
    const before = events.length;
    const client = new Anthropic({ baseURL: url, apiKey: 'k', maxRetries: 2 });
    const error = await client.messages
      .create({ model: 'chat', max_tokens: 20, messages })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, error: { error: { type: 'billing_error' } } });
    expect(events.slice(before).filter(({ type }) => type === 'request-started')).toHaveLength(1);
  });

  test('says when to come back, and is a 402 of Glide’s and of Responses too', async () => {
    const url = await broke();
    const glide = await post(url, 'chat', { message: { role: 'user', content: 'hi' } });
    expect([glide.status, ((await glide.json()) as { name: string }).name]).toEqual([402, 'budget_spent']);
    const responses = await post(url, 'v1/responses', { input: 'hi', stream: true });
    expect(responses.status).toBe(402);
    const seconds = Number(responses.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(3_500);
    expect(seconds).toBeLessThanOrEqual(3_661);
    expect(responses.headers.get('x-switchyard-trace')).toBe(
      'openai/gpt-5-mini;skipped="route: budget of $1e-9 per 1h is spent"',
    );
    expect((await fetch(url.replace('/chat', '/health'))).status).toBe(503);
  });
});
