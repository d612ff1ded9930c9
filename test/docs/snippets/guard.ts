import { switchyard } from '@switchyard/hono';
import { Hono } from 'hono';
import { router } from './router.ts';

export const app = new Hono();
app.use(
  '/llm/*',
  switchyard(router, {
    bodyLimit: 1024 * 1024,
    authorize: (request) => request.headers.get('authorization') === `Bearer ${process.env.TEAM_KEY}`,
  }),
);
