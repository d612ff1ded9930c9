import { type ChatAnswer, type ChatEvent, type ChatRequest, RouterError, type Served } from '@switchyard/core';
import { describe, expect, test } from 'vitest';
import { printedFrames } from './printed-frames.test-kit.ts';
import { errorEvent, parseResponses, printAnswer, printStream, responses } from './responses.ts';

const text = (words: string) => ({ type: 'text', text: words }) as const;
const hi = { role: 'user', content: 'hi' };

const bodyOf = (fields: object): Record<string, unknown> => ({ input: 'hi', ...fields });

/** What is understood of a body, without the body itself. */
const understood = (fields: object): Omit<ChatRequest, 'source'> => {
  const { source, ...request } = parseResponses(bodyOf(fields)).request;
  expect(source).toEqual({ format: 'openai-responses', body: bodyOf(fields) });
  return request;
};

const PLAIN = { messages: [{ role: 'user', content: [text('hi')] }], extra: {} };

describe('a request', () => {
  test('of a text asks for nothing else', () => {
    expect(understood({})).toEqual(PLAIN);
    expect(parseResponses(bodyOf({}))).toMatchObject({ model: undefined, stream: false });
  });

  test('has a neutral name for every setting that vendors share', () => {
    const schema = { type: 'object' };
    const settings = {
      model: 'chat',
      stream: true,
      max_output_tokens: 64,
      temperature: 0,
      top_p: 0.5,
      tools: [{ type: 'function', name: 'f', description: 'd', parameters: schema, strict: true }],
      tool_choice: { type: 'function', name: 'f' },
      parallel_tool_calls: false,
      text: { format: { type: 'json_schema', name: 'n', schema, strict: true } },
      reasoning: { effort: 'low' },
    };
    expect(understood(settings)).toEqual({
      ...PLAIN,
      maxOutputTokens: 64,
      temperature: 0,
      topP: 0.5,
      tools: [{ name: 'f', description: 'd', parameters: schema, strict: true }],
      toolChoice: { tool: 'f' },
      parallelToolCalls: false,
      output: { type: 'json-schema', name: 'n', schema, strict: true },
      reasoningEffort: 'low',
    });
    expect(parseResponses(bodyOf(settings))).toMatchObject({ model: 'chat', stream: true });
    expect(understood({ text: { format: { type: 'json_object' } } }).output).toEqual({ type: 'json' });
    expect(understood({ text: { format: { type: 'text' } } }).output).toEqual({ type: 'text' });
  });

  test('leaves out what is null, and what asks for nothing', () => {
    const fields = [
      ...['model', 'instructions', 'stream', 'max_output_tokens', 'temperature', 'top_p', 'tools', 'tool_choice'],
      ...['text', 'reasoning', 'include', 'background', 'conversation', 'previous_response_id', 'store', 'metadata'],
    ];
    expect(understood(Object.fromEntries(fields.map((field) => [field, null])))).toEqual(PLAIN);
    const asked = { tools: [], tool_choice: 'auto', parallel_tool_calls: true, include: [], background: false };
    expect(understood(asked)).toEqual(PLAIN);
  });

  test('keeps fields without a neutral name as they came, or under a name that says where they stood', () => {
    const extra = { metadata: { a: 'b' }, store: true, service_tier: 'flex', from_next_year: { a: [1] } };
    expect(understood(extra).extra).toEqual(extra);
    const nested = {
      text: { verbosity: 'low', new: 1 },
      reasoning: { effort: 'low', summary: 'auto' },
      include: ['reasoning.encrypted_content', 'message.output_text.logprobs'],
      tools: [{ type: 'web_search' }, { type: 'function', name: 'f', defer_loading: true }],
      tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [] },
    };
    expect(understood(nested).extra).toEqual({
      verbosity: 'low',
      'text.new': 1,
      'reasoning.summary': 'auto',
      include: nested.include,
      'include of logprobs': true,
      'tool of type web_search': true,
      'tool.defer_loading': true,
      tool_choice: nested.tool_choice,
    });
  });

  test.each<[object, string]>([
    [{ input: undefined }, 'input: expected a text or an array of items, and got nothing'],
    [{ input: [] }, 'input: expected at least one item'],
    [{ input: ['hi'] }, 'input[0]: expected an object, and got string'],
    [
      { input: [hi, { role: 'bot', content: 'x' }] },
      'input[1].role: expected one of system, developer, user, assistant',
    ],
    [{ input: [{ role: 'user' }] }, 'input[0].content: expected a text or an array of parts, and got nothing'],
    [{ input: [{ role: 'user', content: [{}] }] }, 'input[0].content[0].type: expected a text, and got nothing'],
    [
      { input: [{ role: 'user', content: [{ type: 'input_text' }] }] },
      'input[0].content[0].text: expected a text, and got nothing',
    ],
    [{ input: [{ type: 'function_call', name: 'f', arguments: '{}' }] }, 'input[0].call_id: expected a text'],
    [
      { input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: {} }] },
      'input[0].arguments: expected a text',
    ],
    [
      { input: [{ type: 'function_call_output', call_id: 'c' }] },
      'input[0].output: expected a text or an array of parts',
    ],
    [{ instructions: 5 }, 'instructions: expected a text, and got number'],
    [{ stream: 'yes' }, 'stream: expected true or false, and got string'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].name: expected a text, and got nothing'],
    [
      { text: { format: { type: 'json_schema', name: 'n' } } },
      'text.format.schema: expected an object, and got nothing',
    ],
    [{ reasoning: { effort: 3 } }, 'reasoning.effort: expected a text, and got number'],
    [{ include: [7] }, 'include[0]: expected a text, and got number'],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id: answers are not stored here; send the conversation'],
    [{ conversation: { id: 'c' } }, 'conversation: answers are not stored here'],
    [{ background: true }, 'background: answers are not stored here; wait for the answer, or stream it'],
    [
      { input: [hi, { type: 'item_reference', id: 'x' }] },
      'input[1]: answers are not stored here; send the item itself',
    ],
  ])('that is wrong, or needs a memory, is refused with the path of the field: %j', (fields, message) => {
    expect(() => parseResponses(bodyOf(fields))).toThrow(message);
  });

  test('that is no object is refused', () => {
    for (const body of [null, [], 'hi', 5]) expect(() => parseResponses(body)).toThrow('body: expected an object');
  });

  test('cannot reach into the prototype of anything', () => {
    const { request } = parseResponses(JSON.parse('{"input":"hi","__proto__":{"polluted":true}}'));
    expect(Object.keys(request.extra ?? {})).toEqual(['__proto__']);
    expect('polluted' in {}).toBe(false);
    expect('polluted' in request).toBe(false);
  });
});

