import { createRouter, isRouterError, type RouteConfig, type TargetOptions } from '@switchyard/core';
import { RETRY_AFTER_FORMS } from '../fault.ts';
import type { JsonObject } from '../json.ts';
import { type Complain, optional, type Reader, reader, show } from '../reader.ts';
import { VENDOR_NAMES } from '../vendor.ts';
import type { Billing } from './bill.ts';
import type { Gamma, LogNormal, Zipf } from './draw.ts';
import type { ErrorWords, FaultTimes, Midway, RetryHint, VirtualEffect, VirtualFault } from './fault.ts';
import type { Scenario } from './scenario.ts';
import type { Arrivals, RequestKind } from './traffic.ts';
import { type VirtualRateLimit, VirtualVendor, type VirtualVendorOptions } from './vendor.ts';
import { type ClockJump, World } from './world.ts';

/** Reads a scenario from a file. Throws a `TypeError` whose message starts with the path of the bad field. */
export const parseScenario = (value: unknown): Scenario => {
  const scenario = record(FIELDS)(value, 'scenario');
  const vendors = scenario.pool.map((options) => new VirtualVendor(options, [], new World(0)));
  const names = [...new Set(vendors.flatMap(({ name, id }) => [name, id]))];
  for (const [i, { vendor, fromMs, toMs }] of (scenario.faults ?? []).entries()) {
    read.oneOf(vendor, `scenario.faults[${i}].vendor`, names);
    if (toMs <= fromMs) complain(`scenario.faults[${i}].toMs`, `later than fromMs, which is ${fromMs}`, toMs);
  }
  checkByRouter(scenario, vendors);
  return scenario;
};

/** The router checks its own options, and says what is wrong with them better than we could. */
const checkByRouter = ({ route, router }: Scenario, vendors: readonly VirtualVendor[]): void => {
  try {
    createRouter({ ...router, routes: { pool: { ...route, pool: vendors.map((vendor) => vendor.target()) } } });
  } catch (error) {
    if (!isRouterError(error)) throw error;
    const [, ...problems] = error.message.split('\n').map((line) => line.trim());
    throw new TypeError(problems.map(inScenario).join('\n'));
  }
};

