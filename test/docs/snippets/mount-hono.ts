import { serve } from '@hono/node-server';
import { switchyard } from '@switchyard/hono';
import { Hono } from 'hono';
import { router } from './router.ts';

const app = new Hono();
app.use('/llm/*', switchyard(router));
serve({ fetch: app.fetch, port: 3000 });
