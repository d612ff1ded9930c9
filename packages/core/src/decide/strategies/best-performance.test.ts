import { describe, expect, test } from 'vitest';
import { newObservation, newPickContext, type Writable } from '../scratch.ts';
import type { Feedback, PickContext, Picker, StrategyTarget } from '../strategy.ts';
import { type BestPerformanceOptions, bestPerformance } from './best-performance.ts';

const DAY = 24 * 60 * 60 * 1_000;
const PRICE = { inputUsdPerMTok: 0, outputUsdPerMTok: 1_000 };

const diceOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const targetsOf = (given: readonly Partial<StrategyTarget>[]): StrategyTarget[] =>
  given.map((target, i) => ({
    id: `t${i}`,
    vendor: `v${i}`,
    model: 'm',
    weight: 1,
    price: undefined,
    contextWindow: undefined,
    ...target,
  }));

const pickerOf = (
  count: number,
  options: BestPerformanceOptions = {},
  { saved, targets = [] }: { readonly saved?: unknown; readonly targets?: readonly Partial<StrategyTarget>[] } = {},
): Picker =>
  bestPerformance({ maturity: 0, ...options }).forPool({
    route: 'chat',
    targets: targetsOf(Array.from({ length: count }, (_, i) => targets[i] ?? {})),
    dice: diceOf(1),
    saved,
  });

const contextOf = (count: number, given: Partial<PickContext> = {}): Writable<PickContext> =>
  Object.assign(newPickContext(), { candidates: (1 << count) - 1, able: (1 << count) - 1, nowMs: 0, ...given });

const score = (picker: Picker, target: number, value: number, given: Partial<Feedback> = {}): void =>
  picker.feedback?.({ target, score: value, task: undefined, ageMs: 0, nowMs: 0, ...given });

const repeat = (times: number, action: (i: number) => void): void => {
  for (let i = 0; i < times; i++) action(i);
};

/** The part of so many picks that each target gets. */
const sharesOf = (picker: Picker, count: number, given: Partial<PickContext> = {}, picks = 4_000): number[] => {
  const context = contextOf(count, { dice: diceOf(11), ...given });
  const shares = new Array<number>(count).fill(0);
  repeat(picks, () => {
    const picked = picker.pick(context);
    shares[picked] = (shares[picked] ?? 0) + 1 / picks;
  });
  return shares;
};

const orderOf = (picker: Picker, count: number, given: Partial<PickContext> = {}): number[] => {
  const order: number[] = [];
  let candidates = (1 << count) - 1;
  while (candidates !== 0) {
    const picked = picker.pick(contextOf(count, { ...given, candidates, attempt: 1 }));
    order.push(picked);
    candidates &= ~(1 << picked);
  }
  return order;
};

const reportOf = (picker: Picker, target: number, nowMs = 0): Readonly<Record<string, unknown>> =>
  picker.report?.(target, nowMs) ?? {};

describe('what is drawn', () => {
  test('while nothing is known, all targets get the same share, within 3 points of 4000 picks', () => {
    for (const share of sharesOf(pickerOf(4), 4)) expect(Math.abs(share - 0.25)).toBeLessThan(0.03);
  });

  test('the target with the better scores gets most, and the other its floor at least', () => {
    const picker = pickerOf(2);
    repeat(100, (i) => {
      score(picker, 0, i % 2);
      score(picker, 1, 1);
    });
    const [worse = 0, better = 0] = sharesOf(picker, 2);
    expect(better).toBeGreaterThan(0.96);
    expect(worse).toBeGreaterThan(0.01);
  });

  test('the floors of many targets together are a fifth of the requests, within 2 points', () => {
    const picker = pickerOf(20, { floor: 0.02 });
    repeat(1_000, () => score(picker, 7, 1));
    for (let target = 0; target < 20; target++) if (target !== 7) repeat(100, () => score(picker, target, 0));
    const shares = sharesOf(picker, 20);
    expect(Math.abs((shares[7] ?? 0) - (0.8 + 0.01))).toBeLessThan(0.02);
  });

  test('after 500 scores one that is almost certainly worse gets its floor and no more; before them chance may pick it', () => {
    const picker = (scores: number): Picker => {
      const made = pickerOf(2, { floor: 0 });
      // Beta(1.5, 2.5) against one that is known to be good: the odds of the first are small, and not nothing.
      repeat(scores, (i) => score(made, 1, i % 10 === 0 ? 0 : 1));
      repeat(2, () => score(made, 0, 0.1));
      return made;
    };
    expect(sharesOf(picker(490), 2, {}, 20_000)[0]).toBeGreaterThan(0);
    expect(sharesOf(picker(510), 2, {}, 20_000)[0]).toBe(0);
    // And when the scores have faded, it is asked again.
    expect(sharesOf(picker(510), 2, { nowMs: 30 * DAY })[0]).toBeGreaterThan(0.01);
  });

  test('a target of weight 0 is tried by nobody while another may be', () => {
    const picker = pickerOf(3, {}, { targets: [{ weight: 0 }] });
    expect(sharesOf(picker, 3)[0]).toBe(0);
    expect(picker.pick(contextOf(3, { candidates: 0b001 }))).toBe(0);
  });
});

