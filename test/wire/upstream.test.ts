import type { ChatEvent, ChatRequest, ChatResponse } from '@switchyard/core';
import type { Provider } from '@switchyard/core/provider';
import { type Fault, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { addEvent, asStreamed, newWhole, responseOf } from '../../packages/core/src/run/gather.ts';
import { PROVIDERS, type ProviderName, simulated, vendorOf } from './targets.ts';

// A plain answer may be served from a stream. Each answer of the tables below is asked for twice over HTTP, through the
// vendor's own SDK: once plain, once streamed and gathered. Both have to be the same, but for what EXCEPTIONS names.

/** What cannot be the same, where in an answer, and what is compared in its place. */
const EXCEPTIONS: readonly {
  readonly at: RegExp;
  readonly provider?: ProviderName;
  readonly why: string;
  /** It may turn out the same. */
  readonly byChance?: true;
  as(value: unknown): unknown;
}[] = [
  { at: /^id$/, why: 'a vendor gives each answer an id of its own', as: kindOf },
  { at: /^body\.id$/, why: 'the same', as: kindOf },
  {
    at: /^body\.created$/,
    why: 'the second request is made later, perhaps in another second',
    byChance: true,
    as: kindOf,
  },
  { at: /^toolCalls\.\d+\.id$/, why: 'a vendor, or its provider, gives each call an id of its own', as: kindOf },
  { at: /^body\.choices\.\d+\.message\.tool_calls\.\d+\.id$/, why: 'the same', as: kindOf },
  { at: /^toolCalls\.\d+\.extra\.google\.thought_signature$/, why: 'each thought is signed for itself', as: kindOf },
  { at: /^body\.content\.\d+\.id$/, why: 'the same', as: kindOf },
  { at: /^body\.content\.\d+\.signature$/, why: 'each thought is signed for itself', as: kindOf },
  {
    at: /^toolCalls\.\d+\.arguments$/,
    provider: 'anthropic',
    why: "a stream has the model's own JSON, a plain answer an object that we print: the spaces differ",
    as: (value) => JSON.parse(String(value)),
  },
  {
    at: /^body\.choices\.\d+\.message\.annotations$/,
    why: 'OpenAI puts an empty list into a plain body, and says nothing of it in a stream',
    as: (value) => (Array.isArray(value) && value.length === 0 ? undefined : value),
  },
];

function kindOf(value: unknown): string {
  return value === '' ? 'nothing' : typeof value;
}

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(() => {
  for (const vendor of Object.values(simulator.vendors)) vendor.heal();
});
afterAll(() => simulator.close());

const connected = (name: ProviderName): Provider => {
  const { model, connect } = simulated(simulator, name);
  return connect(model, undefined);
};

const call = (): { readonly signal: AbortSignal } => ({ signal: new AbortController().signal });

const gather = async (events: AsyncIterable<ChatEvent>): Promise<ChatResponse> => {
  const whole = newWhole();
  for await (const event of events) addEvent(whole, event);
  return responseOf(whole);
};

const streamed = (provider: Provider, request: ChatRequest): Promise<ChatResponse> => {
  const asked = asStreamed(request);
  if (asked === undefined) throw new Error('this request cannot be streamed');
  return gather(provider.stream(asked, call()));
};

/** Every value of an answer by its path, the vendor's body included; lists and objects only where they are empty. */
const leavesOf = ({ source, ...answer }: ChatResponse): Map<string, unknown> => {
  const leaves = new Map<string, unknown>();
  const walk = (value: unknown, path: string): void => {
    const inner = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    for (const [name, each] of inner) walk(each, path === '' ? name : `${path}.${name}`);
    if (inner.length === 0) leaves.set(path, value);
  };
  walk({ ...answer, ...(source !== undefined && { body: JSON.parse(source.body) }) }, '');
  return leaves;
};

/** The exceptions without which some comparison would have failed. */
const needed = new Set<object>();

const expectTheSame = (plain: ChatResponse, gathered: ChatResponse, provider: ProviderName): void => {
  const [expected, got] = [leavesOf(plain), leavesOf(gathered)];
  for (const path of new Set([...expected.keys(), ...got.keys()])) {
    const exception = EXCEPTIONS.find(({ at, provider: only = provider }) => at.test(path) && only === provider);
    if (exception === undefined) continue;
    const [wanted, given] = [expected.get(path), got.get(path)];
    if (wanted !== given) needed.add(exception);
    expected.set(path, exception.as(wanted));
    got.set(path, exception.as(given));
  }
  expect(Object.fromEntries(got)).toEqual(Object.fromEntries(expected));
};

// ── answers that the simulator makes up ──────────────────────────────────────────────────────────────────────────────

const said = (text: string): ChatRequest => ({ messages: [{ role: 'user', content: [{ type: 'text', text }] }] });

const WEATHER = {
  name: 'get_weather',
  description: 'The weather in a city',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' } },
    required: ['city', 'days'],
    additionalProperties: false,
  },
};

