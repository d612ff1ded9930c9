import {
  billedPerEstimated,
  cachedShareOf,
  expectedUsd,
  type Habits,
  hopedOutputTokensOf,
  learnUsage,
  newHabits,
  outputTokensOf,
  PROMPT_SIZES,
  promptSizeOf,
  usdPerInputToken,
} from '../habits.ts';
import { usdOf, usdOfTokens } from '../price.ts';
import { firstOf, has, type Observation, type PickContext, type Picker, type Strategy } from '../strategy.ts';

export interface LeastCostOptions {
  /**
   * How far to spread requests over targets that are dearer: the share of each falls with its cost to the power of
   * 2 / spread. 0: the cheapest gets all. 1: one that costs twice as much gets a quarter as many. Default: 0.
   */
  readonly spread?: number;
}

/** Costs that are so near to each other are the same: what is expected of an answer's length is no nearer. */
const TIE = 1.05;
/** What is known of waste, and of times, is half forgotten by then: a bad hour must not keep a target out for good. */
const HALF_LIFE_MS = 10 * 60_000;
/** A waste of nothing is assumed, with the weight of so many answers. */
const ASSUMED_ANSWERS = 5;

/** Where each sum stands in the row of a target. */
const WASTED_USD = 0;
const USEFUL_USD = 1;
const WAITS = 2;
const WAIT_MS = 3;
const PLAIN_WAITS = 4;
const PLAIN_WAIT_MS = 5;
const ROW = 6;

/** Where each number stands in the row of a target's digest. */
const HOPED_OUTPUT = 0;
const WASTED = 1;
const USEFUL = 2;
const WAIT = 3;
const PLAIN_WAIT = 4;
/** From here on those of prompts, by their size: above how many tokens they are long, and the tariffs of short and of long ones. */
const OF_PROMPTS = 5;
const LONG_ABOVE = 0;
const SHORT = 1;
const LONG = 3;
const USD_PER_INPUT = 0;
const USD_PER_OUTPUT = 1;
const DIGEST_OF_PROMPTS = 5;
const DIGEST = OF_PROMPTS + PROMPT_SIZES * DIGEST_OF_PROMPTS;
/** What was heard of one target changes what is hoped of the others, and all of it fades: slowly. */
const FADES_AFTER_MS = 5_000;
/** The size of prompts by which targets differ most: from 1024 tokens on. */
const LONG_PROMPTS = 1;

/**
 * Serves each request from the target at which it is likely to cost least, and from the next dearer one after a failure.
 *
 * Choose it when the targets answer equally well and the bill matters. The cost of a request at a target is its prompt at
 * the price of input, the part of it that the vendor's cache usually serves at the price of that, and as many tokens of
 * output as the target's answers usually have, or the request's limit if that is less. What a prompt is billed as, what the
 * cache serves and how long answers are is learned for each target from the usage that its vendor reports, and half
 * forgotten in six hours; of a target of which little is known, the better is hoped, so that it is tried. On top comes its waste: what it was paid for answers that nobody got whole, because they stalled,
 * broke off or came too late, as a part of what it was paid for the others.
 *
 * Costs within 5 % are a tie, which goes to the target that answers sooner. Targets without a price come last, in the
 * order of the pool; a price of 0 is free. O(n) per pick, no allocation.
 *
 * @throws RangeError for a spread below 0.
 */
export const leastCost = ({ spread = 0 }: LeastCostOptions = {}): Strategy => {
  if (!(spread >= 0 && spread < Number.POSITIVE_INFINITY))
    throw new RangeError(`spread: expected a number from 0, and got ${spread}`);
  return {
    name: 'least-cost',
    forPool: ({ targets }) =>
      pickerOf(new Ledger(targets.map(({ price }) => price)), spread, new Float64Array(2 * targets.length)),
  };
};

type Prices = readonly (Parameters<typeof expectedUsd>[2] | undefined)[];

const pickerOf = (ledger: Ledger, spread: number, credits: Float64Array): Picker => ({
  pick: (context) => {
    const cheapest = ledger.weigh(context);
    if (cheapest < 0) return firstOf(context.candidates);
    return spread > 0 ? turn(ledger, context, cheapest, spread, credits) : ledger.soonest(context, cheapest);
  },
  copy: () => pickerOf(ledger, spread, credits.slice()),
  observe: (observation) => ledger.observe(observation),
  report: (target, nowMs) => ledger.report(target, nowMs),
});

