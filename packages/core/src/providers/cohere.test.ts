import type { ServerResponse } from 'node:http';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { CohereClientV2 } from 'cohere-ai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest } from '../decide/request.ts';
import type { ChatResponse } from '../decide/response.ts';
import type { Provider } from '../provider.ts';
import { WireLog } from '../run/wire.ts';
import { type CohereTargetOptions, cohere } from './cohere.ts';
import { frames, hi, json, raw, says, send, sse, startVendor, stopVendors, stream } from './one-attempt.test-kit.ts';

let simulator: Simulator;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeAll(async () => {
  process.on('unhandledRejection', note);
  simulator = await startSimulator();
});
afterEach(() => {
  stopVendors();
  simulator.vendors.cohere.heal();
});
afterAll(async () => {
  await simulator.close();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

// ── one attempt, as the driver makes it ──────────────────────────────────────────────────────────────────────────────

const connect = (baseUrl: string, options: CohereTargetOptions = {}): Provider => {
  const target = cohere('command-x', { token: 'co-test', baseUrl, ...options });
  return target.connect(target.model, undefined);
};

const simulated = (): Provider => connect(simulator.vendors.cohere.url);

const text = (words: string) => ({ type: 'text', text: words }) as const;

const ANSWER = {
  id: 'c-1',
  finish_reason: 'COMPLETE',
  message: { role: 'assistant', content: [{ type: 'text', text: 'Hello' }] },
  usage: {
    billed_units: { input_tokens: 5, output_tokens: 1 },
    tokens: { input_tokens: 70, output_tokens: 2 },
    cached_tokens: 3,
  },
};
const USAGE = { inputTokens: 70, outputTokens: 2, cachedInputTokens: 3, reasoningTokens: 0 };

const START = {
  type: 'message-start',
  id: 'c-1',
  delta: { message: { role: 'assistant', content: [], tool_calls: [] } },
};
const OPEN = { type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } };
const HELLO = { type: 'content-delta', index: 0, delta: { message: { content: { text: 'Hello' } } } };
const CLOSE = { type: 'content-end', index: 0 };
const END = { type: 'message-end', id: 'c-1', delta: { finish_reason: 'COMPLETE', usage: ANSWER.usage } };
const WHOLE = [START, OPEN, HELLO, CLOSE, END];

const bodyFor = async (request: ChatRequest): Promise<unknown> => {
  const vendor = await startVendor(json(ANSWER));
  await send(connect(vendor.url), request);
  return vendor.asked[0];
};

const gapsOf = (request: ChatRequest) => connect('http://unused').gaps(request);

// ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('to the vendor', () => {
  const weather = {
    name: 'weather',
    description: 'The weather',
    strict: true,
    parameters: { properties: { at: {} }, required: ['at'] },
  };

  test('a request that uses everything Cohere has words for reaches it whole', async () => {
    const request: ChatRequest = {
      messages: [
        { role: 'system', content: [text('Be brief.')] },
        {
          role: 'user',
          content: [
            text('What is this?'),
            { type: 'image', url: 'data:image/png;base64,AAAA', detail: 'high' },
            { type: 'image', url: 'https://example.org/cat.png' },
          ],
        },
        { role: 'user', content: [text('And the weather?')] },
        {
          role: 'assistant',
          content: [text('I '), text('look.')],
          toolCalls: [
            { id: 'f_1', name: 'weather', arguments: '{"at":"Rome"}' },
            { id: 'f_2', name: 'weather', arguments: '' },
          ],
        },
        { role: 'tool', toolCallId: 'f_1', content: [text('20 °C')] },
        { role: 'tool', toolCallId: 'f_2', content: [] },
        { role: 'assistant', content: [text('Warm.')] },
        { role: 'system', content: [text('Metric units.')] },
        { role: 'user', content: [text('Well?')] },
      ],
      maxOutputTokens: 64,
      temperature: 0,
      topP: 0.5,
      stop: ['END'],
      seed: 0,
      frequencyPenalty: 0,
      presencePenalty: 0.5,
      tools: [weather, { name: 'now' }],
      toolChoice: { tool: 'weather' },
      reasoningEffort: 'low',
      extra: { n: 1, logprobs: false, logit_bias: {}, top_logprobs: null },
    };
    expect(gapsOf(request)).toEqual([]);
    expect(await bodyFor(request)).toEqual({
      model: 'command-x',
      stream: false,
      messages: [
        { role: 'system', content: [text('Be brief.')] },
        {
          role: 'user',
          content: [
            text('What is this?'),
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'high' } },
            { type: 'image_url', image_url: { url: 'https://example.org/cat.png' } },
          ],
        },
        { role: 'user', content: [text('And the weather?')] },
        {
          role: 'assistant',
          tool_plan: 'I look.',
          tool_calls: [
            { id: 'f_1', type: 'function', function: { name: 'weather', arguments: '{"at":"Rome"}' } },
            { id: 'f_2', type: 'function', function: { name: 'weather', arguments: '{}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'f_1', content: [text('20 °C')] },
        { role: 'tool', tool_call_id: 'f_2', content: '' },
        { role: 'assistant', content: [text('Warm.')] },
        { role: 'system', content: [text('Metric units.')] },
        { role: 'user', content: [text('Well?')] },
      ],
      max_tokens: 64,
      temperature: 0,
      p: 0.5,
      stop_sequences: ['END'],
      seed: 0,
      presence_penalty: 0.5,
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather',
            parameters: { type: 'object', properties: { at: {} }, required: ['at'] },
          },
        },
      ],
      strict_tools: true,
      tool_choice: 'REQUIRED',
      thinking: { type: 'enabled', token_budget: 2_048 },
    });
  });

  test('a request that says nothing says nothing', async () => {
    expect(await bodyFor(hi)).toEqual({
      model: 'command-x',
      stream: false,
      messages: [{ role: 'user', content: [text('hi')] }],
    });
  });

  test.each<[NonNullable<ChatRequest['output']>, unknown]>([
    [{ type: 'text' }, undefined],
    [{ type: 'json' }, { type: 'json_object' }],
    [
      { type: 'json-schema', name: 'reply', schema: { type: 'object' } },
      { type: 'json_object', json_schema: { type: 'object' } },
    ],
    // It has no other place for what is said about a schema.
    [
      { type: 'json-schema', name: 'reply', description: 'A reply.', schema: { type: 'object' } },
      { type: 'json_object', json_schema: { description: 'A reply.', type: 'object' } },
    ],
  ])('an answer in the form %j', async (output, expected) => {
    expect(((await bodyFor({ ...hi, output })) as { response_format?: unknown }).response_format).toEqual(expected);
  });

  test.each([
    ['auto', undefined],
    ['none', 'NONE'],
    ['required', 'REQUIRED'],
  ] as const)('the tool choice %s becomes %s', async (toolChoice, expected) => {
    const body = (await bodyFor({ ...hi, tools: [weather, { name: 'now' }], toolChoice })) as {
      tools: [];
      tool_choice?: string;
    };
    expect(body.tools).toHaveLength(2);
    expect(body.tool_choice).toBe(expected);
  });

  test.each([
    ['none', { type: 'disabled' }],
    ['minimal', { type: 'enabled', token_budget: 512 }],
    ['medium', { type: 'enabled', token_budget: 8_192 }],
    ['high', { type: 'enabled' }],
    ['auto', { type: 'enabled' }],
  ])('the effort %s becomes %j', async (reasoningEffort, thinking) => {
    expect(await bodyFor({ ...hi, reasoningEffort })).toMatchObject({ thinking });
  });

  test('a budget of thought says it better than a word does', async () => {
    const thought = { ...hi, reasoningEffort: 'auto', maxReasoningTokens: 2_000 };
    expect(await bodyFor(thought)).toMatchObject({ thinking: { type: 'enabled', token_budget: 2_000 } });
    const none = { ...thought, reasoningEffort: 'none' };
    expect(await bodyFor(none)).toMatchObject({ thinking: { type: 'disabled' } });
  });

  test('top_k has another name', async () => {
    expect(await bodyFor({ ...hi, topK: 5 })).toMatchObject({ k: 5 });
  });

  test('what a tool showed is shown behind its results', async () => {
    const image = { type: 'image', url: 'data:image/png;base64,AAAA' } as const;
    const request: ChatRequest = {
      messages: [
        ...hi.messages,
        { role: 'assistant', content: [], toolCalls: [{ id: 'f_1', name: 'look', arguments: '{}' }] },
        { role: 'tool', toolCallId: 'f_1', content: [text('Here:'), image], isError: true },
      ],
    };
    expect(gapsOf(request)).toEqual([{ what: 'is_error of a tool result', harmless: true }]);
    const { messages } = (await bodyFor(request)) as { messages: unknown[] };
    expect(messages.slice(2)).toEqual([
      { role: 'tool', tool_call_id: 'f_1', content: [text('Here:')] },
      {
        role: 'user',
        content: [text('What the tool call f_1 returned:'), { type: 'image_url', image_url: { url: image.url } }],
      },
    ]);
  });

  test('what only Anthropic has words for is a gap, with or without harm', () => {
    const source = { format: 'anthropic-messages', body: {} } as const;
    const extra = { 'anthropic-beta': 'b', mcp_servers: [] };
    expect(gapsOf({ ...hi, extra, source })).toEqual([
      { what: 'anthropic-beta', harmless: true },
      { what: 'mcp_servers' },
    ]);
  });

  const tools = [{ name: 'now' }];

  test.each<[string, ChatRequest]>([
    ['top_k outside 0 to 500', { ...hi, topK: 501 }],
    ['temperature below 0', { ...hi, temperature: -1 }],
    ['top_p outside 0.01 to 0.99', { ...hi, topP: 1.5 }],
    ['top_p outside 0.01 to 0.99', { ...hi, topP: 0 }],
    ['frequency_penalty outside 0 to 1', { ...hi, frequencyPenalty: -0.5 }],
    ['presence_penalty outside 0 to 1', { ...hi, presencePenalty: 1.5 }],
    ['presence_penalty together with frequency_penalty', { ...hi, frequencyPenalty: 0.5, presencePenalty: 0.5 }],
    ['stop with more than 5 sequences', { ...hi, stop: ['a1', 'b2', 'c3', 'd4', 'e5', 'f6'] }],
    ['reasoning_effort ultra', { ...hi, reasoningEffort: 'ultra' }],
    ['parallel_tool_calls: false', { ...hi, tools, parallelToolCalls: false }],
    ['strict for some of the tools only', { ...hi, tools: [weather, ...tools] }],
    ['response_format together with tools', { ...hi, tools, output: { type: 'json' } }],
    ['audio part', says(text('hi'), { type: 'audio', data: 'AAAA', format: 'wav' })],
    ['file part', says({ type: 'file', data: 'data:application/pdf;base64,JVBE' })],
    ['video part', says({ type: 'unknown', name: 'video', value: {} })],
    ['n', { ...hi, extra: { n: 2 } }],
    ['logprobs', { ...hi, extra: { logprobs: true } }],
    ['logit_bias', { ...hi, extra: { logit_bias: { 50256: -100 } } }],
    ['web_search_options', { ...hi, extra: { web_search_options: {} } }],
  ])('a gap: %s', async (what, request) => {
    expect(gapsOf(request)).toEqual([{ what }]);
    // A target that drops its gaps still has a request that the vendor takes.
    expect(await send(simulated(), request)).toMatchObject({ finishReason: 'stop' });
  });

  test('a top_p of 1 is as good as the most that Cohere takes', async () => {
    const request = { ...hi, topP: 1 };
    expect(gapsOf(request)).toEqual([{ what: 'top_p of 1 (0.99 is sent)', harmless: true }]);
    expect(await bodyFor(request)).toMatchObject({ p: 0.99 });
  });

  test.each(['user', 'safety_identifier', 'metadata', 'store'])('a gap without harm: %s', (what) => {
    expect(gapsOf({ ...hi, extra: { [what]: 'x' } })).toEqual([{ what, harmless: true }]);
  });
});

