import { type ChatAnswer, type ChatEvent, type ChatRequest, RouterError, type Served } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { BodyError } from '../body.ts';
import { type ChatCall, errorEvent, parseChat, printAnswer, printError, printStream } from './chat-completions.ts';
import { printedFrames } from './printed-frames.test-kit.ts';

const user = { role: 'user', content: 'hi' };

/** What is understood of a body, without the body itself. */
const understood = (body: object): Omit<ChatRequest, 'source'> => {
  const { source, ...request } = parseChat({ messages: [user], ...body }).request;
  expect(source).toEqual({ format: 'openai-chat', body: { messages: [user], ...body } });
  return request;
};

const MESSAGES = [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }];

describe('a request', () => {
  test('of a message alone asks for nothing else', () => {
    expect(understood({})).toEqual({ messages: MESSAGES, extra: {} });
    expect(parseChat({ messages: [user] })).toMatchObject({ model: undefined, stream: false, includeUsage: false });
  });

  test('has a neutral name for every setting that vendors share', () => {
    const body = {
      model: 'chat',
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 5,
      temperature: 0,
      top_p: 0.5,
      stop: ['a', 'b'],
      seed: 7,
      frequency_penalty: -1,
      presence_penalty: 1,
      parallel_tool_calls: false,
      reasoning_effort: 'low',
    };
    expect(understood(body)).toEqual({
      messages: MESSAGES,
      maxOutputTokens: 5,
      temperature: 0,
      topP: 0.5,
      stop: ['a', 'b'],
      seed: 7,
      frequencyPenalty: -1,
      presencePenalty: 1,
      parallelToolCalls: false,
      reasoningEffort: 'low',
      extra: {},
    });
    expect(parseChat({ messages: [user], ...body })).toMatchObject({ model: 'chat', stream: true, includeUsage: true });
  });

  test('keeps what it does not know wherever it stands, under the place where it stood', () => {
    const request = {
      messages: [
        { ...user, no_such_field: 7 },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } },
            { type: 'image_url', image_url: { url: 'https://a.b/c.png', zoom: 2 } },
          ],
        },
        // What clients give back of an answer without having looked at it.
        { role: 'assistant', content: 'yes', refusal: null, annotations: [], reasoning_content: 'Hm.' },
      ],
      tools: [{ type: 'function', function: { name: 'f', returns: {} } }],
      stream_options: { include_usage: true, include_obfuscation: false },
    };
    expect(understood(request).extra).toEqual({
      'messages[].no_such_field': 7,
      cache_control: { type: 'ephemeral' },
      'messages[].content[].image_url.zoom': 2,
      'messages[].reasoning_content': 'Hm.',
      'tools[].function.returns': {},
      'stream_options.include_obfuscation': false,
    });
  });

  test('may name its limit in the old way and in the new one, which wins', () => {
    expect(understood({ max_completion_tokens: 9 }).maxOutputTokens).toBe(9);
    expect(understood({ max_tokens: 5, max_completion_tokens: 9 }).maxOutputTokens).toBe(9);
  });

  test('may name one stop sequence without a list', () => {
    expect(understood({ stop: 'END' }).stop).toEqual(['END']);
  });

  test('leaves out what is null, as clients do that send every field', () => {
    const fields = [
      ...['model', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'stop'],
      ...['seed', 'frequency_penalty', 'presence_penalty', 'tools', 'tool_choice', 'parallel_tool_calls'],
      ...['response_format', 'reasoning_effort', 'logit_bias', 'user', 'n'],
    ];
    const body = Object.fromEntries(fields.map((field) => [field, null]));
    expect(understood(body)).toEqual({ messages: MESSAGES, extra: {} });
  });

  test('keeps fields without a neutral name as they came', () => {
    const extra = { logit_bias: { 50256: -100 }, n: 2, user: 'u', from_next_year: { a: [1] }, top_logprobs: 0 };
    expect(understood(extra).extra).toEqual(extra);
  });

  test('with a number that is too large for JavaScript is refused, not sent on as null', () => {
    const body = JSON.parse('{"messages":[{"role":"user","content":"hi"}],"temperature":1e999}');
    expect(() => parseChat(body)).toThrow('temperature: expected a number');
  });

  test('that is no object is refused', () => {
    for (const body of [null, [], 'hi', 5]) expect(() => parseChat(body)).toThrow('body: expected an object');
  });

  test('cannot reach into the prototype of anything', () => {
    const body = JSON.parse('{"messages":[{"role":"user","content":"hi"}],"__proto__":{"polluted":true}}');
    const { request } = parseChat(body);
    expect(Object.keys(request.extra ?? {})).toEqual(['__proto__']);
    expect('polluted' in {}).toBe(false);
    expect('polluted' in request).toBe(false);
  });
});

