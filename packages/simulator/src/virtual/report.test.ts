import { expect, test } from 'vitest';
import type { Result } from './bars.ts';
import { DESIGNS } from './designs/index.ts';
import type { Verdict } from './hold.ts';
import { runJob } from './job.ts';
import { barsTable, scenarioTable, targetLog } from './report.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';

const verdict = (more: Partial<Verdict>): Verdict => ({
  scenario: 'hang',
  name: 'wasted attempts',
  unit: '',
  statistic: 'median',
  perSecond: 10,
  atOwnRate: false,
  limit: 50,
  measured: { switchyard: 33, chain: 2_947 },
  worstSeed: 4,
  holds: true,
  ...more,
});

test('bars stand in one table for each rate, those with a rate of their own in another, and a foot says over how many seeds', () => {
  const verdicts = [
    verdict({ perSecond: 1 }),
    verdict({}),
    verdict({ scenario: 'limit-30', perSecond: 30, atOwnRate: true, limit: 5, holds: false }),
    verdict({ perSecond: 7, limit: undefined, holds: undefined }),
  ];
  const text = barsTable(verdicts, ['switchyard', 'chain'], { ours: 15, others: 3 });
  const heads = text.split('\n').filter((line) => line.includes('switchyard'));
  expect(heads.map((line) => line.split('  ')[0])).toEqual([
    '1 per second',
    '10 per second',
    '7 per second',
    'at their own rates',
  ]);
  expect(text).toMatch(/limit-30: wasted attempts +median +33 +≤ 5 +✗ seed 4 +2947/);
  expect(text.split('\n').at(-1)).toBe(
    '2 of 3 bars hold, over 15 seeds; the other designs, which are only compared with, over 3.',
  );
  expect(barsTable(verdicts, ['switchyard'], { ours: 2, others: 2 }).split('\n').at(-1)).toBe(
    '2 of 3 bars hold, over 2 seeds.',
  );
});

const named = (name: string): Scenario => SCENARIOS.find((each) => each.name === name) as Scenario;

const play = async (scenario: Scenario, seeds: number): Promise<{ name: string; results: Result[] }[]> =>
  Promise.all(
    DESIGNS.slice(0, 2).map(async ({ name }) => ({
      name,
      results: await Promise.all(
        Array.from({ length: seeds }, (_, i) => runJob({ scenario, design: name, seed: i + 1 })),
      ),
    })),
  );

/** The rows of a table, by name: the cells of each. */
const rowsOf = (text: string): Map<string, string[]> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', ...cells] = line.split(/ {2,}/);
        return [name, cells];
      }),
  );

test('a table shows what there is to see, and leaves out what did not happen', async () => {
  const scenario = { ...named('healthy'), durationMs: 60_000 };
  const rows = rowsOf(scenarioTable(scenario, await play(scenario, 1)));
  expect(rows.get('all: requests')?.[0]).toMatch(/^\d+$/);
  expect(rows.get('')).toEqual(['switchyard', 'sdk-defaults']);
  for (const name of [
    '429s per 1000 requests',
    'all: callers who left',
    'in faults: requests',
    'answers that broke off',
  ]) {
    expect(rows.has(name), name).toBe(false);
  }
});

test('a table of several seeds shows the 95th percentile of the router beside its median, and what limits did', async () => {
  const scenario = { ...named('limit-10'), durationMs: 120_000, instances: 2 };
  const text = scenarioTable(scenario, await play(scenario, 2));
  const rows = rowsOf(text);
  expect(text.split('\n')[1]).toBe(
    "10 requests per second, 2 routers, 2 min, 2 seeds; medians over the seeds, and the router's 95th percentile",
  );
  expect(rows.get('')).toEqual(['switchyard', 'p95', 'sdk-defaults']);
  const [median = '', p95 = ''] = rows.get('all: requests') ?? [];
  expect(Number(p95)).toBeGreaterThanOrEqual(Number(median));
  // The other design asks again and again at a vendor that has said no.
  expect(Number(rows.get('429s per 1000 requests')?.[2])).toBeGreaterThan(100);
  expect(text).toMatch(/^target +attempts .*use of rate, %/m);
});

test('a log says which of several routers did it', () => {
  const event = { type: 'target-recovered', atMs: 1_500, route: 'pool', target: 'a/model', instance: 0 } as const;
  expect(targetLog([event])).toBe('    1.50 s  a/model  recovered');
  expect(targetLog([event, { ...event, instance: 1 }])).toBe(
    '    1.50 s  router 1  a/model  recovered\n    1.50 s  router 2  a/model  recovered',
  );
});
