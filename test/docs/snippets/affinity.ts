import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    chat: {
      strategy: 'round-robin',
      affinity: 'prompt-cache',
      pool: [
        openai('gpt-5-mini', {
          price: { inputUsdPerMTok: 0.25, cachedInputUsdPerMTok: 0.025, outputUsdPerMTok: 2 },
        }),
        anthropic('claude-sonnet-5-5', {
          price: { inputUsdPerMTok: 3, cachedInputUsdPerMTok: 0.3, outputUsdPerMTok: 15 },
        }),
      ],
    },
  },
});
