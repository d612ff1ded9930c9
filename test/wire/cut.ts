import { createRouter, type Recovery, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import type { TargetOptions } from '@switchyard/core/provider';
import { createHandler } from '@switchyard/http';
import { type Answer, type Question, tokensOf } from '../../packages/simulator/src/answer.ts';
import type { JsonObject } from '../../packages/simulator/src/json.ts';
import { carryOn, hearingOf } from '../../packages/simulator/src/manners.ts';
import type { Stamp, Wire } from '../../packages/simulator/src/wire.ts';
import { anthropic as anthropicWire } from '../../packages/simulator/src/wires/anthropic.ts';
import { cohere as cohereWire } from '../../packages/simulator/src/wires/cohere.ts';
import { google as googleWire } from '../../packages/simulator/src/wires/google.ts';
import { openai as openaiWire } from '../../packages/simulator/src/wires/openai.ts';
import { World } from '../virtual/world.ts';
import type { FormatName } from './heard.ts';

// A stream that is cut behind any of its bytes, and what a caller gets. The vendors' SDKs, the router and the handler are
// the real ones; in place of the network is a `fetch`, and in place of time a clock that moves when nothing else does.

// ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** What both targets answer, to the letter. */
export interface Story {
  readonly thought: string;
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly args: JsonObject }[];
}

/** Characters of one to four bytes, one of several characters, white space that is easily lost, and a word said twice. */
const WORDS = 'Né na\u0308 😀👩‍🚀 日本…\n\n la la\n';

export const STORIES = {
  text: { thought: '', text: WORDS, calls: [] },
  thinking: { thought: 'Hm… 思う', text: WORDS, calls: [] },
  calls: { thought: '', text: '', calls: [{ name: 'look_up', args: { where: 'Zürich 😀', list: [1, '"'] } }] },
} as const satisfies Readonly<Record<string, Story>>;

const answerOf = (model: string, { thought, text, calls }: Story, question: Question): Answer => {
  const hearing = calls.length > 0 ? undefined : hearingOf(question.turns);
  const said = hearing === undefined ? text : carryOn(text, hearing, {});
  const reasoningTokens = tokensOf(thought);
  const outputTokens = tokensOf(said) + reasoningTokens + 7;
  return {
    model,
    thought,
    choices: [
      {
        text: said,
        toolCalls: calls,
        finish: calls.length > 0 ? 'tool-calls' : 'stop',
        stoppedBy: undefined,
      },
    ],
    usage: { inputTokens: 11, cachedTokens: 0, outputTokens, reasoningTokens },
  };
};

// ── the vendors ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const VENDORS = ['openai', 'openai-responses', 'anthropic', 'cohere', 'google', 'google-genai'] as const;
export type Vendor = (typeof VENDORS)[number];

/** The two of a pool: their addresses, the ids in their answers and the names of their models tell them apart. */
const SIDES = ['one', 'two'] as const;
export type Side = (typeof SIDES)[number];

const WIRES: Readonly<Record<Vendor, Wire>> = {
  openai: openaiWire,
  'openai-responses': openaiWire,
  anthropic: anthropicWire,
  cohere: cohereWire,
  google: googleWire,
  'google-genai': googleWire,
};

const MODELS: Readonly<Record<Vendor, string>> = {
  openai: 'gpt-5',
  'openai-responses': 'gpt-5',
  anthropic: 'claude-sonnet-5-5',
  cohere: 'command-a-03-2025',
  google: 'gemini-2.5-flash',
  'google-genai': 'gemini-2.5-flash',
};

/** In every id that a side makes, and in the name of its model; nowhere else. */
export const MARKS: Readonly<Record<Side, string>> = { one: 'markone', two: 'marktwo' };

/** One of the pool at a vendor, or what stands for it. */
export const targetAt = (
  vendor: Vendor,
  side: Side,
  origin: string,
  more: TargetOptions & { readonly fetch?: typeof fetch } = {},
): TargetSpec => {
  const url = `${origin}/${side}/${vendor}`;
  const model = `${MODELS[vendor]}-${MARKS[side]}`;
  switch (vendor) {
    case 'openai':
      return openai(model, { ...more, id: side, apiKey: 'key', baseURL: `${url}/v1` });
    case 'openai-responses':
      return openai(model, { ...more, id: side, apiKey: 'key', baseURL: `${url}/v1`, api: 'responses' });
    case 'anthropic':
      return anthropic(model, { ...more, id: side, apiKey: 'key', baseURL: url });
    case 'cohere':
      return cohere(model, { ...more, id: side, token: 'key', baseUrl: url });
    case 'google':
      return google(model, { ...more, id: side, apiKey: 'key', baseURL: url });
    case 'google-genai':
      return googleGenAI(model, { ...more, id: side, apiKey: 'key', httpOptions: { baseUrl: url } });
  }
};

export const FAULTS = ['reset', 'end', 'stall', 'garbage', 'page', 'error'] as const;
/**
 * How a stream goes on behind the cut: the connection is reset, or ends as if all were said; nothing comes any more; bytes
 * of anything, or a proxy's error page, or the vendor's own error event come, and then the end.
 */
