import { type ChatAnswer, type ChatEvent, type ChatRequest, RouterError, type Served } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { BodyError } from '../body.ts';
import { errorEvent, parseMessages, printAnswer, printError, printStream } from './messages.ts';
import { printedFrames } from './printed-frames.test-kit.ts';

const user = { role: 'user', content: 'hi' };
const text = (words: string) => ({ type: 'text', text: words }) as const;

const bodyOf = (fields: object): Record<string, unknown> => ({ max_tokens: 64, messages: [user], ...fields });

/** What is understood of a body, without the body itself. */
const understood = (fields: object, headers?: Headers): Omit<ChatRequest, 'source'> => {
  const { source, ...request } = parseMessages(bodyOf(fields), headers).request;
  expect(source).toMatchObject({ format: 'anthropic-messages', body: bodyOf(fields) });
  return request;
};

const PLAIN = { messages: [{ role: 'user', content: [text('hi')] }], maxOutputTokens: 64, extra: {} };

describe('a request', () => {
  test('of a message and a limit asks for nothing else', () => {
    expect(understood({})).toEqual(PLAIN);
    expect(parseMessages(bodyOf({}))).toMatchObject({ model: undefined, stream: false, showsThinking: false });
  });

  test('has a neutral name for every setting that vendors share', () => {
    const settings = { model: 'chat', stream: true, temperature: 0, top_p: 0.5, top_k: 5, stop_sequences: ['a', 'b'] };
    expect(understood(settings)).toEqual({ ...PLAIN, temperature: 0, topP: 0.5, topK: 5, stop: ['a', 'b'] });
    expect(parseMessages(bodyOf(settings))).toMatchObject({ model: 'chat', stream: true });
  });

  test('leaves out what is null, and lists that are empty', () => {
    const fields = [
      ...['model', 'system', 'stream', 'temperature', 'top_p', 'top_k', 'stop_sequences', 'tools', 'tool_choice'],
      ...['thinking', 'output_config', 'metadata', 'cache_control', 'container'],
    ];
    expect(understood(Object.fromEntries(fields.map((field) => [field, null])))).toEqual(PLAIN);
    expect(understood({ system: [], stop_sequences: [], tools: [], tool_choice: { type: 'auto' } })).toEqual(PLAIN);
  });

  test('keeps fields without a neutral name as they came', () => {
    const extra = { metadata: { user_id: 'u' }, service_tier: 'auto', container: 'c', from_next_year: { a: [1] } };
    expect(understood(extra).extra).toEqual(extra);
  });

  test('keeps a field of a message that it does not know', () => {
    const messages = [{ role: 'user', content: 'hi', no_such_field: 7 }];
    expect(understood({ messages }).extra).toEqual({ 'message.no_such_field': 7 });
  });

  test('brings along the two headers that belong to the format, and no other', () => {
    const headers = new Headers({
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'a-2025-01-01',
      'x-api-key': 'secret',
      authorization: 'Bearer secret',
    });
    expect(parseMessages(bodyOf({}), headers).request.source?.headers).toEqual({
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'a-2025-01-01',
    });
    expect(understood({}, headers).extra).toEqual({ 'anthropic-beta': 'a-2025-01-01' });
  });

  test('with a limit of 0 fills a cache, for which others have no word', () => {
    expect(understood({ max_tokens: 0 })).toEqual({ messages: PLAIN.messages, extra: { 'max_tokens of 0': true } });
  });

  test.each<[object, string]>([
    [{ max_tokens: undefined }, 'max_tokens: expected a number, and got nothing'],
    [{ max_tokens: '64' }, 'max_tokens: expected a number, and got string'],
    [{ messages: undefined }, 'messages: expected an array, and got nothing'],
    [{ messages: [] }, 'messages: expected at least one message'],
    [{ messages: ['hi'] }, 'messages[0]: expected an object, and got string'],
    [{ messages: [{ role: 'tool', content: 'hi' }] }, 'messages[0].role: expected one of user, assistant, system'],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content: expected a text or an array of blocks, and got nothing'],
    [{ messages: [{ role: 'user', content: [5] }] }, 'messages[0].content[0]: expected an object, and got number'],
    [{ messages: [{ role: 'user', content: [{}] }] }, 'messages[0].content[0].type: expected a text, and got nothing'],
    [
      { messages: [user, { role: 'user', content: [text('a'), { type: 'text' }] }] },
      'messages[1].content[1].text: expected a text, and got nothing',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'image' }] }] },
      'messages[0].content[0].source: expected an object, and got nothing',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'tool_result', content: 'x' }] }] },
      'messages[0].content[0].tool_use_id: expected a text, and got nothing',
    ],
    [
      { messages: [user, { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: '{}' }] }] },
      'messages[1].content[0].input: expected an object, and got string',
    ],
    [{ system: 5 }, 'system: expected a text or an array of blocks, and got number'],
    [{ stream: 'yes' }, 'stream: expected true or false, and got string'],
    [{ tools: [{ name: 'f' }] }, 'tools[0].input_schema: expected an object, and got nothing'],
    [{ tools: [{ type: 'custom', input_schema: {} }] }, 'tools[0].name: expected a text, and got nothing'],
    [{ thinking: { type: 'enabled' } }, 'thinking.budget_tokens: expected a number, and got nothing'],
    [{ stop_sequences: 'END' }, 'stop_sequences: expected an array, and got string'],
    [
      { output_config: { format: { type: 'json_schema' } } },
      'output_config.format.schema: expected an object, and got nothing',
    ],
  ])('that is wrong is refused with the path of the field: %j', (fields, message) => {
    expect(() => parseMessages(bodyOf(fields))).toThrow(message);
  });

  test('that is no object is refused', () => {
    for (const body of [null, [], 'hi', 5]) expect(() => parseMessages(body)).toThrow('body: expected an object');
  });

  test('cannot reach into the prototype of anything', () => {
    const body = JSON.parse(
      '{"max_tokens":1,"messages":[{"role":"user","content":"hi"}],"__proto__":{"polluted":true}}',
    );
    const { request } = parseMessages(body);
    expect(Object.keys(request.extra ?? {})).toEqual(['__proto__']);
    expect('polluted' in {}).toBe(false);
    expect('polluted' in request).toBe(false);
  });
});

