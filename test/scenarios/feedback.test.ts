import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bestPerformance,
  type ChatEvent,
  type ChatRequest,
  createRouter,
  type Feedback,
  isRouterError,
  type RouteConfig,
  type Router,
  type RouterConfig,
  type RouterEvent,
  type Strategy,
} from '@switchyard/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// Scores on their way from a caller to a strategy, and what is kept of them.

interface Setting {
  readonly world: World;
  readonly router: Router;
  readonly targets: readonly Scripted[];
  readonly heard: readonly Feedback[];
  readonly events: readonly RouterEvent[];
}

/** Picks in pool order, and writes down which scores it hears. */
const listening = (route: Partial<RouteConfig> = {}, count = 2): Setting => {
  const world = new World();
  const heard: Feedback[] = [];
  const events: RouterEvent[] = [];
  const strategy: Strategy = {
    name: 'listening',
    forPool: () => ({
      pick: ({ candidates }) => 31 - Math.clz32(candidates & -candidates),
      feedback: (feedback) => heard.push({ ...feedback }),
    }),
  };
  const targets = Array.from({ length: count }, (_, i) => scripted(world, `t${i}`));
  const pool = targets.map(({ target }) => target());
  const router = createRouter({
    system: world,
    routes: { chat: { strategy, pool, ...route }, other: { pool } },
    onEvent: (event) => events.push(event),
  });
  return { world, router, targets, heard, events };
};

const errorOf = (action: () => unknown): unknown => {
  try {
    action();
    return undefined;
  } catch (error) {
    return isRouterError(error) ? [error.code, error.message] : error;
  }
};

const drain = async (stream: AsyncIterable<ChatEvent>): Promise<void> => {
  for await (const _ of stream);
};

test('a score reaches the strategy, for the target that answered and not for the one that failed', async () => {
  const { world, router, targets, heard, events } = listening();
  (targets[0] as Scripted).act = { failAfterMs: 20, failure: failure('server-error') };
  const { served } = await world.run(router.chat('chat', hello));
  await world.pass(5_000);
  const receipt = router.feedback(served.requestId, 0.75);
  const { requestId } = served;
  expect(receipt).toEqual({ requestId, route: 'chat', target: 't1/m', score: 0.75, replaced: false });
  expect(heard).toEqual([
    { target: 1, score: 0.75, isAutomatic: false, replaces: undefined, task: undefined, ageMs: 5_000, nowMs: 5_120 },
  ]);
  expect(events.at(-1)).toEqual({
    type: 'feedback-received',
    atMs: 5_120,
    requestId,
    route: 'chat',
    target: 't1/m',
    score: 0.75,
    ageMs: 5_000,
    replaced: false,
  });
});

test('of two scores of one answer the later takes the place of the first', async () => {
  const { world, router, heard } = listening();
  const { served } = await world.run(router.chat('chat', hello));
  router.feedback(served.requestId, 1);
  expect(router.feedback(served.requestId, 0)).toMatchObject({ score: 0, replaced: true });
  expect(heard[1]).toMatchObject({ score: 0, replaces: { score: 1, isAutomatic: false } });
});

test('an answer is known by its own id as well, plain or streamed, and both mean the same answer', async () => {
  for (const stream of [false, true]) {
    const { world, router, heard } = listening();
    await world.run(stream ? drain(router.stream('chat', hello)) : router.chat('chat', hello).then(() => {}));
    // `scripted` gives every answer this id.
    const { requestId } = router.feedback('id', 1);
    expect(requestId).toMatch(/^sw-/);
    expect(router.feedback(requestId, 0.5).replaced).toBe(true);
    expect(heard.map(({ score }) => score)).toEqual([1, 0.5]);
  }
});

test('a stream may be scored while it runs', async () => {
  const { world, router, heard } = listening();
  await world.run(
    (async () => {
      const stream = router.stream('chat', hello);
      const { requestId } = await stream.opened;
      router.feedback(requestId, 1);
      await drain(stream);
    })(),
  );
  expect(heard).toHaveLength(1);
});