describe('an answer', () => {
  const STOPPED = { ...ANSWER, finish_reason: 'STOP_SEQUENCE' };

  test.each([
    [['END'], 'END'],
    [['END', 'FIN'], undefined],
    [[], undefined],
  ])('that was stopped by one of %j names it where it can', async (stop, stopSequence) => {
    const request = { ...hi, stop };
    const vendor = await startVendor(json(STOPPED));
    expect(((await send(connect(vendor.url), request)) as ChatResponse).stopSequence).toBe(stopSequence);
    const streaming = await startVendor(sse(START, { ...END, delta: { finish_reason: 'STOP_SEQUENCE' } }));
    const { events } = await stream(connect(streaming.url), request);
    const finish = { type: 'finish', reason: 'stop', ...(stopSequence !== undefined && { stopSequence }) };
    expect(events.at(-1)).toEqual(finish);
  });

  test('gives its tool calls ids that every vendor takes back', async () => {
    const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
    const ids = ['f_1', `${'a'.repeat(60)}_1`, 'get.weather:1'];
    const message = { role: 'assistant', tool_calls: ids.map(call) };
    const vendor = await startVendor(json({ ...ANSWER, finish_reason: 'TOOL_CALL', message }));
    const { toolCalls } = (await send(connect(vendor.url), hi)) as ChatResponse;
    expect(toolCalls[0]?.id).toBe('f_1');
    expect(new Set(toolCalls.map(({ id }) => id)).size).toBe(3);
    for (const { id } of toolCalls) expect(id).toMatch(/^[\w-]{1,40}$/);
    const starts = ids.map((id, index) => ({
      type: 'tool-call-start',
      index,
      delta: { message: { tool_calls: call(id) } },
    }));
    const streaming = await startVendor(sse(START, ...starts, END));
    const { events } = await stream(connect(streaming.url), hi);
    const streamed = events.flatMap((event) => (event.type === 'tool-call' ? (event.id ?? []) : []));
    expect(streamed).toHaveLength(3);
    for (const id of streamed) expect(id).toMatch(/^[\w-]{1,40}$/);
  });
});

