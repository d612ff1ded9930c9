import {
  type AssistantMessage,
  type ChatAnswer,
  type ChatEvent,
  type ChatRequest,
  type FinishReason,
  type Message,
  type OutputFormat,
  RouterError,
  type Served,
  type TextPart,
  type Tool,
  type ToolCall,
  type ToolChoice,
  type Usage,
  type UserPart,
} from '@switchyard/core';
import { type Format, type FormatCall, nowSeconds } from '../format.ts';
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
import { parseFunction, printError, textsOf } from './chat-completions.ts';
import { isMark, keptIn, MARK, markFor, withKept } from './mark.ts';
import {
  addRelayed,
  newRelayed,
  type ReadResponse,
  type RelayedResponse,
  readRelayed,
  sequenceAfter,
} from './relayed-response.ts';

// OpenAI Responses, as callers speak it, as far as it needs no memory: parse the request, print the answer, the stream and
// the errors.

// ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A request as it came, with what only the printing needs to know. */
export interface ResponsesCall {
  readonly request: ChatRequest;
  readonly model: string | undefined;
  readonly stream: boolean;
  /** What an answer says again of its request. */
  readonly echo: Body;
}

/** The fields that have neutral names, or are read here. Everything else goes on as `extra`. */
const KNOWN = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'max_output_tokens',
  'temperature',
  'top_p',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'include',
  'background',
  'conversation',
  'previous_response_id',
]);

/** Reads a body. Throws a RouterError `invalid-request` that names the field by its path; no target is asked then. */
export const parseResponses = (body: unknown): ResponsesCall => {
  if (!isObject(body)) throw wrong('body', 'an object', body);
  refuseMemory(body);
  const extra: Body = Object.fromEntries(
    Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && isSet(value)),
  );
  const instructions = optional(body, 'instructions', string);
  const said = parseInput(body.input, extra);
  const tools = optional(body, 'tools', array)?.flatMap((tool, i) => parseTool(tool, `tools[${i}]`, extra)) ?? [];
  const text = optional(body, 'text', object) ?? {};
  keepRest(text, ['format', 'verbosity'], 'text', extra);
  Object.assign(extra, present('verbosity', optional(text, 'verbosity', string, 'text')));
  const reasoning = optional(body, 'reasoning', object) ?? {};
  keepRest(reasoning, ['effort'], 'reasoning', extra);
  parseInclude(optional(body, 'include', array) ?? [], extra);
  const request: ChatRequest = {
    messages:
      instructions === undefined
        ? said
        : [{ role: 'system', content: [{ type: 'text', text: instructions }] }, ...said],
    ...present('maxOutputTokens', optional(body, 'max_output_tokens', number)),
    ...present('temperature', optional(body, 'temperature', number)),
    ...present('topP', optional(body, 'top_p', number)),
    ...(tools.length > 0 && { tools }),
    ...present(
      'toolChoice',
      optional(body, 'tool_choice', (value, path) => parseToolChoice(value, path, tools, extra)),
    ),
    // Clients say it as a matter of course, and most vendors do not take it where there is nothing to call.
    ...(tools.length > 0 && present('parallelToolCalls', optional(body, 'parallel_tool_calls', boolean))),
    ...present(
      'output',
      optional(text, 'format', (value, path) => parseOutput(value, path, extra), 'text'),
    ),
    ...present('reasoningEffort', optional(reasoning, 'effort', string, 'reasoning')),
    ...((isSet(reasoning.summary) || isSet(reasoning.generate_summary)) && { showReasoning: true }),
    extra,
    source: { format: 'openai-responses', body: withoutOurs(body) },
  };
  return {
    request,
    model: optional(body, 'model', string),
    stream: optional(body, 'stream', boolean) ?? false,
    echo: echoOf(body),
  };
};

/** What only a vendor that had stored something could answer. No other target could take its place, so nobody is asked. */
const refuseMemory = (body: Body): void => {
  for (const field of ['previous_response_id', 'conversation']) {
    if (isSet(body[field])) throw stored(field, 'send the conversation so far as input');
  }
  if (optional(body, 'background', boolean) === true) throw stored('background', 'wait for the answer, or stream it');
};

const stored = (path: string, instead: string): RouterError =>
  new RouterError('invalid-request', `${path}: answers are not stored here; ${instead}`);

