import type { Attempt } from '../decide/attempt.ts';
import type { Failure } from '../decide/failure.ts';
import { idleFor, type Pace } from '../decide/health/pace.ts';
import type { TimeoutsMs } from '../decide/pool.ts';
import { type ChatEvent, charactersOf, isContent } from '../decide/response.ts';
import { type EventStream, OVER, type Packets, packetsOf } from '../packets.ts';
import type { Flight } from './drive.ts';
import type { Journal } from './journal.ts';
import { type News, Patience } from './patience.ts';
import type { System } from './system.ts';

/** A stream that has produced content, or has ended well without any. */
export interface OpenedStream {
  /** What was held back until now: lifecycle frames, and the first content. */
  readonly held: readonly ChatEvent[];
  /** Undefined when the stream is over already. */
  readonly rest: Packets | undefined;
}

/**
 * Reads up to the first content. Until then nothing has been shown to the caller, so that whatever goes wrong is a
 * failed attempt like any other, and the next target can take over unseen.
 */
export const openStream = async (stream: EventStream): Promise<OpenedStream> => {
  const packets = packetsOf(stream);
  const held: ChatEvent[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value: packet } = await packets.next();
    if (done) return { held, rest: undefined };
    held.push(...packet);
    if (packet.some(isContent)) return { held, rest: packets };
    for (const event of packet) bytes += sizeOfEvent(event);
    if (bytes > MOST_HELD_BYTES) throw new BrokeOff(TOO_MUCH_HELD);
  }
};

/**
 * A vendor that sends more without content does not send an answer. Far above what is honest: OpenAI's Responses begin by
 * saying the caller's instructions and tools again, twice.
 */
export const MOST_HELD_BYTES: number = 4 * 1024 * 1024;

export const TOO_MUCH_HELD: Failure = {
  kind: 'broken',
  message: `no content within ${MOST_HELD_BYTES / 1024 ** 2} MiB of its stream`,
};

/** What an event without bytes or text takes up, about, in bytes. */
const BARE_EVENT_BYTES = 64;

/** What it takes to hold an event back, about, in bytes. */
export const sizeOfEvent = (event: ChatEvent): number => {
  if (event.bytes !== undefined) return event.bytes.byteLength;
  if (event.type === 'tool-call') return BARE_EVENT_BYTES + event.arguments.length;
  return 'text' in event ? BARE_EVENT_BYTES + event.text.length : BARE_EVENT_BYTES;
};

/** What a RelayedStream throws: the answer had begun, and broke off. */
export class BrokeOff extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

interface Relay {
  readonly flight: Flight<OpenedStream>;
  readonly timeoutsMs: TimeoutsMs;
  readonly pace: Pace;
  readonly journal: Journal;
  readonly system: System;
  readonly callerSignal: AbortSignal | undefined;
  explain(error: unknown): Failure;
}

/**
 * Hands on a stream that has begun. It ends normally only when the vendor said that it finished; a gap longer than the
 * idle timeout, a vendor's error or a cut throws, but behind that word: all that is missing then is bookkeeping. Leaving
 * it stops the vendor.
 */
export class RelayedStream implements Packets {
  readonly #relay: Relay;
  readonly #rest: Packets | undefined;
  readonly #patience: Patience<readonly ChatEvent[]>;
  readonly #idleMs: number;
  #held: readonly ChatEvent[];
  /** When the last packet was handed on. */
  #handedAtMs: number | undefined;
  /** What was asked for last, when, and how long it may take. */
  #asked: Promise<unknown> | undefined;
  #askedAtMs = 0;
  #mostMs = 0;
  #isOver = false;

  constructor({ held, rest }: OpenedStream, relay: Relay) {
    this.#relay = relay;
    this.#held = held;
    this.#rest = rest;
    this.#patience = new Patience(relay.system, relay.callerSignal);
    // Once for the stream: a quantile is too dear for each packet.
    this.#idleMs = idleFor(relay.pace, relay.timeoutsMs.idle);
  }

