import type { Router } from '@switchyard/core';
import type { HandlerOptions } from '@switchyard/http';
import { switchyard as mount } from '@switchyard/node';
import type { RequestHandler } from 'express';

/**
 * Mounts a router: `app.use('/llm', switchyard(router))`. Paths that are not the router's reach the next handler.
 * It may stand before or behind `express.json()`. `basePath` defaults to the path that it is mounted at, and to `/llm`
 * when it is mounted at every path.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): RequestHandler => {
  const everywhere = mount(router, options);
  // Express cuts the mount path off.
  const mounted = mount(router, { basePath: '', ...options });
  return (request, response, next) => (request.baseUrl === '' ? everywhere : mounted)(request, response, next);
};
