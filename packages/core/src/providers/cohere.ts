import { CohereClientV2, CohereEnvironment, CohereError } from 'cohere-ai';
import { transport } from '#transport';
import type { Failure } from '../decide/failure.ts';
import type {
  AssistantMessage,
  ChatRequest,
  ImagePart,
  Message,
  TextPart,
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
  ProviderFailure,
  splitOptions,
} from '../provider-kit.ts';
import type { FrameReader, ServerSentEvent } from '../sse.ts';
import type { TargetOptions } from '../target.ts';
import { type Body, callIdOf, countOf, describedSchema, textOf, withoutUndefined } from './body.ts';
import { cohereEmbeddings } from './cohere-embeddings.ts';
import { streamOfFrames } from './frames.ts';
import { COHERE, fitSchema } from './json-schema.ts';
import { textsOf, withTextResults } from './tool-results.ts';

type ClientOptions = ConstructorParameters<typeof CohereClientV2>[0];

/**
 * The SDK's client options, but for those that would make a second retry loop or a second clock, and for `fetcher`,
 * which the SDK's `fetch` does not go through.
 */
type CohereClientOptions = Omit<ClientOptions, 'fetcher' | 'maxRetries' | 'timeoutInSeconds'>;

export type CohereTargetOptions = TargetOptions & CohereClientOptions & { readonly client?: CohereClientV2 };

// biome-ignore format: reads as a list
const CLIENT_KEYS = {
  client: true, baseUrl: true, clientName: true, environment: true, fetch: true, headers: true, logging: true, token: true,
} as const satisfies Record<keyof CohereClientOptions | 'client', true>;

/** A model at Cohere, through version 2 of its Chat API, or of its Embed API. The key defaults to `CO_API_KEY`. */
export const cohere = (model: string, options: CohereTargetOptions = {}): TargetSpec => {
  const { client: given, routing } = splitOptions<CohereClientOptions & { client?: CohereClientV2 }>(
    options,
    CLIENT_KEYS,
  );
  const { client, ...clientOptions } = given;
  return {
    vendor: 'cohere',
    model,
    options: routing,
    connect: (name) => connect(client === undefined ? { ...OURS, ...clientOptions } : optionsOf(client), name),
  };
};

/** Unless the user has another. */
const OURS: Pick<CohereClientOptions, 'fetch'> = transport === undefined ? {} : { fetch: transport };

/**
 * What a ready client was made of, to make one like it: the SDK cannot be told "no timeout" for one call only, and a
 * timer of any length outlives a request that finds no connection.
 */
const optionsOf = (client: CohereClientV2): CohereClientOptions => {
  const options: unknown = Reflect.get(client, '_options');
  if (!isObject(options)) throw new TypeError('cohere cannot read the options of this client: pass them instead');
  const { fetcher, maxRetries, timeoutInSeconds, ...others } = options;
  if (fetcher !== undefined) throw new TypeError('cohere cannot use a client with a `fetcher`: give it a `fetch`');
  return others;
};

