import type { Observation, PickContext, Strategy, StrategyPool, StrategyTarget } from '@switchyard/core';
import { type Group, grouped } from '../../packages/core/src/decide/groups.ts';

/** Seeded, so that a failure repeats. */
export const diceOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

/** A pool of targets that differ in what is given, and in nothing else. */
export const strategyPool = (
  targets: readonly Partial<StrategyTarget>[],
  dice: () => number = diceOf(1),
): StrategyPool => ({
  route: 'chat',
  dice,
  targets: targets.map((target, i) => ({
    id: `t${i}/m`,
    vendor: `t${i}`,
    model: 'm',
    weight: 1,
    price: undefined,
    contextWindow: undefined,
    ...target,
  })),
});

export const poolOfWeights = (weights: readonly number[], dice?: () => number): StrategyPool =>
  strategyPool(
    weights.map((weight) => ({ weight })),
    dice,
  );

/** The first pick of a small request with all of `count` targets ready, but for what is said. */
export const pickContext = (count: number, given: Partial<PickContext> = {}): PickContext => {
  const all = count >= 32 ? -1 : (1 << count) - 1;
  return {
    candidates: all,
    able: all,
    health: undefined,
    order: undefined,
    request: { messages: [] },
    attempt: 0,
    streaming: true,
    inputTokens: 10,
    maxOutputTokens: undefined,
    subject: undefined,
    task: undefined,
    nowMs: 0,
    dice: () => 0,
    ...given,
  };
};

/** A first attempt at target 0 that begins, but for what is said. */
export const observationOf = (given: Partial<Observation> = {}): Observation => ({
  type: 'started',
  target: 0,
  role: 'first',
  nowMs: 0,
  ageMs: 0,
  contentMs: undefined,
  readMs: 0,
  streaming: true,
  inputTokens: 10,
  maxOutputTokens: undefined,
  subject: undefined,
  task: undefined,
  usage: undefined,
  failure: undefined,
  ...given,
});

/** Takes any pool in groups of three, the second of them in groups of its own. */
export const inGroups = (outer: () => Strategy, inner: () => Strategy): Strategy => ({
  name: `${outer().name} of ${inner().name}`,
  forPool: (pool) => grouped(groupsOfThree(pool.targets.length, outer, inner)).forPool(pool),
});

const groupsOfThree = (count: number, outer: () => Strategy, inner: () => Strategy): Group => {
  const groupOf = (id: string, entries: Group['entries']): Group => ({ id, weight: 1, strategy: inner(), entries });
  const entries: (number | Group)[] = [];
  for (let from = 0; from < count; from += 3) {
    const indices = Array.from({ length: Math.min(3, count - from) }, (_, i) => from + i);
    const isNested = from === 3;
    entries.push(groupOf(`g${from}`, isNested ? indices.map((i) => groupOf(`g${from}.${i}`, [i])) : indices));
  }
  return { id: 'chat', weight: 1, strategy: outer(), entries };
};
