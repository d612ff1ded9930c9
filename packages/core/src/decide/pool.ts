import { type Affinity, savingOf } from './affinity.ts';
import type { AttemptRole } from './attempt.ts';
import { type Budget, type FailureRate, type LastResorts, mayTryLastResort, takeLastResort } from './budget.ts';
import type { Course } from './course.ts';
import type { Dice } from './dice.ts';
import { FAILURE_RULES } from './failure.ts';
import type { Habits } from './habits.ts';
import { headroomFor, type Need } from './health/allowance.ts';
import { type BreakerReason, shareOf } from './health/breaker.ts';
import { isFull } from './health/concurrency.ts';
import { isTroubled } from './health/domain.ts';
import { accessOf, conditionOf, probedAtMs, type TargetHealth } from './health/health.ts';
import { windowOf } from './health/learned-window.ts';
import { tokensOf } from './health/observe.ts';
import { type Load, usualFor } from './health/pace.ts';
import { failureShareOf } from './health/window.ts';
import type { TargetPrice } from './price.ts';
import type { RetryPolicy } from './retry.ts';
import { newObservation, newPickContext, type Writable } from './scratch.ts';
import { isSpent, leftAgainAtMs, type Spending, type SpentReason, spentReason } from './spending.ts';
import { has, type Observation, type PickContext, type Picker, pickFrom } from './strategy.ts';
import { inputTokensOf, mostOutputTokens } from './tokens.ts';

/** Targets that can stand in for one another, and the strategy that puts them in order. */
export interface Pool {
  readonly members: readonly Member[];
  readonly picker: Picker;
  /** Whether two attempts of one request may run at once. */
  readonly hedging: boolean;
  readonly hedges: Budget;
  readonly failureRate: FailureRate;
  readonly lastResorts: LastResorts;
  readonly retry: RetryPolicy;
  /** Where the route has one. */
  readonly affinity?: Affinity | undefined;
  /** Of the whole route. */
  readonly spending: Spending;
  /** How long its answers are, for what is set aside for an attempt. */
  readonly habits: Habits;
  readonly scratch: Scratch;
}

/**
 * What each pick fills anew, so that none allocates: the choice holds until the pool's next, the context and the
 * observation for the call.
 */
interface Scratch {
  readonly context: Writable<PickContext>;
  readonly observation: Writable<Observation>;
  readonly choice: Writable<Choice>;
}

export const newScratch = (): Scratch => ({
  context: newPickContext(),
  observation: newObservation(),
  choice: { target: -1, role: 'first', othersLeft: 0, isDoubtful: false },
});

/** A target, as far as deciding needs to know it. */
export interface Member {
  readonly id: string;
  readonly health: TargetHealth;
  /** Tokens; undefined where its user has not said. */
  readonly contextWindow: number | undefined;
  /** It answers in one piece, also where its route streams upstream. */
  readonly plainOnly?: boolean;
  readonly timeoutsMs: TimeoutsMs;
  /** The model thinks before it speaks. */
  readonly reasoning: boolean;
  /** Undefined: unknown. */
  readonly price: TargetPrice | undefined;
  readonly spending: Spending;
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

/** How far to go for a target: only to ready ones, to those in doubt, or to those that should be left alone as well. */
export type Reach = 'ready' | 'doubtful' | 'anybody';

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
 * 1. Ready targets; of them first the one that has the request's prompt in its cache, if that is worth it. One that is ramping, or near its rate limit, is ready for a share of requests. Targets that are due for a probe take part in
 *    the first pick of a request, where a failure costs least. After a vendor could not be reached, or is in trouble with
 *    several models, other vendors' targets go before its own.
 * 2. Suspects, targets due for a probe, targets that are full, and those that the first class held back.
 * 3. Where the reach is `anybody`: targets whose probe has just begun, since their time has passed and they may be back.
 * 4. Likewise: targets that should be left alone, the one that is due back soonest first. If one of them can answer, the
 *    caller gets the answer. Behind a budget, so that a total outage does not become a storm.
 */
export const choose = (pool: Pool, course: Course, nowMs: number, dice: Dice, reach: Reach): Choice | undefined => {
  const { members, lastResorts } = pool;
  const first = course.attempts.length === 0;
  const tokens = tokensOf(course.need);
  let ready = 0;
  let elsewhere = 0;
  let second = 0;
  let due = 0;
  let suspect = 0;
  let probing = 0;
  let last = -1;
  let lastUntilMs = Number.POSITIVE_INFINITY;
  let others = -1;
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    // A cap is its user's order: a target that has spent its budget is not even a last resort.
    if (member === undefined || !isUntried(course, i, member) || isSpent(member.spending, nowMs)) continue;
    const access = accessOf(member.health, tokens, nowMs);
    if (access === 'closed') continue;
    others += 1;
    const bit = 1 << i;
    if (access === 'probing' && isJoinable(member, nowMs)) probing |= bit;
    else if (access === 'probing' || access === 'last-resort') {
      // A gate that is still closed was seen above; one that is due or on trial is back already.
      const untilMs = access === 'probing' ? nowMs : member.health.breaker.untilMs;
      if (untilMs < lastUntilMs) {
        last = i;
        lastUntilMs = untilMs;
      }
    } else {
      if (access === 'due') due |= bit;
      else if (access === 'suspect') suspect |= bit;
      const isFirstClass = access === 'due' ? first : access === 'ready' && isInShare(course, member, nowMs, dice);
      if (!isFirstClass) second |= bit;
      else {
        ready |= bit;
        if (!isAvoided(course, member, pool, nowMs)) elsewhere |= bit;
      }
    }
  }
  const candidates = elsewhere || ready || (reach === 'ready' ? 0 : second) || (reach === 'anybody' ? probing : 0);
  if (candidates !== 0) {
    fill(pool, candidates, course, nowMs, dice);
    const home = first ? homeIn(pool, course, candidates & ready & ~due, nowMs) : -1;
    const target = home < 0 ? pickFrom(pool.picker, pool.scratch.context) : home;
    const role = has(due, target) ? 'probe' : first ? 'first' : 'fallback';
    return chosen(pool, target, role, others, has(due | suspect | probing, target));
  }
  if (reach !== 'anybody' || last < 0 || !mayTryLastResort(lastResorts, nowMs)) return undefined;
  takeLastResort(lastResorts, nowMs);
  return chosen(pool, last, 'last-resort', others, true);
};