describe('a plain answer', () => {
  test('is text, thought, the reason it ended, and what it cost', async () => {
    const content = [
      { type: 'thinking', thinking: 'Hm.' },
      { type: 'text', text: 'One ' },
      { type: 'text', text: 'two' },
    ];
    const vendor = await startVendor(json({ ...ANSWER, message: { role: 'assistant', content } }));
    expect(await send(connect(vendor.url), hi)).toEqual({
      id: 'c-1',
      model: 'command-x',
      text: 'One two',
      reasoning: 'Hm.',
      toolCalls: [],
      finishReason: 'stop',
      usage: USAGE,
    });
  });

  test('says its plan beside its tool calls', async () => {
    const message = {
      role: 'assistant',
      tool_plan: 'I look.',
      tool_calls: [
        { id: 'f_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
        { id: 'f_2', type: 'function', function: { name: 'g', arguments: '' } },
      ],
    };
    const vendor = await startVendor(
      json({
        ...ANSWER,
        finish_reason: 'TOOL_CALL',
        message,
        usage: { billed_units: { input_tokens: 5, output_tokens: 1 } },
      }),
    );
    expect(await send(connect(vendor.url), hi)).toEqual({
      id: 'c-1',
      model: 'command-x',
      text: 'I look.',
      toolCalls: [
        { id: 'f_1', name: 'f', arguments: '{"a":1}' },
        { id: 'f_2', name: 'g', arguments: '{}' },
      ],
      finishReason: 'tool-calls',
      usage: { inputTokens: 5, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 },
    });
  });

  test.each([
    ['COMPLETE', 'stop'],
    ['STOP_SEQUENCE', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['TOOL_CALL', 'tool-calls'],
    ['A_REASON_OF_NEXT_YEAR', 'stop'],
  ])('that ended with %s finished with %s', async (finish_reason, finishReason) => {
    const vendor = await startVendor(json({ ...ANSWER, finish_reason }));
    expect(await send(connect(vendor.url), hi)).toMatchObject({ finishReason });
  });

  test.each(['ERROR', 'TIMEOUT'])('that ended with %s is none', async (finish_reason) => {
    const vendor = await startVendor(json({ ...ANSWER, finish_reason }));
    expect(await send(connect(vendor.url), hi)).toMatchObject({
      kind: finish_reason === 'TIMEOUT' ? 'server-error' : 'broken',
      code: finish_reason,
    });
  });

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['nothing', raw(''), 'cohere sent an empty body'],
    ['a web page', raw('<html></html>', 'text/html'), 'cohere sent a body that is not JSON'],
    ['half an answer', raw('{"id":"c-1","mes'), 'cohere sent a body that is not JSON'],
    ['a string', raw('"hello"'), 'cohere sent a body that is no answer'],
    ['an empty object', json({}), 'cohere sent an answer without its end'],
    ['no message', json({ ...ANSWER, message: null }), 'cohere sent a body without a message'],
    ['no reason', json({ ...ANSWER, finish_reason: undefined }), 'cohere sent an answer without its end'],
    ['an error', json({ id: 'x', message: 'no' }), 'cohere sent an error inside its answer'],
    [
      'an error of somebody else',
      json({ ok: false, error: { reason: 'non-json' } }),
      'cohere sent an answer without its end',
    ],
  ])('that is %s is broken', async (_, answer, message) => {
    const vendor = await startVendor(answer);
    expect(await send(connect(vendor.url), hi)).toMatchObject({ kind: 'broken', message });
  });

  test('that is cut is broken', async () => {
    simulator.vendors.cohere.break({ kind: 'cut' });
    expect(await send(simulated(), hi)).toMatchObject({ kind: 'broken' });
  });
});

