import { type Body, isObject, isText, join, merge, replace } from './merge.ts';

// The chunks of OpenAI's Chat Completions, put together to the body that a plain request would have got.

/** A body in the making. */
export interface Completion {
  readonly body: Body;
  /** By index. */
  readonly choices: Map<number, Choice>;
}

interface Choice {
  /** The choice without its message. */
  readonly fields: Body;
  readonly message: Body;
  /** In the order in which they began. */
  readonly calls: Body[];
  readonly callAt: Map<unknown, Body>;
}

export const newCompletion = (): Completion => ({ body: {}, choices: new Map() });

/** Takes in the next chunk. What it holds becomes part of the completion, and may be changed. */
export const addChunk = ({ body, choices }: Completion, chunk: Body): void => {
  for (const [name, value] of Object.entries(chunk)) {
    // It hides how long a chunk is, and says nothing of the answer.
    if (name === 'obfuscation') continue;
    // Some chunks carry nothing but the verdict of a filter, and have '' and 0 where others have the id and the time.
    if (!Object.hasOwn(body, name) || (value !== null && value !== '' && value !== 0)) body[name] = value;
  }
  if (!Array.isArray(chunk.choices)) return;
  for (const piece of chunk.choices) if (isObject(piece)) addChoice(choices, piece);
};

/** The body, once all chunks are there. */
export const completionOf = ({ body, choices }: Completion): Body => ({
  ...body,
  object: 'chat.completion',
  choices: [...choices]
    .toSorted(([a], [b]) => a - b)
    .map(([index, { fields, message, calls }]) => ({
      index,
      message: { role: 'assistant', content: null, ...message, ...(calls.length > 0 && { tool_calls: calls }) },
      ...fields,
    })),
});

const addChoice = (choices: Map<number, Choice>, { index: given, delta, message: _, ...fields }: Body): void => {
  const index = typeof given === 'number' ? given : 0;
  let choice = choices.get(index);
  if (choice === undefined) {
    choice = { fields: {}, message: {}, calls: [], callAt: new Map() };
    choices.set(index, choice);
  }
  merge(choice.fields, fields, replace);
  if (!isObject(delta)) return;
  const { tool_calls, ...said } = delta;
  merge(choice.message, said, join);
  if (Array.isArray(tool_calls)) for (const piece of tool_calls) if (isObject(piece)) addCall(choice, piece);
};

const addCall = ({ calls, callAt }: Choice, { index, ...piece }: Body): void => {
  const { name } = isObject(piece.function) ? piece.function : {};
  let call = callAt.get(index);
  if (call === undefined || isAnotherCall(call.id, piece.id, name)) {
    call = isText(piece.type) ? {} : { type: 'function' };
    calls.push(call);
    callAt.set(index, call);
  }
  merge(call, piece, join);
};

/**
 * Whether a piece begins a call of its own, although it has the index of one that has begun: some servers number all calls
 * alike. Others give each piece another id, but the name comes only once.
 */
export const isAnotherCall = (begunId: unknown, id: unknown, name: unknown): boolean =>
  isText(begunId) && isText(id) && isText(name) && id !== begunId;
