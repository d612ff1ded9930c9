import {
  type ChatEvent,
  type ChatRequest,
  type ChatStream,
  createRouter,
  type Failure,
  isRouterError,
  type RouteConfig,
  type Router,
  type RouterError,
  type RouterEvent,
  type StreamOptions,
} from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { failure, hello, type Scripted, type StreamAct, scripted, World } from '../virtual/world.ts';

// What becomes of a stream that breaks, by the clock of a virtual world.

const TALE = 'Once upon a time there was a pool of vendors, and one of them always stopped in the middle of its';
const END = ' sentence. The others knew how it went on.';
const WHOLE = TALE + END;

const say = (text: string, afterMs = 10): StreamAct => ({ afterMs, event: { type: 'text', text } });
const think = (text: string): StreamAct => ({ afterMs: 10, event: { type: 'reasoning', text } });
const finish: StreamAct = { afterMs: 10, event: { type: 'finish', reason: 'stop' } };
const broken: StreamAct = { fail: failure('broken') };
const usage = (inputTokens: number, outputTokens: number): StreamAct => ({
  afterMs: 0,
  event: { type: 'usage', usage: { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 } },
});

const tells = (...acts: readonly StreamAct[]): Scripted['act'] => ({ answerAfterMs: 100, says: () => acts });

/** Says the rest of the tale, as it was asked to. */
const carriesOn: Scripted['act'] = {
  answerAfterMs: 100,
  says: ({ continuation }: ChatRequest): readonly StreamAct[] => {
    if (continuation === undefined) return [say(WHOLE), finish, usage(7, 11)];
    const rest = WHOLE.slice(continuation.text.length);
    const words = continuation.how === 'instruction' ? continuation.anchor + rest : rest;
    return [...words.split(/(?<= )/).map((word) => say(word, 1)), finish, usage(7, 11)];
  },
};

interface Story {
  readonly world: World;
  readonly router: Router;
  readonly events: RouterEvent[];
  readonly a: Scripted;
  readonly b: Scripted;
  readonly c: Scripted;
  stream(request?: ChatRequest, options?: StreamOptions): ChatStream;
}

const story = (recovery: NonNullable<RouteConfig['recovery']>, more: Partial<RouteConfig> = {}): Story => {
  const world = new World();
  const [a, b, c] = [scripted(world, 'a', carriesOn), scripted(world, 'b', carriesOn), scripted(world, 'c', carriesOn)];
  const events: RouterEvent[] = [];
  const router = createRouter({
    system: world,
    onEvent: (event) => events.push(event),
    routes: { chat: { recovery, pool: [a.target(), b.target(), c.target()], ...more } },
  });
  return {
    world,
    router,
    events,
    a,
    b,
    c,
    stream: (request = hello, options) => router.stream('chat', request, options),
  };
};

interface Got {
  readonly events: readonly ChatEvent[];
  readonly text: string;
  readonly error: RouterError | undefined;
}

const read = async (stream: AsyncIterable<ChatEvent>): Promise<Got> => {
  const events: ChatEvent[] = [];
  let error: RouterError | undefined;
  try {
    for await (const event of stream) events.push(event);
  } catch (thrown) {
    if (!isRouterError(thrown)) throw thrown;
    error = thrown;
  }
  return { events, text: textOf(events), error };
};

/** What a caller has, who forgets what came before a restart. */
const textOf = (events: readonly ChatEvent[]): string =>
  events.reduce((text, event) => {
    if (event.type === 'seam' && event.mode === 'restart') return '';
    return event.type === 'text' ? text + event.text : text;
  }, '');

const seams = ({ events }: Got): readonly string[] =>
  events.flatMap((event) => (event.type === 'seam' ? [`${event.mode} ${event.from} → ${event.to}`] : []));

const outcomes = ({ error }: Got): readonly string[] =>
  error?.attempts.map(({ target, outcome }) => `${target} ${outcome}`) ?? [];

const typesOf = (events: readonly RouterEvent[]): readonly string[] => events.map(({ type }) => type);

const MODES = ['error', 'continue', 'restart', 'buffer'] as const;
const schema = { ...hello, output: { type: 'json' } } as const;
const hidesThoughts: StreamOptions = { forwards: ({ type }) => type !== 'reasoning' };

