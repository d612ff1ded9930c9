import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

// The clients that callers have: the vendors' own from npm, and for Glide, which has none for this language, fetch.

export const CALLERS = ['chat', 'messages', 'responses', 'glide'] as const;

export type CallerFormat = (typeof CALLERS)[number];

export type Body = Record<string, unknown>;

/** What each format's own types allow to say. */
export interface Said {
  readonly chat?: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>;
  readonly messages?: Partial<Anthropic.MessageCreateParamsNonStreaming>;
  readonly responses?: Partial<OpenAI.Responses.ResponseCreateParamsNonStreaming>;
  readonly glide?: Partial<GlideRequest>;
}

/** Glide's own fields, and the settings that it takes in the words of Chat Completions. */
interface GlideRequest
  extends Pick<
    OpenAI.ChatCompletionCreateParamsNonStreaming,
    | 'frequency_penalty'
    | 'max_tokens'
    | 'parallel_tool_calls'
    | 'presence_penalty'
    | 'reasoning_effort'
    | 'response_format'
    | 'seed'
    | 'stop'
    | 'temperature'
    | 'tool_choice'
    | 'tools'
    | 'top_p'
  > {
  readonly message: OpenAI.ChatCompletionMessageParam;
  readonly message_history: readonly OpenAI.ChatCompletionMessageParam[];
  readonly metadata: Body;
}

/** What a client's own answer object says, brought to common names so that features can ask for it. */
export interface Answer {
  readonly text: string;
  readonly thoughts: string;
  readonly refusal: string;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly args: unknown }[];
  /** In the format's own words; for Responses, the status and the reason of an incomplete one. */
  readonly finish: string;
  readonly usage: {
    readonly input: number;
    readonly output: number;
    readonly cached: number;
    readonly thought: number;
  };
  /** The client's own object. */
  readonly whole: unknown;
}

/** What a client throws, or what fetch brings in its place. */
interface Complaint {
  readonly status: number;
  readonly message: string;
  /** The whole body of the error. */
  readonly body: string;
}

export interface Heard {
  /** The body as the client put it on the wire. */
  readonly sent: Body;
  readonly status: number;
  readonly headers: Headers;
  readonly answer?: Answer;
  readonly complaint?: Complaint;
}

/** Asks a route in a format through the format's own client, plainly or as a stream, and waits for the whole answer. */
export const ask = async (
  format: CallerFormat,
  url: string,
  said: Said,
  { stream, headers = {} }: { readonly stream: boolean; readonly headers?: Readonly<Record<string, string>> },
): Promise<Heard> => {
  let sent: Body = {};
  let response: Response | undefined;
  const watched = async (address: string | URL | Request, init?: RequestInit): Promise<Response> => {
    sent = JSON.parse(String(init?.body)) as Body;
    response = await fetch(address, init);
    return response;
  };
  const given = CLIENTS[format](url, said, { stream, headers, fetch: watched });
  const outcome = await given.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ complaint: complaintOf(error) }),
  );
  if (response === undefined) throw new Error('the client did not ask');
  return { sent, status: response.status, headers: response.headers, ...outcome };
};

interface Mode {
  readonly stream: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: (address: string | URL | Request, init?: RequestInit) => Promise<Response>;
}

type Client = (url: string, said: Said, mode: Mode) => Promise<Answer>;

const openaiClient = (url: string, { fetch }: Mode): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'the-caller-s-own', maxRetries: 0, fetch });

/** The helpers for streams take the same as the plain calls, but for fields that are `undefined`. */
type StreamedChat = Parameters<OpenAI['chat']['completions']['stream']>[0];
type StreamedResponses = Parameters<OpenAI['responses']['stream']>[0];

