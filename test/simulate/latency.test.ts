import { leastLatency } from '@switchyard/core';
import {
  compareLatency,
  holdsLatencyBars,
  LATENCY_BARS,
  LATENCY_DESIGNS,
  type LatencyScore,
  latencyRows,
  rehearse,
  runJob,
  SCENARIOS,
  type Scenario,
} from '@switchyard/simulator/virtual';
import { describe, expect, test } from 'vitest';

const run = async (
  jobs: Parameters<Parameters<typeof compareLatency>[1]>[0],
): ReturnType<Parameters<typeof compareLatency>[1]> => {
  const results = [];
  for (const job of jobs) results.push(await runJob(job));
  return results;
};

const ours = (scores: readonly LatencyScore[]): LatencyScore[] =>
  scores.filter(({ strategy }) => strategy === 'least-latency');

// 3000 requests a run at most; the heavy rate is for `pnpm simulate --latency`, and for the short test below.
describe('on a pool whose best target changes, over 15 seeds', () => {
  let scores: readonly LatencyScore[] = [];

  test('least latency stays within its bars', { timeout: 120_000 }, async () => {
    scores = await compareLatency(15, run, [0.2, 1]);
    expect(holdsLatencyBars(scores), JSON.stringify(ours(scores))).toBe(true);
    expect(ours(scores).map(({ perSecond }) => perSecond)).toEqual([0.2, 1]);
  });

  test('it is ahead of the mean of ten, of peak EWMA, and of taking turns', () => {
    for (const { perSecond, ofBest } of ours(scores)) {
      for (const strategy of ['last-ten', 'p2c-peak-ewma', 'round-robin']) {
        const other = scores.find((score) => score.strategy === strategy && score.perSecond === perSecond);
        expect(ofBest, `${strategy} at ${perSecond}`).toBeLessThan(other?.ofBest ?? Number.NaN);
      }
    }
  });

  test('nobody beats an oracle, and who takes turns serves a quarter from the best, ± 3 %', () => {
    for (const { strategy, ofBest, steady } of scores) {
      expect(ofBest).toBeGreaterThan(1);
      if (strategy === 'round-robin') expect(Math.abs(steady - 0.25)).toBeLessThan(0.03);
    }
  });

  test('the table names every strategy, each rate and the bars', () => {
    const [head, ...rows] = latencyRows(scores);
    expect(head).toEqual(['Strategy', '0.2 per second', '1 per second']);
    expect(rows.map(([name]) => name)).toEqual([...LATENCY_DESIGNS.map(({ name }) => name), 'bar of least-latency']);
    expect(rows.at(-1)).toEqual(['bar of least-latency', '≤ 1.40', '≤ 1.20']);
    for (const [, ...cells] of rows.slice(0, -1))
      for (const cell of cells) expect(cell).toMatch(/^\d\.\d\d \(\d+ %\)$/);
  });
});

test('at ten requests a second least latency is within a tenth of the oracle, here over two seeds', {
  timeout: 120_000,
}, async () => {
  const [drifting] = SCENARIOS.filter(({ name }) => name === 'drifting');
  if (drifting === undefined) throw new Error('There is no scenario drifting.');
  const most = LATENCY_BARS.find(({ perSecond }) => perSecond === 10)?.most;
  for (const seed of [1, 2]) {
    const { measures, lost } = await runJob({
      scenario: { ...drifting, arrivals: { perSecond: 10 } },
      design: 'switchyard',
      seed,
    });
    expect(lost).toBe(0);
    expect(measures.all.failures).toBe(0);
    expect(measures.all.ofBest).toBeLessThanOrEqual(most ?? Number.NaN);
    expect(measures.before.servedByBest).toBeGreaterThan(0.9);
  }
});

describe('by the length of the answer', () => {
  const told = (tokens: number, route: Scenario['route'], stream: boolean): Scenario => ({
    name: 'lengths',
    durationMs: 600_000,
    pool: [
      { name: 'sprinter', firstContentMs: { median: 300, sigma: 0.4 }, answer: { tokens, msPerToken: 20 } },
      { name: 'runner', firstContentMs: { median: 1_500, sigma: 0.4 }, answer: { tokens, msPerToken: 5 } },
    ],
    route: { hedging: false, ...route },
    arrivals: { perSecond: 1 },
    requests: [{ share: 1, inputTokens: 500, stream }],
  });
  const shareOfRunner = async (scenario: Scenario): Promise<number> => {
    const { measures, lost } = await rehearse(scenario, 1);
    expect(lost).toBe(0);
    expect(measures.all.failures).toBe(0);
    return measures.all.servedBy['runner/model'] ?? 0;
  };

  test('plain answers come from who is whole first: 20 tokens from one, 400 from the other', async () => {
    const route = { strategy: 'least-latency' } as const;
    expect(await shareOfRunner(told(20, route, false))).toBeLessThan(0.1);
    expect(await shareOfRunner(told(400, route, false))).toBeGreaterThan(0.9);
  });

  test('streams from who begins first, or from who ends first, as the route says', async () => {
    expect(await shareOfRunner(told(400, { strategy: leastLatency() }, true))).toBeLessThan(0.1);
    expect(await shareOfRunner(told(400, { strategy: leastLatency({ goal: 'whole' }) }, true))).toBeGreaterThan(0.9);
  });
});

test('a bar that does not hold is seen', () => {
  const score = { strategy: 'least-latency', perSecond: 10, ofBest: 1.11, steady: 0.9 };
  expect(holdsLatencyBars([score])).toBe(false);
  expect(holdsLatencyBars([{ ...score, ofBest: 1.1 }])).toBe(true);
  expect(holdsLatencyBars([{ ...score, strategy: 'round-robin' }])).toBe(true);
});
