import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newAttempt } from '../attempt.ts';
import type { Failure, FailureKind } from '../failure.ts';
import { type Breaker, isDue, newBreaker, shareOf } from './breaker.ts';
import { newDomain } from './domain.ts';
import { gateState, openGate } from './gate.ts';
import { accessOf, HealthBook, type TargetHealth } from './health.ts';
import {
  aged,
  foldGate,
  foldModel,
  type GateNews,
  isNews,
  laterOf,
  type ModelNews,
  type News,
  newsOfGate,
  newsOfModel,
  noteGate,
  noteModel,
  type SharedGate,
  type SharedModel,
  shareGate,
  shareModel,
} from './news.ts';
import { type Ask, observeContent, observeEnd, observeFailure, observeStart } from './observe.ts';

const SETTINGS = { longestCoolingMs: 30_000, rampMs: 20_000 };
const ASK: Ask = { load: { size: 0, streaming: true, reasoning: false }, need: [1, 10, 5, 5] };
const middle = (): number => 0.5;
const DOWN: Failure = { kind: 'server-error', message: 'down' };

/** A process with one target, and what it tells of it. */
class Worker {
  readonly health: TargetHealth = new HealthBook(SETTINGS).of({
    endpoint: 'e',
    credential: 'k',
    model: 'm',
    quotaGroup: undefined,
  });
  readonly model: SharedModel = shareModel('model', this.health.breaker);
  readonly limit: SharedGate = shareGate('limit', this.health.gates.limit);
  readonly told: News[] = [];

  get breaker(): Breaker {
    return this.health.breaker;
  }

  start(nowMs: number, role: 'first' | 'probe' = 'first'): ReturnType<typeof newAttempt> {
    const terms = {
      target: 0,
      role,
      connectByMs: nowMs + 2_000,
      silentAtMs: nowMs + 1_000,
      lateAtMs: nowMs + 2_000,
      expiresAtMs: nowMs + 12_000,
      cutShort: false,
      hedgeAtMs: nowMs + 1_000,
    };
    const attempt = newAttempt(terms, { state: 'sent', header: () => undefined }, nowMs);
    observeStart(this.health, attempt, ASK);
    this.tell(nowMs, attempt.expiresAtMs);
    return attempt;
  }

  fail(nowMs: number, failure: Failure = DOWN, attempt = this.start(nowMs)): void {
    observeFailure(this.health, attempt, failure, ASK, nowMs, middle);
    observeEnd(this.health, attempt, nowMs, middle);
    this.tell(nowMs, attempt.expiresAtMs);
  }

  answer(nowMs: number, attempt = this.start(nowMs)): void {
    observeContent(this.health, attempt, ASK, nowMs, middle);
    observeEnd(this.health, attempt, nowMs, middle);
    this.tell(nowMs, attempt.expiresAtMs);
  }

  hear(news: readonly News[], nowMs: number, trust: 'evidence' | 'advice' = 'evidence'): unknown[] {
    return news.map((each) =>
      each.about === 'model' ? foldModel(this.model, each, trust, nowMs) : foldGate(this.limit, each, nowMs),
    );
  }

  tell(nowMs: number, endsAtMs: number): void {
    if (noteModel(this.model, endsAtMs)) this.told.push(newsOfModel(this.model, nowMs));
    if (noteGate(this.limit, endsAtMs)) this.told.push(newsOfGate(this.limit, nowMs));
  }

  /** What it has to tell since it was asked last. */
  news(): News[] {
    return this.told.splice(0);
  }

  access(nowMs: number): string {
    return accessOf(this.health, 10, nowMs);
  }
}

