import { meet, rendezvousOf } from './rendezvous.ts';
import { allOf, has, type Picker, type Strategy, type StrategyTarget } from './strategy.ts';

/** Picks that may have been made before the first: more than one round of any weights that people write. */
const START_PHASES = 256;

/**
 * Takes candidates in turn, in proportion to their weights. Each pick adds every candidate's weight to its credit, takes
 * the largest credit, and charges the winner the sum; targets that may not be tried now keep their credit unchanged, so
 * that one that comes back is not flooded.
 *
 * Fallbacks, and attempts beside a late one, turn in a rotation of their own. So they are shared out by weight as well,
 * and the first picks keep their shares, whoever fails.
 *
 * Requests that belong to a subject are no part of the rotation: each subject has a target of its own, and the same
 * substitutes in the same order, by their weights (rendezvous.ts).
 *
 * O(n) per pick, no allocation. Source: nginx, "smooth weighted round-robin balancing", 2012.
 */
export const inTurn = (name: string, weightOf: (target: StrategyTarget) => number): Strategy => ({
  name,
  forPool({ route, targets, dice }) {
    const weights = targets.map(weightOf);
    const rendezvous = rendezvousOf(
      route,
      targets.map((target) => ({ id: target.id, weight: weightOf(target) })),
    );

    const turn = (credits: Float64Array, candidates: number): number => {
      const creditOf = (i: number): number => credits[i] ?? 0;
      let total = 0;
      let best = -1;
      for (let i = 0; i < weights.length; i++) {
        if (!has(candidates, i)) continue;
        const weight = weights[i] ?? 0;
        if (weight > 0) {
          total += weight;
          credits[i] = creditOf(i) + weight;
          if (best < 0 || weights[best] === 0 || creditOf(i) > creditOf(best)) best = i;
        } else if (best < 0) best = i;
      }
      if (total > 0) credits[best] = creditOf(best) - total;
      return best;
    };

    const pickerOf = (firsts: Float64Array, fallbacks: Float64Array): Picker => ({
      takesTurns: true,
      pick: ({ candidates, attempt, subject }) =>
        subject === undefined
          ? turn(attempt === 0 ? firsts : fallbacks, candidates)
          : meet(rendezvous, subject, candidates),
      copy: () => pickerOf(firsts.slice(), fallbacks.slice()),
      assign: (subject, entries) => meet(rendezvous, subject, entries),
    });

    const credits = new Float64Array(weights.length);
    const all = allOf(weights.length);
    for (let phase = Math.floor(dice() * START_PHASES); phase > 0; phase--) turn(credits, all);
    return pickerOf(credits, credits.slice());
  },
});