describe('of a stream that another target goes on with', () => {
  const broken = (recovery: 'restart' | 'continue'): Setting => {
    const setting = listening({ recovery });
    (setting.targets[0] as Scripted).act = { answerAfterMs: 10, thenEvents: [{ fail: failure('broken') }] };
    return setting;
  };

  test('the score is the last one’s where the answer began anew', async () => {
    const { world, router, heard } = broken('restart');
    await world.run(drain(router.stream('chat', hello)));
    expect(router.feedback('id', 1).target).toBe('t1/m');
    expect(heard).toMatchObject([{ target: 1, score: 1 }]);
  });

  test('and nobody’s where two have written it, or where it came for the first and the second took over', async () => {
    const carried = broken('continue');
    await carried.world.run(drain(carried.router.stream('chat', hello)));
    expect(carried.router.feedback('id', 1)).toMatchObject({ target: 't1/m', score: 1 });
    expect(carried.heard).toEqual([]);
    expect(carried.events.at(-1)).toMatchObject({ type: 'feedback-received', target: 't1/m' });

    const early = broken('restart');
    await early.world.run(
      (async () => {
        const stream = early.router.stream('chat', hello);
        early.router.feedback((await stream.opened).requestId, 0);
        await drain(stream);
      })(),
    );
    early.router.feedback('id', 1);
    expect(early.heard).toMatchObject([{ target: 0, score: 0 }]);
  });
});

test('what is wrong with a score is said, and nothing is learned', async () => {
  const { world, router, heard, events } = listening();
  const { served } = await world.run(router.chat('chat', hello));
  const { requestId } = served;
  for (const score of [-0.01, 1.01, Number.NaN, '1' as unknown as number]) {
    expect(errorOf(() => router.feedback(requestId, score))).toEqual([
      'invalid-request',
      'score: expected a number from 0 to 1',
    ]);
  }
  expect(errorOf(() => router.feedback('', 1))).toEqual(['invalid-request', 'id: expected the id of an answer']);
  expect(errorOf(() => router.feedback('sw-nobody', 1))).toEqual([
    'unknown-answer',
    'No answer with this id is remembered: it is not one of this process, or older than a day.',
  ]);
  expect(errorOf(() => router.feedback(requestId, 1, { route: 'other' }))).toMatchObject(['unknown-answer', {}]);
  expect(errorOf(() => router.feedback(requestId, 1, { route: 'nowhere' }))).toMatchObject(['unknown-route', {}]);
  await world.pass(24 * 60 * 60 * 1_000 + 1);
  expect(errorOf(() => router.feedback(requestId, 1))).toMatchObject(['unknown-answer', {}]);
  expect(heard).toEqual([]);
  expect(events.filter(({ type }) => type === 'feedback-received')).toEqual([]);
});

test('a strategy that throws at a score costs nobody the receipt, and one that does not listen neither', async () => {
  const world = new World();
  const strategy: Strategy = {
    name: 'mine',
    forPool: () => ({
      pick: () => 0,
      feedback: () => {
        throw new Error('the strategy');
      },
      save: () => {
        throw new Error('the strategy');
      },
    }),
  };
  const pool = [scripted(world, 't0').target()];
  const router = createRouter({ system: world, routes: { mine: { strategy, pool }, plain: { pool } } });
  for (const route of ['mine', 'plain']) {
    const { served } = await world.run(router.chat(route, hello));
    expect(router.feedback(served.requestId, 1).target).toBe('t0/m');
  }
  expect(router.saveState()).toEqual({ version: 1, routes: {} });
});

describe('taskBy', () => {
  const taskOf = async (taskBy: RouteConfig['taskBy'], stream = false): Promise<string | undefined> => {
    const { world, router, heard } = listening({ ...(taskBy && { taskBy }) });
    await world.run(stream ? drain(router.stream('chat', hello)) : router.chat('chat', hello).then(() => {}));
    router.feedback('id', 1);
    return heard[0]?.task;
  };

  test('names the task of a request, for its picks and its scores', async () => {
    const byLength = (request: ChatRequest): string => `of ${request.messages.length}`;
    expect(await taskOf(byLength)).toBe('of 1');
    expect(await taskOf(byLength, true)).toBe('of 1');
  });

  test.each<[string, RouteConfig['taskBy']]>([
    ['is not there', undefined],
    ['says nothing', () => undefined],
    ['says no text', () => 7 as unknown as string],
    ['says an essay', () => 'x'.repeat(101)],
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
  ])('where it %s there is no task', async (_, taskBy) => {
    expect(await taskOf(taskBy)).toBeUndefined();
  });
});