describe('messages', () => {
  const said = (...messages: object[]) => understood({ messages: [user, ...messages] }).messages.slice(1);
  const setApart = (...messages: object[]) => understood({ messages: [user, ...messages] }).extra;
  // `understood` compares the source with the body it made, so the messages go in as fields.

  test('of the system and of the developer are the same to other vendors', () => {
    expect(
      said({ role: 'system', content: 'a' }, { role: 'developer', content: [{ type: 'text', text: 'b' }] }),
    ).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'a' }] },
      { role: 'system', content: [{ type: 'text', text: 'b' }] },
    ]);
  });

  test('of the user may have parts of every kind', () => {
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
      { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,AA==', filename: 'a.pdf' } },
      { type: 'file', file: { file_id: 'file-1' } },
      { type: 'hologram', hologram: 1 },
    ];
    expect(said({ role: 'user', content })).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image', url: 'https://example.com/a.png', detail: 'low' },
          { type: 'image', url: 'data:image/png;base64,AA==' },
          { type: 'audio', data: 'AA==', format: 'wav' },
          { type: 'file', data: 'data:application/pdf;base64,AA==', filename: 'a.pdf' },
          { type: 'file', fileId: 'file-1' },
          { type: 'unknown', name: 'hologram', value: { type: 'hologram', hologram: 1 } },
        ],
      },
    ]);
  });

  test('of the assistant may have text, tool calls, or both', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":' } };
    expect(said({ role: 'assistant', content: 'a' })).toEqual([
      { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
    ]);
    const signed = { ...call, extra_content: { google: { thought_signature: 's' } } };
    for (const content of [null, undefined]) {
      expect(said({ role: 'assistant', content, tool_calls: [call, signed] })).toEqual([
        {
          role: 'assistant',
          content: [],
          toolCalls: [
            { id: 'c1', name: 'f', arguments: '{"a":' },
            { id: 'c1', name: 'f', arguments: '{"a":', extra: { google: { thought_signature: 's' } } },
          ],
        },
      ]);
    }
  });

  test('in which the assistant refused are things it said, for every vendor', () => {
    const refused = { role: 'assistant', content: [{ type: 'text', text: 'I will not.' }] };
    expect(said({ role: 'assistant', content: null, refusal: 'I will not.' })).toEqual([refused]);
    expect(said({ role: 'assistant', content: [{ type: 'refusal', refusal: 'I will not.' }] })).toEqual([refused]);
    expect(setApart({ role: 'assistant', content: null, refusal: 'I will not.' })).toEqual({});
  });

  test('of a tool name the call they answer', () => {
    expect(said({ role: 'tool', tool_call_id: 'c1', content: '21 °C' })).toEqual([
      { role: 'tool', toolCallId: 'c1', content: [{ type: 'text', text: '21 °C' }] },
    ]);
  });

  test('that other vendors have no words for are named, never lost in silence', () => {
    const custom = { role: 'assistant', tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'f', input: 'x' } }] };
    expect(setApart(custom)).toEqual({ 'tool call of type custom': true });
    expect(said(custom)).toEqual([{ role: 'assistant', content: [] }]);
    expect(setApart({ role: 'user', name: 'ann', content: 'hi' })).toEqual({ 'messages[].name': true });
    expect(setApart({ role: 'assistant', function_call: { name: 'f', arguments: '{}' } })).toEqual({
      'messages[].function_call': true,
    });
    expect(setApart({ role: 'assistant', audio: { id: 'audio_1' } })).toEqual({ 'messages[].audio': true });
    expect(setApart({ role: 'system', content: [{ type: 'hologram' }] })).toEqual({
      'hologram part outside a user message': true,
    });
    expect(said({ role: 'function', name: 'f', content: '1' })).toMatchObject([
      { role: 'user', content: [{ type: 'unknown', name: 'function message' }] },
    ]);
  });
});

