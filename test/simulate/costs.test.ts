import { leastCost, priority, type Strategy, weightedRoundRobin } from '@switchyard/core';
import { type Measures, rehearse, SCENARIOS, type Scenario, switchyardWith } from '@switchyard/simulator/virtual';
import { expect, test } from 'vitest';

// The hour of the bar is `simulate --bars`; this is ten minutes of it, in which all has yet to be learned.

const prices = SCENARIOS.find(({ name }) => name === 'prices') as Scenario;

const play = async (strategy: Strategy, changes: Partial<Scenario> = {}): Promise<Measures> => {
  const { measures, lost } = await rehearse(
    { ...prices, durationMs: 600_000, ...changes },
    1,
    switchyardWith(strategy.name, strategy),
  );
  expect(lost + measures.all.failures).toBe(0);
  return measures;
};

test('least cost pays little more than an oracle that knows what every answer is going to be', {
  timeout: 60_000,
}, async () => {
  const [ours, first, turns] = [
    await play(leastCost()),
    await play(priority()),
    await play({ ...weightedRoundRobin(), name: 'round-robin' }),
  ];
  expect(ours.cost.aboveOracle).toBeGreaterThan(0);
  expect(ours.cost.aboveOracle).toBeLessThan(0.08);
  // The first of the pool has the lowest list prices of all.
  expect(first.cost.aboveOracle).toBeGreaterThan(0.6);
  expect(turns.cost.aboveOracle).toBeGreaterThan(0.4);
  expect(ours.cost.perThousandRequestsUsd).toBeLessThan(0.8 * turns.cost.perThousandRequestsUsd);
});

test('an outage of the cheapest costs what the next dearer one charges, and no request', {
  timeout: 60_000,
}, async () => {
  const faults = [{ vendor: 'counts-more', kind: '5xx', fromMs: 200_000, toMs: 400_000 }] as const;
  const { during, cost } = await play(leastCost(), { faults });
  expect(during.servedBy['brief/model']).toBeGreaterThan(0.6);
  // The oracle knows of the outage, and pays as much.
  expect(cost.aboveOracle).toBeLessThan(0.1);
});

test('a pool without prices has no cost to measure', async () => {
  const pool = prices.pool.map(({ target: _, ...vendor }) => vendor);
  const { cost } = await play(priority(), { pool, durationMs: 10_000 });
  expect(cost).toEqual({ perThousandRequestsUsd: Number.NaN, aboveOracle: Number.NaN });
});
