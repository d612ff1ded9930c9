/**
 * How many requests a limit pool takes at once. Nobody knows until the vendor refuses one for its load; from then on the
 * number is felt for: down by three tenths at a refusal, up by one for each round of answers while it is in use ("additive
 * increase, multiplicative decrease": Chiu and Jain, 1989).
 */
export interface Concurrency {
  /** Attempts that are under way, streams until their end. */
  inFlight: number;
  /** Infinity until the first refusal. */
  limit: number;
  /** Answers since the limit grew. */
  answers: number;
  /** Attempts that were started before it are refused for the same crowd. */
  loweredAtMs: number;
}

const DECREASE = 0.7;
/** After so long without a refusal, nothing is known of today's limit. */
const FORGOTTEN_AFTER_MS = 5 * 60_000;

export const newConcurrency = (): Concurrency => ({
  inFlight: 0,
  limit: Number.POSITIVE_INFINITY,
  answers: 0,
  loweredAtMs: Number.NEGATIVE_INFINITY,
});

/** Whether one more would be more than the vendor took lately. */
export const isFull = (concurrency: Concurrency, nowMs: number): boolean => {
  if (concurrency.inFlight < concurrency.limit) return false;
  if (nowMs - concurrency.loweredAtMs < FORGOTTEN_AFTER_MS) return true;
  concurrency.limit = Number.POSITIVE_INFINITY;
  return false;
};

/** An attempt was refused for load. A burst that is refused is one refusal. */
export const lower = (concurrency: Concurrency, startedAtMs: number, nowMs: number): void => {
  if (startedAtMs < concurrency.loweredAtMs) return;
  concurrency.limit = Math.max(1, Math.floor(DECREASE * Math.min(concurrency.limit, concurrency.inFlight)));
  concurrency.answers = 0;
  concurrency.loweredAtMs = nowMs;
};

/** An attempt was answered. A limit that is not in use does not grow: nothing was learned of it. */
export const raise = (concurrency: Concurrency): void => {
  if (concurrency.limit === Number.POSITIVE_INFINITY || concurrency.inFlight < concurrency.limit / 2) return;
  concurrency.answers += 1;
  if (concurrency.answers < concurrency.limit) return;
  concurrency.limit += 1;
  concurrency.answers = 0;
};
