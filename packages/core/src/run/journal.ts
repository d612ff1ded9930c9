import { settle as keep, leave } from '../decide/affinity.ts';
import type { Attempt } from '../decide/attempt.ts';
import { earnLastResorts, noteOutcome } from '../decide/budget.ts';
import { costOfAttempt } from '../decide/cost.ts';
import type { Course } from '../decide/course.ts';
import { FAILURE_RULES, type Failure } from '../decide/failure.ts';
import { billedPerEstimated, expectedUsd, learnUsage, outputTokensOf, promptSizeOf } from '../decide/habits.ts';
import { closedGateOf, conditionOf } from '../decide/health/health.ts';
import {
  type Ask,
  type HealthChange,
  observeComplete,
  observeContent,
  observeEnd,
  observeFailure,
  observeLateness,
  observeLoss,
  observeSilence,
  observeStart,
} from '../decide/health/observe.ts';
import { addSample } from '../decide/health/quantiles.ts';
import type { Member, Pool } from '../decide/pool.ts';
import { reserve, settle } from '../decide/spending.ts';
import type { Observation } from '../decide/strategy.ts';
import { inputTokensOf, mostOutputTokens } from '../decide/tokens.ts';
import type { AttemptReport } from '../errors.ts';
import type { RouterEvent } from '../events.ts';
import type { Peers } from './peers.ts';
import type { System } from './system.ts';

/** Hears what becomes of the attempts of one request: folds it into health, tells the strategy, and reports it. */
export class Journal {
  readonly #pool: Pool;
  readonly #route: string;
  readonly #requestId: string;
  readonly #system: System;
  readonly #course: Course;
  readonly #emit: (event: RouterEvent) => void;
  readonly #peers: Peers | undefined;
  /** By attempt: what was left out of the request for it. */
  readonly #droppedFor: (target: number) => readonly string[];

  constructor(
    pool: Pool,
    names: { readonly route: string; readonly requestId: string },
    course: Course,
    system: System,
    emit: (event: RouterEvent) => void,
    droppedFor: (target: number) => readonly string[],
    peers: Peers | undefined,
  ) {
    this.#pool = pool;
    this.#route = names.route;
    this.#requestId = names.requestId;
    this.#course = course;
    this.#system = system;
    this.#emit = emit;
    this.#droppedFor = droppedFor;
    this.#peers = peers;
  }

