import {
  type ChatAnswer,
  type ChatEvent,
  type ChatRequest,
  type FinishReason,
  isRouterError,
  type Message,
  type OutputFormat,
  RouterError,
  type RouterErrorCode,
  type Served,
  type TextPart,
  type Tool,
  type ToolCall,
  type ToolChoice,
  type Usage,
  type UserPart,
} from '@switchyard/core';
import { BodyError } from '../body.ts';

// OpenAI Chat Completions, as callers speak it: parse the request, print the answer, the stream and the errors.

// ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A request as it came, with what only the printing needs to know. */
export interface ChatCall {
  readonly request: ChatRequest;
  readonly model: string | undefined;
  readonly stream: boolean;
  /** Whether the stream should end with a chunk of usage. */
  readonly includeUsage: boolean;
}

type Body = Record<string, unknown>;

/** The fields that have neutral names, or are read here. Everything else goes on as `extra`. */
const KNOWN = new Set([
  'model',
  'messages',
  'stream',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'stop',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
]);

/** Reads a body. Throws a RouterError `invalid-request` that names the field by its path; no target is asked then. */
export const parseChat = (body: unknown): ChatCall => {
  if (!isObject(body)) throw wrong('body', 'an object', body);
  const extra = Object.fromEntries(
    Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && value !== null && value !== undefined),
  );
  const messages = optional(body, 'messages', array) ?? wrongly('messages', 'an array', undefined);
  if (messages.length === 0) throw wrong('messages', 'at least one message', messages);
  const tools = optional(body, 'tools', array)?.flatMap((tool, i) => parseTool(tool, `tools[${i}]`, extra));
  const request: ChatRequest = {
    messages: messages.map((message, i) => parseMessage(message, `messages[${i}]`, extra)),
    ...present(
      'maxOutputTokens',
      optional(body, 'max_completion_tokens', number) ?? optional(body, 'max_tokens', number),
    ),
    ...present('temperature', optional(body, 'temperature', number)),
    ...present('topP', optional(body, 'top_p', number)),
    ...present('stop', optional(body, 'stop', parseStop)),
    ...present('seed', optional(body, 'seed', number)),
    ...present('frequencyPenalty', optional(body, 'frequency_penalty', number)),
    ...present('presencePenalty', optional(body, 'presence_penalty', number)),
    ...present('tools', tools),
    ...present(
      'toolChoice',
      optional(body, 'tool_choice', (value, path) => parseToolChoice(value, path, extra)),
    ),
    ...present('parallelToolCalls', optional(body, 'parallel_tool_calls', boolean)),
    ...present(
      'output',
      optional(body, 'response_format', (value, path) => parseOutput(value, path)),
    ),
    ...present('reasoningEffort', optional(body, 'reasoning_effort', string)),
    extra,
    source: { format: 'openai-chat', body },
  };
  const streamOptions = isObject(body.stream_options) ? body.stream_options : {};
  return {
    request,
    model: optional(body, 'model', string),
    stream: optional(body, 'stream', boolean) ?? false,
    includeUsage: streamOptions.include_usage === true,
  };
};

const parseMessage = (message: unknown, path: string, extra: Body): Message => {
  if (!isObject(message)) throw wrong(path, 'an object', message);
  const { role, content } = message;
  // Who of several people spoke has no word at other vendors; it is named in the trace.
  if (typeof message.name === 'string' && role !== 'tool' && role !== 'function') extra['messages[].name'] = true;
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: parseTexts(content, `${path}.content`, extra) };
    case 'user':
      return { role: 'user', content: parseParts(content, `${path}.content`) };
    case 'assistant': {
      const toolCalls = optional(message, 'tool_calls', array, path)?.map((call, i) =>
        parseToolCall(call, `${path}.tool_calls[${i}]`),
      );
      const silent = content === null || content === undefined;
      if (silent && toolCalls === undefined && message.function_call === undefined && message.refusal === undefined) {
        throw wrong(`${path}.content`, 'a text, parts, or tool_calls beside it', content);
      }
      return {
        role,
        content: silent ? [] : parseTexts(content, `${path}.content`, extra),
        ...(toolCalls !== undefined && toolCalls.length > 0 && { toolCalls }),
      };
    }
    case 'tool':
      return {
        role,
        toolCallId: string(message.tool_call_id, `${path}.tool_call_id`),
        content: parseTexts(content, `${path}.content`, extra),
      };
    case 'function':
      return { role: 'user', content: [{ type: 'unknown', name: 'function message', value: message }] };
    default:
      throw wrong(`${path}.role`, 'one of system, developer, user, assistant, tool', role);
  }
};

