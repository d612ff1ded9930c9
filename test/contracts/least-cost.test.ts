import {
  leastCost,
  type Observation,
  type Picker,
  type StrategyTarget,
  type TargetPrice,
  type Usage,
} from '@switchyard/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pickContext, strategyPool } from './strategy-pool.ts';

const HOUR = 3_600_000;

const price = (inputUsdPerMTok: number, outputUsdPerMTok: number, more: Partial<TargetPrice> = {}): TargetPrice => ({
  inputUsdPerMTok,
  outputUsdPerMTok,
  ...more,
});

const pickerOf = (prices: readonly (TargetPrice | undefined)[], spread?: number): Picker =>
  leastCost(spread === undefined ? {} : { spread }).forPool(
    strategyPool(prices.map((each): Partial<StrategyTarget> => ({ price: each }))),
  );

const usageOf = (inputTokens: number, outputTokens: number, cachedInputTokens = 0): Usage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens,
  reasoningTokens: 0,
});

const heard = (picker: Picker, target: number, given: Partial<Observation>): void =>
  picker.observe?.({
    type: 'completed',
    target,
    role: 'first',
    nowMs: 0,
    ageMs: 1_000,
    contentMs: 500,
    readMs: 0,
    streaming: true,
    inputTokens: 2_000,
    maxOutputTokens: undefined,
    subject: undefined,
    task: undefined,
    usage: undefined,
    failure: undefined,
    ...given,
  });

/** So many answers of a target, each to a prompt that was estimated at 2000 tokens. */
const answer = (picker: Picker, target: number, usage: Usage, times = 200, nowMs = 0): void => {
  for (let i = 0; i < times; i++) heard(picker, target, { usage, nowMs });
};

/** The order in which a request would try them all. */
const orderOf = (picker: Picker, count: number, given: Parameters<typeof pickContext>[1] = {}): number[] => {
  const order: number[] = [];
  for (let left = (1 << count) - 1; left !== 0; left &= ~(1 << (order.at(-1) as number))) {
    order.push(picker.pick(pickContext(count, { inputTokens: 2_000, candidates: left, ...given })));
  }
  return order;
};

describe('the cheapest target comes first, and the next dearer one after it (N1)', () => {
  test('before anything is known, by list price', () => {
    const picker = pickerOf([price(3, 15), price(0.25, 2), price(1, 5)]);
    expect(orderOf(picker, 3)).toEqual([1, 2, 0]);
  });

  test('those that are free first, and those without a price last, in the order of the pool', () => {
    const picker = pickerOf([undefined, price(1, 5), undefined, price(0, 0)]);
    expect(orderOf(picker, 4)).toEqual([3, 1, 0, 2]);
  });

  test('by what the request is made of: input here, output there', () => {
    const dearOutput = price(0.1, 8);
    const dearInput = price(2, 1);
    const picker = pickerOf([dearOutput, dearInput]);
    answer(picker, 0, usageOf(2_000, 500));
    answer(picker, 1, usageOf(2_000, 500));
    expect(orderOf(picker, 2, { inputTokens: 100 })).toEqual([1, 0]);
    expect(orderOf(picker, 2, { inputTokens: 20_000 })).toEqual([0, 1]);
    // The request allows hardly any output, whatever is usual.
    expect(orderOf(picker, 2, { inputTokens: 1_200, maxOutputTokens: 5 })).toEqual([0, 1]);
    expect(orderOf(picker, 2, { inputTokens: 1_200 })).toEqual([1, 0]);
  });

  test('a long prompt is paid by the tariff for long prompts', () => {
    const picker = pickerOf([
      price(1, 1, { longPrompts: { aboveInputTokens: 10_000, inputUsdPerMTok: 5, outputUsdPerMTok: 5 } }),
      price(2, 2),
    ]);
    expect(orderOf(picker, 2, { inputTokens: 9_900 })).toEqual([0, 1]);
    expect(orderOf(picker, 2, { inputTokens: 11_000 })).toEqual([1, 0]);
  });
});