const chat: Client = async (url, { chat: said }, mode) => {
  const client = openaiClient(url, mode);
  const body = { model: 'any', messages: [{ role: 'user' as const, content: 'hi' }], ...said };
  // Usage is told in a stream only to those who ask.
  const thoughts: string[] = [];
  const streamed = (): Promise<OpenAI.ChatCompletion> => {
    const options = { stream_options: { include_usage: true } };
    const stream = client.chat.completions.stream({ ...body, ...options } as object as StreamedChat);
    // Of a field that the client does not know it keeps the last piece.
    stream.on('chunk', ({ choices }) => thoughts.push(thoughtOf(choices[0]?.delta)));
    return stream.finalChatCompletion();
  };
  const whole = mode.stream ? await streamed() : await client.chat.completions.create(body);
  const [choice] = whole.choices;
  const { content, refusal, tool_calls = [] } = choice?.message ?? {};
  return {
    text: content ?? '',
    thoughts: mode.stream ? thoughts.join('') : thoughtOf(choice?.message),
    refusal: refusal ?? '',
    calls: tool_calls.flatMap((call) =>
      call.type === 'function' ? [callOf(call.id, call.function.name, call.function.arguments)] : [],
    ),
    finish: choice?.finish_reason ?? 'none',
    usage: {
      input: whole.usage?.prompt_tokens ?? Number.NaN,
      output: whole.usage?.completion_tokens ?? Number.NaN,
      cached: whole.usage?.prompt_tokens_details?.cached_tokens ?? Number.NaN,
      thought: whole.usage?.completion_tokens_details?.reasoning_tokens ?? Number.NaN,
    },
    whole,
  };
};

const thoughtOf = (said: object = {}): string => String(Reflect.get(said, 'reasoning_content') ?? '');

const messages: Client = async (url, { messages: said }, mode) => {
  const client = new Anthropic({
    baseURL: url,
    apiKey: 'the-caller-s-own',
    maxRetries: 0,
    logLevel: 'off',
    fetch: mode.fetch,
    defaultHeaders: mode.headers,
  });
  const body = { model: 'any', max_tokens: 512, messages: [{ role: 'user', content: 'hi' } as const], ...said };
  const whole = mode.stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
  const join = (read: (block: Anthropic.ContentBlock) => string): string => whole.content.map(read).join('');
  const { input_tokens, output_tokens, cache_read_input_tokens, output_tokens_details } = whole.usage;
  return {
    text: join((block) => (block.type === 'text' ? block.text : '')),
    thoughts: join((block) => (block.type === 'thinking' ? block.thinking : '')),
    refusal: whole.stop_reason === 'refusal' ? 'refusal' : '',
    calls: whole.content.flatMap((block) =>
      block.type === 'tool_use' ? [{ id: block.id, name: block.name, args: block.input }] : [],
    ),
    finish: whole.stop_reason ?? 'none',
    usage: {
      input: input_tokens + (cache_read_input_tokens ?? 0),
      output: output_tokens,
      cached: cache_read_input_tokens ?? Number.NaN,
      thought: output_tokens_details?.thinking_tokens ?? Number.NaN,
    },
    whole,
  };
};

const responses: Client = async (url, { responses: said }, mode) => {
  const client = openaiClient(url, mode);
  const body = { model: 'any', input: 'hi', ...said };
  const whole = mode.stream
    ? await client.responses.stream(body as object as StreamedResponses).finalResponse()
    : await client.responses.create(body);
  const parts = whole.output.flatMap((item) => (item.type === 'message' ? item.content : []));
  return {
    text: parts.map((part) => (part.type === 'output_text' ? part.text : '')).join(''),
    thoughts: whole.output
      .flatMap((item) => (item.type === 'reasoning' ? item.summary.map(({ text }) => text) : []))
      .join(''),
    refusal: parts.map((part) => (part.type === 'refusal' ? part.refusal : '')).join(''),
    calls: whole.output.flatMap((item) =>
      item.type === 'function_call' ? [callOf(item.call_id, item.name, item.arguments)] : [],
    ),
    finish: [whole.status, ...(whole.incomplete_details ? [whole.incomplete_details.reason] : [])].join(': '),
    usage: {
      input: whole.usage?.input_tokens ?? Number.NaN,
      output: whole.usage?.output_tokens ?? Number.NaN,
      cached: whole.usage?.input_tokens_details.cached_tokens ?? Number.NaN,
      thought: whole.usage?.output_tokens_details.reasoning_tokens ?? Number.NaN,
    },
    whole,
  };
};