const SCHEMA = {
  type: 'object',
  properties: { city: { const: 'Zürich, “am See” 🌊' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['city', 'tags'],
  additionalProperties: false,
};

interface Case {
  readonly name: string;
  readonly request: ChatRequest;
  readonly fault?: Fault;
  /** What the answer has to show, or the comparison would be one of two empty hands. */
  readonly shows: object;
  /** Who cannot show it, and why. */
  readonly skip?: Partial<Record<ProviderName, string>>;
}

const some = expect.anything();
const more = (least: number): unknown => ({ asymmetricMatch: (value: unknown) => Number(value) > least });

const CASES: readonly Case[] = [
  { name: 'a text', request: said('hi'), shows: { text: expect.stringContaining('hi'), finishReason: 'stop' } },
  {
    name: 'a long text of many characters',
    request: said('Ärger, 漢字 and 👩‍🚀 '.repeat(40)),
    shows: { text: expect.stringContaining('漢字 and 👩‍🚀'), usage: { outputTokens: more(100) } },
  },
  {
    name: 'a tool call',
    request: { ...said('the weather, please'), tools: [WEATHER] },
    shows: {
      toolCalls: [{ name: 'get_weather', arguments: expect.stringContaining('"city"') }],
      finishReason: 'tool-calls',
    },
  },
  {
    name: 'a tool call without arguments',
    request: { ...said('ping'), tools: [{ name: 'ping', parameters: { type: 'object', properties: {} } }] },
    shows: { toolCalls: [{ name: 'ping', arguments: '{}' }] },
  },
  {
    name: 'two tool calls at once',
    request: { ...said('the weather twice'), tools: [WEATHER] },
    shows: { toolCalls: [{ name: 'get_weather' }, { name: 'get_weather' }] },
  },
  {
    name: 'thinking that is counted, or shown',
    request: { ...said('hi'), reasoningEffort: 'low' },
    shows: { usage: { outputTokens: more(40) } },
    skip: { anthropic: 'the provider asks for an effort, and not for thoughts' },
  },
  {
    name: 'a text that is cut at its limit',
    // Through Responses a limit is 16 at least.
    request: { ...said('hi'), maxOutputTokens: 17 },
    shows: { finishReason: 'length', usage: { outputTokens: 17 } },
  },
  {
    name: 'a text that ends at a stop sequence',
    request: { ...said('hi'), stop: ['simulated'] },
    shows: { finishReason: 'stop', text: expect.stringMatching(/\($/) },
    skip: { 'openai-responses': 'it has no stop sequences' },
  },
  {
    name: 'an answer that is declined',
    request: said('hi'),
    fault: { kind: 'content-filter' },
    shows: { finishReason: 'content-filter', text: '' },
    skip: {
      cohere: 'it declines with an error',
    },
  },
  {
    name: 'a prompt that is cached',
    request: said('word '.repeat(2_000)),
    shows: { usage: { cachedInputTokens: more(1_000), inputTokens: more(2_000) } },
  },
  {
    name: 'an answer in the form of a schema',
    request: { ...said('hi'), output: { type: 'json-schema', name: 'place', schema: SCHEMA } },
    shows: { text: '{"city":"Zürich, “am See” 🌊","tags":["some tags"]}' },
  },
  {
    name: 'an answer in JSON',
    request: { ...said('hi, in JSON'), output: { type: 'json' } },
    shows: { text: expect.stringContaining('hi') },
  },
];

describe.each(PROVIDERS)('%s: a stream that is gathered says the same as a plain answer:', (name) => {
  for (const { name: what, request, fault, shows, skip = {} } of CASES) {
    test.skipIf(name in skip)(what, async () => {
      const provider = connected(name);
      // The vendor has read the prompt before: or it would be cached for the second request only.
      await provider.send(request, call());
      if (fault !== undefined) simulator.vendors[vendorOf(name)].break(fault);
      const plain = await provider.send(request, call());
      expect(plain).toMatchObject({ id: some, usage: some, ...shows });
      expectTheSame(plain, await streamed(provider, request), name);
    });
  }
});

/** A request as the HTTP edge makes it of a body in a vendor's own format. */
const passing = (
  body: Readonly<Record<string, unknown>>,
  format: 'openai-chat' | 'anthropic-messages' = 'openai-chat',
): ChatRequest => ({
  ...said('hi'),
  extra: body,
  source: { format, body: { model: 'route', messages: [{ role: 'user', content: 'hi' }], ...body } },
});

const OPENAI_TOOL = { type: 'function', function: WEATHER };

describe('a completion that passes through, rebuilt from chunks, is the one of a plain answer:', () => {
  test.each<[string, Readonly<Record<string, unknown>>, object]>([
    ['a text', {}, { choices: [{ message: { content: expect.stringContaining('hi') }, finish_reason: 'stop' }] }],
    ['three choices', { n: 3 }, { choices: [{ index: 0 }, { index: 1 }, { index: 2 }] }],
    [
      'two choices that end for different reasons',
      { n: 2, max_completion_tokens: 38 },
      { choices: [{ finish_reason: 'stop' }, { finish_reason: 'length' }] },
    ],
    [
      'two tool calls',
      { tools: [OPENAI_TOOL], messages: [{ role: 'user', content: 'the weather twice' }] },
      { choices: [{ message: { content: null, tool_calls: [some, some] }, finish_reason: 'tool_calls' }] },
    ],
    [
      'an answer in the form of a schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'place', schema: SCHEMA } } },
      { choices: [{ message: { content: expect.stringContaining('Zürich') } }] },
    ],
    [
      'a request that has options of a stream, which a plain one may not have',
      { stream: false, stream_options: { include_usage: false } },
      { usage: { prompt_tokens: some } },
    ],
  ])('%s', async (_, body, shows) => {
    const provider = connected('openai');
    const request = passing(body);
    const plain = await provider.send(request, call());
    expect(JSON.parse(plain.source?.body ?? '')).toMatchObject({ object: 'chat.completion', usage: some, ...shows });
    expectTheSame(plain, await streamed(provider, request), 'openai');
  });
});

const ANTHROPIC_TOOL = { name: WEATHER.name, input_schema: WEATHER.parameters };

describe('a message that passes through, rebuilt from events, is the one of a plain answer:', () => {
  test.each<[string, Readonly<Record<string, unknown>>, object]>([
    ['a text', {}, { content: [{ type: 'text', text: expect.stringContaining('hi') }], stop_reason: 'end_turn' }],
    [
      'a thought that is signed, and a text',
      { thinking: { type: 'enabled', budget_tokens: 1_024 }, max_tokens: 2_048 },
      { content: [{ type: 'thinking', signature: some }, { type: 'text' }], usage: { output_tokens: more(10) } },
    ],
    [
      'two tool calls',
      { tools: [ANTHROPIC_TOOL], messages: [{ role: 'user', content: 'the weather twice' }] },
      { content: [{ type: 'tool_use', input: { city: some } }, { type: 'tool_use' }], stop_reason: 'tool_use' },
    ],
    ['a text that is cut at its limit', { max_tokens: 7 }, { stop_reason: 'max_tokens' }],
    [
      'a text that ends at a stop sequence',
      { stop_sequences: ['simulated'] },
      { stop_reason: 'stop_sequence', stop_sequence: 'simulated' },
    ],
  ])('%s', async (_, body, shows) => {
    const provider = connected('anthropic');
    const request = passing({ max_tokens: 1_000, ...body }, 'anthropic-messages');
    const plain = await provider.send(request, call());
    expect(plain.source?.format).toBe('anthropic-messages');
    expect(JSON.parse(plain.source?.body ?? '')).toMatchObject({ type: 'message', usage: some, ...shows });
    expectTheSame(plain, await streamed(provider, request), 'anthropic');
  });
});

// ── answers as vendors document them ─────────────────────────────────────────────────────────────────────────────────

interface Recorded {
  readonly name: string;
  readonly provider: ProviderName;
  readonly passes?: boolean;
  readonly plain: object;
  /** With the name of the event, where the vendor names them. */
  readonly stream: readonly (object | readonly [event: string, data: object])[];
  readonly shows: object;
}

const head = { id: 'chatcmpl-1', created: 1_760_000_000, model: 'gpt-5-mini-2026-01-01' };
const tail = { service_tier: 'default', system_fingerprint: 'fp_44709d6fcb' };

const completion = (message: object, fields: object = {}, rest: object = {}): object => ({
  ...head,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: null, refusal: null, annotations: [], ...message },
      logprobs: null,
      finish_reason: 'stop',
      ...fields,
    },
  ],
  usage: USAGE,
  ...tail,
  ...rest,
});

