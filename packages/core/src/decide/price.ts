import type { Usage } from './response.ts';

/** What a target's vendor charges, in US dollars for a million tokens. 0: free. */
export interface TargetPrice extends Tariff {
  /** What a request costs whose prompt is longer, all of it: some vendors charge twice for the whole of a long one. */
  readonly longPrompts?: LongPrompts | undefined;
}

export interface Tariff {
  readonly inputUsdPerMTok: number;
  /** Of input that the vendor's prompt cache serves. Absent: as other input. */
  readonly cachedInputUsdPerMTok?: number | undefined;
  /** Of input that is written to the vendor's prompt cache. Absent: as other input. */
  readonly cacheWriteInputUsdPerMTok?: number | undefined;
  /** Reasoning included. */
  readonly outputUsdPerMTok: number;
}

export interface LongPrompts extends Tariff {
  /** Cached tokens included. */
  readonly aboveInputTokens: number;
}

const MTOK = 1_000_000;

/** What the tokens of one answer cost, in US dollars. What was read from a cache, or written to it, is part of the input. */
export const usdOf = (price: TargetPrice, usage: Usage): number => {
  const { inputTokens, cachedInputTokens, cacheWriteInputTokens = 0, outputTokens } = usage;
  const tariff = tariffFor(price, inputTokens);
  return usdOfTokens(tariff, inputTokens, cachedInputTokens, cacheWriteInputTokens, outputTokens);
};

/** By the size of the prompt. */
export const tariffFor = (price: TargetPrice, inputTokens: number): Tariff => {
  const { longPrompts } = price;
  return longPrompts !== undefined && inputTokens > longPrompts.aboveInputTokens ? longPrompts : price;
};

export const usdOfTokens = (
  tariff: Tariff,
  inputTokens: number,
  cachedTokens: number,
  writtenTokens: number,
  outputTokens: number,
): number => {
  const perToken = tariff.inputUsdPerMTok;
  const usd =
    Math.max(0, inputTokens - cachedTokens - writtenTokens) * perToken +
    cachedTokens * (tariff.cachedInputUsdPerMTok ?? perToken) +
    writtenTokens * (tariff.cacheWriteInputUsdPerMTok ?? perToken) +
    outputTokens * tariff.outputUsdPerMTok;
  return usd / MTOK;
};
