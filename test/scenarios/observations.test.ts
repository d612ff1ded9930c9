import {
  type ChatEvent,
  type ChatStream,
  createRouter,
  type Observation,
  type Router,
  type RouterEvent,
  type Strategy,
  type TargetSpec,
  type Usage,
} from '@switchyard/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// What a strategy hears of attempts, and what events say of whole answers.

const usage: Usage = { inputTokens: 12, outputTokens: 30, cachedInputTokens: 4, reasoningTokens: 0 };
const word = { afterMs: 50, event: { type: 'text', text: '.' } } as const;
const finish = { afterMs: 50, event: { type: 'finish', reason: 'stop' } } as const;
const used = { afterMs: 50, event: { type: 'usage', usage } } as const;
const down: Act = { failAfterMs: 20, failure: failure('server-error') };

interface Setting {
  readonly router: Router;
  readonly targets: readonly Scripted[];
  readonly heard: readonly Observation[];
  readonly events: readonly RouterEvent[];
}

/** Picks in pool order, and writes down what it hears: a copy of each, since the object is used again. */
const listening = (world: World, acts: readonly Act[], route: { readonly hedging?: boolean } = {}): Setting => {
  const heard: Observation[] = [];
  const events: RouterEvent[] = [];
  const strategy: Strategy = {
    name: 'listening',
    forPool: () => ({
      pick: ({ candidates }) => 31 - Math.clz32(candidates & -candidates),
      observe: (observation) => heard.push({ ...observation }),
    }),
  };
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const router = createRouter({
    system: world,
    routes: { chat: { strategy, pool: targets.map(({ target }) => target()), ...route } },
    onEvent: (event) => events.push(event),
  });
  return { router, targets, heard, events };
};

const linesOf = (heard: readonly Observation[]): string[] =>
  heard.map(({ target, type, nowMs, failure }) => `${nowMs} t${target} ${failure?.kind ?? type}`);

/** Reads up to so many events, and then leaves. */
const read = async (
  stream: ChatStream,
  count = Number.POSITIVE_INFINITY,
  then?: () => Promise<void>,
): Promise<void> => {
  let left = count;
  for await (const _ of stream) {
    await then?.();
    left -= 1;
    if (left <= 0) return;
  }
};

const contents = (events: readonly RouterEvent[], type: RouterEvent['type']): RouterEvent[] =>
  events.filter((event) => event.type === type);

test('a plain answer is content and complete at once, with what it used', async () => {
  const world = new World();
  const { router, heard, events } = listening(world, [{ answerAfterMs: 100, usage }]);
  await world.run(router.chat('chat', { ...hello, maxOutputTokens: 7 }));
  expect(linesOf(heard)).toEqual(['0 t0 started', '100 t0 content', '100 t0 completed']);
  expect(heard[2]).toMatchObject({ streaming: false, ageMs: 100, contentMs: 100, readMs: 0, usage, role: 'first' });
  expect(heard[2]).toMatchObject({ inputTokens: 5, maxOutputTokens: 7 });
  expect(contents(events, 'request-completed')).toEqual([
    expect.objectContaining({ target: 't0/m', tookMs: 100, attempts: 1, usage }),
  ]);
});

test('a stream is complete at its end, which may be long after its first content', async () => {
  const world = new World();
  const { router, heard, events } = listening(world, [{ answerAfterMs: 100, thenEvents: [word, word, finish, used] }]);
  await world.run(read(router.stream('chat', hello)));
  expect(linesOf(heard)).toEqual(['0 t0 started', '100 t0 content', '300 t0 completed']);
  expect(heard[1]).toMatchObject({ ageMs: 100, contentMs: 100, usage: undefined });
  expect(heard[2]).toMatchObject({ streaming: true, ageMs: 300, contentMs: 100, usage });
  expect(events.map(({ type }) => type).slice(-2)).toEqual(['request-answered', 'request-completed']);
  expect(events.at(-1)).toMatchObject({ target: 't0/m', tookMs: 300, usage });
});

test('what the caller takes to read is told apart', async () => {
  const world = new World();
  const { router, heard } = listening(world, [{ answerAfterMs: 100, thenEvents: [word, finish] }]);
  await world.run(read(router.stream('chat', hello), undefined, () => world.sleep(1_000)));
  const last = heard.at(-1);
  expect(last).toMatchObject({ type: 'completed', ageMs: 4_200, readMs: 4_000 });
});

test('a failure says of what and whose fault it was, and the fallback is heard of beside it', async () => {
  const world = new World();
  const { router, heard } = listening(world, [
    { failAfterMs: 20, failure: failure('rate-limited') },
    { answerAfterMs: 100 },
  ]);
  await world.run(router.chat('chat', hello));
  expect(linesOf(heard)).toEqual([
    '0 t0 started',
    '20 t0 rate-limited',
    '20 t1 started',
    '120 t1 content',
    '120 t1 completed',
  ]);
  expect(heard[1]?.failure).toEqual({ kind: 'rate-limited', chargedTo: 'key' });
  expect(heard[4]?.failure).toBeUndefined();
  expect(heard[2]?.role).toBe('fallback');
});

