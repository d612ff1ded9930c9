import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import OpenAI from 'openai';
import { bedrock } from 'openai/providers/bedrock';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest, ChatSettings } from '../decide/request.ts';
import type { ChatEvent } from '../decide/response.ts';
import type { Call, Provider, Wire } from '../provider.ts';
import { WireLog } from '../run/wire.ts';
import { type OpenAITargetOptions, openai } from './openai.ts';

const said = (text: string): { readonly type: 'text'; readonly text: string } => ({ type: 'text', text });

const hi: ChatRequest = { messages: [{ role: 'user', content: [said('hi')] }] };

/** A request as the HTTP edge makes it of a body of Chat Completions. */
const passing = (
  body: Readonly<Record<string, unknown>>,
  extra: Readonly<Record<string, unknown>> = {},
): ChatRequest => ({
  ...hi,
  extra,
  source: { format: 'openai-chat', body },
});

const at = (url: string, params?: ChatSettings, options: OpenAITargetOptions = {}): Provider =>
  openai('m-1', { apiKey: 'key-1', baseURL: `${url}/v1`, ...options }).connect('m-1', params);

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
};

// ── a vendor that sends recorded bytes ───────────────────────────────────────────────────────────────────────────────

type Play = (response: ServerResponse, request: IncomingMessage) => void;

interface Player {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: unknown }[];
  /** The other side has closed a connection before the answer was complete. */
  leaves(): Promise<void>;
}

const players: Server[] = [];

const playing = async (play: Play): Promise<Player> => {
  const requests: Player['requests'] = [];
  const leaving = new EventEmitter();
  let left = false;
  const server = createServer(async (request, response) => {
    response.on('close', () => {
      if (response.writableFinished) return;
      left = true;
      leaving.emit('left');
    });
    const chunks = await collect(request);
    requests.push({
      path: request.url ?? '',
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    });
    play(response, request);
  });
  players.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const leaves = async (): Promise<void> => {
    if (!left) await once(leaving, 'left');
  };
  return { url: `http://127.0.0.1:${port}`, requests, leaves };
};

const answer =
  (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Play =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

const EVENTS = { 'content-type': 'text/event-stream' };

const frame = (body: unknown): string => `data: ${JSON.stringify(body)}\n\n`;

const DONE = 'data: [DONE]\n\n';

const streamed = (text: string): Play => answer(text, 200, EVENTS);

/** The beginning of a stream that then never goes on. */
const stalling =
  (text: string): Play =>
  (response) => {
    response.writeHead(200, EVENTS);
    response.write(text);
  };

const chunk = (delta: object, finishReason: string | null = null, index = 0): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'm-1-2026',
  choices: [{ index, delta, finish_reason: finishReason }],
});

const usage = {
  prompt_tokens: 12,
  completion_tokens: 8,
  total_tokens: 20,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 3 },
};

const completion = (message: object, finishReason: string | null = 'stop'): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: 'm-1-2026',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finishReason }],
  usage,
});

const whole = completion({ content: 'Hello' });

// ── one attempt, as the driver makes it ──────────────────────────────────────────────────────────────────────────────

const signal = (): AbortSignal => new AbortController().signal;

/** The failure of a call that has to fail. */
const failureOf = async (provider: Provider, start: (call: Call) => Promise<unknown>): Promise<Failure> => {
  const wire = new WireLog();
  try {
    await wire.follow(() => start({ signal: signal(), wire }));
  } catch (thrown) {
    return provider.explain(thrown, wire);
  }
  throw new Error('the call did not fail');
};

const failedSend = (provider: Provider, request = hi): Promise<Failure> =>
  failureOf(provider, (call) => provider.send(request, call));

const eventsOf = (provider: Provider, request = hi): Promise<ChatEvent[]> =>
  collect(provider.stream(request, { signal: signal() }));

/** What came before a stream failed, and the failure. */
const failedStream = async (provider: Provider, request = hi): Promise<{ events: string[]; failure: Failure }> => {
  const events: string[] = [];
  const failure = await failureOf(provider, async (call) => {
    for await (const event of provider.stream(request, call)) events.push(event.type);
  });
  return { events, failure };
};

