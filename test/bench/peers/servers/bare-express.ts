import express from 'express';
import { proxy } from './proxy.ts';
import { setup } from './setup.ts';

const app = express();
app.post('/v1/chat/completions', proxy);
app.listen(setup.port, setup.host);
