/**
 * How a model's attempts ended, in the order in which they were made. That is the order in which failures are "in a row":
 * a refusal comes in a tenth of a second, an answer takes one or more, so that among many attempts at once a few refusals
 * always come one after the other.
 */
export interface Streak {
  /** By place, modulo its length. */
  readonly ends: Uint8Array;
  /** Attempts made until now: the place of the next one. */
  made: number;
}

/** How an attempt ended: `nothing` for one that says nothing about the model. */
export type End = 'failed' | 'answered' | 'nothing';

const PENDING = 0;
const CODES: Readonly<Record<End, number>> = { failed: 1, answered: 2, nothing: 3 };

/** Attempts that are remembered: a minute and more at 50 a second, so that one that stalls still finds its place. */
const REMEMBERED = 4_096;

export const newStreak = (): Streak => ({ ends: new Uint8Array(REMEMBERED), made: 0 });

/** An attempt is made; gives its place. */
export const takePlace = (streak: Streak): number => {
  const place = streak.made;
  streak.made += 1;
  streak.ends[place % REMEMBERED] = PENDING;
  return place;
};

/** The attempt at this place has ended so; the last word counts. */
export const endAt = (streak: Streak, place: number, end: End): void => {
  if (streak.made - place <= REMEMBERED) streak.ends[place % REMEMBERED] = CODES[end];
};

/** Failures in a row around a place, at most so many: those that say nothing do not interrupt them, pending ones do. */
export const failuresAround = (streak: Streak, place: number, most: number): number => {
  if (streak.made - place > REMEMBERED) return 0;
  const oldest = Math.max(0, streak.made - REMEMBERED);
  let failures = 0;
  for (let at = place; at >= oldest && failures < most; at--) {
    const end = streak.ends[at % REMEMBERED];
    if (end === CODES.failed) failures += 1;
    else if (end !== CODES.nothing) break;
  }
  for (let at = place + 1; at < streak.made && failures < most; at++) {
    const end = streak.ends[at % REMEMBERED];
    if (end === CODES.failed) failures += 1;
    else if (end !== CODES.nothing) break;
  }
  return failures;
};

/** Failures in a row up to now. */
export const failuresLately = (streak: Streak, most: number): number => {
  let at = streak.made - 1;
  const oldest = Math.max(0, streak.made - REMEMBERED);
  while (at >= oldest && streak.ends[at % REMEMBERED] === PENDING) at -= 1;
  return at < oldest ? 0 : failuresAround(streak, at, most);
};

export const forget = (streak: Streak): void => {
  streak.ends.fill(CODES.nothing);
};
