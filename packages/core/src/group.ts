import type { StrategyName } from './config.ts';
import type { Strategy } from './decide/strategy.ts';
import type { TargetSpec } from './provider.ts';

/** Entries of a pool that stand for one: a level, a region, an arm of an experiment. To any depth. */
export interface TargetGroup {
  /** Unique in its route, among groups and targets. Default: `group-` and the places in the pools around it, as in `group-1.0`. */
  readonly id?: string;
  /** Its share where the pool around it is weighted; the weights within it share that out. Default: 1. */
  readonly weight?: number;
  /** Chooses among the entries of this group. Default: `priority`. */
  readonly strategy?: StrategyName | Strategy;
  readonly pool: readonly (TargetSpec | TargetGroup)[];
}
