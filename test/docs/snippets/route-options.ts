import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  health: { longestCooling: '15s', ramp: '10s' },
  routes: {
    reports: {
      deadline: '2m',
      hedging: false, // no two calls of one request at once
      retry: { passes: 1, maxDelay: '1s' }, // nobody is in a hurry
      upstream: 'stream', // long answers, of which silence is to show soon
      recovery: 'continue', // of a report that breaks off, another target writes the rest
      backgroundProbes: true,
      pool: [openai('gpt-5-mini'), anthropic('claude-sonnet-5-5')],
    },
  },
});
