import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GoogleGenAI } from '@google/genai';
import { GoogleGenerativeAI } from '@google/generative-ai';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest, ToolCall } from '../decide/request.ts';
import type { ChatEvent } from '../decide/response.ts';
import type { Call, Provider, Wire } from '../provider.ts';
import { WireLog } from '../run/wire.ts';
import { toGemini } from './gemini.ts';
import { google } from './google.ts';
import { googleGenAI } from './google-genai.ts';

const hi: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] };

const said = (text: string): { readonly type: 'text'; readonly text: string } => ({ type: 'text', text });

/** Both SDKs, made for a server that plays the vendor. */
const SDKS = [
  {
    name: 'google',
    at: (url: string, model = 'gemini-3-flash'): Provider =>
      google(model, { apiKey: 'key-1', baseURL: url }).connect(model, undefined),
  },
  {
    name: 'google-genai',
    at: (url: string, model = 'gemini-3-flash'): Provider =>
      googleGenAI(model, { apiKey: 'key-1', httpOptions: { baseUrl: url } }).connect(model, undefined),
  },
];

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
  /** How many connections the other side has closed before an answer was complete. */
  readonly left: number;
  leaves(): Promise<void>;
}

const players: Server[] = [];

const playing = async (play: Play): Promise<Player> => {
  const requests: Player['requests'] = [];
  const leaving = new EventEmitter();
  let left = 0;
  const server = createServer(async (request, response) => {
    response.on('close', () => {
      if (response.writableFinished) return;
      left++;
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
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get left() {
      return left;
    },
    leaves: async () => {
      if (left === 0) await once(leaving, 'left');
    },
  };
};

const answer =
  (body: unknown, status = 200, type = 'application/json'): Play =>
  (response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

const frame = (body: unknown): string => `data: ${JSON.stringify(body)}\r\n\r\n`;

const streamed = (...bodies: readonly unknown[]): Play => answer(bodies.map(frame).join(''), 200, 'text/event-stream');

/** The beginning of a stream that then never goes on. */
const stalling =
  (...bodies: readonly unknown[]): Play =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(bodies.map(frame).join(''));
  };

const candidate = (parts: readonly unknown[], finishReason?: string): object => ({
  candidates: [{ content: { role: 'model', parts }, finishReason, index: 0 }],
  modelVersion: 'gemini-3-flash-001',
  responseId: 'r1',
});

const error = (status: number, word: string, message: string, details?: readonly unknown[]): object => ({
  error: { code: status, message, status: word, details },
});

const TYPES = 'type.googleapis.com/google.rpc';

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
const failedStream = async (provider: Provider): Promise<{ events: string[]; failure: Failure }> => {
  const events: string[] = [];
  const failure = await failureOf(provider, async (call) => {
    for await (const event of provider.stream(hi, call)) events.push(event.type);
  });
  return { events, failure };
};

let simulator: Simulator;
const unhandled = vi.fn();

beforeAll(async () => {
  process.on('unhandledRejection', unhandled);
  simulator = await startSimulator();
});

afterEach(async () => {
  // Rejections that nobody handles are told of after the microtasks.
  await new Promise(setImmediate);
  expect(unhandled).not.toHaveBeenCalled();
  simulator.vendors.google.heal();
  vi.unstubAllEnvs();
  for (const server of players.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

afterAll(async () => {
  await simulator.close();
  process.off('unhandledRejection', unhandled);
});

// ── the request ──────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a request in words of Gemini', () => {
  const wordsOf = (request: Partial<ChatRequest>): unknown =>
    JSON.parse(JSON.stringify(toGemini({ ...hi, ...request }, 'gemini-3-pro')));

  test('the first system messages are the instruction, later ones belong to the turn of the user', () => {
    const { body } = toGemini(
      {
        messages: [
          { role: 'system', content: [said('A'), said('B')] },
          { role: 'system', content: [said('C')] },
          { role: 'user', content: [said('1')] },
          { role: 'assistant', content: [said('2')] },
          { role: 'system', content: [said('D')] },
          { role: 'user', content: [said('3')] },
        ],
      },
      'gemini-3-pro',
    );
    expect(body.systemInstruction).toEqual({ parts: [{ text: 'A' }, { text: 'B' }, { text: 'C' }] });
    expect(body.contents).toEqual([
      { role: 'user', parts: [{ text: '1' }] },
      { role: 'model', parts: [{ text: '2' }] },
      { role: 'user', parts: [{ text: 'D' }, { text: '3' }] },
    ]);
  });

  test('a system message that nothing follows is the question', () => {
    const { body } = toGemini({ messages: [{ role: 'system', content: [said('A')] }] }, 'gemini-3-pro');
    expect(body).toMatchObject({ contents: [{ role: 'user', parts: [{ text: 'A' }] }], systemInstruction: undefined });
  });

  test('neighbours of one role are one content, and what says nothing is none', () => {
    const { body } = toGemini(
      {
        messages: [
          { role: 'user', content: [said('1')] },
          { role: 'user', content: [said('2')] },
          { role: 'assistant', content: [said('')] },
          { role: 'user', content: [said('3')] },
          { role: 'assistant', content: [said('4')] },
          { role: 'assistant', content: [said('5')] },
        ],
      },
      'gemini-3-pro',
    );
    expect(body.contents).toEqual([
      { role: 'user', parts: [{ text: '1' }, { text: '2' }, { text: '3' }] },
      { role: 'model', parts: [{ text: '4' }, { text: '5' }] },
    ]);
  });

  test('images, audio and files go inline', () => {
    const { body, gaps } = toGemini(
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', url: 'data:image/png;base64,AAAA' },
              { type: 'audio', data: 'BBBB', format: 'mp3' },
              { type: 'file', data: 'data:application/pdf;base64,CCCC', filename: 'a.pdf' },
            ],
          },
        ],
      },
      'gemini-3-pro',
    );
    expect(body.contents[0]?.parts).toEqual([
      { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
      { inlineData: { mimeType: 'audio/mp3', data: 'BBBB' } },
      { inlineData: { mimeType: 'application/pdf', data: 'CCCC' } },
    ]);
    expect(gaps).toEqual([]);
  });

  test('what cannot be said is a gap, once', () => {
    const { body, gaps } = toGemini(
      {
        messages: [
          {
            role: 'user',
            content: [
              said('look'),
              { type: 'image', url: 'https://a.test/1.png' },
              { type: 'image', url: 'https://a.test/2.png', detail: 'low' },
              { type: 'image', url: 'data:image/svg+xml,%3Csvg/%3E' },
              { type: 'audio', data: 'BBBB', format: 'pcm16' },
              { type: 'file', fileId: 'file-1' },
              { type: 'unknown', name: 'video_url', value: {} },
            ],
          },
        ],
        temperature: 2.5,
        stop: ['1', '2', '3', '4', '5', '6'],
        parallelToolCalls: false,
        reasoningEffort: 'xhigh',
        tools: [{ name: 'f', strict: true }],
        extra: { n: 2, logit_bias: { 1: 2 }, user: 'u' },
      },
      'gemini-3-pro',
    );
    expect(gaps).toEqual([
      { what: 'n' },
      { what: 'logit_bias' },
      { what: 'user', harmless: true },
      { what: 'image by URL' },
      { what: 'image detail', harmless: true },
      { what: 'image that is not base64' },
      { what: 'audio as pcm16' },
      { what: 'file by id' },
      { what: 'video_url part' },
      { what: 'strict tools', harmless: true },
      { what: 'parallel_tool_calls' },
      { what: 'temperature outside 0–2' },
      { what: 'more than 5 stop sequences' },
      { what: 'reasoning_effort xhigh' },
    ]);
    expect(body.contents[0]?.parts).toEqual([{ text: 'look' }]);
    expect(JSON.parse(JSON.stringify(body.generationConfig))).toEqual({});
  });

  test('a budget of thought, or none, takes the place of a word, and stays within what all models take', () => {
    const thinkingOf = (request: Partial<ChatRequest>): unknown =>
      toGemini({ ...hi, ...request }, 'gemini-3-pro').body.generationConfig.thinkingConfig;
    expect(thinkingOf({ reasoningEffort: 'auto' })).toBeUndefined();
    expect(thinkingOf({ reasoningEffort: 'auto', maxReasoningTokens: 2_000 })).toEqual({ thinkingBudget: 2_000 });
    expect(thinkingOf({ reasoningEffort: 'high', maxReasoningTokens: 31_999 })).toEqual({ thinkingBudget: 24_576 });
    expect(thinkingOf({ reasoningEffort: 'none', maxReasoningTokens: 2_000 })).toEqual({ thinkingLevel: 'MINIMAL' });
    expect(toGemini({ ...hi, topK: 5 }, 'gemini-3-pro').body.generationConfig.topK).toBe(5);
  });

  test('thoughts are shown to those who ask, by models that are known to think or are told how much', () => {
    const thinkingOf = (request: Partial<ChatRequest>, model = 'gemini-3-pro'): unknown =>
      toGemini({ ...hi, showReasoning: true, ...request }, model).body.generationConfig.thinkingConfig;
    expect(thinkingOf({})).toEqual({ includeThoughts: true });
    expect(thinkingOf({ reasoningEffort: 'auto' }, 'gemini-2.5-flash')).toEqual({ includeThoughts: true });
    expect(thinkingOf({}, 'gemma-3-27b-it')).toBeUndefined();
    expect(thinkingOf({ reasoningEffort: 'low' }, 'tunedModels/ours')).toEqual({
      thinkingLevel: 'LOW',
      includeThoughts: true,
    });
    expect(thinkingOf({ reasoningEffort: 'none' })).toEqual({ thinkingLevel: 'MINIMAL' });
    // What Responses say to see them is no gap then.
    const extra = { 'reasoning.summary': 'auto' };
    const source = { format: 'openai-responses', body: {} } as const;
    expect(toGemini({ ...hi, showReasoning: true, extra, source }, 'gemini-3-pro').gaps).toEqual([]);
    expect(toGemini({ ...hi, showReasoning: true, extra, source }, 'gemma-3-27b-it').gaps).toEqual([
      { what: 'reasoning.summary', harmless: true },
    ]);
  });

  test('a tool that failed has an error for its result, and what it showed is shown behind it', () => {
    const { body, gaps } = toGemini(
      {
        messages: [
          ...hi.messages,
          { role: 'assistant', content: [], toolCalls: [{ id: 'c1', name: 'look', arguments: '{}' }] },
          {
            role: 'tool',
            toolCallId: 'c1',
            content: [said('{"a":1}'), { type: 'image', url: 'data:image/png;base64,AAAA' }],
            isError: true,
          },
        ],
      },
      'gemini-3-pro',
    );
    expect(gaps).toEqual([]);
    expect(body.contents[2]).toEqual({
      role: 'user',
      parts: [
        { functionResponse: { id: 'c1', name: 'look', response: { error: '{"a":1}' } } },
        { text: 'What the tool call c1 returned:' },
        { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
      ],
    });
  });

  test('what only Anthropic has words for is a gap, with or without harm', () => {
    const source = { format: 'anthropic-messages', body: {} } as const;
    const extra = { cache_control: {}, container: 'c' };
    const content = [{ type: 'file', url: 'https://a.test/a.pdf' }] as const;
    expect(toGemini({ messages: [{ role: 'user', content }], extra, source }, 'gemini-3-pro').gaps).toEqual([
      { what: 'cache_control', harmless: true },
      { what: 'container' },
      { what: 'file by URL' },
    ]);
  });

  test('one answer is no gap', () => {
    expect(toGemini({ ...hi, extra: { n: 1 } }, 'gemini-3-pro').gaps).toEqual([]);
  });

  const call = (id: string, args: string, signature?: string): ToolCall => ({
    id,
    name: `tool_${id}`,
    arguments: args,
    ...(signature !== undefined && { extra: { google: { thought_signature: signature } } }),
  });

  test('tool calls of another vendor carry the word that stands in for a signature', () => {
    const { body, gaps } = toGemini(
      {
        messages: [
          ...hi.messages,
          { role: 'assistant', content: [], toolCalls: [call('a', '{"x":1}'), call('b', '')] },
        ],
      },
      'gemini-3-pro',
    );
    expect(body.contents[1]).toEqual({
      role: 'model',
      parts: [
        {
          functionCall: { id: 'a', name: 'tool_a', args: { x: 1 } },
          thoughtSignature: 'skip_thought_signature_validator',
        },
        { functionCall: { id: 'b', name: 'tool_b', args: {} }, thoughtSignature: 'skip_thought_signature_validator' },
      ],
    });
    expect(gaps).toEqual([]);
  });

  test('tool calls of Gemini get the signatures back that they came with, and no others', () => {
    const { body } = toGemini(
      {
        messages: [
          ...hi.messages,
          { role: 'assistant', content: [], toolCalls: [call('a', '{}', 'sig'), call('b', '{}')] },
        ],
      },
      'gemini-3-pro',
    );
    expect(body.contents[1]?.parts.map((part) => part.thoughtSignature)).toEqual(['sig', undefined]);
  });

  test('arguments that are not JSON are a gap', () => {
    const { gaps } = toGemini(
      {
        messages: [...hi.messages, { role: 'assistant', content: [], toolCalls: [call('a', '{"x":')] }],
      },
      'gemini-3-pro',
    );
    expect(gaps).toEqual([{ what: 'tool call arguments that are not JSON' }]);
  });

  test('results of tools are one content, under the names of their functions', () => {
    const { body, gaps } = toGemini(
      {
        messages: [
          ...hi.messages,
          {
            role: 'assistant',
            content: [said('let me see')],
            toolCalls: [call('a', '{}', 's'), call('b', '{}'), call('c', '{}')],
          },
          { role: 'tool', toolCallId: 'a', content: [said('12 '), said('degrees')] },
          { role: 'tool', toolCallId: 'b', content: [said('{"celsius":12}')] },
          { role: 'tool', toolCallId: 'c', content: [said('[1]')] },
          { role: 'tool', toolCallId: 'nobody', content: [said('?')] },
        ],
      },
      'gemini-3-pro',
    );
    expect(body.contents.slice(1)).toEqual([
      { role: 'model', parts: [{ text: 'let me see' }, expect.anything(), expect.anything(), expect.anything()] },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'a', name: 'tool_a', response: { output: '12 degrees' } } },
          { functionResponse: { id: 'b', name: 'tool_b', response: { celsius: 12 } } },
          { functionResponse: { id: 'c', name: 'tool_c', response: { output: '[1]' } } },
        ],
      },
    ]);
    expect(gaps).toEqual([{ what: 'tool message without its call' }]);
  });

  test.each([
    ['auto', { mode: 'AUTO' }],
    ['none', { mode: 'NONE' }],
    ['required', { mode: 'ANY' }],
    [{ tool: 'f' }, { mode: 'ANY', allowedFunctionNames: ['f'] }],
  ] as const)('the tool choice %j', (toolChoice, functionCallingConfig) => {
    expect(wordsOf({ toolChoice })).toMatchObject({ body: { toolConfig: { functionCallingConfig } } });
  });

  test.each([
    ['none', 'MINIMAL'],
    ['minimal', 'MINIMAL'],
    ['low', 'LOW'],
    ['medium', 'MEDIUM'],
    ['high', 'HIGH'],
  ])('the reasoning effort %s is the thinking level %s', (reasoningEffort, thinkingLevel) => {
    expect(wordsOf({ reasoningEffort })).toMatchObject({
      body: { generationConfig: { thinkingConfig: { thinkingLevel } } },
      gaps: [],
    });
  });

  test('output in JSON', () => {
    const schema = { type: 'object' };
    expect(wordsOf({ output: { type: 'text' } })).toMatchObject({ body: { generationConfig: {} } });
    expect(wordsOf({ output: { type: 'json' } })).toMatchObject({
      body: { generationConfig: { responseMimeType: 'application/json' } },
    });
    expect(wordsOf({ output: { type: 'json-schema', name: 's', schema } })).toMatchObject({
      body: { generationConfig: { responseMimeType: 'application/json', responseJsonSchema: schema } },
    });
    // It has no other place for what is said about a schema, which may say it itself.
    const told = { type: 'json-schema', name: 's', description: 'Of the answer.' } as const;
    const own = { type: 'object', description: 'Its own.' };
    expect(wordsOf({ output: { ...told, schema } })).toMatchObject({
      body: { generationConfig: { responseJsonSchema: { type: 'object', description: 'Of the answer.' } } },
    });
    expect(wordsOf({ output: { ...told, schema: own } })).toMatchObject({
      body: { generationConfig: { responseJsonSchema: own } },
    });
  });
});

