import { type ChatRequest, createRouter, type RouteConfig, type Router, type RouterConfig } from '@switchyard/core';
import type { TargetOptions } from '@switchyard/core/provider';
import { describe, expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// What targets can take, and what a route may be told about extra attempts: through the whole router in virtual time.

interface Pool {
  readonly world: World;
  readonly router: Router;
  readonly targets: readonly Scripted[];
}

const poolOf = (
  acts: readonly Act[],
  route: Partial<RouteConfig> = {},
  options: TargetOptions = {},
  config: Partial<RouterConfig> = {},
): Pool => {
  const world = new World();
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const pool = targets.map(({ target }) => target(options));
  return { world, targets, router: createRouter({ system: world, routes: { chat: { pool, ...route } }, ...config }) };
};

const answers = (answerAfterMs: number): Act => ({ answerAfterMs });
const down: Act = { failAfterMs: 20, failure: failure('server-error') };
const calls = ({ targets }: Pool): number[] => targets.map(({ callsAtMs }) => callsAtMs.length);
const targetsOf = ({ router }: Pool): ReturnType<Router['snapshot']>[number]['targets'] =>
  router.snapshot()[0]?.targets ?? [];

/** The target that served a plain answer. */
const ask = async ({ world, router }: Pool, request: ChatRequest = hello): Promise<string> =>
  (await world.run(router.chat('chat', request))).text;

/** The whole text of a stream. */
const read = async ({ router }: Pool): Promise<string> => {
  let text = '';
  for await (const event of router.stream('chat', hello)) if (event.type === 'text') text += event.text;
  return text;
};

const prompt = (tokens: number): ChatRequest => ({
  messages: [{ role: 'user', content: [{ type: 'text', text: 'word'.repeat(tokens) }] }],
});

describe('a vendor that takes only so many at once', () => {
  test('gets three tenths less than it refused, until it has shown that it takes more', async () => {
    const pool = poolOf([{ answerAfterMs: 10_000 }, answers(100)]);
    const first = Array.from({ length: 10 }, () => pool.router.chat('chat', hello));
    await pool.world.pass(100);
    const [vendor, other] = pool.targets as [Scripted, Scripted];
    vendor.act = { failAfterMs: 10, failure: failure('rate-limited', { retryAfterMs: 500 }) };
    expect(await ask(pool)).toBe('t1');
    expect(targetsOf(pool)[0]).toMatchObject({ inFlight: 10, concurrencyLimit: 7 });
    // The gate's time is over; there is still no room.
    vendor.act = answers(100);
    await pool.world.pass(2_000);
    expect(await ask(pool)).toBe('t0');
    expect(await ask(pool)).toBe('t1');
    expect(pool.router.explain('chat', hello).ranking.map(({ target }) => target)).toEqual(['t1/m', 't0/m']);
    await pool.world.run(Promise.all(first));
    expect(targetsOf(pool)[0]).toMatchObject({ inFlight: 0 });
    expect(await ask(pool)).toBe('t0');
    expect(other.callsAtMs).toHaveLength(2);
  });

  test('is asked for more than that when nobody else can answer', async () => {
    const pool = poolOf([{ answerAfterMs: 10_000 }, down]);
    const first = Array.from({ length: 4 }, () => pool.router.chat('chat', hello));
    await pool.world.pass(100);
    const [vendor] = pool.targets as [Scripted];
    vendor.act = { failAfterMs: 10, failure: failure('rate-limited', { retryAfterMs: 500 }) };
    await pool.world.run(pool.router.chat('chat', hello).catch(() => {}));
    vendor.act = answers(100);
    await pool.world.pass(2_000);
    for (let i = 0; i < 3; i++) expect(await ask(pool)).toBe('t0');
    await pool.world.run(Promise.all(first));
  });

  test('has as many under way as it has streams open', async () => {
    const thenEvents = [{ afterMs: 5_000, event: { type: 'finish', reason: 'stop' } }] as const;
    const pool = poolOf([{ answerAfterMs: 100, thenEvents }]);
    const streams = Array.from({ length: 3 }, () => read(pool));
    await pool.world.pass(1_000);
    expect(targetsOf(pool)[0]?.inFlight).toBe(3);
    await pool.world.run(Promise.all(streams));
    expect(targetsOf(pool)[0]?.inFlight).toBe(0);
  });

  test('has none under way that failed, lost or were left', async () => {
    const pool = poolOf([{ hang: true }, down, answers(200)]);
    const caller = new AbortController();
    const left = pool.router.chat('chat', hello, { signal: caller.signal }).catch(() => {});
    await pool.world.pass(500);
    caller.abort();
    await pool.world.run(left);
    for (let i = 0; i < 5; i++) await pool.world.run(read(pool));
    await pool.world.pass(300_000);
    expect(targetsOf(pool).map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });
});

describe('a vendor whose headers show what is left of its limit', () => {
  const requests = (remaining: number): Record<string, string> => ({
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': String(remaining),
  });

  test('is not asked for more, and is asked again when some of it has come back', async () => {
    const pool = poolOf([{ answerAfterMs: 100, headers: requests(0) }, answers(100)]);
    expect(await ask(pool)).toBe('t0');
    for (let i = 0; i < 5; i++) expect(await ask(pool)).toBe('t1');
    expect(pool.router.explain('chat', hello)).toMatchObject({
      ranking: [{ target: 't1/m' }, { target: 't0/m', role: 'fallback' }],
    });
    await pool.world.pass(60_000);
    expect(targetsOf(pool)[0]?.headroom).toBe(1);
    expect(await ask(pool)).toBe('t0');
    expect(calls(pool)).toEqual([2, 5]);
  });

  test('hands over a part of its traffic when little is left', async () => {
    const pool = poolOf([{ answerAfterMs: 1, headers: requests(4) }, answers(1)]);
    const served = [];
    for (let i = 0; i < 200; i++) served.push(await ask(pool));
    const share = served.filter((name) => name === 't0').length / 200;
    // Four of six that would be left alone, less what it was sent since: between a half and two thirds, ± 0.1.
    expect(share).toBeGreaterThan(0.4);
    expect(share).toBeLessThan(0.77);
  });

  test('still answers when nobody else can', async () => {
    const pool = poolOf([{ answerAfterMs: 100, headers: requests(0) }, down]);
    for (let i = 0; i < 5; i++) expect(await ask(pool)).toBe('t0');
  });

  test('takes a small request after it has refused a large one for its size', async () => {
    const tokens = { 'x-ratelimit-limit-tokens': '10000', 'x-ratelimit-remaining-tokens': '2000' };
    const refusal = failure('rate-limited', { retryAfterMs: 20_000 });
    const pool = poolOf([{ failAfterMs: 10, failure: refusal, headers: tokens }, answers(100)]);
    expect(await ask(pool, prompt(5_000))).toBe('t1');
    (pool.targets[0] as Scripted).act = answers(100);
    expect(await ask(pool, prompt(50))).toBe('t0');
    expect(await ask(pool, prompt(5_000))).toBe('t1');
    expect(targetsOf(pool)[0]?.standing).toBe('ready');
  });
});

describe('plain answers that are streamed upstream', () => {
  const upstream = { upstream: 'stream' } as const;
  const thenFails = [{ afterMs: 50, event: { type: 'text', text: ' half' } }, { fail: failure('broken') }] as const;

  test('are put together from the stream', async () => {
    const pool = poolOf([answers(100)], upstream);
    const answer = await pool.world.run(pool.router.chat('chat', hello));
    expect(answer).toMatchObject({ text: 't0', finishReason: 'stop', served: { target: { id: 't0/m' } } });
    expect(answer.served.attempts).toMatchObject([{ target: 't0/m', outcome: 'answered', role: 'first' }]);
  });

  test('show the silence of a vendor as early as a stream does', async () => {
    const seconds: number[] = [];
    for (const route of [{}, upstream]) {
      const pool = poolOf([{ hang: true }, answers(100)], route);
      await ask(pool);
      seconds.push(pool.world.nowMs());
    }
    expect(seconds).toEqual([20_100, 8_110]);
  });

  test('begin anew elsewhere when they break off: nothing of them was shown yet', async () => {
    const pool = poolOf([{ answerAfterMs: 100, thenEvents: thenFails }, answers(100)], upstream);
    const answer = await pool.world.run(pool.router.chat('chat', hello));
    expect(answer.text).toBe('t1');
    expect(answer.served.attempts.map(({ outcome }) => outcome)).toEqual(['broken', 'answered']);
    expect(pool.world.nowMs()).toBe(100 + 50 + 110);
  });

  test('begin anew when they stop in the middle', async () => {
    const pool = poolOf([{ answerAfterMs: 100, thenEvents: ['hang'] }, answers(100)], upstream, {
      timeouts: { idle: '5s' },
    });
    const answer = await pool.world.run(pool.router.chat('chat', hello));
    expect(answer.served.attempts.map(({ outcome }) => outcome)).toEqual(['stalled', 'answered']);
    expect(pool.world.nowMs()).toBe(100 + 5_000 + 110);
    expect(pool.world.pendingTimers).toBe(0);
  });

  test('stop the hedge when their content begins', async () => {
    const thenEvents = [{ afterMs: 3_000, event: { type: 'finish', reason: 'stop' } }] as const;
    const pool = poolOf([{ answerAfterMs: 9_000, thenEvents }, { hang: true }], upstream);
    expect(await ask(pool)).toBe('t0');
    expect(pool.targets[1]?.abortsAtMs).toEqual([9_000]);
  });

  test('keep to the deadline of their caller', async () => {
    const thenEvents = Array.from({ length: 100 }, () => ({
      afterMs: 1_000,
      event: { type: 'text', text: '.' } as const,
    }));
    const pool = poolOf([{ answerAfterMs: 100, thenEvents }], upstream);
    const error = await pool.world.run(pool.router.chat('chat', hello, { deadlineMs: 5_000 }).catch((e) => e));
    expect(error).toMatchObject({ code: 'deadline-exceeded' });
    expect(pool.world.nowMs()).toBe(5_000);
    expect(targetsOf(pool)[0]).toMatchObject({ standing: 'ready', strikes: 0, inFlight: 0 });
  });
});

describe('another pass over the pool', () => {
  const retry = { passes: 1, minDelay: 200, maxDelay: '1s', jitter: 0 } as const;

  test('is not made unless the route asks for it', async () => {
    const pool = poolOf([down, down]);
    await pool.world.run(pool.router.chat('chat', hello).catch(() => {}));
    expect(calls(pool)).toEqual([1, 1]);
  });

  test('is made after a rest, and only when everybody has failed', async () => {
    const pool = poolOf([down, down], { retry });
    const asked = pool.router.chat('chat', hello);
    await pool.world.pass(100);
    (pool.targets[1] as Scripted).act = answers(10);
    expect((await pool.world.run(asked)).text).toBe('t1');
    expect(pool.targets.map(({ callsAtMs }) => callsAtMs)).toEqual([
      [0, 240],
      [20, 260],
    ]);
  });

  test('leaves out whoever would say the same again', async () => {
    const refused: Act = { failAfterMs: 20, failure: failure('unsupported') };
    const pool = poolOf([refused, down], { retry });
    await pool.world.run(pool.router.chat('chat', hello).catch(() => {}));
    expect(calls(pool)).toEqual([1, 2]);
  });

  test('waits for the first who is due back, and not when that is too long', async () => {
    for (const [retryAfterMs, second] of [
      [600, 1],
      [9_000, 0],
    ] as const) {
      const limited: Act = { failAfterMs: 20, failure: failure('rate-limited', { retryAfterMs }) };
      const pool = poolOf([limited], { retry });
      const error = await pool.world.run(pool.router.chat('chat', hello).catch((e) => e));
      expect(error.code).toBe('all-targets-failed');
      expect(calls(pool)).toEqual([1 + second]);
      // Never earlier than asked, and no rest after the last pass.
      if (second === 1) expect(pool.targets[0]?.callsAtMs[1]).toBeGreaterThanOrEqual(620);
      expect(pool.world.nowMs()).toBeLessThan(second === 1 ? 710 : 21);
    }
  });

  test('is not begun when the deadline leaves no room for it', async () => {
    const pool = poolOf([down], { retry });
    await pool.world.run(pool.router.chat('chat', hello, { deadlineMs: 1_000 }).catch(() => {}));
    expect(calls(pool)).toEqual([1]);
  });

  test('is not begun for a caller who leaves during the rest', async () => {
    const pool = poolOf([down], { retry });
    const caller = new AbortController();
    const asked = pool.router.chat('chat', hello, { signal: caller.signal }).catch((e) => e);
    await pool.world.pass(100);
    caller.abort();
    expect(await asked).toMatchObject({ code: 'aborted' });
    expect(pool.world.pendingTimers).toBe(0);
  });
});

describe('without hedging', () => {
  test('no two attempts of a request run at once, also where the target is in doubt', async () => {
    const pool = poolOf([{ hang: true }, answers(100)], { hedging: false }, { timeouts: { firstContent: '3s' } });
    for (let i = 0; i < 6; i++) {
      expect(await pool.world.run(read(pool))).toBe('t1');
      await pool.world.pass(10_000);
    }
    const [silent, well] = pool.targets as [Scripted, Scripted];
    // Each attempt at the silent one was stopped before the other was asked.
    for (const atMs of silent.callsAtMs) {
      const next = well.callsAtMs.find((each) => each >= atMs) ?? Number.NaN;
      expect(silent.abortsAtMs.filter((each) => each >= atMs && each <= next)).toHaveLength(1);
    }
    expect(silent.callsAtMs.length).toBeGreaterThan(2);
  });
});

describe('background probes', () => {
  test('find out that a target is back before a request has to, and leave the second proof to it', async () => {
    const pool = poolOf([down, answers(100)], { backgroundProbes: true });
    for (let i = 0; i < 3; i++) await ask(pool);
    (pool.targets[0] as Scripted).act = answers(100);
    await pool.world.pass(30_000);
    expect(calls(pool)).toEqual([4, 3]);
    expect(targetsOf(pool)[0]).toMatchObject({ standing: 'cooling', dueInMs: 0 });
    expect(await ask(pool)).toBe('t0');
    expect(targetsOf(pool)[0]?.standing).toBe('ramping');
  });

  test('are not sent for a route that nobody uses', async () => {
    const pool = poolOf([down, answers(100)], { backgroundProbes: true });
    for (let i = 0; i < 3; i++) await ask(pool);
    await pool.world.pass(3_600_000);
    // Five minutes of failing probes, each longer apart than the one before.
    expect(calls(pool)[0]).toBeLessThan(20);
    expect(pool.world.pendingTimers).toBe(0);
  });

  test('are not sent unless the route asks for them', async () => {
    const pool = poolOf([down, answers(100)]);
    for (let i = 0; i < 3; i++) await ask(pool);
    await pool.world.pass(30_000);
    expect(calls(pool)).toEqual([3, 3]);
  });
});

describe('a question that changes nothing', () => {
  test('names the order in which targets would be tried, and why others would not', async () => {
    const pool = poolOf([down, answers(100), answers(100)]);
    for (let i = 0; i < 3; i++) await ask(pool);
    const limited = failure('rate-limited', { retryAfterMs: 60_000 });
    (pool.targets[1] as Scripted).act = { failAfterMs: 1, failure: limited };
    await ask(pool);
    expect(pool.router.explain('chat', hello, { stream: true })).toMatchObject({
      route: 'chat',
      strategy: 'priority',
      ranking: [
        { target: 't2/m', role: 'first', lateAfterMs: 8_000, givenUpAfterMs: 30_000 },
        { target: 't0/m', role: 'last-resort' },
      ],
      skipped: [{ target: 't1/m', reason: 'rate-limited' }],
    });
    expect(pool.router.explain('chat', { ...hello, seed: 1 }).skipped).toHaveLength(3);
  });

  test('leaves the rotation of a weighted pool where it is', async () => {
    const order = async (asking: boolean): Promise<string[]> => {
      const pool = poolOf([answers(1), answers(1), answers(1)], { strategy: 'weighted-round-robin' });
      const served = [];
      for (let i = 0; i < 9; i++) {
        if (asking) {
          const [next] = pool.router.explain('chat', hello).ranking;
          served.push(next?.target.replace('/m', '') ?? '');
          expect(await ask(pool)).toBe(served.at(-1));
        } else served.push(await ask(pool));
      }
      return served;
    };
    expect(await order(true)).toEqual(await order(false));
  });

  test('asks nobody', () => {
    const pool = poolOf([answers(1)]);
    pool.router.explain('chat', hello);
    expect(calls(pool)).toEqual([0]);
    expect(pool.world.pendingTimers).toBe(0);
    expect(() => pool.router.explain('nowhere', hello)).toThrow(/no route 'nowhere'/);
  });
});

test('a lone target that fails every other request is not held back from answering the rest', async () => {
  const pool = poolOf([answers(100)]);
  const [vendor] = pool.targets as [Scripted];
  let answered = 0;
  for (let i = 0; i < 400; i++) {
    vendor.act = i % 2 === 0 ? down : answers(100);
    await pool.world.run(
      pool.router.chat('chat', hello).then(
        () => {
          answered += 1;
        },
        () => {},
      ),
    );
    await pool.world.pass(100);
  }
  expect(answered).toBe(200);
});

test('when two models of a vendor fall, the third is said to be suspected', async () => {
  const world = new World();
  const suspected: string[] = [];
  const vendor = scripted(world, 'v', down);
  const other = scripted(world, 'w', answers(100));
  const specs = ['a', 'b', 'c'].map((model) => ({ ...vendor.target({ id: model }), model }));
  const router = createRouter({
    system: world,
    routes: { chat: { strategy: 'weighted-round-robin', pool: [...specs, other.target({ weight: 0 })] } },
    onEvent: (event) => event.type === 'target-suspected' && suspected.push(event.target),
  });
  for (let i = 0; i < 3; i++) await world.run(router.chat('chat', hello));
  expect(suspected).toHaveLength(1);
});
