import type { Scenario } from '../scenario.ts';

const MINUTE = 60_000;

/** Pools in which the choice is one of money. */
export const PRICES: readonly Scenario[] = [
  {
    name: 'prices',
    about:
      'four vendors, and no list price tells who is cheapest: one talks long, one is brief, one charges little for input, and one counts more tokens than we do',
    durationMs: 60 * MINUTE,
    pool: [
      {
        name: 'talks-long',
        firstContentMs: { median: 800, sigma: 0.5 },
        answer: { tokens: { most: 8_000, exponent: 1 }, msPerToken: 4 },
        target: { price: { inputUsdPerMTok: 0.2, outputUsdPerMTok: 1.5 } },
      },
      {
        name: 'brief',
        firstContentMs: { median: 700, sigma: 0.5 },
        answer: { tokens: { most: 1_400, exponent: 1 }, msPerToken: 4 },
        target: { price: { inputUsdPerMTok: 0.5, outputUsdPerMTok: 2 } },
      },
      {
        name: 'cheap-input',
        firstContentMs: { median: 900, sigma: 0.5 },
        answer: { tokens: { most: 1_900, exponent: 1 }, msPerToken: 4 },
        target: { price: { inputUsdPerMTok: 0.15, outputUsdPerMTok: 6 } },
      },
      {
        name: 'counts-more',
        firstContentMs: { median: 600, sigma: 0.5 },
        answer: { tokens: { most: 3_400, exponent: 1 }, msPerToken: 4 },
        billing: { tokensPerToken: 1.6, cachedShare: 0.3 },
        target: { price: { inputUsdPerMTok: 0.25, cachedInputUsdPerMTok: 0.025, outputUsdPerMTok: 1.25 } },
      },
    ],
    route: { strategy: 'least-cost' },
    arrivals: { perSecond: 5 },
    requests: [
      { share: 8, inputTokens: { median: 600, sigma: 1.2 } },
      { share: 1, inputTokens: { median: 12_000, sigma: 0.5 } },
      { share: 1, inputTokens: 300, stream: false },
    ],
  },
];
