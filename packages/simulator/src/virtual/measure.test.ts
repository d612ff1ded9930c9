import type { RouterEvent } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import type { VirtualFault } from './fault.ts';
import { type Measures, measure } from './measure.ts';
import { Recorder } from './record.ts';
import type { Scenario } from './scenario.ts';
import { VirtualVendor, type VirtualVendorOptions } from './vendor.ts';
import { World } from './world.ts';

const VENDORS = ['a', 'b'].map((name): VirtualVendorOptions => ({ name, firstContentMs: { median: 1_000, sigma: 0 } }));

/** A target, an outcome (or a kind of failure), how long it took, and after how long of its request it began. */
type Try = readonly [
  target: 'a' | 'b',
  outcome: string,
  tookMs: number,
  afterMs?: number,
  role?: 'first' | 'fallback' | 'probe' | 'hedge',
];

/** A run as a router might have reported it. */
class Story {
  readonly recorder = new Recorder();
  readonly #scenario: Scenario;
  readonly #vendors: readonly VirtualVendor[];
  #requests = 0;

  constructor(scenario: Partial<Scenario> = {}) {
    this.#scenario = { name: 'story', durationMs: 600_000, pool: VENDORS, arrivals: { perSecond: 1 }, ...scenario };
    const { pool, faults = [] } = this.#scenario;
    this.#vendors = pool.map((options) => new VirtualVendor(options, faults, new World(1)));
  }

  /** The vendor of the first, or of another, place in the pool. */
  vendor(i = 0): VirtualVendor {
    return this.#vendors[i] as VirtualVendor;
  }

  /** A request and its attempts. What no attempt answered has failed, for this reason. */
  request(atMs: number, tries: readonly Try[], { code = 'all-targets-failed', instance = 0 } = {}): this {
    this.#requests += 1;
    const names = { requestId: `r${this.#requests}`, route: 'pool' };
    const hear = this.recorder.listener(instance);
    hear({ type: 'request-started', atMs, ...names });
    for (const [target, , , afterMs = 0, role = 'first'] of tries) {
      hear({ type: 'attempt-started', atMs: atMs + afterMs, ...names, target: `${target}/model`, role });
    }
    let tookMs = 0;
    let servedBy: string | undefined;
    for (const [target, outcome, took, afterMs = 0, role = 'first'] of tries) {
      const attempt = { target: `${target}/model`, role, outcome, tookMs: took };
      hear({ type: 'attempt-ended', atMs: atMs + afterMs + took, ...names, attempt } as RouterEvent);
      if (outcome === 'answered') servedBy = attempt.target;
      if (outcome === 'answered' || servedBy === undefined) tookMs = afterMs + took;
    }
    const tally = { atMs: atMs + tookMs, ...names, attempts: tries.length, tookMs };
    if (servedBy !== undefined) hear({ type: 'request-answered', ...tally, target: servedBy });
    else hear({ type: 'request-failed', ...tally, code } as RouterEvent);
    return this;
  }

  target(atMs: number, type: 'suspected' | 'cooled' | 'gated' | 'recovered', target = 'a', instance = 0): this {
    const event = {
      type: `target-${type}`,
      atMs,
      route: 'pool',
      target: `${target}/model`,
      reason: 'slow',
      untilMs: 0,
    };
    this.recorder.listener(instance)(event as RouterEvent);
    return this;
  }

