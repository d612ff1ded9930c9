import { Cohere, CohereClientV2 } from 'cohere-ai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../simulator.ts';

let simulator: Simulator;
let client: CohereClientV2;

const connect = (token: string): CohereClientV2 =>
  new CohereClientV2({ token, baseUrl: simulator.vendors.cohere.url, maxRetries: 0 });

beforeAll(async () => {
  simulator = await startSimulator();
  client = connect('key');
});
beforeEach(() => simulator.vendors.cohere.heal());
afterAll(() => simulator.close());

const ask: Cohere.V2ChatRequest = { model: 'command', messages: [{ role: 'user', content: 'hello' }] };
const parameters = { type: 'object', properties: { city: { type: 'string' } } };
const tools: Cohere.ToolV2[] = [{ type: 'function', function: { name: 'get_weather', parameters } }];
const askWeather: Cohere.V2ChatRequest = { ...ask, tools, messages: [{ role: 'user', content: 'weather, twice' }] };

const collect = async (request: Cohere.V2ChatRequest): Promise<Cohere.V2ChatStreamResponse[]> => {
  const events = [];
  for await (const event of await client.chatStream(request)) events.push(event);
  return events;
};

describe("Cohere's SDK", () => {
  test('reads an answer and its usage', async () => {
    const answer = await client.chat(ask);
    expect(answer.message.content).toMatchObject([{ text: expect.stringContaining('cohere/command (simulated)') }]);
    expect(answer).toMatchObject({ finishReason: 'COMPLETE', usage: { tokens: { inputTokens: 3 } } });
  });

  test('reads the same answer from a stream', async () => {
    const whole = await client.chat(ask);
    const events = await collect(ask);
    const text = events
      .map((event) => (event.type === 'content-delta' ? event.delta?.message?.content?.text : ''))
      .join('');
    expect(whole.message.content).toMatchObject([{ text }]);
    expect(events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1])).toEqual([
      'message-start',
      'content-start',
      'content-delta',
      'content-end',
      'message-end',
    ]);
    expect(events.at(-1)).toMatchObject({ delta: { finishReason: 'COMPLETE', usage: whole.usage } });
  });

  test('reads parallel tool calls, whole and from a stream, and sends their results', async () => {
    const { message, finishReason } = await client.chat(askWeather);
    expect(finishReason).toBe('TOOL_CALL');
    expect(message).toMatchObject({ toolPlan: 'I will call get_weather and get_weather.' });
    const calls = message.toolCalls ?? [];
    expect(calls.map((call) => call.function)).toEqual(
      Array(2).fill({ name: 'get_weather', arguments: '{"city":"some city"}' }),
    );
    const deltas = (await collect(askWeather)).filter((event) => event.type === 'tool-call-delta');
    for (const index of [0, 1]) {
      const own = deltas.filter((event) => event.index === index);
      const args = own.map(({ delta }) => delta?.message?.toolCalls?.function?.arguments ?? '');
      expect(args.join('')).toBe('{"city":"some city"}');
    }
    const results = calls.map(({ id }) => ({ role: 'tool' as const, toolCallId: id, content: '21 degrees' }));
    const { content: _, ...asked } = message;
    const next = await client.chat({ ...askWeather, messages: [...askWeather.messages, asked, ...results] });
    expect(next.message.content).toMatchObject([{ text: expect.stringContaining('"21 degrees; 21 degrees"') }]);
  });

  test('reads what the model thought', async () => {
    const { message } = await client.chat({ ...ask, thinking: { type: 'enabled' } });
    expect(message.content?.map(({ type }) => type)).toEqual(['thinking', 'text']);
    const events = await collect({ ...ask, thinking: { type: 'enabled' } });
    expect(events.filter(({ type }) => type === 'content-start')).toHaveLength(2);
  });

  test('reads output to a schema, and why an answer is short', async () => {
    const typed = await client.chat({ ...ask, responseFormat: { type: 'json_object', jsonSchema: parameters } });
    expect(typed.message.content).toMatchObject([{ text: '{"city":"some city"}' }]);
    expect(await client.chat({ ...ask, maxTokens: 3 })).toMatchObject({ finishReason: 'MAX_TOKENS' });
    expect(await client.chat({ ...ask, stopSequences: ['heard'] })).toMatchObject({ finishReason: 'STOP_SEQUENCE' });
  });

  test('throws the errors it throws for the vendor', async () => {
    await expect(connect('bad-key').chat(ask)).rejects.toBeInstanceOf(Cohere.UnauthorizedError);
    await expect(client.chat({ ...ask, model: 'missing-model' })).rejects.toBeInstanceOf(Cohere.NotFoundError);
    simulator.vendors.cohere.break({ kind: 'status', status: 429 });
    await expect(client.chat(ask)).rejects.toBeInstanceOf(Cohere.TooManyRequestsError);
    simulator.vendors.cohere.break({ kind: 'context-length' });
    await expect(client.chat(ask)).rejects.toMatchObject({
      body: { message: expect.stringContaining('too many tokens') },
    });
    simulator.vendors.cohere.break({ kind: 'content-filter' });
    await expect(client.chat(ask)).rejects.toBeInstanceOf(Cohere.UnprocessableEntityError);
  });

  test('reads an error that comes inside a stream', async () => {
    simulator.vendors.cohere.break({ kind: 'error-after-content' });
    const end = (await collect(ask)).at(-1);
    expect(end).toMatchObject({ type: 'message-end', delta: { finishReason: 'ERROR', error: expect.any(String) } });
  });
});