const relayed = (events: readonly ChatEvent[]): string =>
  Buffer.concat(events.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]))).toString();

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterEach(() => {
  simulator.vendors.openai.heal();
  vi.unstubAllEnvs();
  for (const server of players.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

afterAll(() => simulator.close());

// ── the target ───────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a target', () => {
  test('keeps the options of the SDK and of the router apart', async () => {
    const player = await playing(answer(whole));
    const spec = openai('m-1', {
      apiKey: 'key-1',
      baseURL: player.url,
      organization: 'org-1',
      weight: 3,
      quotaGroup: 'g',
    });
    expect(spec).toMatchObject({ vendor: 'openai', model: 'm-1' });
    expect(spec.options).toEqual({ weight: 3, quotaGroup: 'g' });
    const provider = spec.connect('m-1', undefined);
    expect(provider.account).toEqual({ endpoint: player.url, credential: 'key-1' });
    await provider.send(hi, { signal: signal() });
    expect(player.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer key-1',
      'openai-organization': 'org-1',
    });
  });

  test('says of each request what the SDK says of it, though that puts it together only once', async () => {
    const player = await playing(answer(whole));
    const options = {
      apiKey: 'key-1',
      baseURL: `${player.url}/v1`,
      project: 'p-1',
      defaultHeaders: { 'x-team': 'a' },
      defaultQuery: { version: '7' },
    };
    const ours = openai('m-1', options).connect('m-1', undefined);
    const theirs = openai('m-1', { client: new OpenAI(options) }).connect('m-1', undefined);
    const about = (text: string): ChatRequest => ({ messages: [{ role: 'user', content: [{ type: 'text', text }] }] });
    for (const provider of [theirs, ours, ours]) {
      for (const text of ['first', 'ünd zweitens']) await provider.send(about(text), { signal: signal() });
      await collect(provider.stream(about('streamed'), { signal: signal() })).catch(() => {});
    }
    const [theirRequests, ...ourRequests] = [0, 3, 6].map((from) => player.requests.slice(from, from + 3));
    // What fetch adds, as for a browser.
    const {
      'sec-fetch-mode': _,
      'accept-language': __,
      'accept-encoding': ___,
      ...said
    } = {
      ...theirRequests?.[0]?.headers,
    };
    for (const requests of ourRequests) {
      expect(requests.map(({ path, body }) => ({ path, body }))).toEqual(
        theirRequests?.map(({ path, body }) => ({ path, body })),
      );
      for (const [i, { headers }] of requests.entries()) {
        expect(headers).toEqual({ ...said, 'content-length': theirRequests?.[i]?.headers['content-length'] });
      }
    }
  });

  test('logs as the SDK does, where it is told to', async () => {
    const player = await playing(answer(whole));
    const debug = vi.fn();
    const logger = { debug, info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const options = { apiKey: 'key-1', baseURL: player.url, logger, logLevel: 'debug' as const };
    const provider = openai('m-1', options).connect('m-1', undefined);
    expect(await provider.send(hi, { signal: signal() })).toMatchObject({ text: 'Hello' });
    expect(debug.mock.calls.map(([line]) => line)).toEqual([
      expect.stringContaining('sending request'),
      expect.stringContaining('response start'),
    ]);
  });

  test('lets another cloud sign each request', async () => {
    const player = await playing(answer(whole));
    const cloud = bedrock({ apiKey: 'cloud-key', baseURL: player.url });
    const provider = openai('m-1', { provider: cloud }).connect('m-1', undefined);
    expect(await provider.send(hi, { signal: signal() })).toMatchObject({ text: 'Hello' });
    expect(player.requests[0]?.headers.authorization).toBe('Bearer cloud-key');
  });

  test('asks a function for its key each time', async () => {
    const player = await playing(answer(whole));
    let asked = 0;
    const provider = openai('m-1', { apiKey: async () => `key-${++asked}`, baseURL: player.url }).connect(
      'm-1',
      undefined,
    );
    for (let i = 0; i < 2; i++) await provider.send(hi, { signal: signal() });
    expect(player.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer key-1', 'Bearer key-2']);
  });

  test('without a key says which variable to set', () => {
    vi.stubEnv('OPENAI_API_KEY', undefined);
    expect(() => openai('m-1').connect('m-1', undefined)).toThrow(/OPENAI_API_KEY/);
  });

  test('never retries, not even through a client that does', async () => {
    const player = await playing(answer({}, 503));
    const client = new OpenAI({ apiKey: 'k', baseURL: player.url, maxRetries: 3, timeout: 1 });
    const provider = openai('m-1', { client }).connect('m-1', undefined);
    expect(await failedSend(provider)).toMatchObject({ kind: 'overloaded' });
    expect((await failedStream(provider)).failure).toMatchObject({ kind: 'overloaded' });
    expect(player.requests).toHaveLength(2);
  });
});

// ── the request ──────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a body that passes through', () => {
  const body = {
    model: 'whatever',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi', cache: { new: true } }] }],
    temperature: 0,
    n: 2,
    logit_bias: { 50256: -100 },
    a_field_of_tomorrow: { deep: [1, null, { x: '€' }] },
  };

  test('reaches the wire untouched but for the model', async () => {
    const player = await playing(answer(whole));
    await at(player.url).send(passing(body), { signal: signal() });
    expect(player.requests[0]).toMatchObject({ path: '/v1/chat/completions', body: { model: 'm-1' } });
    expect(player.requests[0]?.body).toEqual({ ...body, model: 'm-1' });
  });

  test('is streamed untouched but for the model and the stream', async () => {
    const player = await playing(streamed(frame(chunk({ content: 'x' }, 'stop')) + DONE));
    await eventsOf(at(player.url), passing(body));
    expect(player.requests[0]?.body).toEqual({ ...body, model: 'm-1', stream: true });
  });

  test('asks for a plain answer where a plain answer is wanted', async () => {
    const player = await playing(answer(whole));
    const request = passing({ ...body, stream: true, stream_options: { include_usage: true } });
    await at(player.url).send(request, { signal: signal() });
    expect(player.requests[0]?.body).toEqual({ ...body, model: 'm-1' });
  });

  test('is left as it was', async () => {
    const player = await playing(answer(whole));
    const before = structuredClone(body);
    await at(player.url, { temperature: 1 }).send(passing(body), { signal: signal() });
    expect(body).toEqual(before);
  });

  test.each([
    ['max_tokens', {}, { max_tokens: 10 }],
    ['max_completion_tokens', {}, { max_completion_tokens: 10 }],
    ['max_tokens', { maxOutputTokens: 5 }, { max_tokens: 5 }],
    ['max_completion_tokens', { maxOutputTokens: 5 }, { max_tokens: 5 }],
  ])('has one name for the limit: %s with %j', async (name, params, expected) => {
    const player = await playing(answer(whole));
    await at(player.url, params).send(passing({ messages: [], [name]: 10 }), { signal: signal() });
    expect(player.requests[0]?.body).toEqual({ model: 'm-1', messages: [], ...expected });
  });

  test("carries the target's settings over its own", async () => {
    const player = await playing(answer(whole));
    const params: ChatSettings = {
      temperature: 0,
      reasoningEffort: 'low',
      output: { type: 'json' },
      toolChoice: 'none',
    };
    await at(player.url, params).send(passing({ ...body, temperature: 1 }), { signal: signal() });
    expect(player.requests[0]?.body).toEqual({
      ...body,
      model: 'm-1',
      temperature: 0,
      reasoning_effort: 'low',
      response_format: { type: 'json_object' },
      tool_choice: 'none',
    });
  });

  test('has no gaps', () => {
    const request = passing(body, { logit_bias: {}, n: 2 });
    expect(at('http://a.test').gaps(request)).toEqual([]);
  });
});

