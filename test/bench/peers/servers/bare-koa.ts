import Koa from 'koa';
import { proxy } from './proxy.ts';
import { setup } from './setup.ts';

const app = new Koa();
app.use((context) => {
  // Koa would write an answer of its own.
  context.respond = false;
  proxy(context.req, context.res);
});
app.listen(setup.port, setup.host);
