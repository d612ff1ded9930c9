import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    chat: {
      strategy: 'priority',
      pool: [openai('gpt-5-mini'), anthropic('claude-sonnet-5-5'), googleGenAI('gemini-2.5-flash')],
    },
    experiment: {
      strategy: 'weighted-round-robin',
      pool: [openai('gpt-5-mini', { weight: 80 }), cohere('command-a-03-2025', { weight: 20 })],
    },
  },
});
