import type { ServerResponse } from 'node:http';
import Anthropic from '@anthropic-ai/sdk';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest, ChatSettings } from '../decide/request.ts';
import { type ChatResponse, isContent } from '../decide/response.ts';
import type { Provider } from '../provider.ts';
import { WireLog } from '../run/wire.ts';
import { type AnthropicTargetOptions, anthropic } from './anthropic.ts';
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
  simulator.vendors.anthropic.heal();
});
afterAll(async () => {
  await simulator.close();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

// ── one attempt, as the driver makes it ──────────────────────────────────────────────────────────────────────────────

const connect = (baseURL: string, options: AnthropicTargetOptions = {}, params?: ChatSettings): Provider => {
  const target = anthropic('claude-x', { apiKey: 'sk-test', baseURL, ...options });
  return target.connect(target.model, params);
};

const simulated = (): Provider => connect(simulator.vendors.anthropic.url);

const text = (words: string) => ({ type: 'text', text: words }) as const;

const ANSWER = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-x-1',
  content: [{ type: 'text', text: 'Hello', citations: null }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 },
};

const START = { type: 'message_start', message: { ...ANSWER, content: [], stop_reason: null } };
const OPEN = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } };
const HELLO = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } };
const CLOSE = { type: 'content_block_stop', index: 0 };
const END = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } };
const STOP = { type: 'message_stop' };
const WHOLE = [START, OPEN, HELLO, CLOSE, END, STOP];

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
    parameters: { properties: { at: {} }, additionalProperties: false },
  };

  test('a request that uses everything Anthropic has words for reaches it whole', async () => {
    const request: ChatRequest = {
      messages: [
        { role: 'system', content: [text('Be brief.'), text('Be kind.')] },
        {
          role: 'user',
          content: [
            text('What is this?'),
            { type: 'image', url: 'data:image/jpg;charset=utf-8;base64,AAAA' },
            { type: 'image', url: 'https://example.org/cat.png', detail: 'auto' },
            { type: 'file', data: 'data:application/pdf;base64,JVBE', filename: 'a.pdf' },
          ],
        },
        { role: 'user', content: [text('And the weather?')] },
        {
          role: 'assistant',
          content: [text('I look.')],
          toolCalls: [
            { id: 'toolu_1', name: 'weather', arguments: '{"at":"Rome"}' },
            { id: 'toolu_2', name: 'weather', arguments: '' },
          ],
        },
        { role: 'system', content: [text('Metric units.')] },
        { role: 'tool', toolCallId: 'toolu_1', content: [text('20 °C')] },
        { role: 'tool', toolCallId: 'toolu_2', content: [] },
        { role: 'user', content: [text('Well?')] },
      ],
      maxOutputTokens: 64,
      temperature: 0,
      topP: 0.5,
      stop: ['END'],
      frequencyPenalty: 0,
      tools: [weather, { name: 'now' }],
      toolChoice: { tool: 'weather' },
      parallelToolCalls: false,
      output: {
        type: 'json-schema',
        name: 'reply',
        schema: { type: 'object', additionalProperties: false },
        strict: true,
      },
      reasoningEffort: 'minimal',
      extra: { user: 'u-1', n: 1, logprobs: false, logit_bias: {}, top_logprobs: null },
    };
    expect(gapsOf(request)).toEqual([]);
    expect(await bodyFor(request)).toEqual({
      model: 'claude-x',
      stream: false,
      max_tokens: 64,
      system: [text('Be brief.'), text('Be kind.')],
      messages: [
        {
          role: 'user',
          content: [
            text('What is this?'),
            { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: 'AAAA' } },
            { type: 'image', source: { type: 'url', url: 'https://example.org/cat.png' } },
            {
              type: 'document',
              source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
              title: 'a.pdf',
            },
            text('And the weather?'),
          ],
        },
        {
          role: 'assistant',
          content: [
            text('I look.'),
            { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { at: 'Rome' } },
            { type: 'tool_use', id: 'toolu_2', name: 'weather', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'toolu_1', content: [text('20 °C')] },
            { type: 'tool_result', tool_use_id: 'toolu_2' },
            text('Metric units.'),
            text('Well?'),
          ],
        },
      ],
      temperature: 0,
      top_p: 0.5,
      stop_sequences: ['END'],
      tools: [
        {
          name: 'weather',
          description: 'The weather',
          strict: true,
          input_schema: { type: 'object', properties: { at: {} }, additionalProperties: false },
        },
        { name: 'now', input_schema: { type: 'object' } },
      ],
      tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true },
      output_config: {
        effort: 'low',
        format: { type: 'json_schema', schema: { type: 'object', additionalProperties: false } },
      },
      metadata: { user_id: 'u-1' },
    });
  });

  test('a request that says nothing gets a limit, which Anthropic insists on, and nothing else', async () => {
    expect(await bodyFor(hi)).toEqual({
      model: 'claude-x',
      stream: false,
      max_tokens: 4_096,
      messages: [{ role: 'user', content: [text('hi')] }],
    });
  });

  test('a JSON answer is asked for in the system prompt, since there is no mode for it', async () => {
    const body = await bodyFor({ ...hi, output: { type: 'json' } });
    expect(body).toMatchObject({ system: [{ type: 'text', text: expect.stringContaining('JSON') }] });
  });

  test.each([
    ['auto', undefined, { type: 'auto' }],
    ['none', false, { type: 'none' }],
    ['required', true, { type: 'any' }],
    [undefined, false, { type: 'auto', disable_parallel_tool_use: true }],
    [undefined, undefined, undefined],
  ] as const)(
    'the tool choice %s with parallel calls %s becomes %j',
    async (toolChoice, parallelToolCalls, expected) => {
      const body = await bodyFor({
        ...hi,
        tools: [weather],
        ...(toolChoice !== undefined && { toolChoice }),
        ...(parallelToolCalls !== undefined && { parallelToolCalls }),
      });
      expect((body as { tool_choice?: unknown }).tool_choice).toEqual(expected);
    },
  );

  test('an effort of none switches thinking off', async () => {
    expect(await bodyFor({ ...hi, reasoningEffort: 'none' })).toMatchObject({ thinking: { type: 'disabled' } });
  });

  test('a conversation that opens with a greeting gets a first word of the user', async () => {
    const request: ChatRequest = { messages: [{ role: 'assistant', content: [text('Welcome!')] }, ...hi.messages] };
    expect(await bodyFor(request)).toMatchObject({
      messages: [{ role: 'user' }, { role: 'assistant', content: [text('Welcome!')] }, { role: 'user' }],
    });
  });

  test('instructions alone are said by the user, since somebody has to say something', async () => {
    const body = await bodyFor({ messages: [{ role: 'system', content: [text('Say hi.')] }] });
    expect(body).toMatchObject({ messages: [{ role: 'user', content: [text('Say hi.')] }] });
    expect(body).not.toHaveProperty('system');
  });

  test('texts without a letter are not sent, since Anthropic refuses them', async () => {
    const request: ChatRequest = {
      messages: [{ role: 'assistant', content: [text('')] }, ...says(text(''), text('hi')).messages],
    };
    expect(await bodyFor(request)).toMatchObject({ messages: [{ role: 'user', content: [text('hi')] }] });
  });

  test('a long plain answer does not trip over the SDK, which wants those to be streams', async () => {
    expect(await bodyFor({ ...hi, maxOutputTokens: 100_000 })).toMatchObject({ max_tokens: 100_000 });
  });

  const called = (args: string): ChatRequest => ({
    messages: [
      ...hi.messages,
      { role: 'assistant', content: [], toolCalls: [{ id: 't', name: 'f', arguments: args }] },
      { role: 'tool', toolCallId: 't', content: [] },
    ],
  });

  test.each<[string, ChatRequest]>([
    ['seed', { ...hi, seed: 0 }],
    ['frequency_penalty', { ...hi, frequencyPenalty: 0.5 }],
    ['presence_penalty', { ...hi, presencePenalty: -0.5 }],
    ['temperature outside 0 to 1', { ...hi, temperature: 1.5 }],
    ['top_p outside 0 to 1', { ...hi, topP: 2 }],
    ['stop at white space', { ...hi, stop: ['\n', 'END'] }],
    ['reasoning_effort ultra', { ...hi, reasoningEffort: 'ultra' }],
    ['audio part', says(text('hi'), { type: 'audio', data: 'AAAA', format: 'wav' })],
    ['video part', says(text('hi'), { type: 'unknown', name: 'video', value: {} })],
    ['file by id', says(text('hi'), { type: 'file', fileId: 'file_1' })],
    ['file that is neither PDF nor plain text', says(text('hi'), { type: 'file', data: 'data:text/csv;base64,YQ==' })],
    ['image of type image/tiff', says(text('hi'), { type: 'image', url: 'data:image/tiff;base64,AAAA' })],
    ['image that is neither a web address nor base64', says(text('hi'), { type: 'image', url: 'data:image/png,AAAA' })],
    ['tool call arguments that are not JSON', called('{"a":')],
    ['tool call arguments that are not JSON', called('"a"')],
    ['n', { ...hi, extra: { n: 2 } }],
    ['logprobs', { ...hi, extra: { logprobs: true } }],
    ['logit_bias', { ...hi, extra: { logit_bias: { 50256: -100 } } }],
    ['web_search_options', { ...hi, extra: { web_search_options: {} } }],
  ])('a gap: %s', async (what, request) => {
    expect(gapsOf(request)).toEqual([{ what }]);
    // A target that drops its gaps still has a request that the vendor takes.
    const vendor = simulator.vendors.anthropic;
    expect(await send(simulated(), request)).toMatchObject({ finishReason: 'stop' });
    expect(JSON.stringify(vendor.requests.at(-1)?.body)).not.toMatch(/seed|penalty|logprobs|logit_bias|web_search|"n"/);
  });

  test.each<[string, ChatRequest]>([
    ['image detail', says({ type: 'image', url: 'https://example.org/cat.png', detail: 'high' })],
    ['service_tier', { ...hi, extra: { service_tier: 'flex' } }],
  ])('a gap without harm: %s', (what, request) => {
    expect(gapsOf(request)).toEqual([{ what, harmless: true }]);
  });
});

