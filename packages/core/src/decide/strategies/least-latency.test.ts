import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Observation, PickContext, Picker, StrategyReport } from '../strategy.ts';
import { type LeastLatencyOptions, leastLatency } from './least-latency.ts';

const pickerOf = (count: number, options?: LeastLatencyOptions): Picker =>
  leastLatency(options).forPool({
    route: 'chat',
    dice: () => 0,
    targets: Array.from({ length: count }, (_, i) => ({
      id: `t${i}`,
      vendor: `t${i}`,
      model: 'm',
      weight: 1,
      price: undefined,
      contextWindow: undefined,
    })),
  });

const ASKED = { streaming: true, inputTokens: 10, maxOutputTokens: undefined, subject: undefined, task: undefined };

/** With dice that draw what is expected, unless others are given. */
const pick = (picker: Picker, nowMs: number, given: Partial<PickContext> = {}): number =>
  picker.pick({
    ...ASKED,
    candidates: 0b11,
    able: -1,
    health: undefined,
    order: undefined,
    request: { messages: [] },
    attempt: 0,
    nowMs,
    dice: () => 0,
    ...given,
  });

const tell = (picker: Picker, type: Observation['type'], given: Partial<Observation>): void =>
  picker.observe?.({
    ...ASKED,
    type,
    target: 0,
    role: 'first',
    nowMs: 0,
    ageMs: 0,
    contentMs: undefined,
    readMs: 0,
    usage: undefined,
    failure: undefined,
    ...given,
  });

interface Answer extends Partial<Observation> {
  readonly startedAtMs: number;
  readonly contentMs: number;
  /** From start to end; the content's time where it is left out. */
  readonly wholeMs?: number;
  readonly tokens?: number;
}

const usageOf = (outputTokens: number): Observation['usage'] => ({
  inputTokens: 10,
  outputTokens,
  cachedInputTokens: 0,
  reasoningTokens: 0,
});

const answer = (picker: Picker, target: number, { startedAtMs, wholeMs, tokens, ...given }: Answer): void => {
  const { contentMs } = given;
  const ageMs = wholeMs ?? contentMs;
  tell(picker, 'started', { ...given, target, nowMs: startedAtMs, contentMs: undefined });
  tell(picker, 'content', { ...given, target, nowMs: startedAtMs + contentMs, ageMs: contentMs });
  const usage = tokens === undefined ? given.usage : usageOf(tokens);
  tell(picker, 'completed', { ...given, target, nowMs: startedAtMs + ageMs, ageMs, usage });
};

const answers = (picker: Picker, target: number, count: number, given: Omit<Answer, 'startedAtMs'>): void => {
  for (let i = 0; i < count; i++) answer(picker, target, { ...given, startedAtMs: i * 1_000 });
};

const fail = (
  picker: Picker,
  target: number,
  startedAtMs: number,
  ageMs: number,
  given: Partial<Observation> = {},
): void => {
  tell(picker, 'started', { ...given, target, nowMs: startedAtMs });
  const failure = { kind: 'server-error', chargedTo: 'model' } as const;
  tell(picker, 'failed', { failure, ...given, target, nowMs: startedAtMs + ageMs, ageMs });
};

const reportOf = (picker: Picker, target: number, nowMs = 20_000): StrategyReport =>
  picker.report?.(target, nowMs) as StrategyReport;

test('the target whose first content comes soonest serves', () => {
  const picker = pickerOf(2);
  answers(picker, 0, 10, { contentMs: 900 });
  answers(picker, 1, 10, { contentMs: 600 });
  expect(pick(picker, 11_000)).toBe(1);
  // Ten samples of 600 ms, the oldest of which has faded a little, and one of what all have on average, 735 ms.
  expect(reportOf(picker, 1, 10_000)).toMatchObject({ firstContentMs: 611, samples: 9.7, failureRatio: 0 });
});

test('of streams the whole answer counts where that is the goal: a slow start, and then quick tokens', () => {
  const picker = (options: LeastLatencyOptions): Picker => {
    const made = pickerOf(2, options);
    answers(made, 0, 10, { contentMs: 300, wholeMs: 300 + 199 * 20, tokens: 200 });
    answers(made, 1, 10, { contentMs: 900, wholeMs: 900 + 199 * 5, tokens: 200 });
    return made;
  };
  expect(pick(picker({}), 11_000)).toBe(0);
  const whole = picker({ goal: 'whole' });
  expect(pick(whole, 11_000)).toBe(1);
  expect(pick(whole, 11_000, { maxOutputTokens: 10 })).toBe(0);
  expect(pick(picker({ firstTokens: 20 }), 11_000)).toBe(0);
  expect(pick(picker({ firstTokens: 150 }), 11_000)).toBe(1);
});

