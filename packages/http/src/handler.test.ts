import { getEventListeners } from 'node:events';
import {
  type CallOptions,
  type ChatAnswer,
  type ChatEvent,
  type ChatRequest,
  type ChatStream,
  type EmbeddingAnswer,
  type EmbeddingRequest,
  type ExperimentReadout,
  type Explanation,
  type FeedbackReceipt,
  type Router,
  RouterError,
  type RouterState,
  type RouteSnapshot,
  type Served,
  type TargetSnapshot,
  type TokenCount,
} from '@switchyard/core';
import { describe, expect, test, vi } from 'vitest';
import { createHandler, type HandlerOptions } from './handler.ts';

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'chat',
  strategy: 'priority',
  target: { id: 'acme/m', vendor: 'acme', model: 'm' },
  attempts: [{ target: 'acme/m', role: 'first', outcome: 'answered', tookMs: 5 }],
  skipped: [],
  tookMs: 6,
};

const ANSWER: ChatAnswer = { id: 'a', model: 'm', text: 'Hello', toolCalls: [], finishReason: 'stop', served: SERVED };

const PACE = { lateAfterMs: 8_000, givenUpAfterMs: 30_000 };

const READY: TargetSnapshot = {
  id: 'acme/m',
  vendor: 'acme',
  model: 'm',
  enabled: true,
  weight: 1,
  standing: 'ready',
  strikes: 0,
  inFlight: 0,
  pace: { stream: PACE, plain: PACE },
  spending: { usd: 0, reservedUsd: 0 },
};

const route = (name: string, ...targets: TargetSnapshot[]): RouteSnapshot => ({
  name,
  strategy: 'priority',
  budget: { hedges: 10, lastResorts: 15 },
  spending: { usd: 0, reservedUsd: 0 },
  targets,
});

/** A router that does what a test says, and remembers what it was asked. */
class FakeRouter implements Router {
  readonly asked: { route: string; request: ChatRequest; options: CallOptions }[] = [];
  answer: () => Promise<ChatAnswer> = async () => ANSWER;
  events: () => AsyncIterable<ChatEvent> = async function* () {
    yield* HELLO;
  };
  routes: readonly RouteSnapshot[] = [route('chat', READY)];
  counts = true;

  async chat(name: string, request: ChatRequest, options: CallOptions = {}): Promise<ChatAnswer> {
    this.asked.push({ route: name, request, options });
    return this.answer();
  }

  readonly embedded: { route: string; request: EmbeddingRequest; options: CallOptions }[] = [];

  async embed(name: string, request: EmbeddingRequest, options: CallOptions = {}): Promise<EmbeddingAnswer> {
    this.embedded.push({ route: name, request, options });
    return { model: 'm', vectors: request.inputs.map(() => [0.5, -0.25]), usage: { inputTokens: 2 }, served: SERVED };
  }

  stream(name: string, request: ChatRequest, options: CallOptions = {}): ChatStream {
    this.asked.push({ route: name, request, options });
    const events = this.events();
    return {
      opened: Promise.resolve(SERVED),
      requestId: SERVED.requestId,
      keepAliveMs: undefined,
      [Symbol.asyncIterator]: () => events[Symbol.asyncIterator](),
    };
  }

  async countTokens(name: string, request: ChatRequest): Promise<TokenCount> {
    this.asked.push({ route: name, request, options: {} });
    return { inputTokens: 12, countedBy: this.counts ? SERVED.target : undefined };
  }

  readonly scores: { id: string; score: number; route: string | undefined }[] = [];

  feedback(id: string, score: number, { route }: { readonly route?: string | undefined } = {}): FeedbackReceipt {
    if (id === 'sw-2') throw new RouterError('unknown-answer', 'No answer with this id is remembered.');
    this.scores.push({ id, score, route });
    return { requestId: id, route: 'chat', target: 'acme/m', score, replaced: false };
  }

  saveState(): RouterState {
    return { version: 1, routes: {} };
  }

  snapshot(): readonly RouteSnapshot[] {
    return this.routes;
  }

  explain(
    name: string,
    request: ChatRequest | EmbeddingRequest,
    { stream = false }: { readonly stream?: boolean } = {},
  ): Explanation {
    if (name !== 'chat') throw new RouterError('unknown-route', `There is no route '${name}'.`);
    const { length } = 'inputs' in request ? request.inputs : request.messages;
    const ranked = { target: length === 1 ? 'acme/m' : '?', role: 'first' } as const;
    const lateAfterMs = stream ? 8_000 : 20_000;
    return {
      route: name,
      strategy: 'priority',
      estimatedTokens: 5,
      ranking: [{ ...ranked, lateAfterMs, givenUpAfterMs: 30_000 }],
      skipped: [],
    };
  }