describe('a request that came as Responses', () => {
  const fromResponses = (
    extra: Readonly<Record<string, unknown>>,
    request: Partial<ChatRequest> = {},
  ): ChatRequest => ({
    ...hi,
    ...request,
    extra,
    source: { format: 'openai-responses', body: { input: 'hi' } },
  });
  const asked = async (request: ChatRequest, model: string, baseURL?: string): Promise<unknown> => {
    const player = await playing(answer(whole));
    const options = { apiKey: 'k', baseURL: baseURL ?? player.url, fetch: redirected(player.url) };
    await openai(model, options).connect(model, undefined).send(request, { signal: signal() });
    return player.requests[0]?.body;
  };
  const redirected =
    (url: string): typeof fetch =>
    (_, init) =>
      fetch(`${url}/v1/chat/completions`, init);
  const extra = {
    verbosity: 'low',
    user: 'u',
    service_tier: 'flex',
    prompt_cache_key: 'k',
    metadata: { a: 'b' },
    'reasoning.summary': 'auto',
  };
  const plain = { messages: [{ role: 'user', content: [said('hi')] }] };

  test('has the words that both share: at OpenAI itself all, elsewhere those that others know', async () => {
    const [own, other] = ['https://api.openai.com/v1', undefined];
    const { metadata, 'reasoning.summary': _, ...shared } = extra;
    expect(await asked(fromResponses(extra), 'gpt-5', own)).toEqual({ ...plain, model: 'gpt-5', ...shared });
    // Notes are taken only on what is stored.
    expect(await asked(fromResponses({ ...extra, store: true }), 'gpt-5', own)).toMatchObject({
      metadata,
      store: true,
    });
    expect(await asked(fromResponses(extra), 'm-1', other)).toEqual({
      ...plain,
      model: 'm-1',
      verbosity: 'low',
      user: 'u',
    });
    const gaps = (baseURL: string) =>
      openai('m-1', { apiKey: 'k', baseURL })
        .connect('m-1', undefined)
        .gaps(fromResponses({ ...extra, 'tool of type mcp': true }));
    const harmless = true;
    expect(gaps(own ?? '')).toEqual([
      { what: 'metadata', harmless },
      { what: 'reasoning.summary', harmless },
      { what: 'tool of type mcp' },
    ]);
    expect(gaps('http://a.test').map(({ what }) => what)).toEqual([
      ...['service_tier', 'prompt_cache_key', 'metadata', 'reasoning.summary', 'tool of type mcp'],
    ]);
  });

  test('thinks as much as it says, where the model can be told', async () => {
    for (const reasoningEffort of ['none', 'low', 'xhigh']) {
      const request = fromResponses({}, { reasoningEffort });
      expect(await asked(request, 'gpt-5')).toMatchObject({ reasoning_effort: reasoningEffort });
      expect(await asked(request, 'm-1')).not.toHaveProperty('reasoning_effort');
    }
    expect(at('http://a.test').gaps(fromResponses({}, { reasoningEffort: 'low' }))).toEqual([
      { what: 'reasoning.effort', harmless: true },
    ]);
  });
});

describe('a request that came as Messages', () => {
  const fromMessages = (extra: Readonly<Record<string, unknown>>, request: Partial<ChatRequest> = {}): ChatRequest => ({
    ...hi,
    ...request,
    extra,
    source: { format: 'anthropic-messages', body: { messages: [], max_tokens: 9 }, headers: { 'anthropic-beta': 'b' } },
  });

  test('is put into words of Chat Completions, without those that only Anthropic knows', async () => {
    const player = await playing(answer(whole));
    const request = fromMessages({ cache_control: {}, thinking: {}, n: 2 }, { maxOutputTokens: 9 });
    const response = await at(player.url, { temperature: 0 }).send(
      { ...request, temperature: 0 },
      { signal: signal() },
    );
    expect(response).not.toHaveProperty('source');
    expect(player.requests[0]?.body).toEqual({
      model: 'm-1',
      max_tokens: 9,
      temperature: 0,
      messages: [{ role: 'user', content: [said('hi')] }],
    });
    expect(player.requests[0]?.headers).not.toHaveProperty('anthropic-beta');
  });

  test('is streamed in neutral events, with its usage, however many choices somebody asked for', async () => {
    const player = await playing(streamed(frame(chunk({ content: 'x' }, 'stop')) + DONE));
    const events = await eventsOf(at(player.url), fromMessages({ n: 2 }));
    expect(player.requests[0]?.body).toMatchObject({ stream_options: { include_usage: true } });
    expect(events.map(({ type }) => type)).toEqual(['start', 'text', 'finish']);
    expect(relayed(events)).toBe('');
  });

  test.each<[string, Readonly<Record<string, unknown>>, object[]]>([
    ['hints for a cache', { cache_control: {} }, [{ what: 'cache_control', harmless: true }]],
    ['betas', { 'anthropic-beta': 'b' }, [{ what: 'anthropic-beta', harmless: true }]],
    ['thoughts of before', { 'thinking block': true }, [{ what: 'thinking block', harmless: true }]],
    ['a tool of Anthropic’s', { 'tool of type t': true }, [{ what: 'tool of type t' }]],
    ['where it is worked out', { inference_geo: 'eu' }, [{ what: 'inference_geo' }]],
    ['a field of tomorrow', { tomorrow: 1 }, [{ what: 'tomorrow' }]],
    ['a user', { metadata: { user_id: 'u' } }, []],
    ['a user with a long name', { metadata: { user_id: 'u'.repeat(65) } }, [{ what: 'metadata', harmless: true }]],
  ])('has the gaps that %s leave', (_, extra, gaps) => {
    expect(at('http://a.test').gaps(fromMessages(extra))).toEqual(gaps);
  });

  // biome-ignore format: reads as a table
  test.each<[string, Partial<ChatRequest>, ChatSettings | undefined, string | undefined, object[]]>([
    ['gpt-5-mini',         { reasoningEffort: 'high' },                            undefined,                   'high',    []],
    ['o4-mini',            { reasoningEffort: 'auto', maxReasoningTokens: 2_000 }, undefined,                   'low',     []],
    ['openai/gpt-oss-20b', { reasoningEffort: 'auto' },                            undefined,                   undefined, []],
    ['gpt-5-mini',         { reasoningEffort: 'none' },                            undefined,                   'low',     []],
    ['gpt-5-mini',         { reasoningEffort: 'none' },                            { reasoningEffort: 'none' }, 'none',    []],
    ['gpt-4o',             { reasoningEffort: 'high' },                            undefined,                   undefined, [{ what: 'thinking', harmless: true }]],
    ['gpt-4o',             { reasoningEffort: 'auto', maxReasoningTokens: 2_000 }, undefined,                   undefined, [{ what: 'thinking', harmless: true }]],
    ['gpt-4o',             { reasoningEffort: 'none' },                            undefined,                   undefined, []],
    ['gpt-4o',             {},                                                     undefined,                   undefined, []],
    ['llama-3.3-70b',      { reasoningEffort: 'low' },                             { reasoningEffort: 'low' },  'low',     []],
  ])('tells %s how much to think only where it is known to understand: %j', async (model, thinking, params, effort, gaps) => {
    const player = await playing(answer(whole));
    const provider = openai(model, { apiKey: 'k', baseURL: player.url }).connect(model, params);
    const request = fromMessages({}, thinking);
    await provider.send(request, { signal: signal() });
    const sent = player.requests[0]?.body as { reasoning_effort?: string } | undefined;
    expect(sent?.reasoning_effort).toBe(effort);
    expect(provider.gaps(request)).toEqual(gaps);
  });

  test('names its user, as OpenAI does at OpenAI', async () => {
    const sent: unknown[] = [];
    const fetch = async (_url: unknown, init?: { body?: unknown }): Promise<Response> => {
      sent.push(JSON.parse(String(init?.body)));
      return Response.json(whole);
    };
    for (const baseURL of ['https://api.openai.com/v1', 'http://localhost:11434/v1']) {
      const provider = openai('m-1', { apiKey: 'k', baseURL, fetch }).connect('m-1', undefined);
      await provider.send(fromMessages({ metadata: { user_id: 'u' } }), { signal: signal() });
    }
    expect(sent).toMatchObject([{ safety_identifier: 'u' }, { user: 'u' }]);
  });
});

