import {
  type ChatRequest,
  createRouter,
  type RouteConfig,
  type Router,
  type RouterEvent,
  type Usage,
} from '@switchyard/core';
import type { TargetOptions } from '@switchyard/core/provider';
import { describe, expect, test } from 'vitest';
import { type Act, failure, type Scripted, scripted, World } from '../virtual/world.ts';

// Where the turns of a conversation go, in virtual time. What it saves, at vendors with a cache, is in test/wire.

const usage: Usage = { inputTokens: 2_000, outputTokens: 30, cachedInputTokens: 2_000, reasoningTokens: 0 };
const up: Act = { answerAfterMs: 100, usage };
const down: Act = { failAfterMs: 20, failure: failure('server-error') };
const price = { inputUsdPerMTok: 1, cachedInputUsdPerMTok: 0.1, outputUsdPerMTok: 4 };

interface Setting {
  readonly world: World;
  readonly router: Router;
  readonly targets: readonly Scripted[];
  readonly events: readonly RouterEvent[];
}

const start = (
  options: Omit<Partial<RouteConfig>, 'pool'> = {},
  targetOptions: readonly TargetOptions[] = [{}, {}],
): Setting => {
  const world = new World();
  const targets = targetOptions.map((_, i) => scripted(world, `t${i}`, up));
  const events: RouterEvent[] = [];
  const pool = targets.map(({ target }, i) => target({ price, ...targetOptions[i] }));
  const router = createRouter({
    system: world,
    routes: { chat: { strategy: 'round-robin', affinity: 'prompt-cache', hedging: false, ...options, pool } },
    onEvent: (event) => events.push(event),
  });
  return { world, router, targets, events };
};

const said = (role: 'user' | 'assistant', text: string): ChatRequest['messages'][number] => ({
  role,
  content: [{ type: 'text', text }],
});

/** The request of a conversation's next turn, each time. */
const talkOf = (name: string): (() => ChatRequest) => {
  const messages: ChatRequest['messages'][number][] = [];
  return () => {
    if (messages.length > 0) messages.push(said('assistant', `${name}: answer`));
    messages.push(said('user', `${name}: ${messages.length} ${'words '.repeat(1_500)}`));
    return { messages: [...messages] };
  };
};

const ask = async ({ world, router }: Setting, request: ChatRequest, subject?: string) =>
  (await world.run(router.chat('chat', request, { subject }))).served;

const turns = async (setting: Setting, next: () => ChatRequest, count: number): Promise<string[]> => {
  const at: string[] = [];
  for (let i = 0; i < count; i++) at.push((await ask(setting, next())).target.id);
  return at;
};

test('a conversation stays where it was, and others are shared out as ever', async () => {
  const setting = start();
  const talks = Array.from({ length: 6 }, (_, i) => talkOf(`talk ${i}`));
  const first = [];
  for (const next of talks) first.push(...(await turns(setting, next, 1)));
  expect(first.toSorted()).toEqual(['t0/m', 't0/m', 't0/m', 't1/m', 't1/m', 't1/m']);
  for (const [i, next] of talks.entries()) expect(new Set(await turns(setting, next, 5))).toEqual(new Set([first[i]]));
});

test('without the option each turn goes by itself', async () => {
  const setting = start({ affinity: undefined as never });
  expect(new Set(await turns(setting, talkOf('a'), 4)).size).toBe(2);
});

test('the trace and the events say that a target was asked for its cache', async () => {
  const setting = start();
  const next = talkOf('a');
  expect((await ask(setting, next())).attempts[0]).not.toHaveProperty('affinity');
  const request = next();
  expect(setting.router.explain('chat', request).ranking[0]?.target).toBe((await ask(setting, request)).target.id);
  const { attempts } = await ask(setting, next());
  expect(attempts).toMatchObject([{ role: 'first', affinity: true, outcome: 'answered' }]);
  expect(setting.events.filter((event) => event.type === 'attempt-started' && event.affinity)).toHaveLength(2);
});

test('a stream is a turn as a plain answer is', async () => {
  const setting = start();
  const next = talkOf('a');
  const [home] = await turns(setting, next, 1);
  const finish = { afterMs: 5, event: { type: 'finish', reason: 'stop' } } as const;
  for (const target of setting.targets)
    target.act = { answerAfterMs: 10, thenEvents: [finish, { afterMs: 5, event: { type: 'usage', usage } }] };
  for (let i = 0; i < 3; i++) {
    const stream = setting.router.stream('chat', next());
    const read = async (): Promise<void> => {
      for await (const _ of stream) void _;
    };
    await setting.world.run(read());
    expect((await stream.opened).target.id).toBe(home);
  }
});

