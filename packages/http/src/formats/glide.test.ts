import { type ChatAnswer, type ChatEvent, RouterError, type RouterErrorCode, type Served } from '@switchyard/core';
import { describe, expect, test, vi } from 'vitest';
import { BodyError } from '../body.ts';
import { errorEvent, type GlideCall, glide, parseGlide, printAnswer, printError, printStream } from './glide.ts';
import { printedFrames } from './printed-frames.test-kit.ts';

const message = { role: 'user', content: 'Where was it played?' };
const said = (text: string, role = 'user'): object => ({ role, content: [{ type: 'text', text }] });

const parse = (body: object, headers: HeadersInit = {}): GlideCall => parseGlide(body, new Headers(headers));
const parseWith = (fields: object): GlideCall => parse({ message, ...fields });

describe('a request', () => {
  test('of a message alone asks for nothing else', () => {
    expect(parse({ message })).toEqual({
      request: { messages: [said('Where was it played?')], extra: {} },
      stream: false,
      id: undefined,
      metadata: undefined,
    });
  });

  test('puts the message behind its history', () => {
    const message_history = [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'Who won the world series in 2020?' },
      { role: 'assistant', content: 'The Los Angeles Dodgers.' },
    ];
    expect(parseWith({ message_history }).request.messages).toEqual([
      said('You are a helpful assistant.', 'system'),
      said('Who won the world series in 2020?'),
      said('The Los Angeles Dodgers.', 'assistant'),
      said('Where was it played?'),
    ]);
  });

  test('is the user’s where no role is named (A3)', () => {
    const { request } = parse({ message: { content: 'a' }, message_history: [{ role: null, content: 'b' }] });
    expect(request.messages).toEqual([said('b'), said('a')]);
  });

  test('takes settings by their names in Chat Completions (A1)', () => {
    const settings = { temperature: 0, top_p: 0.5, max_tokens: 5, stop: 'END', seed: 7, reasoning_effort: 'low' };
    expect(parseWith({ ...settings, response_format: { type: 'json_object' } }).request).toEqual({
      messages: [said('Where was it played?')],
      temperature: 0,
      topP: 0.5,
      maxOutputTokens: 5,
      stop: ['END'],
      seed: 7,
      reasoningEffort: 'low',
      output: { type: 'json' },
      extra: {},
    });
  });

  test('has no limit of tokens that the caller has not set (A2)', () => {
    expect(parseWith({}).request).not.toHaveProperty('maxOutputTokens');
  });

  test('returns the calls of tools, and their results', () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const message_history = [{ content: 'hi' }, { role: 'assistant', content: null, tool_calls: [call] }];
    const { messages } = parse({
      message: { role: 'tool', tool_call_id: 'call_1', content: '4' },
      message_history,
    }).request;
    expect(messages.slice(1)).toEqual([
      { role: 'assistant', content: [], toolCalls: [{ id: 'call_1', name: 'f', arguments: '{}' }] },
      { role: 'tool', toolCallId: 'call_1', content: [{ type: 'text', text: '4' }] },
    ]);
  });

  test('leaves out what is null, as clients do that send every field', () => {
    const fields = ['id', 'message_history', 'override_params', 'metadata', 'stream', 'temperature', 'tools'];
    const body = { message: { ...message, name: null }, ...Object.fromEntries(fields.map((field) => [field, null])) };
    expect(parse(body)).toEqual(parse({ message }));
  });

  test('in which speakers have names also goes to OpenAI in OpenAI’s words', () => {
    const { request } = parse({ message: { ...message, name: 'ann' }, temperature: 1 });
    expect(request.source).toEqual({
      format: 'openai-chat',
      body: { messages: [{ ...message, name: 'ann' }], temperature: 1, stream_options: { include_usage: true } },
    });
    expect(Object.keys(request.extra ?? {})).toEqual(['messages[].name']);
    expect(parse({ message }).request.source).toBeUndefined();
  });
});

describe('a stream', () => {
  test.each([
    [{ stream: true }, {}, true],
    [{}, { accept: 'text/event-stream' }, true],
    [{}, { accept: 'application/json, Text/Event-Stream;q=0.9' }, true],
    [{ stream: false }, { accept: 'text/event-stream' }, false],
    [{}, { accept: '*/*' }, false],
    [{}, {}, false],
  ] as const)('%j with %j: %s', (fields, headers, stream) => {
    expect(parse({ message, ...fields }, headers).stream).toBe(stream);
  });

  test('may be named by its caller, and carry what is the caller’s', () => {
    expect(parseWith({ id: 'r-1', metadata: { a: [1] } })).toMatchObject({ id: 'r-1', metadata: { a: [1] } });
  });
});

