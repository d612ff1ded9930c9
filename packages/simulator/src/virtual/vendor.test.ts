import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Failure } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import type { FaultTimes, VirtualEffect } from './fault.ts';
import { requestOf } from './traffic.ts';
import { VirtualVendor, type VirtualVendorOptions } from './vendor.ts';
import { type ClockJump, World } from './world.ts';

interface Call {
  readonly atMs: number;
  outcome: 'answered' | 'open' | Failure['kind'];
  /** To the first content, or to the failure. */
  tookMs: number;
  retryAfterMs?: number | undefined;
  code?: string | undefined;
}

const WIRE = { state: 'sent', status: undefined, header: () => undefined, errorCode: undefined } as const;

/** Calls a vendor once a second for `seconds`, and says what became of each call. */
const callEverySecond = async (
  seconds: number,
  faults: readonly (VirtualEffect & Omit<FaultTimes, 'vendor'>)[],
  options: Partial<VirtualVendorOptions> = {},
  clock: readonly ClockJump[] = [],
): Promise<Call[]> => {
  const world = new World(1, clock);
  const steady = { name: 'a', firstContentMs: { median: 400, sigma: 0 }, ...options };
  const vendor = new VirtualVendor(
    steady,
    faults.map((fault) => ({ ...fault, vendor: 'a' })),
    world,
  );
  const provider = vendor.target().connect('model', undefined);
  const calls: Call[] = [];
  const call = async (): Promise<void> => {
    const record: Call = { atMs: world.nowMs(), outcome: 'open', tookMs: Number.NaN };
    calls.push(record);
    const took = (): number => world.nowMs() - record.atMs;
    try {
      for await (const event of provider.stream(requestOf(500), { signal: new AbortController().signal })) {
        if (event.type === 'text' && Number.isNaN(record.tookMs)) record.tookMs = took();
      }
      record.outcome = 'answered';
    } catch (error) {
      const failure = provider.explain(error, WIRE);
      record.outcome = failure.kind;
      record.retryAfterMs = failure.retryAfterMs;
      record.code = failure.code;
      record.tookMs = took();
    }
  };
  for (let i = 0; i < seconds; i++) world.schedule(i * 1_000, () => void call());
  await world.run(() => false);
  return calls;
};

const outcomes = (calls: readonly Call[]): string[] => calls.map(({ outcome }) => outcome);

test.each([
  [{ kind: '5xx' }, 'server-error'],
  [{ kind: '5xx', status: 503 }, 'overloaded'],
  [{ kind: 'rate-limit' }, 'rate-limited'],
  [{ kind: 'status', status: 401 }, 'unauthorized'],
  [{ kind: 'status', status: 404 }, 'not-found'],
  [{ kind: 'status', status: 400, code: 'context_length_exceeded' }, 'too-long'],
  [{ kind: 'rate-limit', code: 'insufficient_quota' }, 'quota-exhausted'],
  [{ kind: 'refuse' }, 'unreachable'],
  [{ kind: 'no-connection' }, 'open'],
  [{ kind: 'reset' }, 'unreachable'],
  [{ kind: 'hang' }, 'open'],
  [{ kind: 'hang-after-headers' }, 'open'],
  [{ kind: 'error-in-stream' }, 'server-error'],
  [{ kind: 'malformed' }, 'broken'],
  [{ kind: 'empty' }, 'broken'],
  [{ kind: 'stall' }, 'open'],
  [{ kind: 'cut' }, 'broken'],
  [{ kind: 'no-end' }, 'broken'],
] as const)('%o strikes from its first moment to its last, and not a second longer', async (effect, outcome) => {
  const calls = await callEverySecond(6, [{ ...effect, fromMs: 2_000, toMs: 4_000 }]);
  expect(outcomes(calls)).toEqual(['answered', 'answered', outcome, outcome, 'answered', 'answered']);
});

test('a hang also holds what was under way, and another fault does not', async () => {
  const hang = await callEverySecond(3, [{ kind: 'hang', fromMs: 1_300, toMs: 1_900 }]);
  expect(outcomes(hang)).toEqual(['answered', 'open', 'answered']);
  const down = await callEverySecond(3, [{ kind: '5xx', fromMs: 1_300, toMs: 1_900 }]);
  expect(outcomes(down)).toEqual(['answered', 'answered', 'answered']);
});

test('a vendor that is slow is slow by the factor', async () => {
  const calls = await callEverySecond(3, [{ kind: 'slow', factor: 4, fromMs: 1_000, toMs: 2_000 }]);
  expect(calls.map(({ tookMs }) => tookMs)).toEqual([400, 1_600, 400]);
});