describe('a stream', () => {
  const call = (tool_calls: Record<string, unknown>) => ({ message: { tool_calls } });

  test('is told event by event, and its usage once', async () => {
    const vendor = await startVendor(
      sse(
        START,
        { type: 'content-start', index: 0, delta: { message: { content: { type: 'thinking', thinking: '' } } } },
        { type: 'content-delta', index: 0, delta: { message: { content: { thinking: 'Hm.' } } } },
        { type: 'content-end', index: 0 },
        // The SDK's own stream would end here.
        { type: 'content-delta', index: 1, delta: { message: { content: { text: 'Then [DONE].' } } } },
        { type: 'tool-plan-delta', delta: { message: { tool_plan: 'I look.' } } },
        {
          type: 'tool-call-start',
          index: 4,
          delta: call({ id: 'f_1', type: 'function', function: { name: 'f', arguments: '' } }),
        },
        { type: 'tool-call-delta', index: 4, delta: call({ function: { arguments: '{"a"' } }) },
        { type: 'tool-call-delta', index: 4, delta: call({ function: { arguments: ':1}' } }) },
        { type: 'tool-call-end', index: 4 },
        {
          type: 'tool-call-start',
          index: 5,
          delta: call({ id: 'f_2', type: 'function', function: { name: 'g', arguments: '' } }),
        },
        { type: 'tool-call-end', index: 5 },
        { type: 'citation-start', index: 0, delta: { message: { citations: {} } } },
        { type: 'message-end', id: 'c-1', delta: { finish_reason: 'TOOL_CALL', usage: ANSWER.usage } },
      ),
    );
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toBeUndefined();
    expect(vendor.asked).toMatchObject([{ stream: true }]);
    expect(events.filter(({ type }) => type !== 'other')).toEqual([
      { type: 'start', id: 'c-1', model: 'command-x' },
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'Then [DONE].' },
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', index: 0, id: 'f_1', name: 'f', arguments: '' },
      { type: 'tool-call', index: 0, arguments: '{"a"' },
      { type: 'tool-call', index: 0, arguments: ':1}' },
      { type: 'tool-call', index: 1, id: 'f_2', name: 'g', arguments: '' },
      { type: 'tool-call', index: 1, arguments: '{}' },
      { type: 'finish', reason: 'tool-calls' },
      { type: 'usage', usage: USAGE },
    ]);
  });

  test('may come in pieces of any size, with line ends of any kind and comments between', async () => {
    const bytes = Buffer.from(
      `: hello\r\n\r\n${frames(WHOLE).replaceAll('\n', '\r\n').replace('Hello', 'Grüße 🌍')}data: [DONE]\n\n`,
    );
    const vendor = await startVendor(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let at = 0; at < bytes.length; at += 7) {
        response.write(bytes.subarray(at, at + 7));
        await new Promise(setImmediate);
      }
      response.end();
    });
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toBeUndefined();
    expect(events).toContainEqual({ type: 'text', text: 'Grüße 🌍' });
  });

  test('leaves its connection to the next one', async () => {
    const vendor = await startVendor((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      // The end of the body often comes a little later than the last event.
      response.write(frames(WHOLE), () => setTimeout(() => response.end(), 5));
    });
    const provider = connect(vendor.url);
    await stream(provider, hi);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await stream(provider, hi);
    expect(vendor.connections()).toBe(1);
  });

  test('that has ended is not spoiled by what becomes of its connection', async () => {
    const vendor = await startVendor((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(frames(WHOLE), () => setTimeout(() => response.destroy(), 5));
    });
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toBeUndefined();
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['finish', 'usage']);
  });

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['has no event', sse(), 'cohere sent a stream without an event'],
    ['is a web page', raw('<html></html>', 'text/html'), 'cohere sent a stream without an event'],
    ['is a JSON error', json({ message: 'no' }), 'cohere sent a stream without an event'],
    ['ends after its start', sse(START), 'cohere sent a stream that stopped before its end'],
    ['ends without message-end', sse(...WHOLE.slice(0, -1)), 'cohere sent a stream that stopped before its end'],
    [
      'never says why it ended',
      sse(START, HELLO, { type: 'message-end', delta: {} }),
      'cohere sent an answer without its end',
    ],
    [
      'ends inside an event',
      raw(frames([START, OPEN, HELLO]).slice(0, -20), 'text/event-stream'),
      'cohere sent an event that is not JSON',
    ],
    [
      'has garbage in it',
      raw(`${frames([START])}data: {"type":\n\n`, 'text/event-stream'),
      'cohere sent an event that is not JSON',
    ],
    ['has a list for an event', raw('data: [1]\n\n', 'text/event-stream'), 'cohere sent an event that is no answer'],
  ])('that %s is broken, and never a normal end', async (_, answer, message) => {
    const vendor = await startVendor(answer);
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toEqual({ kind: 'broken', message });
    expect(events.map(({ type }) => type)).not.toContain('finish');
  });

  test.each([
    { kind: 'cut' },
    { kind: 'cut', insideEvent: true },
    { kind: 'no-end-marker' },
    { kind: 'truncated-json' },
    { kind: 'malformed-chunk' },
    { kind: 'empty' },
    { kind: 'html' },
  ] as const)('that fails with %j is broken', async (fault) => {
    simulator.vendors.cohere.break(fault);
    const { failure } = await stream(simulated(), hi);
    expect(failure).toMatchObject({ kind: 'broken' });
  });

  test.each([
    ['ERROR', 'the model is overloaded', 'overloaded'],
    ['ERROR', 'internal server error', 'server-error'],
    ['ERROR', undefined, 'broken'],
    ['TIMEOUT', undefined, 'server-error'],
  ])('that ends with %s (%s) has failed, also after content', async (finish_reason, error, kind) => {
    const vendor = await startVendor(sse(START, OPEN, HELLO, { type: 'message-end', delta: { finish_reason, error } }));
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(events.at(-1)).toEqual({ type: 'text', text: 'Hello' });
    expect(failure).toMatchObject({ kind, code: finish_reason });
  });
});

