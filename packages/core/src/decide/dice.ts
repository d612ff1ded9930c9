/** A number in [0, 1), from dice that somebody else throws: the same seed gives the same decisions. */
export type Dice = () => number;
