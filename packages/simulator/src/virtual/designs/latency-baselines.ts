import { type Observation, type PickContext, type Picker, type Strategy, weightedRoundRobin } from '@switchyard/core';
import type { Dice } from '../../dice.ts';

// How others choose by latency, as strategies of the router, so that nothing but the choice differs.

/** What a strategy by latency is made of: what it remembers of each target, and how it chooses by that. */
interface Method {
  /** How long a target is expected to take, in ms. */
  expectMs(target: number, nowMs: number): number;
  learn(target: number, tookMs: number, nowMs: number): void;
  choose(candidates: readonly number[], costOf: (target: number) => number, dice: Dice): number;
}

/** Strategies that know nothing but how long answers took, and, if they multiply by it, how many are under way. */
const byLatency = (name: string, method: (targets: number) => Method, byUnderWay = false): Strategy => ({
  name,
  forPool({ targets }): Picker {
    const { expectMs, learn, choose } = method(targets.length);
    const underWay = targets.map(() => 0);
    return {
      pick({ candidates, nowMs, dice }: PickContext): number {
        const indices = targets.map((_, i) => i).filter((i) => (candidates & (1 << i)) !== 0);
        const costOf = (i: number): number => expectMs(i, nowMs) * (byUnderWay ? (underWay[i] ?? 0) + 1 : 1);
        return indices.length === 0 ? -1 : choose(indices, costOf, dice);
      },
      observe({ type, target, contentMs, nowMs }: Observation): void {
        if (type === 'started') underWay[target] = (underWay[target] ?? 0) + 1;
        else if (type === 'content') learn(target, contentMs ?? 0, nowMs);
        else if (type !== 'silent') underWay[target] = (underWay[target] ?? 0) - 1;
      },
    };
  },
});

const leastOf = (candidates: readonly number[], costOf: (target: number) => number): number =>
  candidates.reduce((best, i) => (costOf(i) < costOf(best) ? i : best));

/** The mean of the last ten answers; a target without any goes first. Source: LiteLLM, lowest latency. */
const meanOfLastTen: Strategy = byLatency('last-ten', (count) => {
  const last = Array.from({ length: count }, (): number[] => []);
  return {
    expectMs: (i) => (last[i] ?? []).reduce((sum, ms) => sum + ms, 0) / (last[i]?.length || 1),
    learn(i, tookMs) {
      last[i]?.push(tookMs);
      if ((last[i]?.length ?? 0) > 10) last[i]?.shift();
    },
    choose: leastOf,
  };
});

/**
 * The better of two targets drawn at random, by a mean that rises at once and falls in 10 s, times the requests under
 * way; 1 s for a target without answers. Source: tower and Finagle, peak EWMA.
 */
const peakEwma: Strategy = byLatency(
  'p2c-peak-ewma',
  (count) => {
    const means = Array.from({ length: count }, () => ({ ms: 1_000, atMs: 0 }));
    const aged = (i: number, nowMs: number): number => {
      const { ms, atMs } = means[i] as (typeof means)[number];
      return ms * Math.exp((atMs - nowMs) / 10_000);
    };
    return {
      expectMs: aged,
      learn(i, tookMs, nowMs) {
        const { ms, atMs } = means[i] as (typeof means)[number];
        const old = Math.exp((atMs - nowMs) / 10_000);
        means[i] = { ms: tookMs > ms ? tookMs : ms * old + tookMs * (1 - old), atMs: nowMs };
      },
      choose(candidates, costOf, dice) {
        const one = Math.floor(dice() * candidates.length);
        const other = Math.floor(dice() * (candidates.length - 1));
        const two = candidates.length === 1 ? one : other + (other >= one ? 1 : 0);
        return leastOf([candidates[one] as number, candidates[two] as number], costOf);
      },
    };
  },
  true,
);

/** A mean of logarithms that forgets in 60 s; 2 % of requests go to a target drawn at random. */
const epsilonGreedy: Strategy = byLatency('ewma-epsilon', (count) => {
  const means = Array.from({ length: count }, () => ({ log: Math.log(1_000), atMs: Number.NEGATIVE_INFINITY }));
  return {
    expectMs: (i) => Math.exp(means[i]?.log ?? 0),
    learn(i, tookMs, nowMs) {
      const { log, atMs } = means[i] as (typeof means)[number];
      // Under heavy traffic a twentieth at least, or the last answers would not count.
      const part = Math.max(0.05, 1 - Math.exp((atMs - nowMs) / 60_000));
      means[i] = { log: log + part * (Math.log(tookMs) - log), atMs: nowMs };
    },
    choose: (candidates, costOf, dice) =>
      dice() < 0.02 ? (candidates[Math.floor(dice() * candidates.length)] as number) : leastOf(candidates, costOf),
  };
});

export const LATENCY_BASELINES: readonly Strategy[] = [meanOfLastTen, peakEwma, epsilonGreedy, roundRobin()];

/** All weights are the same where nobody sets them. */
function roundRobin(): Strategy {
  return { ...weightedRoundRobin(), name: 'round-robin' };
}