/** Keeps what is said beside the known fields of an object, under the name of the object and its own. */
const keepRest = (value: Body, known: readonly string[], name: string, extra: Body): void => {
  for (const field of Object.keys(value)) {
    if (known.includes(field) || !isSet(value[field])) continue;
    // These may stand on anything, and mean the same on all of it.
    extra[field === 'prompt_cache_breakpoint' || field === 'phase' ? field : `${name}.${field}`] = value[field];
  }
};

/** All but one of these tell more of thoughts, or of tools that run at OpenAI. */
const parseInclude = (include: readonly unknown[], extra: Body): void => {
  include.forEach((item, i) => {
    const name = string(item, `include[${i}]`);
    if (name === 'message.output_text.logprobs') extra['include of logprobs'] = true;
    else extra.include = include;
  });
};

/** What the assistant says and whom it calls in one turn, in the order in which it came. */
interface Turn {
  readonly content: TextPart[];
  readonly calls: ToolCall[];
}

const parseInput = (input: unknown, extra: Body): readonly Message[] => {
  if (typeof input === 'string') return [{ role: 'user', content: [{ type: 'text', text: input }] }];
  const items = isSet(input) && Array.isArray(input) ? input : wrongly('input', 'a text or an array of items', input);
  if (items.length === 0) throw wrong('input', 'at least one item', items);
  const messages: (Exclude<Message, AssistantMessage> | Turn)[] = [];
  const kept: Body = {};
  /** The turn that the assistant has not ended, or a new one. */
  const turnOf = (hasEnded: (turn: Turn) => boolean): Turn => {
    const last = messages.at(-1);
    if (last !== undefined && 'calls' in last && !hasEnded(last)) return last;
    const turn: Turn = { content: [], calls: [] };
    messages.push(turn);
    return turn;
  };
  for (const [i, given] of items.entries()) {
    const path = `input[${i}]`;
    const item = object(given, path);
    const type = optional(item, 'type', string, path) ?? 'message';
    switch (type) {
      case 'message': {
        keepRest(item, ['type', 'role', 'content', 'id', 'status'], 'message', extra);
        const { role } = item;
        if (role !== 'assistant') messages.push(parseMessage(item, path, extra));
        // What is said behind a call belongs to its turn: the results have to come next.
        else
          turnOf(({ calls }) => calls.length === 0).content.push(...parseTexts(item.content, `${path}.content`, extra));
        break;
      }
      case 'function_call':
        turnOf(() => false).calls.push(parseCall(item, path, extra));
        break;
      case 'function_call_output':
        keepRest(item, ['type', 'call_id', 'output', 'id', 'status'], type, extra);
        messages.push({
          role: 'tool',
          toolCallId: string(item.call_id, `${path}.call_id`),
          content: parseParts(item.output, `${path}.output`, extra),
        });
        break;
      case 'reasoning':
        if (isOurs(item)) Object.assign(kept, keptIn(item.encrypted_content));
        else if (!hasOurName(item)) extra['reasoning item'] = true;
        break;
      case 'item_reference':
        throw stored(path, 'send the item itself');
      default:
        extra[`${type} item`] = true;
    }
  }
  const read = messages.map((message): Message => ('calls' in message ? assistantOf(message, kept) : message));
  // Only what OpenAI alone can read was said; others are not asked.
  return read.length > 0 ? read : [{ role: 'user', content: [] }];
};

const assistantOf = ({ content, calls }: Turn, kept: Body): AssistantMessage => ({
  role: 'assistant',
  content,
  ...(calls.length > 0 && { toolCalls: withKept(calls, kept) }),
});

const parseMessage = (item: Body, path: string, extra: Body): Exclude<Message, AssistantMessage> => {
  const at = `${path}.content`;
  switch (item.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: parseTexts(item.content, at, extra) };
    case 'user':
      return { role: 'user', content: parseParts(item.content, at, extra) };
    default:
      throw wrong(`${path}.role`, 'one of system, developer, user, assistant', item.role);
  }
};

const parseCall = (item: Body, path: string, extra: Body): ToolCall => {
  const { caller } = item;
  // That the model made the call itself goes without saying.
  const direct = isObject(caller) && caller.type === 'direct';
  const known = ['type', 'call_id', 'name', 'arguments', 'id', 'status', ...(direct ? ['caller'] : [])];
  keepRest(item, known, 'function_call', extra);
  return {
    id: string(item.call_id, `${path}.call_id`),
    name: string(item.name, `${path}.name`),
    arguments: string(item.arguments, `${path}.arguments`),
  };
};

