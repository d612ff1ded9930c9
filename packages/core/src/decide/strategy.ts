import type { AttemptRole } from './attempt.ts';
import type { Dice } from './dice.ts';
import type { EmbeddingRequest } from './embedding.ts';
import type { FailureKind, FailureRule } from './failure.ts';
import type { TargetPrice } from './price.ts';
import type { ChatRequest } from './request.ts';
import type { Usage } from './response.ts';

/**
 * Puts candidates in order, one at a time; starts nothing. The order of a fallback is the same question asked again
 * with the tried ones left out, at the moment of the failure.
 */
export interface Strategy {
  readonly name: string;
  /** Called once for each pool, when the router is created. */
  forPool(pool: StrategyPool): Picker;
}

/** What a strategy knows of a pool from the start. */
export interface StrategyPool {
  /** The name of the pool's route. */
  readonly route: string;
  /** By index: all that is told of a target later, names it by its index. */
  readonly targets: readonly StrategyTarget[];
  readonly dice: Dice;
  /** What `save` gave in an earlier process, perhaps with other targets. Not checked: it may be anything. */
  readonly saved?: unknown;
}

/** A target, as its user described it. */
export interface StrategyTarget {
  readonly id: string;
  readonly vendor: string;
  readonly model: string;
  /** From 0; 0 stands by. */
  readonly weight: number;
  /** Undefined: nobody said. */
  readonly price: TargetPrice | undefined;
  /** Tokens. Undefined: nobody said. */
  readonly contextWindow: number | undefined;
}

/**
 * Keeps what one pool's strategy remembers. Only `pick` is called for every request, and has to be quick: it allocates
 * nothing. What any of them throws is ignored, and costs nobody an answer.
 */
export interface Picker {
  /** The index of a candidate, or -1 when there is none. */
  pick(context: PickContext): number;
  /** A picker that remembers the same, for a question that must change nothing. Absent: this one remembers nothing. */
  copy?(): Picker;
  /**
   * Learns from the pool's attempts, background probes included. Of each attempt it hears, in this order:
   *
   * 1. `started`, once.
   * 2. `silent`, at most twice: when it has been without content for longer than most are, and when it is late.
   * 3. `content`, at most once: the first content of a stream, or the whole of a plain answer.
   * 4. Exactly one of `completed`, `failed` and `cancelled`.
   *
   * Attempts run side by side, also two of one request, and what is told of one may come between what is told of another.
   */
  observe?(observation: Observation): void;
  /** Learns how good an answer was, in the eyes of whoever used it. It may come late, out of order, or never. */
  feedback?(feedback: Feedback): void;
  /** What it believes of a target now, for people to read: a few plain fields, with their units in their names. */
  report?(target: number, nowMs: number): StrategyReport | undefined;
  /** What is worth keeping for the next process: plain data, by the targets' ids. */
  save?(): unknown;
  /**
   * Who of `entries`, a mask, a subject belongs to, whoever may be tried now; -1 for nobody. Where it is there, the strategy
   * can carry an experiment: `pick` gives a subject to the same one each time, or to the same substitute.
   */
  assign?(subject: string, entries: number): number;
  /** It takes turns: that it would pick one is no reason against another. */
  readonly takesTurns?: boolean;
}

/** Only for the call: the pool's next pick fills the same object. */
export interface PickContext extends Asked {
  /** A bit for each target that may be tried now: `1 << index`. */
  readonly candidates: number;
  /** A bit for each target that could take this request at all, were it well: enabled, and able to express it. */
  readonly able: number;
  /**
   * Where an entry of the pool is a group: for each entry the part, 0 to 1, of its able targets that may be tried now.
   * Undefined where every entry is a target.
   */
  readonly health: ArrayLike<number> | undefined;
  /** What a function of the user's own has said of this request: indices, best first. Undefined: nothing. */
  readonly order: readonly number[] | undefined;
  /** On a route that makes embeddings, the request for them: `'inputs' in request` tells. */
  readonly request: ChatRequest | EmbeddingRequest;
  /** Attempts of this request before: 0 for the first pick. */
  readonly attempt: number;
  readonly nowMs: number;
  readonly dice: Dice;
}

