/**
 * What a target that was never measured is thought to need for its first content, in ms: the time that is kept back for
 * each candidate after the one that is about to be tried.
 */
const SHARE_MS = 8_000;

/**
 * How long an attempt may take: its own timeout, but never so long that a hang would leave nothing for the candidates
 * after it. At most half of what remains is kept back, and the last candidate gets all of it.
 */
export const attemptTimeoutMs = (timeoutMs: number, remainingMs: number, othersLeft: number): number => {
  const reserveMs = Math.min(othersLeft * SHARE_MS, remainingMs / 2);
  return Math.min(timeoutMs, remainingMs - reserveMs);
};
