import { type Attempt, type AttemptRole, newAttempt } from '../../packages/core/src/decide/attempt.ts';
import { hedgeBudget, newFailureRate, newLastResorts } from '../../packages/core/src/decide/budget.ts';
import type { Course } from '../../packages/core/src/decide/course.ts';
import type { Dice } from '../../packages/core/src/decide/dice.ts';
import type { Failure } from '../../packages/core/src/decide/failure.ts';
import { newHabits } from '../../packages/core/src/decide/habits.ts';
import type { Standing } from '../../packages/core/src/decide/health/breaker.ts';
import { conditionOf, HealthBook, type TargetHealth } from '../../packages/core/src/decide/health/health.ts';
import {
  type Ask,
  observeComplete,
  observeContent,
  observeEnd,
  observeFailure,
  observeStart,
} from '../../packages/core/src/decide/health/observe.ts';
import { termsFor } from '../../packages/core/src/decide/plan.ts';
import { type Member, newScratch, type Pool } from '../../packages/core/src/decide/pool.ts';
import type { TargetPrice } from '../../packages/core/src/decide/price.ts';
import type { ChatRequest } from '../../packages/core/src/decide/request.ts';
import { newSpending } from '../../packages/core/src/decide/spending.ts';
import { bestPerformance } from '../../packages/core/src/decide/strategies/best-performance.ts';
import { leastCost } from '../../packages/core/src/decide/strategies/least-cost.ts';
import { leastLatency } from '../../packages/core/src/decide/strategies/least-latency.ts';
import { priority } from '../../packages/core/src/decide/strategies/priority.ts';
import { weightedRoundRobin } from '../../packages/core/src/decide/strategies/weighted-round-robin.ts';
import type { Observation, Strategy, StrategyTarget } from '../../packages/core/src/decide/strategy.ts';
import { contentsOf, needOf } from '../../packages/core/src/decide/tokens.ts';
import { inGroups } from '../contracts/strategy-pool.ts';

// Everything that knows how a pool, a course and an attempt are made: what is measured is made of these, by the same
// functions as in the router.

/** A strategy that has been told of a hundred answers of each target how good they were. */
const scored = (strategy: Strategy): Strategy => ({
  ...strategy,
  forPool(pool) {
    const picker = strategy.forPool(pool);
    pool.targets.forEach((_, target) => {
      for (let i = 0; i < 100; i++)
        picker.feedback?.({ target, score: (i % 10) / 10, task: undefined, ageMs: 0, nowMs: 0.5 });
    });
    return picker;
  },
});

export const STRATEGIES: readonly Strategy[] = [
  priority(),
  weightedRoundRobin(),
  leastCost(),
  scored(bestPerformance({ maturity: 0 })),
  leastLatency(),
  inGroups(priority, weightedRoundRobin),
];
/** What has more to think of than by its defaults. */
export const THOROUGH: readonly Strategy[] = [{ ...leastLatency({ goal: 'whole' }), name: 'least-latency, whole' }];

/** A fraction, as a real clock's: whole numbers are cheaper to keep, and would flatter us. */
export const START_MS = 60_000.25;
/** From the start of an attempt to its first content, or to its failure. */
export const TOOK_MS = 800.5;

export const SERVER_ERROR: Failure = { kind: 'server-error', message: 'the vendor answered 500', status: 500 };

const REQUEST: ChatRequest = {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'How far is the moon?' }] }],
};
export const ASK: Ask = {
  load: { size: 0, streaming: true, reasoning: false },
  need: needOf(contentsOf(REQUEST).estimatedTokens, REQUEST),
};

type Headers = ReadonlyMap<string, string>;
const NO_HEADERS: Headers = new Map();
/** What OpenAI shows with each answer, far from its limits. */
export const LIMIT_HEADERS: Headers = new Map([
  ['x-ratelimit-limit-requests', '10000'],
  ['x-ratelimit-limit-tokens', '2000000'],
  ['x-ratelimit-remaining-requests', '9000'],
  ['x-ratelimit-remaining-tokens', '1900000'],
  ['x-ratelimit-reset-requests', '6s'],
  ['x-ratelimit-reset-tokens', '3s'],
]);

/**
 * Numbers that are in their boxes before anybody measures. An array of nothing but fractions keeps them unboxed, and each
 * read would allocate; a clock hands its number over in a box, too.
 */
export const boxed = (values: readonly number[]): readonly number[] => {
  const list: (number | undefined)[] = [undefined, ...values];
  list.shift();
  return list as number[];
};

