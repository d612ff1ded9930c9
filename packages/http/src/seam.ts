import type { ChatEvent } from '@switchyard/core';
import { type Body, isObject } from './read.ts';

/** Where another target takes over in the middle of a stream. */
export type Seam = Extract<ChatEvent, { readonly type: 'seam' }>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A comment of the event stream, which no client takes for an event: whoever reads the wire sees who goes on. */
export const seamComment = ({ mode, from, to }: Seam): Uint8Array => {
  const how = mode === 'continue' ? 'goes on' : 'begins anew';
  return encoder.encode(`: switchyard ${printable(from)} broke off, ${printable(to)} ${how}\n\n`);
};

/** A line end would end the comment, and what came after it would be read. */
const printable = (id: string): string => id.replaceAll(/[^\x20-\x7e]/g, '?');

/**
 * The field by which a client is told that what it has is void and the answer begins anew.
 *
 * It stands on an event that the format has anyway, and that says nothing by itself: clients that know nothing of it pass
 * over unknown fields, while some give up at an event of an unknown type.
 */
export const resetField = ({ from, to }: Seam): Body => ({ switchyard: { reset: { from, to } } });

/** The data of a frame that has been handed on; empty where it is none, or none of ours to read. */
export const dataOf = (frame: Uint8Array | undefined): Body => {
  // `.` and `$` take U+2028 for a line end, too; JSON, and event streams, do not.
  const [, data = ''] = /(?:^|[\r\n])data: ?([^\r\n]*)/.exec(decoder.decode(frame)) ?? [];
  try {
    const read: unknown = JSON.parse(data);
    return isObject(read) ? read : {};
  } catch {
    return {};
  }
};

/** Numbers tool calls through: a client puts their pieces together by index, and each target counts from 0. */
export interface CallCounter {
  /** The index of a call over the whole stream. */
  indexOf(index: number): number;
  /** The next target takes over: its first call is a new one. */
  takeOver(): void;
}

export const createCallCounter = (): CallCounter => {
  let base = 0;
  let next = 0;
  return {
    indexOf(index) {
      next = Math.max(next, base + index + 1);
      return base + index;
    },
    takeOver() {
      base = next;
    },
  };
};
