import { drawBetaAt, meanOfBeta, varianceOfBeta } from '../beta.ts';
import { type Duration, durationMs } from '../duration.ts';
import { usdOf } from '../price.ts';
import {
  type Feedback,
  firstOf,
  has,
  type Observation,
  type PickContext,
  type Picker,
  type Strategy,
  type StrategyPool,
  type StrategyReport,
  type StrategyTarget,
} from '../strategy.ts';

export interface BestPerformanceOptions {
  /** In this time a score loses half of its weight. Shorter follows models that change, and explores more. Default: 7 days. */
  readonly halfLife?: Duration;
  /**
   * The part of requests, 0 to 1, that every target gets whatever is believed of it, so that one that has become good is found
   * again. All of them together take a fifth of the requests at most. Default: 0.02.
   */
  readonly floor?: number;
  /**
   * A score counts when its answer is so old, not before: where complaints come sooner than praise, all targets would look bad
   * that are new. 0: at once. Default: 10 min.
   */
  readonly maturity?: Duration | 0;
  /**
   * What is to be as large as possible, where it is not the score alone: what a US dollar and what a second take off the score
   * of an answer, or a function of its own. Default: the score.
   */
  readonly utility?: UtilityWeights | Utility;
  /** What an automatic score counts for, beside one that somebody gave; see `signals` of the route. 0 to 1. Default: 0.1. */
  readonly signalWeight?: number;
}

/** A score, from 0 to 1, with what it took. Larger is better; the scale is its own. Asked in each pick, it has to be quick. */
export type Utility = (score: number, facts: UtilityFacts) => number;

/** Of one target's answers lately, for this task. Only for the call: the next one fills the same object. */
export interface UtilityFacts {
  /** NaN while nobody knows: the target has no price, or has not answered. */
  readonly costUsd: number;
  /** To the first content of a stream, or the whole of a plain answer. NaN while it has not answered. */
  readonly latencyMs: number;
}

interface UtilityWeights {
  /** Score that an answer loses for each US dollar it costs: with 20, a cent is worth 0.2. Default: 0. */
  readonly perUsd?: number;
  /** Score that an answer loses for each second until its content. Default: 0. */
  readonly perSecond?: number;
}

/**
 * Serves requests from the target whose answers are scored best, and goes on trying the others as often as they may be better.
 *
 * Choose it where somebody says how good answers were: users, an evaluation, `signals` of the route. Each pick draws, for each
 * target, a score that it may well have by what is known (Beta, from its scores), and takes the largest: so a target is
 * asked as often as it may be the best. Scores lose weight with time; an answer without a score says nothing.
 * Tasks (`taskBy` of the route) are kept apart. A fallback goes to the best by mean.
 *
 * O(n) per pick, no allocation. Throws a TypeError where an option is out of its range. Sources: Thompson, 1933; discounted,
 * Raj and Kalyani, arXiv 1707.09727; delayed feedback, Joulani et al., ICML 2013.
 */
export const bestPerformance = (options: BestPerformanceOptions = {}): Strategy => {
  const settings = settingsOf(options);
  return { name: 'best-performance', forPool: (pool) => pickerOf(new Learner(settings, pool)) };
};

const pickerOf = (learner: Learner): Picker => ({
  pick: (context) => learner.pick(context),
  observe: (observation) => learner.observe(observation),
  feedback: (feedback) => learner.feedback(feedback),
  report: (target, nowMs) => learner.report(target, nowMs),
  save: () => learner.save(),
});

interface Settings {
  readonly halfLifeMs: number;
  readonly floor: number;
  readonly maturityMs: number;
  readonly usdWeight: number;
  readonly secondWeight: number;
  readonly utility: Utility | undefined;
  readonly signalWeight: number;
}

const settingsOf = ({
  halfLife = '7d',
  floor = 0.02,
  maturity = '10m',
  utility = {},
  signalWeight = 0.1,
}: BestPerformanceOptions): Settings => {
  const halfLifeMs = durationMs(halfLife);
  const maturityMs = maturity === 0 ? 0 : durationMs(maturity);
  const own = typeof utility === 'function' ? utility : undefined;
  const { perUsd = 0, perSecond = 0 } = typeof utility === 'function' ? {} : utility;
  if (halfLifeMs === undefined) throw wrong('halfLife', "a duration above 0 such as '7d' or milliseconds", halfLife);
  if (maturityMs === undefined) throw wrong('maturity', "0, or a duration such as '10m' or milliseconds", maturity);
  if (!(floor >= 0 && floor <= 1)) throw wrong('floor', 'a number from 0 to 1', floor);
  if (!(perUsd >= 0)) throw wrong('utility.perUsd', 'a number from 0', perUsd);
  if (!(perSecond >= 0)) throw wrong('utility.perSecond', 'a number from 0', perSecond);
  if (!(signalWeight >= 0 && signalWeight <= 1)) throw wrong('signalWeight', 'a number from 0 to 1', signalWeight);
  return { halfLifeMs, maturityMs, floor, usdWeight: perUsd, secondWeight: perSecond, utility: own, signalWeight };
};

