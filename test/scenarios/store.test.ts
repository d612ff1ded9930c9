import { createRouter, type News, type Router, type RouterEvent, type Store } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

// Four processes in virtual time, with a store and without: what an outage costs them together, by calls that failed.

const PROCESSES = 4;
const EVERY_MS = 50;

interface Fleet {
  readonly world: World;
  readonly routers: readonly Router[];
  readonly first: Scripted;
  readonly told: News[][];
  readonly events: RouterEvent[];
}

/** Hands on what it is told, a millisecond later. */
const quick = (world: World, trust: Store['trust'], told: News[][]): Store => {
  const members = new Set<(news: readonly unknown[]) => void>();
  return {
    trust,
    join(hear) {
      members.add(hear);
      return {
        tell(news) {
          told.push([...news]);
          for (const other of members) if (other !== hear) world.schedule(1, () => other(news));
        },
      };
    },
  };
};

const fleet = (trust: Store['trust'] | undefined, backgroundProbes = false): Fleet => {
  const world = new World(7);
  const [told, events]: [News[][], RouterEvent[]] = [[], []];
  const [first, second] = [scripted(world, 'first'), scripted(world, 'second')];
  const store = trust && quick(world, trust, told);
  const routers = Array.from({ length: PROCESSES }, () =>
    createRouter({
      system: world,
      onEvent: (event) => events.push(event),
      ...(store && { store }),
      routes: { chat: { backgroundProbes, pool: [first.target(), second.target()] } },
    }),
  );
  return { world, routers, first, told, events };
};

/** Traffic for so long, in turns; all of it is answered. */
const traffic = async ({ world, routers }: Fleet, ms: number): Promise<void> => {
  const asking: Promise<unknown>[] = [];
  for (let i = 0; i < ms / EVERY_MS; i++) {
    const router = routers[i % PROCESSES] as Router;
    asking.push(router.chat('chat', hello));
    await world.pass(EVERY_MS);
  }
  await world.run(Promise.all(asking));
};

/** Calls to the first target in an outage of a minute. */
const outage = async (fleet: Fleet, act: Scripted['act']): Promise<number> => {
  await traffic(fleet, 10_000);
  fleet.first.act = act;
  const before = fleet.first.callsAtMs.length;
  await traffic(fleet, 60_000);
  return fleet.first.callsAtMs.length - before;
};

const DOWN = { failAfterMs: 20, failure: failure('server-error') } as const;
const LIMITED = { failAfterMs: 20, failure: failure('rate-limited', { retryAfterMs: 20_000 }) } as const;

describe('an outage of a minute, seen by four processes', () => {
  test('is probed as if they were one', async () => {
    // Three strikes of the one that sees it, two at most of each other before that; a probe after about 5, 15 and 35 s.
    expect(await outage(fleet('evidence'), DOWN)).toBe(3 + 2 * (PROCESSES - 1) + 3);
    expect(await outage(fleet(undefined), DOWN)).toBe(PROCESSES * (3 + 3));
  });

  test('is met once where a 429 names a time', async () => {
    expect(await outage(fleet('evidence'), LIMITED)).toBe(3);
    expect(await outage(fleet(undefined), LIMITED)).toBe(12);
  });

  test('is advice from another host: the target is asked last, and not left alone', async () => {
    const four = fleet('advice');
    await traffic(four, 10_000);
    four.first.act = DOWN;
    // One of them has seen it.
    for (let i = 0; i < 3; i++) await four.world.run((four.routers[0] as Router).chat('chat', hello));
    await four.world.pass(10);
    const standings = four.routers.map((router) => router.snapshot()[0]?.targets[0]?.standing);
    expect(standings).toEqual(['cooling', 'suspect', 'suspect', 'suspect']);
  });

  test('is over for all when it is over for one', async () => {
    const four = fleet('evidence');
    await outage(four, DOWN);
    four.first.act = { answerAfterMs: 100 };
    const probes = four.events.filter((event) => event.type === 'attempt-started' && event.role === 'probe').length;
    await traffic(four, 60_000);
    for (const router of four.routers) expect(router.snapshot()[0]?.targets[0]?.standing).toBe('ready');
    const since = four.events.filter((event) => event.type === 'attempt-started' && event.role === 'probe').length;
    expect(since - probes).toBe(2);
  });
});

test('nothing is told while nothing changes, nor of a failure here and there', async () => {
  const four = fleet('evidence');
  await traffic(four, 10_000);
  four.first.act = DOWN;
  await traffic(four, EVERY_MS);
  four.first.act = { answerAfterMs: 100 };
  await traffic(four, 10_000);
  expect(four.told).toEqual([]);
});

test('what is told names neither address, key nor model', async () => {
  const four = fleet('evidence');
  await outage(four, LIMITED);
  expect(four.told.length).toBeGreaterThan(0);
  for (const { key } of four.told.flat()) expect(key).toMatch(/^(model|gate)-[0-9a-f]{32}$/);
});

test('of what others have seen an event says so, and only who has seen a target fall probes it in the background', async () => {
  const four = fleet('evidence', true);
  await outage(four, DOWN);
  const cooled = four.events.filter((event) => event.type === 'target-cooled');
  expect(cooled.filter((event) => 'heard' in event)).toHaveLength((cooled.length / PROCESSES) * (PROCESSES - 1));
  const probes = new Set(
    four.events.flatMap((event) =>
      'requestId' in event && event.requestId.startsWith('probe-') ? [event.requestId] : [],
    ),
  );
  // After about 5, 15 and 35 s.
  expect(probes.size).toBeLessThanOrEqual(3);
});
