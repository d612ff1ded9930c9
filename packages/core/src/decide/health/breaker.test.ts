import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginProbe, clearStrikes, isDue, newBreaker, recover, strike } from './breaker.ts';

const middle = (): number => 0.5;

test('two failures in a row change nothing, the third cools the target for five seconds', () => {
  const breaker = newBreaker();
  expect([1, 2, 3].map(() => strike(breaker, 'server-error', 1_000, middle))).toEqual([false, false, true]);
  expect(breaker).toMatchObject({ standing: 'cooling', untilMs: 6_000 });
});

test('a whole answer in between makes them no longer in a row', () => {
  const breaker = newBreaker();
  for (let i = 0; i < 10; i++) {
    strike(breaker, 'server-error', i, middle);
    strike(breaker, 'server-error', i, middle);
    clearStrikes(breaker);
  }
  expect(breaker.standing).toBe('ready');
});

test('the cooling doubles with each failed probe up to half a minute, and spreads by a fifth', () => {
  const breaker = newBreaker();
  for (let i = 0; i < 3; i++) strike(breaker, 'server-error', 0, middle);
  const coolings = [breaker.untilMs];
  while (coolings.length < 5) {
    const dueMs = breaker.untilMs;
    expect([isDue(breaker, dueMs - 1), isDue(breaker, dueMs)]).toEqual([false, true]);
    beginProbe(breaker);
    strike(breaker, 'server-error', dueMs, middle);
    coolings.push(breaker.untilMs - dueMs);
  }
  expect(coolings.map(Math.round)).toEqual([5_000, 10_000, 20_000, 30_000, 30_000]);
  strike(breaker, 'server-error', 0, () => 0);
  expect(breaker.untilMs).toBe(24_000);
  strike(breaker, 'server-error', 0, () => 1);
  expect(breaker.untilMs).toBeCloseTo(36_000);
});

test('a recovery halves the cooling, and five quiet minutes forget it', () => {
  const breaker = newBreaker();
  for (let i = 0; i < 3; i++) strike(breaker, 'server-error', 0, middle);
  for (let i = 0; i < 3; i++) {
    beginProbe(breaker);
    strike(breaker, 'server-error', 0, middle);
  }
  beginProbe(breaker);
  recover(breaker, 1_000);
  const again = { ...breaker };
  for (let i = 0; i < 3; i++) strike(breaker, 'server-error', 2_000, middle);
  expect(breaker.coolingMs).toBe(15_000);
  for (let i = 0; i < 3; i++) strike(again, 'server-error', 302_000, middle);
  expect(again.coolingMs).toBe(5_000);
});

test('whatever happens, cooling ends within 36 seconds and every change of standing is a new epoch', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.constantFrom('strike', 'clear', 'probe', 'recover'),
          fc.nat(60_000),
          fc.double({ min: 0, max: 0.999, noNaN: true }),
        ),
      ),
      (steps) => {
        const breaker = newBreaker();
        let nowMs = 0;
        for (const [step, afterMs, dice] of steps) {
          nowMs += afterMs;
          const { standing, epoch } = breaker;
          if (step === 'strike') strike(breaker, 'server-error', nowMs, () => dice);
          else if (step === 'clear' && standing === 'ready') clearStrikes(breaker);
          else if (step === 'probe' && isDue(breaker, nowMs)) beginProbe(breaker);
          else if (step === 'recover') recover(breaker, nowMs);
          if (breaker.standing === 'cooling') expect(breaker.untilMs).toBeLessThanOrEqual(nowMs + 36_000);
          if (breaker.standing !== standing) expect(breaker.epoch).toBeGreaterThan(epoch);
        }
      },
    ),
  );
});
