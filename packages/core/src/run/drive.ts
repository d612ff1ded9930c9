import { type Attempt, type Expiry, expiry, isNewlyLate, isNewlySilent, newAttempt } from '../decide/attempt.ts';
import type { Course } from '../decide/course.ts';
import type { Failure } from '../decide/failure.ts';
import { windowOf } from '../decide/health/learned-window.ts';
import { type GiveUp, nextStep, type Step } from '../decide/plan.ts';
import type { Pool } from '../decide/pool.ts';
import type { Usage } from '../decide/response.ts';
import type { Call, Wire } from '../provider.ts';
import type { Journal } from './journal.ts';
import type { System } from './system.ts';
import { WireLog } from './wire.ts';

/** One request to carry through a pool. `T` is what an attempt answers with: a whole answer, or an opened stream. */
export interface Job<T> {
  readonly course: Course;
  readonly pool: Pool;
  readonly journal: Journal;
  readonly system: System;
  readonly callerSignal: AbortSignal | undefined;
  /** Of an answer that is whole, what it used. Undefined where an attempt answers with the beginning of what it has to say. */
  readonly usageOf: ((value: T) => Usage | undefined) | undefined;
  /**
   * Resolves at the first content of a stream, or with the whole of a plain answer. Where that is streamed upstream, `heard`
   * is told of each of its events.
   */
  call(target: number, call: Call, heard: (hasContent: boolean) => void, wire: Wire): Promise<T>;
  /** Whether the target's transport tells the wire by itself. */
  tellsWire(target: number): boolean;
  explain(target: number, error: unknown, wire: Wire): Failure;
  pausesOf(target: number): Pauses;
}

export type Driven<T> =
  | { readonly type: 'answered'; readonly flight: Flight<T>; readonly value: T }
  | { readonly type: 'gave-up'; readonly because: GiveUp };

/** An attempt under way, with what stops it. */
export interface Flight<T> {
  readonly attempt: Attempt;
  /** Ends it from our side, whatever became of it; may be called twice. */
  readonly stop: () => void;
  readonly wire: WireLog;
  value: T | undefined;
  /** Set for an attempt that outlives its request. */
  onEnd?: () => void;
}

/** How long an answer may pause, and take, once it has begun. */
interface Pauses {
  readonly idleMs: number;
  readonly totalMs: number;
}

/**
 * Carries out the plan, and decides nothing: starts what `nextStep` says, waits as long as it says, cancels the losers.
 * An attempt ends exactly once: with its answer, with its failure, or when its time is up. What an SDK still says
 * afterwards is not heard, so that one that ignores its signal cannot hold a request.
 */