describe('what Anthropic has words for, and few others', () => {
  test('reaches it: files by URL and as text, what tools showed and how they failed, budgets of thought', async () => {
    const request: ChatRequest = {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'file', url: 'https://example.org/a.pdf', filename: 'a.pdf' },
            { type: 'file', data: `data:text/plain;base64,${Buffer.from('Grüße').toString('base64')}` },
          ],
        },
        { role: 'assistant', content: [], toolCalls: [{ id: 't1', name: 'f', arguments: '{}' }] },
        {
          role: 'tool',
          toolCallId: 't1',
          content: [text('no such page'), { type: 'image', url: 'data:image/png;base64,AAAA' }],
          isError: true,
        },
      ],
      topK: 5,
      reasoningEffort: 'auto',
      maxReasoningTokens: 2_000,
    };
    expect(gapsOf(request)).toEqual([]);
    expect(await bodyFor(request)).toEqual({
      model: 'claude-x',
      stream: false,
      // Room for the thoughts, and for as much of an answer as without them.
      max_tokens: 6_096,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'document', source: { type: 'url', url: 'https://example.org/a.pdf' }, title: 'a.pdf' },
            { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Grüße' } },
          ],
        },
        { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'f', input: {} }] },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 't1',
              content: [
                text('no such page'),
                { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
              ],
              is_error: true,
            },
          ],
        },
      ],
      top_k: 5,
      thinking: { type: 'enabled', budget_tokens: 2_000 },
    });
    expect(await bodyFor({ ...hi, reasoningEffort: 'auto' })).toMatchObject({ thinking: { type: 'adaptive' } });
    const none = await bodyFor({ ...hi, reasoningEffort: 'none', maxReasoningTokens: 2_000 });
    expect(none).toMatchObject({ thinking: { type: 'disabled' } });
  });

  test('comes back: the sequence that stopped it', async () => {
    const vendor = await startVendor(json({ ...ANSWER, stop_reason: 'stop_sequence', stop_sequence: 'END' }));
    expect(await send(connect(vendor.url), hi)).toMatchObject({ finishReason: 'stop', stopSequence: 'END' });
    const stopped = { ...END, delta: { stop_reason: 'stop_sequence', stop_sequence: 'END' } };
    const streaming = await startVendor(sse(START, OPEN, HELLO, CLOSE, stopped, STOP));
    const { events } = await stream(connect(streaming.url), hi);
    expect(events).toContainEqual({ type: 'finish', reason: 'stop', stopSequence: 'END' });
  });
});

