import { expect, test } from 'vitest';
import { isBad, isUsual, newWindow, record, type Verdict, type Window, worsen } from './window.ts';

const fill = (window: Window, verdicts: readonly Verdict[], fromMs: number, everyMs: number): number => {
  verdicts.forEach((verdict, i) => {
    record(window, verdict, fromMs + i * everyMs);
  });
  return fromMs + (verdicts.length - 1) * everyMs;
};

const every = (n: number, verdict: Verdict, count: number): Verdict[] =>
  Array.from({ length: count }, (_, i) => (i % n === 0 ? verdict : 'good'));

test('nine failures are chance, the tenth is none', () => {
  const window = newWindow();
  const at = fill(window, every(1, 'failed', 9), 0, 100);
  expect(isBad(window, at)).toBeUndefined();
  record(window, 'failed', at + 100);
  expect(isBad(window, at + 100)).toBe('failures');
});

test('a third of twenty is enough, a quarter of a hundred is not', () => {
  const third = newWindow();
  expect(isBad(third, fill(third, every(3, 'failed', 21), 0, 100))).toBe('failures');
  const quarter = newWindow();
  expect(isBad(quarter, fill(quarter, every(4, 'failed', 100), 0, 100))).toBeUndefined();
});

test('eight slow ones of the last twenty are enough, however many were well before', () => {
  const window = newWindow();
  const at = fill(window, every(1, 'good', 250), 0, 100);
  const later = fill(window, every(2, 'slow', 14), at + 100, 100);
  expect(isBad(window, later)).toBeUndefined();
  record(window, 'slow', later + 100);
  expect(isBad(window, later + 100)).toBe('slowness');
});

test('three slow ones of twenty, and the times are no measure of the target', () => {
  const window = newWindow();
  const at = fill(window, every(10, 'slow', 12), 0, 100);
  expect(isUsual(window, at)).toBe(true);
  record(window, 'slow', at + 100);
  expect(isUsual(window, at + 100)).toBe(false);
});

test('what is older than 30 s does not count while there is traffic', () => {
  const window = newWindow();
  const at = fill(window, every(1, 'failed', 9), 0, 100);
  expect(isBad(window, fill(window, every(1, 'good', 12), at + 31_000, 100))).toBeUndefined();
  record(window, 'failed', at + 33_000);
  expect(isBad(window, at + 33_000)).toBeUndefined();
});

test('with one call in ten seconds the last calls of two minutes count instead', () => {
  const window = newWindow();
  expect(isBad(window, fill(window, every(2, 'failed', 12), 0, 10_000))).toBe('failures');
});

test('after a quiet hour only what comes then counts', () => {
  const window = newWindow();
  fill(window, every(1, 'failed', 9), 0, 100);
  record(window, 'failed', 3_600_000);
  expect(isBad(window, 3_600_000)).toBeUndefined();
});

test('an answer that breaks off is one attempt, and a failure', () => {
  const window = newWindow();
  for (let i = 0; i < 10; i++) {
    const entry = record(window, 'good', i * 100);
    if (i % 2 === 0) worsen(window, entry, i * 100 + 50);
  }
  expect(isBad(window, 1_000)).toBe('failures');
  expect(window.attempts.reduce((sum, count) => sum + count)).toBe(10);
});

test('a long stream that breaks off does not fail more often than it was tried', () => {
  const window = newWindow();
  const entries = Array.from({ length: 20 }, (_, i) => record(window, 'good', i * 10));
  for (const entry of entries) worsen(window, entry, 60_000);
  const total = (counts: Uint32Array): number => counts.reduce((sum, count) => sum + count);
  expect(total(window.failures)).toBe(20);
  expect(total(window.attempts)).toBe(20);
});
