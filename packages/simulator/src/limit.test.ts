import { describe, expect, test } from 'vitest';
import { fullBuckets, look, take, useOf } from './limit.ts';

describe('a rate limit', () => {
  test('lets through what the bucket holds, then says how long to wait', () => {
    let buckets = fullBuckets({ requestsPerMinute: 2 }, 0);
    for (const remaining of [1, 0]) {
      const taken = take(buckets, 10, 0);
      expect(taken.waitMs).toBe(0);
      expect(taken.allowances.requests).toMatchObject({ limit: 2, remaining });
      buckets = taken.buckets;
    }
    expect(take(buckets, 10, 0).waitMs).toBe(30_000);
    expect(take(buckets, 10, 30_000).waitMs).toBe(0);
  });

  test('counts tokens as well, and takes nothing for a request it refuses', () => {
    const buckets = fullBuckets({ tokensPerMinute: 100 }, 0);
    const refused = take(take(buckets, 80, 0).buckets, 50, 0);
    expect(refused.waitMs).toBe(18_000);
    expect(refused.allowances.tokens).toEqual({ limit: 100, remaining: 20, resetMs: 48_000 });
  });

  test('can be looked at without taking any of it', () => {
    const { buckets } = take(fullBuckets({ requestsPerMinute: 60, tokensPerMinute: 600 }, 0), 100, 0);
    const seen = look(buckets, 1_000);
    expect(seen.requests).toEqual({ limit: 60, remaining: 60, resetMs: 0 });
    expect(seen.tokens).toEqual({ limit: 600, remaining: 510, resetMs: 9_000 });
    expect(look(buckets, 1_000)).toEqual(seen);
  });

  test('is used by what it let through, of the full bucket and of what came back, and the scarcer one counts', () => {
    const minutes = 10 * 60_000;
    expect(useOf({ requestsPerMinute: 6 }, { requests: 33, tokens: 1e9 }, minutes)).toBe(0.5);
    expect(useOf({ requestsPerMinute: 6, tokensPerMinute: 10 }, { requests: 33, tokens: 88 }, minutes)).toBe(0.8);
    expect(useOf({}, { requests: 33, tokens: 88 }, minutes)).toBeNaN();
  });

  test('that does not exist is never reached', () => {
    let buckets = fullBuckets(undefined, 0);
    for (let i = 0; i < 20_000; i += 1) buckets = take(buckets, 1_000, 0).buckets;
    expect(take(buckets, 1_000, 0)).toMatchObject({ waitMs: 0, allowances: { requests: { remaining: 9_999 } } });
  });
});
