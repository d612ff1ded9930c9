import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    experiment: {
      strategy: 'weighted-round-robin',
      stickyBy: (request) => request.headers.get('x-user-id'),
      experiment: { metric: 'latency', alpha: 0.05 },
      pool: [
        openai('gpt-5-mini', { weight: 50 }), // the first arm is the control
        anthropic('claude-sonnet-5-5', { weight: 20 }),
        googleGenAI('gemini-2.5-flash', { weight: 30 }),
      ],
    },
  },
});
