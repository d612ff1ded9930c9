/** Reasons that many gaps share. */
export const NO_WORD = {
  openai: 'OpenAI has no word for it.',
  responses: 'Responses have no word for it; Chat Completions of the same model do.',
  anthropic: 'Anthropic has no word for it.',
  cohere: 'Cohere has no word for it.',
  gemini: 'Gemini has no word for it.',
} as const;

export const BILLING = 'It changes where an answer is billed, stored or cached, not what it says.';

export const OF_GLIDE = 'Glide’s own format has no such field, and a field that nobody reads would be lost in silence.';
