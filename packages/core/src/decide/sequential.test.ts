import { describe, expect, test } from 'vitest';
import { chiSquareTail, intervalOf, lookAt, type Sample, sharesP } from './sequential.ts';

const sample = (count: number, mean: number, variance = 1): Sample => ({ count, mean, variance });

test('L is that of the formula for samples of one size and variance', () => {
  const [n, d, s2] = [400, 0.3, 2];
  const tau2 = 0.04 * s2;
  const l =
    Math.sqrt((2 * s2) / (2 * s2 + n * tau2)) * Math.exp((n ** 2 * tau2 * d ** 2) / (4 * s2 * (2 * s2 + n * tau2)));
  expect(lookAt(sample(n, 5 + d, s2), sample(n, 5, s2), 0.05)?.p).toBeCloseTo(1 / l, 12);
});

test('the interval ends where the test would just refuse', () => {
  const control = sample(250, 1, 1.5);
  const look = lookAt(sample(400, 1.4, 2), control, 0.05);
  const { low = 0, high = 0 } = look?.difference ?? {};
  for (const edge of [low, high]) {
    // A difference of `edge` is none of the samples' once it is taken away from one of them.
    expect(lookAt(sample(400, 1.4 - edge, 2), control, 0.05)?.p).toBeCloseTo(0.05, 10);
  }
  expect((low + high) / 2).toBeCloseTo(0.4, 10);
});

test('of few, and of what does not vary, it says nothing', () => {
  expect(lookAt(sample(29, 0), sample(100, 9), 0.05)).toBeUndefined();
  expect(lookAt(sample(100, 0), sample(29, 9), 0.05)).toBeUndefined();
  expect(lookAt(sample(100, 0, 0), sample(100, 9, 0), 0.05)).toBeUndefined();
  expect(intervalOf(sample(29, 1), 0.05)).toBeUndefined();
  expect(intervalOf(sample(30, 1), 0.05)).toMatchObject({ estimate: 1 });
});

test('no evidence is p = 1, and never more', () => {
  expect(lookAt(sample(1_000, 1), sample(1_000, 1), 0.05)?.p).toBe(1);
});

describe('chi-square', () => {
  // Abramowitz and Stegun, table 26.8: the 5 % and 0.1 % points.
  test.each([
    [1, 3.841459, 0.05],
    [1, 10.8276, 0.001],
    [2, 5.991465, 0.05],
    [3, 7.814728, 0.05],
    [4, 18.4668, 0.001],
    [5, 11.0705, 0.05],
    [10, 29.5883, 0.001],
    [31, 44.98534, 0.05],
  ])('of %i degrees beyond %f has a chance of %f', (degrees, chiSquare, p) => {
    expect(chiSquareTail(chiSquare, degrees) / p).toBeCloseTo(1, 4);
  });

  test('finds 55 to 45 out of 1 200, and lets 51 to 49 pass', () => {
    expect(sharesP([660, 540], [1, 1])).toBeLessThan(0.001);
    expect(sharesP([612, 588], [1, 1])).toBeGreaterThan(0.1);
    expect(sharesP([0, 0], [1, 1])).toBe(1);
    expect(sharesP([500, 200, 300], [5, 2, 3])).toBe(1);
  });
});
