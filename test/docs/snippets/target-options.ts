import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: {
    chat: {
      deadline: '20s',
      pool: [
        openai('gpt-5-mini', {
          id: 'eu',
          apiKey: process.env.OPENAI_EU_KEY,
          baseURL: 'https://eu.api.openai.com/v1',
          contextWindow: 400_000,
          timeouts: { connect: '1s', firstContent: '8s', answer: '15s' },
          params: { reasoningEffort: 'low' },
        }),
        anthropic('claude-sonnet-5-5', { contextWindow: 200_000, supports: { audio: false }, unsupported: 'drop' }),
      ],
    },
  },
});