const USAGE = {
  prompt_tokens: 12,
  completion_tokens: 8,
  total_tokens: 20,
  prompt_tokens_details: { cached_tokens: 4, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 3, audio_tokens: 0 },
};

const piece = (delta: object, fields: object = {}): object => ({
  ...head,
  object: 'chat.completion.chunk',
  ...tail,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...fields }],
  usage: null,
  obfuscation: 'aB3dE',
});

const lastChunk = { ...head, object: 'chat.completion.chunk', ...tail, choices: [], usage: USAGE };

const token = (text: string, logprob: number): object => ({
  token: text,
  logprob,
  bytes: [...new TextEncoder().encode(text)],
  top_logprobs: [{ token: text, logprob, bytes: null }],
});

const citation = {
  type: 'url_citation',
  url_citation: { start_index: 0, end_index: 5, url: 'https://example.com/a', title: 'A' },
};

const SAFE = { hate: { filtered: false, severity: 'safe' }, violence: { filtered: false, severity: 'safe' } };

const OPENAI: readonly Recorded[] = [
  {
    name: 'log probabilities',
    provider: 'openai',
    plain: completion(
      { content: 'Hello!' },
      { logprobs: { content: [token('Hello', -0.31), token('!', -0.02)], refusal: null } },
    ),
    stream: [
      piece({ role: 'assistant', content: '', refusal: null }, { logprobs: { content: [], refusal: null } }),
      piece({ content: 'Hello' }, { logprobs: { content: [token('Hello', -0.31)], refusal: null } }),
      piece({ content: '!' }, { logprobs: { content: [token('!', -0.02)], refusal: null } }),
      piece({}, { finish_reason: 'stop' }),
      lastChunk,
    ],
    shows: { text: 'Hello!', usage: { cachedInputTokens: 4, reasoningTokens: 3 } },
  },
  {
    name: 'a refusal',
    provider: 'openai',
    plain: completion({ refusal: "I can't help with that." }),
    stream: [
      piece({ role: 'assistant', content: null, refusal: '' }),
      piece({ refusal: "I can't help" }),
      piece({ refusal: ' with that.' }),
      piece({}, { finish_reason: 'stop' }),
      lastChunk,
    ],
    shows: { text: '', refusal: "I can't help with that." },
  },
  {
    name: 'citations of a search',
    provider: 'openai',
    plain: completion({ content: 'Hello', annotations: [citation] }),
    stream: [
      piece({ role: 'assistant', content: '', refusal: null }),
      piece({ content: 'Hello' }),
      piece({ annotations: [citation] }),
      piece({}, { finish_reason: 'stop' }),
      lastChunk,
    ],
    shows: { text: 'Hello' },
  },
  {
    name: 'thoughts that are shown, as DeepSeek and vLLM do',
    provider: 'openai',
    plain: completion({ content: '7', reasoning_content: 'Three and four.' }),
    stream: [
      piece({ role: 'assistant', content: null, refusal: null, reasoning_content: '' }),
      piece({ content: null, reasoning_content: 'Three and' }),
      piece({ content: null, reasoning_content: ' four.' }),
      piece({ content: '7', reasoning_content: null }),
      piece({ content: '', reasoning_content: null }, { finish_reason: 'stop' }),
      lastChunk,
    ],
    shows: { text: '7', reasoning: 'Three and four.' },
  },
  {
    name: "the verdict of Azure's filter",
    provider: 'openai',
    plain: completion(
      { content: 'Hello' },
      { content_filter_results: SAFE },
      { prompt_filter_results: [{ prompt_index: 0, content_filter_results: SAFE }] },
    ),
    stream: [
      {
        id: '',
        object: '',
        created: 0,
        model: '',
        choices: [],
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: SAFE }],
      },
      piece({ role: 'assistant', content: '', refusal: null }, { content_filter_results: {} }),
      piece({ content: 'Hello' }, { content_filter_results: SAFE }),
      piece({}, { finish_reason: 'stop', content_filter_results: {} }),
      lastChunk,
    ],
    shows: { text: 'Hello' },
  },
];