const connect = (options: CohereClientOptions, model: string): Provider => {
  const key = options.token ?? process.env.CO_API_KEY;
  // The SDK would say so only with the first request.
  if (key === undefined && !('authProvider' in options)) throw new Error('cohere needs a `token`, or CO_API_KEY set');
  const environment = options.environment ?? CohereEnvironment.Production;
  const client = new CohereClientV2({ ...options, environment, maxRetries: 0 });
  const endpoint = options.baseUrl ?? environment;

  // Through the SDK's `fetch`, which brings base URL, key, headers and transport, and not through its `chat` and
  // `chatStream`: those lose the status of an error whose body is not JSON, end a stream where its text says "[DONE]"
  // or where it was cut, and leave a timer behind with each request that finds no connection.
  const post = async (path: string, body: Body, signal: AbortSignal): Promise<Response> => {
    const accept = body.stream === true ? 'text/event-stream' : 'application/json';
    const response = await client.fetch(path, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
    if (!response.ok) throw await refusal(response);
    return response;
  };
  const ask = (request: ChatRequest, stream: boolean, { signal }: Call): Promise<Response> =>
    post('v2/chat', { ...toCohere(request, () => {}), model, stream }, signal);

  return {
    name: 'cohere',
    model,
    // Functions and promises tell nothing before they are asked.
    account: {
      endpoint: typeof endpoint === 'string' ? endpoint : 'supplied',
      credential: typeof key === 'string' ? key : 'supplied',
    },
    gaps,
    async send(request, call) {
      return fromCohere(parse(await (await ask(request, false, call)).text(), 'a body'), model, request);
    },
    stream: (request, call) =>
      streamOfFrames('cohere', () => ask(request, true, call), createFrameReader(model, request)),
    embeddings: cohereEmbeddings(model, async (body, signal) =>
      parse(await (await post('v2/embed', body, signal)).text(), 'a body'),
    ),
    explain,
  };
};

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Hears of everything that the translation leaves out, so that gaps and body cannot tell different stories. */
type LeaveOut = (gap: Gap) => void;

const gaps = (request: ChatRequest): readonly Gap[] => {
  const found = new Map<string, Gap>();
  toCohere(request, (gap) => found.set(gap.what, gap));
  // What it thinks it shows, unasked.
  return [...found.values(), ...extraGaps(request, ['reasoning.summary', 'reasoning.generate_summary'])];
};

const toCohere = (request: ChatRequest, leaveOut: LeaveOut): Body =>
  withoutUndefined({
    messages: withTextResults(request.messages).flatMap((message) => toMessage(message, leaveOut)),
    max_tokens: request.maxOutputTokens,
    temperature: within('temperature', request.temperature, 0, Number.POSITIVE_INFINITY, leaveOut),
    p: toP(request.topP, leaveOut),
    k: within('top_k', request.topK, 0, 500, leaveOut),
    stop_sequences: toStopSequences(request.stop, leaveOut),
    seed: request.seed,
    ...toPenalties(request, leaveOut),
    ...toTools(request, leaveOut),
    response_format: toResponseFormat(request, leaveOut),
    thinking: toThinking(request, leaveOut),
  });

const toMessage = (message: Message, leaveOut: LeaveOut): readonly Body[] => {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: toText(message.content) }];
    case 'user':
      return [{ role: 'user', content: orEmpty(message.content.flatMap((part) => toPart(part, leaveOut))) }];
    case 'assistant':
      return toAssistantMessage(message);
    case 'tool':
      // The words of the result say that it failed.
      if (message.isError === true) leaveOut({ what: 'is_error of a tool result', harmless: true });
      return [{ role: 'tool', tool_call_id: message.toolCallId, content: toText(textsOf(message.content)) }];
  }
};

/** Beside tool calls there is no content: what was said there is the plan. */
const toAssistantMessage = ({ content, toolCalls = [] }: AssistantMessage): readonly Body[] => {
  const said = content.map(({ text }) => text).join('');
  if (toolCalls.length === 0) return said === '' ? [] : [{ role: 'assistant', content: toText(content) }];
  return [
    {
      role: 'assistant',
      ...(said !== '' && { tool_plan: said }),
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: call.arguments.trim() === '' ? '{}' : call.arguments },
      })),
    },
  ];
};

const toText = (parts: readonly TextPart[]): readonly Body[] | string =>
  orEmpty(parts.map(({ text }) => ({ type: 'text', text })));

/** A list must not be empty, a text may be. */
const orEmpty = (parts: readonly Body[]): readonly Body[] | string => (parts.length === 0 ? '' : parts);

const toPart = (part: UserPart, leaveOut: LeaveOut): readonly Body[] => {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text }];
    case 'image':
      return [toImage(part)];
    case 'audio':
    case 'file':
      leaveOut({ what: `${part.type} part` });
      return [];
    case 'unknown':
      leaveOut({ what: `${part.name} part` });
      return [];
  }
};

const toImage = ({ url, detail }: ImagePart): Body => ({
  type: 'image_url',
  image_url: withoutUndefined({ url, detail }),
});

const within = (
  what: string,
  value: number | undefined,
  least: number,
  most: number,
  leaveOut: LeaveOut,
): number | undefined => {
  if (value === undefined || (value >= least && value <= most)) return value;
  leaveOut({
    what: most === Number.POSITIVE_INFINITY ? `${what} below ${least}` : `${what} outside ${least} to ${most}`,
  });
  return undefined;
};

