import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Allowance,
  headroomFor,
  type Need,
  newAllowance,
  readAllowance,
  shareLeft,
  spend,
  takesSmaller,
} from './allowance.ts';

const SMALL: Need = [1, 100, 100, 1];

/** Headers of a vendor that takes 600 requests a minute: ten a second. */
const requests = (remaining: number): Record<string, string> => ({
  'x-ratelimit-limit-requests': '600',
  'x-ratelimit-remaining-requests': String(remaining),
});

const from = (headers: Record<string, string>) => (name: string) => headers[name];

/** Sends one request at `atMs` whose answer, seen at once, shows what remains. */
const learn = (allowance: Allowance, remaining: number, atMs: number): void => {
  const sentThen = spend(allowance, SMALL, atMs);
  readAllowance(allowance, from(requests(remaining)), { startedAtMs: atMs, sentThen }, atMs);
};

test('a vendor that shows no limits has room', () => {
  const allowance = newAllowance();
  for (let i = 0; i < 1_000; i++) spend(allowance, SMALL, 0);
  expect(headroomFor(allowance, SMALL, 0)).toBe(1);
  expect(shareLeft(allowance, 0)).toBeUndefined();
});

test('what was sent is taken off before the vendor says so, and comes back with time', () => {
  const allowance = newAllowance();
  learn(allowance, 3, 0);
  for (let i = 0; i < 3; i++) spend(allowance, SMALL, 0);
  expect(headroomFor(allowance, SMALL, 0)).toBe(0);
  expect(headroomFor(allowance, SMALL, 99)).toBe(0);
  expect(headroomFor(allowance, SMALL, 100)).toBeGreaterThan(0);
});

test('below a tenth of its limit a target hands traffic over bit by bit', () => {
  const allowance = newAllowance();
  learn(allowance, 61, 0);
  expect(headroomFor(allowance, SMALL, 0)).toBe(1);
  learn(allowance, 30, 1);
  expect(headroomFor(allowance, SMALL, 1)).toBeCloseTo(0.5);
  expect(shareLeft(allowance, 1)).toBeCloseTo(0.05);
});

test('an answer that was overtaken is old news', () => {
  const allowance = newAllowance();
  const early = spend(allowance, SMALL, 0);
  learn(allowance, 10, 5);
  readAllowance(allowance, from(requests(500)), { startedAtMs: 0, sentThen: early }, 10);
  expect(headroomFor(allowance, SMALL, 10)).toBeLessThan(0.2);
});

test('what was sent after the request that shows a limit is not in what it shows', () => {
  const allowance = newAllowance();
  const first = spend(allowance, SMALL, 0);
  for (let i = 0; i < 5; i++) spend(allowance, SMALL, 0);
  readAllowance(allowance, from(requests(5)), { startedAtMs: 0, sentThen: first }, 0);
  expect(headroomFor(allowance, SMALL, 0)).toBe(0);
});

test('what others take with the same key is missed, and counted on', () => {
  const [alone, shared] = [newAllowance(), newAllowance()];
  // One request a second, of the ten that come back: what is shown stays full, or falls by six a second.
  for (let second = 0; second <= 60; second++) {
    learn(alone, 599, second * 1_000);
    learn(shared, 599 - 6 * second, second * 1_000);
  }
  const inTwoSeconds = (allowance: Allowance): number => (shareLeft(allowance, 62_000) as number) * 600;
  expect(inTwoSeconds(alone)).toBe(600);
  // 239 were left; 20 come back, and about 15 of them are taken: 16 a second are gone in all.
  expect(inTwoSeconds(shared)).toBeGreaterThan(220);
  expect(inTwoSeconds(shared)).toBeLessThan(239);
});

test('a request that asks for more tokens than are left does not fit, a smaller one does', () => {
  const allowance = newAllowance();
  const sentThen = spend(allowance, SMALL, 0);
  const headers = { 'x-ratelimit-limit-tokens': '10000', 'x-ratelimit-remaining-tokens': '5000' };
  readAllowance(allowance, from(headers), { startedAtMs: 0, sentThen }, 0);
  expect(headroomFor(allowance, [1, 6_000, 6_000, 1], 0)).toBe(0);
  expect(headroomFor(allowance, SMALL, 0)).toBe(1);
});

test("Anthropic's meters count, Azure's 0 and -1 do not", () => {
  const allowance = newAllowance();
  const sentThen = spend(allowance, SMALL, 0);
  const anthropic = {
    'anthropic-ratelimit-input-tokens-limit': '50000',
    'anthropic-ratelimit-input-tokens-remaining': '0',
  };
  readAllowance(allowance, from(anthropic), { startedAtMs: 0, sentThen }, 0);
  expect(headroomFor(allowance, SMALL, 0)).toBe(0);
  const unknown = newAllowance();
  const azure = {
    'x-ratelimit-limit-requests': '0',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-limit-tokens': '1000',
    'x-ratelimit-remaining-tokens': '-1',
  };
  readAllowance(unknown, from(azure), { startedAtMs: 0, sentThen }, 0);
  expect(headroomFor(unknown, SMALL, 0)).toBe(1);
});

test('a limit by the day comes back by the day', () => {
  const allowance = newAllowance();
  const sentThen = spend(allowance, SMALL, 0);
  const headers = { ...requests(0), 'x-ratelimit-reset-requests': '24h' };
  readAllowance(allowance, from(headers), { startedAtMs: 0, sentThen }, 0);
  expect(headroomFor(allowance, SMALL, 60_000)).toBe(0);
  expect(headroomFor(allowance, SMALL, 145_000)).toBeGreaterThan(0);
});

test('refused with tokens left, it takes smaller requests; refused with none, it does not', () => {
  const tokens = (remaining: string): Record<string, string> => ({
    'x-ratelimit-limit-tokens': '10000',
    'x-ratelimit-remaining-tokens': remaining,
  });
  expect(takesSmaller(from(tokens('400')))).toBe(true);
  expect(takesSmaller(from(tokens('0')))).toBe(false);
  expect(takesSmaller(from({ ...tokens('400'), ...requests(0) }))).toBe(false);
  expect(takesSmaller(from({}))).toBe(false);
});

test('whatever was sent and shown: headroom is between 0 and 1, and comes back in two minutes at the latest', () => {
  const step = fc.record({ afterMs: fc.nat(2_000), remaining: fc.option(fc.nat(600)), lagMs: fc.nat(500) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const allowance = newAllowance();
      let nowMs = 0;
      for (const { afterMs, remaining, lagMs } of steps) {
        const startedAtMs = nowMs;
        const sentThen = spend(allowance, SMALL, startedAtMs);
        nowMs += afterMs;
        if (remaining !== null) {
          readAllowance(allowance, from(requests(remaining)), { startedAtMs, sentThen }, nowMs + lagMs);
          nowMs += lagMs;
        }
        const headroom = headroomFor(allowance, SMALL, nowMs);
        expect(headroom).toBeGreaterThanOrEqual(0);
        expect(headroom).toBeLessThanOrEqual(1);
      }
      expect(headroomFor(allowance, SMALL, nowMs + 120_000)).toBe(1);
    }),
  );
});