describe('a neutral request', () => {
  const wireOf = async (request: Partial<ChatRequest>): Promise<unknown> => {
    const player = await playing(answer(whole));
    await at(player.url).send({ ...hi, ...request }, { signal: signal() });
    return player.requests[0]?.body;
  };

  test('says every setting in words of Chat Completions', async () => {
    const parameters = { type: 'object', properties: { q: { type: 'string' } } };
    const schema = { type: 'object' };
    expect(
      await wireOf({
        maxOutputTokens: 64,
        temperature: 0,
        topP: 0.5,
        stop: ['END'],
        seed: 0,
        frequencyPenalty: 0.25,
        presencePenalty: -0.25,
        tools: [{ name: 'find', description: 'Finds.', parameters, strict: true }, { name: 'now' }],
        toolChoice: { tool: 'find' },
        parallelToolCalls: false,
        output: { type: 'json-schema', name: 's', schema, strict: true },
        reasoningEffort: 'low',
        extra: { logit_bias: { 1: 2 }, user: 'u' },
      }),
    ).toEqual({
      model: 'm-1',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      max_tokens: 64,
      temperature: 0,
      top_p: 0.5,
      stop: ['END'],
      seed: 0,
      frequency_penalty: 0.25,
      presence_penalty: -0.25,
      tools: [
        { type: 'function', function: { name: 'find', description: 'Finds.', parameters, strict: true } },
        { type: 'function', function: { name: 'now' } },
      ],
      tool_choice: { type: 'function', function: { name: 'find' } },
      parallel_tool_calls: false,
      response_format: { type: 'json_schema', json_schema: { name: 's', schema, strict: true } },
      reasoning_effort: 'low',
      logit_bias: { 1: 2 },
      user: 'u',
    });
  });

  test('says nothing that was not asked', async () => {
    expect(await wireOf({})).toEqual({
      model: 'm-1',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    });
  });

  test('says every kind of message', async () => {
    const body = await wireOf({
      messages: [
        { role: 'system', content: [said('S')] },
        {
          role: 'user',
          content: [
            said('look'),
            { type: 'image', url: 'https://a.test/1.png', detail: 'low' },
            { type: 'image', url: 'data:image/png;base64,AAAA' },
            { type: 'audio', data: 'BBBB', format: 'wav' },
            { type: 'file', data: 'data:application/pdf;base64,CCCC', filename: 'a.pdf' },
            { type: 'file', fileId: 'file-1' },
          ],
        },
        {
          role: 'assistant',
          content: [],
          toolCalls: [{ id: 'c1', name: 'find', arguments: '{"q":', extra: { google: { thought_signature: 's' } } }],
        },
        { role: 'tool', toolCallId: 'c1', content: [said('found')] },
        { role: 'assistant', content: [said('there')] },
      ],
    });
    expect(body).toEqual({
      model: 'm-1',
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'S' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'look' },
            { type: 'image_url', image_url: { url: 'https://a.test/1.png', detail: 'low' } },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
            { type: 'input_audio', input_audio: { data: 'BBBB', format: 'wav' } },
            { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC', filename: 'a.pdf' } },
            { type: 'file', file: { file_id: 'file-1' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'find', arguments: '{"q":' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'found' }] },
        { role: 'assistant', content: [{ type: 'text', text: 'there' }] },
      ],
    });
  });

  test('shows what a tool showed behind its results, since tools return texts here', async () => {
    const image = { type: 'image', url: 'data:image/png;base64,AAAA' } as const;
    const body = (await wireOf({
      messages: [
        ...hi.messages,
        {
          role: 'assistant',
          content: [],
          toolCalls: ['c1', 'c2'].map((id) => ({ id, name: 'look', arguments: '{}' })),
        },
        { role: 'tool', toolCallId: 'c1', content: [image] },
        { role: 'tool', toolCallId: 'c2', content: [said('nothing there'), image], isError: true },
        { role: 'assistant', content: [said('there')] },
      ],
    })) as { messages: unknown[] };
    const shown = { type: 'image_url', image_url: { url: image.url } };
    expect(body.messages.slice(2)).toEqual([
      { role: 'tool', tool_call_id: 'c1', content: [said('(The result is shown in the next message.)')] },
      { role: 'tool', tool_call_id: 'c2', content: [said('nothing there')] },
      {
        role: 'user',
        content: [said('What the tool call c1 returned:'), shown, said('What the tool call c2 returned:'), shown],
      },
      { role: 'assistant', content: [said('there')] },
    ]);
  });

  test('gives a file the name without which OpenAI refuses it', async () => {
    const data = 'data:application/pdf;base64,CCCC';
    expect(await wireOf({ messages: [{ role: 'user', content: [{ type: 'file', data }] }] })).toMatchObject({
      messages: [{ content: [{ type: 'file', file: { file_data: data, filename: 'file' } }] }],
    });
  });

  test.each([
    ['auto', undefined, undefined],
    ['auto', 1_024, 'low'],
    [undefined, 2_048, 'low'],
    ['auto', 2_049, 'medium'],
    ['auto', 8_192, 'medium'],
    ['auto', 31_999, 'high'],
    ['low', 31_999, 'low'],
    ['none', 31_999, 'none'],
    ['xhigh', undefined, 'xhigh'],
  ])('thinks %s, at most %s tokens: %s', async (reasoningEffort, maxReasoningTokens, effort) => {
    const body = (await wireOf({
      ...(reasoningEffort !== undefined && { reasoningEffort }),
      ...(maxReasoningTokens !== undefined && { maxReasoningTokens }),
    })) as { reasoning_effort?: string };
    expect(body.reasoning_effort).toBe(effort);
  });

  test('asks a stream for its usage', async () => {
    const player = await playing(streamed(frame(chunk({ content: 'x' }, 'stop')) + DONE));
    await eventsOf(at(player.url));
    expect(player.requests[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  });

  test.each<[string, Partial<ChatRequest>]>([
    ['top_k', { topK: 5 }],
    ['file by URL', { messages: [{ role: 'user', content: [{ type: 'file', url: 'https://a.test/a.pdf' }] }] }],
    [
      'search_result part',
      { messages: [{ role: 'user', content: [{ type: 'unknown', name: 'search_result', value: {} }] }] },
    ],
    [
      'chart part',
      {
        messages: [
          { role: 'tool', toolCallId: 'c1', content: [{ type: 'unknown', name: 'chart', value: {} }] },
          ...hi.messages,
        ],
      },
    ],
  ])('a gap: %s', (what, request) => {
    expect(at('http://a.test').gaps({ ...hi, ...request })).toEqual([{ what }]);
  });

  test('a gap without harm: that a tool failed, which its words say', () => {
    const failed = { role: 'tool', toolCallId: 'c1', content: [said('no')], isError: true } as const;
    expect(at('http://a.test').gaps({ messages: [failed] })).toEqual([
      { what: 'is_error of a tool result', harmless: true },
    ]);
  });

  test('more than four stop sequences are a gap at OpenAI, and not at servers that resemble it', () => {
    const stop = ['1', '2', '3', '4', '5'];
    const gapsAt = (baseURL: string, count: number) =>
      openai('m-1', { apiKey: 'k', baseURL })
        .connect('m-1', undefined)
        .gaps({ ...hi, stop: stop.slice(0, count) });
    expect(gapsAt('https://api.openai.com/v1', 5)).toEqual([{ what: 'more than 4 stop sequences' }]);
    expect(gapsAt('https://api.openai.com/v1', 4)).toEqual([]);
    expect(gapsAt('http://localhost:11434/v1', 5)).toEqual([]);
  });

  test('names a limit as OpenAI does at OpenAI', () => {
    // The address decides, so that no request has to be sent to see it.
    const sent: unknown[] = [];
    const fetch = (_url: unknown, init?: { body?: unknown }): Promise<Response> => {
      sent.push(JSON.parse(String(init?.body)));
      return Promise.resolve(Response.json(whole));
    };
    const asking = [
      'https://api.openai.com/v1',
      'https://x.openai.azure.com/openai/v1',
      'http://localhost:11434/v1',
    ].map((baseURL) =>
      openai('m-1', { apiKey: 'k', baseURL, fetch })
        .connect('m-1', undefined)
        .send({ ...hi, maxOutputTokens: 9 }, { signal: signal() }),
    );
    return Promise.all(asking).then(() =>
      expect(sent).toMatchObject([{ max_completion_tokens: 9 }, { max_completion_tokens: 9 }, { max_tokens: 9 }]),
    );
  });

  test('has a gap only where a part is of no format it knows', () => {
    const provider = at('http://a.test');
    expect(provider.gaps({ ...hi, extra: { logit_bias: {} }, temperature: 3 })).toEqual([]);
    const content = [{ type: 'unknown', name: 'video_url', value: {} }] as const;
    expect(provider.gaps({ messages: [{ role: 'user', content }] })).toEqual([{ what: 'video_url part' }]);
  });
});

