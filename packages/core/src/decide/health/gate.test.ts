import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Failure } from '../failure.ts';
import { closeGate, gateState, openGate, passGate } from './gate.ts';

const limited = (retryAfterMs?: number): Failure => ({
  kind: 'rate-limited',
  message: '429',
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});
/** By an attempt that began then, for requests of every size. */
const from = (startedAtMs: number): { startedAtMs: number; leastTokens: number } => ({ startedAtMs, leastTokens: 0 });
const low = (): number => 0;
const high = (): number => 0.999;

test('a gate stays closed for as long as the vendor asked, and up to a tenth longer', () => {
  for (const [dice, until] of [
    [low, 91_000],
    [high, 99_991],
  ] as const) {
    const gate = openGate();
    closeGate(gate, limited(90_000), from(0), 1_000, dice);
    expect(gate.untilMs).toBeCloseTo(until, -1);
    expect(gateState(gate, 100, 90_999)).toBe('closed');
    expect(gateState(gate, 100, gate.untilMs)).toBe('due');
  }
});

test('"at once" means half a second', () => {
  const gate = openGate();
  closeGate(gate, limited(0), from(0), 1_000, low);
  expect(gate.untilMs).toBe(1_500);
});

test('of two answers the later time wins, in either order', () => {
  for (const [first, second] of [
    [5_000, 60_000],
    [60_000, 5_000],
  ] as const) {
    const gate = openGate();
    closeGate(gate, limited(first), from(0), 1_000, low);
    closeGate(gate, limited(second), from(0), 1_000, low);
    expect(gate.untilMs).toBe(61_000);
  }
});

test('without a time the wait doubles with each refusal, up to a minute', () => {
  const gate = openGate();
  const waits: number[] = [];
  for (let i = 0, nowMs = 0; i < 9; i++) {
    closeGate(gate, limited(), from(nowMs), nowMs, high);
    waits.push(Math.round((gate.untilMs - nowMs) / 1_000));
    nowMs = gate.untilMs;
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test('a burst of refusals to requests that were under way is one refusal', () => {
  const gate = openGate();
  for (let i = 0; i < 10; i++) closeGate(gate, limited(), from(0), 10 + i, high);
  expect(gate.untilMs).toBeLessThan(1_100);
});

test('an answer to a request from before the time opens nothing', () => {
  const gate = openGate();
  closeGate(gate, limited(1_000), from(0), 1_000, low);
  expect(passGate(gate, 1_999, 100)).toBe(false);
  expect(gateState(gate, 100, 3_000)).toBe('due');
  expect(passGate(gate, 2_000, 100)).toBe(true);
  expect(gateState(gate, 100, 3_000)).toBe('open');
});

test("an overloaded model's Retry-After is believed for a minute at most", () => {
  const gate = openGate();
  closeGate(gate, { kind: 'overloaded', message: '503', retryAfterMs: 600_000 }, from(0), 0, low);
  expect(gate.untilMs).toBe(60_000);
});

test('a gate that was closed for a large request lets smaller ones pass', () => {
  const gate = openGate();
  closeGate(gate, limited(20_000), { startedAtMs: 0, leastTokens: 5_000 }, 0, low);
  expect([4_999, 5_000].map((tokens) => gateState(gate, tokens, 1_000))).toEqual(['open', 'closed']);
  expect(passGate(gate, 25_000, 100)).toBe(false);
  expect(passGate(gate, 25_000, 6_000)).toBe(true);
});

test('a gate that is closed for all stays so when a large request is refused too', () => {
  const gate = openGate();
  closeGate(gate, limited(20_000), from(0), 0, low);
  closeGate(gate, limited(20_000), { startedAtMs: 0, leastTokens: 5_000 }, 0, low);
  expect(gateState(gate, 100, 1_000)).toBe('closed');
});

test('what several answers asked for comes to the same in whatever order and however often it is heard (13)', () => {
  const asks = fc.array(fc.nat(100_000), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(asks, fc.infiniteStream(fc.nat()), (waits, luck) => {
      const closedBy = (order: readonly number[]): number => {
        const gate = openGate();
        let before = 0;
        for (const ms of order) {
          closeGate(gate, limited(ms), from(0), 1_000, low);
          expect(gate.untilMs).toBeGreaterThanOrEqual(before);
          before = gate.untilMs;
        }
        return gate.untilMs;
      };
      const shuffled = waits.map((ms) => [luck.next().value, ms] as const).toSorted(([a], [b]) => a - b);
      const once = closedBy(waits);
      expect(closedBy(shuffled.map(([, ms]) => ms))).toBe(once);
      expect(closedBy([...waits, ...waits])).toBe(once);
    }),
  );
});