describe('what was said', () => {
  const said = (...messages: object[]) => understood({ messages: [user, ...messages] }).messages.slice(1);
  const setApart = (...messages: object[]) => understood({ messages: [...messages, user] }).extra;
  const bytes = 'AAAA';

  test('by the system is one message before all others, be it a text or blocks', () => {
    for (const system of ['Be brief.', [text('Be brief.')]]) {
      expect(understood({ system }).messages).toEqual([
        { role: 'system', content: [text('Be brief.')] },
        ...PLAIN.messages,
      ]);
    }
    expect(said({ role: 'system', content: 'Be kind.' })).toEqual([{ role: 'system', content: [text('Be kind.')] }]);
    expect(understood({ system: [{ type: 'tune' }] }).extra).toEqual({ 'tune block of the system': true });
  });

  test('by the user may be texts, images and documents', () => {
    const content = [
      text('look'),
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: bytes } },
      { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
      { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: bytes }, title: 'a.pdf' },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Grüße' } },
      { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' }, citations: { enabled: false } },
    ];
    expect(said({ role: 'user', content })).toEqual([
      {
        role: 'user',
        content: [
          text('look'),
          { type: 'image', url: `data:image/png;base64,${bytes}` },
          { type: 'image', url: 'https://example.com/a.png' },
          { type: 'file', data: `data:application/pdf;base64,${bytes}`, filename: 'a.pdf' },
          { type: 'file', data: `data:text/plain;base64,${Buffer.from('Grüße').toString('base64')}` },
          { type: 'file', url: 'https://example.com/a.pdf' },
        ],
      },
    ]);
    expect(setApart({ role: 'user', content })).toEqual({});
  });

  test('by the user in blocks that only Anthropic has goes on as it is, with a name', () => {
    const content = [
      { type: 'image', source: { type: 'file', file_id: 'file_1' } },
      { type: 'document', source: { type: 'file', file_id: 'file_1' } },
      { type: 'document', source: { type: 'content', content: [] } },
      { type: 'search_result', source: 's', title: 't', content: [] },
    ];
    expect(said({ role: 'user', content })).toEqual([
      {
        role: 'user',
        content: ['image by file', 'document by file', 'document by content', 'search_result'].map((name, i) => ({
          type: 'unknown',
          name,
          value: content[i],
        })),
      },
    ]);
  });

  test('by tools comes before what the user says beside it, with failures and images', () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: bytes } };
    const content = [
      text('Well?'),
      { type: 'tool_result', tool_use_id: 't1', content: '21 °C' },
      { type: 'tool_result', tool_use_id: 't2', content: [text('Look:'), image], is_error: false },
      { type: 'tool_result', tool_use_id: 't3', content: 'no such city', is_error: true },
      { type: 'tool_result', tool_use_id: 't4' },
    ];
    expect(said({ role: 'user', content })).toEqual([
      { role: 'tool', toolCallId: 't1', content: [text('21 °C')] },
      {
        role: 'tool',
        toolCallId: 't2',
        content: [text('Look:'), { type: 'image', url: 'data:image/png;base64,AAAA' }],
      },
      { role: 'tool', toolCallId: 't3', content: [text('no such city')], isError: true },
      { role: 'tool', toolCallId: 't4', content: [] },
      { role: 'user', content: [text('Well?')] },
    ]);
    const [, result] = content;
    expect(said({ role: 'user', content: [result] })).toHaveLength(1);
  });

  test('by the assistant may be texts and tool calls; its thoughts are for Anthropic alone', () => {
    const content = [
      { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' },
      { type: 'redacted_thinking', data: 'x' },
      text('I look.'),
      { type: 'tool_use', id: 't1', name: 'f', input: { a: [1] }, caller: { type: 'direct' } },
      { type: 'tool_use', id: 't2', name: 'g', input: {} },
    ];
    expect(said({ role: 'assistant', content })).toEqual([
      {
        role: 'assistant',
        content: [text('I look.')],
        toolCalls: [
          { id: 't1', name: 'f', arguments: '{"a":[1]}' },
          { id: 't2', name: 'g', arguments: '{}' },
        ],
      },
    ]);
    expect(setApart({ role: 'assistant', content })).toEqual({ 'thinking block': true });
    expect(said({ role: 'assistant', content: content.slice(0, 2) })).toEqual([]);
  });

  test('at the end by the assistant is to be gone on with, which only Anthropic does', () => {
    expect(understood({ messages: [user, { role: 'assistant', content: '{' }] }).extra).toEqual({
      'assistant message at the end': true,
    });
  });

  test('with hints for a cache, citations or anything else beside it is named', () => {
    const cache_control = { type: 'ephemeral' };
    const document = { type: 'document', source: { type: 'url', url: 'https://a' }, context: 'c' };
    expect(
      setApart(
        { role: 'user', content: [{ ...text('a'), cache_control }] },
        { role: 'assistant', content: [{ ...text('b'), citations: [{ type: 'char_location' }] }] },
        { role: 'user', content: [{ ...document, citations: { enabled: true } }] },
        {
          role: 'assistant',
          content: [{ type: 'tool_use', id: 't', name: 'zoom', input: {}, toolset_name: 'computer' }],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', toolset_name: 'computer' }] },
        { role: 'assistant', content: [{ type: 'server_tool_use', id: 's', name: 'web_search', input: {} }] },
      ),
    ).toEqual({
      cache_control,
      'text.citations': [{ type: 'char_location' }],
      'document.context': 'c',
      'document.citations': { enabled: true },
      'tool_use.toolset_name': 'computer',
      'tool_result.toolset_name': 'computer',
      'server_tool_use block of the assistant': true,
    });
  });
});

