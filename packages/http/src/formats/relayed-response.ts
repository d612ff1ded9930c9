import type { ChatEvent } from '@switchyard/core';
import { type Body, isObject } from '../read.ts';
import { dataOf } from '../seam.ts';

// A stream of Responses ends with the whole answer. Where one is handed on and another target takes over, what was said
// has to be known after all: its frames are kept, and read only then.

/** What was handed on of a stream that passes through. */
export interface RelayedResponse {
  /** The frame that it began with. */
  begun: Uint8Array | undefined;
  readonly runs: Run[];
}

/** A frame, or the last one of several that each added to one text. Frames are many times as long as what they add. */
interface Run {
  readonly type: ChatEvent['type'];
  /** Of the call that the text belongs to. */
  readonly call: number | undefined;
  frame: Uint8Array;
  text: string | undefined;
}

export const newRelayed = (): RelayedResponse => ({ begun: undefined, runs: [] });

/** Takes notice of an event that carries a frame. Reads nothing of it. */
export const addRelayed = (relayed: RelayedResponse, event: ChatEvent, frame: Uint8Array): void => {
  if (event.type === 'start') relayed.begun = frame;
  const { runs } = relayed;
  const text = addedBy(event);
  const call = event.type === 'tool-call' ? event.index : undefined;
  const run = runs.at(-1);
  if (text === undefined || run?.text === undefined || run.type !== event.type || run.call !== call) {
    runs.push({ type: event.type, call, frame, text });
    return;
  }
  run.frame = frame;
  run.text += text;
};

const addedBy = (event: ChatEvent): string | undefined => {
  switch (event.type) {
    case 'text':
    case 'refusal':
      return event.text;
    case 'reasoning':
      // Between two parts of a summary, and then the frame begins the second one.
      return event.text === '\n\n' ? undefined : event.text;
    case 'tool-call':
      return event.id === undefined ? event.arguments : undefined;
    default:
      return undefined;
  }
};

/** What a relayed stream had come to. */
export interface ReadResponse {
  /** As the first event has it. */
  readonly response: Body | undefined;
  /** The number of the next event. */
  readonly sequence: number;
  /** By their place in the output. */
  readonly items: ReadonlyMap<number, Body>;
  /** Those that are not done, in the order of the output. */
  readonly open: ReadonlySet<Body>;
  /** Whether the last part that has begun is not done. */
  readonly partIsOpen: boolean;
}

/** The number of the next event. The last frame need not have one: a comment has none. */
export const sequenceAfter = ({ runs }: RelayedResponse): number => {
  for (const { frame } of runs.toReversed()) {
    const { sequence_number } = dataOf(frame);
    if (typeof sequence_number === 'number') return sequence_number + 1;
  }
  return 0;
};

/** Puts together what the frames said. Whatever does not fit is passed over: the client has it, and made of it what it could. */
export const readRelayed = (relayed: RelayedResponse): ReadResponse => {
  const { runs, begun } = relayed;
  const { response } = dataOf(begun);
  const items = new Map<number, Body>();
  const open = new Set<Body>();
  let partIsOpen = false;
  for (const { frame, text } of runs) {
    const event = dataOf(frame);
    const { type, item } = event;
    const index = Number(event.output_index ?? 0);
    const known = items.get(index);
    if (type === 'response.output_item.added' && isObject(item)) {
      if (item.type === 'message') listIn(item, 'content');
      if (item.type === 'reasoning') listIn(item, 'summary');
      items.set(index, item);
      open.add(item);
      partIsOpen = false;
    } else if (type === 'response.output_item.done' && isObject(item)) {
      items.set(index, item);
      if (known !== undefined) open.delete(known);
      partIsOpen = false;
    } else if (known !== undefined) {
      const added = typeof event.delta === 'string' ? (text ?? event.delta) : '';
      if (addToItem(known, event, added)) partIsOpen = String(type).endsWith('part.added');
    }
  }
  return {
    response: isObject(response) ? response : undefined,
    sequence: sequenceAfter(relayed),
    items,
    open,
    partIsOpen,
  };
};

/** Whether the event begins or ends a part. */
const addToItem = (item: Body, event: Body, added: string): boolean => {
  switch (event.type) {
    case 'response.content_part.added':
    case 'response.content_part.done':
      listIn(item, 'content')[Number(event.content_index ?? 0)] = event.part;
      return true;
    case 'response.reasoning_summary_part.added':
    case 'response.reasoning_summary_part.done':
      listIn(item, 'summary')[Number(event.summary_index ?? 0)] = event.part;
      return true;
    case 'response.output_text.delta':
    case 'response.reasoning_text.delta':
      extend(listIn(item, 'content')[Number(event.content_index ?? 0)], 'text', added);
      return false;
    case 'response.refusal.delta':
      extend(listIn(item, 'content')[Number(event.content_index ?? 0)], 'refusal', added);
      return false;
    case 'response.reasoning_summary_text.delta':
      extend(listIn(item, 'summary')[Number(event.summary_index ?? 0)], 'text', added);
      return false;
    case 'response.output_text.annotation.added': {
      const part = listIn(item, 'content')[Number(event.content_index ?? 0)];
      if (isObject(part)) listIn(part, 'annotations').push(event.annotation);
      return false;
    }
    case 'response.function_call_arguments.delta':
      extend(item, 'arguments', added);
      return false;
    case 'response.function_call_arguments.done':
      item.arguments = event.arguments;
      return false;
    default:
      return false;
  }
};

const listIn = (body: Body, name: string): unknown[] => {
  const list = body[name];
  if (Array.isArray(list)) return list;
  const made: unknown[] = [];
  body[name] = made;
  return made;
};

const extend = (body: unknown, name: string, added: string): void => {
  if (isObject(body)) body[name] = `${typeof body[name] === 'string' ? body[name] : ''}${added}`;
};
