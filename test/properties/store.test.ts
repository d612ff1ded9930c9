import { createRouter, isRouterError, type Membership, type News, type Router, type Store } from '@switchyard/core';
import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';
import { aPlan } from './arbitraries.ts';
import { play } from './play.ts';

// What holds of routers with a store, whatever becomes of the store. Number 20 of the list in router.test.ts: with the store down at
// any moment no request fails that would not have failed without it, and none waits for it.

vi.setConfig({ testTimeout: 120_000 });

/** From that moment on, a store does this; before it, it takes what it is told and says nothing. */
const WAYS = {
  throws: (): never => {
    throw new Error('the store is down');
  },
  rejects: () => Promise.reject(new Error('the store is down')),
  hangs: () => new Promise<never>(() => {}),
  'is silent': () => undefined,
} as const satisfies Record<string, Membership['tell']>;

const NONSENSE: readonly unknown[] = [null, 1, 'news', {}, { v: 2, about: 'model' }, { v: 1, about: 'gate', key: 'x' }];

const aBrokenStore: Arbitrary<(world: World) => Store> = fc
  .record({
    way: fc.constantFrom(...(Object.keys(WAYS) as (keyof typeof WAYS)[])),
    fromMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 60_000 })),
    joins: fc.boolean(),
    nonsense: fc.boolean(),
  })
  .map(({ way, fromMs, joins, nonsense }) => (world) => ({
    trust: 'evidence',
    join(hear) {
      if (!joins) throw new Error('the store is down');
      return {
        tell() {
          if (nonsense) hear(NONSENSE);
          return world.nowMs() < fromMs ? undefined : WAYS[way]();
        },
      };
    },
  }));

test('a store that is down from any moment on, in any way, changes nothing at all', () =>
  fc.assert(
    fc.asyncProperty(aPlan(), aBrokenStore, async (plan, store) => {
      const [without, with_] = [await play(plan), await play(plan, store)];
      const told = ({ steps }: typeof without): unknown => steps.map(({ event, page }) => ({ event, page }));
      expect(told(with_)).toEqual(told(without));
      const asked = ({ requests }: typeof without): unknown =>
        requests.map(({ outcome, openedAtMs, endedAtMs, heard }) => ({ outcome, openedAtMs, endedAtMs, heard }));
      expect(asked(with_)).toEqual(asked(without));
      expect(with_.leftOver).toEqual(without.leftOver);
    }),
    { numRuns: 60, interruptAfterTimeLimit: 60_000 },
  ));

/** A store that loses, repeats, holds up and mixes up what it is told. */
const lossy = (
  world: World,
  { losesOne, delaysMs }: { readonly losesOne: number; readonly delaysMs: number },
): Store => {
  const members = new Set<(news: readonly unknown[]) => void>();
  return {
    trust: 'evidence',
    join(hear) {
      members.add(hear);
      const hand = (other: typeof hear, news: readonly News[]): void => {
        if (world.dice() < losesOne) return;
        world.schedule(delaysMs * world.dice(), () => other(JSON.parse(JSON.stringify(news))));
      };
      return {
        tell(news) {
          for (const other of members) {
            if (other === hear) continue;
            hand(other, news);
            if (world.dice() < 0.2) hand(other, news);
          }
        },
      };
    },
  };
};

const OUTAGES: readonly Act[] = [
  { answerAfterMs: 50 },
  { failAfterMs: 20, failure: failure('server-error') },
  { failAfterMs: 20, failure: failure('overloaded', { retryAfterMs: 3_000 }) },
  { failAfterMs: 20, failure: failure('rate-limited', { retryAfterMs: 5_000 }) },
  { failAfterMs: 20, failure: failure('unauthorized') },
  { hang: true },
];

interface Story {
  readonly seed: number;
  readonly losesOne: number;
  readonly delaysMs: number;
  /** Every ten seconds, what each of two targets does; the third is always well. */
  readonly phases: readonly (readonly [number, number])[];
}

const aStory: Arbitrary<Story> = fc.record({
  seed: fc.integer(),
  losesOne: fc.constantFrom(0, 0.1, 0.5, 1),
  delaysMs: fc.constantFrom(0, 5, 2_000),
  phases: fc.array(
    fc.tuple(fc.nat({ max: OUTAGES.length - 1 }), fc.nat({ max: OUTAGES.length - 1 })) as Arbitrary<[number, number]>,
    { minLength: 1, maxLength: 6 },
  ),
});

const ROUTERS = 3;

/** Three processes, in one world. */
const peersIn = (world: World, store: Store): { readonly routers: Router[]; readonly targets: Scripted[] } => {
  const targets = ['a', 'b', 'c'].map((name) => scripted(world, name, { answerAfterMs: 50 }));
  const routers = Array.from({ length: ROUTERS }, () =>
    createRouter({
      system: world,
      store,
      // In turns, so that every target is asked, and probed when it is due.
      routes: {
        chat: { strategy: 'round-robin', pool: targets.map(({ target }) => target({ timeouts: { answer: '2s' } })) },
      },
    }),
  );
  return { routers, targets };
};

describe('three routers, whatever becomes of what they tell one another,', () => {
  test('answer every request while one target is well, and come back to what is', () =>
    fc.assert(
      fc.asyncProperty(aStory, async (story) => {
        const world = new World(story.seed);
        const { routers, targets } = peersIn(world, lossy(world, story));
        const asking: Promise<string>[] = [];
        const ask = async (router: Router | undefined): Promise<string> => {
          try {
            return (await router?.chat('chat', hello))?.served.target.vendor ?? '';
          } catch (error) {
            return isRouterError(error) ? error.code : String(error);
          }
        };
        const traffic = async (ms: number): Promise<void> => {
          for (let passed = 0; passed < ms; passed += 250) {
            asking.push(ask(routers[Math.floor(world.dice() * ROUTERS)]));
            await world.pass(250);
          }
        };
        for (const phase of story.phases) {
          phase.forEach((act, i) => {
            (targets[i] as Scripted).act = OUTAGES[act] as Act;
          });
          await traffic(10_000);
        }
        for (const target of targets) target.act = { answerAfterMs: 50 };
        // A refused key is tried again after five minutes, and a quarter more.
        await world.pass(400_000);
        await traffic(60_000);
        const answers = await world.run(Promise.all(asking));
        for (const answer of answers) expect(['a', 'b', 'c']).toContain(answer);
        for (const router of routers) {
          const [a, b, c] = router.snapshot()[0]?.targets ?? [];
          for (const target of [a, b, c]) expect(['ready', 'ramping']).toContain(target?.standing);
        }
      }),
      { numRuns: 40, interruptAfterTimeLimit: 60_000 },
    ));
});
