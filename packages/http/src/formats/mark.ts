import type { ToolCall } from '@switchyard/core';
import { type Body, isObject } from '../read.ts';

// Clients return what an answer had unchanged, and vendors know their own thoughts by a signature: they refuse any other. So thoughts
// of other vendors are shown with a mark of ours in its place, by which they are taken out when they come back. A mark also
// carries what a vendor wants back with a tool call.

export const MARK = 'switchyard';

export const markFor = ({ id, extra }: Pick<ToolCall, 'id' | 'extra'>): string =>
  extra === undefined ? MARK : `${MARK}.${Buffer.from(JSON.stringify({ [id]: extra })).toString('base64url')}`;

export const isMark = (value: unknown): value is string =>
  typeof value === 'string' && (value === MARK || value.startsWith(`${MARK}.`));

/** What a mark carries, by the id of its call. It comes from a caller, who may have written anything. */
export const keptIn = (mark: string): Body => {
  try {
    const kept: unknown = JSON.parse(Buffer.from(mark.slice(MARK.length + 1), 'base64url').toString());
    return isObject(kept) ? kept : {};
  } catch {
    return {};
  }
};

/** The calls of a turn, each with what was kept for it. */
export const withKept = (calls: readonly ToolCall[], kept: Body): ToolCall[] =>
  calls.map((call) => {
    const extra = Object.hasOwn(kept, call.id) ? kept[call.id] : undefined;
    return isObject(extra) ? { ...call, extra } : call;
  });
