import { Readable } from 'node:stream';
import type { Router } from '@switchyard/core';
import { createHandler, type HandlerOptions } from '@switchyard/http';
import type { Context, Middleware } from 'koa';

/**
 * Mounts a router: `app.use(switchyard(router))`. Paths that are not under `basePath`, which defaults to `/llm`, or are
 * not the router's, reach the next middleware. It may stand before or after a body parser.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): Middleware => {
  const handler = createHandler(router, options);
  return async (ctx, next) => {
    const response = handler.serves(ctx.url) ? await handler(toRequest(ctx)) : undefined;
    if (response === undefined) return next();
    ctx.status = response.status;
    for (const [name, value] of response.headers) ctx.set(name, value);
    // As a Node stream, whose destruction when the caller leaves cancels the body, and with it the vendor.
    ctx.body =
      response.body === null ? null : Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  };
};

const toRequest = (ctx: Context): Request => {
  const caller = new AbortController();
  ctx.res.once('close', () => {
    if (!ctx.res.writableFinished) caller.abort();
  });
  const headers = new Headers();
  for (const [name, value] of Object.entries(ctx.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const { body } = ctx.request as { body?: unknown };
  if (body !== undefined) {
    headers.delete('content-length');
    headers.delete('content-encoding');
  }
  const hasBody = ctx.method !== 'GET' && ctx.method !== 'HEAD';
  return new Request(`http://localhost${ctx.url}`, {
    method: ctx.method,
    headers,
    signal: caller.signal,
    ...(hasBody && { body: body === undefined ? Readable.toWeb(ctx.req) : parsed(body), duplex: 'half' }),
  } as RequestInit);
};

type Body = ConstructorParameters<typeof Response>[0];

const parsed = (body: unknown): Body =>
  typeof body === 'string' || body instanceof Uint8Array ? (body as Body) : JSON.stringify(body);
