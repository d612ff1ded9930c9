import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Fault } from '../fault.ts';
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

const ask = { model: 'gpt-5', input: 'hello' };
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools: OpenAI.Responses.FunctionTool[] = [{ type: 'function', name: 'get_weather', parameters, strict: true }];
const askWeather = { model: 'gpt-5', input: 'weather, twice', tools };
const thinking = { reasoning: { effort: 'low', summary: 'auto' } } as const;

type Event = OpenAI.Responses.ResponseStreamEvent;

describe("OpenAI's SDK, through Responses", () => {
  test('reads an answer, its usage and its headers', async () => {
    const { data, response, request_id } = await client.responses
      .create({ ...ask, metadata: { a: 'b' } })
      .withResponse();
    expect(data.output_text).toContain('openai/gpt-5 (simulated) heard: "hello"');
    expect(data).toMatchObject({ object: 'response', status: 'completed', metadata: { a: 'b' } });
    const { input_tokens = 0, output_tokens = 0, total_tokens } = data.usage ?? {};
    expect(total_tokens).toBe(input_tokens + output_tokens);
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('9999');
  });

  test.each([
    ['a text', ask],
    ['thoughts and a text', { ...ask, ...thinking }],
    ['hidden thoughts and a text', { ...ask, reasoning: { effort: 'low' } }],
    ['calls', askWeather],
    ['thoughts and calls', { ...askWeather, ...thinking }],
    ['half a text', { ...ask, max_output_tokens: 16 }],
  ] as const)('reads the same answer from a stream: %s', async (_, params) => {
    const body = params as OpenAI.Responses.ResponseCreateParamsNonStreaming;
    const whole = await client.responses.create(body);
    const events: Event[] = [];
    for await (const event of await client.responses.create({ ...body, stream: true })) events.push(event);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
    expect(events.slice(0, 2).map(({ type }) => type)).toEqual(['response.created', 'response.in_progress']);
    const last = events.at(-1) as OpenAI.Responses.ResponseCompletedEvent;
    expect(last.type).toBe(`response.${whole.status}`);
    const kinds = ({ output }: Pick<OpenAI.Responses.Response, 'output'>) => output.map(({ type }) => type);
    expect(kinds(last.response)).toEqual(kinds(whole));
    expect(last.response.usage).toEqual(whole.usage);
    // What the SDK puts together from the pieces.
    const built = await client.responses.stream({ ...body, stream: true }).finalResponse();
    expect(built.output_text).toBe(whole.output_text);
    const args = (response: Pick<OpenAI.Responses.Response, 'output'>) =>
      response.output.map((item) => (item.type === 'function_call' ? item.arguments : ''));
    expect(args(built)).toEqual(args(whole));
    const done = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []));
    expect(done).toEqual(last.response.output);
  });

  test('sends tool results and thoughts, and reads what the model makes of them', async () => {
    const include: OpenAI.Responses.ResponseIncludable[] = ['reasoning.encrypted_content'];
    const { output } = await client.responses.create({ ...askWeather, ...thinking, include });
    expect(output.map(({ type }) => type)).toEqual(['reasoning', 'function_call', 'function_call']);
    const results = output.flatMap((item) =>
      item.type === 'function_call'
        ? [{ type: 'function_call_output' as const, call_id: item.call_id, output: '21 degrees' }]
        : [],
    );
    const input: OpenAI.Responses.ResponseInputItem[] = [
      { role: 'user', content: askWeather.input },
      ...(output as OpenAI.Responses.ResponseInputItem[]),
      ...results,
    ];
    expect((await client.responses.create({ ...askWeather, input })).output_text).toContain('"21 degrees; 21 degrees"');
  });

  test('reads output to a schema, and in JSON mode', async () => {
    const format = { type: 'json_schema', name: 'city', schema: parameters } as const;
    const typed = await client.responses.create({ ...ask, text: { format } });
    expect(JSON.parse(typed.output_text)).toEqual({ city: 'some city' });
    const asJson = { ...ask, input: 'as JSON', text: { format: { type: 'json_object' } } } as const;
    expect(JSON.parse((await client.responses.create(asJson)).output_text)).toEqual({ answer: expect.any(String) });
  });

  test('reads why an answer is short, and a refusal', async () => {
    const cut = await client.responses.create({ ...ask, max_output_tokens: 16 });
    expect(cut).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
    simulator.vendors.openai.break({ kind: 'content-filter' });
    const filtered = await client.responses.create(ask);
    expect(filtered).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'content_filter' },
      output: [],
    });
  });

  test('throws the errors it throws for the vendor', async () => {
    await expect(connect('bad-key').responses.create(ask)).rejects.toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    });
    simulator.vendors.openai.break({ kind: 'status', status: 429 });
    await expect(client.responses.create(ask)).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    simulator.vendors.openai.break({ kind: 'context-length' });
    await expect(client.responses.create(ask)).rejects.toMatchObject({
      code: 'context_length_exceeded',
      param: 'input',
    });
  });

  test.each<[Fault, string | undefined, boolean]>([
    [{ kind: 'error-before-content' }, 'response.failed', false],
    [{ kind: 'error-after-content' }, 'response.failed', true],
    [{ kind: 'no-end-marker' }, 'response.output_text.delta', true],
    [{ kind: 'empty' }, undefined, false],
  ])('meets a stream that goes wrong: %j', async (fault, last, hasContent) => {
    simulator.vendors.openai.break(fault);
    const response = await fetch(`${simulator.vendors.openai.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: 'Bearer key' },
      body: JSON.stringify({ ...ask, stream: true }),
    });
    const names = [...(await response.text()).matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
    expect(names.at(-1)).toBe(last);
    expect(names.includes('response.output_text.delta')).toBe(hasContent);
    if (last === 'response.failed') expect(names.at(-2)).toBe('error');
  });

  test('throws an error that comes inside a stream, and never reads an answer that has no end', async () => {
    simulator.vendors.openai.break({ kind: 'error-after-content' });
    const stream = await client.responses.create({ ...ask, stream: true });
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({ code: 'server_error' });
    simulator.vendors.openai.break({ kind: 'no-end-marker' });
    expect((await client.responses.create(ask)).status).toBe('in_progress');
  });
});

describe('OpenAI refuses, through Responses', () => {
  const call = { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' };
  const result = { type: 'function_call_output', call_id: 'c1', output: 'x' };

  test.each<[string, object, string, number?]>([
    ['no input', { input: undefined }, "Missing required parameter: 'input'."],
    ['an empty input', { input: [] }, "'input': expected an array of at least 1"],
    ['an unknown role', { input: [{ role: 'bot', content: 'x' }] }, "'input[0].role'"],
    ['an unknown item', { input: [{ type: 'x' }] }, "Invalid value: 'x'."],
    [
      'what the user says in words of the model',
      { input: [{ role: 'user', content: [{ type: 'output_text', text: 'x' }] }] },
      "'input[0].content[0].type'",
    ],
    ['a result nobody asked for', { input: [result] }, 'No tool call found for function call output with call_id c1.'],
    ['a call without its result', { input: [call] }, 'No tool output found for function call c1.'],
    [
      'the name of an item of another kind',
      { input: [{ ...call, id: 'msg_1' }, result] },
      "Expected an ID that begins with 'fc'.",
    ],
    [
      'a thought that is not stored',
      { input: [{ type: 'reasoning', id: 'rs_1', summary: [] }] },
      "Item with id 'rs_1' not found.",
      404,
    ],
    [
      'a thought of somebody else',
      { input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' }] },
      'could not be verified',
    ],
    [
      'an item that is not stored',
      { input: [{ type: 'item_reference', id: 'msg_1' }] },
      "Item with id 'msg_1' not found.",
      404,
    ],
    [
      'a response that is not stored',
      { previous_response_id: 'resp_1' },
      "Previous response with id 'resp_1' not found.",
    ],
    ['a limit that is too low', { max_output_tokens: 1 }, "'max_output_tokens'"],
    ['a tool without parameters', { tools: [{ type: 'function', name: 'f' }] }, "'tools[0].parameters'"],
    [
      'a tool in words of Chat Completions',
      { tools: [{ type: 'function', function: { name: 'f' } }] },
      "'tools[0].name'",
    ],
    ['a tool choice that is not offered', { tools, tool_choice: { type: 'function', name: 'x' } }, "'x' not found"],
    ['a tool choice without tools', { tool_choice: 'required' }, "must be specified with 'tools' parameter"],
    [
      'JSON mode unless the input says JSON',
      { instructions: 'JSON!', text: { format: { type: 'json_object' } } },
      "must contain the word 'json'",
    ],
    ['a schema without a name', { text: { format: { type: 'json_schema', schema: {} } } }, "'text.format.name'"],
    ['stream options without a stream', { stream_options: {} }, "only allowed when 'stream' is enabled"],
    ['a parameter of Chat Completions', { messages: [] }, "Unknown parameter: 'messages'."],
  ])('%s', async (_what, fields, message, status = 400) => {
    const response = await fetch(`${simulator.vendors.openai.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: 'Bearer key' },
      body: JSON.stringify({ ...ask, ...fields }),
    });
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: object };
    expect(error).toMatchObject({ type: 'invalid_request_error', message: expect.stringContaining(message) });
  });
});
