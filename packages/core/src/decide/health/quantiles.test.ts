import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addSample, newQuantiles, quantile, sampleCount } from './quantiles.ts';

test('a quantile is within one bucket, 15 %, of the exact one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 50, max: 300_000, noNaN: true }), { minLength: 1, maxLength: 500 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (samples, q) => {
        const quantiles = newQuantiles();
        for (const sample of samples) addSample(quantiles, sample, 0);
        const exact = samples.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * samples.length) - 1)] ?? 0;
        const got = quantile(quantiles, q);
        expect(got).toBeGreaterThanOrEqual(exact / 1.16);
        expect(got).toBeLessThanOrEqual(exact * 1.16);
      },
    ),
  );
});

test('whatever is measured, the answer is a finite time', () => {
  const quantiles = newQuantiles();
  expect(quantile(quantiles, 0.5)).toBeNaN();
  for (const odd of [0, -1, Number.NaN, 1e9]) addSample(quantiles, odd, 0);
  expect(quantile(quantiles, 0.99)).toBeLessThanOrEqual(300_000);
  expect(sampleCount(quantiles)).toBe(4);
});

test('it forgets what is older than two generations', () => {
  const quantiles = newQuantiles();
  addSample(quantiles, 10_000, 0);
  addSample(quantiles, 100, 300_001);
  expect(sampleCount(quantiles)).toBe(2);
  addSample(quantiles, 100, 600_002);
  expect(quantile(quantiles, 1)).toBeLessThan(120);
});

test('a pause makes it forget nothing at once', () => {
  const quantiles = newQuantiles();
  addSample(quantiles, 10_000, 0);
  addSample(quantiles, 100, 3_600_000);
  expect(sampleCount(quantiles)).toBe(2);
});
