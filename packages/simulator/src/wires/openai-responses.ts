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
import type { JsonObject } from '../json.ts';
import { optional } from '../reader.ts';
import { type Problem, type Stamp, type StreamEvent, serverSentEvent, type Wire } from '../wire.ts';
import { checkEnvelope, EFFORTS, read, readToolName, reject } from './openai-reader.ts';

export const RESPONSES_PATH = '/v1/responses';

/** What is different in OpenAI's Responses. Nothing is ever stored here, whatever `store` says. */
export const responses: Pick<Wire, 'read' | 'print' | 'stream' | 'streamError' | 'streamGarbage' | 'tooLong'> = {
  read: (request) => readBody(checkEnvelope(request, RESPONSES_PATH)),

  print: (answer, question, stamp) => ended(answer, question, stamp),

  stream(answer, question, stamp) {
    const events: StreamEvent[] = [];
    const say = (part: StreamEvent['part'], type: string, fields: JsonObject, tokens = 0): void => {
      // What opens an item behind content comes when its turn is.
      const placed = part === 'open' && events.at(-1)?.part === 'content' ? 'content' : part;
      events.push({ part: placed, tokens, bytes: event(type, { ...fields, sequence_number: events.length }) });
    };
    const begun = { ...envelope(question, stamp), status: 'in_progress', output: [], usage: null };
    say('open', 'response.created', { response: begun });
    say('open', 'response.in_progress', { response: begun });
    const items = itemsOf(answer, question, stamp);
    const last = items.length - 1;
    for (const [output_index, item] of items.entries()) {
      const closing = output_index === last ? 'end' : 'content';
      const at = { item_id: item.id, output_index };
      const pieces = (type: string, text: string, where: JsonObject): void => {
        for (const { text: delta, tokens } of piecesOf(text)) say('content', type, { ...at, ...where, delta }, tokens);
      };
      if (item.type === 'reasoning') {
        const [summary] = item.summary;
        say('open', 'response.output_item.added', { output_index, item: { ...item, summary: [] } });
        if (summary !== undefined) {
          const where = { summary_index: 0 };
          say('open', 'response.reasoning_summary_part.added', { ...at, ...where, part: { ...summary, text: '' } });
          pieces('response.reasoning_summary_text.delta', summary.text, where);
          say(closing, 'response.reasoning_summary_text.done', { ...at, ...where, text: summary.text });
          say(closing, 'response.reasoning_summary_part.done', { ...at, ...where, part: summary });
        }
        // The first of what follows has to wait for the thoughts, shown or not.
        say(events.at(-1)?.part === 'open' && closing === 'content' ? 'open' : closing, 'response.output_item.done', {
          output_index,
          item,
        });
      } else if (item.type === 'message') {
        const [part] = item.content;
        const where = { content_index: 0 };
        say('open', 'response.output_item.added', {
          output_index,
          item: { ...item, status: 'in_progress', content: [] },
        });
        if (part.type === 'refusal') {
          say('open', 'response.content_part.added', { ...at, ...where, part: { ...part, refusal: '' } });
          pieces('response.refusal.delta', part.refusal, where);
          say(closing, 'response.refusal.done', { ...at, ...where, refusal: part.refusal });
          say(closing, 'response.content_part.done', { ...at, ...where, part });
          say(closing, 'response.output_item.done', { output_index, item });
          continue;
        }
        say('open', 'response.content_part.added', { ...at, ...where, part: { ...part, text: '' } });
        for (const { text: delta, tokens } of piecesOf(part.text)) {
          const fields = { ...at, ...where, delta, logprobs: [], obfuscation: 'x'.repeat(delta.length % 8) };
          say('content', 'response.output_text.delta', fields, tokens);
        }
        say(closing, 'response.output_text.done', { ...at, ...where, text: part.text, logprobs: [] });
        say(closing, 'response.content_part.done', { ...at, ...where, part });
        say(closing, 'response.output_item.done', { output_index, item });
      } else {
        const open = { ...item, status: 'in_progress', arguments: '' };
        say('content', 'response.output_item.added', { output_index, item: open }, tokensOf(item.name));
        pieces('response.function_call_arguments.delta', item.arguments, {});
        say(closing, 'response.function_call_arguments.done', { ...at, arguments: item.arguments });
        say(closing, 'response.output_item.done', { output_index, item });
      }
    }
    const whole = ended(answer, question, stamp);
    say('end', `response.${whole.status}`, { response: whole });
    return events;
  },

  streamError({ status, message, code }, stamp) {
    const error = { code: code ?? CODES[status] ?? 'server_error', message: message ?? MIDWAY };
    const response = { id: `resp_${stamp.id}`, object: 'response', status: 'failed', error, output: [] };
    return (
      event('error', { ...error, param: null, sequence_number: 0 }) +
      event('response.failed', { response, sequence_number: 1 })
    );
  },
  streamGarbage: () =>
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"delta":\n\n',

  tooLong: (): Problem => ({
    status: 400,
    code: 'context_length_exceeded',
    param: 'input',
    message: 'Your input exceeds the context window of this model. Please adjust your input and try again.',
  }),
};

