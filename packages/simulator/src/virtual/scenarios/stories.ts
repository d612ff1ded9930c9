import type { Scenario } from '../scenario.ts';

const MINUTE = 60_000;

/** Pools and days that are less tidy than those of the bars. */
export const STORIES: readonly Scenario[] = [
  {
    name: 'busy-hour',
    about:
      'an hour of 50 requests per second in bursts, prompts of all sizes, whole answers, and something always wrong',
    durationMs: 60 * MINUTE,
    pool: [
      {
        name: 'a',
        firstContentMs: [
          { upToTokens: 1_000, median: 500, sigma: 0.5 },
          { upToTokens: 8_000, median: 800, sigma: 0.5 },
          { upToTokens: 32_000, median: 1_600, sigma: 0.6 },
        ],
        answer: { tokens: { most: 2_000, exponent: 1 }, msPerToken: { mean: 12, shape: 4 } },
        spells: { calmMs: 10 * MINUTE, slowMs: MINUTE, factor: 3 },
      },
      {
        name: 'b',
        firstContentMs: { median: 900, sigma: 0.7 },
        answer: { tokens: { most: 2_000, exponent: 1 }, msPerToken: { mean: 15, shape: 4 } },
      },
      {
        name: 'c',
        firstContentMs: { median: 1_100, sigma: 0.9 },
        answer: { tokens: { most: 2_000, exponent: 1 }, msPerToken: 20 },
      },
    ],
    arrivals: { perSecond: 50, shape: 0.5 },
    requests: [
      { share: 8, inputTokens: { median: 600, sigma: 1 } },
      { share: 1, inputTokens: { median: 12_000, sigma: 0.5 } },
      { share: 1, inputTokens: 300, stream: false },
    ],
    faults: [
      { vendor: 'a', kind: '5xx', fromMs: 5 * MINUTE, toMs: 10 * MINUTE },
      { vendor: 'b', kind: 'hang', fromMs: 8 * MINUTE, toMs: 12 * MINUTE },
      { vendor: 'a', kind: 'slow', factor: 4, fromMs: 20 * MINUTE, toMs: 25 * MINUTE },
      { vendor: 'a', kind: 'cut', probability: 0.02, fromMs: 30 * MINUTE, toMs: 35 * MINUTE },
      { vendor: 'a', kind: 'rate-limit', headers: { 'retry-after': '20' }, fromMs: 40 * MINUTE, toMs: 45 * MINUTE },
      { vendor: 'a', kind: 'stall', fromMs: 50 * MINUTE, toMs: 52 * MINUTE },
    ],
  },
  {
    name: 'weighted',
    about: 'three vendors at 5 : 3 : 2, of which the first answers three in ten calls with a 500',
    durationMs: 10 * MINUTE,
    pool: [
      { name: 'a', firstContentMs: { median: 800, sigma: 0.6 }, target: { weight: 5 } },
      { name: 'b', firstContentMs: { median: 900, sigma: 0.6 }, target: { weight: 3 } },
      { name: 'c', firstContentMs: { median: 1_100, sigma: 0.6 }, target: { weight: 2 } },
    ],
    route: { strategy: 'weighted-round-robin' },
    arrivals: { perSecond: 10 },
    faults: [{ vendor: 'a', kind: '5xx', probability: 0.3, fromMs: 2 * MINUTE, toMs: 7 * MINUTE }],
  },
  {
    name: 'reasoning',
    about: 'models that think for 30 to 90 s, and are said to: slow, and nothing is wrong',
    durationMs: 60 * MINUTE,
    pool: [
      { name: 'a', firstContentMs: { median: 50_000, sigma: 0.25 }, target: { reasoning: true } },
      { name: 'b', firstContentMs: { median: 55_000, sigma: 0.25 }, target: { reasoning: true } },
    ],
    arrivals: { perSecond: 1 },
  },
  {
    name: 'reasoning-unsaid',
    about: 'models that think for half a minute and more, and nobody told the router: slow, and nothing is wrong',
    durationMs: 60 * MINUTE,
    pool: [
      { name: 'a', firstContentMs: { median: 40_000, sigma: 0.4 } },
      { name: 'b', firstContentMs: { median: 45_000, sigma: 0.4 } },
    ],
    route: { deadline: '5m' },
    arrivals: { perSecond: 1 },
  },
  {
    name: 'quiet',
    about: 'a request every twenty seconds, and the first vendor is down for a quarter of an hour',
    durationMs: 60 * MINUTE,
    pool: [
      { name: 'a', firstContentMs: { median: 800, sigma: 0.6 } },
      { name: 'b', firstContentMs: { median: 900, sigma: 0.6 } },
    ],
    arrivals: { perSecond: 0.05 },
    faults: [{ vendor: 'a', kind: 'hang', fromMs: 20 * MINUTE, toMs: 35 * MINUTE }],
  },
  {
    name: 'bad-day',
    about: 'the first vendor heals while the second fails',
    durationMs: 10 * MINUTE,
    pool: [
      { name: 'a', firstContentMs: { median: 800, sigma: 0.6 } },
      { name: 'b', firstContentMs: { median: 900, sigma: 0.6 } },
    ],
    arrivals: { perSecond: 10 },
    faults: [
      { vendor: 'a', kind: '5xx', fromMs: 2 * MINUTE, toMs: 5 * MINUTE },
      { vendor: 'b', kind: 'hang', fromMs: 5 * MINUTE, toMs: 7 * MINUTE },
    ],
  },
  {
    name: 'lone-partial',
    about:
      'a pool of one vendor, half of whose answers are a 500: half of the callers could be answered at the first try',
    durationMs: 10 * MINUTE,
    pool: [{ name: 'a', firstContentMs: { median: 800, sigma: 0.6 } }],
    arrivals: { perSecond: 10 },
    faults: [{ vendor: 'a', kind: '5xx', probability: 0.5, fromMs: 2 * MINUTE, toMs: 7 * MINUTE }],
  },
  {
    name: 'one-vendor-down',
    about: 'two models of one vendor hang together, and a third vendor is well',
    durationMs: 10 * MINUTE,
    pool: [
      { name: 'a', model: 'large', firstContentMs: { median: 800, sigma: 0.6 } },
      { name: 'a', model: 'small', firstContentMs: { median: 500, sigma: 0.6 } },
      { name: 'b', firstContentMs: { median: 900, sigma: 0.6 } },
    ],
    arrivals: { perSecond: 10 },
    faults: [{ vendor: 'a', kind: 'hang', fromMs: 2 * MINUTE, toMs: 7 * MINUTE }],
  },
  {
    name: 'too-long',
    about: 'one prompt in ten is too long for the first model, and the window of the second is no larger',
    durationMs: 10 * MINUTE,
    pool: [
      { name: 'a', firstContentMs: { median: 800, sigma: 0.6 }, target: { contextWindow: 8_000 } },
      { name: 'b', firstContentMs: { median: 900, sigma: 0.6 }, target: { contextWindow: 8_000 } },
      { name: 'c', firstContentMs: { median: 1_100, sigma: 0.6 }, target: { contextWindow: 200_000 } },
    ],
    arrivals: { perSecond: 10 },
    faults: [
      {
        vendor: 'a',
        kind: 'status',
        status: 400,
        code: 'context_length_exceeded',
        probability: 0.1,
        fromMs: 2 * MINUTE,
        toMs: 7 * MINUTE,
      },
    ],
  },
];