test('a connection that takes its time adds it to the answer', async () => {
  const calls = await callEverySecond(3, [{ kind: 'slow-connection', ms: 1_500, fromMs: 1_000, toMs: 2_000 }]);
  expect(calls.map(({ tookMs }) => tookMs)).toEqual([400, 1_900, 400]);
});

test('an error takes as long as it is told to', async () => {
  const calls = await callEverySecond(1, [{ kind: '5xx', status: 504, afterMs: 30_000, fromMs: 0, toMs: 1_000 }]);
  expect(calls).toMatchObject([{ outcome: 'server-error', tookMs: 30_000 }]);
});

describe('a fault in the middle of an answer', () => {
  const answer = { tokens: 128, msPerToken: 10 };
  const textsBefore = async (effect: VirtualEffect): Promise<{ texts: number; tookMs: number; error: unknown }> => {
    const world = new World(1);
    const times = { vendor: 'a', fromMs: 0, toMs: 1_000 };
    const options = { name: 'a', firstContentMs: { median: 400, sigma: 0 }, answer };
    const vendor = new VirtualVendor(options, [{ ...effect, ...times }], world);
    const caller = new AbortController();
    world.schedule(60_000, () => caller.abort('nothing more came'));
    let texts = 0;
    let tookMs = 0;
    let error: unknown;
    const read = async (): Promise<void> => {
      const provider = vendor.target().connect('model', undefined);
      try {
        for await (const event of provider.stream(requestOf(500), { signal: caller.signal })) {
          if (event.type !== 'text') continue;
          texts += 1;
          tookMs = world.nowMs();
        }
      } catch (thrown) {
        error = thrown;
      }
    };
    world.schedule(0, () => void read());
    await world.run(() => false);
    return { texts, tookMs, error };
  };

  test.each([
    [{ kind: 'stall', afterTokens: 64 }, 2, 'nothing more came'],
    [{ kind: 'stall' }, 1, 'nothing more came'],
    [{ kind: 'cut', afterTokens: 100 }, 4, { message: 'a sent an answer that broke off' }],
    [{ kind: 'malformed', afterTokens: 33 }, 2, { message: 'a sent an answer that is not JSON' }],
    [{ kind: 'error-in-stream', afterTokens: 1 }, 1, { message: expect.stringContaining('an error inside') }],
    [{ kind: 'error-in-stream' }, 0, { message: expect.stringContaining('an error inside') }],
    [{ kind: 'no-end' }, 4, { message: 'a sent an answer without its end' }],
  ] as const)('%o comes after so many tokens, 32 of them at a time', async (effect, texts, error) => {
    const seen = await textsBefore(effect);
    expect(seen.texts).toBe(texts);
    if (texts > 0) expect(seen.tookMs).toBeCloseTo(400 + 320 * (texts - 1), 6);
    if (typeof error === 'string') expect(seen.error).toBe(error);
    else expect(seen.error).toMatchObject(error);
  });

  test('spares an answer that is shorter', async () => {
    expect(await textsBefore({ kind: 'cut', afterTokens: 129 })).toMatchObject({ texts: 4, error: undefined });
  });
});

test('a fault of a vendor strikes all its models, and one of a target that target alone', async () => {
  const world = new World(1);
  const firstContentMs = { median: 400, sigma: 0 };
  const [large, small] = ['large', 'small'].map((model) => ({ name: 'a', model, firstContentMs }));
  const isUp = (vendor: string): boolean[] =>
    [large, small].flatMap((options) => {
      if (options === undefined) return [];
      return new VirtualVendor(options, [{ vendor, kind: 'hang', fromMs: 0, toMs: 1 }], world).isUp(0);
    });
  expect(isUp('a')).toEqual([false, false]);
  expect(isUp('a/small')).toEqual([true, false]);
});

test('a fault that flaps comes and goes, and one with a probability strikes that part, ± 0.05', async () => {
  const flapping = await callEverySecond(8, [
    { kind: '5xx', fromMs: 0, toMs: 60_000, flap: { onMs: 2_000, offMs: 2_000 } },
  ]);
  expect(outcomes(flapping).map((outcome) => outcome === 'answered')).toEqual([
    false,
    false,
    true,
    true,
    false,
    false,
    true,
    true,
  ]);
  const partial = await callEverySecond(2_000, [{ kind: '5xx', fromMs: 0, toMs: 2_000_000, probability: 0.3 }]);
  expect(partial.filter(({ outcome }) => outcome !== 'answered').length / 2_000).toBeCloseTo(0.3, 1);
});

