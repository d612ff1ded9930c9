import { createRouter, type RouteConfig, type Router, type RouterEvent, type TargetSpec } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { checkConfig } from '../../packages/core/src/config.ts';
import { armsOf, experimentOf } from '../../packages/core/src/experiment.ts';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// Whole routers in virtual time: who is assigned to whom, who serves, and what the experiment makes of it.

interface Setting {
  readonly world: World;
  readonly router: Router;
  readonly targets: readonly Scripted[];
  readonly events: readonly RouterEvent[];
}

const WEIGHTS = [50, 20, 30];

type Options = Omit<Partial<RouteConfig>, 'pool'>;
type Pool = RouteConfig['pool'];
type PoolOf = (targets: readonly Scripted['target'][]) => Pool;

const byWeights: PoolOf = (targets) => targets.map((target, i) => target({ weight: WEIGHTS[i] ?? 1 }));
const even: PoolOf = (targets) => targets.map((target) => target());

const start = (options: Options = {}, poolOf: PoolOf = byWeights, acts: readonly Act[] = [up, up, up]): Setting => {
  const world = new World();
  const targets = acts.map((act, i) => scripted(world, `t${i}`, act));
  const events: RouterEvent[] = [];
  const pool = poolOf(targets.map(({ target }) => target));
  const router = createRouter({
    system: world,
    routes: { chat: { strategy: 'weighted-round-robin', experiment: {}, ...options, pool } },
    onEvent: (event) => events.push(event),
  });
  return { world, router, targets, events };
};

/** Two arms of the same weight. */
const pair = (options: Options = {}, poolOf: PoolOf = even, act: Act = up): Setting =>
  start(options, poolOf, [act, act]);

const down: Act = { failAfterMs: 20, failure: failure('server-error') };
const up: Act = { answerAfterMs: 100 };

const ask = async ({ world, router }: Setting, subject?: string) =>
  (await world.run(router.chat('chat', hello, { subject }))).served;

const subjects = (count: number): string[] => Array.from({ length: count }, (_, i) => `user-${i}`);

describe('a subject', () => {
  test('meets the same target each time, and is told who that is', async () => {
    const setting = start();
    for (const subject of subjects(30)) {
      const first = await ask(setting, subject);
      expect(first.assigned).toBe(first.target.id);
      for (let i = 0; i < 3; i++) expect((await ask(setting, subject)).target).toEqual(first.target);
    }
  });

  test('meets the same substitute while its arm is out, also once that is left alone, and its arm again after it', async () => {
    const setting = start();
    const before = new Map<string, string>();
    for (const subject of subjects(40)) before.set(subject, (await ask(setting, subject)).target.id);
    const out = setting.targets[0] as Scripted;
    out.act = down;
    const substitutes = new Map<string, string>();
    for (const round of [0, 1, 2]) {
      for (const [subject, own] of before) {
        const served = await ask(setting, subject);
        expect(served.assigned).toBe(own);
        if (own !== 't0/m') expect(served.target.id).toBe(own);
        else if (round === 0) substitutes.set(subject, served.target.id);
        else expect(served.target.id).toBe(substitutes.get(subject));
      }
    }
    expect(new Set(substitutes.values())).toEqual(new Set(['t1/m', 't2/m']));
    // Three of them have found out that it fails; the others were not sent there.
    expect(setting.router.snapshot()[0]?.targets[0]?.standing).toBe('cooling');
    out.act = up;
    await setting.world.pass(60_000);
    for (let i = 0; i < 3; i++) for (const subject of before.keys()) await ask(setting, subject);
    await setting.world.pass(60_000);
    for (const [subject, own] of before) expect((await ask(setting, subject)).target.id).toBe(own);
  });

  test('has the same arm in a pool with one target less, unless it was that one', async () => {
    const setting = start();
    const fewer = start({}, (targets) => byWeights(targets).slice(0, 2));
    const disabled = start({}, (targets) =>
      targets.map((target, i) => target({ weight: WEIGHTS[i] ?? 1, enabled: i !== 2 })),
    );
    let moved = 0;
    for (const subject of subjects(200)) {
      const { ranking, assigned } = setting.router.explain('chat', hello, { subject });
      const now = fewer.router.explain('chat', hello, { subject });
      expect(disabled.router.explain('chat', hello, { subject }).assigned).toBe(now.assigned);
      if (assigned !== 't2/m') expect(now.assigned).toBe(assigned);
      else {
        moved += 1;
        expect(now.assigned).toBe(ranking[1]?.target);
      }
    }
    expect(moved).toBeGreaterThan(30);
  });

  test('in groups is assigned to one, and served by a target of it', async () => {
    const setting = start({}, (targets) => {
      const [a, b, c] = targets.map((target) => target()) as [TargetSpec, TargetSpec, TargetSpec];
      return [
        { id: 'old', strategy: 'priority', pool: [a, b] },
        { id: 'new', pool: [c] },
      ];
    });
    (setting.targets[0] as Scripted).act = down;
    const seen = new Set<string>();
    for (const subject of subjects(40)) {
      const { assigned = '', target } = await ask(setting, subject);
      // Within its group the next one stands in, and it is the arm's own answer.
      expect(target.id).toBe(assigned === 'old' ? 't1/m' : 't2/m');
      seen.add(assigned);
    }
    const { arms } = setting.router.experiment('chat');
    expect(arms.map(({ id, servedElsewhere }) => [id, servedElsewhere])).toEqual([
      ['old', 0],
      ['new', 0],
    ]);
    expect(seen).toEqual(new Set(['old', 'new']));
  });
});