/** Cohere stops just short of 1, which many clients send to say that they do not care. */
const toP = (topP: number | undefined, leaveOut: LeaveOut): number | undefined => {
  if (topP !== 1) return within('top_p', topP, 0.01, 0.99, leaveOut);
  leaveOut({ what: 'top_p of 1 (0.99 is sent)', harmless: true });
  return 0.99;
};

const toStopSequences = (stop: readonly string[] = [], leaveOut: LeaveOut): readonly string[] | undefined => {
  if (stop.length > 5) leaveOut({ what: 'stop with more than 5 sequences' });
  return stop.length === 0 ? undefined : stop.slice(0, 5);
};

/** A penalty of 0 is none; of two, Cohere takes one. */
const toPenalties = (request: ChatRequest, leaveOut: LeaveOut): Body => {
  const frequency = within('frequency_penalty', request.frequencyPenalty || undefined, 0, 1, leaveOut);
  const presence = within('presence_penalty', request.presencePenalty || undefined, 0, 1, leaveOut);
  if (frequency !== undefined && presence !== undefined) {
    leaveOut({ what: 'presence_penalty together with frequency_penalty' });
    return { frequency_penalty: frequency };
  }
  return { frequency_penalty: frequency, presence_penalty: presence };
};

const toTools = ({ tools = [], toolChoice, parallelToolCalls = true }: ChatRequest, leaveOut: LeaveOut): Body => {
  if (tools.length === 0) return {};
  if (!parallelToolCalls && toolChoice !== 'none') leaveOut({ what: 'parallel_tool_calls: false' });
  // There is no word for "this tool", but there is "a tool" when this one is all there are.
  const offered = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.tool) : tools;
  const strict = offered.filter((tool) => tool.strict === true);
  if (strict.length > 0 && strict.length < offered.length) leaveOut({ what: 'strict for some of the tools only' });
  const isStrict = offered.length > 0 && strict.length === offered.length;
  return {
    tools: offered.map(({ name, description, parameters: given }) => {
      const schema: Body = { type: 'object', properties: {}, ...given };
      const parameters = isStrict ? fitted(schema, `schema of tool ${name}`, leaveOut) : schema;
      return { type: 'function', function: withoutUndefined({ name, description, parameters }) };
    }),
    strict_tools: isStrict || undefined,
    tool_choice: toToolChoice(toolChoice),
  };
};

/** To choose freely is what Cohere does when nothing is said, and has no word of its own. */
const toToolChoice = (choice: ChatRequest['toolChoice'] = 'auto'): string | undefined => {
  if (choice === 'auto') return undefined;
  return choice === 'none' ? 'NONE' : 'REQUIRED';
};

const toResponseFormat = ({ output, tools = [] }: ChatRequest, leaveOut: LeaveOut): Body | undefined => {
  if (output === undefined || output.type === 'text') return undefined;
  if (tools.length > 0) {
    leaveOut({ what: 'response_format together with tools' });
    return undefined;
  }
  if (output.type === 'json') return { type: 'json_object' };
  return { type: 'json_object', json_schema: fitted(describedSchema(output), 'output schema', leaveOut) };
};

const fitted = (given: Body, where: string, leaveOut: LeaveOut): Body => {
  const { schema, gaps } = fitSchema(COHERE, given, where);
  for (const gap of gaps) leaveOut(gap);
  return schema;
};

/** Cohere counts thinking in tokens. The steps are ours, four times the one before; `high` is without a limit. */
const THINKING: ReadonlyMap<string, Body> = new Map([
  ['none', { type: 'disabled' }],
  ['minimal', { type: 'enabled', token_budget: 512 }],
  ['low', { type: 'enabled', token_budget: 2_048 }],
  ['medium', { type: 'enabled', token_budget: 8_192 }],
  ['high', { type: 'enabled' }],
  ['xhigh', { type: 'enabled' }],
  ['max', { type: 'enabled' }],
  ['auto', { type: 'enabled' }],
]);

