import type { Scenario } from '../scenario.ts';

const MINUTE = 60_000;

/** A pool in which every strategy has something to choose, so that they can be played beside one another. */
export const CHOICES: Scenario = {
  name: 'choices',
  about:
    'four vendors: a good one, a quick one, a cheap one and a spare; the good one fails for five minutes, later the quick one is slow',
  durationMs: 20 * MINUTE,
  pool: [
    {
      name: 'good',
      firstContentMs: { median: 1_000, sigma: 0.5 },
      answer: { tokens: 200, msPerToken: 5 },
      target: { weight: 5, price: { inputUsdPerMTok: 3, outputUsdPerMTok: 15 } },
    },
    {
      name: 'quick',
      firstContentMs: { median: 500, sigma: 0.5 },
      answer: { tokens: 200, msPerToken: 5 },
      target: { weight: 3, price: { inputUsdPerMTok: 1, outputUsdPerMTok: 5 } },
    },
    {
      name: 'cheap',
      firstContentMs: { median: 1_300, sigma: 0.5 },
      answer: { tokens: 200, msPerToken: 5 },
      target: { weight: 1, price: { inputUsdPerMTok: 0.25, outputUsdPerMTok: 2 } },
    },
    {
      name: 'spare',
      firstContentMs: { median: 900, sigma: 0.5 },
      answer: { tokens: 200, msPerToken: 5 },
      target: { weight: 1, price: { inputUsdPerMTok: 2, outputUsdPerMTok: 10 } },
    },
  ],
  arrivals: { perSecond: 5 },
  faults: [
    { vendor: 'good', kind: '5xx', fromMs: 4 * MINUTE, toMs: 9 * MINUTE },
    { vendor: 'quick', kind: 'slow', factor: 4, fromMs: 12 * MINUTE, toMs: 17 * MINUTE },
  ],
};
