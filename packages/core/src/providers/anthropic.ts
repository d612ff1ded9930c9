import Anthropic, { AnthropicError, APIError, type ClientOptions } from '@anthropic-ai/sdk';
import type { Failure } from '../decide/failure.ts';
import type {
  ChatRequest,
  FilePart,
  ImagePart,
  Message,
  TextPart,
  ToolCall,
  ToolMessage,
  UserPart,
} from '../decide/request.ts';
import type { ChatEvent, ChatResponse, FinishReason, Usage } from '../decide/response.ts';
import type { Call, Gap, Provider, TargetSpec, Wire } from '../provider.ts';
import {
  brokenAnswer,
  extraGaps,
  failureFromUnknown,
  failureFromVendor,
  isObject,
  NO_SDK_TIMEOUT_MS,
  ProviderFailure,
  splitOptions,
} from '../provider-kit.ts';
import { readServerSentEvents, type ServerSentEvent } from '../sse.ts';
import type { TargetOptions } from '../target.ts';
import { type Body, countOf, textOf, withoutUndefined } from './body.ts';

/** The SDK's client options, but for those that would make a second retry loop or a second clock. */
type AnthropicClientOptions = Omit<ClientOptions, 'maxRetries' | 'timeout'>;

/** What is used of a ready client, so that the SDK's clients for Bedrock and Vertex fit as well. */
type AnthropicClient = Pick<Anthropic, 'apiKey' | 'authToken' | 'baseURL'> & {
  readonly messages: Pick<Anthropic['messages'], 'create'>;
};

export type AnthropicTargetOptions = TargetOptions & AnthropicClientOptions & { readonly client?: AnthropicClient };

// biome-ignore format: reads as a list
const CLIENT_KEYS = {
  client: true, apiKey: true, authToken: true, baseURL: true, config: true, credentials: true, dangerouslyAllowBrowser: true, defaultHeaders: true,
  defaultQuery: true, fetch: true, fetchOptions: true, logger: true, logLevel: true, middleware: true, openTelemetry: true, profile: true, webhookKey: true,
} as const satisfies Record<keyof AnthropicClientOptions | 'client', true>;

/** Anthropic does not answer without a limit; this is what a request gets that has none, in tokens. */
const DEFAULT_MAX_TOKENS = 4_096;

/** Anthropic has no JSON mode: it is asked in the system prompt. */
const JSON_PLEASE = 'Answer with one JSON object and nothing else: no words around it, no code fence.';

/** Anthropic wants the user to speak first; a conversation that opens with a greeting gets this before it. */
const OPENING = '(The conversation begins.)';

/** A model at Anthropic, through its Messages API. The key defaults to `ANTHROPIC_API_KEY`. */
export const anthropic = (model: string, options: AnthropicTargetOptions = {}): TargetSpec => {
  const { client: given, routing } = splitOptions<AnthropicClientOptions & { client?: AnthropicClient }>(
    options,
    CLIENT_KEYS,
  );
  const { client, ...clientOptions } = given;
  return {
    vendor: 'anthropic',
    model,
    options: routing,
    connect: (name) => connect(client ?? new Anthropic({ ...clientOptions, maxRetries: 0 }), name),
  };
};

const connect = (client: AnthropicClient, model: string): Provider => {
  const ask = async (request: ChatRequest, stream: boolean, { signal }: Call): Promise<Response> => {
    const body = { ...toAnthropic(request, () => {}), model, stream };
    return client.messages
      .create(body as unknown as Anthropic.MessageCreateParams, { signal, maxRetries: 0, timeout: NO_SDK_TIMEOUT_MS })
      .asResponse();
  };

  return {
    name: 'anthropic',
    model,
    // A function that fetches keys, or a profile, tells nothing before the first request.
    account: { endpoint: client.baseURL, credential: client.apiKey ?? client.authToken ?? 'supplied' },
    gaps,
    async send(request, call) {
      return fromAnthropic(parse(await (await ask(request, false, call)).text(), 'a body'));
    },
    async *stream(request, call) {
      const response = await ask(request, true, call);
      if (response.body === null) throw brokenAnswer('anthropic', 'no body');
      yield* readEvents(response.body);
    },
    explain,
  };
};

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Hears of everything that the translation leaves out, so that gaps and body cannot tell different stories. */
type LeaveOut = (gap: Gap) => void;