  experiment(name: string): ExperimentReadout {
    if (name !== 'chat') throw new RouterError('unknown-route', `Route '${name}' has no experiment.`);
    return READOUT;
  }
}

const READOUT: ExperimentReadout = {
  route: 'chat',
  metric: 'latency',
  alpha: 0.05,
  control: 'acme/m',
  split: { p: 1, isTrusted: true },
  arms: [],
  comparisons: [],
  says: 'Not enough to tell yet.',
};

const HELLO: readonly ChatEvent[] = [
  { type: 'start', id: 'a', model: 'm' },
  { type: 'text', text: 'Hello' },
  { type: 'finish', reason: 'stop' },
];

const ORIGIN = 'http://localhost';

const post = (path: string, body: object = {}, init: RequestInit = {}): Request =>
  new Request(ORIGIN + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], ...body }),
    ...init,
  });

const CHAT = '/llm/chat/v1/chat/completions';
const EMBEDDINGS = '/llm/chat/v1/embeddings';
const MESSAGES = '/llm/chat/v1/messages';

const ask = async (router: Router, request: Request, options?: HandlerOptions): Promise<Response> => {
  const response = await createHandler(router, options)(request);
  if (response === undefined) throw new Error('expected an answer');
  return response;
};

describe('paths', () => {
  test('of the router, and no others, are served', () => {
    const { serves } = createHandler(new FakeRouter());
    const ours = [
      CHAT,
      '/llm/v1/chat/completions',
      MESSAGES,
      '/llm/v1/messages',
      '/llm/v1/messages/count_tokens',
      '/llm/chat/v1/messages/count_tokens',
      '/llm/v1/models',
      '/llm/chat/v1/models',
      EMBEDDINGS,
      '/llm/v1/embeddings',
      '/llm/v1/models/chat',
      '/llm/chat/v1/models/acme/m',
      '/llm/chat/v1/models/acme%2Fm',
      '/llm/routes',
      '/llm/health',
    ];
    for (const path of ours) {
      for (const url of [path, `${path}?a=/b`, `${ORIGIN}${path}`, `http://[::1]:80${path}?x`]) {
        expect([url, serves(url)]).toEqual([url, true]);
      }
    }
    const others = [
      ...['', '*', '/', '/llm', '/llm/', '/llmv1/models', '/llmhealth', '/health', '/LLM/health', '/llm/health/'],
      ...['/llm/chat', '/llm/chat/', '/llm/a/b/v1/models', '/llm//v1/models', '/llm/../v1/models', '/llm/./v1/models'],
      ...['/llm/v1/chat/completions/', '/x/llm/health', '/?/llm/health', '/x?u=http://a/llm/health', '//llm/health'],
      ...['/llm/v1/embeddings/', '/llm/embeddings', '/llm/chat/embeddings'],
      ...[
        '/llm/v1/messages/',
        '/llm/v1/messages/batches',
        '/llm/v1/models/',
        '/llm/v1/models/%',
        '/llm/chat/count_tokens',
        '/llm/v1/',
        '/llm/v1',
        '/llm/chat/v1/constructor',
      ],
    ];
    for (const url of [...others, ...others.map((path) => ORIGIN + path)]) {
      expect([url, serves(url)]).toEqual([url, false]);
    }
  });

  test('begin with basePath, however it is written, or with what the caller of the handler says', () => {
    for (const basePath of ['/api/ai', '/api/ai/', 'api/ai', '//api/ai//']) {
      const { serves } = createHandler(new FakeRouter(), { basePath });
      expect([serves('/api/ai/health'), serves('/llm/health'), serves('/health')]).toEqual([true, false, false]);
      expect([serves('/v2/health', '/v2'), serves('/health', ''), serves('/health', '/')]).toEqual([true, true, true]);
    }
    for (const basePath of ['', '/'])
      expect(createHandler(new FakeRouter(), { basePath }).serves('/health')).toBe(true);
  });

  test('that are not served get no answer, and their request is not touched', async () => {
    const request = post('/llm/mine');
    expect(await createHandler(new FakeRouter())(request)).toBeUndefined();
    expect(request.bodyUsed).toBe(false);
  });
});