test('a stream that breaks off after its content has failed, and nothing is complete', async () => {
  const world = new World();
  const { router, heard, events } = listening(world, [
    { answerAfterMs: 100, thenEvents: [word, { fail: failure('broken') }] },
  ]);
  await world.run(read(router.stream('chat', hello)).catch(() => {}));
  expect(linesOf(heard)).toEqual(['0 t0 started', '100 t0 content', '150 t0 broken']);
  expect(contents(events, 'request-completed')).toEqual([]);
});

test('one that is silent is heard of while it runs, and is cancelled when its hedge has answered', async () => {
  const world = new World();
  const { router, targets, heard } = listening(world, [{ answerAfterMs: 100 }, { answerAfterMs: 100 }]);
  // Its pace is learned first, so that it is silent after 1 s and late after little more.
  for (let i = 0; i < 40; i++) await world.run(router.chat('chat', hello));
  const before = heard.length;
  const startedAtMs = world.nowMs();
  (targets[0] as Scripted).act = { hang: true };
  await world.run(router.chat('chat', hello));
  const told = heard.slice(before).map(({ type, target, role }) => `t${target} ${role} ${type}`);
  expect(told).toEqual([
    't0 first started',
    't0 first silent',
    't0 first silent',
    't1 hedge started',
    't1 hedge content',
    't1 hedge completed',
    't0 first cancelled',
  ]);
  const silent = heard.slice(before).filter(({ type }) => type === 'silent');
  for (const { ageMs, nowMs } of silent) expect(ageMs).toBe(nowMs - startedAtMs);
});

test('of two streams that begin in the same instant one serves, and the other is closed and cancelled', async () => {
  const world = new World();
  let begin = (): void => {};
  const gate = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const signals: AbortSignal[] = [];
  const gated = (name: string): TargetSpec => {
    const { connect, ...spec } = scripted(world, name).target();
    return {
      ...spec,
      connect: (model, params) => ({
        ...connect(model, params),
        async *stream(_, { signal }) {
          signals.push(signal);
          await gate;
          yield { type: 'text', text: name };
          yield { type: 'finish', reason: 'stop' };
        },
      }),
    };
  };
  const heard: string[] = [];
  const strategy: Strategy = {
    name: 'listening',
    forPool: () => ({ pick: () => 0, observe: ({ target, type }) => heard.push(`t${target} ${type}`) }),
  };
  const router = createRouter({ system: world, routes: { chat: { strategy, pool: [gated('t0'), gated('t1')] } } });
  const reading = read(router.stream('chat', hello));
  while (signals.length < 2) await world.pass(1_000);
  begin();
  await world.run(reading);
  expect(heard.filter((line) => line.endsWith('content'))).toHaveLength(2);
  expect(heard.filter((line) => /completed|cancelled/.test(line)).toSorted()).toEqual(['t0 completed', 't1 cancelled']);
  expect(signals[1]?.aborted).toBe(true);
});

test('a caller who leaves cancels, and one who leaves after the vendor has finished does not', async () => {
  const world = new World();
  const acts: Act[] = [{ answerAfterMs: 100, thenEvents: [word, finish, used] }];
  const early = listening(world, acts);
  await world.run(read(early.router.stream('chat', hello), 3));
  expect(linesOf(early.heard).map((line) => line.split(' ')[2])).toEqual(['started', 'content', 'cancelled']);
  expect(contents(early.events, 'request-completed')).toEqual([]);
  const late = listening(world, acts);
  await world.run(read(late.router.stream('chat', hello), 4));
  expect(late.heard.map(({ type }) => type)).toEqual(['started', 'content', 'completed']);
  expect(late.heard.at(-1)?.usage).toBeUndefined();
  expect(contents(late.events, 'request-completed')).toHaveLength(1);
});

test('a strategy that throws when it hears something costs nobody an answer', async () => {
  const world = new World();
  const picker = {
    pick: () => 0,
    observe: () => {
      throw new Error('the strategy');
    },
    report: () => {
      throw new Error('the strategy');
    },
  };
  const router = createRouter({
    system: world,
    routes: { chat: { strategy: { name: 'mine', forPool: () => picker }, pool: [scripted(world, 't0').target()] } },
  });
  expect((await world.run(router.chat('chat', hello))).text).toBe('t0');
  expect(router.snapshot()[0]?.targets[0]?.strategy).toBeUndefined();
});

