import { createRouter } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    chat: {
      strategy: 'round-robin',
      pool: [
        openai('gpt-5-mini', { id: 'first-key' }),
        openai('gpt-5-mini', { id: 'second-key', apiKey: process.env.OPENAI_SECOND_KEY }),
        openai('gpt-5-nano', { weight: 0 }), // stands by
      ],
    },
  },
});
