import {
  type Answer,
  type Choice,
  type Finish,
  piecesOf,
  type Question,
  type Tool,
  type Turn,
  tokensOf,
} from '../answer.ts';
import type { JsonObject } from '../json.ts';
import type { Allowance } from '../limit.ts';
import { optional } from '../reader.ts';
import { type Stamp, type StreamEvent, serverSentEvent, type Wire } from '../wire.ts';
import { EMBEDDINGS_PATH, embeddings } from './openai-embeddings.ts';
import { checkEnvelope, EFFORTS, read, readToolName, reject } from './openai-reader.ts';
import { RESPONSES_PATH, responses } from './openai-responses.ts';

const PATH = '/v1/chat/completions';

/** What is different at OpenAI's other paths. */
const OTHERS: Readonly<Record<string, Partial<Wire>>> = { [RESPONSES_PATH]: responses, [EMBEDDINGS_PATH]: embeddings };

/** OpenAI's Chat Completions. */
export const openai: Wire = {
  name: 'openai',
  contentType: { json: 'application/json', stream: 'text/event-stream; charset=utf-8' },
  at: (path) => ({ ...openai, ...OTHERS[path] }),
  read: (request) => readBody(checkEnvelope(request, PATH)),

  print: (answer, _question, stamp) => ({
    ...envelope('chat.completion', answer, stamp),
    choices: answer.choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', refusal: null, ...message(choice, index, stamp), annotations: [] },
      logprobs: null,
      finish_reason: FINISH_REASONS[choice.finish],
    })),
    usage: usage(answer),
  }),

  stream(answer, question, stamp) {
    const head = envelope('chat.completion.chunk', answer, stamp);
    const event = (part: StreamEvent['part'], tokens: number, fields: JsonObject): StreamEvent => ({
      part,
      tokens,
      bytes: serverSentEvent(JSON.stringify({ ...head, ...(question.streamUsage ? { usage: null } : {}), ...fields })),
    });
    const chunk = (
      part: StreamEvent['part'],
      index: number,
      delta: JsonObject,
      tokens = 0,
      finish: Finish = 'unsaid',
    ) => event(part, tokens, { choices: [{ index, delta, logprobs: null, finish_reason: FINISH_REASONS[finish] }] });
    const all = answer.choices;
    return [
      ...all.map(({ toolCalls }, index) =>
        chunk('open', index, { role: 'assistant', content: toolCalls.length > 0 ? null : '', refusal: null }),
      ),
      ...all.flatMap((choice, index) =>
        deltas(choice, index, stamp).map(({ delta, tokens }) => chunk('content', index, delta, tokens)),
      ),
      ...all.map(({ finish }, index) => chunk('end', index, {}, 0, finish)),
      ...(question.streamUsage ? [event('end', 0, { choices: [], usage: usage(answer) })] : []),
      { part: 'end', tokens: 0, bytes: serverSentEvent('[DONE]') },
    ];
  },

  printError({ status, message, code, param }) {
    const usual = ERRORS[status] ?? { type: status < 500 ? 'invalid_request_error' : 'server_error', code: null };
    const text = message ?? usual.message ?? `The server answered with status ${status}.`;
    return { error: { message: text, type: usual.type, param: param ?? null, code: code ?? usual.code } };
  },
  streamError: (problem, stamp) => serverSentEvent(JSON.stringify(openai.printError(problem, stamp))),
  streamGarbage: () => serverSentEvent('{"id":"chatcmpl-garbage","choices":[{"index":0,"delta":{"content":'),

  headers: ({ id }, processingMs) => ({
    'x-request-id': `req_${id}`,
    'openai-processing-ms': String(Math.round(processingMs)),
    'openai-version': '2020-10-01',
  }),
  limitHeaders: ({ requests, tokens }) => ({ ...limits('requests', requests), ...limits('tokens', tokens) }),
  tooMany: (waitMs) => ({
    problem: { status: 429, message: `Rate limit reached. Please try again in ${duration(waitMs)}.` },
    headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)), 'retry-after-ms': String(waitMs) },
  }),

  midway: { status: 500 },
  tooLong: ({ window, tokens } = { window: 128_000, tokens: 130_172 }) => ({
    status: 400,
    code: 'context_length_exceeded',
    param: 'messages',
    message:
      `This model's maximum context length is ${window} tokens. However, your messages resulted in ${tokens} tokens. ` +
      'Please reduce the length of the messages.',
  }),
  declined: undefined,
};