describe('tools, thinking and the form of the answer', () => {
  const input_schema = { type: 'object', properties: {} };
  const f = { name: 'f', input_schema };

  test('of the kind that others have too are understood', () => {
    const g = { type: 'custom', ...f, name: 'g', description: 'd', strict: true, allowed_callers: ['direct'] };
    expect(understood({ tools: [f, g], tool_choice: { type: 'tool', name: 'f' } })).toEqual({
      ...PLAIN,
      tools: [
        { name: 'f', parameters: input_schema },
        { name: 'g', description: 'd', parameters: input_schema, strict: true },
      ],
      toolChoice: { tool: 'f' },
    });
  });

  test.each([
    [{ type: 'auto' }, { toolChoice: 'auto' }],
    [{ type: 'any' }, { toolChoice: 'required' }],
    [{ type: 'none' }, { toolChoice: 'none' }],
    [
      { type: 'auto', disable_parallel_tool_use: true },
      { toolChoice: 'auto', parallelToolCalls: false },
    ],
    [{ type: 'any', disable_parallel_tool_use: false }, { toolChoice: 'required' }],
  ])('are chosen: %j', (tool_choice, choice) => {
    const { tools: _, ...request } = understood({ tools: [f], tool_choice });
    expect(request).toEqual({ ...PLAIN, ...choice });
  });

  test('that run at Anthropic are named, and so is what only Anthropic can be told of a tool', () => {
    const cache_control = { type: 'ephemeral' };
    expect(
      understood({
        tools: [
          { type: 'web_search_20250305', name: 'web_search' },
          { type: 'computer_toolset_20260801' },
          { ...f, cache_control, defer_loading: true, allowed_callers: ['code_execution_20250825'] },
        ],
        tool_choice: { type: 'fate' },
      }).extra,
    ).toEqual({
      'tool of type web_search_20250305': true,
      'tool of type computer_toolset_20260801': true,
      cache_control,
      'tool.defer_loading': true,
      'tool.allowed_callers': ['code_execution_20250825'],
      'tool_choice of type fate': true,
    });
  });

  // biome-ignore format: reads as a table
  test.each<[object, object, object, boolean]>([
    [{},                                                                                        {},                                                   {},                              false],
    [{ thinking: { type: 'disabled' } },                                                        { reasoningEffort: 'none' },                          {},                              false],
    [{ thinking: { type: 'enabled', budget_tokens: 2_000 } },                                   { reasoningEffort: 'auto', maxReasoningTokens: 2_000 }, {},                            true],
    [{ thinking: { type: 'enabled', budget_tokens: 2_000 }, output_config: { effort: 'low' } }, { reasoningEffort: 'low', maxReasoningTokens: 2_000 },  {},                            true],
    [{ thinking: { type: 'adaptive' } },                                                        { reasoningEffort: 'auto' },                          {},                              true],
    [{ thinking: { type: 'adaptive', display: 'omitted' } },                                    { reasoningEffort: 'auto' },                          { 'thinking.display': 'omitted' }, false],
    [{ thinking: { type: 'adaptive' }, output_config: { effort: 'medium' } },                   { reasoningEffort: 'medium' },                        {},                              true],
    [{ thinking: { type: 'between_tools' } },                                                   {},                                                   { thinking: { type: 'between_tools' } }, true],
    [{ output_config: { effort: 'high' } },                                                     { reasoningEffort: 'high' },                          {},                              false],
    [{ output_config: { effort: 'max' } },                                                      { reasoningEffort: 'high' },                          { 'output_config.effort': 'max' }, false],
    [{ thinking: { type: 'disabled' }, output_config: { effort: 'low' } },                      { reasoningEffort: 'none' },                          { 'output_config.effort': 'low' }, false],
    [{ output_config: { task_budget: 5 } },                                                     {},                                                   { 'output_config.task_budget': 5 }, false],
  ])('are said in two fields: %j', (fields, settings, extra, showsThinking) => {
    expect(understood(fields)).toEqual({
      ...PLAIN,
      ...settings,
      ...(showsThinking && { showReasoning: true }),
      extra });
    expect(parseMessages(bodyOf(fields)).showsThinking).toBe(showsThinking);
  });

  test('ask for a schema, which gets the name that other vendors want', () => {
    const schema = { type: 'object' };
    expect(understood({ output_config: { format: { type: 'json_schema', schema } } }).output).toEqual({
      type: 'json-schema',
      name: 'answer',
      schema,
    });
    const regex = { type: 'regex', pattern: 'a+' };
    expect(understood({ output_config: { format: regex } })).toEqual({
      ...PLAIN,
      extra: { 'output_config.format': regex },
    });
  });
});

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'chat',
  strategy: 'priority',
  target: { id: 'acme/m', vendor: 'acme', model: 'm' },
  attempts: [],
  skipped: [],
  tookMs: 5,
};