/** Smooth weighted round robin, where each request has weights of its own. Later picks than the first turn in credits of theirs. */
const turn = (
  { usd }: Ledger,
  { candidates, attempt }: PickContext,
  cheapest: number,
  spread: number,
  credits: Float64Array,
): number => {
  const least = usd[cheapest] ?? 0;
  const from = attempt === 0 ? 0 : usd.length;
  let total = 0;
  let best = -1;
  for (let i = 0; i < usd.length; i++) {
    const cost = usd[i] ?? Number.NaN;
    if (!has(candidates, i) || Number.isNaN(cost)) continue;
    // Beside one that is free nothing is worth its price.
    const weight = cost === least ? 1 : (least / cost) ** (2 / spread);
    if (weight === 0) continue;
    total += weight;
    credits[from + i] = (credits[from + i] ?? 0) + weight;
    if (best < 0 || (credits[from + i] ?? 0) > (credits[from + best] ?? 0)) best = i;
  }
  credits[from + best] = (credits[from + best] ?? 0) - total;
  return best;
};

/** What is known of the targets' bills, and of their times. */
class Ledger {
  /** Of the last request that was weighed, by target; NaN where there is no price. */
  readonly usd: Float64Array;
  readonly #prices: Prices;
  readonly #habits: Habits;
  readonly #sums: Float64Array;
  readonly #atMs: Float64Array;
  /** What picks are made of, by target: worked out when something is heard of it, and every few seconds, since it fades. */
  readonly #digest: Float64Array;
  /** When that is due. In an array, since a number of an object's own may get a box of its own. */
  readonly #dueAtMs: Float64Array = new Float64Array(1).fill(Number.NEGATIVE_INFINITY);

  constructor(prices: Prices) {
    this.#prices = prices;
    this.#habits = newHabits(prices.length);
    this.usd = new Float64Array(prices.length);
    this.#sums = new Float64Array(prices.length * ROW);
    this.#atMs = new Float64Array(prices.length);
    this.#digest = new Float64Array(prices.length * DIGEST);
  }

