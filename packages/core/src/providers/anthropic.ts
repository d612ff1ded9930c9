import Anthropic, { AnthropicError, APIError, type ClientOptions } from '@anthropic-ai/sdk';
import { transport } from '#transport';
import type { Failure } from '../decide/failure.ts';
import type {
  ChatRequest,
  ChatSettings,
  FilePart,
  ImagePart,
  Message,
  TextPart,
  Tool,
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
  ProviderFailure,
  splitOptions,
} from '../provider-kit.ts';
import type { FrameReader, ServerSentEvent } from '../sse.ts';
import type { TargetOptions } from '../target.ts';
import { type Body, countOf, describedSchema, textOf, withoutUndefined } from './body.ts';
import { streamOfFrames, withBytes } from './frames.ts';
import { ANTHROPIC, fitSchema, MOST_STRICT_TOOLS } from './json-schema.ts';
import { bySignal, directly, type Tell } from './sdk-call.ts';

/** The SDK's client options, but for those that would make a second retry loop or a second clock. */
type AnthropicClientOptions = Omit<ClientOptions, 'maxRetries' | 'timeout'>;

/** What is used of a ready client, so that the SDK's clients for Bedrock and Vertex fit as well. Bedrock's cannot count. */
type AnthropicClient = Pick<Anthropic, 'apiKey' | 'authToken' | 'baseURL'> & {
  readonly messages: Pick<Anthropic['messages'], 'create'> & Partial<Pick<Anthropic['messages'], 'countTokens'>>;
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

/**
 * A model at Anthropic, through its Messages API. The key defaults to `ANTHROPIC_API_KEY`. Requests that arrived as
 * Messages pass through untouched but for `model`, and so do the answers.
 */
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
    connect: (name, params) => {
      const isOurs = client === undefined && takesTransport(clientOptions);
      const own = { ...clientOptions, ...(isOurs && { fetch: transport }), maxRetries: 0 };
      // A middleware may make a request of its own, on which nothing is but what fetch knows.
      const tellsWire = isOurs && clientOptions.middleware === undefined;
      return { ...connect(client ?? new Anthropic(own), tellsWire ? directly : bySignal, name, params), tellsWire };
    },
  };
};

/** Unless the user has said anything of transports. */
const takesTransport = ({ fetch, fetchOptions }: AnthropicClientOptions): boolean =>
  transport !== undefined && fetch === undefined && fetchOptions === undefined;

const connect = (client: AnthropicClient, tell: Tell, model: string, params: ChatSettings | undefined): Provider => {
  const betas = betasOf(client);

  const ask = async (request: ChatRequest, stream: boolean, call: Call): Promise<Response> => {
    const body: Body = { ...toAnthropic(request, params, () => {}), model };
    if (stream || !passesThrough(request) || body.stream === true) body.stream = stream;
    // Of these two fields the SDK makes headers that choose who pays; they are not the caller's to choose, so that a body
    // that has them goes out with them, and the vendor says what it thinks of it.
    const { user_profile_id, workspace_id, ...fields } = body;
    return client.messages
      .create(fields as unknown as Anthropic.MessageCreateParams, {
        body,
        headers: toHeaders(request, betas),
        ...tell(call),
      })
      .asResponse();
  };

  const count = async (request: ChatRequest, call: Call): Promise<number> => {
    const body: Body = { ...toCount(request, params), model };
    const { user_profile_id, workspace_id, ...fields } = body;
    const counted: unknown = await client.messages.countTokens?.(
      fields as unknown as Anthropic.MessageCountTokensParams,
      {
        body,
        headers: toHeaders(request, betas),
        ...tell(call),
      },
    );
    const { input_tokens } = isObject(counted) ? counted : {};
    if (typeof input_tokens !== 'number') throw brokenAnswer('anthropic', 'a count that is no number');
    return input_tokens;
  };

  return {
    name: 'anthropic',
    model,
    ...(typeof client.messages.countTokens === 'function' && { countTokens: count }),
    // A function that fetches keys, or a profile, tells nothing before the first request.
    account: { endpoint: client.baseURL, credential: client.apiKey ?? client.authToken ?? 'supplied' },
    // Of the models of 2026 some refuse it: those are asked in words from then on.
    prefill: true,
    gaps: (request) => gaps(request, params),
    async send(request, call) {
      const text = await (await ask(request, false, call)).text();
      const response = fromAnthropic(parse(text, 'a body'));
      return passesThrough(request) ? { ...response, source: { format: FORMAT, body: text } } : response;
    },
    stream: (request, call) =>
      streamOfFrames(
        'anthropic',
        () => ask(request, true, call),
        createFrameReader(passesThrough(request), call.signal),
      ),
    explain,
  };
};

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