describe('tools', () => {
  const tools = [{ name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }];
  const ask: ChatRequest = { ...says(text('the weather, twice')), tools };

  test('make their round: called, answered, used', async () => {
    const provider = simulated();
    const first = (await send(provider, ask)) as ChatResponse;
    expect(first).toMatchObject({
      finishReason: 'tool-calls',
      toolCalls: [{ name: 'get_weather' }, { name: 'get_weather' }],
    });
    const results = first.toolCalls.map(
      ({ id }) => ({ role: 'tool', toolCallId: id, content: [text('sunny')] }) as const,
    );
    const said = [text(first.text)];
    const second = await send(provider, {
      ...ask,
      messages: [...ask.messages, { role: 'assistant', content: said, toolCalls: first.toolCalls }, ...results],
    });
    expect(second).toMatchObject({ finishReason: 'stop', text: expect.stringContaining('sunny') });
  });

  test('are called in a stream as they are in a plain answer', async () => {
    const provider = simulated();
    const plain = (await send(provider, ask)) as ChatResponse;
    const { events } = await stream(provider, ask);
    const calls: { name: string; arguments: string }[] = [];
    for (const event of events) {
      if (event.type !== 'tool-call') continue;
      const { name = event.name ?? '', arguments: args = '' } = calls[event.index] ?? {};
      calls[event.index] = { name, arguments: args + event.arguments };
    }
    expect(calls).toEqual(plain.toolCalls.map(({ name, arguments: args }) => ({ name, arguments: args })));
  });
});