describe('whose request it is', () => {
  const request = (headers: Record<string, string>): Request => new Request('http://localhost/', { headers });
  const stickyBy = (asked: Request): string | null => asked.headers.get('x-user-id');

  test('is said by stickyBy, and by the caller in its place', async () => {
    const { router } = start({ stickyBy });
    const httpRequest = request({ 'x-user-id': 'user-1' });
    const assignedTo = (subject: string) => router.explain('chat', hello, { subject }).assigned;
    const others = subjects(20).filter((subject) => assignedTo(subject) !== assignedTo('user-1'));
    expect(router.explain('chat', hello, { httpRequest }).assigned).toBe(assignedTo('user-1'));
    expect(router.explain('chat', hello, { httpRequest, subject: others[0] }).assigned).toBe(
      assignedTo(others[0] ?? ''),
    );
  });

  test.each<[string, NonNullable<RouteConfig['stickyBy']>]>([
    ['throws', () => JSON.parse('no')],
    ['names nobody', () => null],
    ['names nobody by an empty text', () => ''],
    ['gives what is no text', () => 7 as unknown as string],
  ])('is unknown where stickyBy %s: shared out by the plain weights, and no part of the experiment', async (_, by) => {
    const { world, router, events } = start({ stickyBy: by });
    const served: string[] = [];
    for (let i = 0; i < 100; i++) {
      const answer = await world.run(router.chat('chat', hello, { httpRequest: request({}) }));
      expect(answer.served).not.toHaveProperty('assigned');
      served.push(answer.served.target.id);
    }
    expect(WEIGHTS.map((_, i) => served.filter((id) => id === `t${i}/m`).length)).toEqual(WEIGHTS);
    expect(
      router.experiment('chat').arms.every(({ subjects, assigned, served }) => subjects + assigned + served === 0),
    ).toBe(true);
    expect(events.some((event) => 'assigned' in event)).toBe(false);
  });

  test('no event tells it', async () => {
    const { world, router, events } = start();
    await world.run(router.chat('chat', hello, { subject: 'someone-in-particular' }));
    expect(events.find(({ type }) => type === 'request-completed')).toHaveProperty('assigned');
    expect(JSON.stringify([events, router.experiment('chat'), router.snapshot()])).not.toContain('someone');
  });
});

