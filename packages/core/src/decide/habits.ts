import { type TargetPrice, type Tariff, tariffFor, usdOfTokens } from './price.ts';
import type { Usage } from './response.ts';

/**
 * How many tokens the answers of a pool's targets come to, learned from what their vendors tell: what an answer is going
 * to cost is known only behind it. One target says in 100 tokens what another needs 1000 for; each counts tokens in its own
 * way, and our estimate of a prompt is one for all of them; and a prompt cache serves here and not there.
 *
 * Sums that forget half in six hours, by target, and behind them those of the pool.
 */
export interface Habits {
  readonly targets: number;
  readonly sums: Float64Array;
  readonly atMs: Float64Array;
}

const HALF_LIFE_MS = 6 * 60 * 60_000;

/** Where each sum stands in the row of a target. */
const ANSWERS = 0;
const OUTPUT = 1;
const SQUARED_OUTPUT = 2;
/** From here on those of prompts, by their size. */
const PROMPTS = 3;
const ESTIMATED = 0;
const BILLED = 1;
const CACHED = 2;
const WRITTEN = 3;
const SUMS_OF_PROMPTS = 4;

/** Prompts are told apart by size: caches serve those from 1024 tokens on, and our estimate is off by another part of long ones. */
export const PROMPT_SIZES = 3;
const ROW = PROMPTS + PROMPT_SIZES * SUMS_OF_PROMPTS;

export const promptSizeOf = (estimatedTokens: number): number =>
  estimatedTokens < 1_024 ? 0 : estimatedTokens < 8_000 ? 1 : 2;

/** Tokens of an answer of which nothing is known, neither of its target's nor of the pool's. */
const USUAL_OUTPUT_TOKENS = 500;
/**
 * Of a target that was not heard of it is assumed, with the weight of one answer, that its answers are as long as the
 * pool's, and that their lengths differ by as much as lengths do: their root mean square is twice their mean.
 */
const ASSUMED_SPREAD = 2;
/** That a vendor counts as we do, and caches nothing, is assumed with the weight of so many tokens of input. */
const ASSUMED_TOKENS = 1_000;
/** However little is known of a target, its answers are not hoped to be shorter than this part of the pool's. */
const LEAST_HOPE = 0.25;

export const newHabits = (targets: number): Habits => ({
  targets,
  sums: new Float64Array((targets + 1) * ROW),
  atMs: new Float64Array(targets + 1),
});

/** Takes in what an answer used, to a prompt that was estimated at so many tokens. */
export const learnUsage = (
  habits: Habits,
  target: number,
  estimatedTokens: number,
  usage: Usage,
  nowMs: number,
): void => {
  for (const row of [target, habits.targets]) {
    const { sums } = habits;
    const part = partLeft(habits, row, nowMs);
    const add = (at: number, value: number): void => {
      sums[row * ROW + at] = (sums[row * ROW + at] ?? 0) * part + value;
    };
    const more = (at: number, value: number): void => {
      sums[row * ROW + at] = (sums[row * ROW + at] ?? 0) + value;
    };
    add(ANSWERS, 1);
    add(OUTPUT, usage.outputTokens);
    add(SQUARED_OUTPUT, usage.outputTokens ** 2);
    const prompts = promptsAt(promptSizeOf(estimatedTokens));
    for (let at = PROMPTS; at < ROW; at++) add(at, 0);
    more(prompts + ESTIMATED, estimatedTokens);
    more(prompts + BILLED, usage.inputTokens);
    more(prompts + CACHED, usage.cachedInputTokens);
    more(prompts + WRITTEN, usage.cacheWriteInputTokens ?? 0);
    habits.atMs[row] = nowMs;
  }
};

/** How many tokens an answer of a target is going to have, on average. */
export const outputTokensOf = (habits: Habits, target: number, nowMs: number): number =>
  (sumOf(habits, target, OUTPUT, nowMs) + usualOf(habits, nowMs)) / (sumOf(habits, target, ANSWERS, nowMs) + 1);

