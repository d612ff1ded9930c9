import { bestPerformance, roundRobin, type Strategy } from '@switchyard/core';
import { mean } from '../numbers.ts';
import { epsilonGreedy, ucb } from './baselines.ts';
import { playScores, type Regret } from './play.ts';
import { SCORED_STORIES, type ScoredStory } from './story.ts';

/** Ours first, then what people write by hand, then nothing learned at all. */
export const SCORED_STRATEGIES: readonly (() => Strategy)[] = [
  bestPerformance,
  () => ({ ...bestPerformance({ halfLife: '2d' }), name: 'best-performance, 2d' }),
  () => ({ ...bestPerformance({ maturity: 0 }), name: 'best-performance, at once' }),
  epsilonGreedy,
  ucb,
  roundRobin,
];

/** What a strategy reached in one story: means over the seeds. */
export interface ScoredResult extends Regret {
  readonly story: string;
  readonly strategy: string;
}

/** Plays the stories with each strategy, under seeds 1 to n. */
export const compareScores = async (
  seeds: number,
  stories: readonly ScoredStory[] = SCORED_STORIES,
  strategies: readonly (() => Strategy)[] = SCORED_STRATEGIES,
): Promise<ScoredResult[]> => {
  const results: ScoredResult[] = [];
  for (const story of stories) {
    for (const make of strategies) {
      const runs: Regret[] = [];
      for (let seed = 1; seed <= seeds; seed++) runs.push(await playScores(story, make(), seed));
      results.push({
        story: story.name,
        strategy: make().name,
        fixed: mean(runs.map(({ fixed }) => fixed)),
        oracle: mean(runs.map(({ oracle }) => oracle)),
        atTheEnd: mean(runs.map(({ atTheEnd }) => atTheEnd)),
        growing: (runs[0]?.growing ?? []).map((_, i) => mean(runs.map(({ growing }) => growing[i] ?? 0))),
      });
    }
  }
  return results;
};

/** As rows of cells, the head first: regret in good answers of a thousand requests. */
export const scoredRows = (
  results: readonly ScoredResult[],
  stories: readonly ScoredStory[] = SCORED_STORIES,
): readonly (readonly string[])[] => {
  const perThousand = (story: string, regret: number): string =>
    ((1_000 * regret) / (stories.find(({ name }) => name === story)?.requests ?? Number.NaN)).toFixed(1);
  return [
    ['story', 'strategy', 'best fixed target', 'oracle', 'on the best, at the end'],
    ...results.map(({ story, strategy, fixed, oracle, atTheEnd }) => [
      story,
      strategy,
      perThousand(story, fixed),
      perThousand(story, oracle),
      `${(100 * atTheEnd).toFixed(0)} %`,
    ]),
  ];
};
