import { createRouter, type Strategy } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

/** Serves each request from a candidate drawn at random. Choose it where no order is better than another. */
export const random = (): Strategy => ({
  name: 'random',
  forPool: ({ targets }) => ({
    pick({ candidates, dice }) {
      const indices = targets.map((_, i) => i).filter((i) => (candidates & (1 << i)) !== 0);
      return indices[Math.floor(dice() * indices.length)] ?? -1;
    },
  }),
});

export const router = createRouter({
  routes: { chat: { strategy: random(), pool: [openai('gpt-5-mini'), anthropic('claude-sonnet-5-5')] } },
});
