import type { ChatAnswer, ChatEvent, ChatRequest, ChatResponse, Served } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';
import type { TargetSpec } from '@switchyard/core/provider';
import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as chatCompletions from '../../packages/http/src/formats/chat-completions.ts';
import * as messages from '../../packages/http/src/formats/messages.ts';
import { printedFrames } from '../../packages/http/src/formats/printed-frames.test-kit.ts';
import * as responses from '../../packages/http/src/formats/responses.ts';

// A body that is read into neutral words, and said again in the same format, says the same: nothing that two vendors have
// words for is lost or changed on the way. Bodies that pass through do not take this way; those that go elsewhere do.

type Body = Record<string, unknown>;

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'chat',
  strategy: 'priority',
  target: { id: 'acme/m', vendor: 'acme', model: 'm' },
  attempts: [],
  skipped: [],
  tookMs: 5,
};

const signal = new AbortController().signal;

type Fetch = (url: unknown, init?: { readonly body?: unknown }) => Promise<Response>;

/** What a target that is asked in neutral words alone puts on the wire, but for what every request has there. */
const saidAgain = async (
  { source: _, ...neutral }: ChatRequest,
  target: (fetch: Fetch) => TargetSpec,
  answer: Body,
): Promise<Body> => {
  let sent: Body = {};
  const fetch: Fetch = async (_url, init) => {
    sent = JSON.parse(String(init?.body));
    return Response.json(answer);
  };
  await target(fetch).connect('m', undefined).send(neutral, { signal });
  const { model: _model, stream: _stream, ...body } = sent;
  return body;
};

const nobody: Fetch = () => Promise.reject(new Error('nobody is asked'));

const hi: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] };

const answerOf = async (target: (fetch: Fetch) => TargetSpec, body: Body): Promise<ChatAnswer> => {
  const response: ChatResponse = await target(async () => Response.json(body))
    .connect('m', undefined)
    .send(hi, { signal });
  return { ...response, served: SERVED };
};

const eventsOf = (target: (fetch: Fetch) => TargetSpec, frames: string): AsyncIterable<ChatEvent> =>
  target(async () => new Response(frames, { headers: { 'content-type': 'text/event-stream' } }))
    .connect('m', undefined)
    .stream(hi, { signal });

const textOf = async (chunks: AsyncIterable<Uint8Array>): Promise<string> => {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text;
};

const dataOf = (frames: string): Body[] =>
  [...frames.matchAll(/^data: (\{[^\n]*)$/gm)].map(([, data = '']) => JSON.parse(data) as Body);

const runs = { numRuns: 150 };

// ── what is generated for both ───────────────────────────────────────────────────────────────────────────────────────

/** As it is after a way over the wire, where there is no -0 and nothing undefined. */
const wired = <T>(values: Arbitrary<T>): Arbitrary<T> => values.map((value) => JSON.parse(JSON.stringify(value)) as T);

const aText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const aName = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const aBase64 = fc.base64String({ minLength: 4, maxLength: 40 });
const anObject = wired(fc.dictionary(fc.string({ maxLength: 10 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }));
/** One that every vendor takes, also where it is strict. */
const aSchema = anObject.map((properties) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
}));
const aFraction = wired(fc.double({ min: 0, max: 1, noNaN: true }));
const aCount = fc.integer({ min: 1, max: 100_000 });
const some = <T>(values: Arbitrary<T>, maxLength = 2, minLength = 0): Arbitrary<T[]> =>
  fc.array(values, { minLength, maxLength });

// ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('Messages', () => {
  const target = (fetch: Fetch): TargetSpec =>
    anthropic('m', { apiKey: 'k', baseURL: 'http://vendor', fetch: fetch as typeof globalThis.fetch });

  const aTextBlock = aText.map((text) => ({ type: 'text', text }));
  const anImage = fc
    .oneof(
      fc.record({
        type: fc.constant('base64'),
        media_type: fc.constantFrom('image/png', 'image/jpeg', 'image/gif', 'image/webp'),
        data: aBase64,
      }),
      fc.webUrl().map((url) => ({ type: 'url', url })),
    )
    .map((source) => ({ type: 'image', source }));
  const aDocument = fc.record(
    {
      type: fc.constant('document'),
      source: fc.oneof(
        aBase64.map((data) => ({ type: 'base64', media_type: 'application/pdf', data })),
        aText.map((data) => ({ type: 'text', media_type: 'text/plain', data })),
        fc.webUrl().map((url) => ({ type: 'url', url })),
      ),
      title: aText,
    },
    { requiredKeys: ['type', 'source'] },
  );
  const aBlock = fc.oneof(aTextBlock, anImage, aDocument);
  const aToolUse = fc.record({ type: fc.constant('tool_use'), name: aName, input: anObject });
  const aResult = fc.record(
    { content: some(fc.oneof(aTextBlock, anImage, aDocument), 2, 1), is_error: fc.constant(true) },
    { requiredKeys: [] },
  );
  const aTurn = fc.record({
    said: some(aTextBlock),
    calls: some(fc.record({ use: aToolUse, result: aResult })),
    answer: some(aBlock, 2, 1),
  });

  /** Each call has a result, in the next message and before anything else in it. */
  const aConversation = fc.record({ first: some(aBlock, 2, 1), turns: some(aTurn, 3) }).map(({ first, turns }) => {
    let calls = 0;
    const said: Body[] = [{ role: 'user', content: first }];
    for (const turn of turns) {
      const uses = turn.calls.map(({ use, result }) => ({ id: `toolu_${calls++}`, use, result }));
      const content = [...turn.said, ...uses.map(({ id, use }) => ({ ...use, id }))];
      // An assistant who says nothing is no message.
      if (content.length === 0) continue;
      const results = uses.map(({ id, result }) => ({ type: 'tool_result', tool_use_id: id, ...result }));
      said.push({ role: 'assistant', content }, { role: 'user', content: [...results, ...turn.answer] });
    }
    return said;
  });

  const aTool = fc.record(
    { name: aName, input_schema: aSchema, description: aText, strict: fc.boolean() },
    { requiredKeys: ['name', 'input_schema'] },
  );
  const aChoice = fc.oneof(
    fc.constant({ type: 'none' }),
    fc.record(
      {
        type: fc.constantFrom('auto', 'any'),
        disable_parallel_tool_use: fc.constant(true),
      },
      { requiredKeys: ['type'] },
    ),
    aName.map((name) => ({ type: 'tool', name })),
  );
  const tooled = fc.oneof(
    fc.constant({}),
    fc.record({ tools: some(aTool, 3, 1), tool_choice: aChoice }, { requiredKeys: ['tools'] }),
  );
  const effort = fc.constantFrom('low', 'medium', 'high');
  const thinking = fc.oneof(
    fc.constant({}),
    fc.constant({ thinking: { type: 'disabled' } }),
    fc.constant({ thinking: { type: 'adaptive' } }),
    effort.map((effort) => ({ output_config: { effort } })),
    fc.record(
      {
        thinking: aCount.map((budget_tokens) => ({ type: 'enabled', budget_tokens })),
        output_config: effort.map((effort) => ({ effort })),
      },
      { requiredKeys: ['thinking'] },
    ),
    aSchema.map((schema) => ({ output_config: { format: { type: 'json_schema', schema } } })),
  );
  const settings = fc.record(
    {
      system: some(aTextBlock, 2, 1),
      temperature: aFraction,
      top_p: aFraction,
      top_k: aCount,
      stop_sequences: some(
        aText.filter((text) => text.trim() !== ''),
        3,
        1,
      ),
    },
    { requiredKeys: [] },
  );
  const aBody: Arbitrary<Body> = fc
    .tuple(fc.record({ max_tokens: aCount, messages: aConversation }), settings, tooled, thinking)
    .map((parts) => Object.assign({}, ...parts) as Body);

  const ANSWER = { content: [], stop_reason: 'end_turn' };

  const again = (body: Body): Promise<Body> => saidAgain(messages.parseMessages(body).request, target, ANSWER);

  /** A text is short for one block of text. */
  const inBlocks = (content: unknown): unknown =>
    typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const spelledOut = (body: Body): Body => ({
    ...body,
    ...(body.system !== undefined && { system: inBlocks(body.system) }),
    messages: (body.messages as Body[]).map(({ content, ...message }) => ({
      ...message,
      content: (inBlocks(content) as Body[]).map((block) =>
        'content' in block ? { ...block, content: inBlocks(block.content) } : block,
      ),
    })),
  });

  test('in, and out again: any request', () =>
    fc.assert(
      fc.asyncProperty(aBody, async (body) => {
        expect(await again(body)).toEqual(body);
        const gaps = target(nobody).connect('m', undefined).gaps(messages.parseMessages(body).request);
        expect(gaps.filter(({ harmless }) => harmless !== true)).toEqual([]);
      }),
      runs,
    ));

  // Bodies as Anthropic's own client, and agents, send them.
  const RECORDED: readonly Body[] = [
    { max_tokens: 64, system: 'S', messages: [{ role: 'user', content: 'hi' }] },
    {
      max_tokens: 32_000,
      system: [{ type: 'text', text: 'You are an agent.' }],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'What is in a.txt?' }] },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'I read it.' },
            { type: 'tool_use', id: 'toolu_01A', name: 'Read', input: { file_path: '/a.txt' } },
            { type: 'tool_use', id: 'toolu_01B', name: 'Bash', input: { command: 'ls' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'toolu_01A', content: '     1\thello' },
            { type: 'tool_result', tool_use_id: 'toolu_01B', content: 'ls: no such file', is_error: true },
            { type: 'text', text: 'Go on.' },
          ],
        },
      ],
      tools: [
        {
          name: 'Read',
          description: 'Reads a file.',
          input_schema: {
            $schema: 'http://json-schema.org/draft-07/schema#',
            type: 'object',
            properties: { file_path: { type: 'string', description: 'The path.' } },
            required: ['file_path'],
            additionalProperties: false,
          },
        },
        { name: 'Bash', input_schema: { type: 'object', properties: { command: { type: 'string' } } } },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      thinking: { type: 'enabled', budget_tokens: 31_999 },
      temperature: 1,
    },
  ];

  test.each(RECORDED)('in, and out again: a recorded request (%#)', async (body) => {
    expect(await again(body)).toEqual(spelledOut(body));
  });

  const aStop = fc.oneof(
    fc.constantFrom('end_turn', 'max_tokens').map((stop_reason) => ({ stop_reason, stop_sequence: null })),
    aText.map((stop_sequence) => ({ stop_reason: 'stop_sequence', stop_sequence })),
  );
  const aUsage = fc.record({
    input_tokens: aCount,
    cache_creation_input_tokens: aCount,
    cache_read_input_tokens: aCount,
    output_tokens: aCount,
    output_tokens_details: aCount.map((thinking_tokens) => ({ thinking_tokens })),
  });
  const anAnswer: Arbitrary<Body> = fc
    .record({
      id: aName,
      model: aName,
      text: fc.option(aText, { nil: undefined }),
      calls: some(aToolUse),
      stop: aStop,
      usage: aUsage,
    })
    .map(({ id, model, text, calls, stop, usage }) => ({
      id,
      type: 'message',
      role: 'assistant',
      model,
      content: [
        ...(text === undefined ? [] : [{ type: 'text', text, citations: null }]),
        ...calls.map((call, i) => ({ ...call, id: `toolu_${i}` })),
      ],
      ...(calls.length > 0 ? { stop_reason: 'tool_use', stop_sequence: null } : stop),
      stop_details: null,
      usage,
    }));

  test('out, and in again: any answer', () =>
    fc.assert(
      fc.asyncProperty(anAnswer, async (answer) => {
        const printed = messages.printAnswer(await answerOf(target, answer), { showsThinking: false });
        expect(JSON.parse(printed)).toEqual(answer);
      }),
      runs,
    ));

  const frame = (type: string, data: Body): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

  /** The frames in which Anthropic sends an answer, with texts and inputs in pieces of the given length. */
  const framesOf = (
    { content, stop_reason, stop_sequence, stop_details, usage, ...head }: Body,
    length: number,
  ): string => {
    const pieces = (text: string): string[] => text.match(new RegExp(`[^]{1,${length}}`, 'gu')) ?? [];
    const deltas = (block: Body): Body[] =>
      block.type === 'text'
        ? pieces(String(block.text)).map((text) => ({ type: 'text_delta', text }))
        : pieces(JSON.stringify(block.input)).map((partial_json) => ({ type: 'input_json_delta', partial_json }));
    const blocks = (content as Body[]).map((block, index) => {
      const empty = block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
      return [
        frame('content_block_start', { index, content_block: empty }),
        ...deltas(block).map((delta) => frame('content_block_delta', { index, delta })),
        frame('content_block_stop', { index }),
      ].join('');
    });
    return [
      frame('message_start', { message: { ...head, content: [], stop_reason: null, usage: { input_tokens: 1 } } }),
      ...blocks,
      frame('message_delta', { delta: { stop_reason, stop_sequence, stop_details }, usage: usage as Body }),
      frame('message_stop', {}),
    ].join('');
  };

  /** The answer that frames add up to, and their order. */
  const collated = (frames: string): Body => {
    let head: Body = {};
    let end: Body = {};
    const content: Body[] = [];
    const inputs: string[] = [];
    for (const { type, message, index, content_block, delta, usage } of dataOf(frames)) {
      const { text = '', partial_json = '', ...last } = (delta ?? {}) as { text?: string; partial_json?: string };
      if (type === 'message_start') head = message as Body;
      else if (type === 'content_block_start') {
        expect(index).toBe(content.length);
        content.push(content_block as Body);
        inputs.push('');
      } else if (type === 'content_block_delta') {
        const block = content.at(-1) as Body;
        expect(index).toBe(content.length - 1);
        if (block.type === 'text') block.text = `${block.text}${text}`;
        else inputs[inputs.length - 1] += partial_json;
      } else if (type === 'message_delta') end = { ...last, usage };
    }
    content.forEach((block, i) => {
      if (block.type === 'tool_use') block.input = JSON.parse(inputs[i] || '{}');
    });
    return { ...head, ...end, content };
  };

  test('out, and in again: any stream, in pieces of any size', () =>
    fc.assert(
      fc.asyncProperty(anAnswer, fc.integer({ min: 1, max: 30 }), async (answer, length) => {
        const events = eventsOf(target, framesOf(answer, length));
        const frames = await textOf(printedFrames(events, messages.printStream({ showsThinking: false }, SERVED)));
        expect(collated(frames)).toEqual(answer);
      }),
      runs,
    ));
});

