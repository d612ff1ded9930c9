import {
  type ChatAnswer,
  type ChatEvent,
  type ChatRequest,
  type FinishReason,
  isRouterError,
  type Message,
  type OutputFormat,
  type Served,
  type SystemMessage,
  type TextPart,
  type Tool,
  type ToolCall,
  type ToolMessage,
  type Usage,
  type UserPart,
} from '@switchyard/core';
import { BodyError } from '../body.ts';
import { causesOf, type Format, type FormatCall, type PrintedError, retryAfterSecondsOf, statusOf } from '../format.ts';
import type { StreamPrinter } from '../print.ts';
import {
  array,
  type Body,
  boolean,
  isObject,
  isSet,
  number,
  object,
  optional,
  present,
  string,
  wrong,
  wrongly,
} from '../read.ts';
import { dataOf, resetField, type Seam, seamComment } from '../seam.ts';
import { isMark, keptIn, MARK, markFor, withKept } from './mark.ts';

// Anthropic Messages, as callers speak it: parse the request, print the answer, the stream and the errors.

// ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A request as it came, with what only the printing needs to know. */
export interface MessagesCall {
  readonly request: ChatRequest;
  readonly model: string | undefined;
  readonly stream: boolean;
  /** Whether the caller asked to see what the model thinks. */
  readonly showsThinking: boolean;
}

/** The fields that have neutral names, or are read here. Everything else goes on as `extra`. */
const KNOWN = new Set([
  'model',
  'messages',
  'max_tokens',
  'system',
  'stream',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
]);

/** What the format says in headers. No other header of a caller reaches a vendor. */
const HEADERS = ['anthropic-version', 'anthropic-beta'];

/** Reads a body. Throws a RouterError `invalid-request` that names the field by its path; no target is asked then. */
export const parseMessages = (body: unknown, given: Headers = new Headers()): MessagesCall => {
  if (!isObject(body)) throw wrong('body', 'an object', body);
  const headers = Object.fromEntries(
    HEADERS.flatMap((name) => (given.has(name) ? [[name, given.get(name) ?? '']] : [])),
  );
  const extra: Body = Object.fromEntries(
    Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && isSet(value)),
  );
  if (headers['anthropic-beta']) extra['anthropic-beta'] = headers['anthropic-beta'];
  const messages = optional(body, 'messages', array) ?? wrongly('messages', 'an array', undefined);
  if (messages.length === 0) throw wrong('messages', 'at least one message', messages);
  const maxOutputTokens = number(body.max_tokens, 'max_tokens');
  // Asks for no answer, but to read the prompt into a cache.
  if (maxOutputTokens === 0) extra['max_tokens of 0'] = true;
  const tools = optional(body, 'tools', array)?.flatMap((tool, i) => parseTool(tool, `tools[${i}]`, extra)) ?? [];
  const config = optional(body, 'output_config', object) ?? {};
  const { showsThinking, ...thinking } = parseThinking(body, config, extra);
  keepRest(config, ['effort', 'format'], 'output_config', extra);
  const said = messages.flatMap((message, i) => parseMessage(message, `messages[${i}]`, extra));
  // The answer goes on where this message stops; with other vendors it would begin anew.
  if (isAssistant(messages.at(-1))) extra['assistant message at the end'] = true;
  const request: ChatRequest = {
    messages: [...parseSystem(body.system, 'system', extra), ...said],
    ...(maxOutputTokens !== 0 && { maxOutputTokens }),
    ...present('temperature', optional(body, 'temperature', number)),
    ...present('topP', optional(body, 'top_p', number)),
    ...present('topK', optional(body, 'top_k', number)),
    ...present('stop', optional(body, 'stop_sequences', parseStop)),
    ...(tools.length > 0 && { tools, ...parseToolChoice(optional(body, 'tool_choice', object), extra) }),
    ...present('output', parseOutput(optional(config, 'format', object, 'output_config'), extra)),
    ...thinking,
    ...(showsThinking && { showReasoning: true }),
    extra,
    source: { format: 'anthropic-messages', body: withoutOurs(body, messages), headers },
  };
  return {
    request,
    model: optional(body, 'model', string),
    stream: optional(body, 'stream', boolean) ?? false,
    showsThinking,
  };
};

