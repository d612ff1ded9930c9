import type { Usage } from './response.ts';

/** How long a route's answers usually are: a mean that follows the last hundred or so. */
export interface ExpectedOutput {
  tokens: number;
  answers: number;
}

/** Until an answer has shown its length. */
const USUAL_TOKENS = 250;
const MOST_ANSWERS = 100;

export const newExpectedOutput = (): ExpectedOutput => ({ tokens: USUAL_TOKENS, answers: 0 });

/**
 * The tokens of an answer that its reader sees, or undefined where nobody said, or what was said cannot be: vendors have
 * sent zero and less. Thinking is left out, here and in what a token takes, since it comes before the first content
 * where it is hidden.
 */
export const visibleTokens = (usage: Usage | undefined): number | undefined => {
  if (usage === undefined) return undefined;
  const tokens = usage.outputTokens - usage.reasoningTokens;
  return tokens > 0 && Number.isFinite(tokens) ? tokens : undefined;
};

export const noteOutput = (expected: ExpectedOutput, tokens: number): void => {
  expected.answers = Math.min(MOST_ANSWERS, expected.answers + 1);
  expected.tokens += (tokens - expected.tokens) / expected.answers;
};

/**
 * Tokens that a request's answer will have: what the route's answers have, or the most that the request allows. A whole
 * number, for itself and since each pick asks: a fraction would be put in a box.
 */
export const expectedTokens = ({ tokens }: ExpectedOutput, maxOutputTokens: number | undefined): number =>
  Math.max(1, maxOutputTokens === undefined ? tokens : Math.min(tokens, maxOutputTokens)) | 0;
