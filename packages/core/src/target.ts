import type { Duration } from './decide/duration.ts';
import type { TargetPrice } from './decide/price.ts';
import type { ChatSettings } from './decide/request.ts';
import type { Supports } from './decide/requirements.ts';

/**
 * The most that may be spent in any span of so long. Who has spent it is not asked, also where nobody else is left, until the time
 * has passed in which it was spent. Attempts under way count with what they are expected to cost. It is kept by each
 * process for itself, and begins anew with it.
 */
export interface SpendingBudget {
  /** In US dollars, above 0. */
  readonly usd: number;
  /** `'1h'`, `'1d'`, `'30d'` … A minute at least. */
  readonly per: Duration;
}

/** What the router wants to know of a target, beside the vendor and the model. */
export interface TargetOptions {
  /** Unique in its pool. Default: `vendor/model`. */
  readonly id?: string;
  /** `false` takes the target out of its pool. Default: true. */
  readonly enabled?: boolean;
  /** Share of a weighted pool, relative to the other weights. 0: only when every other target fails. Default: 1. */
  readonly weight?: number;
  /**
   * Tokens that prompt and answer may have together. A prompt whose estimate is clearly beyond it is sent here only when
   * nobody else is left, and one that was too long for another target moves only to a larger window. Default: unknown, and
   * learned where the vendor tells it as it refuses a prompt.
   */
  readonly contextWindow?: number;
  /**
   * What the vendor charges. Default: its list price as of `PRICES_AS_OF`, where the model is called at the vendor's own
   * address and the table has it; else unknown, which is not the same as free.
   */
  readonly price?: TargetPrice;
  /** The most that is spent on the target, failed attempts included; it needs a price. Default: no limit. */
  readonly budget?: SpendingBudget;
  /**
   * What the model does not take is `false` here: a request that needs it skips the target, and the trace says so. Default:
   * unknown, so that it is tried.
   */
  readonly supports?: Supports;
  readonly timeouts?: Timeouts;
  /** The model thinks before it speaks, so that long silence is no sign of trouble. Default: false. */
  readonly reasoning?: boolean;
  /**
   * The vector space that the target makes embeddings in: a name of yours for what makes vectors comparable, such as
   * `'text-embedding-3-small@1536'`. Two targets of one space give vectors that may be mixed: the same model at two vendors,
   * in two regions, with two keys. All that a pool declares must be the same, so that no request falls back into another
   * space. A name that ends in `@` and a number says how long the vectors are. With it the target takes no chat requests;
   * without it, no embeddings. Default: none.
   */
  readonly space?: string;
  /** Targets with the same key and the same `quotaGroup` share one rate limit. Default: each model has its own. */
  readonly quotaGroup?: string;
  /** Settings laid over those of every request to this target. */
  readonly params?: ChatSettings;
  /**
   * Whether the model goes on from an assistant's turn that the request ends with, when it is to carry on with an answer
   * that broke off elsewhere; others are asked to in words. Set it for a server such as vLLM that takes
   * `continue_final_message`. A model that refuses is asked in words from then on. Default: true at Anthropic, false
   * elsewhere.
   */
  readonly prefill?: boolean;
  /**
   * What to do with a request that this vendor cannot wholly express: skip the target, or leave the field out and say
   * so in the trace. Default: `skip`.
   */
  readonly unsupported?: 'skip' | 'drop';
}

/** How long one attempt may take. Each is also bounded by what the request's deadline leaves. */
export interface Timeouts {
  /** Until the request has left on a connection. Default: 2 s. */
  readonly connect?: Duration;
  /**
   * Streams: until the first content. Default: learned, three times the 99th percentile of the target while it is well,
   * from 3 to 30 s (180 s where `reasoning` is); 30 s until 30 answers were seen.
   */
  readonly firstContent?: Duration;
  /** Plain answers: until the whole answer is there, since a vendor shows nothing before. Default: 90 s, 180 s where `reasoning` is. */
  readonly answer?: Duration;
  /** Streams: between two events, after the first content. Default: 30 s; down to 15 s where pauses are known to be short. */
  readonly idle?: Duration;
  /** Streams: the whole attempt. Default: 10 min. */
  readonly total?: Duration;
}