describe('what it shows', () => {
  test('every model once, with who owns it', async () => {
    const router = new FakeRouter();
    router.routes = [route('chat', READY), route('cheap', READY, { ...READY, id: 'b/n', vendor: 'b' })];
    const { data } = (await (await ask(router, new Request(`${ORIGIN}/llm/v1/models`))).json()) as { data: object[] };
    expect(data).toEqual([
      { id: 'chat', object: 'model', created: expect.any(Number), owned_by: 'switchyard' },
      { id: 'cheap', object: 'model', created: expect.any(Number), owned_by: 'switchyard' },
      { id: 'acme/m', object: 'model', created: expect.any(Number), owned_by: 'acme' },
      { id: 'b/n', object: 'model', created: expect.any(Number), owned_by: 'b' },
    ]);
    const one = (await (await ask(router, new Request(`${ORIGIN}/llm/chat/v1/models`))).json()) as { data: object[] };
    expect(one.data).toMatchObject([{ id: 'chat' }, { id: 'acme/m' }]);
  });

  test('one model by its id, escaped or not, and a 404 for any other', async () => {
    const router = new FakeRouter();
    const get = async (path: string, headers = {}): Promise<[number, unknown]> => {
      const response = await ask(router, new Request(`${ORIGIN}/llm${path}`, { headers }));
      return [response.status, await response.json()];
    };
    for (const path of ['/v1/models/acme%2Fm', '/chat/v1/models/acme/m']) {
      expect(await get(path)).toEqual([
        200,
        { id: 'acme/m', object: 'model', created: expect.any(Number), owned_by: 'acme' },
      ]);
    }
    const anthropics = { 'anthropic-version': '2023-06-01' };
    expect(await get('/v1/models/chat', anthropics)).toMatchObject([200, { type: 'model', id: 'chat' }]);
    expect(await get('/v1/models/x')).toMatchObject([404, { error: { message: "There is no model 'x'." } }]);
    expect(await get('/v1/models/x', anthropics)).toMatchObject([404, { error: { type: 'not_found_error' } }]);
    expect((await get('/nowhere/v1/models/chat'))[0]).toBe(404);
  });

  test('models in pages to clients of Anthropic', async () => {
    const router = new FakeRouter();
    router.routes = [route('chat', READY, { ...READY, id: 'b/n' }, { ...READY, id: 'c/o' })];
    const page = async (query: string): Promise<readonly unknown[]> => {
      const request = new Request(`${ORIGIN}/llm/v1/models${query}`, {
        headers: { 'anthropic-version': '2023-06-01' },
      });
      const { data, has_more, first_id, last_id } = (await (await ask(router, request)).json()) as {
        data: { id: string }[];
        has_more: boolean;
        first_id: string;
        last_id: string;
      };
      return [data.map(({ id }) => id), has_more, first_id, last_id];
    };
    const all = ['chat', 'acme/m', 'b/n', 'c/o'];
    expect(await page('')).toEqual([all, false, 'chat', 'c/o']);
    expect(await page('?limit=2')).toEqual([['chat', 'acme/m'], true, 'chat', 'acme/m']);
    expect(await page('?limit=2&after_id=acme/m')).toEqual([['b/n', 'c/o'], false, 'b/n', 'c/o']);
    expect(await page('?limit=2&before_id=c/o')).toEqual([['acme/m', 'b/n'], true, 'acme/m', 'b/n']);
    expect(await page('?before_id=chat')).toEqual([[], false, null, null]);
    for (const query of ['?limit=0', '?limit=x', '?after_id=nobody']) {
      const request = new Request(`${ORIGIN}/llm/v1/models${query}`, {
        headers: { 'anthropic-version': '2023-06-01' },
      });
      expect((await ask(router, request)).status).toBe(400);
    }
  });

  // biome-ignore format: reads as a table
  const TABLE = [
    ['ready',                         {},                                             200],
    ['suspect, which comes last',     { standing: 'suspect', dueInMs: 900 },        200],
    ['ramping',                       { standing: 'ramping' },                      200],
    ['cooling, but due for a probe',  { standing: 'cooling', dueInMs: 0 },            200],
    ['cooling',                       { standing: 'cooling', dueInMs: 900 },        503],
    ['probing',                       { standing: 'probing', dueInMs: 900 },        503],
    ['switched off',                  { enabled: false },                           503],
  ] as const;

  test.each(TABLE)('the health of a route whose one target is %s', async (_what, fields, status) => {
    const router = new FakeRouter();
    router.routes = [route('good', READY), route('chat', { ...READY, ...fields }, { ...READY, enabled: false })];
    const response = await ask(router, new Request(`${ORIGIN}/llm/health`));
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual(
      status === 200 ? { status: 'ok' } : { status: 'unavailable', routes: ['chat'] },
    );
  });

  test('HEAD has the status and no body', async () => {
    const router = new FakeRouter();
    router.routes = [route('chat', { ...READY, enabled: false })];
    const response = await ask(router, new Request(`${ORIGIN}/llm/health`, { method: 'HEAD' }));
    expect([response.status, response.body]).toEqual([503, null]);
    const chat = await ask(router, new Request(ORIGIN + CHAT, { method: 'HEAD' }));
    expect([chat.status, chat.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('an answer', () => {
  test('is asked of the route in the path, else of the one that model names', async () => {
    const router = new FakeRouter();
    await ask(router, post(CHAT, { model: 'other' }));
    await ask(router, post('/llm/v1/chat/completions', { model: 'other' }));
    expect(router.asked.map(({ route }) => route)).toEqual(['chat', 'other']);
    expect(router.asked[0]?.request).toMatchObject({ source: { format: 'openai-chat' } });
  });

  test('in a stream comes with headers that keep others from holding it back', async () => {
    const response = await ask(new FakeRouter(), post(CHAT, { stream: true }));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-switchyard-target': 'acme/m',
    });
    expect((await response.text()).split('\n\n').map((frame) => frame.slice(0, 12))).toEqual([
      'data: {"id":',
      'data: {"id":',
      'data: {"id":',
      'data: [DONE]',
      '',
    ]);
  });

  test('in a stream is asked for event by event, when the caller asks for it', async () => {
    const router = new FakeRouter();
    let made = 0;
    router.events = async function* () {
      for (; ; made++) yield { type: 'text', text: 'x' };
    };
    const response = await ask(router, post(CHAT, { stream: true }));
    expect(made).toBe(0);
    const reader = response.body?.getReader();
    for (let i = 0; i < 5; i++) await reader?.read();
    expect(made).toBeLessThanOrEqual(5);
    await reader?.cancel();
  });

  test('in a stream that fails ends in one error event', async () => {
    for (const [error, code] of [
      [new RouterError('answer-broke-off', 'cut'), 'answer_broke_off'],
      [new TypeError('secret'), 'internal'],
    ] as const) {
      const router = new FakeRouter();
      router.events = async function* () {
        yield { type: 'text', text: 'Hel' };
        throw error;
      };
      const text = await (await ask(router, post(CHAT, { stream: true }))).text();
      const [first, last, end, ...rest] = text.split('\n\n');
      expect([first?.includes('Hel'), end, rest]).toEqual([true, '', []]);
      expect(JSON.parse(last?.slice(6) ?? '')).toMatchObject({ error: { code } });
      expect(text).not.toContain('secret');
    }
  });
});

describe('a caller who wants embeddings', () => {
  test('is answered by the route in the path, else by the one that model names, with who served it', async () => {
    const router = new FakeRouter();
    const body = { model: 'other', input: ['a', 'b'], dimensions: 2, user: 'u-1' };
    const response = await ask(router, post(EMBEDDINGS, body));
    expect(response.headers.get('x-switchyard-target')).toBe('acme/m');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      object: 'list',
      data: [0, 1].map((index) => ({ object: 'embedding', index, embedding: [0.5, -0.25] })),
      model: 'm',
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
    await ask(router, post('/llm/v1/embeddings', body));
    expect(router.embedded.map(({ route }) => route)).toEqual(['chat', 'other']);
    expect(router.embedded[0]?.request).toMatchObject({ inputs: ['a', 'b'], dimensions: 2, extra: { user: 'u-1' } });
    expect(router.asked).toEqual([]);
  });

  test('takes its work with it when it leaves', async () => {
    const router = new FakeRouter();
    const caller = new AbortController();
    await ask(router, post(EMBEDDINGS, { input: 'a' }, { signal: caller.signal }));
    const { signal } = router.embedded[0]?.options ?? {};
    expect(signal?.aborted).toBe(false);
    caller.abort();
    expect(signal?.aborted).toBe(true);
  });

  test.each([
    [{}, 'input: expected a text, tokens, or an array of either with at least one, and got nothing'],
    [{ input: [] }, 'input: expected a text, tokens, or an array'],
    [{ input: { text: 'a' } }, 'input: expected a text, tokens, or an array'],
    [{ input: ['a', 1] }, 'input[1]: expected a text, and got number'],
    [{ input: [[1], 'a'] }, 'input[1]: expected an array, and got string'],
    [{ input: [[1], [2, -1]] }, 'input[1][1]: expected a token, a whole number, and got number'],
    [{ input: [1, 2.5] }, 'input[1]: expected a token'],
    [{ input: [[]] }, 'input[0]: expected at least one token'],
    [{ input: Array(2_049).fill('a') }, 'input: expected at most 2048, and got 2049'],
    [{ input: 'a', dimensions: 0 }, 'dimensions: expected a whole number above 0'],
    [{ input: 'a', dimensions: '256' }, 'dimensions: expected a number'],
    [{ input: 'a', encoding_format: 'hex' }, "encoding_format: expected 'float' or 'base64', and got string"],
    [{ input: 'a', user: 1 }, 'user: expected a text'],
  ])('is told which field of %j is wrong, and nobody is asked', async (body, message) => {
    const router = new FakeRouter();
    const response = await ask(router, post(EMBEDDINGS, body));
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string; type: string; code: string } };
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_request' });
    expect(error.message).toContain(message);
    expect(router.embedded).toEqual([]);
  });

  test('names no route in the path, and none in the body', async () => {
    const response = await ask(new FakeRouter(), post('/llm/v1/embeddings', { input: 'a' }));
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('model: expected the name'),
    ]);
  });

  test('meets the same guard, limits and methods as a chat', async () => {
    const router = new FakeRouter();
    const guarded = await ask(router, post(EMBEDDINGS, { input: 'a' }), { authorize: () => false });
    expect(guarded.status).toBe(401);
    const long = post(EMBEDDINGS, { input: 'a'.repeat(100) });
    expect((await ask(router, long, { bodyLimit: 50 })).status).toBe(413);
    const text = post(EMBEDDINGS, { input: 'a' }, { headers: { 'content-type': 'text/plain' } });
    expect((await ask(router, text)).status).toBe(415);
    const got = await ask(router, new Request(ORIGIN + EMBEDDINGS));
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect(router.embedded).toEqual([]);
  });

  test('may ask how a route would go about it', async () => {
    const request = post('/llm/chat/explain', { input: 'a', messages: undefined });
    const response = await ask(new FakeRouter(), request, { authorize: () => true });
    expect(await response.json()).toMatchObject({ ranking: [{ target: 'acme/m' }] });
  });
});

