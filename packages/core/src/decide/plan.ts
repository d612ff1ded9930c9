import type { Attempt, AttemptRole } from './attempt.ts';
import type { Course } from './course.ts';
import { attemptTimeoutMs } from './deadline.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES, type Failure } from './failure.ts';
import { choose, type Pool } from './pool.ts';

/** What to do next with a request. */
export type Step =
  | {
      readonly type: 'start';
      readonly target: number;
      readonly role: AttemptRole;
      readonly connectByMs: number;
      readonly expiresAtMs: number;
      readonly hedgeAtMs: number | undefined;
    }
  /** Until one of the running attempts ends, at most until then. */
  | { readonly type: 'wait'; readonly untilMs: number }
  | { readonly type: 'answer'; readonly attempt: Attempt }
  | { readonly type: 'give-up'; readonly because: GiveUp };

export type GiveUp =
  /** The request itself is at fault, and every target would say so. */
  | { readonly type: 'returned'; readonly failure: Failure }
  | { readonly type: 'aborted' }
  | { readonly type: 'deadline' }
  | { readonly type: 'exhausted' };

/** A probe that has not answered by then is no reason to let its caller wait: the ordinary choice starts beside it. */
const HEDGE_PROBE_AFTER_MS = 1_000;

/**
 * Decides the next step of a request from what was tried so far and the time. After a failure the next attempt starts
 * now: no step ever waits while nothing runs.
 */
export const nextStep = (course: Course, pool: Pool, nowMs: number, dice: Dice): Step => {
  let running = 0;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  let hedge = false;
  for (const attempt of course.attempts) {
    const { outcome } = attempt;
    if (outcome?.type === 'answered') return { type: 'answer', attempt };
    if (outcome !== undefined) {
      const { next } = FAILURE_RULES[outcome.failure.kind];
      if (next === 'return') return { type: 'give-up', because: { type: 'returned', failure: outcome.failure } };
      if (next === 'stop') return { type: 'give-up', because: { type: 'aborted' } };
      continue;
    }
    running += 1;
    const { hedgeAtMs = Number.POSITIVE_INFINITY } = attempt;
    wakeAtMs = Math.min(wakeAtMs, attempt.expiresAtMs);
    if (attempt.connectByMs > nowMs && attempt.wire.state !== 'sent')
      wakeAtMs = Math.min(wakeAtMs, attempt.connectByMs);
    if (hedgeAtMs > nowMs) wakeAtMs = Math.min(wakeAtMs, hedgeAtMs);
    else hedge = true;
  }
  const wait: Step = { type: 'wait', untilMs: wakeAtMs };
  if (running > 1 || (running === 1 && !hedge)) return wait;

  const remainingMs = course.deadlineAtMs - nowMs;
  if (remainingMs <= 0) return running > 0 ? wait : { type: 'give-up', because: { type: 'deadline' } };
  const choice = choose(pool, course, nowMs, dice);
  const member = choice && pool.members[choice.target];
  if (choice === undefined || member === undefined) {
    return running > 0 ? wait : { type: 'give-up', because: exhausted(course) };
  }
  // Beside a probe only a sure choice helps.
  if (running > 0 && choice.role !== 'fallback') return wait;

  const { timeoutsMs } = member;
  const ownMs = course.streaming ? timeoutsMs.firstContent : timeoutsMs.answer;
  return {
    type: 'start',
    target: choice.target,
    role: running > 0 ? 'hedge' : choice.role,
    connectByMs: nowMs + timeoutsMs.connect,
    expiresAtMs: nowMs + attemptTimeoutMs(ownMs, remainingMs, choice.othersLeft),
    hedgeAtMs: choice.role === 'probe' || choice.role === 'last-resort' ? nowMs + HEDGE_PROBE_AFTER_MS : undefined,
  };
};

/** When every target has refused this very request, its caller has to hear why; another try would not help. */
const exhausted = ({ attempts }: Course): GiveUp => {
  let last: Failure | undefined;
  for (const { outcome } of attempts) {
    if (outcome?.type !== 'failed' || FAILURE_RULES[outcome.failure.kind].chargedTo !== 'request') {
      return { type: 'exhausted' };
    }
    last = outcome.failure;
  }
  return last === undefined ? { type: 'exhausted' } : { type: 'returned', failure: last };
};
