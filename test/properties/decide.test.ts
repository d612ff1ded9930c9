import { type Picker, weightedRoundRobin } from '@switchyard/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deposit, hedgeBudget, mayTake, take } from '../../packages/core/src/decide/budget.ts';
import { isBad, isUsual, newWindow, record, type Verdict } from '../../packages/core/src/decide/health/window.ts';
import { retryAfterMs } from '../../packages/core/src/decide/retry-after.ts';
import { pickContext, poolOfWeights } from '../contracts/strategy-pool.ts';

const pickerOf = (weights: readonly number[], luck = 0): ((candidates: number) => number) => {
  const picker: Picker = weightedRoundRobin().forPool(poolOfWeights(weights, () => luck));
  return (candidates) => picker.pick(pickContext(weights.length, { candidates, dice: () => luck }));
};

const allOf = ({ length }: readonly unknown[]): number => 2 ** length - 1;

describe('smooth weighted round robin', () => {
  const someWeights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 20 });
  const aMask = fc.integer({ min: 1, max: 2 ** 20 - 1 });

  /** The rule as its source states it, over credits that anybody can look at. */
  class Reference {
    readonly #weights: readonly number[];
    readonly credits: number[];

    constructor(weights: readonly number[]) {
      this.#weights = weights;
      this.credits = weights.map(() => 0);
    }

    pick(candidates: number): number {
      const eligible = this.#weights.flatMap((_, i) => ((candidates >> i) & 1 ? [i] : []));
      for (const i of eligible) this.credits[i] = this.creditOf(i) + (this.#weights[i] ?? 0);
      const most = Math.max(...eligible.map((i) => this.creditOf(i)));
      const picked = eligible.find((i) => this.creditOf(i) === most) ?? -1;
      const sum = eligible.reduce((total, i) => total + (this.#weights[i] ?? 0), 0);
      this.credits[picked] = this.creditOf(picked) - sum;
      return picked;
    }

    creditOf(i: number): number {
      return this.credits[i] ?? 0;
    }
  }

  test('picks by credits that add up to nothing, and that stand still while their target is out (15)', () => {
    fc.assert(
      fc.property(
        someWeights,
        fc.array(aMask, { maxLength: 100, size: 'max' }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (weights, masks, luck) => {
          const pick = pickerOf(weights, luck);
          const reference = new Reference(weights);
          // Each process begins at a point of the rotation of its own.
          for (let phase = Math.floor(luck * 256); phase > 0; phase--) reference.pick(allOf(weights));
          for (const mask of masks) {
            const candidates = mask & allOf(weights);
            if (candidates === 0) continue;
            const before = [...reference.credits];
            expect(pick(candidates)).toBe(reference.pick(candidates));
            expect(reference.credits.reduce((sum, credit) => sum + credit, 0)).toBe(0);
            before.forEach((credit, i) => {
              if (!((candidates >> i) & 1)) expect(reference.creditOf(i)).toBe(credit);
            });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('gives each target its weight in every round, from any start, in any order of the pool (15, 16)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(50),
        (weights, luck, skipped) => {
          const pick = pickerOf(weights, luck);
          for (let i = 0; i < skipped; i++) pick(allOf(weights));
          const got = weights.map(() => 0);
          const round = weights.reduce((sum, weight) => sum + weight, 0);
          for (let i = 0; i < round; i++) {
            const picked = pick(allOf(weights));
            got[picked] = (got[picked] ?? 0) + 1;
          }
          expect(got).toEqual(weights);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('picks the same targets in whatever order they stand in the pool (16)', () => {
    // Roots of primes never make a tie, which alone is broken by the order of the pool.
    const untied = fc.subarray([2, 3, 5, 7, 11, 13, 17, 19, 23, 29].map(Math.sqrt), { minLength: 2 });
    const shuffled = untied.chain((weights) =>
      fc.tuple(
        fc.constant(weights),
        fc.shuffledSubarray(
          weights.map((_, i) => i),
          { minLength: weights.length },
        ),
        fc.array(aMask, { minLength: 50, maxLength: 100, size: 'max' }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([weights, order, masks]) => {
        const pick = pickerOf(weights);
        const other = pickerOf(order.map((i) => weights[i] ?? 0));
        for (const mask of masks) {
          const candidates = mask & allOf(weights);
          if (candidates === 0) continue;
          const moved = order.reduce((bits, i, place) => ((candidates >> i) & 1 ? bits | (1 << place) : bits), 0);
          expect(order[other(moved)]).toBe(pick(candidates));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('picks the same whatever the weights are multiplied by (16)', () => {
    fc.assert(
      fc.property(
        someWeights,
        fc.oneof(fc.integer({ min: 2, max: 10_000 }), fc.constantFrom(0.5, 1 / 1_024)),
        fc.array(aMask, { minLength: 50, maxLength: 100, size: 'max' }),
        (weights, factor, masks) => {
          const pick = pickerOf(weights);
          const scaled = pickerOf(weights.map((weight) => weight * factor));
          for (const mask of masks) {
            const candidates = mask & allOf(weights);
            if (candidates !== 0) expect(scaled(candidates)).toBe(pick(candidates));
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('a budget of hedges never pays for more than ten and one for twenty requests, in any order of the two (9)', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 2_000, size: 'max' }), (isRequest) => {
      const budget = hedgeBudget();
      let requests = 0;
      let hedges = 0;
      for (const request of isRequest) {
        if (request) {
          deposit(budget);
          requests += 1;
        } else if (mayTake(budget)) {
          take(budget);
          hedges += 1;
        }
        expect(hedges).toBeLessThanOrEqual(10 + 0.05 * requests + 1e-9);
      }
    }),
    { numRuns: 50 },
  );
});

describe('the last 30 seconds', () => {
  const verdicts = fc.array(
    fc.record({
      afterMs: fc.oneof(fc.nat(500), fc.nat(20_000)),
      verdict: fc.constantFrom<Verdict>('good', 'failed', 'slow'),
    }),
    { maxLength: 60, size: 'max' },
  );

  test('are as good as new after an idle hour: whatever comes then, what came before does not count (22)', () => {
    fc.assert(
      fc.property(verdicts, verdicts, (before, after) => {
        const old = newWindow();
        let nowMs = 0;
        for (const { afterMs, verdict } of before) {
          nowMs += afterMs;
          record(old, verdict, nowMs);
        }
        nowMs += 3_600_000;
        const fresh = newWindow();
        for (const { afterMs, verdict } of after) {
          nowMs += afterMs;
          record(old, verdict, nowMs);
          record(fresh, verdict, nowMs);
          expect([isBad(old, nowMs), isUsual(old, nowMs)]).toEqual([isBad(fresh, nowMs), isUsual(fresh, nowMs)]);
        }
      }),
      { numRuns: 500 },
    );
  });
});

const aDate = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });

test('a date to come back at is no time in the past and none beyond a day, whatever our clock says (21)', () => {
  fc.assert(
    fc.property(aDate, fc.integer({ min: 0, max: 4e12 }), (date, wallNowMs) => {
      const waitMs = retryAfterMs((name) => (name === 'retry-after' ? date.toUTCString() : undefined), wallNowMs);
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(waitMs).toBeLessThanOrEqual(24 * 60 * 60_000);
    }),
  );
});