  started(attempt: Attempt): void {
    const { id, health } = this.#member(attempt.target);
    observeStart(health, attempt, this.#askOf(attempt));
    this.#peers?.note(health, attempt.expiresAtMs);
    this.#reserve(attempt);
    this.#tell('started', attempt, attempt.startedAtMs);
    const names = this.#names('attempt-started', attempt.startedAtMs);
    this.#emit({ ...names, target: id, role: attempt.role, ...this.#affinityOf(attempt) });
  }

  /** The first content of a plain answer that is streamed upstream. */
  content(attempt: Attempt): void {
    const { health } = this.#member(attempt.target);
    const nowMs = this.#system.nowMs();
    attempt.contentAtMs = nowMs;
    this.#tell('content', attempt, nowMs);
    this.#changed(attempt, observeContent(health, attempt, this.#askOf(attempt), nowMs, this.#system.dice), nowMs);
  }

  /** The answer is there, or the first content of a stream; or the failure. */
  ended(attempt: Attempt): void {
    const { outcome, endedAtMs = this.#system.nowMs() } = attempt;
    if (outcome === undefined) return;
    if (outcome.type === 'failed' || attempt.finished) this.#settle(attempt);
    this.#emit({ ...this.#names('attempt-ended', endedAtMs), attempt: this.report(attempt) });
    if (outcome.type === 'failed') {
      this.#failed(attempt, outcome.failure, endedAtMs);
      this.over(attempt);
      return;
    }
    noteOutcome(this.#pool.failureRate, false);
    if (attempt.role === 'last-resort') earnLastResorts(this.#pool.lastResorts);
    if (attempt.content === undefined) this.content(attempt);
  }

  /** Nothing more comes of an attempt, and nobody listens any more; may be said twice. */
  over(attempt: Attempt): void {
    this.#settle(attempt);
    if (attempt.underWay) this.#tellEnd(attempt);
    const { health } = this.#member(attempt.target);
    observeEnd(health, attempt, this.#system.nowMs(), this.#system.dice);
    this.#peers?.note(health, attempt.expiresAtMs);
  }

  /** An attempt has fallen silent. */
  silent(attempt: Attempt): void {
    const { health } = this.#member(attempt.target);
    const nowMs = this.#system.nowMs();
    this.#tell('silent', attempt, nowMs);
    this.#changed(attempt, observeSilence(health, attempt, nowMs, this.#system.dice), nowMs);
  }

  /** An attempt is late. */
  late(attempt: Attempt): void {
    const { health } = this.#member(attempt.target);
    const nowMs = this.#system.nowMs();
    this.#tell('silent', attempt, nowMs);
    this.#changed(attempt, observeLateness(health, attempt, nowMs, this.#system.dice), nowMs);
  }

  /** An attempt gives way to another that has answered. */
  lost(attempt: Attempt): void {
    observeLoss(this.#member(attempt.target).health, attempt, this.#askOf(attempt), this.#system.nowMs());
  }

  /** Two events of a stream came so long after one another. */
  paused(attempt: Attempt, gapMs: number): void {
    addSample(this.#member(attempt.target).health.pace.gap, gapMs, this.#system.nowMs());
  }

  /** The whole answer is there. */
  completed(attempt: Attempt): void {
    attempt.finished = true;
    const { health } = this.#member(attempt.target);
    const nowMs = this.#system.nowMs();
    this.#changed(attempt, observeComplete(health, attempt, nowMs, this.#system.dice), nowMs);
    const { conversation, need } = this.#course;
    const { affinity } = this.#pool;
    if (affinity !== undefined && conversation !== undefined)
      keep(affinity, conversation, attempt.target, inputTokensOf(need), attempt.usage, nowMs);
    this.over(attempt);
  }

  /** The answer broke off after its first content. */
  brokeOff(attempt: Attempt, failure: Failure): void {
    const nowMs = this.#system.nowMs();
    attempt.outcome = { type: 'failed', failure };
    this.#settle(attempt);
    this.#emit({ ...this.#names('attempt-ended', nowMs), attempt: this.report(attempt) });
    this.#failed(attempt, failure, nowMs);
    this.over(attempt);
  }

  report(attempt: Attempt): AttemptReport {
    const { outcome, startedAtMs, endedAtMs = this.#system.nowMs() } = attempt;
    const failure = outcome?.type === 'failed' ? outcome.failure : undefined;
    const dropped = this.#droppedFor(attempt.target);
    return {
      target: this.#member(attempt.target).id,
      role: attempt.role,
      ...this.#affinityOf(attempt),
      outcome: outcome === undefined ? 'pending' : (failure?.kind ?? 'answered'),
      ...(failure?.status !== undefined && { status: failure.status }),
      ...(failure !== undefined && { message: failure.message }),
      tookMs: endedAtMs - startedAtMs,
      ...attempt.cost,
      ...(dropped.length > 0 && { dropped }),
    };
  }

  /** Sets aside what an attempt is expected to cost. */
  #reserve(attempt: Attempt): void {
    const { target, startedAtMs: nowMs } = attempt;
    const { price, spending } = this.#member(target);
    if (price === undefined) return;
    const { habits } = this.#pool;
    const usual = outputTokensOf(habits, target, nowMs);
    const outputTokens = Math.min(usual, mostOutputTokens(this.#course.request) ?? usual);
    const usd = expectedUsd(habits, target, price, inputTokensOf(this.#course.need), outputTokens, nowMs);
    attempt.reservedUsd = usd;
    reserve(spending, usd);
    reserve(this.#pool.spending, usd);
  }

  /** Writes down what an attempt has cost, in the place of what was set aside for it; nothing happens when it is said twice. */
  #settle(attempt: Attempt): void {
    const { target, usage, reservedUsd } = attempt;
    if (!attempt.underWay || attempt.cost !== undefined) return;
    const { habits } = this.#pool;
    const inputTokens = inputTokensOf(this.#course.need);
    const nowMs = this.#system.nowMs();
    if (attempt.finished && usage !== undefined) learnUsage(habits, target, inputTokens, usage, nowMs);
    const { price, spending } = this.#member(target);
    if (price === undefined || reservedUsd === undefined) return;
    attempt.cost = costOfAttempt(
      attempt,
      price,
      inputTokens * billedPerEstimated(habits, target, promptSizeOf(inputTokens), nowMs),
    );
    settle(spending, reservedUsd, attempt.cost.usd, nowMs);
    settle(this.#pool.spending, reservedUsd, attempt.cost.usd, nowMs);
  }

  #failed(attempt: Attempt, failure: Failure, nowMs: number): void {
    const { health } = this.#member(attempt.target);
    const { affinity } = this.#pool;
    const { conversation } = this.#course;
    const isOurs = failure.kind === 'aborted' || isCallersOwn(failure);
    if (affinity !== undefined && conversation !== undefined && !isOurs) leave(affinity, conversation, attempt.target);
    if (isVendorsFault(failure)) noteOutcome(this.#pool.failureRate, true);
    const ask = this.#askOf(attempt);
    this.#changed(attempt, observeFailure(health, attempt, failure, ask, nowMs, this.#system.dice), nowMs);
  }

  #affinityOf(attempt: Attempt): { readonly affinity?: true } {
    const { attempts, conversation } = this.#course;
    return attempt === attempts[0] && conversation?.stayedAt === attempt.target ? { affinity: true } : {};
  }

  #tellEnd(attempt: Attempt): void {
    const { outcome, finished } = attempt;
    const failure = outcome?.type === 'failed' ? outcome.failure : undefined;
    const type = failure === undefined ? (finished ? 'completed' : 'cancelled') : endOf(failure);
    this.#tell(type, attempt, this.#system.nowMs(), type === 'failed' ? failure : undefined);
  }

  #tell(type: Observation['type'], attempt: Attempt, nowMs: number, failure?: Failure): void {
    const { picker, scratch } = this.#pool;
    if (picker.observe === undefined) return;
    const { observation } = scratch;
    const { request, streaming, need, subject, task } = this.#course;
    const { target, role, startedAtMs, contentAtMs, readMs, usage } = attempt;
    observation.type = type;
    observation.target = target;
    observation.role = role;
    observation.nowMs = nowMs;
    observation.ageMs = nowMs - startedAtMs;
    observation.contentMs = contentAtMs === undefined ? undefined : contentAtMs - startedAtMs;
    observation.readMs = readMs;
    observation.streaming = streaming;
    observation.inputTokens = inputTokensOf(need);
    observation.maxOutputTokens = mostOutputTokens(request);
    observation.subject = subject;
    observation.task = task;
    observation.usage = usage;
    observation.failure = failure && { kind: failure.kind, chargedTo: FAILURE_RULES[failure.kind].chargedTo };
    try {
      picker.observe(observation);
    } catch {
      // A strategy of the user's own; what it has not learned costs nobody an answer.
    }
  }

  #changed({ target, expiresAtMs }: Attempt, change: HealthChange, nowMs: number): void {
    const member = this.#member(target);
    this.#peers?.note(member.health, expiresAtMs);
    if (change === undefined) return;
    this.#emitChange(change, member, nowMs);
    if (change !== 'cooled') return;
    const { domain } = member.health.breaker;
    for (const other of this.#pool.members) {
      const { breaker } = other.health;
      if (breaker.domain === domain && breaker.standing === 'suspect' && breaker.suspectedAtMs === nowMs)
        this.#emitChange('suspected', other, nowMs);
    }
  }

  #emitChange(change: NonNullable<HealthChange>, member: Member, nowMs: number): void {
    const event = changeEvent(change, this.#route, member, nowMs);
    if (event !== undefined) this.#emit(event);
  }

  #askOf({ target }: Attempt): Ask {
    const { size, reasoning, need, prompts } = this.#course;
    const member = this.#member(target);
    const streaming = this.#course.streaming && member.plainOnly !== true;
    return { load: { size, streaming, reasoning: reasoning || member.reasoning }, need, prompt: prompts[target] };
  }

  #member(target: number): Member {
    return this.#pool.members[target] as Member;
  }

  #names<Type extends 'attempt-started' | 'attempt-ended'>(
    type: Type,
    atMs: number,
  ): { type: Type; atMs: number; requestId: string; route: string } {
    return { type, atMs, requestId: this.#requestId, route: this.#route };
  }
}

/** What became of a target, as an event; undefined where it is over already. */
export const changeEvent = (
  change: NonNullable<HealthChange>,
  route: string,
  { id, health }: Member,
  atMs: number,
): TargetChanged | undefined => {
  if (change === 'recovered') return { type: 'target-recovered', atMs, route, target: id };
  // A gate may close on a target that is left alone for longer for another reason.
  const { reason, untilMs } = change === 'gated' ? (closedGateOf(health, atMs) ?? {}) : conditionOf(health, atMs);
  if (reason === undefined || untilMs === undefined) return undefined;
  return { type: EVENTS[change], atMs, route, target: id, reason, untilMs };
};

type TargetChanged = Extract<RouterEvent, { readonly type: `target-${string}` }>;

const EVENTS = { suspected: 'target-suspected', cooled: 'target-cooled', gated: 'target-gated' } as const;

const endOf = ({ kind }: Failure): 'failed' | 'cancelled' => (kind === 'aborted' ? 'cancelled' : 'failed');

/** Whether a failure says something about the request rather than about whom it was put to. */
export const isCallersOwn = (failure: Failure): boolean => FAILURE_RULES[failure.kind].chargedTo === 'request';

const isVendorsFault = (failure: Failure): boolean =>
  FAILURE_RULES[failure.kind].chargedTo === 'model' || failure.kind === 'rate-limited';