/** The betas that the client was made with: headers of a call take the place of the client's own. */
const betasOf = (client: AnthropicClient): readonly string[] => {
  const options: unknown = Reflect.get(client, '_options');
  const { defaultHeaders } = isObject(options) ? options : {};
  if (typeof defaultHeaders !== 'object' || defaultHeaders === null) return [];
  return listOf(new Headers(defaultHeaders as Record<string, string>).get(BETA));
};

const BETA = 'anthropic-beta';

const listOf = (header: string | null | undefined): readonly string[] =>
  (header ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => !['', 'null', 'undefined'].includes(item));

/** What the caller's format says in headers, with the betas of the target beside the caller's. */
const toHeaders = ({ source }: ChatRequest, ownBetas: readonly string[]): Record<string, string> => {
  if (source?.format !== FORMAT) return {};
  const betas = new Set([...ownBetas, ...listOf(source.headers?.[BETA])]);
  return { ...source.headers, ...(betas.size > 0 && { [BETA]: [...betas].join(',') }) };
};

/** Hears of everything that the translation leaves out, so that gaps and body cannot tell different stories. */
type LeaveOut = (gap: Gap) => void;

const FORMAT = 'anthropic-messages';

const passesThrough = ({ source }: ChatRequest): boolean => source?.format === FORMAT;

const gaps = (request: ChatRequest, params: ChatSettings | undefined): readonly Gap[] => {
  const found = new Map<string, Gap>();
  toAnthropic(request, params, (gap) => found.set(gap.what, gap));
  // Everything can be said to the vendor whose format this is.
  return passesThrough(request)
    ? [...found.values()]
    : [...found.values(), ...extraGaps(request, ['safety_identifier', 'user'])];
};

const toAnthropic = (request: ChatRequest, params: ChatSettings | undefined, leaveOut: LeaveOut): Body => {
  const { source, messages } = request;
  if (source?.format === FORMAT) {
    return withoutThinkingBegunElsewhere({ ...source.body, ...toOverlay(source.body, params, leaveOut) }, leaveOut);
  }
  // Nothing but instructions has to be said by somebody.
  const opening = Math.max(
    0,
    messages.findIndex(({ role }) => role !== 'system'),
  );
  const settings = toSettings(request, leaveOut);
  return withoutUndefined({
    ...settings,
    max_tokens: settings.max_tokens ?? DEFAULT_MAX_TOKENS + (request.maxReasoningTokens ?? 0),
    system: toSystem(messages.slice(0, opening), request),
    messages: toMessages(messages.slice(opening), leaveOut),
    metadata: toMetadata(request.extra),
  });
};

/** What of a request a prompt is made of. Settings of the answer are refused where tokens are counted. */
const COUNTED: ReadonlySet<string> = new Set([
  'messages',
  'output_config',
  'system',
  'thinking',
  'tool_choice',
  'tools',
]);

/** A body that passes through does so here as well: with betas, and with fields that nobody else knows. */
const toCount = (request: ChatRequest, params: ChatSettings | undefined): Body => {
  const given = request.source?.format === FORMAT ? request.source.body : {};
  const body = toAnthropic(request, params, () => {});
  return Object.fromEntries(Object.entries(body).filter(([name]) => COUNTED.has(name) || name in given));
};

/** What the settings of a target change in a body that passes through. */
const toOverlay = (body: Body, params: ChatSettings | undefined, leaveOut: LeaveOut): Body => {
  if (params === undefined) return {};
  const { output_config, tool_choice, ...settings } = toSettings(params, leaveOut);
  const given = isObject(body.tool_choice) ? body.tool_choice : undefined;
  const chooses = params.toolChoice !== undefined || params.parallelToolCalls !== undefined;
  return withoutUndefined({
    ...settings,
    tool_choice: chooses && Array.isArray(body.tools) ? toToolChoice(params, given) : tool_choice,
    output_config: isObject(output_config) ? { ...(body.output_config as object), ...output_config } : undefined,
    system:
      params.output?.type === 'json' ? [...systemOf(body.system), { type: 'text', text: JSON_PLEASE }] : undefined,
  });
};

