import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    experiment: {
      strategy: 'weighted-round-robin',
      pool: [
        openai('gpt-5-mini', { weight: 80 }),
        anthropic('claude-sonnet-5-5', { weight: 20 }),
        googleGenAI('gemini-2.5-flash', { weight: 0 }), // stands by
      ],
    },
  },
});
