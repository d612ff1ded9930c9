import {
  bestPerformance,
  leastCost,
  leastLatency,
  priority,
  roundRobin,
  type Strategy,
  weightedRoundRobin,
} from '@switchyard/core';
import { ranked } from '../../packages/core/src/decide/strategies/ranked.ts';
import { inGroups } from './strategy-pool.ts';

/** A strategy, and what may be asked of it beyond what every one has to do. */
export interface StrategyCase {
  readonly make: () => Strategy;
  /** A target of weight 0 is not picked while one of another weight may be. */
  readonly standby?: true;
  /** Of targets in another order it picks the same ones, as long as no two are equal to it. */
  readonly permutes?: true;
  /** Only the ratio of weights counts. */
  readonly scales?: true;
}

// One line each: the contract suite and the fallback suite run all of them.
// biome-ignore format: reads as a table
export const STRATEGY_CASES: Readonly<Record<string, StrategyCase>> = {
  priority:               { make: priority, scales: true },
  'least-latency':        { make: leastLatency, scales: true },
  'round-robin':          { make: roundRobin, standby: true, scales: true },
  'weighted-round-robin': { make: weightedRoundRobin, standby: true, permutes: true, scales: true },
  'least-cost':           { make: leastCost, scales: true },
  'best-performance':     { make: bestPerformance, standby: true, scales: true },
  own:                    { make: () => ranked('own'), scales: true },
  'priority of round-robin':             { make: () => inGroups(priority, roundRobin), scales: true },
  'weighted-round-robin of priority':    { make: () => inGroups(weightedRoundRobin, priority), scales: true },
  'priority of best-performance':        { make: () => inGroups(priority, bestPerformance), scales: true },
  'round-robin of weighted-round-robin': { make: () => inGroups(roundRobin, weightedRoundRobin), scales: true },
};
