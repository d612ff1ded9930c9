import type { Picker, Strategy } from '@switchyard/core';

// What people write by hand to find out which of several targets is best.

interface Tally {
  readonly sums: number[];
  readonly counts: number[];
}

const learning = (name: string, pick: (tally: Tally, dice: () => number) => number): Strategy => ({
  name,
  forPool({ targets }): Picker {
    const tally: Tally = { sums: targets.map(() => 0), counts: targets.map(() => 0) };
    return {
      pick({ candidates, dice }) {
        const picked = pick(tally, dice);
        return (candidates >>> picked) & 1 ? picked : -1;
      },
      feedback({ target, score }) {
        tally.sums[target] = (tally.sums[target] ?? 0) + score;
        tally.counts[target] = (tally.counts[target] ?? 0) + 1;
      },
    };
  },
});

const bestBy = ({ counts }: Tally, worthOf: (i: number) => number): number =>
  counts.reduce((best, _, i) => (worthOf(i) > worthOf(best) ? i : best), 0);

const meanOf = ({ sums, counts }: Tally, i: number): number => (sums[i] ?? 0) / Math.max(1, counts[i] ?? 0);

/** The best by mean, but for a tenth of the requests, which go to anybody. */
export const epsilonGreedy = (): Strategy =>
  learning('epsilon-greedy', (tally, dice) =>
    dice() < 0.1 ? Math.floor(dice() * tally.counts.length) : bestBy(tally, (i) => meanOf(tally, i)),
  );

/** The best by what it may be at most. Source: Auer, Cesa-Bianchi and Fischer, "Finite-time analysis", 2002: UCB1. */
export const ucb = (): Strategy =>
  learning('ucb1', (tally) => {
    const all = tally.counts.reduce((sum, count) => sum + count, 0);
    return bestBy(tally, (i) => {
      const count = tally.counts[i] ?? 0;
      return count === 0 ? Number.POSITIVE_INFINITY : meanOf(tally, i) + Math.sqrt((2 * Math.log(all)) / count);
    });
  });