const parseTexts = (content: unknown, path: string, extra: Body): readonly TextPart[] =>
  parseParts(content, path).flatMap((part): TextPart[] => {
    if (part.type === 'text') return [part];
    // Refusals of earlier turns, say: OpenAI has parts here that nobody else has.
    extra[`${part.type === 'unknown' ? part.name : part.type} part outside a user message`] = true;
    return [];
  });

const parseParts = (content: unknown, path: string): readonly UserPart[] => {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(path, 'a text or an array of parts', content);
  return content.map((part, i) => parsePart(part, `${path}[${i}]`));
};

const parsePart = (part: unknown, path: string): UserPart => {
  if (!isObject(part)) throw wrong(path, 'an object', part);
  switch (part.type) {
    case 'text':
      return { type: 'text', text: string(part.text, `${path}.text`) };
    case 'image_url': {
      const image = object(part.image_url, `${path}.image_url`);
      const url = string(image.url, `${path}.image_url.url`);
      return { type: 'image', url, ...present('detail', optional(image, 'detail', string, `${path}.image_url`)) };
    }
    case 'input_audio': {
      const audio = object(part.input_audio, `${path}.input_audio`);
      return {
        type: 'audio',
        data: string(audio.data, `${path}.input_audio.data`),
        format: string(audio.format, `${path}.input_audio.format`),
      };
    }
    case 'file': {
      const file = object(part.file, `${path}.file`);
      return {
        type: 'file',
        ...present('data', optional(file, 'file_data', string, `${path}.file`)),
        ...present('fileId', optional(file, 'file_id', string, `${path}.file`)),
        ...present('filename', optional(file, 'filename', string, `${path}.file`)),
      };
    }
    default:
      return { type: 'unknown', name: string(part.type, `${path}.type`), value: part };
  }
};

const parseToolCall = (call: unknown, path: string): ToolCall => {
  const { id, function: called, extra_content } = object(call, path);
  const { name, arguments: args } = object(called, `${path}.function`);
  return {
    id: string(id, `${path}.id`),
    name: string(name, `${path}.function.name`),
    arguments: string(args, `${path}.function.arguments`),
    // Where Google's own OpenAI-compatible API keeps its thought signatures.
    ...(isObject(extra_content) && { extra: extra_content }),
  };
};

const parseTool = (tool: unknown, path: string, extra: Body): Tool[] => {
  const { type, function: described } = object(tool, path);
  if (type !== 'function') {
    extra[`tool of type ${string(type, `${path}.type`)}`] = true;
    return [];
  }
  const { name, description, parameters, strict } = object(described, `${path}.function`);
  return [
    {
      name: string(name, `${path}.function.name`),
      ...(typeof description === 'string' && { description }),
      ...(isObject(parameters) && { parameters }),
      ...(typeof strict === 'boolean' && { strict }),
    },
  ];
};

const parseToolChoice = (choice: unknown, path: string, extra: Body): ToolChoice | undefined => {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice;
  if (!isObject(choice)) throw wrong(path, "'auto', 'none', 'required' or an object", choice);
  if (choice.type === 'function')
    return { tool: string(object(choice.function, `${path}.function`).name, `${path}.function.name`) };
  extra.tool_choice = choice;
  return undefined;
};