/** Reads a body whose tokens are to be counted: a request without what only an answer needs. */
export const parseCount = (body: unknown, given?: Headers): Pick<MessagesCall, 'request' | 'model'> => {
  if (!isObject(body) || isSet(body.max_tokens)) return parseMessages(body, given);
  const { request, model } = parseMessages({ ...body, max_tokens: 1 }, given);
  const { maxOutputTokens: _, source, ...asked } = request;
  const { max_tokens: __, ...rest } = source?.body ?? {};
  return { request: { ...asked, ...(source !== undefined && { source: { ...source, body: rest } }) }, model };
};

/** Keeps what is said beside the known fields of an object, under the name of the object and its own. */
const keepRest = (value: Body, known: readonly string[], name: string, extra: Body): void => {
  for (const field of Object.keys(value)) {
    if (known.includes(field) || !isSet(value[field])) continue;
    // It may stand on anything, and means the same on all of it.
    extra[field === 'cache_control' ? field : `${name}.${field}`] = value[field];
  }
};

const parseSystem = (system: unknown, path: string, extra: Body): SystemMessage[] => {
  const content = isSet(system) ? parseTexts(system, path, extra) : [];
  return content.length === 0 ? [] : [{ role: 'system', content }];
};

const parseTexts = (content: unknown, path: string, extra: Body): TextPart[] =>
  blocksOf(content, path).flatMap(([block, at]) => {
    const part = parsePart(block, at, extra);
    if (part.type === 'text') return [part];
    extra[`${block.type} block of the system`] = true;
    return [];
  });

const parseMessage = (message: unknown, path: string, extra: Body): readonly Message[] => {
  if (!isObject(message)) throw wrong(path, 'an object', message);
  const { role, content } = message;
  keepRest(message, ['role', 'content'], 'message', extra);
  const at = `${path}.content`;
  switch (role) {
    case 'user':
      return parseUser(content, at, extra);
    case 'assistant':
      return parseAssistant(content, at, extra);
    case 'system':
      return parseSystem(content, at, extra);
    default:
      throw wrong(`${path}.role`, 'one of user, assistant, system', role);
  }
};

const isAssistant = (message: unknown): boolean => isObject(message) && message.role === 'assistant';

/** What tools returned comes first, as calls are answered before anything else is said. */
const parseUser = (content: unknown, path: string, extra: Body): readonly Message[] => {
  const results: ToolMessage[] = [];
  const parts: UserPart[] = [];
  for (const [block, at] of blocksOf(content, path)) {
    if (block.type === 'tool_result') results.push(parseResult(block, at, extra));
    else parts.push(parsePart(block, at, extra));
  }
  return parts.length === 0 && results.length > 0 ? results : [...results, { role: 'user', content: parts }];
};

const parseResult = (block: Body, path: string, extra: Body): ToolMessage => {
  keepRest(block, ['type', 'tool_use_id', 'content', 'is_error'], 'tool_result', extra);
  const content = isSet(block.content) ? blocksOf(block.content, `${path}.content`) : [];
  return {
    role: 'tool',
    toolCallId: string(block.tool_use_id, `${path}.tool_use_id`),
    content: content.map(([each, at]) => parsePart(each, at, extra)),
    ...(optional(block, 'is_error', boolean, path) === true && { isError: true }),
  };
};

const parseAssistant = (content: unknown, path: string, extra: Body): readonly Message[] => {
  const said: TextPart[] = [];
  const calls: ToolCall[] = [];
  const kept: Body = {};
  for (const [block, at] of blocksOf(content, path)) {
    switch (block.type) {
      case 'text':
        said.push(parseText(block, at, extra));
        break;
      case 'tool_use':
        calls.push(parseToolUse(block, at, extra));
        break;
      case 'thinking':
      case 'redacted_thinking':
        if (isOurs(block)) Object.assign(kept, keptIn(block.signature));
        else extra['thinking block'] = true;
        break;
      default:
        extra[`${block.type} block of the assistant`] = true;
    }
  }
  if (said.length === 0 && calls.length === 0) return [];
  return [{ role: 'assistant', content: said, ...(calls.length > 0 && { toolCalls: withKept(calls, kept) }) }];
};

type Block = Body & { readonly type: string };

const isBlock = (block: unknown): block is Block => isObject(block) && typeof block.type === 'string';

const wrongBlock = (block: unknown, path: string): never => {
  throw wrong(`${path}.type`, 'a text', object(block, path).type);
};