const wrong = (option: string, expected: string, value: unknown): TypeError =>
  new TypeError(`bestPerformance: ${option}: expected ${expected}, and got ${JSON.stringify(value)}`);

/** All floors together leave four fifths of the requests to what is believed. */
const MOST_EXPLORED = 0.2;
/** So many scores say enough to leave a target to its floor… */
const JUDGED_AFTER = 500;
/** … where the chance that it is better than the best is below 1 %: the normal distribution's quantile. */
const SURE = 2.326;
/** Tasks that are kept apart; those that nobody asked for longest are forgotten. */
const MOST_TASKS = 100;
/** Scores that wait for their time; beyond these the oldest count before it. */
const MOST_WAITING = 10_000;
/** Answers of one target whose cost and latency count at once. */
const MOST_MEASURED = 50;
/** Tasks that a report speaks of: those that were asked for last. */
const MOST_REPORTED = 8;

/** What is known of the targets for one task, by target. */
interface Board {
  /** Sums of the scores, and of what they lack to 1, as they weigh at `atMs`. */
  readonly good: Float64Array;
  readonly bad: Float64Array;
  /** NaN: from an earlier process, whose clock was another. */
  atMs: number;
  /** A bit for each target that is almost certainly not the best. */
  hopeless: number;
  /** Means of late, and of how many; NaN before the first. */
  readonly usd: Float64Array;
  readonly latencyMs: Float64Array;
  readonly priced: Float64Array;
  readonly timed: Float64Array;
}

const newBoard = (targets: number, atMs: number): Board => ({
  good: new Float64Array(targets),
  bad: new Float64Array(targets),
  atMs,
  hopeless: 0,
  usd: new Float64Array(targets).fill(Number.NaN),
  latencyMs: new Float64Array(targets).fill(Number.NaN),
  priced: new Float64Array(targets),
  timed: new Float64Array(targets),
});

/** A score on its way to its board. A later score of the same answer brings only the difference. */
interface Waiting {
  readonly task: string | undefined;
  readonly target: number;
  readonly good: number;
  readonly bad: number;
  readonly answeredAtMs: number;
}

class Learner {
  readonly #settings: Settings;
  readonly #targets: readonly StrategyTarget[];
  /** A bit for each target that does not only stand by. */
  readonly #usual: number;
  /** By task; the one that was asked for longest ago first. */
  readonly #boards = new Map<string | undefined, Board>();
  /** For a task that nobody knows yet. */
  readonly #blank: Board;
  /** By the time of their answers, oldest first. */
  readonly #waiting: Waiting[] = [];
  /** Scratch: by target, one more than its scores and what they lack; then its draw or its mean; then its utility. */
  readonly #hits: Float64Array;
  readonly #misses: Float64Array;
  /**
   * Scratch: the part of its weight that what is on the board has kept. One number, in an array since a field would be put in
   * a box.
   */
  readonly #kept = new Float64Array(1);
  /** What a utility function is told. */
  readonly #facts = { costUsd: Number.NaN, latencyMs: Number.NaN };
  readonly #hasUtility: boolean;
  /** Boards of an earlier process have no place on this one's clock yet. */
  #hasOldBoards: boolean;

  constructor(settings: Settings, { targets, saved }: StrategyPool) {
    this.#settings = settings;
    this.#targets = targets;
    this.#usual = targets.reduce((mask, { weight }, i) => (weight > 0 ? mask | (1 << i) : mask), 0);
    this.#blank = newBoard(targets.length, 0);
    this.#hits = new Float64Array(targets.length);
    this.#misses = new Float64Array(targets.length);
    this.#hasUtility = settings.utility !== undefined || settings.usdWeight > 0 || settings.secondWeight > 0;
    for (const [task, board] of boardsOf(saved, targets)) {
      // On no clock yet: as it was saved.
      this.#judge(board, Number.NaN);
      this.#boards.set(task, board);
    }
    this.#hasOldBoards = this.#boards.size > 0;
  }