const parseTexts = (content: unknown, path: string, extra: Body): readonly TextPart[] =>
  textsOf(parseParts(content, path, extra), extra);

const parseParts = (content: unknown, path: string, extra: Body): readonly UserPart[] => {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(path, 'a text or an array of parts', content);
  return content.map((part, i) => parsePart(part, `${path}[${i}]`, extra));
};

const parsePart = (given: unknown, path: string, extra: Body): UserPart => {
  const part = object(given, path);
  const type = string(part.type, `${path}.type`);
  switch (type) {
    case 'input_text':
      keepRest(part, ['type', 'text'], type, extra);
      return { type: 'text', text: string(part.text, `${path}.text`) };
    case 'output_text':
      // Where a vendor's tools found it, and how sure it was.
      keepRest(part, ['type', 'text', 'annotations', 'logprobs'], type, extra);
      return { type: 'text', text: string(part.text, `${path}.text`) };
    case 'refusal':
      // What the model said instead of an answer in an earlier turn is something that it said.
      return { type: 'text', text: string(part.refusal, `${path}.refusal`) };
    case 'input_image': {
      keepRest(part, ['type', 'image_url', 'detail', 'file_id'], type, extra);
      const url = optional(part, 'image_url', string, path);
      if (url === undefined) return { type: 'unknown', name: 'image by id', value: part };
      return { type: 'image', url, ...present('detail', optional(part, 'detail', string, path)) };
    }
    case 'input_file':
      keepRest(part, ['type', 'file_data', 'file_id', 'file_url', 'filename'], type, extra);
      return {
        type: 'file',
        ...present('data', optional(part, 'file_data', string, path)),
        ...present('fileId', optional(part, 'file_id', string, path)),
        ...present('url', optional(part, 'file_url', string, path)),
        ...present('filename', optional(part, 'filename', string, path)),
      };
    case 'input_audio': {
      const at = `${path}.input_audio`;
      const audio = object(part.input_audio, at);
      return { type: 'audio', data: string(audio.data, `${at}.data`), format: string(audio.format, `${at}.format`) };
    }
    default:
      return { type: 'unknown', name: type, value: part };
  }
};

const parseTool = (tool: unknown, path: string, extra: Body): Tool[] => {
  const definition = object(tool, path);
  const type = string(definition.type, `${path}.type`);
  if (type !== 'function') {
    extra[`tool of type ${type}`] = true;
    return [];
  }
  keepRest(definition, ['type', 'name', 'description', 'parameters', 'strict'], 'tool', extra);
  return [parseFunction(definition, path)];
};

const parseToolChoice = (
  choice: unknown,
  path: string,
  tools: readonly Tool[],
  extra: Body,
): ToolChoice | undefined => {
  if (choice === 'auto' || choice === 'none' || choice === 'required') {
    // Of nothing there is nothing to choose, and most vendors say so.
    return tools.length === 0 && choice !== 'required' ? undefined : choice;
  }
  if (!isObject(choice)) throw wrong(path, "'auto', 'none', 'required' or an object", choice);
  if (choice.type === 'function') return { tool: string(choice.name, `${path}.name`) };
  extra.tool_choice = choice;
  return undefined;
};

const parseOutput = (format: unknown, path: string, extra: Body): OutputFormat | undefined => {
  const described = object(format, path);
  switch (described.type) {
    case 'text':
      return { type: 'text' };
    case 'json_object':
      return { type: 'json' };
    case 'json_schema':
      return {
        type: 'json-schema',
        name: string(described.name, `${path}.name`),
        schema: object(described.schema, `${path}.schema`),
        ...present('description', optional(described, 'description', string, path)),
        ...present('strict', optional(described, 'strict', boolean, path)),
      };
    default:
      extra[`${path} of type ${string(described.type, `${path}.type`)}`] = true;
      return undefined;
  }
};