/** What is known of a request before it is answered. */
interface Asked {
  /** Whether its vendor is asked for a stream. */
  readonly streaming: boolean;
  /** Of the prompt: an estimate. */
  readonly inputTokens: number;
  /** The most that the answer may have. Undefined: the request does not say. */
  readonly maxOutputTokens: number | undefined;
  /** Who or what it belongs to, so that its like go to the same target. Undefined: nobody said. */
  readonly subject: string | undefined;
  /** What kind of work it is, so that scores of one kind are not mixed with those of another. Undefined: nobody said. */
  readonly task: string | undefined;
}

/** Something that happened to an attempt. Only for the call: the pool's next observation fills the same object. */
export interface Observation extends Asked {
  readonly type:
    | 'started'
    | 'silent'
    | 'content'
    /** The whole answer was there. */
    | 'completed'
    /** Before its content or after it; `failure` says of what, and whose fault it was. */
    | 'failed'
    /**
     * Stopped from our side: another attempt answered first, or the caller left. All that it tells is that the attempt
     * had not ended by then.
     */
    | 'cancelled';
  readonly target: number;
  /** Of hedges only the quick ones are heard to the end: what is learned from their times is too good. */
  readonly role: AttemptRole;
  readonly nowMs: number;
  /** Since the attempt began. */
  readonly ageMs: number;
  /** From its start to its first content; undefined while there is none. Of a plain answer the time to the whole of it. */
  readonly contentMs: number | undefined;
  /** The part of `ageMs` in which its caller read and the vendor was not waited for: where it is large, the pace was the caller's. */
  readonly readMs: number;
  /** Known at the end, where the vendor tells; at times also of an answer that broke off. */
  readonly usage: Usage | undefined;
  /** Of `failed` only. */
  readonly failure: { readonly kind: FailureKind; readonly chargedTo: FailureRule['chargedTo'] } | undefined;
}

/** How good an answer was. */
export interface Feedback {
  /** Who gave the answer. */
  readonly target: number;
  /** From 0, useless, to 1, as good as can be. */
  readonly score: number;
  /** What the router saw of the answer itself, rather than what anybody thought of it. Absent: a person, or an evaluation. */
  readonly isAutomatic?: boolean;
  /** What this takes the place of: an earlier score of the same answer, which counts no more. */
  readonly replaces?: Pick<Feedback, 'score' | 'isAutomatic'> | undefined;
  /** What kind of work it was, as in the pick. */
  readonly task: string | undefined;
  /** Since the answer. */
  readonly ageMs: number;
  readonly nowMs: number;
}

/** JSON, for people to read. */
export type StrategyReport = Readonly<Record<string, string | number | boolean | null>>;

/** What a picker picks; a strategy of the user's own may throw, or name what is no candidate: then the pool's order serves. */
export const pickFrom = (picker: Picker, context: PickContext): number => {
  const { candidates } = context;
  const picked = pickOrNone(picker, context);
  // A shift wraps: -1 and NaN would name a bit.
  const isCandidate = picked >= 0 && picked < MOST_TARGETS && has(candidates, picked);
  return isCandidate ? picked : firstOf(candidates);
};

const pickOrNone = (picker: Picker, context: PickContext): number => {
  try {
    return picker.pick(context);
  } catch {
    return -1;
  }
};

/** Targets in one pool: candidates are the bits of one number. */
export const MOST_TARGETS = 32;

/** A bit for each of so many targets. */
export const allOf = (count: number): number => (count >= MOST_TARGETS ? -1 : (1 << count) - 1);

/** The lowest index in a mask, or -1. */
export const firstOf = (mask: number): number => 31 - Math.clz32(mask & -mask);

export const has = (mask: number, index: number): boolean => (mask & (1 << index)) !== 0;