describe('Cohere refuses', () => {
  const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };

  test.each<[string, object, string]>([
    ['no messages', { messages: undefined }, 'messages is required'],
    ['an unknown role', { messages: [{ role: 'developer', content: 'x' }] }, 'messages[0].role must be one of'],
    [
      'a tool message without an id',
      { messages: [{ role: 'tool', content: 'x' }] },
      'messages[0].tool_call_id is required',
    ],
    [
      'a tool message that answers nothing',
      {
        messages: [
          { role: 'assistant', tool_calls: [call] },
          { role: 'tool', tool_call_id: 'c2', content: 'x' },
        ],
      },
      "'c2' does not match any tool call",
    ],
    ['an assistant that says nothing', { messages: [{ role: 'assistant' }] }, 'must have either content or tool_calls'],
    ['a temperature below 0', { temperature: -1 }, 'temperature must be'],
    ['six stop sequences', { stop_sequences: [...'abcdef'] }, 'stop_sequences must be an array of at most 5'],
    ['a tool without parameters', { tools: [{ type: 'function', function: { name: 'f' } }] }, 'parameters is required'],
    ['a format together with tools', { tools, response_format: { type: 'json_object' } }, 'together with tools'],
    ['a tool choice of no known shape', { tools, tool_choice: 'auto' }, 'tool_choice must be one of'],
    ['a tool choice without tools', { tool_choice: 'REQUIRED' }, 'without tools'],
    ['both penalties', { frequency_penalty: 0.5, presence_penalty: 0.5 }, 'cannot be used together'],
  ])('%s', async (_what, fields, message) => {
    const response = await fetch(`${simulator.vendors.cohere.url}/v2/chat`, {
      method: 'POST',
      headers: { authorization: 'Bearer key' },
      body: JSON.stringify({ ...ask, ...fields }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ id: expect.any(String), message: expect.stringContaining(message) });
  });

  test.each<[number, string, RequestInit]>([
    [401, '/v2/chat', { method: 'POST', body: '{}' }],
    [404, '/v1/chat', { method: 'POST', body: '{}' }],
  ])('with status %i', async (status, path, init) => {
    const response = await fetch(simulator.vendors.cohere.url + path, init);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ message: expect.any(String) });
  });
});