/** The blocks of a content, with their paths. A text alone is one block. */
const blocksOf = (content: unknown, path: string): readonly (readonly [Block, string])[] => {
  if (typeof content === 'string') return [[{ type: 'text', text: content }, path]];
  if (!Array.isArray(content)) throw wrong(path, 'a text or an array of blocks', content);
  return content.map((block, i) => {
    const at = `${path}[${i}]`;
    return isBlock(block) ? [block, at] : wrongBlock(block, at);
  });
};

const parseText = (block: Body, path: string, extra: Body): TextPart => {
  keepRest(block, ['type', 'text'], 'text', extra);
  return { type: 'text', text: string(block.text, `${path}.text`) };
};

const parsePart = (block: Block, path: string, extra: Body): UserPart => {
  switch (block.type) {
    case 'text':
      return parseText(block, path, extra);
    case 'image':
      keepRest(block, ['type', 'source'], 'image', extra);
      return parseImage(block, `${path}.source`);
    case 'document':
      // Not to be given citations is what happens at every vendor.
      keepRest(block, ['type', 'source', 'title', ...(citesSources(block) ? [] : ['citations'])], 'document', extra);
      return parseDocument(block, path);
    default:
      return { type: 'unknown', name: block.type, value: block };
  }
};

const parseImage = (block: Body, path: string): UserPart => {
  const source = object(block.source, path);
  switch (source.type) {
    case 'base64':
      return { type: 'image', url: dataUrl(source, path) };
    case 'url':
      return { type: 'image', url: string(source.url, `${path}.url`) };
    default:
      return { type: 'unknown', name: `image by ${string(source.type, `${path}.type`)}`, value: block };
  }
};

const citesSources = ({ citations }: Body): boolean => isObject(citations) && citations.enabled === true;

const parseDocument = (block: Body, path: string): UserPart => {
  const at = `${path}.source`;
  const source = object(block.source, at);
  const filename = present('filename', optional(block, 'title', string, path));
  switch (source.type) {
    case 'base64':
      return { type: 'file', data: dataUrl(source, at), ...filename };
    case 'text': {
      const text = string(source.data, `${at}.data`);
      return { type: 'file', data: `data:text/plain;base64,${Buffer.from(text).toString('base64')}`, ...filename };
    }
    case 'url':
      return { type: 'file', url: string(source.url, `${at}.url`), ...filename };
    default:
      return { type: 'unknown', name: `document by ${string(source.type, `${at}.type`)}`, value: block };
  }
};

const dataUrl = ({ media_type, data }: Body, path: string): string =>
  `data:${string(media_type, `${path}.media_type`)};base64,${string(data, `${path}.data`)}`;

const parseToolUse = (block: Body, path: string, extra: Body): ToolCall => {
  const { caller } = block;
  // That the model made the call itself goes without saying.
  const direct = isObject(caller) && caller.type === 'direct';
  keepRest(block, ['type', 'id', 'name', 'input', ...(direct ? ['caller'] : [])], 'tool_use', extra);
  return {
    id: string(block.id, `${path}.id`),
    name: string(block.name, `${path}.name`),
    arguments: JSON.stringify(object(block.input, `${path}.input`)),
  };
};

const parseTool = (tool: unknown, path: string, extra: Body): Tool[] => {
  const definition = object(tool, path);
  const type = optional(definition, 'type', string, path) ?? 'custom';
  if (type !== 'custom') {
    extra[`tool of type ${type}`] = true;
    return [];
  }
  // Only the model is to call it, as it is with every vendor.
  const direct = JSON.stringify(definition.allowed_callers) === '["direct"]';
  const known = ['type', 'name', 'description', 'input_schema', 'strict', ...(direct ? ['allowed_callers'] : [])];
  keepRest(definition, known, 'tool', extra);
  return [
    {
      name: string(definition.name, `${path}.name`),
      ...present('description', optional(definition, 'description', string, path)),
      parameters: object(definition.input_schema, `${path}.input_schema`),
      ...present('strict', optional(definition, 'strict', boolean, path)),
    },
  ];
};

