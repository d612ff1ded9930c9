import type { ChatRequest, ToolCall, WireFormat } from '../decide/request.ts';
import { type ChatEvent, type ChatResponse, type FinishReason, isContent, type Usage } from '../decide/response.ts';
import { type EventStream, type Packets, packetsOf } from '../packets.ts';
import { addChunk, type Completion, completionOf, isAnotherCall, newCompletion } from './completion.ts';
import { addMessageEvent, type MessageInParts, messageOf, newMessage } from './message.ts';
import { addResponseEvent, isResponseEvent, newResponse, type ResponseInParts, responseBodyOf } from './responses.ts';

/** A whole answer in the making, from the events of a stream. */
export interface Whole {
  id: string;
  model: string;
  text: string;
  reasoning: string;
  refusal: string;
  /** In the order in which they began. */
  readonly calls: Call[];
  readonly callAt: Map<number, Call>;
  finishReason: FinishReason | undefined;
  stopSequence: string | undefined;
  usage: Usage | undefined;
  /** The vendor's own body, where its bytes came with the events: one of OpenAI's two, or one of Anthropic's. */
  completion: Completion | undefined;
  response: ResponseInParts | undefined;
  message: MessageInParts | undefined;
}

type Call = { -readonly [Field in keyof ToolCall]: ToolCall[Field] };

export const newWhole = (): Whole => ({
  id: '',
  model: '',
  text: '',
  reasoning: '',
  refusal: '',
  calls: [],
  callAt: new Map(),
  finishReason: undefined,
  stopSequence: undefined,
  usage: undefined,
  completion: undefined,
  response: undefined,
  message: undefined,
});

/**
 * The request to put to `Provider.stream` in the place of a plain one; undefined where a stream cannot bring the same
 * answer. A plain answer always tells its usage, a stream of Chat Completions only if it is asked to.
 */
export const asStreamed = (request: ChatRequest): ChatRequest | undefined => {
  // OpenAI streams sound as bare samples only, whatever format was asked for.
  const { modalities } = request.extra ?? {};
  if (Array.isArray(modalities) && modalities.includes('audio')) return undefined;
  if (request.source?.format !== 'openai-chat') return request;
  const { body } = request.source;
  const options = { ...(body.stream_options as object | null | undefined), include_usage: true };
  return { ...request, source: { ...request.source, body: { ...body, stream_options: options } } };
};

/** The whole of a stream; `heard` is told of each event, and whether it has content. */
export const gathered = async (stream: EventStream, heard: (hasContent: boolean) => void): Promise<ChatResponse> => {
  const whole = newWhole();
  for await (const packet of packetsOf(stream)) {
    for (const event of packet) {
      addEvent(whole, event);
      heard(isContent(event));
    }
  }
  return responseOf(whole);
};

/**
 * Hands events on as they come, and then the whole answer to somebody who must not be able to harm it. Without the vendor's
 * own body where only the words are wanted: its bytes are dear to read.
 */
export async function* gatheredBeside(
  packets: Packets,
  wants: 'its body too' | 'its words',
  then: (answer: ChatResponse) => void,
): AsyncGenerator<readonly ChatEvent[], void> {
  const whole = newWhole();
  for await (const packet of packets) {
    for (const event of packet) {
      if (wants === 'its body too' && event.bytes !== undefined) addBytes(whole, event.bytes);
      addWords(whole, event);
    }
    yield packet;
  }
  try {
    then(responseOf(whole));
  } catch {
    // What is no whole answer is not measured.
  }
}

/** Takes in the next event. */
export const addEvent = (whole: Whole, event: ChatEvent): void => {
  if (event.bytes !== undefined) addBytes(whole, event.bytes);
  addWords(whole, event);
};

const addWords = (whole: Whole, event: ChatEvent): void => {
  switch (event.type) {
    case 'start':
      whole.id = event.id;
      whole.model = event.model;
      break;
    case 'text':
      whole.text += event.text;
      break;
    case 'reasoning':
      whole.reasoning += event.text;
      break;
    case 'refusal':
      whole.refusal += event.text;
      break;
    case 'tool-call':
      addCall(whole, event);
      break;
    case 'finish':
      whole.finishReason = event.reason;
      whole.stopSequence = event.stopSequence;
      break;
    case 'usage':
      whole.usage = event.usage;
      break;
    case 'seam':
      addSeam(whole, event.mode);
      break;
    case 'unknown':
    case 'other':
      break;
  }
};

