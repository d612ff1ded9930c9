import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawBetaAt, meanOfBeta, varianceOfBeta } from './beta.ts';

const diceOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const draw = (a: number, b: number, dice: () => number): number => {
  const drawn = Float64Array.of(a);
  drawBetaAt(drawn, Float64Array.of(b), 0, dice);
  return drawn[0] as number;
};

const DRAWS = 40_000;

test.each([
  [1, 1],
  [0.3, 0.4],
  [0.5, 4],
  [2, 5],
  [30, 3],
  [900, 100],
  [40_000, 2],
])('40 000 draws from Beta(%d, %d) have its mean and its variance, within 5 standard errors', (a, b) => {
  const dice = diceOf(7);
  const draws = Array.from({ length: DRAWS }, () => draw(a, b, dice));
  const mean = draws.reduce((sum, x) => sum + x, 0) / DRAWS;
  const squares = draws.map((x) => (x - mean) ** 2);
  const variance = squares.reduce((sum, x) => sum + x, 0) / DRAWS;
  const errorOfVariance = Math.sqrt(squares.reduce((sum, x) => sum + (x - variance) ** 2, 0) / DRAWS ** 2);
  expect(Math.abs(mean - meanOfBeta(a, b))).toBeLessThan(5 * Math.sqrt(varianceOfBeta(a, b) / DRAWS));
  expect(Math.abs(variance - varianceOfBeta(a, b))).toBeLessThan(5 * errorOfVariance);
});

test('without scores every share is as likely as any other: each tenth has a tenth of the draws, within a point', () => {
  const dice = diceOf(3);
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < DRAWS; i++) {
    const tenth = Math.floor(draw(1, 1, dice) * 10);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count / DRAWS - 0.1)).toBeLessThan(0.01);
});

test('whatever the parameters and the dice, a draw is a number from 0 to 1', () => {
  const parameter = fc.oneof(
    fc.double({ min: Number.MIN_VALUE, max: 1e308, noNaN: true }),
    fc.constantFrom(Number.MIN_VALUE, 1e-300, 1e-9, 1, 1e15, 1e300, Number.MAX_VALUE),
  );
  const dice = fc.oneof(
    fc.integer().map(diceOf),
    fc.constantFrom(0, 0.25, 0.5, 0.75, 1 - 2 ** -53).map((face) => () => face),
  );
  fc.assert(
    fc.property(parameter, parameter, dice, (a, b, throws) => {
      const drawn = draw(a, b, throws);
      expect(drawn >= 0 && drawn <= 1).toBe(true);
    }),
    { numRuns: 500 },
  );
});
