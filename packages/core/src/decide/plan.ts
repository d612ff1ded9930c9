import type { Attempt, AttemptRole } from './attempt.ts';
import { mayTake, take } from './budget.ts';
import type { Course } from './course.ts';
import { attemptTimeoutMs } from './deadline.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES, type Failure } from './failure.ts';
import { accessOf } from './health/health.ts';
import { patienceFor } from './health/pace.ts';
import { choose, type Pool } from './pool.ts';
import { has } from './strategy.ts';

/** What to do next with a request. */
export type Step =
  | {
      readonly type: 'start';
      readonly target: number;
      readonly role: AttemptRole;
      readonly connectByMs: number;
      readonly lateAtMs: number;
      readonly expiresAtMs: number;
      readonly hedgeAtMs: number;
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
 * now: no step ever waits while nothing runs. Beside an attempt that is late one other may run, if the pool's budget
 * allows, or without it when the late one's target is in doubt itself: then it is a replacement.
 */
export const nextStep = (course: Course, pool: Pool, nowMs: number, dice: Dice): Step => {
  let running: Attempt | undefined;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  for (const attempt of course.attempts) {
    const { outcome } = attempt;
    if (outcome?.type === 'answered') return { type: 'answer', attempt };
    if (outcome !== undefined) {
      const { next } = FAILURE_RULES[outcome.failure.kind];
      if (next === 'return') return { type: 'give-up', because: { type: 'returned', failure: outcome.failure } };
      if (next === 'stop') return { type: 'give-up', because: { type: 'aborted' } };
      continue;
    }
    wakeAtMs = Math.min(wakeAtMs, wakeFor(attempt, nowMs));
    // Two at once are enough.
    if (running !== undefined) running = BOTH;
    else running = attempt;
  }
  const wait: Step = { type: 'wait', untilMs: wakeAtMs };
  if (running === BOTH) return wait;
  const hedge = running === undefined ? 'no' : hedgeFor(running, pool, nowMs);
  if (running !== undefined && hedge === 'no') return wait;

  const remainingMs = course.deadlineAtMs - nowMs;
  if (remainingMs <= 0) return running === undefined ? { type: 'give-up', because: { type: 'deadline' } } : wait;
  // Beside another attempt only a sure choice helps.
  const choice = running === undefined || hasReady(course, pool, nowMs) ? choose(pool, course, nowMs, dice) : undefined;
  const member = choice && pool.members[choice.target];
  if (choice === undefined || member === undefined) {
    return running === undefined ? { type: 'give-up', because: exhausted(course) } : wait;
  }
  if (hedge === 'paid') take(pool.hedges);

  const { timeoutsMs } = member;
  const { streaming, size } = course;
  const isProbe = choice.role === 'probe' || choice.role === 'last-resort';
  const patience = patienceFor(
    member.health.pace,
    size,
    { streaming, reasoning: course.reasoning || member.reasoning },
    streaming ? timeoutsMs.firstContent : timeoutsMs.answer,
    nowMs,
  );
  const timeoutMs = attemptTimeoutMs(patience.hardMs, remainingMs, choice.othersLeft);
  const lateAtMs = nowMs + Math.min(patience.softMs, timeoutMs);
  return {
    type: 'start',
    target: choice.target,
    role: running === undefined ? choice.role : 'hedge',
    connectByMs: nowMs + timeoutsMs.connect,
    lateAtMs,
    expiresAtMs: nowMs + timeoutMs,
    hedgeAtMs: isProbe ? nowMs + HEDGE_PROBE_AFTER_MS : lateAtMs,
  };
};

/** Stands for more than one running attempt. */
const BOTH = {} as Attempt;

const wakeFor = (attempt: Attempt, nowMs: number): number => {
  let atMs = attempt.expiresAtMs;
  if (attempt.connectByMs > nowMs && attempt.wire.state !== 'sent') atMs = Math.min(atMs, attempt.connectByMs);
  if (!attempt.silent) atMs = Math.min(atMs, Math.max(attempt.lateAtMs, nowMs));
  return attempt.hedgeAtMs > nowMs ? Math.min(atMs, attempt.hedgeAtMs) : atMs;
};

/** Whether another attempt may start beside a running one, and whether the budget pays for it. */
const hedgeFor = (attempt: Attempt, { members, hedges }: Pool, nowMs: number): 'no' | 'free' | 'paid' => {
  const { role } = attempt;
  if (role === 'hedge') return 'no';
  const standing = members[attempt.target]?.health.breaker.standing;
  const isProbe = role === 'probe' || role === 'last-resort';
  if (!isProbe && (standing === 'suspect' || standing === 'cooling')) return 'free';
  if (nowMs < attempt.hedgeAtMs) return 'no';
  if (isProbe) return 'free';
  return mayTake(hedges) ? 'paid' : 'no';
};

/** Whether an untried target is ready for certain, so that choosing takes neither a probe's place nor the last resort. */
const hasReady = (course: Course, { members }: Pool, nowMs: number): boolean =>
  members.some(({ health }, i) => has(course.able, i) && !has(course.tried, i) && accessOf(health, nowMs) === 'ready');

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
