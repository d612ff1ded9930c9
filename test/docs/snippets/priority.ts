import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    chat: {
      strategy: 'priority',
      pool: [
        openai('gpt-5-mini'),
        openai('gpt-5-mini', { id: 'second-key', apiKey: process.env.OPENAI_SECOND_KEY }),
        anthropic('claude-sonnet-5-5'),
      ],
    },
  },
});
