import { chainWithoutMemory, fixedCooldown, sdkDefaults } from './baselines.ts';
import type { Design } from './design.ts';
import { switchyard } from './switchyard.ts';

/** The router first, then what people do without one. */
export const DESIGNS: readonly Design[] = [switchyard, sdkDefaults, chainWithoutMemory, fixedCooldown];
