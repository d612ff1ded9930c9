import { Readable } from 'node:stream';
import type { Router } from '@switchyard/core';
import { createHandler, type HandlerOptions } from '@switchyard/http';
import type { Context, Middleware } from 'koa';

/**
 * Mounts a router: `app.use(switchyard(router))`. Paths that are not under `basePath`, which defaults to `/llm`, or are
 * not the router's, reach the next middleware. It may stand before or behind a body parser.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): Middleware => {
  const handler = createHandler(router, options);
  return async (ctx, next) => {
    const response = handler.serves(ctx.url) ? await handler(toRequest(ctx)) : undefined;
    if (response === undefined) return next();
    // First the body, since Koa sets the status and headers that it thinks go with one.
    ctx.body = await toBody(response);
    ctx.status = response.status;
    for (const [name, value] of response.headers) {
      if (name === 'set-cookie') ctx.append(name, value);
      // How a body is framed on the wire is settled with the body.
      else if (name !== 'transfer-encoding') ctx.set(name, value);
    }
  };
};

const toBody = async ({ body, headers }: Response): Promise<Readable | Buffer | null> => {
  if (body === null) return null;
  // Destroyed when the caller leaves, which cancels the body, and with it the vendor.
  const stream = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  return headers.get('content-type')?.startsWith('text/event-stream') ? stream : Buffer.concat(await stream.toArray());
};

const toRequest = (ctx: Context): Request => {
  const caller = new AbortController();
  ctx.res.once('close', () => {
    if (!ctx.res.writableFinished) caller.abort();
  });
  const headers = new Headers();
  for (const [name, value] of Object.entries(ctx.headers)) {
    // HTTP/2 has pseudo-headers, such as `:path`.
    if (value !== undefined && !name.startsWith(':')) {
      headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
  }
  const { body } = ctx.request as { body?: unknown };
  // Some parsers leave an empty object where they did not parse.
  const parsed = body !== undefined && ctx.req.readableDidRead;
  if (parsed) {
    // They described the body as it was on the wire.
    headers.delete('content-length');
    headers.delete('content-encoding');
  }
  const hasBody = ctx.method !== 'GET' && ctx.method !== 'HEAD';
  return new Request(new URL(ctx.url, URL.canParse(ctx.origin) ? ctx.origin : 'http://localhost'), {
    method: ctx.method,
    headers,
    signal: caller.signal,
    ...(hasBody && { body: parsed ? print(body) : Readable.toWeb(ctx.req), duplex: 'half' }),
  } as RequestInit);
};

type Body = ConstructorParameters<typeof Response>[0];

const print = (body: unknown): Body =>
  typeof body === 'string' || body instanceof Uint8Array ? (body as Body) : JSON.stringify(body);
