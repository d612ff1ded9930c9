import type {
  AssistantMessage,
  ChatRequest,
  ChatSettings,
  FilePart,
  Message,
  Tool,
  ToolCall,
  ToolMessage,
  UserPart,
} from '../decide/request.ts';
import type { ChatEvent, ChatResponse, FinishReason, Usage } from '../decide/response.ts';
import type { Call, Gap, Provider } from '../provider.ts';
import { brokenAnswer, extraGaps, isObject } from '../provider-kit.ts';
import type { FrameReader, ServerSentEvent } from '../sse.ts';
import { type Body, countOf, textOf, withoutUndefined } from './body.ts';
import { streamOfFrames, withBytes } from './frames.ts';
import type { SchemaDialect } from './json-schema.ts';
import type { Line } from './openai-line.ts';
import {
  type Dialect,
  dialectOf,
  embeddedError,
  explain,
  fromMessages,
  type LeaveOut,
  parseBody,
  parseEvent,
  toEffort,
  toStrict,
  withKnownThinking,
} from './openai-words.ts';

// A model that is called through OpenAI's Responses. Nothing is stored there unless the caller asks for it, so that a
// conversation can go on anywhere.

export const connectResponses = ({ client, post }: Line, model: string, params: ChatSettings | undefined): Provider => {
  const dialect = dialectOf(client.baseURL, model);

  const ask = (request: ChatRequest, stream: boolean, call: Call): Promise<Response> => {
    const body: Body = { ...toResponses(request, params, dialect, () => {}), model, ...(stream && { stream: true }) };
    if (!stream) {
      delete body.stream;
      delete body.stream_options;
    }
    return post('/responses', body, call);
  };

  return {
    name: 'openai',
    model,
    account: { endpoint: client.baseURL, credential: client.apiKey ?? '' },
    gaps(request) {
      const found = new Map<string, Gap>();
      toResponses(request, params, dialect, (gap) => found.set(gap.what, gap));
      return [...found.values()];
    },
    async send(request, call) {
      const text = await (await ask(request, false, call)).text();
      const response = fromResponse(parseBody(text));
      return passesThrough(request) ? { ...response, source: { format: FORMAT, body: text } } : response;
    },
    stream: (request, call) =>
      streamOfFrames('openai', () => ask(request, true, call), createFrameReader(passesThrough(request))),
    explain,
  };
};

const FORMAT = 'openai-responses';

const passesThrough = ({ source }: ChatRequest): boolean => source?.format === FORMAT;

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

const toResponses = (
  request: ChatRequest,
  params: ChatSettings | undefined,
  dialect: Dialect,
  leaveOut: LeaveOut,
): Body => {
  const { source } = request;
  if (source?.format === FORMAT) {
    return withoutThoughtsElsewhere({ ...source.body, ...toOverlay(source.body, params) }, leaveOut);
  }
  const { verbosity, ...shared } = fromExtra(request, dialect, leaveOut);
  const settings = toSettings(
    source === undefined ? request : withKnownThinking(request, params, dialect, leaveOut),
    dialect.strict,
    leaveOut,
  );
  return {
    store: false,
    ...shared,
    ...settings,
    ...(verbosity !== undefined && { text: { ...(settings.text as Body | undefined), verbosity } }),
    ...toInput(request, leaveOut),
  };
};

/** What the settings of a target change in a body that passes through. */
const toOverlay = (body: Body, params: ChatSettings | undefined): Body => {
  const { text, reasoning, ...settings } = params === undefined ? {} : toSettings(params, undefined, () => {});
  return {
    store: body.store ?? false,
    ...settings,
    ...(isObject(text) && { text: { ...(body.text as object | null | undefined), ...text } }),
    ...(isObject(reasoning) && { reasoning: { ...(body.reasoning as object | null | undefined), ...reasoning } }),
  };
};

/**
 * Where nothing is stored, a thought that comes back is known by its encrypted content alone, and OpenAI refuses one that
 * has none. It is left out, and so are the names of the items that it led to: they would ask for it.
 */
const withoutThoughtsElsewhere = (body: Body, leaveOut: LeaveOut): Body => {
  const { input, store } = body;
  if (store === true || !Array.isArray(input) || !input.some(isUnknownThought)) return body;
  leaveOut({ what: 'reasoning item', harmless: true });
  return {
    ...body,
    input: input.flatMap((item) => {
      if (isUnknownThought(item)) return [];
      if (!isObject(item)) return [item];
      const { id: _, ...unnamed } = item;
      return [unnamed];
    }),
  };
};