const parseToolChoice = (
  choice: Body | undefined,
  extra: Body,
): Pick<ChatRequest, 'toolChoice' | 'parallelToolCalls'> => {
  if (choice === undefined) return {};
  const path = 'tool_choice';
  keepRest(choice, ['type', 'name', 'disable_parallel_tool_use'], path, extra);
  const serial = optional(choice, 'disable_parallel_tool_use', boolean, path) === true;
  const parallel = serial ? { parallelToolCalls: false } : {};
  switch (choice.type) {
    case 'auto':
    case 'none':
      return { toolChoice: choice.type, ...parallel };
    case 'any':
      return { toolChoice: 'required', ...parallel };
    case 'tool':
      return { toolChoice: { tool: string(choice.name, `${path}.name`) }, ...parallel };
    default:
      extra[`${path} of type ${string(choice.type, `${path}.type`)}`] = true;
      return parallel;
  }
};

const parseOutput = (format: Body | undefined, extra: Body): OutputFormat | undefined => {
  if (format === undefined) return undefined;
  const path = 'output_config.format';
  if (string(format.type, `${path}.type`) === 'json_schema') {
    // Anthropic has no name for it, and others want one.
    return { type: 'json-schema', name: 'answer', schema: object(format.schema, `${path}.schema`) };
  }
  extra[path] = format;
  return undefined;
};

type Thinking = Pick<ChatRequest, 'reasoningEffort' | 'maxReasoningTokens'> & Pick<MessagesCall, 'showsThinking'>;

const parseThinking = (body: Body, config: Body, extra: Body): Thinking => {
  const thinking = optional(body, 'thinking', object);
  const effort = parseEffort(config, extra);
  if (thinking === undefined) return { ...present('reasoningEffort', effort), showsThinking: false };
  keepRest(thinking, ['type', 'budget_tokens'], 'thinking', extra);
  const showsThinking = thinking.display !== 'omitted';
  switch (thinking.type) {
    case 'disabled':
      // Left is how much trouble to take over the answer itself, for which others have no word.
      if (effort !== undefined) extra['output_config.effort'] = effort;
      return { reasoningEffort: 'none', showsThinking: false };
    case 'enabled': {
      const maxReasoningTokens = number(thinking.budget_tokens, 'thinking.budget_tokens');
      return { reasoningEffort: effort ?? 'auto', maxReasoningTokens, showsThinking };
    }
    case 'adaptive':
      return { reasoningEffort: effort ?? 'auto', showsThinking };
    default:
      string(thinking.type, 'thinking.type');
      extra.thinking = thinking;
      return { ...present('reasoningEffort', effort), showsThinking };
  }
};

/** The two steps above `high` are Anthropic's own. */
const parseEffort = (config: Body, extra: Body): string | undefined => {
  const effort = optional(config, 'effort', string, 'output_config');
  if (effort !== 'xhigh' && effort !== 'max') return effort;
  extra['output_config.effort'] = effort;
  return 'high';
};

const parseStop = (stop: unknown, path: string): readonly string[] | undefined => {
  const sequences = array(stop, path).map((each, i) => string(each, `${path}[${i}]`));
  return sequences.length === 0 ? undefined : sequences;
};

// ── thoughts of ours ─────────────────────────────────────────────────────────────────────────────────────────────────

// A mark stands where Anthropic has its signature.

const isOurs = (block: unknown): block is Body & { readonly signature: string } =>
  isObject(block) && block.type === 'thinking' && isMark(block.signature);

const withoutOurs = (body: Body, messages: readonly unknown[]): Body => {
  if (!messages.some((message) => contentOf(message).some(isOurs))) return body;
  return {
    ...body,
    messages: messages.flatMap((message) => {
      const content = contentOf(message);
      if (!content.some(isOurs)) return [message];
      const left = content.filter((block) => !isOurs(block));
      // A message must not be empty.
      return left.length === 0 ? [] : [{ ...(message as Body), content: left }];
    }),
  };
};

const contentOf = (message: unknown): readonly unknown[] =>
  isObject(message) && message.role === 'assistant' && Array.isArray(message.content) ? message.content : [];

// ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const STOP_REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
  'content-filter': 'refusal',
};

/** The body of a plain answer. What came in this format goes out as it came. */
export const printAnswer = (answer: ChatAnswer, { showsThinking }: Pick<MessagesCall, 'showsThinking'>): string => {
  if (answer.source?.format === 'anthropic-messages') return answer.source.body;
  const { text, reasoning = '', refusal = '', toolCalls, served } = answer;
  return JSON.stringify({
    ...printHead(answer.id || served.requestId, answer.model || served.target.model),
    content: [
      ...(showsThinking && reasoning !== '' ? [printThinking(reasoning, MARK)] : []),
      ...[text, refusal].flatMap((said) => (said === '' ? [] : [printText(said)])),
      ...toolCalls.flatMap((call) => [
        ...(call.extra === undefined ? [] : [printThinking('', markFor(call))]),
        { type: 'tool_use', id: call.id, name: call.name, input: printInput(call.arguments) },
      ]),
    ],
    ...printStop({
      reason: answer.finishReason,
      sequence: answer.stopSequence,
      refused: refusal !== '',
      called: toolCalls.length > 0,
    }),
    usage: printUsage(answer.usage),
  });
};

