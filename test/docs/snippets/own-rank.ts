import { createRouter, type Rank } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

/** Long prompts to the large model, all others to the quick one; each stands in for the other. */
const bySize: Rank = ({ inputTokens }) => (inputTokens > 2_000 ? ['large', 'quick'] : ['quick', 'large']);

export const router = createRouter({
  routes: {
    chat: {
      strategy: bySize,
      pool: [openai('gpt-5-mini', { id: 'quick' }), anthropic('claude-sonnet-5-5', { id: 'large' })],
    },
  },
});
