import { createRouter } from '@switchyard/core';
import { createHandler, type Handler, type HandlerOptions } from '@switchyard/http';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { simulated } from './targets.ts';

// An experiment as callers meet it: over HTTP, with the real SDKs behind it.

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.close());

const start = (options: HandlerOptions = {}): Handler =>
  createHandler(
    createRouter({
      routes: {
        chat: {
          strategy: 'weighted-round-robin',
          stickyBy: (request) => request.headers.get('x-user-id'),
          pool: [
            simulated(simulator, 'openai', { id: 'a', weight: 60 }),
            simulated(simulator, 'anthropic', { id: 'b', weight: 40 }),
            simulated(simulator, 'cohere', { id: 'c', weight: 0 }),
          ],
        },
        plain: { pool: [simulated(simulator, 'openai')] },
      },
    }),
    options,
  );

const ask = async (handle: Handler, user: string | undefined, path = 'v1/chat/completions', body: object = {}) => {
  const response = await handle(
    new Request(`http://localhost/llm/chat/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(user !== undefined && { 'x-user-id': user }) },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20, ...body }),
    }),
  );
  expect(response?.status).toBe(200);
  await response?.text();
  const header = (name: string): string | null => response?.headers.get(`x-switchyard-${name}`) ?? null;
  return { target: header('target'), assigned: header('assigned') };
};

const get = async (handle: Handler, path: string): Promise<{ readonly status: number; readonly body: unknown }> => {
  const response = (await handle(new Request(`http://localhost/llm/${path}`))) as Response;
  return { status: response.status, body: await response.json() };
};

test('a user meets the same arm in every format, plain and streamed; headers tell assigned and served apart', async () => {
  const handle = start();
  const users = Array.from({ length: 12 }, (_, i) => `user-${i}`);
  const arms = new Map<string, string | null>();
  for (const user of users) {
    const { target, assigned } = await ask(handle, user);
    expect(assigned).toBe(target);
    arms.set(user, assigned);
    const others = [
      await ask(handle, user, 'v1/messages'),
      await ask(handle, user, 'v1/chat/completions', { stream: true }),
      await ask(handle, user, 'v1/responses', { messages: undefined, max_tokens: undefined, input: 'Hello' }),
      await ask(handle, user, 'chat', {
        messages: undefined,
        max_tokens: undefined,
        message: { role: 'user', content: 'Hello' },
      }),
    ];
    expect(others).toEqual(others.map(() => ({ target, assigned })));
  }
  expect(new Set(arms.values())).toEqual(new Set(['a', 'b']));

  simulator.vendors.openai.break({ kind: 'status', status: 503 });
  for (const [user, assigned] of arms) expect(await ask(handle, user)).toEqual({ target: 'b', assigned });
  expect((await ask(handle, undefined)).assigned).toBeNull();

  const { status, body } = await get(handle, 'chat/experiment');
  expect(status).toBe(200);
  const ofA = [...arms.values()].filter((arm) => arm === 'a').length;
  expect(body).toMatchObject({
    route: 'chat',
    metric: 'latency',
    control: 'a',
    split: { isTrusted: true },
    arms: [
      { id: 'a', weight: 60, subjects: ofA, assigned: 6 * ofA, served: 5 * ofA, servedElsewhere: ofA },
      {
        id: 'b',
        weight: 40,
        subjects: 12 - ofA,
        assigned: 6 * (12 - ofA),
        served: 60 - 5 * ofA + 12,
        servedElsewhere: 0,
      },
    ],
    comparisons: [{ arm: 'b', control: 'a', p: 1, isDecided: false }],
    says: expect.stringMatching(/^Not enough to tell yet/),
  });
  expect(JSON.stringify(body)).not.toMatch(/user-\d|Hello/);
});

test('the read-out is guarded where the router is, and a route without one has none', async () => {
  expect(await get(start(), 'plain/experiment')).toMatchObject({
    status: 404,
    body: { error: { code: 'unknown_route' } },
  });
  expect((await get(start({ authorize: () => false }), 'chat/experiment')).status).toBe(401);
  expect((await get(start({ authorize: () => true }), 'chat/experiment')).status).toBe(200);
});