interface GlideMessage {
  readonly role: 'assistant';
  readonly content: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly {
    index?: number;
    id?: string;
    extra_content?: object;
    function: { name?: string; arguments: string };
  }[];
}

interface GlideModelResponse {
  readonly message: GlideMessage;
  readonly token_usage?: { readonly prompt_tokens: number; readonly response_tokens: number };
}

const glide: Client = async (url, { glide: said }, { stream, headers, fetch }) => {
  const response = await fetch(`${url}/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ message: { role: 'user', content: 'hi' }, ...said, ...(stream && { stream }) }),
  });
  const text = await response.text();
  if (!response.ok) throw new GlideError(response.status, text);
  const whole = stream ? gathered(text) : (JSON.parse(text) as GlideWhole);
  const { message, token_usage } = whole.model_response;
  return {
    text: message.content,
    thoughts: message.reasoning_content ?? '',
    refusal: '',
    calls: (message.tool_calls ?? []).map(({ id = '', function: { name = '', arguments: args } }) =>
      callOf(id, name, args),
    ),
    finish: whole.finish_reason,
    // Glide tells no more of it.
    usage: {
      input: token_usage?.prompt_tokens ?? Number.NaN,
      output: token_usage?.response_tokens ?? Number.NaN,
      cached: 0,
      thought: 0,
    },
    whole,
  };
};

interface GlideWhole {
  readonly finish_reason: string;
  readonly model_response: GlideModelResponse;
}

/** The frames of a stream, put together as Glide's clients do. */
const gathered = (frames: string): GlideWhole => {
  let content = '';
  let reasoning = '';
  let last: { readonly finish_reason?: string; readonly model_response: GlideModelResponse } | undefined;
  const calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[] = [];
  for (const frame of frames.split('\n\n').filter((each) => each.startsWith('data: '))) {
    const { chunk, error } = JSON.parse(frame.slice(6)) as { chunk?: NonNullable<typeof last>; error?: unknown };
    if (chunk === undefined) throw new Error(`the stream broke off: ${JSON.stringify(error)}`);
    last = chunk;
    content += chunk.model_response.message.content;
    reasoning += chunk.model_response.message.reasoning_content ?? '';
    for (const { index = 0, id = '', function: called, extra_content } of chunk.model_response.message.tool_calls ??
      []) {
      calls[index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } };
      Object.assign(calls[index], extra_content && { extra_content });
      calls[index].id += id;
      calls[index].function.name += called.name ?? '';
      calls[index].function.arguments += called.arguments;
    }
  }
  return {
    finish_reason: last?.finish_reason ?? 'none',
    model_response: {
      message: {
        role: 'assistant',
        content,
        ...(reasoning !== '' && { reasoning_content: reasoning }),
        tool_calls: calls,
      },
      ...(last?.model_response.token_usage && { token_usage: last.model_response.token_usage }),
    },
  };
};

class GlideError extends Error {
  readonly status: number;

  constructor(status: number, body: string) {
    super(body);
    this.status = status;
  }
}

const callOf = (id: string, name: string, args: string): Answer['calls'][number] => ({
  id,
  name,
  args: JSON.parse(args) as unknown,
});

const complaintOf = (error: unknown): Complaint => {
  if (error instanceof GlideError) {
    const { message } = JSON.parse(error.message) as { message: string };
    return { status: error.status, message, body: error.message };
  }
  if (error instanceof OpenAI.APIError && error.status !== undefined) {
    return { status: error.status, message: error.message, body: JSON.stringify({ error: error.error }) };
  }
  if (error instanceof Anthropic.APIError && error.status !== undefined) {
    return { status: error.status, message: error.message, body: JSON.stringify(error.error) };
  }
  throw error;
};

const CLIENTS: Readonly<Record<CallerFormat, Client>> = { chat, messages, responses, glide };
