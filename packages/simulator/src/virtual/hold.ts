import { BARS, type Bar, limitAt, overSeeds, type Result, worstOf } from './bars.ts';
import type { Job } from './job.ts';
import { OUTAGES } from './scenarios/outages.ts';

/** What is asked of `holdBars`. */
export interface HoldOptions {
  readonly seeds: number;
  /** Requests per second. */
  readonly rates: readonly number[];
  readonly designs: readonly string[];
  /** Cuts every scenario short, for a quick look. */
  readonly durationMs?: number | undefined;
  /** Makes the runs, in any order and on any number of threads. */
  run(jobs: readonly Job[]): Promise<readonly Result[]>;
}

/** One bar at one rate: what the router reached, and what the others did. */
export interface Verdict {
  readonly scenario: string;
  readonly name: string;
  readonly unit: Bar['unit'];
  readonly statistic: Bar['statistic'];
  readonly perSecond: number;
  /** Undefined at a rate that the bars do not speak of. */
  readonly limit: number | undefined;
  /** By design; Infinity where a run had nothing to show, such as no recovery. */
  readonly measured: Readonly<Record<string, number>>;
  /** The seed under which the router was worst by this bar. */
  readonly worstSeed: number;
  /** Undefined without a limit. */
  readonly holds: boolean | undefined;
}

/** Plays every scenario that a bar speaks of, at every rate, under every seed, with every design. */
export const holdBars = async ({ seeds, rates, designs, durationMs, run }: HoldOptions): Promise<Verdict[]> => {
  const names = new Set(BARS.map(({ scenario }) => scenario));
  const scenarios = OUTAGES.filter(({ name }) => names.has(name));
  const jobs = rates.flatMap((perSecond) =>
    scenarios.flatMap((scenario) =>
      designs.flatMap((design) =>
        Array.from({ length: seeds }, (_, i): Job => {
          const played = { ...scenario, arrivals: { perSecond }, ...(durationMs !== undefined && { durationMs }) };
          return { scenario: played, design, seed: i + 1 };
        }),
      ),
    ),
  );
  const results = await run(jobs);
  const of = (scenario: string, perSecond: number, design: string): Result[] =>
    results.filter((_, i) => {
      const job = jobs[i];
      return job?.scenario.name === scenario && job.scenario.arrivals.perSecond === perSecond && job.design === design;
    });
  return rates.flatMap((perSecond) =>
    BARS.map((bar): Verdict => {
      const { scenario, name, unit, statistic } = bar;
      const measured = Object.fromEntries(
        designs.map((design) => [design, overSeeds(bar, of(scenario, perSecond, design))]),
      );
      const limit = limitAt(bar, perSecond);
      const ours = designs[0] ?? '';
      const holds = limit === undefined ? undefined : (measured[ours] ?? Number.NaN) <= limit;
      const worstSeed = 1 + worstOf(bar, of(scenario, perSecond, ours));
      return { scenario, name, unit, statistic, perSecond, limit, measured, worstSeed, holds };
    }),
  );
};
