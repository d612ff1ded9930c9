import type { Router } from '@switchyard/core';
import { createHandler, type HandlerOptions } from '@switchyard/http';

/** What the framework calls with each request, and how it hands a request on. */
type Middleware = (context: { readonly request: Request }, next: () => Promise<Response>) => Promise<Response>;

/** Mounts a router. Paths that are not the router's reach the next handler. */
export const switchyard = (router: Router, options: HandlerOptions = {}): Middleware => {
  const handler = createHandler(router, options);
  return async ({ request }, next) => (await handler(request)) ?? next();
};