const gaps = (request: ChatRequest): readonly Gap[] => {
  const found = new Map<string, Gap>();
  toAnthropic(request, (gap) => found.set(gap.what, gap));
  return [...found.values(), ...extraGaps(request, ['safety_identifier', 'user'])];
};

const toAnthropic = (request: ChatRequest, leaveOut: LeaveOut): Body => {
  if (request.seed !== undefined) leaveOut({ what: 'seed' });
  // A penalty of 0 is none.
  if (request.frequencyPenalty) leaveOut({ what: 'frequency_penalty' });
  if (request.presencePenalty) leaveOut({ what: 'presence_penalty' });
  // Nothing but instructions has to be said by somebody.
  const opening = Math.max(
    0,
    request.messages.findIndex(({ role }) => role !== 'system'),
  );
  return withoutUndefined({
    max_tokens: request.maxOutputTokens ?? DEFAULT_MAX_TOKENS,
    system: toSystem(request.messages.slice(0, opening), request),
    messages: toMessages(request.messages.slice(opening), leaveOut),
    // Gone from the SDK's types, since newer models refuse them; the others still take them.
    temperature: upToOne('temperature', request.temperature, leaveOut),
    top_p: upToOne('top_p', request.topP, leaveOut),
    stop_sequences: toStopSequences(request.stop, leaveOut),
    ...toTools(request),
    output_config: toOutputConfig(request, leaveOut),
    thinking: request.reasoningEffort === 'none' ? { type: 'disabled' } : undefined,
    metadata: toMetadata(request.extra),
  });
};

const toSystem = (messages: readonly Message[], { output }: ChatRequest): readonly Body[] | undefined => {
  const blocks = messages.flatMap((message) => (message.role === 'system' ? toText(message.content) : []));
  if (output?.type === 'json') blocks.push({ type: 'text', text: JSON_PLEASE });
  return blocks.length === 0 ? undefined : blocks;
};

/**
 * Neighbours of one role become one turn. System messages after the first turn are said by the user, where they stand:
 * not every model takes a `system` role among the messages.
 */
const toMessages = (messages: readonly Message[], leaveOut: LeaveOut): readonly Body[] => {
  const turns: { readonly role: 'user' | 'assistant'; readonly content: Body[] }[] = [];
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const blocks = toBlocks(message, leaveOut);
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else if (blocks.length > 0) turns.push({ role, content: blocks });
  }
  if (turns[0]?.role === 'assistant')
    turns.unshift({ role: 'user', content: toText([{ type: 'text', text: OPENING }]) });
  // The results of a turn have to come first in the next one, before anything that was said between them.
  return turns.map(({ role, content }) => ({
    role,
    content: [...content.filter(isResult), ...content.filter((block) => !isResult(block))],
  }));
};

const isResult = (block: Body): boolean => block.type === 'tool_result';

const toBlocks = (message: Message, leaveOut: LeaveOut): Body[] => {
  switch (message.role) {
    case 'system':
      return toText(message.content);
    case 'user':
      return message.content.flatMap((part) => toBlock(part, leaveOut));
    case 'assistant':
      return [...toText(message.content), ...(message.toolCalls ?? []).map((call) => toToolUse(call, leaveOut))];
    case 'tool':
      return [toToolResult(message)];
  }
};

/** Empty texts are refused, and say nothing. */
const toText = (parts: readonly TextPart[]): Body[] =>
  parts.flatMap(({ text }) => (text === '' ? [] : [{ type: 'text', text }]));

const toBlock = (part: UserPart, leaveOut: LeaveOut): readonly Body[] => {
  switch (part.type) {
    case 'text':
      return toText([part]);
    case 'image':
      return toImage(part, leaveOut);
    case 'file':
      return toDocument(part, leaveOut);
    case 'audio':
      leaveOut({ what: 'audio part' });
      return [];
    case 'unknown':
      leaveOut({ what: `${part.name} part` });
      return [];
  }
};