describe('an override', () => {
  const history = [{ role: 'system', content: 'Be brief.' }];

  test('takes the place of the message, behind the same history, and keeps the other settings', () => {
    const { request } = parseWith({
      message_history: history,
      temperature: 1,
      seed: 7,
      override_params: { fast: { message: { content: 'Where?' }, temperature: 0 }, 'gpt-4': { max_tokens: 5 } },
    });
    expect(request).toMatchObject({ temperature: 1, messages: [{}, said('Where was it played?')] });
    const messages = [said('Be brief.', 'system'), said('Where?')];
    expect(request).toHaveProperty('overrides', {
      fast: { messages, temperature: 0, seed: 7, extra: {} },
      // Without a message it keeps the original one (A4).
      'gpt-4': { messages: request.messages, temperature: 1, seed: 7, maxOutputTokens: 5, extra: {} },
    });
  });

  test('of nothing is none', () => {
    expect(parseWith({ override_params: {} }).request).not.toHaveProperty('overrides');
  });
});

describe('what is wrong in a body is named by its path', () => {
  test.each([
    [{}, 'message: expected an object, and got nothing'],
    [{ message: 'hi' }, 'message: expected an object, and got string'],
    [{ message: { role: 'user' } }, 'message.content: expected a text or an array of parts, and got nothing'],
    [{ message: { role: 'chatbot', content: 'a' } }, 'message.role: expected one of'],
    [{ message: { content: [{ type: 'text' }] } }, 'message.content[0].text: expected a text'],
    [{ message, message_history: {} }, 'message_history: expected an array'],
    [{ message, message_history: [message, { content: 1 }] }, 'message_history[1].content: expected'],
    [{ message, messageHistory: [] }, 'messageHistory: unknown field'],
    [{ message, model: 'gpt-4' }, 'model: unknown field'],
    [{ message, temperature: 'hot' }, 'temperature: expected a number'],
    [{ message, id: 7 }, 'id: expected a text'],
    [{ message, metadata: 'a' }, 'metadata: expected an object'],
    [{ message, stream: 'yes' }, 'stream: expected true or false'],
    [{ message, override_params: [] }, 'override_params: expected an object'],
    [{ message, override_params: { a: null } }, 'override_params.a: expected an object'],
    [{ message, override_params: { a: { message: {} } } }, 'override_params.a.message.content: expected'],
    [{ message, override_params: { a: { top_p: '1' } } }, 'override_params.a.top_p: expected a number'],
    [{ message, override_params: { a: { topP: 1 } } }, 'override_params.a.topP: unknown field'],
  ])('%j', (body, problem) => {
    expect(() => parse(body)).toThrow(problem);
    expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });

  test('and a body that is none', () => {
    expect(() => parseGlide([], new Headers())).toThrow('body: expected an object, and got an array');
  });
});

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'default',
  strategy: 'priority',
  target: { id: 'fast', vendor: 'openai', model: 'gpt-4' },
  attempts: [],
  skipped: [],
  tookMs: 5,
};

const USAGE = { inputTokens: 53, outputTokens: 33, cachedInputTokens: 10, reasoningTokens: 3 };

const ANSWER: ChatAnswer = {
  id: 'chatcmpl-1',
  model: 'gpt-4-0613',
  text: 'At Globe Life Field.',
  toolCalls: [],
  finishReason: 'stop',
  usage: USAGE,
  served: SERVED,
};

const NOBODY: GlideCall = { ...parse({ message }), id: undefined, metadata: undefined };
const printed = (answer: Partial<ChatAnswer>, call: GlideCall = NOBODY): unknown =>
  JSON.parse(printAnswer({ ...ANSWER, ...answer }, call));

const atNoon = (run: () => void | Promise<void>) => async () => {
  vi.useFakeTimers({ now: 1_716_131_190_500, toFake: ['Date'] });
  await Promise.resolve(run()).finally(() => vi.useRealTimers());
};

