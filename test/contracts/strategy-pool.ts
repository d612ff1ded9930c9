import type { PickContext, StrategyPool, StrategyTarget } from '@switchyard/core';

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