describe('before the caller has seen anything', () => {
  test.each(MODES)(
    'thoughts that it does not get commit nobody: the next target takes over unseen (%s)',
    async (mode) => {
      const { world, events, a, stream } = story(mode);
      a.act = tells(think('Let me see.'), think(' Hm.'), broken);
      const answer = stream(hello, hidesThoughts);
      const got = await world.run(read(answer));
      expect(got.text).toBe(WHOLE);
      expect(got.events.filter(({ type }) => type === 'start')).toHaveLength(1);
      expect(got.events.some(({ type }) => type === 'seam' || type === 'reasoning')).toBe(false);
      const served = await answer.opened;
      expect(served.target.id).toBe('b/m');
      expect(served.attempts.map(({ outcome }) => outcome)).toEqual(['broken', 'answered']);
      expect(typesOf(events).filter((type) => type.startsWith('request-'))).toEqual([
        'request-started',
        'request-answered',
        'request-completed',
      ]);
      expect(world.pendingTimers).toBe(0);
    },
  );

  test('thoughts that it gets do', async () => {
    const { world, a, stream } = story('error');
    a.act = tells(think('Let me see.'), broken);
    const got = await world.run(read(stream()));
    expect(got.error?.code).toBe('answer-broke-off');
    expect(got.events.map(({ type }) => type)).toEqual(['start', 'reasoning']);
  });

  test('a stall is unseen as well, and so is an error of nobody left', async () => {
    const { world, events, a, b, c, stream } = story('continue');
    a.act = tells(think('Let me see.'), 'hang');
    for (const other of [b, c]) other.act = { failAfterMs: 10, failure: failure('overloaded') };
    const got = await world.run(read(stream(hello, hidesThoughts)));
    expect(got.events).toEqual([]);
    expect(got.error?.code).toBe('all-targets-failed');
    expect(outcomes(got)).toEqual(['a/m stalled', 'b/m overloaded', 'c/m overloaded']);
    expect(typesOf(events).at(-1)).toBe('request-failed');
  });

  test('who sends and sends without content is broken, before and behind the first sign of life', async () => {
    const { world, a, b, stream } = story('error');
    const other: StreamAct = { afterMs: 0, event: { type: 'other', bytes: new Uint8Array(1_500 * 1024) } };
    a.act = tells(other, other, other, say(WHOLE), finish);
    b.act = tells(think('Hm.'), other, other, other, say(WHOLE), finish);
    const answer = stream(hello, hidesThoughts);
    const got = await world.run(read(answer));
    expect(got.text).toBe(WHOLE);
    expect((await answer.opened).attempts.map(({ outcome }) => outcome)).toEqual(['broken', 'broken', 'answered']);
    expect([a, b].map(({ abortsAtMs }) => abortsAtMs.length)).toEqual([0, 1]);
  });

  test('a caller who leaves meanwhile stops it all', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(think('Let me see.'), 'hang');
    const caller = new AbortController();
    const reading = read(stream(hello, { ...hidesThoughts, signal: caller.signal }));
    await world.pass(500);
    caller.abort();
    const got = await world.run(reading);
    expect(got.error?.code).toBe('aborted');
    expect(a.abortsAtMs).toHaveLength(1);
    expect(b.callsAtMs).toEqual([]);
    expect(world.pendingTimers).toBe(0);
  });
});

describe('error', () => {
  test('a stream that breaks ends there', async () => {
    const { world, a, b, stream } = story('error');
    a.act = tells(say(TALE), broken);
    const got = await world.run(read(stream()));
    expect(got.text).toBe(TALE);
    expect(got.error?.code).toBe('answer-broke-off');
    expect(b.callsAtMs).toEqual([]);
  });
});