/** The same throws in each run, spread evenly. */
export const diceOf = (): Dice => {
  const faces = boxed(Array.from({ length: 1_000 }, (_, i) => ((i * 617) % 1_000) / 1_000 + 0.0005));
  let at = 0;
  return () => {
    at = at === 999 ? 0 : at + 1;
    return faces[at] as number;
  };
};

const describedAt = (i: number): StrategyTarget => ({
  id: `target-${i}`,
  vendor: `vendor-${i % 2}`,
  model: `model-${i}`,
  weight: 1 + (i % 3),
  price: priceOf(i),
  contextWindow: undefined,
});

const priceOf = (i: number): TargetPrice => ({ inputUsdPerMTok: 1 + (i % 4), outputUsdPerMTok: 4 + (i % 5) });

/** As the router makes it. Two vendors share the targets, so that each target has others that may fall with it. */
export const poolOf = (strategy: Strategy, size: number, dice: Dice): Pool => {
  const book = new HealthBook({ longestCoolingMs: 30_000, rampMs: 20_000 });
  const indices = Array.from({ length: size }, (_, i) => i);
  return {
    members: indices.map(
      (i): Member => ({
        id: `target-${i}`,
        health: book.of({
          endpoint: `https://vendor-${i % 2}.example`,
          credential: `key-${i % 2}`,
          model: `model-${i}`,
          quotaGroup: undefined,
        }),
        contextWindow: undefined,
        timeoutsMs: { connect: 2_000, firstContent: undefined, answer: undefined, idle: undefined, total: 600_000 },
        reasoning: false,
        price: priceOf(i),
        spending: newSpending({ usd: 1_000, perMs: 86_400_000, per: '1d' }),
      }),
    ),
    hedging: true,
    hedges: hedgeBudget(),
    failureRate: newFailureRate(),
    lastResorts: newLastResorts(),
    spending: newSpending(undefined),
    habits: newHabits(size),
    scratch: newScratch(),
    retry: { passes: 0, minDelayMs: 500, maxDelayMs: 8_000, multiplier: 2, jitter: 0.5 },
    picker: strategy.forPool({ route: 'bench', targets: indices.map(describedAt), dice }),
  };
};

/** A short streamed request that every target of the pool can express. */
export const courseOf = ({ members }: Pool, startedAtMs: number): Course => ({
  request: REQUEST,
  streaming: true,
  size: 0,
  need: ASK.need,
  subject: undefined,
  task: undefined,
  conversation: undefined,
  order: undefined,
  reasoning: false,
  startedAtMs,
  deadlineAtMs: startedAtMs + 120_000,
  able: members.length === 32 ? -1 : (1 << members.length) - 1,
  tooSmall: 0,
  released: 0,
  prompts: [],
  tried: 0,
  pass: 0,
  windowAbove: undefined,
  attempts: [],
});

export const healthOf = ({ members }: Pool, target: number): TargetHealth => (members[target] as Member).health;

interface Manner {
  readonly role?: AttemptRole;
  readonly headers?: Headers;
}

/** An attempt that the driver is about to begin. */
export const attemptAt = (
  pool: Pool,
  target: number,
  startedAtMs: number,
  { role = 'first', headers = NO_HEADERS }: Manner = {},
): Attempt => {
  const choice = { target, role, othersLeft: 1, isDoubtful: role === 'probe' };
  const terms = termsFor(choice, courseOf(pool, startedAtMs), pool, startedAtMs, true);
  return newAttempt(terms, { state: 'sent', header: (name) => headers.get(name) }, startedAtMs);
};

/** An attempt that is under way. */
export const begin = (pool: Pool, target: number, startedAtMs: number, manner?: Manner): Attempt => {
  const attempt = attemptAt(pool, target, startedAtMs, manner);
  observeStart(healthOf(pool, target), attempt, ASK);
  return attempt;
};

const answer = (pool: Pool, target: number, startedAtMs: number, dice: Dice, manner?: Manner): void => {
  const health = healthOf(pool, target);
  const attempt = begin(pool, target, startedAtMs, manner);
  observeContent(health, attempt, ASK, startedAtMs + TOOK_MS, dice);
  observeComplete(health, attempt, startedAtMs + TOOK_MS, dice);
  observeEnd(health, attempt, startedAtMs + TOOK_MS, dice);
};

