import type { Course } from './course.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES } from './failure.ts';
import { conditionOf } from './health/health.ts';
import type { Pool } from './pool.ts';
import { has } from './strategy.ts';

/** Further passes over a pool of which nobody could answer. */
export interface RetryPolicy {
  /** Further passes; 0 for none. */
  readonly passes: number;
  /** The rest before the first of them; each later one is `multiplier` times as long, up to the longest. */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly multiplier: number;
  /** The part of a rest that is thrown, 0 to 1, so that callers who failed together do not come back together. */
  readonly jitter: number;
}

/** When to begin another pass, and which targets to leave out of it, as bits. */
export interface Rest {
  readonly untilMs: number;
  readonly tried: number;
}

/** A pass that begins later than this before the deadline has no time to bring an answer. */
const ROOM_MS = 1_000;

/**
 * Whether a pool of which nobody is left to try is worth another pass: for those who failed for a reason that may be over
 * by then, or were left alone. Not before the first of them is due back, and if that is longer than the longest rest, not
 * at all: who cannot be helped is told so at once.
 */
export const restFor = (course: Course, pool: Pool, nowMs: number, dice: Dice): Rest | undefined => {
  const { passes, minDelayMs, maxDelayMs, multiplier, jitter } = pool.retry;
  if (course.pass >= passes) return undefined;
  let tried = 0;
  let backAtMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < pool.members.length; i++) {
    const member = pool.members[i];
    if (member === undefined || !has(course.able, i)) continue;
    if (isHopeless(course, i)) tried |= 1 << i;
    else backAtMs = Math.min(backAtMs, conditionOf(member.health, nowMs).untilMs ?? nowMs);
  }
  const delayMs = Math.min(maxDelayMs, minDelayMs * multiplier ** course.pass) * (1 - jitter * dice());
  const untilMs = Math.max(nowMs + delayMs, backAtMs);
  return untilMs <= nowMs + maxDelayMs && untilMs + ROOM_MS <= course.deadlineAtMs ? { untilMs, tried } : undefined;
};

/** Whether a target has told this request something that time does not change. */
const isHopeless = ({ attempts }: Course, target: number): boolean =>
  attempts.some(
    (attempt) =>
      attempt.target === target &&
      attempt.outcome?.type === 'failed' &&
      !FAILURE_RULES[attempt.outcome.failure.kind].passing,
  );