const printHead = (id: string, model: string): Body => ({ id, type: 'message', role: 'assistant', model });

const printText = (text: string): Body => ({ type: 'text', text, citations: null });

const printThinking = (thinking: string, signature: string): Body => ({ type: 'thinking', thinking, signature });

/** The input of a tool has to be an object; what a model wrote instead is in it, so that the tool can complain of it. */
const printInput = (json: string): Body => {
  if (json.trim() === '') return {};
  try {
    const input: unknown = JSON.parse(json);
    if (isObject(input)) return input;
  } catch {
    // Models do write arguments that do not parse.
  }
  return { arguments: json };
};

interface Stop {
  readonly reason: FinishReason;
  readonly sequence: string | undefined;
  readonly refused: boolean;
  readonly called: boolean;
}

const printStop = ({ reason, sequence, refused, called }: Stop): Body => {
  const stop_reason = refused ? 'refusal' : printReason(reason, sequence, called);
  return {
    stop_reason,
    stop_sequence: sequence ?? null,
    stop_details: stop_reason === 'refusal' ? { type: 'refusal', category: null, explanation: null } : null,
  };
};

const printReason = (reason: FinishReason, sequence: string | undefined, called: boolean): string => {
  if (reason !== 'stop') return STOP_REASONS[reason];
  // OpenAI says that it stopped, also where it was made to call a tool; clients here go by the reason.
  if (called) return STOP_REASONS['tool-calls'];
  return sequence === undefined ? STOP_REASONS.stop : 'stop_sequence';
};

/** Anthropic counts the cached parts of the input apart. Clients read these fields wherever a message is, unasked. */
const printUsage = (usage: Usage = NO_USAGE): Body => {
  const { inputTokens, cachedInputTokens, cacheWriteInputTokens = 0, outputTokens, reasoningTokens } = usage;
  return {
    input_tokens: Math.max(0, inputTokens - cachedInputTokens - cacheWriteInputTokens),
    cache_creation_input_tokens: cacheWriteInputTokens,
    cache_read_input_tokens: cachedInputTokens,
    output_tokens: outputTokens,
    output_tokens_details: { thinking_tokens: reasoningTokens },
  };
};

const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

const encoder = new TextEncoder();

const frame = (type: string, data: Body = {}): Uint8Array =>
  encoder.encode(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);

const PING = frame('ping');

/**
 * The frames of a streamed answer. Bytes that came in this format go out as they came; events of others are printed, as is
 * all that comes after a seam.
 */
export const printStream = ({ showsThinking }: Pick<MessagesCall, 'showsThinking'>, served: Served): StreamPrinter => {
  const print = createPrinter(showsThinking, served);
  /** While bytes are handed on: the last frame with content, and what came after it, which tells where a seam would be. */
  let relayed: Uint8Array[] | undefined;
  return {
    *print(event) {
      if (event.bytes !== undefined) {
        relayed ??= [];
        if (SAID.has(event.type)) relayed.length = 0;
        relayed.push(event.bytes);
        yield event.bytes;
      }
      if (event.type === 'seam') {
        if (relayed !== undefined) print.adopt(lastBlockOf(relayed));
        relayed = undefined;
        yield seamComment(event);
      }
      if (relayed === undefined) yield* print.event(event);
      else print.note(event);
    },
    *end() {
      if (relayed === undefined) yield* print.end();
      // A stream is whole once it has said why it finished, and clients wait for what it may have lost behind that.
      else if (!isStop(relayed.at(-1))) yield frame('message_stop');
    },
  };
};

const decoder = new TextDecoder();

const isStop = (bytes: Uint8Array | undefined): boolean =>
  /^event: ?message_stop\r?$/m.test(decoder.decode(bytes)) || dataOf(bytes).type === 'message_stop';

