import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Router } from '@switchyard/core';
import { createHandler, type HandlerOptions } from '@switchyard/http';

type Incoming = IncomingMessage & { readonly body?: unknown };

/** The shape of middleware that node:http frameworks share. */
export type NodeMiddleware = (incoming: Incoming, outgoing: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * A router for a bare `node:http` server, and for every framework whose middleware has this shape. A body that another
 * middleware has read already is taken from `incoming.body`.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): NodeMiddleware => {
  const handler = createHandler(router, options);
  const listen = getRequestListener(
    async (request, { incoming }) => (await handler(withParsedBody(request, incoming as Incoming))) ?? notFound(),
    // The server that this is mounted in keeps its own Request and Response, and its own way with unread bodies.
    // HTTP/1.0 callers need not name a host.
    { overrideGlobalObjects: false, autoCleanupIncoming: false, hostname: 'localhost' },
  );
  return (incoming, outgoing, next) => {
    if (handler.serves(incoming.url ?? '')) listen(incoming, outgoing).catch(next);
    else next();
  };
};

/**
 * The request with the body that a parser such as `express.json()` has taken off the socket before us; it is printed
 * again if it is not text or bytes.
 */
const withParsedBody = (request: Request, { body, readableDidRead }: Incoming): Request => {
  // Some parsers leave an empty object where they did not parse.
  if (body === undefined || !readableDidRead || request.method !== 'POST') return request;
  const headers = new Headers(request.headers);
  // They described the body as it was on the wire.
  headers.delete('content-length');
  headers.delete('content-encoding');
  const raw = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Request(request.url, { method: 'POST', headers, body: raw as NonNullable<Body>, signal: request.signal });
};

type Body = ConstructorParameters<typeof Response>[0];

/** Not reached: only paths that the handler serves get here. */
const notFound = (): Response => new Response(null, { status: 404 });
