import { type HttpBindings, serve } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { proxy } from './proxy.ts';
import { setup } from './setup.ts';

const app = new Hono<{ Bindings: HttpBindings }>();
app.post('/v1/chat/completions', (c) => {
  proxy(c.env.incoming, c.env.outgoing);
  return RESPONSE_ALREADY_SENT;
});
serve({ fetch: app.fetch, port: setup.port, hostname: setup.host });
