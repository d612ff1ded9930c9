import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../simulator.ts';

let simulator: Simulator;
let client: Anthropic;

const connect = (apiKey: string): Anthropic =>
  new Anthropic({ apiKey, baseURL: simulator.vendors.anthropic.url, maxRetries: 0, logLevel: 'off' });

beforeAll(async () => {
  simulator = await startSimulator();
  client = connect('key');
});
beforeEach(() => simulator.vendors.anthropic.heal());
afterAll(() => simulator.close());

const user = (content: Anthropic.MessageParam['content']): Anthropic.MessageParam => ({ role: 'user', content });
const ask = { model: 'claude-x', max_tokens: 2_000, messages: [user('hello')] };
const input_schema = { type: 'object' as const, properties: { city: { type: 'string' } } };
const tools = [{ name: 'get_weather', input_schema }];
const askWeather = { ...ask, tools, messages: [user('weather, twice')] };

describe("Anthropic's SDK", () => {
  test('reads an answer, its usage and its headers', async () => {
    const { data, response } = await client.messages.create(ask).withResponse();
    expect(data.content).toMatchObject([{ type: 'text', text: expect.stringContaining('heard: "hello"') }]);
    expect(data).toMatchObject({ stop_reason: 'end_turn', usage: { input_tokens: 3, cache_read_input_tokens: 0 } });
    expect(response.headers.get('request-id')).toMatch(/^req_/);
    expect(response.headers.get('anthropic-ratelimit-requests-remaining')).toBe('9999');
    expect(response.headers.get('anthropic-ratelimit-input-tokens-reset')).toMatch(/Z$/);
  });

  test('reads the same answer from a stream, whose events come in order', async () => {
    const types: string[] = [];
    for await (const event of await client.messages.create({ ...ask, stream: true })) types.push(event.type);
    const [start, ...rest] = types.filter((type, i) => type !== types[i - 1]);
    expect(start).toBe('message_start');
    expect(rest).toEqual([
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const whole = await client.messages.create(ask);
    const streamed = await client.messages.stream(ask).finalMessage();
    expect({ ...streamed, id: '' }).toMatchObject({
      content: whole.content,
      stop_reason: 'end_turn',
      usage: whole.usage,
    });
  });

  test('reads parallel tool calls, whole and from a stream, and sends their results', async () => {
    const whole = await client.messages.create(askWeather);
    expect(whole.stop_reason).toBe('tool_use');
    expect(whole.content).toMatchObject([
      { type: 'tool_use', input: { city: 'some city' } },
      { type: 'tool_use', input: { city: 'some city' } },
    ]);
    const streamed = await client.messages.stream(askWeather).finalMessage();
    expect(streamed.content).toMatchObject(whole.content.map((block) => ({ ...block, id: expect.any(String) })));
    const results = whole.content.flatMap((block) =>
      block.type === 'tool_use' ? [{ type: 'tool_result' as const, tool_use_id: block.id, content: '21 degrees' }] : [],
    );
    const messages = [...askWeather.messages, { role: 'assistant' as const, content: whole.content }, user(results)];
    const next = await client.messages.create({ ...askWeather, messages });
    expect(next.content).toMatchObject([{ text: expect.stringContaining('21 degrees') }]);
  });

  test('reads one tool call when it forbids more, and the one it forces', async () => {
    const one = { ...askWeather, tool_choice: { type: 'auto' as const, disable_parallel_tool_use: true } };
    expect((await client.messages.create(one)).content).toHaveLength(1);
    const forced = { ...ask, tools, tool_choice: { type: 'tool' as const, name: 'get_weather' } };
    expect((await client.messages.create(forced)).content).toMatchObject([{ type: 'tool_use', name: 'get_weather' }]);
  });

  test('reads what the model thought, with its signature', async () => {
    const thinking = { ...ask, thinking: { type: 'enabled' as const, budget_tokens: 1_024 } };
    const whole = await client.messages.create(thinking);
    expect(whole.content.map(({ type }) => type)).toEqual(['thinking', 'text']);
    const streamed = await client.messages.stream(thinking).finalMessage();
    expect(streamed.content).toMatchObject([
      { type: 'thinking', signature: expect.stringMatching(/.+/) },
      { type: 'text' },
    ]);
    expect(streamed.usage.output_tokens_details?.thinking_tokens).toBeGreaterThan(0);
  });

  test('reads output to a schema, and why an answer is short', async () => {
    const format = { type: 'json_schema' as const, schema: input_schema };
    const typed = await client.messages.create({ ...ask, output_config: { format } });
    expect(typed.content).toMatchObject([{ text: '{"city":"some city"}' }]);
    expect(await client.messages.create({ ...ask, max_tokens: 3 })).toMatchObject({ stop_reason: 'max_tokens' });
    const stopped = await client.messages.create({ ...ask, stop_sequences: ['heard'] });
    expect(stopped).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'heard' });
  });

  test('sends images', async () => {
    const image = { type: 'image' as const, source: { type: 'url' as const, url: 'https://example.com/a.png' } };
    const { content } = await client.messages.create({
      ...ask,
      messages: [user([image, { type: 'text', text: 'what?' }])],
    });
    expect(content).toMatchObject([{ text: expect.stringContaining('1 image') }]);
  });

  test('throws the errors it throws for the vendor', async () => {
    await expect(connect('bad-key').messages.create(ask)).rejects.toBeInstanceOf(Anthropic.AuthenticationError);
    const missing = client.messages.create({ ...ask, model: 'missing-model' });
    await expect(missing).rejects.toMatchObject({ status: 404, type: 'not_found_error' });
    for (const [status, type] of [
      [429, 'rate_limit_error'],
      [500, 'api_error'],
      [529, 'overloaded_error'],
    ] as const) {
      simulator.vendors.anthropic.break({ kind: 'status', status });
      await expect(client.messages.create(ask)).rejects.toMatchObject({ status, type, requestID: expect.any(String) });
    }
    simulator.vendors.anthropic.break({ kind: 'context-length' });
    await expect(client.messages.create(ask)).rejects.toThrow('prompt is too long');
  });

  test('throws an error that comes inside a stream', async () => {
    simulator.vendors.anthropic.break({ kind: 'error-before-content' });
    const failed = client.messages.stream(ask).finalMessage();
    await expect(failed).rejects.toMatchObject({ type: 'overloaded_error' });
  });

  test('reads a refusal, whole and from a stream', async () => {
    simulator.vendors.anthropic.break({ kind: 'content-filter' });
    expect(await client.messages.create(ask)).toMatchObject({ stop_reason: 'refusal', content: [] });
    expect(await client.messages.stream(ask).finalMessage()).toMatchObject({ stop_reason: 'refusal', content: [] });
  });
});

