import { type Dice, drawNormal, seededDice } from '../dice.ts';

/** A log-normal distribution, as measured times and sizes have it. `sigma` is the deviation of the logarithm. */
export interface LogNormal {
  readonly median: number;
  readonly sigma: number;
}

/** A Gamma distribution. Shape 1 is exponential; less comes in bursts, more is regular. */
export interface Gamma {
  readonly mean: number;
  readonly shape: number;
}

/** Sizes from 1 to `most`, where size k comes up about k^-exponent as often as size 1. */
export interface Zipf {
  readonly most: number;
  readonly exponent: number;
}

/**
 * Dice of their own for each purpose, so that one more draw for one purpose leaves all others as they were: two designs
 * under the same seed meet the same arrivals.
 */
export const diceFor = (seed: number, purpose: string): Dice => {
  // FNV-1a over the purpose, started from the seed.
  let hash = Math.imul(seed ^ 0x811c9dc5, 0x01000193);
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193);
  return seededDice(hash);
};

export const drawExponential = (mean: number, dice: Dice): number => -mean * Math.log(1 - dice());

export const drawLogNormal = ({ median, sigma }: LogNormal, dice: Dice): number =>
  median * Math.exp(sigma * drawNormal(dice));

export const meanOf = ({ median, sigma }: LogNormal): number => median * Math.exp((sigma * sigma) / 2);

/** Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. */
export const drawGamma = ({ mean, shape }: Gamma, dice: Dice): number => {
  if (shape === 1) return drawExponential(mean, dice);
  // Below 1 the method is one shape too high; the power of a uniform brings it back.
  if (shape < 1) {
    const higher = drawGamma({ mean: (mean * (shape + 1)) / shape, shape: shape + 1 }, dice);
    return higher * (1 - dice()) ** (1 / shape);
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = drawNormal(dice);
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(1 - dice()) < (normal * normal) / 2 + d - d * v + d * Math.log(v))
      return (d * v * mean) / shape;
  }
};

/** The continuous inverse, rounded down: close to Zipf's law, without a table. */
export const drawZipf = ({ most, exponent }: Zipf, dice: Dice): number => {
  const power = 1 - exponent;
  const u = dice();
  const drawn = power === 0 ? (most + 1) ** u : (1 + u * ((most + 1) ** power - 1)) ** (1 / power);
  return Math.min(most, Math.floor(drawn));
};

/** Of what `drawZipf` draws: the chance of each size is that of the span from it to the next. */
export const meanOfZipf = ({ most, exponent }: Zipf): number => {
  const power = 1 - exponent;
  const upTo = (size: number): number =>
    power === 0 ? Math.log(size) / Math.log(most + 1) : (size ** power - 1) / ((most + 1) ** power - 1);
  let mean = 0;
  for (let size = 1; size <= most; size++) mean += size * (upTo(size + 1) - upTo(size));
  return mean;
};