// biome-ignore format: reads as a table
const ERRORS: Readonly<Record<number, { readonly type: string; readonly code: string | null; readonly message?: string }>> = {
  400: { type: 'invalid_request_error', code: null, message: 'We could not understand your request.' },
  401: { type: 'invalid_request_error', code: 'invalid_api_key', message: 'Incorrect API key provided.' },
  402: { type: 'insufficient_quota', code: 'credit_balance_exhausted', message: 'Your credit balance is used up.' },
  403: { type: 'invalid_request_error', code: 'unsupported_country_region_territory', message: 'Country, region, or territory not supported' },
  404: { type: 'invalid_request_error', code: null, message: 'Not found' },
  429: { type: 'requests', code: 'rate_limit_exceeded', message: 'Rate limit reached for requests.' },
  500: { type: 'server_error', code: 'server_error', message: 'The server had an error while processing your request. Sorry about that!' },
  503: { type: 'service_unavailable_error', code: 'server_is_overloaded', message: 'The server is currently overloaded. Please try again later.' },
};

const FINISH_REASONS: Readonly<Record<Finish, string | null>> = {
  stop: 'stop',
  'stop-sequence': 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  filtered: 'content_filter',
  refused: 'stop',
  unsaid: null,
};

const envelope = (object: string, { model }: Answer, { id, nowMs }: Stamp): JsonObject => ({
  id: `chatcmpl-${id}`,
  object,
  created: Math.floor(nowMs / 1_000),
  model,
  service_tier: 'default',
  system_fingerprint: null,
});

const callId = (stamp: Stamp, choice: number, call: number): string => `call_${stamp.id}_${choice}${call}`;

const message = ({ text, toolCalls, finish }: Choice, index: number, stamp: Stamp): JsonObject => {
  if (finish === 'refused') return { content: null, refusal: text };
  if (toolCalls.length === 0) return { content: text };
  return {
    content: null,
    tool_calls: toolCalls.map(({ name, args }, i) => ({
      id: callId(stamp, index, i),
      type: 'function',
      function: { name, arguments: JSON.stringify(args) },
    })),
  };
};

interface Delta {
  readonly delta: JsonObject;
  readonly tokens: number;
}

const deltas = ({ text, toolCalls, finish }: Choice, choice: number, stamp: Stamp): readonly Delta[] => [
  ...piecesOf(text).map((piece) => ({
    delta: { [finish === 'refused' ? 'refusal' : 'content']: piece.text },
    tokens: piece.tokens,
  })),
  ...toolCalls.flatMap(({ name, args }, index) => {
    const call = (fields: JsonObject, tokens: number): Delta => ({
      delta: { tool_calls: [{ index, ...fields }] },
      tokens,
    });
    const id = callId(stamp, choice, index);
    return [
      call({ id, type: 'function', function: { name, arguments: '' } }, tokensOf(name)),
      ...piecesOf(JSON.stringify(args)).map((piece) => call({ function: { arguments: piece.text } }, piece.tokens)),
    ];
  }),
];

const usage = ({ usage: { inputTokens, cachedTokens, outputTokens, reasoningTokens } }: Answer): JsonObject => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
  prompt_tokens_details: { cached_tokens: cachedTokens, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: reasoningTokens,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
});

const limits = (what: string, { limit, remaining, resetMs }: Allowance): Readonly<Record<string, string>> => ({
  [`x-ratelimit-limit-${what}`]: String(limit),
  [`x-ratelimit-remaining-${what}`]: String(remaining),
  [`x-ratelimit-reset-${what}`]: duration(resetMs),
});