test('a fallback goes to the best by mean, and throws no die', () => {
  const picker = pickerOf(3);
  repeat(10, () => score(picker, 0, 0.2));
  repeat(10, () => score(picker, 2, 0.9));
  const dice = (): number => {
    throw new Error('no die');
  };
  expect(orderOf(picker, 3, { dice })).toEqual([2, 1, 0]);
});

test('in seven days a score loses half of its weight, and in fourteen three quarters', () => {
  const picker = pickerOf(1);
  repeat(8, () => score(picker, 0, 1));
  expect(reportOf(picker, 0)).toMatchObject({ scores: 8, score: 0.9 });
  expect(reportOf(picker, 0, 7 * DAY)).toMatchObject({ scores: 4 });
  score(picker, 0, 0, { nowMs: 14 * DAY });
  expect(reportOf(picker, 0, 14 * DAY)).toMatchObject({ scores: 3, score: 0.6 });
});

test('a score weighs by the age of its answer, not by when it came', () => {
  const picker = pickerOf(2, { halfLife: '1d' });
  score(picker, 0, 1, { nowMs: DAY, ageMs: DAY });
  expect(reportOf(picker, 0, DAY)).toMatchObject({ scores: 0.5 });
});

describe('a score counts when its answer is ten minutes old', () => {
  const MINUTE = 60_000;
  const waiting = (): Picker => pickerOf(2, { maturity: '10m' });
  const begin = (picker: Picker, nowMs: number): void =>
    picker.observe?.(Object.assign(newObservation(), { type: 'started', nowMs }));

  test('and not before, whenever it comes', () => {
    const picker = waiting();
    score(picker, 0, 0, { nowMs: MINUTE, ageMs: MINUTE });
    expect(reportOf(picker, 0, MINUTE)).toMatchObject({ maturing: 1 });
    begin(picker, 10 * MINUTE - 1);
    expect(reportOf(picker, 0)).not.toHaveProperty('scores');
    begin(picker, 10 * MINUTE);
    expect(reportOf(picker, 0, 10 * MINUTE)).toMatchObject({ maturing: 0, scores: expect.closeTo(1, 2) });
    score(picker, 1, 1, { nowMs: 20 * MINUTE, ageMs: 15 * MINUTE });
    expect(reportOf(picker, 1, 20 * MINUTE)).toMatchObject({ maturing: 0, scores: expect.closeTo(1, 2) });
  });

  test('and in the order of the answers, whoever spoke first', () => {
    const picker = waiting();
    score(picker, 0, 1, { nowMs: 5 * MINUTE, ageMs: 0 });
    score(picker, 1, 0, { nowMs: 5 * MINUTE, ageMs: 4 * MINUTE });
    begin(picker, 11 * MINUTE);
    expect([reportOf(picker, 0).maturing, reportOf(picker, 1).maturing]).toEqual([1, 0]);
  });

  test('but no more than 10 000 wait', () => {
    const picker = waiting();
    repeat(10_005, () => score(picker, 0, 1));
    expect(reportOf(picker, 0)).toMatchObject({ maturing: 10_000, scores: 5 });
  });
});

