import type { Attempt, Terms } from './attempt.ts';
import { isFailing, mayTake, take } from './budget.ts';
import type { Course } from './course.ts';
import { attemptTimeoutMs } from './deadline.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES, type Failure } from './failure.ts';
import { isSlow } from './health/breaker.ts';
import { patienceFor } from './health/pace.ts';
import { type Choice, choose, isUntried, type Member, type Pool, type Reach, releaseLargest } from './pool.ts';
import { type Rest, restFor } from './retry.ts';

/** What to do next with a request. */
export type Step =
  | ({ readonly type: 'start' } & Terms)
  /** Until one of the running attempts ends, at most until then. */
  | { readonly type: 'wait'; readonly untilMs: number }
  /** Nothing runs and nobody is left: another pass over the pool begins then. */
  | ({ readonly type: 'rest' } & Rest)
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
 * now: no step ever waits while anybody is left to try. Beside an attempt that is late one other may run, if the pool's
 * budget allows; without it at a ready target, when the late one's is in doubt: then it is a replacement.
 */
export const nextStep = (course: Course, pool: Pool, nowMs: number, dice: Dice): Step => {
  let running: Attempt | undefined;
  let runningCount = 0;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  for (const attempt of course.attempts) {
    const { outcome } = attempt;
    if (attempt.aside) continue;
    if (outcome?.type === 'answered') return { type: 'answer', attempt };
    if (outcome !== undefined) {
      const { next } = FAILURE_RULES[outcome.failure.kind];
      if (next === 'return') return { type: 'give-up', because: { type: 'returned', failure: outcome.failure } };
      // `stop` is for whoever drives: its caller has left, or has seen the content of another attempt begin.
      continue;
    }
    wakeAtMs = Math.min(wakeAtMs, wakeFor(attempt, nowMs));
    running = attempt;
    runningCount += 1;
  }
  // Two at once are enough.
  if (runningCount > 1) return { type: 'wait', untilMs: wakeAtMs };
  const hedge = running === undefined ? 'none' : hedgeFor(running, pool, nowMs);
  // Traffic may have paid for it a second from now.
  if (hedge === 'unpaid') wakeAtMs = Math.min(wakeAtMs, nowMs + 1_000);
  const wait: Step = { type: 'wait', untilMs: wakeAtMs };
  if (running !== undefined && (hedge === 'none' || hedge === 'unpaid')) return wait;

  const remainingMs = course.deadlineAtMs - nowMs;
  if (remainingMs <= 0) return running === undefined ? { type: 'give-up', because: { type: 'deadline' } } : wait;
  const reach = reachFor(hedge, pool);
  let choice = choose(pool, course, nowMs, dice, reach);
  while (choice === undefined && running === undefined && releaseLargest(course, pool)) {
    choice = choose(pool, course, nowMs, dice, reach);
  }
  if (choice === undefined) {
    // A second from now somebody may be due.
    if (running !== undefined) return { type: 'wait', untilMs: Math.min(wakeAtMs, nowMs + 1_000) };
    const because = exhausted(course, pool);
    const rest = because.type === 'exhausted' ? restFor(course, pool, nowMs, dice) : undefined;
    return rest === undefined ? { type: 'give-up', because } : { type: 'rest', ...rest };
  }
  // Beside a target in doubt a ready one is a replacement; another in doubt is one attempt more.
  if (hedge === 'paid' || (hedge === 'free' && choice.isDoubtful)) take(pool.hedges);
  return { type: 'start', ...termsFor(choice, course, pool, nowMs, running === undefined) };
};

/** What is laid down for the attempt that was chosen: `alone`, or beside another one. */
export const termsFor = (choice: Choice, course: Course, pool: Pool, nowMs: number, alone: boolean): Terms => {
  const { target, role, othersLeft, isDoubtful } = choice;
  const { health, timeoutsMs, reasoning, plainOnly } = pool.members[target] as Member;
  const { size } = course;
  const streaming = course.streaming && plainOnly !== true;
  const load = { size, streaming, reasoning: course.reasoning || reasoning };
  const setMs = streaming ? timeoutsMs.firstContent : timeoutsMs.answer;
  const { silentMs, softMs, hardMs } = patienceFor(health.pace, load, setMs, nowMs, isSlow(health.breaker));
  const remainingMs = course.deadlineAtMs - nowMs;
  // Whoever comes last gets all the time there is, unless its user has set another.
  const isLast = othersLeft === 0 && setMs === undefined;
  // Where nobody may start beside it, a target in doubt has to make way when it is late.
  const longestMs = isDoubtful && !pool.hedging && othersLeft > 0 ? softMs : hardMs;
  const timeoutMs = isLast ? remainingMs : attemptTimeoutMs(longestMs, remainingMs, othersLeft);
  return {
    target,
    // What was sent to learn something keeps its role, and so its place, also beside another attempt.
    role: alone || role === 'probe' || role === 'last-resort' ? role : 'hedge',
    connectByMs: nowMs + timeoutsMs.connect,
    silentAtMs: nowMs + silentMs,
    lateAtMs: nowMs + softMs,
    expiresAtMs: nowMs + timeoutMs,
    cutShort: timeoutMs < longestMs,
    hedgeAtMs: nowMs + (isDoubtful ? HEDGE_DOUBTFUL_AFTER_MS : softMs),
  };
};

/** Whether another attempt may start beside a running one, and what it costs the budget. */
type Hedge = 'none' | 'unpaid' | 'free' | 'paid';

/** How far to go for the next attempt: for a second one beside another, only as far as the budget pays for it. */
const reachFor = (hedge: Hedge, { hedges, failureRate }: Pool): Reach => {
  if (hedge === 'none') return 'anybody';
  if (hedge === 'paid') return 'doubtful';
  return mayTake(hedges) && !isFailing(failureRate) ? 'anybody' : 'ready';
};

/** When a running attempt has to be looked at again, should nothing happen before. */
const wakeFor = (attempt: Attempt, nowMs: number): number => {
  if (attempt.content !== undefined) {
    const { atMs, idleMs, wholeByMs } = attempt.content;
    return Math.min(atMs + idleMs, wholeByMs);
  }
  let atMs = attempt.expiresAtMs;
  if (attempt.connectByMs > nowMs && attempt.wire.state !== 'sent') atMs = Math.min(atMs, attempt.connectByMs);
  if (!attempt.silent) atMs = Math.min(atMs, Math.max(attempt.silentAtMs, nowMs));
  else if (!attempt.late) atMs = Math.min(atMs, Math.max(attempt.lateAtMs, nowMs));
  return attempt.hedgeAtMs > nowMs ? Math.min(atMs, attempt.hedgeAtMs) : atMs;
};

/** A late attempt may get company, and sooner one whose target is in doubt. */
const hedgeFor = (attempt: Attempt, pool: Pool, nowMs: number): Hedge => {
  const { members, hedges, hedging, failureRate } = pool;
  if (!hedging || attempt.content !== undefined || nowMs < attempt.hedgeAtMs) return 'none';
  const standing = members[attempt.target]?.health.breaker.standing;
  if (standing === 'suspect' || standing === 'cooling' || standing === 'probing') return 'free';
  return mayTake(hedges) && !isFailing(failureRate) ? 'paid' : 'unpaid';
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