/**
 * With a fixed budget of thought, Anthropic wants a turn of tool calls to begin with a thought of its own, and refuses the
 * request if it does not. Where another vendor has begun the turn, it is ended without thoughts.
 */
const withoutThinkingBegunElsewhere = (body: Body, leaveOut: LeaveOut): Body => {
  if (!isObject(body.thinking) || body.thinking.type !== 'enabled' || !isBegunElsewhere(body.messages)) return body;
  leaveOut({ what: 'thinking', harmless: true });
  const { thinking: _, ...others } = body;
  return others;
};

const isBegunElsewhere = (messages: unknown): boolean => {
  if (!Array.isArray(messages)) return false;
  const isResults = (message: unknown): boolean =>
    isObject(message) && message.role === 'user' && blocksOf(message).some(isResult);
  if (!isResults(messages.at(-1))) return false;
  const begins =
    messages.findLastIndex((message) => isObject(message) && message.role === 'user' && !isResults(message)) + 1;
  const [first] = blocksOf(messages[begins]);
  return first !== undefined && first.type !== 'thinking' && first.type !== 'redacted_thinking';
};

const blocksOf = (message: unknown): readonly Body[] =>
  isObject(message) && Array.isArray(message.content) ? message.content.filter(isObject) : [];

const systemOf = (system: unknown): readonly unknown[] => {
  if (Array.isArray(system)) return system;
  return typeof system === 'string' && system !== '' ? [{ type: 'text', text: system }] : [];
};

/** Settings that were not set are undefined. */
const toSettings = (settings: ChatSettings, leaveOut: LeaveOut): Body => {
  if (settings.seed !== undefined) leaveOut({ what: 'seed' });
  // A penalty of 0 is none.
  if (settings.frequencyPenalty) leaveOut({ what: 'frequency_penalty' });
  if (settings.presencePenalty) leaveOut({ what: 'presence_penalty' });
  const tools = settings.tools?.length === 0 ? undefined : toTools(settings.tools, leaveOut);
  return {
    max_tokens: settings.maxOutputTokens,
    // Gone from the SDK's types, since newer models refuse them; the others still take them.
    temperature: upToOne('temperature', settings.temperature, leaveOut),
    top_p: upToOne('top_p', settings.topP, leaveOut),
    top_k: settings.topK,
    stop_sequences: toStopSequences(settings.stop, leaveOut),
    tools,
    tool_choice: tools === undefined ? undefined : toToolChoice(settings),
    output_config: toOutputConfig(settings, leaveOut),
    thinking: toThinking(settings),
  };
};