const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/gif', 'image/jpeg', 'image/png', 'image/webp']);

const toImage = ({ url, detail = 'auto' }: ImagePart, leaveOut: LeaveOut): readonly Body[] => {
  if (detail !== 'auto') leaveOut({ what: 'image detail', harmless: true });
  if (/^https?:/i.test(url)) return [{ type: 'image', source: { type: 'url', url } }];
  const { type = '', data } = parseDataUrl(url);
  if (IMAGE_TYPES.has(type)) return [{ type: 'image', source: { type: 'base64', media_type: type, data } }];
  leaveOut({ what: type === '' ? 'image that is neither a web address nor base64' : `image of type ${type}` });
  return [];
};

const toDocument = ({ data: url = '', filename }: FilePart, leaveOut: LeaveOut): readonly Body[] => {
  const { type, data } = parseDataUrl(url);
  if (type === 'application/pdf') {
    const source = { type: 'base64', media_type: type, data };
    return [withoutUndefined({ type: 'document', source, title: filename })];
  }
  leaveOut({ what: url === '' ? 'file by id' : 'file that is no PDF' });
  return [];
};

/** Only the head is matched: the rest may be megabytes. */
const parseDataUrl = (url: string): { readonly type?: string; readonly data?: string } => {
  const head = /^data:([^;,]+)(?:;[^;,]+)*?;base64,/i.exec(url.slice(0, 256));
  if (head?.[1] === undefined) return {};
  // The type that many write for JPEG is none.
  return { type: head[1].toLowerCase().replace('image/jpg', 'image/jpeg'), data: url.slice(head[0].length) };
};

/** A result may be without content, but not with an empty one. */
const toToolResult = ({ toolCallId, content }: ToolMessage): Body => {
  const blocks = toText(content);
  return { type: 'tool_result', tool_use_id: toolCallId, ...(blocks.length > 0 && { content: blocks }) };
};

const toToolUse = (call: ToolCall, leaveOut: LeaveOut): Body => ({
  type: 'tool_use',
  id: call.id,
  name: call.name,
  input: toInput(call.arguments, leaveOut),
});

const toInput = (json: string, leaveOut: LeaveOut): Body => {
  if (json.trim() === '') return {};
  try {
    const input: unknown = JSON.parse(json);
    if (isObject(input)) return input;
  } catch {
    // Models do write arguments that do not parse.
  }
  leaveOut({ what: 'tool call arguments that are not JSON' });
  return {};
};

const upToOne = (what: string, value: number | undefined, leaveOut: LeaveOut): number | undefined => {
  if (value === undefined || (value >= 0 && value <= 1)) return value;
  leaveOut({ what: `${what} outside 0 to 1` });
  return undefined;
};

const toStopSequences = (stop: readonly string[] = [], leaveOut: LeaveOut): readonly string[] | undefined => {
  const sequences = stop.filter((sequence) => sequence.trim() !== '');
  if (sequences.length < stop.length) leaveOut({ what: 'stop at white space' });
  return sequences.length === 0 ? undefined : sequences;
};

const toTools = ({ tools = [], toolChoice, parallelToolCalls = true }: ChatRequest): Body => {
  if (tools.length === 0) return {};
  const choice = toToolChoice(toolChoice ?? 'auto');
  // Where no tool may be called, there is no word for how many.
  const serial = !parallelToolCalls && toolChoice !== 'none';
  return {
    tools: tools.map(({ name, description, parameters, strict }) =>
      withoutUndefined({ name, description, input_schema: { type: 'object', ...parameters }, strict }),
    ),
    ...((serial || toolChoice !== undefined) && {
      tool_choice: { ...choice, ...(serial && { disable_parallel_tool_use: true }) },
    }),
  };
};

const toToolChoice = (choice: NonNullable<ChatRequest['toolChoice']>): Body => {
  if (typeof choice === 'object') return { type: 'tool', name: choice.tool };
  return { type: choice === 'required' ? 'any' : choice };
};

const EFFORTS: ReadonlySet<string> = new Set(['low', 'medium', 'high', 'xhigh', 'max']);