// ── the answer ───────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a whole answer', () => {
  const responseTo = async (body: unknown, request = hi): Promise<unknown> => {
    const player = await playing(answer(body));
    return at(player.url).send(request, { signal: signal() });
  };

  test('is read', async () => {
    expect(await responseTo(completion({ content: 'Hello', refusal: null, reasoning_content: 'Hmm' }))).toEqual({
      id: 'chatcmpl-1',
      model: 'm-1-2026',
      text: 'Hello',
      reasoning: 'Hmm',
      toolCalls: [],
      finishReason: 'stop',
      usage: { inputTokens: 12, outputTokens: 8, cachedInputTokens: 4, reasoningTokens: 3 },
    });
  });

  test('may be tool calls', async () => {
    const tool_calls = [{ id: 'c1', type: 'function', function: { name: 'find', arguments: '{"q":"x"}' } }];
    expect(await responseTo(completion({ content: null, tool_calls }, 'tool_calls'))).toMatchObject({
      text: '',
      toolCalls: [{ id: 'c1', name: 'find', arguments: '{"q":"x"}' }],
      finishReason: 'tool-calls',
    });
  });

  test('may be a refusal', async () => {
    expect(await responseTo(completion({ content: null, refusal: 'No.' }))).toMatchObject({ text: '', refusal: 'No.' });
  });

  test.each([
    ['length', 'length'],
    ['content_filter', 'content-filter'],
    ['function_call', 'tool-calls'],
    ['a_reason_of_tomorrow', 'stop'],
  ])('that ended with %s finished with %s', async (said, finishReason) => {
    expect(await responseTo(completion({ content: 'x' }, said))).toMatchObject({ finishReason });
  });

  test('passes through byte for byte', async () => {
    const body = `${JSON.stringify(whole, null, 2)}\n`;
    expect(await responseTo(body, passing({ messages: [] }))).toMatchObject({
      text: 'Hello',
      source: { format: 'openai-chat', body },
    });
  });

  test('of the simulator is read', async () => {
    const response = await at(simulator.vendors.openai.url).send(hi, { signal: signal() });
    expect(response).toMatchObject({ text: expect.stringMatching(/./), finishReason: 'stop' });
  });

  test.each([
    ['an empty object', {}],
    ['no choices', { choices: [] }],
    ['a choice without a message', { choices: [{ finish_reason: 'stop' }] }],
    ['no end', completion({ content: 'x' }, null)],
    ['a list', []],
    ['null', 'null'],
    ['HTML', '<html></html>'],
    ['nothing', ''],
    ['half of it', '{"choices":[{"mess'],
    ['an error without words', { error: {} }],
  ])('that is %s is broken', async (_, body) => {
    const player = await playing(answer(body));
    expect(await failedSend(at(player.url))).toMatchObject({
      kind: 'broken',
      message: expect.stringContaining('openai'),
    });
  });
});