/** A number of tokens says it better than a word. */
const toThinking = (
  { reasoningEffort: effort, maxReasoningTokens }: ChatRequest,
  leaveOut: LeaveOut,
): Body | undefined => {
  if (maxReasoningTokens !== undefined && effort !== 'none') {
    return { type: 'enabled', token_budget: maxReasoningTokens };
  }
  if (effort === undefined) return undefined;
  const thinking = THINKING.get(effort);
  if (thinking === undefined) leaveOut({ what: `reasoning_effort ${effort}` });
  return thinking;
};

// ── from the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  COMPLETE: 'stop',
  STOP_SEQUENCE: 'stop',
  MAX_TOKENS: 'length',
  TOOL_CALL: 'tool-calls',
};

/** A reason that this version does not know still means that the model finished, but for the two that say it failed. */
const toFinishReason = (reason: unknown, error: unknown): FinishReason => {
  if (typeof reason !== 'string') throw brokenAnswer('cohere', 'an answer without its end');
  if (reason === 'ERROR' || reason === 'TIMEOUT') throw failed({ type: reason, message: textOf(error) });
  return FINISH_REASONS[reason] ?? 'stop';
};

const failed = (words: { readonly type?: string; readonly message: string | undefined }): ProviderFailure =>
  new ProviderFailure(failureFromVendor({ vendor: 'cohere', ...words }));

/** An error status. Its body says more if it is JSON; if it is not, or breaks off, the status says enough. */
const refusal = async (response: Response): Promise<ProviderFailure> => {
  const body: unknown = await response.json().catch(() => undefined);
  return new ProviderFailure(
    failureFromVendor({
      vendor: 'cohere',
      status: response.status,
      header: (name) => response.headers.get(name),
      message: isObject(body) ? textOf(body.message) : undefined,
    }),
  );
};

const parse = (json: string, what: 'a body' | 'an event'): Body => {
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch {
    throw brokenAnswer('cohere', json.trim() === '' ? 'an empty body' : `${what} that is not JSON`);
  }
  if (!isObject(body)) throw brokenAnswer('cohere', `${what} that is no answer`);
  // Where an answer has its message, an error has its text.
  if (typeof body.message === 'string') throw failed({ message: body.message });
  return body;
};

/** Which stop sequence it was is known where there was but one. */
const stopSequenceOf = (reason: unknown, { stop = [] }: ChatRequest): { readonly stopSequence?: string } => {
  const [only, ...others] = stop;
  return reason === 'STOP_SEQUENCE' && only !== undefined && others.length === 0 ? { stopSequence: only } : {};
};

const fromCohere = (body: Body, model: string, request: ChatRequest): ChatResponse => {
  const finishReason = toFinishReason(body.finish_reason, body.error);
  if (!isObject(body.message)) throw brokenAnswer('cohere', 'a body without a message');
  const { content, tool_plan, tool_calls } = body.message;
  const parts = Array.isArray(content) ? content.filter(isObject) : [];
  const reasoning = parts.map(({ thinking }) => textOf(thinking) ?? '').join('');
  return {
    id: textOf(body.id) ?? '',
    model,
    // A plan is what the model says beside its tool calls, as other vendors' content is.
    text: [textOf(tool_plan), ...parts.map((part) => textOf(part.text))].join(''),
    ...(reasoning !== '' && { reasoning }),
    toolCalls: Array.isArray(tool_calls) ? tool_calls.filter(isObject).map(fromToolCall) : [],
    finishReason,
    ...stopSequenceOf(body.finish_reason, request),
    ...(isObject(body.usage) && { usage: fromUsage(body.usage) }),
  };
};

const fromToolCall = ({ id, function: called }: Body): ToolCall => {
  const { name, arguments: args } = isObject(called) ? called : {};
  return { id: callIdOf(id), name: textOf(name) ?? '', arguments: textOf(args) || '{}' };
};

const fromUsage = (usage: Body): Usage => {
  // What was billed leaves out what Cohere's own instructions cost; it counts where nothing else is said.
  const tokens = isObject(usage.tokens) ? usage.tokens : isObject(usage.billed_units) ? usage.billed_units : {};
  return {
    inputTokens: countOf(tokens.input_tokens),
    outputTokens: countOf(tokens.output_tokens),
    cachedInputTokens: countOf(usage.cached_tokens),
    reasoningTokens: 0,
  };
};