/** The form of the answer, and how hard to think about it; an effort of `none` switches thinking off instead. */
const toOutputConfig = ({ output, reasoningEffort }: ChatRequest, leaveOut: LeaveOut): Body | undefined => {
  const wanted = reasoningEffort === 'minimal' ? 'low' : reasoningEffort;
  const effort = wanted !== undefined && EFFORTS.has(wanted) ? wanted : undefined;
  if (effort !== wanted && wanted !== 'none') leaveOut({ what: `reasoning_effort ${wanted}` });
  const format = output?.type === 'json-schema' ? { type: 'json_schema', schema: output.schema } : undefined;
  return effort === undefined && format === undefined ? undefined : withoutUndefined({ effort, format });
};

const toMetadata = (extra: ChatRequest['extra'] = {}): Body | undefined => {
  const user = textOf(extra.safety_identifier) ?? textOf(extra.user);
  return user === undefined ? undefined : { user_id: user };
};

// ── from the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool-calls',
  refusal: 'content-filter',
};

/** A reason that this version does not know still means that the model finished. */
const toFinishReason = (reason: unknown): FinishReason => {
  if (typeof reason !== 'string') throw brokenAnswer('anthropic', 'an answer without its end');
  return FINISH_REASONS[reason] ?? 'stop';
};

const parse = (json: string, what: 'a body' | 'an event'): Body => {
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch {
    throw brokenAnswer('anthropic', json.trim() === '' ? 'an empty body' : `${what} that is not JSON`);
  }
  if (!isObject(body)) throw brokenAnswer('anthropic', `${what} that is no answer`);
  if (body.type === 'error' || isObject(body.error)) {
    throw new ProviderFailure(failureFromVendor({ vendor: 'anthropic', ...complaint(body) }));
  }
  return body;
};

/** What an error body says; an error inside a stream has the same form. */
const complaint = (
  body: unknown,
): { message: string | undefined; type: string | undefined; code: string | undefined } => {
  const { message, type, details } = isObject(body) && isObject(body.error) ? body.error : {};
  return {
    message: textOf(message),
    type: textOf(type),
    code: isObject(details) ? textOf(details.error_code) : undefined,
  };
};

const fromAnthropic = (body: Body): ChatResponse => {
  if (!Array.isArray(body.content)) throw brokenAnswer('anthropic', 'a body without content');
  const blocks = body.content.filter(isObject);
  const reasoning = blocks.map(({ thinking }) => textOf(thinking) ?? '').join('');
  return {
    id: textOf(body.id) ?? '',
    model: textOf(body.model) ?? '',
    text: blocks.map((block) => textOf(block.text) ?? '').join(''),
    ...(reasoning !== '' && { reasoning }),
    toolCalls: blocks.flatMap((block) => (block.type === 'tool_use' ? [fromToolUse(block)] : [])),
    finishReason: toFinishReason(body.stop_reason),
    ...(isObject(body.usage) && { usage: fromUsage(body.usage) }),
  };
};

const fromToolUse = ({ id, name, input }: Body): ToolCall => ({
  id: textOf(id) ?? '',
  name: textOf(name) ?? '',
  arguments: JSON.stringify(input ?? {}),
});

const fromUsage = (usage: Body): Usage => {
  const details = isObject(usage.output_tokens_details) ? usage.output_tokens_details : {};
  const cached = countOf(usage.cache_read_input_tokens);
  return {
    // Anthropic counts the three apart.
    inputTokens: countOf(usage.input_tokens) + countOf(usage.cache_creation_input_tokens) + cached,
    outputTokens: countOf(usage.output_tokens),
    cachedInputTokens: cached,
    reasoningTokens: countOf(details.thinking_tokens),
  };
};

/**
 * The SDK's own stream ends normally when it is cut or aborted, so the bytes are read here, and the stream has ended
 * well only with its `message_stop`.
 */
async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ChatEvent, void> {
  const read = createEventReader();
  let started = false;
  for await (const frame of readServerSentEvents(body, isStop)) {
    const { event, data } = frame;
    if (data === undefined || data === '') {
      yield { type: 'other' };
      continue;
    }
    started = true;
    const chunk = parse(data, 'an event');
    yield* read(textOf(chunk.type) ?? event, chunk);
    if (isStop(frame)) return;
  }
  throw brokenAnswer('anthropic', started ? 'a stream that stopped before its end' : 'a stream without an event');
}

