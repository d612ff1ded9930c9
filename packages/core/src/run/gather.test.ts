import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChatRequest } from '../decide/request.ts';
import type { ChatEvent, ChatResponse } from '../decide/response.ts';
import { addEvent, asStreamed, newWhole, responseOf } from './gather.ts';

const gathered = (events: readonly ChatEvent[]): ChatResponse => {
  const whole = newWhole();
  for (const event of events) addEvent(whole, event);
  return responseOf(whole);
};

const start: ChatEvent = { type: 'start', id: 'id-1', model: 'm-1' };
const stop: ChatEvent = { type: 'finish', reason: 'stop' };
const usage = { inputTokens: 9, outputTokens: 4, cachedInputTokens: 2, reasoningTokens: 1 };

describe('the events of a stream come to', () => {
  test('text, reasoning and usage, and nothing that was not said', () => {
    expect(
      gathered([
        start,
        { type: 'other' },
        { type: 'reasoning', text: 'Let ' },
        { type: 'reasoning', text: 'me see' },
        { type: 'text', text: 'Hel' },
        { type: 'other' },
        { type: 'text', text: 'lo' },
        stop,
        { type: 'usage', usage },
      ]),
    ).toEqual({
      id: 'id-1',
      model: 'm-1',
      text: 'Hello',
      reasoning: 'Let me see',
      toolCalls: [],
      finishReason: 'stop',
      usage,
    });
    expect(gathered([start, { type: 'finish', reason: 'length' }])).toEqual({
      id: 'id-1',
      model: 'm-1',
      text: '',
      toolCalls: [],
      finishReason: 'length',
    });
    expect(gathered([{ type: 'finish', reason: 'stop', stopSequence: 'END' }])).toMatchObject({ stopSequence: 'END' });
  });

  test('what is left of them behind a seam', () => {
    const said: ChatEvent[] = [
      start,
      { type: 'text', text: 'Hel' },
      { type: 'tool-call', index: 0, id: '1', arguments: '' },
    ];
    const seam = { type: 'seam', from: 'a/m', to: 'b/m' } as const;
    const rest: ChatEvent[] = [{ type: 'text', text: 'lo' }, stop];
    expect(gathered([...said.slice(0, 2), { ...seam, mode: 'continue' }, ...rest])).toMatchObject({ text: 'Hello' });
    expect(gathered([...said, { ...seam, mode: 'restart' }, ...rest])).toMatchObject({ text: 'lo', toolCalls: [] });
  });

  test('no body of the vendor whose stream broke', () => {
    const chunk = { id: 'c', choices: [{ index: 0, delta: { content: 'Hel' } }] };
    const bytes = new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\n`);
    const { text, source } = gathered([
      { ...start, bytes },
      { type: 'text', text: 'Hel' },
      { type: 'seam', mode: 'continue', from: 'a/m', to: 'b/m' },
      { type: 'text', text: 'lo' },
      stop,
    ]);
    expect(text).toBe('Hello');
    expect(source).toBeUndefined();
  });

  test('a refusal', () => {
    const refused = gathered([start, { type: 'refusal', text: 'I can' }, { type: 'refusal', text: "'t" }, stop]);
    expect(refused).toMatchObject({ text: '', refusal: "I can't" });
  });

  test('tool calls in the order in which they began, however their pieces are mixed', () => {
    const { toolCalls } = gathered([
      start,
      { type: 'tool-call', index: 1, id: 'b', name: 'g', arguments: '' },
      { type: 'tool-call', index: 0, id: 'a', name: 'f', arguments: '{"x"', extra: { google: { sign: 's' } } },
      { type: 'tool-call', index: 1, arguments: '{}' },
      { type: 'tool-call', index: 0, id: '', name: '', arguments: ':1}', extra: { other: 7 } },
      { type: 'tool-call', index: 2, id: 'c', arguments: '' },
      { type: 'tool-call', index: 2, name: 'h', arguments: '{}' },
      { type: 'finish', reason: 'tool-calls' },
    ]);
    expect(toolCalls).toEqual([
      { id: 'b', name: 'g', arguments: '{}' },
      { id: 'a', name: 'f', arguments: '{"x":1}', extra: { google: { sign: 's' }, other: 7 } },
      { id: 'c', name: 'h', arguments: '{}' },
    ]);
  });

  test('two tool calls where both have the index 0, but an id and a name of their own', () => {
    const { toolCalls } = gathered([
      { type: 'tool-call', index: 0, name: 'f', arguments: '' },
      { type: 'tool-call', index: 0, id: 'a', name: 'f', arguments: '{' },
      { type: 'tool-call', index: 0, id: 'a', name: 'f', arguments: '' },
      { type: 'tool-call', index: 0, name: 'f', arguments: '}' },
      { type: 'tool-call', index: 0, id: 'b', name: 'f', arguments: '[' },
      { type: 'tool-call', index: 0, arguments: ']' },
      stop,
    ]);
    expect(toolCalls).toEqual([
      { id: 'a', name: 'f', arguments: '{}' },
      { id: 'b', name: 'f', arguments: '[]' },
    ]);
  });

  test('one tool call where each piece has another id, and only the first a name', () => {
    const { toolCalls } = gathered([
      { type: 'tool-call', index: 0, id: 'a', name: 'f', arguments: '' },
      { type: 'tool-call', index: 0, id: 'b', arguments: '{' },
      { type: 'tool-call', index: 0, id: 'c', arguments: '}' },
      stop,
    ]);
    expect(toolCalls).toEqual([{ id: 'a', name: 'f', arguments: '{}' }]);
  });

  describe('where another target takes over,', () => {
    const seam = { type: 'seam', from: 'a', to: 'b' } as const;
    const call = (args: string): ChatEvent => ({ type: 'tool-call', index: 0, id: 'c', name: 'f', arguments: args });
    const begun: readonly ChatEvent[] = [start, { type: 'reasoning', text: 'Hm. ' }, { type: 'text', text: 'Hel' }];

    test('what both said, and the calls of each for themselves', () => {
      const more: readonly ChatEvent[] = [
        { type: 'text', text: 'lo' },
        call('{"b":2}'),
        stop,
        { type: 'usage', usage },
      ];
      expect(gathered([...begun, call('{"a":1}'), { ...seam, mode: 'continue' }, ...more])).toEqual({
        id: 'id-1',
        model: 'm-1',
        text: 'Hello',
        reasoning: 'Hm. ',
        toolCalls: [
          { id: 'c', name: 'f', arguments: '{"a":1}' },
          { id: 'c', name: 'f', arguments: '{"b":2}' },
        ],
        finishReason: 'stop',
        usage,
      });
    });

    test('what the second one said, where it begins anew', () => {
      const refused: ChatEvent = { type: 'refusal', text: 'No.' };
      const anew: readonly ChatEvent[] = [{ type: 'text', text: 'Hello' }, stop];
      expect(gathered([...begun, refused, call('{"a'), { ...seam, mode: 'restart' }, ...anew])).toEqual({
        id: 'id-1',
        model: 'm-1',
        text: 'Hello',
        toolCalls: [],
        finishReason: 'stop',
      });
    });

    test('no body of the vendor that broke off, and no end before the second one’s', () => {
      const frame = (delta: object): Uint8Array =>
        new TextEncoder().encode(`data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta }] })}\n\n`);
      const bytes: readonly ChatEvent[] = [
        { ...start, bytes: frame({ role: 'assistant' }) },
        { type: 'text', text: 'Hel', bytes: frame({ content: 'Hel' }) },
      ];
      const whole = gathered([...bytes, { ...seam, mode: 'continue' }, { type: 'text', text: 'lo' }, stop]);
      expect(whole).toEqual({ id: 'id-1', model: 'm-1', text: 'Hello', toolCalls: [], finishReason: 'stop' });
      expect(() => gathered([...begun, stop, { ...seam, mode: 'continue' }])).toThrow('why it finished');
    });
  });

  test('nothing where the stream never said why it finished', () => {
    expect(() => gathered([start, { type: 'text', text: 'x' }])).toThrow('never said why it finished');
  });
});

// ── a body that passes through ───────────────────────────────────────────────────────────────────────────────────────

type Body = Record<string, unknown>;

const bytesOf = (chunk: unknown): Uint8Array => new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\n`);

