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
  /** Only requests of so many tokens are kept out: 0 for all, more when only a large one was refused. */
  leastTokens: number;
  /** The one attempt that tries whether the gate is open again. */
  trial: Trial | undefined;
}

interface Trial {
  readonly startedAtMs: number;
  /** Of another process's, which may never be heard of again: it counts until then. */
  readonly untilMs?: number;
}

export type GateState = 'open' | 'closed' | 'due' | 'on-trial';

export const openGate = (): Gate => ({
  reason: undefined,
  closedAtMs: 0,
  untilMs: 0,
  closings: 0,
  leastTokens: 0,
  trial: undefined,
});

/** What the gate is for a request of so many tokens. */
export const gateState = (gate: Gate, tokens: number, nowMs: number): GateState => {
  if (gate.reason === undefined || tokens < gate.leastTokens) return 'open';
  if (nowMs < gate.untilMs) return 'closed';
  const { trial } = gate;
  return trial === undefined || (trial.untilMs !== undefined && nowMs >= trial.untilMs) ? 'due' : 'on-trial';
};

/** A vendor that says "0 seconds" means "soon", and would be asked again within the same millisecond. */
const SHORTEST_MS = 500;
/**
 * Many processes share a key and were told the same time; they come back over the tenth after it, ten seconds at most, and
 * never before it.
 */
const SPREAD = { share: 0.1, mostMs: 10_000 } as const;
/** `Retry-After` of an overloaded model: its load passes sooner than some vendors dare to say. */
const LONGEST_MODEL_MS = 60_000;

/**
 * Closes the gate because of an attempt, for requests of at least `leastTokens`. The later time wins, so that a second answer
 * never shortens what a first one asked for. Answers to requests that were already under way do not count as another
 * closing: a burst of ten refusals is one refusal.
 */
export const closeGate = (
  gate: Gate,
  failure: Failure,
  { startedAtMs, leastTokens }: { readonly startedAtMs: number; readonly leastTokens: number },
  nowMs: number,
  dice: Dice,
): void => {
  const rule = FAILURE_RULES[failure.kind];
  const again = gate.reason !== undefined && startedAtMs >= gate.closedAtMs;
  if (gate.reason === undefined) gate.closings = 0;
  else if (again) gate.closings += 1;
  const asked = Number.isFinite(failure.retryAfterMs) ? failure.retryAfterMs : undefined;
  const guess = rule.gateMs ?? { first: 0, most: 0 };
  const waitMs =
    asked === undefined
      ? backoffMs(guess.first, guess.most, gate.closings, dice)
      : withSpread(Math.max(SHORTEST_MS, rule.gate === 'model' ? Math.min(asked, LONGEST_MODEL_MS) : asked), dice);
  gate.leastTokens = gate.reason === undefined ? leastTokens : Math.min(gate.leastTokens, leastTokens);
  gate.untilMs = Math.max(gate.untilMs, nowMs + waitMs);
  gate.reason = failure.kind;
  gate.closedAtMs = nowMs;
};

const withSpread = (ms: number, dice: Dice): number => ms + Math.min(SPREAD.share * ms, SPREAD.mostMs) * dice();

/** A success opens the gate, if it was asked for after the gate's time and is of the kind that was kept out. */
export const passGate = (gate: Gate, startedAtMs: number, tokens: number): boolean => {
  if (gate.reason === undefined || startedAtMs < gate.untilMs || tokens < gate.leastTokens) return false;
  gate.reason = undefined;
  gate.trial = undefined;
  return true;
};
