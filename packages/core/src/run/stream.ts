import type { Failure } from '../decide/failure.ts';
import { idleFor, type Pace } from '../decide/health/pace.ts';
import type { TimeoutsMs } from '../decide/pool.ts';
import { type ChatEvent, charactersOf, isContent } from '../decide/response.ts';
import type { Flight } from './drive.ts';
import type { Journal } from './journal.ts';
import { Patience } from './patience.ts';
import type { System } from './system.ts';

/** A stream that has produced content, or has ended well without any. */
export interface OpenedStream {
  /** What was held back until now: lifecycle frames, and the first content. */
  readonly held: readonly ChatEvent[];
  /** Undefined when the stream is over already. */
  readonly rest: AsyncIterator<ChatEvent> | undefined;
}

/**
 * Reads up to the first content. Until then nothing has been shown to the caller, so that whatever goes wrong is a
 * failed attempt like any other, and the next target can take over unseen.
 */
export const openStream = async (events: AsyncIterable<ChatEvent>): Promise<OpenedStream> => {
  const iterator = events[Symbol.asyncIterator]();
  const held: ChatEvent[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await iterator.next();
    if (done) return { held, rest: undefined };
    held.push(value);
    if (isContent(value)) return { held, rest: iterator };
    bytes += sizeOfEvent(value);
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

/** What `relayStream` throws: the answer had begun, and broke off. */
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
 * Hands on the rest of a stream that has begun. It ends normally only when the vendor said that it finished; a gap
 * longer than the idle timeout, a vendor's error or a cut throws, but behind that word: all that is missing then is
 * bookkeeping. Leaving it stops the vendor.
 */
export async function* relayStream(opened: OpenedStream, relay: Relay): AsyncGenerator<ChatEvent, void> {
  const { flight, journal, timeoutsMs, callerSignal } = relay;
  const { attempt } = flight;
  const patience = new Patience<ChatEvent>(relay.system, callerSignal);
  let over = false;
  const note = (event: ChatEvent): void => {
    // What comes after that is bookkeeping.
    if (event.type === 'finish') attempt.finished = true;
    else if (event.type === 'usage') attempt.usage = event.usage;
    else attempt.heardCharacters += charactersOf(event);
  };
  const breakOff = (failure: Failure): BrokeOff => {
    over = true;
    journal.brokeOff(attempt, failure);
    stopLater(flight.stop);
    return new BrokeOff(failure);
  };
  try {
    // Once for the stream: a quantile is too dear for each event.
    const idleMs = idleFor(relay.pace, timeoutsMs.idle);
    const heldAtMs = relay.system.nowMs();
    opened.held.forEach(note);
    yield* opened.held;
    attempt.readMs += relay.system.nowMs() - heldAtMs;
    for (let done = opened.rest === undefined; !done; ) {
      const askedAtMs = relay.system.nowMs();
      const stallAtMs = askedAtMs + idleMs;
      const untilMs = Math.min(stallAtMs, attempt.startedAtMs + timeoutsMs.total + attempt.readMs);
      let next: Awaited<ReturnType<typeof patience.next>>;
      try {
        next = await patience.next(opened.rest as AsyncIterator<ChatEvent>, untilMs);
      } catch (error) {
        // After our own abort an SDK may say anything, or nothing: what counts is who aborted.
        if (callerSignal?.aborted) throw breakOff(LEFT);
        if (attempt.finished) return;
        throw breakOff(relay.explain(error));
      }
      if (next === 'left') throw breakOff(LEFT);
      if (next === 'late' && attempt.finished) return;
      if (next === 'late') throw breakOff(stalled(untilMs === stallAtMs ? idleMs : timeoutsMs.total));
      if (next.done) done = true;
      else {
        const gotAtMs = relay.system.nowMs();
        journal.paused(attempt, gotAtMs - askedAtMs);
        note(next.value);
        yield next.value;
        attempt.readMs += relay.system.nowMs() - gotAtMs;
      }
    }
    over = true;
    journal.completed(attempt);
  } finally {
    patience.end();
    // The consumer broke off. Some SDKs leave the connection open when their iterator is left, so it is closed here.
    if (!over) {
      if (attempt.finished) journal.completed(attempt);
      flight.stop();
    }
    // Its own clean-up, which nobody waits for: a pending event may hold it back.
    opened.rest?.return?.()?.catch(() => {});
  }
}

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