const USAGE = { inputTokens: 10, outputTokens: 4, cachedInputTokens: 3, cacheWriteInputTokens: 2, reasoningTokens: 1 };
const PRINTED_USAGE = {
  input_tokens: 5,
  cache_creation_input_tokens: 2,
  cache_read_input_tokens: 3,
  output_tokens: 4,
  output_tokens_details: { thinking_tokens: 1 },
};

const answer = (fields: Partial<ChatAnswer>): ChatAnswer => ({
  id: 'chatcmpl-1',
  model: 'm-2026',
  text: '',
  toolCalls: [],
  finishReason: 'stop',
  served: SERVED,
  ...fields,
});

const printed = (fields: Partial<ChatAnswer>, showsThinking = false) =>
  JSON.parse(printAnswer(answer(fields), { showsThinking }));

describe('an answer of another vendor', () => {
  test('is printed with everything that it has', () => {
    expect(printed({ text: 'Hello', finishReason: 'length', usage: USAGE })).toEqual({
      id: 'chatcmpl-1',
      type: 'message',
      role: 'assistant',
      model: 'm-2026',
      content: [{ type: 'text', text: 'Hello', citations: null }],
      stop_reason: 'max_tokens',
      stop_sequence: null,
      stop_details: null,
      usage: PRINTED_USAGE,
    });
  });

  test('shows its thoughts to who asked to see them', () => {
    const thoughtful = { text: 'Hello', reasoning: 'Hm.' };
    expect(printed(thoughtful).content).toMatchObject([{ type: 'text' }]);
    expect(printed(thoughtful, true).content).toMatchObject([
      { type: 'thinking', thinking: 'Hm.', signature: 'switchyard' },
      { type: 'text' },
    ]);
  });

  test('that calls tools has their input as an object', () => {
    const { content, stop_reason } = printed({
      text: 'I look.',
      toolCalls: [
        { id: 'c1', name: 'f', arguments: '{"a":1}' },
        { id: 'c2', name: 'g', arguments: '' },
        { id: 'c3', name: 'h', arguments: '{"a":' },
        { id: 'c4', name: 'h', arguments: '[1]' },
      ],
      finishReason: 'tool-calls',
    });
    expect(stop_reason).toBe('tool_use');
    expect(content.slice(1)).toEqual([
      { type: 'tool_use', id: 'c1', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 'c2', name: 'g', input: {} },
      { type: 'tool_use', id: 'c3', name: 'h', input: { arguments: '{"a":' } },
      { type: 'tool_use', id: 'c4', name: 'h', input: { arguments: '[1]' } },
    ]);
  });

  // biome-ignore format: reads as a table
  test.each<[string, Partial<ChatAnswer>]>([
    ['end_turn',      { finishReason: 'stop' }],
    ['max_tokens',    { finishReason: 'length' }],
    ['tool_use',      { finishReason: 'tool-calls' }],
    ['tool_use',      { finishReason: 'stop', toolCalls: [{ id: 'c', name: 'f', arguments: '{}' }] }],
    ['refusal',       { finishReason: 'content-filter' }],
    ['refusal',       { finishReason: 'stop', refusal: 'No.' }],
    ['stop_sequence', { finishReason: 'stop', stopSequence: 'END' }],
  ])('has stopped for the reason %s: %j', (stop_reason, fields) => {
    expect(printed(fields)).toMatchObject({ stop_reason, stop_sequence: fields.stopSequence ?? null });
  });

  test('that refuses says so in words too', () => {
    expect(printed({ refusal: 'No.', finishReason: 'stop' })).toMatchObject({
      content: [{ type: 'text', text: 'No.' }],
      stop_details: { type: 'refusal' },
    });
  });

  test('without an id, a model or a usage has ours, and counts that clients can read', () => {
    expect(printed({ id: '', model: '' })).toMatchObject({
      id: 'sw-1',
      model: 'm',
      content: [],
      usage: { input_tokens: 0, output_tokens: 0 },
    });
  });

  test('that came in this format goes out byte for byte', () => {
    const body = '{ "id" : "msg_1", "new":1e2 }';
    const source = { format: 'anthropic-messages', body } as const;
    expect(printAnswer(answer({ source }), { showsThinking: false })).toBe(body);
    expect(printed({ source: { format: 'openai-chat', body } }).type).toBe('message');
  });
});

async function* stream(...events: ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events;
}

interface Frame {
  readonly type: string;
  readonly index?: number;
  readonly content_block?: object;
  readonly delta?: { readonly partial_json?: string };
}

const framesOf = async (events: AsyncIterable<ChatEvent>, showsThinking = false): Promise<Frame[]> => {
  const decoder = new TextDecoder();
  const frames: Frame[] = [];
  for await (const bytes of printedFrames(events, printStream({ showsThinking }, SERVED))) {
    const [, event, data = ''] = /^event: (.*)\ndata: (.*)\n\n$/.exec(decoder.decode(bytes)) ?? [];
    const frame: Frame = JSON.parse(data);
    expect(frame.type).toBe(event);
    frames.push(frame);
  }
  return frames;
};

const START: ChatEvent = { type: 'start', id: 'chatcmpl-1', model: 'm-2026' };
const FINISH: ChatEvent = { type: 'finish', reason: 'stop' };