describe('an error inside a 200', () => {
  test.each([
    [
      { type: 'server_error', message: 'oh' },
      { kind: 'server-error', code: 'server_error' },
    ],
    [{ code: 'server_is_overloaded', message: 'busy' }, { kind: 'overloaded' }],
    [{ code: 'rate_limit_exceeded', message: 'slow' }, { kind: 'rate-limited' }],
    [{ type: 'insufficient_quota', message: 'pay' }, { kind: 'quota-exhausted' }],
    [{ type: 'invalid_request_error', code: 'context_length_exceeded', message: 'long' }, { kind: 'too-long' }],
    [
      { code: 502, message: 'the vendor behind this proxy failed' },
      { kind: 'server-error', status: 502 },
    ],
    ['something', { kind: 'broken', vendorError: { message: 'something' } }],
  ])('%j', async (error, expected) => {
    const plain = await playing(answer({ error }));
    expect(await failedSend(at(plain.url))).toMatchObject(expected);
    const stream = await playing(streamed(frame(chunk({ content: 'x' })) + frame({ error })));
    const { events, failure } = await failedStream(at(stream.url));
    expect(failure).toMatchObject(expected);
    expect(events).toEqual(['start', 'text']);
  });
});

// ── the stream ───────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a stream', () => {
  const recorded = [
    ': hello\r\n\r\n',
    frame(chunk({ role: 'assistant', content: '' })),
    frame(chunk({ reasoning_content: 'Hmm' })),
    frame(chunk({ content: 'Grüße ' })),
    `event: message\r\ndata:${JSON.stringify(chunk({ content: '🌍' }))}\r\n\r\n`,
    frame(chunk({ tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'find', arguments: '' } }] })),
    frame(chunk({ tool_calls: [{ index: 0, function: { arguments: '{"q":' } }] })),
    frame(chunk({ tool_calls: [{ index: 0, function: { arguments: '"x"}' } }] })),
    frame(chunk({}, 'tool_calls')),
    frame({ id: 'chatcmpl-1', choices: [], usage }),
    DONE,
  ].join('');

  const inPieces =
    (size: number): Play =>
    async (response) => {
      response.writeHead(200, EVENTS);
      const bytes = Buffer.from(recorded);
      for (let i = 0; i < bytes.length; i += size) {
        response.write(bytes.subarray(i, i + size));
        // So that each piece is a chunk of its own.
        await new Promise(setImmediate);
      }
      response.end();
    };

  test('is read', async () => {
    const player = await playing(streamed(recorded));
    expect(await eventsOf(at(player.url))).toEqual([
      { type: 'start', id: 'chatcmpl-1', model: 'm-1-2026' },
      { type: 'reasoning', text: 'Hmm' },
      { type: 'text', text: 'Grüße ' },
      { type: 'text', text: '🌍' },
      { type: 'tool-call', index: 0, id: 'c1', name: 'find', arguments: '' },
      { type: 'tool-call', index: 0, arguments: '{"q":' },
      { type: 'tool-call', index: 0, arguments: '"x"}' },
      { type: 'finish', reason: 'tool-calls' },
      { type: 'usage', usage: { inputTokens: 12, outputTokens: 8, cachedInputTokens: 4, reasoningTokens: 3 } },
    ]);
  });

  test.each([1_000_000, 64, 7])('passes through byte for byte, in pieces of %i bytes', async (size) => {
    const player = await playing(inPieces(size));
    const events = await eventsOf(at(player.url), passing({ messages: [], stream: true }));
    expect(relayed(events)).toBe(recorded);
    expect(events.find(({ type }) => type === 'finish')).toMatchObject({ reason: 'tool-calls' });
    // Comments and markers prove a connection, not progress.
    expect(events[0]).toMatchObject({ type: 'other' });
    expect(events.at(-1)).toMatchObject({ type: 'other' });
  });

  test.each(['', 'data: [DO', 'data: {"usa'])('is whole without [DONE], ending in %j', async (left) => {
    const text = frame(chunk({ content: 'x' }, 'stop'));
    const player = await playing(streamed(text + left));
    expect(relayed(await eventsOf(at(player.url), passing({ messages: [] })))).toBe(text);
  });

  test('is over when each of its choices is', async () => {
    const [first, second] = [frame(chunk({ content: 'a' }, 'stop', 0)), frame(chunk({ content: 'b' }, 'length', 1))];
    const player = await playing((response, request) =>
      streamed(player.requests.length === 1 ? first + second + DONE : first + DONE)(response, request),
    );
    const request = passing({ messages: [], n: 2 }, { n: 2 });
    const events = await eventsOf(at(player.url), request);
    expect(events.filter(({ type }) => type === 'finish')).toHaveLength(1);
    expect((await failedStream(at(player.url), request)).failure).toMatchObject({ kind: 'broken' });
  });

  test('of the simulator says the same as its whole answer', async () => {
    const provider = at(simulator.vendors.openai.url);
    const { text } = await provider.send(hi, { signal: signal() });
    const events = await eventsOf(provider);
    expect(events.map((event) => (event.type === 'text' ? event.text : '')).join('')).toBe(text);
    expect(events.at(-1)).toMatchObject({ type: 'usage' });
  });

  test.each([
    ['without a finish reason', frame(chunk({ content: 'x' })), ['start', 'text']],
    ['with nothing but its marker', DONE, []],
    ['without an event', '', []],
    ['inside an event', `${frame(chunk({ content: 'x' }))}data: {"choi`, ['start', 'text']],
    ['with an event that is not JSON', `${frame(chunk({ content: 'x' }))}data: {"choi\n\n`, ['start', 'text']],
    ['with an event that is no object', 'data: 7\n\n', []],
    ['as a web page', '<html>\n\n</html>', []],
    ['as a body of JSON', '{"error":{"message":"no"}}', []],
  ])('that ends %s is broken', async (_, text, events) => {
    const player = await playing(streamed(text));
    expect(await failedStream(at(player.url))).toMatchObject({ events, failure: { kind: 'broken' } });
  });

  test('whose connection breaks is broken', async () => {
    const player = await playing((response, request) => {
      stalling(frame(chunk({ content: 'x' })))(response, request);
      setTimeout(() => response.destroy(), 20);
    });
    expect(await failedStream(at(player.url))).toMatchObject({
      events: ['start', 'text'],
      failure: { kind: 'broken' },
    });
  });
});

// ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────

describe('a failure', () => {
  test.each([
    [400, { type: 'invalid_request_error', code: null, message: 'bad', param: 'messages' }, 'rejected'],
    [400, { type: 'invalid_request_error', code: 'context_length_exceeded', message: 'long' }, 'too-long'],
    [400, { type: 'invalid_request_error', code: 'unsupported_parameter', message: 'no' }, 'unsupported'],
    [400, { code: 'content_filter', message: 'no' }, 'filtered'],
    [401, { code: 'invalid_api_key', message: 'who?' }, 'unauthorized'],
    [402, { message: 'pay' }, 'quota-exhausted'],
    [403, { message: 'no' }, 'unauthorized'],
    [404, { code: 'model_not_found', message: 'where?' }, 'not-found'],
    [408, { message: 'late' }, 'server-error'],
    [409, { message: 'conflict' }, 'server-error'],
    [413, { message: 'large' }, 'too-long'],
    [422, { message: 'no' }, 'rejected'],
    [429, { code: 'rate_limit_exceeded', message: 'slow down' }, 'rate-limited'],
    [429, { type: 'insufficient_quota', message: 'pay' }, 'quota-exhausted'],
    [500, { message: 'oh' }, 'server-error'],
    [502, { message: 'oh' }, 'server-error'],
    [503, { code: 'server_is_overloaded', message: 'busy' }, 'overloaded'],
    [529, { message: 'busy' }, 'overloaded'],
  ])('%i %j is %s', async (status, error, kind) => {
    const player = await playing(answer({ error }, status));
    const provider = at(player.url);
    const expected = { kind, status, vendorError: { message: error.message } };
    expect(await failedSend(provider)).toMatchObject(expected);
    expect((await failedStream(provider)).failure).toMatchObject(expected);
    expect(player.requests).toHaveLength(2);
  });

  test("keeps the vendor's words for the caller, and out of its own sentence", async () => {
    const error = { message: 'you said: secret', type: 't', param: 'messages', code: 'c' };
    const player = await playing(answer({ error }, 400));
    expect(await failedSend(at(player.url))).toEqual({
      kind: 'rejected',
      message: 'openai answered 400 (c)',
      status: 400,
      code: 'c',
      vendorError: error,
    });
  });

  test.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '250' }, 250],
    [{ 'x-ms-retry-after-ms': '250', 'retry-after': '1' }, 1_000],
    [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '12ms' }, 12],
    [{ 'x-ratelimit-remaining-requests': '5', 'x-ratelimit-reset-requests': '6m0s' }, undefined],
    [{}, undefined],
  ])('asks to be left alone with %j', async (headers, retryAfterMs) => {
    for (const status of [429, 503]) {
      const player = await playing(answer({ error: { message: 'no' } }, status, headers));
      expect((await failedSend(at(player.url))).retryAfterMs).toBe(retryAfterMs);
    }
  });

  test('asks to be left alone until a date', async () => {
    const until = new Date(Date.now() + 60_000).toUTCString();
    const player = await playing(answer({}, 429, { 'retry-after': until }));
    const { retryAfterMs = 0 } = await failedSend(at(player.url));
    // The date has whole seconds.
    expect(retryAfterMs).toBeGreaterThan(55_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  test.each([
    ['a web page', '<html></html>', 'text/html'],
    ['nothing', '', 'text/plain'],
    ['JSON that is none', '{"err', 'application/json'],
    ['JSON of another shape', '["no"]', 'application/json'],
  ])('with %s for a body keeps the status and the headers', async (_, body, type) => {
    const player = await playing(answer(body, 503, { 'content-type': type, 'retry-after': '7' }));
    expect(await failedSend(at(player.url))).toMatchObject({ kind: 'overloaded', status: 503, retryAfterMs: 7_000 });
  });

  test('to connect', async () => {
    const { url } = await playing(() => {});
    players.pop()?.close();
    expect(await failedSend(at(url))).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' });
    expect((await failedStream(at(url))).failure).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' });
  });

  test('to put the request into words has not left', async () => {
    const player = await playing(answer(whole));
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(await failedSend(at(player.url), passing(circular))).toMatchObject({ kind: 'unsupported' });
    expect(player.requests).toHaveLength(0);
  });

  test.each([undefined, null, 'text', 7, new Error('x'), new OpenAI.APIError(undefined, undefined, 'x', undefined)])(
    'of an unheard kind is explained: %s',
    (thrown) => {
      const wire: Wire = { state: 'idle', status: undefined, header: () => undefined, errorCode: undefined };
      expect(at('http://a.test').explain(thrown, wire)).toMatchObject({ kind: expect.any(String) });
    },
  );

  test.each([
    [{ kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 9_000 } }, 'rate-limited'],
    [{ kind: 'status', status: 429, retryAfter: { form: 'retry-after-ms', ms: 9_000 } }, 'rate-limited'],
    [{ kind: 'status', status: 429, retryAfter: { form: 'x-ms-retry-after-ms', ms: 9_000 } }, 'rate-limited'],
    [{ kind: 'status', status: 429, retryAfter: { form: 'reset-headers', ms: 9_000 } }, 'rate-limited'],
    [{ kind: 'status', status: 500 }, 'server-error'],
    [{ kind: 'context-length' }, 'too-long'],
    [{ kind: 'refuse' }, 'unreachable'],
    [{ kind: 'reset' }, 'unreachable'],
    [{ kind: 'no-end-marker' }, 'broken'],
    [{ kind: 'empty' }, 'broken'],
    [{ kind: 'html' }, 'broken'],
    [{ kind: 'truncated-json' }, 'broken'],
    [{ kind: 'malformed-chunk' }, 'broken'],
    [{ kind: 'cut' }, 'broken'],
    [{ kind: 'cut', insideEvent: true }, 'broken'],
    [{ kind: 'error-before-content' }, 'server-error'],
    [{ kind: 'error-after-content' }, 'server-error'],
  ] as const)('that the simulator plays with %j is %s', async (fault, kind) => {
    const provider = at(simulator.vendors.openai.url);
    simulator.vendors.openai.break(fault);
    const failures = [await failedSend(provider), (await failedStream(provider)).failure];
    for (const failure of failures) {
      expect(failure).toMatchObject({ kind, ...('retryAfter' in fault && { retryAfterMs: 9_000 }) });
    }
  });
});

// ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('leaving', () => {
  test('a signal that is aborted already sends nothing', async () => {
    const player = await playing(answer(whole));
    const provider = at(player.url);
    await expect(provider.send(hi, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(collect(provider.stream(hi, { signal: AbortSignal.abort() }))).rejects.toThrow();
    expect(player.requests).toHaveLength(0);
  });

  test('an abort before the answer, or inside it, closes the connection', async () => {
    for (const play of [() => {}, stalling('{"choices":')]) {
      const player = await playing(play);
      const controller = new AbortController();
      const sending = at(player.url).send(hi, { signal: controller.signal });
      setTimeout(() => controller.abort(), 30);
      await expect(sending).rejects.toThrow();
      await player.leaves();
    }
  });

  test.each([
    ['neutral', hi],
    ['passing through', passing({ messages: [] })],
  ])('an abort of a stream that stalls is no normal end, and closes the connection: %s', async (_, request) => {
    const player = await playing(stalling(frame(chunk({ content: 'x' }))));
    const controller = new AbortController();
    const events: string[] = [];
    const reading = (async () => {
      for await (const event of at(player.url).stream(request, { signal: controller.signal })) {
        events.push(event.type);
        if (event.type === 'text') setTimeout(() => controller.abort(), 10);
      }
    })();
    const abortedAt = performance.now();
    await expect(reading).rejects.toThrow();
    await player.leaves();
    expect(performance.now() - abortedAt).toBeLessThan(1_000);
    expect(events).toContain('text');
  });

  test('an abort after the finish reason is an abort all the same', async () => {
    const player = await playing(stalling(frame(chunk({ content: 'x' }, 'stop'))));
    const controller = new AbortController();
    const reading = (async () => {
      for await (const event of at(player.url).stream(hi, { signal: controller.signal })) {
        if (event.type === 'finish') setTimeout(() => controller.abort(), 10);
      }
    })();
    await expect(reading).rejects.toThrow();
  });

  test('a consumer that leaves early closes the connection', async () => {
    const player = await playing(stalling(frame(chunk({ content: 'x' }))));
    for await (const event of at(player.url).stream(hi, { signal: signal() })) {
      if (event.type === 'text') break;
    }
    await player.leaves();
  });
});
