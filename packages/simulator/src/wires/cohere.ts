import {
  type Answer,
  type Choice,
  type Finish,
  piecesOf,
  type Question,
  type Tool,
  type Turn,
  tokensOf,
} from '../answer.ts';
import { isObject, type JsonObject } from '../json.ts';
import { optional, type Reader, reader, show } from '../reader.ts';
import {
  BAD_KEY,
  bearer,
  MISSING_MODEL,
  Rejection,
  type Stamp,
  type StreamEvent,
  serverSentEvent,
  type Wire,
  type WireRequest,
} from '../wire.ts';
import { EMBED_PATH, printVectors, readEmbed } from './cohere-embed.ts';

const PATH = '/v2/chat';

/** Cohere's Chat and its Embed, version 2. */
export const cohere: Wire = {
  name: 'cohere',
  contentType: { json: 'application/json', stream: 'text/event-stream' },
  at: (path) =>
    path === EMBED_PATH
      ? { ...cohere, read: (request) => readEmbed(checkEnvelope(request, EMBED_PATH), read), print: printVectors }
      : cohere,
  read: (request) => readBody(checkEnvelope(request, PATH)),

  print: (answer, question, stamp) => ({
    id: stamp.id,
    finish_reason: FINISH_REASONS[answer.choices[0].finish],
    message: message(answer, question, stamp),
    usage: usage(answer),
  }),

  stream(answer, question, stamp) {
    const [{ text, toolCalls, finish }] = answer.choices;
    const event = (part: StreamEvent['part'], tokens: number, data: JsonObject & { readonly type: string }) => ({
      part,
      tokens,
      bytes: serverSentEvent(JSON.stringify(data), data.type),
    });
    const content = (type: 'thinking' | 'text', whole: string, index: number) => [
      event(index === 0 ? 'open' : 'content', 0, {
        type: 'content-start',
        index,
        delta: { message: { content: { type, [type]: '' } } },
      }),
      ...piecesOf(whole).map((piece) =>
        event('content', piece.tokens, {
          type: 'content-delta',
          index,
          delta: { message: { content: { [type]: piece.text } } },
        }),
      ),
      event('content', 0, { type: 'content-end', index }),
    ];
    const shown = shownThought(answer, question);
    const empty = { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] };
    return [
      event('open', 0, { type: 'message-start', id: stamp.id, delta: { message: empty } }),
      ...(shown === '' ? [] : content('thinking', shown, 0)),
      ...(text === '' ? [] : content('text', text, shown === '' ? 0 : 1)),
      ...piecesOf(plan(toolCalls)).map(({ text: tool_plan }) =>
        event('content', 0, { type: 'tool-plan-delta', delta: { message: { tool_plan } } }),
      ),
      ...toolCalls.flatMap(({ name, args }, index) => [
        event('content', tokensOf(name), {
          type: 'tool-call-start',
          index,
          delta: { message: { tool_calls: call(name, '', index, stamp) } },
        }),
        ...piecesOf(JSON.stringify(args)).map((piece) =>
          event('content', piece.tokens, {
            type: 'tool-call-delta',
            index,
            delta: { message: { tool_calls: { function: { arguments: piece.text } } } },
          }),
        ),
        event('content', 0, { type: 'tool-call-end', index }),
      ]),
      event('end', 0, {
        type: 'message-end',
        id: stamp.id,
        delta: { finish_reason: FINISH_REASONS[finish], usage: usage(answer) },
      }),
    ];
  },

  printError: ({ status, message }, { id }) => ({
    id,
    message: message ?? MESSAGES[status] ?? `the server answered with status ${status}`,
  }),
  streamError({ status, message }, { id }) {
    const error = message ?? MESSAGES[status];
    const data = { type: 'message-end', id, delta: { finish_reason: 'ERROR', error } };
    return serverSentEvent(JSON.stringify(data), 'message-end');
  },
  streamGarbage: () => serverSentEvent('{"type":"content-delta","index":0,"delta":{', 'content-delta'),

  headers: ({ id }) => ({ 'x-debug-trace-id': id }),
  // Cohere documents no such headers; its SDK reads this one, in whole seconds since 1970.
  limitHeaders: ({ requests: { remaining, resetMs } }, { nowMs }): Readonly<Record<string, string>> =>
    remaining > 0 ? {} : { 'x-ratelimit-reset': String(Math.ceil((nowMs + resetMs) / 1_000)) },
  tooMany: (waitMs) => ({
    problem: { status: 429 },
    headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) },
  }),

  midway: { status: 500 },
  tooLong: ({ window, tokens } = { window: 128_000, tokens: 130_172 }) => ({
    status: 400,
    message: `too many tokens: total number of tokens in the prompt cannot exceed ${window} - received ${tokens}.`,
  }),
  // Cohere has no finish reason for it.
  declined: { status: 422, message: 'the request was blocked because its content violates the usage policy' },
};

