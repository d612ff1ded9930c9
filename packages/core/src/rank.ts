import type { EmbeddingRequest } from './decide/embedding.ts';
import type { ChatRequest } from './decide/request.ts';
import type { TargetSnapshot } from './snapshot.ts';

/**
 * A strategy of your own as a function: the ids of targets, best first. Choose it where the order depends on the request or
 * on something that only you know; a `Strategy` is quicker, and can learn.
 *
 * It is asked once for each request, before anybody else is, and awaited for `rankTimeout` at most. Targets that it does
 * not name follow in the order of the pool. Who may be tried is not its to say: one that is left alone stays so. Where it
 * throws, is slow, or names what is no target of the route, the pool's order serves, and `strategy-failed` tells.
 */
export type Rank = (context: RankContext) => readonly string[] | Promise<readonly string[]>;

/** What a function is told of a request, and of the targets that can take it. */
export interface RankContext {
  readonly route: string;
  /** On a route that makes embeddings, the request for them: `'inputs' in request` tells. */
  readonly request: ChatRequest | EmbeddingRequest;
  /** Whether vendors are asked for a stream. */
  readonly streaming: boolean;
  /** Of the prompt: an estimate. */
  readonly inputTokens: number;
  /** Those that can express the request, in the order of the pool: standing, price, pace and load of each. */
  readonly targets: readonly TargetSnapshot[];
}