/** A stream has ended well only with a `message-end` that does not name a failure. */
const createFrameReader = (model: string, request: ChatRequest): FrameReader => {
  const read = createEventReader(model, request);
  let state: 'waiting' | 'started' | 'finished' = 'waiting';
  return {
    isLast: isEnd,
    read(frame) {
      const { event, data } = frame;
      if (data === undefined || data === '') return [{ type: 'other' }];
      state = 'started';
      const chunk = parse(data, 'an event');
      const events = read(textOf(chunk.type) ?? event, chunk);
      if (isEnd(frame)) state = 'finished';
      return events;
    },
    end(broken) {
      if (broken !== undefined) throw broken.error;
      if (state === 'finished') return [];
      const what = state === 'started' ? 'a stream that stopped before its end' : 'a stream without an event';
      throw brokenAnswer('cohere', what);
    },
  };
};

const isEnd = ({ event, data = '' }: ServerSentEvent): boolean =>
  event === 'message-end' || (event === undefined && data.startsWith('{"type":"message-end"'));

type ReadEvent = (type: string | undefined, chunk: Body) => readonly ChatEvent[];

/** Reads the events of one stream in turn, keeping what later ones refer to. */
const createEventReader = (model: string, request: ChatRequest): ReadEvent => {
  // By the index of its events.
  const calls = new Map<unknown, { readonly index: number; empty: boolean }>();

  const extend = (at: unknown, args: unknown): readonly ChatEvent[] => {
    const call = calls.get(at);
    if (call === undefined || typeof args !== 'string' || args === '') return [];
    call.empty = false;
    return [{ type: 'tool-call', index: call.index, arguments: args }];
  };

  const open = (at: unknown, { id, function: called }: Body): readonly ChatEvent[] => {
    const { name, arguments: args } = isObject(called) ? called : {};
    const index = calls.size;
    calls.set(at, { index, empty: true });
    return [
      { type: 'tool-call', index, id: callIdOf(id), name: textOf(name) ?? '', arguments: '' },
      ...extend(at, args),
    ];
  };

  return (type, { id, index, delta: given }) => {
    const delta = isObject(given) ? given : {};
    const message = isObject(delta.message) ? delta.message : {};
    const call = isObject(message.tool_calls) ? message.tool_calls : {};
    switch (type) {
      case 'message-start':
        return [{ type: 'start', id: textOf(id) ?? '', model }];
      case 'content-start':
      case 'content-delta':
      case 'tool-plan-delta':
        return said(message);
      case 'tool-call-start':
        return open(index, call);
      case 'tool-call-delta':
        return extend(index, isObject(call.function) ? call.function.arguments : undefined);
      case 'tool-call-end':
        // A call without arguments is still a call with an empty object.
        return calls.get(index)?.empty === true ? extend(index, '{}') : [{ type: 'other' }];
      case 'message-end': {
        const finish: ChatEvent = {
          type: 'finish',
          reason: toFinishReason(delta.finish_reason, delta.error),
          ...stopSequenceOf(delta.finish_reason, request),
        };
        return isObject(delta.usage) ? [finish, { type: 'usage', usage: fromUsage(delta.usage) }] : [finish];
      }
      default:
        return [{ type: 'other' }];
    }
  };
};

const said = ({ content, tool_plan }: Body): readonly ChatEvent[] => {
  const piece = isObject(content) ? content : {};
  const spoken = textOf(piece.text) ?? textOf(tool_plan);
  if (spoken) return [{ type: 'text', text: spoken }];
  const thought = textOf(piece.thinking);
  return thought ? [{ type: 'reasoning', text: thought }] : [{ type: 'other' }];
};

const explain = (error: unknown, wire: Wire): Failure => {
  // What the SDK itself throws before it calls `fetch` is that it has no key.
  if (error instanceof CohereError && wire.state === 'idle') {
    return { kind: 'unauthorized', message: 'cohere could not be asked without a key' };
  }
  return failureFromUnknown('cohere', error, wire);
};
