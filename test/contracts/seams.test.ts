import Anthropic from '@anthropic-ai/sdk';
import type { MessageStream } from '@anthropic-ai/sdk/lib/MessageStream';
import { type ChatEvent, RouterError, type Served, type Usage } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';
import type { TargetSpec } from '@switchyard/core/provider';
import fc, { type Arbitrary } from 'fast-check';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import type { Format } from '../../packages/http/src/format.ts';
import { chatCompletions } from '../../packages/http/src/formats/chat-completions.ts';
import { glide } from '../../packages/http/src/formats/glide.ts';
import { messages } from '../../packages/http/src/formats/messages.ts';
import { printedFrames } from '../../packages/http/src/formats/printed-frames.test-kit.ts';
import { responses } from '../../packages/http/src/formats/responses.ts';

// A stream in which another target takes over, as the vendors' own clients read it: what it goes on with is one answer,
// and where it begins anew, nobody stumbles, and who knows the sign has the new answer alone.

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'chat',
  strategy: 'priority',
  target: { id: 'acme/m', vendor: 'acme', model: 'm' },
  attempts: [],
  skipped: [],
  tookMs: 5,
};

const START: ChatEvent = { type: 'start', id: 'answer-1', model: 'm-2026' };
const USAGE: Usage = { inputTokens: 30, outputTokens: 12, cachedInputTokens: 0, reasoningTokens: 0 };
const END: readonly ChatEvent[] = [
  { type: 'finish', reason: 'stop' },
  { type: 'usage', usage: USAGE },
];

type Mode = 'continue' | 'restart';
const seam = (mode: Mode): ChatEvent => ({ type: 'seam', mode, from: 'acme/m', to: 'other/m' });

/** What an answer comes to, whatever its format. */
interface Said {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly name: string; readonly input: unknown }[];
}

const saidIn = (events: readonly ChatEvent[]): Said => {
  let text = '';
  let reasoning = '';
  const calls: { name: string; json: string }[] = [];
  for (const event of events) {
    if (event.type === 'text') text += event.text;
    else if (event.type === 'reasoning') reasoning += event.text;
    else if (event.type === 'tool-call') {
      if (event.id !== undefined) calls.push({ name: event.name ?? '', json: '' });
      for (const call of calls.slice(-1)) call.json += event.arguments;
    }
  }
  return { text, reasoning, calls: calls.map(({ name, json }) => ({ name, input: inputOf(json) })) };
};

/** Of a call that broke off, what there is of it. */
const inputOf = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
};

const together = (a: Said, b: Said): Said => ({
  text: a.text + b.text,
  reasoning: a.reasoning + b.reasoning,
  calls: [...a.calls, ...b.calls],
});

// ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// #region chat
const readChat = async (chunks: AsyncIterable<OpenAI.ChatCompletionChunk>) => {
  let text = '';
  const calls = new Map<number, { name: string; arguments: string }>();
  for await (const chunk of chunks) {
    if ('switchyard' in chunk) {
      text = '';
      calls.clear();
    }
    const delta = chunk.choices[0]?.delta;
    text += delta?.content ?? '';
    for (const { index, function: piece } of delta?.tool_calls ?? []) {
      const call = calls.get(index) ?? { name: '', arguments: '' };
      calls.set(index, {
        name: call.name + (piece?.name ?? ''),
        arguments: call.arguments + (piece?.arguments ?? ''),
      });
    }
  }
  return { text, calls: [...calls.values()] };
};
// #endregion

// #region messages
const readMessage = async (stream: MessageStream) => {
  let since = 0;
  stream.on('streamEvent', (event) => {
    if (event.type === 'content_block_start' && 'switchyard' in event) since = event.index;
  });
  const { content } = await stream.finalMessage();
  return content.slice(since);
};
// #endregion

// #region responses
const readText = async (events: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>) => {
  let text = '';
  for await (const event of events) {
    if ('switchyard' in event) text = '';
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  return text;
};
// #endregion

const answering = (frames: string) => async () =>
  new Response(frames, { headers: { 'content-type': 'text/event-stream' } });

const openaiClient = (frames: string): OpenAI =>
  new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: answering(frames) as typeof fetch });
