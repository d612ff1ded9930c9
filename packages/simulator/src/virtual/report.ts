import type { Result } from './bars.ts';
import type { Verdict } from './hold.ts';
import { strategyOf } from './ideal.ts';
import type { Measures } from './measure.ts';
import { least } from './numbers.ts';
import { ascending, quantile } from './quantile.ts';
import type { TargetRecord } from './record.ts';
import type { Scenario } from './scenario.ts';
import type { Span } from './span.ts';
import { digits, table } from './table.ts';
import type { TargetMeasures } from './target-measures.ts';

/** How many runs are behind the bars: of the router, and of each of the others. */
export interface Seeds {
  readonly ours: number;
  readonly others: number;
}

/** The bars as a table for each rate: what was measured, the limit, and what the other designs reached. */
export const barsTable = (verdicts: readonly Verdict[], designs: readonly string[], seeds: Seeds): string => {
  const [ours = '', ...others] = designs;
  const rates = [...new Set(verdicts.filter(({ atOwnRate }) => !atOwnRate).map(({ perSecond }) => perSecond))];
  const tableOf = (title: string, rows: readonly Verdict[]): string[] => {
    if (rows.length === 0) return [];
    const head = [title, '', ours, 'bar', '', ...others];
    const body = rows.map(({ scenario, name, statistic, unit, measured, limit, worstSeed, holds }) => [
      `${scenario}: ${name}`,
      statistic,
      withUnit(measured[ours], unit),
      limit === undefined ? '' : `≤ ${withUnit(limit, unit)}`,
      holds === undefined ? '' : holds ? '✓' : `✗ seed ${worstSeed}`,
      ...others.map((design) => withUnit(measured[design], unit)),
    ]);
    return [table([head, ...body])];
  };
  return [
    ...rates.flatMap((rate) =>
      tableOf(
        `${rate} per second`,
        verdicts.filter(({ perSecond, atOwnRate }) => perSecond === rate && !atOwnRate),
      ),
    ),
    ...tableOf(
      'at their own rates',
      verdicts.filter(({ atOwnRate }) => atOwnRate),
    ),
    summary(verdicts, seeds, others.length > 0),
  ].join('\n\n');
};

const summary = (verdicts: readonly Verdict[], { ours, others }: Seeds, hasOthers: boolean): string => {
  const judged = verdicts.filter(({ holds }) => holds !== undefined);
  const held = `${judged.filter(({ holds }) => holds).length} of ${judged.length} bars hold, over ${ours} seeds`;
  return hasOthers ? `${held}; the other designs, which are only compared with, over ${others}.` : `${held}.`;
};

/** One line of a report: the median over the seeds, by design. */
interface Row {
  readonly name: string;
  readonly unit?: 's' | '%';
  /** Left out where it is 0, or nothing, for every design. */
  readonly ifAny?: boolean;
  read(result: Result): number;
}

type Read = (measures: Measures) => number;

const seconds = (name: string, readMs: Read, ifAny = false): Row => ({
  name,
  unit: 's',
  ifAny,
  read: ({ measures }) => readMs(measures) / 1_000,
});

const count = (name: string, read: Read, ifAny = false): Row => ({
  name,
  ifAny,
  read: ({ measures }) => read(measures),
});

const percent = (name: string, read: Read, ifAny = false): Row => ({
  name,
  unit: '%',
  ifAny,
  read: ({ measures }) => 100 * read(measures),
});

const spanRows = (when: string, span: (measures: Measures) => Span): Row[] => [
  count(`${when}: requests`, (measures) => span(measures).requests),
  count(`${when}: failed`, (measures) => span(measures).failures),
  count(`${when}: callers who left`, (measures) => span(measures).failed.aborted ?? 0, true),
  count(`${when}: attempts per request`, (measures) => span(measures).attemptsPerRequest),
  count(`${when}: wasted attempts`, (measures) => sum(span(measures).wasted)),
  seconds(`${when}: first content, p50`, (measures) => span(measures).firstContentMs.p50),
  seconds(`${when}: first content, p95`, (measures) => span(measures).firstContentMs.p95),
  seconds(`${when}: first content, p99`, (measures) => span(measures).firstContentMs.p99),
  seconds(`${when}: above the best vendor, mean`, (measures) => span(measures).regretMs),
  count(`${when}: as a multiple of the best, mean`, (measures) => span(measures).ofBest),
  percent(`${when}: served by the best vendor`, (measures) => span(measures).servedByBest),
  seconds(`${when}: until a failure, p50`, (measures) => span(measures).failedAfterMs.p50, true),
  seconds(`${when}: until a failure, longest`, (measures) => span(measures).failedAfterMs.worst, true),
];