const isStop = ({ event, data }: ServerSentEvent): boolean =>
  event === 'message_stop' || (event === undefined && data === '{"type":"message_stop"}');

type ReadEvent = (type: string | undefined, chunk: Body) => readonly ChatEvent[];

/** Reads the events of one stream in turn, keeping what later ones refer to. */
const createEventReader = (): ReadEvent => {
  // By the index of its block; `input` is what the call says should no piece of it follow.
  const calls = new Map<unknown, { readonly index: number; input: unknown }>();
  let stopReason: unknown;
  let usage: Body | undefined;

  // The counts are running totals; what is 0 or null in a later frame was told before.
  const told = (totals: unknown): void => {
    if (isObject(totals)) usage = { ...usage, ...Object.fromEntries(Object.entries(totals).filter(([, n]) => n)) };
  };

  const open = (block: Body, at: unknown): readonly ChatEvent[] => {
    if (block.type !== 'tool_use') return said(block);
    const index = calls.size;
    calls.set(at, { index, input: block.input ?? {} });
    return [{ type: 'tool-call', index, id: textOf(block.id) ?? '', name: textOf(block.name) ?? '', arguments: '' }];
  };

  const extend = (delta: Body, at: unknown): readonly ChatEvent[] => {
    const call = calls.get(at);
    if (call === undefined || !delta.partial_json) return said(delta);
    call.input = undefined;
    return [{ type: 'tool-call', index: call.index, arguments: textOf(delta.partial_json) ?? '' }];
  };

  const close = (at: unknown): readonly ChatEvent[] => {
    const call = calls.get(at);
    if (call?.input === undefined) return [{ type: 'other' }];
    return [{ type: 'tool-call', index: call.index, arguments: JSON.stringify(call.input) }];
  };

  return (type, chunk) => {
    switch (type) {
      case 'message_start': {
        const message = isObject(chunk.message) ? chunk.message : {};
        told(message.usage);
        return [{ type: 'start', id: textOf(message.id) ?? '', model: textOf(message.model) ?? '' }];
      }
      case 'content_block_start':
        return open(isObject(chunk.content_block) ? chunk.content_block : {}, chunk.index);
      case 'content_block_delta':
        return extend(isObject(chunk.delta) ? chunk.delta : {}, chunk.index);
      case 'content_block_stop':
        return close(chunk.index);
      case 'message_delta':
        if (isObject(chunk.delta)) stopReason = chunk.delta.stop_reason ?? stopReason;
        told(chunk.usage);
        return [{ type: 'other' }];
      case 'message_stop': {
        const finish: ChatEvent = { type: 'finish', reason: toFinishReason(stopReason) };
        return usage === undefined ? [finish] : [finish, { type: 'usage', usage: fromUsage(usage) }];
      }
      default:
        return [{ type: 'other' }];
    }
  };
};

/** What a block opens with, or a delta adds; signatures and citations are neither text nor thought. */
const said = (piece: Body): readonly ChatEvent[] => {
  if (typeof piece.text === 'string' && piece.text !== '') return [{ type: 'text', text: piece.text }];
  if (typeof piece.thinking === 'string' && piece.thinking !== '') return [{ type: 'reasoning', text: piece.thinking }];
  return [{ type: 'other' }];
};

const explain = (error: unknown, wire: Wire): Failure => {
  if (error instanceof APIError && error.status !== undefined) {
    return failureFromVendor({
      vendor: 'anthropic',
      status: error.status,
      header: (name) => error.headers?.get(name) ?? wire.header(name),
      ...complaint(error.error),
    });
  }
  if (lacksKey(error)) return { kind: 'unauthorized', message: 'anthropic could not be asked without a key' };
  return failureFromUnknown('anthropic', error, wire);
};

/** The SDK looks for a key only when it needs one, and has no class of its own for not finding it. */
const lacksKey = (error: unknown): boolean =>
  error instanceof AnthropicError
    ? !(error instanceof APIError)
    : error instanceof Error && error.message.startsWith('Could not resolve authentication method');
