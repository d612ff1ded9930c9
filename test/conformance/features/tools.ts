import type Anthropic from '@anthropic-ai/sdk';
import type OpenAI from 'openai';
import { expect } from 'vitest';
import type { Answer, CallerFormat, Said } from '../callers.ts';
import { as, type Cell, endOf, type Feature, leftOut, skipped } from '../feature.ts';

const SCHEMA = {
  type: 'object' as const,
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};

type ChatTool = NonNullable<NonNullable<Said['chat']>['tools']>[number];

const chatTool = (name: string, strict?: boolean): ChatTool => ({
  type: 'function',
  function: { name, description: `About ${name}.`, parameters: SCHEMA, ...(strict !== undefined && { strict }) },
});

/** A question with tools, as each format says it; `choice` is in the words of Chat Completions. */
const offering = (
  question: string,
  {
    names = ['get_weather'],
    strict,
    choice,
    serial,
  }: {
    readonly names?: readonly string[];
    readonly strict?: boolean;
    readonly choice?: 'auto' | 'none' | 'required' | { readonly tool: string };
    readonly serial?: boolean;
  } = {},
): Said => {
  const parallel = serial ? { parallel_tool_calls: false } : {};
  const inChat = {
    tools: names.map((name) => chatTool(name, strict)),
    ...(choice !== undefined && {
      tool_choice: typeof choice === 'object' ? { type: 'function' as const, function: { name: choice.tool } } : choice,
    }),
    ...parallel,
  };
  const disable = serial ? { disable_parallel_tool_use: true } : {};
  const anthropicChoice = () => {
    if (choice === undefined) return serial ? { type: 'auto' as const, ...disable } : undefined;
    if (typeof choice === 'object') return { type: 'tool' as const, name: choice.tool, ...disable };
    if (choice === 'none') return { type: 'none' as const };
    return { type: choice === 'required' ? ('any' as const) : choice, ...disable };
  };
  const chosen = anthropicChoice();
  return {
    chat: { messages: [{ role: 'user', content: question }], ...inChat },
    glide: { message: { role: 'user', content: question }, ...inChat },
    messages: {
      messages: [{ role: 'user', content: question }],
      tools: names.map((name) => ({
        name,
        description: `About ${name}.`,
        input_schema: SCHEMA,
        ...(strict !== undefined && { strict }),
      })),
      ...(chosen !== undefined && { tool_choice: chosen }),
    },
    responses: {
      input: question,
      tools: names.map((name) => ({
        type: 'function' as const,
        name,
        description: `About ${name}.`,
        parameters: SCHEMA,
        strict: strict ?? false,
      })),
      ...(choice !== undefined && {
        tool_choice: typeof choice === 'object' ? { type: 'function' as const, name: choice.tool } : choice,
      }),
      ...parallel,
    },
  };
};

/** The declared tool at each vendor. What becomes of its schema is for the tests of dialects. */
const declared = {
  openai: { tools: [{ type: 'function', function: { name: 'get_weather', description: 'About get_weather.' } }] },
  responses: { tools: [{ type: 'function', name: 'get_weather', description: 'About get_weather.' }] },
  anthropic: { tools: [{ name: 'get_weather', description: 'About get_weather.', input_schema: { type: 'object' } }] },
  cohere: { tools: [{ type: 'function', function: { name: 'get_weather', description: 'About get_weather.' } }] },
  gemini: {
    tools: [{ functionDeclarations: [{ name: 'get_weather', description: 'About get_weather.' }] }],
  },
};

const calls =
  (...names: string[]): NonNullable<Feature['answer']> =>
  ({ answer, status }, cell) => {
    if (status !== 200) return;
    expect(answer?.calls.map(({ name }) => name)).toEqual(names);
    for (const { id, args } of answer?.calls ?? []) {
      expect(id).not.toBe('');
      expect(args).toEqual({ city: 'some city' });
    }
    // Every call has a name of its own, by which its result is known.
    expect(new Set(answer?.calls.map(({ id }) => id)).size).toBe(names.length);
    if (names.length > 0) expect(answer?.finish).toBe(endsWithCalls(cell));
  };

/** OpenAI says that it stopped where it was made to call this one tool; its simulator says that it called. */
const endsWithCalls = (cell: Cell): string => endOf('calls', cell);

