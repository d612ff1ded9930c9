import { type ChatRequest, createRouter } from '@switchyard/core';
import { createHandler } from '@switchyard/http';
import { type Fault, type Manners, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chatCompletions } from '../../packages/http/src/formats/chat-completions.ts';
import { messages } from '../../packages/http/src/formats/messages.ts';
import { responses } from '../../packages/http/src/formats/responses.ts';
import { answerOf, asking, askOnce, expectTruth, HARD_WORDS, oneVoice, type Seen, seamsOf } from './recovered.ts';
import { PROVIDERS, type ProviderName, simulated, vendorOf } from './targets.ts';

// Streams that break, over real HTTP through the real SDKs: each provider carries on for each other, wherever the stream
// is cut. All vendors say the same words, so that what the caller reads can be compared to the letter.

/** Targets at OpenAI's other API, beside the five. */
const NAMES = [...PROVIDERS, 'openai-responses'] as const;
type Name = (typeof NAMES)[number];
const providerOf = (name: Name): ProviderName => (name === 'openai-responses' ? 'openai' : name);
const target = (simulator: Simulator, name: Name, id: string, more: { readonly prefill?: boolean } = {}) =>
  simulated(simulator, providerOf(name), { id, ...more, ...(name === 'openai-responses' && { api: 'responses' }) });

const request = asking(HARD_WORDS);

/** The first target's stream is cut behind so many events, once. */
const cutBehind = (afterEvents: number, insideEvent = false): Fault => ({
  kind: 'cut',
  afterEvents,
  insideEvent,
  times: 1,
});

/** How many events a stream has at most, at any vendor, for these words. */
const MOST_EVENTS = 80;

interface Duo {
  readonly simulator: Simulator;
  readonly whole: string;
}

const withVendors = (manners: Manners = {}): (() => Duo) => {
  let duo: Duo | undefined;
  beforeAll(async () => {
    const one = manners;
    const simulator = await startSimulator(oneVoice({ openai: one, anthropic: one, cohere: one, google: one }));
    duo = { simulator, whole: await answerOf(simulator, request, simulated(simulator, 'openai')) };
  });
  afterAll(() => duo?.simulator.close());
  return () => {
    if (duo === undefined) throw new Error('the vendors are not up');
    return duo;
  };
};

interface Cut {
  readonly first: Name;
  readonly second: Name;
  readonly recovery: 'error' | 'continue' | 'restart' | 'buffer';
  readonly fault: Fault;
  readonly asked?: ChatRequest;
  readonly prefill?: boolean;
}

const seenOf = async (
  { simulator }: Duo,
  { first, second, recovery, fault, asked = request, prefill }: Cut,
): Promise<Seen> => {
  for (const vendor of Object.values(simulator.vendors)) vendor.heal();
  simulator.vendors[vendorOf(providerOf(first))].break(fault);
  const pool = [
    target(simulator, first, 'first'),
    target(simulator, second, 'second', prefill === undefined ? {} : { prefill }),
  ];
  return askOnce({ recovery, pool, request: asked });
};

const pairs = NAMES.flatMap((first) => NAMES.map((second) => ({ first, second }))).map((pair, i) => ({ ...pair, i }));

describe('continue', () => {
  const up = withVendors();

  test.each(pairs)('$second carries on for $first, wherever that is cut', async ({ first, second, i }) => {
    const { whole } = up();
    let seams = 0;
    // A third of the places; the pairs beside have the others.
    for (let at = (i + Math.floor(i / NAMES.length)) % 3; at < MOST_EVENTS; at += 3) {
      const seen = await seenOf(up(), { first, second, recovery: 'continue', fault: cutBehind(at, at % 2 === 1) });
      expectTruth(seen, whole);
      expect(seen.error, `cut behind ${at} events`).toBeUndefined();
      seams += seamsOf(seen).length;
    }
    expect(seams).toBeGreaterThan(5);
  });

  test.each(PROVIDERS)('and so it does for %s, whatever it breaks by', async (first) => {
    const { whole } = up();
    const faults: readonly Fault[] = [
      { kind: 'error-after-content', times: 1 },
      { kind: 'malformed-chunk', afterEvents: 9, times: 1 },
      { kind: 'truncated-json', times: 1 },
      { kind: 'no-end-marker', times: 1 },
    ];
    for (const fault of faults) {
      const seen = await seenOf(up(), { first, second: 'anthropic', recovery: 'continue', fault });
      expectTruth(seen, whole);
      expect(seen.error, fault.kind).toBeUndefined();
      expect(seamsOf(seen), fault.kind).toEqual(['continue']);
    }
  });

  test('the trace shows the seam, and usage adds up', async () => {
    const seen = await seenOf(up(), {
      first: 'openai',
      second: 'anthropic',
      recovery: 'continue',
      fault: cutBehind(20),
    });
    const delivered = seen.events
      .slice(
        0,
        seen.events.findIndex(({ type }) => type === 'seam'),
      )
      .reduce((sum, event) => sum + (event.type === 'text' ? event.text.length : 0), 0);
    expect(seen.reports).toContainEqual(
      expect.objectContaining({ type: 'request-resumed', from: 'first', to: 'second', deliveredCharacters: delivered }),
    );
    const ended = seen.reports.flatMap((event) => (event.type === 'attempt-ended' ? [event.attempt] : []));
    expect(ended.map(({ target: id, outcome }) => `${id} ${outcome}`)).toEqual([
      'first answered',
      'first broken',
      'second answered',
    ]);
    const used = seen.events.findLast((event) => event.type === 'usage');
    if (used?.type !== 'usage') throw new Error('no usage');
    expect(used.usage.isEstimate).toBe(true);
    // A token is about four characters; the second has read the prompt and what was delivered, and the first the prompt.
    expect(used.usage.outputTokens).toBeGreaterThan(seen.text.length / 6);
    expect(used.usage.inputTokens).toBeGreaterThan((2 * HARD_WORDS.length + delivered) / 6);
  });
});

