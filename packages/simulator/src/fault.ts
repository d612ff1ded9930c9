import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Dice } from './dice.ts';
import type { JsonObject } from './json.ts';
import { optional, type Reader, reader, show } from './reader.ts';
import type { VendorName } from './vendor.ts';

/** The forms in which vendors and the proxies before them say how long to wait. */
export const RETRY_AFTER_FORMS = [
  'seconds',
  'http-date',
  'retry-after-ms',
  'x-ms-retry-after-ms',
  'retry-info',
  'reset-headers',
] as const;

export interface RetryAfter {
  /**
   * `seconds` and `http-date` are the two forms of the Retry-After header; the next two are headers in ms (OpenAI's
   * SDK, Azure); `retry-info` is Google's, in the body; `reset-headers` are the vendor's own rate-limit headers with
   * nothing remaining (not Google, which has none).
   */
  readonly form: (typeof RETRY_AFTER_FORMS)[number];
  readonly ms: number;
}

/** What a fault does, without how often. Times are in ms; `afterEvents` counts server-sent events and is 3 if left out. */
export type FaultEffect =
  /** Any status. Without `body`, the vendor's own error body for it. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | JsonObject;
      readonly retryAfter?: RetryAfter;
    }
  /** Nobody listens on the port, and open connections are gone. */
  | { readonly kind: 'refuse' }
  /** The request is read, then the connection is reset. */
  | { readonly kind: 'reset' }
  /** The request is read, and nothing ever comes back. */
  | { readonly kind: 'hang-before-headers' }
  /** Status 200 and headers, then nothing. */
  | { readonly kind: 'hang-after-headers' }
  /** The first token takes `ms`. */
  | { readonly kind: 'slow-first-token'; readonly ms: number }
  /** Everything takes `factor` times as long. */
  | { readonly kind: 'slow'; readonly factor: number }
  /** Status 200, then the vendor's error inside the answer, before any content. */
  | { readonly kind: 'error-before-content' }
  /** The same after some content; a unary answer has no "after" and is as with `error-before-content`. */
  | { readonly kind: 'error-after-content' }
  /** The connection is reset after so many events, or inside the next one; unary: after half the body. */
  | { readonly kind: 'cut'; readonly afterEvents?: number; readonly insideEvent?: boolean }
  /** Nothing comes after so many events, and the connection stays open; unary: after half the body. */
  | { readonly kind: 'stall'; readonly afterEvents?: number }
  /** An event that is not JSON among good ones; unary: a body that is not JSON. */
  | { readonly kind: 'malformed-chunk'; readonly afterEvents?: number }
  /** All content, but no finish reason and no last event; unary: no finish reason. */
  | { readonly kind: 'no-end-marker' }
  /** Status 200 and an empty body. */
  | { readonly kind: 'empty' }
  /** A complete HTTP message whose JSON is cut; in a stream, inside the first event after the content. */
  | { readonly kind: 'truncated-json' }
  /** Status 200 and the HTML page of some proxy. */
  | { readonly kind: 'html' }
  /** The vendor's 400 for a prompt that is too long. */
  | { readonly kind: 'context-length' }
  /** The vendor declines to answer for reasons of safety. */
  | { readonly kind: 'content-filter' };

/** An effect that comes and goes: on for `onMs`, off for `offMs`, from when it was set. A 503 if `fault` is left out. */
export interface Flap {
  readonly kind: 'flap';
  readonly onMs: number;
  readonly offMs: number;
  readonly fault?: Exclude<FaultEffect, { readonly kind: 'refuse' }>;
}

/**
 * What is wrong with a vendor.
 *
 * With `times` it strikes so many calls and then heals by itself; with `probability` (0 to 1) the seeded dice decide
 * for each call. `refuse` takes neither: a call that is refused never arrives, so it cannot be counted; use `reset`.
 */
export type Fault = (FaultEffect | Flap) & { readonly times?: number; readonly probability?: number };

export type FaultKind = Fault['kind'];

/** The fault of a vendor, and since when (ms); flapping is measured from there. */
export interface FaultState {
  readonly fault: Fault | null;
  readonly sinceMs: number;
}

/** Does the fault strike the call that arrives now, with what effect, and what is left of it afterwards? */
export const strike = (
  state: FaultState,
  nowMs: number,
  dice: Dice,
): { readonly effect: FaultEffect | null; readonly state: FaultState } => {
  const { fault, sinceMs } = state;
  if (fault === null) return { effect: null, state };
  if (fault.kind === 'flap' && (nowMs - sinceMs) % (fault.onMs + fault.offMs) >= fault.onMs) {
    return { effect: null, state };
  }
  if (fault.probability !== undefined && dice() >= fault.probability) return { effect: null, state };
  const effect = fault.kind === 'flap' ? (fault.fault ?? { kind: 'status', status: 503 }) : fault;
  if (fault.times === undefined) return { effect, state };
  const left = fault.times > 1 ? { ...fault, times: fault.times - 1 } : null;
  return { effect, state: { fault: left, sinceMs } };
};