export type Fault = (typeof FAULTS)[number];

const encoder = new TextEncoder();

const GARBAGE = Uint8Array.of(0x00, 0xff, 0xfe, 0x7b, 0x0a, 0x0a, 0x80, 0xe6, 0x97);
const PAGE = encoder.encode(
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n\r\n<body>data: {}</body>\r\n</html>\r\n',
);

const behind = (wire: Wire, fault: Fault): Uint8Array => {
  switch (fault) {
    case 'garbage':
      return GARBAGE;
    case 'page':
      return PAGE;
    case 'error':
      return encoder.encode(wire.streamError(wire.midway, STAMPS.one));
    default:
      return new Uint8Array(0);
  }
};

const STAMPS: Readonly<Record<Side, Stamp>> = {
  one: { id: MARKS.one, nowMs: 1_700_000_000_000 },
  two: { id: MARKS.two, nowMs: 1_700_000_000_000 },
};

/** The bytes of one answer, and where it is whole. */
interface Recording {
  readonly bytes: Uint8Array;
  /** Behind the frame that says why the model finished. */
  readonly finishedAt: number;
}

/** What a side answers to a request, by what it was asked. */
const record = (vendor: Vendor, side: Side, story: Story, path: string, body: unknown): Recording => {
  const own = WIRES[vendor];
  const wire = own.at?.(path) ?? own;
  const headers = {
    authorization: 'Bearer key',
    'x-api-key': 'key',
    'x-goog-api-key': 'key',
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
  };
  const question = wire.read({ method: 'POST', path, query: new URLSearchParams('alt=sse'), headers, body });
  const events = wire.stream(answerOf(question.model, story, question), question, STAMPS[side]);
  const frames = events.map(({ bytes }) => encoder.encode(bytes));
  const finishedIn = events.findLastIndex(({ bytes }) => SAYS_WHY.test(bytes));
  const lengthOf = (some: readonly Uint8Array[]): number => some.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(lengthOf(frames));
  frames.reduce((at, frame) => {
    bytes.set(frame, at);
    return at + frame.length;
  }, 0);
  return { bytes, finishedAt: lengthOf(frames.slice(0, finishedIn + 1)) };
};

const SAYS_WHY = /"(?:finish_reason|stop_reason|finishReason)":"|"response.completed"/;

// ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A stream that breaks, and what is to become of it. */
export interface Cut {
  readonly one: Vendor;
  readonly two: Vendor;
  readonly format: FormatName;
  readonly recovery: Recovery;
  readonly story: Story;
  /** Behind how many bytes. */
  readonly at: number;
  readonly fault: Fault;
  /** How much of what comes behind the cut comes, in bytes. Default: all. */
  readonly most?: number;
  /** How long the pieces are that the network hands on, in bytes, in turn and over again. Default: all at once. */
  readonly pieces?: readonly number[];
}

const cutInto = (bytes: Uint8Array, lengths: readonly number[]): readonly Uint8Array[] => {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.max(1, lengths[pieces.length % lengths.length] ?? bytes.length);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
};

type Ending = 'end' | 'reset' | 'stall';

