import type { ChatEvent } from './decide/response.ts';

/**
 * Events as they come: each packet has those that came at once, in one read off the socket, and at least one. What is done for
 * each, such as waiting, is done once for all of them. Read like any other iterator: one packet at a time, until `done`, an
 * error, or `return` of whoever leaves.
 */
export interface Packets<Event = ChatEvent> extends AsyncIterator<readonly Event[], void, undefined> {
  next(): Promise<IteratorResult<readonly Event[], void>>;
  return(): Promise<IteratorResult<readonly Event[], void>>;
  [Symbol.asyncIterator](): Packets<Event>;
}

/** The steps of an answer, one by one. */
export interface EventStream extends AsyncIterable<ChatEvent> {
  /** The same as they come, where a stream knows; whoever reads it leaves the iterator alone. */
  readonly packets?: Packets;
}

/** The packets of a stream. One that knows of none has each event in a packet of its own. */
export const packetsOf = (stream: EventStream): Packets => stream.packets ?? new SinglePackets(stream);

/** A stream of packets as one of events. */
export const streamOf = (packets: Packets): EventStream => ({
  packets,
  [Symbol.asyncIterator]: () => eventsOf(packets),
});

/** The events of packets, one by one. */
export async function* eventsOf<Event>(packets: Packets<Event>): AsyncGenerator<Event, void> {
  for await (const packet of packets) for (const event of packet) yield event;
}

/** The same packets behind others that came before. */
export async function* behind<Event>(
  before: readonly Event[],
  packets: Packets<Event>,
): AsyncGenerator<readonly Event[], void> {
  try {
    if (before.length > 0) yield before;
    yield* packets;
  } finally {
    await packets.return();
  }
}

/** What is done where packets end, however they do. */
interface Ending {
  /** The error to throw for one that was thrown. */
  broken(error: unknown): unknown;
  /** They have ended, are broken, or were left. Said once. */
  over(): void;
}

/** The same packets, with an eye on their end. */
export class EndingPackets<Event> implements Packets<Event> {
  readonly #packets: Packets<Event>;
  readonly #ending: Ending;
  #isOver = false;

  constructor(packets: Packets<Event>, ending: Ending) {
    this.#packets = packets;
    this.#ending = ending;
  }

  next(): Promise<IteratorResult<readonly Event[], void>> {
    return this.#packets.next().then(this.#pass, this.#fail);
  }

  async return(): Promise<IteratorResult<readonly Event[], void>> {
    await this.#packets.return();
    this.#over();
    return OVER;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #pass = <Result extends IteratorResult<readonly Event[], void>>(result: Result): Result => {
    if (result.done) this.#over();
    return result;
  };

  readonly #fail = (error: unknown): never => {
    const thrown = this.#isOver ? error : this.#ending.broken(error);
    this.#over();
    throw thrown;
  };

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ending.over();
  }
}

class SinglePackets implements Packets {
  readonly #stream: AsyncIterable<ChatEvent>;
  #events: AsyncIterator<ChatEvent> | undefined;

  constructor(stream: AsyncIterable<ChatEvent>) {
    this.#stream = stream;
  }

  async next(): Promise<IteratorResult<readonly ChatEvent[], void>> {
    this.#events ??= this.#stream[Symbol.asyncIterator]();
    const { done, value } = await this.#events.next();
    return done ? OVER : { done: false, value: [value] };
  }

  async return(): Promise<IteratorResult<readonly ChatEvent[], void>> {
    this.#events ??= this.#stream[Symbol.asyncIterator]();
    await this.#events.return?.();
    return OVER;
  }

  [Symbol.asyncIterator](): Packets {
    return this;
  }
}

/** The end of an iterator. */
export const OVER: IteratorReturnResult<void> = { done: true, value: undefined };
