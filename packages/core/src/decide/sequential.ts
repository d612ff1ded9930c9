/** Numbers that were added up, less a number near to them, so that squares do not drown the differences. */
export interface Sample {
  readonly count: number;
  readonly mean: number;
  /** Of the population that it was drawn from: unbiased. */
  readonly variance: number;
}

/** An estimate, and where the truth is at a confidence of 1 - alpha. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** What one look at a difference says. */
export interface Look {
  readonly difference: Interval;
  /** Of this look alone; the smallest of all looks is what holds. */
  readonly p: number;
}

/** The means of fewer are not normal enough, nor is their variance known. */
export const FEWEST = 30;

/**
 * Differences that are looked for, in standard deviations: the test finds those soonest, and all others too. A fifth is what is
 * called small. Source: Cohen, "Statistical Power Analysis", 1988.
 */
const USUAL_EFFECT = 0.2;

/**
 * Whether two means differ, in a way that may be looked at as often as one likes: the mixture sequential probability ratio
 * test. Were there no difference, the likelihood ratio L would reach 1 / alpha at any time with a chance of alpha at most.
 *
 * With d the difference, V = s²/n + s²/n its variance, and a normal mixture of variance tau² over the differences that may be:
 *
 *     L = sqrt(V / (V + tau²)) · exp(tau² · d² / (2 V (V + tau²)))
 *
 * p is 1 / L, and the interval holds every difference that the same test would not refuse. tau is a fifth of the pooled
 * standard deviation. Undefined before both samples have 30, or while nothing varies.
 *
 * Sources: Robbins, "Statistical Methods Related to the Law of the Iterated Logarithm", 1970; Johari, Koomen, Pekelis and
 * Walsh, "Always Valid Inference", Operations Research, 2022; for variances that are estimated, Waudby-Smith, Arbour, Sinha,
 * Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", 2024.
 */
export const lookAt = (sample: Sample, control: Sample, alpha: number): Look | undefined => {
  if (sample.count < FEWEST || control.count < FEWEST) return undefined;
  const pooled =
    ((sample.count - 1) * sample.variance + (control.count - 1) * control.variance) /
    (sample.count + control.count - 2);
  const variance = sample.variance / sample.count + control.variance / control.count;
  if (!(variance > 0)) return undefined;
  const tau2 = USUAL_EFFECT ** 2 * pooled;
  const estimate = sample.mean - control.mean;
  const sum = variance + tau2;
  const logRatio = (tau2 * estimate ** 2) / (2 * variance * sum) - Math.log(sum / variance) / 2;
  const half = halfWidth(variance, tau2, alpha);
  return {
    difference: { estimate, low: estimate - half, high: estimate + half },
    p: Math.min(1, Math.exp(-logRatio)),
  };
};

/** Where a mean is, likewise at any look. */
export const intervalOf = ({ count, mean, variance }: Sample, alpha: number): Interval | undefined => {
  if (count < FEWEST || !(variance > 0)) return undefined;
  const half = halfWidth(variance / count, USUAL_EFFECT ** 2 * variance, alpha);
  return { estimate: mean, low: mean - half, high: mean + half };
};

/** How far off a difference has to be for L to reach 1 / alpha. */
const halfWidth = (variance: number, tau2: number, alpha: number): number => {
  const sum = variance + tau2;
  return Math.sqrt(((2 * variance * sum) / tau2) * (Math.log(sum / variance) / 2 - Math.log(alpha)));
};

/**
 * How likely counts are at least as far from their shares, were they drawn by them: Pearson's chi-square test. 1 where
 * nothing was counted.
 */
export const sharesP = (counts: readonly number[], shares: readonly number[]): number => {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const sum = shares.reduce((all, share) => all + share, 0);
  if (total === 0 || counts.length < 2) return 1;
  const chiSquare = counts.reduce((square, count, i) => {
    const expected = (total * (shares[i] ?? 0)) / sum;
    return square + (count - expected) ** 2 / expected;
  }, 0);
  return chiSquareTail(chiSquare, counts.length - 1);
};

/** The chance of a larger one. Source: Abramowitz and Stegun, 26.4.4 and 26.4.5. */
export const chiSquareTail = (chiSquare: number, degrees: number): number => {
  const half = chiSquare / 2;
  let a = degrees % 2 === 0 ? 1 : 0.5;
  let tail = a === 1 ? Math.exp(-half) : erfc(Math.sqrt(half));
  // From one number of degrees to the next but one: Q(a + 1, x) = Q(a, x) + x^a e^-x / Γ(a + 1).
  let term = a === 1 ? half * Math.exp(-half) : 2 * Math.sqrt(half / Math.PI) * Math.exp(-half);
  for (; a < degrees / 2; a++) {
    tail += term;
    term *= half / (a + 1);
  }
  return Math.min(1, tail);
};

/** Off by 1.2e-7 of itself at most, for x from 0. Source: Press et al., "Numerical Recipes", 6.2, erfcc. */
const erfc = (x: number): number => {
  const t = 1 / (1 + x / 2);
  let sum = 0;
  for (const coefficient of ERFC) sum = sum * t + coefficient;
  return t * Math.exp(-x * x + sum);
};

const ERFC = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
  -1.26551223,
];
