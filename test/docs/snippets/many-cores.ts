import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { serve } from '@hono/node-server';
import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { clusterStore, relayClusterNews } from '@switchyard/core/cluster';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { Hono } from 'hono';

if (cluster.isPrimary) {
  relayClusterNews(); // hands on what each worker tells
  for (let i = 0; i < availableParallelism(); i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  const router = createRouter({
    store: clusterStore(),
    routes: { chat: { pool: [openai('gpt-5-mini'), anthropic('claude-sonnet-5-5')] } },
  });
  const app = new Hono();
  app.use('/llm/*', switchyard(router));
  serve({ fetch: app.fetch, port: 3000 }); // one port for all workers
}