test('the time of a token is the rest of the answer by its other tokens, not the first content by all', () => {
  const picker = pickerOf(1);
  for (const tokens of [10, 1_000]) {
    answers(picker, 0, 50, { contentMs: 700, wholeMs: 700 + (tokens - 1) * 8, tokens });
  }
  const { firstContentMs, wholeStreamMs, expectedOutputTokens } = reportOf(picker, 0, 50_000);
  expect(Math.abs(Number(firstContentMs) - 700)).toBeLessThan(10);
  expect(Math.abs((Number(wholeStreamMs) - 700) / (Number(expectedOutputTokens) - 1) - 8)).toBeLessThan(0.2);
});

describe('plain answers', () => {
  const lengths = [5, 20, 60, 150, 400, 900];
  const taught = (): Picker => {
    const picker = pickerOf(2);
    for (let i = 0; i < 120; i++) {
      const tokens = lengths[i % lengths.length] as number;
      const given = { streaming: false, tokens, startedAtMs: i * 500 };
      answer(picker, 0, { ...given, contentMs: 300 + 20 * tokens });
      answer(picker, 1, { ...given, contentMs: 1_500 + 5 * tokens });
    }
    return picker;
  };

  test('are predicted by their length: the quick start for short ones, the quick tokens for long ones', () => {
    const picker = taught();
    const by = (maxOutputTokens: number): number => pick(picker, 60_000, { streaming: false, maxOutputTokens });
    expect([5, 20, 40].map(by)).toEqual([0, 0, 0]);
    expect([150, 250].map(by)).toEqual([1, 1]);
  });

  test('are of the length that the route usually has, where they may be longer', () => {
    const picker = taught();
    const { expectedOutputTokens } = reportOf(picker, 0, 60_000);
    expect(Math.abs(Number(expectedOutputTokens) - 256)).toBeLessThan(20);
    const plainMs = [0, 1].map((target) => Number(reportOf(picker, target, 60_000).plainMs));
    expect(Math.abs((plainMs[0] ?? 0) / (300 + 20 * 256) - 1)).toBeLessThan(0.15);
    expect(Math.abs((plainMs[1] ?? 0) / (1_500 + 5 * 256) - 1)).toBeLessThan(0.15);
  });

  test('say nothing of streams, and streams say nothing of them (H7)', () => {
    const picker = pickerOf(2);
    answers(picker, 0, 10, { contentMs: 200 });
    answers(picker, 1, 10, { contentMs: 800 });
    answers(picker, 0, 10, { contentMs: 9_000, streaming: false, tokens: 100 });
    answers(picker, 1, 10, { contentMs: 3_000, streaming: false, tokens: 100 });
    expect(pick(picker, 20_000)).toBe(0);
    expect(pick(picker, 20_000, { streaming: false })).toBe(1);
  });

  test('whose tokens nobody told, or told wrongly, leave every number finite (H6)', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            outputTokens: fc.constantFrom(undefined, 0, -3, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, 1e9),
            contentMs: fc.constantFrom(0, -5, 0.1, 300, 1e7),
            restMs: fc.constantFrom(0, -5, 1_000),
            streaming: fc.boolean(),
          }),
          { maxLength: 30 },
        ),
        (given) => {
          const picker = pickerOf(2);
          given.forEach(({ outputTokens, contentMs, restMs, streaming }, i) => {
            const usage = outputTokens === undefined ? undefined : usageOf(outputTokens);
            answer(picker, 0, { startedAtMs: i * 100, contentMs, wholeMs: contentMs + restMs, streaming, usage });
          });
          for (const value of Object.values(reportOf(picker, 0, 3_000))) {
            if (value !== null) expect(Number.isFinite(value), JSON.stringify(given)).toBe(true);
          }
          for (const streaming of [true, false]) expect([0, 1]).toContain(pick(picker, 3_000, { streaming }));
        },
      ),
    );
  });
});