const chosen = (
  { scratch: { choice } }: Pool,
  target: number,
  role: AttemptRole,
  othersLeft: number,
  isDoubtful: boolean,
): Choice => {
  choice.target = target;
  choice.role = role;
  choice.othersLeft = othersLeft;
  choice.isDoubtful = isDoubtful;
  return choice;
};

/** A probe that has been silent for longer is likely to fail, and whoever joined it would share its fate. */
const JOINED_FOR_MS = 2_000;

/** One that was left alone for being slow does answer, if late. */
const isJoinable = ({ health }: Member, nowMs: number): boolean =>
  health.breaker.reason === 'slow' || nowMs - probedAtMs(health) < JOINED_FOR_MS;

/** Whether a ready target takes this request: always, but for one that is ramping or runs out of its rate limit. */
const isInShare = ({ need }: Course, { health }: Member, nowMs: number, dice: Dice): boolean => {
  const share = shareOf(health.breaker, nowMs) * headroomFor(health.allowance, need, nowMs);
  return share >= 1 || (share > 0 && dice() < share);
};

/** Whether this request has met a trouble at the member's vendor, or meets one, that its other models are likely to share. */
const isAvoided = ({ attempts }: Course, { health }: Member, { members }: Pool, nowMs: number): boolean => {
  const { domain } = health.breaker;
  // No `some`: its callback would be an object for each target of each pick.
  for (const { target, outcome } of attempts) {
    if (members[target]?.health.breaker.domain !== domain) continue;
    // It is late: what it waits for may be what they have in common.
    if (outcome === undefined) return true;
    if (outcome.type !== 'failed') continue;
    const { kind } = outcome.failure;
    if (kind === 'unreachable') return true;
    if (FAILURE_RULES[kind].effect === 'strike' && isTroubled(domain, nowMs)) return true;
  }
  return false;
};

/** Savings of less than a twentieth are no reason against the strategy's own choice. */
const LEAST_SAVING = 0.05;

/**
 * The target that has read most of this prompt, as long as its cache saves more than its state costs; else -1. Both are parts of
 * a whole: of the prompt's price that the cache saves, and of its attempts that fail lately. Where the strategy would rather
 * have another target, and not just since it is that one's turn, what it is dearer and slower than that one counts too.
 */