describe('a failure', () => {
  test.each<[number, unknown, Partial<Failure>]>([
    [400, { message: 'invalid request' }, { kind: 'rejected' }],
    [400, { message: 'too many tokens: 9 exceeds 8' }, { kind: 'too-long' }],
    [401, { message: 'invalid api token' }, { kind: 'unauthorized' }],
    [402, { message: 'no' }, { kind: 'quota-exhausted' }],
    [403, { message: 'no' }, { kind: 'unauthorized' }],
    [404, { message: 'no' }, { kind: 'not-found' }],
    [422, { message: 'no' }, { kind: 'rejected' }],
    [429, { message: 'no' }, { kind: 'rate-limited' }],
    [498, { message: 'invalid token' }, { kind: 'unauthorized' }],
    [499, { message: 'no' }, { kind: 'server-error' }],
    [500, { message: 'no' }, { kind: 'server-error' }],
    [501, { message: 'no' }, { kind: 'server-error' }],
    [503, { message: 'no' }, { kind: 'overloaded', message: 'cohere answered 503' }],
    [504, { message: 'no' }, { kind: 'server-error' }],
    // The SDK's `chat` loses the status of these two.
    [503, '<html>no</html>', { kind: 'overloaded', message: 'cohere answered 503' }],
    [429, '', { kind: 'rate-limited', message: 'cohere answered 429' }],
  ])('%i %j is told, plain or streamed, after one request', async (status, body, expected) => {
    const vendor = await startVendor(
      typeof body === 'string' ? raw(body, 'application/json', status) : json(body, status),
    );
    const provider = connect(vendor.url);
    expect(await send(provider, hi)).toMatchObject({ status, ...expected });
    expect(await stream(provider, hi)).toMatchObject({ events: [], failure: { status, ...expected } });
    expect(vendor.asked).toHaveLength(2);
  });

  test('whose body breaks off keeps its status', async () => {
    const vendor = await startVendor((response) => {
      response.writeHead(503, { 'retry-after': '7', 'content-length': '100' });
      response.write('{"message":', () => setTimeout(() => response.destroy(), 5));
    });
    expect(await send(connect(vendor.url), hi)).toMatchObject({ kind: 'overloaded', status: 503, retryAfterMs: 7_000 });
  });

  test.each([
    ['retry-after', '17', 17_000, 17_000],
    ['retry-after', new Date(Date.now() + 3_600_000).toUTCString(), 3_500_000, 3_600_000],
    ['retry-after-ms', '250', 250, 250],
    ['x-ratelimit-reset', String(Math.ceil(Date.now() / 1_000) + 3_600), 3_500_000, 3_601_000],
  ])('says how long to wait: %s %s', async (name, value, leastMs, mostMs) => {
    const vendor = await startVendor(json({ message: 'no' }, 429, { [name]: value }));
    const failure = (await send(connect(vendor.url), hi)) as Failure;
    // A date is nearer by the time of the test than when this table was read.
    expect(failure.retryAfterMs).toBeGreaterThanOrEqual(leastMs);
    expect(failure.retryAfterMs).toBeLessThanOrEqual(mostMs);
  });

  test('quotes the vendor for the caller only, and never the key', async () => {
    const vendor = await startVendor(json({ message: 'hi is rude' }, 400));
    const failure = (await send(connect(vendor.url), hi)) as Failure;
    expect(failure.message).toBe('cohere answered 400');
    expect(failure.vendorError).toEqual({ message: 'hi is rude' });
    expect(JSON.stringify(failure)).not.toContain('co-test');
  });

  test('to connect is told with the code of the socket, and leaves no timer behind', async () => {
    const provider = connect((await startVendor(json(ANSWER))).url);
    stopVendors();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    for (let i = 0; i < 5; i++) {
      expect(await send(provider, hi)).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' });
    }
    expect(timers() - before).toBeLessThan(5);
    expect(await stream(provider, hi)).toMatchObject({ failure: { kind: 'unreachable', code: 'ECONNREFUSED' } });
  });

  test('to find a key is charged to the key', async () => {
    const vendor = await startVendor(json(ANSWER));
    const provider = connect(vendor.url, { token: () => undefined as unknown as string });
    expect(provider.account).toEqual({ endpoint: vendor.url, credential: 'supplied' });
    expect(await send(provider, hi)).toMatchObject({ kind: 'unauthorized' });
    expect(vendor.asked).toEqual([]);
  });

  test.each([undefined, null, 'no', new Error('no'), { error: 1 }])(
    'can be explained whatever was thrown: %s',
    (thrown) => {
      expect(connect('http://unused').explain(thrown, new WireLog())).toMatchObject({ kind: 'unsupported' });
    },
  );
});