test('errors are as quick as measured: a 500 after 0.15 s and a tenth on average, a 429 after 0.12 s and a twentieth', async () => {
  const meanMs = async (kind: '5xx' | 'rate-limit'): Promise<number> => {
    const calls = await callEverySecond(2_000, [{ kind, fromMs: 0, toMs: 2_000_000 }]);
    return calls.reduce((sum, { tookMs }) => sum + tookMs, 0) / calls.length;
  };
  expect(Math.abs((await meanMs('5xx')) - 250)).toBeLessThan(10);
  expect(Math.abs((await meanMs('rate-limit')) - 170)).toBeLessThan(5);
});

describe('what a refusal says', () => {
  const at = 10_000;
  const HOUR = 3_600_000;
  const saidAfter = async (
    words: Partial<Extract<VirtualEffect, { kind: 'rate-limit' }>>,
    options: Partial<VirtualVendorOptions> = {},
    clock: readonly ClockJump[] = [],
  ): Promise<number | undefined> => {
    const fault = { kind: 'rate-limit', ...words, fromMs: at, toMs: 300_000 } as const;
    return (await callEverySecond(11, [fault], options, clock)).at(-1)?.retryAfterMs;
  };

  test.each([
    [{ form: 'seconds', ms: 19_400 }, 'openai', 20_000],
    [{ form: 'retry-after-ms', ms: 1_500 }, 'openai', 1_500],
    [{ form: 'x-ms-retry-after-ms', ms: 1_500 }, 'openai', 1_500],
    [{ form: 'retry-info', ms: 1_500 }, 'google', 1_500],
    [{ form: 'reset-headers', ms: 20_000 }, 'openai', 20_000],
    [{ form: 'reset-headers', ms: 20_000 }, 'anthropic', 20_000],
  ] as const)('%o in the form of %s', async (retryAfter, wire, ms) => {
    expect(await saidAfter({ retryAfter }, { wire })).toBe(ms);
  });

  test('a date, to the second above', async () => {
    const saidMs = await saidAfter({ retryAfter: { form: 'http-date', ms: 20_000 } });
    expect(saidMs).toBeGreaterThanOrEqual(20_000);
    expect(saidMs).toBeLessThan(21_000);
    expect(await saidAfter({ retryAfter: { form: 'http-date', ms: 20_000 } })).toBe(saidMs);
  });

  test('a date that is past is no wait, and a clock that was set makes an hour of it', async () => {
    expect(await saidAfter({ retryAfter: { form: 'http-date', ms: -HOUR } })).toBe(0);
    const date = { retryAfter: { form: 'http-date', ms: 20_000 } } as const;
    expect(await saidAfter(date, {}, [{ atMs: 5_000, byMs: HOUR }])).toBe(0);
    expect(Math.round(((await saidAfter(date, {}, [{ atMs: 5_000, byMs: -HOUR }])) ?? 0) / 1_000)).toBeCloseTo(
      3_620,
      -1,
    );
    // Set later than it is read, or set back again before.
    expect(await saidAfter(date, {}, [{ atMs: 15_000, byMs: -HOUR }])).toBeLessThan(21_000);
    const twice = [
      { atMs: 5_000, byMs: -HOUR },
      { atMs: 6_000, byMs: HOUR },
    ] as const;
    expect(await saidAfter(date, {}, twice)).toBeLessThan(21_000);
  });

  test('when the fault is over, if no time is given', async () => {
    const leftMs = (await saidAfter({ retryAfter: { form: 'retry-after-ms' } })) ?? 0;
    // Called at 0:10, and answered a fifth of a second later.
    expect(Math.abs(290_000 - leftMs)).toBeLessThan(1_000);
  });

  test('nothing, or what is not to be understood', async () => {
    expect(await saidAfter({})).toBeUndefined();
    expect(await saidAfter({ headers: { 'Retry-After': '-1' } })).toBeUndefined();
    expect(await saidAfter({ headers: { 'Retry-After': '0' } })).toBe(0);
  });

  test('the real clock is read by nobody, and is right afterwards', async () => {
    const { now } = Date;
    await saidAfter({ retryAfter: { form: 'http-date', ms: 20_000 } });
    expect(Date.now).toBe(now);
  });
});

