import type OpenAI from 'openai';
import type {
  AssistantMessage,
  ChatRequest,
  ChatSettings,
  FilePart,
  Message,
  Tool,
  ToolCall,
  UserPart,
} from '../decide/request.ts';
import type { ChatEvent, ChatResponse, FinishReason, Usage } from '../decide/response.ts';
import type { Call, Gap, Provider, TargetSpec } from '../provider.ts';
import { brokenAnswer, extraGaps, isObject, splitOptions } from '../provider-kit.ts';
import type { FrameReader, ServerSentEvent } from '../sse.ts';
import type { TargetOptions } from '../target.ts';
import { type Body, countOf, textOf, withoutUndefined } from './body.ts';
import { streamOfFrames, withBytes } from './frames.ts';
import type { SchemaDialect } from './json-schema.ts';
import { openaiEmbeddings } from './openai-embeddings.ts';
import { type Line, lineOf, type OpenAIClientOptions } from './openai-line.ts';
import { connectResponses } from './openai-responses.ts';
import {
  type Dialect,
  dialectOf,
  explain,
  fromMessages,
  type LeaveOut,
  parseBody,
  parseEvent,
  toEffort,
  toStrict,
  withKnownThinking,
  withPrefill,
} from './openai-words.ts';
import { textsOf, withTextResults } from './tool-results.ts';

/** Which of OpenAI's two APIs a target is called through. */
export type OpenAIApi = 'chat' | 'responses';

interface OpenAIOwnOptions {
  /** A ready client. */
  readonly client?: OpenAI;
  /**
   * `responses` for what only that API has: its hosted tools, and thoughts that are summed up or carried on. Requests that
   * arrived as Responses then pass through untouched; nothing is stored unless the caller asks for it. Default: `chat`,
   * which every vendor that resembles OpenAI has.
   */
  readonly api?: OpenAIApi;
}

export type OpenAITargetOptions = TargetOptions & OpenAIClientOptions & OpenAIOwnOptions;

// biome-ignore format: reads as a list
const CLIENT_KEYS = {
  api: true, client: true, adminAPIKey: true, apiKey: true, baseURL: true, credential: true, dangerouslyAllowBrowser: true, dataResidency: true, defaultHeaders: true,
  defaultQuery: true, fetch: true, fetchOptions: true, logger: true, logLevel: true, organization: true, project: true, provider: true, webhookSecret: true,
  workloadIdentity: true, x509Transport: true,
} as const satisfies Record<keyof OpenAIClientOptions | keyof OpenAIOwnOptions, true>;

/**
 * A model at OpenAI, or at any vendor that speaks its Chat Completions: Azure, Ollama, vLLM, Groq, Mistral, OpenRouter …
 * through `baseURL`. The key defaults to `OPENAI_API_KEY`. Requests that arrived as Chat Completions pass through
 * untouched but for `model`, and so do the answers; with `api: 'responses'` those that arrived as Responses do, and
 * those for embeddings do always.
 */
export const openai = (model: string, options: OpenAITargetOptions = {}): TargetSpec => {
  const { client: given, routing } = splitOptions<OpenAIClientOptions & OpenAIOwnOptions>(options, CLIENT_KEYS);
  const { client, api = 'chat', ...clientOptions } = given;
  return {
    vendor: 'openai',
    model,
    options: routing,
    connect: (name, params) => {
      // From a file it may be anything.
      const connect = Object.hasOwn(CONNECT, api) ? CONNECT[api] : undefined;
      if (connect === undefined) throw new Error(`api: expected 'chat' or 'responses', and got '${api}'`);
      const line = lineOf(client, clientOptions);
      return {
        ...connect(line, name, params),
        tellsWire: line.tellsWire,
        embeddings: openaiEmbeddings(line, name),
      };
    },
  };
};

const connectChat = ({ client, post }: Line, model: string, params: ChatSettings | undefined): Provider => {
  const dialect = dialectOf(client.baseURL, model);

  const ask = (request: ChatRequest, stream: boolean, call: Call): Promise<Response> => {
    const body: Body = { ...toOpenAI(request, params, dialect, () => {}), model, ...(stream && { stream: true }) };
    // A plain answer asked of a body that came with `stream: true` is still a plain answer, and OpenAI refuses options of
    // a stream where there is none.
    if (!stream) {
      delete body.stream;
      delete body.stream_options;
    }
    if (stream && !passesThrough(request)) body.stream_options = { include_usage: true };
    const said = request.continuation?.how === 'prefill' ? withPrefill(body, client.baseURL) : body;
    return post('/chat/completions', said, call);
  };

  return {
    name: 'openai',
    model,
    account: { endpoint: client.baseURL, credential: client.apiKey ?? '' },
    countsAnswer: true,
    gaps: (request) => gaps(request, params, dialect),
    async send(request, call) {
      const text = await (await ask(request, false, call)).text();
      const response = fromOpenAI(parseBody(text));
      return passesThrough(request) ? { ...response, source: { format: FORMAT, body: text } } : response;
    },
    stream: (request, call) =>
      streamOfFrames('openai', () => ask(request, true, call), createFrameReader(request, call.signal)),
    explain,
  };
};

const CONNECT: Readonly<Record<OpenAIApi, typeof connectChat>> = { chat: connectChat, responses: connectResponses };

const FORMAT = 'openai-chat';

