import type { Router } from '@switchyard/core';
import { createHandler, type HandlerOptions } from '@switchyard/http';
import type { Context, MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';

/**
 * Mounts a router: `app.use('/llm/*', switchyard(router))`. Paths that are not the router's reach the next handler.
 * It may stand before or behind a middleware that reads the body. `basePath` defaults to the path that the middleware
 * is used on, without its `*`, and to `/llm` when it is used on every path.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): MiddlewareHandler => {
  const handler = createHandler(router, options);
  const mountPath = createMountPath();
  return async (c, next) => {
    // Only a request knows where the middleware was mounted, perhaps more than once, perhaps under a parameter.
    const at = options.basePath ?? mountPath(c);
    if (!handler.serves(c.req.url, at)) return next();
    return (await handler(await withBody(c), at)) ?? next();
  };
};

/** The mount path as it stands in the URL, `/acme/llm` for `/:tenant/llm/*`; undefined for `*`. */
const createMountPath = (): ((c: Context) => string | undefined) => {
  /** By pattern. Where it has parameters, or what is encoded in a URL, only a request tells. */
  const plain = new Map<string, string | undefined>();
  return (c) => {
    const pattern = routePath(c);
    if (plain.has(pattern)) return plain.get(pattern);
    const path = pattern.replace(/\/\*$/, '');
    // Each of its segments is one of the URL, whatever is in it.
    if (path !== '' && !/^[\w/.-]+$/.test(path))
      return new URL(c.req.url).pathname.split('/', path.split('/').length).join('/');
    const at = path === '' ? undefined : path;
    plain.set(pattern, at);
    return at;
  };
};

/** The request, with its body also when a middleware before us has read that: Hono keeps what was read. */
const withBody = async (c: Context): Promise<Request> => {
  const { raw } = c.req;
  if (!raw.bodyUsed || Object.keys(c.req.bodyCache).length === 0) return raw;
  const { url, method, headers, signal } = raw;
  return new Request(url, { method, headers, signal, body: await c.req.text() });
};