describe('signals', () => {
  const json: ChatRequest = { ...hello, output: { type: 'json' } };
  const says = (text: string, reason: 'stop' | 'length' = 'stop'): ChatEvent[] => [
    { type: 'text', text },
    { type: 'finish', reason },
  ];
  const streamed = (events: readonly ChatEvent[]): Scripted['act'] => ({
    answerAfterMs: 10,
    thenEvents: events.map((event) => ({ afterMs: 10, event })),
  });

  test('score an answer by itself, as an automatic score, and a person’s takes its place', async () => {
    const { world, router, heard, events } = listening({ signals: ['schema'] });
    const { served } = await world.run(router.chat('chat', json));
    // `t0` is no JSON.
    expect(heard).toMatchObject([{ target: 0, score: 0, isAutomatic: true, replaces: undefined }]);
    expect(router.feedback(served.requestId, 1).replaced).toBe(false);
    expect(heard[1]).toMatchObject({ score: 1, isAutomatic: false, replaces: { score: 0, isAutomatic: true } });
    expect(events.filter(({ type }) => type === 'feedback-received')).toHaveLength(1);
  });

  test('see the whole of a stream, which reaches its caller as it was', async () => {
    for (const [events, score] of [
      [says('', 'length'), 0],
      [says('', 'stop'), 1],
    ] as const) {
      const { world, router, targets, heard } = listening({ signals: ['truncated', 'refusal'] });
      (targets[0] as Scripted).act = streamed(events);
      const got: ChatEvent['type'][] = [];
      await world.run(
        (async () => {
          for await (const { type } of router.stream('chat', hello)) {
            got.push(type);
            expect(heard).toEqual([]);
          }
        })(),
      );
      expect(got).toEqual(['start', 'text', 'text', 'finish']);
      expect(heard).toMatchObject([{ score, isAutomatic: true }]);
    }
  });

  test('say nothing of an answer that its caller left, that broke off, or that is scored already', async () => {
    const { world, router, targets, heard } = listening({ signals: ['truncated'] });
    await world.run(
      (async () => {
        for await (const _ of router.stream('chat', hello)) break;
      })(),
    );
    (targets[0] as Scripted).act = { answerAfterMs: 10, thenEvents: [{ fail: failure('broken') }] };
    await world.run(drain(router.stream('chat', hello)).catch(() => {}));
    expect(heard).toEqual([]);
    (targets[0] as Scripted).act = { answerAfterMs: 10 };
    await world.run(
      (async () => {
        const stream = router.stream('chat', hello);
        router.feedback((await stream.opened).requestId, 0.5);
        await drain(stream);
      })(),
    );
    expect(heard).toMatchObject([{ score: 0.5, isAutomatic: false }]);
  });

  test('go by what the target was asked, its own settings included', async () => {
    const world = new World();
    const heard: Feedback[] = [];
    const strategy: Strategy = {
      name: 'mine',
      forPool: () => ({ pick: () => 0, feedback: (each) => heard.push({ ...each }) }),
    };
    const pool = [scripted(world, 't0').target({ params: { output: { type: 'json' } } })];
    const router = createRouter({ system: world, routes: { chat: { strategy, pool, signals: ['schema'] } } });
    await world.run(router.chat('chat', hello));
    expect(heard).toMatchObject([{ score: 0 }]);
  });
});

