import type { AttemptRole } from './attempt.ts';
import { type Budget, type LastResorts, mayTryLastResort, takeLastResort } from './budget.ts';
import type { Course } from './course.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES } from './failure.ts';
import { type BreakerReason, shareOf } from './health/breaker.ts';
import { isTroubled } from './health/domain.ts';
import { accessOf, conditionOf, type TargetHealth } from './health/health.ts';
import { firstOf, has, MOST_TARGETS, type PickContext, type Picker } from './strategy.ts';

/** Targets that can stand in for one another, and the strategy that puts them in order. */
export interface Pool {
  readonly members: readonly Member[];
  readonly picker: Picker;
  readonly hedges: Budget;
  readonly lastResorts: LastResorts;
}

/** A target, as far as deciding needs to know it. */
export interface Member {
  readonly id: string;
  readonly health: TargetHealth;
  /** Tokens; undefined where nobody said. */
  readonly contextWindow: number | undefined;
  readonly timeoutsMs: TimeoutsMs;
  /** The model thinks before it speaks. */
  readonly reasoning: boolean;
}

export interface TimeoutsMs {
  readonly connect: number;
  /** Undefined: learned. */
  readonly firstContent: number | undefined;
  /** Undefined: by what the model does first, see pace.ts. */
  readonly answer: number | undefined;
  /** Undefined: learned. */
  readonly idle: number | undefined;
  readonly total: number;
}

export interface Choice {
  readonly target: number;
  readonly role: AttemptRole;
  /** Candidates that are left after this one. */
  readonly othersLeft: number;
  /** Not known to be well: another may soon start beside it. */
  readonly isDoubtful: boolean;
}

/**
 * The target to try next, or undefined when none may be tried now. In this order, and within each class in the
 * strategy's:
 *
 * 1. Ready targets. One that is ramping is ready for its share of requests. Targets that are due for a probe take part in
 *    the first pick of a request, where a failure costs least. After a vendor could not be reached, or is in trouble with
 *    several models, other vendors' targets go before its own.
 * 2. Suspects, targets due for a probe, and what the ramp held back.
 * 3. Where nothing else runs: targets that are being probed, since their time has passed and they may be back.
 * 4. Likewise: targets that should be left alone, the one that is due back soonest first. If one of them can answer, the
 *    caller gets the answer. Behind a budget, so that a total outage does not become a storm.
 */
export const choose = (
  pool: Pool,
  course: Course,
  nowMs: number,
  dice: Dice,
  nothingRuns: boolean,
): Choice | undefined => {
  const { members, lastResorts } = pool;
  const first = course.attempts.length === 0;
  let ready = 0;
  let elsewhere = 0;
  let second = 0;
  let due = 0;
  let probing = 0;
  let last = -1;
  let others = -1;
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (member === undefined || !isUntried(course, i, member)) continue;
    const access = accessOf(member.health, nowMs);
    if (access === 'closed') continue;
    others += 1;
    const bit = 1 << i;
    if (access === 'probing') probing |= bit;
    else if (access === 'last-resort') {
      if (last < 0 || backAtMs(pool, i, nowMs) < backAtMs(pool, last, nowMs)) last = i;
    } else {
      if (access === 'due') due |= bit;
      const share = access === 'ready' ? shareOf(member.health.breaker, nowMs) : 1;
      const isFirstClass = access === 'due' ? first : access === 'ready' && (share === 1 || dice() < share);
      if (!isFirstClass) second |= bit;
      else {
        ready |= bit;
        if (!isAvoided(course, member, pool, nowMs)) elsewhere |= bit;
      }
    }
  }
  const candidates = elsewhere || ready || second || (nothingRuns ? probing : 0);
  if (candidates !== 0) {
    const target = pick(pool, { candidates, request: course.request, nowMs, dice });
    const role = has(due, target) ? 'probe' : first ? 'first' : 'fallback';
    return { target, role, othersLeft: others, isDoubtful: role === 'probe' || !has(ready, target) };
  }
  if (!nothingRuns || last < 0 || !mayTryLastResort(lastResorts, nowMs)) return undefined;
  takeLastResort(lastResorts, nowMs);
  return { target: last, role: 'last-resort', othersLeft: others, isDoubtful: true };
};

/** Whether this request has already met a trouble at the member's vendor that its other models are likely to share. */
const isAvoided = ({ attempts }: Course, { health }: Member, { members }: Pool, nowMs: number): boolean =>
  attempts.some(({ target, outcome }) => {
    if (outcome?.type !== 'failed' || members[target]?.health.breaker.domain !== health.breaker.domain) return false;
    const { kind } = outcome.failure;
    if (kind === 'unreachable') return true;
    return FAILURE_RULES[kind].effect === 'strike' && isTroubled(health.breaker.domain, nowMs);
  });

/** A strategy of the user's own may throw, or name what is no candidate: then the pool's order serves. */
const pick = ({ picker }: Pool, context: PickContext): number => {
  const picked = pickOrNone(picker, context);
  // A shift wraps: -1 and NaN would name a bit.
  const isCandidate = picked >= 0 && picked < MOST_TARGETS && has(context.candidates, picked);
  return isCandidate ? picked : firstOf(context.candidates);
};

const pickOrNone = (picker: Picker, context: PickContext): number => {
  try {
    return picker.pick(context);
  } catch {
    return -1;
  }
};

/** Whether a target could take this request at all, and has not been asked. */
export const isUntried = (course: Course, index: number, { contextWindow }: Member): boolean =>
  has(course.able, index) &&
  !has(course.tried, index) &&
  (course.windowAbove === undefined || (contextWindow !== undefined && contextWindow > course.windowAbove));

const backAtMs = (pool: Pool, index: number, nowMs: number): number => {
  const member = pool.members[index];
  return (member && conditionOf(member.health, nowMs).untilMs) ?? nowMs;
};

/** Why a target was not tried, or undefined when it could have been. */
export const whyNot = (
  member: Member,
  nowMs: number,
): { reason: BreakerReason | 'probing'; untilMs: number } | undefined => {
  const { standing, reason, untilMs } = conditionOf(member.health, nowMs);
  if (standing === 'ready' || standing === 'ramping') return undefined;
  return { reason: standing === 'probing' ? 'probing' : (reason ?? 'probing'), untilMs: untilMs ?? nowMs };
};

/** When the first of the targets that are left alone may be used again. */
export const firstBackAtMs = (pool: Pool, nowMs: number): number | undefined => {
  let soonest: number | undefined;
  for (const member of pool.members) {
    const until = conditionOf(member.health, nowMs).untilMs;
    if (until !== undefined && (soonest === undefined || until < soonest)) soonest = until;
  }
  return soonest;
};
