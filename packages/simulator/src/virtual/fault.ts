import type { Dice } from '../dice.ts';
import type { Headers } from '../wire.ts';

/** What is wrong with a vendor while a fault lasts. Times are in ms. */
export type VirtualEffect =
  /** A server error: 500 unless `status` says otherwise, after 0.15 s and a bit. */
  | { readonly kind: '5xx'; readonly status?: number; readonly headers?: Headers }
  /** A 429, after 0.12 s and a bit. `headers` may say how long to wait, in any form, absurd ones included. */
  | { readonly kind: 'rate-limit'; readonly headers?: Headers }
  /** Any other status: 401, 402, 404 … `code` is the vendor's word for it. */
  | { readonly kind: 'status'; readonly status: number; readonly code?: string; readonly headers?: Headers }
  /** Nobody listens. */
  | { readonly kind: 'refuse' }
  /** No connection comes about, and nothing says so: a slow DNS, a firewall that drops. */
  | { readonly kind: 'no-connection' }
  /** Requests are taken and never answered, those under way included. */
  | { readonly kind: 'hang' }
  /** Everything takes `factor` times as long: a brown-out. */
  | { readonly kind: 'slow'; readonly factor: number }
  /** Status 200, then an error inside the answer, before any content. */
  | { readonly kind: 'error-in-stream' }
  /** The answer begins, and then nothing more comes. */
  | { readonly kind: 'stall' }
  /** The answer begins, and the connection breaks. */
  | { readonly kind: 'cut' };

/** One fault of one vendor: from when to when, how often, and what it does. */
export type VirtualFault = VirtualEffect & FaultTimes;

export interface FaultTimes {
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
export const isOutage = ({ kind, probability = 1 }: VirtualFault): boolean => kind !== 'slow' && probability === 1;