test('a score that takes the place of another leaves nothing of it, at any time', () => {
  for (const maturity of [0, '10m'] as const) {
    for (const laterMs of [0, 60_000, DAY]) {
      const picker = pickerOf(1, { maturity, halfLife: '1d' });
      score(picker, 0, 0.25);
      score(picker, 0, 1, { replaces: { score: 0.25 }, nowMs: laterMs, ageMs: laterMs });
      score(picker, 0, 0.5, { nowMs: 2 * DAY, ageMs: 2 * DAY });
      const whole = pickerOf(1, { halfLife: '1d' });
      score(whole, 0, 1, { nowMs: 2 * DAY, ageMs: 2 * DAY });
      score(whole, 0, 0.5, { nowMs: 2 * DAY, ageMs: 2 * DAY });
      expect(reportOf(picker, 0, 2 * DAY)).toEqual(reportOf(whole, 0, 2 * DAY));
    }
  }
});

test('an automatic score weighs a tenth, and a person’s takes its place', () => {
  const picker = pickerOf(1);
  repeat(10, () => score(picker, 0, 0, { isAutomatic: true }));
  expect(reportOf(picker, 0)).toMatchObject({ scores: 1 });
  score(picker, 0, 1, { replaces: { score: 0, isAutomatic: true } });
  expect(reportOf(picker, 0).scores).toBeCloseTo(1.9, 9);
});

test('what is no score, or no target, is not heard', () => {
  const picker = pickerOf(1);
  for (const value of [-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY]) score(picker, 0, value);
  score(picker, 5, 1);
  expect(reportOf(picker, 0)).toEqual({ maturing: 0 });
});

describe('tasks', () => {
  test('are learned apart', () => {
    const picker = pickerOf(2);
    repeat(50, () => {
      score(picker, 0, 1, { task: 'code' });
      score(picker, 1, 0, { task: 'code' });
      score(picker, 0, 0, { task: '__proto__' });
      score(picker, 1, 1, { task: '__proto__' });
    });
    expect(orderOf(picker, 2, { task: 'code' })).toEqual([0, 1]);
    expect(orderOf(picker, 2, { task: '__proto__' })).toEqual([1, 0]);
    expect(sharesOf(picker, 2, { task: 'code' })[0]).toBeGreaterThan(0.95);
    const [left = 0] = sharesOf(picker, 2, { task: 'other' });
    expect(Math.abs(left - 0.5)).toBeLessThan(0.05);
    expect(reportOf(picker, 0)).toMatchObject({ 'code.scores': 50, '__proto__.score': 0.0192308 });
  });

  test('are a hundred at most: those that nobody asked for longest are forgotten', () => {
    const picker = pickerOf(1);
    repeat(100, (i) => score(picker, 0, 1, { task: `task ${i}` }));
    picker.observe?.(Object.assign(newObservation(), { nowMs: 0, type: 'started', task: 'task 0' }));
    score(picker, 0, 1, { task: 'one more' });
    const saved = JSON.stringify(picker.save?.());
    expect(saved.match(/"task":/g)).toHaveLength(100);
    expect(saved).toContain('"task 0"');
    expect(saved).not.toContain('"task 1"');
  });
});

