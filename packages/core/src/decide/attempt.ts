import type { Failure } from './failure.ts';

/** One call to one target, while it runs and after. */
export interface Attempt {
  /** Index of the target in its pool. */
  readonly target: number;
  readonly role: AttemptRole;
  readonly startedAtMs: number;
  /** The target's breaker epoch at the start: results that belong to an older one change nothing. */
  readonly epoch: number;
  /** No connection by then: unreachable. */
  readonly connectByMs: number;
  /** No content by then: late, which is evidence against its target. */
  readonly lateAtMs: number;
  /** No content by then: timed out. */
  readonly expiresAtMs: number;
  /** Whether the deadline leaves it less than its timeout: then its silence says nothing. */
  readonly cutShort: boolean;
  /** From then on a second attempt may run beside this one. */
  readonly hedgeAtMs: number;
  /** How far the request has come on its way out; kept up to date by the transport. */
  readonly wire: { readonly state: 'idle' | 'connecting' | 'sent' };
  /** It was late, and that was noted. */
  silent: boolean;
  endedAtMs: number | undefined;
  /** Undefined while it runs. */
  outcome: Outcome | undefined;
}

export type AttemptRole =
  /** The strategy's own choice. */
  | 'first'
  /** The next choice, after a failure. */
  | 'fallback'
  /** Sent to a target that was left alone, to see whether it is back. */
  | 'probe'
  /** Beside another attempt that is late. */
  | 'hedge'
  /** Sent to a target that should be left alone, since no other is left. */
  | 'last-resort';

/** How an attempt ended. */
type Outcome = { readonly type: 'answered' } | { readonly type: 'failed'; readonly failure: Failure };

export type Expiry = 'no-connection' | 'no-content' | 'cut-short';

/** Why a running attempt has to be given up now, if it has to. */
export const expiry = (attempt: Attempt, nowMs: number): Expiry | undefined => {
  if (attempt.outcome !== undefined) return undefined;
  if (nowMs >= attempt.expiresAtMs) return attempt.cutShort ? 'cut-short' : 'no-content';
  return attempt.wire.state === 'connecting' && nowMs >= attempt.connectByMs ? 'no-connection' : undefined;
};

/** Whether a running attempt has become late, and nobody has noted it yet. */
export const isNewlyLate = ({ outcome, silent, lateAtMs }: Attempt, nowMs: number): boolean =>
  outcome === undefined && !silent && nowMs >= lateAtMs;