const anthropicClient = (frames: string): Anthropic =>
  new Anthropic({ apiKey: 'k', maxRetries: 0, fetch: answering(frames) as typeof fetch });

const ASKED = [{ role: 'user', content: 'hi' }] as const;

const chatBody = {
  model: 'chat',
  messages: [...ASKED],
  stream_options: { include_usage: true },
} satisfies OpenAI.ChatCompletionCreateParams;

const messagesBody = {
  model: 'chat',
  max_tokens: 2_048,
  thinking: { type: 'enabled', budget_tokens: 1_024 },
  messages: [...ASKED],
} satisfies Anthropic.MessageCreateParams;

const responsesBody = { model: 'chat', input: 'hi' } satisfies OpenAI.Responses.ResponseCreateParams;

interface Contract {
  readonly format: Format;
  readonly body: object;
  /** A target that speaks the format, so that its frames are handed on. */
  readonly target?: (fetch: typeof globalThis.fetch) => TargetSpec;
  /** What a client that knows the sign gets of the stream; it goes by the vendor's client. */
  readonly read: (frames: string) => Promise<Said>;
  /** What a client comes to that knows nothing of it. It may not stumble. */
  readonly readUnaware: (frames: string) => Promise<unknown>;
}

const reasoningOf = (delta: object | undefined): string => {
  const { reasoning_content: said } = (delta ?? {}) as { readonly reasoning_content?: string };
  return said ?? '';
};

const CONTRACTS: Readonly<Record<string, Contract>> = {
  'chat completions': {
    format: chatCompletions,
    body: chatBody,
    target: (fetch) => openai('m', { apiKey: 'k', fetch }),
    read: async (frames) => {
      let reasoning = '';
      const chunks = await openaiClient(frames).chat.completions.create({ ...chatBody, stream: true });
      const seen = async function* () {
        for await (const chunk of chunks) {
          if ('switchyard' in chunk) reasoning = '';
          reasoning += reasoningOf(chunk.choices[0]?.delta);
          yield chunk;
        }
      };
      const { text, calls } = await readChat(seen());
      return { text, reasoning, calls: calls.map((call) => ({ name: call.name, input: inputOf(call.arguments) })) };
    },
    readUnaware: (frames) => openaiClient(frames).chat.completions.stream(chatBody).finalChatCompletion(),
  },
  messages: {
    format: messages,
    body: messagesBody,
    target: (fetch) => anthropic('m', { apiKey: 'k', fetch }),
    read: async (frames) => {
      const content = await readMessage(anthropicClient(frames).messages.stream(messagesBody));
      return {
        text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
        reasoning: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
        calls: content.flatMap((block) =>
          block.type === 'tool_use' ? [{ name: block.name, input: block.input as unknown }] : [],
        ),
      };
    },
    readUnaware: (frames) => anthropicClient(frames).messages.stream(messagesBody).finalMessage(),
  },
  responses: {
    format: responses,
    body: responsesBody,
    target: (fetch) => openai('m', { apiKey: 'k', fetch, api: 'responses' }),
    read: async (frames) => {
      const { output, output_text } = await openaiClient(frames).responses.stream(responsesBody).finalResponse();
      // The deltas come to the same as the last event.
      const events = await openaiClient(frames).responses.create({ ...responsesBody, stream: true });
      expect(await readText(events)).toBe(output_text);
      return {
        text: output_text,
        reasoning: output
          .flatMap((item) => (item.type === 'reasoning' ? item.summary.map(({ text }) => text) : []))
          .join(''),
        calls: output.flatMap((item) =>
          item.type === 'function_call' ? [{ name: item.name, input: inputOf(item.arguments) }] : [],
        ),
      };
    },
    readUnaware: (frames) => openaiClient(frames).responses.stream(responsesBody).finalResponse(),
  },
  glide: {
    format: glide,
    body: { message: { content: 'hi' } },
    read: async (frames) => {
      const sent = messagesOf(frames);
      const sign = sent.findLastIndex((message) => 'switchyard' in message);
      const said = sent.slice(sign + 1).map(({ chunk }) => chunk.model_response.message);
      const text = readGlide(sent);
      const reasoning = said.map(({ reasoning_content = '' }) => reasoning_content).join('');
      const calls = new Map<number, { name: string; json: string }>();
      for (const { index, function: piece } of said.flatMap(({ tool_calls = [] }) => tool_calls)) {
        const call = calls.get(index) ?? { name: '', json: '' };
        calls.set(index, { name: call.name + (piece.name ?? ''), json: call.json + piece.arguments });
      }
      return {
        text,
        reasoning,
        calls: [...calls.values()].map(({ name, json }) => ({ name, input: inputOf(json) })),
      };
    },
    readUnaware: async (frames) => messagesOf(frames),
  },
};