const thinking = { type: 'thinking', thinking: 'Two calls, then.', signature: 'EqQBCgIYAhIM' };
const anthropicUsage = {
  input_tokens: 10,
  cache_creation_input_tokens: 3,
  cache_read_input_tokens: 5,
  service_tier: 'standard',
};

const ANTHROPIC: Recorded = {
  name: 'thoughts, a text and two tool calls',
  provider: 'anthropic',
  plain: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-5-5',
    content: [
      thinking,
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy3' },
      { type: 'text', text: 'I will look.', citations: null },
      { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: { city: 'Zürich', days: [1, 2] } },
      { type: 'tool_use', id: 'toolu_2', name: 'ping', input: {} },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { ...anthropicUsage, output_tokens: 40, output_tokens_details: { thinking_tokens: 12 } },
  },
  stream: [
    [
      'message_start',
      {
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'claude-sonnet-5-5',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { ...anthropicUsage, output_tokens: 2 },
        },
      },
    ],
    ['content_block_start', { type: 'content_block_start', index: 0, content_block: { ...thinking, thinking: '' } }],
    ['ping', { type: 'ping' }],
    ...['Two calls,', ' then.'].map(
      (text) =>
        [
          'content_block_delta',
          { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: text } },
        ] as const,
    ),
    [
      'content_block_delta',
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: thinking.signature } },
    ],
    ['content_block_stop', { type: 'content_block_stop', index: 0 }],
    [
      'content_block_start',
      { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'EmwKAhgBEgy3' } },
    ],
    ['content_block_stop', { type: 'content_block_stop', index: 1 }],
    [
      'content_block_start',
      { type: 'content_block_start', index: 2, content_block: { type: 'text', text: '', citations: null } },
    ],
    ...['I will', ' look.'].map(
      (text) =>
        [
          'content_block_delta',
          { type: 'content_block_delta', index: 2, delta: { type: 'text_delta', text } },
        ] as const,
    ),
    ['content_block_stop', { type: 'content_block_stop', index: 2 }],
    [
      'content_block_start',
      {
        type: 'content_block_start',
        index: 3,
        content_block: { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: {} },
      },
    ],
    ...['', '{"city": "Zür', 'ich", "days": [1,', ' 2]}'].map(
      (partial_json) =>
        [
          'content_block_delta',
          { type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json } },
        ] as const,
    ),
    ['content_block_stop', { type: 'content_block_stop', index: 3 }],
    [
      'content_block_start',
      {
        type: 'content_block_start',
        index: 4,
        content_block: { type: 'tool_use', id: 'toolu_2', name: 'ping', input: {} },
      },
    ],
    ['content_block_stop', { type: 'content_block_stop', index: 4 }],
    [
      'message_delta',
      {
        type: 'message_delta',
        delta: { stop_reason: 'tool_use', stop_sequence: null },
        usage: { output_tokens: 40, output_tokens_details: { thinking_tokens: 12 } },
      },
    ],
    ['message_stop', { type: 'message_stop' }],
  ],
  shows: {
    text: 'I will look.',
    reasoning: 'Two calls, then.',
    toolCalls: [{ id: 'toolu_1' }, { id: 'toolu_2', arguments: '{}' }],
    usage: { inputTokens: 18, outputTokens: 40, cachedInputTokens: 5, reasoningTokens: 12 },
  },
};

