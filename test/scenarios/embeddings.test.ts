import { createRouter, isRouterError, type RouteConfig, type RouterEvent } from '@switchyard/core';
import { expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// Embeddings in virtual time: they go the way of a plain chat, with the same clocks and the same health.

const asked = { inputs: ['one', 'two'] };
const space = 'a@3';
const up: Act = { answerAfterMs: 100 };

const start = (acts: readonly Act[], options: Omit<RouteConfig, 'pool'> = {}) => {
  const world = new World();
  const targets: Scripted[] = acts.map((act, i) => scripted(world, `t${i}`, act));
  const events: RouterEvent[] = [];
  const router = createRouter({
    routes: { vectors: { pool: targets.map(({ target }) => target({ space })), ...options } },
    system: world,
    onEvent: (event) => events.push(event),
  });
  return { world, router, targets, events };
};

test('between a failure and the next target of the space there is no timer', async () => {
  const { world, router, targets } = start([{ failAfterMs: 20, failure: failure('server-error') }, up]);
  const { model, vectors, served } = await world.run(router.embed('vectors', asked));
  expect([model, vectors.length, served.target.id]).toEqual(['t1', 2, 't1/m']);
  expect(served.attempts.map(({ outcome, tookMs }) => [outcome, tookMs])).toEqual([
    ['server-error', 20],
    ['answered', 100],
  ]);
  expect(targets[1]?.callsAtMs).toEqual([20]);
  expect(world.pendingTimers).toBe(0);
});

test('beside one that is late another is asked, and the loser is stopped', async () => {
  const { world, router, targets } = start([{ hang: true }, up]);
  const { served } = await world.run(router.embed('vectors', asked));
  expect(served.attempts.map(({ target, role, outcome }) => [target, role, outcome])).toEqual([
    ['t0/m', 'first', 'aborted'],
    ['t1/m', 'hedge', 'answered'],
  ]);
  expect(targets[0]?.abortsAtMs).toHaveLength(1);
});

test('a target that fails again and again is left alone, and its neighbour serves', async () => {
  const { world, router, targets, events } = start([{ failAfterMs: 20, failure: failure('server-error') }, up]);
  for (let i = 0; i < 5; i++) await world.run(router.embed('vectors', asked));
  expect(targets[0]?.callsAtMs).toHaveLength(3);
  expect(events.filter(({ type }) => type === 'target-cooled')).toMatchObject([{ target: 't0/m' }]);
  expect(router.snapshot()[0]?.targets[0]).toMatchObject({ standing: 'cooling', space });
});

test('a target that is left alone is probed with a text of one word, where the route asks for it', async () => {
  const { world, router, targets, events } = start([{ failAfterMs: 20, failure: failure('server-error') }, up], {
    backgroundProbes: true,
  });
  for (let i = 0; i < 3; i++) await world.run(router.embed('vectors', asked));
  const [first] = targets;
  if (first === undefined) throw new Error('no target');
  first.act = up;
  await world.pass(20_000);
  expect(first.callsAtMs).toHaveLength(4);
  expect(events.findLast(({ type }) => type === 'attempt-ended')).toMatchObject({
    requestId: expect.stringMatching(/^probe-/),
    attempt: { target: 't0/m', role: 'probe', outcome: 'answered' },
  });
});

test('the deadline holds, and everybody who was asked is named', async () => {
  const { world, router } = start([{ hang: true }, { hang: true }]);
  const error = await world
    .run(router.embed('vectors', asked, { deadlineMs: 2_000 }))
    .catch((reason: unknown) => reason);
  if (!isRouterError(error)) throw error;
  expect(error.code).toBe('deadline-exceeded');
  expect(error.attempts.map(({ target }) => target).sort()).toEqual(['t0/m', 't1/m']);
  expect(world.nowMs()).toBe(2_000);
});

test('an explanation of it asks nobody', () => {
  const { router, targets } = start([up, up]);
  const { ranking, skipped } = router.explain('vectors', asked, { stream: true });
  expect(ranking.map(({ target, lateAfterMs }) => [target, lateAfterMs])).toEqual([
    ['t0/m', 20_000],
    ['t1/m', 20_000],
  ]);
  expect(skipped).toEqual([]);
  expect(router.explain('vectors', hello).skipped).toEqual([
    { target: 't0/m', reason: 'makes embeddings' },
    { target: 't1/m', reason: 'makes embeddings' },
  ]);
  expect(targets.flatMap(({ callsAtMs }) => callsAtMs)).toEqual([]);
});

test('a request for nothing is wrong, and nobody is asked', async () => {
  const { router, targets } = start([up]);
  await expect(router.embed('vectors', { inputs: [] })).rejects.toMatchObject({
    code: 'invalid-request',
    message: 'inputs: expected at least one input',
  });
  expect(targets[0]?.callsAtMs).toEqual([]);
});
