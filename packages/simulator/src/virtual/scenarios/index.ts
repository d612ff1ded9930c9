import type { Scenario } from '../scenario.ts';
import { CHOICES } from './choices.ts';
import { DRIFTS } from './drift.ts';
import { LIMITS } from './limits.ts';
import { OUTAGES } from './outages.ts';
import { PRICES } from './prices.ts';
import { REFUSALS } from './refusals.ts';
import { STORIES } from './stories.ts';

/** The scenarios that have a name. */
export const SCENARIOS: readonly Scenario[] = [
  ...OUTAGES,
  ...REFUSALS,
  ...LIMITS,
  ...DRIFTS,
  ...PRICES,
  CHOICES,
  ...STORIES,
];