const COHERE: Recorded = {
  name: 'thoughts, a plan and two tool calls',
  provider: 'cohere',
  plain: {
    id: 'c14c80c3',
    finish_reason: 'TOOL_CALL',
    message: {
      role: 'assistant',
      content: [{ type: 'thinking', thinking: 'Two calls, then.' }],
      tool_plan: 'I will look.',
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Zürich"}' } },
        { id: 'b', type: 'function', function: { name: 'ping', arguments: '{}' } },
      ],
    },
    usage: {
      billed_units: { input_tokens: 5, output_tokens: 8 },
      tokens: { input_tokens: 71, output_tokens: 40 },
      cached_tokens: 16,
    },
  },
  stream: [
    [
      'message-start',
      { id: 'c14c80c3', type: 'message-start', delta: { message: { role: 'assistant', content: [] } } },
    ],
    [
      'content-start',
      {
        type: 'content-start',
        index: 0,
        delta: { message: { content: { type: 'thinking', thinking: '' } } },
      },
    ],
    ...['Two calls,', ' then.'].map(
      (text) =>
        [
          'content-delta',
          { type: 'content-delta', index: 0, delta: { message: { content: { thinking: text } } } },
        ] as const,
    ),
    ['content-end', { type: 'content-end', index: 0 }],
    ...['I will', ' look.'].map(
      (tool_plan) => ['tool-plan-delta', { type: 'tool-plan-delta', delta: { message: { tool_plan } } }] as const,
    ),
    [
      'tool-call-start',
      {
        type: 'tool-call-start',
        index: 0,
        delta: {
          message: { tool_calls: { id: 'a', type: 'function', function: { name: 'get_weather', arguments: '' } } },
        },
      },
    ],
    ...['{"city"', ':"Zürich"}'].map(
      (args) =>
        [
          'tool-call-delta',
          { type: 'tool-call-delta', index: 0, delta: { message: { tool_calls: { function: { arguments: args } } } } },
        ] as const,
    ),
    ['tool-call-end', { type: 'tool-call-end', index: 0 }],
    [
      'tool-call-start',
      {
        type: 'tool-call-start',
        index: 1,
        delta: { message: { tool_calls: { id: 'b', type: 'function', function: { name: 'ping', arguments: '' } } } },
      },
    ],
    ['tool-call-end', { type: 'tool-call-end', index: 1 }],
    [
      'message-end',
      {
        type: 'message-end',
        delta: {
          finish_reason: 'TOOL_CALL',
          usage: {
            billed_units: { input_tokens: 5, output_tokens: 8 },
            tokens: { input_tokens: 71, output_tokens: 40 },
            cached_tokens: 16,
          },
        },
      },
    ],
  ],
  shows: {
    text: 'I will look.',
    reasoning: 'Two calls, then.',
    toolCalls: [{ id: 'a' }, { id: 'b', arguments: '{}' }],
  },
};