describe('tools and the form of the answer', () => {
  test('are understood', () => {
    const parameters = { type: 'object', properties: {} };
    const request = understood({
      tools: [
        { type: 'function', function: { name: 'f', description: 'd', parameters, strict: true } },
        { type: 'function', function: { name: 'g', description: null, parameters: null } },
      ],
      tool_choice: { type: 'function', function: { name: 'f' } },
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'n', schema: { type: 'object' }, description: 'd', strict: false },
      },
    });
    expect(request).toMatchObject({
      tools: [{ name: 'f', description: 'd', parameters, strict: true }, { name: 'g' }],
      toolChoice: { tool: 'f' },
      output: { type: 'json-schema', name: 'n', schema: { type: 'object' }, description: 'd', strict: false },
    });
    expect(request.tools?.[1]).toEqual({ name: 'g' });
  });

  test('of the plain kinds are understood', () => {
    for (const choice of ['auto', 'none', 'required'] as const)
      expect(understood({ tool_choice: choice }).toolChoice).toBe(choice);
    expect(understood({ response_format: { type: 'text' } }).output).toEqual({ type: 'text' });
    expect(understood({ response_format: { type: 'json_object' } }).output).toEqual({ type: 'json' });
    expect(understood({ response_format: { type: 'json_schema', json_schema: { name: 'n' } } }).output).toEqual({
      type: 'json-schema',
      name: 'n',
      schema: {},
    });
  });

  test('of kinds that only OpenAI has are named', () => {
    const custom = understood({ tools: [{ type: 'custom', custom: { name: 'f' } }] });
    expect(custom).toEqual({ messages: MESSAGES, extra: { 'tool of type custom': true } });
    const allowed = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } };
    expect(understood({ tool_choice: allowed })).toEqual({ messages: MESSAGES, extra: { tool_choice: allowed } });
    const regex = { type: 'regex', pattern: 'a+' };
    expect(understood({ response_format: regex })).toEqual({ messages: MESSAGES, extra: { response_format: regex } });
  });

  test('an empty list of tools is no list', () => {
    expect(understood({ tools: [] }).tools).toBeUndefined();
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

const USAGE = { inputTokens: 10, outputTokens: 4, cachedInputTokens: 3, reasoningTokens: 1 };
const PRINTED_USAGE = {
  prompt_tokens: 10,
  completion_tokens: 4,
  total_tokens: 14,
  prompt_tokens_details: { cached_tokens: 3 },
  completion_tokens_details: { reasoning_tokens: 1 },
};

const answer = (fields: Partial<ChatAnswer>): ChatAnswer => ({
  id: 'msg_1',
  model: 'm-2026',
  text: '',
  toolCalls: [],
  finishReason: 'stop',
  served: SERVED,
  ...fields,
});

describe('an answer of another vendor', () => {
  test('is printed with everything that it has', () => {
    const printed = JSON.parse(
      printAnswer(answer({ text: 'Hello', reasoning: 'Hm.', finishReason: 'length', usage: USAGE })),
    );
    expect(printed).toEqual({
      id: 'msg_1',
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'm-2026',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null, reasoning_content: 'Hm.' },
          logprobs: null,
          finish_reason: 'length',
        },
      ],
      usage: PRINTED_USAGE,
    });
  });

  test('that calls tools has no content, but has what its vendor wants back', () => {
    const extra = { google: { thought_signature: 's' } };
    const toolCalls = [{ id: 'c1', name: 'f', arguments: '{}', extra }];
    const { choices } = JSON.parse(printAnswer(answer({ toolCalls, finishReason: 'tool-calls' })));
    expect(choices).toMatchObject([{ message: { content: null }, finish_reason: 'tool_calls' }]);
    const [call] = choices[0].message.tool_calls;
    expect(call).toEqual({
      id: 'c1',
      type: 'function',
      function: { name: 'f', arguments: '{}' },
      extra_content: extra,
    });
    // And back again.
    const again = parseChat({ messages: [{ role: 'assistant', tool_calls: [call] }] });
    expect(again.request.messages[0]).toMatchObject({ toolCalls });
  });

  test('that is empty is an empty text, and a refusal is a refusal', () => {
    expect(JSON.parse(printAnswer(answer({}))).choices[0].message.content).toBe('');
    const { message, finish_reason } = JSON.parse(
      printAnswer(answer({ refusal: 'No.', finishReason: 'content-filter' })),
    ).choices[0];
    expect([message.content, message.refusal, finish_reason]).toEqual([null, 'No.', 'content_filter']);
  });

  test('without an id or a model has ours', () => {
    expect(JSON.parse(printAnswer(answer({ id: '', model: '' })))).toMatchObject({ id: 'sw-1', model: 'm' });
  });

  test('that came in this format goes out byte for byte', () => {
    const body = '{ "id" : "chatcmpl-1", "new":1e2 }';
    expect(printAnswer(answer({ source: { format: 'openai-chat', body } }))).toBe(body);
  });
});