describe('what one has seen', () => {
  test('is nothing to tell while all is well, or a single attempt fails', () => {
    const worker = new Worker();
    for (let i = 0; i < 10; i++) worker.answer(i);
    worker.fail(20);
    worker.answer(21);
    expect(worker.news()).toEqual([]);
  });

  test('of a model that fell, the others leave alone as long', () => {
    const [a, b] = [new Worker(), new Worker()];
    for (let i = 0; i < 3; i++) a.fail(1_000);
    const news = a.news();
    expect(news).toMatchObject([{ about: 'model', standing: 'cooling', reason: 'server-error', forMs: 5_000 }]);
    expect(b.hear(news, 4_000)).toEqual(['cooled']);
    expect([b.access(4_000), b.access(8_999), b.access(9_000)]).toEqual(['last-resort', 'last-resort', 'due']);
    // What is heard is not told on.
    b.tell(4_000, 0);
    expect(b.news()).toEqual([]);
  });

  test('of a probe, keeps the others from it until its result is heard, or it can have none any more', () => {
    const [a, b, c] = [new Worker(), new Worker(), new Worker()];
    for (let i = 0; i < 3; i++) a.fail(0);
    for (const each of [b, c]) each.hear(a.told, 0);
    a.news();
    const probe = a.start(6_000, 'probe');
    const begun = a.news();
    expect(begun).toMatchObject([{ standing: 'probing', forMs: 12_000 }]);
    for (const each of [b, c]) each.hear(begun, 6_000);
    expect([a.access(6_001), b.access(6_001)]).toEqual(['probing', 'probing']);
    // The one hears no more of it, the other hears of an answer in time.
    expect([c.access(17_999), c.access(18_000)]).toEqual(['probing', 'due']);
    a.answer(6_500, probe);
    b.hear(a.news(), 6_500);
    expect([a.access(6_500), b.access(6_500)]).toEqual(['due', 'due']);
    // It has given one proof of two; the second may be anybody's.
    b.answer(7_000, b.start(6_600, 'probe'));
    const back = b.news();
    expect(back.at(-1)).toMatchObject({ standing: 'back' });
    expect(a.hear(back, 7_000).at(-1)).toBe('recovered');
    expect([a.breaker.standing, shareOf(a.breaker, 17_000), shareOf(b.breaker, 17_000)]).toEqual(['ramping', 0.5, 0.5]);
  });

  test('of a probe that failed, doubles the cooling of all', () => {
    const [a, b] = [new Worker(), new Worker()];
    for (let i = 0; i < 3; i++) a.fail(0);
    a.fail(6_000, DOWN, a.start(6_000, 'probe'));
    b.hear(a.news(), 6_000);
    expect(b.breaker).toMatchObject({ standing: 'cooling', coolingMs: 10_000, untilMs: 16_000 });
  });

  test('of a suspicion that is taken back, clears the others, and lifts no cooling', () => {
    const [a, b, c] = [new Worker(), new Worker(), new Worker()];
    for (let i = 0; i < 3; i++) c.fail(0);
    const suspected: ModelNews = { ...model, standing: 'suspect', version: 1, forMs: 5_000, reason: 'slow' };
    for (const each of [a, b, c]) each.hear([suspected], 0);
    expect([a.access(1), b.access(1), c.access(1)]).toEqual(['suspect', 'suspect', 'last-resort']);
    a.answer(100);
    const news = a.news();
    for (const each of [b, c]) each.hear(news, 100);
    expect([b.access(101), c.access(101)]).toEqual(['ready', 'last-resort']);
  });

  test('before a change that others told makes no other change', () => {
    const [a, b] = [new Worker(), new Worker()];
    const early = [b.start(0), b.start(0), b.start(0)];
    for (let i = 0; i < 3; i++) a.fail(100);
    b.hear(a.news(), 100);
    const last = b.breaker.untilMs;
    // It had the first of them under way before the outage.
    b.answer(200, early[0]);
    b.fail(201, DOWN, early[1]);
    expect(b.breaker).toMatchObject({ standing: 'cooling', untilMs: last, proofs: 0 });
    expect(b.news()).toEqual([]);
  });

  test('late, after the model has fallen and come back, changes nothing', () => {
    const [a, b] = [new Worker(), new Worker()];
    for (let i = 0; i < 3; i++) a.fail(0);
    const old = a.news();
    b.hear(old, 0);
    b.answer(6_100, b.start(6_000, 'probe'));
    b.answer(6_200, b.start(6_100, 'probe'));
    expect(b.breaker.standing).toBe('ramping');
    b.hear(old, 7_000);
    expect(b.breaker.standing).toBe('ramping');
  });

  test('lasts for no longer than this router leaves anything alone', () => {
    const worker = new Worker();
    worker.hear([{ ...model, standing: 'cooling', version: 2 ** 20, forMs: 1e12, coolingMs: 1e12 }], 0);
    expect(worker.breaker).toMatchObject({ untilMs: 30_000, coolingMs: 30_000 });
  });
});

describe('as advice', () => {
  test("a peer's fall makes a well model suspect, and an answer of our own clears it", () => {
    const [a, b] = [new Worker(), new Worker()];
    for (let i = 0; i < 3; i++) a.fail(0);
    expect(b.hear(a.news(), 0, 'advice')).toEqual(['suspected']);
    expect(b.access(1)).toBe('suspect');
    b.answer(10);
    expect(b.access(11)).toBe('ready');
  });

  test("a peer's recovery brings nothing back that we saw fall", () => {
    const worker = new Worker();
    for (let i = 0; i < 3; i++) worker.fail(0);
    worker.hear([{ ...model, standing: 'back', version: 2 ** 22 }], 10, 'advice');
    expect(worker.access(11)).toBe('last-resort');
  });
});