const fail = (pool: Pool, target: number, startedAtMs: number, dice: Dice): Attempt => {
  const health = healthOf(pool, target);
  const attempt = begin(pool, target, startedAtMs);
  const endedAtMs = startedAtMs + TOOK_MS;
  observeFailure(health, attempt, SERVER_ERROR, ASK, endedAtMs, dice);
  observeEnd(health, attempt, endedAtMs, dice);
  attempt.endedAtMs = endedAtMs;
  attempt.outcome = { type: 'failed', failure: SERVER_ERROR };
  return attempt;
};

/** One answer a second until `untilMs`: after 20 its last attempts are good, after 30 its pace is known. */
export const settle = (pool: Pool, target: number, answers: number, untilMs: number, dice: Dice): void => {
  for (let i = answers; i > 0; i--) answer(pool, target, untilMs - i * 1_000, dice);
};

/**
 * The same traffic for a strategy that learns from it. One attempt of the first target has failed, and one is still
 * silent, so that nothing which a pick may have to think of is missing.
 */
const teach = ({ picker, scratch }: Pool, target: number, answers: number, untilMs: number): void => {
  const tell = (startedAtMs: number, given: Partial<Observation>): void => {
    const ageMs = given.type === 'started' ? 0 : TOOK_MS;
    picker.observe?.({ ...scratch.observation, ...given, target, ageMs, nowMs: startedAtMs + ageMs, streaming: true });
  };
  for (let i = answers; i > 0; i--) {
    const startedAtMs = untilMs - i * 1_000;
    tell(startedAtMs, { type: 'started' });
    if (target === 0 && i === 2)
      tell(startedAtMs, { type: 'failed', failure: { kind: 'server-error', chargedTo: 'model' } });
    if (target === 0 && i <= 2) continue;
    const contentMs = TOOK_MS / 2;
    tell(startedAtMs, { type: 'content', contentMs });
    const usage = { inputTokens: 10, outputTokens: 100, cachedInputTokens: 0, reasoningTokens: 0 };
    tell(startedAtMs, { type: 'completed', contentMs, usage });
  }
};

/** What a request meets when a target is chosen for it. */
export interface Situation {
  readonly pool: Pool;
  readonly course: Course;
  readonly nowMs: number;
  readonly dice: Dice;
}

/** What happens to a settled pool before the pick. */
export const SITUATIONS = [
  'all ready',
  'limits shown',
  'half cooling',
  'one ramping',
  'after a failure',
  'all cooling',
] as const;
type SituationName = (typeof SITUATIONS)[number];

/** Each is looked at before it is handed out: one that is not what it says would measure something else. */
export const situationOf = (name: SituationName, strategy: Strategy, size: number): Situation => {
  const dice = diceOf();
  const pool = poolOf(strategy, size, dice);
  for (let i = 0; i < size; i++) {
    settle(pool, i, 40, START_MS, dice);
    teach(pool, i, 40, START_MS);
  }
  // The same instant in every situation, so that nothing but what happened tells them apart.
  const nowMs = START_MS + 20_000.5;
  const course = courseOf(pool, nowMs);
  const cool = (target: number, atMs: number): void => {
    for (let i = 0; i < 3; i++) fail(pool, target, atMs + i, dice);
  };
  const standings = Array.from({ length: size }, (): Standing => 'ready');
  switch (name) {
    case 'all ready':
      break;
    case 'limits shown':
      for (let i = 0; i < size; i++) answer(pool, i, nowMs - 1_000, dice, { headers: LIMIT_HEADERS });
      break;
    case 'half cooling':
      // One of the two vendors is down.
      for (let i = 0; i < size; i += 2) {
        cool(i, nowMs - 1_000);
        standings[i] = 'cooling';
      }
      break;
    case 'one ramping':
      // Cooled, probed twice, and half way through its ramp.
      cool(0, START_MS);
      for (let i = 0; i < 2; i++) answer(pool, 0, START_MS + 8_000 + i * 1_200, dice, { role: 'probe' });
      standings[0] = 'ramping';
      break;
    case 'after a failure':
      course.attempts.push(fail(pool, 0, nowMs - TOOK_MS, dice));
      course.tried = 1;
      break;
    case 'all cooling':
      // Nobody is left; after fifteen last resorts there is no more to be had.
      for (let i = 0; i < size; i++) cool(i, nowMs - 1_000);
      standings.fill('cooling');
      break;
  }
  const found = pool.members.map(({ health }) => conditionOf(health, nowMs).standing);
  if (found.join() !== standings.join()) throw new Error(`${name}: expected ${standings}, and got ${found}`);
  return { pool, course, nowMs, dice };
};
