import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSpent, leftAgainAtMs, newSpending, reserve, type SpendingCap, settle, spentReason } from './spending.ts';

const HOUR = 3_600_000;
const cap: SpendingCap = { usd: 5, perMs: HOUR, per: '1h' };

test('a budget is spent when its last cent is, and what is set aside counts', () => {
  const spending = newSpending(cap);
  expect(isSpent(spending, 0)).toBe(false);
  reserve(spending, 3);
  reserve(spending, 2);
  expect(isSpent(spending, 10)).toBe(true);
  settle(spending, 3, 1, 20);
  expect(isSpent(spending, 20)).toBe(false);
  settle(spending, 2, 4, 30);
  expect(isSpent(spending, 30)).toBe(true);
  expect(spending).toMatchObject({ usd: 5, reservedUsd: 0 });
  expect(spentReason(cap)).toBe('budget of $5 per 1h is spent');
});

test('money comes back as the time passes in which it was spent', () => {
  const spending = newSpending(cap);
  settle(spending, 0, 4, 1_000);
  settle(spending, 0, 1, 30 * 60_000);
  expect(isSpent(spending, HOUR)).toBe(true);
  const backAtMs = leftAgainAtMs(spending, HOUR);
  // An hour later, and not before; a sixtieth of the span is all that is lost to the slices.
  expect(backAtMs).toBeGreaterThanOrEqual(HOUR + 1_000);
  expect(backAtMs).toBeLessThanOrEqual(HOUR + 1_000 + HOUR / 60);
  expect(isSpent(spending, backAtMs - 1)).toBe(true);
  expect(isSpent(spending, backAtMs)).toBe(false);
});

test('what is only set aside may come back at any moment', () => {
  const spending = newSpending(cap);
  reserve(spending, 5);
  expect(leftAgainAtMs(spending, 100)).toBe(1_100);
});

test('without a cap all is counted and nothing is ever spent', () => {
  const spending = newSpending(undefined);
  settle(spending, 0, 1e9, 0);
  expect(isSpent(spending, 0)).toBe(false);
  expect(leftAgainAtMs(spending, 7)).toBe(7);
});

test('whatever is spent when, no span of the length holds more than the cap and the last payment, and it is due back as said', () => {
  const payment = fc.record({
    gapMs: fc.integer({ min: 0, max: HOUR }),
    usd: fc.double({ min: 0.01, max: 3, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(payment, { minLength: 1, maxLength: 60 }), (payments) => {
      const spending = newSpending(cap);
      const paid: { atMs: number; usd: number }[] = [];
      let nowMs = 0.25;
      for (const { gapMs, usd } of payments) {
        nowMs += gapMs;
        if (isSpent(spending, nowMs)) {
          const backAtMs = leftAgainAtMs(spending, nowMs);
          expect(backAtMs).toBeGreaterThan(nowMs);
          expect(backAtMs).toBeLessThanOrEqual(nowMs + HOUR + HOUR / 60);
          expect(isSpent(spending, backAtMs)).toBe(false);
          nowMs = Math.max(nowMs, backAtMs);
        }
        settle(spending, 0, usd, nowMs);
        paid.push({ atMs: nowMs, usd });
        const inSpan = paid.filter(({ atMs }) => atMs > nowMs - HOUR);
        const before = inSpan.slice(0, -1).reduce((sum, each) => sum + each.usd, 0);
        expect(before).toBeLessThan(cap.usd + 1e-9);
      }
    }),
  );
});
