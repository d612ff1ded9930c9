import type { TargetPrice } from '@switchyard/core';
import { meanOfZipf, type Zipf } from './draw.ts';

/** How a virtual vendor counts what it bills. */
export interface Billing {
  /** Tokens that its own way of counting finds in what is one token to us. Default: 1. */
  readonly tokensPerToken?: number;
  /** The part of every prompt that its cache serves. Default: 0. */
  readonly cachedShare?: number;
}

/** What came in and what went out, as a vendor counts it. */
export interface Billed {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

/** Counts a prompt as the vendor does. */
export const billedOf = (
  { tokensPerToken = 1, cachedShare = 0 }: Billing,
  inputTokens: number,
): Omit<Billed, 'outputTokens'> => {
  const billed = inputTokens * tokensPerToken;
  return { inputTokens: Math.round(billed), cachedInputTokens: Math.round(billed * cachedShare) };
};

/** Written anew, and not the router's own: an oracle that shared its arithmetic would share its mistakes. */
export const usdOf = (price: TargetPrice, { inputTokens, cachedInputTokens, outputTokens }: Billed): number => {
  const cachedUsd = cachedInputTokens * (price.cachedInputUsdPerMTok ?? price.inputUsdPerMTok);
  const inputUsd = (inputTokens - cachedInputTokens) * price.inputUsdPerMTok;
  return (inputUsd + cachedUsd + outputTokens * price.outputUsdPerMTok) / 1_000_000;
};

export const meanTokens = (tokens: number | Zipf): number => (typeof tokens === 'number' ? tokens : meanOfZipf(tokens));
