import { hashOf } from './hash.ts';
import { has } from './strategy.ts';

/** Things that subjects are assigned to, by index: arms of an experiment, targets of a pool. */
export interface Rendezvous {
  /** From 0; 0 stands by. */
  readonly weights: readonly number[];
  /** By the name of the whole and the id of each, so that neither order nor number of the others has a say. */
  readonly seeds: readonly number[];
}

/** Under another `name` the same subjects are shared out anew. */
export const rendezvousOf = (
  name: string,
  entries: readonly { readonly id: string; readonly weight: number }[],
): Rendezvous => ({
  weights: entries.map(({ weight }) => weight),
  seeds: entries.map(({ id }) => hashOf(id, hashOf(name))),
});

/**
 * Who of the `candidates`, a mask, is a subject's own: the one with the largest -weight / ln(u), where u, 0 to 1, is a hash
 * of name, subject and id. -1 where there is none.
 *
 * Shares are proportional to weights. One that is taken away moves its own subjects only; what is picked without it is who
 * comes second for each of them, and so is always the same. Weight 0 is picked where all candidates have it, in their order.
 *
 * O(n) hashes of the subject, no allocation. Source: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit
 * Rates", 1998; weights: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005.
 */
export const meet = ({ weights, seeds }: Rendezvous, subject: string, candidates: number): number => {
  let best = -1;
  let most = -1;
  for (let i = 0; i < weights.length; i++) {
    if (!has(candidates, i)) continue;
    const weight = weights[i] ?? 0;
    // -ln(u) is above 0, since u is below 1.
    const score = weight === 0 ? 0 : weight / -Math.log(fractionOf(hashOf(subject, seeds[i])));
    if (score <= most) continue;
    most = score;
    best = i;
  }
  return best;
};

/** Of 52 bits, so that adding a half is exact, and neither 0 nor 1 comes out. */
const fractionOf = (hash: number): number => (Math.floor(hash / 2) + 0.5) / 2 ** 52;