const CODES: Readonly<Record<number, string>> = { 429: 'rate_limit_exceeded' };

const MIDWAY = 'An error occurred while processing your request. You can retry your request.';

const event = (type: string, fields: JsonObject): string => serverSentEvent(JSON.stringify({ type, ...fields }), type);

/** A question with what only this format asks. */
interface Asked extends Question {
  readonly encrypts: boolean;
  /** What the answer says again. */
  readonly echo: JsonObject;
}

const envelope = (question: Question, { id, nowMs }: Stamp): JsonObject => ({
  id: `resp_${id}`,
  object: 'response',
  created_at: Math.floor(nowMs / 1_000),
  background: false,
  error: null,
  incomplete_details: null,
  model: question.model,
  previous_response_id: null,
  service_tier: 'default',
  ...(question as Asked).echo,
});

const STATUS: Readonly<Record<Finish, readonly [status: string, reason?: string]>> = {
  stop: ['completed'],
  'stop-sequence': ['completed'],
  'tool-calls': ['completed'],
  length: ['incomplete', 'max_output_tokens'],
  filtered: ['incomplete', 'content_filter'],
  refused: ['completed'],
  unsaid: ['in_progress'],
};

const ended = (answer: Answer, question: Question, stamp: Stamp): JsonObject => {
  const [status, reason] = STATUS[answer.choices[0].finish];
  return {
    ...envelope(question, stamp),
    status,
    incomplete_details: reason === undefined ? null : { reason },
    output: itemsOf(answer, question, stamp),
    usage: usage(answer),
  };
};

type Said =
  | {
      readonly type: 'output_text';
      readonly text: string;
      readonly annotations: readonly [];
      readonly logprobs: readonly [];
    }
  | { readonly type: 'refusal'; readonly refusal: string };