describe('a gate', () => {
  const limited = (retryAfterMs: number): Failure => ({ kind: 'rate-limited', message: '429', retryAfterMs });

  test('closes for all, until the latest time that anybody was told', () => {
    const [a, b] = [new Worker(), new Worker()];
    a.fail(0, limited(20_000));
    b.fail(0, limited(60_000));
    const [fromA, fromB] = [a.news(), b.news()];
    expect(a.hear(fromB, 0)).toEqual(['gated']);
    expect(b.hear(fromA, 0)).toEqual([undefined]);
    // A tenth at most on top, by our dice half of that.
    expect([a.limit.gate.untilMs, b.limit.gate.untilMs]).toEqual([63_000, 63_000]);
    expect(a.access(62_999)).toBe('closed');
  });

  test('is tried by one, and open for all when that one was answered', () => {
    const [a, b] = [new Worker(), new Worker()];
    a.fail(0, limited(20_000));
    b.hear(a.news(), 0);
    const trial = a.start(21_000, 'probe');
    b.hear(a.news(), 21_000);
    expect([a.access(21_001), b.access(21_001)]).toEqual(['probing', 'probing']);
    a.answer(21_500, trial);
    expect(b.hear(a.news(), 21_500)).toEqual(['recovered']);
    expect([a.access(21_500), b.access(21_500)]).toEqual(['ready', 'ready']);
  });

  test('whose trial is not heard of again is tried by another', () => {
    const [a, b] = [new Worker(), new Worker()];
    a.fail(0, limited(20_000));
    b.hear(a.news(), 0);
    a.start(21_000, 'probe');
    b.hear(a.news(), 21_000);
    expect([gateState(b.limit.gate, 10, 32_999), gateState(b.limit.gate, 10, 33_000)]).toEqual(['on-trial', 'due']);
  });

  test('stays closed for a day at the most, whatever a peer says', () => {
    const worker = new Worker();
    worker.hear([{ ...gate, standing: 'closed', version: 1, forMs: 1e12 }], 0);
    expect(worker.limit.gate.untilMs).toBe(24 * 60 * 60_000);
  });

  test('that was proven open is not closed by what was told before', () => {
    const worker = new Worker();
    worker.hear([{ ...gate, standing: 'closed', version: 5, forMs: 1_000 }], 0);
    worker.answer(1_500, worker.start(1_400, 'probe'));
    worker.hear([{ ...gate, standing: 'closed', version: 5, forMs: 1_000 }], 1_600);
    expect(worker.access(1_600)).toBe('ready');
  });
});

const model: ModelNews = {
  v: 1,
  about: 'model',
  key: 'model',
  version: 1,
  standing: 'cooling',
  reason: 'server-error',
  forMs: 0,
  coolingMs: 5_000,
  proofs: 0,
  midway: false,
  ageMs: 0,
};
const gate: GateNews = {
  v: 1,
  about: 'gate',
  key: 'limit',
  version: 1,
  standing: 'closed',
  reason: 'rate-limited',
  forMs: 0,
  closings: 0,
  leastTokens: 0,
};

const aModelsNews: Arbitrary<ModelNews> = fc
  .record({
    standing: fc.constantFrom<ModelNews['standing']>('suspect', 'cooling', 'probing', 'back'),
    // Few, so that many are told at once.
    version: fc.oneof(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 2 ** 20, max: 2 ** 20 + 3 }),
      fc.constant(2 ** 21),
    ),
    ms: fc.integer({ min: 0, max: 30_000 }),
    proofs: fc.integer({ min: 0, max: 1 }),
  })
  .map(({ ms, ...some }) => ({ ...model, ...some, [some.standing === 'back' ? 'ageMs' : 'forMs']: ms }));

const aGatesClosing: Arbitrary<GateNews> = fc
  .record({ version: fc.integer({ min: 1, max: 5 }), forMs: fc.integer({ min: 1, max: 90_000_000 }) })
  .map((some) => ({ ...gate, ...some }));

/** The same news twice: as they were told, and in another order with some of them more than once. */
const inTwoOrders = <T>(news: Arbitrary<T>): Arbitrary<readonly [readonly T[], readonly T[]]> =>
  fc
    .array(news, { minLength: 1, maxLength: 8 })
    .chain((all) =>
      fc
        .tuple(fc.shuffledSubarray(all, { minLength: all.length }), fc.subarray(all))
        .map(([shuffled, again]) => [all, [...shuffled, ...again]] as const),
    );

