import { inTurn } from '../rotation.ts';
import type { Strategy } from '../strategy.ts';

/**
 * Serves candidates in proportion to their weights, spread out evenly instead of in bursts.
 *
 * Choose it to split traffic: A/B tests, spend, rate limits of several keys. A target that was out is not flooded when it
 * is back, and fallbacks are shared out by weight without a change to the shares of first picks. A target of weight 0 is
 * picked only when every candidate has weight 0, in pool order.
 *
 * Requests that belong to a subject (`stickyBy`) are not taken in turn: the same subject always meets the same target, and
 * the same substitute while that one is out, by the same weights. A/B tests want that.
 *
 * O(n) per pick, no allocation. Each process starts at a random point of the rotation, so that many of them do not all
 * begin with the same target.
 */
export const weightedRoundRobin = (): Strategy => inTurn('weighted-round-robin', ({ weight }) => weight);
