import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Breaker,
  type BreakerSettings,
  beginProbe,
  dropProbe,
  type Evidence,
  isDue,
  newBreaker,
  noteContent,
  noteLateness,
  noteSilence,
  noteWhole,
  shareOf,
  strike,
  strikesAllowed,
  strikesOf,
} from './breaker.ts';
import { isTroubled, newDomain, noteCooled } from './domain.ts';
import { takePlace } from './streak.ts';

const middle = (): number => 0.5;
const settings: BreakerSettings = { longestCoolingMs: 30_000, rampMs: 20_000 };
const fresh = (): Breaker => newBreaker(newDomain(), settings);
/** Of an attempt that health has not heard of yet. */
const attempt = (breaker: Breaker): Evidence => ({
  place: takePlace(breaker.streak),
  counted: undefined,
  spoke: false,
});
const fail = (breaker: Breaker, nowMs: number, dice = middle): boolean =>
  strike(breaker, 'server-error', attempt(breaker), nowMs, dice);
const answer = (breaker: Breaker, nowMs: number): boolean =>
  noteContent(breaker, attempt(breaker), false, nowMs, middle);

const cooled = (nowMs = 0): Breaker => {
  const breaker = fresh();
  while (breaker.standing !== 'cooling') fail(breaker, nowMs);
  return breaker;
};

test('two failures in a row change nothing, the third cools the target for five seconds', () => {
  const breaker = fresh();
  expect([1, 2, 3].map(() => fail(breaker, 1_000))).toEqual([false, false, true]);
  expect(breaker).toMatchObject({ standing: 'cooling', untilMs: 6_000 });
});

test('failures are in a row in the order in which they were asked for, not in which they came', () => {
  const breaker = fresh();
  const [first, between, second, third] = [1, 2, 3, 4].map(() => attempt(breaker)) as [
    Evidence,
    Evidence,
    Evidence,
    Evidence,
  ];
  // Refusals are quicker than answers.
  for (const refused of [first, second, third]) strike(breaker, 'server-error', refused, 100, middle);
  expect(breaker.standing).toBe('ready');
  // It was asked between them, and answers: two in a row, and a third.
  noteContent(breaker, between, false, 1_000, middle);
  expect(strikesOf(breaker)).toBe(2);
  expect([fail(breaker, 2_000), fail(breaker, 2_000)]).toEqual([false, true]);
});

test('a target that fails now and then while it works is given more: one at 10 % five in a row', () => {
  const breaker = fresh();
  expect(strikesAllowed(breaker, 0)).toBe(3);
  for (let i = 0; i < 1_000; i++) {
    if (i % 10 === 0) fail(breaker, i * 1_000);
    else {
      answer(breaker, i * 1_000);
      noteWhole(breaker, i * 1_000, middle);
    }
  }
  expect(breaker.standing).toBe('ready');
  expect(strikesAllowed(breaker, 0)).toBe(5);
});

test('failures of half of what was tried lately cool it, though never three come in a row', () => {
  const breaker = fresh();
  let nowMs = 0;
  for (; breaker.standing === 'ready' && nowMs < 30_000; nowMs += 500) {
    fail(breaker, nowMs);
    if (breaker.standing !== 'ready') break;
    answer(breaker, nowMs);
    noteWhole(breaker, nowMs, middle);
  }
  expect(breaker.standing).toBe('cooling');
  expect(nowMs).toBeLessThan(6_000);
});

test('three silent ones in a row make it suspect, one word makes it ready', () => {
  const breaker = fresh();
  expect([1, 2, 3].map((i) => noteSilence(breaker, i, middle))).toEqual([false, false, true]);
  expect(breaker.standing).toBe('suspect');
  expect(noteContent(breaker, attempt(breaker), false, 10, middle)).toBe(true);
  expect(breaker.standing).toBe('ready');
});

test('a suspect that nobody has asked for five seconds is probed', () => {
  const breaker = fresh();
  for (let i = 0; i < 3; i++) noteSilence(breaker, 0, middle);
  expect([isDue(breaker, 4_999), isDue(breaker, 5_000)]).toEqual([false, true]);
});

test('slow for half of its requests, it is left alone: an answer that is late is worth less than a prompt one', () => {
  const breaker = fresh();
  for (let i = 0; i < 30; i++) {
    const late = attempt(breaker);
    noteLateness(breaker, late, i * 100, middle);
    if (breaker.standing !== 'ready') break;
    noteContent(breaker, late, false, i * 100, middle);
    answer(breaker, i * 100);
  }
  expect(breaker).toMatchObject({ standing: 'cooling', reason: 'slow' });
});

test('the cooling doubles with each failed probe up to half a minute and no longer, and spreads by a fifth', () => {
  const breaker = cooled();
  const coolings = [breaker.untilMs];
  while (coolings.length < 5) {
    const dueMs = breaker.untilMs;
    expect([isDue(breaker, dueMs - 1), isDue(breaker, dueMs)]).toEqual([false, true]);
    beginProbe(breaker, 0);
    fail(breaker, dueMs);
    coolings.push(breaker.untilMs - dueMs);
  }
  expect(coolings.map(Math.round)).toEqual([5_000, 10_000, 20_000, 27_000, 27_000]);
  for (const [dice, untilMs] of [
    [0, 24_000],
    [1, 30_000],
  ] as const) {
    beginProbe(breaker, 0);
    fail(breaker, 0, () => dice);
    expect(breaker.untilMs).toBeCloseTo(untilMs);
  }
});

test('a last resort that fails leaves it as it was', () => {
  const breaker = cooled();
  const before = { ...breaker };
  expect(fail(breaker, 1_000)).toBe(false);
  expect(breaker).toMatchObject({ standing: 'cooling', untilMs: before.untilMs, coolingMs: before.coolingMs });
});

