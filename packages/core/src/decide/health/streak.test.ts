import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type End, endAt, failuresAround, failuresLately, newStreak, takePlace } from './streak.ts';

const END: Readonly<Record<string, End>> = { f: 'failed', a: 'answered', n: 'nothing' };

/** One attempt for each letter, in the order of making: `p` is pending. */
const streakOf = (letters: string): ReturnType<typeof newStreak> => {
  const streak = newStreak();
  for (const letter of letters) {
    const place = takePlace(streak);
    const end = END[letter];
    if (end !== undefined) endAt(streak, place, end);
  }
  return streak;
};

test.each([
  ['fff', 1, 3],
  ['faf', 0, 1],
  ['fpf', 2, 1],
  ['fnf', 0, 2],
  ['affffa', 2, 4],
  ['fffffffff', 4, 8],
])('%s has, around place %i, %i failures in a row', (letters, place, failures) => {
  expect(failuresAround(streakOf(letters), place, 8)).toBe(failures);
});

test('an attempt that was answered and then broke off has failed', () => {
  const streak = streakOf('aaa');
  for (const place of [0, 1, 2]) endAt(streak, place, 'failed');
  expect(failuresAround(streak, 1, 8)).toBe(3);
});

test('what is pending does not hide the failures before it', () => {
  expect(failuresLately(streakOf('affpp'), 8)).toBe(2);
  expect(failuresLately(streakOf('ffa'), 8)).toBe(0);
  expect(failuresLately(newStreak(), 8)).toBe(0);
});

test('one in fifty that fails is hardly ever three in a row, in whatever order they end', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (luck) => {
      const draw = (): number => luck.next().value;
      const streak = newStreak();
      let longest = 0;
      for (let i = 0; i < 200; i++) takePlace(streak);
      for (let place = 0; place < 200; place++)
        endAt(streak, place, place % 50 === 7 && draw() > 0 ? 'failed' : 'answered');
      for (let place = 0; place < 200; place++) longest = Math.max(longest, failuresAround(streak, place, 8));
      expect(longest).toBeLessThanOrEqual(1);
    }),
    { numRuns: 20 },
  );
});

test('an attempt that is no longer remembered counts for nothing', () => {
  const streak = newStreak();
  const place = takePlace(streak);
  for (let i = 0; i < 5_000; i++) takePlace(streak);
  endAt(streak, place, 'failed');
  expect(failuresAround(streak, place, 8)).toBe(0);
});