const isUnknownThought = (item: unknown): boolean =>
  isObject(item) && item.type === 'reasoning' && textOf(item.encrypted_content) === undefined;

/** What Chat Completions say in the same words. */
const SHARED = [
  'metadata',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'store',
  'user',
  'verbosity',
];

const fromExtra = (request: ChatRequest, dialect: Dialect, leaveOut: LeaveOut): Body => {
  if (request.source?.format === 'anthropic-messages') return fromMessages(request, dialect, leaveOut);
  for (const gap of extraGaps(request, SHARED)) leaveOut(gap);
  return withoutUndefined(Object.fromEntries(SHARED.map((name) => [name, request.extra?.[name]])));
};

/** OpenAI refuses a lower limit, in tokens. */
const LOWEST_LIMIT = 16;

const toSettings = (settings: ChatSettings, dialect: SchemaDialect | undefined, leaveOut: LeaveOut): Body => {
  const { maxOutputTokens, toolChoice } = settings;
  if (settings.topK !== undefined) leaveOut({ what: 'top_k' });
  if (settings.seed !== undefined) leaveOut({ what: 'seed' });
  if (settings.stop !== undefined && settings.stop.length > 0) leaveOut({ what: 'stop' });
  // A penalty of 0 is none.
  if (settings.frequencyPenalty) leaveOut({ what: 'frequency_penalty' });
  if (settings.presencePenalty) leaveOut({ what: 'presence_penalty' });
  const tooLow = maxOutputTokens !== undefined && maxOutputTokens < LOWEST_LIMIT;
  if (tooLow) leaveOut({ what: `a limit below ${LOWEST_LIMIT} tokens`, harmless: true });
  const effort = toEffort(settings);
  const format = toFormat(settings.output, dialect, leaveOut);
  return withoutUndefined({
    max_output_tokens: tooLow ? LOWEST_LIMIT : maxOutputTokens,
    temperature: settings.temperature,
    top_p: settings.topP,
    tools: settings.tools?.map((tool) => toTool(tool, dialect, leaveOut)),
    tool_choice: typeof toolChoice === 'object' ? { type: 'function', name: toolChoice.tool } : toolChoice,
    parallel_tool_calls: settings.parallelToolCalls,
    text: format && { format },
    reasoning: effort === undefined ? undefined : { effort },
  });
};

const toTool = (tool: Tool, dialect: SchemaDialect | undefined, leaveOut: LeaveOut): Body => {
  const { name, description, parameters = null } = tool;
  // Left open, it is strict here, and not in Chat Completions.
  const { strict = false } = tool;
  const asked = { strict, schema: tool.parameters };
  return withoutUndefined({
    type: 'function',
    name,
    description,
    parameters,
    strict: toStrict(asked, `schema of tool ${name}`, dialect, leaveOut),
  });
};

const toFormat = (
  output: ChatSettings['output'],
  dialect: SchemaDialect | undefined,
  leaveOut: LeaveOut,
): Body | undefined => {
  switch (output?.type) {
    case 'json':
      return { type: 'json_object' };
    case 'json-schema':
      return withoutUndefined({
        ...output,
        type: 'json_schema',
        strict: toStrict({ ...output, strict: output.strict }, 'output schema', dialect, leaveOut),
      });
    default:
      return output;
  }
};

/** What the system says first is the instructions; but for JSON, OpenAI wants to find the word among the messages. */
const toInput = ({ messages, output }: ChatRequest, leaveOut: LeaveOut): Body => {
  const [first, ...others] = messages;
  const [only, ...more] = first?.role === 'system' ? first.content : [];
  if (only === undefined || more.length > 0 || others.length === 0 || output?.type === 'json') {
    return { input: messages.flatMap((message) => toItems(message, leaveOut)) };
  }
  return { instructions: only.text, input: others.flatMap((message) => toItems(message, leaveOut)) };
};

const toItems = (message: Message, leaveOut: LeaveOut): readonly Body[] => {
  switch (message.role) {
    case 'assistant':
      return toOutputItems(message);
    case 'tool':
      return [toOutput(message, leaveOut)];
    case 'system':
    case 'user':
      return [
        { type: 'message', role: message.role, content: message.content.flatMap((part) => toPart(part, leaveOut)) },
      ];
  }
};