const parseOutput = (format: unknown, path: string): OutputFormat => {
  const { type, json_schema } = object(format, path);
  switch (type) {
    case 'text':
      return { type };
    case 'json_object':
      return { type: 'json' };
    case 'json_schema': {
      const { name, schema, description, strict } = object(json_schema, `${path}.json_schema`);
      return {
        type: 'json-schema',
        name: string(name, `${path}.json_schema.name`),
        schema: schema === undefined ? {} : object(schema, `${path}.json_schema.schema`),
        ...(typeof description === 'string' && { description }),
        ...(typeof strict === 'boolean' && { strict }),
      };
    }
    default:
      throw wrong(`${path}.type`, "'text', 'json_object' or 'json_schema'", type);
  }
};

const parseStop = (stop: unknown, path: string): readonly string[] =>
  typeof stop === 'string' ? [stop] : array(stop, path).map((each, i) => string(each, `${path}[${i}]`));

// ── reading fields ───────────────────────────────────────────────────────────────────────────────────────────────────

type Read<T> = (value: unknown, path: string) => T;

const isObject = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const wrong = (path: string, expected: string, value: unknown): RouterError => {
  const got =
    value === undefined ? 'nothing' : value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
  return new RouterError('invalid-request', `${path}: expected ${expected}, and got ${got}`);
};

const wrongly = (path: string, expected: string, value: unknown): never => {
  throw wrong(path, expected, value);
};

const string: Read<string> = (value, path) => (typeof value === 'string' ? value : wrongly(path, 'a text', value));
const number: Read<number> = (value, path) => (typeof value === 'number' ? value : wrongly(path, 'a number', value));
const boolean: Read<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : wrongly(path, 'true or false', value);
const array: Read<readonly unknown[]> = (value, path) =>
  Array.isArray(value) ? value : wrongly(path, 'an array', value);
const object: Read<Body> = (value, path) => (isObject(value) ? value : wrongly(path, 'an object', value));

/** A field that may be absent; null is absent too, as OpenAI has it. */
const optional = <T>(body: Body, name: string, read: Read<T>, path = ''): T | undefined => {
  const value = body[name];
  return value === undefined || value === null ? undefined : read(value, path === '' ? name : `${path}.${name}`);
};

const present = <Name extends string, T>(name: Name, value: T | undefined): { [K in Name]?: T } =>
  (value === undefined ? {} : { [name]: value }) as { [K in Name]?: T };

// ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const FINISH_REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
};

/** The body of a plain answer. What came in this format goes out as it came. */
export const printAnswer = (answer: ChatAnswer): string => {
  if (answer.source?.format === 'openai-chat') return answer.source.body;
  const { text, reasoning, refusal, toolCalls } = answer;
  return JSON.stringify({
    id: answer.id,
    object: 'chat.completion',
    created: nowSeconds(),
    model: answer.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && toolCalls.length > 0 ? null : text,
          refusal: refusal ?? null,
          ...(reasoning !== undefined && { reasoning_content: reasoning }),
          ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(printToolCall) }),
        },
        logprobs: null,
        finish_reason: FINISH_REASONS[answer.finishReason],
      },
    ],
    ...(answer.usage !== undefined && { usage: printUsage(answer.usage) }),
  });
};

const printToolCall = ({ id, name, arguments: args, extra }: ToolCall): Body => ({
  id,
  type: 'function',
  function: { name, arguments: args },
  ...(extra !== undefined && { extra_content: extra }),
});

const printUsage = (usage: Usage): Body => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  total_tokens: usage.inputTokens + usage.outputTokens,
  prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
  completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
});

const encoder = new TextEncoder();
const encode = (data: unknown): Uint8Array => encoder.encode(`data: ${JSON.stringify(data)}\n\n`);
const DONE = encoder.encode('data: [DONE]\n\n');

