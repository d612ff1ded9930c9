import type { ChatStream, Served } from '@switchyard/core';
import { plain } from './headers.ts';
import type { PrintedStream } from './print.ts';

// Comments in an event stream, which clients skip and proxies count as life. A route asks for them with `keepAlive`.

const encoder = new TextEncoder();

const comment = (text: string): Uint8Array => encoder.encode(`: ${text}\n\n`);

/** Says nothing but that somebody is there. */
export const KEEP_ALIVE: Uint8Array = comment('keep-alive');

/** Calls back whenever so long has passed since something was sent. One timer, which is not touched by what is sent. */
export class Heartbeat {
  readonly #everyMs: number;
  #sentAtMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  start(beat: () => void): void {
    const tick = (): void => {
      const leftMs = this.#sentAtMs + this.#everyMs - performance.now();
      if (leftMs <= 0) {
        beat();
        this.sent();
      }
      this.#timer = setTimeout(tick, leftMs > 0 ? leftMs : this.#everyMs);
    };
    this.sent();
    this.#timer = setTimeout(tick, this.#everyMs);
  }

  sent(): void {
    this.#sentAtMs = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Who serves a stream, or undefined when that is not known in time. Rejects as `opened` does. */
export const openedWithin = (opened: Promise<Served>, ms: number): Promise<Served | undefined> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, undefined);
    opened.then(resolve, reject).finally(() => clearTimeout(timer));
  });

/**
 * The frames of a stream that has to begin before any target has answered. What would have been in headers is said in a
 * comment once it is known.
 */
export async function* printLate(
  { opened }: ChatStream,
  print: (served: Served) => PrintedStream,
  printErrorEvent: (error: unknown) => Uint8Array,
): AsyncGenerator<Uint8Array, void> {
  yield KEEP_ALIVE;
  let served: Served;
  try {
    served = await opened;
  } catch (error) {
    yield printErrorEvent(error);
    return;
  }
  yield comment(`switchyard target=${plain(served.target.id)} attempts=${served.attempts.length}`);
  yield* print(served);
}
