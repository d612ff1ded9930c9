import { expect, test } from 'vitest';
import { diceFor, drawGamma, drawLogNormal, drawZipf, meanOf, meanOfZipf } from './draw.ts';
import { ascending, quantile } from './quantile.ts';
import { drawGapMs, drawInputTokens, drawKind, requestOf } from './traffic.ts';

const many = (draw: () => number, length = 40_000): number[] => Array.from({ length }, draw);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variation = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2))) / middle;
};

test('the vendor of the bars has its median at 0.8 s and its p99 at 3.2 s, ± 4 %', () => {
  const dice = diceFor(1, 'log-normal');
  const model = { median: 800, sigma: 0.6 };
  const times = ascending(many(() => drawLogNormal(model, dice)));
  expect(quantile(times, 0.5) / 800).toBeCloseTo(1, 1);
  expect(Math.abs(quantile(times, 0.99) / 3_230 - 1)).toBeLessThan(0.04);
  expect(Math.abs(mean([...times]) / meanOf(model) - 1)).toBeLessThan(0.02);
});

test.each([0.25, 1, 4])('Gamma of shape %d has its mean and its spread, ± 3 %', (shape) => {
  const dice = diceFor(1, 'gamma');
  const values = many(() => drawGamma({ mean: 12, shape }, dice));
  expect(Math.abs(mean(values) / 12 - 1)).toBeLessThan(0.03);
  expect(Math.abs(variation(values) * Math.sqrt(shape) - 1)).toBeLessThan(0.03);
});

test('Zipf: size 1 comes up twice as often as size 2 and a tenth part below 10, give or take, and none above the most', () => {
  const dice = diceFor(1, 'zipf');
  const sizes = many(() => drawZipf({ most: 1_000, exponent: 1 }, dice));
  const count = (size: number): number => sizes.filter((each) => each === size).length;
  expect(count(1) / count(2)).toBeGreaterThan(1.5);
  expect(count(1) / count(2)).toBeLessThan(2);
  expect(Math.min(...sizes)).toBe(1);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
});

test.each([undefined, 0.25])(
  '50 requests per second come 50 times a second, in bursts or not (shape %s), ± 3 %',
  (shape) => {
    const dice = diceFor(1, 'arrivals');
    const gapsMs = many(() => drawGapMs({ perSecond: 50, ...(shape !== undefined && { shape }) }, dice));
    expect(Math.abs(1_000 / mean(gapsMs) / 50 - 1)).toBeLessThan(0.03);
    expect(variation(gapsMs)).toBeCloseTo(shape === undefined ? 1 : 2, 1);
  },
);

test('kinds of requests come in proportion to their shares, ± 0.01, and prompts are as long as asked, ± 20 %', () => {
  const dice = diceFor(1, 'kinds');
  const kinds = [
    { share: 3, inputTokens: 100 },
    { share: 1, inputTokens: 9_000 },
  ];
  const drawn = many(() => drawInputTokens(drawKind(kinds, dice), dice));
  expect(drawn.filter((tokens) => tokens === 100).length / drawn.length).toBeCloseTo(0.75, 1);
  const [message] = requestOf(9_000).messages;
  const [part] = message?.content ?? [];
  expect(part?.type === 'text' && part.text.length / 4 / 9_000).toBeCloseTo(1, 0);
});

test('dice of one purpose leave those of another alone', () => {
  const draws = (purpose: string, seed = 1): number[] => many(diceFor(seed, purpose), 5);
  expect(draws('a')).toEqual(draws('a'));
  expect(draws('a')).not.toEqual(draws('b'));
  expect(draws('a')).not.toEqual(draws('a', 2));
});

test.each([[{ most: 2_000, exponent: 1 }], [{ most: 50, exponent: 1.5 }], [{ most: 1, exponent: 2 }]])(
  'sizes of %j are as large on average as is said of them',
  (zipf) => {
    const dice = diceFor(1, 'zipf');
    let sum = 0;
    for (let i = 0; i < 200_000; i++) sum += drawZipf(zipf, dice);
    expect(sum / 200_000 / meanOfZipf(zipf)).toBeCloseTo(1, 1);
  },
);
