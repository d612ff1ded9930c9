import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attemptTimeoutMs } from './deadline.ts';

test('an attempt takes its own timeout when there is time for all', () => {
  expect(attemptTimeoutMs(30_000, 180_000, 3)).toBe(30_000);
});

test('it leaves eight seconds for each candidate after it', () => {
  expect(attemptTimeoutMs(90_000, 60_000, 2)).toBe(44_000);
});

test('it leaves half of what remains, at most', () => {
  expect(attemptTimeoutMs(30_000, 10_000, 5)).toBe(5_000);
});

test('the last candidate gets all of it', () => {
  expect(attemptTimeoutMs(30_000, 4_000, 0)).toBe(4_000);
});

test('one after the other, attempts never pass the deadline, and each gets some time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120_000 }),
      fc.integer({ min: 1, max: 32 }),
      fc.integer({ min: 1, max: 90_000 }),
      (deadlineMs, n, ownMs) => {
        let remainingMs = deadlineMs;
        for (let left = n - 1; left >= 0; left--) {
          const timeoutMs = attemptTimeoutMs(ownMs, remainingMs, left);
          expect(timeoutMs).toBeGreaterThan(0);
          remainingMs -= timeoutMs;
          expect(remainingMs).toBeGreaterThanOrEqual(0);
        }
      },
    ),
  );
});