// ── Chat Completions ─────────────────────────────────────────────────────────────────────────────────────────────────

describe('Chat Completions', () => {
  const target = (fetch: Fetch): TargetSpec =>
    openai('m', { apiKey: 'k', baseURL: 'http://vendor/v1', fetch: fetch as typeof globalThis.fetch });

  const aTextPart = aText.map((text) => ({ type: 'text', text }));
  const aPart = fc.oneof(
    aTextPart,
    fc
      .record({ url: fc.webUrl(), detail: fc.constantFrom('low', 'high', 'auto') }, { requiredKeys: ['url'] })
      .map((image_url) => ({ type: 'image_url', image_url })),
    fc.record({ data: aBase64, format: fc.constantFrom('wav', 'mp3') }).map((input_audio) => ({
      type: 'input_audio',
      input_audio,
    })),
    fc
      .oneof(
        fc.record({ file_data: aBase64.map((data) => `data:application/pdf;base64,${data}`), filename: aText }),
        aName.map((file_id) => ({ file_id })),
      )
      .map((file) => ({ type: 'file', file })),
  );
  const aMessage = fc.oneof(
    some(aTextPart, 2, 1).map((content) => ({ role: 'system', content })),
    some(aPart, 2, 1).map((content) => ({ role: 'user', content })),
    some(aTextPart, 2, 1).map((content) => ({ role: 'assistant', content })),
    some(
      fc.record({ id: aName, name: aName, arguments: fc.string() }).map(({ id, ...called }) => ({
        id,
        type: 'function',
        function: called,
      })),
      2,
      1,
    ).map((tool_calls) => ({ role: 'assistant', content: null, tool_calls })),
    fc.record({ role: fc.constant('tool'), tool_call_id: aName, content: some(aTextPart, 2, 1) }),
  );
  const aTool = fc
    .record({ name: aName, description: aText, parameters: aSchema, strict: fc.boolean() }, { requiredKeys: ['name'] })
    .map((definition) => ({ type: 'function', function: definition }));
  const aBody: Arbitrary<Body> = fc.record(
    {
      messages: some(aMessage, 5, 1),
      max_tokens: aCount,
      temperature: aFraction,
      top_p: aFraction,
      stop: some(aText, 3, 1),
      seed: fc.integer(),
      frequency_penalty: aFraction,
      presence_penalty: aFraction,
      tools: some(aTool, 3, 1),
      tool_choice: fc.oneof(
        fc.constantFrom('auto', 'none', 'required'),
        aName.map((name) => ({ type: 'function', function: { name } })),
      ),
      parallel_tool_calls: fc.boolean(),
      response_format: fc.oneof(
        fc.constantFrom({ type: 'text' }, { type: 'json_object' }),
        fc
          .record({ name: aName, schema: aSchema, strict: fc.boolean() })
          .map((json_schema) => ({ type: 'json_schema', json_schema })),
      ),
      reasoning_effort: fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh'),
      logit_bias: fc.constant({ 50256: -100 }),
      user: aName,
      from_next_year: anObject,
    },
    { requiredKeys: ['messages'] },
  );

  const choice = (message: Body, finish_reason: string): Body => ({ index: 0, message, logprobs: null, finish_reason });

  test('in, and out again: any request', () =>
    fc.assert(
      fc.asyncProperty(aBody, async (body) => {
        const answer = { choices: [choice({ content: 'x' }, 'stop')] };
        expect(await saidAgain(chatCompletions.parseChat(body).request, target, answer)).toEqual(body);
      }),
      runs,
    ));

  const anAnswer: Arbitrary<Body> = fc
    .record({
      id: aName,
      model: aName,
      text: aText,
      reasoning: fc.option(aText, { nil: undefined }),
      calls: some(fc.record({ id: aName, name: aName, arguments: fc.string() })),
      finish: fc.constantFrom('stop', 'length', 'tool_calls', 'content_filter'),
      counts: fc.record({ input: aCount, output: aCount, cached: aCount, reasoning: aCount }),
    })
    .map(({ id, model, text, reasoning, calls, finish, counts: { input, output, cached, reasoning: thought } }) => ({
      id,
      object: 'chat.completion',
      created: 0,
      model,
      choices: [
        choice(
          {
            role: 'assistant',
            content: text,
            refusal: null,
            ...(reasoning !== undefined && { reasoning_content: reasoning }),
            ...(calls.length > 0 && {
              tool_calls: calls.map(({ id, ...called }) => ({ id, type: 'function', function: called })),
            }),
          },
          finish,
        ),
      ],
      usage: {
        prompt_tokens: input,
        completion_tokens: output,
        total_tokens: input + output,
        prompt_tokens_details: { cached_tokens: cached },
        completion_tokens_details: { reasoning_tokens: thought },
      },
    }));

  test('out, and in again: any answer', () =>
    fc.assert(
      fc.asyncProperty(anAnswer, async (answer) => {
        const printed = JSON.parse(chatCompletions.printAnswer(await answerOf(target, answer)));
        expect({ ...printed, created: 0 }).toEqual(answer);
      }),
      runs,
    ));

  test('out, and in again: any stream', () =>
    fc.assert(
      fc.asyncProperty(anAnswer, async ({ choices, usage, ...head }) => {
        const [{ message, finish_reason }] = choices as [{ message: Body; finish_reason: string }];
        const { content, reasoning_content, tool_calls = [] } = message as { tool_calls?: Body[] } & Body;
        const chunk = (delta: Body, finish_reason: string | null = null): Body => ({
          ...head,
          object: 'chat.completion.chunk',
          choices: [{ index: 0, delta, logprobs: null, finish_reason }],
          usage: null,
        });
        const chunks = [
          chunk({ role: 'assistant', content: '' }),
          ...(reasoning_content === undefined ? [] : [chunk({ reasoning_content })]),
          chunk({ content }),
          ...tool_calls.map((call, index) => chunk({ tool_calls: [{ index, ...call }] })),
          chunk({}, finish_reason),
          { ...chunk({}), choices: [], usage },
        ];
        const frames = `${chunks.map((data) => `data: ${JSON.stringify(data)}\n\n`).join('')}data: [DONE]\n\n`;
        const call = {
          ...chatCompletions.parseChat({ messages: [{ role: 'user', content: 'hi' }] }),
          includeUsage: true,
        };
        const printed = await textOf(
          printedFrames(eventsOf(target, frames), chatCompletions.printStream(call, SERVED)),
        );
        expect(dataOf(printed).map((data) => ({ ...data, created: 0 }))).toEqual(chunks);
        expect(printed.endsWith('data: [DONE]\n\n')).toBe(true);
      }),
      runs,
    ));
});

