import { expect, test } from 'vitest';
import { World } from './world.ts';

const never = (): boolean => false;

test('time jumps from event to event, and an hour takes no time', async () => {
  const world = new World(1);
  const seen: number[] = [];
  world.schedule(3_600_000, () => seen.push(world.nowMs()));
  world.schedule(5, () => seen.push(world.nowMs()));
  await world.run(never);
  expect(seen).toEqual([5, 3_600_000]);
});

test('every promise that can go on has gone on before the clock moves', async () => {
  const world = new World(1);
  let seenAtMs: number | undefined;
  world.schedule(1, () => {
    let chain = Promise.resolve();
    for (let i = 0; i < 1_000; i++) chain = chain.then(async () => {});
    void chain.then(() => {
      seenAtMs = world.nowMs();
    });
  });
  world.schedule(2, () => {});
  await world.run(never);
  expect(seenAtMs).toBe(1);
});

test('what is called off does not happen, and nothing happens once it is over', async () => {
  const world = new World(1);
  const seen: string[] = [];
  const stop = world.schedule(1, () => seen.push('called off'));
  world.schedule(2, () => seen.push('in time'));
  world.schedule(3, () => seen.push('too late'));
  stop();
  await world.run(() => seen.length > 0);
  expect(seen).toEqual(['in time']);
});

test('an event that throws ends the run with its error', async () => {
  const world = new World(1);
  world.schedule(1, () => {
    throw new Error('out of the world');
  });
  await expect(world.run(never)).rejects.toThrow('out of the world');
});