/** What a socket hands on, one piece at a time. */
const bodyOf = (
  pieces: readonly Uint8Array[],
  ending: Ending,
  signal: AbortSignal | null | undefined,
): ReadableStream => {
  let next = 0;
  return new ReadableStream(
    {
      start: (controller) =>
        signal?.addEventListener('abort', () => {
          try {
            controller.error(signal.reason);
          } catch {
            // It is over.
          }
        }),
      pull(controller) {
        const piece = pieces[next++];
        if (piece !== undefined) return controller.enqueue(piece);
        if (ending === 'end') return controller.close();
        if (ending === 'reset') {
          const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
          return controller.error(new TypeError('terminated', { cause }));
        }
        return new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
};

/** The bytes that the first side sends for a cut, and how they end. */
const brokenOff = ({ bytes }: Recording, { one, at, fault, most }: Cut): { sent: Uint8Array; ending: Ending } => {
  const more = behind(WIRES[one], fault).subarray(0, most);
  const sent = new Uint8Array(Math.min(at, bytes.length) + more.length);
  sent.set(bytes.subarray(0, at));
  sent.set(more, sent.length - more.length);
  return { sent, ending: fault === 'reset' || fault === 'stall' ? fault : 'end' };
};

/** The story is the same for every request of one body, so that it need not be told anew. */
const recordings = new Map<string, Recording>();

const recordOnce = (vendor: Vendor, side: Side, story: Story, path: string, body: string): Recording => {
  const key = `${vendor} ${side} ${path} ${story.thought} ${story.text} ${JSON.stringify(story.calls)} ${body}`;
  let recording = recordings.get(key);
  if (recording === undefined) {
    if (recordings.size > 2_000) recordings.clear();
    recording = record(vendor, side, story, path, JSON.parse(body));
    recordings.set(key, recording);
  }
  return recording;
};

/** What went over the network for one request. */
export interface Traffic {
  /** How often each side was asked. */
  readonly asked: Record<Side, number>;
  recording: Recording | undefined;
}

/** What is sent to who asks at a path. */
interface Sent {
  readonly pieces: readonly Uint8Array[];
  readonly ending: Ending;
}

/** What a vendor sends for a cut, by the path it was asked at, and takes notice of. */
export const sentFor = (cut: Cut, traffic: Traffic, asked: string, body: string): Sent => {
  const [, side, vendor, path] = /^\/(one|two)\/([^/]+)(\/[^?]*)/.exec(asked) ?? [];
  if (side === undefined || vendor === undefined || path === undefined) throw new Error(`nobody is at ${asked}`);
  const from = side as Side;
  traffic.asked[from] += 1;
  const recording = recordOnce(vendor as Vendor, from, cut.story, path, body);
  const lengths = cut.pieces ?? [Number.POSITIVE_INFINITY];
  if (from === 'two') return { pieces: cutInto(recording.bytes, lengths), ending: 'end' };
  traffic.recording = recording;
  const { sent, ending } = brokenOff(recording, cut);
  return { pieces: cutInto(sent, lengths), ending };
};

// ── the caller ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const PATHS: Readonly<Record<FormatName, string>> = {
  chat: 'v1/chat/completions',
  messages: 'v1/messages',
  responses: 'v1/responses',
  glide: 'chat',
};

const TOOL = { name: 'look_up', parameters: { type: 'object', properties: {} } };

export const bodyFor = (format: FormatName, { thought, calls }: Story): object => {
  const user = { role: 'user', content: 'Say it.' };
  const tools = [{ type: 'function', function: TOOL }];
  const hasTools = calls.length > 0;
  switch (format) {
    case 'chat':
      return {
        stream: true,
        messages: [user],
        stream_options: { include_usage: true },
        ...(thought !== '' && { reasoning_effort: 'low' }),
        ...(hasTools && { tools }),
      };
    case 'messages':
      return {
        stream: true,
        model: 'chat',
        max_tokens: 4_000,
        messages: [user],
        ...(thought !== '' && { thinking: { type: 'enabled', budget_tokens: 1_024 } }),
        ...(hasTools && { tools: [{ name: TOOL.name, input_schema: TOOL.parameters }] }),
      };
    case 'responses':
      return {
        stream: true,
        input: 'Say it.',
        ...(thought !== '' && { reasoning: { effort: 'low', summary: 'auto' } }),
        ...(hasTools && { tools: [{ type: 'function', ...TOOL, strict: false }] }),
      };
    case 'glide':
      return {
        stream: true,
        message: user,
        ...(thought !== '' && { reasoning_effort: 'low' }),
        ...(hasTools && { tools }),
      };
  }
};

/** What came back of one request. */
export interface Outcome {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly traffic: Traffic;
  /** Virtual time that passed, in ms. */
  readonly tookMs: number;
}

/** A client of an SDK keeps nothing from one request to the next, and takes long to make. */
const connected = new Map<string, TargetSpec>();

const connectedTo = (vendor: Vendor, side: Side): TargetSpec => {
  const known = connected.get(vendor + side);
  if (known !== undefined) return known;
  // Google's SDKs have no other `fetch` than the global one.
  const fetch = vendor.startsWith('google') ? {} : { fetch: fetchNow };
  const spec = targetAt(vendor, side, 'http://vendors', fetch);
  const provider = spec.connect(spec.model, {});
  const once = { ...spec, connect: () => provider };
  connected.set(vendor + side, once);
  return once;
};

/** What is asked for now. */
let current: { readonly cut: Cut; readonly traffic: Traffic } | undefined;

const fetchNow: typeof fetch = async (input, init) => {
  if (current === undefined) throw new TypeError('nobody is asking');
  const { cut, traffic } = current;
  const url = input instanceof Request ? input.url : String(input);
  const body = typeof init?.body === 'string' ? init.body : await new Request(input, init).text();
  const { pieces, ending } = sentFor(cut, traffic, new URL(url).pathname, body);
  const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
  return new Response(bodyOf(pieces, ending, signal), { headers: { 'content-type': 'text/event-stream' } });
};

/** Asks one question through a router that knows nothing yet, while `fetch` is not the network's. One at a time. */
export const play = async (cut: Cut): Promise<Outcome> => {
  const traffic: Traffic = { asked: { one: 0, two: 0 }, recording: undefined };
  const real = globalThis.fetch;
  globalThis.fetch = fetchNow;
  current = { cut, traffic };
  try {
    const world = new World();
    const pool = [connectedTo(cut.one, 'one'), connectedTo(cut.two, 'two')];
    const router = createRouter({ system: world, routes: { chat: { recovery: cut.recovery, pool } } });
    const handler = createHandler(router);
    const request = new Request(`http://router/llm/chat/${PATHS[cut.format]}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(bodyFor(cut.format, cut.story)),
    });
    const ask = async (): Promise<Outcome> => {
      const response = await handler(request);
      if (response === undefined) throw new Error('nobody serves this');
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, bytes, traffic, tookMs: world.nowMs() };
    };
    return await world.run(ask());
  } finally {
    current = undefined;
    globalThis.fetch = real;
  }
};