describe('a caller who speaks Messages', () => {
  const asking = { max_tokens: 64 };

  test('is answered in Messages, with the id of the request where clients look for it', async () => {
    const router = new FakeRouter();
    const response = await ask(router, post(MESSAGES, { ...asking, model: 'other' }));
    expect(response.headers.get('request-id')).toBe('sw-1');
    expect(await response.json()).toMatchObject({ type: 'message', content: [{ type: 'text', text: 'Hello' }] });
    await ask(router, post('/llm/v1/messages', { ...asking, model: 'other' }));
    expect(router.asked.map(({ route }) => route)).toEqual(['chat', 'other']);
    expect(router.asked[0]?.request).toMatchObject({ source: { format: 'anthropic-messages' } });
    expect((await ask(router, post(CHAT))).headers.get('request-id')).toBeNull();
  });

  test('brings the headers of the format to the target', async () => {
    const router = new FakeRouter();
    const headers = { 'content-type': 'application/json', 'anthropic-beta': 'b', authorization: 'secret' };
    await ask(router, post(MESSAGES, asking, { headers }));
    expect(router.asked[0]?.request.source?.headers).toEqual({ 'anthropic-beta': 'b' });
  });

  test('gets a stream of Messages', async () => {
    const response = await ask(new FakeRouter(), post(MESSAGES, { ...asking, stream: true }));
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const events = [...(await response.text()).matchAll(/^event: (.*)$/gm)].map(([, event]) => event);
    expect(events).toEqual([
      ...['message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_stop'],
      ...['message_delta', 'message_stop'],
    ]);
  });

  test('has tokens counted, by whom a header says, and hears of what is wrong in Messages', async () => {
    const router = new FakeRouter();
    const count = (body: object, path = '/llm/chat/v1/messages/count_tokens'): Promise<Response> =>
      ask(router, post(path, { model: 'claude', ...body }));
    const counted = await count({ thinking: { type: 'adaptive' }, new_field: 1 });
    expect([counted.status, await counted.json()]).toEqual([200, { input_tokens: 12 }]);
    expect(counted.headers.get('x-switchyard-target')).toBe('acme/m');
    expect(counted.headers.has('x-switchyard-estimate')).toBe(false);
    const { route, request } = router.asked[0] ?? {};
    expect(route).toBe('chat');
    expect(request).not.toHaveProperty('maxOutputTokens');
    // Just as it came: there is no limit in it that the vendor would refuse.
    expect(request?.source?.body).toEqual({
      model: 'claude',
      messages: [{ role: 'user', content: 'hi' }],
      thinking: { type: 'adaptive' },
      new_field: 1,
    });
    router.counts = false;
    const estimated = await count({}, '/llm/v1/messages/count_tokens');
    expect(router.asked[1]?.route).toBe('claude');
    expect(estimated.headers.get('x-switchyard-estimate')).toBe('tokens');
    expect(estimated.headers.has('x-switchyard-target')).toBe(false);
    const wrong = await count({ messages: [{ role: 'robot', content: 'hi' }] });
    expect([wrong.status, await wrong.json()]).toMatchObject([
      400,
      {
        type: 'error',
        error: { type: 'invalid_request_error', message: expect.stringMatching(/^messages\[0\]\.role: expected/) },
      },
    ]);
    const get = await ask(router, new Request(`${ORIGIN}/llm/v1/messages/count_tokens`));
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    const guarded = await ask(router, post('/llm/v1/messages/count_tokens'), { authorize: () => false });
    expect([guarded.status, router.asked.length]).toEqual([401, 2]);
  });

  test('is told in Messages that a stream broke off', async () => {
    const router = new FakeRouter();
    router.events = async function* () {
      yield { type: 'text', text: 'Hel' };
      throw new RouterError('answer-broke-off', 'cut', { requestId: 'sw-1' });
    };
    const words = await (await ask(router, post(MESSAGES, { ...asking, stream: true }))).text();
    const last = words.trimEnd().split('\n\n').at(-1) ?? '';
    expect(last).toMatch(/^event: error\ndata: /);
    expect(JSON.parse(last.slice(last.indexOf('{')))).toMatchObject({ error: { message: 'cut' }, request_id: 'sw-1' });
    expect(words).not.toContain('message_stop');
  });

  test.each<[string, () => Request, number, string]>([
    ['another method', () => new Request(ORIGIN + MESSAGES), 405, 'invalid_request_error'],
    ['no limit', () => post(MESSAGES), 400, 'invalid_request_error'],
    ['no JSON', () => post(MESSAGES, {}, { body: '{' }), 400, 'invalid_request_error'],
    ['a text', () => post(MESSAGES, {}, { headers: { 'content-type': 'text/plain' } }), 415, 'invalid_request_error'],
    ['too much', () => post(MESSAGES, { system: 'x'.repeat(2_000) }), 413, 'request_too_large'],
    ['no model, where it would name the route', () => post('/llm/v1/messages', asking), 400, 'invalid_request_error'],
  ])('and sends %s hears of it in Messages', async (_, request, status, type) => {
    const router = new FakeRouter();
    const response = await ask(router, request(), { bodyLimit: 1_000 });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type }, request_id: null });
    expect(router.asked).toEqual([]);
  });

  test('and may not pass, or finds everything down, hears of it in Messages', async () => {
    const router = new FakeRouter();
    const unauthorized = await ask(router, post(MESSAGES, asking), { authorize: () => false });
    expect([unauthorized.status, await unauthorized.json()]).toMatchObject([
      401,
      { type: 'error', error: { type: 'authentication_error' } },
    ]);
    router.answer = () =>
      Promise.reject(new RouterError('all-targets-failed', 'down', { requestId: 'sw-1', retryAfterMs: 4_200 }));
    const down = await ask(router, post(MESSAGES, asking));
    expect([down.status, down.headers.get('retry-after'), down.headers.get('request-id')]).toEqual([503, '5', 'sw-1']);
    expect(await down.json()).toMatchObject({ type: 'error', error: { type: 'overloaded_error' } });
  });
});