/**
 * How many it has if what was seen of it was bad luck: the average, less one standard error of it. Lengths of answers differ
 * by so much that the first twenty may well be half as long again as is usual; whoever went by the average would
 * leave a target for good that has begun with a few long ones. The more is known, the less there is to hope for.
 */
export const hopedOutputTokensOf = (habits: Habits, target: number, nowMs: number): number => {
  const usual = usualOf(habits, nowMs);
  const answers = sumOf(habits, target, ANSWERS, nowMs) + 1;
  const mean = (sumOf(habits, target, OUTPUT, nowMs) + usual) / answers;
  const squares = (sumOf(habits, target, SQUARED_OUTPUT, nowMs) + (ASSUMED_SPREAD * usual) ** 2) / answers;
  const standardError = Math.sqrt(Math.max(0, squares - mean ** 2) / answers);
  return Math.max(mean - standardError, LEAST_HOPE * Math.min(mean, usual));
};

const usualOf = (habits: Habits, nowMs: number): number =>
  (sumOf(habits, habits.targets, OUTPUT, nowMs) + USUAL_OUTPUT_TOKENS) /
  (sumOf(habits, habits.targets, ANSWERS, nowMs) + 1);

/** How many tokens its vendor bills for one that we estimate, in prompts of a size. */
export const billedPerEstimated = (habits: Habits, target: number, size: number, nowMs: number): number =>
  (sumOf(habits, target, promptsAt(size) + BILLED, nowMs) + ASSUMED_TOKENS) /
  (sumOf(habits, target, promptsAt(size) + ESTIMATED, nowMs) + ASSUMED_TOKENS);

/** The part of the input that the vendor's cache serves, in prompts of a size. */
export const cachedShareOf = (habits: Habits, target: number, size: number, nowMs: number): number =>
  shareOf(habits, target, size, CACHED, nowMs);

/** What a token of a prompt costs on average that we have estimated at one, in US dollars. */
export const usdPerInputToken = (
  habits: Habits,
  target: number,
  tariff: Tariff,
  size: number,
  nowMs: number,
): number => {
  const billed = billedPerEstimated(habits, target, size, nowMs);
  const cached = billed * shareOf(habits, target, size, CACHED, nowMs);
  const written = billed * shareOf(habits, target, size, WRITTEN, nowMs);
  return usdOfTokens(tariff, billed, cached, written, 0);
};

/** What a request is going to cost at a target, in US dollars, on average. */
export const expectedUsd = (
  habits: Habits,
  target: number,
  price: TargetPrice,
  inputTokens: number,
  outputTokens: number,
  nowMs: number,
): number => {
  const size = promptSizeOf(inputTokens);
  const tariff = tariffFor(price, inputTokens * billedPerEstimated(habits, target, size, nowMs));
  return (
    inputTokens * usdPerInputToken(habits, target, tariff, size, nowMs) + usdOfTokens(tariff, 0, 0, 0, outputTokens)
  );
};

const shareOf = (habits: Habits, target: number, size: number, at: number, nowMs: number): number =>
  sumOf(habits, target, promptsAt(size) + at, nowMs) /
  (sumOf(habits, target, promptsAt(size) + BILLED, nowMs) + ASSUMED_TOKENS);

const promptsAt = (size: number): number => PROMPTS + size * SUMS_OF_PROMPTS;

const sumOf = (habits: Habits, row: number, at: number, nowMs: number): number => {
  const sum = habits.sums[row * ROW + at] ?? 0;
  return sum === 0 ? 0 : sum * partLeft(habits, row, nowMs);
};

const partLeft = ({ atMs }: Habits, row: number, nowMs: number): number =>
  2 ** (Math.min(0, (atMs[row] ?? 0) - nowMs) / HALF_LIFE_MS);
