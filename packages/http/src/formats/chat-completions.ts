import {
  type ChatAnswer,
  type ChatEvent,
  type ChatRequest,
  type FinishReason,
  isRouterError,
  type Message,
  type OutputFormat,
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
import { causesOf, type Format, nowSeconds, type PrintedError, retryAfterSecondsOf, statusOf } from '../format.ts';
import type { StreamPrinter } from '../print.ts';
import {
  array,
  type Body,
  boolean,
  isObject,
  isSet,
  number,
  object,
  optional,
  present,
  string,
  wrong,
  wrongly,
} from '../read.ts';
import { createCallCounter, dataOf, resetField, seamComment } from '../seam.ts';

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
  'stream_options',
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
  const streamOptions = optional(body, 'stream_options', object) ?? {};
  // Usage is told by us, whatever the vendor is asked for.
  keepRest(streamOptions, ['include_usage'], 'stream_options', extra);
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
    ...present('tools', tools?.length === 0 ? undefined : tools),
    ...present(
      'toolChoice',
      optional(body, 'tool_choice', (value, path) => parseToolChoice(value, path, extra)),
    ),
    ...present('parallelToolCalls', optional(body, 'parallel_tool_calls', boolean)),
    ...present(
      'output',
      optional(body, 'response_format', (value, path) => parseOutput(value, path, extra)),
    ),
    ...present('reasoningEffort', optional(body, 'reasoning_effort', string)),
    extra,
    source: { format: 'openai-chat', body },
  };
  return {
    request,
    model: optional(body, 'model', string),
    stream: optional(body, 'stream', boolean) ?? false,
    includeUsage: optional(streamOptions, 'include_usage', boolean, 'stream_options') ?? false,
  };
};

/** Keeps what is said beside the known fields of an object, under the place of the object and its own name. */
const keepRest = (value: Body, known: readonly string[], place: string, extra: Body): void => {
  for (const [field, said] of Object.entries(value)) {
    if (known.includes(field) || !isSet(said) || (Array.isArray(said) && said.length === 0)) continue;
    // These may stand on anything, and mean the same on all of it.
    extra[field === 'cache_control' || field === 'prompt_cache_breakpoint' ? field : `${place}.${field}`] = said;
  }
};

/** The fields of messages, whatever their role: those that a role does not have, vendors refuse. */
const MESSAGE = ['role', 'content', 'name', 'tool_call_id', 'tool_calls', 'refusal', 'function_call', 'audio'];
const PART = 'messages[].content[]';

const parseMessage = (message: unknown, path: string, extra: Body): Message => {
  if (!isObject(message)) throw wrong(path, 'an object', message);
  const { role, content } = message;
  keepRest(message, MESSAGE, 'messages[]', extra);
  // Who of several people spoke has no word at other vendors; it is named in the trace.
  if (optional(message, 'name', string, path) !== undefined && role !== 'function') extra['messages[].name'] = true;
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: parseTexts(content, `${path}.content`, extra) };
    case 'user':
      return { role: 'user', content: parseParts(content, `${path}.content`, extra) };
    case 'assistant':
      return parseAssistant(message, path, extra);
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

const parseAssistant = (message: Body, path: string, extra: Body): Message => {
  const { content, function_call, audio } = message;
  const toolCalls = optional(message, 'tool_calls', array, path)?.flatMap((call, i) =>
    parseToolCall(call, `${path}.tool_calls[${i}]`, extra),
  );
  const refusal = optional(message, 'refusal', string, path);
  // What OpenAI had before tool calls, and an answer that was spoken: nobody else has the one or the other.
  if (isSet(function_call)) extra['messages[].function_call'] = true;
  if (isSet(audio)) extra['messages[].audio'] = true;
  if (!isSet(content) && toolCalls === undefined && refusal === undefined && !isSet(function_call) && !isSet(audio)) {
    throw wrong(`${path}.content`, 'a text, parts, or tool_calls beside it', content);
  }
  return {
    role: 'assistant',
    content: [
      ...(isSet(content) ? parseTexts(content, `${path}.content`, extra) : []),
      ...(refusal === undefined ? [] : [{ type: 'text' as const, text: refusal }]),
    ],
    ...(toolCalls !== undefined && toolCalls.length > 0 && { toolCalls }),
  };
};