describe('a failure', () => {
  test('is an answer, whatever is thrown, and the handler never rejects', async () => {
    const router = new FakeRouter();
    const thrown = [new Error('secret'), 'secret', undefined, null];
    for (const error of thrown) {
      router.answer = () => Promise.reject(error);
      const response = await ask(router, post(CHAT));
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('secret');
    }
    vi.spyOn(router, 'snapshot').mockImplementation(() => {
      throw new Error('secret');
    });
    for (const path of ['/llm/health', '/llm/routes', '/llm/v1/models']) {
      expect((await ask(router, new Request(ORIGIN + path))).status).toBe(500);
    }
  });

  test('of every target says when to come back', async () => {
    const router = new FakeRouter();
    const attempts = [{ target: 'größe/m', role: 'first', outcome: 'overloaded', status: 503, tookMs: 2 }] as const;
    router.answer = () =>
      Promise.reject(new RouterError('all-targets-failed', 'down', { attempts, retryAfterMs: 4_200 }));
    const response = await ask(router, post(CHAT));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(response.headers.get('x-switchyard-trace')).toBe('gr??e/m;outcome=overloaded;status=503;ms=2');
  });
});

describe('a guard', () => {
  const refusals: [string, unknown][] = [
    ['false', false],
    ['nothing', undefined],
    ['null', null],
    ['a truthy value that is not true', 'yes'],
    ['an object that is no response', { status: 200 }],
  ];

  test.each(refusals)('that says %s lets nobody pass', async (_what, said) => {
    const router = new FakeRouter();
    const response = await ask(router, post(CHAT), { authorize: (() => said) as () => boolean });
    expect([response.status, router.asked.length]).toEqual([401, 0]);
  });

  test('is asked before the body is read, and may read a copy of it', async () => {
    const router = new FakeRouter();
    const authorize = async (request: Request) => {
      expect(request.bodyUsed).toBe(false);
      return 'messages' in ((await request.clone().json()) as object);
    };
    expect((await ask(router, post(CHAT), { authorize })).status).toBe(200);
  });
});

