import { afterEach, describe, expect, test } from 'vitest';
import type { ChatRequest, ChatSettings, Message } from '../decide/request.ts';
import type { ChatEvent } from '../decide/response.ts';
import type { Provider } from '../provider.ts';
import { frames, hi, json, raw, says, send, sse, startVendor, stopVendors, stream } from './one-attempt.test-kit.ts';
import { type OpenAITargetOptions, openai } from './openai.ts';

afterEach(stopVendors);

type Body = Record<string, unknown>;

const at = (url: string, params?: ChatSettings, options: OpenAITargetOptions = {}, model = 'm-1'): Provider =>
  openai(model, { api: 'responses', apiKey: 'key-1', baseURL: `${url}/v1`, ...options }).connect(model, params);

const text = (words: string) => ({ type: 'text', text: words }) as const;

const passing = (body: Body, extra: Body = {}): ChatRequest => ({
  ...hi,
  extra,
  source: { format: 'openai-responses', body },
});

const message = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text: 'Hello', annotations: [] }],
};
const usage = {
  input_tokens: 12,
  input_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
  output_tokens: 8,
  output_tokens_details: { reasoning_tokens: 3 },
  total_tokens: 20,
};
const response = (fields: Body = {}): Body => ({
  id: 'resp_1',
  object: 'response',
  status: 'completed',
  error: null,
  model: 'm-1-2026',
  output: [message],
  usage,
  ...fields,
});

const CREATED = { type: 'response.created', response: response({ status: 'in_progress', output: [], usage: null }) };
const COMPLETED = { type: 'response.completed', response: response() };
const delta = (words: string): Body => ({ type: 'response.output_text.delta', output_index: 0, delta: words });

/** The body that a request is put into. */
const asked = async (request: ChatRequest, params?: ChatSettings, model?: string): Promise<unknown> => {
  const vendor = await startVendor(json(response()));
  // As the route does it.
  await send(at(vendor.url, params, {}, model), { ...request, ...params });
  return vendor.asked[0];
};

describe('a target', () => {
  test('is called through Responses only when it is told to, and by no other word', async () => {
    const spec = openai('m-1', { api: 'responses', apiKey: 'k', weight: 3 });
    expect(spec.options).toEqual({ weight: 3 });
    const wrong = { api: 'assistants', apiKey: 'k' } as unknown as OpenAITargetOptions;
    expect(() => openai('m-1', wrong).connect('m-1', undefined)).toThrow("api: expected 'chat' or 'responses'");
    for (const api of ['toString', '__proto__']) {
      const options = { api, apiKey: 'k' } as unknown as OpenAITargetOptions;
      expect(() => openai('m-1', options).connect('m-1', undefined)).toThrow('api: expected');
    }
    const vendor = await startVendor(json({ choices: [{ message: { content: 'x' }, finish_reason: 'stop' }] }));
    expect(await send(at(vendor.url, undefined, { api: 'chat' }), hi)).toMatchObject({ text: 'x' });
  });
});