describe('the read-out', () => {
  test('of few subjects says that they are too few', async () => {
    const setting = pair();
    for (const subject of subjects(20)) await ask(setting, subject);
    const { comparisons, says, split } = setting.router.experiment('chat');
    expect(split.isTrusted).toBe(true);
    expect(comparisons).toMatchObject([{ arm: 't1/m', control: 't0/m', p: 1, isDecided: false }]);
    expect(comparisons[0]).not.toHaveProperty('ratio');
    expect(says).toMatch(
      /^Not enough to tell yet: t1\/m has \d+ subjects with a value, and t0\/m \d+; it takes 30 of each/,
    );
  });

  test('says which arm is faster, by how much, and that it may be read at any time', async () => {
    const setting = pair({ experiment: { alpha: 0.01 } });
    const dice = new World(7).dice;
    for (const subject of subjects(400)) {
      // 20 % less at the second, with a spread of half as much around each.
      for (const [i, target] of setting.targets.entries())
        target.act = { answerAfterMs: (i === 0 ? 100 : 80) * (0.75 + dice() / 2) };
      await ask(setting, subject);
    }
    const readout = setting.router.experiment('chat');
    const { says, comparisons, arms } = readout;
    expect(says).toMatch(
      /^t1\/m answers \d+ % faster than t0\/m \(between [\d.]+ and [\d.]+ %\)\. This may be read at any time: p < 0\.001\.$/,
    );
    const { low = 0, high = 0, estimate = 0 } = comparisons[0]?.ratio ?? {};
    expect(low).toBeLessThan(0.8);
    expect(high).toBeGreaterThan(0.8);
    expect([low < estimate, estimate < high, high < 1]).toEqual([true, true, true]);
    expect(arms[0]?.mean?.estimate).toBeGreaterThan(arms[1]?.mean?.estimate ?? 0);
    expect(JSON.parse(JSON.stringify(readout))).toEqual(readout);
  });

  test('counts by assignment, and tells apart who has served', async () => {
    const setting = pair();
    for (const subject of subjects(100)) await ask(setting, subject);
    const [a, b] = setting.router.experiment('chat').arms;
    expect((a?.subjects ?? 0) + (b?.subjects ?? 0)).toBe(100);
    (setting.targets[1] as Scripted).act = down;
    for (const subject of subjects(100)) await ask(setting, subject);
    const [one, other] = setting.router.experiment('chat').arms;
    // The split of subjects is as it was: an outage moves none.
    expect([one?.subjects, other?.subjects]).toEqual([a?.subjects, b?.subjects]);
    expect(one).toMatchObject({
      served: 100 + (a?.subjects ?? 0),
      servedElsewhere: 0,
      assigned: 2 * (a?.subjects ?? 0),
    });
    expect(other).toMatchObject({ served: b?.subjects, servedElsewhere: b?.subjects, failed: 0 });
    (setting.targets[0] as Scripted).act = down;
    const answered = await ask(setting, 'user-0').catch(() => 'nobody');
    expect(answered).toBe('nobody');
    const failed = setting.router.experiment('chat').arms.reduce((sum, arm) => sum + arm.failed, 0);
    expect(failed).toBe(1);
  });

  test('by cost takes what answers cost, and says what has no price', async () => {
    const usage = { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 0, reasoningTokens: 0 };
    const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 10 };
    const setting = pair({ experiment: { metric: 'cost' } }, (targets) => targets.map((target) => target({ price })));
    const dice = new World(9).dice;
    for (const subject of subjects(300)) {
      for (const [i, target] of setting.targets.entries()) {
        target.act = {
          answerAfterMs: 10,
          usage: { ...usage, outputTokens: Math.round((i + 1) * 100 * (0.5 + dice())) },
        };
      }
      await ask(setting, subject);
    }
    const { says, comparisons } = setting.router.experiment('chat');
    // 0.002 and 0.003 dollars.
    expect(comparisons[0]?.difference?.estimate).toBeCloseTo(0.001, 4);
    expect(says).toMatch(
      /^An answer of t1\/m costs \$0\.00\d+ more than one of t0\/m \(between \$0\.000\d+ and \$0\.00\d+\)\./,
    );
    const unpriced = pair({ experiment: { metric: 'cost' } });
    for (const subject of subjects(10)) await ask(unpriced, subject);
    expect(unpriced.router.experiment('chat').arms.reduce((sum, { unmeasured }) => sum + unmeasured, 0)).toBe(10);
  });

  test('by a function of yours takes whole answers, streams too; what it throws costs nobody an answer', async () => {
    const seen: string[] = [];
    const metric = ({ text }: { readonly text: string }): number => {
      seen.push(text);
      if (seen.length % 2 === 0) throw new Error('the metric');
      return text.length;
    };
    const word = { afterMs: 5, event: { type: 'text', text: ' and more' } } as const;
    const finish = { afterMs: 5, event: { type: 'finish', reason: 'stop' } } as const;
    const act: Act = { answerAfterMs: 10, thenEvents: [word, finish] };
    const setting = pair({ experiment: { metric } }, even, act);
    await ask(setting, 'user-1');
    const { world, router } = setting;
    const read = async (): Promise<void> => {
      for await (const _ of router.stream('chat', hello, { subject: 'user-1' })) void _;
    };
    await world.run(read());
    await ask(setting);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toBe(`${seen[0]} and more`);
    const { arms, metric: name } = router.experiment('chat');
    expect(name).toBe('own');
    expect(arms.reduce((sum, { measuredSubjects, unmeasured }) => sum + 10 * measuredSubjects + unmeasured, 0)).toBe(
      11,
    );
  });

  test('by feedback takes scores as they come, by the ids of requests', () => {
    const world = new World(3);
    const pool = ['t0', 't1'].map((name) => scripted(world, name).target());
    const [route] = checkConfig({
      routes: { chat: { strategy: 'weighted-round-robin', experiment: { metric: 'feedback' }, pool } },
    }).routes;
    if (route === undefined) throw new Error('no route');
    const arms = armsOf(route, route.strategy.forPool({ route: 'chat', targets: [], dice: world.dice }));
    const assigned = ['t0/m', 't1/m'];
    const book = experimentOf(route, arms);
    for (let i = 0; i < 600; i++) book?.enter(`sw-${i}`, `user-${i}`, assigned[i % 2] ?? '');
    // Hours later, half of them, in another order, and one that nobody knows.
    const score = (requestId: string, score: number, replaced = false): void =>
      book?.hear({
        type: 'feedback-received',
        atMs: 0,
        requestId,
        route: 'chat',
        target: 't0/m',
        score,
        ageMs: 3_600_000,
        replaced,
      });
    for (let i = 598; i >= 0; i -= 4) score(`sw-${i}`, world.dice() * 0.5);
    for (let i = 599; i >= 0; i -= 4) score(`sw-${i}`, world.dice() * 0.5 + 0.5);
    score('sw-unknown', 1);
    score('sw-598', 1, true);
    const readout = book?.readOut();
    expect(readout?.arms.map(({ subjects, measuredSubjects }) => [subjects, measuredSubjects])).toEqual([
      [300, 150],
      [300, 150],
    ]);
    expect(readout?.says).toMatch(
      /^t1\/m scores 0\.\d+ higher than t0\/m \(between 0\.\d+ and 0\.\d+\)\. This may be read at any time: p < 0\.001\.$/,
    );
  });

  test('hears of the scores that the router is given', async () => {
    const setting = pair({ experiment: { metric: 'feedback' } });
    const { router } = setting;
    for (const subject of subjects(20)) {
      const { served } = await setting.world.run(router.chat('chat', hello, { subject }));
      router.feedback(served.requestId, 0.5);
    }
    const { arms } = router.experiment('chat');
    expect(arms.map(({ measuredSubjects, subjects }) => measuredSubjects - subjects)).toEqual([0, 0]);
    expect(arms.reduce((sum, { measuredSubjects }) => sum + measuredSubjects, 0)).toBe(20);
  });

  test('is not to be trusted where subjects are not split as the weights say', async () => {
    const setting = pair();
    const { router } = setting;
    const own = subjects(2_000).filter((subject) => router.explain('chat', hello, { subject }).assigned === 't0/m');
    // Somebody keeps half of the second arm's subjects away.
    const others = subjects(300).filter((subject) => router.explain('chat', hello, { subject }).assigned === 't1/m');
    for (const subject of [...own.slice(0, 300), ...others]) await ask(setting, subject);
    const { split, says } = router.experiment('chat');
    expect(split.isTrusted).toBe(false);
    expect(says).toMatch(/^Do not trust this: subjects are split \d\d:\d\d where 50:50 was wanted \(p < 0\.001\)\.$/);
  });
});

