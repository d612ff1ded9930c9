import OpenAI, { type ClientOptions } from 'openai';
import type { Failure } from '../decide/failure.ts';
import type {
  AssistantMessage,
  ChatRequest,
  ChatSettings,
  FilePart,
  Message,
  ToolCall,
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
import { textsOf, withTextResults } from './tool-results.ts';

/** The SDK's client options, but for those that would make a second retry loop or a second clock. */
type OpenAIClientOptions = Omit<ClientOptions, 'maxRetries' | 'timeout'>;

export type OpenAITargetOptions = TargetOptions & OpenAIClientOptions & { readonly client?: OpenAI };

// biome-ignore format: reads as a list
const CLIENT_KEYS = {
  client: true, adminAPIKey: true, apiKey: true, baseURL: true, credential: true, dangerouslyAllowBrowser: true, dataResidency: true, defaultHeaders: true,
  defaultQuery: true, fetch: true, fetchOptions: true, logger: true, logLevel: true, organization: true, project: true, provider: true, webhookSecret: true,
  workloadIdentity: true, x509Transport: true,
} as const satisfies Record<keyof OpenAIClientOptions | 'client', true>;

/**
 * A model at OpenAI, or at any vendor that speaks its Chat Completions: Azure, Ollama, vLLM, Groq, Mistral, OpenRouter …
 * through `baseURL`. The key defaults to `OPENAI_API_KEY`. Requests that arrived as Chat Completions pass through
 * untouched but for `model`, and so do the answers.
 */
export const openai = (model: string, options: OpenAITargetOptions = {}): TargetSpec => {
  const { client, routing } = splitOptions<OpenAIClientOptions & { client?: OpenAI }>(options, CLIENT_KEYS);
  return {
    vendor: 'openai',
    model,
    options: routing,
    connect: (name, params) => connect(client.client ?? new OpenAI(client), name, params),
  };
};

const connect = (client: OpenAI, model: string, params: ChatSettings | undefined): Provider => {
  const dialect = dialectOf(client.baseURL, model);

  const ask = (request: ChatRequest, stream: boolean, { signal }: Call): Promise<Response> => {
    const body: Body = { ...toOpenAI(request, params, dialect, () => {}), model, ...(stream && { stream: true }) };
    // A plain answer asked of a body that came with `stream: true` is still a plain answer, and OpenAI refuses options of
    // a stream where there is none.
    if (!stream) {
      delete body.stream;
      delete body.stream_options;
    }
    if (stream && !passesThrough(request)) body.stream_options = { include_usage: true };
    return client.chat.completions
      .create(body as unknown as OpenAI.ChatCompletionCreateParams, {
        signal,
        maxRetries: 0,
        timeout: NO_SDK_TIMEOUT_MS,
      })
      .asResponse();
  };

  return {
    name: 'openai',
    model,
    account: { endpoint: client.baseURL, credential: client.apiKey ?? '' },
    gaps: (request) => gaps(request, params, dialect),
    async send(request, call) {
      const text = await (await ask(request, false, call)).text();
      const response = fromOpenAI(parse(text));
      return passesThrough(request) ? { ...response, source: { format: FORMAT, body: text } } : response;
    },
    async *stream(request, call) {
      const response = await ask(request, true, call);
      if (response.body === null) throw brokenAnswer('openai', 'no body');
      yield* readEvents(response.body, request, call.signal);
    },
    explain,
  };
};

const FORMAT = 'openai-chat';

const passesThrough = ({ source }: ChatRequest): boolean => source?.format === FORMAT;

/** What OpenAI's own servers, and those that only resemble them, have different words for. */
interface Dialect {
  /** Reasoning models refuse `max_tokens`, and the others know nothing else. */
  readonly maxTokens: 'max_completion_tokens' | 'max_tokens';
  readonly user: 'safety_identifier' | 'user';
  readonly mostStops: number;
  /** The model is known to take `reasoning_effort`. The others refuse a request that has it. */
  readonly thinks: boolean;
}

const dialectOf = (baseURL: string, model: string): Dialect => ({
  ...(/\/\/[^/]*(openai\.com|azure\.com)/.test(baseURL)
    ? { maxTokens: 'max_completion_tokens', user: 'safety_identifier', mostStops: 4 }
    : { maxTokens: 'max_tokens', user: 'user', mostStops: Number.POSITIVE_INFINITY }),
  thinks: /(^|\/)(o\d|gpt-5|gpt-oss|codex)/.test(model),
});

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Hears of everything that the translation leaves out, so that gaps and body cannot tell different stories. */
type LeaveOut = (gap: Gap) => void;

const gaps = (request: ChatRequest, params: ChatSettings | undefined, dialect: Dialect): readonly Gap[] => {
  // Everything can be said to the vendor whose format this is.
  if (passesThrough(request)) return [];
  const found = new Map<string, Gap>();
  toOpenAI(request, params, dialect, (gap) => found.set(gap.what, gap));
  return [...found.values()];
};

const toOpenAI = (
  request: ChatRequest,
  params: ChatSettings | undefined,
  dialect: Dialect,
  leaveOut: LeaveOut,
): Body => {
  const { source } = request;
  if (source?.format === FORMAT) {
    if (params === undefined) return { ...source.body };
    // Both names of one limit in one body are an error at the vendor.
    const { max_tokens, max_completion_tokens, ...body } = source.body;
    const limit = max_completion_tokens === undefined ? { max_tokens } : { max_completion_tokens };
    return { ...body, ...(params.maxOutputTokens === undefined && limit), ...toSettings(params, dialect, () => {}) };
  }
  return {
    ...(source === undefined ? request.extra : fromMessages(request, dialect, leaveOut)),
    ...toSettings(
      source === undefined ? request : withKnownThinking(request, params, dialect, leaveOut),
      dialect,
      leaveOut,
    ),
    messages: withTextResults(request.messages).map((message) => toMessage(message, leaveOut)),
  };
};

/** OpenAI refuses a longer name of a user, in characters. */
const LONGEST_USER = 64;

/** What has a word here of the fields that only Anthropic's Messages have. */
const fromMessages = (request: ChatRequest, { user }: Dialect, leaveOut: LeaveOut): Body => {
  const { metadata } = request.extra ?? {};
  const id = isObject(metadata) ? textOf(metadata.user_id) : undefined;
  const fits = id !== undefined && id.length <= LONGEST_USER;
  for (const gap of extraGaps(request, fits ? ['metadata'] : [])) leaveOut(gap);
  return fits ? { [user]: id } : {};
};

/**
 * Callers of Anthropic's Messages say how much to think as a matter of course. A model that cannot be told answers all the
 * same; of those that can, not all take `none`, and all take `low`. What the target's own settings say is left alone.
 */
const withKnownThinking = (
  request: ChatRequest,
  params: ChatSettings = {},
  { thinks }: Dialect,
  leaveOut: LeaveOut,
): ChatRequest => {
  const { reasoningEffort, maxReasoningTokens, ...others } = request;
  if (params.reasoningEffort !== undefined || params.maxReasoningTokens !== undefined) return request;
  if (thinks) return reasoningEffort === 'none' ? { ...others, reasoningEffort: 'low' } : request;
  if (reasoningEffort !== undefined && reasoningEffort !== 'none') leaveOut({ what: 'thinking', harmless: true });
  return others;
};

const toSettings = (settings: ChatSettings, { maxTokens, mostStops }: Dialect, leaveOut: LeaveOut): Body => {
  if (settings.topK !== undefined) leaveOut({ what: 'top_k' });
  const { stop = [] } = settings;
  if (stop.length > mostStops) leaveOut({ what: `more than ${mostStops} stop sequences` });
  return withoutUndefined({
    [maxTokens]: settings.maxOutputTokens,
    temperature: settings.temperature,
    top_p: settings.topP,
    stop: stop.length > mostStops ? stop.slice(0, mostStops) : settings.stop,
    seed: settings.seed,
    frequency_penalty: settings.frequencyPenalty,
    presence_penalty: settings.presencePenalty,
    tools: settings.tools?.map((tool) => ({ type: 'function', function: withoutUndefined({ ...tool }) })),
    tool_choice:
      typeof settings.toolChoice === 'object'
        ? { type: 'function', function: { name: settings.toolChoice.tool } }
        : settings.toolChoice,
    parallel_tool_calls: settings.parallelToolCalls,
    response_format: toResponseFormat(settings.output),
    reasoning_effort: toEffort(settings),
  });
};

/** OpenAI counts thinking in words, not in tokens. The steps are ours. To leave the model to it is to say nothing. */
const toEffort = ({ reasoningEffort, maxReasoningTokens }: ChatSettings): string | undefined => {
  if (reasoningEffort !== undefined && reasoningEffort !== 'auto') return reasoningEffort;
  if (maxReasoningTokens === undefined) return undefined;
  if (maxReasoningTokens <= 2_048) return 'low';
  return maxReasoningTokens <= 8_192 ? 'medium' : 'high';
};

const toResponseFormat = (output: ChatSettings['output']): Body | undefined => {
  switch (output?.type) {
    case 'json':
      return { type: 'json_object' };
    case 'json-schema': {
      const { type, ...schema } = output;
      return { type: 'json_schema', json_schema: schema };
    }
    default:
      return output;
  }
};

const toMessage = (message: Message, leaveOut: LeaveOut): Body => {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.content.map((part) => toPart(part, leaveOut)) };
    case 'assistant':
      return toAssistantMessage(message);
    case 'tool':
      // The words of the result say that it failed.
      if (message.isError === true) leaveOut({ what: 'is_error of a tool result', harmless: true });
      return { role: 'tool', tool_call_id: message.toolCallId, content: textsOf(message.content) };
    case 'system':
      return { role: 'system', content: message.content };
  }
};