const other = (bytes: Uint8Array): ChatEvent => ({ type: 'other', bytes });

/** The body that chunks come to, in which each stands for itself. */
const rebuilt = (chunks: readonly unknown[]): Body => {
  const { source } = gathered([...chunks.map((chunk) => other(bytesOf(chunk))), stop]);
  expect(source?.format).toBe('openai-chat');
  return JSON.parse(source?.body ?? '');
};

const chunk = (delta: Body, fields: Body = {}, index = 0): Body => ({
  id: 'c-1',
  object: 'chat.completion.chunk',
  created: 1_760_000_000,
  model: 'm-1-2026',
  choices: [{ index, delta, finish_reason: null, ...fields }],
});

const messageOf = (deltas: readonly Body[]): unknown =>
  (rebuilt(deltas.map((delta) => chunk(delta))).choices as { message: unknown }[])[0]?.message;

describe('the chunks of a body that passes through come to', () => {
  test('the plain body, unknown fields included', () => {
    const tail = { id: 'c-1', object: 'chat.completion.chunk', created: 1_760_000_000, model: 'm-1-2026' };
    expect(
      rebuilt([
        { ...chunk({ role: 'assistant', content: '', refusal: null }), obfuscation: 'xyz', usage: null },
        { ...chunk({ content: 'Hel' }), obfuscation: 'x', service_tier: 'default', x_vendor: { a: 1 } },
        { ...chunk({ content: 'lo' }, { x_state: 'open' }), service_tier: null, system_fingerprint: 'fp_1', type: 'x' },
        chunk({}, { finish_reason: 'stop', stop_reason: 7, x_state: 'done' }),
        chunk({}, { x_state: '' }),
        { ...tail, choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } },
      ]),
    ).toEqual({
      id: 'c-1',
      object: 'chat.completion',
      created: 1_760_000_000,
      model: 'm-1-2026',
      service_tier: 'default',
      system_fingerprint: 'fp_1',
      type: 'x',
      x_vendor: { a: 1 },
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          finish_reason: 'stop',
          stop_reason: 7,
          x_state: 'done',
        },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    });
  });

  test('as many choices as there were, by their index', () => {
    const { choices } = rebuilt([
      chunk({ content: 'b' }, {}, 1),
      chunk({ content: 'a' }),
      chunk({ content: '1' }, { finish_reason: 'length' }, 1),
      chunk({ content: '0' }, { finish_reason: 'stop' }),
    ]);
    expect(choices).toEqual([
      { index: 0, message: { role: 'assistant', content: 'a0' }, finish_reason: 'stop' },
      { index: 1, message: { role: 'assistant', content: 'b1' }, finish_reason: 'length' },
    ]);
  });

  test('log probabilities one after the other', () => {
    const token = (token: string): Body => ({ token, logprob: -0.1, bytes: [104], top_logprobs: [] });
    const { choices } = rebuilt([
      chunk({ content: 'a' }, { logprobs: null }),
      chunk({ content: 'b' }, { logprobs: { content: [token('b')], refusal: null } }),
      chunk({ content: 'c' }, { logprobs: { content: [token('b'), token('c')], refusal: null } }),
      chunk({}, { logprobs: null, finish_reason: 'stop' }),
    ]);
    expect(choices).toMatchObject([{ logprobs: { content: [token('b'), token('b'), token('c')], refusal: null } }]);
  });

  test('tool calls, without the index that only a stream has', () => {
    const call = (index: number, fields: Body): Body => ({ tool_calls: [{ index, ...fields }] });
    expect(
      messageOf([
        { role: 'assistant', content: null },
        call(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '' }, extra_content: { google: 's' } }),
        call(0, { id: '', type: 'function', function: { name: null, arguments: '{' } }),
        call(1, { id: 'b', type: 'custom', custom: { name: 'g', input: 'x' } }),
        call(0, { function: { arguments: '}' } }),
        call(1, { custom: { input: 'y' } }),
        call(2, { id: 'c', function: { name: 'h', arguments: '' } }),
      ]),
    ).toEqual({
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' }, extra_content: { google: 's' } },
        { id: 'b', type: 'custom', custom: { name: 'g', input: 'xy' } },
        { id: 'c', type: 'function', function: { name: 'h', arguments: '' } },
      ],
    });
  });

  test('two tool calls where a server gives both the index 0', () => {
    const call = (id: string, name: string | null, args: string): Body => ({
      tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: args } }],
    });
    expect(
      messageOf([call('a', 'f', ''), call('a', 'f', '{}'), call('b', 'f', ''), call('', null, '[]')]),
    ).toMatchObject({
      tool_calls: [
        { id: 'a', function: { name: 'f', arguments: '{}' } },
        { id: 'b', function: { arguments: '[]' } },
      ],
    });
  });

  test('a call of the old form', () => {
    expect(
      messageOf([{ function_call: { name: 'f', arguments: '{' } }, { function_call: { arguments: '}' } }]),
    ).toEqual({
      role: 'assistant',
      content: null,
      function_call: { name: 'f', arguments: '{}' },
    });
  });

  test('citations, each for itself', () => {
    const cite = (url: string): Body => ({ type: 'url_citation', url_citation: { url, start_index: 0, end_index: 4 } });
    expect(
      messageOf([{ content: 'x' }, { annotations: [cite('https://a')] }, { annotations: [cite('https://b')] }]),
    ).toMatchObject({ annotations: [cite('https://a'), cite('https://b')] });
  });

  test('thoughts in pieces, as OpenRouter numbers them', () => {
    const thought = (index: number, fields: Body): Body => ({
      reasoning_details: [{ type: 'reasoning.text', format: 'anthropic-claude-v1', index, ...fields }],
    });
    expect(
      messageOf([
        { role: 'assistant', content: '', ...thought(0, { text: 'Let' }) },
        { role: 'assistant', content: '', ...thought(0, { text: ' me see' }) },
        { role: 'assistant', content: 'A', ...thought(0, { signature: 'EtYB' }) },
        { role: 'assistant', content: 'B', ...thought(1, { text: 'more' }) },
      ]),
    ).toEqual({
      role: 'assistant',
      content: 'AB',
      reasoning_details: [
        { type: 'reasoning.text', format: 'anthropic-claude-v1', index: 0, text: 'Let me see', signature: 'EtYB' },
        { type: 'reasoning.text', format: 'anthropic-claude-v1', index: 1, text: 'more' },
      ],
    });
  });

  test('a content in parts, as Mistral says it, text at its end included', () => {
    const thinking = (text: string): Body => ({ content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }] });
    expect(
      messageOf([{ content: '' }, thinking('Let '), thinking('me see'), { content: 'Hel' }, { content: 'lo' }]),
    ).toEqual({
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: [{ type: 'text', text: 'Let me see' }] },
        { type: 'text', text: 'Hello' },
      ],
    });
  });

  test('what the filter of Azure says in chunks that have nothing else', () => {
    const safe = { hate: { filtered: false, severity: 'safe' } };
    const verdict = { id: '', object: '', created: 0, model: '' };
    expect(
      rebuilt([
        { ...verdict, choices: [], prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }] },
        chunk({ role: 'assistant', content: 'x' }),
        chunk({}, { finish_reason: 'stop' }),
        {
          ...verdict,
          choices: [{ index: 0, finish_reason: null, content_filter_results: safe }],
        },
      ]),
    ).toEqual({
      id: 'c-1',
      object: 'chat.completion',
      created: 1_760_000_000,
      model: 'm-1-2026',
      prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }],
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'x' },
          finish_reason: 'stop',
          content_filter_results: safe,
        },
      ],
    });
  });

  test('the same in neutral words: those of the first choice', () => {
    const delta = {
      content: 'a',
      reasoning_content: 'r',
      refusal: 'no',
      tool_calls: [{ index: 0, id: 't', function: { name: 'f', arguments: '{}' } }],
    };
    expect(
      gathered([
        { type: 'start', id: '', model: '', bytes: bytesOf({ id: '', model: '', choices: [] }) },
        { type: 'text', text: 'b', bytes: bytesOf(chunk({ content: 'b' }, {}, 1)) },
        { type: 'reasoning', text: 'r', bytes: bytesOf(chunk(delta)) },
        { type: 'text', text: 'a' },
        { type: 'refusal', text: 'no' },
        { type: 'tool-call', index: 0, id: 't', name: 'f', arguments: '{}' },
        { type: 'usage', usage, bytes: new TextEncoder().encode(': ping\n\n') },
        { type: 'finish', reason: 'stop', bytes: new TextEncoder().encode('data: [DONE]\n\n') },
      ]),
    ).toMatchObject({
      id: 'c-1',
      model: 'm-1-2026',
      text: 'a',
      reasoning: 'r',
      refusal: 'no',
      toolCalls: [{ id: 't', name: 'f', arguments: '{}' }],
      finishReason: 'stop',
      usage,
    });
  });

  test('nothing that changes objects at large', () => {
    const evil =
      '{"choices":[{"index":0,"delta":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1}}],"__proto__":{"polluted":1}}';
    const bytes = new TextEncoder().encode(`data: ${evil}\n\n`);
    gathered([other(bytes), other(bytes), stop]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test('the same answer, however it is cut into pieces', () => {
    const pieces = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(pieces, pieces, (texts, args) => {
        const deltas = [
          ...texts.map((content) => ({ content })),
          ...args.map((piece, i) => ({
            tool_calls: [
              { index: 0, ...(i === 0 && { id: 'a' }), function: { ...(i === 0 && { name: 'f' }), arguments: piece } },
            ],
          })),
        ];
        expect(messageOf(deltas)).toEqual({
          role: 'assistant',
          content: texts.join(''),
          tool_calls: [{ type: 'function', id: 'a', function: { name: 'f', arguments: args.join('') } }],
        });
      }),
    );
  });
});

