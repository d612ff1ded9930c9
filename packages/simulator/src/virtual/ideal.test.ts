import { expect, test } from 'vitest';
import { idealShares } from './ideal.ts';
import { VirtualVendor } from './vendor.ts';
import { World } from './world.ts';

/** Vendors of these weights; undefined for one that is taken out of the pool. Those whose index is given are down. */
const vendorsOf = (weights: readonly (number | undefined)[], down: readonly number[] = []): VirtualVendor[] =>
  weights.map((weight, i) => {
    const target = weight === undefined ? { enabled: false } : { weight };
    const options = { name: `v${i}`, firstContentMs: { median: 1, sigma: 0 }, target };
    const faults = down.includes(i) ? [{ vendor: `v${i}`, kind: 'hang', fromMs: 0, toMs: 1 } as const] : [];
    return new VirtualVendor(options, faults, new World(1));
  });

test('priority gives all to the first that is up', () => {
  expect(idealShares('priority', vendorsOf([1, 1, 1]), 0)).toEqual([1, 0, 0]);
  expect(idealShares('priority', vendorsOf([1, 1, 1], [0]), 0)).toEqual([0, 1, 0]);
  expect(idealShares('priority', vendorsOf([undefined, 1]), 0)).toEqual([0, 1]);
});

test('weights are shares of what is up', () => {
  expect(idealShares('weighted-round-robin', vendorsOf([5, 3, 2]), 0)).toEqual([0.5, 0.3, 0.2]);
  expect(idealShares('weighted-round-robin', vendorsOf([5, 3, 2], [0]), 0)).toEqual([0, 0.6, 0.4]);
  expect(idealShares('weighted-round-robin', vendorsOf([5, undefined, 5]), 0)).toEqual([0.5, 0, 0.5]);
});

test('a weight of 0 stands by until nobody else is up', () => {
  expect(idealShares('weighted-round-robin', vendorsOf([1, 0, 0]), 0)).toEqual([1, 0, 0]);
  expect(idealShares('weighted-round-robin', vendorsOf([1, 0, 0], [0]), 0)).toEqual([0, 0.5, 0.5]);
});

test('limits that hold a vendor back leave open what is due to whom', () => {
  const limited = { name: 'a', firstContentMs: { median: 1, sigma: 0 }, rateLimit: { requestsPerMinute: 6 } };
  const vendors = [new VirtualVendor(limited, [], new World(1)), ...vendorsOf([1])];
  expect(idealShares('priority', vendors, 0)).toBeUndefined();
});

test('nobody is due anything while nobody is up, nor by a strategy that is not known', () => {
  expect(idealShares('priority', vendorsOf([1, 1], [0, 1]), 0)).toBeUndefined();
  expect(idealShares({ name: 'own', forPool: () => ({ pick: () => 0 }) }, vendorsOf([1]), 0)).toBeUndefined();
});
