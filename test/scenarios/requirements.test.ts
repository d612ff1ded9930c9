import { type ChatRequest, createRouter, type RouterError } from '@switchyard/core';
import type { TargetOptions } from '@switchyard/core/provider';
import { describe, expect, test } from 'vitest';
import { type Act, failure, hello, type Scripted, scripted, World } from '../virtual/world.ts';

const HOUR = 3_600_000;
const up: Act = { answerAfterMs: 100 };
const down: Act = { failAfterMs: 20, failure: failure('server-error', { status: 500 }) };
const tooLong = (message: string): Act => ({
  failAfterMs: 20,
  failure: failure('too-long', { status: 400, vendorError: { message } }),
});

/** About this many tokens of prose. */
const prompt = (tokens: number): ChatRequest => ({
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'once upon a time there was a fox '.repeat(tokens / 8) }] },
  ],
});

const poolOf = (
  options: readonly TargetOptions[],
  route: { readonly upstream?: 'stream' } = {},
): {
  readonly world: World;
  readonly targets: readonly Scripted[];
  readonly router: ReturnType<typeof createRouter>;
} => {
  const world = new World();
  const targets = options.map((_, i) => scripted(world, 'abcd'[i] as string, up));
  const pool = targets.map((target, i) => target.target(options[i]));
  return { world, targets, router: createRouter({ system: world, routes: { chat: { pool, ...route } } }) };
};

const errorOf = (promise: Promise<unknown>): Promise<RouterError> =>
  promise.then(
    () => Promise.reject(new Error('it was answered')),
    (error) => error,
  );

const callsOf = (targets: readonly Scripted[]): number[] => targets.map(({ callsAtMs }) => callsAtMs.length);

describe('a target that lacks what a request requires', () => {
  const image: ChatRequest = {
    messages: [{ role: 'user', content: [{ type: 'image', url: 'https://a.example/b.png' }] }],
  };
  const REQUESTS: readonly [keyof NonNullable<TargetOptions['supports']>, ChatRequest, string][] = [
    ['tools', { ...hello, tools: [{ name: 'f' }] }, 'tools'],
    ['vision', image, 'images'],
    ['files', { messages: [{ role: 'user', content: [{ type: 'file', url: 'https://a.example/b.pdf' }] }] }, 'files'],
    ['audio', { messages: [{ role: 'user', content: [{ type: 'audio', data: '', format: 'wav' }] }] }, 'audio'],
    ['audio', { ...hello, extra: { modalities: ['text', 'audio'] } }, 'audio'],
    ['schema', { ...hello, output: { type: 'json-schema', name: 'n', schema: {} } }, 'a JSON schema'],
  ];

  test.each(REQUESTS)(
    '%s: is skipped with the reason, and serves what does not need it',
    async (name, request, what) => {
      const { world, targets, router } = poolOf([{ supports: { [name]: false } }, {}]);
      const answer = await world.run(router.chat('chat', request));
      expect(answer.text).toBe('b');
      expect(answer.served.skipped).toEqual([{ target: 'a/m', reason: `does not support ${what}` }]);
      expect((await world.run(router.chat('chat', hello))).text).toBe('a');
      expect(callsOf(targets)).toEqual([1, 1]);
      expect(router.explain('chat', request).skipped).toEqual(answer.served.skipped);
    },
  );

  test('is never asked, not even when it is alone, and not when it drops what it cannot express', async () => {
    const { world, targets, router } = poolOf([{ supports: { vision: false }, unsupported: 'drop' }]);
    const error = await world.run(errorOf(router.chat('chat', { ...image, tools: [{ name: 'f' }] })));
    expect(error.code).toBe('no-capable-target');
    expect(error.message).toContain('a/m: does not support images');
    expect(callsOf(targets)).toEqual([0]);
  });

  test('names all that it lacks', async () => {
    const { world, router } = poolOf([{ supports: { vision: false, tools: false } }]);
    const error = await world.run(errorOf(router.chat('chat', { ...image, seed: 1, tools: [{ name: 'f' }] })));
    expect(error.skipped[0]?.reason).toBe('does not support tools; does not support images; cannot express seed');
  });
});

describe('a target that does not stream', () => {
  test('serves plain callers only', async () => {
    const { world, targets, router } = poolOf([{ supports: { streaming: false } }, {}]);
    const stream = router.stream('chat', hello);
    const served = await world.run(stream.opened);
    expect(served.target.id).toBe('b/m');
    expect(served.skipped).toEqual([{ target: 'a/m', reason: 'does not support streaming' }]);
    expect((await world.run(router.chat('chat', hello))).text).toBe('a');
    expect(callsOf(targets)).toEqual([1, 1]);
  });

  test('is asked for a plain answer where its route streams upstream, with the patience for one', async () => {
    const { world, targets, router } = poolOf([{ supports: { streaming: false } }, {}], { upstream: 'stream' });
    const [a, b] = targets as [Scripted, Scripted];
    // Longer than any stream may be silent, beside one that cannot help.
    a.act = { answerAfterMs: 60_000 };
    b.act = down;
    expect((await world.run(router.chat('chat', hello))).text).toBe('a');
    expect(a.abortsAtMs).toEqual([]);
  });
});

