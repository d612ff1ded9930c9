import {
  type AttemptReport,
  type ChatStream,
  createRouter,
  isRouterError,
  type Router,
  RouterError,
  type RouterEvent,
  type TargetPrice,
  type Usage,
} from '@switchyard/core';
import type { TargetOptions } from '@switchyard/core/provider';
import { describe, expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// What requests cost, and what becomes of those for which no money is left.

const DAY = 24 * 3_600_000;
const price: TargetPrice = { inputUsdPerMTok: 1_000, cachedInputUsdPerMTok: 100, outputUsdPerMTok: 10_000 };
const usage: Usage = { inputTokens: 12, outputTokens: 30, cachedInputTokens: 4, reasoningTokens: 10 };
/** 8 · 0.001 + 4 · 0.0001 + 30 · 0.01 */
const USAGE_USD = 0.3084;
/** Of `hello`, which is estimated at five tokens. */
const PROMPT_USD = 0.005;
const answered: Act = { answerAfterMs: 100, usage };
const word = { afterMs: 50, event: { type: 'text', text: 'twelve chars' } } as const;
const finish = { afterMs: 50, event: { type: 'finish', reason: 'stop' } } as const;
const used = { afterMs: 50, event: { type: 'usage', usage } } as const;

interface Setting {
  readonly world: World;
  readonly router: Router;
  readonly targets: readonly Scripted[];
  readonly events: RouterEvent[];
}

const setting = (
  acts: readonly Act[],
  options: readonly TargetOptions[] = acts.map(() => ({ price })),
  route: Partial<Parameters<typeof createRouter>[0]['routes'][string]> = {},
): Setting => {
  const world = new World();
  const events: RouterEvent[] = [];
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const pool = targets.map(({ target }, i) => target(options[i]));
  const router = createRouter({
    system: world,
    routes: { chat: { ...route, pool } },
    onEvent: (event) => events.push(event),
  });
  return { world, router, targets, events };
};

const chat = ({ world, router }: Setting): ReturnType<Router['chat']> => world.run(router.chat('chat', hello));

const readAll = async (stream: ChatStream, count = Number.POSITIVE_INFINITY): Promise<void> => {
  let left = count;
  for await (const _ of stream) {
    left -= 1;
    if (left <= 0) return;
  }
};

const last = <Type extends RouterEvent['type']>(events: readonly RouterEvent[], type: Type) =>
  events.findLast((event): event is RouterEvent & { readonly type: Type } => event.type === type);

const attemptsIn = (events: readonly RouterEvent[]): AttemptReport[] =>
  events.flatMap((event) => (event.type === 'attempt-ended' ? [event.attempt] : []));

const refusal = async (asked: Promise<unknown>): Promise<RouterError> => {
  const error: unknown = await asked.catch((thrown: unknown) => thrown);
  if (!isRouterError(error)) throw new Error('it was answered');
  return error;
};

describe('the cost of an answer', () => {
  test('is that of what its vendor says it used, in the answer, the attempt and the event', async () => {
    const made = setting([answered]);
    const { served } = await chat(made);
    const cost = { usd: expect.closeTo(USAGE_USD, 9), failedUsd: 0, hedgedUsd: 0, estimated: false };
    expect(served.cost).toEqual(cost);
    expect(served.attempts).toEqual([expect.objectContaining({ usd: cost.usd, estimated: false })]);
    expect(last(made.events, 'request-completed')?.cost).toEqual(cost);
    expect(attemptsIn(made.events)).toEqual([expect.objectContaining({ usd: cost.usd })]);
  });

  test('of a stream is known at its end', async () => {
    const made = setting([{ answerAfterMs: 100, thenEvents: [word, finish, used] }]);
    const stream = made.router.stream('chat', hello);
    const reading = readAll(stream);
    const served = await made.world.run(stream.opened);
    expect(served.cost).toBeUndefined();
    expect(stream.cost).toBeUndefined();
    await made.world.run(reading);
    expect(stream.cost).toEqual({ usd: expect.closeTo(USAGE_USD, 9), failedUsd: 0, hedgedUsd: 0, estimated: false });
    expect(last(made.events, 'request-completed')?.cost).toEqual(stream.cost);
  });

  test('is estimated from the prompt and from what was heard where the vendor does not tell', async () => {
    const made = setting([{ answerAfterMs: 100, thenEvents: [word, finish] }]);
    const stream = made.router.stream('chat', hello);
    await made.world.run(readAll(stream));
    // 't0' and 'twelve chars': 14 characters, which make 4 tokens.
    expect(stream.cost).toEqual({
      usd: expect.closeTo(PROMPT_USD + 0.04, 9),
      failedUsd: 0,
      hedgedUsd: 0,
      estimated: true,
    });
  });

  test('of a stream that its caller leaves is what was heard until then', async () => {
    const made = setting([{ answerAfterMs: 100, thenEvents: [word, word, word, finish, used] }]);
    const stream = made.router.stream('chat', hello);
    await made.world.run(readAll(stream, 3));
    expect(stream.cost).toEqual({
      usd: expect.closeTo(PROMPT_USD + 0.04, 9),
      failedUsd: 0,
      hedgedUsd: 0,
      estimated: true,
    });
    expect(made.router.snapshot()[0]?.spending.usd).toBeCloseTo(PROMPT_USD + 0.04, 9);
  });

  test('of vectors is that of their input', async () => {
    const world = new World();
    const { target } = scripted(world, 't0');
    const spec = target({ space: 's', price });
    const router = createRouter({ system: world, routes: { vectors: { pool: [spec] } } });
    const { served } = await world.run(router.embed('vectors', { inputs: ['twelve chars'] }));
    // This vendor does not say what it used: three tokens are likely, and vectors are no tokens.
    expect(served.cost).toEqual({ usd: expect.closeTo(0.003, 9), failedUsd: 0, hedgedUsd: 0, estimated: true });
  });

  test('is not told where the target has no price, and is 0 where it is free', async () => {
    expect((await chat(setting([answered], [{}]))).served.cost).toBeUndefined();
    const free = setting([answered], [{ price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }]);
    expect((await chat(free)).served.cost).toEqual({ usd: 0, failedUsd: 0, hedgedUsd: 0, estimated: false });
  });
});

describe('what is paid beside an answer is told apart', () => {
  test('a vendor that answers with an error bills nothing', async () => {
    const { served } = await chat(setting([{ failAfterMs: 20, failure: failure('server-error') }, answered]));
    expect(served.cost).toEqual({ usd: expect.closeTo(USAGE_USD, 9), failedUsd: 0, hedgedUsd: 0, estimated: false });
  });

  test('an answer that could not be read was worked on: its prompt is paid', async () => {
    const broken: Act = { failAfterMs: 20, failure: failure('broken') };
    const { served } = await chat(setting([broken, answered]));
    expect(served.cost).toMatchObject({ usd: expect.closeTo(USAGE_USD, 9), estimated: true, hedgedUsd: 0 });
    expect(served.cost?.failedUsd).toBeCloseTo(PROMPT_USD, 3);
    expect(served.attempts[0]).toMatchObject({ outcome: 'broken', estimated: true });
  });

  test('an attempt that another was faster than is paid beside it', async () => {
    const made = setting([answered, answered]);
    for (let i = 0; i < 40; i++) await chat(made);
    (made.targets[0] as Scripted).act = { answerAfterMs: 60_000, usage };
    const { served } = await chat(made);
    expect(served.attempts.map(({ role, outcome }) => `${role} ${outcome}`)).toEqual([
      'first aborted',
      'hedge answered',
    ]);
    expect(served.cost).toMatchObject({ usd: expect.closeTo(USAGE_USD, 9), failedUsd: 0, estimated: true });
    expect(served.cost?.hedgedUsd).toBeGreaterThan(PROMPT_USD);
    expect(served.cost?.hedgedUsd).toBeLessThan(2 * PROMPT_USD);
  });

  test('a request that nobody answered has cost what its attempts did', async () => {
    const broken: Act = { failAfterMs: 20, failure: failure('broken') };
    const made = setting([broken, broken]);
    await refusal(chat(made));
    const cost = last(made.events, 'request-failed')?.cost;
    expect(cost).toEqual({ failedUsd: expect.closeTo(2 * PROMPT_USD, 9), hedgedUsd: 0, estimated: true });
  });

  test('a stream that breaks off has cost what was heard of it', async () => {
    const made = setting([{ answerAfterMs: 100, thenEvents: [word, { fail: failure('broken') }] }]);
    const stream = made.router.stream('chat', hello);
    await refusal(made.world.run(readAll(stream)));
    expect(stream.cost?.usd ?? stream.cost?.failedUsd).toBeCloseTo(PROMPT_USD + 0.04, 9);
    expect(attemptsIn(made.events).at(-1)).toMatchObject({ outcome: 'broken', estimated: true });
  });
});

describe('a stream that another target carries on with', () => {
  const cut: Act = { answerAfterMs: 100, thenEvents: [word, { fail: failure('broken') }] };
  const rest: Act = { answerAfterMs: 100, thenEvents: [word, finish, used] };

  test('has cost what both have: the caller has the words of both', async () => {
    const made = setting([cut, rest], undefined, { recovery: 'continue' });
    const stream = made.router.stream('chat', hello);
    await made.world.run(readAll(stream));
    const usd = expect.closeTo(PROMPT_USD + 0.04 + USAGE_USD, 9);
    expect(stream.cost).toEqual({ usd, failedUsd: 0, hedgedUsd: 0, estimated: true });
    expect(last(made.events, 'request-completed')?.cost).toEqual(stream.cost);
  });

  test('and that began anew has thrown away what came before', async () => {
    const made = setting([cut, rest], undefined, { recovery: 'restart' });
    const stream = made.router.stream('chat', hello);
    await made.world.run(readAll(stream));
    expect(stream.cost).toEqual({
      usd: expect.closeTo(USAGE_USD, 9),
      failedUsd: expect.closeTo(PROMPT_USD + 0.04, 9),
      hedgedUsd: 0,
      estimated: true,
    });
  });

  test('is paid to its end, whatever is left', async () => {
    const made = setting([cut, rest], undefined, { recovery: 'continue', budget: { usd: 0.01, per: '1h' } });
    await made.world.run(readAll(made.router.stream('chat', hello)));
    expect(last(made.events, 'request-completed')?.target).toBe('t1/m');
    expect((await refusal(chat(made))).code).toBe('budget-spent');
  });
});

describe('a target that has spent its budget', () => {
  const budget = { usd: 1, per: '1d' } as const;
  const spendAll = async (made: Setting): Promise<void> => {
    // Three of them come to 0.93, so that the fourth is begun, and is the last.
    for (let i = 0; i < 4; i++) expect((await chat(made)).served.target.id).toBe('t0/m');
  };

  test('is not asked, with the reason in trace, explanation and snapshot, until the day has passed', async () => {
    const made = setting([answered, answered], [{ price, budget }, { price }]);
    await spendAll(made);
    const reason = 'budget of $1 per 1d is spent';
    const { served } = await chat(made);
    expect(served.target.id).toBe('t1/m');
    expect(served.skipped).toEqual([{ target: 't0/m', reason }]);
    const { ranking, skipped } = made.router.explain('chat', hello);
    expect(ranking.map(({ target }) => target)).toEqual(['t1/m']);
    expect(skipped).toEqual([{ target: 't0/m', reason }]);
    const [target] = made.router.snapshot()[0]?.targets ?? [];
    expect(target).toMatchObject({ standing: 'cooling', reason, spending: { leftUsd: 0, reservedUsd: 0 } });
    expect(target?.spending.usd).toBeCloseTo(4 * USAGE_USD, 9);
    expect(target?.dueInMs).toBeGreaterThan(DAY - 1_000);
    expect(target?.dueInMs).toBeLessThanOrEqual(DAY + DAY / 60);
    await made.world.pass(target?.dueInMs ?? 0);
    expect((await chat(made)).served.target.id).toBe('t0/m');
  });

  test('is not even a last resort: the cap is its user’s order', async () => {
    const made = setting([answered, answered], [{ price, budget }, { price }]);
    await spendAll(made);
    (made.targets[1] as Scripted).act = { failAfterMs: 10, failure: failure('server-error') };
    const error = await refusal(chat(made));
    expect(error.code).toBe('all-targets-failed');
    expect(made.targets[0]?.callsAtMs).toHaveLength(4);
  });

  test('and is the last that could: the request is refused, with the time when money is back', async () => {
    const made = setting([answered], [{ price, budget }]);
    await spendAll(made);
    const error = await refusal(chat(made));
    expect(error.code).toBe('budget-spent');
    expect(error.attempts).toEqual([]);
    expect(error.retryAfterMs).toBeGreaterThan(DAY - 1_000);
    expect(last(made.events, 'request-failed')).toMatchObject({ code: 'budget-spent' });
  });

  test('counts failed and broken attempts too', async () => {
    const cut: Act = {
      answerAfterMs: 10,
      thenEvents: [{ ...word, event: { type: 'text', text: 'x'.repeat(400) } }, { fail: failure('broken') }],
    };
    const made = setting([cut], [{ price, budget }]);
    await refusal(made.world.run(readAll(made.router.stream('chat', hello))));
    expect((await refusal(made.world.run(readAll(made.router.stream('chat', hello))))).code).toBe('budget-spent');
  });

  test('requests that come all at once find what the others are likely to spend set aside', async () => {
    const made = setting([answered, answered], [{ price, budget }, { price }]);
    // What an answer usually costs is known from before.
    await chat(made);
    const asked = Array.from({ length: 20 }, () => made.router.chat('chat', hello));
    const served = (await made.world.run(Promise.all(asked))).map((answer) => answer.served.target.id);
    expect(served.filter((id) => id === 't0/m').length).toBeLessThanOrEqual(4);
    const spending = made.router.snapshot()[0]?.targets[0]?.spending;
    expect(spending?.usd).toBeLessThan(1 + 2 * USAGE_USD);
    expect(spending?.reservedUsd).toBeCloseTo(0, 9);
  });
});

describe('a route that has spent its budget', () => {
  const route = { budget: { usd: 0.5, per: '1h' } } as const;

  test('answers with an error and asks nobody, until the hour has passed', async () => {
    const made = setting([answered, answered], undefined, route);
    await chat(made);
    await chat(made);
    const error = await refusal(chat(made));
    expect(error).toMatchObject({ code: 'budget-spent', attempts: [] });
    expect(error.message).toBe("The budget of $0.5 per 1h is spent, of route 'chat'.");
    const reason = 'route: budget of $0.5 per 1h is spent';
    expect(error.skipped.map((each) => each.reason)).toEqual([reason, reason]);
    expect(made.router.explain('chat', hello)).toMatchObject({ ranking: [], skipped: [{ reason }, { reason }] });
    expect(made.router.snapshot()[0]?.spending).toMatchObject({ leftUsd: 0 });
    expect(made.targets.flatMap(({ callsAtMs }) => callsAtMs)).toHaveLength(2);
    await made.world.pass(error.retryAfterMs ?? 0);
    expect((await chat(made)).served.target.id).toBe('t0/m');
  });

  test('lets a request that was begun fall back, and lets no other begin', async () => {
    const made = setting([answered, answered], undefined, route);
    await chat(made);
    (made.targets[0] as Scripted).act = { failAfterMs: 200, failure: failure('server-error') };
    const late = made.router.chat('chat', hello);
    await made.world.pass(50);
    // What the late one is likely to cost is set aside, and with it the rest is gone.
    expect((await refusal(chat(made))).code).toBe('budget-spent');
    const { served } = await made.world.run(late);
    expect(served.attempts.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      't0/m server-error',
      't1/m answered',
    ]);
  });
});

