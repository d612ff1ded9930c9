import type { Result } from './bars.ts';
import type { Verdict } from './hold.ts';
import type { Measures, Span, TargetMeasures } from './measure.ts';
import { ascending, quantile } from './quantile.ts';
import type { TargetRecord } from './record.ts';
import type { Scenario } from './scenario.ts';
import { digits, table } from './table.ts';

/** The bars as a table for each rate: what was measured, the limit, and what the other designs reached. */
export const barsTable = (verdicts: readonly Verdict[], designs: readonly string[]): string => {
  const [ours = '', ...others] = designs;
  const rates = [...new Set(verdicts.map(({ perSecond }) => perSecond))];
  return rates
    .map((rate) => {
      const head = [`${rate} per second`, '', ours, 'bar', '', ...others];
      const rows = verdicts
        .filter(({ perSecond }) => perSecond === rate)
        .map(({ scenario, name, statistic, unit, measured, limit, worstSeed, holds }) => [
          `${scenario}: ${name}`,
          statistic,
          withUnit(measured[ours], unit),
          limit === undefined ? '' : `≤ ${withUnit(limit, unit)}`,
          holds === undefined ? '' : holds ? '✓' : `✗ seed ${worstSeed}`,
          ...others.map((design) => withUnit(measured[design], unit)),
        ]);
      return table([head, ...rows]);
    })
    .concat(summary(verdicts))
    .join('\n\n');
};

const summary = (verdicts: readonly Verdict[]): string => {
  const judged = verdicts.filter(({ holds }) => holds !== undefined);
  return `${judged.filter(({ holds }) => holds).length} of ${judged.length} bars hold.`;
};

/** One line of a report: the median over the seeds, by design. */
interface Row {
  readonly name: string;
  readonly unit?: 's';
  read(result: Result): number;
}

const seconds = (name: string, readMs: (measures: Measures) => number): Row => ({
  name,
  unit: 's',
  read: ({ measures }) => readMs(measures) / 1_000,
});

const count = (name: string, read: (measures: Measures) => number): Row => ({
  name,
  read: ({ measures }) => read(measures),
});

const spanRows = (when: string, span: (measures: Measures) => Span): Row[] => [
  count(`${when}: requests`, (measures) => span(measures).requests),
  count(`${when}: failed`, (measures) => span(measures).failures),
  count(`${when}: attempts per request`, (measures) => span(measures).attemptsPerRequest),
  count(`${when}: wasted attempts`, (measures) => sum(span(measures).wasted)),
  seconds(`${when}: first content, p50`, (measures) => span(measures).firstContentMs.p50),
  seconds(`${when}: first content, p95`, (measures) => span(measures).firstContentMs.p95),
  seconds(`${when}: first content, p99`, (measures) => span(measures).firstContentMs.p99),
  seconds(`${when}: above the best vendor, mean`, (measures) => span(measures).regretMs),
  count(`${when}: not by the first that was up`, (measures) => span(measures).strayed),
];

const ALL_ROWS: readonly Row[] = [
  ...spanRows('all', ({ all }) => all),
  { name: 'answers that broke off', read: ({ brokeOff }) => brokeOff },
  { name: 'requests that were lost', read: ({ lost }) => lost },
  count('attempts per request, worst minute', ({ worstMinute }) => worstMinute),
  count('targets suspected for nothing, times', ({ targets }) => total(targets, 'falseSuspicions')),
  count('targets left alone for nothing, times', ({ targets }) => total(targets, 'falseTrips')),
  seconds('targets left alone for nothing', ({ targets }) => total(targets, 'awayWhileUpMs')),
];

const FAULT_ROWS: readonly Row[] = [
  ...spanRows('in faults', ({ during }) => during),
  count('attempts wasted on what was faulty', ({ wastedOnFaulty }) => wastedOnFaulty),
  seconds('onset to the first measure', ({ noticedMs }) => noticedMs),
  seconds('onset to the last ordinary attempt', ({ lastOrdinaryMs }) => lastOrdinaryMs),
  count('requests that carried a trial', ({ trials }) => trials.requests),
  seconds('first content with a trial, longest', ({ trials }) => trials.worstMs),
  seconds('end to the first answer', ({ firstAnswerMs }) => firstAnswerMs),
  seconds('end to nine tenths back', ({ recoveredMs }) => recoveredMs),
];

/** A scenario as a table, by design, and the targets of the first one. Everything is the median over the seeds. */
export const scenarioTable = (
  scenario: Scenario,
  designs: readonly { readonly name: string; readonly results: readonly Result[] }[],
): string => {
  const rows = scenario.faults?.length ? [...ALL_ROWS, ...FAULT_ROWS] : ALL_ROWS;
  const body = rows.map(({ name, unit = '', read }) => [
    name,
    ...designs.map(({ results }) => withUnit(median(results.map(read)), unit)),
  ]);
  const seeds = designs[0]?.results.length ?? 0;
  const { perSecond } = scenario.arrivals;
  return [
    `${scenario.name}: ${scenario.about ?? 'a scenario of your own'}`,
    `${perSecond} requests per second, ${digits(scenario.durationMs / 60_000)} min, ${seeds} seeds; medians over the seeds`,
    '',
    table([['', ...designs.map(({ name }) => name)], ...body]),
    '',
    targetsTable(designs[0]?.results ?? []),
  ].join('\n');
};

/** What the router made of its targets in one run, one line for each time. */
export const targetLog = (events: readonly TargetRecord[]): string =>
  events
    .map((event) => {
      const line = `${(event.atMs / 1_000).toFixed(2).padStart(8)} s  ${event.target}  ${event.type.replace('target-', '')}`;
      return 'reason' in event
        ? `${line}  ${event.reason}, for ${digits((event.untilMs - event.atMs) / 1_000)} s`
        : line;
    })
    .join('\n');

const targetsTable = (results: readonly Result[]): string => {
  const first = results[0]?.measures.targets ?? [];
  const kinds = [
    ...new Set(results.flatMap(({ measures }) => measures.targets.flatMap((each) => Object.keys(each.outcomes)))),
  ];
  const rows = first.map(({ target }, i) => {
    const over = (read: (measures: TargetMeasures) => number): string =>
      digits(median(results.map(({ measures }) => read(measures.targets[i] as TargetMeasures))));
    return [
      target,
      over(({ attempts }) => attempts),
      over(({ served }) => served),
      over(({ peakInFlight }) => peakInFlight),
      ...kinds.map((kind) => over(({ outcomes }) => outcomes[kind] ?? 0)),
    ];
  });
  return table([['target', 'attempts', 'served', 'most at once', ...kinds], ...rows]);
};

const median = (values: readonly number[]): number => quantile(ascending(values), 0.5);

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, value) => all + value, 0);

const total = (targets: readonly TargetMeasures[], what: 'falseSuspicions' | 'falseTrips' | 'awayWhileUpMs'): number =>
  targets.reduce((all, target) => all + target[what], 0);

const withUnit = (value = Number.NaN, unit: string): string =>
  unit === '' || !Number.isFinite(value) ? digits(value) : `${digits(value)} ${unit}`;