describe('utility', () => {
  const answered = (picker: Picker, target: number, contentMs: number, outputTokens: number): void =>
    picker.observe?.(
      Object.assign(newObservation(), {
        nowMs: 0,
        type: 'completed',
        target,
        role: 'first',
        contentMs,
        usage: { inputTokens: 0, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 },
      }),
    );
  const priced = { targets: [{ price: PRICE }, { price: PRICE }, { price: PRICE }] };

  test('a dearer target has to be better by as much as its cost weighs', () => {
    for (const [perUsd, first] of [
      [0, 0],
      [1, 0],
      [20, 1],
    ] as const) {
      const picker = pickerOf(2, { utility: { perUsd } }, priced);
      // 0.9 for two cents against 0.8 for half a cent.
      repeat(100, () => {
        score(picker, 0, 0.9);
        score(picker, 1, 0.8);
        answered(picker, 0, 100, 20);
        answered(picker, 1, 100, 5);
      });
      expect(orderOf(picker, 2)[0]).toBe(first);
    }
  });

  test('a slower one by as much as its seconds weigh', () => {
    const picker = pickerOf(2, { utility: { perSecond: 0.1 } });
    repeat(100, () => {
      score(picker, 0, 0.9);
      score(picker, 1, 0.8);
      answered(picker, 0, 3_000, 0);
      answered(picker, 1, 500, 0);
    });
    expect(orderOf(picker, 2)).toEqual([1, 0]);
    expect(reportOf(picker, 0)).toMatchObject({ latencyMs: 3_000 });
  });

  test('what nobody knows of a target counts as the most that is known of another', () => {
    const picker = pickerOf(3, { utility: { perUsd: 20 } }, { targets: [{ price: PRICE }, { price: PRICE }, {}] });
    repeat(20, () => {
      for (const target of [0, 1, 2]) score(picker, target, 0.8);
      answered(picker, 0, 100, 20);
      answered(picker, 1, 100, 5);
    });
    expect(orderOf(picker, 3)).toEqual([1, 0, 2]);
  });

  test('a function is told score, cost and latency, and its NaN is the worst', () => {
    const told: unknown[] = [];
    const picker = pickerOf(
      2,
      {
        utility: (drawn, { costUsd, latencyMs }) => {
          told.push([drawn, costUsd, latencyMs]);
          return -costUsd;
        },
      },
      priced,
    );
    answered(picker, 0, 250, 5);
    expect(orderOf(picker, 2)).toEqual([0, 1]);
    expect(told.slice(0, 2)).toEqual([
      [0.5, 0.005, 250],
      [0.5, Number.NaN, Number.NaN],
    ]);
  });
});

describe('what is saved', () => {
  test('is small JSON, and a picker that gets it believes the same', () => {
    const picker = pickerOf(2);
    repeat(30, () => score(picker, 0, 0.9));
    repeat(12, () => score(picker, 1, 0.25, { task: 'code' }));
    const text = JSON.stringify(picker.save?.());
    expect(text.length).toBeLessThan(300);
    const next = pickerOf(2, {}, { saved: JSON.parse(text) });
    for (const target of [0, 1]) expect(reportOf(next, target)).toEqual(reportOf(picker, target));
    // On a clock that began anew.
    score(next, 1, 1, { nowMs: 5 });
    expect(reportOf(next, 0, 5)).toMatchObject({ scores: 30 });
  });

  test('goes by ids, and leaves out targets that are no more', () => {
    const picker = pickerOf(2);
    repeat(10, () => score(picker, 0, 1));
    repeat(10, () => score(picker, 1, 0));
    const next = pickerOf(2, {}, { saved: picker.save?.(), targets: [{ id: 'new' }, { id: 't0' }] });
    expect(reportOf(next, 0)).toMatchObject({ scores: 0 });
    expect(reportOf(next, 1)).toMatchObject({ scores: 10 });
  });

  test('has what still waited for its time', () => {
    const picker = pickerOf(1, { maturity: '10m' });
    score(picker, 0, 1);
    expect(reportOf(pickerOf(1, {}, { saved: picker.save?.() }), 0)).toMatchObject({ scores: 1 });
    expect(reportOf(picker, 0)).toMatchObject({ maturing: 1 });
  });

  test.each([
    ['numbers below 0', { tasks: [{ task: null, targets: [{ id: 't0', good: -1, bad: 2 }] }] }],
    ['no numbers', { tasks: [{ task: null, targets: [{ id: 't0', good: '1', bad: null }] }] }],
    ['no task', { tasks: [{ task: 7, targets: [{ id: 't0', good: 1, bad: 2 }] }] }],
    ['no lists', { tasks: { task: null } }],
  ])('is not believed where it has %s', (_, saved) => {
    const { scores = 0 } = reportOf(pickerOf(1, {}, { saved }), 0);
    expect(scores).toBe(0);
  });
});

test.each([
  [{ halfLife: 0 }, 'halfLife'],
  [{ halfLife: '1w' as '1d' }, 'halfLife'],
  [{ maturity: -1 }, 'maturity'],
  [{ floor: 2 }, 'floor'],
  [{ utility: { perUsd: -1 } }, 'utility.perUsd'],
  [{ utility: { perSecond: Number.NaN } }, 'utility.perSecond'],
  [{ signalWeight: 1.5 }, 'signalWeight'],
])('an option out of its range is named: %j', (options, name) => {
  expect(() => bestPerformance(options)).toThrow(new RegExp(`^bestPerformance: ${name}: expected `));
});