  pick({ candidates, attempt, task, nowMs, dice }: PickContext): number {
    const among = candidates & this.#usual;
    if (among === 0) return firstOf(candidates);
    const board = this.#boards.get(task) ?? this.#blank;
    this.#kept[0] = keptOf(board, nowMs, this.#settings.halfLifeMs);
    if (attempt > 0) return this.#best(among, board, undefined);
    const count = countOf(among);
    const explored = Math.min(this.#settings.floor * count, MOST_EXPLORED);
    const die = dice();
    if (die < explored) return nthOf(among, Math.floor((die / explored) * count));
    return this.#best(among, board, dice);
  }

  observe({ type, target, role, task, nowMs, contentMs, usage }: Observation): void {
    if (type === 'started') {
      this.#settleOld(nowMs);
      this.#countRipe(nowMs);
      this.#touch(task);
    }
    // Without a utility nobody asks what answers took. Of hedges only the quick ones are heard to the end.
    if (type !== 'completed' || !this.#hasUtility || role === 'hedge') return;
    const board = this.#boardOf(task, nowMs);
    if (contentMs !== undefined) measure(board.latencyMs, board.timed, target, contentMs);
    const price = this.#targets[target]?.price;
    if (price !== undefined && usage !== undefined) measure(board.usd, board.priced, target, usdOf(price, usage));
  }

  feedback({ target, score, isAutomatic, replaces, task, ageMs, nowMs }: Feedback): void {
    if (!isScore(score) || this.#targets[target] === undefined) return;
    this.#settleOld(nowMs);
    const weight = this.#weightOf(isAutomatic);
    const taken = replaces !== undefined && isScore(replaces.score) ? this.#weightOf(replaces.isAutomatic) : 0;
    const before = replaces?.score ?? 0;
    const good = weight * score - taken * before;
    const bad = weight * (1 - score) - taken * (1 - before);
    const item: Waiting = { task, target, good, bad, answeredAtMs: nowMs - ageMs };
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as Waiting).answeredAtMs > item.answeredAtMs) at -= 1;
    this.#waiting.splice(at, 0, item);
    this.#countRipe(nowMs);
  }

  report(target: number, nowMs: number): StrategyReport {
    const fields: Record<string, string | number | boolean | null> = {};
    const { halfLifeMs } = this.#settings;
    for (const [task, board] of [...this.#boards].slice(-MOST_REPORTED)) {
      const prefix = task === undefined ? '' : `${task}.`;
      const kept = keptOf(board, nowMs, halfLifeMs);
      const [good, bad] = [at(board.good, target) * kept, at(board.bad, target) * kept];
      fields[`${prefix}score`] = rounded(meanOfBeta(1 + good, 1 + bad));
      fields[`${prefix}deviation`] = rounded(Math.sqrt(varianceOfBeta(1 + good, 1 + bad)));
      fields[`${prefix}scores`] = rounded(good + bad);
      if (at(board.timed, target) > 0) fields[`${prefix}latencyMs`] = rounded(at(board.latencyMs, target));
      if (at(board.priced, target) > 0) fields[`${prefix}costUsd`] = rounded(at(board.usd, target));
    }
    fields.maturing = this.#waiting.filter((item) => item.target === target).length;
    return fields;
  }

  /** With what waits counted, since nobody will be there to count it. */
  save(): unknown {
    const boards = new Map([...this.#boards].map(([task, board]) => [task, copyOf(board)]));
    const { halfLifeMs } = this.#settings;
    for (const item of this.#waiting) {
      const board = boards.get(item.task) ?? newBoard(this.#targets.length, item.answeredAtMs);
      boards.set(item.task, board);
      add(board, item, Math.max(board.atMs, item.answeredAtMs), halfLifeMs);
    }
    return {
      tasks: [...boards].map(([task, board]) => ({
        task: task ?? null,
        targets: this.#targets.map(({ id }, i) => savedTarget(id, board, i)),
      })),
    };
  }

  /** The largest utility: of the means, or of draws where there are dice. */
  #best(candidates: number, board: Board, dice: PickContext['dice'] | undefined): number {
    const among = this.#believe(candidates, board, dice !== undefined);
    for (let i = 0; i < this.#targets.length; i++) {
      if (!has(among, i)) continue;
      if (dice === undefined) this.#hits[i] = meanOfBeta(at(this.#hits, i), at(this.#misses, i));
      else drawBetaAt(this.#hits, this.#misses, i, dice);
    }
    if (this.#hasUtility) this.#charge(among, board);
    let best = -1;
    for (let i = 0; i < this.#targets.length; i++)
      if (has(among, i) && (best < 0 || at(this.#hits, i) > at(this.#hits, best))) best = i;
    return best;
  }

  /** Fills the scratch with what is believed now, and leaves out the hopeless while enough is known to say so. */
  #believe(candidates: number, board: Board, leavesOut: boolean): number {
    const kept = at(this.#kept, 0);
    let scores = 0;
    for (let i = 0; i < this.#targets.length; i++) {
      const good = at(board.good, i) * kept;
      const bad = at(board.bad, i) * kept;
      scores += good + bad;
      this.#hits[i] = 1 + good;
      this.#misses[i] = 1 + bad;
    }
    const hopeful = leavesOut && scores >= JUDGED_AFTER ? candidates & ~board.hopeless : candidates;
    return hopeful === 0 ? candidates : hopeful;
  }

  /** Makes utilities of the scores in the scratch. What nobody knows of a target counts as the most that is known of another. */
  #charge(among: number, { usd, latencyMs }: Board): void {
    const { utility, usdWeight, secondWeight } = this.#settings;
    const scores = this.#hits;
    if (utility !== undefined) {
      for (let i = 0; i < scores.length; i++) {
        if (!has(among, i)) continue;
        this.#facts.costUsd = at(usd, i);
        this.#facts.latencyMs = at(latencyMs, i);
        const value = utility(at(scores, i), this.#facts);
        scores[i] = Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
      }
      return;
    }
    let dearest = 0;
    let slowest = 0;
    for (let i = 0; i < scores.length; i++) {
      if (at(usd, i) > dearest) dearest = at(usd, i);
      if (at(latencyMs, i) > slowest) slowest = at(latencyMs, i);
    }
    for (let i = 0; i < scores.length; i++) {
      const cost = at(usd, i) >= 0 ? at(usd, i) : dearest;
      const waited = at(latencyMs, i) >= 0 ? at(latencyMs, i) : slowest;
      scores[i] = at(scores, i) - usdWeight * cost - (secondWeight * waited) / 1_000;
    }
  }

  #weightOf(isAutomatic = false): number {
    return isAutomatic ? this.#settings.signalWeight : 1;
  }

  /** Counts the scores whose time has come. */
  #countRipe(nowMs: number): void {
    const { maturityMs, halfLifeMs } = this.#settings;
    let ripe = 0;
    for (; ripe < this.#waiting.length; ripe++) {
      const item = this.#waiting[ripe] as Waiting;
      if (item.answeredAtMs + maturityMs > nowMs && this.#waiting.length - ripe <= MOST_WAITING) break;
      const board = this.#boardOf(item.task, nowMs);
      add(board, item, nowMs, halfLifeMs);
      this.#judge(board, nowMs);
    }
    if (ripe > 0) this.#waiting.splice(0, ripe);
  }

  /** Sees who is almost certainly worse than the best; by a function's measure nobody is. */
  #judge(board: Board, nowMs: number): void {
    board.hopeless = 0;
    if (this.#settings.utility !== undefined || this.#usual === 0) return;
    const kept = keptOf(board, nowMs, this.#settings.halfLifeMs);
    this.#kept[0] = kept;
    const best = this.#best(this.#usual, board, undefined);
    // Still there from the pick: utilities by mean.
    const utilities = this.#hits;
    const varianceAt = (i: number): number => varianceOfBeta(1 + at(board.good, i) * kept, 1 + at(board.bad, i) * kept);
    for (let i = 0; i < utilities.length; i++) {
      const behind = at(utilities, best) - at(utilities, i);
      if (behind > SURE * Math.sqrt(varianceAt(best) + varianceAt(i))) board.hopeless |= 1 << i;
    }
  }

  #boardOf(task: string | undefined, nowMs: number): Board {
    const known = this.#boards.get(task);
    if (known !== undefined) return known;
    const board = newBoard(this.#targets.length, nowMs);
    this.#boards.set(task, board);
    if (this.#boards.size > MOST_TASKS) {
      const [oldest] = this.#boards.keys();
      this.#boards.delete(oldest);
    }
    return board;
  }

  #touch(task: string | undefined): void {
    const board = this.#boards.get(task);
    if (board === undefined || this.#boards.size === 1) return;
    this.#boards.delete(task);
    this.#boards.set(task, board);
  }

  /** Time that passed between two processes takes no weight from a score: nobody knows how long it was. */
  #settleOld(nowMs: number): void {
    if (!this.#hasOldBoards) return;
    this.#hasOldBoards = false;
    for (const board of this.#boards.values()) if (Number.isNaN(board.atMs)) board.atMs = nowMs;
  }
}

/** Adds a score as it weighs now: by the age of its answer, like all others. */
const add = (board: Board, { target, good, bad, answeredAtMs }: Waiting, nowMs: number, halfLifeMs: number): void => {
  const kept = keptOf(board, nowMs, halfLifeMs);
  for (let i = 0; i < board.good.length; i++) {
    board.good[i] = at(board.good, i) * kept;
    board.bad[i] = at(board.bad, i) * kept;
  }
  board.atMs = Number.isNaN(board.atMs) ? nowMs : Math.max(board.atMs, nowMs);
  const weight = Math.min(1, 2 ** ((answeredAtMs - nowMs) / halfLifeMs));
  // What is taken back was once added; only rounding goes below 0.
  board.good[target] = Math.max(0, at(board.good, target) + weight * good);
  board.bad[target] = Math.max(0, at(board.bad, target) + weight * bad);
};

/** The part of its weight that what is on a board has kept. */
const keptOf = ({ atMs }: Board, nowMs: number, halfLifeMs: number): number =>
  Number.isNaN(atMs) ? 1 : Math.min(1, 2 ** ((atMs - nowMs) / halfLifeMs));

/** A plain mean at first, then one in which each new value counts for a fiftieth. */
const measure = (means: Float64Array, counts: Float64Array, target: number, value: number): void => {
  const count = Math.min(at(counts, target) + 1, MOST_MEASURED);
  const mean = count === 1 ? 0 : at(means, target);
  counts[target] = count;
  means[target] = mean + (value - mean) / count;
};

const isScore = (score: number): boolean => score >= 0 && score <= 1;

const at = (values: Float64Array, i: number): number => values[i] as number;

const countOf = (mask: number): number => {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
};

/** The n-th bit that is set, from 0. */
const nthOf = (mask: number, n: number): number => {
  let rest = mask;
  for (let i = 0; i < n; i++) rest &= rest - 1;
  return firstOf(rest);
};

/** Six digits: more would be noise, and longer. */
const rounded = (value: number): number => Number(value.toPrecision(6));

const copyOf = (board: Board): Board => ({ ...board, good: board.good.slice(), bad: board.bad.slice() });

const MEASURES = ['usd', 'latencyMs'] as const;
const COUNTS = { usd: 'priced', latencyMs: 'timed' } as const;

const savedTarget = (id: string, board: Board, i: number): Readonly<Record<string, string | number>> => ({
  id,
  good: rounded(at(board.good, i)),
  bad: rounded(at(board.bad, i)),
  ...Object.fromEntries(
    MEASURES.flatMap((name) => (at(board[COUNTS[name]], i) > 0 ? [[name, rounded(at(board[name], i))]] : [])),
  ),
});

/** What an earlier process has saved, which may be anything; targets that are no more are left out. */
const boardsOf = (saved: unknown, targets: readonly StrategyTarget[]): [string | undefined, Board][] =>
  listOf(fieldOf(saved, 'tasks'))
    .slice(-MOST_TASKS)
    .flatMap((entry): [string | undefined, Board][] => {
      const task = fieldOf(entry, 'task');
      if (typeof task !== 'string' && task !== null) return [];
      const board = newBoard(targets.length, Number.NaN);
      for (const item of listOf(fieldOf(entry, 'targets'))) {
        const i = targets.findIndex(({ id }) => id === fieldOf(item, 'id'));
        const [good, bad] = [fieldOf(item, 'good'), fieldOf(item, 'bad')];
        if (i < 0 || !isAmount(good) || !isAmount(bad)) continue;
        board.good[i] = good;
        board.bad[i] = bad;
        for (const name of MEASURES) {
          const value = fieldOf(item, name);
          // As if measured once: what is measured now soon counts for more.
          if (isAmount(value)) measure(board[name], board[COUNTS[name]], i, value);
        }
      }
      return [[task ?? undefined, board]];
    });

const isAmount = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
