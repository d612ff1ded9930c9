import { METERED, type MeterReading, readMeter } from '../rate-limits.ts';
import type { ReadHeader } from '../retry-after.ts';

/** What a request will take off each meter, in the order of `METERED`. */
export type Need = readonly [requests: number, tokens: number, inputTokens: number, outputTokens: number];

/**
 * What a limit pool still allows: the meters that its vendor last showed, carried on by what comes back with time and by
 * what was sent since.
 */
export interface Allowance {
  /** By meter; undefined where the vendor shows none. */
  readonly meters: (Meter | undefined)[];
  /** All that was ever sent, by meter: the difference of two readings is what was sent between them. */
  readonly sent: Float64Array;
}

interface Meter extends MeterReading {
  /** As of `atMs`. */
  left: number;
  atMs: number;
  /** `Allowance.sent` when the request was sent that showed it. */
  readonly sentThen: number;
}

export const newAllowance = (): Allowance => ({
  meters: METERED.map(() => undefined),
  sent: new Float64Array(METERED.length),
});

/** A request is sent. Gives its place in the order of sending: all that was sent until now, by meter, itself included. */
export const spend = ({ meters, sent }: Allowance, need: Need, nowMs: number): readonly number[] => {
  for (let i = 0; i < need.length; i++) {
    const amount = need[i] ?? 0;
    sent[i] = (sent[i] ?? 0) + amount;
    const meter = meters[i];
    if (meter === undefined) continue;
    meter.left = Math.max(0, leftOf(meter, nowMs) - amount);
    meter.atMs = nowMs;
  }
  return Array.from(sent);
};

/**
 * Takes over what the headers of an answer show. The vendor counted when the request was sent: what came back since then
 * is added, what was sent since then is taken off. Answers overtake one another: what an earlier request shows is older
 * news than what a later one has shown already, however late it comes.
 */
export const readAllowance = (
  allowance: Allowance,
  header: ReadHeader,
  { startedAtMs, sentThen }: { readonly startedAtMs: number; readonly sentThen: readonly number[] },
  nowMs: number,
): void => {
  for (let i = 0; i < METERED.length; i++) {
    const what = METERED[i];
    const then = sentThen[i] ?? 0;
    if (what === undefined || (allowance.meters[i]?.sentThen ?? 0) > then) continue;
    const reading = readMeter(header, what);
    if (reading === undefined) continue;
    const { limit, remaining, perMs } = reading;
    const left = Math.min(limit, remaining + perMs * (nowMs - startedAtMs)) - ((allowance.sent[i] ?? 0) - then);
    allowance.meters[i] = { ...reading, left: Math.max(0, left), atMs: nowMs, sentThen: then };
  }
};

/** A meter that has less than this left of its limit begins to send requests elsewhere. */
const LOW = 0.1;

/**
 * The share of its usual traffic that the limits leave a target, 0 to 1: less than 1 when a meter is below a tenth of its
 * limit, and 0 when this request would be refused.
 */
export const headroomFor = ({ meters }: Allowance, need: Need, nowMs: number): number => {
  let headroom = 1;
  for (let i = 0; i < meters.length; i++) {
    const meter = meters[i];
    if (meter === undefined) continue;
    const left = leftOf(meter, nowMs);
    if (left < (need[i] ?? 0)) return 0;
    headroom = Math.min(headroom, left / meter.limit / LOW);
  }
  return headroom;
};

/** What is left of the scarcest meter, as a share of its limit, 0 to 1; undefined where the vendor shows none. */
export const shareLeft = ({ meters }: Allowance, nowMs: number): number | undefined => {
  let least: number | undefined;
  for (const meter of meters) {
    if (meter !== undefined) least = Math.min(least ?? 1, leftOf(meter, nowMs) / meter.limit);
  }
  return least;
};

const leftOf = ({ limit, left, perMs, atMs }: Meter, nowMs: number): number =>
  Math.min(limit, left + perMs * (nowMs - atMs));

/** Whether a vendor that refused a request for its rate still takes smaller ones: none of its meters is at zero. */
export const takesSmaller = (header: ReadHeader): boolean => {
  const requests = readMeter(header, 'requests');
  if (requests?.remaining === 0) return false;
  const tokens = TOKENS.flatMap((what) => readMeter(header, what) ?? []);
  return tokens.length > 0 && tokens.every(({ remaining }) => remaining > 0);
};

const TOKENS = ['tokens', 'input-tokens', 'output-tokens'] as const;