const echoOf = (body: Body): Body => ({
  background: false,
  instructions: body.instructions ?? null,
  max_output_tokens: body.max_output_tokens ?? null,
  metadata: body.metadata ?? {},
  parallel_tool_calls: body.parallel_tool_calls ?? true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null, ...(body.reasoning as Body | null | undefined) },
  store: false,
  temperature: body.temperature ?? null,
  text: { format: { type: 'text' }, ...(body.text as Body | null | undefined) },
  tool_choice: body.tool_choice ?? 'auto',
  tools: body.tools ?? [],
  top_p: body.top_p ?? null,
  truncation: body.truncation ?? 'disabled',
});

// ── items of ours ────────────────────────────────────────────────────────────────────────────────────────────────────

// OpenAI knows its own items by their names, too. Those that are made here have names of ours, and are given back without
// them. A mark stands in the place of what is encrypted.

const OUR_ID = /^(msg|rs|fc)_switchyard_/;

type Thought = Body & { readonly encrypted_content: string };

const isOurs = (item: unknown): item is Thought =>
  isObject(item) && item.type === 'reasoning' && isMark(item.encrypted_content);

const hasOurName = (item: unknown): item is Body & { readonly id: string } =>
  isObject(item) && typeof item.id === 'string' && OUR_ID.test(item.id);

const withoutOurs = (body: Body): Body => {
  const { input } = body;
  if (!Array.isArray(input) || !input.some((item) => isOurs(item) || hasOurName(item))) return body;
  return {
    ...body,
    input: input.flatMap((item: unknown) => {
      if (isOurs(item) || (hasOurName(item) && item.type === 'reasoning')) return [];
      if (!hasOurName(item)) return [item];
      const { id: _, ...unnamed } = item;
      return [unnamed];
    }),
  };
};

// ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface MessageItem {
  readonly type: 'message';
  readonly id: string;
  status: Status;
  readonly role: 'assistant';
  readonly content: Said[];
}

/** A part of a message. */
type Said =
  | { readonly type: 'output_text'; readonly annotations: readonly []; readonly logprobs: readonly []; text: string }
  | { readonly type: 'refusal'; refusal: string };

interface ReasoningItem {
  readonly type: 'reasoning';
  readonly id: string;
  readonly summary: { readonly type: 'summary_text'; text: string }[];
  encrypted_content: string;
}

interface CallItem {
  readonly type: 'function_call';
  readonly id: string;
  status: Status;
  readonly call_id: string;
  readonly name: string;
  arguments: string;
}

type Item = MessageItem | ReasoningItem | CallItem;
type Status = 'in_progress' | 'completed' | 'incomplete';

/** Makes the items of one answer, each with a name of its own. */
class Items {
  readonly output: Item[] = [];
  readonly #requestId: string;

  constructor(requestId: string) {
    this.#requestId = requestId;
  }

  message(): MessageItem {
    return this.#add({ type: 'message', id: this.#id('msg'), status: 'in_progress', role: 'assistant', content: [] });
  }

  reasoning(encrypted_content: string): ReasoningItem {
    return this.#add({ type: 'reasoning', id: this.#id('rs'), summary: [], encrypted_content });
  }

  call({ id, name }: Pick<ToolCall, 'id' | 'name'>): CallItem {
    const status = 'in_progress';
    return this.#add({ type: 'function_call', id: this.#id('fc'), status, call_id: id, name, arguments: '' });
  }

  #id(prefix: string): string {
    return `${prefix}_${MARK}_${this.#requestId}_${this.output.length}`;
  }

  #add<T extends Item>(item: T): T {
    this.output.push(item);
    return item;
  }
}

const saidAs = (type: 'text' | 'refusal'): Said =>
  type === 'text' ? { type: 'output_text', annotations: [], logprobs: [], text: '' } : { type, refusal: '' };

const say = (part: Said, text: string): void => {
  if (part.type === 'refusal') part.refusal += text;
  else part.text += text;
};

