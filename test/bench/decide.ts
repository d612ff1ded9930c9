import { parseArgs } from 'node:util';
import type { Attempt } from '../../packages/core/src/decide/attempt.ts';
import type { Dice } from '../../packages/core/src/decide/dice.ts';
import type { Standing } from '../../packages/core/src/decide/health/breaker.ts';
import type { TargetHealth } from '../../packages/core/src/decide/health/health.ts';
import {
  observeContent,
  observeEnd,
  observeFailure,
  observeLateness,
  observeSilence,
  observeStart,
} from '../../packages/core/src/decide/health/observe.ts';
import { nextStep } from '../../packages/core/src/decide/plan.ts';
import { choose } from '../../packages/core/src/decide/pool.ts';
import type { Strategy } from '../../packages/core/src/decide/strategy.ts';
import { digits, table } from '../../packages/simulator/src/virtual/table.ts';
import { allocatorsOf, type Measure, type Measured, measureAll } from './decide-measure.ts';
import {
  ASK,
  attemptAt,
  begin,
  boxed,
  courseOf,
  diceOf,
  healthOf,
  LIMIT_HEADERS,
  poolOf,
  SERVER_ERROR,
  SITUATIONS,
  type Situation,
  START_MS,
  STRATEGIES,
  settle,
  situationOf,
  THOROUGH,
  TOOK_MS,
} from './decide-pool.ts';

const USAGE = `Times what the router decides with, and counts what it allocates, without any I/O.

  --rounds <n>   default 61; a median of few rounds is noise

Exit code 1 when a bar does not hold.`;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '61' }, help: { type: 'boolean' } },
});
const rounds = Number(values.rounds);

const SIZES = [2, 10, 32] as const;
/** Of ten targets, and so of two. Of more it may take longer, but allocate nothing either. */
const MOST_PICK_NS = 2_000;
const MOST_UPDATE_NS = 1_000;
/** Less than the smallest object has; what is left is the noise of counting. */
const MOST_PICK_BYTES = 1;

const [PRIORITY] = STRATEGIES as readonly [Strategy, ...Strategy[]];

/** Few, so that a round is over before another process gets its turn; the median of many rounds does not see the rest. */
const STEADY_CALLS = 500;
/** Where each call needs a target of its own: as many as a pool may have. Hundreds would measure the machine's memory. */
const FRESH_TARGETS = 32;
/** Where each call needs an attempt of its own. */
const FRESH_ATTEMPTS = 500;

/** A strategy by itself: of all targets, which. */
const turn = (strategy: Strategy, size: number): Measure => {
  const { pool, course, nowMs, dice } = situationOf('all ready', strategy, size);
  choose(pool, course, nowMs, dice, 'ready');
  // As the pool has filled it: with all targets for candidates, since all are ready.
  const { context } = pool.scratch;
  const call = (): number => pool.picker.pick(context);
  return { name: `strategy alone, ${strategy.name}, ${size} targets`, ...bars(size), prepare: () => call };
};

const pick = (strategy: Strategy, size: number, name: (typeof SITUATIONS)[number]): Measure => {
  const { pool, course, nowMs, dice } = situationOf(name, strategy, size);
  const call = (): unknown => choose(pool, course, nowMs, dice, 'anybody');
  return { name: `pick, ${strategy.name}, ${size} targets, ${name}`, ...bars(size), prepare: () => call };
};

const bars = (size: number): { readonly calls: number; readonly mostNs?: number; readonly mostBytes: number } => ({
  calls: STEADY_CALLS,
  mostBytes: MOST_PICK_BYTES,
  ...(size <= 10 && { mostNs: MOST_PICK_NS }),
});

const picks = [
  ...STRATEGIES.flatMap((strategy) =>
    SIZES.flatMap((size) => [turn(strategy, size), ...SITUATIONS.map((name) => pick(strategy, size, name))]),
  ),
  ...THOROUGH.flatMap((strategy) => SIZES.map((size) => turn(strategy, size))),
];

/** The whole of a decision, of which a pick is one part. Its step is an object that lives as long as the attempt. */
const step = (name: string, { pool, course, nowMs, dice }: Situation): Measure => ({
  name: `nextStep, 10 targets, ${name}`,
  calls: STEADY_CALLS,
  prepare: () => () => nextStep(course, pool, nowMs, dice),
});

const unknownPace = (): Situation => {
  const dice = diceOf();
  const pool = poolOf(PRIORITY, 10, dice);
  return { pool, course: courseOf(pool, START_MS), nowMs: START_MS, dice };
};

const whileOneRuns = (): Situation => {
  const situation = situationOf('all ready', PRIORITY, 10);
  situation.course.attempts.push(begin(situation.pool, 0, situation.nowMs - 100));
  situation.course.tried = 1;
  return situation;
};

const steps = [
  step('start, pace unknown', unknownPace()),
  step('start, pace learned', situationOf('all ready', PRIORITY, 10)),
  step('start after a failure', situationOf('after a failure', PRIORITY, 10)),
  step('wait', whileOneRuns()),
  step('give up, all cooling', situationOf('all cooling', PRIORITY, 10)),
];

