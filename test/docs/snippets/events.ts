import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';

export const router = createRouter({
  routes: { chat: { pool: [openai('gpt-5-mini'), anthropic('claude-sonnet-5-5')] } },
  onEvent(event) {
    if (event.type === 'attempt-ended' && event.attempt.outcome !== 'answered') {
      console.warn(`${event.attempt.target}: ${event.attempt.outcome} after ${Math.round(event.attempt.tookMs)} ms`);
    }
    if (event.type === 'target-cooled' || event.type === 'target-gated') {
      console.warn(`${event.target} is left alone for ${Math.round(event.untilMs - event.atMs)} ms: ${event.reason}`);
    }
  },
});