const parseTexts = (content: unknown, path: string, extra: Body): readonly TextPart[] =>
  textsOf(parseParts(content, path, extra), extra);

/** The texts of a turn in which vendors take nothing else; what else there is stays behind, by name. */
export const textsOf = (parts: readonly UserPart[], extra: Body): readonly TextPart[] =>
  parts.flatMap((part): TextPart[] => {
    if (part.type === 'text') return [part];
    if (isRefusal(part)) return [{ type: 'text', text: part.value.refusal }];
    extra[`${part.type === 'unknown' ? part.name : part.type} part outside a user message`] = true;
    return [];
  });

/** What the model said instead of an answer in an earlier turn is something that it said. */
const isRefusal = (part: UserPart): part is UserPart & { readonly value: { readonly refusal: string } } =>
  part.type === 'unknown' && part.name === 'refusal' && isObject(part.value) && typeof part.value.refusal === 'string';

const parseParts = (content: unknown, path: string, extra: Body): readonly UserPart[] => {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(path, 'a text or an array of parts', content);
  return content.map((part, i) => parsePart(part, `${path}[${i}]`, extra));
};

const parsePart = (part: unknown, path: string, extra: Body): UserPart => {
  if (!isObject(part)) throw wrong(path, 'an object', part);
  switch (part.type) {
    case 'text':
      keepRest(part, ['type', 'text'], PART, extra);
      return { type: 'text', text: string(part.text, `${path}.text`) };
    case 'image_url': {
      const image = object(part.image_url, `${path}.image_url`);
      keepRest(part, ['type', 'image_url'], PART, extra);
      keepRest(image, ['url', 'detail'], `${PART}.image_url`, extra);
      const url = string(image.url, `${path}.image_url.url`);
      return { type: 'image', url, ...present('detail', optional(image, 'detail', string, `${path}.image_url`)) };
    }
    case 'input_audio': {
      const audio = object(part.input_audio, `${path}.input_audio`);
      keepRest(part, ['type', 'input_audio'], PART, extra);
      keepRest(audio, ['data', 'format'], `${PART}.input_audio`, extra);
      return {
        type: 'audio',
        data: string(audio.data, `${path}.input_audio.data`),
        format: string(audio.format, `${path}.input_audio.format`),
      };
    }
    case 'file': {
      const file = object(part.file, `${path}.file`);
      keepRest(part, ['type', 'file'], PART, extra);
      keepRest(file, ['file_data', 'file_id', 'filename'], `${PART}.file`, extra);
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

const parseToolCall = (call: unknown, path: string, extra: Body): ToolCall[] => {
  const { id, type, function: called, extra_content, ...rest } = object(call, path);
  if (isOther(type, 'function')) {
    extra[`tool call of type ${type}`] = true;
    return [];
  }
  const { name, arguments: args, ...more } = object(called, `${path}.function`);
  // Clients that put a stream together leave the index there.
  keepRest(rest, ['index'], 'messages[].tool_calls[]', extra);
  keepRest(more, [], 'messages[].tool_calls[].function', extra);
  return [
    {
      id: string(id, `${path}.id`),
      name: string(name, `${path}.function.name`),
      arguments: string(args, `${path}.function.arguments`),
      // Where Google's own OpenAI-compatible API keeps its thought signatures.
      ...(isObject(extra_content) && { extra: extra_content }),
    },
  ];
};

const parseTool = (tool: unknown, path: string, extra: Body): Tool[] => {
  const { type, function: described, ...rest } = object(tool, path);
  if (isOther(string(type, `${path}.type`), 'function')) {
    extra[`tool of type ${type}`] = true;
    return [];
  }
  const at = `${path}.function`;
  const definition = object(described, at);
  keepRest(rest, [], 'tools[]', extra);
  keepRest(definition, ['name', 'description', 'parameters', 'strict'], 'tools[].function', extra);
  return [parseFunction(definition, at)];
};

export const parseFunction = (definition: Body, path: string): Tool => ({
  name: string(definition.name, `${path}.name`),
  ...present('description', optional(definition, 'description', string, path)),
  ...present('parameters', optional(definition, 'parameters', object, path)),
  ...present('strict', optional(definition, 'strict', boolean, path)),
});

const parseToolChoice = (choice: unknown, path: string, extra: Body): ToolChoice | undefined => {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice;
  if (!isObject(choice)) throw wrong(path, "'auto', 'none', 'required' or an object", choice);
  if (choice.type === 'function') {
    return { tool: string(object(choice.function, `${path}.function`).name, `${path}.function.name`) };
  }
  extra.tool_choice = choice;
  return undefined;
};

const parseOutput = (format: unknown, path: string, extra: Body): OutputFormat | undefined => {
  const { type, json_schema } = object(format, path);
  switch (type) {
    case 'text':
      return { type };
    case 'json_object':
      return { type: 'json' };
    case 'json_schema': {
      const at = `${path}.json_schema`;
      const described = object(json_schema, at);
      keepRest(described, ['name', 'schema', 'description', 'strict'], at, extra);
      return {
        type: 'json-schema',
        name: string(described.name, `${at}.name`),
        schema: optional(described, 'schema', object, at) ?? {},
        ...present('description', optional(described, 'description', string, at)),
        ...present('strict', optional(described, 'strict', boolean, at)),
      };
    }
    default:
      string(type, `${path}.type`);
      extra.response_format = format;
      return undefined;
  }
};

const parseStop = (stop: unknown, path: string): readonly string[] =>
  typeof stop === 'string' ? [stop] : array(stop, path).map((each, i) => string(each, `${path}[${i}]`));

/** A type that this version does not know, or that only OpenAI has. */
const isOther = (type: unknown, known: string): type is string => typeof type === 'string' && type !== known;

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
  const silent = text === '' && (toolCalls.length > 0 || refusal !== undefined);
  return JSON.stringify({
    id: answer.id === '' ? answer.served.requestId : answer.id,
    object: 'chat.completion',
    created: nowSeconds(),
    model: answer.model === '' ? answer.served.target.model : answer.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: silent ? null : text,
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

export const printToolCall = ({ id, name, arguments: args, extra }: ToolCall): Body => ({
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

/**
 * The frames of a streamed answer. Bytes that came in this format go out as they came; events of others are printed, as is
 * all that comes after a seam.
 */
export const printStream = ({ includeUsage }: ChatCall, { target, requestId }: Served): StreamPrinter => {
  const calls = createCallCounter();
  /** While bytes are handed on: the frame that the vendor's stream began with. */
  let relayed: Uint8Array | undefined;
  /** The frame that was handed on last. */
  let last: Uint8Array | undefined;
  let begun = false;
  let head: Body = { id: requestId, object: 'chat.completion.chunk', created: nowSeconds(), model: target.model };
  let usage: Usage | undefined;
  const chunk = (delta: Body, finishReason: string | null = null, more: Body = {}): Uint8Array => {
    // The role comes first, whether or not the vendor said that it starts.
    const role = begun ? {} : { role: 'assistant', content: '' };
    begun = true;
    return encode({
      ...head,
      choices: [{ index: 0, delta: { ...role, ...delta }, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
      ...more,
    });
  };
  function* printed(event: ChatEvent, index: number): Generator<Uint8Array, void> {
    if (event.type === 'seam') {
      if (relayed !== undefined) head = { ...head, ...headOf(relayed) };
      relayed = undefined;
      calls.takeOver();
      yield seamComment(event);
      if (event.mode === 'restart') yield chunk({}, null, resetField(event));
    } else if (event.type === 'start') {
      head = { ...head, ...(event.id !== '' && { id: event.id }), ...(event.model !== '' && { model: event.model }) };
      if (!begun) yield chunk({});
    } else if (event.type === 'finish') yield chunk({}, FINISH_REASONS[event.reason]);
    else if (event.type === 'usage') usage = event.usage;
    else if (event.type === 'tool-call') yield chunk(printDelta({ ...event, index }));
    else if (event.type !== 'other' && event.type !== 'unknown') yield chunk(printDelta(event));
  }
  return {
    print(event) {
      const index = event.type === 'tool-call' ? calls.indexOf(event.index) : 0;
      if (event.bytes !== undefined) {
        // Comments may come before it.
        if (relayed === undefined || event.type === 'start') relayed = event.bytes;
        last = event.bytes;
        begun ||= event.type !== 'other';
        return [event.bytes];
      }
      return relayed === undefined || event.type === 'seam' ? printed(event, index) : [];
    },
    *end() {
      // Some servers that resemble OpenAI's leave it out, or lose it on its way, and clients wait for it.
      if (relayed !== undefined && isDone(last)) return;
      if (relayed === undefined && includeUsage && usage !== undefined)
        yield encode({ ...head, choices: [], usage: printUsage(usage) });
      yield DONE;
    },
  };
};

const decoder = new TextDecoder();
const isDone = (frame: Uint8Array | undefined): boolean => /^data: ?\[DONE\]\s*$/m.test(decoder.decode(frame));

/** What all chunks of a vendor's stream have in common, and clients go by. */
const headOf = (frame: Uint8Array): Body => {
  const { id, created, model } = dataOf(frame);
  return {
    ...(typeof id === 'string' && id !== '' && { id }),
    ...(typeof created === 'number' && created > 0 && { created }),
    ...(typeof model === 'string' && model !== '' && { model }),
  };
};

const printDelta = (event: ChatEvent & { type: 'text' | 'reasoning' | 'refusal' | 'tool-call' }): Body => {
  switch (event.type) {
    case 'text':
      return { content: event.text };
    case 'reasoning':
      return { reasoning_content: event.text };
    case 'refusal':
      return { refusal: event.text };
    case 'tool-call':
      return { tool_calls: [printToolPiece(event)] };
  }
};

export const printToolPiece = ({
  index,
  id,
  name,
  arguments: args,
  extra,
}: ChatEvent & { type: 'tool-call' }): Body => ({
  index,
  ...(id !== undefined && { id, type: 'function' }),
  function: { ...(name !== undefined && { name }), arguments: args },
  ...(extra !== undefined && { extra_content: extra }),
});

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type PrintedChatError = PrintedError & { readonly body: { readonly error: Body } };

// biome-ignore format: reads as a table
const TYPES: Readonly<Record<RouterErrorCode, string>> = {
  'invalid-config':     'server_error',
  'invalid-request':    'invalid_request_error',
  'unknown-route':      'invalid_request_error',
  'unknown-answer':     'invalid_request_error',
  'no-capable-target':  'invalid_request_error',
  'request-refused':    'invalid_request_error',
  'all-targets-failed': 'upstream_error',
  'budget-spent':       'insufficient_quota',
  'deadline-exceeded':  'upstream_error',
  'answer-broke-off':   'upstream_error',
  aborted:              'upstream_error',
};

/** Any error as OpenAI's error body: what a vendor said of the caller's own request, or what became of each target. */
export const printError = (error: unknown): PrintedChatError => {
  if (error instanceof BodyError) return ownError(error.status, error.message);
  if (!isRouterError(error)) return ownError(500, 'Switchyard failed.');
  const { requestId, failure } = error;
  const said = failure?.vendorError;
  return {
    status: statusOf(error),
    body: {
      error: {
        message: said?.message ?? error.message,
        type: said?.type ?? TYPES[error.code] ?? TYPES['invalid-config'],
        param: said?.param ?? null,
        code: said === undefined ? String(error.code).replaceAll('-', '_') : (said.code ?? null),
        ...(requestId !== undefined && { request_id: requestId }),
        ...causesOf(error),
      },
    },
    retryAfterSeconds: retryAfterSecondsOf(error),
  };
};

/** An error that has nothing to do with any target. */
const ownError = (status: number, message: string): PrintedChatError => {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  const code = status < 500 ? null : 'internal';
  return { status, body: { error: { message, type, param: null, code } }, retryAfterSeconds: undefined };
};

/** The last event of a stream that broke off. No `[DONE]` follows: clients raise it as an error. */
export const errorEvent = (error: unknown): Uint8Array => encode(printError(error).body);

// ── the format ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const chatCompletions: Format = {
  path: 'chat/completions',
  parse(body) {
    const call = parseChat(body);
    return { ...call, printAnswer, printStream: (served) => printStream(call, served) };
  },
  printError,
  printErrorEvent: errorEvent,
  unauthorized: {
    error: { message: 'This request was not authorized.', type: 'authentication_error', param: null, code: null },
  },
};
