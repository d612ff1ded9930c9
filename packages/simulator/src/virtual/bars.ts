import { ascending, quantile } from './quantile.ts';
import type { Rehearsal } from './rehearse.ts';

/** What one run must be like: the numbers of one scenario, held against a limit for each rate. */
export interface Bar {
  readonly name: string;
  readonly scenario: string;
  readonly unit: 's' | '';
  /** Over the seeds. */
  readonly statistic: 'median' | 'p95' | 'worst';
  /**
   * In the bar's unit, at 1, 10 and 50 requests per second, undefined where there is none; or one for a scenario whose
   * rate is part of the story.
   */
  readonly limits: readonly [number, number, number | undefined] | number;
  read(run: Result): number;
}

/** A run without its requests: small enough to come from another thread. */
export type Result = Pick<Rehearsal, 'measures' | 'brokeOff' | 'lost'>;

export const BAR_RATES: readonly number[] = [1, 10, 50];

/** Whether the bar holds at the scenario's own rate, and at no other. */
export const isAtOwnRate = ({ limits }: Bar): boolean => typeof limits === 'number';

/** Of the healthy first vendor: log-normal with median 0.8 s and sigma 0.6. */
const Q99_S = 3.23;
/** Of the second vendor, which serves while the first is down: the same with median 0.9 s. */
const FALLBACK_P99_S = 3.63;

const failures = ({ measures, brokeOff, lost }: Result): number => measures.all.failures + brokeOff + lost;
const lastOrdinaryS = ({ measures }: Result): number => measures.lastOrdinaryMs / 1_000;
const wasted = ({ measures }: Result): number => measures.wastedOnFaulty;
const attempts = ({ measures }: Result): number => measures.during.attemptsPerRequest;
const p50S = ({ measures }: Result): number => measures.during.firstContentMs.p50 / 1_000;
const p99S = ({ measures }: Result): number => measures.during.firstContentMs.p99 / 1_000;
const recoveredS = ({ measures }: Result): number => measures.recoveredMs / 1_000;
const ofBest = ({ measures }: Result): number => measures.all.ofBest;
const refused = ({ measures }: Result): number => measures.refusedPerThousand;
/** What a first vendor's limit would have let through, and did not. */
const unused = ({ measures }: Result): number => 1 - (measures.targets[0]?.rateUse ?? Number.NaN);

const times = (value: number, ...factors: readonly [number, number, number]): readonly [number, number, number] => [
  value * factors[0],
  value * factors[1],
  value * factors[2],
];

/** Outages of one vendor, in which nobody may notice anything. */
const HARMLESS = [
  'healthy',
  'server-errors',
  'hang',
  'rate-limited',
  'brown-out',
  'partial-30',
  'flapping',
  'refused',
  'late-error',
] as const;

/** Vendors that allow less than is asked of them, and show in headers what is left. */
const LIMITED = ['limit-10', 'limit-30', 'limit-10-x4', 'limit-30-x4'] as const;

