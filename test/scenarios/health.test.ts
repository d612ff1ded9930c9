import { createRouter, isRouterError, type Router, type RouterConfig } from '@switchyard/core';
import type { TargetOptions } from '@switchyard/core/provider';
import { describe, expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// What health makes of what it sees, through the whole router in virtual time.

const down: Act = { failAfterMs: 20, failure: failure('server-error') };
const hang: Act = { hang: true };
const after = (answerAfterMs: number): Act => ({ answerAfterMs });

interface Pool {
  readonly world: World;
  readonly router: Router;
  readonly targets: readonly Scripted[];
}

const poolOf = (acts: readonly Act[], options: TargetOptions = {}, config: Partial<RouterConfig> = {}): Pool => {
  const world = new World();
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const pool = targets.map(({ target }) => target(options));
  return { world, targets, router: createRouter({ system: world, routes: { chat: { pool } }, ...config }) };
};

/** Asks for a stream and reads it to its end. */
const ask = async (router: Router, options: { deadlineMs?: number; thinking?: boolean } = {}): Promise<string> => {
  let text = '';
  const request = options.thinking ? { ...hello, reasoningEffort: 'high' } : hello;
  for await (const event of router.stream('chat', request, { deadlineMs: options.deadlineMs })) {
    if (event.type === 'text') text += event.text;
  }
  return text;
};

const askTimes = async ({ world, router }: Pool, times: number): Promise<void> => {
  for (let i = 0; i < times; i++) await world.run(ask(router).catch(() => {}));
};

const standings = (router: Router): readonly string[] => router.snapshot()[0]?.targets.map((t) => t.standing) ?? [];

describe('what is not the fault of a target is not held against it', () => {
  test("a caller's short deadline", async () => {
    const pool = poolOf([after(800), after(800)]);
    for (let i = 0; i < 10; i++) await pool.world.run(ask(pool.router, { deadlineMs: 100 }).catch(() => {}));
    expect(standings(pool.router)).toEqual(['ready', 'ready']);
    expect(await pool.world.run(ask(pool.router))).toBe('t0');
  });

  test('long thought, after many quick answers', async () => {
    const pool = poolOf([after(300), after(300)]);
    await askTimes(pool, 40);
    for (const target of pool.targets) target.act = after(20_000);
    expect(await pool.world.run(ask(pool.router, { thinking: true }))).toBe('t0');
    expect(pool.targets[1]?.callsAtMs).toEqual([]);
    expect(standings(pool.router)).toEqual(['ready', 'ready']);
  });

  test('an answer that began before the last failure does not speak for what came after', async () => {
    const pool = poolOf([after(1_000), after(10)]);
    const early = Array.from({ length: 5 }, () => ask(pool.router));
    await pool.world.pass(900);
    (pool.targets[0] as Scripted).act = down;
    await askTimes(pool, 2);
    await pool.world.run(Promise.all(early));
    await askTimes(pool, 1);
    expect(standings(pool.router)[0]).toBe('cooling');
    expect(pool.targets[0]?.callsAtMs).toHaveLength(8);
  });
});

describe('patience', () => {
  test('whoever comes last has all the time that the deadline leaves, whatever was learned', async () => {
    const pool = poolOf([after(200)]);
    await askTimes(pool, 40);
    (pool.targets[0] as Scripted).act = after(20_000);
    expect(await pool.world.run(ask(pool.router))).toBe('t0');
  });

  test('a target that was quick and hangs is late after a second, not after eight', async () => {
    const pool = poolOf([after(200), after(200)]);
    await askTimes(pool, 40);
    (pool.targets[0] as Scripted).act = hang;
    const startMs = pool.world.nowMs();
    expect(await pool.world.run(ask(pool.router))).toBe('t1');
    expect(pool.targets[1]?.callsAtMs.map((atMs) => atMs - startMs)).toEqual([1_000]);
  });

  test('a pause that the user allows is allowed, however short the pauses were', async () => {
    const word = { afterMs: 10, event: { type: 'text', text: '.' } } as const;
    const end = { afterMs: 10, event: { type: 'finish', reason: 'stop' } } as const;
    const pool = poolOf([{ answerAfterMs: 10, thenEvents: [...Array(1_200).fill(word), end] }], {
      timeouts: { idle: '60s' },
    });
    await askTimes(pool, 1);
    (pool.targets[0] as Scripted).act = { answerAfterMs: 10, thenEvents: [{ ...word, afterMs: 50_000 }, end] };
    expect(await pool.world.run(ask(pool.router))).toBe('t0.');
  });
});

describe('a late attempt is given company', () => {
  test('also by a target that is due for a probe, when no other is ready', async () => {
    const pool = poolOf([after(10), down]);
    (pool.targets[0] as Scripted).act = down;
    await askTimes(pool, 3);
    expect(standings(pool.router)).toEqual(['cooling', 'cooling']);
    await pool.world.pass(60_000);
    (pool.targets[0] as Scripted).act = hang;
    (pool.targets[1] as Scripted).act = after(100);
    const startMs = pool.world.nowMs();
    expect(await pool.world.run(ask(pool.router))).toBe('t1');
    expect(pool.world.nowMs() - startMs).toBeLessThan(1_500);
  });

  test('and its company too, when the first has failed and the second is late itself', async () => {
    const pool = poolOf([{ failAfterMs: 9_000, failure: failure('server-error') }, hang, after(100)]);
    expect(await pool.world.run(ask(pool.router))).toBe('t2');
    // The second is asked at 8 s, when the first is late; the third when the second is, at 16 s.
    expect(pool.targets.map(({ callsAtMs }) => callsAtMs)).toEqual([[0], [8_000], [16_000]]);
  });
});

describe('company for a late attempt', () => {
  test('comes from another vendor, whose silence has another cause', async () => {
    const world = new World();
    const [silent, other] = [scripted(world, 'v', hang), scripted(world, 'w', after(100))];
    const sibling = { ...silent.target({ id: 'sibling' }), model: 'small' };
    const router = createRouter({
      system: world,
      routes: { chat: { pool: [silent.target(), sibling, other.target()] } },
    });
    expect(await world.run(ask(router))).toBe('w');
    expect(world.nowMs()).toBe(8_110);
    expect(silent.callsAtMs).toEqual([0]);
  });

  test('comes from a target that should be left alone, when the late one is in doubt and nobody else is there', async () => {
    const pool = poolOf([down, after(100)]);
    await askTimes(pool, 40);
    const [first, second] = pool.targets as [Scripted, Scripted];
    await pool.world.pass(20_000);
    await askTimes(pool, 1);
    // The first is cooling, and well again; the second falls silent.
    first.act = after(100);
    second.act = hang;
    const startMs = pool.world.nowMs();
    const answers = await pool.world.run(Promise.all(Array.from({ length: 5 }, () => ask(pool.router))));
    expect(new Set(answers)).toEqual(new Set(['t0']));
    expect(pool.world.nowMs() - startMs).toBeLessThan(2_500);
  });
});

describe('a standby that failed long ago', () => {
  test('takes all callers as soon as it is needed, not one at a time', async () => {
    const pool = poolOf([down, down]);
    await askTimes(pool, 3);
    (pool.targets[0] as Scripted).act = after(10);
    await pool.world.pass(3_600_000);
    await askTimes(pool, 10);
    (pool.targets[0] as Scripted).act = down;
    (pool.targets[1] as Scripted).act = after(2_000);
    await askTimes(pool, 3);
    const answers = Array.from({ length: 200 }, () => ask(pool.router));
    expect(new Set(await pool.world.run(Promise.all(answers)))).toEqual(new Set(['t1']));
  });
});

describe('a probe', () => {
  test('tells what it was sent for also when its caller leaves after the answer', async () => {
    const pool = poolOf([down, after(100)]);
    await askTimes(pool, 3);
    await pool.world.pass(10_000);
    (pool.targets[0] as Scripted).act = hang;
    const caller = new AbortController();
    await pool.world.run(pool.router.chat('chat', hello, { signal: caller.signal }));
    caller.abort();
    const before = pool.targets[0]?.callsAtMs.length;
    await askTimes(pool, 20);
    expect(pool.targets[0]?.callsAtMs.length).toBe(before);
  });

  test('that waited in vain is not sent again at once, though its caller left', async () => {
    const pool = poolOf([down, hang]);
    await askTimes(pool, 3);
    await pool.world.pass(10_000);
    (pool.targets[0] as Scripted).act = hang;
    const caller = new AbortController();
    const left = pool.router.chat('chat', hello, { signal: caller.signal }).catch(() => {});
    await pool.world.pass(2_000);
    caller.abort();
    await pool.world.run(left);
    (pool.targets[1] as Scripted).act = after(10);
    const before = pool.targets[0]?.callsAtMs.length;
    await askTimes(pool, 5);
    expect(pool.targets[0]?.callsAtMs.length).toBe(before);
  });

  test('a target that is back a little slower than before is back', async () => {
    const pool = poolOf([after(200), after(10)]);
    await askTimes(pool, 60);
    (pool.targets[0] as Scripted).act = down;
    await askTimes(pool, 3);
    (pool.targets[0] as Scripted).act = after(400);
    await pool.world.pass(10_000);
    await askTimes(pool, 2);
    expect(standings(pool.router)[0]).toBe('ramping');
  });
});

test('a request that one target cannot take is not refused while another that could is only resting', async () => {
  const unsupported: Act = { failAfterMs: 5, failure: failure('unsupported', { status: 400 }) };
  const limited: Act = { failAfterMs: 5, failure: failure('rate-limited', { retryAfterMs: 9_000 }) };
  const pool = poolOf([limited, limited]);
  await askTimes(pool, 1);
  await pool.world.pass(100_000);
  (pool.targets[0] as Scripted).act = unsupported;
  await askTimes(pool, 1);
  const error = await pool.world.run(
    ask(pool.router).then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  expect(isRouterError(error) && error.code).toBe('all-targets-failed');
});

describe('leaving a stream', () => {
  test.each(['before the first event', 'while the next one is awaited', 'while it is opening'] as const)(
    '%s stops the vendor at once',
    async (when) => {
      const pool = poolOf([{ answerAfterMs: 100, thenEvents: ['hang'] }]);
      const stream = pool.router.stream('chat', hello);
      const events = stream[Symbol.asyncIterator]();
      if (when === 'while it is opening') await pool.world.pass(50);
      else await pool.world.run(stream.opened);
      if (when === 'while the next one is awaited') {
        for (let i = 0; i < 2; i++) await pool.world.run(events.next());
        events.next().catch(() => {});
      }
      const left = Promise.resolve(events.return?.()).catch(() => {});
      await pool.world.pass(1);
      await pool.world.run(left);
      expect(pool.targets[0]?.abortsAtMs).toHaveLength(1);
      expect(pool.world.nowMs()).toBeLessThan(200);
    },
  );
});

describe("what a user's own code does wrong", () => {
  test('a hook that rejects costs nobody an answer', async () => {
    const pool = poolOf([after(10)], {}, { onEvent: async () => Promise.reject(new Error('the hook')) });
    expect(await pool.world.run(ask(pool.router))).toBe('t0');
  });

  test.each([Number.NaN, 0, -1])('a deadline of %d ms is refused, and nobody is asked', async (deadlineMs) => {
    const pool = poolOf([after(10)]);
    await expect(pool.world.run(ask(pool.router, { deadlineMs }))).rejects.toThrow(
      'deadlineMs: expected more than 0 ms',
    );
    expect(pool.targets[0]?.callsAtMs).toEqual([]);
  });
});

test('a target whose answers stop after their first word is left alone for as long as they do', async () => {
  const pool = poolOf([{ answerAfterMs: 100, thenEvents: ['hang'] }, after(100)], { timeouts: { idle: '2s' } });
  let brokenOff = 0;
  for (let i = 0; i < 300; i++) {
    await pool.world.run(
      ask(pool.router).catch(() => {
        brokenOff += 1;
      }),
    );
    await pool.world.pass(1_000);
  }
  // Three strikes, then one probe each 5, 10, 20 and 30 s.
  expect(brokenOff).toBeLessThan(20);
  (pool.targets[0] as Scripted).act = after(100);
  await pool.world.pass(30_000);
  await askTimes(pool, 2);
  expect(standings(pool.router)[0]).toBe('ramping');
});