describe('a config', () => {
  test.each<[string, Options, RegExp]>([
    ['a strategy that assigns nobody', { strategy: 'priority' }, /chat\.experiment: expected a strategy that assigns/],
    [
      'a control that is no arm',
      { experiment: { control: 'x' } },
      /experiment\.control: expected one of t0\/m, t1\/m, t2\/m/,
    ],
    ['a metric that is none', { experiment: { metric: 'speed' as 'cost' } }, /experiment\.metric: expected latency/],
    ['an alpha that is none', { experiment: { alpha: 5 } }, /routes\.chat\.experiment\.alpha/],
    ['a header for stickyBy', { stickyBy: 'x-user-id' as never }, /routes\.chat\.stickyBy: expected a function/],
  ])('with %s does not start', (_, options, message) => {
    expect(() => start(options)).toThrow(message);
  });

  test('with one arm does not start an experiment', () => {
    expect(() => start({}, (targets) => byWeights(targets).slice(0, 1))).toThrow(/expected a pool of two arms/);
  });

  test('without any of it has no experiment, and says so', () => {
    const world = new World();
    const router = createRouter({
      system: world,
      routes: {
        chat: {
          strategy: 'weighted-round-robin',
          pool: [scripted(world, 't0').target(), scripted(world, 't1').target()],
        },
      },
    });
    expect(() => router.experiment('chat')).toThrow(/Route 'chat' has no experiment/);
  });
});