describe('what was said', () => {
  const said = (...input: object[]) => understood({ input }).messages;
  const call = (call_id: string, fields: object = {}) => ({
    type: 'function_call',
    call_id,
    name: 'f',
    arguments: '{}',
    ...fields,
  });
  const result = (call_id: string, output: unknown = 'ok') => ({ type: 'function_call_output', call_id, output });

  test('by the system comes first as instructions, and where it stands as a message of either role', () => {
    const input = [hi, { role: 'developer', content: 'b' }, { type: 'message', role: 'system', content: 'c' }];
    expect(understood({ instructions: 'a', input }).messages).toEqual([
      { role: 'system', content: [text('a')] },
      { role: 'user', content: [text('hi')] },
      { role: 'system', content: [text('b')] },
      { role: 'system', content: [text('c')] },
    ]);
  });

  test('by the user may be texts, images, files and sounds', () => {
    const content = [
      { type: 'input_text', text: 'look' },
      { type: 'input_image', image_url: 'https://a.test/b.png', detail: 'low' },
      { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
      { type: 'input_image', file_id: 'file-1' },
      { type: 'input_file', file_data: 'data:application/pdf;base64,AAAA', filename: 'a.pdf' },
      { type: 'input_file', file_url: 'https://a.test/b.pdf' },
      { type: 'input_file', file_id: 'file-2' },
      { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
      { type: 'input_smell', nose: 1 },
    ];
    expect(said({ role: 'user', content })).toEqual([
      {
        role: 'user',
        content: [
          text('look'),
          { type: 'image', url: 'https://a.test/b.png', detail: 'low' },
          { type: 'image', url: 'data:image/png;base64,AAAA' },
          { type: 'unknown', name: 'image by id', value: content[3] },
          { type: 'file', data: 'data:application/pdf;base64,AAAA', filename: 'a.pdf' },
          { type: 'file', url: 'https://a.test/b.pdf' },
          { type: 'file', fileId: 'file-2' },
          { type: 'audio', data: 'AAAA', format: 'wav' },
          { type: 'unknown', name: 'input_smell', value: content[8] },
        ],
      },
    ]);
  });

  test('by the assistant, and its calls, are one turn up to their results', () => {
    const words = (id: string, content: object[]) => ({
      type: 'message',
      role: 'assistant',
      id,
      status: 'completed',
      content,
    });
    const output = { type: 'output_text', text: 'a', annotations: [], logprobs: [] };
    expect(
      said(
        hi,
        words('msg_1', [output, { type: 'refusal', refusal: 'no' }]),
        call('c1', { id: 'fc_1', status: 'completed' }),
        call('c2'),
        words('msg_2', [{ ...output, text: 'b' }]),
        result('c1', [{ type: 'input_text', text: 'x' }]),
        result('c2'),
        call('c3'),
        result('c3'),
        { role: 'assistant', content: 'c' },
        { role: 'assistant', content: 'd' },
      ),
    ).toEqual([
      { role: 'user', content: [text('hi')] },
      {
        role: 'assistant',
        content: [text('a'), text('no'), text('b')],
        toolCalls: [
          { id: 'c1', name: 'f', arguments: '{}' },
          { id: 'c2', name: 'f', arguments: '{}' },
        ],
      },
      { role: 'tool', toolCallId: 'c1', content: [text('x')] },
      { role: 'tool', toolCallId: 'c2', content: [text('ok')] },
      { role: 'assistant', content: [], toolCalls: [{ id: 'c3', name: 'f', arguments: '{}' }] },
      { role: 'tool', toolCallId: 'c3', content: [text('ok')] },
      { role: 'assistant', content: [text('c')] },
      { role: 'assistant', content: [text('d')] },
    ]);
  });

  test('in items that only OpenAI knows is named, and thoughts of its own among them', () => {
    const input = [
      hi,
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAAA' },
      { type: 'web_search_call', id: 'ws_1', status: 'completed' },
      { type: 'message', role: 'assistant', phase: 'commentary', content: 'x' },
    ];
    const { messages, extra } = understood({ input });
    expect(messages).toHaveLength(2);
    expect(extra).toEqual({ 'reasoning item': true, 'web_search_call item': true, phase: 'commentary' });
  });
});

// ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'chat',
  strategy: 'priority',
  target: { id: 'acme/m', vendor: 'acme', model: 'm' },
  attempts: [],
  skipped: [],
  tookMs: 5,
};

const usage = { inputTokens: 9, outputTokens: 4, cachedInputTokens: 2, reasoningTokens: 1 };

const answerOf = (fields: Partial<ChatAnswer>): ChatAnswer => ({
  id: 'a-1',
  model: 'm-2026',
  text: '',
  toolCalls: [],
  finishReason: 'stop',
  served: SERVED,
  ...fields,
});

const printed = (fields: Partial<ChatAnswer>, body: object = {}) =>
  JSON.parse(printAnswer(answerOf(fields), parseResponses(bodyOf(body))));

const kept = { google: { thought_signature: 's' } };
const called = { id: 'c1', name: 'f', arguments: '{"a":1}' };

describe('an answer', () => {
  test('goes out as it came, byte for byte, when it came in this format', () => {
    const body = '{ "id":"resp_1", "new": 1e2 }';
    const source = { format: 'openai-responses', body } as const;
    expect(printAnswer(answerOf({ source }), parseResponses(bodyOf({})))).toBe(body);
  });

  test('has what was thought, said and called as items, and says its request again', () => {
    const asked = { instructions: 'Be brief.', metadata: { a: 'b' }, text: { verbosity: 'low' }, store: true };
    const toolCalls = [called, { ...called, id: 'c2' }];
    expect(
      printed({ text: 'Hello', reasoning: 'Hm.', toolCalls, finishReason: 'tool-calls', usage }, asked),
    ).toMatchObject({
      id: 'a-1',
      object: 'response',
      status: 'completed',
      error: null,
      incomplete_details: null,
      model: 'm-2026',
      instructions: 'Be brief.',
      metadata: { a: 'b' },
      text: { format: { type: 'text' }, verbosity: 'low' },
      // It was not stored, whatever was asked for.
      store: false,
      output: [
        { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }] },
        { type: 'message', status: 'completed', content: [{ type: 'output_text', text: 'Hello', annotations: [] }] },
        { type: 'function_call', status: 'completed', call_id: 'c1', name: 'f', arguments: '{"a":1}' },
        { type: 'function_call', call_id: 'c2' },
      ],
      usage: {
        input_tokens: 9,
        input_tokens_details: { cached_tokens: 2, cache_write_tokens: 0 },
        output_tokens: 4,
        output_tokens_details: { reasoning_tokens: 1 },
        total_tokens: 13,
      },
    });
  });

  test.each([
    ['stop', 'completed', null],
    ['tool-calls', 'completed', null],
    ['length', 'incomplete', { reason: 'max_output_tokens' }],
    ['content-filter', 'incomplete', { reason: 'content_filter' }],
  ] as const)('that ended with %s is %s', (finishReason, status, details) => {
    const answer = printed({ text: 'x', finishReason });
    expect(answer).toMatchObject({ status, incomplete_details: details, output: [{ type: 'message', status }] });
  });

  test('that is a refusal says so, and one of nothing has no items', () => {
    expect(printed({ refusal: 'No.' }).output).toMatchObject([{ content: [{ type: 'refusal', refusal: 'No.' }] }]);
    expect(printed({})).toMatchObject({ output: [], usage: null });
    expect(printed({ id: '', model: '' })).toMatchObject({ id: 'sw-1', model: 'm' });
  });

  test('comes back with what another vendor wants back, and without what OpenAI would refuse', () => {
    const { output } = printed({ text: 'a', reasoning: 'Hm.', toolCalls: [{ ...called, extra: kept }] });
    expect(output.map(({ type }: { type: string }) => type)).toEqual([
      'reasoning',
      'message',
      'reasoning',
      'function_call',
    ]);
    const outputItem = { type: 'function_call_output', call_id: 'c1', output: 'ok' };
    const { request } = parseResponses({ input: [hi, ...output, outputItem] });
    expect(request.messages[1]).toEqual({
      role: 'assistant',
      content: [text('a')],
      toolCalls: [{ ...called, extra: kept }],
    });
    expect(request.extra).toEqual({});
    const { status, ...message } = output[1];
    const { id: _, ...unnamed } = message;
    const { id: __, ...unnamedCall } = output[3];
    expect(request.source?.body).toEqual({ input: [hi, { status, ...unnamed }, unnamedCall, outputItem] });
  });

  test('of somebody who made a mark up keeps nothing', () => {
    for (const mark of ['switchyard.', 'switchyard.@@', `switchyard.${Buffer.from('[1]').toString('base64url')}`]) {
      const input = [{ type: 'reasoning', id: 'rs_x', summary: [], encrypted_content: mark }, hi];
      expect(parseResponses({ input }).request.messages).toEqual(PLAIN.messages);
    }
  });
});

