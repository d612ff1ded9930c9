import { firstOf, has, type Strategy } from '../strategy.ts';

/** Serves each request in the order that was found for it when it came; in the pool's where there is none. */
export const ranked = (name: string): Strategy => ({
  name,
  forPool: () => ({
    pick({ candidates, order }) {
      if (order !== undefined) {
        for (let i = 0; i < order.length; i++) {
          const target = order[i] ?? -1;
          if (has(candidates, target)) return target;
        }
      }
      return firstOf(candidates);
    },
  }),
});
