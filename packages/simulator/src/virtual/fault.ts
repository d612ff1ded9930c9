import type { Dice } from '../dice.ts';
import type { RetryAfter } from '../fault.ts';
import type { Headers } from '../wire.ts';

/** How an error answer says when to come back, in one of the forms in use. */
export interface RetryHint {
  readonly form: RetryAfter['form'];
  /** Time to wait; less than 0 is a date that is past. Left out: until the fault is over, as with a daily quota. */
  readonly ms?: number;
}

/** What an error answer says beyond its status. */
export interface ErrorWords {
  /** The vendor's word for it: `insufficient_quota`, `context_length_exceeded` … */
  readonly code?: string;
  /** Sent as they are, absurd ones included. */
  readonly headers?: Headers;
  readonly retryAfter?: RetryHint;
  /** When it comes; by default as soon as measured: a 429 after 0.12 s and a bit, any other after 0.15 s and a bit. */
  readonly afterMs?: number;
}

/** How much of an answer gets out before the fault strikes. One that is shorter is whole. */
export interface Midway {
  readonly afterTokens?: number;
}

/** What is wrong with a vendor while a fault lasts. Times are in ms. */
export type VirtualEffect =
  /** A server error: 500 unless `status` says otherwise. */
  | ({ readonly kind: '5xx'; readonly status?: number } & ErrorWords)
  /** A 429. */
  | ({ readonly kind: 'rate-limit' } & ErrorWords)
  /** Any other status: 400, 401, 402, 404 … */
  | ({ readonly kind: 'status'; readonly status: number } & ErrorWords)
  /** Nobody listens. */
  | { readonly kind: 'refuse' }
  /** No connection comes about, and nothing says so: a firewall that drops. */
  | { readonly kind: 'no-connection' }
  /** Connections take `ms` to come about: a slow DNS. */
  | { readonly kind: 'slow-connection'; readonly ms: number }
  /** The request is read, then the connection is reset. */
  | { readonly kind: 'reset' }
  /** Requests are taken and never answered, those under way included. */
  | { readonly kind: 'hang' }
  /** Status 200 and headers after 0.1 s, then nothing. */
  | { readonly kind: 'hang-after-headers' }
  /** Everything takes `factor` times as long: a brown-out. */
  | { readonly kind: 'slow'; readonly factor: number }
  /** Status 200, then an error inside the answer: before any content unless `afterTokens` says otherwise. */
  | ({ readonly kind: 'error-in-stream' } & Midway)
  /** Status 200, then what is not JSON: before any content unless `afterTokens` says otherwise. */
  | ({ readonly kind: 'malformed' } & Midway)
  /** Status 200 and an end, and no content between them. */
  | { readonly kind: 'empty' }
  /** Nothing more comes after `afterTokens`; after the first content unless it says otherwise. */
  | ({ readonly kind: 'stall' } & Midway)
  /** The connection breaks after `afterTokens`; after the first content unless it says otherwise. */
  | ({ readonly kind: 'cut' } & Midway)
  /** All content, and then neither a finish reason nor an end marker. */
  | { readonly kind: 'no-end' };

/** One fault of one vendor: from when to when, how often, and what it does. */
export type VirtualFault = VirtualEffect & FaultTimes;

export interface FaultTimes {
  /** The vendor's name, which strikes all its models, or the id of one target. */
  readonly vendor: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** The part of the calls that it strikes, 0 to 1: a partial outage. All of them by default. */
  readonly probability?: number;
  /** Comes and goes: on for `onMs`, off for `offMs`, on again. */
  readonly flap?: { readonly onMs: number; readonly offMs: number };
}

export const isOn = ({ fromMs, toMs, flap }: FaultTimes, atMs: number): boolean =>
  atMs >= fromMs && atMs < toMs && (flap === undefined || (atMs - fromMs) % (flap.onMs + flap.offMs) < flap.onMs);

/** Whether the fault strikes a call that would be answered between these times. */
export const strikes = (fault: VirtualFault, fromMs: number, toMs: number, dice: Dice): boolean =>
  // A hang also strikes what is under way when it begins; every other fault only what arrives.
  (isOn(fault, fromMs) || (fault.kind === 'hang' && isOn(fault, toMs))) &&
  (fault.probability === undefined || dice() < fault.probability);

/** Whether nobody is answered while it is on: a vendor that is slow, or that fails now and then, still counts as up. */
export const isOutage = ({ kind, probability = 1 }: VirtualFault): boolean =>
  kind !== 'slow' && kind !== 'slow-connection' && probability === 1;

/** Where in an answer the faults of an answer under way strike: so many tokens get out before. */
const MIDWAY: Readonly<Partial<Record<VirtualFault['kind'], number>>> = {
  'error-in-stream': 0,
  malformed: 0,
  empty: 0,
  stall: 1,
  cut: 1,
};

/** How many tokens of an answer get out before the fault strikes; undefined for one that strikes elsewhere. */
export const tokensBefore = (fault: VirtualFault | undefined): number | undefined => {
  if (fault === undefined) return undefined;
  return 'afterTokens' in fault ? fault.afterTokens : MIDWAY[fault.kind];
};
