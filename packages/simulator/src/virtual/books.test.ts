import { expect, test } from 'vitest';
import { Books } from './books.ts';

/** Calls that began and ended at these times. */
const booksOf = (calls: readonly (readonly [beganMs: number, endedMs: number])[]): Books => {
  const books = new Books();
  const entries = calls.flatMap(([beganMs, endedMs]) => [
    { atMs: beganMs, write: () => books.begin(beganMs) },
    { atMs: endedMs, write: () => books.end(endedMs) },
  ]);
  for (const { write } of entries.toSorted((a, b) => a.atMs - b.atMs)) write();
  return books;
};

test('the most calls at once, in the whole run and of those that came within a time', () => {
  const books = booksOf([
    [0, 10],
    [1, 9],
    [2, 8],
    [9, 30],
    [20, 40],
    [50, 60],
  ]);
  expect(books.peakAtOnce(0, Number.POSITIVE_INFINITY)).toBe(3);
  // Whoever was under way when they came counts too.
  expect(books.peakAtOnce(15, 45)).toBe(2);
  expect(books.peakAtOnce(45, 100)).toBe(1);
  expect(books.peakAtOnce(61, 100)).toBe(0);
});

test('one call that ends as the next begins is not two at once', () => {
  const books = booksOf([
    [0, 5],
    [5, 9],
  ]);
  expect(books.peakAtOnce(0, 10)).toBe(1);
});

test('calls at once on average, of what is still under way up to the end only', () => {
  const books = booksOf([
    [0, 50],
    [50, 300],
  ]);
  books.begin(400);
  expect(books.meanAtOnce(100)).toBe(1);
  expect(books.meanAtOnce(300)).toBe(1);
  expect(books.meanAtOnce(800)).toBe((50 + 250 + 400) / 800);
  expect(books.atOnce).toBe(1);
});
