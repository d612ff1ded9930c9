import {
  type ChatAnswer,
  type ChatRequest,
  type FinishReason,
  isRouterError,
  RouterError,
  type RouterErrorCode,
  type Served,
  type Usage,
} from '@switchyard/core';
import { BodyError } from '../body.ts';
import { causesOf, type Format, nowSeconds, type PrintedError, retryAfterSecondsOf, statusOf } from '../format.ts';
import type { StreamPrinter } from '../print.ts';
import { array, type Body, boolean, isObject, isSet, object, optional, present, string, wrong } from '../read.ts';
import { createCallCounter, resetField, seamComment } from '../seam.ts';
import { parseChat, printToolCall, printToolPiece } from './chat-completions.ts';

// Glide's unified chat (0.1), as callers speak it. What Glide streamed over a WebSocket comes as an event stream here, in
// answer to the same request.

// ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A request as it came, with what only the printing needs to know. */
export interface GlideCall {
  readonly request: ChatRequest;
  readonly stream: boolean;
  /** What the caller calls the request; the answer, and every chunk of it, says it again. */
  readonly id: string | undefined;
  /** The caller's own, which comes back as it is. */
  readonly metadata: Body | undefined;
}

const FIELDS = ['id', 'message', 'message_history', 'override_params', 'metadata', 'stream'];

/** Glide had settings in its config alone. In a request they have the names, and the forms, of Chat Completions. */
const SETTINGS = [
  'max_tokens',
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
];

/** Reads a body. Throws a RouterError `invalid-request` that names the field by its path; no target is asked then. */
export const parseGlide = (body: unknown, headers: Headers): GlideCall => {
  if (!isObject(body)) throw wrong('body', 'an object', body);
  const settings = settingsOf(body, FIELDS);
  const history = optional(body, 'message_history', array) ?? [];
  const request = readChat({ ...settings, messages: [...history, body.message] }, (problem) =>
    problem.replace(MESSAGE, (_, i) => (Number(i) < history.length ? `message_history[${i}]` : 'message')),
  );
  const overrides = Object.entries(optional(body, 'override_params', object) ?? {}).map(([target, override]) => {
    const path = `override_params.${target}`;
    const { message = body.message, ...own } = withoutNull(object(override, path));
    const asked = { ...settings, ...settingsOf(own, [], path), messages: [...history, message] };
    // The rest has been read before, so that what is wrong can only be the override.
    return [target, readChat(asked, (problem) => `${path}.${problem.replace(MESSAGE, 'message')}`)] as const;
  });
  return {
    request: { ...request, ...present('overrides', overrides.length > 0 ? Object.fromEntries(overrides) : undefined) },
    stream: optional(body, 'stream', boolean) ?? /\btext\/event-stream\b/i.test(headers.get('accept') ?? ''),
    id: optional(body, 'id', string),
    metadata: optional(body, 'metadata', object),
  };
};

const settingsOf = (body: Body, others: readonly string[], path = ''): Body => {
  const settings = Object.entries(withoutNull(body)).filter(([name]) => !others.includes(name));
  for (const [name] of settings) {
    if (SETTINGS.includes(name)) continue;
    throw new RouterError('invalid-request', `${path === '' ? name : `${path}.${name}`}: unknown field`);
  }
  return Object.fromEntries(settings);
};

const withoutNull = (body: Body): Body => Object.fromEntries(Object.entries(body).filter(([, value]) => isSet(value)));

/** Where Chat Completions sees a message. */
const MESSAGE = /^messages\[(\d+)\]/;

/** Messages and settings are OpenAI's, and read as such; what is wrong with them is said by its path in Glide's body. */
const readChat = (body: Body & { readonly messages: readonly unknown[] }, rename: (problem: string) => string) => {
  const messages = body.messages.map((message) =>
    isObject(message) && !isSet(message.role) ? { ...message, role: 'user' } : message,
  );
  const { source, ...request } = parse({ ...body, messages }, rename);
  // Neutral words suit every vendor. Only what they lack, such as the name of a speaker, goes to OpenAI's in its own.
  if (source === undefined || Object.keys(request.extra ?? {}).length === 0) return request;
  return { ...request, source: { ...source, body: { ...source.body, stream_options: { include_usage: true } } } };
};

