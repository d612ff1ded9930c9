import type { Router } from '@switchyard/core';
import { createHandler, type Handler, type HandlerOptions } from '@switchyard/http';
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';

/**
 * Mounts a router: `app.use('/llm/*', switchyard(router))`. Paths that are not the router's reach the next handler.
 * `basePath` defaults to the path that the middleware is used on, without its `*`.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): MiddlewareHandler => {
  let handler: Handler | undefined;
  return async (c, next) => {
    // Only a request knows where the middleware was mounted, and that does not change.
    handler ??= createHandler(router, { basePath: routePath(c).replace(/\/\*$/, ''), ...options });
    return (await handler(c.req.raw)) ?? next();
  };
};
