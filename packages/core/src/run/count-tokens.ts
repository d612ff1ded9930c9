import type { Course } from '../decide/course.ts';
import { type Access, accessOf } from '../decide/health/health.ts';
import { tokensOf } from '../decide/health/observe.ts';
import { choose, type Member, type Pool } from '../decide/pool.ts';
import type { Call } from '../provider.ts';
import type { System } from './system.ts';

interface CountJob {
  /** Able are those that can count. */
  readonly course: Course;
  readonly pool: Pool;
  readonly system: System;
  readonly callerSignal: AbortSignal | undefined;
  ask(target: number, call: Call): Promise<number>;
}

/** Vendors count in a fraction of a second. Who waits for a count waits to ask for an answer, so that an estimate now is better. */
const COUNT_TIMEOUT_MS = 5_000;

/**
 * Asks those who can count, in the order in which they would be asked for an answer, each once; undefined where none has
 * counted. Nothing is learned from it: to count is other work at other limits, and says little of answers. So nobody is
 * asked who is left alone, not even as a probe.
 */
export const countTokens = async (
  job: CountJob,
): Promise<{ readonly target: number; readonly tokens: number } | undefined> => {
  const { course, pool, system, callerSignal } = job;
  let tried = 0;
  while (!callerSignal?.aborted) {
    const nowMs = system.nowMs();
    const able = pool.members.reduce((mask, member, i) => (isOpen(member, course, nowMs) ? mask | (1 << i) : mask), 0);
    const choice = choose(pool, { ...course, able: able & course.able, tried }, nowMs, system.dice, 'doubtful');
    if (choice === undefined) return undefined;
    const { target } = choice;
    tried |= 1 << target;
    const tokens = await asked(target, job);
    if (tokens !== undefined) return { target, tokens };
  }
  return undefined;
};

const OPEN: ReadonlySet<Access> = new Set(['ready', 'full', 'suspect']);

const isOpen = ({ health }: Member, { need }: Course, nowMs: number): boolean =>
  OPEN.has(accessOf(health, tokensOf(need), nowMs));

/** Undefined where it fails, takes too long, or nobody waits for it any more. */
const asked = (target: number, { system, callerSignal, ask }: CountJob): Promise<number | undefined> =>
  new Promise((resolve) => {
    const controller = new AbortController();
    const settle = (tokens?: number): void => {
      stop();
      callerSignal?.removeEventListener('abort', giveUp);
      resolve(tokens);
    };
    const giveUp = (): void => {
      controller.abort();
      settle();
    };
    const stop = system.schedule(COUNT_TIMEOUT_MS, giveUp);
    callerSignal?.addEventListener('abort', giveUp);
    ask(target, controller).then(
      (tokens) => settle(Number.isFinite(tokens) ? tokens : undefined),
      () => settle(),
    );
  });