describe('whatever the order, and however often it is heard', () => {
  test('all end up with the same standing of a model', () => {
    fc.assert(
      fc.property(inTwoOrders(aModelsNews), ([one, other]) => {
        const standing = (all: readonly News[]): unknown => {
          const worker = new Worker();
          worker.hear(all, 1_000);
          const { standing, untilMs, sinceMs } = worker.breaker;
          const since = standing === 'ready' || standing === 'ramping' ? { sinceMs } : { untilMs };
          return { access: worker.access(1_000), standing, ...since };
        };
        expect(standing(other)).toEqual(standing(one));
        // A store remembers only the last.
        expect(standing([one.reduce<News | undefined>(laterOf, undefined) as News])).toEqual(standing(one));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a gate is closed until the last time of all, but for what is older than a day', () => {
    fc.assert(
      fc.property(inTwoOrders(aGatesClosing), ([one, other]) => {
        const until = (all: readonly News[]): number => {
          const worker = new Worker();
          worker.hear(all, 0);
          return worker.limit.gate.untilMs;
        };
        const longest = Math.min(86_400_000, Math.max(...one.map(({ forMs }) => forMs)));
        expect([until(one), until(other)]).toEqual([longest, longest]);
      }),
    );
  });

  test('a gate is never closed for less by anything that is heard', () => {
    const anything = fc
      .record({
        standing: fc.constantFrom<GateNews['standing']>('closed', 'probing', 'open'),
        version: fc.integer({ min: 0, max: 6 }),
        forMs: fc.integer({ min: 0, max: 50_000 }),
        atMs: fc.integer({ min: 0, max: 1_000 }),
      })
      .map(({ atMs, ...some }) => ({ atMs, news: { ...gate, ...some } }));
    fc.assert(
      fc.property(fc.array(anything), (heard) => {
        const worker = new Worker();
        worker.fail(0, { kind: 'rate-limited', message: '429', retryAfterMs: 20_000 });
        for (const { atMs, news } of heard) worker.hear([news], atMs);
        expect(worker.access(19_999)).toBe('closed');
      }),
    );
  });
});

describe('news', () => {
  test('survive JSON, and are understood', () => {
    const all = (standing: ModelNews['standing']): News => ({ ...model, standing });
    for (const news of [...(['suspect', 'cooling', 'probing', 'back'] as const).map(all), gate]) {
      expect(isNews(JSON.parse(JSON.stringify(news)))).toBe(true);
    }
    const worker = new Worker();
    for (let i = 0; i < 3; i++) worker.fail(0);
    worker.start(6_000, 'probe');
    worker.answer(6_100, worker.start(6_000, 'probe'));
    worker.fail(7_000, { kind: 'rate-limited', message: '429' });
    for (const news of worker.told) expect(JSON.parse(JSON.stringify(news))).toEqual(news);
    expect(worker.told.filter((news) => !isNews(news))).toEqual([]);
  });

  test.each([
    ['another form', { ...model, v: 2 }],
    ['no object', 'cooling'],
    ['nothing', null],
    ['a standing that is none', { ...model, standing: 'constructor' }],
    ['a time that is none', { ...model, forMs: null }],
    ['a time before now', { ...gate, forMs: -1 }],
    ['a reason that is none', { ...gate, reason: 'toString' }],
    ['a gate that is slow', { ...gate, reason: 'slow' }],
    ['something else', { ...gate, about: 'weather' }],
  ])('of %s are passed over', (_, value) => {
    expect(isNews(value)).toBe(false);
  });

  test('that are told on later last for less', () => {
    expect(aged({ ...gate, forMs: 5_000 }, 2_000).forMs).toBe(3_000);
    expect(aged({ ...gate, forMs: 5_000 }, 9_000).forMs).toBe(0);
    expect(aged({ ...model, standing: 'back' as const, ageMs: 1_000 }, 2_000).ageMs).toBe(3_000);
  });

  test('of what holds no more are remembered for their version', () => {
    const newer: GateNews = { ...gate, standing: 'open', version: 7 };
    expect(laterOf(newer, gate)).toBe(newer);
    expect(laterOf(gate, newer)).toBe(newer);
  });
});

test('a lease that has run out makes a model due, and our own probe does not', () => {
  const breaker = newBreaker(newDomain(), SETTINGS);
  const shared = shareModel('m', breaker);
  foldModel(shared, { ...model, standing: 'probing', version: 2 ** 20, forMs: 4_000 }, 'evidence', 0);
  expect([isDue(breaker, 3_999), isDue(breaker, 4_000)]).toEqual([false, true]);
});

test('kinds of failure of every kind may be the reason', () => {
  const kinds: readonly FailureKind[] = ['server-error', 'quota-exhausted', 'unauthorized', 'stalled'];
  for (const reason of kinds) expect(isNews({ ...gate, reason })).toBe(true);
  expect(gateState(openGate(), 0, 0)).toBe('open');
});
