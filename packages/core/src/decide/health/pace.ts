import { isStale, newQuantiles, type Quantiles, quantile, sampleCount } from './quantiles.ts';

/** How fast a target answers while it is well, in ms: learned, so that "too long" means too long for this target. */
export interface Pace {
  /** To the first content of a stream, by the size of the prompt. */
  readonly firstContent: readonly Quantiles[];
  /** To a whole plain answer, by the size of the prompt. */
  readonly answer: readonly Quantiles[];
  /** Between two events of a stream. */
  readonly gap: Quantiles;
}

/** Upper ends of the sizes that are told apart, in tokens: the first content comes later after a longer prompt. */
const SIZES = [1_000, 8_000, 32_000, Number.POSITIVE_INFINITY] as const;

export const newPace = (): Pace => ({
  firstContent: SIZES.map(newQuantiles),
  answer: SIZES.map(newQuantiles),
  gap: newQuantiles(),
});

/** Which of the sizes a prompt has. Four characters a token: near enough, where sizes are a factor of four apart. */
export const sizeOf = (promptCharacters: number): number => SIZES.findIndex((tokens) => promptCharacters / 4 <= tokens);

/** Fewer samples than this tell nothing of a 99th percentile. */
const ENOUGH = 30;

/** When an attempt is late, and when it is given up, in ms after its start. */
export interface Patience {
  /** Silent for so long, it is evidence against its target, and another attempt may start beside it. */
  readonly softMs: number;
  readonly hardMs: number;
}

interface Limits {
  readonly cold: Patience;
  readonly least: Patience;
  readonly most: Patience;
}

const SECOND = 1_000;

// biome-ignore format: reads as a table
const LIMITS: Readonly<Record<'stream' | 'reasoning' | 'plain', Limits>> = {
  stream:    { cold: { softMs:  8 * SECOND, hardMs:  30 * SECOND }, least: { softMs: 1 * SECOND, hardMs:  3 * SECOND }, most: { softMs: 20 * SECOND, hardMs:  30 * SECOND } },
  // Models that think first may be silent for minutes, and are well.
  reasoning: { cold: { softMs: 60 * SECOND, hardMs: 180 * SECOND }, least: { softMs: 1 * SECOND, hardMs:  3 * SECOND }, most: { softMs: 60 * SECOND, hardMs: 180 * SECOND } },
  // A long answer takes long, so that lateness says less; what a plain attempt may take is set, not learned.
  plain:     { cold: { softMs: 20 * SECOND, hardMs:  90 * SECOND }, least: { softMs: 2 * SECOND, hardMs: 90 * SECOND }, most: { softMs: 60 * SECOND, hardMs:  90 * SECOND } },
};

/**
 * How long to wait for an attempt: late beyond the 99th percentile of its like, lost beyond three times that, within
 * limits. `setMs`, where the user has set a timeout, is the hard one.
 */
export const patienceFor = (
  pace: Pace,
  size: number,
  { streaming, reasoning }: { readonly streaming: boolean; readonly reasoning: boolean },
  setMs: number | undefined,
  nowMs: number,
): Patience => {
  const { cold, least, most } = LIMITS[streaming ? (reasoning ? 'reasoning' : 'stream') : 'plain'];
  const q99 = quantileFor(pace, size, streaming, 0.99, nowMs);
  const softMs = q99 === undefined ? cold.softMs : clamp(q99, least.softMs, most.softMs);
  const hardMs = setMs ?? (q99 === undefined ? cold.hardMs : clamp(3 * q99, least.hardMs, most.hardMs));
  return { softMs: Math.min(softMs, hardMs), hardMs };
};

/** A quantile of what attempts of this size took, or, where too few of them were seen, of all sizes; else undefined. */
export const quantileFor = (
  pace: Pace,
  size: number,
  streaming: boolean,
  q: number,
  nowMs: number,
): number | undefined => {
  const bySize = streaming ? pace.firstContent : pace.answer;
  const own = bySize[size];
  if (own !== undefined && isEnough(own, nowMs)) return quantile(own, q);
  // A larger neighbour is no measure for a small prompt, but the smaller ones are for a larger: never too patient.
  for (let i = size - 1; i >= 0; i--) {
    const smaller = bySize[i];
    if (smaller !== undefined && isEnough(smaller, nowMs)) return Math.max(quantile(smaller, q), COLD_MS);
  }
  return undefined;
};

const isEnough = (quantiles: Quantiles, nowMs: number): boolean =>
  sampleCount(quantiles) >= ENOUGH && !isStale(quantiles, nowMs);

/** A prompt of a size that was not seen yet is not held to the times of smaller ones. */
const COLD_MS = LIMITS.stream.cold.softMs;

/** How long a stream may pause: twenty times its 99th percentile, and at least 5 s; never longer than what is set. */
export const idleFor = ({ gap }: Pace, setMs: number): number =>
  sampleCount(gap) < ENOUGH ? setMs : Math.min(setMs, Math.max(5 * SECOND, 20 * quantile(gap, 0.99)));

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));