const parse = (body: Body, rename: (problem: string) => string): ChatRequest => {
  try {
    return parseChat(body).request;
  } catch (error) {
    throw isRouterError(error) ? new RouterError(error.code, rename(error.message)) : error;
  }
};

// ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const FINISH_REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'complete',
  length: 'max_tokens',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filtered',
};

/** How an answer ended, as it is gathered. */
interface End {
  readonly reason: FinishReason | undefined;
  readonly refused: boolean;
  readonly called: boolean;
}

const NOT_ENDED: End = { reason: undefined, refused: false, called: false };

const printReason = ({ reason, refused, called }: End): string => {
  if (reason === undefined) return 'other';
  if (refused) return FINISH_REASONS['content-filter'];
  // Some vendors say that they stopped, also where they call a tool.
  return FINISH_REASONS[reason === 'stop' && called ? 'tool-calls' : reason];
};

type GlideNames = Pick<GlideCall, 'id' | 'metadata'>;

/** The body of a plain answer. */
export const printAnswer = (answer: ChatAnswer, { id, metadata }: GlideNames): string => {
  const { text, reasoning, refusal = '', toolCalls, finishReason, usage, served } = answer;
  return JSON.stringify({
    id: id ?? (answer.id || served.requestId),
    created_at: nowSeconds(),
    router_id: served.route,
    ...present('metadata', metadata),
    ...printModel(served, answer.model),
    model_response: {
      metadata: printResponseId(answer.id),
      message: {
        role: 'assistant',
        content: text + refusal,
        ...present('reasoning_content', reasoning),
        ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(printToolCall) }),
      },
      token_usage: printUsage(usage),
    },
    finish_reason: printReason({ reason: finishReason, refused: refusal !== '', called: toolCalls.length > 0 }),
  });
};

const printModel = ({ target }: Served, model: string): Body => ({
  provider_id: target.vendor,
  model_id: target.id,
  model_name: model || target.model,
  cached: false,
});

const printResponseId = (id: string): Body => (id === '' ? {} : { response_id: id });

/** Clients read the counts unasked, also where a vendor has told none. */
const printUsage = ({ inputTokens, outputTokens }: Pick<Usage, 'inputTokens' | 'outputTokens'> = NO_USAGE): Body => ({
  prompt_tokens: inputTokens,
  response_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
});

const NO_USAGE = { inputTokens: 0, outputTokens: 0 };

const encoder = new TextEncoder();
const encode = (data: Body): Uint8Array => encoder.encode(`data: ${JSON.stringify(data)}\n\n`);

/**
 * The frames of a streamed answer, each a message as Glide sent it over its socket. The last one has the reason for which
 * the answer finished; a stream that breaks off ends with an error, which names the caller's request like the others.
 */
export const printStream = ({ id, metadata }: GlideNames, served: Served): StreamPrinter => {
  let head = { id: '', model: '' };
  let end = NOT_ENDED;
  let usage: Usage | undefined;
  const calls = createCallCounter();
  const frame = (content: Body): Uint8Array =>
    encode({
      id: id ?? served.requestId,
      created_at: nowSeconds(),
      router_id: served.route,
      ...present('metadata', metadata),
      ...content,
    });
  const chunk = (
    said: Body,
    last: { readonly finish_reason?: string; readonly token_usage?: Body } = {},
    more: Body = {},
  ): Uint8Array =>
    frame({
      chunk: {
        ...printModel(served, head.model),
        model_response: {
          metadata: printResponseId(head.id),
          message: { role: 'assistant', content: '', ...said },
          ...present('token_usage', last.token_usage),
        },
        ...present('finish_reason', last.finish_reason),
      },
      ...more,
    });
  return {
    *print(event) {
      switch (event.type) {
        case 'start':
          head = event;
          break;
        case 'refusal':
        case 'text':
          if (event.type === 'refusal') end = { ...end, refused: true };
          if (event.text !== '') yield chunk({ content: event.text });
          break;
        case 'reasoning':
          if (event.text !== '') yield chunk({ reasoning_content: event.text });
          break;
        case 'tool-call':
          end = { ...end, called: true };
          yield chunk({ tool_calls: [printToolPiece({ ...event, index: calls.indexOf(event.index) })] });
          break;
        case 'finish':
          end = { ...end, reason: event.reason };
          break;
        case 'usage':
          usage = event.usage;
          break;
        case 'seam':
          calls.takeOver();
          yield seamComment(event);
          if (event.mode === 'continue') break;
          end = NOT_ENDED;
          yield chunk({}, {}, resetField(event));
          break;
      }
    },
    *end() {
      // Only now: vendors tell their usage after the reason, and clients stop at the reason.
      yield chunk({}, { finish_reason: printReason(end), token_usage: printUsage(usage) });
    },
    broken: (error) => [frame({ error: printStreamError(error) })],
  };
};

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type PrintedGlideError = PrintedError & { readonly body: { readonly name: string; readonly message: string } };