const toSystem = (messages: readonly Message[], { output }: ChatSettings): readonly Body[] | undefined => {
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
      return [toToolResult(message, leaveOut)];
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

const toDocument = (
  { data: given = '', fileId, url, filename: title }: FilePart,
  leaveOut: LeaveOut,
): readonly Body[] => {
  const document = (source: Body): readonly Body[] => [withoutUndefined({ type: 'document', source, title })];
  if (url !== undefined) return document({ type: 'url', url });
  const { type, data = '' } = parseDataUrl(given);
  if (type === 'application/pdf') return document({ type: 'base64', media_type: type, data });
  if (type === 'text/plain') {
    return document({ type: 'text', media_type: type, data: Buffer.from(data, 'base64').toString() });
  }
  leaveOut({ what: fileId === undefined ? 'file that is neither PDF nor plain text' : 'file by id' });
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
const toToolResult = ({ toolCallId, content, isError }: ToolMessage, leaveOut: LeaveOut): Body => {
  const blocks = content.flatMap((part) => toBlock(part, leaveOut));
  return {
    type: 'tool_result',
    tool_use_id: toolCallId,
    ...(blocks.length > 0 && { content: blocks }),
    ...(isError === true && { is_error: true }),
  };
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

const toTools = (tools: ChatSettings['tools'], leaveOut: LeaveOut): readonly Body[] | undefined => {
  const strict = tools?.filter((tool) => tool.strict === true) ?? [];
  if (strict.length > MOST_STRICT_TOOLS) leaveOut({ what: `more than ${MOST_STRICT_TOOLS} strict tools` });
  return tools?.map((tool) => toTool(tool, leaveOut));
};

const toTool = ({ name, description, parameters, strict }: Tool, leaveOut: LeaveOut): Body => {
  const schema: Body = { type: 'object', ...parameters };
  const input_schema = strict === true ? fitted(schema, `schema of tool ${name}`, leaveOut) : schema;
  return withoutUndefined({ name, description, input_schema, strict });
};

const fitted = (given: Body, where: string, leaveOut: LeaveOut): Body => {
  const { schema, gaps } = fitSchema(ANTHROPIC, given, where);
  for (const gap of gaps) leaveOut(gap);
  return schema;
};

/** `given` is the choice of a body that passes through, for what the settings leave open. */
const toToolChoice = ({ toolChoice, parallelToolCalls }: ChatSettings, given?: Body): Body | undefined => {
  const { disable_parallel_tool_use, ...choice } = given ?? {};
  const chosen = toolChoice === undefined ? given && choice : toChoice(toolChoice);
  const serial = parallelToolCalls === undefined ? disable_parallel_tool_use === true : !parallelToolCalls;
  // Where no tool may be called, there is no word for how many.
  if (!serial || chosen?.type === 'none') return chosen;
  return { type: 'auto', ...chosen, disable_parallel_tool_use: true };
};

const toChoice = (choice: NonNullable<ChatSettings['toolChoice']>): Body => {
  if (typeof choice === 'object') return { type: 'tool', name: choice.tool };
  return { type: choice === 'required' ? 'any' : choice };
};

const EFFORTS: ReadonlySet<string> = new Set(['low', 'medium', 'high', 'xhigh', 'max']);

/** The form of the answer, and how hard to think about it. Whether to think at all is said in `thinking`. */
const toOutputConfig = ({ output, reasoningEffort }: ChatSettings, leaveOut: LeaveOut): Body | undefined => {
  const wanted = reasoningEffort === 'minimal' ? 'low' : reasoningEffort;
  const effort = wanted !== undefined && EFFORTS.has(wanted) ? wanted : undefined;
  if (effort !== wanted && wanted !== 'none' && wanted !== 'auto') leaveOut({ what: `reasoning_effort ${wanted}` });
  const format =
    output?.type === 'json-schema'
      ? { type: 'json_schema', schema: fitted(describedSchema(output), 'output schema', leaveOut) }
      : undefined;
  return effort === undefined && format === undefined ? undefined : withoutUndefined({ effort, format });
};

const toThinking = ({ reasoningEffort, maxReasoningTokens }: ChatSettings): Body | undefined => {
  if (reasoningEffort === 'none') return { type: 'disabled' };
  if (maxReasoningTokens !== undefined) return { type: 'enabled', budget_tokens: maxReasoningTokens };
  return reasoningEffort === 'auto' ? { type: 'adaptive' } : undefined;
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
    ...(typeof body.stop_sequence === 'string' && { stopSequence: body.stop_sequence }),
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
  const written = countOf(usage.cache_creation_input_tokens);
  return {
    // Anthropic counts the three apart.
    inputTokens: countOf(usage.input_tokens) + written + cached,
    outputTokens: countOf(usage.output_tokens),
    cachedInputTokens: cached,
    ...(written > 0 && { cacheWriteInputTokens: written }),
    reasoningTokens: countOf(details.thinking_tokens),
  };
};

/**
 * The SDK's own stream ends normally when it is cut or aborted, so the bytes are read here, and the stream has ended
 * well only where it has said why: in its last `message_delta`, behind which `message_stop` says nothing new.
 */
const createFrameReader = (passesThrough: boolean, signal: AbortSignal): FrameReader => {
  const read = createEventReader(passesThrough);
  let started = false;
  let finished = false;
  return {
    isLast: isStop,
    read({ event, data, bytes }) {
      let events: readonly ChatEvent[] = [{ type: 'other' }];
      if (data !== undefined && data !== '') {
        started = true;
        const chunk = parse(data, 'an event');
        events = read(textOf(chunk.type) ?? event, chunk);
      }
      finished ||= events.some(({ type }) => type === 'finish');
      return passesThrough ? withBytes(events, bytes) : events;
    },
    end(broken) {
      // Cut between its reason and `message_stop`, the answer is whole all the same.
      if (broken !== undefined && (!finished || signal.aborted)) throw broken.error;
      if (finished) return [];
      throw brokenAnswer('anthropic', started ? 'a stream that stopped before its end' : 'a stream without an event');
    },
  };
};

const isStop = ({ event, data }: ServerSentEvent): boolean =>
  event === 'message_stop' || (event === undefined && data === '{"type":"message_stop"}');

type ReadEvent = (type: string | undefined, chunk: Body) => readonly ChatEvent[];

/**
 * Reads the events of one stream in turn, keeping what later ones refer to. Blocks that have no neutral word are content
 * where the caller gets them: where the stream passes through.
 */
const createEventReader = (passesThrough: boolean): ReadEvent => {
  // By the index of its block; `input` is what the call says should no piece of it follow.
  const calls = new Map<unknown, { readonly index: number; input: unknown }>();
  let finished = false;
  let usage: Body | undefined;

  // The counts are running totals. Of the input, what is 0 or null in a later frame was told before; of the output, the
  // last frame knows best: an answer that was declined begins with 1 token and ends with none.
  const told = (totals: unknown): void => {
    if (!isObject(totals)) return;
    const news = Object.entries(totals).filter(([name, n]) => n || (n === 0 && name === 'output_tokens'));
    usage = { ...usage, ...Object.fromEntries(news) };
  };

  const open = (block: Body, at: unknown): readonly ChatEvent[] => {
    if (passesThrough && !SPOKEN.has(block.type)) return [{ type: 'unknown', name: textOf(block.type) ?? '' }];
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
      case 'message_delta': {
        told(chunk.usage);
        const delta = isObject(chunk.delta) ? chunk.delta : {};
        const news: ChatEvent[] = [];
        if (!finished && delta.stop_reason !== undefined && delta.stop_reason !== null) {
          finished = true;
          const { stop_reason, stop_sequence } = delta;
          news.push({
            type: 'finish',
            reason: toFinishReason(stop_reason),
            ...(typeof stop_sequence === 'string' && { stopSequence: stop_sequence }),
          });
        }
        if (finished && usage !== undefined) news.push({ type: 'usage', usage: fromUsage(usage) });
        return news.length > 0 ? news : [{ type: 'other' }];
      }
      case 'message_stop':
        if (!finished) throw brokenAnswer('anthropic', 'an answer without its end');
        return [{ type: 'other' }];
      default:
        return [{ type: 'other' }];
    }
  };
};

/** The blocks that neutral events tell of. */
const SPOKEN: ReadonlySet<unknown> = new Set(['text', 'thinking', 'tool_use']);

/** What a block opens with, or a delta adds; signatures and citations are neither text nor thought. */
const said = (piece: Body): readonly ChatEvent[] => {
  if (typeof piece.text === 'string' && piece.text !== '') return [{ type: 'text', text: piece.text }];
  if (typeof piece.thinking === 'string' && piece.thinking !== '') return [{ type: 'reasoning', text: piece.thinking }];
  return [{ type: 'other' }];
};

const FOREIGN_THOUGHT = /signature\W+in\W+thinking|expected\W+thinking\W+or/i;

const explain = (error: unknown, wire: Wire): Failure => {
  if (error instanceof APIError && error.status !== undefined) {
    const failure = failureFromVendor({
      vendor: 'anthropic',
      status: error.status,
      header: (name) => error.headers?.get(name) ?? wire.header(name),
      ...complaint(error.error),
    });
    // Thoughts of one model that are returned to another: those who take no thoughts can answer all the same.
    return failure.kind === 'rejected' && FOREIGN_THOUGHT.test(failure.vendorError?.message ?? '')
      ? { ...failure, kind: 'unsupported' }
      : failure;
  }
  if (lacksKey(error)) return { kind: 'unauthorized', message: 'anthropic could not be asked without a key' };
  return failureFromUnknown('anthropic', error, wire);
};

/** The SDK looks for a key only when it needs one, and has no class of its own for not finding it. */
const lacksKey = (error: unknown): boolean =>
  error instanceof AnthropicError
    ? !(error instanceof APIError)
    : error instanceof Error && error.message.startsWith('Could not resolve authentication method');