test('it is bounded in life: after five minutes of silence a conversation begins anew', async () => {
  for (const [affinityLife, ms] of [
    [undefined, 300_000],
    ['10s', 10_000],
  ] as const) {
    const setting = start(affinityLife === undefined ? {} : { affinityLife });
    const next = talkOf('a');
    await turns(setting, next, 1);
    await setting.world.pass(ms - 1_000);
    expect((await ask(setting, next())).attempts[0]).toHaveProperty('affinity');
    await setting.world.pass(ms + 1);
    expect((await ask(setting, next())).attempts[0]).not.toHaveProperty('affinity');
  }
});

test('it is dropped at the first failure, and the conversation stays where it has moved to', async () => {
  const setting = start({}, [{}, {}, {}]);
  const next = talkOf('a');
  const [home = ''] = await turns(setting, next, 1);
  const target = setting.targets[Number(home[1])] as Scripted;
  target.act = down;
  const failed = await ask(setting, next());
  expect(failed.attempts.map(({ outcome, affinity }) => [outcome, affinity])).toEqual([
    // It was asked for its cache; that it is not any more does not change what was.
    ['server-error', true],
    ['answered', undefined],
  ]);
  target.act = up;
  expect(new Set(await turns(setting, next, 4))).toEqual(new Set([failed.target.id]));
});

test("a request that is at fault itself, or whose caller left, is no failure of the conversation's target", async () => {
  const setting = start();
  const next = talkOf('a');
  const [home = ''] = await turns(setting, next, 1);
  const target = setting.targets[Number(home[1])] as Scripted;
  target.act = { failAfterMs: 10, failure: failure('rejected') };
  await ask(setting, next()).catch(() => {});
  target.act = up;
  expect((await ask(setting, next())).attempts).toMatchObject([{ target: home, affinity: true }]);
});

test('a target that is left alone has no say, and neither has one that is due', async () => {
  const setting = start();
  const next = talkOf('a');
  const [home = ''] = await turns(setting, next, 1);
  const target = setting.targets[Number(home[1])] as Scripted;
  target.act = down;
  for (let i = 0; i < 8; i++) await ask(setting, talkOf(`other ${i}`)());
  expect(setting.router.snapshot()[0]?.targets[Number(home[1])]?.standing).toBe('cooling');
  const served = await ask(setting, next());
  expect(served.attempts).toHaveLength(1);
  expect(served.target.id).not.toBe(home);
});

test('one that fails now and then keeps only conversations that it saves more for', async () => {
  // Of a tenth that the cache saves, against a third of attempts that fail.
  for (const [cachedInputUsdPerMTok, stays] of [
    [0.1, true],
    [0.9, false],
  ] as const) {
    const setting = start({}, [{ price: { ...price, cachedInputUsdPerMTok } }, { weight: 0 }]);
    const next = talkOf('a');
    await turns(setting, next, 1);
    const [target] = setting.targets as [Scripted];
    for (let i = 0; i < 6; i++) {
      target.act = i % 2 === 0 ? down : up;
      await ask(setting, talkOf(`other ${i}`)());
    }
    expect(setting.router.snapshot()[0]?.targets[0]?.standing).toBe('ready');
    const { attempts } = await ask(setting, next());
    expect(attempts[0]?.affinity ?? false).toBe(stays);
  }
});