const framesOf = async (events: AsyncIterable<ChatEvent>, body: object = {}): Promise<string> => {
  const decoder = new TextDecoder();
  let frames = '';
  for await (const chunk of printedFrames(events, printStream(parseResponses(bodyOf(body)), SERVED)))
    frames += decoder.decode(chunk);
  return frames;
};

const dataOf = (frames: string): Record<string, unknown>[] => {
  const data = [...frames.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json));
  const names = [...frames.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
  expect(data.map(({ type }) => type)).toEqual(names);
  return data;
};

async function* streamOf(...events: (ChatEvent | Error)[]): AsyncGenerator<ChatEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

const START = { type: 'start', id: 'a-1', model: 'm-2026' } as const;
const brokeOff = new RouterError('answer-broke-off', 'acme/m: acme sent an answer that broke off.');

describe('a stream', () => {
  test('opens and closes each item and each part in turn, and ends with the whole', async () => {
    const data = dataOf(
      await framesOf(
        streamOf(
          START,
          { type: 'reasoning', text: 'Hm' },
          { type: 'reasoning', text: '.' },
          { type: 'text', text: 'Hel' },
          { type: 'text', text: 'lo' },
          { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '' },
          { type: 'tool-call', index: 0, arguments: '{"a":1}' },
          { type: 'finish', reason: 'tool-calls' },
          { type: 'usage', usage },
        ),
      ),
    );
    expect(data.map(({ type, output_index }) => [type, output_index])).toEqual([
      ['response.created', undefined],
      ['response.in_progress', undefined],
      ['response.output_item.added', 0],
      ['response.reasoning_summary_part.added', 0],
      ['response.reasoning_summary_text.delta', 0],
      ['response.reasoning_summary_text.delta', 0],
      ['response.reasoning_summary_text.done', 0],
      ['response.reasoning_summary_part.done', 0],
      ['response.output_item.done', 0],
      ['response.output_item.added', 1],
      ['response.content_part.added', 1],
      ['response.output_text.delta', 1],
      ['response.output_text.delta', 1],
      ['response.output_text.done', 1],
      ['response.content_part.done', 1],
      ['response.output_item.done', 1],
      ['response.output_item.added', 2],
      ['response.function_call_arguments.delta', 2],
      ['response.function_call_arguments.done', 2],
      ['response.output_item.done', 2],
      ['response.completed', undefined],
    ]);
    expect(data.map(({ sequence_number }) => sequence_number)).toEqual(data.map((_, i) => i));
    const whole = printed({ text: 'Hello', reasoning: 'Hm.', toolCalls: [called], finishReason: 'tool-calls', usage });
    expect(data.at(-1)?.response).toEqual({ ...whole, created_at: expect.any(Number) });
    // What is done is what the whole has.
    expect(data.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item)).toEqual(
      whole.output,
    );
  });

  test('sends the pieces of calls that come at a time to the call that each belongs to', async () => {
    const piece = (index: number, args: string) => ({ type: 'tool-call', index, arguments: args }) as const;
    const begin = (index: number, extra?: Record<string, unknown>) =>
      ({ ...piece(index, ''), id: `c${index}`, name: 'f', ...(extra && { extra }) }) as const;
    const data = dataOf(
      await framesOf(
        streamOf(begin(0), begin(1, kept), piece(0, '{"a"'), piece(1, '{}'), piece(0, ':1}'), {
          type: 'finish',
          reason: 'tool-calls',
        }),
      ),
    );
    expect(data.at(-1)?.response).toMatchObject({
      output: [
        { call_id: 'c0', arguments: '{"a":1}' },
        { type: 'reasoning', summary: [] },
        { call_id: 'c1', arguments: '{}' },
      ],
    });
  });

  test('ends as incomplete where the answer was cut, and with a refusal as its own part', async () => {
    const cut = dataOf(
      await framesOf(streamOf(START, { type: 'text', text: 'x' }, { type: 'finish', reason: 'length' })),
    );
    expect(cut.at(-2)).toMatchObject({ type: 'response.output_item.done', item: { status: 'incomplete' } });
    expect(cut.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
    });
    const refused = dataOf(
      await framesOf(
        streamOf(
          START,
          { type: 'text', text: 'x' },
          { type: 'refusal', text: 'No.' },
          { type: 'finish', reason: 'stop' },
        ),
      ),
    );
    expect(refused.filter(({ type }) => /refusal|content_part/.test(String(type)))).toMatchObject([
      { type: 'response.content_part.added', content_index: 0 },
      { type: 'response.content_part.done', content_index: 0 },
      { type: 'response.content_part.added', content_index: 1, part: { type: 'refusal', refusal: '' } },
      { type: 'response.refusal.delta', content_index: 1, delta: 'No.' },
      { type: 'response.refusal.done', content_index: 1, refusal: 'No.' },
      { type: 'response.content_part.done', content_index: 1 },
    ]);
  });

  test('that breaks off says so, and what had come of it', async () => {
    const data = dataOf(await framesOf(streamOf(START, { type: 'text', text: 'Hel' }, brokeOff)));
    expect(data.slice(-2)).toMatchObject([
      { type: 'error', code: 'answer_broke_off', message: brokeOff.message, param: null },
      {
        type: 'response.failed',
        response: {
          id: 'a-1',
          status: 'failed',
          error: { code: 'server_error', message: brokeOff.message },
          output: [{ type: 'message', status: 'incomplete', content: [{ text: 'Hel' }] }],
        },
      },
    ]);
    expect(data.map(({ sequence_number }) => sequence_number)).toEqual(data.map((_, i) => i));
  });

  const encoder = new TextEncoder();
  const frame = (type: string, fields: object): string =>
    `event: ${type}\r\ndata: ${JSON.stringify({ type, ...fields })}\r\n\r\n`;
  const created = frame('response.created', { sequence_number: 0, response: { id: 'resp_1', new: 1, output: [] } });
  const delta = frame('response.output_text.delta', { sequence_number: 7, delta: 'x' });

  test('of bytes goes out as it came', async () => {
    const events: ChatEvent[] = [
      { type: 'other', bytes: encoder.encode(': hello\n\n') },
      { ...START, bytes: encoder.encode(created) },
      { type: 'text', text: 'x', bytes: encoder.encode(delta) },
      { type: 'finish', reason: 'stop', bytes: encoder.encode('end') },
      { type: 'usage', usage },
    ];
    expect(await framesOf(streamOf(...events))).toBe(`: hello\n\n${created}${delta}end`);
  });

  test.each(['', ': ping\n\n'])('of bytes that breaks off goes on from where it was, behind %j', async (comment) => {
    const frames = await framesOf(
      streamOf(
        { ...START, bytes: encoder.encode(created) },
        { type: 'text', text: 'x', bytes: encoder.encode(delta) },
        ...(comment === '' ? [] : [{ type: 'other', bytes: encoder.encode(comment) } as const]),
        brokeOff,
      ),
    );
    const before = created + delta + comment;
    expect(frames.startsWith(before)).toBe(true);
    expect(dataOf(frames.slice(before.length))).toMatchObject([
      { type: 'error', sequence_number: 8, code: 'answer_broke_off' },
      { type: 'response.failed', sequence_number: 9, response: { id: 'resp_1', new: 1, status: 'failed' } },
    ]);
  });
});

