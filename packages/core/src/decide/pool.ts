import type { AttemptRole } from './attempt.ts';
import type { Course } from './course.ts';
import type { Dice } from './dice.ts';
import type { FailureKind } from './failure.ts';
import { accessOf, conditionOf, type TargetHealth } from './health/health.ts';
import { firstOf, has, MOST_TARGETS, type PickContext, type Picker } from './strategy.ts';

/** Targets that can stand in for one another, and the strategy that puts them in order. */
export interface Pool {
  readonly members: readonly Member[];
  readonly picker: Picker;
}

/** A target, as far as deciding needs to know it. */
export interface Member {
  readonly id: string;
  readonly health: TargetHealth;
  /** Tokens; undefined where nobody said. */
  readonly contextWindow: number | undefined;
  readonly timeoutsMs: TimeoutsMs;
}

export interface TimeoutsMs {
  readonly connect: number;
  readonly firstContent: number;
  readonly answer: number;
  readonly idle: number;
  readonly total: number;
}

export interface Choice {
  readonly target: number;
  readonly role: AttemptRole;
  /** Candidates that are left after this one. */
  readonly othersLeft: number;
}

/**
 * The target to try next, or undefined when none may be tried now.
 *
 * Ready targets come first, in the strategy's order. A target that is due for a probe takes part in the first pick of a
 * request, where a failure costs least, and else comes after the ready ones. Targets that should be left alone follow
 * last, the one that is due back soonest first: if one of them can answer, the caller gets the answer.
 */
export const choose = (pool: Pool, course: Course, nowMs: number, dice: Dice): Choice | undefined => {
  let ready = 0;
  let due = 0;
  let lastResort = -1;
  let others = -1;
  for (let i = 0; i < pool.members.length; i++) {
    const member = pool.members[i];
    if (member === undefined || !isUntried(course, i, member)) continue;
    const access = accessOf(member.health, nowMs);
    if (access === 'closed') continue;
    others += 1;
    if (access === 'ready') ready |= 1 << i;
    else if (access === 'due') due |= 1 << i;
    else if (lastResort < 0 || backAtMs(pool, i, nowMs) < backAtMs(pool, lastResort, nowMs)) lastResort = i;
  }
  const first = course.attempts.length === 0;
  const candidates = first || ready === 0 ? ready | due : ready;
  if (candidates !== 0) {
    const target = pick(pool, { candidates, request: course.request, nowMs, dice });
    if (target >= 0)
      return { target, role: has(due, target) ? 'probe' : first ? 'first' : 'fallback', othersLeft: others };
  }
  return lastResort < 0 ? undefined : { target: lastResort, role: 'last-resort', othersLeft: others };
};

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

const isUntried = (course: Course, index: number, { contextWindow }: Member): boolean =>
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
): { reason: FailureKind | 'probing'; untilMs: number } | undefined => {
  const { standing, reason, untilMs } = conditionOf(member.health, nowMs);
  if (standing === 'ready') return undefined;
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
