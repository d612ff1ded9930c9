import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Router } from '@switchyard/core';
import type { HandlerOptions } from '@switchyard/http';
import Koa from 'koa';
import { expect, test } from 'vitest';
import { switchyard } from './index.ts';

/** The rest of what an adapter must do is in test/contracts; this is what only Koa has. */
const router = { snapshot: () => [] } as unknown as Router;

/** What an app answers to a request that is written out. */
const say = async (app: Koa, request: string): Promise<string> => {
  const server = createServer(app.callback());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(request);
  const answer = await text(socket);
  await once(server.close(), 'close');
  return answer;
};

const HEAD = 'HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n';

const app = (options: HandlerOptions = {}, ...before: Koa.Middleware[]): Koa => {
  const koa = new Koa();
  for (const middleware of before) koa.use(middleware);
  return koa.use(switchyard(router, options)).use((ctx) => {
    ctx.body = 'the app';
  });
};

test('requests without a host, or with a whole URL in their first line, are answered', async () => {
  expect(await say(app(), 'GET /llm/health HTTP/1.0\r\n\r\n')).toContain('{"status":"ok"}');
  expect(await say(app(), `GET http://api/llm/health ${HEAD}`)).toContain('{"status":"ok"}');
  expect(await say(app(), `GET http://api/hello ${HEAD}`)).toContain('the app');
});

test('a plain answer has its length', async () => {
  expect(await say(app(), `GET /llm/health ${HEAD}`)).toContain('\r\nContent-Length: 15\r\n');
});

test('middleware before it sees the answer, and may change its path', async () => {
  const seen: unknown[] = [];
  const mount: Koa.Middleware = async (ctx, next) => {
    ctx.path = ctx.path.replace('/api', '');
    await next();
    seen.push(ctx.status, ctx.type);
  };
  expect(await say(app({ basePath: '' }, mount), `GET /api/health ${HEAD}`)).toContain('{"status":"ok"}');
  expect(seen).toEqual([200, 'application/json']);
});

test('the cookies of a guard are set beside those of the app', async () => {
  const cookie: Koa.Middleware = async (ctx, next) => {
    ctx.cookies.set('app', '1');
    await next();
  };
  const authorize = (): Response => {
    const response = new Response(null, { status: 401 });
    response.headers.append('set-cookie', 'a=1');
    response.headers.append('set-cookie', 'b=2');
    return response;
  };
  const request = `POST /llm/chat/v1/chat/completions ${HEAD}`;
  const answer = await say(app({ authorize }, cookie), request);
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(answer.match(/(?<=^set-cookie: )[^;\r]*/gim)).toEqual(['app=1', 'a=1', 'b=2']);
});
