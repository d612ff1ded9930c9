/**
 * What became of the attempts of the last 30 s, and of the last 20 within two minutes. It is rolled by elapsed time, not by
 * calls: what happened before a quiet hour says nothing about the first call after it.
 */
export interface Window {
  /** By bucket of 3 s. */
  readonly attempts: Uint32Array;
  readonly failures: Uint32Array;
  /** The bucket that is being filled, counted from the start of time. */
  tick: number;
  /** The last attempts, newest last. */
  readonly recent: Entry[];
}

/** What one attempt was counted as; it may turn out worse. */
export interface Entry {
  readonly atMs: number;
  verdict: Verdict;
}

/** `slow`: no content in the soft time, whatever became of it later. */
export type Verdict = 'good' | 'failed' | 'slow';

const BUCKETS = 10;
const BUCKET_MS = 3_000;
const RECENT = { most: 20, withinMs: 120_000 } as const;

export const newWindow = (): Window => ({
  attempts: new Uint32Array(BUCKETS),
  failures: new Uint32Array(BUCKETS),
  tick: 0,
  recent: [],
});

export const clearWindow = (window: Window): void => {
  window.attempts.fill(0);
  window.failures.fill(0);
  window.recent.length = 0;
};

export const record = (window: Window, verdict: Verdict, nowMs: number): Entry => {
  roll(window, nowMs);
  const bucket = window.tick % BUCKETS;
  add(window.attempts, bucket);
  if (verdict === 'failed') add(window.failures, bucket);
  const entry: Entry = { atMs: nowMs, verdict };
  window.recent.push(entry);
  if (window.recent.length > RECENT.most) window.recent.shift();
  return entry;
};

/** An attempt that was counted as slow, or as good, has failed. */
export const worsen = (window: Window, entry: Entry, nowMs: number): void => {
  roll(window, nowMs);
  entry.verdict = 'failed';
  const bucket = window.tick % BUCKETS;
  add(window.failures, bucket);
  // A long stream has left the ring by now; a failure without its attempt would weigh too much.
  if (nowMs - entry.atMs >= BUCKETS * BUCKET_MS) add(window.attempts, bucket);
};
const roll = (window: Window, nowMs: number): void => {
  const tick = Math.floor(nowMs / BUCKET_MS);
  const passed = tick - window.tick;
  if (passed <= 0) return;
  for (let i = 1; i <= Math.min(passed, BUCKETS); i++) {
    const bucket = (window.tick + i) % BUCKETS;
    window.attempts[bucket] = 0;
    window.failures[bucket] = 0;
  }
  window.tick = tick;
};

const add = (counts: Uint32Array, bucket: number): void => {
  counts[bucket] = (counts[bucket] ?? 0) + 1;
};

/**
 * Whether failures, or slowness, are no longer chance.
 *
 * Failures: half of at least 10, or 30 % of at least 20. Both are needed: the first is quick, the second finds a target
 * that fails one call in three. Slowness: eight of the last 20, however fast they came. It is one in a hundred of a target
 * that is well, so that fewer samples are enough, and a window of 30 s would wait for ten of them to be bad.
 */
export const isBad = (window: Window, nowMs: number): 'failures' | 'slowness' | undefined => {
  roll(window, nowMs);
  let attempts = sum(window.attempts);
  let failures = sum(window.failures);
  if (attempts < 10) {
    attempts = failures = 0;
    for (const { atMs, verdict } of window.recent) {
      if (nowMs - atMs > RECENT.withinMs) continue;
      attempts += 1;
      if (verdict === 'failed') failures += 1;
    }
  }
  if ((attempts >= 10 && failures >= 0.5 * attempts) || (attempts >= 20 && failures >= 0.3 * attempts))
    return 'failures';
  return slowLately(window, nowMs) >= SLOW ? 'slowness' : undefined;
};

/** Answers that are taken for granted, so that one failure of one attempt is not all. */
const GRANTED = 5;

/** The part of the attempts of the last 30 s that failed, 0 to 1. */
export const failureShareOf = (window: Window, nowMs: number): number => {
  roll(window, nowMs);
  return sum(window.failures) / (sum(window.attempts) + GRANTED);
};

/** Slow ones among the last 20 at which a target is left alone, and at which its times are no measure of it any more. */
const SLOW = 8;
const DOUBTFUL = 3;

/** Whether how long answers take now says how long they usually take. */
export const isUsual = (window: Window, nowMs: number): boolean => slowLately(window, nowMs) < DOUBTFUL;

const slowLately = ({ recent }: Window, nowMs: number): number => {
  let slow = 0;
  for (const { atMs, verdict } of recent) if (verdict === 'slow' && nowMs - atMs <= RECENT.withinMs) slow += 1;
  return slow;
};

const sum = (counts: Uint32Array): number => {
  let total = 0;
  for (let i = 0; i < BUCKETS; i++) total += counts[i] ?? 0;
  return total;
};
