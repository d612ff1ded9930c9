import type { Scenario } from '../scenario.ts';
import { OUTAGES } from './outages.ts';
import { STORIES } from './stories.ts';

/** The scenarios that have a name. */
export const SCENARIOS: readonly Scenario[] = [...OUTAGES, ...STORIES];