// ── Responses ────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('Responses', () => {
  const target = (fetch: Fetch): TargetSpec =>
    openai('m', {
      api: 'responses',
      apiKey: 'k',
      baseURL: 'http://vendor/v1',
      fetch: fetch as typeof globalThis.fetch,
    });

  const shown = aText.map((text) => ({ type: 'input_text', text }));
  const aPart = fc.oneof(
    shown,
    fc.record(
      { type: fc.constant('input_image'), image_url: fc.webUrl(), detail: fc.constantFrom('low', 'high', 'auto') },
      { requiredKeys: ['type', 'image_url'] },
    ),
    fc.oneof(
      fc.record({
        type: fc.constant('input_file'),
        file_data: aBase64.map((data) => `data:application/pdf;base64,${data}`),
        filename: aText,
      }),
      fc.webUrl().map((file_url) => ({ type: 'input_file', file_url })),
      aName.map((file_id) => ({ type: 'input_file', file_id })),
    ),
  );
  const told = (role: string, content: Body[]): Body => ({ type: 'message', role, content });
  const spoken = some(
    aText.map((text) => ({ type: 'output_text', text })),
    2,
    1,
  ).map((content) => told('assistant', content));
  const anOutput = fc.oneof(
    fc.string(),
    some(aPart, 3, 2),
    aPart.filter(({ type }) => type !== 'input_text').map((part) => [part]),
  );
  const aCall = fc.record({ name: aName, arguments: fc.string(), output: anOutput });

  /** What the assistant says comes before what it calls, and the results of all its calls behind them. */
  const aTurn = fc
    .record({ said: fc.option(spoken, { nil: undefined }), calls: some(aCall), next: some(aPart, 2, 1) })
    .map(({ said, calls, next }) => (from: number): Body[] => [
      ...(said === undefined ? [] : [said]),
      ...calls.map(({ output: _, ...call }, i) => ({ type: 'function_call', call_id: `call_${from}_${i}`, ...call })),
      ...calls.map(({ output }, i) => ({ type: 'function_call_output', call_id: `call_${from}_${i}`, output })),
      told('user', next),
    ]);
  const anInput = fc
    .record({ first: some(aPart, 2, 1), turns: some(aTurn, 3), kind: some(shown, 2) })
    .map(({ first, turns, kind }) => [
      told('user', first),
      ...turns.flatMap((turn, i) => turn(i)),
      ...(kind.length === 0 ? [] : [told('system', kind)]),
    ]);
  const aTool = fc.record(
    {
      type: fc.constant('function'),
      name: aName,
      description: aText,
      parameters: fc.oneof(aSchema, fc.constant(null)),
      strict: fc.boolean(),
    },
    { requiredKeys: ['type', 'name', 'parameters', 'strict'] },
  );
  const tooled = fc.oneof(
    fc.constant({}),
    fc.record(
      {
        tools: some(aTool, 3, 1),
        tool_choice: fc.oneof(
          fc.constantFrom('auto', 'none', 'required'),
          aName.map((name) => ({ type: 'function', name })),
        ),
        parallel_tool_calls: fc.boolean(),
      },
      { requiredKeys: ['tools'] },
    ),
  );
  const format = fc.oneof(
    fc.constant({ type: 'text' }),
    fc.record(
      { type: fc.constant('json_schema'), name: aName, schema: aSchema, strict: fc.boolean(), description: aText },
      { requiredKeys: ['type', 'name', 'schema'] },
    ),
  );
  const aBody: Arbitrary<Body> = fc
    .tuple(
      fc.record(
        {
          input: anInput,
          store: fc.boolean(),
          instructions: aText,
          max_output_tokens: fc.integer({ min: 16, max: 100_000 }),
          temperature: aFraction,
          top_p: aFraction,
          text: fc.record(
            { format, verbosity: fc.constantFrom('low', 'medium', 'high') },
            { requiredKeys: ['format'] },
          ),
          reasoning: fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh').map((effort) => ({ effort })),
          metadata: fc.dictionary(aName, aText, { maxKeys: 2 }),
          service_tier: fc.constantFrom('auto', 'flex'),
          prompt_cache_key: aName,
          safety_identifier: aName,
          user: aName,
        },
        { requiredKeys: ['input', 'store'] },
      ),
      tooled,
    )
    .map((parts) => Object.assign({}, ...parts) as Body);

  const aMessage = fc.record({ text: aText, isRefusal: fc.boolean() });
  const anAnswer: Arbitrary<Body> = fc
    .record({
      id: aName,
      model: aName,
      thought: fc.option(aText, { nil: undefined }),
      message: fc.option(aMessage, { nil: undefined }),
      calls: some(fc.record({ call_id: aName, name: aName, arguments: fc.string() })),
      end: fc.constantFrom<(readonly [string, Body | null])[]>(
        ['completed', null],
        ['incomplete', { reason: 'max_output_tokens' }],
        ['incomplete', { reason: 'content_filter' }],
      ),
      counts: fc.record({ input: aCount, output: aCount, cached: aCount, written: aCount, reasoning: aCount }),
    })
    .map(({ id, model, thought, message, calls, end: [status, incomplete_details], counts }) => {
      const output: Body[] = [
        ...(thought === undefined ? [] : [{ type: 'reasoning', summary: [{ type: 'summary_text', text: thought }] }]),
        ...(message === undefined
          ? []
          : [
              told('assistant', [
                message.isRefusal
                  ? { type: 'refusal', refusal: message.text }
                  : { type: 'output_text', text: message.text, annotations: [], logprobs: [] },
              ]),
            ]),
        ...calls.map((call) => ({ type: 'function_call', ...call })),
      ];
      return {
        id,
        object: 'response',
        model,
        status,
        error: null,
        incomplete_details,
        // Thoughts have no state. What was cut off is the last item.
        output: output.map((item, i) =>
          item.type === 'reasoning' ? item : { ...item, status: i === output.length - 1 ? status : 'completed' },
        ),
        usage: {
          input_tokens: counts.input,
          input_tokens_details: { cached_tokens: counts.cached, cache_write_tokens: counts.written },
          output_tokens: counts.output,
          output_tokens_details: { reasoning_tokens: counts.reasoning },
          total_tokens: counts.input + counts.output,
        },
      };
    });

  const call = responses.parseResponses({ input: 'hi' });

  /** Without the names of the items, which are ours, and what an answer says again of its request. */
  const unnamed = (answer: Body): Body => {
    const { id, object, model, status, error, incomplete_details, output, usage } = answer;
    const items = (output as Body[]).map(({ id: _, encrypted_content: __, ...item }) => item);
    return { id, object, model, status, error, incomplete_details, output: items, usage };
  };

  test('in, and out again: any request', () =>
    fc.assert(
      fc.asyncProperty(aBody, async (body) => {
        const answer = { status: 'completed', output: [] };
        const { request } = responses.parseResponses(body);
        expect(await saidAgain(request, target, answer)).toEqual(body);
        const { source: _, ...neutral } = request;
        const gaps = target(nobody).connect('m', undefined).gaps(neutral);
        expect(gaps).toEqual([]);
      }),
      runs,
    ));

  test('out, and in again: any answer', () =>
    fc.assert(
      fc.asyncProperty(anAnswer, async (answer) => {
        const printed = responses.printAnswer(await answerOf(target, answer), call);
        expect(unnamed(JSON.parse(printed))).toEqual(answer);
      }),
      runs,
    ));

  /** The frames in which OpenAI sends an answer, with texts and arguments in pieces of the given length. */
  const sentAs = (answer: Body, length: number): string => {
    const frame = (type: string, data: Body): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
    const pieces = (type: string, output_index: number, text: unknown): string[] =>
      (String(text).match(new RegExp(`[^]{1,${length}}`, 'gu')) ?? []).map((delta) =>
        frame(type, { output_index, delta }),
      );
    const items = (answer.output as Body[]).flatMap((item, output_index) => {
      const [part = {}] = (item.content ?? item.summary ?? []) as Body[];
      const added = frame('response.output_item.added', { output_index, item: { ...item, arguments: '' } });
      switch (item.type) {
        case 'reasoning':
          return [added, ...pieces('response.reasoning_summary_text.delta', output_index, part.text)];
        case 'message':
          return [
            added,
            ...(part.type === 'refusal'
              ? pieces('response.refusal.delta', output_index, part.refusal)
              : pieces('response.output_text.delta', output_index, part.text)),
          ];
        default:
          return [added, ...pieces('response.function_call_arguments.delta', output_index, item.arguments)];
      }
    });
    const created = { ...answer, status: 'in_progress', output: [] };
    return [
      frame('response.created', { response: created }),
      ...items,
      frame(`response.${answer.status}`, { response: answer }),
    ].join('');
  };

  /** The items that the events add up to. Each of them begins, goes on and ends in its own place, and says the same at its end. */
  const collated = (data: readonly Body[]): Body[] => {
    const items: Body[] = [];
    const said: string[] = [];
    data.forEach(({ sequence_number, type, output_index, item_id, item, delta, text, refusal, arguments: args }, i) => {
      expect(sequence_number).toBe(i);
      const index = output_index as number;
      if (type === 'response.output_item.added') {
        expect(index).toBe(items.length);
        items.push(item as Body);
        said.push('');
      } else if (item_id !== undefined) expect(item_id).toBe(items[index]?.id);
      if (delta !== undefined) said[index] = `${said[index]}${delta}`;
      const whole = text ?? refusal ?? args;
      if (whole !== undefined) expect(whole).toBe(said[index]);
      if (type === 'response.output_item.done') items[index] = item as Body;
    });
    return items;
  };

  test('out, and in again: any stream, in pieces of any size', () =>
    fc.assert(
      fc.asyncProperty(anAnswer, fc.integer({ min: 1, max: 30 }), async (answer, length) => {
        const frames = await textOf(
          printedFrames(eventsOf(target, sentAs(answer, length)), responses.printStream(call, SERVED)),
        );
        const data = dataOf(frames);
        const whole = data.at(-1)?.response as Body;
        expect(unnamed(whole)).toEqual(answer);
        expect(collated(data)).toEqual(whole.output);
      }),
      runs,
    ));
});