describe('long prompts', () => {
  /** The first target gets the long ones, which take four times as long, and the second, which is slower, the short ones. */
  const taught = (): Picker => {
    const picker = pickerOf(2);
    for (let i = 0; i < 60; i++) {
      const isLong = i % 4 === 3;
      const inputTokens = isLong ? 20_000 : 500;
      // Both have had both, so that it can be told what a long prompt adds; but then not in equal parts.
      const first = i < 20 ? isLong : true;
      answer(picker, 0, { startedAtMs: i * 1_000, inputTokens: first ? 20_000 : 500, contentMs: first ? 2_400 : 600 });
      answer(picker, 1, { startedAtMs: i * 1_000, inputTokens, contentMs: isLong ? 3_600 : 900 });
    }
    return picker;
  };

  test('do not make a target look slow that got more of them', () => {
    for (const inputTokens of [500, 20_000]) expect(pick(taught(), 61_000, { inputTokens })).toBe(0);
  });

  const pickedWhileWaiting = (given: number): number[] => {
    const picker = taught();
    // Four minutes later, when a dozen silent attempts have a say.
    for (let i = 0; i < 12; i++) tell(picker, 'started', { nowMs: 300_000 + i, inputTokens: given });
    return [302_000, 330_000].map((nowMs) => pick(picker, nowMs, { attempt: 1 }));
  };

  test('are not taken for silent when they come later for their length', () => {
    expect(pickedWhileWaiting(20_000)).toEqual([0, 1]);
    expect(pickedWhileWaiting(500)).toEqual([1, 1]);
  });
});

describe('a failure never improves a number (H5)', () => {
  const kinds = [
    'server-error',
    'overloaded',
    'unreachable',
    'timed-out',
    'cut-short',
    'rate-limited',
    'rejected',
  ] as const;

  test('whatever fails, however soon, whatever went before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 50, max: 5_000 }), { maxLength: 20 }),
        fc.constantFrom(...kinds),
        fc.integer({ min: 1, max: 60_000 }),
        fc.boolean(),
        fc.constantFrom('model', 'key', 'request', 'nobody'),
        (samplesMs, kind, ageMs, streaming, chargedTo) => {
          const picker = pickerOf(2);
          samplesMs.forEach((contentMs, i) => {
            answer(picker, 0, { startedAtMs: i * 6_000, contentMs, streaming, tokens: 50 });
          });
          const startedAtMs = samplesMs.length * 6_000;
          const nowMs = startedAtMs + ageMs;
          const before = reportOf(picker, 0, nowMs);
          fail(picker, 0, startedAtMs, ageMs, { streaming, failure: { kind, chargedTo } });
          const after = reportOf(picker, 0, nowMs);
          const name = streaming ? 'firstContentMs' : 'plainMs';
          if (before[name] !== null) expect(Number(after[name])).toBeGreaterThanOrEqual(Number(before[name]));
          expect(Number(after.failureRatio)).toBeGreaterThanOrEqual(Number(before.failureRatio));
        },
      ),
    );
  });

  test('one that was given up on for its silence counts as that long, at least', () => {
    const picker = pickerOf(2);
    answers(picker, 0, 3, { contentMs: 500 });
    fail(picker, 0, 4_000, 30_000, { failure: { kind: 'timed-out', chargedTo: 'model' } });
    expect(Number(reportOf(picker, 0, 34_000).firstContentMs)).toBeGreaterThan(1_000);
    expect(reportOf(picker, 0, 34_000).failureRatio).toBe(0);
  });

  test('refusals in no time make a target no favourite, and then cost what the next target takes', () => {
    const picker = pickerOf(2);
    answers(picker, 0, 10, { contentMs: 500 });
    answers(picker, 1, 10, { contentMs: 800 });
    const limited = { failure: { kind: 'rate-limited', chargedTo: 'key' } } as const;
    for (let i = 0; i < 3; i++) fail(picker, 0, 10_000 + i, 20, limited);
    // In a fifth of all cases 0.82 s, and else half a second, is still less than 0.8 s.
    expect(pick(picker, 11_000)).toBe(0);
    for (let i = 0; i < 10; i++) fail(picker, 0, 11_000 + i * 100, 2_000, {});
    expect(pick(picker, 14_000)).toBe(1);
  });

  test('what was wrong with a request is not charged to who said so', () => {
    const picker = pickerOf(2);
    answers(picker, 0, 5, { contentMs: 500 });
    fail(picker, 0, 6_000, 20, { failure: { kind: 'rejected', chargedTo: 'request' } });
    expect(reportOf(picker, 0, 6_020).failureRatio).toBe(0);
  });
});

