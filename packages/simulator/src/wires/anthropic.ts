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
import type { Allowance } from '../limit.ts';
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

const PATH = '/v1/messages';
const COUNT_PATH = '/v1/messages/count_tokens';

/** Anthropic's Messages. */
export const anthropic: Wire = {
  name: 'anthropic',
  contentType: { json: 'application/json', stream: 'text/event-stream; charset=utf-8' },
  at: (path) => (path === COUNT_PATH ? counting : anthropic),
  read: (request) => readBody(checkEnvelope(request, PATH)),

  print: (answer, question, stamp) => ({
    ...envelope(answer, stamp),
    content: blocks(answer, question, stamp).map(({ block }) => block),
    ...stop(answer.choices[0]),
    container: null,
    usage: usage(answer, answer.usage.outputTokens),
  }),

  stream(answer, question, stamp) {
    const event = (part: StreamEvent['part'], tokens: number, data: JsonObject & { readonly type: string }) => ({
      part,
      tokens,
      bytes: serverSentEvent(JSON.stringify(data), data.type),
    });
    const message = {
      ...envelope(answer, stamp),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: usage(answer, 1),
    };
    const { stop_reason, stop_sequence, stop_details } = stop(answer.choices[0]);
    return [
      event('open', 0, { type: 'message_start', message }),
      ...blocks(answer, question, stamp).flatMap(({ empty, deltas }, index) => [
        // The first block opens as soon as the message does, and so does the ping that follows it.
        event(index === 0 ? 'open' : 'content', 0, { type: 'content_block_start', index, content_block: empty }),
        ...(index === 0 ? [event('open', 0, { type: 'ping' })] : []),
        ...deltas.map(({ delta, tokens }) => event('content', tokens, { type: 'content_block_delta', index, delta })),
        event('content', 0, { type: 'content_block_stop', index }),
      ]),
      event('end', 0, {
        type: 'message_delta',
        delta: { stop_reason, stop_sequence, stop_details, container: null },
        usage: usage(answer, answer.usage.outputTokens),
      }),
      event('end', 0, { type: 'message_stop' }),
    ];
  },

  printError({ status, message, code }, { id }) {
    const usual = ERRORS[status] ?? { type: status < 500 ? 'invalid_request_error' : 'api_error' };
    const text = message ?? usual.message ?? `The server answered with status ${status}.`;
    const details = code === undefined ? {} : { details: { error_code: code } };
    return { type: 'error', error: { type: usual.type, message: text, ...details }, request_id: `req_${id}` };
  },
  streamError(problem, stamp) {
    const { request_id: _, ...body } = anthropic.printError(problem, stamp);
    return serverSentEvent(JSON.stringify(body), 'error');
  },
  streamGarbage: () => serverSentEvent('{"type":"content_block_delta","index":0,"delta":{', 'content_block_delta'),

  headers: ({ id }) => ({ 'request-id': `req_${id}` }),
  limitHeaders: ({ requests, tokens }, { nowMs }) => ({
    ...limits('requests', requests, nowMs),
    ...limits('tokens', tokens, nowMs),
    ...limits('input-tokens', tokens, nowMs),
    ...limits('output-tokens', tokens, nowMs),
  }),
  tooMany: (waitMs) => ({
    problem: { status: 429, message: 'This request would exceed the rate limit of your organization.' },
    headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) },
  }),

  midway: { status: 529 },
  tooLong: ({ window, tokens } = { window: 200_000, tokens: 210_000 }) => ({
    status: 400,
    message: `prompt is too long: ${tokens} tokens > ${window} maximum`,
  }),
  declined: undefined,
};

/** What counts the tokens of a prompt: the same question, but for what only an answer needs. */
const counting: Wire = {
  ...anthropic,
  read(request) {
    const body = checkEnvelope(request, COUNT_PATH);
    for (const field of Object.keys(body)) {
      if (NOT_COUNTED.has(field)) reject(`${field}: Extra inputs are not permitted`);
    }
    return readBody({ ...body, max_tokens: MOST_TOKENS });
  },
  print: ({ usage: { inputTokens } }) => ({ input_tokens: inputTokens }),
};