const message_start = (head: object = {}) => ({
  type: 'message_start',
  message: {
    id: 'chatcmpl-1',
    type: 'message',
    role: 'assistant',
    model: 'm-2026',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: expect.objectContaining({ input_tokens: 0, output_tokens: 0 }),
    ...head,
  },
});
const ping = { type: 'ping' };
const opens = (index: number, content_block: object) => ({ type: 'content_block_start', index, content_block });
const says = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta });
const closes = (index: number) => ({ type: 'content_block_stop', index });
const stops = (stop_reason: string, usage: object = expect.anything()) => [
  {
    type: 'message_delta',
    delta: { stop_reason, stop_sequence: null, stop_details: stop_reason === 'refusal' ? expect.anything() : null },
    usage,
  },
  { type: 'message_stop' },
];
const EMPTY_TEXT = { type: 'text', text: '', citations: null };
const EMPTY_THOUGHT = { type: 'thinking', thinking: '', signature: '' };

describe('a stream of another vendor', () => {
  test('has the whole sequence of frames: message, blocks one after the other, reason and usage, end', async () => {
    const frames = await framesOf(
      stream(
        START,
        { type: 'other' },
        { type: 'reasoning', text: 'H' },
        { type: 'reasoning', text: 'm.' },
        { type: 'text', text: '' },
        { type: 'text', text: 'Hel' },
        { type: 'text', text: 'lo' },
        { type: 'usage', usage: USAGE },
        { type: 'finish', reason: 'length' },
      ),
      true,
    );
    expect(frames).toEqual([
      message_start(),
      opens(0, EMPTY_THOUGHT),
      ping,
      says(0, { type: 'thinking_delta', thinking: 'H' }),
      says(0, { type: 'thinking_delta', thinking: 'm.' }),
      says(0, { type: 'signature_delta', signature: 'switchyard' }),
      closes(0),
      opens(1, EMPTY_TEXT),
      says(1, { type: 'text_delta', text: 'Hel' }),
      says(1, { type: 'text_delta', text: 'lo' }),
      closes(1),
      ...stops('max_tokens', PRINTED_USAGE),
    ]);
  });

  test('shows that it is alive, and no thoughts, to who has not asked for them', async () => {
    const frames = await framesOf(
      stream(START, { type: 'reasoning', text: 'Hm.' }, { type: 'text', text: 'Hello' }, FINISH),
    );
    expect(frames.map(({ type }) => type)).toEqual([
      ...['message_start', 'ping', 'content_block_start', 'ping', 'content_block_delta', 'content_block_stop'],
      ...['message_delta', 'message_stop'],
    ]);
    expect(JSON.stringify(frames)).not.toContain('Hm.');
  });

  test('has its tool calls as blocks, in pieces', async () => {
    const frames = await framesOf(
      stream(
        START,
        { type: 'text', text: 'I look.' },
        { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '' },
        { type: 'tool-call', index: 0, arguments: '{"a"' },
        { type: 'tool-call', index: 0, arguments: ':1}' },
        { type: 'tool-call', index: 1, id: 'c2', name: 'g', arguments: '{}' },
        FINISH,
      ),
    );
    expect(frames.slice(5)).toEqual([
      opens(1, { type: 'tool_use', id: 'c1', name: 'f', input: {} }),
      says(1, { type: 'input_json_delta', partial_json: '{"a"' }),
      says(1, { type: 'input_json_delta', partial_json: ':1}' }),
      closes(1),
      opens(2, { type: 'tool_use', id: 'c2', name: 'g', input: {} }),
      says(2, { type: 'input_json_delta', partial_json: '{}' }),
      closes(2),
      ...stops('tool_use'),
    ]);
  });

  test('of a server that gives all calls one index, or mixes their pieces, loses nothing', async () => {
    const same = await framesOf(
      stream(
        { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '{}' },
        { type: 'tool-call', index: 0, id: 'c2', name: 'f', arguments: '{}' },
        FINISH,
      ),
    );
    expect(same.filter(({ type }) => type === 'content_block_start')).toHaveLength(2);
    const mixed = await framesOf(
      stream(
        { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '{"a"' },
        { type: 'tool-call', index: 1, id: 'c2', name: 'g', arguments: '{"b"' },
        { type: 'tool-call', index: 0, arguments: ':1}' },
        { type: 'tool-call', index: 1, arguments: ':2}' },
        FINISH,
      ),
    );
    const inputOf = (block: number): string =>
      mixed.map(({ index, delta }) => (index === block ? (delta?.partial_json ?? '') : '')).join('');
    expect([inputOf(0), inputOf(1)]).toEqual(['{"a":1}', '{"b":2}']);
  });

  test('that refuses says so at its end', async () => {
    const refusing = await framesOf(stream(START, { type: 'refusal', text: 'No.' }, FINISH));
    expect(refusing.slice(3)).toEqual([says(0, { type: 'text_delta', text: 'No.' }), closes(0), ...stops('refusal')]);
    const filtered = await framesOf(stream(START, { type: 'finish', reason: 'content-filter' }));
    expect(filtered).toEqual([message_start(), ...stops('refusal')]);
  });

  test('names the sequence that stopped it', async () => {
    const frames = await framesOf(stream(START, { ...FINISH, stopSequence: 'END' }));
    expect(frames.at(-2)?.delta).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'END' });
  });

  test('starts once, also when the vendor does not say that it starts, or says so twice', async () => {
    const ours = { id: 'sw-1', model: 'm' };
    const silent = await framesOf(stream({ type: 'text', text: 'a' }, START, { type: 'text', text: 'b' }, FINISH));
    expect(silent.filter(({ type }) => type === 'message_start')).toEqual([message_start(ours)]);
    const nameless = await framesOf(stream({ type: 'start', id: '', model: '' }, FINISH));
    expect(nameless).toEqual([message_start(ours), ...stops('end_turn')]);
  });

  test('that breaks off is thrown on, without an end', async () => {
    const breaking = async function* (): AsyncGenerator<ChatEvent> {
      yield START;
      throw new RouterError('answer-broke-off', 'cut');
    };
    await expect(framesOf(breaking())).rejects.toThrow('cut');
  });

  test('that came in this format goes out byte for byte', async () => {
    const bytes = (words: string) => new TextEncoder().encode(words);
    const out: Uint8Array[] = [];
    const events = stream(
      { type: 'other', bytes: bytes(': hi\n\n') },
      { ...START, bytes: bytes('event: message_start\r\ndata: {}\r\n\r\n') },
      { type: 'unknown', name: 'server_tool_use', bytes: bytes('event: content_block_start\ndata: {}\n\n') },
      { type: 'text', text: 'a', bytes: bytes('event: new\ndata: {}\n\n') },
      { ...FINISH, bytes: bytes('event: message_stop\ndata: {}\n\n') },
      { type: 'usage', usage: USAGE },
    );
    for await (const each of printedFrames(events, printStream({ showsThinking: true }, SERVED))) out.push(each);
    expect(Buffer.concat(out).toString()).toBe(
      ': hi\n\nevent: message_start\r\ndata: {}\r\n\r\nevent: content_block_start\ndata: {}\n\n' +
        'event: new\ndata: {}\n\nevent: message_stop\ndata: {}\n\n',
    );
  });

  test.each([
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    'data: {"type": "message_stop"}\n\n',
    undefined,
  ])('and ends with one message_stop, as here: %j', async (stop) => {
    const bytes = (words: string) => new TextEncoder().encode(words);
    const said = 'event: message_delta\ndata: {"type":"message_delta"}\n\n';
    const events: ChatEvent[] = [
      { ...START, bytes: bytes(': hi\n\n') },
      { ...FINISH, bytes: bytes(said) },
    ];
    if (stop !== undefined) events.push({ type: 'other', bytes: bytes(stop) });
    const out: Uint8Array[] = [];
    for await (const each of printedFrames(stream(...events), printStream({ showsThinking: true }, SERVED)))
      out.push(each);
    expect(Buffer.concat(out).toString()).toBe(
      `: hi\n\n${said}${stop ?? 'event: message_stop\ndata: {"type":"message_stop"}\n\n'}`,
    );
  });
});

