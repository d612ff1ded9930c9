/** What a vendor allows one key. A limit that is left out does not exist. */
export interface RateLimit {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
}

/** One limit as vendors report it in headers; `resetMs` is the time until it is whole again. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}

export interface Allowances {
  readonly requests: Allowance;
  readonly tokens: Allowance;
}

/** A token bucket: holds one minute's worth, filled steadily. */
interface Bucket {
  readonly perMinute: number;
  readonly level: number;
  readonly atMs: number;
}

export interface Buckets {
  readonly requests: Bucket | undefined;
  readonly tokens: Bucket | undefined;
}

/** What headers say where there is no limit: numbers as large as those of a big customer. */
const GENEROUS_REQUESTS_PER_MINUTE = 10_000;
const GENEROUS_TOKENS_PER_MINUTE = 10_000_000;

export const fullBuckets = (rateLimit: RateLimit | undefined, nowMs: number): Buckets => ({
  requests: full(rateLimit?.requestsPerMinute, nowMs),
  tokens: full(rateLimit?.tokensPerMinute, nowMs),
});

/**
 * Takes one request and its tokens from the buckets, if both hold enough; else takes nothing and says how long to wait.
 * A request larger than the whole bucket waits for a full one, and so never passes: real vendors refuse it too.
 */
export const take = (
  buckets: Buckets,
  tokens: number,
  nowMs: number,
): { readonly buckets: Buckets; readonly allowances: Allowances; readonly waitMs: number } => {
  const filled = { requests: refill(buckets.requests, nowMs), tokens: refill(buckets.tokens, nowMs) };
  const waitMs = Math.max(waitFor(filled.requests, 1), waitFor(filled.tokens, tokens));
  const left = waitMs > 0 ? filled : { requests: drain(filled.requests, 1), tokens: drain(filled.tokens, tokens) };
  return { buckets: left, allowances: allowancesOf(left, 1, tokens), waitMs };
};

/** What is left in the buckets, for an answer to somebody who takes nothing. */
export const look = (buckets: Buckets, nowMs: number): Allowances =>
  allowancesOf({ requests: refill(buckets.requests, nowMs), tokens: refill(buckets.tokens, nowMs) }, 0, 0);

/** The part of what the buckets could have let through in this time, from full ones, that they did; NaN without a limit. */
export const useOf = (
  { requestsPerMinute, tokensPerMinute }: RateLimit,
  admitted: { readonly requests: number; readonly tokens: number },
  durationMs: number,
): number => {
  const part = (took: number, perMinute = Number.POSITIVE_INFINITY): number =>
    took / (perMinute * (1 + durationMs / 60_000));
  if (requestsPerMinute === undefined && tokensPerMinute === undefined) return Number.NaN;
  return Math.max(part(admitted.requests, requestsPerMinute), part(admitted.tokens, tokensPerMinute));
};

/** Allowances of which nothing is left for `resetMs`. */
export const exhausted = (resetMs: number): Allowances => ({
  requests: { limit: GENEROUS_REQUESTS_PER_MINUTE, remaining: 0, resetMs },
  tokens: { limit: GENEROUS_TOKENS_PER_MINUTE, remaining: 0, resetMs },
});

const allowancesOf = ({ requests, tokens }: Buckets, tookRequests: number, tookTokens: number): Allowances => ({
  requests: allowance(requests, GENEROUS_REQUESTS_PER_MINUTE, tookRequests),
  tokens: allowance(tokens, GENEROUS_TOKENS_PER_MINUTE, tookTokens),
});

const full = (perMinute: number | undefined, atMs: number): Bucket | undefined =>
  perMinute === undefined ? undefined : { perMinute, level: perMinute, atMs };

const refill = (bucket: Bucket | undefined, nowMs: number): Bucket | undefined => {
  if (bucket === undefined) return undefined;
  const gained = ((nowMs - bucket.atMs) * bucket.perMinute) / 60_000;
  return { ...bucket, level: Math.min(bucket.perMinute, bucket.level + gained), atMs: nowMs };
};

const drain = (bucket: Bucket | undefined, cost: number): Bucket | undefined =>
  bucket && { ...bucket, level: bucket.level - cost };

const msToFill = (bucket: Bucket, level: number): number =>
  Math.ceil(((level - bucket.level) * 60_000) / bucket.perMinute);

const waitFor = (bucket: Bucket | undefined, cost: number): number =>
  bucket === undefined ? 0 : Math.max(0, msToFill(bucket, cost));

const allowance = (bucket: Bucket | undefined, generous: number, cost: number): Allowance => {
  const seen = bucket ?? { perMinute: generous, level: generous - cost, atMs: 0 };
  return {
    limit: seen.perMinute,
    remaining: Math.max(0, Math.floor(seen.level)),
    resetMs: msToFill(seen, seen.perMinute),
  };
};