/** A call and its result, as each format says them. */
const returning = ({ isError = false }: { readonly isError?: boolean } = {}): Said => {
  const { chat = {}, messages = {}, responses = {}, glide = {} } = offering('Weather?');
  const call = {
    id: 'call_1',
    type: 'function' as const,
    function: { name: 'get_weather', arguments: '{"city":"Berlin"}' },
  };
  const history = [
    { role: 'user' as const, content: 'Weather?' },
    { role: 'assistant' as const, content: null, tool_calls: [call] },
  ];
  const result = { role: 'tool' as const, tool_call_id: 'call_1', content: '20 °C' };
  const said: Said = {
    messages: {
      ...messages,
      messages: [
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: [{ type: 'tool_use', id: 'call_1', name: 'get_weather', input: { city: 'Berlin' } }],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_1', content: '20 °C', ...(isError && { is_error: true }) },
          ],
        },
      ],
    },
  };
  if (isError) return said;
  return {
    ...said,
    chat: { ...chat, messages: [...history, result] },
    glide: { ...glide, message_history: history, message: result },
    responses: {
      ...responses,
      input: [
        { role: 'user', content: 'Weather?' },
        { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{"city":"Berlin"}' },
        { type: 'function_call_output', call_id: 'call_1', output: '20 °C' },
      ],
    },
  };
};

/** A caller of Messages who wants to see what is thought: the thoughts have to come back with the call. */
const withThought = (said: Said): Said => ({
  ...said,
  messages: { ...said.messages, max_tokens: 4_096, thinking: { type: 'enabled', budget_tokens: 2_048 } },
});

/** What a simulated vendor signs begins with this. */
const SIGNED = Buffer.from('simulated thought').toString('base64').replace(/=*$/, '').slice(0, -1);

/** The conversation with the answer as the client has it, and the result of its one call. */
const givenBack = ({ whole, calls: [call] }: Answer, format: CallerFormat): Said => {
  const said = withThought(offering('What is the weather?'));
  const id = call?.id ?? '';
  const result = { role: 'tool' as const, tool_call_id: id, content: '20 °C' };
  switch (format) {
    case 'chat': {
      const [choice] = (whole as OpenAI.ChatCompletion).choices;
      const messages = [...(said.chat?.messages ?? []), choice?.message as OpenAI.ChatCompletionMessage, result];
      return { chat: { ...said.chat, messages } };
    }
    case 'messages': {
      const { content } = whole as Anthropic.Message;
      const results = [{ type: 'tool_result' as const, tool_use_id: id, content: '20 °C' }];
      const messages = [
        ...(said.messages?.messages ?? []),
        { role: 'assistant' as const, content },
        { role: 'user' as const, content: results },
      ];
      return { messages: { ...said.messages, messages } };
    }
    case 'responses': {
      const { output } = whole as OpenAI.Responses.Response;
      const input = [
        { role: 'user' as const, content: 'What is the weather?' },
        ...(output as OpenAI.Responses.ResponseInputItem[]),
        { type: 'function_call_output' as const, call_id: id, output: '20 °C' },
      ];
      return { responses: { ...said.responses, input } };
    }
    case 'glide': {
      const { message } = (whole as { model_response: { message: OpenAI.ChatCompletionMessageParam } }).model_response;
      const history = [{ role: 'user' as const, content: 'What is the weather?' }, message];
      return { glide: { ...said.glide, message_history: history, message: result } };
    }
  }
};

const readsResult: Feature['answer'] = ({ answer }) => expect(answer?.text).toContain('20 °C');

const IMAGE = 'iVBORw0KGgo=';