const toAssistantMessage = ({ content, toolCalls = [] }: AssistantMessage): Body => ({
  role: 'assistant',
  content: content.length === 0 ? null : content,
  ...(toolCalls.length > 0 && {
    tool_calls: toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.arguments },
    })),
  }),
});

const toPart = (part: UserPart, leaveOut: LeaveOut): Body => {
  switch (part.type) {
    case 'text':
      return { ...part };
    case 'image':
      return { type: 'image_url', image_url: withoutUndefined({ url: part.url, detail: part.detail }) };
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.data, format: part.format } };
    case 'file':
      return toFile(part, leaveOut);
    case 'unknown':
      leaveOut({ what: `${part.name} part` });
      return NOTHING;
  }
};

/** What stands for a part at a target that drops what it cannot express. */
const NOTHING: Body = { type: 'text', text: '' };

const toFile = ({ data, fileId, url, filename }: FilePart, leaveOut: LeaveOut): Body => {
  if (data === undefined && fileId === undefined && url !== undefined) {
    leaveOut({ what: 'file by URL' });
    return NOTHING;
  }
  // OpenAI refuses data without a name.
  const name = filename ?? (data === undefined ? undefined : 'file');
  return { type: 'file', file: withoutUndefined({ file_data: data, file_id: fileId, filename: name }) };
};

