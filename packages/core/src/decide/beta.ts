import type { Dice } from './dice.ts';

/**
 * Puts a draw from Beta(a[i], b[i]) into a[i]: what may well be so of a share after `a - 1` hits and `b - 1` misses. Any
 * numbers above 0 will do; the draw is never NaN, and always from 0 to 1. What is left in b[i] means nothing.
 *
 * It is the share of one Gamma draw in the sum of two. In place, since a result would be put in a box: no allocation.
 */
export const drawBetaAt = (a: Float64Array, b: Float64Array, i: number, dice: Dice): void => {
  const isSteep = at(a, i) < 1 || at(b, i) < 1;
  drawLogGammaAt(a, i, isSteep, dice);
  drawLogGammaAt(b, i, isSteep, dice);
  a[i] = isSteep ? 1 / (1 + Math.exp(at(b, i) - at(a, i))) : at(a, i) / (at(a, i) + at(b, i));
};

/** The mean and the variance of Beta(a, b). */
export const meanOfBeta = (a: number, b: number): number => a / (a + b);
export const varianceOfBeta = (a: number, b: number): number => (a * b) / ((a + b) * (a + b) * (a + b + 1));

/** Beyond these a distribution is as good as a point, and its numbers are not. */
const SMALLEST = 1e-9;
const LARGEST = 1e15;

/** A Gamma draw in the place of its shape, or its logarithm: below 1 the draw may be too small for a number. */
const drawLogGammaAt = (values: Float64Array, i: number, asLogarithm: boolean, dice: Dice): void => {
  const shape = Math.min(Math.max(at(values, i), SMALLEST), LARGEST);
  // Below 1 the method is one shape too high; the power of a uniform brings it back.
  values[i] = shape < 1 ? shape + 1 : shape;
  drawGammaAt(values, i, dice);
  if (asLogarithm) values[i] = Math.log(at(values, i)) + (shape < 1 ? Math.log(1 - dice()) / shape : 0);
};

/** One throw in twenty is refused at most, so that so many in a row are never seen; but dice may be broken. */
const MOST_THROWS = 50;

/** Of scale 1, for a shape from 1. Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. */
const drawGammaAt = (values: Float64Array, i: number, dice: Dice): void => {
  const d = at(values, i) - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let throws = 0; throws < MOST_THROWS; throws++) {
    // Box and Muller, 1958. 1 - x, because the logarithm of the 0 that dice may show is infinite.
    const normal = Math.sqrt(-2 * Math.log(1 - dice())) * Math.cos(2 * Math.PI * dice());
    const root = 1 + c * normal;
    if (root <= 0) continue;
    const v = root * root * root;
    const square = normal * normal;
    const u = 1 - dice();
    // The first test is cheaper, and decides most throws.
    if (u < 1 - 0.0331 * square * square || Math.log(u) <= square / 2 + d - d * v + d * Math.log(v)) {
      values[i] = d * v;
      return;
    }
  }
};

const at = (values: Float64Array, i: number): number => values[i] as number;
