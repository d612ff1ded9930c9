import type { Result } from './bars.ts';
import { LATENCY_DESIGNS } from './designs/index.ts';
import type { Job } from './job.ts';
import { mean } from './numbers.ts';
import { DRIFTING } from './scenarios/drift.ts';

/** How far above the best target a strategy's answers may be, at each rate in requests per second: as a multiple. */
export const LATENCY_BARS: readonly { readonly perSecond: number; readonly most: number }[] = [
  { perSecond: 0.2, most: 1.4 },
  { perSecond: 1, most: 1.2 },
  { perSecond: 10, most: 1.1 },
];

/** What a strategy reached at one rate: means over the seeds. */
export interface LatencyScore {
  readonly strategy: string;
  readonly perSecond: number;
  /** Mean time to the first content, as a multiple of what the best target of each moment takes on average. */
  readonly ofBest: number;
  /** The part of the answers that came from the best target while nothing had changed yet. */
  readonly steady: number;
}

/** Plays the drifting pool with every strategy that chooses by latency. */
export const compareLatency = async (
  seeds: number,
  run: (jobs: readonly Job[]) => Promise<readonly Result[]>,
  rates: readonly number[] = LATENCY_BARS.map(({ perSecond }) => perSecond),
): Promise<LatencyScore[]> => {
  const cells = LATENCY_DESIGNS.flatMap(({ name }) => rates.map((perSecond) => ({ strategy: name, perSecond })));
  const results = await run(
    cells.flatMap(({ strategy, perSecond }) =>
      Array.from({ length: seeds }, (_, i): Job => {
        const scenario = { ...DRIFTING, arrivals: { perSecond } };
        return { scenario, design: strategy, seed: i + 1 };
      }),
    ),
  );
  return cells.map((cell, i) => {
    const own = results.slice(i * seeds, (i + 1) * seeds).map(({ measures }) => measures);
    return {
      ...cell,
      ofBest: mean(own.map(({ all }) => all.ofBest)),
      steady: mean(own.map(({ before }) => before.servedByBest)),
    };
  });
};

/** Whether the first strategy, which is ours, is within its bars. */
export const holdsLatencyBars = (scores: readonly LatencyScore[]): boolean =>
  LATENCY_BARS.every(({ perSecond, most }) =>
    scores.every(
      (score) => score.strategy !== LATENCY_DESIGNS[0]?.name || score.perSecond !== perSecond || score.ofBest <= most,
    ),
  );

/** The scores as rows of cells, the head first: a line for each strategy, and one for the bars. */
export const latencyRows = (scores: readonly LatencyScore[]): readonly (readonly string[])[] => {
  const rates = [...new Set(scores.map(({ perSecond }) => perSecond))];
  const strategies = [...new Set(scores.map(({ strategy }) => strategy))];
  const cellOf = (strategy: string, rate: number): string => {
    const score = scores.find((each) => each.strategy === strategy && each.perSecond === rate);
    return score === undefined ? '–' : `${score.ofBest.toFixed(2)} (${Math.round(100 * score.steady)} %)`;
  };
  const barOf = (rate: number): string => {
    const bar = LATENCY_BARS.find(({ perSecond }) => perSecond === rate);
    return bar === undefined ? '' : `≤ ${bar.most.toFixed(2)}`;
  };
  return [
    ['Strategy', ...rates.map((rate) => `${rate} per second`)],
    ...strategies.map((strategy) => [strategy, ...rates.map((rate) => cellOf(strategy, rate))]),
    ['bar of least-latency', ...rates.map(barOf)],
  ];
};