describe('a caller who leaves', () => {
  /** A vendor that goes on until it is stopped, like one behind the real router: stopped by a signal, or by leaving. */
  const endless = (router: FakeRouter): { stopped: boolean; waiting: boolean } => {
    const vendor = { stopped: false, waiting: false };
    router.events = async function* () {
      const signal = router.asked.at(-1)?.options.signal;
      try {
        yield { type: 'start', id: 'a', model: 'm' };
        yield { type: 'text', text: 'Hello' };
        for (;;) {
          signal?.throwIfAborted();
          vendor.waiting = true;
          await new Promise((resolve) => signal?.addEventListener('abort', resolve));
        }
      } finally {
        vendor.stopped = true;
      }
    };
    return vendor;
  };

  for (const how of ['aborting the request', 'cancelling the body'] as const) {
    for (const [when, reads] of [
      ['before the first read', 0],
      ['between two reads', 1],
      ['while a read waits', 3],
    ] as const) {
      test(`${when}, by ${how}, stops the vendor`, async () => {
        const router = new FakeRouter();
        const vendor = endless(router);
        const caller = new AbortController();
        const response = await ask(router, post(CHAT, { stream: true }, { signal: caller.signal }));
        const reader = response.body?.getReader();
        for (let i = 0; i < reads; i++) {
          const read = reader?.read();
          if (i < 2) await read;
        }
        if (reads === 3) await vi.waitFor(() => expect(vendor.waiting).toBe(true));
        if (how === 'aborting the request') caller.abort();
        else await reader?.cancel();
        await vi.waitFor(() => expect(vendor.stopped).toBe(true));
      });
    }
  }

  test('and had left before the stream opened, stops the vendor', async () => {
    const router = new FakeRouter();
    const vendor = endless(router);
    const caller = new AbortController();
    const answering = ask(router, post(CHAT, { stream: true }, { signal: caller.signal }));
    await vi.waitFor(() => expect(router.asked).toHaveLength(1), { interval: 0 });
    caller.abort();
    await answering;
    await vi.waitFor(() => expect(vendor.stopped).toBe(true));
  });

  test('is listened for no longer than it takes', async () => {
    const router = new FakeRouter();
    const request = (body: object = {}): Request => post(CHAT, body);
    const listeners = ({ signal }: Request): number => getEventListeners(signal, 'abort').length;

    const plain = request();
    await ask(router, plain);
    expect(listeners(plain)).toBe(0);

    const streamed = request({ stream: true });
    const response = await ask(router, streamed);
    expect(listeners(streamed)).toBe(1);
    await response.text();
    expect(listeners(streamed)).toBe(0);

    const cancelled = request({ stream: true });
    await (await ask(router, cancelled)).body?.cancel();
    expect(listeners(cancelled)).toBe(0);

    vi.spyOn(router, 'stream').mockImplementation(() => {
      throw new RouterError('unknown-route', 'no such route');
    });
    const failed = request({ stream: true });
    expect((await ask(router, failed)).status).toBe(404);
    expect(listeners(failed)).toBe(0);
  });
});