describe('what a list price does not say is learned', () => {
  test('a target that says in 2000 tokens what another says in 300 is dearer, at half the price', () => {
    const picker = pickerOf([price(0.5, 2), price(1, 4)]);
    answer(picker, 0, usageOf(2_000, 2_000));
    answer(picker, 1, usageOf(2_000, 300));
    expect(orderOf(picker, 2)).toEqual([1, 0]);
  });

  test('one that was never asked is tried a few times, where shorter answers would make it cheapest', () => {
    const picker = pickerOf([price(0.5, 2), price(1, 4), price(100, 400)]);
    answer(picker, 0, usageOf(2_000, 2_000));
    expect(orderOf(picker, 3)).toEqual([1, 0, 2]);
    // Its answers are no shorter, and a few of them are enough to know.
    answer(picker, 1, usageOf(2_000, 2_000), 6);
    expect(orderOf(picker, 3)).toEqual([0, 1, 2]);
  });

  test('a target that counts more tokens in the same prompt is dearer', () => {
    const picker = pickerOf([price(1, 0), price(1.2, 0)]);
    answer(picker, 0, usageOf(3_000, 10));
    answer(picker, 1, usageOf(2_000, 10));
    expect(orderOf(picker, 2)).toEqual([1, 0]);
    expect(picker.report?.(0, 0)).toMatchObject({ priced: true });
    expect(picker.report?.(0, 0)?.billedPerEstimatedToken).toBeCloseTo(1.5, 1);
  });

  test('a target whose cache serves most of the prompt is cheaper', () => {
    const picker = pickerOf([price(1, 1), price(2, 1, { cachedInputUsdPerMTok: 0.2 })]);
    answer(picker, 0, usageOf(2_000, 10));
    answer(picker, 1, usageOf(2_000, 10, 1_800));
    expect(orderOf(picker, 2)).toEqual([1, 0]);
    expect(picker.report?.(1, 0)?.cachedShareOfLongPrompts).toBeCloseTo(0.9, 1);
  });

  test('a target that stalls half of the time is dearer by what it is paid for nothing; one that refuses is not', () => {
    const failed = (kind: 'stalled' | 'server-error'): Partial<Observation> => ({
      type: 'failed',
      failure: { kind, chargedTo: 'model' },
    });
    const both = (kind: 'stalled' | 'server-error'): number[] => {
      const picker = pickerOf([price(1, 4), price(1.3, 5.2)]);
      answer(picker, 1, usageOf(2_000, 500));
      for (let i = 0; i < 100; i++) {
        heard(picker, 0, { usage: usageOf(2_000, 500) });
        heard(picker, 0, failed(kind));
      }
      return orderOf(picker, 2);
    };
    expect(both('stalled')).toEqual([1, 0]);
    expect(both('server-error')).toEqual([0, 1]);
  });

  test('a caller who leaves in the middle of an answer is nobody’s waste', () => {
    const picker = pickerOf([price(1, 4), price(1.3, 5.2)]);
    answer(picker, 0, usageOf(2_000, 500));
    answer(picker, 1, usageOf(2_000, 500));
    for (let i = 0; i < 1_000; i++) heard(picker, 0, { type: 'cancelled' });
    expect(orderOf(picker, 2)).toEqual([0, 1]);
  });

  test('it is forgotten: hours after its last answer a target is taken for usual again', () => {
    const picker = pickerOf([price(0.5, 2), price(1, 4)]);
    answer(picker, 0, usageOf(2_000, 2_000));
    answer(picker, 1, usageOf(2_000, 300));
    answer(picker, 1, usageOf(2_000, 300), 200, 60 * HOUR);
    expect(orderOf(picker, 2, { nowMs: 60 * HOUR })).toEqual([0, 1]);
  });
});

describe('costs within 5 % are a tie', () => {
  const paired = (second: number): Picker => {
    const picker = pickerOf([price(1, 4), price(second, 4 * second)]);
    answer(picker, 0, usageOf(2_000, 500));
    answer(picker, 1, usageOf(2_000, 500));
    for (let i = 0; i < 20; i++) {
      heard(picker, 0, { type: 'content', contentMs: 900 });
      heard(picker, 1, { type: 'content', contentMs: 300 });
    }
    return picker;
  };

  test('which goes to the target that answers sooner', () => {
    expect(orderOf(paired(1.04), 2)).toEqual([1, 0]);
    expect(orderOf(paired(1.06), 2)).toEqual([0, 1]);
  });

  test('streams and plain answers are told apart', () => {
    const picker = paired(1);
    for (let i = 0; i < 20; i++) {
      heard(picker, 0, { type: 'content', streaming: false, contentMs: 2_000 });
      heard(picker, 1, { type: 'content', streaming: false, contentMs: 5_000 });
    }
    expect(orderOf(picker, 2, { streaming: true })).toEqual([1, 0]);
    expect(orderOf(picker, 2, { streaming: false })).toEqual([0, 1]);
  });
});

