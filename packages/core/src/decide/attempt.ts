import type { AttemptCost } from './cost.ts';
import type { Failure } from './failure.ts';
import type { Entry } from './health/window.ts';
import type { Usage } from './response.ts';
import type { ReadHeader } from './retry-after.ts';

/** One call to one target, while it runs and after. */
export interface Attempt {
  /** Index of the target in its pool. */
  readonly target: number;
  readonly role: AttemptRole;
  readonly startedAtMs: number;
  /** The target's breaker epoch at the start: results that belong to an older one change nothing. */
  epoch: number;
  /** Its place among the attempts at its model. */
  place: number;
  /** Its place in the order of sending: what its limit pool was sent until then, by meter. */
  sentThen: readonly number[];
  /** No connection by then: unreachable. */
  readonly connectByMs: number;
  /** No content by then: silent, which is evidence against its target when others are too. */
  readonly silentAtMs: number;
  /** No content by then: late, and slow whatever becomes of it. */
  readonly lateAtMs: number;
  /** No content by then: timed out. */
  readonly expiresAtMs: number;
  /** Whether the deadline leaves it less than its timeout: then its silence says nothing. */
  readonly cutShort: boolean;
  /** From then on a second attempt may run beside this one. */
  readonly hedgeAtMs: number;
  /** How far the request has come on its way out; kept up to date by the transport. */
  readonly wire: { readonly state: 'idle' | 'connecting' | 'sent'; readonly header: ReadHeader };
  /** It was silent, it was late, and that was noted. */
  silent: boolean;
  late: boolean;
  /** What health has counted it as. */
  counted: Entry | undefined;
  /** It had content. */
  spoke: boolean;
  /** It holds a place among those that its target has under way. */
  underWay: boolean;
  /** Of a plain answer that is streamed upstream, once its content has begun. */
  content: GrowingContent | undefined;
  /** When its first content came, or the whole of a plain answer. */
  contentAtMs: number | undefined;
  /** Since then, how long its caller has read while its vendor was not waited for. */
  readMs: number;
  /** Where the vendor tells, and has told. */
  usage: Usage | undefined;
  /** Of a stream that was begun to be read: what its vendor bills for, should it not tell. */
  heardCharacters: number;
  /** In US dollars: what was set aside for it at its start. Undefined where its target has no price. */
  reservedUsd: number | undefined;
  /** Once it is over, where its target has a price. */
  cost: AttemptCost | undefined;
  /** The vendor has said that the answer is whole. */
  finished: boolean;
  endedAtMs: number | undefined;
  /** It outlives what it was made for, to tell whether its target is back: nobody waits for it. */
  aside: boolean;
  /** Undefined while it runs. */
  outcome: Outcome | undefined;
}

/** How far a plain answer has come that is streamed upstream. */
interface GrowingContent {
  /** When it grew last. */
  atMs: number;
  /** It may pause for so long. */
  readonly idleMs: number;
  /** All of it is due by then. */
  readonly wholeByMs: number;
}

/** An attempt at its start, as the plan wants it; health fills in the rest. */
export const newAttempt = (
  { target, role, connectByMs, silentAtMs, lateAtMs, expiresAtMs, cutShort, hedgeAtMs }: Terms,
  wire: Attempt['wire'],
  nowMs: number,
): Attempt => ({
  target,
  role,
  startedAtMs: nowMs,
  epoch: -1,
  place: -1,
  sentThen: [],
  connectByMs,
  silentAtMs,
  lateAtMs,
  expiresAtMs,
  cutShort,
  hedgeAtMs,
  wire,
  silent: false,
  late: false,
  counted: undefined,
  spoke: false,
  underWay: false,
  content: undefined,
  contentAtMs: undefined,
  readMs: 0,
  usage: undefined,
  heardCharacters: 0,
  reservedUsd: undefined,
  cost: undefined,
  finished: false,
  endedAtMs: undefined,
  aside: false,
  outcome: undefined,
});

/** What is laid down for an attempt before it begins. */
export type Terms = Pick<
  Attempt,
  'target' | 'role' | 'connectByMs' | 'silentAtMs' | 'lateAtMs' | 'expiresAtMs' | 'cutShort' | 'hedgeAtMs'
>;

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

export type Expiry = 'no-connection' | 'no-content' | 'cut-short' | 'stalled';

/** Why a running attempt has to be given up now, if it has to. */
export const expiry = (attempt: Attempt, nowMs: number): Expiry | undefined => {
  const { outcome, content } = attempt;
  if (outcome !== undefined) return undefined;
  if (content !== undefined) {
    if (nowMs >= content.wholeByMs) return 'cut-short';
    return nowMs >= content.atMs + content.idleMs ? 'stalled' : undefined;
  }
  if (nowMs >= attempt.expiresAtMs) return attempt.cutShort ? 'cut-short' : 'no-content';
  return attempt.wire.state === 'connecting' && nowMs >= attempt.connectByMs ? 'no-connection' : undefined;
};

/** Whether a running attempt has become silent, or late, and nobody has noted it yet. */
export const isNewlySilent = (attempt: Attempt, nowMs: number): boolean =>
  isWaiting(attempt) && !attempt.silent && nowMs >= attempt.silentAtMs;

export const isNewlyLate = (attempt: Attempt, nowMs: number): boolean =>
  isWaiting(attempt) && !attempt.late && nowMs >= attempt.lateAtMs;

const isWaiting = ({ outcome, content }: Attempt): boolean => outcome === undefined && content === undefined;