/** What the transport tells while something runs: the heads of answers, oldest first. */
const headsOf = async (run: () => Promise<unknown>): Promise<{ status: number; headers: Record<string, string> }[]> => {
  const heads: { status: number; headers: Record<string, string> }[] = [];
  const hear = (message: unknown): void => {
    const { response } = message as { response: { statusCode: number; headers: readonly Buffer[] } };
    const texts = response.headers.map(String);
    const headers = Object.fromEntries(texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1] ?? '']] : [])));
    heads.push({ status: response.statusCode, headers });
  };
  subscribe('undici:request:headers', hear);
  await run();
  unsubscribe('undici:request:headers', hear);
  return heads;
};

describe('a vendor that allows 30 requests per minute', () => {
  const refusalOf = async (options: Partial<VirtualVendorOptions>): Promise<Call | undefined> => {
    const calls = await callEverySecond(61, [], options);
    const refused = calls.filter(({ outcome }) => outcome !== 'answered');
    expect(refused).toMatchObject([{ atMs: 59_000, outcome: 'rate-limited' }]);
    return refused[0];
  };
  const requestsPerMinute = 30;

  test('refuses the 60th in a row, and says how long to wait, each vendor in its own form', async () => {
    expect((await refusalOf({ rateLimit: { requestsPerMinute } }))?.retryAfterMs).toBe(1_000);
    for (const wire of ['anthropic', 'cohere', 'google'] as const) {
      expect((await refusalOf({ wire, rateLimit: { requestsPerMinute } }))?.retryAfterMs, wire).toBe(1_000);
    }
  });

  test('may say only when all of it is there again, or nothing', async () => {
    const resets = await refusalOf({ rateLimit: { requestsPerMinute, refusal: 'reset-headers' } });
    expect(resets?.retryAfterMs).toBeGreaterThan(58_000);
    const anthropic = await refusalOf({
      wire: 'anthropic',
      rateLimit: { requestsPerMinute, refusal: 'reset-headers' },
    });
    expect(anthropic?.retryAfterMs).toBeGreaterThan(58_000);
    const silent = await refusalOf({ rateLimit: { requestsPerMinute, refusal: 'no-hint' } });
    expect(silent?.retryAfterMs).toBeUndefined();
  });

  test('shows what is left in the headers of every answer, unless it hides it', async () => {
    const limits = { requestsPerMinute, tokensPerMinute: 60_000 };
    const openai = await headsOf(() => callEverySecond(2, [], { rateLimit: limits }));
    expect(openai).toMatchObject([
      { status: 200, headers: { 'x-ratelimit-limit-requests': '30', 'x-ratelimit-remaining-requests': '29' } },
      // Half a request has come back in the second between.
      { status: 200, headers: { 'x-ratelimit-remaining-requests': '28', 'x-ratelimit-reset-requests': '3s' } },
    ]);
    expect(Number(openai[0]?.headers['x-ratelimit-remaining-tokens'])).toBeLessThan(60_000);
    const [anthropic] = await headsOf(() => callEverySecond(1, [], { wire: 'anthropic', rateLimit: limits }));
    expect(anthropic?.headers).toMatchObject({
      'anthropic-ratelimit-requests-remaining': '29',
      // The bucket is whole again 2 s after the call, which was made as the year began.
      'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:02.000Z',
    });
    expect(anthropic?.headers['anthropic-ratelimit-tokens-limit']).toBe('60000');
    const hidden = await headsOf(() => callEverySecond(1, [], { rateLimit: { ...limits, shown: false } }));
    expect(hidden).toEqual([{ status: 200, headers: {} }]);
    expect(await headsOf(() => callEverySecond(1, []))).toEqual([{ status: 200, headers: {} }]);
  });

  test('counts tokens as well', async () => {
    const calls = await callEverySecond(4, [], { rateLimit: { tokensPerMinute: 1_600 } });
    expect(outcomes(calls)).toEqual(['answered', 'answered', 'answered', 'rate-limited']);
  });
});

test('the head of an answer comes when it is told to', async () => {
  const world = new World(1);
  const vendor = new VirtualVendor({ name: 'a', firstContentMs: { median: 400, sigma: 0 }, headMs: 150 }, [], world);
  const provider = vendor.target().connect('model', undefined);
  const seen: [string, number][] = [];
  const hear = (): void => void seen.push(['head', world.nowMs()]);
  subscribe('undici:request:headers', hear);
  world.schedule(0, () => {
    void (async () => {
      for await (const { type } of provider.stream(requestOf(500), { signal: new AbortController().signal })) {
        seen.push([type, world.nowMs()]);
      }
    })();
  });
  await world.run(() => false);
  unsubscribe('undici:request:headers', hear);
  expect(seen.slice(0, 3)).toEqual([
    ['head', 150],
    ['start', 150],
    ['text', 400],
  ]);
});

