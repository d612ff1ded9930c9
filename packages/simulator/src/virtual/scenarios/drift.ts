import type { Scenario } from '../scenario.ts';

const MINUTE = 60_000;

/** A pool whose best target is not always the same. Nothing fails; only the choice makes a difference. */
const drifting = (name: string, perSecond: number): Scenario => ({
  name,
  about: `four vendors of 0.6, 0.8, 1.0 and 1.5 s${perSecond < 1 ? ', asked every five seconds' : ''}: the best is four times as slow for ten minutes, and later the worst becomes the best`,
  durationMs: 50 * MINUTE,
  pool: [
    { name: 'a', firstContentMs: { median: 600, sigma: 0.6 } },
    { name: 'b', firstContentMs: { median: 800, sigma: 0.6 } },
    { name: 'c', firstContentMs: { median: 1_000, sigma: 0.6 } },
    { name: 'd', firstContentMs: { median: 1_500, sigma: 0.6 } },
  ],
  // A hedge would mend a bad choice, and hide it.
  route: { strategy: 'least-latency', hedging: false },
  arrivals: { perSecond },
  faults: [
    { vendor: 'a', kind: 'slow', factor: 4, fromMs: 10 * MINUTE, toMs: 20 * MINUTE },
    { vendor: 'd', kind: 'slow', factor: 0.25, fromMs: 30 * MINUTE, toMs: 50 * MINUTE },
  ],
});

export const DRIFTING: Scenario = drifting('drifting', 1);

export const DRIFTS: readonly Scenario[] = [DRIFTING, drifting('drifting-seldom', 0.2)];
