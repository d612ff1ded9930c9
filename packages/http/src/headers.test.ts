import { expect, test } from 'vitest';
import { costComment, servedHeaders } from './headers.ts';

const answered = { target: 'a/m', role: 'first', outcome: 'answered', tookMs: 12.4 } as const;
const failed = { target: 'b/m', role: 'first', outcome: 'rate-limited', status: 429, tookMs: 3 } as const;

test('the headers of an answer name its target, every attempt, and where the time went', () => {
  const headers = servedHeaders({
    requestId: 'sw-1',
    target: { id: 'a/m', vendor: 'a', model: 'm' },
    attempts: [failed, answered],
    skipped: [{ target: 'c/m', reason: 'cannot express logit_bias' }],
    tookMs: 17.4,
  });
  expect(headers).toEqual({
    'x-switchyard-request': 'sw-1',
    'x-switchyard-target': 'a/m',
    'x-switchyard-attempts': '2',
    'x-switchyard-trace':
      'b/m;outcome=rate-limited;status=429;ms=3, a/m;outcome=answered;ms=12, c/m;skipped="cannot express logit_bias"',
    'server-timing': 'upstream;dur=15.4, switchyard;dur=2.0',
  });
});

test('what an answer cost, and what was paid beside it, are headers of their own, in plain decimals', () => {
  const cost = { usd: 0.000123456789, failedUsd: 1.5e-7, hedgedUsd: 0, estimated: true };
  const attempts = [
    { ...failed, usd: 1.5e-7, estimated: true },
    { ...answered, usd: 0.000123456789 },
  ];
  expect(servedHeaders({ attempts, skipped: [], cost })).toEqual({
    'x-switchyard-attempts': '2',
    'x-switchyard-cost': '0.000123457',
    'x-switchyard-cost-failed': '0.00000015',
    'x-switchyard-trace':
      'b/m;outcome=rate-limited;status=429;ms=3;usd=0.00000015;estimated, a/m;outcome=answered;ms=12;usd=0.000123457',
  });
  const free = servedHeaders({ attempts: [], skipped: [], cost: { ...cost, usd: 0, failedUsd: 0, hedgedUsd: 1_200 } });
  expect(free).toMatchObject({ 'x-switchyard-cost': '0', 'x-switchyard-cost-hedged': '1200' });
});

test('at the end of a stream it is a comment, and nothing where nothing is known', () => {
  const text = (cost: Parameters<typeof costComment>[0]): string => new TextDecoder().decode(costComment(cost));
  expect(text({ usd: 0.25, failedUsd: 0, hedgedUsd: 0.5, estimated: true })).toBe(
    ': switchyard cost=0.25 hedged=0.5 estimated\n\n',
  );
  expect(text({ usd: 0, failedUsd: 0, hedgedUsd: 0, estimated: false })).toBe(': switchyard cost=0\n\n');
  expect(costComment({ failedUsd: 0, hedgedUsd: 0, estimated: false })).toBeUndefined();
});

test('attempts that overlapped leave no negative share', () => {
  const { 'server-timing': timing } = servedHeaders({ attempts: [answered, answered], skipped: [], tookMs: 13 });
  expect(timing).toBe('upstream;dur=24.8, switchyard;dur=0.0');
});

test('of a failure before any attempt there is little to say', () => {
  expect(servedHeaders({ attempts: [], skipped: [] })).toEqual({ 'x-switchyard-attempts': '0' });
});

test('names that callers made up cannot break a header', () => {
  const evil = ['x"\r\nset-cookie: a=b', 'größe', '\u2028\0\x7f', '\ud83d', 'a\\"', 'x'.repeat(5_000)];
  const made = servedHeaders({
    attempts: [{ ...answered, dropped: evil }],
    skipped: evil.map((reason) => ({ target: 'c/m', reason })),
  });
  for (const value of Object.values(made)) expect(value).toMatch(/^[\x20-\x7e]*$/);
  // The class that servers use checks what it is given.
  const trace = new Headers(made).get('x-switchyard-trace') ?? '';
  expect(trace).toContain('dropped="x???set-cookie: a=b gr??e');
  expect(trace.length).toBeLessThan(2_000);
  // Every quote that opens is closed: what stands between quotes cannot be taken for another item.
  expect(trace.replace(/"[^"\\]*"/g, '')).not.toMatch(/["\\]/);
});

test('a model may be named as it likes: its id is made fit for a header', () => {
  const id = 'openai/模型 v1;x,"y"\n';
  const made = servedHeaders({
    target: { id, vendor: 'openai', model: 'm' },
    attempts: [{ ...answered, target: id }],
    skipped: [{ target: id, reason: 'disabled' }],
  });
  expect(new Headers(made).get('x-switchyard-target')).toBe('openai/???v1?x??y??');
  expect(made['x-switchyard-trace']).toBe(
    'openai/???v1?x??y??;outcome=answered;ms=12, openai/???v1?x??y??;skipped="disabled"',
  );
});
