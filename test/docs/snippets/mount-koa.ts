import { switchyard } from '@switchyard/koa';
import Koa from 'koa';
import { router } from './router.ts';

const app = new Koa();
app.use(switchyard(router));
app.listen(3000);