export const TOOLS: readonly Feature[] = [
  {
    name: 'tools that are not called',
    says: offering('hi'),
    at: {
      openai: as(declared.openai),
      responses: as({ tools: [{ ...declared.responses.tools[0], strict: false, parameters: SCHEMA }] }),
      anthropic: as(declared.anthropic),
      cohere: as(declared.cohere),
      gemini: as(declared.gemini),
    },
    answer: calls(),
  },
  {
    name: 'a tool call in the answer',
    says: offering('What is the weather?'),
    at: {
      openai: as(declared.openai),
      responses: as(declared.responses),
      anthropic: as(declared.anthropic),
      cohere: as(declared.cohere),
      gemini: as(declared.gemini),
    },
    answer: calls('get_weather'),
  },
  {
    name: 'two tool calls at once',
    says: offering('What is the weather, twice?'),
    at: {
      openai: as(declared.openai),
      responses: as(declared.responses),
      anthropic: as(declared.anthropic),
      cohere: as(declared.cohere),
      gemini: as(declared.gemini),
    },
    answer: calls('get_weather', 'get_weather'),
  },
  {
    name: 'strict tool',
    says: offering('What is the weather?', { strict: true }),
    at: {
      openai: as({ tools: [{ function: { name: 'get_weather', strict: true } }] }),
      responses: as({ tools: [{ name: 'get_weather', strict: true }] }),
      anthropic: as({ tools: [{ name: 'get_weather', strict: true }] }),
      cohere: as({ ...declared.cohere, strict_tools: true }),
      gemini: leftOut(
        'strict tools',
        'Gemini tries to keep to a schema always, and cannot be held to it.',
        declared.gemini,
      ),
    },
    answer: calls('get_weather'),
  },
  {
    name: 'tool choice auto',
    says: offering('What is the weather?', { choice: 'auto' }),
    at: {
      openai: as({ tool_choice: 'auto' }),
      responses: as({ tool_choice: 'auto' }),
      anthropic: as({ tool_choice: { type: 'auto' } }),
      // It is what Cohere does when nothing is said.
      cohere: as(declared.cohere, 'tool_choice'),
      gemini: as({ toolConfig: { functionCallingConfig: { mode: 'AUTO' } } }),
    },
    answer: calls('get_weather'),
  },
  {
    name: 'tool choice none',
    says: offering('What is the weather?', { choice: 'none' }),
    at: {
      openai: as({ tool_choice: 'none' }),
      responses: as({ tool_choice: 'none' }),
      anthropic: as({ tool_choice: { type: 'none' } }),
      cohere: as({ tool_choice: 'NONE' }),
      gemini: as({ toolConfig: { functionCallingConfig: { mode: 'NONE' } } }),
    },
    answer: calls(),
  },
  {
    name: 'tool choice required',
    says: offering('hi', { choice: 'required' }),
    at: {
      openai: as({ tool_choice: 'required' }),
      responses: as({ tool_choice: 'required' }),
      anthropic: as({ tool_choice: { type: 'any' } }),
      cohere: as({ tool_choice: 'REQUIRED' }),
      gemini: as({ toolConfig: { functionCallingConfig: { mode: 'ANY' } } }),
    },
    answer: calls('get_weather'),
  },
  {
    name: 'tool choice of one',
    says: offering('hi', { names: ['get_time', 'get_weather'], choice: { tool: 'get_weather' } }),
    at: {
      openai: as({ tool_choice: { type: 'function', function: { name: 'get_weather' } } }),
      responses: as({ tool_choice: { type: 'function', name: 'get_weather' } }),
      anthropic: as({ tool_choice: { type: 'tool', name: 'get_weather' } }),
      // "A tool", where this one is all there are.
      cohere: as({ ...declared.cohere, tool_choice: 'REQUIRED' }, 'get_time'),
      gemini: as({ toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['get_weather'] } } }),
    },
    answer: calls('get_weather'),
  },
  {
    name: 'one call at a time',
    says: offering('What is the weather, twice?', { serial: true }),
    at: {
      openai: as({ parallel_tool_calls: false }),
      responses: as({ parallel_tool_calls: false }),
      anthropic: as({ tool_choice: { type: 'auto', disable_parallel_tool_use: true } }),
      cohere: skipped(
        'parallel_tool_calls: false',
        'Cohere calls as many as it likes, and a caller who wants one may not be able to answer two.',
      ),
      gemini: skipped(
        'parallel_tool_calls',
        'Gemini calls as many as it likes, and a caller who wants one may not be able to answer two.',
      ),
    },
    answer: calls('get_weather'),
  },
  {
    name: 'a result of a tool',
    says: returning(),
    at: {
      openai: as({
        messages: [
          { role: 'user' },
          {
            role: 'assistant',
            tool_calls: [{ id: 'call_1', function: { name: 'get_weather', arguments: '{"city":"Berlin"}' } }],
          },
          { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: '20 °C' }] },
        ],
      }),
      responses: as({
        input: [
          { role: 'user' },
          { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{"city":"Berlin"}' },
          { type: 'function_call_output', call_id: 'call_1', output: '20 °C' },
        ],
      }),
      anthropic: as({
        messages: [
          { role: 'user' },
          {
            role: 'assistant',
            content: [{ type: 'tool_use', id: 'call_1', name: 'get_weather', input: { city: 'Berlin' } }],
          },
          {
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: 'call_1', content: [{ type: 'text', text: '20 °C' }] }],
          },
        ],
      }),
      cohere: as({
        messages: [
          { role: 'user' },
          {
            role: 'assistant',
            tool_calls: [{ id: 'call_1', function: { name: 'get_weather', arguments: '{"city":"Berlin"}' } }],
          },
          { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: '20 °C' }] },
        ],
      }),
      gemini: as({
        contents: [
          { role: 'user' },
          { role: 'model', parts: [{ functionCall: { name: 'get_weather', args: { city: 'Berlin' } } }] },
          { role: 'user', parts: [{ functionResponse: { name: 'get_weather', response: { output: '20 °C' } } }] },
        ],
      }),
    },
    answer: readsResult,
  },
  {
    name: 'a tool that failed',
    says: returning({ isError: true }),
    at: {
      openai: leftOut('is_error of a tool result', 'The words of the result say that it failed.', {
        messages: [{}, {}, { role: 'tool', content: [{ type: 'text', text: '20 °C' }] }],
      }),
      responses: leftOut('is_error of a tool result', 'The words of the result say that it failed.', {
        input: [{}, {}, { type: 'function_call_output', output: '20 °C' }],
      }),
      anthropic: as({}),
      cohere: leftOut('is_error of a tool result', 'The words of the result say that it failed.', {
        messages: [{}, {}, { role: 'tool', content: [{ type: 'text', text: '20 °C' }] }],
      }),
      gemini: as({ contents: [{}, {}, { parts: [{ functionResponse: { response: { error: '20 °C' } } }] }] }),
    },
    answer: readsResult,
  },
  {
    name: 'an image that a tool returned',
    says: {
      messages: {
        ...offering('Weather?').messages,
        messages: [
          { role: 'user', content: 'Weather?' },
          { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'get_weather', input: {} }] },
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 'call_1',
                content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: IMAGE } }],
              },
            ],
          },
        ],
      },
      responses: {
        ...offering('Weather?').responses,
        input: [
          { role: 'user', content: 'Weather?' },
          { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{}' },
          {
            type: 'function_call_output',
            call_id: 'call_1',
            output: [{ type: 'input_image', image_url: `data:image/png;base64,${IMAGE}` }],
          },
        ],
      },
    },
    // Where a tool returns nothing but text, the user shows it right behind the result.
    at: {
      openai: as({
        messages: [
          {},
          {},
          { role: 'tool' },
          {
            role: 'user',
            content: [{ type: 'text' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${IMAGE}` } }],
          },
        ],
      }),
      responses: as({
        input: [{}, {}, { output: [{ type: 'input_image', image_url: `data:image/png;base64,${IMAGE}` }] }],
      }),
      anthropic: as({
        messages: [
          {},
          {},
          { content: [{ type: 'tool_result', content: [{ type: 'image', source: { type: 'base64', data: IMAGE } }] }] },
        ],
      }),
      cohere: as({
        messages: [
          {},
          {},
          { role: 'tool' },
          {
            role: 'user',
            content: [{ type: 'text' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${IMAGE}` } }],
          },
        ],
      }),
      gemini: as({
        contents: [
          {},
          {},
          { parts: [{ functionResponse: {} }, {}, { inlineData: { mimeType: 'image/png', data: IMAGE } }] },
        ],
      }),
    },
    answer: ({ answer }) => expect(answer?.text).toContain('1 image'),
  },
  {
    name: 'a call, its result and the answer, with the client’s own objects given back',
    says: withThought(offering('What is the weather?')),
    at: {
      openai: as(declared.openai),
      responses: as(declared.responses),
      anthropic: as(declared.anthropic),
      cohere: as(declared.cohere),
      gemini: as(declared.gemini),
    },
    answer: calls('get_weather'),
    goesOn: givenBack,
    holds({ answer }, { format, tongue }, received) {
      expect(answer?.text).toContain('20 °C');
      // What was thought goes back to whom it came from, and what was signed there is still signed.
      const body = JSON.stringify(received);
      if (tongue === 'gemini') expect(body).toContain(`"thoughtSignature":"${SIGNED}`);
      else if (tongue === 'anthropic' && format === 'messages') expect(body).toContain(`"signature":"${SIGNED}`);
      else expect(body).not.toContain(SIGNED);
      expect(body).not.toContain('switchyard');
    },
  },
];