describe('a body that passes through', () => {
  const body = {
    model: 'whatever',
    input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi', tomorrow: 1 }] }],
    text: { verbosity: 'low' },
    tools: [{ type: 'web_search' }],
    a_field_of_tomorrow: { deep: [1, null] },
  };

  test('reaches the wire untouched but for the model, and is not stored unless it asks for that', async () => {
    expect(await asked(passing(body))).toEqual({ ...body, model: 'm-1', store: false });
    expect(await asked(passing({ ...body, store: true }))).toEqual({ ...body, model: 'm-1', store: true });
    const streamed = { ...body, stream: true, stream_options: { include_obfuscation: false } };
    expect(await asked(passing(streamed))).toEqual({ ...body, model: 'm-1', store: false });
    expect(at('http://a.test').gaps(passing(body, { 'tool of type web_search': true }))).toEqual([]);
  });

  test("carries the target's settings over its own, inside its objects too", async () => {
    const params: ChatSettings = { temperature: 0, reasoningEffort: 'low', output: { type: 'json' } };
    const given = { ...body, temperature: 1, reasoning: { effort: 'high', summary: 'auto' } };
    const before = structuredClone(given);
    expect(await asked(passing(given), params)).toEqual({
      ...given,
      model: 'm-1',
      store: false,
      temperature: 0,
      reasoning: { effort: 'low', summary: 'auto' },
      text: { verbosity: 'low', format: { type: 'json_object' } },
    });
    expect(given).toEqual(before);
  });

  test('goes without thoughts that OpenAI would not find, and without the names of what they led to', async () => {
    const call = { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' };
    const output = { type: 'function_call_output', call_id: 'c', output: 'ok' };
    const thought = { type: 'reasoning', id: 'rs_1', summary: [] };
    const { id: _, ...unnamed } = call;
    const request = passing({ input: [thought, call, output] });
    expect(await asked(request)).toEqual({ model: 'm-1', store: false, input: [unnamed, output] });
    expect(at('http://a.test').gaps(request)).toEqual([{ what: 'reasoning item', harmless: true }]);
    for (const fields of [
      { input: [thought, call, output], store: true },
      { input: [{ ...thought, encrypted_content: 'gAAAA' }, call, output] },
    ]) {
      expect(await asked(passing(fields))).toEqual({ store: false, model: 'm-1', ...fields });
      expect(at('http://a.test').gaps(passing(fields))).toEqual([]);
    }
  });

  test('is answered byte for byte, plain and streamed', async () => {
    const plain = `{ "new": 1e2, ${JSON.stringify(response()).slice(1)}`;
    const answered = await startVendor(raw(plain));
    expect(await send(at(answered.url), passing(body))).toMatchObject({
      text: 'Hello',
      source: { format: 'openai-responses', body: plain },
    });
    const bytes = `: hello\n\n${frames([CREATED, { type: 'response.tomorrow' }, delta('x'), COMPLETED])}`;
    const streaming = await startVendor(raw(bytes, 'text/event-stream'));
    const { events, failure } = await stream(at(streaming.url), passing(body));
    expect(failure).toBeUndefined();
    expect(streaming.asked[0]).toMatchObject({ stream: true, store: false });
    expect(Buffer.concat(events.flatMap(({ bytes }) => bytes ?? [])).toString()).toBe(bytes);
    expect(events.map(({ type }) => type)).toEqual(['other', 'start', 'other', 'text', 'finish', 'usage']);
  });
});

describe('a request that came in another form', () => {
  const talk: readonly Message[] = [
    { role: 'system', content: [text('Be brief.')] },
    {
      role: 'user',
      content: [
        text('look'),
        { type: 'image', url: 'https://a.test/b.png', detail: 'low' },
        { type: 'file', data: 'data:application/pdf;base64,AAAA' },
        { type: 'file', url: 'https://a.test/b.pdf', filename: 'b.pdf' },
      ],
    },
    { role: 'assistant', content: [text('I look.')], toolCalls: [{ id: 'c1', name: 'f', arguments: '{}' }] },
    { role: 'tool', toolCallId: 'c1', content: [text('ok')] },
    { role: 'system', content: [text('Be kind.')] },
  ];

  test('is put into items, with the first words of the system as instructions', async () => {
    expect(await asked({ messages: talk })).toEqual({
      model: 'm-1',
      store: false,
      instructions: 'Be brief.',
      input: [
        {
          type: 'message',
          role: 'user',
          content: [
            { type: 'input_text', text: 'look' },
            { type: 'input_image', image_url: 'https://a.test/b.png', detail: 'low' },
            { type: 'input_file', file_data: 'data:application/pdf;base64,AAAA', filename: 'file' },
            { type: 'input_file', file_url: 'https://a.test/b.pdf', filename: 'b.pdf' },
          ],
        },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
        { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: 'ok' },
        { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Be kind.' }] },
      ],
    });
    // OpenAI looks for the word JSON among the messages, not in the instructions.
    const inJson = { messages: talk.slice(0, 2), output: { type: 'json' } } as const;
    expect(await asked(inJson)).not.toHaveProperty('instructions');
    expect(await asked({ messages: talk.slice(0, 1) })).toMatchObject({ input: [{ role: 'system' }] });
  });

  test('has its settings in the words of Responses', async () => {
    const settings: ChatSettings = {
      maxOutputTokens: 64,
      temperature: 0.5,
      topP: 0.9,
      tools: [{ name: 'f' }, { name: 'g', parameters: { type: 'object' }, strict: true, description: 'd' }],
      toolChoice: { tool: 'f' },
      parallelToolCalls: false,
      output: { type: 'json-schema', name: 'n', schema: {}, strict: true },
      maxReasoningTokens: 4_000,
    };
    const extra = { metadata: { a: 'b' }, user: 'u', store: true, verbosity: 'low', n: 1 };
    expect(await asked({ ...hi, ...settings, extra })).toEqual({
      model: 'm-1',
      metadata: { a: 'b' },
      user: 'u',
      store: true,
      max_output_tokens: 64,
      temperature: 0.5,
      top_p: 0.9,
      tools: [
        // Left open, it would be strict here, and is not in Chat Completions.
        { type: 'function', name: 'f', parameters: null, strict: false },
        { type: 'function', name: 'g', parameters: { type: 'object' }, strict: true, description: 'd' },
      ],
      tool_choice: { type: 'function', name: 'f' },
      parallel_tool_calls: false,
      text: { format: { type: 'json_schema', name: 'n', schema: {}, strict: true }, verbosity: 'low' },
      reasoning: { effort: 'medium' },
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }],
    });
  });

  test('is told what it cannot have', () => {
    const gapsOf = (request: Partial<ChatRequest>) => at('http://a.test').gaps({ ...hi, ...request });
    expect(gapsOf({ stop: [], frequencyPenalty: 0, extra: { n: 1, store: true, metadata: {} } })).toEqual([]);
    const settings = {
      stop: ['x'],
      seed: 1,
      topK: 1,
      frequencyPenalty: 1,
      presencePenalty: 1,
      extra: { n: 2, logit_bias: { 1: 1 } },
    };
    expect(gapsOf(settings).map(({ what, harmless }) => [what, harmless])).toEqual(
      ['n', 'logit_bias', 'top_k', 'seed', 'stop', 'frequency_penalty', 'presence_penalty'].map((what) => [
        what,
        undefined,
      ]),
    );
    expect(gapsOf(says({ type: 'audio', data: 'A', format: 'wav' }, { type: 'unknown', name: 'x', value: 1 }))).toEqual(
      [{ what: 'audio part' }, { what: 'x part' }],
    );
    // A probe asks for one token.
    expect(gapsOf({ maxOutputTokens: 1 })).toEqual([{ what: 'a limit below 16 tokens', harmless: true }]);
  });

  test('has a limit that OpenAI takes', async () => {
    expect(await asked({ ...hi, maxOutputTokens: 1 })).toMatchObject({ max_output_tokens: 16 });
  });

  test('from Messages thinks as far as the model can be told', async () => {
    const request: ChatRequest = {
      ...hi,
      reasoningEffort: 'none',
      extra: { metadata: { user_id: 'u' } },
      source: { format: 'anthropic-messages', body: {} },
    };
    expect(await asked(request, undefined, 'gpt-5')).toMatchObject({ reasoning: { effort: 'low' }, user: 'u' });
    expect(await asked(request)).not.toHaveProperty('reasoning');
  });

  test('returns what a tool showed as what it is', async () => {
    const image = { type: 'image', url: 'data:image/png;base64,AAAA' } as const;
    const results: Message = { role: 'tool', toolCallId: 'c1', content: [text('a'), image], isError: true };
    expect(await asked({ messages: [...hi.messages, results] })).toMatchObject({
      input: [
        {},
        {
          call_id: 'c1',
          output: [
            { type: 'input_text', text: 'a' },
            { type: 'input_image', image_url: image.url },
          ],
        },
      ],
    });
  });
});

