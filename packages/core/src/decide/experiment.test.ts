import { describe, expect, test } from 'vitest';
import {
  differenceOf,
  type Experiment,
  newExperiment,
  noteRequest,
  noteValue,
  sampleOf,
  splitP,
} from './experiment.ts';

/** mulberry32. */
const diceOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

const normal = (dice: () => number): number => Math.sqrt(-2 * Math.log(1 - dice())) * Math.cos(2 * Math.PI * dice());

const pair = (): Experiment =>
  newExperiment(
    [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 1 },
    ],
    0,
    0.05,
  );

const ask = (experiment: Experiment, subject: number, arm: number, value: number): void => {
  noteRequest(experiment, subject, arm);
  noteValue(experiment, subject, arm, value);
};

/** What a value may look like, with no difference between the arms. */
const KINDS: Readonly<Record<string, (dice: () => number) => number>> = {
  'normal, as logarithms of times are': normal,
  'yes or no, one in ten': (dice) => (dice() < 0.1 ? 1 : 0),
  'skewed, as costs are': (dice) => Math.exp(normal(dice)),
  'scores in quarters': (dice) => Math.floor(dice() * 5) / 4,
};

// The smallest p of all looks is kept, and a look is made at every value: so an experiment that ever said "decided" says
// so at its end. A chance of 0.05 would leave 50 of 1000, and the test promises no more than that.
describe('with no difference, of 1000 experiments that are looked at after each of 1000 values', () => {
  test.each(Object.entries(KINDS))('at most 50 ever see one: values %s', (_, draw) => {
    const dice = diceOf(1);
    let seen = 0;
    for (let i = 0; i < 1_000; i++) {
      const experiment = pair();
      for (let subject = 0; subject < 1_000; subject++) ask(experiment, subject, dice() < 0.5 ? 0 : 1, draw(dice));
      if ((experiment.arms[1]?.evidence.p ?? 0) <= 0.05) seen += 1;
    }
    expect(seen).toBeLessThanOrEqual(50);
  });

  test('at most 50 ever see one: subjects that differ, with ten values each, in any order', () => {
    const dice = diceOf(2);
    let seen = 0;
    let seenByRequest = 0;
    for (let i = 0; i < 1_000; i++) {
      const [experiment, byRequest] = [pair(), pair()];
      const means = Array.from({ length: 100 }, () => normal(dice));
      for (let request = 0; request < 1_000; request++) {
        const subject = Math.floor(dice() * means.length);
        // Half of what varies is between subjects.
        const value = (means[subject] ?? 0) + normal(dice);
        ask(experiment, subject, subject % 2, value);
        ask(byRequest, request, subject % 2, value);
      }
      if ((experiment.arms[1]?.evidence.p ?? 0) <= 0.05) seen += 1;
      if ((byRequest.arms[1]?.evidence.p ?? 0) <= 0.05) seenByRequest += 1;
    }
    expect(seen).toBeLessThanOrEqual(50);
    // And this is what counting each request for itself would come to.
    expect(seenByRequest).toBeGreaterThan(150);
  });

  test('at most 50 see one in any of four arms, which have different weights', () => {
    const dice = diceOf(3);
    const weights = [0.4, 0.3, 0.2, 0.1];
    let seen = 0;
    for (let i = 0; i < 1_000; i++) {
      const experiment = newExperiment(
        weights.map((weight, arm) => ({ id: String(arm), weight })),
        0,
        0.05,
      );
      for (let subject = 0; subject < 1_000; subject++) {
        const drawn = dice();
        const arm = [0.4, 0.7, 0.9, 1].findIndex((end) => drawn < end);
        ask(experiment, subject, arm, normal(dice));
      }
      if (experiment.arms.some(({ evidence }) => evidence.p <= 0.05)) seen += 1;
    }
    expect(seen).toBeLessThanOrEqual(50);
  });
});

describe('with a difference of 0.3 standard deviations', () => {
  const run = (seed: number): Experiment => {
    const dice = diceOf(seed);
    const experiment = pair();
    for (let subject = 0; subject < 1_000; subject++) {
      const arm = dice() < 0.5 ? 0 : 1;
      ask(experiment, subject, arm, normal(dice) + 0.3 * arm);
    }
    return experiment;
  };

  test('nine of ten experiments see it within 1000 subjects, and none the other way round', () => {
    let seen = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { arms } = run(seed);
      const [, b] = arms;
      if (b === undefined || b.evidence.p > 0.05) continue;
      seen += 1;
      expect(b.evidence.low).toBeGreaterThan(0);
    }
    expect(seen).toBeGreaterThanOrEqual(180);
  });

  test('the interval, of all looks together, holds the truth in 95 of 100', () => {
    let held = 0;
    for (let seed = 0; seed < 400; seed++) {
      const { low, high } = run(seed).arms[1]?.evidence ?? { low: 0, high: 0 };
      if (low <= 0.3 && 0.3 <= high) held += 1;
    }
    expect(held).toBeGreaterThanOrEqual(380);
  });
});

test('a difference that turns round is told as one that has changed', () => {
  const dice = diceOf(5);
  const experiment = pair();
  for (let subject = 0; subject < 4_000; subject++) {
    const arm = subject % 2;
    ask(experiment, subject, arm, normal(dice) + (subject < 1_000 ? 1 : -1) * arm);
  }
  const b = experiment.arms[1];
  expect(b?.evidence).toMatchObject({ hasMoved: true });
  expect(b && differenceOf(b)?.estimate).toBeLessThan(0);
});

test('a subject counts once, with the mean of its values, and rounding does not eat up small differences', () => {
  const experiment = pair();
  for (const value of [1e9 + 1, 1e9 + 2, 1e9 + 3]) ask(experiment, 7, 0, value);
  ask(experiment, 8, 0, 1e9 + 4);
  const [a] = experiment.arms;
  expect(a).toMatchObject({ subjects: 2, requests: 4, measured: 2 });
  expect(a && sampleOf(experiment, a)).toEqual({ count: 2, mean: 1e9 + 3, variance: 2 });
});

test('the sample ratio is of subjects, not of requests', () => {
  const experiment = pair();
  for (let subject = 0; subject < 1_000; subject++) {
    const arm = subject % 2;
    for (let i = 0; i <= 9 * arm; i++) noteRequest(experiment, subject, arm);
  }
  expect(splitP(experiment)).toBe(1);
  for (let subject = 2_000; subject < 2_200; subject++) noteRequest(experiment, subject, 1);
  expect(splitP(experiment)).toBeLessThan(0.001);
});

test('memory is bounded: who was away for long counts as a new subject', () => {
  const experiment = newExperiment(
    [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 1 },
    ],
    0,
    0.05,
    4,
  );
  for (const subject of [1, 2, 1, 3, 1, 4, 5, 1, 6, 2]) ask(experiment, subject, 0, 1);
  // 2 has made way, and 1, who came again and again, has not.
  expect(experiment.arms[0]).toMatchObject({ subjects: 7, requests: 10 });
});