describe('an answer', () => {
  test(
    'has every field that Glide’s had (P8), and says how it ended (A2)',
    atNoon(() => {
      expect(printed({})).toEqual({
        id: 'chatcmpl-1',
        created_at: 1_716_131_190,
        provider_id: 'openai',
        router_id: 'default',
        model_id: 'fast',
        model_name: 'gpt-4-0613',
        cached: false,
        model_response: {
          metadata: { response_id: 'chatcmpl-1' },
          message: { role: 'assistant', content: 'At Globe Life Field.' },
          token_usage: { prompt_tokens: 53, response_tokens: 33, total_tokens: 86 },
        },
        finish_reason: 'complete',
      });
    }),
  );

  test('of a vendor that tells neither id, model nor usage is whole all the same', () => {
    const { usage: _, ...bare } = { ...ANSWER, id: '', model: '' };
    expect(JSON.parse(printAnswer(bare, NOBODY))).toMatchObject({
      id: 'sw-1',
      model_name: 'gpt-4',
      model_response: { metadata: {}, token_usage: { prompt_tokens: 0, response_tokens: 0, total_tokens: 0 } },
    });
  });

  test('says again what its caller calls it', () => {
    const call = parseWith({ id: 'r-1', metadata: { user: 'u' } });
    expect(printed({}, call)).toMatchObject({ id: 'r-1', metadata: { user: 'u' } });
  });

  test('has calls of tools, thoughts and refusals', () => {
    const toolCalls = [
      { id: 'call_1', name: 'f', arguments: '{"a":1}', extra: { google: { thought_signature: 's' } } },
    ];
    expect(printed({ text: '', reasoning: 'Hm.', toolCalls })).toMatchObject({
      model_response: {
        message: {
          content: '',
          reasoning_content: 'Hm.',
          tool_calls: [
            {
              id: 'call_1',
              type: 'function',
              function: { name: 'f', arguments: '{"a":1}' },
              extra_content: { google: { thought_signature: 's' } },
            },
          ],
        },
      },
      finish_reason: 'tool_calls',
    });
    const refused = printed({ text: '', refusal: 'I will not.' });
    expect(refused).toMatchObject({ model_response: { message: { content: 'I will not.' } } });
    expect(refused).toHaveProperty('finish_reason', 'content_filtered');
  });

  test.each([
    ['stop', 'complete'],
    ['length', 'max_tokens'],
    ['tool-calls', 'tool_calls'],
    ['content-filter', 'content_filtered'],
  ] as const)('that ended with %s says %s', (finishReason, finish_reason) => {
    expect(printed({ finishReason })).toHaveProperty('finish_reason', finish_reason);
  });

  test('that came in OpenAI’s words is printed in Glide’s', () => {
    expect(printed({ source: { format: 'openai-chat', body: '{}' } })).toHaveProperty('router_id', 'default');
  });
});

async function* eventsOf(...events: (ChatEvent | Error)[]): AsyncGenerator<ChatEvent, void> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

const framesOf = async (events: AsyncIterable<ChatEvent>, call: GlideCall = NOBODY): Promise<unknown[]> => {
  const frames = await Array.fromAsync(printedFrames(events, printStream(call, SERVED)), (bytes) =>
    new TextDecoder().decode(bytes),
  );
  return frames.map((frame) => JSON.parse(/^data: (.*)\n\n$/.exec(frame)?.[1] ?? 'not one frame'));
};

const START: ChatEvent = { type: 'start', id: 'chatcmpl-1', model: 'gpt-4-0613' };

