import { createAdaptorServer } from '@hono/node-server';
import { createRouter } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { type SimulatedVendor, type Simulator, startSimulator } from '@switchyard/simulator';
import { Hono } from 'hono';
import OpenAI, { APIError, APIUserAbortError, BadRequestError, InternalServerError, NotFoundError } from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type RunningServer, running } from './adapter.ts';

// What callers have already is the client of a vendor, with another base URL. It has to work as it does at the vendor.

type Message = OpenAI.ChatCompletionMessageParam;

describe('the openai client', () => {
  let simulators: readonly [Simulator, Simulator];
  let first: SimulatedVendor;
  let second: SimulatedVendor;
  let server: RunningServer;
  let client: OpenAI;

  beforeAll(async () => {
    simulators = [await startSimulator({ seed: 1 }), await startSimulator({ seed: 2 })];
    [first, second] = [simulators[0].vendors.openai, simulators[1].vendors.openai];
  });
  beforeEach(async () => {
    const pool = [first, second].map(({ url }, i) =>
      openai(['first', 'second'][i] ?? '', { apiKey: 'k', baseURL: `${url}/v1` }),
    );
    const app = new Hono();
    app.use('/llm/*', switchyard(createRouter({ routes: { chat: { pool } } })));
    server = await running(createAdaptorServer({ fetch: app.fetch }) as Parameters<typeof running>[0]);
    client = new OpenAI({ baseURL: `${server.url}/llm/v1`, apiKey: 'the-team-s-own', maxRetries: 0 });
  });
  afterEach(async () => {
    await server.close();
    first.heal();
    second.heal();
  });
  afterAll(async () => {
    for (const simulator of simulators) await simulator.close();
  });

  const hi: Message[] = [{ role: 'user', content: 'hi' }];

  test('gets an answer of the route that model names, or that the base URL does', async () => {
    const answer = await client.chat.completions.create({ model: 'chat', messages: hi });
    expect(answer).toMatchObject({ model: 'first', choices: [{ finish_reason: 'stop' }] });
    expect(answer.choices[0]?.message.content).toContain('"hi"');
    expect(answer.usage?.total_tokens).toBeGreaterThan(0);
    const ofRoute = new OpenAI({ baseURL: `${server.url}/llm/chat/v1`, apiKey: 'k', maxRetries: 0 });
    const { data, response } = await ofRoute.chat.completions
      .create({ model: 'whatever', messages: hi })
      .withResponse();
    expect(data.model).toBe('first');
    expect(response.headers.get('x-switchyard-target')).toBe('openai/first');
  });

  test('sends its own key to us, and the vendor gets the target’s', async () => {
    await client.chat.completions.create({ model: 'chat', messages: hi });
    expect(first.requests.at(-1)?.headers.authorization).toBe('Bearer k');
    expect(JSON.stringify(first.requests.at(-1))).not.toContain('own');
  });

  test('gets a stream, with its usage at the end', async () => {
    const stream = await client.chat.completions.create({
      model: 'chat',
      messages: hi,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await Array.fromAsync(stream);
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toContain('"hi"');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) } });
    expect(chunks.length).toBeGreaterThan(5);
  });

  test('gets the same from a target that took over', async () => {
    first.break({ kind: 'status', status: 500 });
    const answer = await client.chat.completions.create({ model: 'chat', messages: hi });
    const stream = client.chat.completions.stream({ model: 'chat', messages: hi });
    const streamed = await stream.finalChatCompletion();
    for (const { model, choices } of [answer, streamed]) {
      expect(model).toBe('second');
      expect(choices[0]?.message.content).toContain('"hi"');
    }
  });

  const tools: OpenAI.ChatCompletionFunctionTool[] = [
    {
      type: 'function',
      function: {
        name: 'get_weather',
        description: 'The weather in a city.',
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    },
  ];
  const question: Message = { role: 'user', content: 'What is the weather in Berlin, twice?' };

  test('gets tool calls, returns what the tools said, and gets the answer', async () => {
    const asked = await client.chat.completions.create({ model: 'chat', messages: [question], tools });
    const [choice] = asked.choices;
    expect(choice?.finish_reason).toBe('tool_calls');
    const calls = choice?.message.tool_calls ?? [];
    expect(calls).toMatchObject([
      { type: 'function', function: { name: 'get_weather', arguments: '{"city":"some city"}' } },
      { type: 'function', function: { name: 'get_weather' } },
    ]);
    const messages: Message[] = [
      question,
      choice?.message as Message,
      ...calls.map(({ id }, i): Message => ({ role: 'tool', tool_call_id: id, content: `${20 + i} °C` })),
    ];
    // The conversation goes on wherever it can.
    first.break({ kind: 'status', status: 503 });
    const answered = await client.chat.completions.create({ model: 'chat', messages, tools });
    expect(answered.model).toBe('second');
    expect(answered.choices[0]?.message.content).toContain('20 °C; 21 °C');
  });

  test('puts streamed tool calls together', async () => {
    const stream = client.chat.completions.stream({ model: 'chat', messages: [question], tools });
    const { choices } = await stream.finalChatCompletion();
    expect(choices[0]?.message.tool_calls).toMatchObject([
      { function: { name: 'get_weather', arguments: '{"city":"some city"}' } },
      { function: { name: 'get_weather', arguments: '{"city":"some city"}' } },
    ]);
  });

  test('gets an answer in the form of a schema, and reads it', async () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' }, degrees: { type: 'integer' } },
      required: ['city', 'degrees'],
      additionalProperties: false,
    };
    const parsed = await client.chat.completions.parse({
      model: 'chat',
      messages: hi,
      response_format: { type: 'json_schema', json_schema: { name: 'weather', schema, strict: true } },
    });
    expect(JSON.parse(parsed.choices[0]?.message.content ?? '')).toEqual({ city: 'some city', degrees: 1 });
    expect(first.requests.at(-1)?.body).toMatchObject({
      response_format: { json_schema: { name: 'weather', schema } },
    });
  });

  test('shows images', async () => {
    const url = `data:image/png;base64,${'A'.repeat(4_000)}`;
    const content: OpenAI.ChatCompletionContentPart[] = [
      { type: 'text', text: 'Look.' },
      { type: 'image_url', image_url: { url, detail: 'low' } },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
    ];
    const answer = await client.chat.completions.create({ model: 'chat', messages: [{ role: 'user', content }] });
    expect(answer.choices[0]?.message.content).toContain('2 images');
    expect(first.requests.at(-1)?.body).toMatchObject({ messages: [{ role: 'user', content }] });
  });

  test('lists the models', async () => {
    const models = await Array.fromAsync(client.models.list());
    expect(models.map(({ id, owned_by }) => [id, owned_by])).toEqual([
      ['chat', 'switchyard'],
      ['openai/first', 'openai'],
      ['openai/second', 'openai'],
    ]);
  });

  test('leaves a stream in its middle, and the vendor stops', async () => {
    first.break({ kind: 'slow', factor: 100 });
    for (const how of ['abort', 'break'] as const) {
      const before = first.calls;
      const stream = await client.chat.completions.create({ model: 'chat', messages: hi, stream: true });
      for await (const _ of stream) {
        expect(first.lastCalls.at(-1)?.outcome).toBe('open');
        if (how === 'break') break;
        stream.controller.abort();
      }
      await vi.waitFor(() => expect(first.lastCalls.at(-1)?.outcome).toBe('aborted'), { timeout: 5_000 });
      expect(first.calls).toBe(before + 1);
    }
  });

  test('leaves before the answer, and the vendor stops', async () => {
    first.break({ kind: 'hang-before-headers' });
    const caller = new AbortController();
    const before = first.calls;
    const answer = client.chat.completions.create({ model: 'chat', messages: hi }, { signal: caller.signal });
    const left = expect(answer).rejects.toThrow(APIUserAbortError);
    await vi.waitFor(() => expect(first.calls).toBe(before + 1), { timeout: 5_000 });
    caller.abort();
    await left;
    await vi.waitFor(() => expect(first.lastCalls.at(-1)?.outcome).toBe('aborted'), { timeout: 5_000 });
  });

  /** What a call was rejected with. */
  const thrown = async (call: PromiseLike<unknown>): Promise<APIError> => {
    const error = await Promise.resolve(call).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(error instanceof APIError)) throw new Error('expected an APIError', { cause: error });
    return error;
  };

  test('throws for the caller’s mistake what it throws at the vendor', async () => {
    const error = await thrown(client.chat.completions.create({ model: 'chat', messages: hi, temperature: 9 }));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' });
    expect(error.message).toContain("Invalid value for 'temperature'");
    // Found by us, before anybody was asked.
    const wrong = { model: 'chat', messages: 'hi' } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
    const ours = await thrown(client.chat.completions.create(wrong));
    expect(ours).toBeInstanceOf(BadRequestError);
    expect(ours.message).toContain('messages: expected an array');
    expect(await thrown(client.chat.completions.create({ model: 'nowhere', messages: hi }))).toBeInstanceOf(
      NotFoundError,
    );
  });

  test('throws when every target is down, and says when to come back', async () => {
    for (const vendor of [first, second]) vendor.break({ kind: 'status', status: 503 });
    for (const stream of [false, true]) {
      const error = await thrown(client.chat.completions.create({ model: 'chat', messages: hi, stream }));
      expect(error).toBeInstanceOf(InternalServerError);
      expect(error).toMatchObject({ status: 503, code: 'all_targets_failed' });
      expect(Number(error.headers?.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
  });

  test('throws in the middle of a stream that breaks off, after what had come', async () => {
    for (const kind of ['error-after-content', 'cut', 'no-end-marker'] as const) {
      first.break({ kind });
      const stream = await client.chat.completions.create({ model: 'chat', messages: hi, stream: true });
      let text = '';
      const read = async (): Promise<void> => {
        for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      };
      const error = await thrown(read());
      expect(error.code).toBe('answer_broke_off');
      expect(error.message).toContain('openai/first');
      expect(text).not.toBe('');
    }
  });
});