const homeIn = ({ members, picker, affinity, scratch }: Pool, course: Course, ready: number, nowMs: number): number => {
  const { conversation, need } = course;
  if (conversation?.home === undefined || affinity === undefined || !has(ready, conversation.home.target)) return -1;
  const { home } = conversation;
  const member = members[home.target] as Member;
  let penalty = LEAST_SAVING + failureShareOf(member.health.breaker.window, nowMs);
  if (picker.takesTurns !== true) {
    const preferred = pickFrom(picker.copy?.() ?? picker, scratch.context);
    if (preferred !== home.target) penalty += lossOf(member, members[preferred] as Member, course);
  }
  if (savingOf(affinity, home, member.price, inputTokensOf(need)) <= penalty) return -1;
  conversation.stayedAt = home.target;
  return home.target;
};

/** The parts of a request's price, and of its time, that another target would spare it. */
const lossOf = (member: Member, other: Member, { size, streaming, reasoning }: Course): number => {
  const loadOf = ({ plainOnly, ...at }: Member): Load => ({
    size,
    streaming: streaming && plainOnly !== true,
    reasoning: reasoning || at.reasoning,
  });
  const medianOf = (at: Member): number | undefined => usualFor(at.health.pace, loadOf(at))?.p50Ms;
  return (
    sparedOf(member.price?.inputUsdPerMTok, other.price?.inputUsdPerMTok) + sparedOf(medianOf(member), medianOf(other))
  );
};

/** Nothing where one of them is unknown. */
const sparedOf = (here: number | undefined, there: number | undefined): number =>
  here === undefined || there === undefined || there >= here ? 0 : 1 - there / here;

/** What the strategy is told of a request. */
const fill = ({ scratch: { context } }: Pool, candidates: number, course: Course, nowMs: number, dice: Dice): void => {
  context.candidates = candidates;
  context.able = course.able;
  context.order = course.order;
  context.request = course.request;
  context.attempt = course.attempts.length;
  context.streaming = course.streaming;
  context.inputTokens = inputTokensOf(course.need);
  context.maxOutputTokens = mostOutputTokens(course.request);
  context.subject = course.subject;
  context.task = course.task;
  context.nowMs = nowMs;
  context.dice = dice;
};

/** Whether a target could take this request at all, and has not been asked. */
export const isUntried = (course: Course, index: number, member: Member): boolean =>
  has(course.able & ~(course.tooSmall & ~course.released), index) &&
  !has(course.tried, index) &&
  isAbove(course.windowAbove, member);

/** After a prompt was too long for one window, whether a target's is known to be larger. */
export const isAbove = (windowAbove: number | undefined, { contextWindow, health }: Member): boolean => {
  if (windowAbove === undefined) return true;
  const window = windowOf(contextWindow, health.window);
  return window !== undefined && window > windowAbove;
};

/**
 * Nobody is left whose window looks large enough. Since that was an estimate, the largest of those that were held back for
 * it get their turn; false when there are none.
 */
export const releaseLargest = (course: Course, { members }: Pool): boolean => {
  let largest = -1;
  let targets = 0;
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (member === undefined || !has(course.tooSmall & ~course.released & ~course.tried, i)) continue;
    if (!isAbove(course.windowAbove, member)) continue;
    // One that has only refused some prompt may have any window.
    const window = windowOf(member.contextWindow, member.health.window) ?? Number.POSITIVE_INFINITY;
    if (window < largest) continue;
    targets = window === largest ? targets | (1 << i) : 1 << i;
    largest = window;
  }
  course.released |= targets;
  return targets !== 0;
};

/** Why a target was not tried, or undefined when it could have been. */
export const whyNot = ({ health, spending }: Member, need: Need, nowMs: number): SkipReason | undefined => {
  if (spending.cap !== undefined && isSpent(spending, nowMs)) return spentReason(spending.cap);
  const { standing, reason } = conditionOf(health, nowMs, tokensOf(need));
  if (standing === 'probing') return 'probing';
  if (standing === 'cooling' || standing === 'suspect') return reason ?? 'probing';
  if (isFull(health.concurrency, nowMs)) return 'full';
  return headroomFor(health.allowance, need, nowMs) === 0 ? 'rate limit used up' : undefined;
};

/** A kind of failure, or what else keeps a target from being asked. */
export type SkipReason = BreakerReason | 'probing' | 'full' | 'rate limit used up' | SpentReason;

/** When the first of the targets that are left alone may be used again. */
export const firstBackAtMs = (pool: Pool, nowMs: number): number | undefined => {
  let soonest: number | undefined;
  for (const member of pool.members) {
    const until = isSpent(member.spending, nowMs)
      ? leftAgainAtMs(member.spending, nowMs)
      : conditionOf(member.health, nowMs).untilMs;
    if (until !== undefined && (soonest === undefined || until < soonest)) soonest = until;
  }
  return soonest;
};
