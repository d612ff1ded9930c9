import { firstOf, has, type PickContext, type Strategy } from '../strategy.ts';

/**
 * A level has so much more than it needs: it keeps all of its traffic until less than 1 / 1.4, or 71 %, of it is well.
 * Envoy's overprovisioning factor, and its default.
 */
const OVERPROVISIONING = 1.4;

/**
 * Serves every request from the first target of the pool, and from the next in line while that one fails.
 *
 * Choose it when one model is wanted and the others stand in for it. A target that is back gets its traffic back. Where an
 * entry of the pool is a group, it is a level: it keeps all of its traffic until less than 71 % of its targets may be tried,
 * then the part that it cannot carry spills to the next level, drawn with one die. A fallback goes to the first level that
 * has anybody left.
 *
 * O(1) per pick, O(n) with groups; no state, no allocation. Source of the spill-over: Envoy, "Priority levels".
 */
export const priority = (): Strategy => ({
  name: 'priority',
  forPool: () => ({
    pick: (context) =>
      context.health === undefined || context.attempt > 0
        ? firstOf(context.candidates)
        : levelOf(context, context.health),
  }),
});

/**
 * Each level takes as much as it can carry of what those before it leave. Where all of them together cannot carry
 * everything, they share it in proportion to what they can.
 */
const levelOf = ({ candidates, dice }: PickContext, health: ArrayLike<number>): number => {
  const first = firstOf(candidates);
  if (first < 0 || carries(health, first) >= 1) return first;
  let sum = 0;
  for (let i = first; i < health.length; i++) if (has(candidates, i)) sum += carries(health, i);
  const drawn = dice() * Math.min(1, sum);
  let carried = 0;
  for (let i = first; i < health.length; i++) {
    if (!has(candidates, i)) continue;
    carried += carries(health, i);
    if (drawn < carried) return i;
  }
  return first;
};

/** The part of all traffic that a level can carry. */
const carries = (health: ArrayLike<number>, level: number): number =>
  Math.min(1, OVERPROVISIONING * (health[level] ?? 0));
