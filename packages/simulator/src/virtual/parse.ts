import type { RouteConfig, TargetOptions } from '@switchyard/core';
import type { JsonObject } from '../json.ts';
import type { RateLimit } from '../limit.ts';
import { optional, type Reader, reader, show } from '../reader.ts';
import type { Gamma, LogNormal, Zipf } from './draw.ts';
import type { FaultTimes, VirtualEffect, VirtualFault } from './fault.ts';
import type { Scenario } from './scenario.ts';
import type { Arrivals, RequestKind } from './traffic.ts';
import type { VirtualVendorOptions } from './vendor.ts';

/** Reads a scenario from a file. Throws a `TypeError` whose message starts with the path of the bad field. */
export const parseScenario = (value: unknown): Scenario => {
  const scenario = record(FIELDS)(value, 'scenario');
  const names = scenario.pool.map(({ name }) => name);
  for (const [i, fault] of (scenario.faults ?? []).entries()) {
    read.oneOf(fault.vendor, `scenario.faults[${i}].vendor`, names);
  }
  return scenario;
};

const read: Reader = reader((path, expected, got) => {
  throw new TypeError(`${path}: must be ${expected}, got ${show(got)}`);
});

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
/** The router checks its own options, and says what is wrong with them better than we could. */
const object: Read<JsonObject> = (value, path) => read.object(value, path);
const headers: Read<Record<string, string>> = (value, path) =>
  Object.fromEntries(
    Object.entries(read.object(value, path)).map(([name, each]) => [name, text(each, `${path}.${name}`)]),
  );

const logNormal: Read<LogNormal> = record({ median: positive, sigma: number(0) });
const gamma: Read<Gamma> = record({ mean: number(0), shape: positive });
const zipf: Read<Zipf> = record({ most: number(1), exponent: number(0) });
const rateLimit: Read<RateLimit> = record<RateLimit>({
  requestsPerMinute: maybe(positive),
  tokensPerMinute: maybe(positive),
});

// biome-ignore format: reads as a table
const VENDOR: Fields<VirtualVendorOptions> = {
  name:           text,
  model:          maybe(text),
  firstContentMs: either(Array.isArray, list(record({ upToTokens: positive, median: positive, sigma: number(0) }), 1), logNormal),
  answer:         maybe(record({ tokens: either(isNumber, number(1), zipf), msPerToken: either(isNumber, number(0), gamma) })),
  rateLimit:      maybe(rateLimit),
  spells:         maybe(record({ calmMs: positive, slowMs: positive, factor: positive })),
  target:         maybe(object as Read<TargetOptions>),
};

const ARRIVALS: Fields<Arrivals> = { perSecond: positive, shape: maybe(positive) };

const KIND: Fields<RequestKind> = {
  share: positive,
  inputTokens: either(isNumber, number(1), logNormal),
  stream: maybe(flag),
  deadlineMs: maybe(positive),
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

// biome-ignore format: reads as a table; a kind or a field without its reader does not compile
const EFFECT: { readonly [K in Kind]: Fields<Omit<Extract<VirtualEffect, { readonly kind: K }>, 'kind'>> } = {
  '5xx':             { status: maybe(number(500, 599)), headers: maybe(headers) },
  'rate-limit':      { headers: maybe(headers) },
  status:            { status, code: maybe(text), headers: maybe(headers) },
  refuse:            {},
  'no-connection':   {},
  hang:              {},
  slow:              { factor: positive },
  'error-in-stream': {},
  stall:             {},
  cut:               {},
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
  arrivals: record<Arrivals>(ARRIVALS),
  requests: maybe(list(record<RequestKind>(KIND), 1)),
  faults: maybe(list(fault)),
};