describe('what would flatter a target is not learned', () => {
  test('a hedge that won, of which only the quick are heard', () => {
    const picker = pickerOf(2);
    answers(picker, 0, 5, { contentMs: 2_000 });
    const before = reportOf(picker, 0);
    answer(picker, 0, { startedAtMs: 20_000, contentMs: 100, role: 'hedge' });
    expect(reportOf(picker, 0).firstContentMs).toBe(before.firstContentMs);
  });

  test('an attempt that was stopped before its content: only that it took so long', () => {
    const picker = pickerOf(2);
    answers(picker, 0, 5, { contentMs: 2_000 });
    const before = Number(reportOf(picker, 0).firstContentMs);
    for (const ageMs of [300, 6_000]) {
      tell(picker, 'started', { nowMs: 10_000 });
      tell(picker, 'cancelled', { nowMs: 10_000 + ageMs, ageMs });
      const after = Number(reportOf(picker, 0).firstContentMs);
      if (ageMs === 300) expect(after).toBe(before);
      else expect(after).toBeGreaterThan(before);
    }
  });

  test('the pace of a caller who reads slowly', () => {
    const picker = pickerOf(1);
    answers(picker, 0, 5, { contentMs: 500, wholeMs: 1_500, tokens: 101 });
    const before = reportOf(picker, 0).wholeStreamMs;
    answer(picker, 0, { startedAtMs: 6_000, contentMs: 500, wholeMs: 60_500, readMs: 59_000, tokens: 101 });
    expect(Math.abs(Number(reportOf(picker, 0).wholeStreamMs) - Number(before))).toBeLessThan(2);
  });

  test('thinking that was hidden before the first content, as if it had been tokens of the answer', () => {
    const picker = pickerOf(1);
    const usage = { inputTokens: 10, outputTokens: 1_101, cachedInputTokens: 0, reasoningTokens: 1_000 };
    answers(picker, 0, 30, { contentMs: 8_000, wholeMs: 9_000, usage });
    expect(reportOf(picker, 0, 30_000).expectedOutputTokens).toBe(101);
    expect(Math.abs(Number(reportOf(picker, 0, 30_000).wholeStreamMs) - 9_000)).toBeLessThan(800);
  });
});

test('an attempt that has been silent for long moves the next requests elsewhere before it has ended', () => {
  const picker = pickerOf(2);
  answers(picker, 0, 5, { contentMs: 600 });
  answers(picker, 1, 5, { contentMs: 800 });
  expect(pick(picker, 6_000)).toBe(0);
  for (const nowMs of [6_000, 6_100, 6_200]) tell(picker, 'started', { nowMs });
  expect(pick(picker, 6_900)).toBe(0);
  expect(pick(picker, 9_000)).toBe(1);
  // It was nothing: all three answer.
  for (const nowMs of [6_000, 6_100, 6_200])
    tell(picker, 'content', { nowMs: 9_000, ageMs: 9_000 - nowMs, contentMs: 600 });
  expect(pick(picker, 9_000)).toBe(0);
});

describe('a target that was never measured', () => {
  test('gets one attempt at a time, as long as another is known', () => {
    const picker = pickerOf(2);
    answers(picker, 1, 5, { contentMs: 5_000 });
    // It is as good as the others, for all that is known, and luck decides: here it has some.
    const lucky = { dice: luckOf([0.9, 0.5, 0.9, 0]) };
    expect(pick(picker, 6_000, lucky)).toBe(0);
    tell(picker, 'started', { nowMs: 6_000 });
    expect(pick(picker, 6_001, { dice: luckOf([0.9, 0.5, 0.9, 0]) })).toBe(1);
    tell(picker, 'content', { nowMs: 6_500, ageMs: 500, contentMs: 500 });
    expect(pick(picker, 6_501)).toBe(0);
  });

  test('and fails, gets at most one first pick in a minute, while the others keep serving (H8)', () => {
    const picker = pickerOf(2, { refresh: false });
    answers(picker, 1, 20, { contentMs: 900 });
    const dice = seeded(3);
    const atMs: number[] = [];
    for (let nowMs = 20_000; nowMs < 620_000; nowMs += 500) {
      const target = pick(picker, nowMs, { dice });
      if (target === 0) {
        atMs.push(nowMs);
        fail(picker, 0, nowMs, 30);
      } else answer(picker, 1, { startedAtMs: nowMs, contentMs: 900 });
    }
    expect(atMs.length).toBeGreaterThan(3);
    for (let i = 1; i < atMs.length; i++) expect((atMs[i] ?? 0) - (atMs[i - 1] ?? 0)).toBeGreaterThanOrEqual(60_000);
  });

  test('serves all the same where nobody else is left', () => {
    const picker = pickerOf(2);
    tell(picker, 'started', { target: 0 });
    tell(picker, 'started', { target: 1 });
    expect(pick(picker, 1, { candidates: 0b10 })).toBe(1);
    expect([0, 1]).toContain(pick(picker, 1));
  });
});