  // Neither this nor what it calls is an async function, which would take two promises more for each packet.
  next(): Promise<IteratorResult<readonly ChatEvent[], void>> {
    if (this.#isOver) return Promise.resolve(OVER);
    const { flight, timeoutsMs, system } = this.#relay;
    const { attempt } = flight;
    const nowMs = system.nowMs();
    if (this.#handedAtMs !== undefined) attempt.readMs += nowMs - this.#handedAtMs;
    if (this.#held.length > 0) {
      const held = this.#held;
      this.#held = [];
      this.#handedAtMs = nowMs;
      for (const event of held) note(attempt, event);
      return Promise.resolve({ done: false, value: held });
    }
    if (this.#rest === undefined) return Promise.resolve(this.#complete());
    this.#askedAtMs = nowMs;
    const leftMs = attempt.startedAtMs + timeoutsMs.total + attempt.readMs - nowMs;
    this.#mostMs = Math.min(this.#idleMs, leftMs);
    const asked = this.#patience.next(this.#rest, nowMs + this.#mostMs).then(this.#hear, this.#hearError);
    this.#asked = asked;
    return asked;
  }

  async return(): Promise<IteratorResult<readonly ChatEvent[], void>> {
    // Whoever waits hears first how it went.
    await this.#asked?.catch(() => {});
    if (!this.#isOver) this.#leave();
    return OVER;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #hear = (news: News<readonly ChatEvent[]>): IteratorResult<readonly ChatEvent[], void> => {
    const { flight, journal, timeoutsMs, system } = this.#relay;
    const { attempt } = flight;
    if (news === 'left') throw this.#breakOff(LEFT);
    if (news === 'late') {
      if (attempt.finished) return this.#leave();
      throw this.#breakOff(stalled(this.#mostMs < this.#idleMs ? timeoutsMs.total : this.#idleMs));
    }
    if (news.done) return this.#complete();
    this.#handedAtMs = system.nowMs();
    let gapMs = this.#handedAtMs - this.#askedAtMs;
    for (const event of news.value) {
      journal.paused(attempt, gapMs);
      note(attempt, event);
      gapMs = 0;
    }
    return news;
  };

  readonly #hearError = (error: unknown): typeof OVER => {
    const { flight, callerSignal, explain } = this.#relay;
    // After our own abort an SDK may say anything, or nothing: what counts is who aborted.
    if (callerSignal?.aborted) throw this.#breakOff(LEFT);
    if (flight.attempt.finished) return this.#leave();
    throw this.#breakOff(explain(error));
  };

  #complete(): typeof OVER {
    this.#close();
    this.#relay.journal.completed(this.#relay.flight.attempt);
    return OVER;
  }

  #breakOff(failure: Failure): BrokeOff {
    const { flight, journal } = this.#relay;
    journal.brokeOff(flight.attempt, failure);
    stopLater(flight.stop);
    this.#close();
    return new BrokeOff(failure);
  }

  /** Some SDKs leave the connection open when their stream is left, so it is closed here. */
  #leave(): typeof OVER {
    const { flight, journal } = this.#relay;
    this.#close();
    if (flight.attempt.finished) journal.completed(flight.attempt);
    flight.stop();
    return OVER;
  }

  #close(): void {
    this.#isOver = true;
    this.#patience.end();
    // Its own clean-up, which nobody waits for: a pending packet may hold it back.
    this.#rest?.return().catch(() => {});
  }
}

const note = (attempt: Attempt, event: ChatEvent): void => {
  // What comes after that is bookkeeping.
  if (event.type === 'finish') attempt.finished = true;
  else if (event.type === 'usage') attempt.usage = event.usage;
  else attempt.heardCharacters += charactersOf(event);
};

/**
 * From an empty stack: the reason of an abort remembers who called, and Anthropic's SDK holds on to it for as long as the
 * body lives, which the caller's closures keep alive in turn.
 */
const stopLater = (stop: () => void): void => queueMicrotask(stop);

const LEFT: Failure = { kind: 'aborted', message: 'the caller left' };

const stalled = (afterMs: number): Failure => ({
  kind: 'stalled',
  message: `the answer had begun, and did not go on within ${Math.round(afterMs)} ms`,
});
