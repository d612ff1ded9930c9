import { type Body, isObject, isText, join, merge } from './merge.ts';

// The events of Anthropic's Messages, put together to the body that a plain request would have got.

/** A body in the making. */
export interface MessageInParts {
  readonly body: Body;
  /** By index. */
  readonly blocks: Map<unknown, Block>;
}

interface Block {
  readonly body: Body;
  /** The input of a tool, as far as it is written. */
  input: string;
}

export const newMessage = (): MessageInParts => ({ body: {}, blocks: new Map() });

/** Takes in the next event. What it holds becomes part of the message, and may be changed. */
export const addMessageEvent = ({ body, blocks }: MessageInParts, event: Body): void => {
  const { type, index, message, content_block, delta, usage, ...others } = event;
  switch (type) {
    case 'message_start':
      if (isObject(message)) merge(body, message, join);
      break;
    case 'content_block_start':
      if (isObject(content_block)) blocks.set(index, { body: content_block, input: '' });
      break;
    case 'content_block_delta': {
      const block = blocks.get(index);
      if (block !== undefined && isObject(delta)) extend(block, delta);
      break;
    }
    case 'message_delta':
      lay(body, others);
      lay(body, delta);
      if (isObject(body.usage)) lay(body.usage, usage);
      else body.usage = usage;
      break;
  }
};

/** The body, once all events are there. */
export const messageOf = ({ body, blocks }: MessageInParts): Body => ({
  ...body,
  content: [...blocks.values()].map(({ body: block, input }) =>
    input === '' ? block : { ...block, input: read(input) },
  ),
});

const extend = (block: Block, { type, partial_json, citation, ...piece }: Body): void => {
  const { body } = block;
  if (isText(partial_json)) block.input += partial_json;
  else if (citation !== undefined)
    body.citations = [...(Array.isArray(body.citations) ? body.citations : []), citation];
  // Of text, thinking and signature, and of whatever is added later.
  else merge(body, piece, join);
};

/** Totals and reasons: each is as of now, and what is null was told before. */
const lay = (body: Body, news: unknown): void => {
  for (const [name, value] of isObject(news) ? Object.entries(news) : []) {
    if (value === null && Object.hasOwn(body, name)) continue;
    // Some that resemble Anthropic count the input in the first event only, and say 0 of it in the last.
    if (value === 0 && name !== 'output_tokens' && body[name]) continue;
    body[name] = value;
  }
};

/** A call that is cut off at the token limit has half an input; a plain body has an object there all the same. */
const read = (input: string): unknown => {
  try {
    return JSON.parse(input);
  } catch {
    return {};
  }
};
