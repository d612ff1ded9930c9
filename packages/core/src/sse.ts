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

/** An end of frame can straddle two chunks: CRLF CR in the one, LF in the other. */
const SEAM = 3;

/**
 * Cuts a byte stream into frames, the same ones however the bytes are chunked. Lines may end in LF, CRLF or CR;
 * characters may be split over chunks, since frames are cut before they are decoded. What follows the last blank line is
 * a frame too, and gets that line: a vendor that leaves it out has still said its data, and data that was cut inside fails
 * where it is read. Without data nothing was said: handed on, it would be the beginning of whatever comes next. Nor is an
 * event without data handed on, which is none by the standard, and which some clients stumble over.
 *
 * After the frame that `isLast` nothing is waited for: a vendor that keeps the connection open has still finished. The
 * rest is read in the background, so that the connection can be used again, and can spoil nothing.
 */
export async function* readServerSentEvents(
  body: AsyncIterable<Uint8Array>,
  isLast: (event: ServerSentEvent) => boolean = () => false,
): AsyncGenerator<ServerSentEvent, void> {
  const chunks = body[Symbol.asyncIterator]();
  let over = false;
  // The bytes from `start` to `end` wait for the end of their frame. Bytes are only ever added behind them, never moved
  // inside the buffer, so that a frame that was handed out stays as it is.
  let buffer: Uint8Array = new Uint8Array(0);
  let start = 0;
  let end = 0;
  try {
    for (;;) {
      const { done, value: chunk } = await chunks.next();
      if (done) break;
      let from = Math.max(start, end - SEAM);
      if (start === end) {
        // Nothing waits, which is the rule: most chunks are whole frames, and are not copied.
        buffer = chunk;
        start = 0;
        end = chunk.length;
        from = 0;
      } else {
        if (end + chunk.length > buffer.length) {
          const waiting = buffer.subarray(start, end);
          // Twice the room that is needed: a megabyte in small chunks is not copied anew with each of them.
          buffer = new Uint8Array(2 * (waiting.length + chunk.length));
          buffer.set(waiting);
          from -= start;
          start = 0;
          end = waiting.length;
        }
        buffer.set(chunk, end);
        end += chunk.length;
      }
      for (;;) {
        const next = endOfFrame(buffer, from, end);
        if (next < 0) break;
        const event = frame(buffer.subarray(start, next));
        start = next;
        from = next;
        if (event.event !== undefined && event.data === undefined) continue;
        if (isLast(event)) {
          over = true;
          readOn(chunks);
          yield event;
          return;
        }
        yield event;
      }
    }
    over = true;
    const left = frame(buffer.subarray(start, end));
    if (left.data) yield { ...left, bytes: withBlankLine(left.bytes) };
  } finally {
    // Whoever leaves early cancels the body.
    if (!over) await chunks.return?.();
  }
}

const withBlankLine = (bytes: Uint8Array): Uint8Array => {
  const ended = new Uint8Array(bytes.length + 2).fill(LF);
  ended.set(bytes);
  return ended;
};

const readOn = (chunks: AsyncIterator<unknown>): void => {
  const read = async (): Promise<void> => {
    while (!(await chunks.next()).done);
  };
  read().catch(() => {
    // The answer was whole before.
  });
};

/** The index behind the first blank line that begins at or after `from`, or -1 where none is complete before `end`. */
const endOfFrame = (bytes: Uint8Array, from: number, end: number): number => {
  for (let i = from; i < end; i++) {
    const first = lineEnd(bytes, i, end);
    if (first === 0) continue;
    const second = lineEnd(bytes, i + first, end);
    if (second > 0) {
      const next = i + first + second;
      // Whether an LF belongs to a last CR is known only with the next byte. Nobody ends lines in CR alone nowadays, so
      // that nobody waits for it.
      return next === end && bytes[next - 1] === CR ? -1 : next;
    }
    i += first - 1;
  }
  return -1;
};

/** How many bytes of line end stand at `at`: 0, 1 or 2. */
const lineEnd = (bytes: Uint8Array, at: number, end: number): 0 | 1 | 2 => {
  if (at >= end) return 0;
  if (bytes[at] === LF) return 1;
  if (bytes[at] !== CR) return 0;
  return at + 1 < end && bytes[at + 1] === LF ? 2 : 1;
};

const frame = (bytes: Uint8Array): ServerSentEvent => {
  const text = decoder.decode(bytes);
  // One line of data and no name: nearly all frames of most vendors.
  if (
    text.startsWith('data: ') &&
    text.endsWith('\n\n') &&
    text.indexOf('\n') === text.length - 2 &&
    !text.includes('\r')
  ) {
    return { event: undefined, data: text.slice('data: '.length, -2), bytes };
  }
  let event: string | undefined;
  let data: string | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') event = value;
  }
  return { event, data, bytes };
};
