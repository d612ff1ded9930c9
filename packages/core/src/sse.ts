import type { ChatEvent } from './decide/response.ts';
import { eventsOf, OVER, type Packets } from './packets.ts';

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
 */
class FrameCutter {
  // The bytes from `start` to `end` wait for the end of their frame. Bytes are only ever added behind them, never moved
  // inside the buffer, so that a frame that was handed out stays as it is.
  #buffer: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Where to look on for the end of a frame. */
  #from = 0;

  /** The next bytes. */
  push(chunk: Uint8Array): void {
    this.#from = Math.max(this.#start, this.#end - SEAM);
    if (this.#start === this.#end) {
      // Nothing waits, which is the rule: most chunks are whole frames, and are not copied.
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#from = 0;
      return;
    }
    if (this.#end + chunk.length > this.#buffer.length) {
      const waiting = this.#buffer.subarray(this.#start, this.#end);
      // Twice the room that is needed: a megabyte in small chunks is not copied anew with each of them.
      this.#buffer = new Uint8Array(2 * (waiting.length + chunk.length));
      this.#buffer.set(waiting);
      this.#from -= this.#start;
      this.#start = 0;
      this.#end = waiting.length;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next frame, if all of it is there. */
  next(): ServerSentEvent | undefined {
    for (;;) {
      const next = endOfFrame(this.#buffer, this.#from, this.#end);
      if (next < 0) return undefined;
      const event = frame(this.#buffer.subarray(this.#start, next));
      this.#start = next;
      this.#from = next;
      if (event.event === undefined || event.data !== undefined) return event;
    }
  }

  /** What is left when no more bytes come, if it says anything. */
  end(): ServerSentEvent | undefined {
    const left = frame(this.left);
    if (!left.data) return undefined;
    this.#start = this.#end;
    return { ...left, bytes: withBlankLine(left.bytes) };
  }

  /** What is no frame, or none yet. */
  get left(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }
}

/**
 * The frames of a byte stream. After the frame that `isLast` nothing is waited for: a vendor that keeps the connection open
 * has still finished. The rest is read in the background, so that the connection can be used again, and can spoil nothing.
 */
export const readServerSentEvents = (
  body: AsyncIterable<Uint8Array>,
  isLast: (event: ServerSentEvent) => boolean = () => false,
): AsyncGenerator<ServerSentEvent, void> =>
  eventsOf(new FramePackets<ServerSentEvent>(async () => body, { read: (frame) => [frame], isLast, end: rethrow }));

const rethrow = (broken: Broken | undefined): readonly [] => {
  if (broken !== undefined) throw broken.error;
  return [];
};

/** Why a stream cannot be read on. */
export interface Broken {
  readonly error: unknown;
}

/** What a vendor's frames mean, in the order in which they come. */
export interface FrameReader<Event = ChatEvent> {
  /** Throws where the vendor says an error, or nonsense. */
  read(frame: ServerSentEvent): readonly Event[];
  /** Nobody waits for what comes behind it. */
  isLast(frame: ServerSentEvent): boolean;
  /** Nothing more comes: what is still to say. Throws where the answer is not whole. `left` is no frame. */
  end(broken: Broken | undefined, left: Uint8Array): readonly Event[];
}

/** The events of a stream of frames, in packets. `open` is called when the first one is asked for. */
export class FramePackets<Event = ChatEvent> implements Packets<Event> {
  readonly #open: () => Promise<AsyncIterable<Uint8Array>>;
  readonly #reader: FrameReader<Event>;
  readonly #cutter = new FrameCutter();
  #chunks: AsyncIterator<Uint8Array> | undefined;
  /** Nothing more is read, but the end has still to be told. */
  #ending: { readonly broken: Broken | undefined } | undefined;
  #isOver = false;

  constructor(open: () => Promise<AsyncIterable<Uint8Array>>, reader: FrameReader<Event>) {
    this.#open = open;
    this.#reader = reader;
  }

  // Not a generator, which takes three promises for each packet.
  async next(): Promise<IteratorResult<readonly Event[], void>> {
    if (this.#chunks === undefined) {
      this.#chunks = (await this.#open())[Symbol.asyncIterator]();
      // Left meanwhile.
      if (this.#isOver) await this.#chunks.return?.();
    }
    while (!this.#isOver) {
      let events: readonly Event[];
      if (this.#ending !== undefined) events = this.#end(this.#ending.broken);
      else {
        try {
          events = this.#read(await this.#chunks.next());
        } catch (error) {
          this.#ending = { broken: { error } };
          continue;
        }
      }
      if (events.length > 0) return { done: false, value: events };
    }
    return OVER;
  }

  /** Cancels the body, unless all of it has been read. */
  async return(): Promise<IteratorResult<readonly Event[], void>> {
    this.#isOver = true;
    if (this.#ending === undefined) await this.#chunks?.return?.();
    return OVER;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The events of the next bytes. */
  #read({ done, value: chunk }: IteratorResult<Uint8Array, unknown>): readonly Event[] {
    const events: Event[] = [];
    try {
      if (done) {
        this.#ending = { broken: undefined };
        const left = this.#cutter.end();
        if (left !== undefined) events.push(...this.#reader.read(left));
        return events;
      }
      this.#cutter.push(chunk);
      for (let frame = this.#cutter.next(); frame !== undefined; frame = this.#cutter.next()) {
        for (const event of this.#reader.read(frame)) events.push(event);
        if (!this.#reader.isLast(frame)) continue;
        this.#ending = { broken: undefined };
        void this.#readOn();
        break;
      }
    } catch (error) {
      // Behind the events before it.
      this.#ending = { broken: { error } };
    }
    return events;
  }

  #end(broken: Broken | undefined): readonly Event[] {
    this.#isOver = true;
    if (broken !== undefined) this.#chunks?.return?.().catch(() => {});
    return this.#reader.end(broken, this.#cutter.left);
  }

  /** To its end, although nobody waits for it. */
  async #readOn(): Promise<void> {
    try {
      while (!(await this.#chunks?.next())?.done);
    } catch {
      // The answer was whole before.
    }
  }
}

const withBlankLine = (bytes: Uint8Array): Uint8Array => {
  const ended = new Uint8Array(bytes.length + 2).fill(LF);
  ended.set(bytes);
  return ended;
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