// biome-ignore format: reads as a table
const ERRORS: Readonly<Record<number, { readonly type: string; readonly message?: string }>> = {
  400: { type: 'invalid_request_error', message: 'Bad request' },
  401: { type: 'authentication_error',  message: 'invalid bearer token' },
  402: { type: 'billing_error',         message: 'Your credit balance is too low to access the API.' },
  403: { type: 'permission_error',      message: 'Your API key does not have permission to use this resource.' },
  404: { type: 'not_found_error',       message: 'Not found' },
  409: { type: 'conflict_error',        message: 'Conflict' },
  413: { type: 'request_too_large',     message: 'Request exceeds the maximum size' },
  429: { type: 'rate_limit_error',      message: 'This request would exceed your rate limit.' },
  500: { type: 'api_error',             message: 'Internal server error' },
  503: { type: 'api_error',             message: 'Service unavailable' },
  504: { type: 'timeout_error',         message: 'Request timed out' },
  529: { type: 'overloaded_error',      message: 'Overloaded' },
};

const STOP_REASONS: Readonly<Record<Finish, string | null>> = {
  stop: 'end_turn',
  'stop-sequence': 'stop_sequence',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
  filtered: 'refusal',
  refused: 'refusal',
  unsaid: null,
};

const envelope = ({ model }: Answer, { id }: Stamp): JsonObject => ({
  id: `msg_${id}`,
  type: 'message',
  role: 'assistant',
  model,
});

const stop = ({ finish, stoppedBy }: Choice): JsonObject => ({
  stop_reason: STOP_REASONS[finish],
  stop_sequence: stoppedBy ?? null,
  stop_details:
    finish === 'filtered' || finish === 'refused' ? { type: 'refusal', category: null, explanation: null } : null,
});

interface Block {
  readonly block: JsonObject;
  /** The block as a stream opens it, before its content. */
  readonly empty: JsonObject;
  readonly deltas: readonly { readonly delta: JsonObject; readonly tokens: number }[];
}

const blocks = (
  { thought, choices: [{ text, toolCalls }] }: Answer,
  question: Question,
  stamp: Stamp,
): readonly Block[] => {
  const all: Block[] = [];
  if (thought !== '' && question.reasoning === 'shown') {
    const signature = Buffer.from(`simulated thought ${stamp.id}`).toString('base64');
    all.push({
      block: { type: 'thinking', thinking: thought, signature },
      empty: { type: 'thinking', thinking: '', signature: '' },
      deltas: [
        ...piecesOf(thought).map((piece) => ({
          delta: { type: 'thinking_delta', thinking: piece.text },
          tokens: piece.tokens,
        })),
        { delta: { type: 'signature_delta', signature }, tokens: 0 },
      ],
    });
  }
  if (text !== '') {
    all.push({
      block: { type: 'text', text, citations: null },
      empty: { type: 'text', text: '', citations: null },
      deltas: piecesOf(text).map((piece) => ({
        delta: { type: 'text_delta', text: piece.text },
        tokens: piece.tokens,
      })),
    });
  }
  for (const [i, { name, args }] of toolCalls.entries()) {
    const use = { type: 'tool_use', id: `toolu_${stamp.id}_${i}`, name };
    all.push({
      block: { ...use, input: args },
      empty: { ...use, input: {} },
      deltas: [{ text: '', tokens: tokensOf(name) }, ...piecesOf(JSON.stringify(args))].map((piece) => ({
        delta: { type: 'input_json_delta', partial_json: piece.text },
        tokens: piece.tokens,
      })),
    });
  }
  return all;
};

