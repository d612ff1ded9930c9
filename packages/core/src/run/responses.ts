import { type Body, isObject } from './merge.ts';

// The events of OpenAI's Responses, put together to the body that a plain request would have got.

/** A body in the making. */
export interface ResponseInParts {
  /** As the last event says it. */
  body: Body | undefined;
  /** The items that are done, by their place in the output. */
  readonly items: Map<unknown, unknown>;
}

export const newResponse = (): ResponseInParts => ({ body: undefined, items: new Map() });

export const isResponseEvent = ({ type }: Body): boolean => typeof type === 'string' && type.startsWith('response.');

/** Takes in the next event. */
export const addResponseEvent = (parts: ResponseInParts, { type, response, output_index, item }: Body): void => {
  if (type === 'response.output_item.done') parts.items.set(output_index, item);
  else if ((type === 'response.completed' || type === 'response.incomplete') && isObject(response))
    parts.body = response;
};

/** The body, once all events are there. The last one has it whole, but for servers that leave out of it what they have said. */
export const responseBodyOf = ({ body, items }: ResponseInParts): Body | undefined => {
  if (body === undefined || (Array.isArray(body.output) && body.output.length > 0)) return body;
  return { ...body, output: [...items.values()] };
};
