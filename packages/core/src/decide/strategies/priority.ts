import { firstOf, type Strategy } from '../strategy.ts';

/**
 * Serves every request from the first target of the pool, and from the next in line while that one fails.
 *
 * Choose it when one model is wanted and the others stand in for it. A target that is back gets its traffic back.
 * O(1) per pick, no state.
 */
export const priority = (): Strategy => ({
  name: 'priority',
  forPool: () => ({
    pick: ({ candidates }) => firstOf(candidates),
  }),
});
