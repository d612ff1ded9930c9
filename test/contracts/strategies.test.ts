import {
  type Observation,
  type Picker,
  priority,
  roundRobin,
  type Strategy,
  weightedRoundRobin,
} from '@switchyard/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STRATEGY_CASES } from './strategy-cases.ts';
import { diceOf, observationOf, pickContext, poolOfWeights, strategyPool } from './strategy-pool.ts';

type Pick = (candidates?: number, attempt?: number) => number;

const pickerOf = (strategy: Strategy, weights: readonly number[], seed = 1): Pick => {
  const dice = diceOf(seed);
  return picksOf(strategy.forPool(poolOfWeights(weights, dice)), weights.length, dice);
};

const picksOf = (picker: Picker, count: number, dice: () => number): Pick => {
  const all = allOf(count);
  return (candidates = all, attempt = 0) => picker.pick(pickContext(count, { candidates, attempt, dice }));
};

const allOf = (count: number): number => (count >= 32 ? -1 : (1 << count) - 1);

const weightsOf = fc.array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.double({ min: 0.01, max: 10, noNaN: true })), {
  minLength: 1,
  maxLength: 32,
});

const someMasks = fc.array(fc.integer(), { minLength: 1, maxLength: 50 });

/** Whatever may be told of an attempt, in any order, sensible or not. */
const anObservation: fc.Arbitrary<Observation> = fc
  .record({
    type: fc.constantFrom<Observation['type'][]>('started', 'silent', 'content', 'completed', 'failed', 'cancelled'),
    target: fc.nat(4),
    role: fc.constantFrom<Observation['role'][]>('first', 'fallback', 'probe', 'hedge', 'last-resort'),
    nowMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    ageMs: fc.constantFrom(0, 0.5, 800, 60_000, 1e7),
    contentMs: fc.constantFrom(undefined, 0, 300, 1e7),
    streaming: fc.boolean(),
    inputTokens: fc.constantFrom(0, 10, 1e6),
    maxOutputTokens: fc.constantFrom(undefined, 1, 1e6),
    task: fc.constantFrom(undefined, 'code', '__proto__'),
    usage: fc.constantFrom(
      undefined,
      { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 },
      { inputTokens: 9_000, outputTokens: 500, cachedInputTokens: 8_000, reasoningTokens: 20 },
    ),
  })
  .map((given) =>
    observationOf({
      ...given,
      failure: given.type === 'failed' ? { kind: 'overloaded', chargedTo: 'model' } : undefined,
    }),
  );