/** The body of a plain answer. What came in this format goes out as it came. */
export const printAnswer = (answer: ChatAnswer, { echo }: Pick<ResponsesCall, 'echo'>): string => {
  if (answer.source?.format === 'openai-responses') return answer.source.body;
  const { text, reasoning = '', refusal = '', toolCalls, served, finishReason } = answer;
  const items = new Items(served.requestId);
  if (reasoning !== '') items.reasoning(MARK).summary.push({ type: 'summary_text', text: reasoning });
  const said = (
    [
      ['text', text],
      ['refusal', refusal],
    ] as const
  ).filter(([, words]) => words !== '');
  if (said.length > 0) {
    const { content } = items.message();
    for (const [type, words] of said) {
      const part = saidAs(type);
      say(part, words);
      content.push(part);
    }
  }
  for (const call of toolCalls) {
    if (call.extra !== undefined) items.reasoning(markFor(call));
    items.call(call).arguments = call.arguments;
  }
  end(items.output, finishReason);
  const head = { id: answer.id || served.requestId, model: answer.model || served.target.model };
  return JSON.stringify({
    ...envelope(head, echo),
    ...ended(finishReason),
    output: items.output,
    usage: printUsage(answer.usage),
  });
};

interface Head {
  readonly id: string;
  readonly model: string;
}

const envelope = ({ id, model }: Head, echo: Body): Body => ({
  id,
  object: 'response',
  created_at: nowSeconds(),
  status: 'in_progress',
  error: null,
  incomplete_details: null,
  model,
  output: [],
  usage: null,
  ...echo,
});

const INCOMPLETE: Readonly<Partial<Record<FinishReason, string>>> = {
  length: 'max_output_tokens',
  'content-filter': 'content_filter',
};

const ended = (reason: FinishReason): { readonly status: Status; readonly incomplete_details: Body | null } => {
  const because = INCOMPLETE[reason];
  return because === undefined
    ? { status: 'completed', incomplete_details: null }
    : { status: 'incomplete', incomplete_details: { reason: because } };
};

/** What was cut off is the last item. */
const end = (output: readonly Item[], reason: FinishReason): void => {
  for (const item of output) if (item.type !== 'reasoning') item.status = 'completed';
  const last = output.at(-1);
  if (last !== undefined && last.type !== 'reasoning') last.status = ended(reason).status;
};

const printUsage = (usage: Usage | undefined): Body | null =>
  usage === undefined
    ? null
    : {
        input_tokens: usage.inputTokens,
        input_tokens_details: {
          cached_tokens: usage.cachedInputTokens,
          cache_write_tokens: usage.cacheWriteInputTokens ?? 0,
        },
        output_tokens: usage.outputTokens,
        output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
        total_tokens: usage.inputTokens + usage.outputTokens,
      };

const encoder = new TextEncoder();

const encode = (type: string, data: Body): Uint8Array =>
  encoder.encode(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);

/**
 * The frames of a streamed answer. Bytes that came in this format go out as they came; events of others are printed, as is
 * all that comes after a seam. An answer that breaks off ends in `error` and `response.failed`, as it does at OpenAI.
 */
export const printStream = ({ echo }: Pick<ResponsesCall, 'echo'>, served: Served): StreamPrinter => {
  const print = createPrinter(echo, served);
  let relayed: RelayedResponse | undefined;
  return {
    *print(event) {
      if (event.bytes !== undefined) {
        relayed ??= newRelayed();
        addRelayed(relayed, event, event.bytes);
        yield event.bytes;
      }
      if (event.type === 'seam') {
        if (relayed !== undefined) print.adopt(readRelayed(relayed));
        relayed = undefined;
        yield seamComment(event);
      }
      if (relayed === undefined) yield* print.event(event);
    },
    *end() {
      if (relayed === undefined) yield* print.end();
    },
    broken: (error) => (relayed === undefined ? print.broken(error) : brokenRelay(relayed, error)),
  };
};

type Frames = Generator<Uint8Array, void>;

interface Printer {
  event(event: ChatEvent): Frames;
  /** Goes on behind frames that have been handed on. */
  adopt(read: ReadResponse): void;
  end(): Frames;
  broken(error: unknown): Frames;
}

/**
 * Prints the events of one stream in turn. What is said or thought is ended by whatever comes next; calls stay open to
 * the end, since some servers send the pieces of several at a time.
 */
