import type { Attempt } from './attempt.ts';
import type { ChatRequest } from './request.ts';

/** One request on its way through a pool: what was tried so far, and what is left of its time. */
export interface Course {
  readonly request: ChatRequest;
  readonly streaming: boolean;
  /** Which size the prompt has, for what its targets' pace is measured by. */
  readonly size: number;
  /** The model will think first, and may be silent for long. */
  readonly reasoning: boolean;
  readonly startedAtMs: number;
  /** The instant the caller stops waiting for content. */
  readonly deadlineAtMs: number;
  /** A bit for each target that can express the request. */
  readonly able: number;
  /** A bit for each target that was started: no target is asked twice. */
  tried: number;
  /** The prompt was too long for a window of this size, in tokens: only larger ones may follow. */
  windowAbove: number | undefined;
  /** Oldest first. */
  readonly attempts: Attempt[];
}