describe('a body of Messages', () => {
  const body = {
    model: 'chat',
    max_tokens: 64,
    system: 'Be brief.',
    messages: [
      { role: 'user', content: [{ ...text('hi'), cache_control: { type: 'ephemeral' } }] },
      { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm.', signature: 'sig' }, text('Hello')] },
      { role: 'user', content: [{ type: 'block_of_tomorrow', deep: [1, null, { x: '€' }] }] },
    ],
    tools: [
      { type: 'web_search_20250305', name: 'web_search' },
      { name: 'f', input_schema: { type: 'object' } },
    ],
    tool_choice: { type: 'any', disable_parallel_tool_use: false },
    output_config: { effort: 'max' },
    metadata: { user_id: 'u' },
    field_of_tomorrow: { deep: [1, null, { x: '€' }] },
  };

  const passing = (fields: object = {}, headers: Record<string, string> = {}): ChatRequest => ({
    ...hi,
    extra: { 'tool of type web_search_20250305': true, field_of_tomorrow: 1, cache_control: {} },
    source: { format: 'anthropic-messages', body: { ...body, ...fields }, headers },
  });

  test('reaches the wire untouched but for the model, and has no gaps', async () => {
    const vendor = await startVendor(json(ANSWER));
    const before = structuredClone(body);
    const provider = connect(vendor.url);
    await send(provider, passing());
    await send(provider, passing({ stream: false }));
    expect(vendor.asked).toEqual([
      { ...body, model: 'claude-x' },
      { ...body, model: 'claude-x', stream: false },
    ]);
    expect(body).toEqual(before);
    expect(provider.gaps(passing())).toEqual([]);
  });

  test('is streamed where a stream is wanted, and not where a plain answer is', async () => {
    const vendor = await startVendor(sse(...WHOLE));
    await stream(connect(vendor.url), passing());
    expect(vendor.asked).toEqual([{ ...body, model: 'claude-x', stream: true }]);
    const plain = await startVendor(json(ANSWER));
    await send(connect(plain.url), passing({ stream: true }));
    expect(plain.asked).toEqual([{ ...body, model: 'claude-x', stream: false }]);
  });

  // biome-ignore format: reads as a table
  test.each<[ChatSettings, object]>([
    [{ maxOutputTokens: 5, temperature: 0.5, topP: 0.5, topK: 1 }, { max_tokens: 5, temperature: 0.5, top_p: 0.5, top_k: 1 }],
    [{ reasoningEffort: 'low' },                    { output_config: { effort: 'low' } }],
    [{ reasoningEffort: 'none' },                   { thinking: { type: 'disabled' } }],
    [{ maxReasoningTokens: 2_000 },                 { thinking: { type: 'enabled', budget_tokens: 2_000 } }],
    [{ stop: ['END'] },                             { stop_sequences: ['END'] }],
    [{ parallelToolCalls: false },                  { tool_choice: { type: 'any', disable_parallel_tool_use: true } }],
    [{ toolChoice: 'auto' },                        { tool_choice: { type: 'auto' } }],
    [{ toolChoice: 'none', parallelToolCalls: false }, { tool_choice: { type: 'none' } }],
    [{ tools: [{ name: 'g' }], toolChoice: { tool: 'g' } }, { tools: [{ name: 'g', input_schema: { type: 'object' } }], tool_choice: { type: 'tool', name: 'g' } }],
    [{ output: { type: 'json-schema', name: 's', schema: {} } }, { output_config: { effort: 'max', format: { type: 'json_schema', schema: {} } } }],
    [{ output: { type: 'json-schema', name: 's', description: 'd', schema: {} } }, { output_config: { effort: 'max', format: { type: 'json_schema', schema: { description: 'd' } } } }],
    [{ output: { type: 'json' } },                  { system: [text('Be brief.'), { type: 'text', text: expect.stringContaining('JSON') }] }],
  ])('carries the settings of the target over its own: %j', async (params, expected) => {
    const vendor = await startVendor(json(ANSWER));
    await send(connect(vendor.url, {}, params), passing());
    expect(vendor.asked[0]).toEqual({ ...body, model: 'claude-x', ...expected });
  });

  test('has a gap where the settings of the target have one', () => {
    expect(connect('http://unused', {}, { seed: 1 }).gaps(passing())).toEqual([{ what: 'seed' }]);
  });

  test('brings its headers, with the betas of the target beside its own, and never the caller’s key', async () => {
    const vendor = await startVendor(json(ANSWER));
    const defaultHeaders = { 'anthropic-beta': 'a-1,b-1' };
    const headers = { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'b-1, c-1' };
    await send(connect(vendor.url, { defaultHeaders }), passing({}, headers));
    await send(connect(vendor.url, { defaultHeaders: new Headers(defaultHeaders) }), passing());
    await send(connect(vendor.url), passing({}, headers));
    await send(connect(vendor.url), hi);
    expect(vendor.headers).toMatchObject([
      { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a-1,b-1,c-1', authorization: 'Bearer sk-test' },
      { 'anthropic-beta': 'a-1,b-1' },
      { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'b-1,c-1' },
      { 'anthropic-version': expect.stringMatching(/^\d{4}-/) },
    ]);
    expect(vendor.headers[3]).not.toHaveProperty('anthropic-beta');
  });

  test('cannot choose the workspace, nor the user profile, that its request is billed to', async () => {
    const vendor = await startVendor(json(ANSWER));
    await send(connect(vendor.url), passing({ workspace_id: 'wrkspc_1', user_profile_id: 'up_1' }));
    expect(vendor.asked[0]).toMatchObject({ workspace_id: 'wrkspc_1', user_profile_id: 'up_1' });
    expect(JSON.stringify(vendor.headers[0])).not.toMatch(/wrkspc_1|up_1/);
  });

  const called = { type: 'tool_use', id: 't', name: 'f', input: {} };
  const thought = { type: 'thinking', thinking: 'Hm.', signature: 'sig' };
  const asks = { role: 'user', content: [text('hi')] };
  const calls = (...before: object[]) => ({ role: 'assistant', content: [...before, called] });
  const returns = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't' }] };

  // biome-ignore format: reads as a table
  test.each<[string, object[], object, boolean]>([
    ['was begun by another vendor',                        [asks, calls(), returns],                                   { type: 'enabled', budget_tokens: 2_000 }, false],
    ['was begun by another vendor, and gone on with here', [asks, calls(text('a')), returns, calls(), returns],        { type: 'enabled', budget_tokens: 2_000 }, false],
    ['was begun here, and gone on with by another vendor', [asks, calls(thought), returns, calls(), returns],          { type: 'enabled', budget_tokens: 2_000 }, true],
    ['was begun here by a thought that is not shown',      [asks, calls({ type: 'redacted_thinking' }), returns],      { type: 'enabled', budget_tokens: 2_000 }, true],
    ['was begun by another vendor, with no fixed budget',  [asks, calls(), returns],                                   { type: 'adaptive' },                      true],
    ['begins now',                                         [asks, calls(), returns, { role: 'assistant', content: 'a' }, asks], { type: 'enabled', budget_tokens: 2_000 }, true],
    ['follows one of Anthropic’s, and was begun elsewhere', [asks, calls(thought), returns, { role: 'assistant', content: 'a' }, asks, calls(), returns], { type: 'enabled', budget_tokens: 2_000 }, false],
    ['follows one of another vendor, and was begun here',  [asks, calls(), returns, { role: 'assistant', content: 'a' }, asks, calls(thought), returns], { type: 'enabled', budget_tokens: 2_000 }, true],
    ['is over, and the answer begun by the caller',        [asks, calls(), returns, { role: 'assistant', content: [text('{')] }], { type: 'enabled', budget_tokens: 2_000 }, true],
    ['is all there is, in words alone',                    [{ role: 'user', content: 'hi' }],                          { type: 'enabled', budget_tokens: 2_000 }, true],
  ])('whose turn of tool calls %s is thought over, or not, as Anthropic wants it', async (_, messages, thinking, stays) => {
    const vendor = await startVendor(json(ANSWER));
    const provider = connect(vendor.url);
    const request = passing({ messages, thinking });
    await send(provider, request);
    expect(vendor.asked[0]).toEqual({ ...body, model: 'claude-x', messages, ...(stays && { thinking }) });
    expect(provider.gaps(request)).toEqual(stays ? [] : [{ what: 'thinking', harmless: true }]);
  });

  test('gets the body of the answer byte for byte, beside its neutral words', async () => {
    const bytes = `{ "new": 1e2, ${JSON.stringify(ANSWER).slice(1)}`;
    const vendor = await startVendor(raw(bytes));
    expect(await send(connect(vendor.url), passing())).toMatchObject({
      text: 'Hello',
      source: { format: 'anthropic-messages', body: bytes },
    });
    expect(await send(connect(vendor.url), hi)).not.toHaveProperty('source');
    const chat: ChatRequest = { ...hi, source: { format: 'openai-chat', body: { messages: [] } } };
    expect(await send(connect(vendor.url), chat)).not.toHaveProperty('source');
  });

  test('gets the bytes of a stream, in order and nothing else', async () => {
    const toolUse = { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't', name: 'f' } };
    const closed = { type: 'content_block_stop', index: 1 };
    const bytes = `: hi\r\n\r\n${frames([START, { type: 'ping' }, OPEN, HELLO, CLOSE, toolUse, closed, END])}event: of_tomorrow\ndata: {"x":"€"}\n\n${frames([STOP])}`;
    const vendor = await startVendor(raw(bytes, 'text/event-stream'));
    const { events, failure } = await stream(connect(vendor.url), passing());
    expect(failure).toBeUndefined();
    const relayed = events.flatMap((event) => (event.bytes === undefined ? [] : [event.bytes]));
    expect(Buffer.concat(relayed).toString()).toBe(bytes);
    expect(events.map(({ type }) => type).filter((type) => type !== 'other')).toEqual([
      ...['start', 'text', 'tool-call', 'tool-call', 'finish', 'usage'],
    ]);
    const other = await stream(connect(vendor.url), hi);
    expect(other.events.filter((event) => event.bytes !== undefined)).toEqual([]);
  });

  test('gets blocks that have no neutral word as content; nobody else does', async () => {
    const search = { type: 'server_tool_use', id: 's', name: 'web_search', input: {} };
    const opened = { ...OPEN, content_block: search };
    const vendor = await startVendor(sse(START, opened, CLOSE, END, STOP));
    const { events } = await stream(connect(vendor.url), passing());
    expect(events.find(isContent)).toMatchObject({ type: 'unknown', name: 'server_tool_use' });
    expect((await stream(connect(vendor.url), hi)).events.filter(isContent)).toEqual([]);
  });

  test('gets the vendor’s error in a stream as one, not as bytes', async () => {
    const vendor = await startVendor(
      sse(START, OPEN, HELLO, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    );
    const { events, failure } = await stream(connect(vendor.url), passing());
    expect(failure).toMatchObject({ kind: 'overloaded' });
    expect(JSON.stringify(events.map(({ bytes = [] }) => Buffer.from(bytes).toString()))).not.toContain('Overloaded');
  });
});