const passesThrough = ({ source }: ChatRequest): boolean => source?.format === FORMAT;

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

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
    return {
      ...body,
      ...(params.maxOutputTokens === undefined && limit),
      ...toSettings(params, { ...dialect, strict: undefined }, () => {}),
    };
  }
  return {
    ...fromExtra(request, dialect, leaveOut),
    ...toSettings(
      source === undefined ? request : withKnownThinking(request, params, dialect, leaveOut),
      dialect,
      leaveOut,
    ),
    messages: withTextResults(request.messages).map((message) => toMessage(message, leaveOut)),
  };
};

/** What has a word here of the fields that only the caller's format has. */
const fromExtra = (request: ChatRequest, dialect: Dialect, leaveOut: LeaveOut): Body | undefined => {
  switch (request.source?.format) {
    case 'anthropic-messages':
      return fromMessages(request, dialect, leaveOut);
    case 'openai-responses':
      return fromResponses(request, dialect, leaveOut);
    default:
      return request.extra;
  }
};

/** What Responses and Chat Completions say in the same words; at OpenAI itself all of it, elsewhere what others have too. */
const SHARED_ELSEWHERE = ['user', 'verbosity'];
const SHARED = [
  ...SHARED_ELSEWHERE,
  ...['prompt_cache_key', 'prompt_cache_retention', 'safety_identifier', 'service_tier', 'store'],
];

const fromResponses = (request: ChatRequest, { isOwn }: Dialect, leaveOut: LeaveOut): Body => {
  const { extra = {} } = request;
  // Chat Completions take notes only on what they store.
  const shared = isOwn ? [...SHARED, ...(extra.store === true ? ['metadata'] : [])] : SHARED_ELSEWHERE;
  for (const gap of extraGaps(request, shared)) leaveOut(gap);
  return withoutUndefined(Object.fromEntries(shared.map((name) => [name, extra[name]])));
};

const toSettings = (settings: ChatSettings, { maxTokens, mostStops, strict }: Dialect, leaveOut: LeaveOut): Body => {
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
    tools: settings.tools?.map((tool) => toTool(tool, strict, leaveOut)),
    tool_choice:
      typeof settings.toolChoice === 'object'
        ? { type: 'function', function: { name: settings.toolChoice.tool } }
        : settings.toolChoice,
    parallel_tool_calls: settings.parallelToolCalls,
    response_format: toResponseFormat(settings.output, strict, leaveOut),
    reasoning_effort: toEffort(settings),
  });
};

const toTool = (tool: Tool, dialect: SchemaDialect | undefined, leaveOut: LeaveOut): Body => {
  const strict = toStrict(
    { ...tool, schema: tool.parameters, strict: tool.strict },
    `schema of tool ${tool.name}`,
    dialect,
    leaveOut,
  );
  return { type: 'function', function: withoutUndefined({ ...tool, strict }) };
};

const toResponseFormat = (
  output: ChatSettings['output'],
  dialect: SchemaDialect | undefined,
  leaveOut: LeaveOut,
): Body | undefined => {
  switch (output?.type) {
    case 'json':
      return { type: 'json_object' };
    case 'json-schema': {
      const { type, ...described } = output;
      const strict = toStrict({ ...described, strict: described.strict }, 'output schema', dialect, leaveOut);
      return { type: 'json_schema', json_schema: withoutUndefined({ ...described, strict }) };
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
const createFrameReader = (request: ChatRequest, signal: AbortSignal): FrameReader => {
  const passThrough = passesThrough(request);
  const { n } = request.source === undefined || passThrough ? (request.extra ?? {}) : {};
  const chunks = createChunkReader(typeof n === 'number' ? n : 1);
  return {
    isLast: isDone,
    read(frame) {
      const events = isDone(frame) || !frame.data ? [] : chunks.read(parseEvent(frame.data));
      return passThrough ? withBytes(events, frame.bytes) : events;
    },
    end(broken) {
      // Cut between its last word and `[DONE]`, the answer is whole all the same.
      if (broken !== undefined && (chunks.state !== 'finished' || signal.aborted)) throw broken.error;
      if (chunks.state === 'finished') return [];
      const what = chunks.state === 'started' ? 'a stream that stopped before its end' : 'a stream without an event';
      throw brokenAnswer('openai', what);
    },
  };
};

const isDone = ({ data }: ServerSentEvent): boolean => data === '[DONE]';

interface ChunkReader {
  readonly state: 'waiting' | 'started' | 'finished';
  read(chunk: Body): readonly ChatEvent[];
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
    read(chunk) {
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
        if (isFirst && isObject(choice.delta)) addDelta(events, choice.delta);
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

const addDelta = (events: ChatEvent[], delta: Body): void => {
  // vLLM, DeepSeek and others show what the model thinks under this name.
  const reasoning = textOf(delta.reasoning_content);
  if (reasoning) events.push({ type: 'reasoning', text: reasoning });
  const content = textOf(delta.content);
  if (content) events.push({ type: 'text', text: content });
  const refusal = textOf(delta.refusal);
  if (refusal) events.push({ type: 'refusal', text: refusal });
  if (!Array.isArray(delta.tool_calls)) return;
  for (const piece of delta.tool_calls) {
    if (!isObject(piece)) continue;
    const { name, arguments: args } = isObject(piece.function) ? piece.function : {};
    events.push({
      type: 'tool-call',
      index: typeof piece.index === 'number' ? piece.index : 0,
      ...(typeof piece.id === 'string' && { id: piece.id }),
      ...(typeof name === 'string' && { name }),
      arguments: textOf(args) ?? '',
    });
  }
};
