import type { AttemptRole } from './decide/attempt.ts';
import type { Failure, FailureKind } from './decide/failure.ts';

export type RouterErrorCode =
  /** The config is wrong; thrown by `createRouter`, with the path of the field. */
  | 'invalid-config'
  /** The request is wrong, and no target was asked. */
  | 'invalid-request'
  | 'unknown-route'
  /** A score is for an answer that nobody remembers: its id is wrong, or it is older than a day. */
  | 'unknown-answer'
  /** No target of the pool can express what the request asks for. */
  | 'no-capable-target'
  /** A vendor refused the request itself; `failure` has what it said. */
  | 'request-refused'
  /** Every target failed, or is left alone because it failed before. */
  | 'all-targets-failed'
  /** The route's own budget is spent, or that of every target that could take the request. */
  | 'budget-spent'
  /** The deadline passed before a target answered. */
  | 'deadline-exceeded'
  /** The answer had begun, and broke off. */
  | 'answer-broke-off'
  /** The caller's signal was aborted. */
  | 'aborted';

/** What became of one attempt. Safe to log and to show: it quotes neither prompts nor vendors. */
export interface AttemptReport {
  readonly target: string;
  readonly role: AttemptRole;
  /** The target was asked since it had the conversation's prompt in its cache. */
  readonly affinity?: true;
  /** `pending`: it still ran when another attempt had answered, to tell whether its target is back. */
  readonly outcome: 'answered' | 'pending' | FailureKind;
  /** The vendor's HTTP status, when a failure came with one. */
  readonly status?: number;
  readonly message?: string;
  /** From the start of the attempt to its first content, or to its failure. */
  readonly tookMs: number;
  /** What it cost, in US dollars, once it is over; absent where its target has no price. */
  readonly usd?: number;
  /** Whether that is an estimate, since the vendor did not tell what it used. */
  readonly estimated?: boolean;
  /** Fields of the request that were left out for this target. */
  readonly dropped?: readonly string[];
}

/** A target that was not asked, and why. */
export interface SkippedTarget {
  readonly target: string;
  /** `disabled`, `probing`, what it is left alone for, or the gaps that it has. */
  readonly reason: string;
}

interface RouterErrorDetails {
  readonly requestId?: string | undefined;
  readonly attempts?: readonly AttemptReport[] | undefined;
  readonly skipped?: readonly SkippedTarget[] | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly failure?: Failure | undefined;
  readonly cause?: unknown;
}

/** The one error that callers catch. Its message says what happened, to which target, and what to change. */
export class RouterError extends Error {
  override readonly name = 'RouterError';
  readonly code: RouterErrorCode;
  readonly requestId: string | undefined;
  /** Every attempt made, oldest first. */
  readonly attempts: readonly AttemptReport[];
  readonly skipped: readonly SkippedTarget[];
  /** When the first target is due back, in ms from now. */
  readonly retryAfterMs: number | undefined;
  /** What the vendor said, for `request-refused` and `answer-broke-off`. May quote the prompt. */
  readonly failure: Failure | undefined;

  constructor(code: RouterErrorCode, message: string, details: RouterErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.requestId = details.requestId;
    this.attempts = details.attempts ?? [];
    this.skipped = details.skipped ?? [];
    this.retryAfterMs = details.retryAfterMs;
    // Not enumerable: loggers print enumerable fields, and a vendor's words may quote the prompt.
    Object.defineProperty(this, 'failure', { value: details.failure, enumerable: false });
  }
}

/** Looks at the name, so that it also knows the errors of a second copy of this package. */
export const isRouterError = (error: unknown): error is RouterError =>
  error instanceof Error && error.name === 'RouterError' && 'code' in error;
