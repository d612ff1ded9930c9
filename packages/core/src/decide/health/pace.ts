import { isStale, newQuantiles, type Quantiles, quantile, sampleCount } from './quantiles.ts';

/**
 * How fast a target answers while it is well, in ms: learned, so that "too long" means too long for this target. By what
 * is asked of it, and by the size of the prompt.
 */
export interface Pace {
  /** To the first content of a stream. */
  readonly stream: readonly Quantiles[];
  /** The same, where the model thinks first: a measure of its own, or quick answers would make thinking look late. */
  readonly 'thinking stream': readonly Quantiles[];
  /** To a whole plain answer. */
  readonly plain: readonly Quantiles[];
  readonly 'thinking plain': readonly Quantiles[];
  /** Between two events of a stream. */
  readonly gap: Quantiles;
}

type Kind = Exclude<keyof Pace, 'gap'>;

/** Upper ends of the sizes that are told apart, in tokens: the first content comes later after a longer prompt. */
const SIZES = [1_000, 8_000, 32_000, Number.POSITIVE_INFINITY] as const;

export const newPace = (): Pace => ({
  stream: SIZES.map(newQuantiles),
  'thinking stream': SIZES.map(newQuantiles),
  plain: SIZES.map(newQuantiles),
  'thinking plain': SIZES.map(newQuantiles),
  gap: newQuantiles(),
});

/** Which of the sizes a prompt has. */
export const sizeOf = (promptTokens: number): number => {
  let size = 0;
  // No `findIndex`: strategies ask in each pick, and its callback would be an object.
  while (promptTokens > (SIZES[size] ?? Number.POSITIVE_INFINITY)) size += 1;
  return size;
};

/** Fewer samples than this tell nothing of a 99th percentile. */
const ENOUGH = 30;

/** What of a request its target's pace depends on. */
export interface Load {
  readonly size: number;
  readonly streaming: boolean;
  readonly reasoning: boolean;
}

const kindOf = ({ streaming, reasoning }: Load): Kind => {
  if (streaming) return reasoning ? 'thinking stream' : 'stream';
  return reasoning ? 'thinking plain' : 'plain';
};

/** What attempts of this load are measured by. */
export const samplesOf = (pace: Pace, load: Load): Quantiles | undefined => pace[kindOf(load)][load.size];