// ── both SDKs ────────────────────────────────────────────────────────────────────────────────────────────────────────

describe.each(SDKS)('$name', ({ name, at }) => {
  const atSimulator = (): Provider => at(simulator.vendors.google.url);

  test('every field reaches the wire', async () => {
    const player = await playing(answer(candidate([{ text: 'ok' }], 'STOP')));
    const parameters = { type: 'object', properties: { q: { type: 'string' } }, additionalProperties: false };
    const schema = { type: 'object', properties: { a: { type: 'integer' } }, $defs: { b: { type: 'null' } } };
    await at(player.url).send(
      {
        messages: [
          { role: 'system', content: [said('S')] },
          { role: 'user', content: [said('hi'), { type: 'image', url: 'data:image/png;base64,AAAA' }] },
          { role: 'assistant', content: [], toolCalls: [{ id: 'c1', name: 'find', arguments: '{"q":"x"}' }] },
          { role: 'tool', toolCallId: 'c1', content: [said('found')] },
        ],
        maxOutputTokens: 64,
        temperature: 0,
        topP: 0.5,
        topK: 5,
        stop: ['END'],
        seed: 0,
        frequencyPenalty: 0.25,
        presencePenalty: -0.25,
        tools: [{ name: 'find', description: 'Finds.', parameters }, { name: 'now' }],
        toolChoice: { tool: 'find' },
        output: { type: 'json-schema', name: 's', schema },
        reasoningEffort: 'low',
      },
      { signal: signal() },
    );
    const [request] = player.requests;
    expect(request?.path).toBe('/v1beta/models/gemini-3-flash:generateContent');
    expect(request?.headers['x-goog-api-key']).toBe('key-1');
    const { systemInstruction, safetySettings, ...body } = (request?.body ?? {}) as Record<string, unknown>;
    expect(systemInstruction).toMatchObject({ parts: [{ text: 'S' }] });
    expect(safetySettings ?? []).toEqual([]);
    expect(body).toEqual({
      contents: [
        { role: 'user', parts: [{ text: 'hi' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }] },
        {
          role: 'model',
          parts: [
            {
              functionCall: { id: 'c1', name: 'find', args: { q: 'x' } },
              thoughtSignature: 'skip_thought_signature_validator',
            },
          ],
        },
        { role: 'user', parts: [{ functionResponse: { id: 'c1', name: 'find', response: { output: 'found' } } }] },
      ],
      tools: [
        {
          functionDeclarations: [
            { name: 'find', description: 'Finds.', parametersJsonSchema: parameters },
            { name: 'now' },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['find'] } },
      generationConfig: {
        maxOutputTokens: 64,
        temperature: 0,
        topP: 0.5,
        topK: 5,
        stopSequences: ['END'],
        seed: 0,
        frequencyPenalty: 0.25,
        presencePenalty: -0.25,
        responseMimeType: 'application/json',
        responseJsonSchema: schema,
        thinkingConfig: { thinkingLevel: 'LOW' },
      },
    });
  });

  test('a budget of thought reaches the wire', async () => {
    const player = await playing(answer(candidate([{ text: 'ok' }], 'STOP')));
    await at(player.url).send({ ...hi, maxReasoningTokens: 2_000 }, { signal: signal() });
    expect(player.requests[0]?.body).toMatchObject({
      generationConfig: { thinkingConfig: { thinkingBudget: 2_000 } },
    });
  });

  test('asks for a stream of events', async () => {
    const player = await playing(streamed(candidate([{ text: 'ok' }], 'STOP')));
    await eventsOf(at(player.url));
    expect(player.requests[0]?.path).toBe('/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse');
  });

  test('the account is the address and the key', () => {
    expect(at('http://a.test/').account).toEqual({ endpoint: 'http://a.test', credential: 'key-1' });
  });

  test('a tool loop with the simulator, signature and all', async () => {
    const provider = at(simulator.vendors.google.url, 'gemini-3-pro');
    const request: ChatRequest = {
      ...hi,
      tools: [{ name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }],
      toolChoice: 'required',
    };
    const first = await provider.send(request, { signal: signal() });
    expect(first).toMatchObject({ finishReason: 'tool-calls', toolCalls: [{ name: 'weather' }] });
    expect(first.toolCalls[0]?.extra?.google).toMatchObject({ thought_signature: expect.any(String) });
    const second = await provider.send(
      {
        ...request,
        toolChoice: 'auto',
        messages: [
          ...hi.messages,
          { role: 'assistant', content: [], toolCalls: first.toolCalls },
          { role: 'tool', toolCallId: first.toolCalls[0]?.id ?? '', content: [said('rain')] },
        ],
      },
      { signal: signal() },
    );
    expect(second).toMatchObject({ finishReason: 'stop', text: expect.stringMatching(/./) });
  });

  // ── answers ──

  test('reads a whole answer', async () => {
    const player = await playing(
      answer({
        ...candidate(
          [
            { text: 'Hmm. ', thought: true },
            { text: 'Let me ' },
            { text: 'look.' },
            { functionCall: { id: 'f1', name: 'find', args: { q: 'x' } }, thoughtSignature: 'sig' },
            { functionCall: { name: 'now' } },
          ],
          'STOP',
        ),
        usageMetadata: {
          promptTokenCount: 10,
          toolUsePromptTokenCount: 2,
          candidatesTokenCount: 5,
          thoughtsTokenCount: 7,
          cachedContentTokenCount: 4,
          totalTokenCount: 24,
        },
      }),
    );
    const response = await at(player.url).send(hi, { signal: signal() });
    expect(response).toEqual({
      id: 'r1',
      model: 'gemini-3-flash-001',
      text: 'Let me look.',
      reasoning: 'Hmm. ',
      toolCalls: [
        { id: 'f1', name: 'find', arguments: '{"q":"x"}', extra: { google: { thought_signature: 'sig' } } },
        { id: expect.stringMatching(/^call_[\w-]{1,35}$/), name: 'now', arguments: '{}' },
      ],
      finishReason: 'tool-calls',
      usage: { inputTokens: 12, outputTokens: 12, cachedInputTokens: 4, reasoningTokens: 7 },
    });
  });

  test('makes an id where there is none, and names the model that was asked', async () => {
    const player = await playing(answer({ candidates: [{ finishReason: 'STOP' }] }));
    const provider = at(player.url);
    const [one, two] = [await provider.send(hi, { signal: signal() }), await provider.send(hi, { signal: signal() })];
    expect(one).toMatchObject({ id: expect.stringMatching(/./), model: 'gemini-3-flash', text: '' });
    expect(two.id).not.toBe(one.id);
    expect(one.usage).toBeUndefined();
  });

  test.each([
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['CONTINUATION', 'length'],
    ['SAFETY', 'content-filter'],
    ['RECITATION', 'content-filter'],
    ['PROHIBITED_CONTENT', 'content-filter'],
    ['A_REASON_OF_TOMORROW', 'stop'],
  ])('%s means %s', async (said, finishReason) => {
    const body = candidate([{ text: 'x' }], said);
    const whole = await playing(answer(body));
    expect(await at(whole.url).send(hi, { signal: signal() })).toMatchObject({ finishReason });
    const stream = await playing(streamed(body));
    expect(await eventsOf(at(stream.url))).toContainEqual({ type: 'finish', reason: finishReason });
  });

  test.each(['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS', 'MALFORMED_RESPONSE', 'OTHER'])(
    '%s is a failed attempt',
    async (reason) => {
      const whole = await playing(answer(candidate([], reason)));
      expect(await failedSend(at(whole.url))).toMatchObject({ kind: 'broken' });
      const stream = await playing(streamed(candidate([{ text: 'x' }]), candidate([], reason)));
      expect(await failedStream(at(stream.url))).toMatchObject({
        events: ['start', 'text'],
        failure: { kind: 'broken' },
      });
    },
  );

  test('a blocked prompt is an answer that was filtered', async () => {
    const blocked = {
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 3 },
      responseId: 'r1',
    };
    const whole = await playing(answer(blocked));
    expect(await at(whole.url).send(hi, { signal: signal() })).toMatchObject({
      text: '',
      finishReason: 'content-filter',
    });
    const stream = await playing(streamed(blocked));
    expect(await eventsOf(at(stream.url))).toEqual([
      { type: 'start', id: 'r1', model: 'gemini-3-flash' },
      { type: 'finish', reason: 'content-filter' },
      { type: 'usage', usage: { inputTokens: 3, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 } },
    ]);
  });

  test('a long answer is asked for once', async () => {
    const player = await playing(
      answer({
        candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'CONTINUATION', continuationToken: 't' }],
      }),
    );
    await at(player.url).send(hi, { signal: signal() });
    expect(player.requests).toHaveLength(1);
  });

  // ── streams ──

  test('reads a stream', async () => {
    const player = await playing(
      streamed(
        {
          ...candidate([{ text: 'Hmm', thought: true }]),
          usageMetadata: { promptTokenCount: 10, thoughtsTokenCount: 3 },
        },
        { ...candidate([{ text: 'Let me ' }]), usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 2 } },
        candidate([
          { text: 'look.' },
          { functionCall: { id: 'f1', name: 'find', args: { q: 'x' } }, thoughtSignature: 'sig' },
          { functionCall: { name: 'now' } },
        ]),
        {
          ...candidate([{ text: '' }], 'STOP'),
          usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 9, thoughtsTokenCount: 3 },
        },
      ),
    );
    expect(await eventsOf(at(player.url))).toEqual([
      { type: 'start', id: 'r1', model: 'gemini-3-flash-001' },
      { type: 'reasoning', text: 'Hmm' },
      { type: 'text', text: 'Let me ' },
      { type: 'text', text: 'look.' },
      {
        type: 'tool-call',
        index: 0,
        id: 'f1',
        name: 'find',
        arguments: '{"q":"x"}',
        extra: { google: { thought_signature: 'sig' } },
      },
      { type: 'tool-call', index: 1, id: expect.stringMatching(/^call_[\w-]{1,35}$/), name: 'now', arguments: '{}' },
      { type: 'finish', reason: 'tool-calls' },
      { type: 'usage', usage: { inputTokens: 10, outputTokens: 12, cachedInputTokens: 0, reasoningTokens: 3 } },
    ]);
  });

  test('a stream of the simulator says the same as its whole answer', async () => {
    const provider = atSimulator();
    const whole = await provider.send(hi, { signal: signal() });
    const events = await eventsOf(provider);
    expect(events.map((event) => (event.type === 'text' ? event.text : '')).join('')).toBe(whole.text);
    expect(events.at(-2)).toEqual({ type: 'finish', reason: 'stop' });
    expect(events.at(-1)).toEqual({ type: 'usage', usage: whole.usage });
  });

  test.each([
    ['without a finish reason', streamed(candidate([{ text: 'x' }])), ['start', 'text']],
    ['without an event', answer('', 200, 'text/event-stream'), []],
    [
      'inside an event',
      answer(`${frame(candidate([{ text: 'x' }]))}data: {"cand`, 200, 'text/event-stream'),
      undefined,
    ],
    ['with an event that is not JSON', answer('data: {"cand\r\n\r\n', 200, 'text/event-stream'), []],
    ['with an event that is no answer', answer('data: null\r\n\r\n', 200, 'text/event-stream'), undefined],
    ['as a web page', answer('<html></html>', 200, 'text/html'), []],
  ] as const)('a stream that ends %s is broken', async (_, play, events) => {
    const player = await playing(play);
    const failed = await failedStream(at(player.url));
    expect(failed.failure).toMatchObject({ kind: 'broken', message: expect.stringContaining(name) });
    if (events !== undefined) expect(failed.events).toEqual(events);
  });

  test('a connection that breaks inside a stream breaks the stream, and nothing else', async () => {
    const player = await playing((response) => {
      stalling(candidate([{ text: 'x' }]))(response, {} as IncomingMessage);
      setTimeout(() => response.destroy(), 20);
    });
    expect(await failedStream(at(player.url))).toMatchObject({
      events: ['start', 'text'],
      failure: { kind: 'broken' },
    });
  });

  test.each([
    [503, 'UNAVAILABLE', 'overloaded'],
    [500, 'INTERNAL', 'server-error'],
    [429, 'RESOURCE_EXHAUSTED', 'rate-limited'],
  ])('an error %i %s inside a stream is %s', async (status, word, kind) => {
    const details = [{ '@type': `${TYPES}.RetryInfo`, retryDelay: '17s' }];
    const player = await playing(streamed(candidate([{ text: 'x' }]), error(status, word, 'no', details)));
    expect(await failedStream(at(player.url))).toEqual({
      events: ['start', 'text'],
      failure: expect.objectContaining({ kind, status, code: word, retryAfterMs: 17_000 }),
    });
  });

  // ── failures ──

  test.each([
    ['an empty object', {}],
    ['no candidates', { candidates: [], usageMetadata: {} }],
    ['no end', candidate([{ text: 'x' }])],
    ['a list', []],
    ['null', 'null'],
    ['HTML', '<html></html>'],
    ['nothing', ''],
    ['half of it', '{"candidates":[{"content":'],
  ])('a 200 with %s is broken', async (_, body) => {
    const player = await playing(answer(body));
    expect(await failedSend(at(player.url))).toMatchObject({ kind: 'broken', message: expect.stringContaining(name) });
  });

  test.each([
    [400, 'INVALID_ARGUMENT', 'Invalid value', undefined, 'rejected'],
    [400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', 'API_KEY_INVALID', 'unauthorized'],
    [400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.', undefined, 'unauthorized'],
    [
      400,
      'INVALID_ARGUMENT',
      'The input token count (9,999) exceeds the maximum number of tokens allowed (1,000).',
      undefined,
      'too-long',
    ],
    [401, 'UNAUTHENTICATED', 'who?', undefined, 'unauthorized'],
    [402, 'RESOURCE_EXHAUSTED', 'credit is used up', undefined, 'quota-exhausted'],
    [403, 'PERMISSION_DENIED', 'no', undefined, 'unauthorized'],
    [404, 'NOT_FOUND', 'models/x is not found', undefined, 'not-found'],
    [
      429,
      'RESOURCE_EXHAUSTED',
      'You exceeded your current quota, please check your plan and billing details.',
      undefined,
      'rate-limited',
    ],
    [499, 'CANCELLED', 'cancelled', undefined, 'server-error'],
    [500, 'INTERNAL', 'oh', undefined, 'server-error'],
    [503, 'UNAVAILABLE', 'The model is overloaded.', undefined, 'overloaded'],
    [504, 'DEADLINE_EXCEEDED', 'late', undefined, 'server-error'],
  ])('%i %s "%s" (%s) is %s', async (status, word, message, reason, kind) => {
    const details = reason === undefined ? undefined : [{ '@type': `${TYPES}.ErrorInfo`, reason }];
    const player = await playing(answer(error(status, word, message, details), status));
    const provider = at(player.url);
    const expected = { kind, status, vendorError: { message } };
    expect(await failedSend(provider)).toMatchObject(expected);
    expect((await failedStream(provider)).failure).toMatchObject(expected);
    expect(player.requests).toHaveLength(2);
  });

  test.each([
    ['GenerateRequestsPerMinutePerProjectPerModel-FreeTier', 'rate-limited'],
    ['GenerateRequestsPerDayPerProjectPerModel-FreeTier', 'quota-exhausted'],
  ])('a 429 for the quota %s is %s', async (quotaId, kind) => {
    const message = 'You exceeded your current quota, please check your plan and billing details.';
    const details = [
      { '@type': `${TYPES}.QuotaFailure`, violations: [{ quotaId }] },
      { '@type': `${TYPES}.RetryInfo`, retryDelay: '17.5s' },
    ];
    const player = await playing(answer(error(429, 'RESOURCE_EXHAUSTED', message, details), 429));
    expect(await failedSend(at(player.url))).toMatchObject({
      kind,
      status: 429,
      retryAfterMs: 17_500,
      vendorError: { message },
    });
  });

  test('an error body that does not say it is JSON is read all the same', async () => {
    const details = [
      { '@type': `${TYPES}.ErrorInfo`, reason: 'API_KEY_INVALID' },
      { '@type': `${TYPES}.RetryInfo`, retryDelay: '3s' },
    ];
    const player = await playing(answer(error(400, 'INVALID_ARGUMENT', 'bad key', details), 400, 'text/plain'));
    expect(await failedSend(at(player.url))).toMatchObject({
      kind: 'unauthorized',
      code: 'API_KEY_INVALID',
      retryAfterMs: 3_000,
      vendorError: { message: 'bad key' },
    });
  });

  test.each([
    ['says JSON and is none', '<html>', 'application/json'],
    ['is a web page', '<html>{not json}</html>', 'text/html'],
    ['is empty', '', 'text/plain'],
    ['is a list', '[1]', 'application/json'],
  ])('an error body that %s leaves the status and the headers', async (_, body, type) => {
    const player = await playing((response) => {
      response.writeHead(503, { 'content-type': type, 'retry-after': '7' });
      response.end(body);
    });
    expect(await failedSend(at(player.url))).toEqual({
      kind: 'overloaded',
      status: 503,
      retryAfterMs: 7_000,
      message: `${name} answered 503`,
      vendorError: { message: `${name} answered 503` },
    });
  });

  test('a vendor that cannot be reached', async () => {
    const { url } = await playing(() => {});
    players.pop()?.close();
    expect(await failedSend(at(url))).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' });
    const { failure } = await failedStream(at(url));
    expect(failure).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' });
  });

  test('a request that cannot be put to the vendor has not left', async () => {
    const player = await playing(answer({}));
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const request: ChatRequest = { ...hi, tools: [{ name: 'f', parameters: circular }] };
    expect(await failedSend(at(player.url), request)).toMatchObject({ kind: 'unsupported' });
    expect(player.requests).toHaveLength(0);
  });

  test.each([undefined, null, 'text', 7, new Error('x'), Object.assign(new Error('{"error":7}'), { status: 400 })])(
    'explains %s',
    (thrown) => {
      const wire: Wire = { state: 'idle', status: undefined, header: () => undefined, errorCode: undefined };
      expect(at('http://a.test').explain(thrown, wire)).toMatchObject({ kind: expect.any(String) });
    },
  );

  test.each([
    [{ kind: 'status', status: 429, retryAfter: { form: 'retry-info', ms: 9_000 } }, 'rate-limited'],
    [{ kind: 'status', status: 503, retryAfter: { form: 'seconds', ms: 9_000 } }, 'overloaded'],
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
  ] as const)('the fault %j of the simulator is %s', async (fault, kind) => {
    const provider = atSimulator();
    simulator.vendors.google.break(fault);
    const failures = [await failedSend(provider), (await failedStream(provider)).failure];
    for (const failure of failures) {
      expect(failure).toMatchObject({ kind, ...('retryAfter' in fault && { retryAfterMs: 9_000 }) });
    }
  });

  test.each(['error-before-content', 'error-after-content'] as const)('%s in a stream is overloaded', async (kind) => {
    simulator.vendors.google.break({ kind });
    const { events, failure } = await failedStream(atSimulator());
    expect(failure).toMatchObject({ kind: 'overloaded', status: 503 });
    expect(events.includes('text')).toBe(kind === 'error-after-content');
  });

  // ── leaving ──

  test('a signal that is aborted already sends nothing', async () => {
    const player = await playing(answer(candidate([{ text: 'x' }], 'STOP')));
    const provider = at(player.url);
    await expect(provider.send(hi, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(collect(provider.stream(hi, { signal: AbortSignal.abort() }))).rejects.toThrow();
    expect(player.requests).toHaveLength(0);
  });

  test('an abort before the answer closes the connection', async () => {
    const player = await playing(() => {});
    const controller = new AbortController();
    const sending = at(player.url).send(hi, { signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    await expect(sending).rejects.toThrow();
    await player.leaves();
  });

  test('an abort of a stream that stalls throws, closes the connection and leaves no listener', async () => {
    const player = await playing(stalling(candidate([{ text: 'x' }])));
    const controller = new AbortController();
    const listening = vi.spyOn(controller.signal, 'addEventListener');
    const notListening = vi.spyOn(controller.signal, 'removeEventListener');
    const events: string[] = [];
    const reading = (async () => {
      for await (const event of at(player.url).stream(hi, { signal: controller.signal })) {
        events.push(event.type);
        if (event.type === 'text') setTimeout(() => controller.abort(), 10);
      }
    })();
    await expect(reading).rejects.toThrow();
    await player.leaves();
    expect(events).toEqual(['start', 'text']);
    for (const [type, listener] of listening.mock.calls) expect(notListening).toHaveBeenCalledWith(type, listener);
  });

  test('a consumer that leaves early closes the connection', async () => {
    const player = await playing(stalling(candidate([{ text: 'x' }])));
    for await (const event of at(player.url).stream(hi, { signal: signal() })) {
      if (event.type === 'text') break;
    }
    await player.leaves();
    expect(player.left).toBe(1);
  });

  test('a stream that was read to its end leaves the connection to the next request', async () => {
    const sockets = new Set<unknown>();
    const player = await playing((response, request) => {
      sockets.add(request.socket);
      streamed(candidate([{ text: 'x' }], 'STOP'))(response, request);
    });
    const provider = at(player.url);
    for (let i = 0; i < 10; i++) await eventsOf(provider);
    expect(player.left).toBe(0);
    // The pool opens a second one when a request comes before the first is back.
    expect(sockets.size).toBeLessThanOrEqual(2);
  });
});

// ── each by itself ───────────────────────────────────────────────────────────────────────────────────────────────────

describe('google', () => {
  test('the key comes from the environment, and its absence says what to set', () => {
    vi.stubEnv('GEMINI_API_KEY', '');
    vi.stubEnv('GOOGLE_API_KEY', '');
    expect(() => google('m').connect('m', undefined)).toThrow(/GEMINI_API_KEY or GOOGLE_API_KEY/);
    vi.stubEnv('GOOGLE_API_KEY', 'key-google');
    expect(google('m').connect('m', undefined).account).toEqual({
      endpoint: 'https://generativelanguage.googleapis.com',
      credential: 'key-google',
    });
    vi.stubEnv('GEMINI_API_KEY', 'key-gemini');
    expect(google('m').connect('m', undefined).account.credential).toBe('key-gemini');
  });

  test('a client, a version and headers of the user are used, and routing options are kept apart', async () => {
    const player = await playing(answer(candidate([{ text: 'ok' }], 'STOP')));
    const spec = google('tunedModels/mine', {
      client: new GoogleGenerativeAI('key-2'),
      baseURL: `${player.url}/`,
      apiVersion: 'v1',
      headers: { 'x-team': 'blue' },
      weight: 3,
    });
    expect(spec).toMatchObject({ vendor: 'google', model: 'tunedModels/mine', options: { weight: 3 } });
    await spec.connect(spec.model, undefined).send(hi, { signal: signal() });
    expect(player.requests[0]).toMatchObject({
      path: '/v1/tunedModels/mine:generateContent',
      headers: { 'x-goog-api-key': 'key-2', 'x-team': 'blue' },
    });
  });

  test('a comment in a stream breaks it, as the SDK has it', async () => {
    const body = `: ping\n\n${frame(candidate([{ text: 'x' }], 'STOP'))}`;
    const player = await playing(answer(body, 200, 'text/event-stream'));
    const { failure } = await failedStream(google('m', { apiKey: 'k', baseURL: player.url }).connect('m', undefined));
    expect(failure.kind).toBe('broken');
  });
});

describe('google-genai', () => {
  test('the environment does not switch a target to another API', async () => {
    vi.stubEnv('GOOGLE_GENAI_USE_VERTEXAI', 'true');
    vi.stubEnv('GOOGLE_GENAI_USE_ENTERPRISE', 'true');
    vi.stubEnv('GOOGLE_CLOUD_PROJECT', 'p');
    vi.stubEnv('GOOGLE_CLOUD_LOCATION', 'l');
    const player = await playing(answer(candidate([{ text: 'ok' }], 'STOP')));
    const spec = googleGenAI('gemini-3-flash', { apiKey: 'k', httpOptions: { baseUrl: player.url } });
    await spec.connect(spec.model, undefined).send(hi, { signal: signal() });
    expect(player.requests[0]?.path).toBe('/v1beta/models/gemini-3-flash:generateContent');
  });

  test('Vertex AI is there for who asks for it', () => {
    const { account } = googleGenAI('m', { vertexai: true, project: 'p', location: 'us-east5' }).connect(
      'm',
      undefined,
    );
    expect(account).toEqual({
      endpoint: 'https://us-east5-aiplatform.googleapis.com',
      credential: 'projects/p/locations/us-east5',
    });
  });

  test('the key comes from the environment, and its absence says what to set', () => {
    vi.stubEnv('GEMINI_API_KEY', '');
    vi.stubEnv('GOOGLE_API_KEY', '');
    expect(() => googleGenAI('m').connect('m', undefined)).toThrow(/GEMINI_API_KEY or GOOGLE_API_KEY/);
    vi.stubEnv('GEMINI_API_KEY', 'key-gemini');
    expect(googleGenAI('m').connect('m', undefined).account).toEqual({
      endpoint: 'https://generativelanguage.googleapis.com',
      credential: 'key-gemini',
    });
  });

  test('the version is v1beta unless the user or the environment names one', async () => {
    const player = await playing(answer(candidate([{ text: 'ok' }], 'STOP')));
    const httpOptions = { baseUrl: player.url };
    const targets = [
      () => googleGenAI('m', { apiKey: 'k', httpOptions, apiVersion: 'v1' }),
      () => googleGenAI('m', { apiKey: 'k', httpOptions: { ...httpOptions, apiVersion: 'v2' } }),
    ];
    for (const target of targets) await target().connect('m', undefined).send(hi, { signal: signal() });
    vi.stubEnv('GOOGLE_GENAI_API_VERSION', 'v3');
    await googleGenAI('m', { apiKey: 'k', httpOptions }).connect('m', undefined).send(hi, { signal: signal() });
    expect(player.requests.map(({ path }) => path.split('/')[1])).toEqual(['v1', 'v2', 'v3']);
  });

  test('options stay as the user wrote them, and routing options are kept apart', () => {
    const httpOptions = {};
    vi.stubEnv('GOOGLE_GEMINI_BASE_URL', 'http://a.test');
    const spec = googleGenAI('m', { apiKey: 'k', httpOptions, weight: 3 });
    expect(spec).toMatchObject({ vendor: 'google-genai', options: { weight: 3 } });
    expect(spec.connect('m', undefined).account.endpoint).toBe('http://a.test');
    expect(httpOptions).toEqual({});
  });

  test('a client that retries and has a clock makes one attempt, without a clock', async () => {
    const player = await playing((response) =>
      setTimeout(() => answer(error(503, 'UNAVAILABLE', 'no'), 503)(response, {} as IncomingMessage), 60),
    );
    const client = new GoogleGenAI({
      apiKey: 'k',
      vertexai: false,
      httpOptions: { baseUrl: player.url, timeout: 30, retryOptions: { attempts: 3, initialDelay: 0.01 } },
    });
    const provider = googleGenAI('m', { client }).connect('m', undefined);
    expect(await failedSend(provider)).toMatchObject({ kind: 'overloaded', status: 503 });
    expect((await failedStream(provider)).failure).toMatchObject({ kind: 'overloaded', status: 503 });
    expect(player.requests).toHaveLength(2);
  });

  test('an error in a stream that is not in a frame is understood', async () => {
    const error = { code: 503, message: 'Overloaded.', status: 'UNAVAILABLE' };
    const body = frame(candidate([{ text: 'x' }])) + JSON.stringify({ error }, null, 2);
    const player = await playing(answer(body, 200, 'text/event-stream'));
    const target = googleGenAI('m', { apiKey: 'k', httpOptions: { baseUrl: player.url } });
    expect(await failedStream(target.connect('m', undefined))).toEqual({
      events: ['start', 'text'],
      failure: expect.objectContaining({ kind: 'overloaded', status: 503 }),
    });
  });

  test('a comment in a stream is passed over', async () => {
    const body = `: ping\n\n${frame(candidate([{ text: 'x' }], 'STOP'))}`;
    const player = await playing(answer(body, 200, 'text/event-stream'));
    const events = await eventsOf(
      googleGenAI('m', { apiKey: 'k', httpOptions: { baseUrl: player.url } }).connect('m', undefined),
    );
    expect(events.at(-1)).toEqual({ type: 'finish', reason: 'stop' });
  });
});
