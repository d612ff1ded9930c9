import { allOf, has, type Picker, type Strategy } from '../strategy.ts';

/** Picks that may have been made before the first: more than one round of any weights that people write. */
const START_PHASES = 256;

/**
 * Serves candidates in proportion to their weights, spread out evenly instead of in bursts.
 *
 * Choose it to split traffic: A/B tests, spend, rate limits of several keys. Each pick adds every candidate's weight to
 * its credit, takes the largest credit, and charges the winner the sum; targets that may not be tried now keep their
 * credit unchanged, so that one that comes back is not flooded. A fallback is a pick too, and is charged like one.
 * A target of weight 0 is picked only when every candidate has weight 0, in pool order.
 *
 * O(n) per pick, no allocation. Each process starts at a random point of the rotation, so that many of them do not all
 * begin with the same target. Source: nginx, "smooth weighted round-robin balancing", 2012.
 */
export const weightedRoundRobin = (): Strategy => ({
  name: 'weighted-round-robin',
  forPool({ targets, dice }) {
    const weights = targets.map(({ weight }) => weight);
    const weightOf = (i: number): number => weights[i] ?? 0;

    const turn = (credits: Float64Array, candidates: number): number => {
      const creditOf = (i: number): number => credits[i] ?? 0;
      let total = 0;
      let best = -1;
      for (let i = 0; i < weights.length; i++) {
        if (!has(candidates, i)) continue;
        const weight = weightOf(i);
        if (weight > 0) {
          total += weight;
          credits[i] = creditOf(i) + weight;
          if (best < 0 || weightOf(best) === 0 || creditOf(i) > creditOf(best)) best = i;
        } else if (best < 0) best = i;
      }
      if (total > 0) credits[best] = creditOf(best) - total;
      return best;
    };

    const pickerOf = (credits: Float64Array): Picker => ({
      pick: ({ candidates }) => turn(credits, candidates),
      copy: () => pickerOf(credits.slice()),
    });

    const credits = new Float64Array(weights.length);
    const all = allOf(weights.length);
    for (let phase = Math.floor(dice() * START_PHASES); phase > 0; phase--) turn(credits, all);
    return pickerOf(credits);
  },
});
