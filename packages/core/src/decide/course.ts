import type { Conversation } from './affinity.ts';
import type { Attempt } from './attempt.ts';
import type { EmbeddingRequest } from './embedding.ts';
import type { Need } from './health/allowance.ts';
import type { Prompt } from './health/learned-window.ts';
import type { ChatRequest } from './request.ts';

/** One request on its way through a pool: what was tried so far, and what is left of its time. */
export interface Course {
  readonly request: ChatRequest | EmbeddingRequest;
  readonly streaming: boolean;
  /** Which size the prompt has, for what its targets' pace is measured by. */
  readonly size: number;
  /** What it takes off a rate limit: an estimate. */
  readonly need: Need;
  /** For strategies that keep subjects, or kinds of work, apart; undefined where the route does not. */
  readonly subject: string | undefined;
  readonly task: string | undefined;
  /** What it goes on with, on a route that keeps conversations where their prompts are cached. */
  readonly conversation: Conversation | undefined;
  /** Targets, best first, where a function of the user's own has said so. */
  order: readonly number[] | undefined;
  /** The model will think first, and may be silent for long. */
  readonly reasoning: boolean;
  readonly startedAtMs: number;
  /** The instant the caller stops waiting for content. Where an answer broke off, the next target gets as long anew. */
  deadlineAtMs: number;
  /** A bit for each target that can express the request, and lacks nothing of what it requires. */
  readonly able: number;
  /** Of these, the ones whose context window looks too small: asked only when nobody else is left. */
  readonly tooSmall: number;
  /** Of these again, the ones whose turn has come. */
  released: number;
  /** By target: how much it is asked to hold. Targets with settings of their own differ. */
  readonly prompts: readonly Prompt[];
  /** A bit for each target that was started in this pass: no target is asked twice. */
  tried: number;
  /** Passes over the whole pool before this one. */
  pass: number;
  /** The prompt was too long for a window of this size, in tokens: only larger ones may follow. */
  windowAbove: number | undefined;
  /** Oldest first. */
  readonly attempts: Attempt[];
}

/**
 * After an answer broke off, its request is put to others: they have as long as the first had, and whoever has failed is
 * not asked again. One that was stopped since another answered first has not failed.
 */
export const reopen = (course: Course, nowMs: number, lengthMs: number): void => {
  course.deadlineAtMs = nowMs + lengthMs;
  course.tried = 0;
  for (const { target, outcome } of course.attempts) {
    if (outcome?.type !== 'failed' || outcome.failure.kind !== 'aborted') course.tried |= 1 << target;
  }
};