describe('an answer', () => {
  const answered = async (fields: Body) => send(at((await startVendor(json(response(fields)))).url), hi);

  test('is what was thought, said and called', async () => {
    const thought = {
      type: 'reasoning',
      summary: [
        { type: 'summary_text', text: 'Hm.' },
        { type: 'summary_text', text: 'So.' },
      ],
    };
    const call = { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'f', arguments: '{"a":1}' };
    expect(await answered({ output: [thought, message, call] })).toEqual({
      id: 'resp_1',
      model: 'm-1-2026',
      text: 'Hello',
      reasoning: 'Hm.\n\nSo.',
      toolCalls: [{ id: 'c1', name: 'f', arguments: '{"a":1}' }],
      finishReason: 'tool-calls',
      usage: { inputTokens: 12, outputTokens: 8, cachedInputTokens: 4, reasoningTokens: 3 },
    });
    const refused = { ...message, content: [{ type: 'refusal', refusal: 'No.' }] };
    expect(await answered({ output: [refused] })).toMatchObject({ text: '', refusal: 'No.', finishReason: 'stop' });
  });

  test.each([
    [{ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }, 'length'],
    [{ status: 'incomplete', incomplete_details: { reason: 'content_filter' } }, 'content-filter'],
    [{ status: 'incomplete', incomplete_details: null }, 'length'],
  ])('that is incomplete says why: %j', async (fields, finishReason) => {
    expect(await answered(fields)).toMatchObject({ finishReason });
  });

  test.each<[Body, object]>([
    [{ status: 'in_progress' }, { kind: 'broken' }],
    [{ status: 'queued' }, { kind: 'broken' }],
    [{ output: undefined }, { kind: 'broken' }],
    [{ status: 'failed', error: { code: 'server_error', message: 'x' } }, { kind: 'server-error' }],
    [{ status: 'failed', error: { code: 'rate_limit_exceeded', message: 'x' } }, { kind: 'rate-limited' }],
    // The caller's fault, and no target's.
    [
      { status: 'failed', error: { code: 'invalid_prompt', message: 'x' } },
      { kind: 'rejected', status: 400 },
    ],
    [
      { status: 'failed', error: { code: 'image_too_large', message: 'x' } },
      { kind: 'rejected', status: 400 },
    ],
  ])('that is none is a failure: %j', async (fields, failure) => {
    expect(await answered(fields)).toMatchObject(failure);
  });
});

