import type { News, Trust } from './decide/health/news.ts';

/**
 * What several routers share, in several processes: how models and gates stand. `clusterStore()` of `@switchyard/core/cluster` is one,
 * for the workers of a host.
 *
 * No request waits for it. A router folds in what it hears as it comes, decides by what it knows itself, and tells after each change
 * of standing. A store that throws, hangs or is gone costs no request; the router is then by itself, with all that it has heard until
 * then.
 *
 * What a store has to do:
 *
 * - Hand what a member tells to all other members: to each at most late, and never by waiting for another. News may get lost, come
 *   twice or overtake one another.
 * - Remember for a day what was told last of each key, by `version`, and of equal versions what lasts longer. Whoever joins is told
 *   that, at once or later, with `forMs` less by the time since then (0 at least), and `ageMs` of what is `back` more by it.
 * - Hand on what it does not understand (`v`) as it is, or drop it. A router passes over what it does not understand.
 */
export interface Store {
  /**
   * How far a peer's word goes. `evidence`: the members reach vendors by the same way, so that what one has seen holds for all:
   * they leave the model alone at once, one of them probes it, and all come back together. `advice`: members on several hosts,
   * where a peer's trouble may be its own; a model that fell there is asked last here, until it answers. Gates, of rate limits,
   * quotas and keys, are the account's, and hold for all either way.
   */
  readonly trust: Trust;
  /**
   * A router joins, once, as it is made. `hear` takes what others tell, in batches as they come, and never throws. Where this throws,
   * the router is by itself.
   */
  join(hear: (news: readonly unknown[]) => void): Membership;
}

/** A router's part in a store. */
export interface Membership {
  /**
   * Tells the others. It is called within a request, behind its work, at most once for all changes of one turn of the event loop;
   * and so it must not block. Nobody waits for what it returns, and nobody hears what it throws or rejects with.
   */
  tell(news: readonly News[]): unknown;
}