const usage = (
  { usage: { inputTokens, cachedTokens, reasoningTokens } }: Answer,
  outputTokens: number,
): JsonObject => ({
  input_tokens: inputTokens - cachedTokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cachedTokens,
  output_tokens: outputTokens,
  output_tokens_details: { thinking_tokens: Math.min(reasoningTokens, outputTokens) },
  service_tier: 'standard',
});

const limits = (
  what: string,
  { limit, remaining, resetMs }: Allowance,
  nowMs: number,
): Readonly<Record<string, string>> => ({
  [`anthropic-ratelimit-${what}-limit`]: String(limit),
  [`anthropic-ratelimit-${what}-remaining`]: String(remaining),
  [`anthropic-ratelimit-${what}-reset`]: new Date(nowMs + resetMs).toISOString(),
});

const reject = (message: string, status = 400): never => {
  throw new Rejection({ status, message });
};

const read: Reader = reader((path, expected, got) =>
  reject(got === undefined ? `${path}: Field required` : `${path}: Input should be ${expected}, got ${show(got)}`),
);

/** What has to be right before anybody looks at the question. */
const checkEnvelope = ({ method, path, headers, body }: WireRequest, served: string): JsonObject => {
  if (path !== served) return reject(`Not found: ${path}`, 404);
  if (method !== 'POST') return reject('Method Not Allowed', 405);
  const key = bearer(headers) ?? headers['x-api-key'];
  if (key === undefined) return reject('x-api-key or authorization header is required', 401);
  if (key === BAD_KEY) return reject('invalid bearer token', 401);
  if (headers['anthropic-version'] === undefined) return reject('anthropic-version: header is required');
  if (!isObject(body)) return reject('The request body is not valid JSON');
  const model = read.text(body.model, 'model');
  return model === MISSING_MODEL ? reject(`model: ${model}`, 404) : body;
};

// biome-ignore format: one word after the other
const PARAMETERS = new Set([
  'cache_control', 'container', 'context_management', 'diagnostics', 'inference_geo', 'max_tokens', 'mcp_servers',
  'messages', 'metadata', 'model', 'output_config', 'service_tier', 'speed', 'stop_sequences', 'stream', 'system',
  'temperature', 'thinking', 'tool_choice', 'tools', 'top_k', 'top_p', 'user_profile_id', 'workspace_id',
]);

/** What is refused where tokens are counted. */
const NOT_COUNTED = new Set([
  'max_tokens',
  'metadata',
  'service_tier',
  'stop_sequences',
  'stream',
  'temperature',
  'top_k',
  'top_p',
]);

/** More than any budget of thought. */
const MOST_TOKENS = 1_000_000;

const readBody = (body: JsonObject): Question => {
  for (const field of Object.keys(body)) {
    if (!PARAMETERS.has(field)) reject(`${field}: Extra inputs are not permitted`);
  }
  const maxOutputTokens = read.number(body.max_tokens, 'max_tokens', { min: 1, integer: true });
  optional(body.temperature, (value) => read.number(value, 'temperature', { min: 0, max: 1 }));
  optional(body.top_p, (value) => read.number(value, 'top_p', { min: 0, max: 1 }));
  optional(body.top_k, (value) => read.number(value, 'top_k', { min: 0, integer: true }));
  const system = optional(body.system, readSystem) ?? [];
  const turns = readMessages(body.messages);
  const tools = optional(body.tools, readTools) ?? [];
  const choice = optional(body.tool_choice, (value) => readToolChoice(value, tools));
  return {
    model: String(body.model),
    stream: optional(body.stream, (value) => read.flag(value, 'stream')) ?? false,
    turns: [...system, ...turns],
    tools,
    toolChoice: choice?.toolChoice ?? 'auto',
    parallelToolCalls: choice?.parallel ?? true,
    format: optional(body.output_config, readFormat) ?? { type: 'text' },
    maxOutputTokens,
    stop: optional(body.stop_sequences, readStop) ?? [],
    reasoning: optional(body.thinking, (value) => readThinking(value, maxOutputTokens)) ?? 'none',
    choices: 1,
    streamUsage: true,
  };
};

