import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const DAY = 24 * 60 * 60 * 1_000;

const read = (headers: Record<string, string>, retryDelay?: string): number | undefined =>
  retryAfterMs((name) => headers[name], NOW, retryDelay);

test.each([
  ['seconds', { 'retry-after': '20' }, 20_000],
  ['fractions of a second', { 'retry-after': '0.25' }, 250],
  ['an HTTP date', { 'retry-after': 'Sun, 22 Nov 2026 12:00:30 GMT' }, 30_000],
  ['a date that is past', { 'retry-after': 'Sun, 22 Nov 2026 11:00:00 GMT' }, 0],
  ['milliseconds', { 'retry-after-ms': '1500' }, 1_500],
  ["Azure's milliseconds", { 'x-ms-retry-after-ms': '700' }, 700],
  ['zero', { 'retry-after': '0' }, 0],
  ['a negative number, which says nothing', { 'retry-after': '-1' }, undefined],
  ['thirty years, which is a mistake', { 'retry-after': '1000000000' }, DAY],
  ['a word', { 'retry-after': 'later' }, undefined],
  ['nothing', {}, undefined],
  [
    "OpenAI's reset of an exhausted budget",
    { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s' },
    360_000,
  ],
  [
    "OpenAI's reset in milliseconds",
    { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '12ms' },
    12,
  ],
  [
    "Azure's reset in plain seconds",
    { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '9' },
    9_000,
  ],
  [
    'the reset of a budget that is not exhausted',
    { 'x-ratelimit-remaining-tokens': '5', 'x-ratelimit-reset-tokens': '6m0s' },
    undefined,
  ],
  [
    'a remaining of -1, which means unknown',
    { 'x-ratelimit-remaining-tokens': '-1', 'x-ratelimit-reset-tokens': '6m0s' },
    undefined,
  ],
  [
    "Anthropic's reset",
    {
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': '2026-11-22T12:00:07Z',
    },
    7_000,
  ],
  ["Cohere's epoch seconds", { 'x-ratelimit-reset': String(NOW / 1_000 + 4) }, 4_000],
] as const)('reads %s', (_, headers, expected) => {
  expect(read(headers)).toBe(expected);
});

test("a date is held against the vendor's own clock, which may be an hour off ours", () => {
  const headers = { date: 'Sun, 22 Nov 2026 13:00:00 GMT', 'retry-after': 'Sun, 22 Nov 2026 13:00:20 GMT' };
  expect(read(headers)).toBe(20_000);
});

test("reads Google's retryDelay", () => {
  expect(read({}, '17s')).toBe(17_000);
  expect(read({}, '1.5s')).toBe(1_500);
});

test('of several forms the longest wins', () => {
  expect(read({ 'retry-after': '3', 'retry-after-ms': '2000' }, '5s')).toBe(5_000);
});

test('what the vendor asks for goes before what its budgets say', () => {
  const headers = { 'retry-after': '3', 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s' };
  expect(read(headers)).toBe(3_000);
});

test('whatever the headers say, the wait is undefined or between nothing and a day', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
      const wait = read({ 'retry-after': a, 'retry-after-ms': b, 'x-ratelimit-reset': c }, a);
      if (wait !== undefined) {
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(DAY);
      }
    }),
  );
});