describe('a config', () => {
  const problemsOf = (target: TargetOptions, route: object = {}): string => {
    const world = new World();
    try {
      createRouter({ system: world, routes: { chat: { ...route, pool: [scripted(world, 't0').target(target)] } } });
    } catch (error) {
      if (error instanceof RouterError) return error.message;
      throw error;
    }
    return '';
  };

  test('may not cap what has no price', () => {
    const budget = { usd: 1, per: '1d' } as const;
    expect(problemsOf({ budget })).toContain('routes.chat.pool[0].budget: what t0/m costs is not known');
    expect(problemsOf({}, { budget })).toContain('routes.chat.budget: what t0/m costs is not known');
    expect(problemsOf({ budget, price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }, { budget })).toBe('');
  });

  test.each([
    [{ usd: 0, per: '1d' }, 'budget.usd: expected US dollars, above 0'],
    [{ usd: 1, per: '10s' }, "budget.per: expected a minute at least, such as '1h', '1d' or '30d', and got \"10s\""],
    [{ usd: 1, per: 'day' }, 'budget.per: expected a minute'],
    [{ usd: 1 }, 'budget.per: '],
    [{ usd: 1, per: '1d', from: 'now' }, 'budget.from: unknown key'],
  ])('names what is wrong with %j', (budget, problem) => {
    expect(problemsOf({ price, budget: budget as TargetOptions['budget'] & object })).toContain(problem);
  });

  test('shows the price that is used, long prompts and all', () => {
    const { router } = setting([answered], [{ price: { ...price, longPrompts: { aboveInputTokens: 9, ...price } } }]);
    expect(router.snapshot()[0]?.targets[0]?.price).toEqual({
      ...price,
      longPrompts: { aboveInputTokens: 9, ...price },
    });
  });
});