/** OpenAI's way to write a duration: `12ms`, `1.5s`, `6m0s`. */
const duration = (ms: number): string => {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms) / 1_000;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.ceil(seconds % 60)}s`;
};

// biome-ignore format: one word after the other
const PARAMETERS = new Set([
  'audio', 'frequency_penalty', 'function_call', 'functions', 'logit_bias', 'logprobs', 'max_completion_tokens',
  'max_tokens', 'messages', 'metadata', 'modalities', 'model', 'moderation', 'n', 'parallel_tool_calls', 'prediction',
  'presence_penalty', 'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention', 'reasoning_effort',
  'response_format', 'safety_identifier', 'seed', 'service_tier', 'stop', 'store', 'stream', 'stream_options',
  'temperature', 'tool_choice', 'tools', 'top_logprobs', 'top_p', 'user', 'verbosity', 'web_search_options',
]);

/** With these vLLM is told that the last turn is open. OpenAI knows neither. */
const OPEN_TURN = ['continue_final_message', 'add_generation_prompt'];

const readBody = (body: JsonObject): Question => {
  for (const field of Object.keys(body)) {
    if (!PARAMETERS.has(field) && !OPEN_TURN.includes(field))
      reject(`Unrecognized request argument supplied: ${field}`, field, 'unknown_parameter');
  }
  const turns = readMessages(body.messages);
  const tools = optional(body.tools, readTools) ?? [];
  const number = (field: string, min: number, max: number, integer = false): number | undefined =>
    optional(body[field], (value) => read.number(value, field, { min, max, integer }));
  number('temperature', 0, 2);
  number('top_p', 0, 1);
  number('frequency_penalty', -2, 2);
  number('presence_penalty', -2, 2);
  number('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, true);
  const most = Number.MAX_SAFE_INTEGER;
  const effort = optional(body.reasoning_effort, (value) => read.oneOf(value, 'reasoning_effort', EFFORTS));
  const stream = optional(body.stream, (value) => read.flag(value, 'stream')) ?? false;
  const streamOptions = optional(body.stream_options, (value) => read.object(value, 'stream_options'));
  if (streamOptions !== undefined && !stream) {
    reject("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options');
  }
  const parallel = optional(body.parallel_tool_calls, (value) => read.flag(value, 'parallel_tool_calls'));
  if (parallel !== undefined && tools.length === 0) {
    reject("'parallel_tool_calls' is only allowed when 'tools' are specified.", 'parallel_tool_calls');
  }
  return {
    model: String(body.model),
    stream,
    turns,
    tools,
    toolChoice: optional(body.tool_choice, (value) => readToolChoice(value, tools)) ?? 'auto',
    parallelToolCalls: parallel ?? true,
    format: optional(body.response_format, (value) => readFormat(value, turns)) ?? { type: 'text' },
    maxOutputTokens: number('max_completion_tokens', 1, most, true) ?? number('max_tokens', 1, most, true),
    stop: optional(body.stop, readStop) ?? [],
    reasoning: effort === undefined || effort === 'none' ? 'none' : 'hidden',
    choices: number('n', 1, 128, true) ?? 1,
    streamUsage: streamOptions?.include_usage === true,
    openTurn: OPEN_TURN.find((field) => field in body),
  };
};

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'] as const;

const readMessages = (value: unknown): readonly Turn[] => {
  // The ids of the calls that the tool messages to come have to answer.
  let awaited: string[] = [];
  const checkAnswered = (path: string): void => {
    if (awaited.length === 0) return;
    reject(
      "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
        `The following tool_call_ids did not have response messages: ${awaited.join(', ')}`,
      path,
    );
  };
  let mayAnswer: readonly string[] = [];
  const turns = read.list(value, 'messages', { min: 1 }).map((item, i): Turn => {
    const path = `messages[${i}]`;
    const given = read.object(item, path);
    const role = read.oneOf(given.role, `${path}.role`, ROLES);
    if (role === 'tool') {
      const id = read.text(given.tool_call_id, `${path}.tool_call_id`);
      if (!mayAnswer.includes(id)) {
        reject(
          `Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.`,
          `${path}.role`,
        );
      }
      awaited = awaited.filter((other) => other !== id);
      return { role, ...readContent(given.content, `${path}.content`) };
    }
    checkAnswered(path);
    mayAnswer = [];
    if (role !== 'assistant') {
      return { role: role === 'user' ? role : 'system', ...readContent(given.content, `${path}.content`) };
    }
    const calls = optional(given.tool_calls, (list) => readToolCalls(list, `${path}.tool_calls`)) ?? [];
    awaited = calls.map(({ id }) => id);
    mayAnswer = awaited;
    const content = optional(given.content, (content) => readContent(content, `${path}.content`));
    if (content === undefined && calls.length === 0 && given.refusal == null) {
      reject(`Invalid value for 'content': expected a string, got null.`, `${path}.content`);
    }
    return { role, images: 0, text: [content?.text ?? '', ...calls.map(({ text }) => text)].join(' ') };
  });
  checkAnswered('messages');
  return turns;
};

const PARTS = ['text', 'image_url', 'input_audio', 'file', 'refusal'] as const;

const readContent = (value: unknown, path: string): { text: string; images: number } => {
  if (typeof value === 'string') return { text: value, images: 0 };
  const texts: string[] = [];
  let images = 0;
  for (const [i, item] of read.list(value, path, { min: 1 }).entries()) {
    const part = read.object(item, `${path}[${i}]`);
    const type = read.oneOf(part.type, `${path}[${i}].type`, PARTS);
    if (type === 'text' || type === 'refusal') texts.push(read.text(part[type], `${path}[${i}].${type}`));
    if (type === 'image_url') {
      const image = read.object(part.image_url, `${path}[${i}].image_url`);
      read.text(image.url, `${path}[${i}].image_url.url`);
      images += 1;
    }
  }
  return { text: texts.join(' '), images };
};

const readToolCalls = (value: unknown, path: string): readonly { id: string; text: string }[] =>
  read.list(value, path, { min: 1 }).map((item, i) => {
    const call = read.object(item, `${path}[${i}]`);
    read.oneOf(call.type, `${path}[${i}].type`, ['function']);
    const called = read.object(call.function, `${path}[${i}].function`);
    const name = read.text(called.name, `${path}[${i}].function.name`);
    const args = read.text(called.arguments, `${path}[${i}].function.arguments`);
    return { id: read.text(call.id, `${path}[${i}].id`), text: `${name}(${args})` };
  });

const readTools = (value: unknown): readonly Tool[] =>
  read.list(value, 'tools', { min: 1, max: 128 }).map((item, i) => {
    const tool = read.object(item, `tools[${i}]`);
    read.oneOf(tool.type, `tools[${i}].type`, ['function']);
    const definition = read.object(tool.function, `tools[${i}].function`);
    const name = readToolName(definition.name, `tools[${i}].function.name`);
    const path = `tools[${i}].function.parameters`;
    return { name, parameters: optional(definition.parameters, (given) => read.object(given, path)) ?? {} };
  });

const readToolChoice = (value: unknown, tools: readonly Tool[]): Question['toolChoice'] => {
  if (value === 'auto' || value === 'none') return value;
  if (tools.length === 0) {
    return reject(
      "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
      'tool_choice',
    );
  }
  if (value === 'required') return [];
  const choice = read.object(value, 'tool_choice');
  const named = (item: unknown, path: string): string => {
    const name = read.text(
      read.object(read.object(item, path).function, `${path}.function`).name,
      `${path}.function.name`,
    );
    if (tools.some((tool) => tool.name === name)) return name;
    return reject(`Tool choice '${name}' not found in 'tools' parameter.`, 'tool_choice');
  };
  if (read.oneOf(choice.type, 'tool_choice.type', ['function', 'allowed_tools']) === 'function') {
    return [named(choice, 'tool_choice')];
  }
  const allowed = read.object(choice.allowed_tools, 'tool_choice.allowed_tools');
  const mode = read.oneOf(allowed.mode, 'tool_choice.allowed_tools.mode', ['auto', 'required']);
  const path = 'tool_choice.allowed_tools.tools';
  const names = read.list(allowed.tools, path, { min: 1 }).map((item, i) => named(item, `${path}[${i}]`));
  return mode === 'auto' ? 'auto' : names;
};

const readFormat = (value: unknown, turns: readonly Turn[]): Question['format'] => {
  const format = read.object(value, 'response_format');
  switch (read.oneOf(format.type, 'response_format.type', ['text', 'json_object', 'json_schema'])) {
    case 'text':
      return { type: 'text' };
    case 'json_object':
      if (!turns.some(({ text }) => /json/i.test(text))) {
        reject(
          "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
          'messages',
        );
      }
      return { type: 'json' };
    case 'json_schema': {
      const named = read.object(format.json_schema, 'response_format.json_schema');
      read.text(named.name, 'response_format.json_schema.name');
      return { type: 'schema', schema: read.object(named.schema, 'response_format.json_schema.schema') };
    }
  }
};

const readStop = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? [value]
    : read.list(value, 'stop', { max: 4 }).map((item, i) => read.text(item, `stop[${i}]`));
