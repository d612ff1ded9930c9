import type { AttemptRole } from './decide/attempt.ts';
import type { Cost } from './decide/cost.ts';
import type { BreakerReason } from './decide/health/breaker.ts';
import type { Usage } from './decide/response.ts';
import type { AttemptReport, RouterErrorCode } from './errors.ts';

/** Everything the router reports, as one union: noun, then verb. Times are in ms on the router's monotonic clock. */
export type RouterEvent =
  | {
      readonly type: 'request-started';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      /** The arm that its subject belongs to, where somebody says who that is. Of a request's other events likewise. */
      readonly assigned?: string;
    }
  | {
      readonly type: 'attempt-started';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      readonly target: string;
      readonly role: AttemptRole;
      /** The target is asked since it has the conversation's prompt in its cache. */
      readonly affinity?: true;
    }
  /** Its first content, its whole answer or its failure. A stream that breaks off after its first content ends a second time. */
  | {
      readonly type: 'attempt-ended';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      readonly attempt: AttemptReport;
    }
  /** A strategy that is a function threw, was slow, or named what is no target: the pool's order serves this request. */
  | {
      readonly type: 'strategy-failed';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      readonly strategy: string;
      /** Nothing that the function said is quoted. */
      readonly problem: string;
    }
  /** Asked after all others, since it has been silent for longer than usual. */
  | TargetEvent<'target-suspected'>
  /** Left alone after failures in a row, or since it has become slow. */
  | TargetEvent<'target-cooled'>
  /** Left alone for a rate limit, a quota or a refused key. */
  | TargetEvent<'target-gated'>
  | {
      readonly type: 'target-recovered';
      readonly atMs: number;
      readonly route: string;
      readonly target: string;
      readonly heard?: true;
    }
  /** A target answered: with its whole answer, or with what the caller of a stream gets first. */
  | {
      readonly type: 'request-answered';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      readonly target: string;
      readonly assigned?: string;
      readonly attempts: number;
      readonly tookMs: number;
    }
  /**
   * The whole answer is there: at once after `request-answered` where it is plain, at its end where it is a stream. Not
   * of a stream that broke off, or that was left before its vendor had finished.
   */
  | {
      readonly type: 'request-completed';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      readonly target: string;
      readonly assigned?: string;
      readonly attempts: number;
      /** From the request's start, with the time that its caller took to read. */
      readonly tookMs: number;
      /** Tokens of the answer that served, where its vendor tells. */
      readonly usage?: Usage;
      /** In US dollars, where a target that was asked has a price. */
      readonly cost?: Cost;
    }
  /** The stream broke after its caller had seen some of it, and another target goes on. */
  | {
      readonly type: 'request-resumed';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      /** Whose stream broke. */
      readonly from: string;
      readonly to: string;
      /** It carries on with the text so far, or begins anew. */
      readonly mode: 'continue' | 'restart';
      /** Of text that the caller had until then, in UTF-16 code units. */
      readonly deliveredCharacters: number;
    }
  /** Somebody has said how good an answer was. */
  | {
      readonly type: 'feedback-received';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      /** Who gave the answer. */
      readonly target: string;
      /** From 0, useless, to 1, as good as can be. */
      readonly score: number;
      /** Since the answer. */
      readonly ageMs: number;
      /** It takes the place of an earlier score of the same answer. */
      readonly replaced: boolean;
    }
  /** What strategies have learned could not be read from its file, or written to it. The router goes on. */
  | { readonly type: 'state-failed'; readonly atMs: number; readonly problem: string }
  | {
      readonly type: 'request-failed';
      readonly atMs: number;
      readonly requestId: string;
      readonly route: string;
      readonly assigned?: string;
      readonly code: RouterErrorCode;
      readonly attempts: number;
      readonly tookMs: number;
      /** In US dollars, where a target that was asked has a price. */
      readonly cost?: Cost;
    };

interface TargetEvent<Type extends string> {
  readonly type: Type;
  readonly atMs: number;
  readonly route: string;
  readonly target: string;
  readonly reason: BreakerReason;
  /** When it may be used again, on the same clock. */
  readonly untilMs: number;
  /** Another router has seen it, and this one has heard of it by its `store`. The route is the first that has the target. */
  readonly heard?: true;
}