interface Piece {
  readonly index: number;
  readonly function: { readonly name?: string; readonly arguments: string };
}

interface GlideMessage {
  readonly chunk: {
    readonly model_response: {
      readonly message: {
        readonly content: string;
        readonly reasoning_content?: string;
        readonly tool_calls?: readonly Piece[];
      };
    };
  };
}

// #region glide
const readGlide = (messages: readonly GlideMessage[]) => {
  let text = '';
  for (const message of messages) {
    if ('switchyard' in message) text = '';
    text += message.chunk.model_response.message.content;
  }
  return text;
};
// #endregion

const messagesOf = (frames: string): GlideMessage[] =>
  [...frames.matchAll(/^data: ([^\n]*)\n/gm)].map(([, data = '']) => JSON.parse(data));

// ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function* streamOf(events: readonly (ChatEvent | Error)[]): AsyncGenerator<ChatEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

const printed = async ({ format, body }: Contract, events: readonly (ChatEvent | Error)[]): Promise<string> => {
  const decoder = new TextDecoder();
  let frames = '';
  try {
    const call = format.parse(body, new Headers());
    for await (const bytes of printedFrames(streamOf(events), call.printStream(SERVED)))
      frames += decoder.decode(bytes);
  } catch (error) {
    frames += decoder.decode(format.printErrorEvent(error));
  }
  return frames;
};

/** The events of a vendor that answers in the caller's format: with its frames, as its provider reads them. */
const relayed = async (contract: Contract, events: readonly ChatEvent[]): Promise<readonly ChatEvent[]> => {
  const { target, format, body } = contract;
  if (target === undefined) return [START, ...events, ...END];
  const frames = await printed(contract, [START, ...events, ...END]);
  const spec = target(answering(frames) as typeof fetch);
  const { request } = format.parse(body, new Headers());
  const signal = new AbortController().signal;
  return Array.fromAsync(spec.connect('m', undefined).stream(request, { signal }));
};

const text = (words: string): ChatEvent => ({ type: 'text', text: words });
const thought = (words: string): ChatEvent => ({ type: 'reasoning', text: words });
let made = 0;
const call = (index: number, name: string, json: string): ChatEvent[] => [
  { type: 'tool-call', index, id: `call_${made++}`, name, arguments: '' },
  { type: 'tool-call', index, arguments: json.slice(0, 3) },
  { type: 'tool-call', index, arguments: json.slice(3) },
];

const commentsIn = (frames: string): string[] => [...frames.matchAll(/^:.*$/gm)].map(([comment]) => comment);

/** Everything up to the first event that satisfies it, and that one. */
const upTo = (events: readonly ChatEvent[], last: (event: ChatEvent) => boolean): readonly ChatEvent[] =>
  events.slice(0, events.findLastIndex(last) + 1);

const isText = ({ type }: ChatEvent): boolean => type === 'text';