describe('a streamed answer', () => {
  const head = { id: 'r-1', created_at: 1_716_131_190, router_id: 'default', metadata: { user: 'u' } };
  const model = { provider_id: 'openai', model_id: 'fast', model_name: 'gpt-4-0613', cached: false };
  const metadata = { response_id: 'chatcmpl-1' };

  test(
    'is chunks that name the model and the request, and ends with the reason and the usage (P10, S8)',
    atNoon(async () => {
      const events = eventsOf(
        START,
        { type: 'text', text: '' },
        { type: 'text', text: 'At ' },
        { type: 'text', text: 'Globe Life Field.' },
        { type: 'finish', reason: 'stop' },
        { type: 'usage', usage: USAGE },
        { type: 'other' },
      );
      const chunk = (content: string): object => ({
        ...head,
        chunk: { ...model, model_response: { metadata, message: { role: 'assistant', content } } },
      });
      const token_usage = { prompt_tokens: 53, response_tokens: 33, total_tokens: 86 };
      expect(await framesOf(events, parseWith({ id: 'r-1', metadata: { user: 'u' } }))).toEqual([
        chunk('At '),
        chunk('Globe Life Field.'),
        {
          ...head,
          chunk: {
            ...model,
            model_response: { metadata, message: { role: 'assistant', content: '' }, token_usage },
            finish_reason: 'complete',
          },
        },
      ]);
    }),
  );

  test('is named by the router where its caller has no name for it', async () => {
    const [first] = await framesOf(eventsOf({ type: 'text', text: 'Hi' }, { type: 'finish', reason: 'stop' }));
    expect(first).toMatchObject({ id: 'sw-1', chunk: { model_name: 'gpt-4' } });
    expect(first).not.toHaveProperty('metadata');
  });

  test('has the pieces of tool calls, and thoughts', async () => {
    const frames = await framesOf(
      eventsOf(
        { type: 'reasoning', text: 'Hm.' },
        { type: 'tool-call', index: 0, id: 'call_1', name: 'f', arguments: '' },
        { type: 'tool-call', index: 0, arguments: '{}' },
        { type: 'finish', reason: 'stop' },
      ),
    );
    expect(frames).toMatchObject([
      { chunk: { model_response: { message: { content: '', reasoning_content: 'Hm.' } } } },
      {
        chunk: {
          model_response: {
            message: {
              tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } }],
            },
          },
        },
      },
      { chunk: { model_response: { message: { tool_calls: [{ index: 0, function: { arguments: '{}' } }] } } } },
      { chunk: { finish_reason: 'tool_calls' } },
    ]);
  });

  test.each([
    ['stop', 'complete'],
    ['length', 'max_tokens'],
    ['tool-calls', 'tool_calls'],
    ['content-filter', 'content_filtered'],
  ] as const)('that ended with %s says %s', async (reason, finish_reason) => {
    const frames = await framesOf(eventsOf({ type: 'text', text: 'Hi' }, { type: 'finish', reason }));
    expect(frames.at(-1)).toMatchObject({ chunk: { finish_reason } });
  });

  test('that was refused says content_filtered, and one that ended without a reason says other', async () => {
    const refused = await framesOf(eventsOf({ type: 'refusal', text: 'No.' }, { type: 'finish', reason: 'stop' }));
    expect(refused).toMatchObject([
      { chunk: { model_response: { message: { content: 'No.' } } } },
      { chunk: { finish_reason: 'content_filtered' } },
    ]);
    expect((await framesOf(eventsOf({ type: 'text', text: 'Hi' }))).at(-1)).toMatchObject({
      chunk: { finish_reason: 'other' },
    });
  });

  test('that breaks off ends with one error, which names the request (S3)', async () => {
    const broken = new RouterError('answer-broke-off', 'fast: the stream ended early.', { requestId: 'sw-1' });
    const call = parseWith({ id: 'r-1', metadata: { user: 'u' } });
    const frames = await framesOf(eventsOf(START, { type: 'text', text: 'At ' }, broken), call);
    expect(frames).toHaveLength(2);
    expect(frames[1]).toEqual({
      id: 'r-1',
      created_at: expect.any(Number),
      router_id: 'default',
      metadata: { user: 'u' },
      error: {
        name: 'model_unavailable',
        message: 'fast: the stream ended early.',
        request_id: 'sw-1',
        finish_reason: 'error',
      },
    });
  });

  test('in which another target takes over keeps its names; one that begins anew says so, and forgets how it would have ended', async () => {
    const call = { type: 'tool-call', index: 0, id: 'c1', name: 'f', arguments: '{}' } as const;
    const takesOver = { type: 'seam', from: 'a', to: 'b' } as const;
    const writtenOf = async (mode: 'continue' | 'restart'): Promise<string> => {
      const events = eventsOf(START, call, { ...takesOver, mode }, call, { type: 'finish', reason: 'stop' });
      const frames = await Array.fromAsync(printedFrames(events, printStream(NOBODY, SERVED)));
      return Buffer.concat(frames).toString();
    };
    const chunksIn = (written: string) =>
      [...written.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
    const goesOn = await writtenOf('continue');
    expect(goesOn).toContain('\n\n: switchyard a broke off, b goes on\n\ndata: ');
    const indexes = chunksIn(goesOn).map(({ chunk }) => chunk.model_response.message.tool_calls?.[0].index);
    expect(indexes).toEqual([0, 1, undefined]);
    for (const { chunk } of chunksIn(goesOn)) expect(chunk).toMatchObject(model);
    const anew = await writtenOf('restart');
    expect(chunksIn(anew)[1]).toMatchObject({
      chunk: { ...model, model_response: { message: { role: 'assistant', content: '' } } },
      switchyard: { reset: { from: 'a', to: 'b' } },
    });
    const refused = eventsOf(
      { type: 'refusal', text: 'No.' },
      { ...takesOver, mode: 'restart' },
      { type: 'text', text: 'Yes.' },
      { type: 'finish', reason: 'stop' },
    );
    const frames = await Array.fromAsync(printedFrames(refused, printStream(NOBODY, SERVED)));
    expect(chunksIn(Buffer.concat(frames).toString()).at(-1).chunk.finish_reason).toBe('complete');
  });

  test('of bytes that came in OpenAI’s words is printed in Glide’s', async () => {
    const frames = await framesOf(
      eventsOf({ type: 'text', text: 'Hi', bytes: new Uint8Array([1]) }, { type: 'finish', reason: 'stop' }),
    );
    expect(frames).toHaveLength(2);
  });
});