describe("the events of Anthropic's that pass through come to", () => {
  const frame = (data: Body): ChatEvent => ({
    type: 'other',
    bytes: new TextEncoder().encode(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`),
  });
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null };
  const startWith = (usage: Body): ChatEvent => frame({ type: 'message_start', message: { ...message, usage } });
  const block = (index: number, content_block: Body, ...deltas: Body[]): ChatEvent[] => [
    frame({ type: 'content_block_start', index, content_block }),
    ...deltas.map((delta) => frame({ type: 'content_block_delta', index, delta })),
    frame({ type: 'content_block_stop', index }),
  ];
  const end = (delta: Body, usage: Body, rest: Body = {}): ChatEvent[] => [
    frame({ type: 'message_delta', delta, usage, ...rest }),
    frame({ type: 'message_stop' }),
  ];
  const bodyOf = (events: readonly ChatEvent[]): Body => {
    const { source } = gathered([...events, stop]);
    expect(source?.format).toBe('anthropic-messages');
    return JSON.parse(source?.body ?? '');
  };
  const json = (partial_json: string): Body => ({ type: 'input_json_delta', partial_json });

  test('the plain body, blocks of unknown types included', () => {
    const cited = { type: 'char_location', cited_text: 'x' };
    expect(
      bodyOf([
        startWith({ input_tokens: 5, cache_read_input_tokens: 7, output_tokens: 1, service_tier: 'standard' }),
        frame({ type: 'ping' }),
        ...block(
          0,
          { type: 'thinking', thinking: '', signature: '' },
          { type: 'thinking_delta', thinking: 'Let ' },
          { type: 'thinking_delta', thinking: 'me see' },
          { type: 'signature_delta', signature: 'EqQB' },
        ),
        ...block(1, { type: 'redacted_thinking', data: 'Emw' }),
        ...block(
          2,
          { type: 'text', text: '', citations: null },
          { type: 'text_delta', text: 'Hel' },
          { type: 'citations_delta', citation: cited },
          { type: 'text_delta', text: 'lo' },
          { type: 'citations_delta', citation: cited },
        ),
        ...block(3, { type: 'compaction', content: null }, { type: 'compaction_delta', content: 'short' }),
        ...block(4, { type: 'tool_use', id: 't', name: 'f', input: {} }, json(''), json('{"a": [1,'), json(' 2]}')),
        ...block(5, { type: 'tool_use', id: 'u', name: 'g', input: {} }),
        ...end(
          { stop_reason: 'tool_use', stop_sequence: null, container: { id: 'c' } },
          { input_tokens: 0, cache_read_input_tokens: null, output_tokens: 9, server_tool_use: null },
          { context_management: { applied_edits: [] } },
        ),
      ]),
    ).toEqual({
      ...message,
      content: [
        { type: 'thinking', thinking: 'Let me see', signature: 'EqQB' },
        { type: 'redacted_thinking', data: 'Emw' },
        { type: 'text', text: 'Hello', citations: [cited, cited] },
        { type: 'compaction', content: 'short' },
        { type: 'tool_use', id: 't', name: 'f', input: { a: [1, 2] } },
        { type: 'tool_use', id: 'u', name: 'g', input: {} },
      ],
      stop_reason: 'tool_use',
      stop_sequence: null,
      container: { id: 'c' },
      context_management: { applied_edits: [] },
      usage: {
        input_tokens: 5,
        cache_read_input_tokens: 7,
        output_tokens: 9,
        service_tier: 'standard',
        server_tool_use: null,
      },
    });
  });

  test('an object also where the input of a tool is cut off', () => {
    const { content } = bodyOf([
      startWith({}),
      ...block(0, { type: 'tool_use', id: 't', name: 'f', input: {} }, json('{"a": [1,')),
      ...end({ stop_reason: 'max_tokens' }, { output_tokens: 0 }),
    ]);
    expect(content).toEqual([{ type: 'tool_use', id: 't', name: 'f', input: {} }]);
  });

  test('a count of 0, where the last event tells of no token after all', () => {
    const refused = bodyOf([startWith({ output_tokens: 1 }), ...end({ stop_reason: 'refusal' }, { output_tokens: 0 })]);
    expect(refused).toMatchObject({ content: [], stop_reason: 'refusal', usage: { output_tokens: 0 } });
  });
});

describe("the events of OpenAI's Responses come to", () => {
  const event = (fields: Body): ChatEvent =>
    other(new TextEncoder().encode(`event: x\r\ndata: ${JSON.stringify(fields)}\r\n\r\n`));
  const bodyOf = (events: readonly ChatEvent[]): Body => {
    const { source } = gathered([...events, stop]);
    expect(source?.format).toBe('openai-responses');
    return JSON.parse(source?.body ?? '');
  };
  const item = { type: 'message', id: 'msg_1', content: [] };
  const created = event({ type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } });
  const done = event({ type: 'response.output_item.done', output_index: 0, item });

  test.each(['completed', 'incomplete'])('the body that the last one holds, as it is: %s', (status) => {
    const response = { id: 'resp_1', status, output: [item, { type: 'of_tomorrow' }], new: { a: 1 } };
    expect(bodyOf([created, done, event({ type: `response.${status}`, response })])).toEqual(response);
  });

  test('the same where the last one leaves out the items', () => {
    for (const output of [[], undefined]) {
      const response = { id: 'resp_1', status: 'completed', ...(output && { output }) };
      const keepalive = event({ type: 'response.keepalive' });
      const body = bodyOf([created, keepalive, done, event({ type: 'response.completed', response })]);
      expect(body).toEqual({ ...response, output: [item] });
    }
  });
});

describe('a request that is streamed in the place of a plain one', () => {
  const hi: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] };
  const passing = (body: Body): ChatRequest => ({ ...hi, extra: {}, source: { format: 'openai-chat', body } });

  test('asks for its usage, which a plain answer always tells', () => {
    const body = { model: 'm', stream: false, stream_options: { include_obfuscation: false, include_usage: false } };
    expect(asStreamed(passing(body))?.source?.body).toEqual({
      ...body,
      stream_options: { include_obfuscation: false, include_usage: true },
    });
    expect(asStreamed(passing({ stream_options: null }))?.source?.body).toEqual({
      stream_options: { include_usage: true },
    });
  });

  test('is the same where nothing passes through: the provider asks for the usage', () => {
    expect(asStreamed(hi)).toBe(hi);
  });

  test("is the same in Anthropic's format, whose streams always tell", () => {
    const request: ChatRequest = { ...hi, source: { format: 'anthropic-messages', body: { model: 'm' } } };
    expect(asStreamed(request)).toBe(request);
  });

  test('is the same in Responses, whose streams always tell', () => {
    const request: ChatRequest = { ...hi, source: { format: 'openai-responses', body: { model: 'm', input: 'hi' } } };
    expect(asStreamed(request)).toBe(request);
  });

  test('is none where sound is wanted, which a stream has in another format', () => {
    expect(asStreamed({ ...hi, extra: { modalities: ['text', 'audio'] } })).toBeUndefined();
    expect(asStreamed({ ...hi, extra: { modalities: ['text'] } })).toBeDefined();
  });
});
