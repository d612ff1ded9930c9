import { expect, test } from 'vitest';
import { DEPENDENCIES, FRAMEWORK, sizeOf } from './peers/measures/bundle.ts';

// What was measured, and a little more: a dependency that comes in unseen is larger than that. See decision 0054.

const SOURCES = ['@switchyard/source'];

test('core, http and the Hono adapter are no more than 92 kB, minified and gzipped', async () => {
  expect(await sizeOf(FRAMEWORK, SOURCES)).toBeLessThan(92);
});

test('of which no more than 18 kB are dependencies', async () => {
  const [all, own] = await Promise.all([sizeOf(FRAMEWORK, SOURCES), sizeOf([...FRAMEWORK, ...DEPENDENCIES], SOURCES)]);
  expect(all - own).toBeLessThan(18);
});
