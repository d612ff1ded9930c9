import type { Router } from '@switchyard/core';
import type { HandlerOptions } from '@switchyard/http';
import { switchyard as mount } from '@switchyard/node';
import type { RequestHandler } from 'express';

/**
 * Mounts a router: `app.use('/llm', switchyard(router))`. Paths that are not the router's reach the next handler.
 * It may stand before or after `express.json()`. Express cuts the mount path off, so `basePath` defaults to none.
 */
export const switchyard = (router: Router, options: HandlerOptions = {}): RequestHandler =>
  mount(router, { basePath: '', ...options });
