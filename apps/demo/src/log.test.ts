import type { AttemptReport, RouterEvent } from '@switchyard/core';
import { expect, test } from 'vitest';
import { createLog } from './log.ts';

const request = { requestId: 'sw-1', route: 'chat', atMs: 1_000 } as const;

const logged = (...events: RouterEvent[]): string[] => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  for (const event of events) log(event);
  return lines;
};

const failed = (target: string, attempt: Partial<AttemptReport> = {}): RouterEvent => ({
  type: 'attempt-ended',
  ...request,
  attempt: { target, role: 'first', outcome: 'overloaded', status: 503, message: 'busy', tookMs: 3, ...attempt },
});

test('a request is one line, with what failed before it was answered', () => {
  const lines = logged(
    { type: 'request-started', ...request },
    { type: 'attempt-started', ...request, target: 'a/1', role: 'first' },
    failed('a/1'),
    failed('b/2', { outcome: 'answered' }),
    { type: 'request-answered', ...request, target: 'b/2', attempts: 2, tookMs: 231.4 },
  );
  expect(lines).toEqual(['chat: b/2 answered after 231 ms, 2 attempts (a/1 overloaded 503)']);
});

test('a request that nobody answered says why', () => {
  const lines = logged({ type: 'request-started', ...request }, failed('a/1'), {
    type: 'request-failed',
    ...request,
    code: 'all-targets-failed',
    attempts: 1,
    tookMs: 4,
  });
  expect(lines).toEqual(['chat: all-targets-failed after 4 ms, 1 attempt (a/1 overloaded 503)']);
});

test('an answer that breaks off later is a line of its own', () => {
  const lines = logged(
    { type: 'request-started', ...request },
    { type: 'request-answered', ...request, target: 'a/1', attempts: 1, tookMs: 200 },
    failed('a/1', { outcome: 'stalled', message: 'the answer had begun, and did not go on within 2000 ms' }),
  );
  expect(lines.at(-1)).toMatch(/^chat: afterwards a\/1 stalled/);
});

test('a function that could not rank the targets is a line of its own', () => {
  const lines = logged({ type: 'strategy-failed', ...request, strategy: 'bySize', problem: 'threw TypeError' });
  expect(lines).toEqual(['chat: the order of the pool serves, since bySize failed: threw TypeError']);
});

test('another target that carries on with it, or begins anew, is one too', () => {
  const resumed = { type: 'request-resumed', ...request, from: 'a/1', to: 'b/2', deliveredCharacters: 120 } as const;
  expect(logged({ ...resumed, mode: 'continue' }, { ...resumed, mode: 'restart' })).toEqual([
    'chat: b/2 carries on for a/1, 120 characters in',
    'chat: b/2 begins anew for a/1, 120 characters in',
  ]);
});

test('targets that are left alone, and that come back, are lines of their own', () => {
  const cooled = { type: 'target-cooled', route: 'chat', target: 'a/1', reason: 'overloaded' } as const;
  const lines = logged(
    { ...cooled, atMs: 1_000, untilMs: 5_800 },
    { type: 'target-recovered', atMs: 6_000, route: 'chat', target: 'a/1' },
  );
  expect(lines).toEqual(['a/1 is left alone for 4.8 s: overloaded', 'a/1 is back']);
  expect(logged({ ...cooled, atMs: 1_000, untilMs: 5_800, heard: true })).toEqual([
    'a/1 is left alone for 4.8 s: overloaded, as another worker has seen',
  ]);
});
