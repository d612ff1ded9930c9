import type { Dice } from '../dice.ts';
import type { FailureKind } from '../failure.ts';

/** Whether a model at its vendor answers: `ready`, `cooling` (left alone), or `probing` (one attempt will tell). */
export type Standing = 'ready' | 'cooling' | 'probing';

export interface Breaker {
  standing: Standing;
  /** Failures in a row. */
  strikes: number;
  /** What the last strike was. */
  reason: FailureKind | undefined;
  /** `cooling`: until then. */
  untilMs: number;
  /** How long it was left alone the last time; 0 before the first. */
  coolingMs: number;
  readySinceMs: number;
  /** Grows with each change of standing: what was started under an older one says nothing about this one. */
  epoch: number;
  /** Tries that it may still be given although it should be left alone, as of `lastResortAtMs`. */
  lastResorts: number;
  lastResortAtMs: number;
}

/**
 * Failures in a row that cool a target. At an error rate of 2 % a healthy target is cooled by chance about once in
 * 100 000 requests, and a dead one costs three of them.
 */
const STRIKES = 3;
/** First cooling, and the longest after doublings. A vendor's hiccup passes in seconds; an outage is probed twice a minute. */
const COOLING_MS = { first: 5_000, most: 30_000 } as const;
/** After so long without trouble, the past is forgotten. */
const FORGIVEN_AFTER_MS = 5 * 60_000;
/**
 * When nothing else is left, a target is tried although it should be left alone: an answer is worth more than a rule.
 * The bucket keeps a total outage from becoming a storm, and finds the first recovery within a second.
 */
const LAST_RESORTS = { most: 20, perMs: 1 / 1_000 } as const;

export const newBreaker = (): Breaker => ({
  standing: 'ready',
  strikes: 0,
  reason: undefined,
  untilMs: 0,
  coolingMs: 0,
  readySinceMs: 0,
  epoch: 0,
  lastResorts: LAST_RESORTS.most,
  lastResortAtMs: 0,
});

/** Whether a cooling target has been left alone for long enough to be probed. */
export const isDue = (breaker: Breaker, nowMs: number): boolean =>
  breaker.standing === 'cooling' && nowMs >= breaker.untilMs;

const lastResortsAt = (breaker: Breaker, nowMs: number): number =>
  Math.min(LAST_RESORTS.most, breaker.lastResorts + (nowMs - breaker.lastResortAtMs) * LAST_RESORTS.perMs);

export const mayTryAsLastResort = (breaker: Breaker, nowMs: number): boolean => lastResortsAt(breaker, nowMs) >= 1;

export const spendLastResort = (breaker: Breaker, nowMs: number): void => {
  breaker.lastResorts = lastResortsAt(breaker, nowMs) - 1;
  breaker.lastResortAtMs = nowMs;
};

/** One attempt will tell; until it has, the others go elsewhere. */
export const beginProbe = (breaker: Breaker): void => {
  // A last resort may join a probe that is under way; either may tell.
  if (breaker.standing === 'probing') return;
  breaker.standing = 'probing';
  breaker.epoch += 1;
};

/** The probe ended without telling anything: its caller left. The next request may probe at once. */
export const dropProbe = (breaker: Breaker): void => {
  breaker.standing = 'cooling';
  breaker.epoch += 1;
};

/** Counts a failure; true when it cooled the target. */
export const strike = (breaker: Breaker, reason: FailureKind, nowMs: number, dice: Dice): boolean => {
  breaker.strikes += 1;
  breaker.reason = reason;
  if (breaker.standing === 'ready' && breaker.strikes < STRIKES) return false;
  breaker.coolingMs = nextCoolingMs(breaker, nowMs);
  breaker.untilMs = nowMs + breaker.coolingMs * (0.8 + 0.4 * dice());
  breaker.standing = 'cooling';
  breaker.epoch += 1;
  return true;
};

const nextCoolingMs = ({ standing, coolingMs, readySinceMs }: Breaker, nowMs: number): number => {
  if (standing !== 'ready') return Math.min(COOLING_MS.most, coolingMs * 2);
  return nowMs - readySinceMs >= FORGIVEN_AFTER_MS ? COOLING_MS.first : Math.max(COOLING_MS.first, coolingMs);
};

/** Content arrived: a probed target is back. True when it was. */
export const recover = (breaker: Breaker, nowMs: number): boolean => {
  if (breaker.standing !== 'probing') return false;
  breaker.standing = 'ready';
  breaker.strikes = 0;
  breaker.reason = undefined;
  breaker.readySinceMs = nowMs;
  // Halved, not forgotten: a target that comes and goes is not trusted at once.
  breaker.coolingMs /= 2;
  breaker.epoch += 1;
  return true;
};

/** A whole answer arrived: failures are no longer in a row. */
export const clearStrikes = (breaker: Breaker): void => {
  breaker.strikes = 0;
  breaker.reason = undefined;
};