async function* stream(...events: ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events;
}

const framesOf = async (events: AsyncIterable<ChatEvent>, includeUsage = false): Promise<unknown[]> => {
  const call: ChatCall = { ...parseChat({ messages: [user], stream: true }), includeUsage };
  const decoder = new TextDecoder();
  const frames: unknown[] = [];
  for await (const bytes of printedFrames(events, printStream(call, SERVED))) {
    const [, data] = /^data: (.*)\n\n$/.exec(decoder.decode(bytes)) ?? [];
    frames.push(data === '[DONE]' ? data : JSON.parse(data ?? ''));
  }
  return frames;
};

describe('a stream of another vendor', () => {
  const START: ChatEvent = { type: 'start', id: 'msg_1', model: 'm-2026' };
  const chunk = (delta: object, finish_reason: string | null = null, head: object = {}) => ({
    id: 'msg_1',
    object: 'chat.completion.chunk',
    created: expect.any(Number),
    model: 'm-2026',
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    ...head,
  });

  test('is printed event by event, and ends with [DONE]', async () => {
    const frames = await framesOf(
      stream(
        START,
        { type: 'other' },
        { type: 'reasoning', text: 'Hm.' },
        { type: 'text', text: 'Hel' },
        { type: 'text', text: 'lo' },
        { type: 'refusal', text: 'No.' },
        { type: 'finish', reason: 'stop' },
        { type: 'usage', usage: USAGE },
      ),
    );
    expect(frames).toEqual([
      chunk({ role: 'assistant', content: '' }),
      chunk({ reasoning_content: 'Hm.' }),
      chunk({ content: 'Hel' }),
      chunk({ content: 'lo' }),
      chunk({ refusal: 'No.' }),
      chunk({}, 'stop'),
      '[DONE]',
    ]);
  });

  test('tells its usage in a last chunk to who asked for it', async () => {
    const events = [START, { type: 'usage', usage: USAGE }, { type: 'finish', reason: 'length' }] as const;
    expect(await framesOf(stream(...events), true)).toEqual([
      chunk({ role: 'assistant', content: '' }, null, { usage: null }),
      chunk({}, 'length', { usage: null }),
      { ...chunk({}), choices: [], usage: PRINTED_USAGE },
      '[DONE]',
    ]);
    // Who is told nothing can tell nothing.
    expect(await framesOf(stream(START, { type: 'finish', reason: 'stop' }), true)).toHaveLength(3);
  });

  test('has its tool calls in pieces', async () => {
    const extra = { google: { thought_signature: 's' } };
    const frames = await framesOf(
      stream(
        START,
        { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '', extra },
        { type: 'tool-call', index: 0, arguments: '{"a":1}' },
        { type: 'finish', reason: 'tool-calls' },
      ),
    );
    const call = { index: 0, id: 'c1', type: 'function', function: { name: 'f', arguments: '' }, extra_content: extra };
    expect(frames.slice(1)).toEqual([
      chunk({ tool_calls: [call] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"a":1}' } }] }),
      chunk({}, 'tool_calls'),
      '[DONE]',
    ]);
  });

  test('says the role once, also when the vendor does not say that it starts, or says so twice', async () => {
    const ours = { id: 'sw-1', model: 'm' };
    expect(await framesOf(stream({ type: 'text', text: 'a' }, START, { type: 'text', text: 'b' }))).toEqual([
      chunk({ role: 'assistant', content: 'a' }, null, ours),
      chunk({ content: 'b' }),
      '[DONE]',
    ]);
    const nameless = await framesOf(stream({ type: 'start', id: '', model: '' }));
    expect(nameless).toEqual([chunk({ role: 'assistant', content: '' }, null, ours), '[DONE]']);
  });

  test('that breaks off is thrown on, without [DONE]', async () => {
    const breaking = async function* (): AsyncGenerator<ChatEvent> {
      yield START;
      throw new RouterError('answer-broke-off', 'cut');
    };
    await expect(framesOf(breaking())).rejects.toThrow('cut');
  });

  test('that came in this format goes out byte for byte', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const out: Uint8Array[] = [];
    const events = stream(
      { ...START, bytes: bytes(': hi\n\n') },
      { type: 'text', text: 'one frame, ' },
      { type: 'text', text: 'two', bytes: bytes('data: {}\r\n\r\n') },
      { type: 'usage', usage: USAGE },
      { type: 'other', bytes: bytes('data: [DONE]\n\n') },
    );
    for await (const each of printedFrames(
      events,
      printStream({ ...parseChat({ messages: [user] }), includeUsage: true }, SERVED),
    )) {
      out.push(each);
    }
    expect(Buffer.concat(out).toString()).toBe(': hi\n\ndata: {}\r\n\r\ndata: [DONE]\n\n');
  });

  test('and gets the [DONE] that its vendor leaves out', async () => {
    const said = 'data: {"choices":[]}\n\n';
    const out: Uint8Array[] = [];
    const events = stream({ ...START, bytes: new TextEncoder().encode(said) }, { type: 'finish', reason: 'stop' });
    for await (const each of printedFrames(events, printStream(parseChat({ messages: [user] }), SERVED)))
      out.push(each);
    expect(Buffer.concat(out).toString()).toBe(`${said}data: [DONE]\n\n`);
  });
});