describe('a vendor that allows two calls at once', () => {
  const slow = { firstContentMs: { median: 2_500, sigma: 0 }, rateLimit: { atOnce: 2 } };

  test('refuses the third, and does not know for how long', async () => {
    const calls = await callEverySecond(5, [], slow);
    // Calls come at 0, 1, 2 … s; the first two are over at 2.5 and 3.5 s.
    expect(outcomes(calls)).toEqual(['answered', 'answered', 'rate-limited', 'answered', 'answered']);
    expect(calls[2]?.retryAfterMs).toBeUndefined();
    const overloaded = await callEverySecond(3, [], { ...slow, rateLimit: { atOnce: 2, atOnceStatus: 529 } });
    expect(outcomes(overloaded)).toEqual(['answered', 'answered', 'overloaded']);
  });

  test('takes nothing from its other limits for whom it turns away', async () => {
    const rateLimit = { atOnce: 2, requestsPerMinute: 30 };
    const heads = await headsOf(() => callEverySecond(3, [], { ...slow, rateLimit }));
    const left = heads.map(({ status, headers }) => [status, headers['x-ratelimit-remaining-requests']]);
    // The one that was turned away is answered first. 30 less the first and the second, half of one back each second.
    expect(left).toEqual([
      [429, '29'],
      [200, '29'],
      [200, '28'],
    ]);
  });

  test.each([
    ['before the first content', 1_000],
    ['in the middle of the answer', 3_000],
  ])('has room again as soon as somebody leaves %s, also if nobody reads on', async (_, leaveAtMs) => {
    const world = new World(1);
    const answer = { tokens: 3_200, msPerToken: 1_000 };
    const vendor = new VirtualVendor({ name: 'a', ...slow, answer }, [], world);
    const provider = vendor.target().connect('model', undefined);
    const callers = [new AbortController(), new AbortController()];
    for (const { signal } of callers) {
      const events = provider.stream(requestOf(500), { signal })[Symbol.asyncIterator]();
      // Reads up to the first content, and then no further.
      const read = async (): Promise<void> => {
        for (let i = 0; i < 2; i++) await events.next();
      };
      world.schedule(0, () => void read().catch(() => {}));
    }
    const atOnce: number[] = [];
    world.schedule(leaveAtMs - 1, () => atOnce.push(vendor.books.atOnce));
    world.schedule(leaveAtMs, () => callers[0]?.abort());
    world.schedule(leaveAtMs + 1, () => atOnce.push(vendor.books.atOnce));
    await world.run(() => atOnce.length === 2);
    expect(atOnce).toEqual([2, 1]);
  });
});

test('what is answered whole is billed, what breaks off is lost, and what is refused or ignored costs nothing', async () => {
  const tokensOf = async (effect?: VirtualEffect): Promise<{ billed: number; lost: number }> => {
    const world = new World(1);
    const answer = { tokens: 64, msPerToken: 10 };
    const faults = effect === undefined ? [] : [{ ...effect, vendor: 'a', fromMs: 0, toMs: 1_000 }];
    const options = { name: 'a', firstContentMs: { median: 400, sigma: 0 }, answer };
    const vendor = new VirtualVendor(options, faults, world);
    const provider = vendor.target().connect('model', undefined);
    const caller = new AbortController();
    world.schedule(60_000, () => caller.abort());
    const read = async (): Promise<void> => {
      for await (const _ of provider.stream(requestOf(500), { signal: caller.signal }));
    };
    world.schedule(0, () => void read().catch(() => {}));
    await world.run(() => false);
    return vendor.books.tokens;
  };
  const { billed, lost } = await tokensOf();
  expect(lost).toBe(0);
  const prompt = billed - 64;
  expect(prompt).toBeGreaterThan(400);
  expect(await tokensOf({ kind: 'cut' })).toEqual({ billed: prompt + 32, lost: prompt + 32 });
  expect(await tokensOf({ kind: 'error-in-stream' })).toEqual({ billed: prompt, lost: prompt });
  for (const kind of ['hang', '5xx', 'rate-limit', 'refuse'] as const) {
    expect(await tokensOf({ kind }), kind).toEqual({ billed: 0, lost: 0 });
  }
});

test('larger prompts take longer', async () => {
  const firstContentMs = [
    { upToTokens: 100, median: 100, sigma: 0 },
    { upToTokens: 1_000, median: 900, sigma: 0 },
  ];
  const calls = await callEverySecond(1, [], { firstContentMs });
  expect(calls[0]?.tookMs).toBe(900);
});