const gemini = (parts: readonly object[], rest: object = {}, candidate: object = {}): object => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...candidate }],
  usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
  modelVersion: 'gemini-2.5-flash',
  responseId: 'r-1',
  ...rest,
});

const geminiUsage = {
  usageMetadata: {
    promptTokenCount: 9,
    candidatesTokenCount: 21,
    thoughtsTokenCount: 14,
    cachedContentTokenCount: 4,
    totalTokenCount: 44,
  },
};

// Of calls that were made together the first is signed; not every model gives them ids.
const geminiCalls = [
  { functionCall: { name: 'get_weather', args: { city: 'Zürich', days: 2 } }, thoughtSignature: 'CiQB' },
  { functionCall: { name: 'ping', args: {} } },
];

const GEMINI: readonly Recorded[] = (['google', 'google-genai'] as const).map((provider) => ({
  name: 'thoughts, a text and two tool calls',
  provider,
  plain: gemini([{ text: 'Two calls, then.', thought: true }, { text: 'I will look.' }, ...geminiCalls], geminiUsage, {
    finishReason: 'STOP',
  }),
  stream: [
    gemini([{ text: 'Two calls,', thought: true }]),
    gemini([{ text: ' then.', thought: true }]),
    gemini([{ text: 'I will' }]),
    gemini([{ text: ' look.' }, ...geminiCalls.slice(0, 1)]),
    gemini(geminiCalls.slice(1)),
    gemini([{ text: '' }], geminiUsage, { finishReason: 'STOP' }),
  ],
  shows: {
    text: 'I will look.',
    reasoning: 'Two calls, then.',
    toolCalls: [{ name: 'get_weather', extra: { google: { thought_signature: 'CiQB' } } }, { name: 'ping' }],
    finishReason: 'tool-calls',
    usage: { inputTokens: 9, outputTokens: 35, cachedInputTokens: 4, reasoningTokens: 14 },
  },
}));

