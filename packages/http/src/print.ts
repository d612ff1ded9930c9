import type { ChatEvent, Packets } from '@switchyard/core';

/** Prints the events of one stream in turn. */
export interface StreamPrinter {
  /** The frames that stand for an event; there may be none. */
  print(event: ChatEvent): Iterable<Uint8Array>;
  /** The frames behind the last event. */
  end(): Iterable<Uint8Array>;
  /** In place of the format's error event, where an answer that breaks off ends in more than that. */
  broken?(error: unknown): Iterable<Uint8Array>;
}

/**
 * What a caller gets of a stream, of each packet in one piece: a write costs more than all that was done for it before. An
 * error is a part of the stream, and is not thrown.
 */
export class PrintedStream implements AsyncIterableIterator<Uint8Array, void> {
  readonly #packets: Packets;
  readonly #printer: StreamPrinter;
  readonly #printErrorEvent: (error: unknown) => Uint8Array;
  #asked: Promise<unknown> | undefined;
  #isOver = false;

  constructor(packets: Packets, printer: StreamPrinter, printErrorEvent: (error: unknown) => Uint8Array) {
    this.#packets = packets;
    this.#printer = printer;
    this.#printErrorEvent = printErrorEvent;
  }

  // Not an async function, which takes two promises more for each packet.
  next(): Promise<IteratorResult<Uint8Array, void>> {
    if (this.#isOver) return Promise.resolve(OVER);
    const asked = this.#packets.next().then(this.#print, this.#fail);
    this.#asked = asked;
    return asked;
  }

  /**
   * Ends a stream whose caller has left. An answer hears of its signal only while somebody waits for its next packet, and a
   * caller who does not read waits for none: without this the vendor would go on.
   */
  async return(): Promise<IteratorResult<Uint8Array, void>> {
    await this.#asked;
    if (!this.#isOver) await this.next();
    this.#isOver = true;
    await this.#packets.return();
    return OVER;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #print = ({ done, value: packet }: IteratorResult<readonly ChatEvent[], void>): Printed => {
    const pieces: Uint8Array[] = [];
    try {
      if (done) {
        this.#isOver = true;
        pieces.push(...this.#printer.end());
      } else for (const event of packet) pieces.push(...this.#printer.print(event));
    } catch (error) {
      return this.#fail(error);
    }
    // Of some packets a caller gets nothing.
    return pieces.length === 0 ? this.next() : { done: false, value: joined(pieces) };
  };

  readonly #fail = (error: unknown): Printed => {
    this.#isOver = true;
    const pieces = this.#printer.broken?.(error) ?? [this.#printErrorEvent(error)];
    return { done: false, value: joined([...pieces]) };
  };
}

type Printed = IteratorResult<Uint8Array, void> | Promise<IteratorResult<Uint8Array, void>>;

const OVER: IteratorReturnResult<void> = { done: true, value: undefined };

const joined = (pieces: readonly Uint8Array[]): Uint8Array => {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
};