describe('a target that nobody has asked for a minute', () => {
  /** Two targets, of which the second is so slow that chance does not choose it; how often it is asked, and how closely. */
  const played = (perSecond: number, options: LeastLatencyOptions, answeredAfterMs = 100): number[] => {
    const picker = pickerOf(2, options);
    const atMs: number[] = [];
    const ends: { readonly atMs: number; readonly startedAtMs: number }[] = [];
    for (let nowMs = 0; nowMs < 1_200_000; nowMs += 1_000 / perSecond) {
      for (const { startedAtMs } of ends.splice(0, ends.filter((end) => end.atMs <= nowMs).length)) {
        const ageMs = nowMs - startedAtMs;
        tell(picker, 'content', { target: 1, nowMs, ageMs, contentMs: ageMs });
        tell(picker, 'completed', { target: 1, nowMs, ageMs, contentMs: ageMs });
      }
      const target = pick(picker, nowMs);
      if (target === 0) answer(picker, 0, { startedAtMs: nowMs, contentMs: 100 });
      else {
        atMs.push(nowMs);
        tell(picker, 'started', { target: 1, nowMs });
        ends.push({ atMs: nowMs + answeredAfterMs, startedAtMs: nowMs });
      }
    }
    return atMs;
  };

  test('is asked once a minute, where there is traffic for it', () => {
    const asked = played(10, {}, 9_000).length;
    expect(asked).toBeGreaterThanOrEqual(18);
    expect(asked).toBeLessThanOrEqual(21);
  });

  test('is asked by at most the share of requests that is set (H9)', () => {
    const requests = 1_200 * 0.2;
    expect(played(0.2, { refresh: { share: 0.02 } }, 9_000).length).toBeLessThanOrEqual(1 + 0.02 * requests);
  });

  test('is left to chance where that is wanted', () => {
    expect(played(10, { refresh: false }, 9_000).length).toBeLessThanOrEqual(1);
  });

  test('is asked one at a time, of several (H9)', () => {
    const picker = pickerOf(4, { refresh: { share: 1 } });
    for (let i = 0; i < 4; i++) answers(picker, i, 2, { contentMs: i === 0 ? 100 : 5_000 });
    const context = { candidates: 0b1111 };
    pick(picker, 10_000, context);
    const asked = Array.from({ length: 10 }, (_, i) => {
      const nowMs = 100_000 + i;
      const target = pick(picker, nowMs, context);
      tell(picker, 'started', { target, nowMs });
      if (target === 0) tell(picker, 'content', { target, nowMs, ageMs: 0, contentMs: 100 });
      return target;
    });
    expect(asked.filter((target) => target !== 0)).toHaveLength(1);
  });
});

test('what was measured fades: after ten minutes a target that was slow is as good as the mean of all', () => {
  const picker = pickerOf(2);
  answers(picker, 0, 10, { contentMs: 400 });
  answers(picker, 1, 10, { contentMs: 1_600 });
  expect(reportOf(picker, 1, 10_000).firstContentMs).toBe(1_500);
  expect(reportOf(picker, 1, 610_000)).toMatchObject({ samples: 0.3, firstContentMs: 941 });
  expect(reportOf(picker, 1, 1_210_000)).toMatchObject({ samples: 0, firstContentMs: null });
});

test('a copy picks as the original would, and leaves it as it was', () => {
  const picker = pickerOf(3);
  for (let i = 0; i < 3; i++) answers(picker, i, 4, { contentMs: 500 + i * 100 });
  const play = (one: Picker): number[] => {
    const dice = seeded(5);
    return Array.from({ length: 200 }, (_, i) => pick(one, 5_000 + i * 400, { candidates: 0b111, dice }));
  };
  const copied = play(picker.copy?.() as Picker);
  expect(play(picker)).toEqual(copied);
  expect(new Set(copied).size).toBe(3);
});

test.each<[LeastLatencyOptions, string]>([
  [{ halfLife: '2 minutes' as '2m' }, 'leastLatency: halfLife: expected a duration above 0'],
  [{ halfLife: 0 }, 'leastLatency: halfLife'],
  [{ cap: 0 }, 'leastLatency: cap: expected a number from 1, and got 0'],
  [{ goal: 'tokens' as 'whole' }, "leastLatency: goal: expected 'first-content' or 'whole'"],
  [{ firstTokens: 0.5 }, 'leastLatency: firstTokens'],
  [{ refresh: { share: 2 } }, 'leastLatency: refresh.share'],
  [{ refresh: { every: -1 } }, 'leastLatency: refresh.every'],
])('an option out of its range is refused by its name: %j', (options, message) => {
  expect(() => leastLatency(options)).toThrow(message);
});

/** Throws in this order, and then what is expected. */
const luckOf = (faces: readonly number[]): (() => number) => {
  let at = 0;
  return () => faces[at++] ?? 0;
};

const seeded = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};