describe('a stream in which another target takes over', () => {
  const SEAM = { type: 'seam', mode: 'continue', from: 'openai/a', to: 'acme/m' } as const;
  const AGAIN = { ...SEAM, mode: 'restart' } as const;
  const FINISH: ChatEvent = { type: 'finish', reason: 'stop' };
  const MORE: ChatEvent = { type: 'text', text: 'lo' };

  /** Events as OpenAI numbers them, each with its frame. */
  const handedOn = (...events: readonly (readonly [type: string, fields: object, event?: ChatEvent])[]): ChatEvent[] =>
    events.map(([type, fields, event = { type: 'other' }], sequence_number) => ({
      ...event,
      bytes: new TextEncoder().encode(
        `event: ${type}\r\ndata: ${JSON.stringify({ type, sequence_number, ...fields })}\r\n\r\n`,
      ),
    }));

  const thought = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: '' };
  const message = { id: 'msg_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] };
  const part = { type: 'output_text', annotations: [], logprobs: [], text: '' };
  const at = { item_id: 'msg_1', output_index: 1, content_index: 0 };
  const whole = { id: 'resp_1', object: 'response', model: 'gpt-5-2026', status: 'in_progress', new: 1, output: [] };
  const CREATED = ['response.created', { response: whole }, { type: 'start', id: 'resp_1', model: 'gpt-5' }] as const;
  const done = { ...thought, encrypted_content: 'gAAA' };
  const delta = (text: string) =>
    ['response.output_text.delta', { ...at, delta: text, logprobs: [] }, { type: 'text', text }] as const;
  const BEGUN = [
    CREATED,
    ['response.in_progress', { response: whole }],
    ['response.output_item.added', { output_index: 0, item: thought }],
    ['response.output_item.done', { output_index: 0, item: done }],
    ['response.output_item.added', { output_index: 1, item: message }],
    ['response.content_part.added', { ...at, part }],
    delta('H'),
    delta('e'),
    ['response.output_text.annotation.added', { ...at, annotation_index: 0, annotation: { type: 'url_citation' } }],
    delta('l'),
  ] as const;

  /** What is printed from the seam on, without its comment. */
  const behind = async (...events: (ChatEvent | Error)[]): Promise<Record<string, unknown>[]> => {
    const [, after = ''] = /^: switchyard .*\n\n([\s\S]*)$/m.exec(await framesOf(streamOf(...events))) ?? [];
    return dataOf(after);
  };

  test('goes on in the part that was open, and ends with the whole of both', async () => {
    const frames = await behind(...handedOn(...BEGUN), SEAM, MORE, FINISH, { type: 'usage', usage });
    const said = { ...part, annotations: [{ type: 'url_citation' }], text: 'Hello' };
    const item = { ...message, status: 'completed', content: [said] };
    expect(frames).toEqual([
      { type: 'response.output_text.delta', sequence_number: 10, ...at, delta: 'lo', logprobs: [] },
      { type: 'response.output_text.done', sequence_number: 11, ...at, text: 'Hello', logprobs: [] },
      { type: 'response.content_part.done', sequence_number: 12, ...at, part: said },
      { type: 'response.output_item.done', sequence_number: 13, output_index: 1, item },
      {
        type: 'response.completed',
        sequence_number: 14,
        response: {
          ...whole,
          status: 'completed',
          incomplete_details: null,
          output: [done, item],
          usage: expect.objectContaining({ input_tokens: 9, output_tokens: 4 }),
        },
      },
    ]);
  });

  test('opens a part of its own where the last one was done', async () => {
    const full = { ...part, text: 'Hel' };
    const frames = await behind(
      ...handedOn(
        ...BEGUN,
        ['response.output_text.done', { ...at, text: 'Hel' }],
        ['response.content_part.done', { ...at, part: full }],
      ),
      SEAM,
      MORE,
      FINISH,
    );
    expect(frames.map(({ type, content_index }) => [type, content_index])).toEqual([
      ['response.content_part.added', 1],
      ['response.output_text.delta', 1],
      ['response.output_text.done', 1],
      ['response.content_part.done', 1],
      ['response.output_item.done', undefined],
      ['response.completed', undefined],
    ]);
    expect(frames.at(-1)?.response).toMatchObject({ output: [done, { content: [full, { text: 'lo' }] }] });
  });

  test('closes thoughts and calls that were open; half a thought does not come back to OpenAI', async () => {
    const summary = { item_id: 'rs_1', output_index: 0, summary_index: 0 };
    const item = { id: 'fc_1', type: 'function_call', status: 'in_progress', call_id: 'c1', name: 'f', arguments: '' };
    const thinking = (text: string) =>
      ['response.reasoning_summary_text.delta', { ...summary, delta: text }, { type: 'reasoning', text }] as const;
    const second = { ...summary, summary_index: 1 };
    const added = 'response.reasoning_summary_part.added';
    const frames = await behind(
      ...handedOn(
        CREATED,
        ['response.output_item.added', { output_index: 0, item: thought }],
        [added, { ...summary, part: { type: 'summary_text', text: '' } }],
        thinking('H'),
        thinking('m'),
        [added, { ...second, part: { type: 'summary_text', text: '' } }, { type: 'reasoning', text: '\n\n' }],
        ['response.reasoning_summary_text.delta', { ...second, delta: 'So' }, { type: 'reasoning', text: 'So' }],
        [
          'response.output_item.added',
          { output_index: 1, item },
          { type: 'tool-call', index: 1, id: 'c1', name: 'f', arguments: '' },
        ],
        [
          'response.function_call_arguments.delta',
          { item_id: 'fc_1', output_index: 1, delta: '{"a' },
          { type: 'tool-call', index: 1, arguments: '{"a' },
        ],
      ),
      SEAM,
      MORE,
      FINISH,
    );
    const half = [
      { type: 'summary_text', text: 'Hm' },
      { type: 'summary_text', text: 'So' },
    ];
    expect(frames.filter(({ type }) => type === 'response.output_item.done').map((each) => each.item)).toEqual([
      { ...thought, summary: half, encrypted_content: 'switchyard' },
      { ...item, status: 'incomplete', arguments: '{"a' },
      expect.objectContaining({ type: 'message', status: 'completed' }),
    ]);
    const { output = [] } = (frames.at(-1)?.response ?? {}) as { output?: unknown[] };
    const { request } = parseResponses({ input: [hi, ...output, hi] });
    expect(JSON.stringify(request.source?.body)).not.toContain('rs_1');
  });

  test('begins anew behind a sign: what was open is closed, and the last event has the new answer alone', async () => {
    const frames = await behind(...handedOn(...BEGUN), AGAIN, { type: 'text', text: 'Hello' }, FINISH);
    expect(frames.map(({ type, output_index }) => [type, output_index])).toEqual([
      ['response.output_text.done', 1],
      ['response.content_part.done', 1],
      ['response.output_item.done', 1],
      ['response.in_progress', undefined],
      ['response.output_item.added', 2],
      ['response.content_part.added', 2],
      ['response.output_text.delta', 2],
      ['response.output_text.done', 2],
      ['response.content_part.done', 2],
      ['response.output_item.done', 2],
      ['response.completed', undefined],
    ]);
    expect(frames.map(({ sequence_number }) => sequence_number)).toEqual(frames.map((_, i) => 10 + i));
    expect(frames[2]).toMatchObject({ item: { id: 'msg_1', status: 'incomplete' } });
    expect(frames[3]).toMatchObject({ response: whole, switchyard: { reset: { from: 'openai/a', to: 'acme/m' } } });
    expect(frames.at(-1)?.response).toMatchObject({ id: 'resp_1', output: [{ content: [{ text: 'Hello' }] }] });
  });

  test('that breaks off again says so once, and what had come of the answer', async () => {
    const frames = await behind(...handedOn(...BEGUN), SEAM, MORE, brokeOff);
    expect(frames.slice(1)).toMatchObject([
      { type: 'error', sequence_number: 11, code: 'answer_broke_off' },
      {
        type: 'response.failed',
        sequence_number: 12,
        response: { id: 'resp_1', output: [done, { status: 'incomplete', content: [{ text: 'Hello' }] }] },
      },
    ]);
  });

  test('goes on as well as it can behind frames that it cannot read', async () => {
    const bytes = new TextEncoder().encode('data: {"type":"response.output_text.delta","delta":"x"}\n\n');
    const frames = await behind({ type: 'text', text: 'x', bytes }, SEAM, MORE, FINISH);
    expect(frames.at(-1)).toMatchObject({ type: 'response.completed', response: { output: [{ type: 'message' }] } });
  });
});

describe('an error', () => {
  test('is OpenAI’s error body, and one event where nothing is known of the response', () => {
    expect(responses.printError(brokeOff)).toMatchObject({
      status: 502,
      body: { error: { code: 'answer_broke_off' } },
    });
    const frames = new TextDecoder().decode(errorEvent(brokeOff));
    expect(dataOf(frames)).toMatchObject([{ type: 'error', code: 'answer_broke_off', sequence_number: 0 }]);
  });
});
