import { BAR_RATES, BARS, type Bar, isAtOwnRate, limitAt, overSeeds, type Result, worstOf } from './bars.ts';
import type { Job } from './job.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';

/** What is asked of `holdBars`. */
export interface HoldOptions {
  /** Runs of the first design, seeded 1 to `seeds`. */
  readonly seeds: number;
  /** Runs of the others, which stand beside and are held against nothing. Default: as many. */
  readonly seedsOfOthers?: number;
  /** Requests per second. A bar that has a rate of its own is held at that. */
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
  /** The rate is the scenario's own. */
  readonly atOwnRate: boolean;
  /** Undefined at a rate that the bars do not speak of. */
  readonly limit: number | undefined;
  /** By design; Infinity where a run had nothing to show, such as no recovery. */
  readonly measured: Readonly<Record<string, number>>;
  /** The seed under which the router was worst by this bar. */
  readonly worstSeed: number;
  /** Undefined without a limit. */
  readonly holds: boolean | undefined;
}

/** A bar, and the scenario as it is played for it. */
interface Held {
  readonly bar: Bar;
  readonly scenario: Scenario;
}

/** Plays every scenario that a bar speaks of, at every rate, under every seed, with every design. */
export const holdBars = async ({
  seeds,
  seedsOfOthers = seeds,
  rates,
  designs,
  durationMs,
  run,
}: HoldOptions): Promise<Verdict[]> => {
  const held = heldAt(rates, durationMs);
  const [ours = ''] = designs;
  const jobs = [...new Map(held.map(({ scenario }) => [keyOf(scenario), scenario])).values()].flatMap((scenario) =>
    designs.flatMap((design) =>
      Array.from(
        { length: design === ours ? seeds : seedsOfOthers },
        (_, i): Job => ({ scenario, design, seed: i + 1 }),
      ),
    ),
  );
  const results = await run(jobs);
  const byRun = new Map<string, Result[]>();
  jobs.forEach(({ scenario, design }, i) => {
    const key = keyOf(scenario, design);
    byRun.set(key, [...(byRun.get(key) ?? []), results[i] as Result]);
  });
  return held.map(({ bar, scenario }): Verdict => {
    const { name, unit, statistic } = bar;
    const { perSecond } = scenario.arrivals;
    const of = (design: string): Result[] => byRun.get(keyOf(scenario, design)) ?? [];
    const measured = Object.fromEntries(designs.map((design) => [design, overSeeds(bar, of(design))]));
    const limit = limitAt(bar, perSecond);
    const holds = limit === undefined ? undefined : (measured[ours] ?? Number.NaN) <= limit;
    const worstSeed = 1 + worstOf(bar, of(ours));
    const atOwnRate = isAtOwnRate(bar);
    return { scenario: scenario.name, name, unit, statistic, perSecond, atOwnRate, limit, measured, worstSeed, holds };
  });
};

const keyOf = ({ name, arrivals: { perSecond } }: Scenario, design = ''): string => `${name} ${perSecond} ${design}`;

/** Every bar at every rate that it is held at: by rate, and those with a rate of their own last. */
const heldAt = (rates: readonly number[], durationMs: number | undefined): Held[] => {
  const cut = durationMs === undefined ? {} : { durationMs };
  const scenarioOf = ({ scenario: name }: Bar): Scenario => {
    const scenario = SCENARIOS.find((each) => each.name === name);
    if (scenario === undefined) throw new TypeError(`There is no scenario '${name}', of which a bar speaks.`);
    return { ...scenario, ...cut };
  };
  const own = BARS.filter(isAtOwnRate).map((bar) => ({ bar, scenario: scenarioOf(bar) }));
  const atRates = rates.flatMap((perSecond) =>
    BARS.filter((bar) => !isAtOwnRate(bar))
      // A known rate without a limit is left out on purpose; any other is somebody's question.
      .filter((bar) => !BAR_RATES.includes(perSecond) || limitAt(bar, perSecond) !== undefined)
      .map((bar) => ({ bar, scenario: { ...scenarioOf(bar), arrivals: { perSecond } } })),
  );
  return [...atRates, ...own];
};
