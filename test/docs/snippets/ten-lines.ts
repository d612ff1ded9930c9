import { serve } from '@hono/node-server';
import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { startSimulator } from '@switchyard/simulator';
import { Hono } from 'hono';

const { vendors } = await startSimulator(); // stands in for the vendors, so that no key is needed
const first = openai('gpt-5-mini', { apiKey: 'none', baseURL: `${vendors.openai.url}/v1` });
const second = anthropic('claude-sonnet-5-5', { apiKey: 'none', baseURL: vendors.anthropic.url });

const router = createRouter({ routes: { chat: { strategy: 'priority', pool: [first, second] } } });

const app = new Hono(); // the server that is already there
app.use('/llm/*', switchyard(router));
serve({ fetch: app.fetch, port: 3000 });

vendors.openai.break({ kind: 'status', status: 503 }); // the first vendor is down, and yet every request is answered
