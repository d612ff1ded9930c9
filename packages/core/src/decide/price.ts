import type { Usage } from './response.ts';

/** What a target's vendor charges, in US dollars for a million tokens. 0: free. */
export interface TargetPrice {
  readonly inputUsdPerMTok: number;
  /** Of input that the vendor's prompt cache serves. Absent: as other input. */
  readonly cachedInputUsdPerMTok?: number | undefined;
  /** Reasoning included. */
  readonly outputUsdPerMTok: number;
}

/** What the tokens of one answer cost, in US dollars. What was read from a cache is part of the input. */
export const usdOf = (price: TargetPrice, { inputTokens, cachedInputTokens, outputTokens }: Usage): number => {
  const { inputUsdPerMTok, cachedInputUsdPerMTok = inputUsdPerMTok, outputUsdPerMTok } = price;
  const freshTokens = Math.max(0, inputTokens - cachedInputTokens);
  return (
    (freshTokens * inputUsdPerMTok + cachedInputTokens * cachedInputUsdPerMTok + outputTokens * outputUsdPerMTok) /
    1_000_000
  );
};