describe('continue', () => {
  test('the next target carries on, and the caller reads one text', async () => {
    const { world, events, a, b, stream } = story('continue');
    a.act = tells(say(TALE.slice(0, 30)), say(TALE.slice(30)), broken);
    const got = await world.run(read(stream()));
    expect(got.error).toBeUndefined();
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['continue a/m → b/m']);
    expect(got.events.filter(({ type }) => type === 'start')).toHaveLength(1);
    expect(b.requests[0]?.continuation).toMatchObject({ how: 'instruction', text: TALE });
    expect(events.find(({ type }) => type === 'request-resumed')).toMatchObject({
      from: 'a/m',
      to: 'b/m',
      mode: 'continue',
      deliveredCharacters: TALE.length,
    });
    expect(typesOf(events).filter((type) => type === 'request-answered')).toHaveLength(1);
    const sum = got.events.findLast(({ type }) => type === 'usage');
    expect(events.filter(({ type }) => type === 'request-completed')).toEqual([
      expect.objectContaining({ target: 'b/m', usage: sum?.type === 'usage' ? sum.usage : undefined }),
    ]);
    expect(world.pendingTimers).toBe(0);
  });

  test('no bytes follow the seam: they would be those of another answer', async () => {
    const { world, a, b, stream } = story('continue');
    const bytes = new Uint8Array(1);
    a.act = tells({ afterMs: 0, event: { type: 'text', text: TALE, bytes } }, broken);
    b.act = tells(
      { afterMs: 0, event: { type: 'text', text: END, bytes } },
      { afterMs: 0, event: { type: 'finish', reason: 'stop', bytes } },
    );
    const got = await world.run(read(stream()));
    expect(got.events.map((event) => [event.type, 'bytes' in event])).toEqual([
      ['start', false],
      ['text', true],
      ['seam', false],
      ['text', false],
      ['finish', false],
      ['usage', false],
    ]);
  });

  test('what only bytes could tell is not left out in silence: the next target is asked', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = tells(say(END.slice(0, 9)), { afterMs: 0, event: { type: 'unknown', name: 'search' } }, finish);
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['continue a/m → b/m', 'continue b/m → c/m']);
  });

  test('at every character of the text', async () => {
    for (let at = 1; at < WHOLE.length; at++) {
      const { world, a, stream } = story('continue');
      a.act = tells(say(WHOLE.slice(0, at)), broken);
      const got = await world.run(read(stream()));
      expect(got.text, `cut behind ${at} characters`).toBe(WHOLE);
      expect(got.error).toBeUndefined();
    }
  });

  test('of two that break after one another the second is carried on too', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = {
      answerAfterMs: 100,
      says: ({ continuation }) => [
        say(continuation?.how === 'instruction' ? continuation.anchor : ''),
        say(' sent'),
        broken,
      ],
    };
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['continue a/m → b/m', 'continue b/m → c/m']);
  });

  test('one that breaks before it says anything new leaves no trace in the answer', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = tells(say('Once upon a'), broken);
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['continue a/m → c/m']);
  });

  test('a stall is a break', async () => {
    const { world, a, stream } = story('continue');
    a.act = tells(say(TALE), 'hang');
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(a.abortsAtMs).toHaveLength(1);
  });

  test('usage adds up over the hops: as told, or as an estimate of what a broken one told nothing of', async () => {
    const usageOf = async (...acts: readonly StreamAct[]): Promise<ChatEvent | undefined> => {
      const { world, a, stream } = story('continue');
      a.act = tells(...acts);
      return (await world.run(read(stream()))).events.findLast(({ type }) => type === 'usage');
    };
    expect(await usageOf(say(TALE), usage(5, 20), broken)).toMatchObject({
      usage: { inputTokens: 12, outputTokens: 31 },
    });
    const estimated = await usageOf(say(TALE), broken);
    expect(estimated).toMatchObject({ usage: { isEstimate: true } });
    // Some twenty words.
    if (estimated?.type !== 'usage') throw new Error('no usage');
    expect(estimated.usage.outputTokens - 11).toBeGreaterThan(10);
    expect(estimated.usage.outputTokens - 11).toBeLessThan(40);
  });

  test('the target gets as long as the first had, from when it is asked', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), say('', 5_000), broken);
    b.act = { ...carriesOn, answerAfterMs: 800 };
    const got = await world.run(read(stream(hello, { deadlineMs: 1_000 })));
    expect(got.text).toBe(WHOLE);
  });

  test('a limit is less by what was said', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    await world.run(read(stream({ ...hello, maxOutputTokens: 100 })));
    expect(b.requests[0]?.maxOutputTokens).toBeLessThan(100);
    expect(b.requests[0]?.maxOutputTokens).toBeGreaterThan(60);
  });

  test('what nobody can go on from ends in the error', async () => {
    const call: StreamAct = {
      afterMs: 10,
      event: { type: 'tool-call', index: 0, id: '1', name: 'f', arguments: '{"a' },
    };
    const refusal: StreamAct = { afterMs: 10, event: { type: 'refusal', text: 'I would' } };
    for (const [request, ...acts] of [
      [hello, say(TALE), call, broken],
      [hello, refusal, broken],
      [schema, say('{"a'), broken],
      [{ ...hello, extra: { n: 2 } }, say(TALE), broken],
      [{ ...hello, extra: { logprobs: true } }, say(TALE), broken],
    ] as const) {
      const { world, a, b, stream } = story('continue');
      a.act = tells(...acts);
      const got = await world.run(read(stream(request)));
      expect(got.error?.code).toBe('answer-broke-off');
      expect(b.callsAtMs).toEqual([]);
    }
  });

  test('thoughts of the caller stay those of the first model', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(think('One thought.'), broken);
    b.act = tells(think('Another.'), say(WHOLE), finish);
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(got.events.filter(({ type }) => type === 'reasoning')).toHaveLength(1);
    expect(b.requests[0]?.continuation).toBeUndefined();
  });

  test.each([
    ['a break', broken],
    ['silence', 'hang'],
  ] as const)('what has finished is whole, whatever comes after: %s', async (_, after) => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(WHOLE), finish, after);
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(got.error).toBeUndefined();
    expect(b.callsAtMs).toEqual([]);
    expect(world.pendingTimers).toBe(0);
  });

  test('an answer that does not join is left for the next, and its target is not blamed', async () => {
    const { world, router, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = tells(say('Once upon a time there were three bears.'), 'hang');
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['continue a/m → c/m']);
    expect(b.abortsAtMs).toHaveLength(1);
    expect(router.snapshot()[0]?.targets[1]?.standing).toBe('ready');
    expect(world.pendingTimers).toBe(0);
  });

  test('where nobody can carry on, the caller hears of the break, once, with all that was tried', async () => {
    const { world, a, b, c, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = tells(say('Once upon a time there were three bears.'), finish);
    c.act = { failAfterMs: 10, failure: failure('overloaded') };
    const got = await world.run(read(stream()));
    expect(got.text).toBe(TALE);
    expect(got.error?.code).toBe('answer-broke-off');
    expect(got.error?.message).toBe("a/m: a vendor's broken.");
    expect(outcomes(got)).toEqual(['a/m broken', 'b/m unsupported', 'c/m overloaded']);
  });

  test('one that finds the request wrong speaks for itself alone: the first took it', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = { failAfterMs: 10, failure: failure('rejected') };
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['continue a/m → c/m']);
  });

  test('one that lost to the first by a moment has not failed, and may carry on', async () => {
    const world = new World();
    const [a, b] = [scripted(world, 'a', carriesOn), scripted(world, 'b', carriesOn)];
    const router = createRouter({
      system: world,
      routes: { chat: { recovery: 'continue', pool: [a.target(), b.target()] } },
    });
    // A hedge is paid for by traffic.
    for (let i = 0; i < 40; i++) await world.run(read(router.stream('chat', hello)));
    b.callsAtMs.length = 0;
    a.act = { answerAfterMs: 2_500, says: () => [say(TALE), say('', 100), broken] };
    b.act = { hang: true };
    const reading = read(router.stream('chat', hello));
    await world.pass(2_400);
    expect(b.callsAtMs).toHaveLength(1);
    b.act = carriesOn;
    const got = await world.run(reading);
    expect(got.text).toBe(WHOLE);
    expect(b.callsAtMs).toHaveLength(2);
  });

  test('a caller who leaves while the next target is asked, or speaks, stops that one', async () => {
    for (const afterMs of [200, 300]) {
      const { world, a, b, c, stream } = story('continue');
      a.act = tells(say(TALE), broken);
      b.act = { ...carriesOn, answerAfterMs: 150, says: () => [say(END), 'hang'] };
      const caller = new AbortController();
      const reading = read(stream(hello, { signal: caller.signal }));
      await world.pass(afterMs);
      caller.abort();
      const got = await world.run(reading);
      expect(got.error?.code).toBe('aborted');
      expect(b.abortsAtMs).toEqual([afterMs]);
      expect(c.callsAtMs).toEqual([]);
      // The vendor's own.
      await world.pass(1_000);
      expect(world.pendingTimers).toBe(0);
    }
  });

  test('leaving the loop behind the seam stops the target that speaks', async () => {
    const { world, a, b, stream } = story('continue');
    a.act = tells(say(TALE), broken);
    b.act = tells(say(END), 'hang');
    const seen = async (): Promise<void> => {
      for await (const event of stream()) if (event.type === 'seam') break;
    };
    await world.run(seen());
    await world.pass(0);
    expect(b.abortsAtMs).toHaveLength(1);
    expect(world.pendingTimers).toBe(0);
  });
});