describe.each(Object.entries(STRATEGY_CASES))('every strategy: %s', (name, { make, standby, permutes, scales }) => {
  test('is known by its name', () => {
    expect(make().name).toBe(name);
  });

  test('picks a candidate whenever there is one, and only a candidate', () => {
    fc.assert(
      fc.property(weightsOf, someMasks, fc.nat(3), fc.nat(), (weights, masks, attempt, seed) => {
        const pick = pickerOf(make(), weights, seed);
        for (const mask of masks) {
          const candidates = mask & allOf(weights.length);
          const picked = pick(candidates, attempt);
          if (candidates === 0) expect(picked).toBe(-1);
          else expect((candidates >>> picked) & 1).toBe(1);
        }
      }),
    );
  });

  test('with each pick taken away in turn, reaches every target once: no tried one is picked again', () => {
    fc.assert(
      fc.property(weightsOf, fc.nat(), (weights, seed) => {
        const pick = pickerOf(make(), weights, seed);
        for (let request = 0; request < 3; request++) {
          let candidates = allOf(weights.length);
          const order: number[] = [];
          while (candidates !== 0) {
            const picked = pick(candidates, order.length);
            order.push(picked);
            candidates &= ~(1 << picked);
          }
          expect(order.toSorted((a, b) => a - b)).toEqual(weights.map((_, i) => i));
        }
      }),
    );
  });

  test('asked through a copy, answers the same and is moved by nothing', () => {
    fc.assert(
      fc.property(weightsOf, someMasks, fc.nat(), (weights, masks, seed) => {
        const count = weights.length;
        const [asked, left] = [diceOf(seed), diceOf(seed)];
        const one = make().forPool(poolOfWeights(weights, asked));
        const other = make().forPool(poolOfWeights(weights, left));
        for (const mask of masks) {
          const candidates = mask & allOf(count);
          // The same throws for all: what a copy throws must not be taken from the others.
          const throwsOf = (): (() => number) => diceOf(mask);
          const copied = picksOf(one.copy?.() ?? one, count, throwsOf());
          const told = copied(candidates);
          copied(candidates, 1);
          const picked = picksOf(one, count, throwsOf())(candidates);
          expect(picked).toBe(told);
          expect(picked).toBe(picksOf(other, count, throwsOf())(candidates));
        }
      }),
    );
  });

  test('hears anything in any order without a throw, and still picks candidates and reports JSON', () => {
    fc.assert(
      fc.property(fc.array(anObservation, { maxLength: 60 }), fc.nat(), (observations, seed) => {
        const dice = diceOf(seed);
        const picker = make().forPool(
          strategyPool([{}, { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }, { weight: 0 }, {}, {}], dice),
        );
        const pick = picksOf(picker, 5, dice);
        for (const observation of observations) {
          picker.observe?.(observation);
          const { target, nowMs, task } = observation;
          picker.feedback?.({ target, score: 0.5, task, ageMs: 5, nowMs });
          const candidates = 1 << target;
          expect(pick(candidates)).toBe(target);
          expect(pick(0b11111)).toBeGreaterThanOrEqual(0);
          const report = picker.report?.(target, nowMs);
          // JSON knows no NaN and no infinity: either would come back as null.
          if (report !== undefined) expect(JSON.parse(JSON.stringify(report))).toEqual(report);
        }
        const saved = JSON.parse(JSON.stringify(picker.save?.() ?? null));
        for (const left of [saved, null, 7, 'x', [], { strategy: 1, groups: { g0: 2 } }]) {
          const next = make().forPool({ ...poolOfWeights([1, 1], dice), saved: left });
          expect(picksOf(next, 2, dice)()).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('where it assigns subjects, gives each its own target, then always the same substitutes, and moves nothing', () => {
    fc.assert(
      fc.property(weightsOf, fc.string({ minLength: 1 }), fc.nat(), (weights, subject, seed) => {
        const count = weights.length;
        const [dice, other] = [diceOf(seed), diceOf(seed)];
        const picker = make().forPool(poolOfWeights(weights, dice));
        if (picker.assign === undefined) return;
        const pickFor = (candidates: number, attempt: number): number =>
          picker.pick(pickContext(count, { candidates, attempt, subject }));
        const orders = [0, 1].map(() => {
          const order: number[] = [];
          for (let left = allOf(count); left !== 0; left &= ~(1 << (order.at(-1) ?? 0))) {
            order.push(pickFor(left, order.length));
          }
          return order;
        });
        expect(orders[1]).toEqual(orders[0]);
        // Entries are those of the outermost pool: where they are targets, the assigned one is the one that is picked.
        if (!name.includes(' of ')) expect(picker.assign(subject, allOf(count))).toBe(orders[0]?.[0]);
        expect(picker.assign(subject, 0)).toBe(-1);
        const untouched = make().forPool(poolOfWeights(weights, other));
        expect(picksOf(picker, count, dice)()).toBe(picksOf(untouched, count, other)());
      }),
    );
  });

  test.runIf(standby)('weight 0 stands by, in pool order, and is there when all others are out (F7)', () => {
    const pick = pickerOf(make(), [0, 1, 0]);
    for (let i = 0; i < 50; i++) for (const attempt of [0, 1]) expect(pick(0b111, attempt)).toBe(1);
    expect(pick(0b101)).toBe(0);
    expect(pick(0b101, 1)).toBe(0);
    expect(pick(0b100)).toBe(2);
  });

  test.runIf(scales)('scaling all weights changes nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 10 }),
        someMasks,
        (weights, masks) => {
          const one = pickerOf(make(), weights);
          const scaled = pickerOf(
            make(),
            weights.map((weight) => weight * 64),
          );
          for (const mask of masks)
            expect(one(mask & allOf(weights.length))).toBe(scaled(mask & allOf(weights.length)));
        },
      ),
    );
  });

  test.runIf(permutes)('in another order, targets have the same shares', () => {
    const sharesOf = (weights: readonly number[]): Map<number, number> => {
      const pick = pickerOf(make(), weights);
      const shares = new Map<number, number>();
      for (let i = 0; i < 1_700; i++) {
        const weight = weights[pick()] ?? 0;
        shares.set(weight, (shares.get(weight) ?? 0) + 1);
      }
      return shares;
    };
    const shares = sharesOf([7, 5, 3, 2]);
    for (const weights of [
      [2, 3, 5, 7],
      [5, 2, 7, 3],
      [3, 7, 2, 5],
    ])
      expect(sharesOf(weights)).toEqual(shares);
  });
});

describe('priority of groups', () => {
  const health = (...parts: number[]): { readonly health: readonly number[] } => ({ health: parts });
  const sharesOf = (parts: readonly number[]): number[] => {
    const dice = diceOf(7);
    const picker = priority().forPool(poolOfWeights(parts.map(() => 1)));
    const candidates = parts.reduce((mask, part, i) => (part > 0 ? mask | (1 << i) : mask), 0);
    const shares = parts.map(() => 0);
    for (let i = 0; i < 20_000; i++) {
      const picked = picker.pick(pickContext(parts.length, { candidates, dice, ...health(...parts) }));
      shares[picked] = (shares[picked] ?? 0) + 1 / 20_000;
    }
    return shares;
  };

  test.each([
    ['all well', [1, 1], [1, 0]],
    ['72 % of the first is enough for everything', [0.72, 1], [1, 0]],
    ['half of the first carries 70 %, and 30 % spills', [0.5, 1], [0.7, 0.3]],
    ['spills over two levels', [0.25, 0.25, 1], [0.35, 0.35, 0.3]],
    ['too little everywhere is shared in proportion', [0.25, 0.125], [2 / 3, 1 / 3]],
    ['the first is out', [0, 1, 1], [0, 1, 0]],
    ['the first and the last are out', [0, 0.5, 0], [0, 1, 0]],
  ])('%s: %j gives %j, each within a point of 20 000 draws', (_, parts, ideal) => {
    sharesOf(parts).forEach((share, i) => {
      expect(Math.abs(share - (ideal[i] ?? 0))).toBeLessThanOrEqual(0.01);
    });
  });

  test('a fallback goes to the first level that has anybody left, and throws no die', () => {
    const dice = (): number => {
      throw new Error('no die');
    };
    const picker = priority().forPool(poolOfWeights([1, 1, 1]));
    const pick = (candidates: number): number =>
      picker.pick(pickContext(3, { candidates, attempt: 1, dice, ...health(0.1, 1, 1) }));
    expect([pick(0b111), pick(0b110), pick(0b100)]).toEqual([0, 1, 2]);
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
});

describe('shares, over 15 seeds', () => {
  const seeds = Array.from({ length: 15 }, (_, i) => i + 1);

  /** Weights of 2 to 6 targets, by seed. */
  const drawn = (seed: number): number[] => {
    const dice = diceOf(seed * 7_919);
    return Array.from({ length: 2 + Math.floor(dice() * 5) }, () => 1 + Math.floor(dice() * 20));
  };

  /** Follows what a target should have got: of each pick, its part of the weights of those that could be picked. */
  class Ledger {
    readonly ideal: number[];
    readonly got: number[];
    mostLag = 0;
    readonly #weights: readonly number[];

    constructor(weights: readonly number[]) {
      this.#weights = weights;
      this.ideal = weights.map(() => 0);
      this.got = weights.map(() => 0);
    }

    note(picked: number, candidates: number): void {
      const mayBe = this.#weights.map((weight, i) => ((candidates >> i) & 1 ? weight : 0));
      const sum = mayBe.reduce((all, weight) => all + weight, 0);
      this.got[picked] = (this.got[picked] ?? 0) + 1;
      mayBe.forEach((weight, i) => {
        this.ideal[i] = (this.ideal[i] ?? 0) + weight / sum;
        this.mostLag = Math.max(this.mostLag, Math.abs((this.ideal[i] ?? 0) - (this.got[i] ?? 0)));
      });
    }

    get worstShare(): number {
      const total = this.got.reduce((sum, count) => sum + count, 0);
      return Math.max(...this.got.map((count, i) => Math.abs(count - (this.ideal[i] ?? 0)) / total));
    }
  }

  test.each(seeds)('seed %i: 1000 picks are shared within 0.5 %, and never lag by more than 1.5 picks', (seed) => {
    const weights = drawn(seed);
    const ledger = new Ledger(weights);
    // From the start of the rotation: from a random one, the distance to that start would count twice.
    const picker = weightedRoundRobin().forPool(poolOfWeights(weights, () => 0));
    const pick = picksOf(picker, weights.length, diceOf(seed));
    for (let i = 0; i < 1_000; i++) ledger.note(pick(), allOf(weights.length));
    expect(ledger.worstShare).toBeLessThanOrEqual(0.005);
    expect(ledger.mostLag).toBeLessThanOrEqual(1.5);
  });

  test.each(seeds)('seed %i: the same while one target is out for 400 picks and is back, without a burst', (seed) => {
    const weights = drawn(seed);
    const all = allOf(weights.length);
    const out = seed % weights.length;
    const ledger = new Ledger(weights);
    const pick = picksOf(weightedRoundRobin().forPool(poolOfWeights(weights, () => 0)), weights.length, diceOf(seed));
    let longest = 0;
    let row = 0;
    for (let i = 0; i < 1_200; i++) {
      const candidates = i >= 400 && i < 800 ? all & ~(1 << out) : all;
      const picked = pick(candidates);
      ledger.note(picked, candidates);
      row = picked === out ? row + 1 : 0;
      if (i >= 800) longest = Math.max(longest, row);
    }
    expect(ledger.worstShare).toBeLessThanOrEqual(0.005);
    expect(ledger.mostLag).toBeLessThanOrEqual(1.5);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    // One that has p of all traffic is picked about p / (1 - p) times in a row, always.
    const part = (weights[out] ?? 0) / sum;
    expect(longest).toBeLessThanOrEqual(Math.ceil(part / (1 - part)) + 1);
  });

  const failing = (strategy: Strategy, weights: readonly number[], ratio: number, seed: number, requests: number) => {
    const dice = diceOf(seed);
    const pick = picksOf(strategy.forPool(poolOfWeights(weights, dice)), weights.length, dice);
    const firsts = weights.map(() => 0);
    const served = weights.map(() => 0);
    for (let i = 0; i < requests; i++) {
      const first = pick();
      firsts[first] = (firsts[first] ?? 0) + 1;
      const server = first === 0 && dice() < ratio ? pick(allOf(weights.length) & ~1, 1) : first;
      served[server] = (served[server] ?? 0) + 1;
    }
    return { firsts, served };
  };

  test.each(seeds)(
    'seed %i: with 5, 3 and 2, and 30 % of the first failing, answers are shared .35, .39 and .26',
    (seed) => {
      const { firsts, served } = failing(weightedRoundRobin(), [5, 3, 2], 0.3, seed, 10_000);
      [0.35, 0.39, 0.26].forEach((ideal, i) => {
        expect(Math.abs((served[i] ?? 0) / 10_000 - ideal)).toBeLessThanOrEqual(0.01);
      });
      [5_000, 3_000, 2_000].forEach((ideal, i) => {
        expect(Math.abs((firsts[i] ?? 0) - ideal)).toBeLessThanOrEqual(1);
      });
    },
  );

  test.each([0.1, 0.3, 1])(
    'round-robin, a part of %d of one failing: first picks stay even, answers too (F6)',
    (ratio) => {
      for (const seed of seeds) {
        const { firsts, served } = failing(roundRobin(), [1, 1, 1, 1], ratio, seed, 1_000);
        for (const count of firsts) expect(Math.abs(count - 250)).toBeLessThanOrEqual(1);
        const [, ...others] = served;
        expect(Math.max(...others) - Math.min(...others)).toBeLessThanOrEqual(2);
      }
    },
  );

  test('round-robin takes weights only to tell who stands by', () => {
    const pick = pickerOf(roundRobin(), [9, 1, 0]);
    const counts = [0, 0, 0];
    for (let i = 0; i < 100; i++) {
      const picked = pick();
      counts[picked] = (counts[picked] ?? 0) + 1;
    }
    expect(counts).toEqual([50, 50, 0]);
  });
});