/**
 * Reads a fault for this vendor that came from outside. Throws a `TypeError` whose message starts with the path of the
 * bad field.
 */
export const parseFault = (value: unknown, vendor: VendorName, path = 'fault'): Fault => {
  const fields = read.object(value, path);
  const kind = read.oneOf(fields.kind, `${path}.kind`, FAULT_KINDS);
  const readOwn = FIELDS[kind];
  const known = ['kind', ...Object.keys(readOwn), ...(kind === 'refuse' ? [] : Object.keys(HOW_OFTEN))];
  for (const [field, given] of Object.entries(fields)) {
    if (known.includes(field)) continue;
    if (field in HOW_OFTEN) throw new TypeError(`${path}.${field}: a refused call cannot be counted; use 'reset'`);
    throw new TypeError(
      `${path}.${field}: '${kind}' has no such field, got ${show(given)}; it has ${known.join(', ')}`,
    );
  }
  const fault: Record<string, unknown> = { kind };
  for (const [field, readField] of Object.entries({ ...readOwn, ...HOW_OFTEN })) {
    const parsed = readField(fields[field], `${path}.${field}`, vendor);
    if (parsed !== undefined) fault[field] = parsed;
  }
  // FIELDS has a row for each kind, typed by the fields of that kind, which is what a Fault is made of.
  return fault as unknown as Fault;
};

const read: Reader = reader((path, expected, got) => {
  throw new TypeError(`${path}: must be ${expected}, got ${show(got)}`);
});

type ReadField = (value: unknown, path: string, vendor: VendorName) => unknown;

type FieldsOf<K extends FaultKind> = Exclude<keyof Extract<Fault, { kind: K }>, 'kind' | 'times' | 'probability'>;

const count: ReadField = (value, path) =>
  optional(value, (given) => read.number(given, path, { min: 0, integer: true }));
const duration: ReadField = (value, path) => read.number(value, path, { min: 0 });
const positive: ReadField = (value, path) => read.number(value, path, { min: 1 });

const headers: ReadField = (value, path) =>
  optional(value, (given) => {
    const entries = Object.entries(read.object(given, path));
    return Object.fromEntries(entries.map(([name, value]) => [name, readHeader(name, value, `${path}.${name}`)]));
  });

const readHeader = (name: string, value: unknown, path: string): string => {
  const text = read.text(value, path);
  try {
    validateHeaderName(name);
    validateHeaderValue(name, text);
    return text;
  } catch {
    throw new TypeError(`${path}: must be a header that HTTP allows, got ${show(text)}`);
  }
};

const body: ReadField = (value, path) =>
  optional(value, (given) => (typeof given === 'string' ? given : read.object(given, path)));

const retryAfter: ReadField = (value, path, vendor) =>
  optional(value, (given) => {
    const fields = read.object(given, path);
    const missing = vendor === 'google' ? 'reset-headers' : 'retry-info';
    const forms = RETRY_AFTER_FORMS.filter((form) => form !== missing);
    return {
      form: read.oneOf(fields.form, `${path}.form`, forms),
      ms: read.number(fields.ms, `${path}.ms`, { min: 0 }),
    };
  });

const nested: ReadField = (value, path, vendor) =>
  optional(value, (given) => {
    const fault = parseFault(given, vendor, path);
    if (fault.kind === 'flap' || fault.kind === 'refuse') {
      throw new TypeError(`${path}.kind: '${fault.kind}' cannot flap; use 'reset' for connections that fail`);
    }
    for (const field of Object.keys(HOW_OFTEN)) {
      if (field in fault) throw new TypeError(`${path}.${field}: belongs to the flap itself, one level up`);
    }
    return fault;
  });

// biome-ignore format: reads as a table; a kind or a field without its reader does not compile
const FIELDS: { readonly [K in FaultKind]: { readonly [F in FieldsOf<K>]-?: ReadField } } = {
  status:                 { status: (value, path) => read.number(value, path, { min: 200, max: 599, integer: true }), headers, body, retryAfter },
  refuse:                 {},
  reset:                  {},
  'hang-before-headers':  {},
  'hang-after-headers':   {},
  'slow-first-token':     { ms: duration },
  slow:                   { factor: duration },
  'error-before-content': {},
  'error-after-content':  {},
  cut:                    { afterEvents: count, insideEvent: (value, path) => optional(value, (given) => read.flag(given, path)) },
  stall:                  { afterEvents: count },
  'malformed-chunk':      { afterEvents: count },
  'no-end-marker':        {},
  empty:                  {},
  'truncated-json':       {},
  html:                   {},
  'context-length':       {},
  'content-filter':       {},
  flap:                   { onMs: positive, offMs: duration, fault: nested },
};

const HOW_OFTEN: { readonly times: ReadField; readonly probability: ReadField } = {
  times: (value, path) => optional(value, (given) => read.number(given, path, { min: 1, integer: true })),
  probability: (value, path) => optional(value, (given) => read.number(given, path, { min: 0, max: 1 })),
};

/** Every kind of fault there is. */
export const FAULT_KINDS: readonly FaultKind[] = Object.keys(FIELDS) as FaultKind[];