const ALL_ROWS: readonly Row[] = [
  ...spanRows('all', ({ all }) => all),
  { name: 'answers that broke off', ifAny: true, read: ({ brokeOff }) => brokeOff },
  { name: 'requests that were lost', ifAny: true, read: ({ lost }) => lost },
  count('attempts per request, worst minute', ({ worstMinute }) => worstMinute),
  count('attempts per request, worst second', ({ worstSecond }) => worstSecond),
  count('429s per 1000 requests', ({ refusedPerThousand }) => refusedPerThousand, true),
  count('hedges', ({ hedges }) => hedges.attempts, true),
  percent('hedges that served', ({ hedges }) => hedges.won, true),
  percent('hedges, of 10 + 5 % of the requests', ({ hedges }) => hedges.ofBudget, true),
  percent('tokens billed for nobody', ({ lostTokens }) => lostTokens, true),
  count('cost, $ per 1000 requests', ({ cost }) => cost.perThousandRequestsUsd, true),
  percent('cost above the oracle', ({ cost }) => cost.aboveOracle, true),
  percent('answers that another target was due', ({ shareError }) => shareError, true),
  count('swings of a share, per minute', ({ swingsPerMinute }) => swingsPerMinute, true),
  count('suspected for nothing, times', ({ targets }) => total(targets, 'falseSuspicions'), true),
  count('left alone for nothing, times per hour', ({ falseTripsPerHour }) => falseTripsPerHour, true),
  seconds('left alone for nothing', ({ targets }) => total(targets, 'awayWhileUpMs'), true),
];

const PRIORITY_ROWS: readonly Row[] = [percent('all: not by the first that was up', ({ all }) => all.strayed)];

const FAULT_ROWS: readonly Row[] = [
  ...spanRows('in faults', ({ during }) => during),
  count('attempts wasted on what was faulty', ({ wastedOnFaulty }) => wastedOnFaulty),
  seconds('onset to the first measure', ({ noticedMs }) => noticedMs),
  seconds('onset to being put last', ({ targets }) => first(targets, 'suspectedMs'), true),
  seconds('onset to being left alone', ({ targets }) => first(targets, 'cooledMs'), true),
  seconds('onset to the last ordinary attempt', ({ lastOrdinaryMs }) => lastOrdinaryMs),
  count('requests that carried a trial', ({ trials }) => trials.requests, true),
  count('failed with a trial', ({ trials }) => trials.failures, true),
  seconds('first content with a trial, longest', ({ trials }) => trials.worstMs, true),
  seconds('later because of a trial, mean', ({ trials }) => trials.delayMs.mean, true),
  seconds('later because of a trial, most', ({ trials }) => trials.delayMs.worst, true),
  seconds('end to the first answer', ({ firstAnswerMs }) => firstAnswerMs),
  seconds('end to nine tenths back', ({ recoveredMs }) => recoveredMs),
  count('most at once in the minute after', ({ targets }) => Math.max(...faultyOnly(targets, 'peakAtReturn'))),
];