/** What comes now is another vendor's: there is no body that would be either's own, and it numbers its calls anew. */
const addSeam = (whole: Whole, mode: 'continue' | 'restart'): void => {
  whole.completion = undefined;
  whole.response = undefined;
  whole.message = undefined;
  whole.callAt.clear();
  whole.finishReason = undefined;
  whole.stopSequence = undefined;
  if (mode === 'continue') return;
  whole.text = '';
  whole.reasoning = '';
  whole.refusal = '';
  whole.calls.length = 0;
};

/** The answer, once the stream has ended. Throws where it never said why it finished. */
export const responseOf = (whole: Whole): ChatResponse => {
  const { finishReason, stopSequence, usage } = whole;
  if (finishReason === undefined) throw new Error('a stream that never said why it finished');
  const source = sourceOf(whole);
  const { id, model, text, reasoning, refusal, calls } =
    source?.format === 'openai-chat' ? wordsOf(source.body) : whole;
  return {
    id,
    model,
    text,
    ...(reasoning !== '' && { reasoning }),
    ...(refusal !== '' && { refusal }),
    toolCalls: calls,
    finishReason,
    ...(stopSequence !== undefined && { stopSequence }),
    ...(usage !== undefined && { usage }),
    ...(source !== undefined && { source: { format: source.format, body: JSON.stringify(source.body) } }),
  };
};

const sourceOf = ({
  completion,
  response,
  message,
}: Whole): { readonly format: WireFormat; readonly body: Body } | undefined => {
  const body = response && responseBodyOf(response);
  if (body !== undefined) return { format: 'openai-responses', body };
  if (completion !== undefined) return { format: 'openai-chat', body: completionOf(completion) };
  if (message !== undefined) return { format: 'anthropic-messages', body: messageOf(message) };
  return undefined;
};

const addCall = ({ calls, callAt }: Whole, event: Extract<ChatEvent, { type: 'tool-call' }>): void => {
  const { index, id = '', name = '', arguments: args, extra } = event;
  const begun = callAt.get(index);
  if (begun === undefined || isAnotherCall(begun.id, id, name)) {
    const call: Call = { id, name, arguments: args, ...(extra !== undefined && { extra }) };
    calls.push(call);
    callAt.set(index, call);
    return;
  }
  begun.id ||= id;
  begun.name ||= name;
  begun.arguments += args;
  if (extra !== undefined) begun.extra = { ...begun.extra, ...extra };
};

type Body = Readonly<Record<string, unknown>>;

const decoder = new TextDecoder();

/** The bytes are one frame of the vendor: a comment, an event, or the `[DONE]` behind the last one. */
const addBytes = (whole: Whole, bytes: Uint8Array): void => {
  let data = '';
  for (const line of decoder.decode(bytes).split(/\r\n|\n|\r/)) if (line.startsWith('data:')) data += line.slice(5);
  // Whatever is no event is for the provider to complain of: it has read the same bytes.
  if (!data.trimStart().startsWith('{')) return;
  const event: Record<string, unknown> = JSON.parse(data);
  // Each event of Responses, and of Anthropic's, says of what type it is; those of Chat Completions are all of one, and
  // have choices.
  if (isResponseEvent(event)) {
    whole.response ??= newResponse();
    addResponseEvent(whole.response, event);
  } else if (typeof event.type === 'string' && !('choices' in event)) {
    whole.message ??= newMessage();
    addMessageEvent(whole.message, event);
  } else {
    whole.completion ??= newCompletion();
    addChunk(whole.completion, event);
  }
};

/**
 * What the first choice of a completion says, in neutral words. Read here and not from the events, which do not tell one
 * of several choices from another.
 */
const wordsOf = (
  body: Body,
): Pick<Whole, 'id' | 'model' | 'text' | 'reasoning' | 'refusal'> & { readonly calls: readonly ToolCall[] } => {
  const [first] = listOf(body.choices);
  const message = objectOf(first?.message);
  return {
    id: textOf(body.id),
    model: textOf(body.model),
    text: textOf(message.content),
    reasoning: textOf(message.reasoning_content),
    refusal: textOf(message.refusal),
    calls: listOf(message.tool_calls).map(({ id, function: called }) => {
      const { name, arguments: args } = objectOf(called);
      return { id: textOf(id), name: textOf(name), arguments: textOf(args) };
    }),
  };
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const listOf = (value: unknown): readonly Body[] => (Array.isArray(value) ? value : []);
const objectOf = (value: unknown): Body => (typeof value === 'object' && value !== null ? (value as Body) : {});
