import type { StrategyName } from '@switchyard/core';
import type { Result } from './bars.ts';
import type { Job } from './job.ts';
import { mean } from './numbers.ts';
import type { Scenario } from './scenario.ts';
import { CHOICES } from './scenarios/choices.ts';

/** What is compared: all that need nobody's scores. */
export const COMPARED: readonly StrategyName[] = [
  'priority',
  'round-robin',
  'weighted-round-robin',
  'least-latency',
  'least-cost',
];

/** The pool of many choices, under one strategy. */
export const choicesWith = (strategy: StrategyName): Scenario => ({
  ...CHOICES,
  name: strategy,
  route: { ...CHOICES.route, strategy },
});

/** What a strategy came to: means over the seeds. */
export interface StrategyScore {
  readonly strategy: StrategyName;
  /** Requests that failed, of all. */
  readonly failed: number;
  /** Time to the first content, in ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perThousandRequestsUsd: number;
  /** The part of the answers, by target, in pool order. */
  readonly shares: readonly number[];
}

/** Plays the same pool, traffic and faults under every strategy. */
export const compareStrategies = async (
  seeds: number,
  run: (jobs: readonly Job[]) => Promise<readonly Result[]>,
): Promise<StrategyScore[]> => {
  const jobs = COMPARED.flatMap((strategy) =>
    Array.from(
      { length: seeds },
      (_, i): Job => ({ scenario: choicesWith(strategy), design: 'switchyard', seed: i + 1 }),
    ),
  );
  const results = await run(jobs);
  return COMPARED.map((strategy, i) => {
    const own = results.slice(i * seeds, (i + 1) * seeds);
    const over = (read: (result: Result) => number): number => mean(own.map(read));
    return {
      strategy,
      failed: over(({ measures, brokeOff, lost }) => (measures.all.failures + brokeOff + lost) / measures.all.requests),
      p50Ms: over(({ measures }) => measures.all.firstContentMs.p50),
      p99Ms: over(({ measures }) => measures.all.firstContentMs.p99),
      perThousandRequestsUsd: over(({ measures }) => measures.cost.perThousandRequestsUsd),
      shares: CHOICES.pool.map(({ name }) => over(({ measures }) => measures.all.servedBy[`${name}/model`] ?? 0)),
    };
  });
};

/** The scores as rows of cells, the head first. */
export const strategyRows = (scores: readonly StrategyScore[]): readonly (readonly string[])[] => [
  ['Strategy', 'failed', 'first content: p50', 'p99', '$ per 1000', ...CHOICES.pool.map(({ name }) => name)],
  ...scores.map(({ strategy, failed, p50Ms, p99Ms, perThousandRequestsUsd, shares }) => [
    strategy,
    `${(100 * failed).toFixed(1)} %`,
    `${(p50Ms / 1_000).toFixed(2)} s`,
    `${(p99Ms / 1_000).toFixed(1)} s`,
    perThousandRequestsUsd.toFixed(2),
    ...shares.map((share) => `${Math.round(100 * share)} %`),
  ]),
];
