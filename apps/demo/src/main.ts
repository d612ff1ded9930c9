// The reference app: a server with routes of its own, and Switchyard mounted into it under /llm.

import cluster from 'node:cluster';
import { createRouter, type TargetOptions, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { clusterStore } from '@switchyard/core/cluster';
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

// One pool for every strategy. Prices are US dollars for a million tokens; without them the vendors' list prices hold, which
// are theirs alone and not a simulator's.
const gpt = (options?: TargetOptions): TargetSpec =>
  openai('gpt-5-mini', {
    contextWindow: 400_000,
    price: { inputUsdPerMTok: 0.25, cachedInputUsdPerMTok: 0.025, outputUsdPerMTok: 2 },
    ...at.openai,
    ...options,
  });
const claude = (options?: TargetOptions): TargetSpec =>
  anthropic('claude-sonnet-5-5', {
    contextWindow: 200_000,
    price: { inputUsdPerMTok: 2, cachedInputUsdPerMTok: 0.1, outputUsdPerMTok: 10 },
    ...at.anthropic,
    ...options,
  });
const gemini = (options?: TargetOptions): TargetSpec =>
  google('gemini-2.5-flash', {
    contextWindow: 1_048_576,
    price: { inputUsdPerMTok: 0.3, cachedInputUsdPerMTok: 0.03, outputUsdPerMTok: 2.5 },
    ...at.google,
    ...options,
  });
const command = (options?: TargetOptions): TargetSpec =>
  cohere('command-a-03-2025', {
    contextWindow: 256_000,
    price: { inputUsdPerMTok: 2.5, outputUsdPerMTok: 10 },
    ...at.cohere,
    ...options,
  });

const router = createRouter({
  // Workers of node:cluster tell one another who is down (`npm start -- --workers 4`); a process by itself needs none.
  store: clusterStore(),
  routes: {
    // The first target that is well answers. A prompt too long for one moves only to a larger window.
    chat: { strategy: 'priority', pool: [gpt(), claude(), gemini(), command()] },
    // An A/B test is a weighted pool; who sends `x-user-id` meets the same target each time. See /llm/experiment/experiment.
    experiment: {
      strategy: 'weighted-round-robin',
      stickyBy: (request) => request.headers.get('x-user-id'),
      experiment: { metric: 'latency' },
      pool: [gpt({ weight: 50 }), claude({ weight: 20 }), gemini({ weight: 20 }), command({ weight: 10 })],
    },
    turns: { strategy: 'round-robin', pool: [gpt(), claude(), gemini(), command()] },
    fastest: { strategy: 'least-latency', pool: [gpt(), claude(), gemini(), command()] },
    cheapest: { strategy: 'least-cost', pool: [command(), claude(), gemini(), gpt()] },
    // Learns from scores: POST /llm/best/feedback with the x-switchyard-request of an answer as `id`, and a `score` from 0 to 1.
    best: { strategy: 'best-performance', pool: [gpt(), claude(), gemini(), command()] },
    // Two levels: the second serves when most of the first is down.
    levels: {
      strategy: 'priority',
      pool: [
        { id: 'first', strategy: 'round-robin', pool: [gpt(), gemini()] },
        { id: 'second', strategy: 'least-cost', pool: [claude(), command()] },
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
  if (cluster.isPrimary) console.log(whatToTry(server.url, vendors.simulated));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void server.close().then(vendors.close));
  }
} catch (error) {
  if (!(error instanceof ServerError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
  await vendors.close();
}
