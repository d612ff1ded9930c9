import { serve } from '@hono/node-server';
import { switchyard } from '@switchyard/hono';
import { Hono } from 'hono';
import { router } from './router.ts';
import { setup } from './setup.ts';

const app = new Hono();
app.use('/llm/*', switchyard(router));
serve({ fetch: app.fetch, port: setup.port, hostname: setup.host });