/** Where a scenario has what the router found wrong. */
const inScenario = (problem: string): string =>
  /^routes\.pool\.pool\[/.test(problem)
    ? problem.replace(/^routes\.pool\.pool(\[\d+\])/, 'scenario.pool$1.target')
    : /^routes\.pool\b/.test(problem)
      ? problem.replace(/^routes\.pool/, 'scenario.route')
      : `scenario.router.${problem}`;

const complain: Complain = (path, expected, got) => {
  throw new TypeError(`${path}: must be ${expected}, got ${show(got)}`);
};

const read: Reader = reader(complain);

type Read<T> = (value: unknown, path: string) => T;

/** A reader for each field; a field that may be left out has one that takes undefined. */
type Fields<T> = { readonly [K in keyof T]-?: Read<T[K]> };

const record =
  <T extends object>(fields: Fields<T>): Read<T> =>
  (value, path) => {
    const given = read.object(value, path);
    for (const name of Object.keys(given)) {
      if (!(name in fields)) {
        throw new TypeError(`${path}.${name}: unknown field; there are ${Object.keys(fields).join(', ')}`);
      }
    }
    const entries = Object.entries<Read<unknown>>(fields).map(([name, readField]) => [
      name,
      readField(given[name], `${path}.${name}`),
    ]);
    return Object.fromEntries(entries.filter(([, parsed]) => parsed !== undefined)) as T;
  };

const maybe =
  <T>(readIt: Read<T>): Read<T> =>
  // What is undefined is left out of the record, so that it need not be in its type.
  (value, path) =>
    optional(value, (given) => readIt(given, path)) as T;

const list =
  <T>(readIt: Read<T>, min = 0): Read<readonly T[]> =>
  (value, path) =>
    read.list(value, path, { min }).map((item, i) => readIt(item, `${path}[${i}]`));

const either =
  <A, B>(isFirst: (value: unknown) => boolean, first: Read<A>, second: Read<B>): Read<A | B> =>
  (value, path) =>
    isFirst(value) ? first(value, path) : second(value, path);

const isNumber = (value: unknown): boolean => typeof value === 'number';
const number =
  (min: number, max?: number): Read<number> =>
  (value, path) =>
    read.number(value, path, { min, ...(max !== undefined && { max }) });
const positive: Read<number> = (value, path) =>
  Number(value) > 0 ? read.number(value, path) : read.number(value, path, { min: Number.MIN_VALUE });
const text: Read<string> = (value, path) => read.text(value, path);
const flag: Read<boolean> = (value, path) => read.flag(value, path);
/** Left to the router, see `checkByRouter`. */
const object: Read<JsonObject> = (value, path) => read.object(value, path);
const headers: Read<Record<string, string>> = (value, path) =>
  Object.fromEntries(
    Object.entries(read.object(value, path)).map(([name, each]) => [name, text(each, `${path}.${name}`)]),
  );

const logNormal: Read<LogNormal> = record({ median: positive, sigma: number(0) });
const gamma: Read<Gamma> = record({ mean: number(0), shape: positive });
const zipf: Read<Zipf> = record({ most: number(1), exponent: number(0) });
const oneOf =
  <T extends string>(options: readonly T[]): Read<T> =>
  (value, path) =>
    read.oneOf(value, path, options);

/** A number that is one of a few. */
const among =
  <T extends number>(...options: readonly T[]): Read<T> =>
  (value, path) =>
    options.find((option) => option === value) ?? complain(path, options.join(' or '), value);

const whole: Read<number> = (value, path) => read.number(value, path, { min: 1, integer: true });
const anyNumber: Read<number> = (value, path) => read.number(value, path);

const rateLimit: Read<VirtualRateLimit> = record<VirtualRateLimit>({
  requestsPerMinute: maybe(positive),
  tokensPerMinute: maybe(positive),
  atOnce: maybe(whole),
  atOnceStatus: maybe(among(429, 529)),
  shown: maybe(flag),
  refusal: maybe(oneOf(['retry-after', 'reset-headers', 'no-hint'] as const)),
});

// biome-ignore format: reads as a table
const VENDOR: Fields<VirtualVendorOptions> = {
  name:           text,
  model:          maybe(text),
  wire:           maybe(oneOf(VENDOR_NAMES)),
  firstContentMs: either(Array.isArray, list(record({ upToTokens: positive, median: positive, sigma: number(0) }), 1), logNormal),
  headMs:         maybe(number(0)),
  answer:         maybe(record({ tokens: either(isNumber, number(1), zipf), msPerToken: either(isNumber, number(0), gamma) })),
  rateLimit:      maybe(rateLimit),
  billing:        maybe(record<Billing>({ tokensPerToken: maybe(positive), cachedShare: maybe(number(0, 1)) })),
  spells:         maybe(record({ calmMs: positive, slowMs: positive, factor: positive })),
  target:         maybe(object as Read<TargetOptions>),
};

const ARRIVALS: Fields<Arrivals> = { perSecond: positive, shape: maybe(positive) };

const KIND: Fields<RequestKind> = {
  share: positive,
  inputTokens: either(isNumber, number(1), logNormal),
  stream: maybe(flag),
  deadlineMs: maybe(positive),
  leavesAfterMs: maybe(either(isNumber, number(0), logNormal)),
};

const TIMES: Fields<FaultTimes> = {
  vendor: text,
  fromMs: number(0),
  toMs: number(0),
  probability: maybe(number(0, 1)),
  flap: maybe(record({ onMs: positive, offMs: number(0) })),
};

type Kind = VirtualFault['kind'];

const status = number(400, 599);
const retryAfter: Read<RetryHint> = record<RetryHint>({ form: oneOf(RETRY_AFTER_FORMS), ms: maybe(anyNumber) });
const words: Fields<ErrorWords> = {
  code: maybe(text),
  headers: maybe(headers),
  retryAfter: maybe(retryAfter),
  afterMs: maybe(number(0)),
};
const midway: Fields<Midway> = { afterTokens: maybe(number(0)) };

// biome-ignore format: reads as a table; a kind or a field without its reader does not compile
const EFFECT: { readonly [K in Kind]: Fields<Omit<Extract<VirtualEffect, { readonly kind: K }>, 'kind'>> } = {
  '5xx':                { status: maybe(number(500, 599)), ...words },
  'rate-limit':         words,
  status:               { status, ...words },
  refuse:               {},
  'no-connection':      {},
  'slow-connection':    { ms: positive },
  reset:                {},
  hang:                 {},
  'hang-after-headers': {},
  slow:                 { factor: positive },
  'error-in-stream':    midway,
  malformed:            midway,
  empty:                {},
  stall:                midway,
  cut:                  midway,
  'no-end':             {},
};

const fault: Read<VirtualFault> = (value, path) => {
  const given = read.object(value, path);
  const kind = read.oneOf(given.kind, `${path}.kind`, Object.keys(EFFECT) as Kind[]);
  const fields: Record<string, Read<unknown>> = { kind: () => kind, ...TIMES, ...EFFECT[kind] };
  // EFFECT has a row for each kind, typed by the fields of that kind, which is what a fault is made of.
  return record(fields)(given, path) as unknown as VirtualFault;
};

const FIELDS: Fields<Scenario> = {
  name: text,
  about: maybe(text),
  durationMs: positive,
  pool: list(record<VirtualVendorOptions>(VENDOR), 1),
  route: maybe(object as Read<Omit<RouteConfig, 'pool'>>),
  router: maybe(object as Read<NonNullable<Scenario['router']>>),
  instances: maybe(whole),
  clock: maybe(list(record<ClockJump>({ atMs: number(0), byMs: anyNumber }))),
  arrivals: record<Arrivals>(ARRIVALS),
  requests: maybe(list(record<RequestKind>(KIND), 1)),
  faults: maybe(list(fault)),
};
