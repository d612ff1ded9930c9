import { expect, test } from 'vitest';
import { AnswerBook, type Answered } from './answers.ts';

const answerAt = (atMs: number): Answered => ({
  requestId: `sw-${atMs}`,
  route: 'chat',
  target: 0,
  task: undefined,
  atMs,
  scored: undefined,
  isMixed: false,
});

test('of more ids than it keeps, the newest are known, and at most twice as many', () => {
  const book = new AnswerBook(3);
  const known: number[][] = [];
  for (let i = 0; i < 9; i++) {
    book.note(`id-${i}`, answerAt(i));
    known.push(Array.from({ length: i + 1 }, (_, j) => j).filter((j) => book.find(`id-${j}`, 9)?.atMs === j));
  }
  for (const [i, ids] of known.entries()) {
    expect(ids.slice(-3)).toEqual([i - 2, i - 1, i].filter((j) => j >= 0));
    expect(ids.length).toBeLessThanOrEqual(6);
  }
  expect(book.find('id-0', 9)).toBeUndefined();
});

test('an id that comes again means the last answer', () => {
  const book = new AnswerBook(4);
  for (let i = 1; i < 4; i++) book.note('same', answerAt(i));
  expect(book.find('same', 9)?.atMs).toBe(3);
  for (let i = 4; i < 7; i++) book.note('same', answerAt(i));
  expect(book.find('same', 9)?.atMs).toBe(6);
});

test('an answer is known for a day', () => {
  const book = new AnswerBook();
  book.note('a', answerAt(0));
  expect(book.find('a', 86_400_000)).toBeDefined();
  expect(book.find('a', 86_400_001)).toBeUndefined();
});
