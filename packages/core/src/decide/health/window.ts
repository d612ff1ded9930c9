/**
 * What became of the attempts of the last 30 s, and, where traffic is slow, of the last 20 within two minutes. It is
 * rolled by elapsed time, not by calls: what happened before a quiet hour says nothing about the first call after it.
 */
export interface Window {
  /** By bucket of 3 s: attempts, failures, attempts without content in the soft time. */
  readonly attempts: Uint32Array;
  readonly failures: Uint32Array;
  readonly slow: Uint32Array;
  /** The bucket that is being filled, counted from the start of time. */
  tick: number;
  /** The last attempts, newest last. */
  readonly recent: { readonly atMs: number; readonly verdict: Verdict }[];
}

/** `slow`: no content in the soft time, whatever became of it later. */
export type Verdict = 'good' | 'failed' | 'slow';

const BUCKETS = 10;
const BUCKET_MS = 3_000;
const RECENT = { most: 20, withinMs: 120_000 } as const;

export const newWindow = (): Window => ({
  attempts: new Uint32Array(BUCKETS),
  failures: new Uint32Array(BUCKETS),
  slow: new Uint32Array(BUCKETS),
  tick: 0,
  recent: [],
});

export const clearWindow = (window: Window): void => {
  window.attempts.fill(0);
  window.failures.fill(0);
  window.slow.fill(0);
  window.recent.length = 0;
};

export const record = (window: Window, verdict: Verdict, nowMs: number): void => {
  roll(window, nowMs);
  const bucket = window.tick % BUCKETS;
  add(window.attempts, bucket);
  if (verdict === 'failed') add(window.failures, bucket);
  if (verdict === 'slow') add(window.slow, bucket);
  window.recent.push({ atMs: nowMs, verdict });
  if (window.recent.length > RECENT.most) window.recent.shift();
};

/** An attempt that was counted as slow, and has now failed. */
export const worsen = (window: Window, nowMs: number): void => {
  roll(window, nowMs);
  add(window.failures, window.tick % BUCKETS);
};

const roll = (window: Window, nowMs: number): void => {
  const tick = Math.floor(nowMs / BUCKET_MS);
  const passed = tick - window.tick;
  if (passed <= 0) return;
  for (let i = 1; i <= Math.min(passed, BUCKETS); i++) {
    const bucket = (window.tick + i) % BUCKETS;
    window.attempts[bucket] = 0;
    window.failures[bucket] = 0;
    window.slow[bucket] = 0;
  }
  window.tick = tick;
};

const add = (counts: Uint32Array, bucket: number): void => {
  counts[bucket] = (counts[bucket] ?? 0) + 1;
};

/**
 * Whether failures, or slowness, are no longer chance: half of at least 10, or 30 % of at least 20. Both are needed: the
 * first is quick, the second finds a target that fails one call in three.
 */
export const isBad = (window: Window, nowMs: number): 'failures' | 'slowness' | undefined => {
  roll(window, nowMs);
  let attempts = sum(window.attempts);
  let failures = sum(window.failures);
  let slow = sum(window.slow);
  if (attempts < 10) {
    attempts = failures = slow = 0;
    for (const { atMs, verdict } of window.recent) {
      if (nowMs - atMs > RECENT.withinMs) continue;
      attempts += 1;
      if (verdict === 'failed') failures += 1;
      if (verdict === 'slow') slow += 1;
    }
  }
  if (exceeds(failures, attempts)) return 'failures';
  return exceeds(slow, attempts) ? 'slowness' : undefined;
};

const exceeds = (bad: number, attempts: number): boolean =>
  (attempts >= 10 && bad >= 0.5 * attempts) || (attempts >= 20 && bad >= 0.3 * attempts);

const sum = (counts: Uint32Array): number => {
  let total = 0;
  for (const count of counts) total += count;
  return total;
};