// biome-ignore format: reads as a table
const MESSAGES: Readonly<Record<number, string>> = {
  400: 'invalid request',
  401: 'invalid api token',
  402: 'your account has no credit left, please add a payment method',
  403: 'you are not allowed to use this resource',
  404: 'not found',
  422: 'unprocessable entity',
  429: "You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key.",
  498: 'invalid token',
  499: 'request cancelled',
  500: 'internal server error, please try again later',
  501: 'not implemented',
  503: 'service unavailable, please try again later',
  504: 'gateway timeout',
};

const FINISH_REASONS: Readonly<Record<Finish, string | undefined>> = {
  stop: 'COMPLETE',
  'stop-sequence': 'STOP_SEQUENCE',
  length: 'MAX_TOKENS',
  'tool-calls': 'TOOL_CALL',
  // Never printed: Cohere declines with an error.
  filtered: 'ERROR',
  refused: 'COMPLETE',
  unsaid: undefined,
};

const shownThought = ({ thought }: Answer, { reasoning }: Question): string => (reasoning === 'shown' ? thought : '');

/** What the model says beside its tool calls; its tokens are left out of the usage. */
const plan = (toolCalls: Choice['toolCalls']): string =>
  toolCalls.length === 0 ? '' : `I will call ${toolCalls.map(({ name }) => name).join(' and ')}.`;

const call = (name: string, args: string, index: number, { id }: Stamp): JsonObject => ({
  id: `${name}_${id}_${index}`,
  type: 'function',
  function: { name, arguments: args },
});

const message = (answer: Answer, question: Question, stamp: Stamp): JsonObject => {
  const [{ text, toolCalls }] = answer.choices;
  const thought = shownThought(answer, question);
  const thinking = thought === '' ? [] : [{ type: 'thinking', thinking: thought }];
  if (toolCalls.length === 0) return { role: 'assistant', content: [...thinking, { type: 'text', text }] };
  return {
    role: 'assistant',
    ...(thinking.length > 0 && { content: thinking }),
    tool_plan: plan(toolCalls),
    tool_calls: toolCalls.map(({ name, args }, i) => call(name, JSON.stringify(args), i, stamp)),
  };
};

const usage = ({ usage: { inputTokens, cachedTokens, outputTokens } }: Answer): JsonObject => ({
  billed_units: { input_tokens: inputTokens, output_tokens: outputTokens },
  tokens: { input_tokens: inputTokens, output_tokens: outputTokens },
  cached_tokens: cachedTokens,
});

const reject = (message: string, status = 400): never => {
  throw new Rejection({ status, message });
};

const read: Reader = reader((path, expected, got) =>
  reject(`invalid request: ${path} ${got === undefined ? 'is required' : `must be ${expected}, got ${show(got)}`}`),
);

/** What has to be right before anybody looks at the question. */
const checkEnvelope = ({ method, path, headers, body }: WireRequest, own: string): JsonObject => {
  if (path !== own) return reject(`path ${path} not found`, 404);
  if (method !== 'POST') return reject('method not allowed', 405);
  const key = bearer(headers);
  if (key === undefined) return reject('no api key supplied', 401);
  if (key === BAD_KEY) return reject('invalid api token', 401);
  if (!isObject(body)) return reject('invalid request: the body is not valid JSON');
  const model = read.text(body.model, 'model');
  return model === MISSING_MODEL
    ? reject(`model '${model}' not found, make sure the correct model ID was used`, 404)
    : body;
};

const readBody = (body: JsonObject): Question => {
  const turns = readMessages(body.messages);
  const tools = optional(body.tools, readTools) ?? [];
  const number = (field: string, min: number, max: number): number | undefined =>
    optional(body[field], (value) => read.number(value, field, { min, max }));
  number('temperature', 0, Number.MAX_VALUE);
  number('p', 0.01, 0.99);
  number('k', 0, 500);
  const frequency = number('frequency_penalty', 0, 1) ?? 0;
  const presence = number('presence_penalty', 0, 1) ?? 0;
  if (frequency > 0 && presence > 0) {
    reject('invalid request: frequency_penalty and presence_penalty cannot be used together');
  }
  const format = optional(body.response_format, readFormat) ?? { type: 'text' };
  if (format.type !== 'text' && tools.length > 0) {
    reject('invalid request: response_format cannot be used together with tools');
  }
  return {
    model: String(body.model),
    stream: optional(body.stream, (value) => read.flag(value, 'stream')) ?? false,
    turns,
    tools,
    toolChoice: optional(body.tool_choice, (value) => readToolChoice(value, tools)) ?? 'auto',
    parallelToolCalls: true,
    format,
    maxOutputTokens: optional(body.max_tokens, (value) => read.number(value, 'max_tokens', { min: 1, integer: true })),
    stop: optional(body.stop_sequences, readStop) ?? [],
    reasoning: optional(body.thinking, readThinking) ?? 'none',
    choices: 1,
    streamUsage: true,
  };
};

