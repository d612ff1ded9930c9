import { expect, test } from 'vitest';
import { ascending, quantile } from './quantile.ts';

test('quantiles are values that occurred', () => {
  const sorted = ascending(Array.from({ length: 100 }, (_, i) => 100 - i));
  expect([0, 0.01, 0.5, 0.95, 0.99, 1].map((q) => quantile(sorted, q))).toEqual([1, 1, 50, 95, 99, 100]);
  expect(quantile(ascending([3, 1, 2]), 0.5)).toBe(2);
});

test('of nothing there is no quantile, and a run without a value is the worst one', () => {
  expect(quantile([], 0.5)).toBeNaN();
  expect([...ascending([2, Number.POSITIVE_INFINITY, 1])]).toEqual([1, 2, Number.POSITIVE_INFINITY]);
});