/** What attempts of one load usually take, in ms, and of how many that is known; undefined where of none. */
export interface Usual {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export const usualFor = (pace: Pace, load: Load): Usual | undefined => {
  const known = samplesOf(pace, load);
  const samples = known === undefined ? 0 : sampleCount(known);
  if (known === undefined || samples === 0) return undefined;
  return { samples, p50Ms: quantile(known, 0.5), p99Ms: quantile(known, 0.99) };
};

/** How long an attempt may be without content, in ms after its start. */
export interface Patience {
  /** Then it counts as silent: of a healthy target, one in twenty is. Several in a row are evidence. */
  readonly silentMs: number;
  /** Then it counts as late, one in a hundred: another attempt may start beside it. */
  readonly softMs: number;
  /** Then it is given up. */
  readonly hardMs: number;
}

interface Limits {
  readonly cold: Bounds;
  readonly least: Bounds;
  readonly most: Bounds;
}

type Bounds = Omit<Patience, 'silentMs'>;

const SECOND = 1_000;

// biome-ignore format: reads as a table
const LIMITS: Readonly<Record<Kind, Limits>> = {
  stream:            { cold: { softMs:   8 * SECOND, hardMs:  30 * SECOND }, least: { softMs: 1 * SECOND, hardMs:   3 * SECOND }, most: { softMs:  20 * SECOND, hardMs:  30 * SECOND } },
  // Models that think first may be silent for minutes, and are well.
  'thinking stream': { cold: { softMs:  60 * SECOND, hardMs: 180 * SECOND }, least: { softMs: 1 * SECOND, hardMs:   3 * SECOND }, most: { softMs:  60 * SECOND, hardMs: 180 * SECOND } },
  // A long answer takes long, so that lateness says less; what a plain attempt may take is not learned.
  plain:             { cold: { softMs:  20 * SECOND, hardMs:  90 * SECOND }, least: { softMs: 2 * SECOND, hardMs:  90 * SECOND }, most: { softMs:  60 * SECOND, hardMs:  90 * SECOND } },
  'thinking plain':  { cold: { softMs: 120 * SECOND, hardMs: 180 * SECOND }, least: { softMs: 2 * SECOND, hardMs: 180 * SECOND }, most: { softMs: 120 * SECOND, hardMs: 180 * SECOND } },
};

/**
 * How long to wait for an attempt: silent beyond the 95th percentile of its like, late beyond the 99th, lost beyond three
 * times that, within limits; three times as long again where the target `isSlow`, and is asked for want of a better one.
 * `setMs`, where the user has set a timeout, is the hard one.
 */
export const patienceFor = (
  pace: Pace,
  load: Load,
  setMs: number | undefined,
  nowMs: number,
  isSlow: boolean = false,
): Patience => {
  const { cold, least, most } = LIMITS[kindOf(load)];
  const q95 = quantileFor(pace, load, 0.95, nowMs);
  const q99 = quantileFor(pace, load, 0.99, nowMs);
  const softMs = q99 === undefined ? cold.softMs : clamp(q99, least.softMs, most.softMs);
  const slack = isSlow ? 3 : 1;
  const learnedMs = q99 === undefined ? cold.hardMs : clamp(slack * 3 * q99, slack * least.hardMs, most.hardMs);
  const hardMs = setMs ?? learnedMs;
  return {
    silentMs: Math.min(softMs, hardMs, Math.max(q95 ?? softMs, least.softMs)),
    softMs: Math.min(softMs, hardMs),
    hardMs,
  };
};

/**
 * A quantile of what attempts of this size took, or, where too few of them were seen, of the next smaller size that was;
 * undefined where none was.
 */
const quantileFor = (pace: Pace, load: Load, q: number, nowMs: number): number | undefined => {
  const { size } = load;
  const bySize = pace[kindOf(load)];
  const own = bySize[size];
  if (own !== undefined && isEnough(own, nowMs)) return quantile(own, q);
  // A larger size would make us too patient; a smaller one serves, with what an unmeasured target is given as the least.
  for (let i = size - 1; i >= 0; i--) {
    const smaller = bySize[i];
    if (smaller !== undefined && isEnough(smaller, nowMs)) return Math.max(quantile(smaller, q), COLD_MS);
  }
  return undefined;
};

const isEnough = (quantiles: Quantiles, nowMs: number): boolean =>
  sampleCount(quantiles) >= ENOUGH && !isStale(quantiles, nowMs);

/** The least for a prompt of a size that was not seen yet, which takes longer than those of a smaller one. */
const COLD_MS = LIMITS.stream.cold.softMs;

/**
 * How long a stream may pause: what is set; else 30 s, or twenty times the 99th percentile of its pauses, and at least 15 s:
 * a model that searches or calls a tool on its own side is silent for longer than between two words.
 */
export const idleFor = ({ gap }: Pace, setMs: number | undefined): number => {
  if (setMs !== undefined) return setMs;
  const { least, most, enough } = IDLE;
  return sampleCount(gap) < enough ? most : clamp(20 * quantile(gap, 0.99), least, most);
};

const IDLE = { least: 15 * SECOND, most: 30 * SECOND, enough: 1_000 } as const;

/**
 * The time in which a probe has to answer: a healthy target is slower than this once in twenty. Never less than the least
 * patience, since nobody minds the difference.
 */
export const proofMsFor = (pace: Pace, load: Load, nowMs: number): number => {
  const q95 = quantileFor(pace, load, 0.95, nowMs);
  return q95 === undefined ? Number.POSITIVE_INFINITY : Math.max(q95, LIMITS[kindOf(load)].least.softMs);
};

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));