test('a router made without prices is as it was: no cost anywhere', async () => {
  const made = setting([{ failAfterMs: 1, failure: failure('broken') }, answered], [{}, {}]);
  const { served } = await chat(made);
  expect(served.cost).toBeUndefined();
  for (const attempt of attemptsIn(made.events)) expect(attempt.usd).toBeUndefined();
  expect(last(made.events, 'request-completed')?.cost).toBeUndefined();
});

test('least-cost by its name serves from the cheapest, and falls back to the next dearer', async () => {
  const dear: TargetPrice = { inputUsdPerMTok: 3, outputUsdPerMTok: 15 };
  const cheap: TargetPrice = { inputUsdPerMTok: 0.25, outputUsdPerMTok: 2 };
  const made = setting([answered, answered, answered], [{}, { price: dear }, { price: cheap }], {
    strategy: 'least-cost',
  });
  expect((await chat(made)).served.target.id).toBe('t2/m');
  (made.targets[2] as Scripted).act = { failAfterMs: 10, failure: failure('server-error') };
  expect((await chat(made)).served.target.id).toBe('t1/m');
  (made.targets[1] as Scripted).act = { failAfterMs: 10, failure: failure('server-error') };
  const { served } = await chat(made);
  expect(served.attempts.map(({ target }) => target)).toEqual(['t2/m', 't1/m', 't0/m']);
  expect(made.router.snapshot()[0]?.targets[2]?.strategy).toMatchObject({ priced: true });
});