describe('experiment', () => {
  const path = '/llm/chat/experiment';
  const get = (at: string): Request => new Request(ORIGIN + at);

  test('is there for anybody where nobody guards, and shows what the router says', async () => {
    const handle = createHandler(new FakeRouter());
    const response = await handle(get(path));
    expect(response?.status).toBe(200);
    expect(await response?.json()).toEqual(READOUT);
    expect((await handle(get('/llm/nowhere/experiment')))?.status).toBe(404);
    expect((await handle(post(path)))?.status).toBe(405);
  });

  test('is guarded by authorize', async () => {
    const handle = createHandler(new FakeRouter(), { authorize: () => false });
    expect((await handle(get(path)))?.status).toBe(401);
  });
});

test('the router gets the request as it came, for whoever asks whose it is', async () => {
  const router = new FakeRouter();
  const handle = createHandler(router, { authorize: () => true });
  const headers = { 'content-type': 'application/json', 'x-user-id': 'u1' };
  await handle(post(CHAT, {}, { headers }));
  await handle(post(CHAT, { stream: true }, { headers }));
  await handle(post(EMBEDDINGS, { messages: undefined, input: 'a' }, { headers }));
  const told = [...router.asked, ...router.embedded].map(({ options }) =>
    options.httpRequest?.headers.get('x-user-id'),
  );
  expect(told).toEqual(['u1', 'u1', 'u1']);
});

