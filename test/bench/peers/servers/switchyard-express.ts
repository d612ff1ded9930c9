import { switchyard } from '@switchyard/express';
import express from 'express';
import { router } from './router.ts';
import { setup } from './setup.ts';

const app = express();
app.use('/llm', switchyard(router));
app.listen(setup.port, setup.host);
