// The reference app: a server with routes of its own, and Switchyard mounted into it under /llm.

import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { Hono } from 'hono';
import { createLog } from './log.ts';
import { page } from './page.ts';
import { listen, ServerError } from './server.ts';
import { findVendors, whatToTry } from './vendors.ts';

// `...at.openai` is there for the demo only: it is empty when OPENAI_API_KEY is set, and leads to the simulator when not.
const vendors = await findVendors(process.env);
const { at } = vendors;

const router = createRouter({
  routes: {
    // The first target that is well answers. A prompt too long for one moves only to a larger window.
    chat: {
      strategy: 'priority',
      pool: [
        openai('gpt-5-mini', { contextWindow: 400_000, ...at.openai }),
        anthropic('claude-sonnet-5-5', { contextWindow: 200_000, ...at.anthropic }),
        google('gemini-2.5-flash', { contextWindow: 1_048_576, ...at.google }),
        cohere('command-a-03-2025', { contextWindow: 256_000, ...at.cohere }),
      ],
    },
    // An A/B test is a weighted pool; a target that fails hands its share to the others.
    experiment: {
      strategy: 'weighted-round-robin',
      pool: [
        openai('gpt-5-mini', { weight: 50, contextWindow: 400_000, ...at.openai }),
        anthropic('claude-sonnet-5-5', { weight: 20, contextWindow: 200_000, ...at.anthropic }),
        google('gemini-2.5-flash', { weight: 20, contextWindow: 1_048_576, ...at.google }),
        cohere('command-a-03-2025', { weight: 10, contextWindow: 256_000, ...at.cohere }),
      ],
    },
  },
  onEvent: createLog(console.log),
});

const app = new Hono();
app.use('/llm/*', switchyard(router));
app.route('/', page(vendors.simulated));
app.use('/_simulator/*', vendors.control);

try {
  const server = await listen(app, process.env.PORT ?? '8080');
  console.log(whatToTry(server.url, vendors.simulated));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void server.close().then(vendors.close));
  }
} catch (error) {
  if (!(error instanceof ServerError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
  await vendors.close();
}
