import { addSample, type Belief, copyBelief, type Memory, meanOf, newBelief, samplesOf } from './belief.ts';
import { sizeOf } from './health/pace.ts';

/**
 * How fast the targets of a pool are, for one kind of request: answers that are streamed and those that are not are no
 * measure of one another.
 */
export interface Speed {
  /** ms to the first content; of plain answers what their time comes to without their tokens. Of prompts of the usual size. */
  readonly lead: Belief;
  /** ms for each token after the first. */
  readonly perToken: Belief;
  readonly sizes: Sizes;
}

/**
 * What the size of a prompt adds to the logarithm of the lead, of all targets alike: so that who got the long prompts is
 * not taken for slow. By the sizes of `pace.ts`.
 */
interface Sizes {
  readonly added: Float64Array;
  readonly samples: Float64Array;
  /** The size of the first prompt, which adds nothing: or all targets becoming slow would be the sizes' doing. -1: none was seen. */
  usual: number;
}

/** What is believed before anything is known: a second, and 50 tokens a second. */
const GUESS = { leadMs: 1_000, perTokenMs: 20 } as const;
const SIZES = 4;
/** A target of which less is known cannot tell what a size adds. */
const KNOWN = 3;
/** The last samples of a size that count, about. */
const SIZE_SAMPLES = 30;
/** ms: a shorter time is a clock's mistake. */
const LEAST_MS = 1;

export const newSpeed = (count: number): Speed => ({
  lead: newBelief(count, GUESS.leadMs),
  perToken: newBelief(count, GUESS.perTokenMs),
  sizes: { added: new Float64Array(SIZES), samples: new Float64Array(SIZES), usual: -1 },
});

export const copySpeed = ({ lead, perToken, sizes }: Speed): Speed => ({
  lead: copyBelief(lead),
  perToken: copyBelief(perToken),
  sizes: { added: sizes.added.slice(), samples: sizes.samples.slice(), usual: sizes.usual },
});

/** What is asked of a target, as far as its time depends on it. */
export interface Work {
  /** Of the prompt: an estimate. */
  readonly inputTokens: number;
  /** Of the answer, after the first: 0 where only the first content is of interest. */
  readonly tokens: number;
}

/** What a prompt of this size adds to the logarithm of the lead. */
const addedBySize = ({ sizes }: Speed, inputTokens: number): number => sizes.added[sizeOf(inputTokens)] ?? 0;

/** Samples that count now, of both series. */
export const knownOf = ({ lead, perToken }: Speed, target: number, nowMs: number, memory: Memory): number =>
  samplesOf(lead, target, nowMs, memory) + samplesOf(perToken, target, nowMs, memory);

/** ms that the work usually takes. */
export const usualMs = (speed: Speed, target: number, work: Work, nowMs: number, memory: Memory): number => {
  const leadMs = Math.exp(meanOf(speed.lead, target, nowMs, memory) + addedBySize(speed, work.inputTokens));
  return leadMs + work.tokens * Math.exp(meanOf(speed.perToken, target, nowMs, memory));
};

/**
 * Learns from the time that some work took. It shows one number, of which the lead and the tokens have each their part. By
 * how much it was longer than expected, each was; and the sample counts for each by its part, so that short answers tell of
 * the lead, and long ones of the tokens. It is a step down the gradient of the squared error of the logarithm. Where the
 * work is the first content alone, it is a sample of the lead, and nothing else.
 */
export const learnTime = (
  speed: Speed,
  target: number,
  work: Work,
  tookMs: number,
  nowMs: number,
  memory: Memory,
): void => {
  const { lead, perToken } = speed;
  const leadLog = meanOf(lead, target, nowMs, memory);
  const perTokenLog = meanOf(perToken, target, nowMs, memory);
  const leadMs = Math.exp(leadLog + addedBySize(speed, work.inputTokens));
  const expectedMs = leadMs + work.tokens * Math.exp(perTokenLog);
  const longer = Math.log(Math.max(LEAST_MS, tookMs) / expectedMs);
  const part = leadMs / expectedMs;
  learnSize(speed, target, work.inputTokens, longer * part, nowMs, memory);
  addSample(lead, target, leadLog + longer, part, nowMs, memory);
  if (part < 1) addSample(perToken, target, perTokenLog + longer, 1 - part, nowMs, memory);
};

const learnSize = (
  { sizes, lead }: Speed,
  target: number,
  inputTokens: number,
  longer: number,
  nowMs: number,
  memory: Memory,
): void => {
  const size = sizeOf(inputTokens);
  if (sizes.usual < 0) sizes.usual = size;
  if (size === sizes.usual || samplesOf(lead, target, nowMs, memory) < KNOWN) return;
  const samples = Math.min(SIZE_SAMPLES, (sizes.samples[size] ?? 0) + 1);
  sizes.samples[size] = samples;
  sizes.added[size] = (sizes.added[size] ?? 0) + longer / samples;
};

/** Learns what each token after the first takes, in ms. */
export const learnPerToken = (speed: Speed, target: number, ms: number, nowMs: number, memory: Memory): void =>
  addSample(speed.perToken, target, Math.log(Math.max(0.01, ms)), 1, nowMs, memory);