  get measures(): Measures {
    const { recorder } = this;
    return measure({ recorder, vendors: this.#vendors, scenario: this.#scenario, inputTokens: 500 });
  }
}

const outage: VirtualFault = { vendor: 'a', kind: '5xx', fromMs: 100_000, toMs: 200_000 };
const served = (target: 'a' | 'b'): readonly Try[] => [[target, 'answered', 1_000]];

describe('a span', () => {
  test('counts who failed, why, and after what wait; whoever left has not failed', () => {
    const { all } = new Story()
      .request(0, served('a'))
      .request(1_000, [
        ['a', 'server-error', 200],
        ['b', 'server-error', 300, 200, 'fallback'],
      ])
      .request(2_000, [], { code: 'no-capable-target' })
      .request(3_000, [['a', 'aborted', 700]], { code: 'aborted' }).measures;
    expect(all).toMatchObject({
      requests: 4,
      failures: 2,
      failed: { 'all-targets-failed': 1, 'no-capable-target': 1, aborted: 1 },
      attemptsPerRequest: 1,
      wasted: { 'server-error': 2, aborted: 1 },
      failedAfterMs: { p50: 0, worst: 500 },
      firstContentMs: { p50: 1_000, worst: 1_000 },
    });
  });

  test('knows who should have answered, and how much sooner', () => {
    const slower = [VENDORS[0], { name: 'b', firstContentMs: { median: 1_500, sigma: 0 } }] as VirtualVendorOptions[];
    const { before, during } = new Story({ pool: slower, faults: [outage] })
      .request(0, served('a'))
      .request(1_000, [['b', 'answered', 1_700]])
      .request(150_000, [['b', 'answered', 1_700]]).measures;
    expect(before.strayed).toBe(0.5);
    // 0 for the first; 700 ms above what the first vendor would have taken for the second.
    expect(before.regretMs).toBeCloseTo(350, 6);
    expect(during.strayed).toBe(0);
    expect(during.regretMs).toBeCloseTo(200, 6);
  });
});

describe('a target', () => {
  test('is put last and left alone so long after its fault began, by each router, and before that for nothing', () => {
    const story = new Story({ faults: [outage], instances: 2, durationMs: 3_600_000 })
      .target(50_000, 'suspected')
      .target(60_000, 'cooled', 'b')
      .target(101_000, 'suspected', 'a', 0)
      .target(102_000, 'cooled', 'a', 0)
      .target(104_000, 'cooled', 'a', 1)
      .target(150_000, 'cooled', 'a', 1)
      // Within a second of the end it is still the fault's doing.
      .target(200_500, 'cooled', 'a', 0)
      .target(300_000, 'cooled', 'a', 0);
    const { targets, falseTripsPerHour, noticedMs } = story.measures;
    expect(targets[0]).toMatchObject({ suspectedMs: 1_000, cooledMs: 3_000, falseTrips: 1, falseSuspicions: 1 });
    expect(targets[1]).toMatchObject({ suspectedMs: Number.NaN, cooledMs: Number.NaN, falseTrips: 1 });
    // Two in an hour, by two routers.
    expect(falseTripsPerHour).toBe(1);
    expect(noticedMs).toBe(1_000);
  });

  test('is away while nothing is wrong with it, until it is back or the run is over, on average over the routers', () => {
    const { targets } = new Story({ faults: [outage], instances: 2 })
      .target(190_000, 'cooled', 'a', 0)
      .target(205_000, 'gated', 'a', 0)
      .target(230_000, 'recovered', 'a', 0)
      .target(590_000, 'gated', 'a', 1).measures;
    expect(targets[0]?.awayWhileUpMs).toBe((30_000 + 10_000) / 2);
  });

  test('has a peak, and another in the minute after its fault', () => {
    const story = new Story({ faults: [outage] });
    const { books } = story.vendor();
    for (const atMs of [10_000, 10_001, 10_002]) books.begin(atMs);
    for (const atMs of [11_000, 11_001, 11_002]) books.end(atMs);
    for (const atMs of [201_000, 201_001]) books.begin(atMs);
    expect(story.measures.targets[0]).toMatchObject({ peakInFlight: 3, peakAtReturn: 2 });
    expect(story.measures.targets[1]).toMatchObject({ peakInFlight: 0, peakAtReturn: Number.NaN });
  });

  test('is used as far as its limits allow', () => {
    const limited = { ...VENDORS[0], rateLimit: { requestsPerMinute: 6, atOnce: 4 } } as VirtualVendorOptions;
    const story = new Story({ pool: [limited], durationMs: 600_000 });
    const { books } = story.vendor();
    books.refused = 3;
    books.admitted.requests = 33;
    books.begin(0);
    expect(story.measures.targets[0]).toMatchObject({ refused: 3, rateUse: 0.5, atOnceUse: 0.25 });
    // What is used after the end could only be used then.
    books.admitted.requests = 60;
    books.admitted.lastMs = 1_140_000;
    expect(story.measures.targets[0]?.rateUse).toBe(0.5);
  });
});

describe('the time until it is', () => {
  const traffic = (story: Story, from: number, to: number, by: (second: number) => 'a' | 'b'): Story => {
    for (let second = from; second < to; second++) story.request(second * 1_000, served(by(second)));
    return story;
  };

  test('found, and until it serves nine tenths of its share again', () => {
    const story = new Story({ faults: [outage], durationMs: 300_000 });
    traffic(story, 0, 100, () => 'a');
    story.request(100_000, [
      ['a', 'server-error', 200],
      ['b', 'answered', 1_000, 200, 'fallback'],
    ]);
    story.request(105_500, [
      ['a', 'server-error', 200],
      ['b', 'answered', 1_000, 200, 'fallback'],
    ]);
    story.request(150_000, [
      ['a', 'server-error', 200, 0, 'probe'],
      ['b', 'answered', 900, 200, 'fallback'],
    ]);
    traffic(story, 200, 300, (second) => (second < 230 ? 'b' : 'a'));
    expect(story.measures).toMatchObject({ lastOrdinaryMs: 5_500, wastedOnFaulty: 3, firstAnswerMs: 1_000 });
    // Ten requests in a row, nine of them by the first vendor: the one before it came back may be in.
    expect(story.measures.recoveredMs).toBe(29_000);
  });
});

describe('what it cost', () => {
  test('attempts in the worst second per request that began in it, and in a quiet one per request of the usual one', () => {
    const story = new Story({ durationMs: 10_000 });
    for (let i = 0; i < 20; i++) story.request(i * 100, served('a'));
    // Two requests per second on average; this one alone makes three attempts in its second.
    story.request(5_000, [
      ['a', 'server-error', 100],
      ['b', 'server-error', 100, 100],
      ['a', 'answered', 100, 200],
    ]);
    story.request(7_000, [
      ['a', 'server-error', 100],
      ['b', 'answered', 100, 2_500],
    ]);
    expect(story.measures.worstSecond).toBeCloseTo(3 / 2.2, 6);
  });

  test('trials: how long nobody else was asked because of them', () => {
    const story = new Story()
      .request(0, [['a', 'answered', 900, 0, 'probe']])
      .request(1_000, [
        ['a', 'server-error', 250, 0, 'probe'],
        ['b', 'answered', 900, 250, 'fallback'],
      ])
      .request(2_000, [
        ['a', 'timed-out', 9_000, 0, 'probe'],
        ['b', 'answered', 4_000, 1_000, 'hedge'],
      ])
      // The second attempt was late itself: that is not the trial's doing.
      .request(3_000, [
        ['a', 'server-error', 150, 0, 'probe'],
        ['b', 'timed-out', 5_000, 150, 'fallback'],
        ['b', 'answered', 800, 4_000, 'hedge'],
      ])
      .request(4_000, [['a', 'server-error', 250, 0, 'probe']]);
    expect(story.measures.trials).toEqual({
      requests: 5,
      failures: 1,
      worstMs: 5_000,
      delayMs: { mean: (0 + 250 + 1_000 + 150) / 4, worst: 1_000 },
    });
  });

  test('hedges, those that served, and what a budget of 10 and 5 % would have allowed', () => {
    const story = new Story();
    for (let i = 0; i < 198; i++) story.request(i, served('a'));
    story.request(1_000, [
      ['a', 'aborted', 3_000],
      ['b', 'answered', 500, 2_500, 'hedge'],
    ]);
    story.request(2_000, [
      ['a', 'answered', 3_000],
      ['b', 'aborted', 500, 2_500, 'hedge'],
    ]);
    expect(story.measures.hedges).toEqual({ attempts: 2, won: 0.5, ofBudget: 0.1 });
  });

  test('429s per thousand requests, and tokens for nobody', () => {
    const story = new Story().request(0, [
      ['a', 'rate-limited', 100],
      ['b', 'answered', 500, 100, 'fallback'],
    ]);
    for (let i = 1; i < 4; i++) story.request(i * 1_000, served('a'));
    story.vendor(0).books.tokens.billed = 600;
    story.vendor(1).books.tokens.billed = 200;
    story.vendor(1).books.tokens.lost = 20;
    expect(story.measures).toMatchObject({ refusedPerThousand: 250, lostTokens: 0.025 });
  });
});

describe('shares', () => {
  const weighted = (['a', 'b'] as const).map(
    (name, i): VirtualVendorOptions => ({
      name,
      firstContentMs: { median: 1_000, sigma: 0 },
      target: { weight: 3 - 2 * i },
    }),
  );
  const route = { strategy: 'weighted-round-robin' } as const;

  test('are wrong by what another target was due, by the truth of each moment', () => {
    const story = new Story({ pool: weighted, route, faults: [outage] });
    for (let i = 0; i < 100; i++) story.request(i * 1_000, served(i % 4 === 0 ? 'b' : 'a'));
    // While the first is down, all is due to the second.
    for (let i = 100; i < 200; i++) story.request(i * 1_000, served('b'));
    expect(story.measures.shareError).toBeCloseTo(0, 6);
    for (let i = 200; i < 300; i++) story.request(i * 1_000, served('b'));
    // 75 of the last 100 were due to the first.
    expect(story.measures.shareError).toBeCloseTo(75 / 300, 6);
  });

  test('of a strategy of priorities are those of the first that is up', () => {
    const story = new Story({ faults: [outage] });
    for (let i = 0; i < 4; i++) story.request(i * 1_000, served(i === 0 ? 'b' : 'a'));
    story.request(150_000, served('b'));
    expect(story.measures.shareError).toBeCloseTo(1 / 5, 6);
  });

  test('are unknown for a strategy that the pool alone does not determine', () => {
    const own = { name: 'own', forPool: () => ({ pick: () => 0 }) };
    expect(new Story({ route: { strategy: own } }).request(0, served('a')).measures.shareError).toBeNaN();
  });

  test('swing when traffic goes and comes back, and not by chance', () => {
    const swings = (by: (second: number) => 'a' | 'b'): number => {
      const story = new Story({ durationMs: 120_000 });
      for (let second = 0; second < 120; second++) story.request(second * 1_000, served(by(second)));
      return story.measures.swingsPerMinute;
    };
    expect(swings(() => 'a')).toBe(0);
    // Away and back once in two minutes.
    expect(swings((second) => (second >= 40 && second < 80 ? 'b' : 'a'))).toBe(1);
    expect(swings((second) => (Math.floor(second / 10) % 2 === 0 ? 'a' : 'b'))).toBe(5.5);
    // Five to seven of ten, forth and back, are no swing of the first; the second has risen once.
    const uneasy = (second: number): 'a' | 'b' =>
      second < 60 || second % 10 < 5 + (Math.floor(second / 10) % 2) * 2 ? 'a' : 'b';
    expect(swings(uneasy)).toBe(0.5);
  });
});

test('routers that count their requests alike are kept apart', () => {
  const recorder = new Recorder();
  for (const instance of [0, 1]) {
    recorder.listener(instance)({ type: 'request-started', atMs: instance, requestId: 'chain-1', route: 'pool' });
  }
  const tally = { atMs: 500, requestId: 'chain-1', route: 'pool', attempts: 1, tookMs: 500 };
  recorder.listener(0)({ type: 'request-answered', ...tally, target: 'a/model' });
  expect(recorder.requests).toMatchObject([
    { instance: 0, outcome: 'answered' },
    { instance: 1, outcome: 'open' },
  ]);
});