describe('a stream in which another target takes over', () => {
  const SEAM = { type: 'seam', mode: 'continue', from: 'openai/a', to: 'acme/m' } as const;
  const AGAIN = { ...SEAM, mode: 'restart' } as const;
  const FINISH: ChatEvent = { type: 'finish', reason: 'stop' };
  const call = (args: string): ChatEvent => ({ type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: args });

  const writtenOf = async (...events: ChatEvent[]): Promise<string> => {
    const out: Uint8Array[] = [];
    for await (const each of printedFrames(stream(...events), printStream(parseChat({ messages: [user] }), SERVED)))
      out.push(each);
    return Buffer.concat(out).toString();
  };
  const frame = (fields: object): Uint8Array => new TextEncoder().encode(`data: ${JSON.stringify(fields)}\r\n\r\n`);
  const head = { id: 'chatcmpl-9', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'gpt-5-2026' };
  const first = frame({ ...head, system_fingerprint: 'fp', choices: [{ index: 0, delta: { role: 'assistant' } }] });
  const second = frame({ ...head, choices: [{ index: 0, delta: { content: 'Hel' } }], obfuscation: 'x' });
  const RELAYED: ChatEvent[] = [
    { type: 'other', bytes: new TextEncoder().encode(': wait\n\n') },
    { type: 'start', id: head.id, model: head.model, bytes: first },
    { type: 'text', text: 'Hel', bytes: second },
  ];
  const chunk = (delta: object, finish_reason: string | null = null, more: object = {}): string =>
    `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...more })}\n\n`;

  test('goes on under the head of the chunks that were handed on, and says no second role', async () => {
    const written = await writtenOf(...RELAYED, SEAM, { type: 'text', text: 'lo' }, FINISH);
    expect(written).toBe(
      `: wait\n\n${Buffer.concat([first, second])}: switchyard openai/a broke off, acme/m goes on\n\n` +
        `${chunk({ content: 'lo' })}${chunk({}, 'stop')}data: [DONE]\n\n`,
    );
  });

  test('begins anew behind a sign, and counts its calls on', async () => {
    const bytes = frame({ ...head, choices: [] });
    const written = await writtenOf(...RELAYED, { ...call('{"a'), bytes }, AGAIN, call('{}'), FINISH);
    const sign = chunk({}, null, { switchyard: { reset: { from: 'openai/a', to: 'acme/m' } } });
    const anew = { index: 1, id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    expect(written).toContain(
      `: switchyard openai/a broke off, acme/m begins anew\n\n${sign}${chunk({ tool_calls: [anew] })}`,
    );
  });

  test('says the role where nothing but comments was handed on', async () => {
    const [comment] = RELAYED;
    const written = await writtenOf(comment as ChatEvent, SEAM, { type: 'text', text: 'Hello' }, FINISH);
    expect(written).toContain('"id":"sw-1"');
    expect(written).toContain('"delta":{"role":"assistant","content":"Hello"}');
  });
});

describe('an error', () => {
  const attempts = [
    { target: 'a/m', role: 'first', outcome: 'overloaded', status: 503, message: 'a answered 503', tookMs: 12.4 },
  ] as const;

  // biome-ignore format: reads as a table
  const TABLE = [
    ['invalid-config',     500, 'server_error',          undefined],
    ['invalid-request',    400, 'invalid_request_error', undefined],
    ['unknown-route',      404, 'invalid_request_error', undefined],
    ['unknown-answer',     404, 'invalid_request_error', undefined],
    ['no-capable-target',  400, 'invalid_request_error', undefined],
    ['request-refused',    400, 'invalid_request_error', undefined],
    ['all-targets-failed', 503, 'upstream_error',        2],
    ['budget-spent',       402, 'insufficient_quota',    2],
    ['deadline-exceeded',  504, 'upstream_error',        2],
    ['answer-broke-off',   502, 'upstream_error',        undefined],
    ['aborted',            499, 'upstream_error',        undefined],
  ] as const;

  test.each(TABLE)('%s is a %i', (code, status, type, retryAfterSeconds) => {
    const printed = printError(
      new RouterError(code, 'what happened', { attempts, requestId: 'sw-1', retryAfterMs: 1_001 }),
    );
    expect(printed).toEqual({
      status,
      retryAfterSeconds,
      body: {
        error: {
          message: 'what happened',
          type,
          param: null,
          code: code.replaceAll('-', '_'),
          request_id: 'sw-1',
          attempts: [{ target: 'a/m', outcome: 'overloaded', status: 503, message: 'a answered 503', ms: 12 }],
        },
      },
    });
  });

  test('without a time to come back asks for a second, and never for none', () => {
    for (const retryAfterMs of [undefined, 0, 1]) {
      expect(printError(new RouterError('all-targets-failed', '', { retryAfterMs })).retryAfterSeconds).toBe(1);
    }
  });

  test('of the caller’s own is told in the vendor’s words, with its status', () => {
    const failure = {
      kind: 'rejected',
      message: 'openai answered 422',
      status: 422,
      vendorError: {
        message: 'temperature is too high',
        type: 'invalid_request_error',
        param: 'temperature',
        code: 'hot',
      },
    } as const;
    expect(printError(new RouterError('request-refused', 'ours', { failure }))).toMatchObject({
      status: 422,
      body: { error: { message: 'temperature is too high', param: 'temperature', code: 'hot' } },
    });
    const { vendorError: _, ...silent } = failure;
    expect(printError(new RouterError('request-refused', 'ours', { failure: silent })).body.error.message).toBe('ours');
  });

  test('of ours says nothing of what went wrong inside', () => {
    for (const error of [new Error('secret'), 'secret', undefined, { code: 'all-targets-failed' }]) {
      const { status, body } = printError(error);
      expect([status, body.error.type, body.error.code]).toEqual([500, 'server_error', 'internal']);
      expect(JSON.stringify(body)).not.toContain('secret');
    }
  });

  test('of a newer copy of the router, with a code of its own, is still an answer', () => {
    const error = Object.assign(new RouterError('aborted', 'what happened'), { code: 'from-next-year' });
    expect(printError(error)).toMatchObject({ status: 500, body: { error: { code: 'from_next_year' } } });
  });

  test('about the body has its status', () => {
    expect(printError(new BodyError(413, 'too large'))).toMatchObject({
      status: 413,
      body: { error: { message: 'too large', type: 'invalid_request_error', code: null } },
    });
    expect(printError(new BodyError(500, 'read already')).body.error.type).toBe('server_error');
  });

  test('in a stream is one event', () => {
    const text = new TextDecoder().decode(errorEvent(new RouterError('answer-broke-off', 'line\nbreak')));
    expect(text).toMatch(/^data: \{"error":.*\}\n\n$/);
    expect(JSON.parse(text.slice(6))).toMatchObject({ error: { message: 'line\nbreak', code: 'answer_broke_off' } });
  });
});
