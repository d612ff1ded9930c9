import { bestPerformance, createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  stateFile: 'learned.json', // survives a restart
  routes: {
    chat: {
      strategy: bestPerformance({ utility: { perUsd: 20, perSecond: 0.01 } }), // a cent is worth 0.2, ten seconds 0.1
      taskBy: ({ tools = [] }) => (tools.length > 0 ? 'tools' : 'talk'), // scores of these are not mixed
      signals: ['schema', 'refusal'], // what shows by itself
      pool: [
        openai('gpt-5-mini', { price: { inputUsdPerMTok: 0.25, outputUsdPerMTok: 2 } }),
        anthropic('claude-sonnet-5-5', { price: { inputUsdPerMTok: 3, outputUsdPerMTok: 15 } }),
      ],
    },
  },
});