describe('a plain answer', () => {
  test('is text, thought, tool calls, the reason it ended, and what it cost', async () => {
    const vendor = await startVendor(
      json({
        ...ANSWER,
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
          { type: 'redacted_thinking', data: 'x' },
          { type: 'text', text: 'One ' },
          { type: 'text', text: 'two' },
          { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: 1 } },
          { type: 'tool_use', id: 'toolu_2', name: 'g', input: {} },
        ],
        stop_reason: 'tool_use',
        usage: {
          input_tokens: 5,
          cache_creation_input_tokens: 10,
          cache_read_input_tokens: 100,
          output_tokens: 30,
          output_tokens_details: { thinking_tokens: 20 },
        },
      }),
    );
    expect(await send(connect(vendor.url), hi)).toEqual({
      id: 'msg_1',
      model: 'claude-x-1',
      text: 'One two',
      reasoning: 'Hm.',
      toolCalls: [
        { id: 'toolu_1', name: 'f', arguments: '{"a":1}' },
        { id: 'toolu_2', name: 'g', arguments: '{}' },
      ],
      finishReason: 'tool-calls',
      usage: {
        inputTokens: 115,
        outputTokens: 30,
        cachedInputTokens: 100,
        cacheWriteInputTokens: 10,
        reasoningTokens: 20,
      },
    });
  });

  test.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['pause_turn', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool-calls'],
    ['refusal', 'content-filter'],
    ['a_reason_of_next_year', 'stop'],
  ])('that ended with %s finished with %s', async (stop_reason, finishReason) => {
    const vendor = await startVendor(json({ ...ANSWER, stop_reason }));
    expect(await send(connect(vendor.url), hi)).toMatchObject({ finishReason });
  });

  test.each<[string, (response: ServerResponse) => void, Partial<Failure>]>([
    ['nothing', raw(''), { message: 'anthropic sent an empty body' }],
    ['a web page', raw('<html></html>', 'text/html'), { message: 'anthropic sent a body that is not JSON' }],
    ['half an answer', raw('{"id":"msg_1","con'), { message: 'anthropic sent a body that is not JSON' }],
    ['a string', raw('"hello"'), { message: 'anthropic sent a body that is no answer' }],
    ['an empty object', json({}), { message: 'anthropic sent a body without content' }],
    ['no reason', json({ ...ANSWER, stop_reason: null }), { message: 'anthropic sent an answer without its end' }],
    ['an error of somebody else', json({ ok: false, error: { reason: 'non-json' } }), {}],
  ])('that is %s is broken', async (_, answer, expected) => {
    const vendor = await startVendor(answer);
    expect(await send(connect(vendor.url), hi)).toMatchObject({ kind: 'broken', ...expected });
  });

  test('that is an error is that error', async () => {
    const vendor = await startVendor(
      json({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    );
    expect(await send(connect(vendor.url), hi)).toEqual({
      kind: 'overloaded',
      message: 'anthropic sent an error inside its answer (overloaded_error)',
      code: 'overloaded_error',
      vendorError: { message: 'Overloaded', type: 'overloaded_error' },
    });
  });

  test('that is cut is broken', async () => {
    simulator.vendors.anthropic.break({ kind: 'cut' });
    expect(await send(simulated(), hi)).toMatchObject({ kind: 'broken' });
  });
});