describe('best-performance in a router', () => {
  const poolOf = (world: World): RouteConfig['pool'] => ['t0', 't1'].map((name) => scripted(world, name).target());

  test('is chosen by name, learns who answers well, and shows what it believes', async () => {
    const world = new World(5);
    const router = createRouter({
      system: world,
      routes: { chat: { strategy: 'best-performance', pool: poolOf(world) } },
    });
    const ask = async (): Promise<string> => {
      const { text, served } = await world.run(router.chat('chat', hello));
      router.feedback(served.requestId, text === 't1' ? 0.9 : 0.2);
      return text;
    };
    const first = [];
    for (let i = 0; i < 100; i++) first.push(await ask());
    // Nothing has counted yet: no answer is ten minutes old.
    expect(first.filter((text) => text === 't1').length).toBeGreaterThan(30);
    expect(first.filter((text) => text === 't1').length).toBeLessThan(70);
    await world.pass(10 * 60_000);
    const later = [];
    for (let i = 0; i < 100; i++) later.push(await ask());
    expect(later.filter((text) => text === 't1').length).toBeGreaterThan(90);
    const [t0, t1] = router.snapshot()[0]?.targets ?? [];
    expect(t0?.strategy?.score).toBeCloseTo(0.2, 1);
    expect(t1?.strategy?.score).toBeCloseTo(0.9, 1);
    expect(router.explain('chat', hello).ranking[0]?.target).toBe('t1/m');
  });

  test('is told apart by tasks', async () => {
    const world = new World(5);
    const strategy = bestPerformance({ maturity: 0 });
    const taskBy = ({ user }: ChatRequest & { readonly user?: string }): string | undefined => user;
    const router = createRouter({ system: world, routes: { chat: { strategy, taskBy, pool: poolOf(world) } } });
    const chosen: Record<string, string[]> = { code: [], prose: [] };
    for (let i = 0; i < 300; i++) {
      for (const [user, best] of [
        ['code', 't0'],
        ['prose', 't1'],
      ] as const) {
        const { text, served } = await world.run(router.chat('chat', { ...hello, user } as ChatRequest));
        router.feedback(served.requestId, text === best ? 1 : 0);
        if (i >= 100) chosen[user]?.push(text);
      }
    }
    expect(chosen.code?.filter((text) => text === 't0').length).toBeGreaterThan(185);
    expect(chosen.prose?.filter((text) => text === 't1').length).toBeGreaterThan(185);
  });
});