// biome-ignore format: reads as a table
export const BARS: readonly Bar[] = [
  ...HARMLESS.map((scenario): Bar =>
   ({ scenario,                  name: 'requests that failed',       unit: '',  statistic: 'worst',  limits: [0, 0, 0],                        read: failures })),
  { scenario: 'server-errors',   name: 'last ordinary attempt',      unit: 's', statistic: 'median', limits: [3, 1.5, 1],                      read: lastOrdinaryS },
  { scenario: 'hang',            name: 'last ordinary attempt',      unit: 's', statistic: 'median', limits: [Q99_S + 3 + 1, 2.5, 1.5],        read: lastOrdinaryS },
  { scenario: 'server-errors',   name: 'wasted attempts',            unit: '',  statistic: 'median', limits: [20, 30, 50],                     read: wasted },
  { scenario: 'hang',            name: 'wasted attempts',            unit: '',  statistic: 'median', limits: [20, 50, 70],                     read: wasted },
  { scenario: 'rate-limited',    name: 'wasted attempts',            unit: '',  statistic: 'median', limits: [20, 25, 35],                     read: wasted },
  { scenario: 'server-errors',   name: 'attempts per request',       unit: '',  statistic: 'median', limits: [1.08, 1.03, 1.02],               read: attempts },
  { scenario: 'hang',            name: 'attempts per request',       unit: '',  statistic: 'median', limits: [1.08, 1.03, 1.02],               read: attempts },
  { scenario: 'server-errors',   name: 'first content, p99',         unit: 's', statistic: 'median', limits: times(FALLBACK_P99_S, 1.2, 1.1, 1.1),   read: p99S },
  { scenario: 'hang',            name: 'first content, p99',         unit: 's', statistic: 'median', limits: times(FALLBACK_P99_S, 1.5, 1.25, 1.15), read: p99S },
  { scenario: 'brown-out',       name: 'attempts per request',       unit: '',  statistic: 'median', limits: [1.15, 1.05, 1.03],               read: attempts },
  { scenario: 'brown-out',       name: 'first content, p50',         unit: 's', statistic: 'median', limits: [1.3, 1.1, 1.1],                  read: p50S },
  { scenario: 'healthy',         name: 'attempts per request',       unit: '',  statistic: 'median', limits: [1.02, 1.015, 1.015],             read: ({ measures }) => measures.all.attemptsPerRequest },
  { scenario: 'server-errors',   name: 'back to nine tenths',        unit: 's', statistic: 'median', limits: [50, 40, 40],                     read: recoveredS },
  { scenario: 'server-errors',   name: 'back to nine tenths',        unit: 's', statistic: 'p95',    limits: [95, 65, 60],                     read: recoveredS },
  { scenario: 'quick-return',    name: 'back to nine tenths',        unit: 's', statistic: 'median', limits: [30, 25, undefined],              read: recoveredS },
  { scenario: 'quick-return',    name: 'back to nine tenths',        unit: 's', statistic: 'p95',    limits: [45, 35, undefined],              read: recoveredS },
  { scenario: 'all-down',        name: 'attempts per request',       unit: '',  statistic: 'median', limits: [1.2, 0.4, 0.1],                  read: attempts },
  { scenario: 'all-down',        name: 'first answer after the end', unit: 's', statistic: 'median', limits: [2, 3, 2],                        read: ({ measures }) => measures.firstAnswerMs / 1_000 },
  { scenario: 'drifting',        name: 'first content, of the best', unit: '',  statistic: 'median', limits: [1.2, 1.1, undefined],            read: ofBest },
  { scenario: 'drifting-seldom', name: 'first content, of the best', unit: '',  statistic: 'median', limits: 1.4,                              read: ofBest },
  ...LIMITED.flatMap((scenario): Bar[] => [
   { scenario,                   name: 'requests that failed',       unit: '',  statistic: 'worst',  limits: 0,                                read: failures },
   { scenario,                   name: '429s per 1000 requests',     unit: '',  statistic: 'median', limits: 5,                                read: refused },
   { scenario,                   name: 'part of the limit unused',   unit: '',  statistic: 'median', limits: 0.05,                             read: unused },
  ]),
  { scenario: 'prices',          name: 'cost above the oracle',      unit: '',  statistic: 'median', limits: 0.02,                             read: ({ measures }) => measures.cost.aboveOracle },
  { scenario: 'prices',          name: 'requests that failed',       unit: '',  statistic: 'worst',  limits: 0,                                read: failures },
];

/** The limit at a rate, where there is one. */
export const limitAt = ({ limits }: Bar, perSecond: number): number | undefined =>
  typeof limits === 'number' ? limits : limits[BAR_RATES.indexOf(perSecond)];

/** The bar's number over all seeds. */
export const overSeeds = (bar: Bar, results: readonly Result[]): number =>
  quantile(ascending(readEach(bar, results)), { median: 0.5, p95: 0.95, worst: 1 }[bar.statistic]);

/** The index of the run that is worst by this bar: the one to look at. */
export const worstOf = (bar: Bar, results: readonly Result[]): number => {
  const values = readEach(bar, results);
  return values.reduce((worst, value, i) => (value > (values[worst] as number) ? i : worst), 0);
};

/** A run that shows nothing, say no recovery, is as bad as can be. */
const readEach = ({ read }: Bar, results: readonly Result[]): number[] =>
  results.map(read).map((value) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value));