describe('a stream', () => {
  const streamed = async (...events: Body[]) => stream(at((await startVendor(sse(...events))).url), hi);
  const item = (index: number, fields: Body, type = 'added'): Body => ({
    type: `response.output_item.${type}`,
    output_index: index,
    item: fields,
  });
  const call = { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'f', arguments: '' };
  const piece = (args: string): Body => ({
    type: 'response.function_call_arguments.delta',
    output_index: 1,
    delta: args,
  });

  test('is told in neutral events, of which only content is content', async () => {
    const { events, failure } = await streamed(
      CREATED,
      { type: 'response.in_progress', response: response() },
      item(0, { type: 'reasoning', id: 'rs_1', summary: [] }),
      { type: 'response.reasoning_summary_part.added', summary_index: 0 },
      { type: 'response.reasoning_summary_text.delta', delta: 'Hm.' },
      { type: 'response.reasoning_summary_part.added', summary_index: 1 },
      { type: 'response.reasoning_summary_text.delta', delta: 'So.' },
      item(1, { ...message, content: [] }),
      delta('Hel'),
      { type: 'response.refusal.delta', delta: 'No.' },
      COMPLETED,
    );
    expect(failure).toBeUndefined();
    expect(events).toEqual<ChatEvent[]>([
      { type: 'start', id: 'resp_1', model: 'm-1-2026' },
      { type: 'reasoning', text: 'Hm.' },
      { type: 'reasoning', text: '\n\n' },
      { type: 'reasoning', text: 'So.' },
      { type: 'text', text: 'Hel' },
      { type: 'refusal', text: 'No.' },
      { type: 'finish', reason: 'stop' },
      { type: 'usage', usage: { inputTokens: 12, outputTokens: 8, cachedInputTokens: 4, reasoningTokens: 3 } },
    ]);
  });

  test('has the arguments of a call once, in pieces or whole', async () => {
    const whole = '{"a":1}';
    const endings = [
      { type: 'response.function_call_arguments.done', output_index: 1, arguments: whole },
      item(1, { ...call, arguments: whole }, 'done'),
    ];
    for (const pieces of [[piece('{"a"'), piece(':1}'), ...endings], endings, endings.slice(1)]) {
      const { events } = await streamed(CREATED, item(1, call), ...pieces, COMPLETED);
      const calls = events.filter((event) => event.type === 'tool-call');
      expect(calls[0]).toEqual({ type: 'tool-call', index: 1, id: 'c1', name: 'f', arguments: '' });
      expect(calls.map((event) => event.arguments).join('')).toBe(whole);
      expect(events).toContainEqual({ type: 'finish', reason: 'tool-calls' });
    }
  });

  test('that is incomplete says why', async () => {
    const incomplete = response({ status: 'incomplete', incomplete_details: { reason: 'content_filter' } });
    const { events } = await streamed(CREATED, { type: 'response.incomplete', response: incomplete });
    expect(events).toContainEqual({ type: 'finish', reason: 'content-filter' });
  });

  test('waits for nothing after its last event, whether or not that has a name', async () => {
    for (const named of [true, false]) {
      const bytes = named
        ? frames([CREATED, COMPLETED])
        : [CREATED, COMPLETED].map((e) => `data: ${JSON.stringify(e)}\n\n`).join('');
      const vendor = await startVendor((response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(bytes);
      });
      expect((await stream(at(vendor.url), hi)).failure).toBeUndefined();
    }
  });

  test.each<[string, Body[], object]>([
    ['no event', [], { kind: 'broken', message: 'openai sent a stream without an event' }],
    [
      'no last event',
      [CREATED, delta('x')],
      { kind: 'broken', message: 'openai sent a stream that stopped before its end' },
    ],
    [
      'its quota at its end, after it was created',
      [CREATED, { type: 'error', code: 'insufficient_quota', message: 'x', param: null }],
      { kind: 'quota-exhausted' },
    ],
    ['an error in an object', [CREATED, { type: 'error', error: { type: 'server_error' } }], { kind: 'server-error' }],
    [
      'a failed response',
      [
        CREATED,
        delta('x'),
        { type: 'response.failed', response: response({ status: 'failed', error: { code: 'rate_limit_exceeded' } }) },
      ],
      { kind: 'rate-limited' },
    ],
    ['a failed response without a word', [CREATED, { type: 'response.failed', response: {} }], { kind: 'broken' }],
    ['an end that is none', [CREATED, { type: 'response.completed', response: {} }], { kind: 'broken' }],
  ])('with %s is a failure', async (_, events, failure) => {
    expect((await streamed(...events)).failure).toMatchObject(failure);
  });

  test('of bytes that are no JSON is a failure', async () => {
    const vendor = await startVendor(
      raw(`${frames([CREATED])}event: response.completed\ndata: {"ty\n\n`, 'text/event-stream'),
    );
    expect((await stream(at(vendor.url), passing({}))).failure).toMatchObject({ kind: 'broken' });
  });
});
