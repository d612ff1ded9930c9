import type { Attempt } from '../decide/attempt.ts';
import { FAILURE_RULES, type Failure } from '../decide/failure.ts';
import { conditionOf } from '../decide/health/health.ts';
import {
  type HealthChange,
  observeComplete,
  observeContent,
  observeFailure,
  observeLoss,
  observeSilence,
  observeStart,
} from '../decide/health/observe.ts';
import type { Load } from '../decide/health/pace.ts';
import { addSample } from '../decide/health/quantiles.ts';
import type { Member, Pool } from '../decide/pool.ts';
import type { AttemptReport } from '../errors.ts';
import type { RouterEvent } from '../events.ts';
import type { System } from './system.ts';

/** Hears what becomes of the attempts of one request: folds it into health, and reports it. */
export class Journal {
  readonly #pool: Pool;
  readonly #route: string;
  readonly #requestId: string;
  readonly #system: System;
  readonly #load: Load;
  readonly #emit: (event: RouterEvent) => void;
  /** By attempt: what was left out of the request for it. */
  readonly #droppedFor: (target: number) => readonly string[];

  constructor(
    pool: Pool,
    names: { readonly route: string; readonly requestId: string },
    load: Load,
    system: System,
    emit: (event: RouterEvent) => void,
    droppedFor: (target: number) => readonly string[],
  ) {
    this.#pool = pool;
    this.#route = names.route;
    this.#requestId = names.requestId;
    this.#load = load;
    this.#system = system;
    this.#emit = emit;
    this.#droppedFor = droppedFor;
  }

  /** Before an attempt is made, since a probe takes its place first. */
  starting(target: number, role: Attempt['role'], nowMs: number): void {
    observeStart(this.#member(target).health, role, nowMs);
  }

  started(attempt: Attempt): void {
    const { id } = this.#member(attempt.target);
    this.#emit({ ...this.#names('attempt-started', attempt.startedAtMs), target: id, role: attempt.role });
  }

  /** The first content is there, or the failure. */
  ended(attempt: Attempt): void {
    const { outcome, endedAtMs = this.#system.nowMs() } = attempt;
    if (outcome === undefined) return;
    const { health } = this.#member(attempt.target);
    this.#emit({ ...this.#names('attempt-ended', endedAtMs), attempt: this.report(attempt) });
    if (outcome.type === 'answered') {
      this.#changed(attempt, observeContent(health, attempt, this.#loadOf(attempt), endedAtMs, this.#system.dice));
    } else this.#failed(attempt, outcome.failure, endedAtMs);
  }

  /** An attempt has become late. */
  late(attempt: Attempt): void {
    const { health } = this.#member(attempt.target);
    this.#changed(attempt, observeSilence(health, attempt, this.#system.nowMs(), this.#system.dice));
  }

  /** An attempt gives way to another that has answered. */
  lost(attempt: Attempt): void {
    observeLoss(this.#member(attempt.target).health, attempt, this.#loadOf(attempt), this.#system.nowMs());
  }

  /** Two events of a stream came so long after one another. */
  paused(attempt: Attempt, gapMs: number): void {
    addSample(this.#member(attempt.target).health.pace.gap, gapMs, this.#system.nowMs());
  }

  /** The whole answer is there. */
  completed(attempt: Attempt): void {
    observeComplete(this.#member(attempt.target).health, attempt);
  }

  /** The answer broke off after its first content. */
  brokeOff(attempt: Attempt, failure: Failure): void {
    const nowMs = this.#system.nowMs();
    attempt.outcome = { type: 'failed', failure };
    this.#emit({ ...this.#names('attempt-ended', nowMs), attempt: this.report(attempt) });
    this.#failed(attempt, failure, nowMs);
  }

  report(attempt: Attempt): AttemptReport {
    const { outcome, startedAtMs, endedAtMs = this.#system.nowMs() } = attempt;
    const failure = outcome?.type === 'failed' ? outcome.failure : undefined;
    const dropped = this.#droppedFor(attempt.target);
    return {
      target: this.#member(attempt.target).id,
      role: attempt.role,
      outcome: outcome === undefined ? 'pending' : (failure?.kind ?? 'answered'),
      ...(failure?.status !== undefined && { status: failure.status }),
      ...(failure !== undefined && { message: failure.message }),
      tookMs: endedAtMs - startedAtMs,
      ...(dropped.length > 0 && { dropped }),
    };
  }

  #failed(attempt: Attempt, failure: Failure, nowMs: number): void {
    const { health } = this.#member(attempt.target);
    this.#changed(attempt, observeFailure(health, attempt, failure, nowMs, this.#system.dice));
  }

  #changed(attempt: Attempt, change: HealthChange): void {
    if (change === undefined) return;
    const { id: target, health } = this.#member(attempt.target);
    const atMs = this.#system.nowMs();
    if (change === 'recovered') {
      this.#emit({ type: 'target-recovered', atMs, route: this.#route, target });
      return;
    }
    const { reason, untilMs } = conditionOf(health, atMs);
    if (reason === undefined || untilMs === undefined) return;
    this.#emit({
      type: EVENTS[change],
      atMs,
      route: this.#route,
      target,
      reason,
      untilMs,
    });
  }

  #loadOf({ target }: Attempt): Load {
    const { size, streaming, reasoning } = this.#load;
    return { size, streaming, reasoning: reasoning || this.#member(target).reasoning };
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

const EVENTS = { suspected: 'target-suspected', cooled: 'target-cooled', gated: 'target-gated' } as const;

/** Whether a failure says something about the request rather than about whom it was put to. */
export const isCallersOwn = (failure: Failure): boolean => FAILURE_RULES[failure.kind].chargedTo === 'request';
