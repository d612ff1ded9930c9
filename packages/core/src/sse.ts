/** One frame of an event stream, with the bytes it came in. */
export interface ServerSentEvent {
  /** The `event:` line, if there was one. */
  readonly event: string | undefined;
  /** The `data:` lines, joined by line feeds; undefined for comments and empty frames. */
  readonly data: string | undefined;
  /** The frame, blank line included. */
  readonly bytes: Uint8Array;
}

const LF = 10;
const CR = 13;
const decoder = new TextDecoder();

/**
 * Cuts a byte stream into frames. Lines may end in LF, CRLF or CR; characters may be split over chunks, since frames
 * are cut before they are decoded. What follows the last blank line is a frame too: a vendor that leaves out the last
 * blank line has still said it, and a frame that was cut inside fails where its data is read.
 */
export async function* readServerSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent, void> {
  let pending: Uint8Array = new Uint8Array(0);
  for await (const chunk of body) {
    // An end of frame can straddle the seam, so the last three bytes are looked at again; nothing before them is.
    let from = Math.max(0, pending.length - 3);
    pending = pending.length === 0 ? chunk : concat(pending, chunk);
    let start = 0;
    for (;;) {
      const end = endOfFrame(pending, from);
      if (end < 0) break;
      yield frame(pending.subarray(start, end));
      start = end;
      from = end;
    }
    pending = pending.subarray(start);
  }
  if (pending.length > 0) yield frame(pending);
}

/** The index behind the first blank line that begins at or after `from`, or -1. */
const endOfFrame = (bytes: Uint8Array, from: number): number => {
  for (let i = from; i < bytes.length; i++) {
    const first = lineEnd(bytes, i);
    if (first === 0) continue;
    const second = lineEnd(bytes, i + first);
    if (second > 0) {
      // CR CR LF: the second line end is CRLF; whether an LF follows a last CR is known only with the next byte.
      return i + first + second;
    }
    i += first - 1;
  }
  return -1;
};

/** How many bytes of line end stand at `at`: 0, 1 or 2. */
const lineEnd = (bytes: Uint8Array, at: number): 0 | 1 | 2 => {
  if (bytes[at] === LF) return 1;
  if (bytes[at] !== CR) return 0;
  return bytes[at + 1] === LF ? 2 : 1;
};

const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
};

const frame = (bytes: Uint8Array): ServerSentEvent => {
  let event: string | undefined;
  let data: string | undefined;
  for (const line of decoder.decode(bytes).split(/\r\n|\n|\r/)) {
    if (line.startsWith('data:')) {
      const value = line.slice(line[5] === ' ' ? 6 : 5);
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (line.startsWith('event:')) {
      event = line.slice(line[6] === ' ' ? 7 : 6);
    }
  }
  return { event, data, bytes };
};
