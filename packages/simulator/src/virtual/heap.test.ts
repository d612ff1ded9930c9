import { expect, test } from 'vitest';
import { diceFor } from './draw.ts';
import { Heap } from './heap.ts';

const drain = (heap: Heap): number[] => {
  const times: number[] = [];
  for (let next = heap.take(); next !== undefined; next = heap.take()) times.push(next.atMs);
  return times;
};

test('appointments come out by time, for 50 orders of 200 of them', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const dice = diceFor(seed, 'heap');
    const heap = new Heap();
    const times = Array.from({ length: 200 }, () => Math.floor(dice() * 40));
    for (const atMs of times) heap.add(atMs, () => {});
    expect(drain(heap)).toEqual(times.toSorted((a, b) => a - b));
    expect(heap.size).toBe(0);
  }
});

test('of two at the same time, the one that was made first comes first', () => {
  const heap = new Heap();
  const order: number[] = [];
  for (let i = 0; i < 100; i++) heap.add(i % 3, () => order.push(i));
  for (let next = heap.take(); next !== undefined; next = heap.take()) next.run?.();
  const expected = Array.from({ length: 100 }, (_, i) => i).toSorted((a, b) => (a % 3) - (b % 3) || a - b);
  expect(order).toEqual(expected);
});

test('what was called off is passed over', () => {
  const heap = new Heap();
  const made = [5, 1, 4, 2, 3].map((atMs) => heap.add(atMs, () => {}));
  for (const appointment of made) if (appointment.atMs % 2 === 0) appointment.run = undefined;
  expect(drain(heap)).toEqual([1, 3, 5]);
});