const toOutputItems = ({ content, toolCalls = [] }: AssistantMessage): Body[] => [
  ...(content.length === 0
    ? []
    : [{ type: 'message', role: 'assistant', content: content.map(({ text }) => ({ type: 'output_text', text })) }]),
  ...toolCalls.map(({ id, name, arguments: args }) => ({ type: 'function_call', call_id: id, name, arguments: args })),
];

const toOutput = ({ toolCallId, content, isError }: ToolMessage, leaveOut: LeaveOut): Body => {
  // The words of the result say that it failed.
  if (isError === true) leaveOut({ what: 'is_error of a tool result', harmless: true });
  const [first, ...others] = content;
  const output =
    others.length === 0 && (first === undefined || first.type === 'text')
      ? (first?.text ?? '')
      : content.flatMap((part) => toPart(part, leaveOut));
  return { type: 'function_call_output', call_id: toolCallId, output };
};

const toPart = (part: UserPart, leaveOut: LeaveOut): readonly Body[] => {
  switch (part.type) {
    case 'text':
      return [{ type: 'input_text', text: part.text }];
    case 'image':
      return [withoutUndefined({ type: 'input_image', image_url: part.url, detail: part.detail })];
    case 'file':
      return [toFile(part)];
    case 'audio':
      leaveOut({ what: 'audio part' });
      return [];
    case 'unknown':
      leaveOut({ what: `${part.name} part` });
      return [];
  }
};

const toFile = ({ data, fileId, url, filename }: FilePart): Body => {
  // OpenAI refuses data without a name.
  const name = filename ?? (data === undefined ? undefined : 'file');
  return withoutUndefined({ type: 'input_file', file_data: data, file_id: fileId, file_url: url, filename: name });
};

// ── from the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────

const itemsOf = (list: unknown): readonly Body[] => (Array.isArray(list) ? list.filter(isObject) : []);

const fromResponse = (body: Body): ChatResponse => {
  if (!Array.isArray(body.output)) throw brokenAnswer('openai', 'a body without output');
  const output = itemsOf(body.output);
  const toolCalls = output.flatMap((item) => (item.type === 'function_call' ? [fromCall(item)] : []));
  const finishReason = toFinishReason(body, toolCalls.length > 0);
  if (finishReason === undefined) throw brokenAnswer('openai', 'an answer without its end');
  const content = output.flatMap((item) => (item.type === 'message' ? itemsOf(item.content) : []));
  const refusal = content.map((part) => textOf(part.refusal) ?? '').join('');
  const reasoning = output.flatMap((item) => (item.type === 'reasoning' ? thoughtsOf(item) : [])).join('\n\n');
  return {
    ...headOf(body),
    text: content.map((part) => textOf(part.text) ?? '').join(''),
    ...(refusal !== '' && { refusal }),
    ...(reasoning !== '' && { reasoning }),
    toolCalls,
    finishReason,
    ...(isObject(body.usage) && { usage: fromUsage(body.usage) }),
  };
};

const headOf = ({ id, model }: Body): Pick<ChatResponse, 'id' | 'model'> => ({
  id: textOf(id) ?? '',
  model: textOf(model) ?? '',
});

const fromCall = ({ call_id, name, arguments: args }: Body): ToolCall => ({
  id: textOf(call_id) ?? '',
  name: textOf(name) ?? '',
  arguments: textOf(args) ?? '',
});

/** OpenAI's own models sum up what they thought; open ones show it. */
const thoughtsOf = ({ summary, content }: Body): readonly string[] =>
  [...itemsOf(summary), ...itemsOf(content)].flatMap(({ text }) => textOf(text) ?? []);

/** Undefined where the answer is not at its end. */
const toFinishReason = ({ status, incomplete_details }: Body, calls: boolean): FinishReason | undefined => {
  switch (status) {
    case 'completed':
      return calls ? 'tool-calls' : 'stop';
    case 'incomplete':
      return isObject(incomplete_details) && incomplete_details.reason === 'content_filter'
        ? 'content-filter'
        : 'length';
    default:
      return undefined;
  }
};

const fromUsage = (usage: Body): Usage => {
  const input = isObject(usage.input_tokens_details) ? usage.input_tokens_details : {};
  const output = isObject(usage.output_tokens_details) ? usage.output_tokens_details : {};
  const written = countOf(input.cache_write_tokens);
  return {
    inputTokens: countOf(usage.input_tokens),
    outputTokens: countOf(usage.output_tokens),
    cachedInputTokens: countOf(input.cached_tokens),
    ...(written > 0 && { cacheWriteInputTokens: written }),
    reasoningTokens: countOf(output.reasoning_tokens),
  };
};