describe('continue, from the format of the caller', () => {
  const up = withVendors();
  const headers = new Headers();
  const stream = true;
  const asks = {
    'chat completions': chatCompletions.parse(
      { model: 'chat', stream, max_tokens: 1_000, messages: [{ role: 'user', content: HARD_WORDS }] },
      headers,
    ),
    messages: messages.parse(
      { model: 'chat', stream, max_tokens: 1_000, messages: [{ role: 'user', content: HARD_WORDS }] },
      headers,
    ),
    responses: responses.parse({ model: 'chat', stream, max_output_tokens: 1_000, input: HARD_WORDS }, headers),
  };
  const own: Readonly<Record<keyof typeof asks, Name>> = {
    'chat completions': 'openai',
    messages: 'anthropic',
    responses: 'openai-responses',
  };

  for (const [format, call] of Object.entries(asks)) {
    const passes = own[format as keyof typeof asks];
    test.each(NAMES)(`a body of ${format} that passes through to %s, or before it`, async (other) => {
      const { whole } = up();
      for (let at = 0; at < MOST_EVENTS; at += 9) {
        for (const [first, second] of [
          [passes, other],
          [other, passes],
        ] as const) {
          const asked = call.request;
          const seen = await seenOf(up(), { first, second, recovery: 'continue', fault: cutBehind(at), asked });
          expectTruth(seen, whole);
          expect(seen.error, `${first} cut behind ${at} events`).toBeUndefined();
        }
      }
    });
  }
});

describe.each<[string, Manners, boolean | undefined]>([
  ['goes on without the words it was asked to begin with', { carriesOn: 'bare' }, false],
  ['begins its answer anew', { carriesOn: 'anew' }, false],
  ['goes on from its own turn', { prefill: 'continues' }, true],
  ['refuses a turn that is not finished', { prefill: 'refuses' }, true],
  ['does not know how to be told of such a turn', { prefill: 'anew', carriesOn: 'anchor' }, undefined],
])('continue, by a model that %s', (_, manners, prefill) => {
  const up = withVendors(manners);

  test.each(PROVIDERS)('%s', async (second) => {
    // An Anthropic that says it all again after its own turn is none.
    if (manners.prefill === 'anew' && second === 'anthropic') return;
    const { whole } = up();
    for (let at = 4; at < MOST_EVENTS; at += 7) {
      const cut = { first: 'cohere', second, recovery: 'continue', fault: cutBehind(at) } as const;
      const seen = await seenOf(up(), { ...cut, ...(prefill !== undefined && { prefill }) });
      expectTruth(seen, whole);
      expect(seen.error, `cut behind ${at} events`).toBeUndefined();
    }
  });
});

describe('continue, by a model that says something else', () => {
  const up = withVendors({ carriesOn: 'otherwise' });

  test.each(PROVIDERS)('%s is not joined, and the caller has one error', async (second) => {
    const { whole } = up();
    const seen = await seenOf(up(), {
      first: 'openai',
      second,
      recovery: 'continue',
      fault: cutBehind(30),
      prefill: false,
    });
    expectTruth(seen, whole);
    expect(seen.error?.code).toBe('answer-broke-off');
    expect(seen.error?.attempts.map(({ outcome }) => outcome)).toEqual(['broken', 'unsupported']);
  });
});

