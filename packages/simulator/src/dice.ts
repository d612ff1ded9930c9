/** Draws a number from 0 (included) to 1 (excluded). */
export type Dice = () => number;

/** Dice that always fall the same way for the same seed. Source: mulberry32, Tommy Ettinger, 2017. */
export const seededDice = (seed: number): Dice => {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** A draw from the normal distribution with mean 0 and deviation 1. Source: Box and Muller, 1958. */
export const drawNormal = (dice: Dice): number =>
  // 1 - x, because the logarithm of the 0 that dice may show is infinite.
  Math.sqrt(-2 * Math.log(1 - dice())) * Math.cos(2 * Math.PI * dice());
