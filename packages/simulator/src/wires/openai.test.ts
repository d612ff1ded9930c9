import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../simulator.ts';

let simulator: Simulator;
let client: OpenAI;

const connect = (apiKey: string): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${simulator.vendors.openai.url}/v1`, maxRetries: 0, logLevel: 'off' });

beforeAll(async () => {
  simulator = await startSimulator();
  client = connect('key');
});
beforeEach(() => simulator.vendors.openai.heal());
afterAll(() => simulator.close());

const messages = [{ role: 'user', content: 'hello' }] as const;
const ask = { model: 'gpt-5', messages: [...messages] };
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools = [{ type: 'function', function: { name: 'get_weather', parameters } }] as const;
const askWeather = {
  model: 'gpt-5',
  messages: [{ role: 'user' as const, content: 'weather, twice' }],
  tools: [...tools],
};

const collect = async (stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<OpenAI.ChatCompletionChunk[]> => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

describe("OpenAI's SDK", () => {
  test('reads an answer, its usage and its headers', async () => {
    const { data, response, request_id } = await client.chat.completions.create(ask).withResponse();
    expect(data.choices[0]?.message.content).toContain('openai/gpt-5 (simulated) heard: "hello"');
    expect(data.choices[0]?.finish_reason).toBe('stop');
    const { prompt_tokens = 0, completion_tokens = 0, total_tokens } = data.usage ?? {};
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('9999');
    expect(response.headers.get('x-ratelimit-reset-requests')).toMatch(/ms$/);
  });

  test('reads the same answer from a stream', async () => {
    const whole = await client.chat.completions.create(ask);
    const chunks = await collect(await client.chat.completions.create({ ...ask, stream: true }));
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '', refusal: null });
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  test('reads usage from the last chunk of a stream, when it asks for it', async () => {
    const options = { stream: true, stream_options: { include_usage: true } } as const;
    const chunks = await collect(await client.chat.completions.create({ ...ask, ...options }));
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) } });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  test('reads parallel tool calls, whole and from a stream', async () => {
    const { choices } = await client.chat.completions.create(askWeather);
    const calls = choices[0]?.message.tool_calls ?? [];
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    expect(calls).toHaveLength(2);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    const chunks = await collect(await client.chat.completions.create({ ...askWeather, stream: true }));
    const args = ['', ''];
    for (const { index, function: called } of chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])) {
      args[index] += called?.arguments ?? '';
    }
    expect(args).toEqual(['{"city":"some city"}', '{"city":"some city"}']);
  });

  test('sends tool results, and reads what the model makes of them', async () => {
    const { choices } = await client.chat.completions.create({ ...askWeather, parallel_tool_calls: false });
    const message = choices[0]?.message as OpenAI.ChatCompletionMessage;
    const id = message.tool_calls?.[0]?.id ?? '';
    const result = { role: 'tool', tool_call_id: id, content: '21 degrees' } as const;
    const next = await client.chat.completions.create({
      ...askWeather,
      messages: [...askWeather.messages, message, result],
    });
    expect(next.choices[0]?.message.content).toContain('"21 degrees"');
  });

  test('reads output to a schema, in JSON mode, and several choices', async () => {
    const json_schema = { name: 'city', schema: parameters, strict: true };
    const typed = await client.chat.completions.create({
      ...ask,
      response_format: { type: 'json_schema', json_schema },
    });
    expect(JSON.parse(typed.choices[0]?.message.content ?? '')).toEqual({ city: 'some city' });
    const asJson = { ...ask, messages: [{ role: 'user', content: 'as JSON' }] as OpenAI.ChatCompletionMessageParam[] };
    const json = await client.chat.completions.create({ ...asJson, response_format: { type: 'json_object' } });
    expect(JSON.parse(json.choices[0]?.message.content ?? '')).toEqual({ answer: expect.any(String) });
    expect((await client.chat.completions.create({ ...ask, n: 3 })).choices.map(({ index }) => index)).toEqual([
      0, 1, 2,
    ]);
    const chunks = await collect(await client.chat.completions.create({ ...ask, n: 2, stream: true }));
    expect(new Set(chunks.map((chunk) => chunk.choices[0]?.index))).toEqual(new Set([0, 1]));
  });

  test('reads that the model refuses, whole and from a stream', async () => {
    const refused = {
      ...ask,
      messages: [{ role: 'user', content: 'Please refuse.' }] as OpenAI.ChatCompletionMessageParam[],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'city', schema: parameters, strict: true },
      } as const,
    };
    const { choices } = await client.chat.completions.create(refused);
    expect(choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: null, refusal: expect.stringContaining('will not') },
    });
    const chunks = await collect(await client.chat.completions.create({ ...refused, stream: true }));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.refusal ?? '').join('');
    expect(text).toBe(choices[0]?.message.refusal);
  });

  test('reads why an answer is short, and what the model thought', async () => {
    const cut = await client.chat.completions.create({ ...ask, max_completion_tokens: 3 });
    expect(cut.choices[0]?.finish_reason).toBe('length');
    const stopped = await client.chat.completions.create({ ...ask, stop: 'heard' });
    expect(stopped.choices[0]?.message.content).toBe('openai/gpt-5 (simulated) ');
    const thinking = await client.chat.completions.create({ ...ask, reasoning_effort: 'low' });
    expect(thinking.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
  });

  test('reads from the cache what it sent before', async () => {
    const long = { ...ask, messages: [{ role: 'system', content: 'y'.repeat(8_000) } as const, ...messages] };
    const first = await client.chat.completions.create(long);
    const second = await client.chat.completions.create(long);
    expect(first.usage?.prompt_tokens_details?.cached_tokens).toBe(0);
    expect(second.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(1_024);
  });

  test('throws the errors it throws for the vendor', async () => {
    await expect(connect('bad-key').chat.completions.create(ask)).rejects.toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    });
    const missing = client.chat.completions.create({ ...ask, model: 'missing-model' });
    await expect(missing).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    simulator.vendors.openai.break({ kind: 'status', status: 429 });
    const limited = client.chat.completions.create(ask);
    await expect(limited).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    await expect(limited).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
    simulator.vendors.openai.break({ kind: 'context-length' });
    await expect(client.chat.completions.create(ask)).rejects.toMatchObject({ code: 'context_length_exceeded' });
    simulator.vendors.openai.break({ kind: 'refuse' });
    await expect(client.chat.completions.create(ask)).rejects.toBeInstanceOf(OpenAI.APIConnectionError);
  });

  test('throws an error that comes inside a stream', async () => {
    simulator.vendors.openai.break({ kind: 'error-after-content' });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    await expect(collect(stream)).rejects.toMatchObject({ type: 'server_error' });
  });

  test('reads a refusal', async () => {
    simulator.vendors.openai.break({ kind: 'content-filter' });
    expect((await client.chat.completions.create(ask)).choices[0]?.finish_reason).toBe('content_filter');
  });
});

describe('OpenAI refuses', () => {
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
  const tool = { role: 'tool', tool_call_id: 'call_1', content: 'x' };

  test.each<[string, object, string]>([
    ['no messages', { messages: undefined }, "Missing required parameter: 'messages'."],
    ['empty messages', { messages: [] }, "Invalid value for 'messages': expected an array of at least 1"],
    ['an unknown role', { messages: [{ role: 'bot', content: 'x' }] }, "'messages[0].role'"],
    ['content of another type', { messages: [{ role: 'user', content: 7 }] }, "'messages[0].content'"],
    [
      'an unknown part',
      { messages: [{ role: 'user', content: [{ type: 'video' }] }] },
      "'messages[0].content[0].type'",
    ],
    [
      'an assistant that says nothing',
      { messages: [{ role: 'assistant', content: null }] },
      'expected a string, got null',
    ],
    [
      'a tool result nobody asked for',
      { messages: [...messages, tool] },
      "messages with role 'tool' must be a response",
    ],
    [
      'a tool call without its result',
      { messages: [{ role: 'assistant', tool_calls: [call] }, ...messages] },
      'did not have response messages: call_1',
    ],
    [
      'arguments that are no text',
      { messages: [{ role: 'assistant', tool_calls: [{ ...call, function: { name: 'f', arguments: {} } }] }] },
      'function.arguments',
    ],
    ['a temperature beyond 2', { temperature: 2.5 }, 'expected a number from 0 to 2, but got 2.5'],
    ['five stop sequences', { stop: ['a', 'b', 'c', 'd', 'e'] }, "'stop': expected an array of at most 4"],
    ['a tool without a function', { tools: [{ type: 'function' }] }, "'tools[0].function'"],
    ['a tool with a bad name', { tools: [{ type: 'function', function: { name: 'a b' } }] }, 'does not match pattern'],
    ['a tool choice of no known shape', { tools, tool_choice: { name: 'get_weather' } }, "'tool_choice.type'"],
    [
      'a tool choice that is not offered',
      { tools, tool_choice: { type: 'function', function: { name: 'x' } } },
      "'x' not found",
    ],
    ['a tool choice without tools', { tool_choice: 'required' }, "only allowed when 'tools' are specified"],
    [
      'JSON mode unless the prompt says JSON',
      { response_format: { type: 'json_object' } },
      "must contain the word 'json'",
    ],
    [
      'a schema without a name',
      { response_format: { type: 'json_schema', json_schema: { schema: {} } } },
      'json_schema.name',
    ],
    [
      'stream options without a stream',
      { stream_options: { include_usage: true } },
      "only allowed when 'stream' is enabled",
    ],
    ['a parameter it does not know', { top_k: 3 }, 'Unrecognized request argument supplied: top_k'],
  ])('%s', async (_what, fields, message) => {
    const response = await fetch(`${simulator.vendors.openai.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer key' },
      body: JSON.stringify({ ...ask, ...fields }),
    });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: object };
    expect(error).toMatchObject({ type: 'invalid_request_error', message: expect.stringContaining(message) });
    expect(simulator.vendors.openai.lastCalls.at(-1)?.outcome).toBe('rejected');
  });

  test.each<[number, string, RequestInit]>([
    [401, '/v1/chat/completions', { method: 'POST', body: '{}' }],
    [400, '/v1/chat/completions', { method: 'POST', body: '{', headers: { authorization: 'Bearer key' } }],
    [404, '/v1/nowhere', { method: 'POST', body: '{}' }],
    [405, '/v1/chat/completions', { method: 'GET' }],
  ])('with status %i', async (status, path, init) => {
    const response = await fetch(simulator.vendors.openai.url + path, init);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  });
});