describe('a model that goes on from its own turn', () => {
  const prefilled = (): Story => {
    const world = new World();
    const [a, b, c] = [scripted(world, 'a'), scripted(world, 'b', carriesOn), scripted(world, 'c', carriesOn)];
    a.act = tells(say(`${TALE} `), broken);
    const events: RouterEvent[] = [];
    const router = createRouter({
      system: world,
      onEvent: (event) => events.push(event),
      routes: { chat: { recovery: 'continue', pool: [a.target(), b.target({ prefill: true }), c.target()] } },
    });
    return { world, router, events, a, b, c, stream: (request = hello) => router.stream('chat', request) };
  };

  test('is asked so, without white space at the end', async () => {
    const { world, b, stream } = prefilled();
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(b.requests[0]?.continuation).toEqual({ how: 'prefill', text: TALE });
    expect(b.requests[0]?.messages.at(-1)).toEqual({ role: 'assistant', content: [{ type: 'text', text: TALE }] });
  });

  test('is asked in words where it is to think first', async () => {
    const { world, b, stream } = prefilled();
    await world.run(read(stream({ ...hello, reasoningEffort: 'high' })));
    expect(b.requests[0]?.continuation?.how).toBe('instruction');
  });

  test.each<Failure['kind']>(['rejected', 'unsupported'])(
    'and refuses it after all is asked in words within the same attempt, and from then on at once (%s)',
    async (kind) => {
      const { world, b, events, stream } = prefilled();
      const refuses: Scripted['act'] = {
        answerAfterMs: 100,
        says: (request) =>
          request.continuation?.how === 'prefill'
            ? [{ fail: failure(kind) }]
            : 'says' in carriesOn
              ? (carriesOn.says?.(request) ?? [])
              : [],
      };
      b.act = refuses;
      const got = await world.run(read(stream()));
      expect(got.text).toBe(WHOLE);
      expect(b.requests.map(({ continuation }) => continuation?.how)).toEqual(['prefill', 'instruction']);
      expect(events.filter(({ type }) => type === 'attempt-started')).toHaveLength(2);
      await world.run(read(stream()));
      expect(b.requests.at(-1)?.continuation?.how).toBe('instruction');
      expect(b.requests).toHaveLength(3);
    },
  );

  test('and refuses it in words too is left for the next, and may be asked so again', async () => {
    const { world, b, c, stream } = prefilled();
    b.act = { failAfterMs: 10, failure: failure('rejected') };
    const got = await world.run(read(stream()));
    expect(got.text).toBe(WHOLE);
    expect(c.callsAtMs).toHaveLength(1);
    await world.run(read(stream()));
    expect(b.requests.map(({ continuation }) => continuation?.how)).toEqual([
      'prefill',
      'instruction',
      'prefill',
      'instruction',
    ]);
  });

  test('and is overloaded is not asked twice', async () => {
    const { world, b, stream } = prefilled();
    b.act = { failAfterMs: 10, failure: failure('overloaded') };
    expect((await world.run(read(stream()))).text).toBe(WHOLE);
    expect(b.callsAtMs).toHaveLength(1);
  });
});

