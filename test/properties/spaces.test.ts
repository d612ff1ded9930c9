import { createRouter, type FailureKind, isRouterError, type StrategyName } from '@switchyard/core';
import fc, { type Arbitrary } from 'fast-check';
import { expect, test } from 'vitest';
import { type Act, failure, hello, scripted, World } from '../virtual/world.ts';

// What holds of vector spaces whatever the pools are, and whatever happens in them (N13).

interface TargetPlan {
  readonly space: string | undefined;
  readonly act: Act;
}

const KINDS: readonly FailureKind[] = [
  'server-error',
  'overloaded',
  'unreachable',
  'broken',
  'rate-limited',
  'not-found',
];

const anAct: Arbitrary<Act> = fc.oneof(
  fc.record({ answerAfterMs: fc.integer({ min: 1, max: 5_000 }) }),
  fc.record({
    failAfterMs: fc.integer({ min: 1, max: 5_000 }),
    failure: fc.constantFrom(...KINDS).map((kind) => failure(kind)),
  }),
  fc.constant<Act>({ hang: true }),
);

const aTarget = (spaces: readonly (string | undefined)[]): Arbitrary<TargetPlan> =>
  fc.record({ space: fc.constantFrom(...spaces), act: anAct });

const aPool = (...spaces: readonly (string | undefined)[]): Arbitrary<readonly TargetPlan[]> =>
  fc.array(aTarget(spaces), { minLength: 1, maxLength: 6 });

const aStrategy: Arbitrary<StrategyName> = fc.constantFrom('priority', 'weighted-round-robin');

const poolOf = (world: World, plans: readonly TargetPlan[]) =>
  plans.map(({ space, act }, i) => {
    const script = scripted(world, `t${i}`, act);
    return { script, space, spec: script.target(space === undefined ? {} : { space }) };
  });

test('a pool with two spaces does not start, and one with a single space does', () => {
  fc.assert(
    fc.property(aPool(undefined, 'a', 'b'), (plans) => {
      const pool = poolOf(new World(), plans).map(({ spec }) => spec);
      const spaces = new Set(plans.flatMap(({ space }) => space ?? []));
      const start = (): unknown => createRouter({ routes: { vectors: { pool } } });
      if (spaces.size < 2) expect(start).not.toThrow();
      else
        expect(start).toThrow(/pool\[\d\]\.space: '[ab]' is another vector space than '[ab]' of routes\.vectors\.pool/);
    }),
    { numRuns: 300 },
  );
});

test('an embedding comes from a target of its space or from nobody, and a chat never from one that makes embeddings', async () => {
  await fc.assert(
    fc.asyncProperty(
      aPool(undefined, 'a'),
      aPool('b'),
      aStrategy,
      fc.integer(),
      async (plans, others, strategy, seed) => {
        const world = new World(seed);
        const pool = poolOf(world, plans);
        const elsewhere = poolOf(world, others);
        const router = createRouter({
          system: world,
          routes: {
            a: { strategy, pool: pool.map(({ spec }) => spec) },
            b: { strategy, pool: elsewhere.map(({ spec }) => spec) },
          },
        });
        const embeds = pool.filter(({ space }) => space !== undefined);
        const talks = pool.filter(({ space }) => space === undefined);
        const calls = (of: typeof pool): number => of.reduce((sum, { script }) => sum + script.callsAtMs.length, 0);

        for (let i = 0; i < 3; i++) {
          const before = calls(talks);
          const answer = await world.run(router.embed('a', { inputs: ['one'] })).catch(noTarget);
          if (answer !== undefined) {
            expect(plans[Number(answer.served.target.id.slice(1, -2))]?.space).toBe('a');
            expect(answer.vectors).toHaveLength(1);
          } else if (embeds.length > 0 && i === 0) {
            expect(embeds.some(({ script }) => 'answerAfterMs' in script.act)).toBe(false);
          }
          expect(calls(talks)).toBe(before);
        }
        const before = calls(embeds);
        const answer = await world.run(router.chat('a', hello)).catch(noTarget);
        if (answer !== undefined) expect(plans[Number(answer.served.target.id.slice(1, -2))]?.space).toBeUndefined();
        expect(calls(embeds)).toBe(before);
        expect(calls(elsewhere)).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});

const noTarget = (error: unknown): undefined => {
  if (!isRouterError(error)) throw error;
  expect(['all-targets-failed', 'no-capable-target', 'deadline-exceeded']).toContain(error.code);
};