/** Answers of one target that is well, 100 a second. */
const content = (name: string, headers?: ReadonlyMap<string, string>): Measure => {
  const dice = diceOf();
  const pool = poolOf(PRIORITY, 1, dice);
  const health = healthOf(pool, 0);
  let fromMs = START_MS;
  settle(pool, 0, 20, fromMs, dice);
  return {
    name,
    calls: FRESH_ATTEMPTS,
    // Reading a vendor's headers is work on text, and no part of the breaker.
    ...(headers === undefined && { mostNs: MOST_UPDATE_NS }),
    prepare(calls) {
      const startsMs = Array.from({ length: calls }, (_, i) => fromMs + i * 10);
      const attempts = startsMs.map((startedAtMs) => begin(pool, 0, startedAtMs, headers && { headers }));
      for (const attempt of attempts) observeEnd(health, attempt, attempt.startedAtMs, dice);
      const endsMs = boxed(startsMs.map((startedAtMs) => startedAtMs + TOOK_MS));
      fromMs += calls * 10;
      return (i) => observeContent(health, attempts[i] as Attempt, ASK, endsMs[i] as number, dice);
    },
  };
};

/** Taking a place, and giving it back. */
const placeTaking = (): Measure => {
  const dice = diceOf();
  const pool = poolOf(PRIORITY, 1, dice);
  const health = healthOf(pool, 0);
  const attempt = attemptAt(pool, 0, START_MS);
  const call = (): void => {
    observeStart(health, attempt, ASK);
    observeEnd(health, attempt, START_MS, dice);
  };
  return { name: 'observeStart and observeEnd', calls: STEADY_CALLS, mostNs: MOST_UPDATE_NS, prepare: () => call };
};

/** Each call is the `count`-th trouble in a row of another target, which was well before. */
const trouble = (name: string, count: number, leadsTo: Standing, happen: Trouble): Measure => ({
  name,
  calls: FRESH_TARGETS,
  mostNs: MOST_UPDATE_NS,
  prepare(calls) {
    const dice = diceOf();
    const [endedAtMs] = boxed([START_MS + TOOK_MS]) as readonly [number];
    const patients = Array.from({ length: calls }, () => {
      const pool = poolOf(PRIORITY, 1, dice);
      settle(pool, 0, 20, START_MS, dice);
      return { pool, health: healthOf(pool, 0), attempt: attemptAt(pool, 0, START_MS) };
    });
    // After all are made, so that each was touched just now: else it would be memory that is measured.
    for (const patient of patients) {
      const { pool, health } = patient;
      settle(pool, 0, 1, START_MS, dice);
      for (let i = 1; i < count; i++) happen(health, begin(pool, 0, START_MS), endedAtMs, dice);
      patient.attempt = begin(pool, 0, START_MS);
    }
    return (i) => {
      const { health, attempt } = patients[i] as (typeof patients)[number];
      const change = happen(health, attempt, endedAtMs, dice);
      if (health.breaker.standing !== leadsTo) throw new Error(`${name}: led to ${health.breaker.standing}`);
      return change;
    };
  },
});

type Trouble = (health: TargetHealth, attempt: Attempt, nowMs: number, dice: Dice) => unknown;

const failure: Trouble = (health, attempt, nowMs, dice) =>
  observeFailure(health, attempt, SERVER_ERROR, ASK, nowMs, dice);

const updates = [
  placeTaking(),
  content('observeContent'),
  content('observeContent, rate limits shown', LIMIT_HEADERS),
  trouble('observeFailure, the first', 1, 'ready', failure),
  trouble('observeFailure, the third, which cools', 3, 'cooling', failure),
  trouble('observeSilence, the first', 1, 'ready', observeSilence),
  trouble('observeSilence, the third, which makes suspect', 3, 'suspect', observeSilence),
  trouble('observeLateness', 1, 'ready', observeLateness),
];

const empty: Measure = { name: 'an empty call, for comparison', calls: STEADY_CALLS, prepare: () => () => undefined };

const row = ({ name, ns, bytes, mostNs, mostBytes, holds }: Measured): string[] => [
  name,
  digits(ns.median),
  `${digits(ns.least)} … ${digits(ns.most)}`,
  digits(Math.round(bytes)),
  [mostNs !== undefined && `${mostNs} ns`, mostBytes !== undefined && `< ${mostBytes} byte`].filter(Boolean).join(', '),
  holds === undefined ? '' : holds ? 'yes' : 'no',
];

if (values.help || !(rounds >= 1)) console.log(USAGE);
else {
  const measured = measureAll([empty, ...picks, ...steps, ...updates], rounds);
  console.log(table([['measure', 'ns', 'least … most', 'bytes', 'bar', 'holds'], ...measured.map(row)]));
  console.log('\nWho allocates in a pick, in bytes per pick over all of them (sampling heap profiler):');
  const allocators = allocatorsOf(picks);
  for (const { where, bytes } of allocators) console.log(`  ${digits(bytes).padStart(6)}  ${where}`);
  if (allocators.length === 0) console.log('  nobody');
  if (measured.some(({ holds }) => holds === false)) process.exitCode = 1;
}
