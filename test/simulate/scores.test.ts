import { bestPerformance } from '@switchyard/core';
import { compareScores, SCORED_STORIES, SCORED_STRATEGIES, type ScoredResult } from '@switchyard/simulator/virtual';
import { beforeAll, expect, test } from 'vitest';

// Regret in good answers of 5000, over 15 seeds: what a strategy that learns from scores costs beside one that knew.

const SEEDS = 15;
const [steady, changed] = SCORED_STORIES;
const named = (...names: readonly string[]): typeof SCORED_STRATEGIES =>
  SCORED_STRATEGIES.filter((make) => names.includes(make().name));

let results: readonly ScoredResult[];
const of = (story: string, strategy: string): ScoredResult => {
  const found = results.find((each) => each.story === story && each.strategy === strategy);
  if (found === undefined) throw new Error(`${strategy} did not play ${story}`);
  return found;
};

beforeAll(async () => {
  if (steady === undefined || changed === undefined) throw new Error('there are no stories');
  results = [
    ...(await compareScores(SEEDS, [steady], named('best-performance', 'epsilon-greedy', 'ucb1'))),
    ...(await compareScores(SEEDS, [changed], named('best-performance', 'best-performance, 2d', 'epsilon-greedy'))),
  ];
}, 180_000);

test('where nothing changes it loses less than the other two, and 1 good answer in 33 at most', () => {
  const { fixed } = of('steady', 'best-performance');
  expect(fixed).toBeLessThan(150);
  for (const other of ['epsilon-greedy', 'ucb1']) expect(fixed).toBeLessThan(0.9 * of('steady', other).fixed);
  expect(of('steady', 'best-performance').atTheEnd).toBeGreaterThan(0.85);
});

test('where the best changes it beats the best fixed target, and finds the new best', () => {
  const { fixed, atTheEnd } = of('changed', 'best-performance');
  expect(fixed).toBeLessThan(0);
  expect(atTheEnd).toBeGreaterThan(0.75);
  expect(of('changed', 'best-performance').oracle).toBeLessThan(0.7 * of('changed', 'epsilon-greedy').oracle);
});

test('a shorter half-life follows the change sooner', () => {
  expect(of('changed', 'best-performance, 2d').oracle).toBeLessThan(of('changed', 'best-performance').oracle);
});

test('the same seed gives the same run', async () => {
  const play = (): Promise<ScoredResult[]> =>
    compareScores(1, [{ ...(steady as (typeof SCORED_STORIES)[number]), requests: 500 }], [bestPerformance]);
  expect(await play()).toEqual(await play());
});