// ── from the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  function_call: 'tool-calls',
  content_filter: 'content-filter',
};

/** A reason that this version does not know still means that the model finished. */
const toFinishReason = (reason: string): FinishReason => FINISH_REASONS[reason] ?? 'stop';

const parse = (text: string): Body => {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw brokenAnswer('openai', text.trim() === '' ? 'an empty body' : 'a body that is not JSON');
  }
  if (!isObject(body)) throw brokenAnswer('openai', 'a body that is no answer');
  if (body.error !== undefined && body.error !== null) throw embeddedError(body.error);
  return body;
};

const embeddedError = (error: unknown): ProviderFailure => {
  const { message, type, code, param } = isObject(error) ? error : { message: String(error) };
  return new ProviderFailure(
    failureFromVendor({
      vendor: 'openai',
      // Proxies such as OpenRouter put the status of the vendor behind them here.
      status: typeof code === 'number' && code >= 400 && code < 600 ? code : undefined,
      message: textOf(message),
      type: textOf(type),
      code: textOf(code),
      param: textOf(param),
    }),
  );
};

const fromOpenAI = (body: Body): ChatResponse => {
  const choice = Array.isArray(body.choices) ? body.choices[0] : undefined;
  if (!isObject(choice) || !isObject(choice.message)) throw brokenAnswer('openai', 'a body without choices');
  const { message, finish_reason } = choice;
  const toolCalls = Array.isArray(message.tool_calls) ? message.tool_calls.map(fromToolCall) : [];
  const content = textOf(message.content) ?? '';
  const refusal = textOf(message.refusal);
  const reasoning = textOf(message.reasoning_content);
  if (typeof finish_reason !== 'string') throw brokenAnswer('openai', 'an answer without its end');
  return {
    id: textOf(body.id) ?? '',
    model: textOf(body.model) ?? '',
    text: content,
    ...(refusal !== undefined && { refusal }),
    ...(reasoning !== undefined && { reasoning }),
    toolCalls,
    finishReason: toFinishReason(finish_reason),
    ...(isObject(body.usage) && { usage: fromUsage(body.usage) }),
  };
};

const fromToolCall = (call: unknown): ToolCall => {
  const { id, function: called } = isObject(call) ? call : {};
  const { name, arguments: args } = isObject(called) ? called : {};
  return { id: textOf(id) ?? '', name: textOf(name) ?? '', arguments: textOf(args) ?? '' };
};

const fromUsage = (usage: Body): Usage => {
  const input = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const output = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {};
  return {
    inputTokens: countOf(usage.prompt_tokens),
    outputTokens: countOf(usage.completion_tokens),
    cachedInputTokens: countOf(input.cached_tokens),
    reasoningTokens: countOf(output.reasoning_tokens),
  };
};

/**
 * The SDK's own stream ends normally when a connection is cut between two events, and it hands on objects, not bytes.
 * So the bytes are read here, and the stream has ended well only when every choice has said why it finished.
 */