describe('what is learned', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'switchyard-'));
    path = join(folder, 'state.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const made = (world: World, config: Partial<RouterConfig> = {}, route: Partial<RouteConfig> = {}): Router => {
    const pool = ['t0', 't1'].map((name) => scripted(world, name).target());
    const strategy = bestPerformance({ maturity: 0 });
    return createRouter({ system: world, routes: { chat: { strategy, pool, ...route } }, ...config });
  };
  const teach = async (world: World, router: Router, times = 20): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const { text, served } = await world.run(router.chat('chat', hello));
      router.feedback(served.requestId, text === 't1' ? 1 : 0);
    }
  };
  const believed = (router: Router): unknown =>
    router.snapshot()[0]?.targets.map(({ strategy: { scores = 0, score = 0 } = {} }) =>
      // What is older by a second weighs a little less.
      [score, scores].map((value) => Number(value).toFixed(2)),
    );
  /** Writing is real, and so takes real time. */
  const isWritten = (world: World, router: Router): Promise<void> =>
    vi.waitFor(async () => {
      await world.pass(1_000);
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(router.saveState());
    });

  test('is handed over as small JSON, to a route of the same name and strategy', async () => {
    const world = new World();
    const router = made(world);
    await teach(world, router);
    const text = JSON.stringify(router.saveState());
    expect(text.length).toBeLessThan(300);
    const state = JSON.parse(text);
    const next = new World();
    expect(believed(made(next, { state }))).toEqual(believed(router));
    expect(JSON.stringify(made(next, { state }).saveState())).toBe(text);
    const pool = [scripted(next, 't0').target()];
    const others: RouterConfig['routes'][] = [{ chat: { pool } }, { talk: { strategy: 'best-performance', pool } }];
    for (const routes of others)
      expect(createRouter({ system: next, routes, state }).saveState().routes).not.toEqual(state.routes);
  });

  test('a state that is none is refused with its path', () => {
    for (const state of [{}, { version: 2, routes: {} }, { version: 1, routes: { chat: 7 } }]) {
      expect(errorOf(() => made(new World(), { state: state as never }))).toEqual([
        'invalid-config',
        expect.stringContaining('state: expected what saveState() gave'),
      ]);
    }
  });

  test('is written after a change, and not at once, and read at the next start', async () => {
    const world = new World();
    const events: RouterEvent[] = [];
    const router = made(world, { stateFile: path, onEvent: (event) => events.push(event) });
    await teach(world, router, 5);
    expect(readdirSync(folder)).toEqual([]);
    await isWritten(world, router);
    await teach(world, router, 15);
    await isWritten(world, router);
    // Nothing is left beside it.
    expect(readdirSync(folder)).toEqual(['state.json']);
    expect(believed(made(new World(), { stateFile: path }))).toEqual(believed(router));
    expect(events.filter(({ type }) => type === 'state-failed')).toEqual([]);
  });

  test('goes on from the file rather than from an older state', async () => {
    const world = new World();
    const router = made(world);
    const state = router.saveState();
    await teach(world, router);
    writeFileSync(path, JSON.stringify(router.saveState()));
    expect(believed(made(new World(), { stateFile: path, state }))).toEqual(believed(router));
  });

  test.each([
    ['cut short', '{"version":1,"rou'],
    ['of a later version', '{"version":2,"routes":{}}'],
    ['empty', ''],
  ])('a file that is %s is kept aside, an event tells, and the router learns anew', async (_, text) => {
    writeFileSync(path, text);
    const events: RouterEvent[] = [];
    const world = new World();
    const router = made(world, { stateFile: path, onEvent: (event) => events.push(event) });
    expect(events).toEqual([
      {
        type: 'state-failed',
        atMs: 0,
        problem: `${path} is no state of this version; it is kept as ${path}.broken, and all is learned anew`,
      },
    ]);
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe(text);
    await teach(world, router);
    await isWritten(world, router);
  });

  test('a place that cannot be written to costs nobody an answer', async () => {
    const events: RouterEvent[] = [];
    const world = new World();
    const nowhere = join(folder, 'no', 'such', 'state.json');
    const router = made(world, { stateFile: nowhere, onEvent: (event) => events.push(event) });
    await teach(world, router);
    await world.pass(1_000);
    await vi.waitFor(() =>
      expect(events.at(-1)).toMatchObject({
        type: 'state-failed',
        problem: `${nowhere} could not be written (ENOENT)`,
      }),
    );
    await teach(world, router);
  });

  test('what can neither be read nor moved is never written over', async () => {
    const events: RouterEvent[] = [];
    const world = new World();
    // A folder in the place of the file.
    const router = made(world, { stateFile: folder, onEvent: (event) => events.push(event) });
    expect(events).toMatchObject([
      { type: 'state-failed', problem: `${folder} cannot be read (EISDIR), and is left as it is` },
    ]);
    await teach(world, router);
    await world.pass(5_000);
    expect(events.filter(({ type }) => type === 'state-failed')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('survives a restart of a real process, which ends by itself once all is written', () => {
    const script = `
      import { bestPerformance, createRouter } from '@switchyard/core';
      const target = {
        vendor: 't0', model: 'm', options: {},
        connect: (model) => ({
          name: 't0', model, account: { endpoint: 't0', credential: 'k' }, gaps: () => [],
          send: async () => ({ id: 'a', model, text: 'x', toolCalls: [], finishReason: 'stop' }),
          stream: async function* () {}, explain: () => ({ kind: 'broken', message: 'x' }),
        }),
      };
      const strategy = bestPerformance({ maturity: 0 });
      const router = createRouter({ routes: { chat: { strategy, pool: [target] } }, stateFile: process.argv[1] });
      const { served } = await router.chat('chat', { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] });
      router.feedback(served.requestId, 1);
      console.log(Math.round(router.snapshot()[0].targets[0].strategy.scores));
    `;
    const run = (): string => {
      const args = ['--conditions=@switchyard/source', '--input-type=module', '-e', script, path];
      const { stdout, stderr } = spawnSync(process.execPath, args, {
        encoding: 'utf8',
        cwd: join(import.meta.dirname, '..'),
      });
      return stdout + stderr;
    };
    expect([run(), run(), run()]).toEqual(['1\n', '2\n', '3\n']);
  });
});
