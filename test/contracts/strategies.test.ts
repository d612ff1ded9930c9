import { type Picker, priority, type Strategy, weightedRoundRobin } from '@switchyard/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diceOf, pickContext, poolOfWeights, strategyPool } from './strategy-pool.ts';

const pickerOf = (strategy: Strategy, weights: readonly number[], seed = 1): ((candidates?: number) => number) => {
  const dice = diceOf(seed);
  const picker: Picker = strategy.forPool(
    strategyPool(
      weights.map((weight) => ({ weight })),
      dice,
    ),
  );
  const all = weights.length === 32 ? -1 : (1 << weights.length) - 1;
  return (candidates = all) => picker.pick(pickContext(weights.length, { candidates, dice }));
};

const weightsOf = fc.array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.double({ min: 0.01, max: 10, noNaN: true })), {
  minLength: 1,
  maxLength: 32,
});

describe.each([
  ['priority', priority],
  ['weighted-round-robin', weightedRoundRobin],
])('every strategy: %s', (name, make) => {
  test('is known by its name', () => {
    expect(make().name).toBe(name);
  });

  test('picks a candidate whenever there is one, and only a candidate', () => {
    fc.assert(
      fc.property(
        weightsOf,
        fc.array(fc.integer(), { minLength: 1, maxLength: 50 }),
        fc.nat(),
        (weights, masks, seed) => {
          const pick = pickerOf(make(), weights, seed);
          const all = weights.length === 32 ? -1 : (1 << weights.length) - 1;
          for (const mask of masks) {
            const candidates = mask & all;
            const picked = pick(candidates);
            if (candidates === 0) expect(picked).toBe(-1);
            else expect((candidates >>> picked) & 1).toBe(1);
          }
        },
      ),
    );
  });

  test('with each pick taken away in turn, reaches every target once', () => {
    fc.assert(
      fc.property(weightsOf, fc.nat(), (weights, seed) => {
        const pick = pickerOf(make(), weights, seed);
        let candidates = weights.length === 32 ? -1 : (1 << weights.length) - 1;
        const order: number[] = [];
        while (candidates !== 0) {
          const picked = pick(candidates);
          order.push(picked);
          candidates &= ~(1 << picked);
        }
        expect(order.toSorted((a, b) => a - b)).toEqual(weights.map((_, i) => i));
      }),
    );
  });
});

test('priority falls back in the order of the list (F5)', () => {
  const pick = pickerOf(priority(), [1, 1, 1]);
  expect([pick(0b111), pick(0b110), pick(0b100)]).toEqual([0, 1, 2]);
});

describe('smooth weighted round robin', () => {
  const counts = (picks: readonly number[], n: number): number[] =>
    Array.from({ length: n }, (_, i) => picks.filter((pick) => pick === i).length);

  test.each([[[80, 10, 10]], [[0.8, 0.1, 0.1]]])(
    '%j over 1000 requests gives 800, 100 and 100, from any start (P4)',
    (weights) => {
      for (let seed = 0; seed < 20; seed++) {
        const pick = pickerOf(weightedRoundRobin(), weights, seed);
        const [a = 0, b = 0, c = 0] = counts(
          Array.from({ length: 1_000 }, () => pick()),
          3,
        );
        // Tenths do not add up exactly in binary, so fractions may be off by one.
        const off = weights[0] === 80 ? 0 : 1;
        for (const [got, ideal] of [
          [a, 800],
          [b, 100],
          [c, 100],
        ] as const)
          expect(Math.abs(got - ideal)).toBeLessThanOrEqual(off);
      }
    },
  );

  test('spreads {5, 1, 1} out: a a b a c a a, from wherever it starts', () => {
    const rounds = 'aabacaaaabacaa';
    for (let seed = 0; seed < 20; seed++) {
      const pick = pickerOf(weightedRoundRobin(), [5, 1, 1], seed);
      const round = Array.from({ length: 7 }, () => 'abc'[pick()]).join('');
      expect(rounds).toContain(round);
    }
  });

  test('never strays from the ideal share by more than 1.5 picks', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 20 }), (weights) => {
        // From the start of the rotation: from a random start, the distance to that start would count twice.
        const picker = weightedRoundRobin().forPool(poolOfWeights(weights, () => 0));
        const candidates = (1 << weights.length) - 1;
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const got = weights.map(() => 0);
        for (let t = 1; t <= 500; t++) {
          const picked = picker.pick(pickContext(weights.length, { candidates }));
          got[picked] = (got[picked] ?? 0) + 1;
          weights.forEach((weight, i) => {
            expect(Math.abs((t * weight) / total - (got[i] ?? 0))).toBeLessThanOrEqual(1.5);
          });
        }
      }),
    );
  });

  test('a target that was out comes back without a burst, and the others keep their shares', () => {
    const pick = pickerOf(weightedRoundRobin(), [5, 3, 2]);
    for (let i = 0; i < 100; i++) pick();
    const without = Array.from({ length: 400 }, () => pick(0b110));
    expect(counts(without, 3)).toEqual([0, 240, 160]);
    const after = Array.from({ length: 1_000 }, () => pick());
    expect(counts(after.slice(0, 10), 3)[0]).toBeLessThanOrEqual(6);
    const [a = 0] = counts(after, 3);
    expect(Math.abs(a - 500)).toBeLessThanOrEqual(2);
  });

  test('weight 0 stands by: not picked while a positive one may be, then in the order of the list (F7)', () => {
    const pick = pickerOf(weightedRoundRobin(), [0, 1, 0]);
    for (let i = 0; i < 50; i++) expect(pick()).toBe(1);
    expect(pick(0b101)).toBe(0);
    expect(pick(0b100)).toBe(2);
  });

  test('scaling all weights changes nothing', () => {
    const one = pickerOf(weightedRoundRobin(), [3, 1, 2]);
    const two = pickerOf(weightedRoundRobin(), [300, 100, 200]);
    for (let i = 0; i < 100; i++) expect(one()).toBe(two());
  });
});