const ROLES = ['system', 'user', 'assistant', 'tool'] as const;

const readMessages = (value: unknown): readonly Turn[] => {
  const asked = new Set<string>();
  return read.list(value, 'messages', { min: 1 }).map((item, i): Turn => {
    const path = `messages[${i}]`;
    const given = read.object(item, path);
    const role = read.oneOf(given.role, `${path}.role`, ROLES);
    if (role === 'tool') {
      const id = read.text(given.tool_call_id, `${path}.tool_call_id`);
      if (!asked.has(id))
        reject(`invalid request: ${path}.tool_call_id '${id}' does not match any tool call before it`);
    }
    if (role !== 'assistant') return { role, ...readContent(given.content, `${path}.content`) };
    const calls = optional(given.tool_calls, (list) => readToolCalls(list, `${path}.tool_calls`)) ?? [];
    for (const { id } of calls) asked.add(id);
    const toolPlan = optional(given.tool_plan, (text) => read.text(text, `${path}.tool_plan`));
    const content = optional(given.content, (content) => readContent(content, `${path}.content`).text);
    if (content === undefined && calls.length === 0) {
      reject(`invalid request: ${path} must have either content or tool_calls`);
    }
    const said = [content, toolPlan, ...calls.map(({ text }) => text)];
    return { role, images: 0, text: said.filter((text) => text !== undefined).join(' ') };
  });
};

const PARTS = ['text', 'image_url', 'document', 'thinking'] as const;

const readContent = (value: unknown, path: string): { text: string; images: number } => {
  if (typeof value === 'string') return { text: value, images: 0 };
  const texts: string[] = [];
  let images = 0;
  for (const [i, item] of read.list(value, path, { min: 1 }).entries()) {
    const part = read.object(item, `${path}[${i}]`);
    const type = read.oneOf(part.type, `${path}[${i}].type`, PARTS);
    if (type === 'text') texts.push(read.text(part.text, `${path}[${i}].text`));
    if (type === 'document') texts.push(JSON.stringify(read.object(part.document, `${path}[${i}].document`)));
    if (type === 'image_url') {
      const image = read.object(part.image_url, `${path}[${i}].image_url`);
      read.text(image.url, `${path}[${i}].image_url.url`);
      images += 1;
    }
  }
  return { text: texts.join(' '), images };
};

const readToolCalls = (value: unknown, path: string): readonly { id: string; text: string }[] =>
  read.list(value, path).map((item, i) => {
    const given = read.object(item, `${path}[${i}]`);
    read.oneOf(given.type, `${path}[${i}].type`, ['function']);
    const called = read.object(given.function, `${path}[${i}].function`);
    const name = read.text(called.name, `${path}[${i}].function.name`);
    const args = read.text(called.arguments, `${path}[${i}].function.arguments`);
    return { id: read.text(given.id, `${path}[${i}].id`), text: `${name}(${args})` };
  });

const readTools = (value: unknown): readonly Tool[] =>
  read.list(value, 'tools').map((item, i) => {
    const path = `tools[${i}]`;
    const tool = read.object(item, path);
    read.oneOf(tool.type, `${path}.type`, ['function']);
    const definition = read.object(tool.function, `${path}.function`);
    return {
      name: read.text(definition.name, `${path}.function.name`),
      parameters: read.object(definition.parameters, `${path}.function.parameters`),
    };
  });

const readToolChoice = (value: unknown, tools: readonly Tool[]): Question['toolChoice'] => {
  const choice = read.oneOf(value, 'tool_choice', ['REQUIRED', 'NONE']);
  if (tools.length === 0) reject('invalid request: tool_choice cannot be used without tools');
  return choice === 'NONE' ? 'none' : [];
};

const readFormat = (value: unknown): Question['format'] => {
  const format = read.object(value, 'response_format');
  if (read.oneOf(format.type, 'response_format.type', ['text', 'json_object']) === 'text') return { type: 'text' };
  const path = 'response_format.json_schema';
  const schema = optional(format.json_schema, (given) => read.object(given, path));
  return schema === undefined ? { type: 'json' } : { type: 'schema', schema };
};

const readStop = (value: unknown): readonly string[] =>
  read.list(value, 'stop_sequences', { max: 5 }).map((item, i) => read.text(item, `stop_sequences[${i}]`));

const readThinking = (value: unknown): Question['reasoning'] => {
  const thinking = read.object(value, 'thinking');
  optional(thinking.token_budget, (given) => read.number(given, 'thinking.token_budget', { min: 1, integer: true }));
  return read.oneOf(thinking.type, 'thinking.type', ['enabled', 'disabled']) === 'enabled' ? 'shown' : 'none';
};
