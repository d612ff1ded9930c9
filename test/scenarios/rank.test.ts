import {
  createRouter,
  type Rank,
  type RankContext,
  type Router,
  type RouterEvent,
  weightedRoundRobin,
} from '@switchyard/core';
import { expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

const up: Act = { answerAfterMs: 100 };
const down: Act = { failAfterMs: 20, failure: failure('server-error') };

const routeOf = (
  world: World,
  rank: Rank,
  acts: readonly Act[] = [up, up, up],
): { router: Router; targets: Scripted[]; problems: () => string[]; asked: () => Promise<string[]> } => {
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const events: RouterEvent[] = [];
  const router = createRouter({
    system: world,
    routes: { chat: { strategy: rank, pool: targets.map(({ target }) => target()) } },
    onEvent: (event) => events.push(event),
  });
  return {
    router,
    targets,
    problems: () => events.flatMap((event) => (event.type === 'strategy-failed' ? [event.problem] : [])),
    asked: async () => {
      const { served } = await world.run(router.chat('chat', hello));
      return served.attempts.map(({ target }) => target);
    },
  };
};

test('a function ranks the targets of each request: once, whatever fails after', async () => {
  let calls = 0;
  const contexts: RankContext[] = [];
  const longestFirst: Rank = (context) => {
    calls += 1;
    contexts.push(context);
    return ['t2/m', 't1/m'];
  };
  const { asked, router, problems } = routeOf(new World(), longestFirst, [up, down, down]);
  expect(await asked()).toEqual(['t2/m', 't1/m', 't0/m']);
  expect(calls).toBe(1);
  expect(contexts[0]).toMatchObject({ route: 'chat', request: hello, streaming: false, inputTokens: 5 });
  expect(contexts[0]?.targets.map(({ id, standing }) => `${id} ${standing}`)).toEqual([
    't0/m ready',
    't1/m ready',
    't2/m ready',
  ]);
  expect(problems()).toEqual([]);
  expect(router.snapshot()[0]?.strategy).toBe('longestFirst');
});

test('it may answer later, and a stream waits for it too', async () => {
  const world = new World();
  const { router, asked } = routeOf(world, async () => {
    await world.sleep(30);
    return ['t1/m'];
  });
  expect(await asked()).toEqual(['t1/m']);
  const stream = router.stream('chat', hello);
  expect((await world.run(stream.opened)).target.id).toBe('t1/m');
  // 30 ms for the function, 100 ms for the target.
  expect((await world.run(stream.opened)).tookMs).toBe(130);
});

test('who is left alone, or cannot take the request, is not asked for being named', async () => {
  const world = new World();
  const seen: string[][] = [];
  const strategy: Rank = ({ targets }) => {
    seen.push(targets.map(({ id }) => id));
    return ['t0/m', 't1/m', 't2/m'];
  };
  // The scripted targets have no word for a seed; the last one leaves it out.
  const [a, b, c] = [scripted(world, 't0', down), scripted(world, 't1'), scripted(world, 't2')];
  const pool = [a.target(), b.target(), c.target({ unsupported: 'drop' })];
  const router = createRouter({ system: world, routes: { chat: { strategy, pool } } });
  const served = async (seed?: number): Promise<string[]> => {
    const request = seed === undefined ? hello : { ...hello, seed };
    const { served } = await world.run(router.chat('chat', request));
    return served.attempts.map(({ target }) => target);
  };
  for (let i = 0; i < 4; i++) await served();
  expect(await served()).toEqual(['t1/m']);
  expect(await served(1)).toEqual(['t2/m']);
  expect(seen.at(-1)).toEqual(['t2/m']);
});

class PromptQuoted extends Error {
  override readonly name = 'PromptQuoted';
}

test.each<[string, (world: World) => Rank, string]>([
  [
    'throws',
    () => () => {
      throw new PromptQuoted('hello');
    },
    'threw PromptQuoted',
  ],
  ['rejects', () => () => Promise.reject(new TypeError('hello')), 'threw TypeError'],
  [
    'is slow',
    (world) => async () => {
      await world.sleep(60);
      return ['t2/m'];
    },
    'no answer within 50 ms',
  ],
  ['never answers', () => () => new Promise<never>(() => {}), 'no answer within 50 ms'],
  ['names a stranger', () => () => ['t2/m', 'hello'], 'id 2 of its list is no target of this route'],
  ['answers with what is no list', () => () => 'hello' as never, 'its answer is no list of ids'],
  ['answers with nothing', () => () => undefined as never, 'its answer is no list of ids'],
  ['answers with strategies', () => () => [1] as never, 'its answer is no list of ids'],
])('one that %s leaves the order of the pool, and an event says why without quoting it', async (_, rank, problem) => {
  const world = new World();
  const { asked, problems } = routeOf(world, rank(world), [down, up, up]);
  expect(await asked()).toEqual(['t0/m', 't1/m']);
  expect(problems()).toEqual([problem]);
  expect(world.pendingTimers).toBe(0);
});

test('a caller who leaves while the function thinks asks nobody', async () => {
  const world = new World();
  const { router, targets } = routeOf(world, () => new Promise<never>(() => {}));
  const caller = new AbortController();
  void world.sleep(10).then(() => caller.abort());
  const error = await world.run(router.chat('chat', hello, { signal: caller.signal }).catch((reason) => reason));
  expect(error).toMatchObject({ code: 'aborted' });
  expect(world.nowMs()).toBe(10);
  expect(targets.flatMap(({ callsAtMs }) => callsAtMs)).toEqual([]);
});

test('it is awaited for no longer than the caller waits, and for rankTimeout', async () => {
  const world = new World();
  const target = scripted(world, 't0');
  const strategy = (): Promise<never> => new Promise<never>(() => {});
  const router = createRouter({
    system: world,
    routes: { chat: { strategy, rankTimeout: '1s', pool: [target.target()] } },
  });
  await world.run(router.chat('chat', hello));
  expect(target.callsAtMs).toEqual([1_000]);
  const error = await world.run(router.chat('chat', hello, { deadlineMs: 500 }).catch((reason) => reason));
  expect(error).toMatchObject({ code: 'deadline-exceeded' });
  expect(world.nowMs()).toBe(1_600);
});

test('an explanation asks a function that answers at once, and takes the order of the pool for one that does not', () => {
  const order = ['t1/m', 't0/m', 't2/m'];
  const now = routeOf(new World(), () => order);
  expect(now.router.explain('chat', hello).ranking.map(({ target }) => target)).toEqual(order);
  const later = routeOf(new World(), () => Promise.reject(new Error('later')));
  expect(later.router.explain('chat', hello).ranking.map(({ target }) => target)).toEqual(order.toSorted());
});

test('a strategy that was not called is no function that ranks', () => {
  const { target } = scripted(new World(), 't0');
  expect(() => createRouter({ routes: { chat: { strategy: weightedRoundRobin as never, pool: [target()] } } })).toThrow(
    'routes.chat.strategy: expected one of priority',
  );
});

test('a function ranks targets through the groups they are in', async () => {
  const world = new World();
  const specs = [0, 1, 2].map((i) => scripted(world, `t${i}`, i === 2 ? down : up).target());
  const [a, b, c] = specs as [(typeof specs)[0], (typeof specs)[0], (typeof specs)[0]];
  const router = createRouter({
    system: world,
    routes: { chat: { strategy: () => ['t2/m', 't0/m'], pool: [{ pool: [a, b] }, { pool: [c] }] } },
  });
  const { served } = await world.run(router.chat('chat', hello));
  expect(served.attempts.map(({ target }) => target)).toEqual(['t2/m', 't0/m']);
});

test('nobody waits for a function where no target can take the request', async () => {
  const world = new World();
  let calls = 0;
  const { router } = routeOf(world, () => {
    calls += 1;
    return new Promise<never>(() => {});
  });
  // None of the targets has a space, and none has a word for a seed.
  const asks = [() => router.embed('chat', { inputs: ['a'] }), () => router.chat('chat', { ...hello, seed: 1 })];
  for (const ask of asks)
    expect(await world.run(ask().catch((reason) => reason))).toMatchObject({ code: 'no-capable-target' });
  expect(calls).toBe(0);
  expect(world.nowMs()).toBe(0);
});
