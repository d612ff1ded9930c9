import {
  createRouter,
  isRouterError,
  type Observation,
  type Router,
  type RouterConfig,
  type Strategy,
  type StrategyTarget,
  type TargetSpec,
} from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

const up: Act = { answerAfterMs: 100 };
const down: Act = { failAfterMs: 20, failure: failure('server-error') };

interface Setting {
  readonly router: Router;
  readonly targets: readonly Scripted[];
  /** Who was asked for a request, in order. */
  readonly ask: () => Promise<readonly string[]>;
}

const routeOf = (
  world: World,
  acts: readonly Act[],
  route: (specs: readonly TargetSpec[]) => RouterConfig['routes'][string],
): Setting => {
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const router = createRouter({ system: world, routes: { chat: route(targets.map(({ target }) => target())) } });
  const ask = async (): Promise<readonly string[]> => {
    const { served } = await world.run(router.chat('chat', hello));
    return served.attempts.map(({ target }) => target.slice(0, 2));
  };
  return { router, targets, ask };
};

/** Two levels: three targets in turn, and two behind them. */
const twoLevels = ([a, b, c, d, e]: readonly TargetSpec[]): RouterConfig['routes'][string] => ({
  pool: [
    { id: 'eu', strategy: 'round-robin', pool: [a, b, c] as TargetSpec[] },
    { id: 'us', strategy: 'weighted-round-robin', pool: [d, e] as TargetSpec[] },
  ],
});

const problemsOf = (pool: unknown): string => {
  try {
    createRouter({ routes: { chat: { pool } } } as unknown as RouterConfig);
    return 'none';
  } catch (error) {
    if (!isRouterError(error)) throw error;
    return error.message;
  }
};

