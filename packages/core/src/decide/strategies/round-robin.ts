import { inTurn } from '../rotation.ts';
import type { Strategy } from '../strategy.ts';

/**
 * Serves candidates one after the other, each as often as the others.
 *
 * Choose it for equals: several keys, regions or servers of one model. Weights say only who stands by: a target of weight 0
 * is picked only when every candidate has weight 0, in pool order; for other shares take `weightedRoundRobin`.
 *
 * A subject (`stickyBy`) has a target of its own.
 *
 * O(n) per pick, no allocation. Each process starts at a random point of the rotation.
 */
export const roundRobin = (): Strategy => inTurn('round-robin', ({ weight }) => (weight > 0 ? 1 : 0));
