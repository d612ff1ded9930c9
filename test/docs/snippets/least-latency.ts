import { createRouter, leastLatency } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

const pool = [
  openai('gpt-5-mini'),
  openai('gpt-5-mini', { id: 'eu', baseURL: 'https://eu.api.openai.com/v1' }),
  anthropic('claude-haiku-4-5'),
];

export const router = createRouter({
  routes: {
    chat: { strategy: 'least-latency', pool },
    summaries: { strategy: leastLatency({ goal: 'whole' }), pool },
  },
});
