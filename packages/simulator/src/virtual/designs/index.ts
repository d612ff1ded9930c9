import { chainWithoutMemory, fixedCooldown, sdkDefaults } from './baselines.ts';
import type { Design } from './design.ts';
import { LATENCY_BASELINES } from './latency-baselines.ts';
import { switchyard, switchyardWith } from './switchyard.ts';

/** The router first, then what people do without one. */
export const DESIGNS: readonly Design[] = [switchyard, sdkDefaults, chainWithoutMemory, fixedCooldown];

/** The router with each of the strategies that are compared by latency; ours is first. */
export const LATENCY_DESIGNS: readonly Design[] = [
  switchyardWith('least-latency', 'least-latency'),
  ...LATENCY_BASELINES.map((strategy) => switchyardWith(strategy.name, strategy)),
];