export const drive = async <T>(job: Job<T>): Promise<Driven<T>> => {
  const { course, pool, system, journal, callerSignal } = job;
  const flights: Flight<T>[] = [];
  let ring = (): void => {};

  const end = (flight: Flight<T>, outcome: NonNullable<Attempt['outcome']>): void => {
    const { attempt } = flight;
    if (attempt.outcome !== undefined) return;
    attempt.outcome = outcome;
    attempt.endedAtMs = system.nowMs();
    const isWhole = outcome.type === 'answered' && job.usageOf !== undefined;
    if (isWhole) {
      attempt.finished = true;
      attempt.usage = job.usageOf?.(flight.value as T);
    }
    journal.ended(attempt);
    if (outcome.type === 'failed') raiseWindow(course, pool, attempt, outcome.failure);
    if (isWhole) journal.completed(attempt);
    flight.onEnd?.();
    ring();
  };

  /** Ends an attempt from our side: first the outcome, then the abort, whose echo comes too late to be heard. */
  const cancel = (flight: Flight<T>, failure: Failure): void => {
    end(flight, { type: 'failed', failure });
    flight.stop();
  };

  const launch = (step: Extract<Step, { type: 'start' }>): void => {
    const wire = new WireLog();
    const controller = new AbortController();
    const attempt = newAttempt(step, wire, system.nowMs());
    const stop = (): void => {
      // However it ends, its end is told here, or below.
      journal.over(attempt);
      controller.abort();
    };
    const flight: Flight<T> = { attempt, stop, wire, value: undefined };
    flights.push(flight);
    course.attempts.push(attempt);
    course.tried |= 1 << step.target;
    journal.started(attempt);
    const call: Call = { signal: controller.signal, wire };
    const start = (): Promise<T> => job.call(step.target, call, (hasContent) => heard(flight, hasContent), wire);
    (job.tellsWire(step.target) ? start() : wire.follow(start)).then(
      (value) => {
        flight.value = value;
        end(flight, { type: 'answered' });
      },
      (error) => {
        if (attempt.outcome === undefined)
          end(flight, { type: 'failed', failure: job.explain(step.target, error, wire) });
      },
    );
  };

  /** A plain answer that is streamed upstream goes on. Its first content is what the others were waiting for. */
  const heard = (flight: Flight<T>, hasContent: boolean): void => {
    const { attempt } = flight;
    if (attempt.outcome !== undefined) return;
    const nowMs = system.nowMs();
    if (attempt.content !== undefined) {
      journal.paused(attempt, nowMs - attempt.content.atMs);
      attempt.content.atMs = nowMs;
    } else if (hasContent) {
      const { idleMs, totalMs } = job.pausesOf(attempt.target);
      attempt.content = {
        atMs: nowMs,
        idleMs,
        wholeByMs: Math.min(attempt.startedAtMs + totalMs, course.deadlineAtMs),
      };
      journal.content(attempt);
      // It was left to run only for this: another has begun its answer, or has given it.
      if (flight.onEnd !== undefined) cancel(flight, ABORTED);
      else stopLosers(flight);
      ring();
    }
  };

  const checkTimes = (nowMs: number): void => {
    for (const flight of flights) {
      const { attempt } = flight;
      if (isNewlySilent(attempt, nowMs)) journal.silent(attempt);
      if (isNewlyLate(attempt, nowMs)) journal.late(attempt);
      const why = expiry(attempt, nowMs);
      if (why !== undefined) cancel(flight, expired(why, nowMs - attempt.startedAtMs));
    }
  };

  const leave = (): void => {
    for (const flight of flights) cancel(flight, ABORTED);
    ring();
  };

  /** Until something happens, at most until then. */
  const wait = (untilMs: number): Promise<void> =>
    new Promise((resolve) => {
      const stop = system.schedule(untilMs - system.nowMs(), resolve);
      ring = () => {
        stop();
        resolve();
      };
    });

  /**
   * Whoever did not win is stopped, but for a probe: it was sent to learn something, so it may run until its first
   * content or its time-out, whether its caller is still there or not. Were it stopped, a target that hangs would be
   * probed, and waited for, again and again.
   */
  const stopLosers = (winner: Flight<T> | undefined): void => {
    for (const flight of flights) {
      const { role, startedAtMs, expiresAtMs, outcome } = flight.attempt;
      if (flight === winner) continue;
      if (outcome !== undefined) {
        // It answered in the same instant: a stream that nobody will read.
        if (outcome.type === 'answered') flight.stop();
        continue;
      }
      if (role !== 'probe' && role !== 'last-resort') {
        if (winner !== undefined) journal.lost(flight.attempt);
        cancel(flight, ABORTED);
        continue;
      }
      const leftMs = expiresAtMs - system.nowMs();
      const why = flight.attempt.cutShort ? 'cut-short' : 'no-content';
      flight.attempt.aside = true;
      const stop = system.schedule(leftMs, () => cancel(flight, expired(why, expiresAtMs - startedAtMs)));
      flight.onEnd = () => {
        stop();
        flight.stop();
      };
    }
  };

  callerSignal?.addEventListener('abort', leave);
  try {
    for (;;) {
      if (callerSignal?.aborted) return { type: 'gave-up', because: { type: 'aborted' } };
      checkTimes(system.nowMs());
      const step = nextStep(course, pool, system.nowMs(), system.dice);
      switch (step.type) {
        case 'start':
          launch(step);
          break;
        case 'wait':
          await wait(step.untilMs);
          break;
        case 'rest':
          await wait(step.untilMs);
          course.pass += 1;
          course.tried = step.tried;
          course.released = 0;
          break;
        case 'answer': {
          const winner = flights.find(({ attempt }) => attempt === step.attempt) as Flight<T>;
          stopLosers(winner);
          return { type: 'answered', flight: winner, value: winner.value as T };
        }
        case 'give-up':
          stopLosers(undefined);
          return { type: 'gave-up', because: step.because };
      }
    }
  } finally {
    callerSignal?.removeEventListener('abort', leave);
  }
};

const ABORTED: Failure = { kind: 'aborted', message: 'stopped, since nobody waits for it any more' };

const expired = (why: Expiry, afterMs: number): Failure => {
  const ms = `${Math.round(afterMs)} ms`;
  switch (why) {
    case 'no-connection':
      return { kind: 'unreachable', message: `no connection within ${ms}` };
    case 'no-content':
      return { kind: 'timed-out', message: `no content within ${ms}` };
    case 'stalled':
      return { kind: 'stalled', message: `the answer had begun, and did not go on; given up after ${ms}` };
    case 'cut-short':
      return { kind: 'cut-short', message: `no answer within ${ms}, which is all that the deadline left for it` };
  }
};

/** After "too long" only a target with a larger window may follow; one whose window nobody knows counts as the smallest. */
const raiseWindow = (course: Course, pool: Pool, { target }: Attempt, failure: Failure): void => {
  const member = pool.members[target];
  if (failure.kind !== 'too-long' || member === undefined) return;
  course.windowAbove = Math.max(course.windowAbove ?? 0, windowOf(member.contextWindow, member.health.window) ?? 0);
};
