import { type Dice, drawNormal } from './dice.ts';
import type { Fault, FaultKind } from './fault.ts';
import type { RateLimit } from './limit.ts';
import type { Manners } from './manners.ts';

export const VENDOR_NAMES = ['openai', 'anthropic', 'cohere', 'google'] as const;

export type VendorName = (typeof VENDOR_NAMES)[number];

/** How fast a vendor is. Everything about it is in milliseconds and tokens; no clock is read here. */
export interface VendorModel {
  /**
   * Time to the first token in ms: always the same, or drawn from a log-normal distribution, which is how measured
   * times look: never below zero, with a long tail. `sigma` is the deviation of the logarithm: with 0.5 one call in
   * twenty takes more than 2.3 times the median.
   */
  readonly firstTokenMs: number | { readonly median: number; readonly sigma: number };
  /** Tokens per second from the first token on. */
  readonly tokensPerSecond: number;
}

export interface VendorOptions extends Partial<VendorModel>, Manners {
  /** The port to listen on; 0, the default, takes a free one. */
  readonly port?: number;
  /** Limits answered with the vendor's own 429; none by default. */
  readonly rateLimit?: RateLimit;
  /** Tokens of the longest prompt that it takes; a longer one is refused in the vendor's own words. Any by default. */
  readonly contextWindow?: number;
}

/** Quick enough that a test does not notice, slow enough that a stream is a stream. */
export const QUICK: VendorModel = { firstTokenMs: 5, tokensPerSecond: 2_000 };

/** How fast one answer is. */
export interface Pace {
  readonly firstTokenMs: number;
  readonly msPerToken: number;
}

export const drawPace = ({ firstTokenMs, tokensPerSecond }: VendorModel, dice: Dice): Pace => ({
  firstTokenMs:
    typeof firstTokenMs === 'number'
      ? firstTokenMs
      : firstTokenMs.median * Math.exp(firstTokenMs.sigma * drawNormal(dice)),
  msPerToken: 1_000 / tokensPerSecond,
});

/** When an answer of so many tokens is complete, in ms from the arrival of the request. */
export const answerMs = ({ firstTokenMs, msPerToken }: Pace, tokens: number): number =>
  firstTokenMs + msPerToken * tokens;

/**
 * How a call ended. `open`: it has not yet. `aborted`: the client left before the end, whatever we were doing to it.
 * `rejected`: the vendor itself answered with a 4xx. `fault:…`: the fault of that kind ended or spoiled the answer.
 */
export type CallOutcome = 'open' | 'answered' | 'aborted' | 'rejected' | `fault:${FaultKind}`;

/** One call as a vendor saw it. Times are those of `performance.now()`, one clock for all vendors. */
export interface CallRecord {
  /** When the head of the request had arrived. */
  readonly atMs: number;
  /** When the last byte was handed to the socket, or the socket was gone. */
  readonly endedAtMs?: number;
  readonly path: string;
  readonly outcome: CallOutcome;
  readonly stream: boolean;
  /** The status that was sent; absent if none was. */
  readonly status?: number;
  /** The fault that struck, also when the answer survived it, as with `slow`. */
  readonly fault?: FaultKind;
}

/** One request as it came over the wire. */
export interface RecordedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed JSON; `undefined` when it was none. */
  readonly body: unknown;
}

/** One vendor that is up, and the handles to break it. */
export interface SimulatedVendor {
  readonly name: VendorName;
  /** `http://127.0.0.1:41234`. The SDK of OpenAI wants `/v1` behind it, the others take it as it is. */
  readonly url: string;
  /** All calls that ever arrived, those that a fault struck included. */
  readonly calls: number;
  /** The last 50 calls, oldest first. */
  readonly lastCalls: readonly CallRecord[];
  /** The last 50 requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** What is broken now, with the `times` that are left; null when nothing is. */
  readonly fault: Fault | null;
  /** Breaks the vendor from the next call on, in place of any earlier fault. Throws a `TypeError` naming a bad field. */
  break(fault: Fault): void;
  heal(): void;
}