test('two probes in a row bring it back, with a share that grows from a tenth to all in 20 s', () => {
  const breaker = cooled();
  beginProbe(breaker, 0);
  expect(answer(breaker, 6_000)).toBe(false);
  expect(isDue(breaker, 6_000)).toBe(true);
  beginProbe(breaker, 0);
  expect(answer(breaker, 7_000)).toBe(true);
  expect(breaker.standing).toBe('ramping');
  expect([7_000, 12_000, 17_000, 27_000].map((nowMs) => shareOf(breaker, nowMs))).toEqual([0.1, 0.25, 0.5, 1]);
  expect(breaker.standing).toBe('ready');
});

test('one probe that is slow may be bad luck, the second is none', () => {
  const breaker = cooled();
  const late = (nowMs: number): boolean => {
    beginProbe(breaker, 0);
    return noteContent(breaker, attempt(breaker), true, nowMs, middle);
  };
  expect(late(6_000)).toBe(false);
  expect(isDue(breaker, 6_000)).toBe(true);
  expect(late(7_000)).toBe(true);
  expect(breaker).toMatchObject({ standing: 'cooling', coolingMs: 10_000, reason: 'slow', untilMs: 17_000 });
});

test('what fell with answers that had begun is back with two whole ones', () => {
  const breaker = fresh();
  while (breaker.standing !== 'cooling') {
    const begun = attempt(breaker);
    noteContent(breaker, begun, false, 0, middle);
    strike(breaker, 'stalled', begun, 0, middle);
  }
  for (const whole of [false, true]) {
    beginProbe(breaker, 6_000);
    expect(answer(breaker, 6_000)).toBe(false);
    expect(breaker).toMatchObject({ standing: 'probing', proofs: whole ? 1 : 0 });
    expect(noteWhole(breaker, 9_000, middle)).toBe(whole);
  }
  expect(breaker.standing).toBe('ramping');
});

test('two failures in a row on the ramp, and it is left alone again', () => {
  const breaker = cooled();
  for (const nowMs of [6_000, 6_001]) {
    beginProbe(breaker, 0);
    answer(breaker, nowMs);
  }
  expect([fail(breaker, 7_000), fail(breaker, 7_000)]).toEqual([false, true]);
  expect(breaker.standing).toBe('cooling');
});

test('the longest cooling and the ramp are as they are set', () => {
  const breaker = newBreaker(newDomain(), { longestCoolingMs: 15_000, rampMs: 10_000 });
  while (breaker.standing !== 'cooling') fail(breaker, 0);
  for (let i = 0; i < 3; i++) {
    beginProbe(breaker, 0);
    fail(breaker, 0);
  }
  expect(breaker.untilMs).toBe(13_500);
  for (let i = 0; i < 2; i++) {
    beginProbe(breaker, 0);
    answer(breaker, 20_000);
  }
  expect([25_000, 30_000].map((nowMs) => shareOf(breaker, nowMs))).toEqual([0.5, 1]);
});

test('two models of one vendor that fall together make the third suspect; those of others stay', () => {
  const domain = newDomain();
  const [a, b, c] = [newBreaker(domain, settings), newBreaker(domain, settings), newBreaker(domain, settings)];
  for (const [breaker, nowMs] of [
    [a, 1_000],
    [b, 9_000],
  ] as const) {
    while (breaker.standing !== 'cooling') fail(breaker, nowMs);
    noteCooled(domain, breaker, nowMs, middle);
  }
  expect(c.standing).toBe('suspect');
  expect([isTroubled(domain, 5_000), isTroubled(domain, 60_000)]).toEqual([true, false]);
  expect(isTroubled(newDomain(), 0)).toBe(false);
});

test('whatever happens: no cooling is longer than 30 s, a new standing that changes what is known is a new epoch', () => {
  const step = fc.constantFrom(
    'fail',
    'fail silently',
    'content',
    'slow content',
    'complete',
    'silence',
    'lateness',
    'probe',
    'drop',
    'look',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat(60_000), fc.double({ min: 0, max: 0.999, noNaN: true }))), (steps) => {
      const breaker = fresh();
      const silent = attempt(breaker);
      let nowMs = 0;
      for (const [what, afterMs, luck] of steps) {
        nowMs += afterMs;
        const dice = (): number => luck;
        const { standing, epoch } = breaker;
        if (what === 'fail') strike(breaker, 'server-error', attempt(breaker), nowMs, dice);
        else if (what === 'fail silently') strike(breaker, 'timed-out', silent, nowMs, dice);
        else if (what === 'content') noteContent(breaker, attempt(breaker), false, nowMs, dice);
        else if (what === 'slow content') noteContent(breaker, silent, true, nowMs, dice);
        else if (what === 'complete') noteWhole(breaker, nowMs, dice);
        else if (what === 'silence') noteSilence(breaker, nowMs, dice);
        else if (what === 'lateness') noteLateness(breaker, silent, nowMs, dice);
        else if (what === 'probe' && isDue(breaker, nowMs)) beginProbe(breaker, 0);
        else if (what === 'drop' && standing === 'probing') dropProbe(breaker, luck > 0.5, nowMs, dice);
        else shareOf(breaker, nowMs);
        if (breaker.standing === 'cooling') expect(breaker.untilMs).toBeLessThanOrEqual(nowMs + 30_000);
        const matters = breaker.standing === 'cooling' || breaker.standing === 'probing' || standing === 'probing';
        if (matters && breaker.standing !== standing) expect(breaker.epoch).toBeGreaterThan(epoch);
        expect(strikesAllowed(breaker, 0)).toBeGreaterThanOrEqual(3);
        expect(strikesAllowed(breaker, 0)).toBeLessThanOrEqual(8);
      }
    }),
  );
});