describe.each(['error', 'restart', 'buffer'] as const)('%s', (recovery) => {
  const up = withVendors();

  test.each(pairs)('$first is cut, and $second is left', async ({ first, second }) => {
    const { whole } = up();
    for (const at of [0, 2, 4, 9, 40]) {
      const seen = await seenOf(up(), { first, second, recovery, fault: cutBehind(at) });
      expectTruth(seen, whole);
      if (recovery !== 'error') expect(seen.error, `cut behind ${at} events`).toBeUndefined();
      if (recovery !== 'restart') expect(seamsOf(seen)).toEqual([]);
    }
  });
});

/** What clients of the formats put together: the text that they have at the end. */
const FORMATS = {
  'chat/completions': {
    body: { messages: [{ role: 'user', content: HARD_WORDS }] },
    end: 'data: [DONE]\n\n',
    error: /^data: \{"error"/gm,
    textOf: ({ choices: [choice] = [] }: Chunk): string => choice?.delta?.content ?? '',
  },
  messages: {
    body: { max_tokens: 1_000, messages: [{ role: 'user', content: HARD_WORDS }] },
    end: 'data: {"type":"message_stop"}\n\n',
    error: /^event: error/gm,
    textOf: ({ delta }: Chunk): string => (typeof delta === 'object' ? (delta.text ?? '') : ''),
  },
  responses: {
    body: { input: HARD_WORDS },
    end: undefined,
    error: /^event: error/gm,
    textOf: ({ type, delta }: Chunk): string =>
      type === 'response.output_text.delta' && typeof delta === 'string' ? delta : '',
  },
} as const;

/** What is read of an event of any of them. */
interface Chunk {
  readonly type?: string;
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
  readonly delta?: string | { readonly text?: string };
}

describe.each(['chat/completions', 'messages', 'responses'] as const)('over HTTP, to a caller of %s', (path) => {
  const up = withVendors();
  const { body, end, error, textOf } = FORMATS[path];

  test.each(['error', 'continue', 'buffer'] as const)(
    'the whole answer and its end, or one error: %s',
    async (recovery) => {
      const { simulator, whole } = up();
      for (const first of ['openai', 'anthropic', 'openai-responses', 'google'] as const) {
        for (const second of ['anthropic', 'openai', 'openai-responses'] as const) {
          for (const at of [0, 3, 11, 26, 45, 60]) {
            for (const vendor of Object.values(simulator.vendors)) vendor.heal();
            simulator.vendors[vendorOf(providerOf(first))].break(cutBehind(at, at % 2 === 1));
            const pool = [target(simulator, first, 'first'), target(simulator, second, 'second')];
            const handler = createHandler(createRouter({ routes: { chat: { recovery, pool } } }));
            const response = await handler(
              new Request(`http://localhost/llm/chat/v1/${path}`, {
                method: 'POST',
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify({ model: 'chat', stream: true, ...body }),
              }),
            );
            const sent = (await response?.text()) ?? '';
            const chunks = sent
              .split('\n')
              .flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6)) as Chunk] : []));
            const text = chunks.map(textOf).join('');
            const where = `${first}, then ${second}, cut behind ${at} events`;
            const errors = sent.match(error)?.length ?? 0;
            if (recovery !== 'error') expect(errors, where).toBe(0);
            if (errors === 0) expect(text, where).toBe(whole);
            else expect(whole.startsWith(text), where).toBe(true);
            expect(errors, where).toBeLessThanOrEqual(1);
            const isEnded = end === undefined ? chunks.at(-1)?.type === 'response.completed' : sent.endsWith(end);
            expect(isEnded, where).toBe(errors === 0);
          }
        }
      }
    },
  );
});

describe('a caller of Messages who does not get to see thoughts', () => {
  const up = withVendors();

  test.each(['error', 'continue', 'restart', 'buffer'] as const)(
    'does not see either that a model broke off while it thought: recovery %s',
    async (recovery) => {
      const { simulator } = up();
      const pool = [target(simulator, 'cohere', 'first'), target(simulator, 'anthropic', 'second')];
      for (const at of [1, 2, 3, 5, 8]) {
        simulator.vendors.cohere.break(cutBehind(at));
        const handler = createHandler(createRouter({ routes: { chat: { recovery, pool } } }));
        const response = await handler(
          new Request('http://localhost/llm/chat/v1/messages', {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({
              model: 'chat',
              stream: true,
              max_tokens: 4_000,
              thinking: { type: 'enabled', budget_tokens: 1_024, display: 'omitted' },
              messages: [{ role: 'user', content: 'hello' }],
            }),
          }),
        );
        const body = await response?.text();
        expect(response?.headers.get('x-switchyard-target'), `cut behind ${at} events`).toBe('second');
        expect(body).toContain('event: message_stop');
        expect(body).not.toContain('event: error');
        expect(body?.match(/event: message_start/g)).toHaveLength(1);
      }
    },
  );
});
