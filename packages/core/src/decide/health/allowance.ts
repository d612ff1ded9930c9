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
  /** What others take with the same key, each ms: other processes, or requests that count for more than was thought. */
  readonly othersPerMs: number;
  /** When it was read last. */
  readonly readAtMs: number;
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
  // Spelt out: to make an array of a typed one takes longer than all of the above.
  return [sent[0] ?? 0, sent[1] ?? 0, sent[2] ?? 0, sent[3] ?? 0];
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
    const othersPerMs = othersOf(allowance.meters[i], left, nowMs);
    allowance.meters[i] = {
      ...reading,
      left: Math.max(0, left),
      atMs: nowMs,
      readAtMs: nowMs,
      sentThen: then,
      othersPerMs,
    };
  }
};

/** In what time a change of what others take is taken over, about. */
const SETTLES_MS = 10_000;

/** What others take is what is missing beside our own: less is left than was thought at the last reading. */
const othersOf = (known: Meter | undefined, left: number, nowMs: number): number => {
  if (known === undefined) return 0;
  const { othersPerMs, readAtMs } = known;
  const sinceMs = nowMs - readAtMs;
  if (sinceMs <= 0) return othersPerMs;
  // What was thought to be left is without what they were thought to take.
  const thoughtPerMs = othersBetween({ ...known, atMs: readAtMs }, nowMs) / sinceMs;
  const sample = thoughtPerMs + (leftOf(known, nowMs) - left) / sinceMs;
  const weight = 1 - Math.exp(-sinceMs / SETTLES_MS);
  return Math.max(0, othersPerMs + weight * (sample - othersPerMs));
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

const leftOf = (meter: Meter, nowMs: number): number => {
  const back = meter.perMs * (nowMs - meter.atMs) - othersBetween(meter, nowMs);
  return Math.max(0, Math.min(meter.limit, meter.left + back));
};

/**
 * What others have taken since the meter was looked at. Without a reading they are thought to take less and less: whoever
 * is not asked any more because of them would never hear that they are gone.
 */
const othersBetween = (meter: Meter, nowMs: number): number => {
  if (meter.othersPerMs === 0) return 0;
  const before = Math.exp((meter.readAtMs - meter.atMs) / SETTLES_MS);
  const now = Math.exp((meter.readAtMs - nowMs) / SETTLES_MS);
  return meter.othersPerMs * SETTLES_MS * (before - now);
};

/** Whether a vendor that refused a request for its rate still takes smaller ones: none of its meters is at zero. */
export const takesSmaller = (header: ReadHeader): boolean => {
  const requests = readMeter(header, 'requests');
  if (requests?.remaining === 0) return false;
  const tokens = TOKENS.flatMap((what) => readMeter(header, what) ?? []);
  return tokens.length > 0 && tokens.every(({ remaining }) => remaining > 0);
};

const TOKENS = ['tokens', 'input-tokens', 'output-tokens'] as const;