describe("against the strategy's own choice", () => {
  /** Has its first turn at the second target, while the first is out. */
  const moved = async (first: TargetOptions, second: TargetOptions): Promise<readonly [Setting, () => ChatRequest]> => {
    const setting = start({ strategy: 'priority' }, [first, second]);
    const next = talkOf('a');
    const [target] = setting.targets as [Scripted];
    target.act = down;
    expect(await turns(setting, next, 1)).toEqual(['t1/m']);
    target.act = up;
    return [setting, next];
  };

  test('a conversation stays where its cache makes it cheaper', async () => {
    const [setting, next] = await moved({}, { price: { ...price, inputUsdPerMTok: 4 } });
    // Two thirds of the prompt are in its cache, which is less than the three quarters that the first one spares.
    expect(setting.router.explain('chat', next()).ranking[0]?.target).toBe('t0/m');
    const [cheap, turn] = await moved({}, { price: { ...price, inputUsdPerMTok: 1.2 } });
    expect(await turns(cheap, turn, 3)).toEqual(['t1/m', 't1/m', 't1/m']);
  });

  test('a target without a price for cached input has nothing to save, and one without a price half', async () => {
    const [free, next] = await moved({}, { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 4 } });
    expect(await turns(free, next, 1)).toEqual(['t0/m']);
    const [unknown, turn] = await moved({ price: undefined as never }, { price: undefined as never });
    expect(await turns(unknown, turn, 2)).toEqual(['t1/m', 't1/m']);
  });

  test('one that has become much slower than the other is left', async () => {
    for (const [answerAfterMs, at] of [
      [110, 't1/m'],
      [4_000, 't0/m'],
    ] as const) {
      const setting = start({ strategy: 'priority' });
      const [first, second] = setting.targets as [Scripted, Scripted];
      second.act = { answerAfterMs, usage };
      for (let i = 0; i < 20; i++) await ask(setting, talkOf(`other ${i}`)());
      first.act = down;
      const next = talkOf('a');
      for (let i = 0; i < 2; i++) await ask(setting, talkOf(`more ${i}`)());
      expect(await turns(setting, next, 1)).toEqual(['t1/m']);
      first.act = up;
      await setting.world.pass(30_000);
      for (let i = 0; i < 40; i++) {
        await ask(setting, talkOf(`again ${i}`)());
        await setting.world.pass(1_000);
      }
      expect(setting.router.snapshot()[0]?.targets[0]?.standing).toBe('ready');
      expect(await turns(setting, next, 1)).toEqual([at]);
    }
  });
});

test('a vendor that caches nothing is found out', async () => {
  const setting = start({ strategy: 'priority' });
  const [first, second] = setting.targets as [Scripted, Scripted];
  second.act = { answerAfterMs: 100, usage: { ...usage, cachedInputTokens: 0 } };
  first.act = down;
  // Conversations that begin at the second, and whose second turn there finds nothing in its cache.
  const seen: boolean[] = [];
  for (let i = 0; i < 30; i++) {
    const next = talkOf(`talk ${i}`);
    await turns(setting, next, 1);
    const { attempts } = await ask(setting, next());
    seen.push(attempts.some(({ affinity }) => affinity));
  }
  expect(seen[0]).toBe(true);
  first.act = up;
  await setting.world.pass(120_000);
  for (let i = 0; i < 60; i++) {
    await ask(setting, talkOf(`again ${i}`)());
    await setting.world.pass(1_000);
  }
  first.act = down;
  const next = talkOf('last');
  expect(await turns(setting, next, 1)).toEqual(['t1/m']);
  first.act = up;
  expect(await turns(setting, next, 1)).toEqual(['t0/m']);
});

describe('nothing is kept', () => {
  test('of short prompts, which no vendor caches', async () => {
    const setting = start();
    for (const target of setting.targets) target.act = { answerAfterMs: 100, usage: { ...usage, inputTokens: 1_000 } };
    const next = talkOf('a');
    await turns(setting, next, 1);
    expect((await ask(setting, next())).attempts[0]).not.toHaveProperty('affinity');
  });

  test('of instructions that many have in common', async () => {
    const setting = start();
    const system = { role: 'system', content: [{ type: 'text', text: 'be brief '.repeat(2_000) }] } as const;
    const at: string[] = [];
    for (let i = 0; i < 10; i++)
      at.push((await ask(setting, { messages: [system, said('user', `question ${i}`)] })).target.id);
    expect(at.filter((id) => id === 't0/m')).toHaveLength(5);
  });

  test('of a conversation whose beginning was changed, or that has other tools', async () => {
    const setting = start();
    const next = talkOf('a');
    await ask(setting, next());
    const request = next();
    const [first, ...rest] = request.messages;
    const changed = { messages: [said('user', 'something else'), ...rest] };
    expect(first).toBeDefined();
    expect((await ask(setting, changed)).attempts[0]).not.toHaveProperty('affinity');
    expect((await ask(setting, { ...request, tools: [{ name: 'weather' }] })).attempts[0]).not.toHaveProperty(
      'affinity',
    );
    expect((await ask(setting, request)).attempts[0]).toHaveProperty('affinity');
  });

  test('where a subject has an arm: an experiment goes by its assignment', async () => {
    const setting = start({ strategy: 'weighted-round-robin', experiment: {} });
    for (let i = 0; i < 10; i++) {
      const next = talkOf(`talk ${i}`);
      const { assigned } = await ask(setting, next(), `user-${i}`);
      const target = setting.targets[Number(assigned?.[1])] as Scripted;
      target.act = down;
      const elsewhere = await ask(setting, next(), `user-${i}`);
      expect(elsewhere.target.id).not.toBe(assigned);
      target.act = up;
      await setting.world.pass(600_000);
      expect((await ask(setting, next(), `user-${i}`)).target.id).toBe(assigned);
    }
  });
});