describe('a stream', () => {
  test('is told event by event, and its usage once', async () => {
    const vendor = await startVendor(
      sse(
        {
          type: 'message_start',
          message: {
            id: 'msg_1',
            model: 'claude-x-1',
            usage: { input_tokens: 5, cache_read_input_tokens: 100, output_tokens: 1 },
          },
        },
        { type: 'ping' },
        { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm.' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'sig' } },
        { type: 'content_block_stop', index: 0 },
        { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'I look: [DONE]' } },
        { type: 'content_block_stop', index: 1 },
        {
          type: 'content_block_start',
          index: 2,
          content_block: { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} },
        },
        { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '' } },
        { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"a"' } },
        { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: ':1}' } },
        { type: 'content_block_stop', index: 2 },
        {
          type: 'content_block_start',
          index: 3,
          content_block: { type: 'tool_use', id: 'toolu_2', name: 'g', input: {} },
        },
        { type: 'content_block_stop', index: 3 },
        { type: 'message_delta', delta: { stop_reason: null }, usage: { output_tokens: 7 } },
        {
          type: 'message_delta',
          delta: { stop_reason: 'tool_use' },
          usage: { input_tokens: null, output_tokens: 30, output_tokens_details: { thinking_tokens: 20 } },
        },
        { type: 'message_stop' },
      ),
    );
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toBeUndefined();
    expect(vendor.asked).toMatchObject([{ stream: true }]);
    expect(events.filter(({ type }) => type !== 'other')).toEqual([
      { type: 'start', id: 'msg_1', model: 'claude-x-1' },
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'I look: [DONE]' },
      { type: 'tool-call', index: 0, id: 'toolu_1', name: 'f', arguments: '' },
      { type: 'tool-call', index: 0, arguments: '{"a"' },
      { type: 'tool-call', index: 0, arguments: ':1}' },
      { type: 'tool-call', index: 1, id: 'toolu_2', name: 'g', arguments: '' },
      { type: 'tool-call', index: 1, arguments: '{}' },
      { type: 'finish', reason: 'tool-calls' },
      { type: 'usage', usage: { inputTokens: 105, outputTokens: 30, cachedInputTokens: 100, reasoningTokens: 20 } },
    ]);
  });

  test('may come in pieces of any size, with line ends of any kind and comments between', async () => {
    const bytes = Buffer.from(`: hello\r\n\r\n${frames(WHOLE).replaceAll('\n', '\r\n').replace('Hello', 'Grüße 🌍')}`);
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
    expect(events.slice(-3).map(({ type }) => type)).toEqual(['finish', 'usage', 'other']);
  });

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['has no event', sse(), 'anthropic sent a stream without an event'],
    ['is a web page', raw('<html></html>', 'text/html'), 'anthropic sent a stream without an event'],
    [
      'is a JSON error',
      json({ type: 'error', error: { type: 'api_error' } }),
      'anthropic sent a stream without an event',
    ],
    ['ends after its start', sse(START), 'anthropic sent a stream that stopped before its end'],
    ['never says why it ended', sse(START, OPEN, HELLO, STOP), 'anthropic sent an answer without its end'],
    [
      'ends inside an event',
      raw(frames([START, OPEN, HELLO]).slice(0, -20), 'text/event-stream'),
      'anthropic sent an event that is not JSON',
    ],
    [
      'has garbage in it',
      raw(`${frames([START])}data: {"type":\n\n`, 'text/event-stream'),
      'anthropic sent an event that is not JSON',
    ],
    ['has a list for an event', raw('data: [1]\n\n', 'text/event-stream'), 'anthropic sent an event that is no answer'],
  ])('that %s is broken, and never a normal end', async (_, answer, message) => {
    const vendor = await startVendor(answer);
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toEqual({ kind: 'broken', message });
    expect(events.map(({ type }) => type)).not.toContain('finish');
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['ends', sse(...WHOLE.slice(0, -1))],
    ['ends inside the next event', raw(`${frames(WHOLE.slice(0, -1))}event: message_stop\nda`, 'text/event-stream')],
    [
      'is cut',
      (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(frames(WHOLE.slice(0, -1)), () => setTimeout(() => response.destroy(), 5));
      },
    ],
  ])('that %s once it has said why it finished is whole', async (_, answer) => {
    const vendor = await startVendor(answer);
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(failure).toBeUndefined();
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['finish', 'usage']);
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
    simulator.vendors.anthropic.break(fault);
    const { failure } = await stream(simulated(), hi);
    expect(failure).toMatchObject({ kind: 'broken' });
  });

  test('that ends in an error of the vendor is that error, also after content', async () => {
    const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    const vendor = await startVendor(sse(START, OPEN, HELLO, overloaded));
    const { events, failure } = await stream(connect(vendor.url), hi);
    expect(events.at(-1)).toEqual({ type: 'text', text: 'Hello' });
    expect(failure).toMatchObject({ kind: 'overloaded', code: 'overloaded_error' });
    simulator.vendors.anthropic.break({ kind: 'error-before-content' });
    expect(await stream(simulated(), hi)).toMatchObject({ failure: { kind: 'overloaded' } });
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
    const second = await send(provider, {
      ...ask,
      messages: [...ask.messages, { role: 'assistant', content: [], toolCalls: first.toolCalls }, ...results],
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
  const error = (type: string, details?: object) => ({
    type: 'error',
    error: { type, message: 'no', ...(details && { details }) },
  });

  test.each<[number, unknown, Partial<Failure>]>([
    [400, error('invalid_request_error'), { kind: 'rejected', code: 'invalid_request_error' }],
    [
      400,
      { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 9 tokens > 8' } },
      { kind: 'too-long' },
    ],
    [
      400,
      {
        type: 'error',
        error: {
          type: 'invalid_request_error',
          message: 'messages.1.content.0: Invalid `signature` in `thinking` block',
        },
      },
      // Of another model, maybe of a target before: others can answer all the same.
      { kind: 'unsupported' },
    ],
    [
      400,
      {
        type: 'error',
        error: {
          type: 'invalid_request_error',
          message: 'messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.',
        },
      },
      { kind: 'unsupported' },
    ],
    [401, error('authentication_error'), { kind: 'unauthorized' }],
    [402, error('billing_error'), { kind: 'quota-exhausted' }],
    [403, error('permission_error'), { kind: 'unauthorized' }],
    [404, error('not_found_error'), { kind: 'not-found' }],
    [409, error('conflict_error'), { kind: 'server-error' }],
    [413, error('request_too_large'), { kind: 'too-long' }],
    [429, error('rate_limit_error'), { kind: 'rate-limited' }],
    [
      429,
      error('rate_limit_error', { error_code: 'enforced_spend_limit_reached' }),
      { kind: 'quota-exhausted', code: 'enforced_spend_limit_reached' },
    ],
    [
      429,
      error('rate_limit_error', { error_code: 'contract_spend_limit_reached' }),
      { kind: 'quota-exhausted', code: 'contract_spend_limit_reached' },
    ],
    [
      429,
      error('rate_limit_error', { error_code: 'ramp_limit_exceeded' }),
      { kind: 'rate-limited', code: 'ramp_limit_exceeded' },
    ],
    [500, error('api_error'), { kind: 'server-error' }],
    [503, '<html>no</html>', { kind: 'overloaded', message: 'anthropic answered 503' }],
    [504, error('timeout_error'), { kind: 'server-error' }],
    [529, error('overloaded_error'), { kind: 'overloaded', message: 'anthropic answered 529 (overloaded_error)' }],
    [529, '', { kind: 'overloaded', message: 'anthropic answered 529' }],
  ])('%i %j is told, plain or streamed, after one request', async (status, body, expected) => {
    const vendor = await startVendor(
      typeof body === 'string' ? raw(body, 'application/json', status) : json(body, status),
    );
    const provider = connect(vendor.url);
    expect(await send(provider, hi)).toMatchObject({ status, ...expected });
    expect(await stream(provider, hi)).toMatchObject({ events: [], failure: { status, ...expected } });
    expect(vendor.asked).toHaveLength(2);
  });

  test.each([
    ['retry-after', '17', 17_000, 17_000],
    ['retry-after', new Date(Date.now() + 3_600_000).toUTCString(), 3_500_000, 3_600_000],
    ['retry-after-ms', '250', 250, 250],
  ])('says how long to wait: %s %s', async (name, value, leastMs, mostMs) => {
    const vendor = await startVendor(json(error('rate_limit_error'), 429, { [name]: value }));
    const failure = (await send(connect(vendor.url), hi)) as Failure;
    // A date is nearer by the time of the test than when this table was read.
    expect(failure.retryAfterMs).toBeGreaterThanOrEqual(leastMs);
    expect(failure.retryAfterMs).toBeLessThanOrEqual(mostMs);
  });

  test('counts the limit that is used up where nothing else is said', async () => {
    simulator.vendors.anthropic.break({
      kind: 'status',
      status: 429,
      retryAfter: { form: 'reset-headers', ms: 9_000 },
    });
    const failure = (await send(simulated(), hi)) as Failure;
    expect(failure.retryAfterMs).toBeGreaterThan(7_000);
  });

  test('quotes the vendor for the caller only, and never the key', async () => {
    const vendor = await startVendor(
      json({ type: 'error', error: { type: 'invalid_request_error', message: 'hi is rude' } }, 400),
    );
    const failure = (await send(connect(vendor.url), hi)) as Failure;
    expect(failure.message).toBe('anthropic answered 400 (invalid_request_error)');
    expect(failure.vendorError?.message).toBe('hi is rude');
    expect(JSON.stringify(failure)).not.toContain('sk-test');
  });

  test('is not retried by a client that came ready with retries', async () => {
    const vendor = await startVendor(json(error('overloaded_error'), 529, { 'x-should-retry': 'true' }));
    const client = new Anthropic({ apiKey: 'sk-test', baseURL: vendor.url, maxRetries: 3, timeout: 50 });
    expect(await send(connect('http://unused', { client }), hi)).toMatchObject({ kind: 'overloaded' });
    expect(vendor.asked).toHaveLength(1);
  });

  test('to connect is told with the code of the socket', async () => {
    const provider = connect((await startVendor(json(ANSWER))).url);
    stopVendors();
    expect(await send(provider, hi)).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' });
    expect(await stream(provider, hi)).toMatchObject({ failure: { kind: 'unreachable', code: 'ECONNREFUSED' } });
  });

  test('to find a key is charged to the key', async () => {
    const vendor = await startVendor(json(ANSWER));
    const apiKey = () => Promise.reject(new Error('the vault is sealed'));
    const provider = connect(vendor.url, { apiKey });
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
  const stalls = (sent: string, contentType: string) => (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': contentType }).write(sent);
  };

  test('before the call sends nothing', async () => {
    const vendor = await startVendor(json(ANSWER));
    const provider = connect(vendor.url);
    await expect(provider.send(hi, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(provider.stream(hi, { signal: AbortSignal.abort() })[Symbol.asyncIterator]().next()).rejects.toThrow();
    expect(vendor.asked).toEqual([]);
  });

  test.each([
    ['a plain answer', 'application/json', '{"id":'],
    ['a stream', 'text/event-stream', frames(WHOLE.slice(0, 3))],
  ])('%s that stalls ends at once, with an error and a closed connection', async (kind, contentType, sent) => {
    const vendor = await startVendor(stalls(sent, contentType));
    const controller = new AbortController();
    const provider = connect(vendor.url);
    const attempt = (kind === 'a stream' ? stream : send)(provider, hi, controller.signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const abortedAt = performance.now();
    controller.abort();
    const ended = await attempt;
    await vendor.hungUp;
    expect(performance.now() - abortedAt).toBeLessThan(100);
    expect('failure' in ended ? ended.failure : ended).toMatchObject({ kind: 'broken' });
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

test('a target keeps the options of the router apart from those of the client', () => {
  const target = anthropic('claude-x', { apiKey: 'sk-test', baseURL: 'http://a', logLevel: 'off', weight: 2, id: 'a' });
  expect(target).toMatchObject({ vendor: 'anthropic', model: 'claude-x', options: { weight: 2, id: 'a' } });
  expect(Object.keys(target.options)).toEqual(['weight', 'id']);
  expect(target.connect('claude-x', undefined)).toMatchObject({
    name: 'anthropic',
    model: 'claude-x',
    account: { endpoint: 'http://a', credential: 'sk-test' },
  });
});