/** Events whose frame is of a block. */
const SAID: ReadonlySet<ChatEvent['type']> = new Set(['text', 'reasoning', 'tool-call', 'unknown']);

/** Where the blocks of a relayed stream had got to. */
interface LastBlock {
  readonly open: boolean;
  readonly block: OpenBlock;
}

/** Undefined where no block had begun. */
const lastBlockOf = (frames: readonly Uint8Array[]): LastBlock | undefined => {
  for (const frame of frames.toReversed()) {
    const { type, index, content_block, delta } = dataOf(frame);
    if (typeof index !== 'number') continue;
    const kind =
      type === 'content_block_start' && isObject(content_block) ? content_block.type : isObject(delta) && delta.type;
    return {
      open: type !== 'content_block_stop',
      // A thought that is signed was whole, and is the vendor's own.
      block: {
        type: BLOCK_OF[String(kind)] ?? 'tool_use',
        index,
        signature: kind === 'signature_delta' ? '' : MARK,
      },
    };
  }
  return undefined;
};

/** By what a block begins with, or goes on in. To all others nothing is added, and they are closed alike. */
const BLOCK_OF: Readonly<Record<string, OpenBlock['type']>> = {
  text: 'text',
  text_delta: 'text',
  citations_delta: 'text',
  thinking: 'thinking',
  thinking_delta: 'thinking',
  signature_delta: 'thinking',
};

type Frames = Generator<Uint8Array, void>;

interface Printer {
  event(event: ChatEvent): Frames;
  /** Takes notice of an event whose frame has been handed on. */
  note(event: ChatEvent): void;
  /** Goes on behind frames that have been handed on. */
  adopt(last: LastBlock | undefined): void;
  end(): Frames;
}

interface OpenBlock {
  readonly type: 'text' | 'thinking' | 'tool_use';
  readonly index: number;
  /** What closes a thinking block; '' where it is signed already. */
  readonly signature: string;
}

/** Prints the events of one stream in turn. Blocks come one after the other, each opened and closed. */
const createPrinter = (showsThinking: boolean, { target, requestId }: Served): Printer => {
  const calls = new Map<number, { readonly block: number; readonly id: string | undefined }>();
  let head = { id: requestId, model: target.model };
  let begun = false;
  let blocks = 0;
  let current: OpenBlock | undefined;
  let reason: FinishReason = 'stop';
  let sequence: string | undefined;
  let refused = false;
  let called = false;
  let usage: Usage | undefined;
  /** What the next block has to tell: it is the first of an answer that begins anew. */
  let reset: Body = {};

  function* begin(): Frames {
    if (begun) return;
    begun = true;
    // Other vendors tell their usage at the end, and so does the frame before the last.
    const message = { ...printHead(head.id, head.model), content: [], ...NOT_STOPPED, usage: printUsage() };
    yield frame('message_start', { message });
  }

  const delta = (index: number, of: Body): Uint8Array => frame('content_block_delta', { index, delta: of });

  function* close(): Frames {
    if (current === undefined) return;
    const { type, index, signature } = current;
    current = undefined;
    if (type === 'thinking' && signature !== '') yield delta(index, { type: 'signature_delta', signature });
    yield frame('content_block_stop', { index });
  }

  function* open(type: OpenBlock['type'], content_block: Body, signature = MARK): Frames {
    yield* begin();
    yield* close();
    const index = blocks++;
    current = { type, index, signature };
    yield frame('content_block_start', { index, content_block, ...reset });
    reset = {};
    if (index === 0) yield PING;
  }

  function* say(type: 'text' | 'thinking', empty: Body, of: Body): Frames {
    if (current?.type !== type) yield* open(type, empty);
    yield delta(current?.index ?? 0, of);
  }

  function* call({ index, id, name, arguments: args, extra }: ChatEvent & { type: 'tool-call' }): Frames {
    let known = calls.get(index);
    // Some servers give all their calls one index.
    if (known === undefined || (known.id && id && name && id !== known.id)) {
      if (extra !== undefined) yield* open('thinking', printThinking('', ''), markFor({ id: id ?? '', extra }));
      known = { block: blocks, id };
      calls.set(index, known);
      yield* open('tool_use', { type: 'tool_use', id: id ?? '', name: name ?? '', input: {} });
    }
    if (args !== '') yield delta(known.block, { type: 'input_json_delta', partial_json: args });
  }

  const note = (event: ChatEvent): void => {
    refused ||= event.type === 'refusal';
    called ||= event.type === 'tool-call';
  };

  function* takeOver(seam: Seam): Frames {
    calls.clear();
    // Only what was said is gone on with: nobody can sign another's thought, or end its call.
    if (seam.mode === 'restart' || current?.type !== 'text') yield* close();
    if (seam.mode === 'continue') return;
    refused = false;
    called = false;
    reset = resetField(seam);
  }

  return {
    note(event) {
      note(event);
      begun ||= event.type === 'start';
    },
    adopt(last) {
      if (last === undefined) return;
      blocks = last.block.index + 1;
      current = last.open ? last.block : undefined;
    },
    *event(event) {
      note(event);
      switch (event.type) {
        case 'seam':
          yield* takeOver(event);
          break;
        case 'start':
          head = { id: event.id || head.id, model: event.model || head.model };
          yield* begin();
          break;
        case 'refusal':
        case 'text':
          if (event.text !== '') yield* say('text', printText(''), { type: 'text_delta', text: event.text });
          break;
        case 'reasoning':
          if (showsThinking && event.text !== '') {
            yield* say('thinking', printThinking('', ''), { type: 'thinking_delta', thinking: event.text });
          } else if (begun) yield PING;
          break;
        case 'tool-call':
          yield* call(event);
          break;
        case 'finish':
          reason = event.reason;
          sequence = event.stopSequence;
          break;
        case 'usage':
          usage = event.usage;
          break;
      }
    },
    *end() {
      yield* begin();
      // An answer of nothing begins anew all the same.
      if (Object.keys(reset).length > 0) yield* open('text', printText(''));
      yield* close();
      const delta = printStop({ reason, sequence, refused, called });
      yield frame('message_delta', { delta, usage: printUsage(usage) });
      yield frame('message_stop');
    },
  };
};

