import { expect, test } from 'vitest';
import { type Concurrency, isFull, lower, newConcurrency, raise } from './concurrency.ts';

const withInFlight = (inFlight: number): Concurrency => ({ ...newConcurrency(), inFlight });

test('a target that never refused anything takes any number at once', () => {
  expect(isFull(withInFlight(10_000), 0)).toBe(false);
});

test('refused at twenty, it is given fourteen; refused again, nine', () => {
  const concurrency = withInFlight(20);
  lower(concurrency, 0, 100);
  expect(concurrency.limit).toBe(14);
  concurrency.inFlight = 14;
  expect(isFull(concurrency, 100)).toBe(true);
  lower(concurrency, 100, 200);
  expect(concurrency.limit).toBe(9);
});

test('a burst that is refused is one refusal', () => {
  const concurrency = withInFlight(20);
  for (let i = 0; i < 6; i++) lower(concurrency, 0, 100 + i);
  expect(concurrency.limit).toBe(14);
});

test('one at a time always goes', () => {
  const concurrency = withInFlight(1);
  for (let i = 0; i < 5; i++) lower(concurrency, i * 100, i * 100 + 50);
  concurrency.inFlight = 0;
  expect(concurrency.limit).toBe(1);
  expect(isFull(concurrency, 500)).toBe(false);
});

test('each round of answers makes room for one more, but only where the room is used', () => {
  const concurrency = withInFlight(10);
  lower(concurrency, 0, 0);
  for (let i = 0; i < 7; i++) raise(concurrency);
  expect(concurrency.limit).toBe(8);
  concurrency.inFlight = 2;
  for (let i = 0; i < 100; i++) raise(concurrency);
  expect(concurrency.limit).toBe(8);
});

test('after five quiet minutes the limit is forgotten', () => {
  const concurrency = withInFlight(10);
  lower(concurrency, 0, 0);
  expect([isFull(concurrency, 299_999), isFull(concurrency, 300_000)]).toEqual([true, false]);
});