const RECORDED: readonly Recorded[] = [
  ...OPENAI.flatMap((each) =>
    each.passes ? [each] : [each, { ...each, passes: true, name: `${each.name}, passed through` }],
  ),
  ANTHROPIC,
  { ...ANTHROPIC, passes: true, name: `${ANTHROPIC.name}, passed through` },
  COHERE,
  ...GEMINI,
];

const isNamed = (event: Recorded['stream'][number]): event is readonly [string, object] => Array.isArray(event);

const framesOf = ({ provider, stream }: Recorded): string => {
  const frames = stream.map((event) =>
    isNamed(event) ? `event: ${event[0]}\ndata: ${JSON.stringify(event[1])}\n\n` : `data: ${JSON.stringify(event)}\n\n`,
  );
  return [...frames, ...(provider === 'openai' ? ['data: [DONE]\n\n'] : [])].join('');
};

test.each(RECORDED)('$provider, as documented: $name', async (recorded) => {
  const { provider: name, plain, shows, passes = false } = recorded;
  const vendor = simulator.vendors[vendorOf(name)];
  const plays = (body: string, type: string): void =>
    vendor.break({ kind: 'status', status: 200, headers: { 'content-type': type }, body });
  const provider = connected(name);
  const request = passes ? passing({}, name === 'anthropic' ? 'anthropic-messages' : 'openai-chat') : said('hi');
  plays(JSON.stringify(plain), 'application/json');
  const whole = await provider.send(request, call());
  expect(whole).toMatchObject(shows);
  expect(whole.source === undefined).toBe(!passes);
  plays(framesOf(recorded), 'text/event-stream');
  expectTheSame(whole, await streamed(provider, request), name);
});

test('every exception is needed by some answer above', () => {
  expect(EXCEPTIONS.filter((exception) => !exception.byChance && !needed.has(exception))).toEqual([]);
});
