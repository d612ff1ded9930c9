import { expect, test } from 'vitest';
import { isBad, newWindow, record, type Verdict, type Window } from './window.ts';

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

test('slowness counts like failure', () => {
  const window = newWindow();
  expect(isBad(window, fill(window, every(2, 'slow', 12), 0, 100))).toBe('slowness');
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