async function* readEvents(
  body: ReadableStream<Uint8Array>,
  request: ChatRequest,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent, void> {
  const passThrough = passesThrough(request);
  const { n } = request.source === undefined || passThrough ? (request.extra ?? {}) : {};
  const read = createChunkReader(typeof n === 'number' ? n : 1);
  let done = false;
  try {
    for await (const frame of readServerSentEvents(body, isDone)) {
      done = isDone(frame);
      const events = done || !frame.data ? [] : read.chunk(parseChunk(frame.data));
      if (!passThrough) yield* events;
      else {
        const [first = { type: 'other' } as const, ...others] = events;
        yield { ...first, bytes: frame.bytes };
        yield* others;
      }
    }
  } catch (error) {
    // Cut between its last word and `[DONE]`, the answer is whole all the same.
    if (read.state !== 'finished' || signal.aborted) throw error;
  }
  if (read.state !== 'finished') {
    const what = read.state === 'started' ? 'a stream that stopped before its end' : 'a stream without an event';
    throw brokenAnswer('openai', what);
  }
  // Some servers that resemble OpenAI's leave it out, and clients wait for it.
  if (passThrough && !done) yield { type: 'other', bytes: new TextEncoder().encode('data: [DONE]\n\n') };
}

const isDone = ({ data }: ServerSentEvent): boolean => data === '[DONE]';

interface ChunkReader {
  readonly state: 'waiting' | 'started' | 'finished';
  chunk(chunk: Body): readonly ChatEvent[];
}

/** Reads the chunks of one stream in turn. It is finished when each of its choices has said why. */
const createChunkReader = (choices: number): ChunkReader => {
  const finished = new Set<unknown>();
  let state: ChunkReader['state'] = 'waiting';
  let reason: FinishReason = 'stop';
  return {
    get state() {
      return state;
    },
    chunk(chunk) {
      const events: ChatEvent[] = [];
      const said = Array.isArray(chunk.choices) ? chunk.choices.filter(isObject) : [];
      // Azure's filter speaks first, in a chunk without an id, a model or a choice.
      if (state === 'waiting' && (chunk.id !== '' || said.length > 0)) {
        state = 'started';
        events.push({ type: 'start', id: textOf(chunk.id) ?? '', model: textOf(chunk.model) ?? '' });
      }
      for (const choice of said) {
        // Of several choices the first one counts, as in a plain answer.
        const isFirst = (choice.index ?? 0) === 0;
        if (isFirst && isObject(choice.delta)) events.push(...fromDelta(choice.delta));
        if (typeof choice.finish_reason !== 'string') continue;
        if (isFirst) reason = toFinishReason(choice.finish_reason);
        finished.add(choice.index);
        if (finished.size < choices) continue;
        state = 'finished';
        events.push({ type: 'finish', reason });
      }
      if (isObject(chunk.usage)) events.push({ type: 'usage', usage: fromUsage(chunk.usage) });
      return events;
    },
  };
};

const parseChunk = (data: string): Body => {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    throw brokenAnswer('openai', 'an event that is not JSON');
  }
  if (!isObject(chunk)) throw brokenAnswer('openai', 'an event that is no chunk');
  if (chunk.error !== undefined && chunk.error !== null) throw embeddedError(chunk.error);
  return chunk;
};

function* fromDelta(delta: Body): Generator<ChatEvent, void> {
  // vLLM, DeepSeek and others show what the model thinks under this name.
  const reasoning = textOf(delta.reasoning_content);
  if (reasoning) yield { type: 'reasoning', text: reasoning };
  const content = textOf(delta.content);
  if (content) yield { type: 'text', text: content };
  const refusal = textOf(delta.refusal);
  if (refusal) yield { type: 'refusal', text: refusal };
  for (const piece of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) {
    if (!isObject(piece)) continue;
    const { name, arguments: args } = isObject(piece.function) ? piece.function : {};
    yield {
      type: 'tool-call',
      index: typeof piece.index === 'number' ? piece.index : 0,
      ...(typeof piece.id === 'string' && { id: piece.id }),
      ...(typeof name === 'string' && { name }),
      arguments: textOf(args) ?? '',
    };
  }
}

const explain = (error: unknown, wire: Wire): Failure => {
  if (!(error instanceof OpenAI.APIError) || error.status === undefined)
    return failureFromUnknown('openai', error, wire);
  const { message, type, code, param } = isObject(error.error) ? error.error : {};
  return failureFromVendor({
    vendor: 'openai',
    status: error.status,
    header: (name) => error.headers?.get(name),
    message: textOf(message),
    type: textOf(type),
    code: textOf(code),
    param: textOf(param),
  });
};