describe('a stream in which another target takes over', () => {
  const SEAM = { type: 'seam', mode: 'continue', from: 'anthropic/a', to: 'acme/m' } as const;
  const AGAIN = { ...SEAM, mode: 'restart' } as const;
  const sign = { switchyard: { reset: { from: 'anthropic/a', to: 'acme/m' } } };

  const handedOn = (event: ChatEvent, data: Frame): ChatEvent => ({
    ...event,
    bytes: new TextEncoder().encode(`event: ${data.type}\r\ndata: ${JSON.stringify(data)}\r\n\r\n`),
  });
  const other = (data: object): ChatEvent => handedOn({ type: 'other' }, data as Frame);
  const started = handedOn({ type: 'start', id: 'msg_1', model: 'claude' }, message_start() as object as Frame);
  const opened = (index: number, block: object): ChatEvent => other(opens(index, block));
  const piece = (index: number, delta: object): ChatEvent =>
    handedOn({ type: 'text', text: 'x' }, says(index, delta) as object as Frame);

  /** What is printed from the seam on, without its comment. */
  const behind = async (...events: ChatEvent[]): Promise<object[]> => {
    let written = '';
    for await (const bytes of printedFrames(stream(...events), printStream({ showsThinking: true }, SERVED))) {
      written += new TextDecoder().decode(bytes);
    }
    const [, after = ''] = /^: switchyard .*\n\n([\s\S]*)$/m.exec(written) ?? [];
    return [...after.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
  };
  const MORE: ChatEvent = { type: 'text', text: 'lo' };

  test('goes on in the block of text that was open, also behind pings', async () => {
    const begun = [started, opened(0, EMPTY_TEXT), piece(0, { type: 'text_delta', text: 'Hel' }), other(ping)];
    const rest = [says(0, { type: 'text_delta', text: 'lo' }), closes(0), ...stops('end_turn')];
    expect(await behind(...begun, SEAM, MORE, FINISH)).toEqual(rest);
    expect(await behind(started, opened(0, EMPTY_TEXT), other(ping), SEAM, MORE, FINISH)).toEqual(rest);
  });

  test('opens the next block where none was open', async () => {
    const next = (index: number) => [
      opens(index, EMPTY_TEXT),
      ...(index === 0 ? [ping] : []),
      says(index, { type: 'text_delta', text: 'lo' }),
      closes(index),
      ...stops('end_turn'),
    ];
    expect(await behind(started, other(ping), SEAM, MORE, FINISH)).toEqual(next(0));
    const begun = [started, opened(3, EMPTY_TEXT), piece(3, { type: 'text_delta', text: 'x' }), other(closes(3))];
    expect(await behind(...begun, SEAM, MORE, FINISH)).toEqual(next(4));
  });

  test('closes a thought that was open, under our name where it was not signed yet', async () => {
    const thought = [started, opened(0, EMPTY_THOUGHT), piece(0, { type: 'thinking_delta', thinking: 'Hm' })];
    const open = [says(0, { type: 'signature_delta', signature: 'switchyard' }), closes(0), opens(1, EMPTY_TEXT)];
    expect((await behind(...thought, SEAM, MORE, FINISH)).slice(0, 3)).toEqual(open);
    const signed = other(says(0, { type: 'signature_delta', signature: 'c2ln' }));
    expect((await behind(...thought, signed, SEAM, MORE, FINISH)).slice(0, 2)).toEqual(open.slice(1));
    const printedOne = [START, { type: 'reasoning', text: 'Hm' }] as const;
    expect((await behind(...printedOne, SEAM, MORE, FINISH)).slice(0, 3)).toEqual(open);
  });

  test('closes what only the vendor has a word for', async () => {
    const unknown = handedOn(
      { type: 'unknown', name: 'server_tool_use' },
      opens(0, { type: 'server_tool_use' }) as Frame,
    );
    expect((await behind(started, unknown, SEAM, MORE, FINISH)).slice(0, 2)).toEqual([closes(0), opens(1, EMPTY_TEXT)]);
  });

  test('begins anew in blocks of its own, the first of which says so; a call that was left behind is no reason', async () => {
    const call = handedOn(
      { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '' },
      opens(0, { type: 'tool_use', id: 'c1', name: 'f', input: {} }) as Frame,
    );
    expect(await behind(started, call, AGAIN, MORE, FINISH)).toEqual([
      closes(0),
      { ...opens(1, EMPTY_TEXT), ...sign },
      says(1, { type: 'text_delta', text: 'lo' }),
      closes(1),
      ...stops('end_turn'),
    ]);
    expect((await behind(started, call, SEAM, MORE, FINISH)).slice(-2)).toEqual(stops('tool_use'));
  });

  test('begins anew with nothing in a block of nothing', async () => {
    const begun = [START, { type: 'text', text: 'Hel' }] as const;
    expect(await behind(...begun, AGAIN, FINISH)).toEqual([
      closes(0),
      { ...opens(1, EMPTY_TEXT), ...sign },
      closes(1),
      ...stops('end_turn'),
    ]);
  });

  test('numbers the calls of the one that takes over apart from those before', async () => {
    const call: ChatEvent = { type: 'tool-call', index: 0, id: 'c2', name: 'g', arguments: '{}' };
    const frames = await behind(START, { ...call, id: 'c1' }, SEAM, call, { type: 'finish', reason: 'tool-calls' });
    expect(frames).toEqual([
      closes(0),
      opens(1, { type: 'tool_use', id: 'c2', name: 'g', input: {} }),
      says(1, { type: 'input_json_delta', partial_json: '{}' }),
      closes(1),
      ...stops('tool_use'),
    ]);
  });
});

describe('what another vendor thought, or wants back with a call', () => {
  const extra = { google: { thought_signature: 's/+=' } };
  const call = { id: 'c1', name: 'f', arguments: '{}', extra };
  const asked = { max_tokens: 64, messages: [user] };

  test('comes back in the thinking block that carried it, and reaches no target but as a part of the call', async () => {
    const { content } = printed({ text: 'I look.', reasoning: 'Hm.', toolCalls: [call] }, true);
    expect(content.map(({ type }: { type: string }) => type)).toEqual(['thinking', 'text', 'thinking', 'tool_use']);
    const result = { type: 'tool_result', tool_use_id: 'c1', content: '21 °C' };
    const body = { ...asked, messages: [user, { role: 'assistant', content }, { role: 'user', content: [result] }] };
    const before = structuredClone(body);
    const { messages, source, extra: rest } = parseMessages(body).request;
    expect(messages[1]).toEqual({ role: 'assistant', content: [text('I look.')], toolCalls: [call] });
    expect(rest).toEqual({});
    // Anthropic would refuse a thought that is not its own.
    const sent = source?.body.messages as { content: object[] }[];
    expect(sent[1]?.content).toEqual([content[1], content[3]]);
    expect(sent[2]).toEqual(body.messages[2]);
    expect(body).toEqual(before);
  });

  test('is the same in a stream', async () => {
    const frames = await framesOf(stream(START, { type: 'tool-call', index: 0, ...call }, FINISH));
    const [thought] = printed({ toolCalls: [call] }).content;
    expect(frames.slice(1)).toEqual([
      opens(0, EMPTY_THOUGHT),
      ping,
      says(0, { type: 'signature_delta', signature: thought.signature }),
      closes(0),
      opens(1, { type: 'tool_use', id: 'c1', name: 'f', input: {} }),
      says(1, { type: 'input_json_delta', partial_json: '{}' }),
      closes(1),
      ...stops('tool_use'),
    ]);
  });

  test('leaves no empty message behind, and Anthropic’s own thoughts where they were', () => {
    const ours = { type: 'thinking', thinking: 'Hm.', signature: 'switchyard' };
    const own = { type: 'thinking', thinking: 'Hm.', signature: 'c3dpdGNoeWFyZA==' };
    const sentOf = (...content: object[]) =>
      parseMessages({ ...asked, messages: [user, { role: 'assistant', content }, user] }).request.source?.body.messages;
    expect(sentOf(ours)).toEqual([user, user]);
    expect(sentOf(own, text('a'))).toEqual([user, { role: 'assistant', content: [own, text('a')] }, user]);
    expect(sentOf(ours, own)).toEqual([user, { role: 'assistant', content: [own] }, user]);
  });

  test('may be anything, since it comes from a caller', () => {
    for (const kept of [
      '%%%',
      '',
      'bnVsbA',
      'W10',
      Buffer.from('{"c1":5,"__proto__":{"a":1}}').toString('base64url'),
    ]) {
      const content = [
        { type: 'thinking', thinking: '', signature: `switchyard.${kept}` },
        ...['c1', '__proto__', 'constructor'].map((id) => ({ type: 'tool_use', id, name: 'f', input: {} })),
      ];
      const { messages } = parseMessages({ ...asked, messages: [user, { role: 'assistant', content }, user] }).request;
      expect(messages[1]).toEqual({
        role: 'assistant',
        content: [],
        toolCalls: ['c1', '__proto__', 'constructor'].map((id) => ({ id, name: 'f', arguments: '{}' })),
      });
      expect('a' in {}).toBe(false);
    }
  });
});

describe('an error', () => {
  const attempts = [
    { target: 'a/m', role: 'first', outcome: 'overloaded', status: 503, message: 'a answered 503', tookMs: 12.4 },
  ] as const;
  const skipped = [{ target: 'b/m', reason: 'rate-limited' }];

  // biome-ignore format: reads as a table
  const TABLE = [
    ['invalid-config',     500, 'api_error',             undefined],
    ['invalid-request',    400, 'invalid_request_error', undefined],
    ['unknown-route',      404, 'not_found_error',       undefined],
    ['unknown-answer',     404, 'not_found_error',       undefined],
    ['no-capable-target',  400, 'invalid_request_error', undefined],
    ['request-refused',    400, 'invalid_request_error', undefined],
    ['all-targets-failed', 503, 'overloaded_error',      2],
    ['budget-spent',       402, 'billing_error',         2],
    ['deadline-exceeded',  504, 'timeout_error',         2],
    ['answer-broke-off',   502, 'api_error',             undefined],
    ['aborted',            499, 'api_error',             undefined],
  ] as const;

  test.each(TABLE)('%s is a %i', (code, status, type, retryAfterSeconds) => {
    const details = { attempts, skipped, requestId: 'sw-1', retryAfterMs: 1_001 };
    expect(printError(new RouterError(code, 'what happened', details))).toEqual({
      status,
      retryAfterSeconds,
      body: {
        type: 'error',
        error: {
          type,
          message: 'what happened',
          details: { error_code: code.replaceAll('-', '_') },
          attempts: [{ target: 'a/m', outcome: 'overloaded', status: 503, message: 'a answered 503', ms: 12 }],
          skipped,
        },
        request_id: 'sw-1',
      },
    });
  });

  // biome-ignore format: reads as a table
  test.each([
    [400, 'invalid_request_error', 'invalid_request_error'],
    [400, 'INVALID_ARGUMENT',      'invalid_request_error'],
    [422, undefined,               'invalid_request_error'],
    [413, 'tokens',                'request_too_large'],
    [404, 'model_not_found',       'not_found_error'],
    [403, 'permission_error',      'permission_error'],
    [409, undefined,               'conflict_error'],
    [429, undefined,               'rate_limit_error'],
    [529, 'overloaded_error',      'overloaded_error'],
  ] as const)('%i of a vendor that calls it %s is a %s', (status, said, type) => {
    const vendorError = { message: 'no', ...(said !== undefined && { type: said }) };
    const failure = { kind: 'rejected', message: 'ours', status, vendorError } as const;
    expect(printError(new RouterError('request-refused', 'ours', { failure }))).toMatchObject({
      status,
      body: { error: { type, message: 'no' } },
    });
  });

  test('of the caller’s own is told in the vendor’s words, with its code and its field', () => {
    const vendorError = { message: 'temperature is too high', param: 'temperature', code: 'hot' };
    const failure = { kind: 'rejected', message: 'openai answered 422', status: 422, vendorError } as const;
    const { body } = printError(new RouterError('request-refused', 'ours', { failure }));
    expect(body.error).toEqual({
      type: 'invalid_request_error',
      message: 'temperature is too high',
      details: { error_code: 'hot', param: 'temperature' },
    });
  });

  test('of ours says nothing of what went wrong inside', () => {
    for (const error of [new Error('secret'), 'secret', undefined, { code: 'all-targets-failed' }]) {
      const { status, body } = printError(error);
      expect([status, body.error.type, body.request_id]).toEqual([500, 'api_error', null]);
      expect(JSON.stringify(body)).not.toContain('secret');
    }
  });

  test('of a newer copy of the router, with a code of its own, is still an answer', () => {
    const error = Object.assign(new RouterError('aborted', 'what happened'), { code: 'from-next-year' });
    expect(printError(error)).toMatchObject({
      status: 500,
      body: { error: { type: 'api_error', details: { error_code: 'from_next_year' } } },
    });
  });

  test.each([
    [400, 'invalid_request_error'],
    [413, 'request_too_large'],
    [415, 'invalid_request_error'],
    [500, 'api_error'],
  ] as const)('about the body has its status: %i', (status, type) => {
    expect(printError(new BodyError(status, 'what'))).toEqual({
      status,
      body: { type: 'error', error: { type, message: 'what' }, request_id: null },
      retryAfterSeconds: undefined,
    });
  });

  test('in a stream is one event of its own', () => {
    const words = new TextDecoder().decode(errorEvent(new RouterError('answer-broke-off', 'line\nbreak')));
    expect(words).toMatch(/^event: error\ndata: \{.*\}\n\n$/);
    expect(JSON.parse(words.slice(words.indexOf('{')))).toMatchObject({
      type: 'error',
      error: { type: 'api_error', message: 'line\nbreak' },
    });
  });
});