test('a header names the arm that the request was assigned to, beside the target that served', async () => {
  const router = new FakeRouter();
  router.answer = async () => ({ ...ANSWER, served: { ...SERVED, assigned: 'acme/other' } });
  const { headers } = (await createHandler(router)(post(CHAT))) as Response;
  expect([headers.get('x-switchyard-target'), headers.get('x-switchyard-assigned')]).toEqual(['acme/m', 'acme/other']);
});

describe('feedback', () => {
  const path = '/llm/chat/feedback';
  const scoring = (body: unknown): Request => post(path, {}, { body: JSON.stringify(body) });

  test('says how good an answer was, and gets a receipt', async () => {
    const router = new FakeRouter();
    const response = await ask(router, scoring({ id: 'sw-1', score: 0.5 }));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      requestId: 'sw-1',
      route: 'chat',
      target: 'acme/m',
      score: 0.5,
      replaced: false,
    });
    expect(router.scores).toEqual([{ id: 'sw-1', score: 0.5, route: 'chat' }]);
  });

  test.each([
    ['no object', [], 400, 'body: expected an object, and got an array'],
    ['no id', { score: 1 }, 400, 'id: expected a text, and got nothing'],
    ['an id that is no text', { id: 7, score: 1 }, 400, 'id: expected a text, and got number'],
    ['no score', { id: 'sw-1' }, 400, 'score: expected a number, and got nothing'],
    ['a score that is no number', { id: 'sw-1', score: '1' }, 400, 'score: expected a number, and got string'],
    ['a field that nobody knows', { id: 'sw-1', score: 1, comment: 'nice' }, 400, 'comment: unknown field'],
    ['an id that nobody remembers', { id: 'sw-2', score: 1 }, 404, 'No answer with this id is remembered.'],
  ])('with %s is refused in the words of OpenAI', async (_, body, status, message) => {
    const router = new FakeRouter();
    const response = await ask(router, scoring(body));
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { message, type: 'invalid_request_error' } });
    expect(router.scores).toEqual([]);
  });

  test('is guarded as the model routes are, and takes POST alone', async () => {
    const router = new FakeRouter();
    const refused = await ask(router, scoring({ id: 'sw-1', score: 1 }), { authorize: () => false });
    expect(refused.status).toBe(401);
    expect(router.scores).toEqual([]);
    const got = await ask(router, new Request(ORIGIN + path));
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect(createHandler(router).serves('/llm/v1/feedback')).toBe(false);
    expect(createHandler(router).serves('/llm/feedback')).toBe(false);
  });
});

describe('explain', () => {
  const path = '/llm/chat/explain';
  const allow: HandlerOptions = { authorize: () => true };

  test("is nobody's path unless a guard is given", async () => {
    expect(await createHandler(new FakeRouter())(post(path))).toBeUndefined();
    expect(createHandler(new FakeRouter()).serves(path)).toBe(false);
    expect(createHandler(new FakeRouter(), allow).serves(path)).toBe(true);
  });

  test('says whom a request would be put to, and asks nobody', async () => {
    const router = new FakeRouter();
    const response = await ask(router, post(path, { stream: true }), allow);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      route: 'chat',
      ranking: [{ target: 'acme/m', role: 'first', lateAfterMs: 8_000 }],
    });
    expect(router.asked).toEqual([]);
  });

  test.each([
    ['a caller whom the guard refuses', post(path), { authorize: (): boolean => false }, 401],
    ['a route that is not there', post('/llm/nowhere/explain'), allow, 404],
    ['a body that is no request', post(path, { messages: 'hi' }), allow, 400],
    ['another method', new Request(ORIGIN + path), allow, 405],
  ] as const)('answers %s with an error', async (_, request, options, status) => {
    expect((await ask(new FakeRouter(), request, options)).status).toBe(status);
  });
});