describe('restart', () => {
  test('the caller is told, and gets the next answer from its beginning', async () => {
    const { world, events, a, b, stream } = story('restart');
    a.act = tells(say('Something else'), broken);
    const got = await world.run(read(stream()));
    expect(got.events.map(({ type }) => type)).toEqual(['start', 'text', 'seam', 'text', 'finish', 'usage']);
    expect(got.text).toBe(WHOLE);
    expect(seams(got)).toEqual(['restart a/m → b/m']);
    expect(b.requests[0]?.continuation).toBeUndefined();
    expect(events.find(({ type }) => type === 'request-resumed')).toMatchObject({ mode: 'restart' });
  });

  test('also in the middle of a tool call, or of JSON', async () => {
    const call: StreamAct = {
      afterMs: 10,
      event: { type: 'tool-call', index: 0, id: '1', name: 'f', arguments: '{"a' },
    };
    for (const [request, act] of [
      [hello, call],
      [schema, say('{"a')],
    ] as const) {
      const { world, a, stream } = story('restart');
      a.act = tells(act, broken);
      const got = await world.run(read(stream(request)));
      expect(got.error).toBeUndefined();
      expect(got.text).toBe(WHOLE);
    }
  });

  test('again, when the next one breaks as well; one of which nothing was seen needs no signal', async () => {
    const { world, events, a, b, c, stream } = story('restart');
    a.act = tells(say('aaa'), broken);
    b.act = tells(think('b'), broken);
    const hidden = await world.run(read(stream(hello, hidesThoughts)));
    expect(seams(hidden)).toEqual(['restart a/m → c/m']);
    b.act = tells(say('b'), broken);
    c.act = tells(say('c'), broken);
    const seen = await world.run(read(stream()));
    expect(seams(seen)).toEqual(['restart a/m → b/m', 'restart b/m → c/m']);
    expect(seen.error?.code).toBe('answer-broke-off');
    expect(seen.error?.message).toContain('c/m');
    const delivered = events.flatMap((event) => (event.type === 'request-resumed' ? [event.deliveredCharacters] : []));
    expect(delivered).toEqual([3, 3, 1]);
  });

  test('not of several choices, of which the others would be missing', async () => {
    const { world, a, b, stream } = story('restart');
    a.act = tells(say('a'), broken);
    const got = await world.run(read(stream({ ...hello, extra: { n: 2 } })));
    expect(got.error?.code).toBe('answer-broke-off');
    expect(b.callsAtMs).toEqual([]);
  });
});

