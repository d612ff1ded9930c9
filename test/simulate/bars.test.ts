import {
  DESIGNS,
  holdBars,
  type RequestRecord,
  rehearse,
  runJob,
  SCENARIOS,
  type Scenario,
} from '@switchyard/simulator/virtual';
import { describe, expect, test } from 'vitest';

const named = (name: string): Scenario => {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  return scenario;
};

const shortened = (name: string, changes: Partial<Scenario> = {}): Scenario => ({
  ...named(name),
  durationMs: 180_000,
  ...changes,
});

describe('a rehearsal', () => {
  test('is the same for the same seed, request by request, and another for another', async () => {
    for (const design of DESIGNS) {
      const play = async (seed: number): Promise<readonly RequestRecord[]> =>
        (await rehearse(shortened('flapping'), seed, design)).requests;
      const first = await play(7);
      expect(first.length).toBeGreaterThan(1_500);
      expect(await play(7)).toEqual(first);
      expect(await play(8)).not.toEqual(first);
    }
  });

  test('puts the same arrivals to every design', async () => {
    const arrivals = await Promise.all(
      DESIGNS.map(async (design) => (await rehearse(shortened('hang'), 3, design)).requests.map(({ atMs }) => atMs)),
    );
    for (const each of arrivals) expect(each).toEqual(arrivals[0]);
  });

  test('accounts for every request and every attempt', async () => {
    for (const name of ['server-errors', 'hang', 'all-down', 'tight-limit', 'weighted']) {
      const { requests, measures, lost } = await rehearse(shortened(name), 1);
      expect(lost, name).toBe(0);
      expect(
        requests.filter(({ outcome }) => outcome === 'open'),
        name,
      ).toEqual([]);
      const attempts = measures.targets.reduce((sum, target) => sum + target.attempts, 0);
      expect(attempts, name).toBe(requests.reduce((sum, request) => sum + request.attempts.length, 0));
      const served = measures.targets.reduce((sum, target) => sum + target.served, 0);
      expect(served + measures.all.failures, name).toBe(requests.length);
      for (const { outcomes, attempts: own } of measures.targets) {
        expect(
          Object.values(outcomes).reduce((sum, count) => sum + count, 0),
          name,
        ).toBe(own);
      }
    }
  });

  test('plays whole answers, prompts of all sizes, and plain requests', async () => {
    const { measures, lost } = await rehearse({ ...named('busy-hour'), durationMs: 60_000, faults: [] }, 1);
    expect(lost).toBe(0);
    expect(measures.all.failures).toBe(0);
    expect(measures.all.requests).toBeGreaterThan(2_500);
  });
});

describe('the baselines fail as they are known to', () => {
  const measuresOf = async (name: string, design: string): Promise<Awaited<ReturnType<typeof runJob>>['measures']> =>
    (await runJob({ scenario: named(name), design, seed: 1 })).measures;

  test("an SDK's retries make four attempts of one while the first vendor is down", async () => {
    expect((await measuresOf('server-errors', 'sdk-defaults')).during.attemptsPerRequest).toBeCloseTo(4, 1);
  });

  test('a chain without memory lets everybody wait for its whole timeout while the first vendor hangs', async () => {
    const { p50 } = (await measuresOf('hang', 'chain')).during.firstContentMs;
    expect(Math.abs(p50 - 15_900)).toBeLessThan(200);
  });

  test('a cool-down above one half does not notice that three in ten calls fail', async () => {
    const { wastedOnFaulty, noticedMs } = await measuresOf('partial-30', 'cool-down');
    expect(noticedMs).toBeNaN();
    expect(Math.abs(wastedOnFaulty - 876)).toBeLessThan(90);
  });
});

test('a short run of the bars: one seed, one rate, four minutes, every design', async () => {
  const verdicts = await holdBars({
    seeds: 1,
    rates: [1],
    designs: DESIGNS.map(({ name }) => name),
    durationMs: 240_000,
    run: (jobs) => Promise.all(jobs.map(runJob)),
  });
  const failed = verdicts.filter(({ name }) => name === 'requests that failed');
  expect(failed.map(({ scenario, holds }) => [scenario, holds])).toEqual(
    failed.map(({ scenario }) => [scenario, true]),
  );
  for (const { limit, measured } of verdicts) {
    expect(limit).toBeGreaterThanOrEqual(0);
    expect(Object.keys(measured)).toEqual(DESIGNS.map(({ name }) => name));
  }
});