/** The frames of a streamed answer. Bytes that came in this format go out as they came; events of others are printed. */
export async function* printStream(
  events: AsyncIterable<ChatEvent>,
  { includeUsage }: ChatCall,
  { target, requestId }: Served,
): AsyncGenerator<Uint8Array, void> {
  let relayed = false;
  let head: Body = { id: requestId, object: 'chat.completion.chunk', created: nowSeconds(), model: target.model };
  let usage: Usage | undefined;
  const chunk = (delta: Body, finishReason: string | null = null): Uint8Array =>
    encode({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    });
  for await (const event of events) {
    if (event.bytes !== undefined) {
      relayed = true;
      yield event.bytes;
    }
    if (relayed) continue;
    switch (event.type) {
      case 'start':
        head = { ...head, ...(event.id !== '' && { id: event.id }), ...(event.model !== '' && { model: event.model }) };
        yield chunk({ role: 'assistant', content: '' });
        break;
      case 'text':
        yield chunk({ content: event.text });
        break;
      case 'reasoning':
        yield chunk({ reasoning_content: event.text });
        break;
      case 'refusal':
        yield chunk({ refusal: event.text });
        break;
      case 'tool-call':
        yield chunk({ tool_calls: [printToolPiece(event)] });
        break;
      case 'finish':
        yield chunk({}, FINISH_REASONS[event.reason]);
        break;
      case 'usage':
        usage = event.usage;
        break;
      case 'other':
        break;
    }
  }
  if (relayed) return;
  if (includeUsage && usage !== undefined) yield encode({ ...head, choices: [], usage: printUsage(usage) });
  yield DONE;
}

const printToolPiece = ({ index, id, name, arguments: args, extra }: ChatEvent & { type: 'tool-call' }): Body => ({
  index,
  ...(id !== undefined && { id, type: 'function' }),
  function: { ...(name !== undefined && { name }), arguments: args },
  ...(extra !== undefined && { extra_content: extra }),
});

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface PrintedError {
  readonly status: number;
  readonly body: { readonly error: Body };
  readonly retryAfterSeconds: number | undefined;
}

// biome-ignore format: reads as a table
const STATUS: Readonly<Record<RouterErrorCode, { readonly status: number; readonly type: string }>> = {
  'invalid-config':     { status: 500, type: 'server_error' },
  'invalid-request':    { status: 400, type: 'invalid_request_error' },
  'unknown-route':      { status: 404, type: 'invalid_request_error' },
  'no-capable-target':  { status: 400, type: 'invalid_request_error' },
  'request-refused':    { status: 400, type: 'invalid_request_error' },
  'all-targets-failed': { status: 503, type: 'upstream_error' },
  'deadline-exceeded':  { status: 504, type: 'upstream_error' },
  'answer-broke-off':   { status: 502, type: 'upstream_error' },
  aborted:              { status: 499, type: 'upstream_error' },
};

/** Any error as OpenAI's error body: what a vendor said of the caller's own request, or what became of each target. */
export const printError = (error: unknown): PrintedError => {
  if (error instanceof BodyError) {
    const body = { error: { message: error.message, type: 'invalid_request_error', param: null, code: null } };
    return { status: error.status, body, retryAfterSeconds: undefined };
  }
  if (!isRouterError(error)) {
    const body = { error: { message: 'Switchyard failed.', type: 'server_error', param: null, code: 'internal' } };
    return { status: 500, body, retryAfterSeconds: undefined };
  }
  const { status, type } = STATUS[error.code];
  const { requestId, attempts, skipped, retryAfterMs, failure } = error;
  const said = failure?.vendorError;
  const down = error.code === 'all-targets-failed' || error.code === 'deadline-exceeded';
  return {
    status: failure?.status ?? status,
    body: {
      error: {
        message: said?.message ?? error.message,
        type: said?.type ?? type,
        param: said?.param ?? null,
        code: said === undefined ? error.code.replaceAll('-', '_') : (said.code ?? null),
        ...(requestId !== undefined && { request_id: requestId }),
        ...(attempts.length > 0 && {
          attempts: attempts.map(({ target, outcome, status, message, tookMs }) => ({
            target,
            outcome,
            ...(status !== undefined && { status }),
            ...(message !== undefined && { message }),
            ms: Math.round(tookMs),
          })),
        }),
        ...(skipped.length > 0 && { skipped }),
      },
    },
    // Whole seconds are all the header knows; rounded up, so that nobody comes back too early.
    retryAfterSeconds: down ? Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000)) : undefined,
  };
};

/** The last event of a stream that broke off. No `[DONE]` follows: clients raise it as an error. */
export const errorEvent = (error: unknown): Uint8Array => encode(printError(error).body);
