import type { Dice } from './dice.ts';

/**
 * Doubles from `firstMs` up to `mostMs`, half of it fixed and half of it thrown ("equal jitter"), so that many
 * processes that were refused together do not come back together. `times` is how often it happened before, in a row.
 */
export const backoffMs = (firstMs: number, mostMs: number, times: number, dice: Dice): number => {
  const full = Math.min(mostMs, firstMs * 2 ** times);
  return full / 2 + (full / 2) * dice();
};