  /** Works out what a request would cost at each candidate; answers with the cheapest, or -1 where none has a price. */
  weigh({ candidates, inputTokens, maxOutputTokens, nowMs }: PickContext): number {
    if (nowMs >= (this.#dueAtMs[0] ?? 0)) this.#digestAll(nowMs);
    const known = this.#digest;
    const prompt = promptSizeOf(inputTokens) * DIGEST_OF_PROMPTS + OF_PROMPTS;
    const { usd } = this;
    let cheapest = -1;
    for (let i = 0; i < usd.length; i++) {
      if (!has(candidates, i)) continue;
      const row = i * DIGEST;
      const at = row + prompt + (inputTokens > (known[row + prompt + LONG_ABOVE] ?? 0) ? LONG : SHORT);
      const hoped = known[row + HOPED_OUTPUT] ?? 0;
      const outputTokens = maxOutputTokens !== undefined && maxOutputTokens < hoped ? maxOutputTokens : hoped;
      const useful = inputTokens * (known[at + USD_PER_INPUT] ?? 0) + outputTokens * (known[at + USD_PER_OUTPUT] ?? 0);
      const wasted = known[row + WASTED] ?? 0;
      // What is free cannot be wasted.
      const waste = wasted > 0 && useful > 0 ? wasted / ((known[row + USEFUL] ?? 0) + ASSUMED_ANSWERS * useful) : 0;
      const all = useful * (1 + waste);
      usd[i] = all;
      if (cheapest < 0 ? !Number.isNaN(all) : all < (usd[cheapest] ?? 0)) cheapest = i;
    }
    return cheapest;
  }

  /** Of the candidates that cost hardly more than the cheapest, the one that answers soonest. */
  soonest({ candidates, streaming }: PickContext, cheapest: number): number {
    const { usd } = this;
    const known = this.#digest;
    const wait = streaming ? WAIT : PLAIN_WAIT;
    const most = (usd[cheapest] ?? 0) * TIE;
    let best = cheapest;
    for (let i = 0; i < usd.length; i++) {
      if (!has(candidates, i) || !((usd[i] ?? 0) <= most)) continue;
      if ((known[i * DIGEST + wait] ?? 0) < (known[best * DIGEST + wait] ?? 0)) best = i;
    }
    return best;
  }

  observe(observation: Observation): void {
    const { type, target, streaming, contentMs, usage, inputTokens, maxOutputTokens, nowMs } = observation;
    if (type === 'content' && contentMs !== undefined) {
      this.#age(target, nowMs);
      this.#add(target, streaming ? WAITS : PLAIN_WAITS, 1);
      this.#add(target, streaming ? WAIT_MS : PLAIN_WAIT_MS, contentMs);
    }
    if (type === 'completed' && usage !== undefined) learnUsage(this.#habits, target, inputTokens, usage, nowMs);
    const price = this.#prices[target];
    if (price !== undefined && (type === 'completed' || isWaste(observation))) {
      const usual = outputTokensOf(this.#habits, target, nowMs);
      const outputTokens = contentMs === undefined ? 0 : Math.min(usual, maxOutputTokens ?? usual);
      const usd =
        usage === undefined
          ? expectedUsd(this.#habits, target, price, inputTokens, outputTokens, nowMs)
          : usdOf(price, usage);
      this.#age(target, nowMs);
      this.#add(target, type === 'completed' ? USEFUL_USD : WASTED_USD, usd);
    }
    if (type !== 'started' && type !== 'silent') this.#digestOne(target, nowMs);
  }

  report(target: number, nowMs: number): ReturnType<NonNullable<Picker['report']>> {
    const wasted = this.#sum(target, WASTED_USD, nowMs);
    return {
      priced: this.#prices[target] !== undefined,
      expectedOutputTokens: outputTokensOf(this.#habits, target, nowMs),
      billedPerEstimatedToken: billedPerEstimated(this.#habits, target, LONG_PROMPTS, nowMs),
      cachedShareOfLongPrompts: cachedShareOf(this.#habits, target, LONG_PROMPTS, nowMs),
      wastedShare: wasted === 0 ? 0 : wasted / (wasted + this.#sum(target, USEFUL_USD, nowMs)),
    };
  }

  #digestAll(nowMs: number): void {
    for (let i = 0; i < this.#prices.length; i++) this.#digestOne(i, nowMs);
    this.#dueAtMs[0] = nowMs + FADES_AFTER_MS;
  }

  #digestOne(i: number, nowMs: number): void {
    const known = this.#digest;
    const row = i * DIGEST;
    known[row + HOPED_OUTPUT] = hopedOutputTokensOf(this.#habits, i, nowMs);
    known[row + WASTED] = this.#sum(i, WASTED_USD, nowMs);
    known[row + USEFUL] = this.#sum(i, USEFUL_USD, nowMs);
    // As if one answer had come at once: so that a target which was not heard of for long is tried again.
    known[row + WAIT] = this.#sum(i, WAIT_MS, nowMs) / (this.#sum(i, WAITS, nowMs) + 1);
    known[row + PLAIN_WAIT] = this.#sum(i, PLAIN_WAIT_MS, nowMs) / (this.#sum(i, PLAIN_WAITS, nowMs) + 1);
    const price = this.#prices[i];
    for (let size = 0; size < PROMPT_SIZES; size++) {
      const at = row + OF_PROMPTS + size * DIGEST_OF_PROMPTS;
      const { longPrompts } = price ?? {};
      const longAbove = longPrompts?.aboveInputTokens ?? Number.POSITIVE_INFINITY;
      known[at + LONG_ABOVE] = longAbove / billedPerEstimated(this.#habits, i, size, nowMs);
      for (const [which, tariff] of [
        [SHORT, price],
        [LONG, longPrompts],
      ] as const) {
        known[at + which + USD_PER_INPUT] =
          tariff === undefined ? Number.NaN : usdPerInputToken(this.#habits, i, tariff, size, nowMs);
        known[at + which + USD_PER_OUTPUT] = tariff === undefined ? Number.NaN : usdOfTokens(tariff, 0, 0, 0, 1);
      }
    }
  }

  #sum(i: number, at: number, nowMs: number): number {
    const sum = this.#sums[i * ROW + at] ?? 0;
    return sum === 0 ? 0 : sum * partLeft((this.#atMs[i] ?? 0) - nowMs);
  }

  #age(i: number, nowMs: number): void {
    const part = partLeft((this.#atMs[i] ?? 0) - nowMs);
    for (let at = i * ROW; at < (i + 1) * ROW; at++) this.#sums[at] = (this.#sums[at] ?? 0) * part;
    this.#atMs[i] = nowMs;
  }

  #add(i: number, at: number, value: number): void {
    this.#sums[i * ROW + at] = (this.#sums[i * ROW + at] ?? 0) + value;
  }
}

const partLeft = (minusAgeMs: number): number => 2 ** (Math.min(0, minusAgeMs) / HALF_LIFE_MS);

/**
 * Whether a vendor is likely to bill for what nobody got: it had taken the request on, and fell silent or broke off. A caller
 * who leaves in the middle of an answer says nothing about who gave it.
 */
const isWaste = ({ type, failure, contentMs }: Observation): boolean =>
  (type === 'cancelled' && contentMs === undefined) || (type === 'failed' && WASTEFUL.has(failure?.kind ?? ''));

const WASTEFUL: ReadonlySet<string> = new Set(['timed-out', 'cut-short', 'stalled', 'broken']);
