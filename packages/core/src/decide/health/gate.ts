import { backoffMs } from '../backoff.ts';
import type { Dice } from '../dice.ts';
import { FAILURE_RULES, type Failure, type FailureKind } from '../failure.ts';

/**
 * Closed for a time that the vendor named, or that we guess: a rate limit, a spent quota, a refused key. Nothing passes
 * a closed gate, not even as a last resort. Afterwards one request at a time tries it, until one succeeds.
 */
export interface Gate {
  /** Why it closed last; undefined while it is open and proven. */
  reason: FailureKind | undefined;
  closedAtMs: number;
  untilMs: number;
  /** Closings in a row, for the doubling. */
  closings: number;
  onTrial: boolean;
}

export type GateState = 'open' | 'closed' | 'due' | 'on-trial';

export const openGate = (): Gate => ({ reason: undefined, closedAtMs: 0, untilMs: 0, closings: 0, onTrial: false });

export const gateState = (gate: Gate, nowMs: number): GateState => {
  if (gate.reason === undefined) return 'open';
  if (nowMs < gate.untilMs) return 'closed';
  return gate.onTrial ? 'on-trial' : 'due';
};

/** A vendor that says "0 seconds" means "soon", and would be asked again within the same millisecond. */
const SHORTEST_MS = 500;
/** Many processes share a key and were told the same time; they come back over the tenth after it, never before it. */
const SPREAD = 0.1;
/** `Retry-After` of an overloaded model: its load passes sooner than some vendors dare to say. */
const LONGEST_MODEL_MS = 60_000;

/**
 * Closes the gate because of an attempt that was started at `startedAtMs`. The later time wins, so that a second answer
 * never shortens what a first one asked for. Answers to requests that were already under way do not count as another
 * closing: a burst of ten refusals is one refusal.
 */
export const closeGate = (gate: Gate, failure: Failure, startedAtMs: number, nowMs: number, dice: Dice): void => {
  const rule = FAILURE_RULES[failure.kind];
  const again = gate.reason !== undefined && startedAtMs >= gate.closedAtMs;
  if (gate.reason === undefined) gate.closings = 0;
  else if (again) gate.closings += 1;
  const asked = Number.isFinite(failure.retryAfterMs) ? failure.retryAfterMs : undefined;
  const guess = rule.gateMs ?? { first: 0, most: 0 };
  const waitMs =
    asked === undefined
      ? backoffMs(guess.first, guess.most, gate.closings, dice)
      : Math.max(SHORTEST_MS, rule.gate === 'model' ? Math.min(asked, LONGEST_MODEL_MS) : asked) *
        (1 + SPREAD * dice());
  gate.untilMs = Math.max(gate.untilMs, nowMs + waitMs);
  gate.reason = failure.kind;
  gate.closedAtMs = nowMs;
  gate.onTrial = false;
};

/** A success opens the gate, if it was asked for after the gate's time. */
export const passGate = (gate: Gate, startedAtMs: number): boolean => {
  if (gate.reason === undefined || startedAtMs < gate.untilMs) return false;
  gate.reason = undefined;
  gate.onTrial = false;
  return true;
};