const NOT_STOPPED = { stop_reason: null, stop_sequence: null, stop_details: null };

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type PrintedMessagesError = PrintedError & {
  readonly body: { readonly type: 'error'; readonly error: Body; readonly request_id: string | null };
};

// biome-ignore format: reads as a table
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  499: 'api_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

const typeOf = (status: number): string => TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');

/** The words for errors that clients know; those of other vendors are not among them. */
const KNOWN_TYPES: ReadonlySet<string> = new Set([...Object.values(TYPES), 'invalid_request_error', 'api_error']);

/** Any error as Anthropic's error body: what a vendor said of the caller's own request, or what became of each target. */
export const printError = (error: unknown): PrintedMessagesError => {
  if (error instanceof BodyError) return ownError(error.status, error.message);
  if (!isRouterError(error)) return ownError(500, 'Switchyard failed.');
  const { requestId = null, failure } = error;
  const said = failure?.vendorError;
  const status = statusOf(error);
  const code = said === undefined ? String(error.code).replaceAll('-', '_') : said.code;
  const details = { ...present('error_code', code), ...present('param', said?.param) };
  return {
    status,
    body: {
      type: 'error',
      error: {
        type: said?.type !== undefined && KNOWN_TYPES.has(said.type) ? said.type : typeOf(status),
        message: said?.message ?? error.message,
        ...(Object.keys(details).length > 0 && { details }),
        ...causesOf(error),
      },
      request_id: requestId,
    },
    retryAfterSeconds: retryAfterSecondsOf(error),
  };
};

/** An error that has nothing to do with any target. */
const ownError = (status: number, message: string): PrintedMessagesError => ({
  status,
  body: { type: 'error', error: { type: typeOf(status), message }, request_id: null },
  retryAfterSeconds: undefined,
});

/** The last event of a stream that broke off. No `message_stop` follows: clients raise it as an error. */
export const errorEvent = (error: unknown): Uint8Array => frame('error', printError(error).body);

// ── the format ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const messages: Format = {
  path: 'messages',
  parse(body, headers): FormatCall {
    const call = parseMessages(body, headers);
    return {
      ...call,
      printAnswer: (answer) => printAnswer(answer, call),
      // Thoughts that the caller did not ask for are not shown; what passes through is.
      forwards: ({ type, bytes }) => type !== 'reasoning' || call.showsThinking || bytes !== undefined,
      printStream: (served) => printStream(call, served),
    };
  },
  printError,
  printErrorEvent: errorEvent,
  unauthorized: ownError(401, 'This request was not authorized.').body,
  requestIdHeader: 'request-id',
};