type Item =
  | {
      readonly type: 'reasoning';
      readonly id: string;
      readonly summary: readonly { readonly type: 'summary_text'; readonly text: string }[];
      readonly encrypted_content?: string;
    }
  | {
      readonly type: 'message';
      readonly id: string;
      readonly status: string;
      readonly role: 'assistant';
      readonly content: readonly [Said];
    }
  | {
      readonly type: 'function_call';
      readonly id: string;
      readonly status: string;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

const itemsOf = ({ thought, choices: [choice] }: Answer, question: Question, { id }: Stamp): readonly Item[] => [
  ...(thought === ''
    ? []
    : [
        {
          type: 'reasoning',
          id: `rs_${id}`,
          summary: question.reasoning === 'shown' ? [{ type: 'summary_text', text: thought } as const] : [],
          ...((question as Asked).encrypts && { encrypted_content: `${ENCRYPTED}${id}` }),
        } as const,
      ]),
  ...saidItems(choice, id),
];

const saidItems = ({ text, toolCalls, finish }: Choice, id: string): readonly Item[] => {
  if (toolCalls.length === 0 && text === '') return [];
  const status = STATUS[finish][0] === 'incomplete' ? 'incomplete' : 'completed';
  if (toolCalls.length === 0) {
    const said: Said =
      finish === 'refused'
        ? { type: 'refusal', refusal: text }
        : { type: 'output_text', text, annotations: [], logprobs: [] };
    return [{ type: 'message', id: `msg_${id}`, status, role: 'assistant', content: [said] }];
  }
  return toolCalls.map(({ name, args }, i) => ({
    type: 'function_call',
    id: `fc_${id}_${i}`,
    status,
    call_id: `call_${id}_${i}`,
    name,
    arguments: JSON.stringify(args),
  }));
};

/** What thoughts begin with that nobody else can read. */
const ENCRYPTED = 'gAAAA-simulated-';

const usage = ({ usage: { inputTokens, cachedTokens, outputTokens, reasoningTokens } }: Answer): JsonObject => ({
  input_tokens: inputTokens,
  input_tokens_details: { cache_write_tokens: 0, cached_tokens: cachedTokens },
  output_tokens: outputTokens,
  output_tokens_details: { reasoning_tokens: reasoningTokens },
  total_tokens: inputTokens + outputTokens,
});

// biome-ignore format: one word after the other
const PARAMETERS = new Set([
  'background', 'context_management', 'conversation', 'include', 'input', 'instructions', 'max_output_tokens',
  'max_tool_calls', 'metadata', 'model', 'moderation', 'parallel_tool_calls', 'previous_response_id', 'prompt',
  'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention', 'reasoning', 'safety_identifier',
  'service_tier', 'store', 'stream', 'stream_options', 'temperature', 'text', 'tool_choice', 'tools', 'top_logprobs',
  'top_p', 'truncation', 'user',
]);

const readBody = (body: JsonObject): Asked => {
  for (const field of Object.keys(body)) {
    if (!PARAMETERS.has(field)) reject(`Unknown parameter: '${field}'.`, field, 'unknown_parameter');
  }
  const previous = optional(body.previous_response_id, (value) => read.text(value, 'previous_response_id'));
  if (previous !== undefined) {
    const message = `Previous response with id '${previous}' not found.`;
    reject(message, 'previous_response_id', 'previous_response_not_found');
  }
  const said = typeof body.input === 'string' ? [turn('user', body.input)] : readItems(body.input);
  const instructions = optional(body.instructions, (value) => read.text(value, 'instructions'));
  const tools = optional(body.tools, readTools) ?? [];
  const number = (field: string, min: number, max: number, integer = false): number | undefined =>
    optional(body[field], (value) => read.number(value, field, { min, max, integer }));
  number('temperature', 0, 2);
  number('top_p', 0, 1);
  const reasoning = optional(body.reasoning, (value) => read.object(value, 'reasoning')) ?? {};
  const effort = optional(reasoning.effort, (value) => read.oneOf(value, 'reasoning.effort', EFFORTS));
  const summary = optional(reasoning.summary, (value) =>
    read.oneOf(value, 'reasoning.summary', ['auto', 'concise', 'detailed']),
  );
  const text = optional(body.text, (value) => read.object(value, 'text')) ?? {};
  optional(text.verbosity, (value) => read.oneOf(value, 'text.verbosity', ['low', 'medium', 'high']));
  optional(body.truncation, (value) => read.oneOf(value, 'truncation', ['auto', 'disabled']));
  const stream = optional(body.stream, (value) => read.flag(value, 'stream')) ?? false;
  if (!stream && body.stream_options != null) {
    reject("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options');
  }
  const parallel = optional(body.parallel_tool_calls, (value) => read.flag(value, 'parallel_tool_calls')) ?? true;
  const include = optional(body.include, (value) => read.list(value, 'include')) ?? [];
  return {
    model: String(body.model),
    stream,
    turns: instructions === undefined ? said : [turn('system', instructions), ...said],
    tools,
    toolChoice: optional(body.tool_choice, (value) => readToolChoice(value, tools)) ?? 'auto',
    parallelToolCalls: parallel,
    format: optional(text.format, (value) => readFormat(value, said)) ?? { type: 'text' },
    maxOutputTokens: number('max_output_tokens', 16, Number.MAX_SAFE_INTEGER, true),
    stop: [],
    reasoning: effort === undefined || effort === 'none' ? 'none' : summary === undefined ? 'hidden' : 'shown',
    choices: 1,
    streamUsage: true,
    encrypts: include.includes('reasoning.encrypted_content'),
    echo: {
      instructions: instructions ?? null,
      max_output_tokens: body.max_output_tokens ?? null,
      metadata: body.metadata ?? {},
      parallel_tool_calls: parallel,
      reasoning: { effort: effort ?? null, summary: summary ?? null },
      store: body.store ?? true,
      temperature: body.temperature ?? 1,
      text: { format: { type: 'text' }, ...text },
      tool_choice: body.tool_choice ?? 'auto',
      tools: body.tools ?? [],
      top_p: body.top_p ?? 1,
      truncation: body.truncation ?? 'disabled',
      user: body.user ?? null,
    },
  };
};

const turn = (role: Turn['role'], text: string, images = 0): Turn => ({ role, text, images });

const ROLES = ['system', 'developer', 'user', 'assistant'] as const;

/** What the name of an item has to begin with, by its type. */
const PREFIXES: Readonly<Record<string, string>> = {
  message: 'msg',
  function_call: 'fc',
  function_call_output: 'fc',
  reasoning: 'rs',
};

const readItems = (value: unknown): readonly Turn[] => {
  const called = new Set<string>();
  const answered = new Set<string>();
  const turns = read.list(value, 'input', { min: 1 }).flatMap((given, i): Turn[] => {
    const path = `input[${i}]`;
    const item = read.object(given, path);
    const type = optional(item.type, (value) => read.text(value, `${path}.type`)) ?? 'message';
    const id = optional(item.id, (value) => read.text(value, `${path}.id`));
    const prefix = PREFIXES[type];
    if (id !== undefined && prefix !== undefined && !id.startsWith(prefix)) {
      const message = `Invalid '${path}.id': '${id}'. Expected an ID that begins with '${prefix}'.`;
      reject(message, `${path}.id`, 'invalid_value');
    }
    switch (type) {
      case 'message': {
        const role = read.oneOf(item.role, `${path}.role`, ROLES);
        const { text, images } = readContent(item.content, `${path}.content`, role === 'assistant' ? SAID : SHOWN);
        return [turn(role === 'developer' ? 'system' : role, text, images)];
      }
      case 'function_call': {
        const name = read.text(item.name, `${path}.name`);
        called.add(read.text(item.call_id, `${path}.call_id`));
        return [turn('assistant', `${name}(${read.text(item.arguments, `${path}.arguments`)})`)];
      }
      case 'function_call_output': {
        const callId = read.text(item.call_id, `${path}.call_id`);
        if (!called.has(callId)) reject(`No tool call found for function call output with call_id ${callId}.`, 'input');
        answered.add(callId);
        const { text, images } = readContent(item.output, `${path}.output`, SHOWN);
        return [turn('tool', text, images)];
      }
      case 'reasoning':
        readThought(item, id ?? '', path);
        return [];
      case 'item_reference':
        return notFound(id ?? '');
      default:
        return reject(`Invalid value: '${type}'.`, `${path}.type`, 'invalid_value');
    }
  });
  for (const id of called) if (!answered.has(id)) reject(`No tool output found for function call ${id}.`, 'input');
  return turns;
};

const notFound = (id: string): never =>
  reject(
    `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false.`,
    'input',
    undefined,
    404,
  );

const readThought = (item: JsonObject, id: string, path: string): void => {
  read.list(item.summary, `${path}.summary`);
  const encrypted = optional(item.encrypted_content, (value) => read.text(value, `${path}.encrypted_content`));
  if (encrypted === undefined) notFound(id);
  else if (!encrypted.startsWith(ENCRYPTED)) {
    reject(`The encrypted content for item ${id} could not be verified.`, undefined, 'invalid_encrypted_content');
  }
};

const SHOWN = ['input_text', 'input_image', 'input_file'] as const;
const SAID = ['output_text', 'refusal'] as const;

const readContent = (
  value: unknown,
  path: string,
  types: readonly (typeof SHOWN | typeof SAID)[number][],
): { readonly text: string; readonly images: number } => {
  if (typeof value === 'string') return { text: value, images: 0 };
  const texts: string[] = [];
  let images = 0;
  for (const [i, item] of read.list(value, path).entries()) {
    const part = read.object(item, `${path}[${i}]`);
    const type = read.oneOf(part.type, `${path}[${i}].type`, types);
    if (type === 'input_text' || type === 'output_text') texts.push(read.text(part.text, `${path}[${i}].text`));
    if (type === 'refusal') texts.push(read.text(part.refusal, `${path}[${i}].refusal`));
    if (type === 'input_image') {
      if (part.file_id == null) read.text(part.image_url, `${path}[${i}].image_url`);
      images += 1;
    }
  }
  return { text: texts.join(' '), images };
};

/** Tools that run at the vendor are there, and never used. */
const TOOLS = [
  'function',
  'custom',
  'web_search',
  'file_search',
  'code_interpreter',
  'image_generation',
  'mcp',
] as const;

const readTools = (value: unknown): readonly Tool[] =>
  read.list(value, 'tools', { max: 128 }).flatMap((item, i): Tool[] => {
    const tool = read.object(item, `tools[${i}]`);
    if (read.oneOf(tool.type, `tools[${i}].type`, TOOLS) !== 'function') return [];
    const name = readToolName(tool.name, `tools[${i}].name`);
    if (!('parameters' in tool)) read.object(undefined, `tools[${i}].parameters`);
    const parameters = optional(tool.parameters, (given) => read.object(given, `tools[${i}].parameters`)) ?? {};
    return [{ name, parameters }];
  });

const readToolChoice = (value: unknown, tools: readonly Tool[]): Question['toolChoice'] => {
  if (value === 'auto' || value === 'none') return value;
  if (tools.length === 0) {
    return reject("Tool choice 'required' must be specified with 'tools' parameter.", 'tool_choice');
  }
  if (value === 'required') return [];
  const choice = read.object(value, 'tool_choice');
  read.oneOf(choice.type, 'tool_choice.type', ['function']);
  const name = read.text(choice.name, 'tool_choice.name');
  if (tools.some((tool) => tool.name === name)) return [name];
  return reject(`Tool choice '${name}' not found in 'tools' parameter.`, 'tool_choice');
};

const readFormat = (value: unknown, turns: readonly Turn[]): Question['format'] => {
  const format = read.object(value, 'text.format');
  switch (read.oneOf(format.type, 'text.format.type', ['text', 'json_object', 'json_schema'])) {
    case 'text':
      return { type: 'text' };
    case 'json_object':
      if (!turns.some(({ text }) => /json/i.test(text))) {
        const words = "Response input messages must contain the word 'json' in some form";
        reject(`${words} to use 'text.format' of type 'json_object'.`, 'input');
      }
      return { type: 'json' };
    case 'json_schema':
      read.text(format.name, 'text.format.name');
      return { type: 'schema', schema: read.object(format.schema, 'text.format.schema') };
  }
};