describe('spread', () => {
  const shares = (prices: readonly (TargetPrice | undefined)[], spread: number, picks = 4_900): number[] => {
    const picker = pickerOf(prices, spread);
    const counts = prices.map(() => 0);
    for (let i = 0; i < picks; i++) {
      const picked = picker.pick(pickContext(prices.length, { inputTokens: 1_000, maxOutputTokens: 0 }));
      counts[picked] = (counts[picked] ?? 0) + 1;
    }
    return counts;
  };

  test('of 1 splits traffic by one over the square of the cost: $1, $2 and $3 get 36 : 9 : 4', () => {
    const [a = 0, b = 0, c = 0] = shares([price(1, 0), price(2, 0), price(3, 0)], 1);
    expect([Math.round(a / 100), Math.round(b / 100), Math.round(c / 100)]).toEqual([36, 9, 4]);
  });

  test('of less is nearer to the cheapest alone', () => {
    const [a = 0, b = 0] = shares([price(1, 0), price(2, 0)], 0.5, 1_700);
    expect([a, b]).toEqual([1_600, 100]);
  });

  test('gives nothing to what has no price, or to what costs something beside what is free', () => {
    expect(shares([price(1, 0), undefined], 1, 10)).toEqual([10, 0]);
    expect(shares([price(1, 0), price(0, 0), price(0, 0)], 1, 10)).toEqual([0, 5, 5]);
    expect(pickerOf([undefined, undefined], 1).pick(pickContext(2))).toBe(0);
  });

  test('fallbacks turn in a rotation of their own: a target that fails moves no first picks of the others', () => {
    const first = (fails: boolean): number[] => {
      const picker = pickerOf([price(1, 0), price(2, 0), price(3, 0)], 1);
      return Array.from({ length: 49 }, () => {
        const picked = picker.pick(pickContext(3, { maxOutputTokens: 0 }));
        if (fails) picker.pick(pickContext(3, { maxOutputTokens: 0, attempt: 1, candidates: 0b111 & ~(1 << picked) }));
        return picked;
      });
    };
    expect(first(true)).toEqual(first(false));
  });

  test('a copy has a rotation of its own', () => {
    const picker = pickerOf([price(1, 0), price(2, 0)], 1);
    const copy = picker.copy?.() as Picker;
    for (let i = 0; i < 4; i++) copy.pick(pickContext(2, { maxOutputTokens: 0 }));
    const fresh = pickerOf([price(1, 0), price(2, 0)], 1);
    const next = (from: Picker): number[] =>
      Array.from({ length: 10 }, () => from.pick(pickContext(2, { maxOutputTokens: 0 })));
    expect(next(picker)).toEqual(next(fresh));
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('of %d is refused', (spread) => {
    expect(() => leastCost({ spread })).toThrow(RangeError);
  });
});

test('whatever is heard and whatever it costs, a candidate is picked, and what is believed is a number', () => {
  const amount = fc.constantFrom(0, 1e-6, 0.25, 15, 1e6);
  const tokens = fc.constantFrom(0, 1, 1_000, 1e7);
  const observation = fc.record({
    type: fc.constantFrom('started', 'silent', 'content', 'completed', 'failed', 'cancelled'),
    target: fc.nat({ max: 2 }),
    nowMs: fc.integer({ min: 0, max: 10 * HOUR }),
    contentMs: fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: undefined }),
    inputTokens: tokens,
    maxOutputTokens: fc.option(tokens, { nil: undefined }),
    usage: fc.option(
      fc.tuple(tokens, tokens, tokens).map((three) => usageOf(...three)),
      { nil: undefined },
    ),
    failure: fc.constantFrom({ kind: 'stalled', chargedTo: 'model' } as const, undefined),
  });
  fc.assert(
    fc.property(
      fc.array(
        fc.option(
          fc.tuple(amount, amount).map((two) => price(...two)),
          { nil: undefined },
        ),
        { minLength: 3, maxLength: 3 },
      ),
      fc.array(observation, { maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(0, 1, 3),
      (prices, observations, candidates, spread) => {
        const picker = pickerOf(prices, spread);
        for (const each of observations) heard(picker, each.target, each);
        for (const nowMs of [0, 20 * HOUR]) {
          const picked = picker.pick(pickContext(3, { candidates, nowMs, inputTokens: 100 }));
          expect((candidates >>> picked) & 1).toBe(1);
          for (const value of Object.values(picker.report?.(picked, nowMs) ?? {})) expect(value).not.toBeNaN();
        }
      },
    ),
    { numRuns: 500 },
  );
});