const readSystem = (value: unknown): readonly Turn[] => {
  if (typeof value === 'string') return [{ role: 'system', text: value, images: 0 }];
  return read.list(value, 'system').map((item, i) => {
    const block = read.object(item, `system.${i}`);
    read.oneOf(block.type, `system.${i}.type`, ['text']);
    return { role: 'system', text: read.text(block.text, `system.${i}.text`), images: 0 };
  });
};

/** What a content block says, and the tool calls it makes or answers. */
interface Said {
  readonly turn: Turn;
  readonly use?: string;
  readonly result?: string;
}

interface Message {
  readonly role: 'user' | 'assistant';
  readonly said: readonly Said[];
}

const readMessages = (value: unknown): readonly Turn[] => {
  const messages = combine(read.list(value, 'messages', { min: 1 }).map(readMessage));
  if (messages[0]?.role !== 'user') reject('messages: first message must use the "user" role');
  for (const [i, { said }] of messages.entries()) {
    const uses = said.flatMap(({ use }) => use ?? []);
    const next = messages[i + 1]?.said ?? [];
    const firstOther = next.findIndex(({ result }) => result === undefined);
    const results = next.slice(0, firstOther < 0 ? next.length : firstOther).map(({ result }) => result);
    const unanswered = uses.filter((id) => !results.includes(id));
    if (unanswered.length > 0) {
      reject(
        `messages.${i}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ` +
          `${unanswered.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
      );
    }
    const earlier = messages[i - 1]?.said.flatMap(({ use }) => use ?? []) ?? [];
    const unasked = said.findIndex(({ result }) => result !== undefined && !earlier.includes(result));
    if (unasked >= 0) {
      reject(
        `messages.${i}.content.${unasked}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${said[unasked]?.result}. ` +
          'Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
      );
    }
  }
  const last = messages.at(-1);
  if (last?.role === 'assistant' && /\s$/.test(last.said.at(-1)?.turn.text ?? '')) {
    reject('messages: final assistant content cannot end with trailing whitespace');
  }
  return messages.flatMap(({ said }) => said.map(({ turn }) => turn));
};

/** Neighbours with the same role count as one message. */
const combine = (messages: readonly Message[]): readonly Message[] => {
  const combined: Message[] = [];
  for (const message of messages) {
    const last = combined.at(-1);
    if (last?.role === message.role) combined[combined.length - 1] = { ...last, said: [...last.said, ...message.said] };
    else combined.push(message);
  }
  return combined;
};

const readMessage = (item: unknown, i: number): Message => {
  const message = read.object(item, `messages.${i}`);
  if (message.role === 'system') {
    reject(
      'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
    );
  }
  const role = read.oneOf(message.role, `messages.${i}.role`, ['user', 'assistant']);
  const { content } = message;
  const path = `messages.${i}.content`;
  if (content === '') reject(`messages.${i}: all messages must have non-empty content`);
  if (typeof content === 'string') return { role, said: [{ turn: { role, text: content, images: 0 } }] };
  const given = read.list(content, path, { min: 1 });
  return { role, said: given.map((block, j) => readBlock(block, role, `${path}.${j}`)) };
};

// biome-ignore format: reads as a table
const BLOCKS = {
  user:      ['text', 'image', 'document', 'search_result', 'tool_result'],
  assistant: ['text', 'thinking', 'redacted_thinking', 'tool_use'],
} as const;

const readBlock = (item: unknown, role: Message['role'], path: string): Said => {
  const block = read.object(item, path);
  const says = (text: string, images = 0): Said => ({ turn: { role, text, images } });
  switch (read.oneOf<string>(block.type, `${path}.type`, BLOCKS[role])) {
    case 'text': {
      const text = read.text(block.text, `${path}.text`);
      return text === '' ? reject('messages: text content blocks must be non-empty') : says(text);
    }
    case 'image':
      read.oneOf(read.object(block.source, `${path}.source`).type, `${path}.source.type`, ['base64', 'url', 'file']);
      return says('', 1);
    case 'thinking':
      read.text(block.thinking, `${path}.thinking`);
      read.text(block.signature, `${path}.signature`);
      return says('');
    case 'tool_use': {
      const name = read.text(block.name, `${path}.name`);
      const input = read.object(block.input, `${path}.input`);
      return { ...says(`${name}(${JSON.stringify(input)})`), use: read.text(block.id, `${path}.id`) };
    }
    case 'tool_result': {
      const result = read.text(block.tool_use_id, `${path}.tool_use_id`);
      const { text, images } = readResult(block.content, `${path}.content`);
      return { turn: { role: 'tool', text, images }, result };
    }
    default:
      return says('');
  }
};

const readResult = (content: unknown, path: string): { text: string; images: number } => {
  if (content === undefined || typeof content === 'string') return { text: content ?? '', images: 0 };
  const said = read.list(content, path).map((item, i) => readBlock(item, 'user', `${path}.${i}`).turn);
  return {
    text: said.map(({ text }) => text).join(' '),
    images: said.reduce((sum, { images }) => sum + images, 0),
  };
};

const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

const readTools = (value: unknown): readonly Tool[] =>
  read.list(value, 'tools').flatMap((item, i) => {
    const path = `tools.${i}`;
    const tool = read.object(item, path);
    const name = read.text(tool.name, `${path}.name`);
    // Any other type is a tool that runs at Anthropic, which a simulated model never calls.
    if ((tool.type ?? 'custom') !== 'custom') return [];
    if (!TOOL_NAME.test(name)) reject(`${path}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
    const parameters = read.object(tool.input_schema, `${path}.custom.input_schema`);
    read.oneOf(parameters.type, `${path}.custom.input_schema.type`, ['object']);
    return [{ name, parameters }];
  });

const readToolChoice = (
  value: unknown,
  tools: readonly Tool[],
): { readonly toolChoice: Question['toolChoice']; readonly parallel: boolean } => {
  const choice = read.object(value, 'tool_choice');
  const type = read.oneOf(choice.type, 'tool_choice.type', ['auto', 'any', 'tool', 'none']);
  const parallel = choice.disable_parallel_tool_use !== true;
  if (type === 'auto' || type === 'none') return { toolChoice: type, parallel };
  if (tools.length === 0) reject('tool_choice may only be specified while providing tools.');
  if (type === 'any') return { toolChoice: [], parallel };
  const name = read.text(choice.name, 'tool_choice.name');
  if (!tools.some((tool) => tool.name === name)) reject(`Tool '${name}' not found in provided tools`);
  return { toolChoice: [name], parallel };
};

const readFormat = (value: unknown): Question['format'] | undefined => {
  const path = 'output_config.format';
  return optional(read.object(value, 'output_config').format, (given) => {
    const format = read.object(given, path);
    read.oneOf(format.type, `${path}.type`, ['json_schema']);
    return { type: 'schema', schema: read.object(format.schema, `${path}.schema`) };
  });
};

const readStop = (value: unknown): readonly string[] =>
  read.list(value, 'stop_sequences').map((item, i) => {
    const sequence = read.text(item, `stop_sequences.${i}`);
    return sequence.trim() === '' ? reject('stop_sequences: each stop sequence must contain non-whitespace') : sequence;
  });

const readThinking = (value: unknown, maxOutputTokens: number): Question['reasoning'] => {
  const thinking = read.object(value, 'thinking');
  const type = read.oneOf(thinking.type, 'thinking.type', ['enabled', 'adaptive', 'between_tools', 'disabled']);
  if (type === 'disabled') return 'none';
  if (type !== 'enabled') return 'shown';
  const path = 'thinking.enabled.budget_tokens';
  const budget = read.number(thinking.budget_tokens, path, { min: 1_024, integer: true });
  return budget < maxOutputTokens ? 'shown' : reject('`max_tokens` must be greater than `thinking.budget_tokens`.');
};
