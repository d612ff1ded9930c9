import type { Router } from '@switchyard/core';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { switchyard } from './index.ts';

const ANSWER = { id: 'a', model: 'm', text: 'Hello', toolCalls: [], finishReason: 'stop' } as const;

/** The rest of what an adapter must do is in test/contracts; this is what only Hono has. */
const router: Router = {
  chat: async (route) => ({
    ...ANSWER,
    served: {
      requestId: 'sw-1',
      route,
      strategy: 'priority',
      target: { id: 'acme/m', vendor: 'acme', model: 'm' },
      attempts: [],
      skipped: [],
      tookMs: 1,
    },
  }),
  embed: () => {
    throw new Error('not asked for here');
  },
  stream: () => {
    throw new Error('not asked for here');
  },
  feedback: () => {
    throw new Error('not asked for here');
  },
  saveState: () => ({ version: 1, routes: {} }),
  snapshot: () => [],
  countTokens: () => {
    throw new Error('nobody counts');
  },
  explain: () => {
    throw new Error('not asked for here');
  },
  experiment: () => {
    throw new Error('not asked for here');
  },
};

const chat: RequestInit = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"messages":[{"role":"user","content":"hi"}]}',
};

test('one middleware may be used on several paths', async () => {
  const app = new Hono();
  const middleware = switchyard(router);
  app.use('/a/*', middleware);
  app.use('/b/llm/*', middleware);
  for (const path of ['/a/health', '/b/llm/health', '/a/v1/models']) {
    expect((await app.request(path)).status).toBe(200);
  }
  for (const path of ['/health', '/b/health', '/llm/health']) expect((await app.request(path)).status).toBe(404);
});

test('the mount path may have parameters', async () => {
  const app = new Hono();
  app.use('/:tenant/llm/*', switchyard(router));
  expect((await app.request('/acme/llm/health')).status).toBe(200);
  expect((await app.request('http://localhost/big%20co/llm/chat/v1/chat/completions', chat)).status).toBe(200);
  expect((await app.request('/acme/other/health')).status).toBe(404);
});

test('the mount path may be one that is encoded in a URL', async () => {
  const app = new Hono();
  app.use('/größe/*', switchyard(router));
  expect((await app.request('http://localhost/größe/health')).status).toBe(200);
});

test('apps in apps know where they are', async () => {
  const inner = new Hono();
  inner.use('/llm/*', switchyard(router));
  const app = new Hono();
  app.route('/api', inner);
  expect((await app.request('/api/llm/health')).status).toBe(200);
  expect((await app.request('/llm/health')).status).toBe(404);
  const based = new Hono().basePath('/v1');
  based.use('/llm/*', switchyard(router));
  expect((await based.request('/v1/llm/health')).status).toBe(200);
});

test('a route takes it as well as use does', async () => {
  const app = new Hono();
  app.all('/llm/*', switchyard(router));
  expect((await app.request('/llm/chat/v1/chat/completions', chat)).status).toBe(200);
  expect((await app.request('/llm/health', { method: 'HEAD' })).status).toBe(200);
});

test('middleware behind it is not run for what is the router’s', async () => {
  const app = new Hono();
  app.use('/llm/*', switchyard(router));
  app.use(async (c) => c.text('behind'));
  expect(await (await app.request('/llm/health')).json()).toEqual({ status: 'ok' });
  expect(await (await app.request('/llm/else')).text()).toBe('behind');
});
