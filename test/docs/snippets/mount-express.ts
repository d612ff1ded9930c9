import { switchyard } from '@switchyard/express';
import express from 'express';
import { router } from './router.ts';

const app = express();
app.use('/llm', switchyard(router));
app.listen(3000);