describe('an error', () => {
  // What RouterErrorCode has no row for does not compile.
  const CODES: Readonly<Record<RouterErrorCode, readonly [number, string]>> = {
    'invalid-config': [500, 'unknown_error'],
    'invalid-request': [400, 'payload_parse_error'],
    'unknown-route': [404, 'router_not_found'],
    'unknown-answer': [404, 'payload_parse_error'],
    'no-capable-target': [400, 'no_model_configured'],
    'request-refused': [400, 'request_refused'],
    'all-targets-failed': [503, 'all_models_unavailable'],
    'budget-spent': [402, 'budget_spent'],
    'deadline-exceeded': [504, 'all_models_unavailable'],
    'answer-broke-off': [502, 'model_unavailable'],
    aborted: [499, 'request_aborted'],
  };

  test.each(Object.entries(CODES))('%s has Glide’s name for it (P9): %j', (code, [status, name]) => {
    const error = printError(new RouterError(code as RouterErrorCode, 'What happened.'));
    expect(error).toMatchObject({ status, body: { name, message: 'What happened.' } });
  });

  test.each([
    [new BodyError(400, 'The body is not JSON.'), 'payload_parse_error'],
    [new BodyError(413, 'The body is larger.'), 'payload_too_large'],
    [new BodyError(415, 'content-type: expected'), 'unsupported_media_type'],
    [new BodyError(500, 'The body could not be read.'), 'unknown_error'],
  ])('%s has the status of the body', (error, name) => {
    const { status, message } = error;
    expect(printError(error)).toEqual({ status, body: { name, message }, retryAfterSeconds: undefined });
  });

  test('of our own, or of a later version, tells nothing of itself', () => {
    expect(printError(new TypeError('x is undefined'))).toMatchObject({
      status: 500,
      body: { name: 'unknown_error', message: 'Switchyard failed.' },
    });
    const later = new RouterError('from-next-year' as RouterErrorCode, 'New.');
    expect(printError(later)).toMatchObject({ status: 500, body: { name: 'unknown_error' } });
  });

  test('of all targets says what became of each, and when to come back (A6)', () => {
    const attempt = { target: 'fast', role: 'first', outcome: 'overloaded', status: 503, tookMs: 11.6 } as const;
    const error = new RouterError('all-targets-failed', 'No target can answer now.', {
      requestId: 'sw-1',
      attempts: [attempt],
      skipped: [{ target: 'slow', reason: 'disabled' }],
      retryAfterMs: 1_200,
    });
    expect(printError(error)).toEqual({
      status: 503,
      body: {
        name: 'all_models_unavailable',
        message: 'No target can answer now.',
        request_id: 'sw-1',
        attempts: [{ target: 'fast', outcome: 'overloaded', status: 503, ms: 12 }],
        skipped: [{ target: 'slow', reason: 'disabled' }],
      },
      retryAfterSeconds: 2,
    });
  });

  test('of the request itself has the status and the words of the vendor', () => {
    const failure = { kind: 'rejected', status: 422, message: '422', vendorError: { message: 'Too hot.' } } as const;
    expect(printError(new RouterError('request-refused', 'refused', { failure }))).toMatchObject({
      status: 422,
      body: { name: 'request_refused', message: 'Too hot.' },
    });
  });

  test('about an override names it as the caller does', () => {
    const { body } = printError(new RouterError('invalid-request', 'overrides.gpt-9: no target'));
    expect(body.message).toBe('override_params.gpt-9: no target');
  });

  test('of a stream of which nothing is known is still its end', () => {
    const frame = new TextDecoder().decode(errorEvent(new RouterError('aborted', 'Left.', { requestId: 'sw-1' })));
    expect(JSON.parse(frame.slice('data: '.length))).toMatchObject({
      id: 'sw-1',
      error: { name: 'request_aborted', message: 'Left.', finish_reason: 'error' },
    });
    expect(glide.unauthorized).toEqual({ name: 'unauthorized', message: 'This request was not authorized.' });
  });
});
