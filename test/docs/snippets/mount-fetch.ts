import { createHandler } from '@switchyard/http';
import { router } from './router.ts';

const llm = createHandler(router);

export default {
  async fetch(request: Request): Promise<Response> {
    return (await llm(request)) ?? new Response('Not found', { status: 404 });
  },
};