describe('buffer', () => {
  test('nothing is handed out before the answer is whole, and every break is unseen', async () => {
    const { world, a, b, stream } = story('buffer');
    a.act = tells(say('Something else', 1_000), broken);
    b.act = tells(say(TALE, 1_000), say(END, 1_000), finish, usage(7, 11));
    const answer = stream();
    let openedAtMs: number | undefined;
    void answer.opened.then(() => {
      openedAtMs = world.nowMs();
    });
    const got = await world.run(read(answer));
    expect(got.events.map(({ type }) => type)).toEqual(['start', 'text', 'text', 'finish', 'usage']);
    expect(got.text).toBe(WHOLE);
    expect(openedAtMs).toBe(100 + 1_000 + 100 + 2_000 + 10);
    expect((await answer.opened).target.id).toBe('b/m');
  });

  test('where all break, the caller has an error and nothing else', async () => {
    const { world, a, b, c, stream } = story('buffer');
    for (const each of [a, b, c]) each.act = tells(say(TALE), broken);
    const got = await world.run(read(stream()));
    expect(got.events).toEqual([]);
    expect(got.error?.code).toBe('all-targets-failed');
    expect(outcomes(got)).toEqual(['a/m broken', 'b/m broken', 'c/m broken']);
  });

  test('an answer beyond 8 MiB streams after all, and ends in an error where it breaks', async () => {
    const { world, a, b, stream } = story('buffer');
    const megabyte = 'x'.repeat(1024 * 1024);
    a.act = tells(...Array.from({ length: 9 }, () => say(megabyte)), broken);
    const got = await world.run(read(stream()));
    expect(got.text).toHaveLength(9 * 1024 * 1024);
    expect(got.error?.code).toBe('answer-broke-off');
    expect(b.callsAtMs).toEqual([]);
  });

  test('a caller who leaves meanwhile stops the target', async () => {
    const { world, a, stream } = story('buffer');
    a.act = tells(say(TALE), 'hang');
    const caller = new AbortController();
    const reading = read(stream(hello, { signal: caller.signal }));
    await world.pass(500);
    caller.abort();
    expect((await world.run(reading)).error?.code).toBe('aborted');
    expect(a.abortsAtMs).toEqual([500]);
    expect(world.pendingTimers).toBe(0);
  });
});

test('an attempt that is left to tell whether its target is back holds up no recovery', async () => {
  const { world, router, a, b, c, stream } = story('continue', { strategy: 'priority' });
  a.act = { failAfterMs: 1, failure: failure('server-error') };
  for (let i = 0; i < 3; i++) await world.run(read(stream()));
  expect(router.snapshot()[0]?.targets[0]?.standing).toBe('cooling');
  await world.pass(60_000);
  // The one beside the probe answers, and breaks a second later; the probe answers while the next target is waited for.
  a.act = { ...carriesOn, answerAfterMs: 2_600 };
  b.act = tells(say(TALE), say('', 1_000), broken);
  c.act = { ...carriesOn, answerAfterMs: 1_000 };
  const startedAtMs = world.nowMs();
  const got = await world.run(read(stream()));
  expect(got.text).toBe(WHOLE);
  expect(seams(got)).toEqual(['continue b/m → c/m']);
  expect((c.callsAtMs.at(-1) ?? 0) - startedAtMs).toBeLessThan(2_500);
});