describe.each(Object.entries(CONTRACTS))('%s', (_, contract) => {
  const { read, readUnaware } = contract;

  /** What a target says whose stream breaks off behind its last text, handed on and printed. */
  const begin = async (...events: ChatEvent[]) =>
    [upTo(await relayed(contract, events), isText), upTo([START, ...events], isText)] as const;

  test('an answer that is gone on with is one answer', async () => {
    for (const begun of await begin(thought('Hm.'), text('Once '), text('upon\u2028'))) {
      const frames = await printed(contract, [...begun, seam('continue'), text('a '), text('time.'), ...END]);
      expect(await read(frames)).toEqual({ text: 'Once upon\u2028a time.', reasoning: 'Hm.', calls: [] });
      await readUnaware(frames);
      expect(commentsIn(frames)).toEqual([': switchyard acme/m broke off, other/m goes on']);
    }
  });

  test('an answer that begins anew is the new one, with its calls, and nobody stumbles over it', async () => {
    for (const begun of await begin(text('Once '), ...call(0, 'old', '{"a":1}'), text('upon'))) {
      const anew = [thought('Hm.'), text('I look.'), ...call(0, 'new', '{"b":2}'), ...call(1, 'other', '{}  ')];
      const frames = await printed(contract, [...begun, seam('restart'), ...anew, ...END]);
      expect(await read(frames)).toEqual(saidIn(anew));
      await readUnaware(frames);
      expect(commentsIn(frames)).toEqual([': switchyard acme/m broke off, other/m begins anew']);
    }
  });

  test('an answer that begins anew with nothing is nothing', async () => {
    for (const begun of await begin(text('Once '))) {
      const frames = await printed(contract, [...begun, seam('restart'), ...END]);
      expect(await read(frames)).toEqual(saidIn([]));
      await readUnaware(frames);
    }
  });

  test('a seam before anything else is seen, or two of them, are none to the client', async () => {
    for (const mode of ['continue', 'restart'] as const) {
      const frames = await printed(contract, [seam(mode), text('Hello'), ...END]);
      expect(await read(frames)).toEqual(saidIn([text('Hello')]));
      await readUnaware(frames);
    }
    for (const begun of await begin(text('Once '))) {
      const twice = [...begun, seam('continue'), text('upon '), seam('continue'), text('a time'), ...END];
      expect(await read(await printed(contract, twice))).toEqual(saidIn([text('Once upon a time')]));
    }
  });

  test('an id with line ends and other alphabets stays in its comment', async () => {
    const takesOver = { ...seam('continue'), from: 'a\ndata: {"x":1}\r\n\r\n', to: 'é\u2028' } as ChatEvent;
    const frames = await printed(contract, [START, text('a'), takesOver, text('b'), ...END]);
    expect(commentsIn(frames)).toEqual([': switchyard a?data: {"x":1}???? broke off, ?? goes on']);
    expect(await read(frames)).toEqual(saidIn([text('ab')]));
  });

  test('an answer that breaks off again, with nobody left, ends in one error', async () => {
    const brokeOff = new RouterError('answer-broke-off', 'other/m: it broke off.');
    for (const mode of ['continue', 'restart'] as const) {
      for (const begun of await begin(text('Once '))) {
        const frames = await printed(contract, [...begun, seam(mode), text('upon'), brokeOff]);
        expect(frames.match(/^data: .*"error":\{|^data: \{"type":"error"/gm)).toHaveLength(
          1 + (contract === CONTRACTS.responses ? 1 : 0),
        );
        if (contract !== CONTRACTS.glide) await expect(readUnaware(frames)).rejects.toThrow(/broke off/);
        if (contract === CONTRACTS.responses) expect(sequenceIn(frames)).toEqual(sequenceIn(frames).map((_n, i) => i));
      }
    }
  });

  // ── as a property ──

  const aText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
  const anEvent: Arbitrary<(index: number) => ChatEvent[]> = fc.oneof(
    { weight: 4, arbitrary: aText.map((words) => () => [text(words)]) },
    { weight: 1, arbitrary: aText.map((words) => () => [thought(words)]) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom('f', 'g'), aText).map(
        ([name, value]) =>
          (index: number) =>
            call(index, name, JSON.stringify({ value })),
      ),
    },
  );
  const events = fc.array(anEvent, { maxLength: 6 }).map((made) => {
    let index = 0;
    return made.flatMap((make) => {
      const each = make(index);
      if (each.length > 1) index += 1;
      return each;
    });
  });
  const hops = fc.array(fc.record({ mode: fc.constantFrom<Mode>('continue', 'restart'), events }), {
    minLength: 1,
    maxLength: 3,
  });

  test('whatever was said, and wherever it broke off: it is gone on with, or said anew', async () => {
    await fc.assert(
      fc.asyncProperty(events, hops, fc.boolean(), fc.nat(), async (first, next, passesThrough, at) => {
        const whole = passesThrough ? await relayed(contract, first) : [START, ...first, ...END];
        const content = whole.slice(
          0,
          whole.findIndex(({ type }) => type === 'finish'),
        );
        const cut = at % (content.length + 1);
        // Half a call cannot be gone on with, and the router does not.
        const upcoming = content.slice(cut).find(({ type }) => type !== 'other');
        const inCall = upcoming?.type === 'tool-call' && upcoming.id === undefined;
        fc.pre(!inCall || next[0]?.mode === 'restart');
        const begun = content.slice(0, cut);
        const stream = [...begun, ...next.flatMap((hop) => [seam(hop.mode), ...hop.events]), ...END];
        const expected = next.reduce(
          (said, hop) => (hop.mode === 'restart' ? saidIn(hop.events) : together(said, saidIn(hop.events))),
          saidIn(begun),
        );
        const frames = await printed(contract, stream);
        expect(await read(frames)).toEqual(expected);
        await readUnaware(frames);
      }),
      { numRuns: 150 },
    );
  });
});

const sequenceIn = (frames: string): unknown[] =>
  [...frames.matchAll(/"sequence_number":(\d+)/g)].map(([, n]) => Number(n));

describe('what is counted, and why it stopped', () => {
  const begun = async (contract: Contract | undefined) =>
    contract === undefined ? [] : upTo(await relayed(contract, [text('Once ')]), isText);

  test('is of the whole answer in Chat Completions', async () => {
    const contract = CONTRACTS['chat completions'] as Contract;
    const frames = await printed(contract, [...(await begun(contract)), seam('continue'), text('upon'), ...END]);
    expect(await contract.readUnaware(frames)).toMatchObject({
      id: 'answer-1',
      model: 'm-2026',
      usage: { prompt_tokens: 30, completion_tokens: 12 },
      choices: [{ finish_reason: 'stop', message: { role: 'assistant', content: 'Once upon' } }],
    });
    expect(frames.match(/"role"/g)).toHaveLength(1);
    expect(frames.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  test('is of the whole answer in Messages', async () => {
    const contract = CONTRACTS.messages as Contract;
    const frames = await printed(contract, [...(await begun(contract)), seam('continue'), text('upon'), ...END]);
    expect(await contract.readUnaware(frames)).toMatchObject({
      id: 'answer-1',
      model: 'm-2026',
      stop_reason: 'end_turn',
      content: [{ type: 'text', text: 'Once upon' }],
      usage: { input_tokens: 30, output_tokens: 12 },
    });
    expect(frames.match(/^event: message_start/gm)).toHaveLength(1);
  });

  test('is of the whole answer in Responses', async () => {
    const contract = CONTRACTS.responses as Contract;
    const frames = await printed(contract, [...(await begun(contract)), seam('continue'), text('upon'), ...END]);
    expect(await contract.readUnaware(frames)).toMatchObject({
      id: 'answer-1',
      model: 'm-2026',
      status: 'completed',
      output: [{ type: 'message', status: 'completed', content: [{ type: 'output_text', text: 'Once upon' }] }],
      usage: { input_tokens: 30, output_tokens: 12 },
    });
    expect(sequenceIn(frames)).toEqual(sequenceIn(frames).map((_n, i) => i));
  });
});