const createPrinter = (echo: Body, { target, requestId }: Served): Printer => {
  const items = new Items(requestId);
  const { output } = items;
  const calls = new Map<number, CallItem>();
  let head: Head = { id: requestId, model: target.model };
  let response = envelope(head, echo);
  let begun = false;
  let sequence = 0;
  /** Those that are not done, in the order of the output. */
  const open = new Set<Item>();
  let speaking: MessageItem | ReasoningItem | undefined;
  /** Whether the last part of it is not done. */
  let partIsOpen = false;
  /** Where in the output the answer begins: behind what was said before it began anew. */
  let since = 0;
  let reason: FinishReason = 'stop';
  let usage: Usage | undefined;

  const frame = (type: string, data: Body): Uint8Array => encode(type, { sequence_number: sequence++, ...data });

  const at = (item: Item): { readonly item_id: string; readonly output_index: number } => ({
    item_id: item.id,
    output_index: output.indexOf(item),
  });

  const itemFrame = (type: 'added' | 'done', item: Item): Uint8Array => {
    if (type === 'added') open.add(item);
    else open.delete(item);
    return frame(`response.output_item.${type}`, { output_index: output.indexOf(item), item });
  };

  const partFrame = (type: 'added' | 'done', item: MessageItem): Uint8Array => {
    partIsOpen = type === 'added';
    const content_index = item.content.length - 1;
    return frame(`response.content_part.${type}`, { ...at(item), content_index, part: item.content[content_index] });
  };

  const summaryFrame = (type: 'added' | 'done', item: ReasoningItem): Uint8Array => {
    partIsOpen = type === 'added';
    const summary_index = item.summary.length - 1;
    const part = item.summary[summary_index];
    return frame(`response.reasoning_summary_part.${type}`, { ...at(item), summary_index, part });
  };

  function* begin(): Frames {
    if (begun) return;
    begun = true;
    response = envelope(head, echo);
    yield frame('response.created', { response });
    yield frame('response.in_progress', { response });
  }

  function* closePart(item: MessageItem): Frames {
    const part = item.content.at(-1);
    if (part === undefined || !partIsOpen) return;
    const where = { ...at(item), content_index: item.content.length - 1 };
    if (part.type === 'refusal') yield frame('response.refusal.done', { ...where, refusal: part.refusal });
    else yield frame('response.output_text.done', { ...where, text: part.text, logprobs: [] });
    yield partFrame('done', item);
  }

  function* closeSummary(item: ReasoningItem): Frames {
    const summary = item.summary.at(-1);
    if (summary === undefined || !partIsOpen) return;
    const where = { ...at(item), summary_index: item.summary.length - 1 };
    yield frame('response.reasoning_summary_text.done', { ...where, text: summary.text });
    yield summaryFrame('done', item);
  }

  function* close(): Frames {
    const item = speaking;
    speaking = undefined;
    if (item === undefined) return;
    if (item.type === 'message') {
      if (item.status === 'in_progress') item.status = 'completed';
      yield* closePart(item);
    } else yield* closeSummary(item);
    yield itemFrame('done', item);
  }

  function* think(delta: string): Frames {
    let item = speaking;
    if (item?.type !== 'reasoning') {
      yield* close();
      item = items.reasoning(MARK);
      yield itemFrame('added', item);
      item.summary.push({ type: 'summary_text', text: '' });
      yield summaryFrame('added', item);
      speaking = item;
    }
    for (const summary of item.summary) summary.text += delta;
    yield frame('response.reasoning_summary_text.delta', { ...at(item), summary_index: 0, delta });
  }

  function* speak(type: 'text' | 'refusal', delta: string): Frames {
    let item = speaking;
    if (item?.type !== 'message') {
      yield* close();
      item = items.message();
      yield itemFrame('added', item);
      speaking = item;
    }
    let part = item.content.at(-1);
    if (part === undefined || !partIsOpen || (part.type === 'refusal') !== (type === 'refusal')) {
      yield* closePart(item);
      part = saidAs(type);
      item.content.push(part);
      yield partFrame('added', item);
    }
    say(part, delta);
    const where = { ...at(item), content_index: item.content.length - 1 };
    if (type === 'refusal') yield frame('response.refusal.delta', { ...where, delta });
    else yield frame('response.output_text.delta', { ...where, delta, logprobs: [] });
  }

  function* call({ index, id, name, arguments: delta, extra }: ChatEvent & { type: 'tool-call' }): Frames {
    let item = calls.get(index);
    // Some servers give all their calls one index.
    if (item === undefined || (item.call_id && id && name && id !== item.call_id)) {
      yield* close();
      if (extra !== undefined) {
        const kept = items.reasoning(markFor({ id: id ?? '', extra }));
        yield itemFrame('added', kept);
        yield itemFrame('done', kept);
      }
      item = items.call({ id: id ?? '', name: name ?? '' });
      calls.set(index, item);
      yield itemFrame('added', item);
    }
    if (delta === '') return;
    item.arguments += delta;
    yield frame('response.function_call_arguments.delta', { ...at(item), delta });
  }

  function* endCalls(): Frames {
    for (const item of open) {
      if (item.type !== 'function_call') continue;
      yield frame('response.function_call_arguments.done', { ...at(item), name: item.name, arguments: item.arguments });
      yield itemFrame('done', item);
    }
  }

  /** The items that the one who broke off leaves behind. Only what was said is gone on with. */
  function* takeOver(seam: Seam): Frames {
    calls.clear();
    for (const item of open) {
      if (item === speaking && item.type === 'message' && seam.mode === 'continue') continue;
      if (item.type !== 'reasoning') item.status = 'incomplete';
      // Half a thought of a vendor is nobody's: it may not come back to it as its own.
      else item.encrypted_content ||= MARK;
      if (item === speaking) yield* close();
      else yield itemFrame('done', item);
    }
    if (seam.mode === 'continue') return;
    since = output.length;
    yield* begin();
    yield frame('response.in_progress', { response, ...resetField(seam) });
  }

  // A vendor may have left places out.
  const answer = (): readonly Item[] => output.slice(since).filter((item) => item !== undefined);

  return {
    adopt(read) {
      if (read.response !== undefined) {
        begun = true;
        response = { ...read.response, output: [] };
      }
      sequence = read.sequence;
      // Items of the vendor, of which only those are touched that have the same form here.
      for (const [index, item] of read.items) output[index] = item as unknown as Item;
      for (const item of read.open) open.add(item as unknown as Item);
      speaking = [...open].findLast((item) => item.type === 'message' || item.type === 'reasoning');
      partIsOpen = read.partIsOpen;
    },
    *event(event) {
      switch (event.type) {
        case 'seam':
          yield* takeOver(event);
          break;
        case 'start':
          head = { id: event.id || head.id, model: event.model || head.model };
          yield* begin();
          break;
        case 'text':
        case 'refusal':
          yield* begin();
          if (event.text !== '') yield* speak(event.type, event.text);
          break;
        case 'reasoning':
          yield* begin();
          if (event.text !== '') yield* think(event.text);
          break;
        case 'tool-call':
          yield* begin();
          yield* call(event);
          break;
        case 'finish':
          reason = event.reason;
          break;
        case 'usage':
          usage = event.usage;
          break;
      }
    },
    *end() {
      yield* begin();
      end([...open], reason);
      yield* close();
      yield* endCalls();
      const whole = { ...response, ...ended(reason), output: answer(), usage: printUsage(usage) };
      yield frame(`response.${whole.status}`, { response: whole });
    },
    *broken(error) {
      for (const item of open) if (item.type !== 'reasoning') item.status = 'incomplete';
      yield* failedFrames(error, sequence, { ...response, output: answer() });
    },
  };
};

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The last events of a stream that broke off: what happened, and what had come of the response. */
function* failedFrames(error: unknown, sequence: number, response: Body | undefined): Frames {
  const { type: _, ...said } = printError(error).body.error;
  yield encode('error', { ...said, sequence_number: sequence });
  if (response === undefined) return;
  const failed = { ...response, status: 'failed', error: { code: 'server_error', message: said.message } };
  yield encode('response.failed', { sequence_number: sequence + 1, response: failed });
}

function* brokenRelay(relayed: RelayedResponse, error: unknown): Frames {
  const { response } = dataOf(relayed.begun);
  yield* failedFrames(error, sequenceAfter(relayed), isObject(response) ? response : undefined);
}

/** The last event of a stream that broke off where nothing is known of it. */
export const errorEvent = (error: unknown): Uint8Array => failedFrames(error, 0, undefined).next().value as Uint8Array;

// ── the format ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const responses: Format = {
  path: 'responses',
  parse(body): FormatCall {
    const call = parseResponses(body);
    return {
      ...call,
      printAnswer: (answer) => printAnswer(answer, call),
      printStream: (served) => printStream(call, served),
    };
  },
  printError,
  printErrorEvent: errorEvent,
  unauthorized: {
    error: { message: 'This request was not authorized.', type: 'authentication_error', param: null, code: null },
  },
};
