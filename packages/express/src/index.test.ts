import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Router } from '@switchyard/core';
import express, { type Express } from 'express';
import { expect, test } from 'vitest';
import { switchyard } from './index.ts';

/** The rest of what an adapter must do is in test/contracts; this is what only Express has. */
const router = { snapshot: () => [] } as unknown as Router;

const get = async (app: Express, path: string): Promise<number> => {
  const server = createServer(app);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { status } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
  server.closeAllConnections();
  await once(server.close(), 'close');
  return status;
};

test('routers in routers know where they are, parameters included', async () => {
  const app = express();
  app.use('/:tenant', express.Router().use('/llm', switchyard(router)));
  expect(await get(app, '/acme/llm/health')).toBe(200);
  expect(await get(app, '/acme/health')).toBe(404);
  expect(await get(app, '/llm/health')).toBe(404);
});

test('one middleware may be used on several paths, and with none', async () => {
  const app = express();
  const middleware = switchyard(router);
  app.use(['/a', '/b'], middleware);
  app.use(middleware);
  for (const path of ['/a/health', '/b/health', '/llm/health']) expect(await get(app, path)).toBe(200);
  expect(await get(app, '/health')).toBe(404);
});
