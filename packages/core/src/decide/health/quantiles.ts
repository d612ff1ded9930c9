/**
 * How long good answers took, as a histogram whose buckets grow by a constant factor: any quantile is off by one bucket
 * at most, however long the tail. Two generations of five minutes, so that it forgets.
 */
export interface Quantiles {
  current: Uint32Array;
  previous: Uint32Array;
  startedAtMs: number;
  lastAtMs: number;
}

const BUCKETS = 64;
const LEAST_MS = 50;
const MOST_MS = 300_000;
/** 1.146: the width of a bucket. */
const FACTOR: number = (MOST_MS / LEAST_MS) ** (1 / (BUCKETS - 2));
const GENERATION_MS = 5 * 60_000;

export const newQuantiles = (): Quantiles => ({
  current: new Uint32Array(BUCKETS),
  previous: new Uint32Array(BUCKETS),
  startedAtMs: 0,
  lastAtMs: 0,
});

export const addSample = (quantiles: Quantiles, tookMs: number, nowMs: number): void => {
  turn(quantiles, nowMs);
  quantiles.lastAtMs = nowMs;
  const bucket = bucketOf(tookMs);
  quantiles.current[bucket] = (quantiles.current[bucket] ?? 0) + 1;
};

/** Samples that count. */
export const sampleCount = ({ current, previous }: Pick<Quantiles, 'current' | 'previous'>): number => {
  let total = 0;
  for (let i = 0; i < BUCKETS; i++) total += (current[i] ?? 0) + (previous[i] ?? 0);
  return total;
};

/**
 * The time, in ms, that the share `q` of the samples did not exceed, interpolated within its bucket. NaN without samples.
 */
export const quantile = ({ current, previous }: Quantiles, q: number): number => {
  const total = sampleCount({ current, previous });
  if (total === 0) return Number.NaN;
  let left = Math.max(1, q * total);
  for (let i = 0; i < BUCKETS; i++) {
    const count = (current[i] ?? 0) + (previous[i] ?? 0);
    if (left <= count) return Math.min(MOST_MS, LEAST_MS * FACTOR ** (i - 1 + left / count));
    left -= count;
  }
  return MOST_MS;
};

/** Whether the last sample is so old that the target may have become another: slower for good, say. */
export const isStale = ({ lastAtMs }: Quantiles, nowMs: number): boolean => nowMs - lastAtMs > 2 * GENERATION_MS;

/** Bucket 0 holds all up to 50 ms, the last all above 300 s. */
const bucketOf = (tookMs: number): number => {
  if (!(tookMs > LEAST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(tookMs / LEAST_MS) / Math.log(FACTOR) - 1e-9));
};

const turn = (quantiles: Quantiles, nowMs: number): void => {
  const age = nowMs - quantiles.startedAtMs;
  if (age < GENERATION_MS) return;
  // A generation in which nothing was measured is no news: the older one is better than none.
  if (quantiles.current.some((count) => count > 0)) {
    const oldest = quantiles.previous;
    quantiles.previous = quantiles.current;
    quantiles.current = oldest.fill(0);
  }
  quantiles.startedAtMs = nowMs;
};