/**
 * `response.created` and its like come before OpenAI knows whether it can answer, and an error may follow them. An answer
 * has ended well only with `response.completed` or `response.incomplete`.
 */
const createFrameReader = (passThrough: boolean): FrameReader => {
  const reader = createEventReader();
  return {
    isLast,
    read({ data, bytes }) {
      // Some that resemble OpenAI end every stream as they end those of Chat Completions.
      const events = !data || data === '[DONE]' ? [] : reader.event(parseEvent(data));
      return passThrough ? withBytes(events, bytes) : events;
    },
    end(broken) {
      if (broken !== undefined) throw broken.error;
      if (reader.state === 'finished') return [];
      const what = reader.state === 'started' ? 'a stream that stopped before its end' : 'a stream without an event';
      throw brokenAnswer('openai', what);
    },
  };
};

/** After these nothing comes. Some servers name their events only in the data. */
const isLast = ({ event, data }: ServerSentEvent): boolean =>
  event === undefined
    ? data !== undefined && /"type" ?: ?"response\.(completed|incomplete)"/.test(data)
    : event === 'response.completed' || event === 'response.incomplete';

interface EventReader {
  readonly state: 'waiting' | 'started' | 'finished';
  event(event: Body): readonly ChatEvent[];
}

/** Reads the events of one stream in turn. */
const createEventReader = (): EventReader => {
  /** Which calls have begun, by their place in the output, and whether a piece of their arguments has come. */
  const calls = new Map<number, boolean>();
  let state: EventReader['state'] = 'waiting';

  const piece = (index: number, args: unknown): readonly ChatEvent[] => {
    const text = textOf(args) ?? '';
    if (text !== '') calls.set(index, true);
    return text === '' ? [] : [{ type: 'tool-call', index, arguments: text }];
  };

  /** Some servers send arguments only when they are whole. */
  const wholeCall = (index: number, args: unknown): readonly ChatEvent[] =>
    calls.get(index) === false ? piece(index, args) : [];

  const begin = (index: number, item: Body): readonly ChatEvent[] => {
    switch (item.type) {
      case 'message':
      case 'reasoning':
        return [];
      case 'function_call': {
        calls.set(index, false);
        const { id, name } = fromCall(item);
        return [{ type: 'tool-call', index, id, name, arguments: '' }];
      }
      default:
        return [{ type: 'unknown', name: textOf(item.type) ?? 'item' }];
    }
  };

  const end = (response: Body): readonly ChatEvent[] => {
    const reason = toFinishReason(response, calls.size > 0);
    if (reason === undefined) throw brokenAnswer('openai', 'an answer without its end');
    state = 'finished';
    return [
      { type: 'finish', reason },
      ...(isObject(response.usage) ? [{ type: 'usage', usage: fromUsage(response.usage) } as const] : []),
    ];
  };

  return {
    get state() {
      return state;
    },
    event(event) {
      const { type, delta } = event;
      const index = typeof event.output_index === 'number' ? event.output_index : 0;
      const item = isObject(event.item) ? event.item : {};
      const response = isObject(event.response) ? event.response : {};
      const text = textOf(delta) ?? '';
      switch (type) {
        case 'response.created':
          state = 'started';
          return [{ type: 'start', ...headOf(response) }];
        case 'response.output_item.added':
          return begin(index, item);
        case 'response.output_item.done':
          return item.type === 'function_call' ? wholeCall(index, item.arguments) : [];
        case 'response.output_text.delta':
          return [{ type: 'text', text }];
        case 'response.refusal.delta':
          return [{ type: 'refusal', text }];
        case 'response.reasoning_summary_text.delta':
        case 'response.reasoning_text.delta':
          return [{ type: 'reasoning', text }];
        case 'response.reasoning_summary_part.added':
          // The parts of a summary are paragraphs.
          return event.summary_index ? [{ type: 'reasoning', text: '\n\n' }] : [];
        case 'response.function_call_arguments.delta':
          return piece(index, delta);
        case 'response.function_call_arguments.done':
          return wholeCall(index, event.arguments);
        case 'response.completed':
        case 'response.incomplete':
          return end(response);
        case 'response.failed':
          throw embeddedError(response.error ?? { message: 'the response failed' });
        case 'error':
          throw embeddedError(event);
        default:
          return [];
      }
    },
  };
};
