import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    chat: {
      strategy: 'priority',
      pool: [
        {
          id: 'keys',
          strategy: 'round-robin',
          pool: [
            openai('gpt-5-mini', { id: 'first-key' }),
            openai('gpt-5-mini', { id: 'second-key', apiKey: process.env.OPENAI_SECOND_KEY }),
          ],
        },
        { id: 'stand-ins', pool: [anthropic('claude-sonnet-5-5'), openai('gpt-5-nano')] },
      ],
    },
  },
});
