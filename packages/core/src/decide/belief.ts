/**
 * What is believed of one quantity of each target, such as the time to its first content: log-normal, learned from
 * samples that lose weight with time. By target: the samples that still count, the sum of their logarithms and of the
 * squares of these, and when all three were true.
 *
 * Source: discounted Thompson sampling, Raj and Kalyani, "Taming non-stationary bandits", arXiv 1707.09727; on the
 * logarithm, since times that are twice as long are as likely as times that are half as long.
 */
export interface Belief {
  readonly samples: Float64Array;
  readonly sums: Float64Array;
  readonly squares: Float64Array;
  readonly atMs: Float64Array;
  /** By target, as of the last `recall`: samples that count, and the mean of the logarithms. */
  readonly counting: Float64Array;
  readonly expected: Float64Array;
  /** Of all targets together: [0] the mean of their means, [1] how samples deviate from the mean of their target. */
  readonly common: Float64Array;
}

/** How a belief ages. */
export interface Memory {
  /** In this time a sample loses half of its weight. */
  readonly halfLifeMs: number;
  /** Of more samples than this the older ones lose weight sooner. */
  readonly cap: number;
}

/** The weight of the common mean, as if each target had shown so many samples of it: of a target without samples it is all there is. */
export const PRIOR_SAMPLES = 1;
/** How times of LLM vendors deviate, in logarithms, and how many samples that guess is worth. */
const USUAL_DEVIATION = 0.6;
const DEVIATION_SAMPLES = 10;
/** A vendor that has just become another, four times as slow say, deviates from itself: that is no measure of its noise. */
const MOST_DEVIATION = 1;

/** `guess` is what is believed before anything is known. */
export const newBelief = (count: number, guess: number): Belief => ({
  samples: new Float64Array(count),
  sums: new Float64Array(count),
  squares: new Float64Array(count),
  atMs: new Float64Array(count),
  counting: new Float64Array(count),
  expected: new Float64Array(count),
  common: Float64Array.of(Math.log(guess), USUAL_DEVIATION),
});

export const copyBelief = ({ samples, sums, squares, atMs, counting, expected, common }: Belief): Belief => ({
  samples: samples.slice(),
  sums: sums.slice(),
  squares: squares.slice(),
  atMs: atMs.slice(),
  counting: counting.slice(),
  expected: expected.slice(),
  common: common.slice(),
});

/** Adds a sample, of which `log` is the logarithm; it counts `weight` times, 0 to 1. */
export const addSample = (
  belief: Belief,
  target: number,
  log: number,
  weight: number,
  nowMs: number,
  memory: Memory,
): void => {
  const { samples, sums, squares, atMs } = belief;
  const kept = keptOf(belief, target, nowMs, memory);
  const aged = (samples[target] ?? 0) * kept;
  // The newest is never the one that is made light of.
  const room = aged + weight > memory.cap ? Math.max(0, memory.cap - weight) / aged : 1;
  samples[target] = aged * room + weight;
  sums[target] = (sums[target] ?? 0) * kept * room + weight * log;
  squares[target] = (squares[target] ?? 0) * kept * room + weight * log * log;
  atMs[target] = Math.max(nowMs, atMs[target] ?? 0);
  pool(belief);
};

const pool = ({ samples, sums, squares, common }: Belief): void => {
  let means = 0;
  let known = 0;
  let deviation = DEVIATION_SAMPLES * USUAL_DEVIATION ** 2;
  let counted = DEVIATION_SAMPLES;
  for (let i = 0; i < samples.length; i++) {
    const n = samples[i] ?? 0;
    if (n <= 0) continue;
    const mean = (sums[i] ?? 0) / n;
    means += mean;
    known += 1;
    deviation += Math.max(0, (squares[i] ?? 0) - mean * mean * n);
    counted += n;
  }
  common[0] = means / known;
  common[1] = Math.min(MOST_DEVIATION, Math.sqrt(deviation / counted));
};

const keptOf = ({ atMs }: Belief, target: number, nowMs: number, memory: Memory): number =>
  keptAfter(nowMs - (atMs[target] ?? 0), memory);

/** The part of a sample's weight that is left after a time; all of it where clocks disagree. */
export const keptAfter = (ageMs: number, { halfLifeMs }: Memory): number =>
  // Not 0.5 ** x: a power takes three times as long, and each pick takes several.
  ageMs > 0 ? Math.exp((-Math.LN2 * ageMs) / halfLifeMs) : 1;

/** Samples that count now. */
export const samplesOf = (belief: Belief, target: number, nowMs: number, memory: Memory): number =>
  (belief.samples[target] ?? 0) * keptOf(belief, target, nowMs, memory);

/** The logarithm of what is expected of a target: with few samples, or old ones, it is near that of the others. */
export const meanOf = (belief: Belief, target: number, nowMs: number, memory: Memory): number => {
  const { samples, sums, common } = belief;
  const counting = samplesOf(belief, target, nowMs, memory);
  // All samples of a target age alike, so that their mean stays what it was.
  const known = samples[target] ?? 0;
  const own = known > 0 ? (sums[target] ?? 0) / known : 0;
  return (counting * own + PRIOR_SAMPLES * (common[0] ?? 0)) / (counting + PRIOR_SAMPLES);
};

/**
 * Notes both for all targets, for a pick: a function that answers with a number has to put it in a box, unless the compiler
 * takes it in, and a pick allocates nothing. For the same reason the time comes with what it is the time of.
 */
export const recall = (belief: Belief, { nowMs }: { readonly nowMs: number }, { halfLifeMs }: Memory): void => {
  const { samples, sums, atMs, counting, expected, common } = belief;
  const prior = PRIOR_SAMPLES * (common[0] ?? 0);
  for (let i = 0; i < samples.length; i++) {
    const known = samples[i] ?? 0;
    const ageMs = nowMs - (atMs[i] ?? 0);
    const kept = ageMs > 0 && known > 0 ? Math.exp((-Math.LN2 * ageMs) / halfLifeMs) : 1;
    counting[i] = known * kept;
    expected[i] = ((sums[i] ?? 0) * kept + prior) / (known * kept + PRIOR_SAMPLES);
  }
};

/** How samples deviate from the mean of their target, in logarithms. */
export const deviationOf = ({ common }: Belief): number => common[1] ?? USUAL_DEVIATION;
