import type { Attempt, AttemptRole } from './attempt.ts';
import { mayTake, take } from './budget.ts';
import type { Course } from './course.ts';
import { attemptTimeoutMs } from './deadline.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES, type Failure } from './failure.ts';
import { patienceFor } from './health/pace.ts';
import { choose, isUntried, type Pool } from './pool.ts';

/** What to do next with a request. */
export type Step =
  | {
      readonly type: 'start';
      readonly target: number;
      readonly role: AttemptRole;
      readonly connectByMs: number;
      readonly lateAtMs: number;
      readonly expiresAtMs: number;
      readonly cutShort: boolean;
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

/** A target in doubt that has not answered by then is no reason to let a caller wait: another starts beside it. */
const HEDGE_DOUBTFUL_AFTER_MS = 1_000;

/**
 * Decides the next step of a request from what was tried so far and the time. After a failure the next attempt starts
 * now: no step ever waits while nothing runs. Beside an attempt that is late one other may run, if the pool's budget
 * allows, or without it when the late one's target is in doubt itself: then it is a replacement.
 */
export const nextStep = (course: Course, pool: Pool, nowMs: number, dice: Dice): Step => {
  let running: Attempt | undefined;
  let runningCount = 0;
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
    running = attempt;
    runningCount += 1;
  }
  // Two at once are enough.
  if (runningCount > 1) return { type: 'wait', untilMs: wakeAtMs };
  const hedge = running === undefined ? 'no' : hedgeFor(running, pool, nowMs);
  // Late, and no budget: traffic may have paid for it a second from now.
  if (running !== undefined && hedge === 'no' && nowMs >= running.hedgeAtMs)
    wakeAtMs = Math.min(wakeAtMs, nowMs + 1_000);
  const wait: Step = { type: 'wait', untilMs: wakeAtMs };
  if (running !== undefined && hedge === 'no') return wait;

  const remainingMs = course.deadlineAtMs - nowMs;
  if (remainingMs <= 0) return running === undefined ? { type: 'give-up', because: { type: 'deadline' } } : wait;
  const choice = choose(pool, course, nowMs, dice, running === undefined);
  const member = choice && pool.members[choice.target];
  if (choice === undefined || member === undefined) {
    return running === undefined ? { type: 'give-up', because: exhausted(course, pool) } : wait;
  }
  if (hedge === 'paid') take(pool.hedges);

  const { timeoutsMs } = member;
  const { streaming, size } = course;
  const load = { size, streaming, reasoning: course.reasoning || member.reasoning };
  const setMs = streaming ? timeoutsMs.firstContent : timeoutsMs.answer;
  const patience = patienceFor(member.health.pace, load, setMs, nowMs);
  // Whoever comes last gets all the time there is, unless its user has set another.
  const isLast = choice.othersLeft === 0 && running === undefined && setMs === undefined;
  const timeoutMs = isLast ? remainingMs : attemptTimeoutMs(patience.hardMs, remainingMs, choice.othersLeft);
  const lateAtMs = nowMs + patience.softMs;
  return {
    type: 'start',
    target: choice.target,
    // A probe keeps its role, and so its place, also beside another attempt.
    role: running === undefined || choice.role === 'probe' ? choice.role : 'hedge',
    connectByMs: nowMs + timeoutsMs.connect,
    lateAtMs,
    expiresAtMs: nowMs + timeoutMs,
    cutShort: timeoutMs < patience.hardMs,
    hedgeAtMs: choice.isDoubtful ? nowMs + HEDGE_DOUBTFUL_AFTER_MS : lateAtMs,
  };
};

/** When a running attempt has to be looked at again, should nothing happen before. */
const wakeFor = (attempt: Attempt, nowMs: number): number => {
  let atMs = attempt.expiresAtMs;
  if (attempt.connectByMs > nowMs && attempt.wire.state !== 'sent') atMs = Math.min(atMs, attempt.connectByMs);
  if (!attempt.silent) atMs = Math.min(atMs, Math.max(attempt.lateAtMs, nowMs));
  return attempt.hedgeAtMs > nowMs ? Math.min(atMs, attempt.hedgeAtMs) : atMs;
};

/** Whether another attempt may start beside a running one, and whether the budget pays for it. */
const hedgeFor = (attempt: Attempt, { members, hedges }: Pool, nowMs: number): 'no' | 'free' | 'paid' => {
  const standing = members[attempt.target]?.health.breaker.standing;
  const isDoubtful = standing === 'suspect' || standing === 'cooling' || standing === 'probing';
  if (isDoubtful && nowMs >= attempt.startedAtMs + HEDGE_DOUBTFUL_AFTER_MS) return 'free';
  if (nowMs < attempt.hedgeAtMs) return 'no';
  return mayTake(hedges) ? 'paid' : 'no';
};

/**
 * When every target has refused this very request, its caller has to hear why; another try would not help. One that is
 * only left alone for now might still take it.
 */
const exhausted = (course: Course, { members }: Pool): GiveUp => {
  if (members.some((member, i) => isUntried(course, i, member))) return { type: 'exhausted' };
  let last: Failure | undefined;
  for (const { outcome } of course.attempts) {
    if (outcome?.type !== 'failed' || FAILURE_RULES[outcome.failure.kind].chargedTo !== 'request') {
      return { type: 'exhausted' };
    }
    last = outcome.failure;
  }
  return last === undefined ? { type: 'exhausted' } : { type: 'returned', failure: last };
};