// Glide had no words for a budget, or for a request that was refused, or that the caller gave up; the other names are Glide's own.
// biome-ignore format: reads as a table
const NAMES: Readonly<Record<RouterErrorCode, string>> = {
  'invalid-config':     'unknown_error',
  'invalid-request':    'payload_parse_error',
  'unknown-route':      'router_not_found',
  'unknown-answer':     'payload_parse_error',
  'no-capable-target':  'no_model_configured',
  'request-refused':    'request_refused',
  'all-targets-failed': 'all_models_unavailable',
  'budget-spent':       'budget_spent',
  'deadline-exceeded':  'all_models_unavailable',
  'answer-broke-off':   'model_unavailable',
  aborted:              'request_aborted',
};

// biome-ignore format: reads as a table
const BODY_ERRORS: Readonly<Record<BodyError['status'], string>> = {
  400: 'payload_parse_error',
  405: 'method_not_allowed',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  500: 'unknown_error',
};

/** Any error as Glide's error body: what a vendor said of the caller's own request, or what became of each target. */
export const printError = (error: unknown): PrintedGlideError => {
  if (error instanceof BodyError) return ownError(error.status, BODY_ERRORS[error.status], error.message);
  if (!isRouterError(error)) return ownError(500, 'unknown_error', 'Switchyard failed.');
  const { requestId, failure } = error;
  return {
    status: statusOf(error),
    body: {
      name: NAMES[error.code] ?? NAMES['invalid-config'],
      // An override that meets no target is found out by the router, which knows it by its neutral name.
      message: failure?.vendorError?.message ?? error.message.replace(/^overrides\./, 'override_params.'),
      ...present('request_id', requestId),
      ...causesOf(error),
    },
    retryAfterSeconds: retryAfterSecondsOf(error),
  };
};

/** An error that has nothing to do with any target. */
const ownError = (status: number, name: string, message: string): PrintedGlideError => ({
  status,
  body: { name, message },
  retryAfterSeconds: undefined,
});

const printStreamError = (error: unknown): Body => ({ ...printError(error).body, finish_reason: 'error' });

/** The last event of a stream of which nothing else is known. */
export const errorEvent = (error: unknown, { id, metadata }: Partial<GlideNames> = {}): Uint8Array =>
  encode({
    ...present('id', id ?? (isRouterError(error) ? error.requestId : undefined)),
    created_at: nowSeconds(),
    ...present('metadata', metadata),
    error: printStreamError(error),
  });

// ── the format ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const glide: Format = {
  path: 'chat',
  parse(body, headers) {
    const call = parseGlide(body, headers);
    return {
      request: call.request,
      stream: call.stream,
      // A route is always named by the path.
      model: undefined,
      printAnswer: (answer) => printAnswer(answer, call),
      printStream: (served) => printStream(call, served),
      printErrorEvent: (error) => errorEvent(error, call),
    };
  },
  printError,
  printErrorEvent: (error) => errorEvent(error),
  unauthorized: ownError(401, 'unauthorized', 'This request was not authorized.').body,
};