describe('Anthropic refuses', () => {
  const use = { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} };
  const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' };
  const text = { type: 'text', text: 'x' };
  const said = (...messages: [string, unknown][]): object => ({
    messages: messages.map(([role, content]) => ({ role, content })),
  });

  test.each<[string, object, string]>([
    ['no limit of tokens', { max_tokens: undefined }, 'max_tokens: Field required'],
    ['no messages', { messages: undefined }, 'messages: Field required'],
    ['a system message', said(['system', 'x'], ['user', 'x']), 'Unexpected role "system"'],
    ['an unknown role', said(['bot', 'x']), 'messages.0.role'],
    ['to let the assistant begin', said(['assistant', 'x']), 'first message must use the "user" role'],
    ['empty content', said(['user', '']), 'non-empty'],
    ['an unknown block', said(['user', [{ type: 'video' }]]), 'messages.0.content.0.type'],
    ['a tool use of the user', said(['user', [use]]), 'messages.0.content.0.type'],
    [
      'a tool use without its result',
      said(['user', 'x'], ['assistant', [use]], ['user', 'x']),
      'without `tool_result` blocks',
    ],
    [
      'a tool result that is late',
      said(['user', 'x'], ['assistant', [use]], ['user', [text, result]]),
      'immediately after: toolu_1',
    ],
    ['a tool result nobody asked for', said(['user', [result]]), 'unexpected `tool_use_id`'],
    ['a temperature beyond 1', { temperature: 1.5 }, 'temperature: Input should be a number from 0 to 1'],
    ['a tool without a schema', { tools: [{ name: 'f' }] }, 'tools.0.custom.input_schema: Field required'],
    ['a tool choice of no known shape', { tools, tool_choice: 'auto' }, 'tool_choice: Input should be an object'],
    ['a tool choice that is not offered', { tools, tool_choice: { type: 'tool', name: 'x' } }, "Tool 'x' not found"],
    ['a tool choice without tools', { tool_choice: { type: 'any' } }, 'while providing tools'],
    ['to think more than it may say', { thinking: { type: 'enabled', budget_tokens: 9_000 } }, 'must be greater than'],
    ['a parameter it does not know', { n: 2 }, 'n: Extra inputs are not permitted'],
  ])('%s', async (_what, fields, message) => {
    const response = await fetch(`${simulator.vendors.anthropic.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': 'key', 'anthropic-version': '2026-10-21' },
      body: JSON.stringify({ ...ask, ...fields }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: expect.stringContaining(message) },
      request_id: expect.any(String),
    });
  });

  test('nothing that is merely unusual: neighbours with one role are combined', async () => {
    const neighbours = { ...ask, messages: [user('one'), user('two')] };
    expect((await client.messages.create(neighbours)).content).toMatchObject([
      { text: expect.stringContaining('"two"') },
    ]);
  });

  test.each<[number, string, string, RequestInit]>([
    [401, 'authentication_error', '/v1/messages', { method: 'POST', body: '{}' }],
    [400, 'invalid_request_error', '/v1/messages', { method: 'POST', body: '{}', headers: { 'x-api-key': 'key' } }],
    [404, 'not_found_error', '/v1/nowhere', { method: 'POST', body: '{}' }],
  ])('with status %i', async (status, type, path, init) => {
    const response = await fetch(simulator.vendors.anthropic.url + path, init);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { type } });
  });
});