describe('a pool of groups', () => {
  test('serves from its first level in turn, and falls back within it before it goes to the next', async () => {
    const { ask, targets } = routeOf(new World(3), [up, up, up, up, up], twoLevels);
    const firsts = new Set<string | undefined>();
    for (let i = 0; i < 3; i++) firsts.add((await ask())[0]);
    expect([...firsts].toSorted()).toEqual(['t0', 't1', 't2']);
    for (const target of targets.slice(0, 3)) target.act = down;
    const asked = await ask();
    expect(asked.slice(0, 3).toSorted()).toEqual(['t0', 't1', 't2']);
    expect(asked.slice(3)).toHaveLength(1);
    expect(['t3', 't4']).toContain(asked[3]);
  });

  test('whoever is up answers, in every pattern and at any depth (F4)', async () => {
    for (let pattern = 1; pattern < 32; pattern++) {
      const { ask } = routeOf(
        new World(pattern),
        Array.from({ length: 5 }, (_, i) => ((pattern >> i) & 1 ? up : down)),
        ([a, b, c, d, e]) => ({
          strategy: 'weighted-round-robin',
          pool: [
            a as TargetSpec,
            {
              strategy: 'round-robin',
              pool: [{ pool: [b as TargetSpec, { pool: [c as TargetSpec] }] }, d as TargetSpec],
            },
            { weight: 0, pool: [e as TargetSpec] },
          ],
        }),
      );
      const asked = await ask();
      expect(new Set(asked).size).toBe(asked.length);
      expect((pattern >> Number(asked.at(-1)?.slice(1))) & 1).toBe(1);
      // The last group stands by: its target is asked after all others have failed.
      expect(asked.includes('t4')).toBe((pattern & 0b01111) === 0);
    }
  });

  test('weights are shared out between groups first, and within them after', async () => {
    const { ask } = routeOf(new World(5), [up, up, up], ([a, b, c]) => ({
      strategy: 'weighted-round-robin',
      pool: [
        { weight: 3, strategy: 'round-robin', pool: [a, b] as TargetSpec[] },
        { weight: 1, pool: [c as TargetSpec] },
      ],
    }));
    const counts = new Map<string | undefined, number>();
    for (let i = 0; i < 80; i++) {
      const [first] = await ask();
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({ t0: 30, t1: 30, t2: 20 });
  });

  test('a level of which two in three are left alone keeps what it can carry, and the rest spills over', async () => {
    const world = new World(11);
    const { ask, targets, router } = routeOf(world, [up, up, up, up, up], twoLevels);
    for (const target of targets.slice(0, 2)) target.act = down;
    for (let i = 0; i < 12; i++) await ask();
    const standings = router.snapshot()[0]?.targets.map(({ standing }) => standing);
    expect(standings).toEqual(['cooling', 'cooling', 'ready', 'ready', 'ready']);
    const counts = new Map<string | undefined, number>();
    // Side by side, so that no time passes and nobody is due.
    const first = async (): Promise<string> => (await router.chat('chat', hello)).text;
    const answered = await world.run(Promise.all(Array.from({ length: 2_000 }, first)));
    for (const text of answered) counts.set(text, (counts.get(text) ?? 0) + 1);
    // 1.4 × 1/3 of it.
    expect(Math.abs((counts.get('t2') ?? 0) / 2_000 - 0.467)).toBeLessThanOrEqual(0.03);
    expect(Math.abs((counts.get('t3') ?? 0) - (counts.get('t4') ?? 0))).toBeLessThanOrEqual(1);
  });

  test('a target that cannot take a request is no part of its level that is unwell', async () => {
    const world = new World(1);
    const able = scripted(world, 't9');
    const router = createRouter({
      system: world,
      routes: {
        chat: {
          pool: [
            { strategy: 'round-robin', pool: [able.target({ unsupported: 'drop' }), ...twoPlain(world)] },
            { pool: [scripted(world, 't8').target({ unsupported: 'drop' })] },
          ],
        },
      },
    });
    // The scripted targets have no word for a seed.
    for (let i = 0; i < 30; i++) expect((await world.run(router.chat('chat', { ...hello, seed: 1 }))).text).toBe('t9');
  });

  test('snapshots show the groups, and where each target is; explanations the order over all of them', () => {
    const { router } = routeOf(new World(), [up, up, up], ([a, b, c]) => ({
      pool: [
        a as TargetSpec,
        { strategy: 'round-robin', pool: [b as TargetSpec, { id: 'in', pool: [c as TargetSpec] }] },
      ],
    }));
    const [snapshot] = router.snapshot();
    expect(snapshot?.strategy).toBe('priority');
    expect(snapshot?.groups).toEqual([
      { id: 'group-1', strategy: 'round-robin', weight: 1 },
      { id: 'in', strategy: 'priority', weight: 1 },
    ]);
    expect(snapshot?.targets.map(({ group }) => group)).toEqual([undefined, ['group-1'], ['group-1', 'in']]);
    const { ranking } = router.explain('chat', hello);
    expect(ranking.map(({ target }) => target)[0]).toBe('t0/m');
    expect(ranking).toHaveLength(3);
    expect(router.explain('chat', hello).ranking).toEqual(ranking);
  });

  test.each([
    ['a group without entries', [{ pool: [] }], 'routes.chat.pool[0].pool: expected at least one target'],
    ['an unknown key', [{ pool: [{}], size: 1 }], 'routes.chat.pool[0].size: unknown key'],
    [
      'what is no entry, deep inside',
      [{ pool: [{ pool: ['x'] }] }],
      'routes.chat.pool[0].pool[0].pool[0]: expected a target',
    ],
    ['an unknown strategy', [{ strategy: 'x', pool: [{}] }], 'routes.chat.pool[0].strategy: expected one of priority'],
    ['a function inside', [{ strategy: () => [], pool: [{}] }], 'only a route can have a function for it'],
    [
      'an id twice',
      [scripted(new World(), 'a').target(), { pool: [scripted(new World(), 'b').target({ id: 'a/m' })] }],
      "routes.chat.pool[1].pool[0].id: 'a/m' is the id of [0] already",
    ],
    [
      'a wrong option of a target',
      [{ pool: [scripted(new World(), 'b').target({ weight: -1 })] }],
      'routes.chat.pool[0].pool[0].weight: ',
    ],
    [
      'more than 32 targets over all',
      [0, 1, 2].map((i) => ({
        pool: Array.from({ length: 11 }, (_, j) => scripted(new World(), `t${i}-${j}`).target()),
      })),
      'routes.chat.pool: expected at most 32 targets',
    ],
  ])('%s is an error with its path', (_, pool, problem) => {
    expect(problemsOf(pool)).toContain(problem);
  });

  const twoPlain = (world: World): TargetSpec[] => [scripted(world, 't6').target(), scripted(world, 't7').target()];
});

describe('strategies of groups', () => {
  /** Picks in order, and keeps what it hears under its name. */
  const listening = (name: string, heard: string[], described?: StrategyTarget[]): Strategy => ({
    name,
    forPool: ({ targets, saved }) => {
      described?.push(...targets);
      if (saved !== undefined) heard.push(`${name} was left ${JSON.stringify(saved)}`);
      return {
        pick: ({ candidates }) => 31 - Math.clz32(candidates & -candidates),
        observe: ({ type, target }: Observation) => {
          heard.push(`${name}: ${target} ${type}`);
          throw new Error('costs nobody anything');
        },
        report: (target) => ({ place: target }),
      };
    },
  });

  test('hear of attempts at each level by the indices of that level, and report by the ids of groups', async () => {
    const heard: string[] = [];
    const described: StrategyTarget[] = [];
    const { ask, router } = routeOf(new World(), [up, down, up], ([a, b, c]) => ({
      strategy: listening('outer', heard, described),
      pool: [
        { id: 'g', weight: 2, strategy: listening('inner', heard), pool: [b, c] as TargetSpec[] },
        a as TargetSpec,
      ],
    }));
    expect(described).toMatchObject([
      { id: 'g', weight: 2, price: undefined },
      { id: 't0/m', weight: 1 },
    ]);
    expect(await ask()).toEqual(['t1', 't2']);
    expect(heard).toEqual([
      'outer: 0 started',
      'inner: 0 started',
      'outer: 0 failed',
      'inner: 0 failed',
      'outer: 0 started',
      'inner: 1 started',
      'outer: 0 content',
      'inner: 1 content',
      'outer: 0 completed',
      'inner: 1 completed',
    ]);
    const beliefs = router.snapshot()[0]?.targets.map(({ id, strategy }) => ({ id, ...strategy }));
    expect(beliefs).toEqual([
      { id: 't1/m', place: 0, 'g.place': 0 },
      { id: 't2/m', place: 1, 'g.place': 0 },
      { id: 't0/m', place: 1 },
    ]);
  });

  test('one that throws, or names what is no entry, leaves the order of its own level alone', async () => {
    const broken = (pick: () => number): Strategy => ({ name: 'broken', forPool: () => ({ pick }) });
    const throws = (): number => {
      throw new Error('the strategy');
    };
    const { ask } = routeOf(new World(), [up, down, up], ([a, b, c]) => ({
      strategy: broken(() => 9),
      pool: [{ strategy: broken(throws), pool: [b, c] as TargetSpec[] }, a as TargetSpec],
    }));
    expect(await ask()).toEqual(['t1', 't2']);
  });
});
