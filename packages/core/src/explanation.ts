import type { AttemptRole } from './decide/attempt.ts';
import type { StrategyReport } from './decide/strategy.ts';
import type { SkippedTarget } from './errors.ts';

/** How a route would go about a request that came now. */
export interface Explanation {
  readonly route: string;
  readonly strategy: string;
  /** The arm that the request's subject belongs to. */
  readonly assigned?: string;
  /** The prompt's tokens. */
  readonly estimatedTokens: number;
  /**
   * The targets in the order in which they would be tried, if each of them failed at once. After them come those whose
   * window looks too small, which are among the skipped. Where the strategy is a function that answers later, they are in
   * the order of the pool: nobody waits for it here.
   */
  readonly ranking: readonly Ranked[];
  /** The others, each with the reason. */
  readonly skipped: readonly SkippedTarget[];
}

export interface Ranked {
  readonly target: string;
  /** `first`, `fallback`, `probe` for one that was left alone and is due, `last-resort` for one that is not due. */
  readonly role: AttemptRole;
  /** Without content for so long it counts as late, and another attempt may start beside it. */
  readonly lateAfterMs: number;
  readonly givenUpAfterMs: number;
  /** What the route's strategy believes of it, where it has a belief. */
  readonly strategy?: StrategyReport;
}