describe('leaving', () => {
  /** Sends this much, and then nothing. */
  const stalls =
    (sent: string, contentType: string, status = 200) =>
    (response: ServerResponse) => {
      response.writeHead(status, { 'content-type': contentType }).write(sent);
    };

  test('before the call sends nothing', async () => {
    const vendor = await startVendor(json(ANSWER));
    const provider = connect(vendor.url);
    await expect(provider.send(hi, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(provider.stream(hi, { signal: AbortSignal.abort() })[Symbol.asyncIterator]().next()).rejects.toThrow();
    expect(vendor.asked).toEqual([]);
  });

  test.each([
    ['a plain answer', stalls('{"id":', 'application/json'), 'broken'],
    ['a stream', stalls(frames(WHOLE.slice(0, 3)), 'text/event-stream'), 'broken'],
    ['an error', stalls('{"message":', 'application/json', 503), 'overloaded'],
  ])('%s that stalls ends at once, with an error and a closed connection', async (what, answer, kind) => {
    const vendor = await startVendor(answer);
    const controller = new AbortController();
    const provider = connect(vendor.url);
    const attempt = (what === 'a stream' ? stream : send)(provider, hi, controller.signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const abortedAt = performance.now();
    controller.abort();
    const ended = await attempt;
    await vendor.hungUp;
    expect(performance.now() - abortedAt).toBeLessThan(100);
    expect('failure' in ended ? ended.failure : ended).toMatchObject({ kind });
  });

  test('a vendor that never answers ends at once, too', async () => {
    const vendor = await startVendor(() => {});
    const controller = new AbortController();
    const attempt = send(connect(vendor.url), hi, controller.signal);
    setTimeout(() => controller.abort(), 20);
    expect(await attempt).toMatchObject({ kind: 'unreachable' });
    await vendor.hungUp;
  });

  test('a stream in the middle hangs up', async () => {
    const vendor = await startVendor(stalls(frames(WHOLE.slice(0, 3)), 'text/event-stream'));
    for await (const event of connect(vendor.url).stream(hi, { signal: new AbortController().signal })) {
      if (event.type === 'text') break;
    }
    await vendor.hungUp;
  });
});

describe('a ready client', () => {
  test('lends its address, key and headers, but neither its retries nor its timeout', async () => {
    const headers: unknown[] = [];
    const vendor = await startVendor((response) => {
      headers.push(response.req.headers);
      setTimeout(() => json({ message: 'no' }, 503)(response), 80);
    });
    const client = new CohereClientV2({
      token: () => 'co-ready',
      baseUrl: vendor.url,
      clientName: 'ours',
      headers: { 'x-team': 'a' },
      maxRetries: 3,
      timeoutInSeconds: 0.02,
    });
    const provider = cohere('command-x', { client }).connect('command-x', undefined);
    expect(await send(provider, hi)).toMatchObject({ kind: 'overloaded', status: 503 });
    expect(headers).toEqual([
      expect.objectContaining({ authorization: 'Bearer co-ready', 'x-client-name': 'ours', 'x-team': 'a' }),
    ]);
  });

  test('is refused where it would be half used', () => {
    const client = new CohereClientV2({ token: 'co-test', fetcher: () => Promise.reject(new Error('no')) });
    expect(() => cohere('command-x', { client }).connect('command-x', undefined)).toThrow('fetcher');
  });
});

test('a target keeps the options of the router apart from those of the client', () => {
  const target = cohere('command-x', { token: 'co-test', baseUrl: 'http://a', clientName: 'ours', weight: 2, id: 'a' });
  expect(target).toMatchObject({ vendor: 'cohere', model: 'command-x', options: { weight: 2, id: 'a' } });
  expect(Object.keys(target.options)).toEqual(['weight', 'id']);
  expect(target.connect('command-x', undefined)).toMatchObject({
    name: 'cohere',
    model: 'command-x',
    account: { endpoint: 'http://a', credential: 'co-test' },
  });
});

test('without an address a target is at Cohere, and without a key there is none', () => {
  expect(cohere('command-x', { token: 'co-test' }).connect('command-x', undefined).account.endpoint).toBe(
    'https://api.cohere.com',
  );
  expect(() => cohere('command-x').connect('command-x', undefined)).toThrow('CO_API_KEY');
});
