import {
  DESIGNS,
  holdBars,
  type Job,
  type Rehearsal,
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

  test.each(['clock-back', 'limit-anthropic', 'limit-30-x4', 'cut'])(
    'is the same also where dates, limits, several routers or whole answers are in play: %s',
    async (name) => {
      const play = (): Promise<Rehearsal> => rehearse(shortened(name, { durationMs: 150_000 }), 7);
      const [first, second] = [await play(), await play()];
      expect(second.requests).toEqual(first.requests);
      expect(second.measures).toEqual(first.measures);
    },
  );

  test('puts the same arrivals to every design', async () => {
    const arrivals = await Promise.all(
      DESIGNS.map(async (design) => (await rehearse(shortened('hang'), 3, design)).requests.map(({ atMs }) => atMs)),
    );
    for (const each of arrivals) expect(each).toEqual(arrivals[0]);
  });

  test('accounts for every request and every attempt', async () => {
    for (const name of ['server-errors', 'hang', 'all-down', 'limit-10', 'concurrency', 'impatient', 'weighted']) {
      const { requests, measures, lost } = await rehearse(shortened(name), 1);
      expect(lost, name).toBe(0);
      expect(
        requests.filter(({ outcome }) => outcome === 'open'),
        name,
      ).toEqual([]);
      const attempts = measures.targets.reduce((sum, target) => sum + target.attempts, 0);
      expect(attempts, name).toBe(requests.reduce((sum, request) => sum + request.attempts.length, 0));
      const served = measures.targets.reduce((sum, target) => sum + target.served, 0);
      const left = measures.all.failed.aborted ?? 0;
      expect(served + measures.all.failures + left, name).toBe(requests.length);
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

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
  '%s can be played from before its fault to after it, and nobody is lost',
  async (_, { arrivals, durationMs, faults = [], ...scenario }) => {
    // Two minutes, with the faults drawn together, at five requests per second at most.
    const pace = Math.min(1, 120_000 / durationMs);
    const played: Scenario = {
      ...scenario,
      durationMs: durationMs * pace,
      arrivals: { ...arrivals, perSecond: Math.min(5, arrivals.perSecond) },
      faults: faults.map((fault) => ({ ...fault, fromMs: fault.fromMs * pace, toMs: fault.toMs * pace })),
    };
    const { requests, lost } = await rehearse(played, 1);
    expect(lost).toBe(0);
    expect(requests.length).toBeGreaterThan(played.durationMs * 0.9e-3 * Math.min(1, arrivals.perSecond) - 5);
    expect(requests.filter(({ outcome }) => outcome === 'open')).toEqual([]);
  },
);

test.each(DESIGNS.map((design) => [design.name, design] as const))(
  'callers of %s who leave get nothing, and are gone when they said',
  async (_, design) => {
    const requests = [{ share: 1, inputTokens: 500, leavesAfterMs: 700 }];
    const hang = { vendor: 'a', kind: 'hang', fromMs: 0, toMs: 20_000 } as const;
    const played = shortened('healthy', { durationMs: 20_000, requests, faults: [hang] });
    const { measures, requests: records, lost } = await rehearse(played, 1, design);
    expect(lost).toBe(0);
    expect(measures.all.failed.aborted).toBeGreaterThan(50);
    expect(measures.all.failures).toBe(0);
    for (const { outcome, tookMs } of records) if (outcome === 'aborted') expect(tookMs).toBeCloseTo(700, 6);
  },
);

describe('several routers before the same vendors', () => {
  const play = async (instances: number, name = 'server-errors'): Promise<Rehearsal> =>
    rehearse(shortened(name, { instances }), 1);

  test('share the traffic by chance, ± 15 %, and it is the same traffic', async () => {
    const [one, four] = await Promise.all([play(1), play(4)]);
    expect(four.requests.map(({ atMs }) => atMs)).toEqual(one.requests.map(({ atMs }) => atMs));
    for (const instance of [0, 1, 2, 3]) {
      const own = four.requests.filter((request) => request.instance === instance);
      expect(Math.abs((4 * own.length) / four.requests.length - 1)).toBeLessThan(0.15);
    }
  });

  test('each find out for themselves, and so pay four times', async () => {
    const [one, four] = await Promise.all([play(1), play(4)]);
    const coolers = four.targetEvents.filter(({ type }) => type === 'target-cooled').map(({ instance }) => instance);
    expect(new Set(coolers)).toEqual(new Set([0, 1, 2, 3]));
    expect(four.measures.wastedOnFaulty).toBeGreaterThan(2 * one.measures.wastedOnFaulty);
  });

  test('run into the same limit of the same key', async () => {
    const used = async (instances: number): Promise<number> => {
      const { measures } = await play(instances, 'limit-30');
      return measures.targets[0]?.rateUse ?? Number.NaN;
    };
    // Each of them may not use a limit of its own, or together they would use four.
    for (const instances of [1, 4]) {
      const part = await used(instances);
      expect(part).toBeGreaterThan(0.8);
      expect(part).toBeLessThanOrEqual(1);
    }
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

test('a short run of the bars: two seeds of the router and one of the others, one rate, three minutes', {
  timeout: 120_000,
}, async () => {
  const played: Job[] = [];
  const designs = ['switchyard', 'cool-down'];
  const verdicts = await holdBars({
    seeds: 2,
    seedsOfOthers: 1,
    rates: [1],
    designs,
    durationMs: 180_000,
    run: (jobs) => {
      played.push(...jobs);
      return Promise.all(jobs.map(runJob));
    },
  });
  const seedsOf = (name: string): number[] => [
    ...new Set(played.filter(({ design }) => design === name).map(({ seed }) => seed)),
  ];
  expect(designs.map(seedsOf)).toEqual([[1, 2], [1]]);
  const keys = played.map(
    ({ scenario, design, seed }) => `${scenario.name} ${scenario.arrivals.perSecond} ${design} ${seed}`,
  );
  expect(new Set(keys).size, 'no run is made twice').toBe(keys.length);
  const own = verdicts.filter(({ atOwnRate }) => atOwnRate);
  expect(own.map(({ scenario, perSecond }) => `${scenario} ${perSecond}`)).toContain('limit-30-x4 30');
  expect(verdicts.filter(({ atOwnRate, perSecond }) => !atOwnRate && perSecond !== 1)).toEqual([]);
  const failed = verdicts.filter(({ name }) => name === 'requests that failed');
  expect(failed.map(({ scenario, holds }) => [scenario, holds])).toEqual(
    failed.map(({ scenario }) => [scenario, true]),
  );
  for (const { limit, measured } of verdicts) {
    expect(limit).toBeGreaterThanOrEqual(0);
    expect(Object.keys(measured)).toEqual(designs);
  }
});

test('a bar is not held at a rate for which it names no limit, and any is shown at a rate that no bar names', async () => {
  const rates = [50, 7];
  const verdicts = await holdBars({
    seeds: 1,
    rates,
    designs: ['switchyard'],
    // Nothing has to be measured to know what would be.
    run: async (jobs) => {
      const { measures, brokeOff, lost } = await rehearse(shortened('healthy', { durationMs: 10_000 }), 1);
      return jobs.map(() => ({ measures, brokeOff, lost }));
    },
  });
  const [at50, at7] = rates.map((rate) => verdicts.filter(({ perSecond }) => perSecond === rate));
  expect(at50?.some(({ scenario }) => scenario === 'quick-return')).toBe(false);
  expect(at50?.every(({ holds }) => holds !== undefined)).toBe(true);
  expect(at7?.some(({ scenario }) => scenario === 'quick-return')).toBe(true);
  expect(at7?.every(({ holds }) => holds === undefined)).toBe(true);
});
