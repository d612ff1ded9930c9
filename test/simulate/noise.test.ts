import { rehearse, SCENARIOS } from '@switchyard/simulator/virtual';
import { expect, test } from 'vitest';

// Refusals come back sooner than answers do: with many requests at once a few of them always come one after the other.

const [partial] = SCENARIOS.filter(({ name }) => name === 'partial-5');

test.each([
  [0.02, 10, 0.03],
  [0.02, 50, 0.03],
  [0.05, 50, 0.08],
] as const)(
  'a vendor that fails %f of its requests keeps its traffic at %i a second',
  async (probability, perSecond, away) => {
    if (partial === undefined) throw new Error('There is no scenario partial-5.');
    const scenario = {
      ...partial,
      durationMs: 240_000,
      arrivals: { ...partial.arrivals, perSecond },
      faults: (partial.faults ?? []).map((fault) => ({ ...fault, probability, toMs: 220_000 })),
    };
    const { measures, brokeOff } = await rehearse(scenario, 1);
    const [first] = Object.keys(measures.before.servedBy);
    expect(measures.all.failures + brokeOff).toBe(0);
    expect(1 - (measures.during.servedBy[first ?? ''] ?? 0)).toBeLessThan(away);
  },
);
