import { switchyard } from '@switchyard/koa';
import Koa from 'koa';
import { router } from './router.ts';
import { setup } from './setup.ts';

const app = new Koa();
app.use(switchyard(router));
app.listen(setup.port, setup.host);