describe('a prompt that does not fit', () => {
  test('is not sent to a window that its estimate is clearly beyond', async () => {
    const { world, targets, router } = poolOf([{ contextWindow: 4_000 }, { contextWindow: 200_000 }]);
    const answer = await world.run(router.chat('chat', prompt(8_000)));
    expect(answer.text).toBe('b');
    expect(answer.served.skipped[0]?.reason).toMatch(
      /^needs about \d{4} tokens \(estimate\), and its window has 4000$/,
    );
    expect(callsOf(targets)).toEqual([0, 1]);
    const explained = router.explain('chat', prompt(8_000));
    expect(explained.ranking.map(({ target }) => target)).toEqual(['b/m']);
    expect(explained.skipped).toEqual(answer.served.skipped);
    expect(explained.estimatedTokens).toBeGreaterThan(7_000);
  });

  test('is sent to the largest windows all the same when nobody else is left: an estimate may be wrong', async () => {
    const { world, targets, router } = poolOf([
      { contextWindow: 1_000 },
      { contextWindow: 4_000 },
      { contextWindow: 4_000 },
    ]);
    expect(router.explain('chat', prompt(8_000)).ranking[0]?.target).toBe('b/m');
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('b');
    const [, second] = targets;
    if (second) second.act = down;
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('c');
    expect(callsOf(targets)).toEqual([0, 2, 1]);
  });

  test('is sent to a smaller window, the largest first, when those that it fits into have failed', async () => {
    const { world, targets, router } = poolOf([
      { contextWindow: 1_000 },
      { contextWindow: 4_000 },
      { contextWindow: 200_000 },
    ]);
    const [small, middle, large] = targets as [Scripted, Scripted, Scripted];
    large.act = down;
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('b');
    middle.act = down;
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('a');
    // It was too long: no smaller window is tried any more.
    middle.act = tooLong("This model's maximum context length is 4000 tokens.");
    await world.run(errorOf(router.chat('chat', prompt(8_000))));
    expect(callsOf([small])).toEqual([1]);
  });
});

describe('what refusals teach of a window', () => {
  test('is used for the next prompt, in each route with this key, and shown as learned', async () => {
    const world = new World();
    const [a, b] = [
      scripted(world, 'a', tooLong('prompt is too long: 8310 tokens > 5000 maximum')),
      scripted(world, 'b', up),
    ];
    const pool = [a.target(), b.target({ contextWindow: 200_000 })];
    const router = createRouter({ system: world, routes: { chat: { pool }, other: { pool } } });
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('b');
    expect(callsOf([a, b])).toEqual([1, 1]);
    const again = await world.run(router.chat('other', prompt(8_000)));
    expect(again.served.skipped[0]?.reason).toMatch(/ \(estimate\), and its window has 5000, as it has told$/);
    expect(callsOf([a, b])).toEqual([1, 2]);
    const [snapshot] = router.snapshot()[1]?.targets ?? [];
    expect(snapshot).not.toHaveProperty('contextWindow');
    expect(snapshot?.learnedWindow).toEqual({ tokens: 5_000, refusedEstimatedTokens: expect.any(Number) });
    // What fits goes there as before.
    a.act = up;
    expect((await world.run(router.chat('chat', prompt(2_000)))).text).toBe('a');
  });

  test('is forgotten after an hour', async () => {
    const { world, targets, router } = poolOf([{}, { contextWindow: 200_000 }]);
    const [a] = targets as [Scripted];
    a.act = tooLong('Your input exceeds the context window of this model.');
    for (let i = 0; i < 3; i++) await world.run(router.chat('chat', prompt(8_000)));
    expect(callsOf([a])).toEqual([1]);
    a.act = up;
    await world.pass(HOUR);
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('a');
    expect(router.snapshot()[0]?.targets[0]).not.toHaveProperty('learnedWindow');
  });

  test('is forgotten when as large a prompt is answered after all', async () => {
    const { world, targets, router } = poolOf([{}, { contextWindow: 200_000 }]);
    const [a, b] = targets as [Scripted, Scripted];
    a.act = tooLong('Your input exceeds the context window of this model.');
    await world.run(router.chat('chat', prompt(8_000)));
    a.act = up;
    // Nobody else is left, so that the estimate is not believed.
    b.act = down;
    expect((await world.run(router.chat('chat', prompt(9_000)))).text).toBe('a');
    b.act = up;
    expect((await world.run(router.chat('chat', prompt(8_000)))).text).toBe('a');
  });

  test('counts where a prompt was too long elsewhere: only larger windows follow, set or learned', async () => {
    const { world, targets, router } = poolOf([{}, {}, { contextWindow: 200_000 }]);
    const [a, b, c] = targets as [Scripted, Scripted, Scripted];
    b.act = tooLong('prompt is too long: 40000 tokens > 30000 maximum');
    a.act = down;
    await world.run(router.chat('chat', prompt(40_000)));
    expect(callsOf([a, b, c])).toEqual([1, 1, 1]);
    // Too long for a, and b's window is known by now to be larger: it goes there, and not to c.
    a.act = tooLong('prompt is too long: 9000 tokens > 8000 maximum');
    b.act = up;
    expect((await world.run(router.chat('chat', prompt(8_800)))).text).toBe('b');
  });
});
