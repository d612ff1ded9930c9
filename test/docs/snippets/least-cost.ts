import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    summaries: {
      strategy: 'least-cost',
      budget: { usd: 200, per: '30d' },
      pool: [
        openai('gpt-5-mini'), // its vendor's list price
        anthropic('claude-haiku-5-5', { budget: { usd: 5, per: '1d' } }),
        googleGenAI('gemini-2.5-flash', { price: { inputUsdPerMTok: 0.24, outputUsdPerMTok: 2 } }), // as agreed on
        openai('llama-4', { baseURL: 'http://gpu-1:8000/v1', price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }),
      ],
    },
  },
});