/** A scenario as a table, by design, and the targets of the first one. Everything is the median over the seeds. */
export const scenarioTable = (
  scenario: Scenario,
  designs: readonly { readonly name: string; readonly results: readonly Result[] }[],
): string => {
  const seeds = designs[0]?.results.length ?? 0;
  const ours = designs[0]?.results ?? [];
  const rows = [
    ...ALL_ROWS,
    ...(strategyOf(scenario) === 'priority' && scenario.pool.every(({ rateLimit }) => rateLimit === undefined)
      ? PRIORITY_ROWS
      : []),
    ...(scenario.faults?.length ? FAULT_ROWS : []),
  ];
  const body = rows.flatMap(({ name, unit = '', ifAny = false, read }) => {
    const all = designs.map(({ results }) => results.map(read));
    if (ifAny && all.every((values) => values.every((value) => value === 0 || Number.isNaN(value)))) return [];
    const [worst, ...medians] = [quantile(ascending(ours.map(read)), 0.95), ...all.map(median)];
    const [own = '', ...others] = medians.map((value) => withUnit(value, unit));
    return [[name, own, ...(seeds > 1 ? [withUnit(worst, unit)] : []), ...others]];
  });
  const [own = '', ...others] = designs.map(({ name }) => name);
  const { arrivals, instances = 1, about = 'a scenario of your own' } = scenario;
  const from = instances === 1 ? '' : `${instances} routers, `;
  const runs = seeds === 1 ? '1 seed' : `${seeds} seeds; medians over the seeds, and the router's 95th percentile`;
  return [
    `${scenario.name}: ${about}`,
    `${arrivals.perSecond} requests per second, ${from}${digits(scenario.durationMs / 60_000)} min, ${runs}`,
    '',
    table([['', own, ...(seeds > 1 ? ['p95'] : []), ...others], ...body]),
    '',
    targetsTable(ours),
  ].join('\n');
};

/** What the routers made of their targets in one run, one line for each time. */
export const targetLog = (events: readonly TargetRecord[]): string => {
  const several = events.some(({ instance }) => instance > 0);
  return events
    .map((event) => {
      const by = several ? `router ${event.instance + 1}  ` : '';
      const line = `${(event.atMs / 1_000).toFixed(2).padStart(8)} s  ${by}${event.target}  ${event.type.replace('target-', '')}`;
      return 'reason' in event
        ? `${line}  ${event.reason}, for ${digits((event.untilMs - event.atMs) / 1_000)} s`
        : line;
    })
    .join('\n');
};

const targetsTable = (results: readonly Result[]): string => {
  const first = results[0]?.measures.targets ?? [];
  const kinds = [
    ...new Set(results.flatMap(({ measures }) => measures.targets.flatMap((each) => Object.keys(each.outcomes)))),
  ];
  const over = (i: number, read: (measures: TargetMeasures) => number): number =>
    median(results.map(({ measures }) => read(measures.targets[i] as TargetMeasures)));
  const columns = [
    { name: 'attempts', read: (target: TargetMeasures) => target.attempts },
    { name: 'served', read: (target: TargetMeasures) => target.served },
    { name: 'most at once', read: (target: TargetMeasures) => target.peakInFlight },
    ...kinds.map((kind) => ({ name: kind, read: ({ outcomes }: TargetMeasures) => outcomes[kind] ?? 0 })),
    { name: 'refused', ifAny: true, read: (target: TargetMeasures) => target.refused },
    { name: 'use of rate, %', ifAny: true, read: (target: TargetMeasures) => 100 * target.rateUse },
    { name: 'use of places, %', ifAny: true, read: (target: TargetMeasures) => 100 * target.atOnceUse },
  ].filter(({ ifAny = false, read }: Column) => !ifAny || first.some((_, i) => over(i, read) > 0));
  const rows = first.map(({ target }, i) => [target, ...columns.map(({ read }) => digits(over(i, read)))]);
  return table([['target', ...columns.map(({ name }) => name)], ...rows]);
};

interface Column {
  readonly name: string;
  /** Left out where it is 0, or nothing, for every target. */
  readonly ifAny?: boolean;
  read(target: TargetMeasures): number;
}

const median = (values: readonly number[]): number => quantile(ascending(values), 0.5);

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, value) => all + value, 0);

const total = (targets: readonly TargetMeasures[], what: 'falseSuspicions' | 'awayWhileUpMs'): number =>
  targets.reduce((all, target) => all + target[what], 0);

/** Of the faulty targets to which it happened at all: NaN where it is no number of theirs. */
const faultyOnly = (targets: readonly TargetMeasures[], what: 'suspectedMs' | 'cooledMs' | 'peakAtReturn'): number[] =>
  targets.map((target) => target[what]).filter((value) => !Number.isNaN(value));

const first = (targets: readonly TargetMeasures[], what: 'suspectedMs' | 'cooledMs'): number =>
  least(faultyOnly(targets, what));

const withUnit = (value = Number.NaN, unit: string): string =>
  unit === '' || !Number.isFinite(value) ? digits(value) : `${digits(value)} ${unit}`;