test('what a strategy reports is shown with each target, in snapshots and explanations', async () => {
  const world = new World();
  const router = createRouter({
    system: world,
    routes: {
      chat: {
        strategy: {
          name: 'mine',
          forPool: ({ route, targets }) => ({
            pick: () => 0,
            report: (target) => ({
              route,
              id: targets[target]?.id ?? null,
              usd: targets[target]?.price?.inputUsdPerMTok ?? 0,
            }),
          }),
        },
        pool: [scripted(world, 't0').target({ price: { inputUsdPerMTok: 0.25, outputUsdPerMTok: 2 } })],
      },
    },
  });
  const strategy = { route: 'chat', id: 't0/m', usd: 0.25 };
  expect(router.snapshot()[0]?.targets[0]).toMatchObject({ strategy, price: { outputUsdPerMTok: 2 } });
  expect(router.explain('chat', hello).ranking[0]?.strategy).toEqual(strategy);
});

describe('of every attempt', () => {
  const ends = ['completed', 'failed', 'cancelled'];
  const kinds = ['server-error', 'unreachable', 'rate-limited', 'too-long', 'rejected', 'aborted'] as const;
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant(word) },
    { weight: 1, arbitrary: fc.constant({ fail: failure('broken') }) },
    { weight: 1, arbitrary: fc.constant('hang' as const) },
  );
  const act = fc.oneof<fc.Arbitrary<Act>[]>(
    fc.record({
      answerAfterMs: fc.constantFrom(50, 100, 3_000),
      thenEvents: fc.array(step, { maxLength: 3 }).map((steps) => [...steps, finish, used]),
      usage: fc.constant(usage),
    }),
    fc.constantFrom(...kinds).map((kind): Act => ({ failAfterMs: 50, failure: failure(kind) })),
    fc.record({ hang: fc.constant(true as const), deaf: fc.boolean() }),
  );

  test('start, silence, content and one end are told in this order, whatever happens and whoever leaves', async () => {
    const kindsOfEnd = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.boolean(),
        fc.array(
          fc.record({
            acts: fc.array(act, { minLength: 3, maxLength: 3 }),
            stream: fc.boolean(),
            leaveAfterMs: fc.option(fc.constantFrom(0, 50, 70, 100, 1_500), { nil: undefined }),
            events: fc.constantFrom(1, 3, 100),
          }),
          { minLength: 1, maxLength: 8 },
        ),
        async (seed, hedging, requests) => {
          const world = new World(seed);
          const { router, targets, heard } = listening(world, [down, down, down], { hedging });
          for (const { acts, stream, leaveAfterMs, events } of requests) {
            targets.forEach((target, i) => {
              target.act = acts[i] as Act;
            });
            const caller = new AbortController();
            if (leaveAfterMs !== undefined) void world.sleep(leaveAfterMs).then(() => caller.abort());
            const options = { signal: caller.signal, deadlineMs: 20_000 };
            const asked = stream
              ? read(router.stream('chat', hello, options), events)
              : router.chat('chat', hello, options);
            await world.run(Promise.allSettled([asked]));
            await world.pass(1_000);
          }
          // Until the last probe that outlived its request has ended.
          await world.pass(200_000);
          const byAttempt = Map.groupBy(heard, ({ target, nowMs, ageMs }) => `t${target} at ${nowMs - ageMs}`);
          expect(byAttempt.size).toBe(targets.reduce((sum, { callsAtMs }) => sum + callsAtMs.length, 0));
          for (const [attempt, told] of byAttempt) {
            const line = told.map(({ type }) => type).join(' ');
            expect(line, attempt).toMatch(/^started( silent){0,2}( content)? (completed|failed|cancelled)$/);
            const [last] = told.slice(-1) as [Observation];
            if (last.type === 'completed') expect(line).toContain('content');
            expect(last.failure !== undefined).toBe(last.type === 'failed');
            expect(last.contentMs !== undefined).toBe(line.includes('content'));
            for (const { ageMs, readMs } of told) expect(ageMs).toBeGreaterThanOrEqual(readMs);
            kindsOfEnd.add(last.type);
          }
        },
      ),
      { seed: 7, numRuns: 150 },
    );
    expect([...kindsOfEnd].toSorted()).toEqual(ends.toSorted());
  });
});

test('every event of a stream that a caller reads was heard before it is complete', async () => {
  const world = new World();
  const { router, heard } = listening(world, [{ answerAfterMs: 10, thenEvents: [word, finish, used] }]);
  const got: ChatEvent['type'][] = [];
  await world.run(
    (async () => {
      for await (const { type } of router.stream('chat', hello)) {
        got.push(type);
        expect(heard.at(-1)?.type).toBe('content');
      }
    })(),
  );
  expect(got).toEqual(['start', 'text', 'text', 'finish', 'usage']);
  expect(heard.at(-1)?.type).toBe('completed');
});
