import type { System } from './system.ts';

/**
 * Waits for one event after another, each until a time of its own. One timer and one listener serve a whole stream: a timer that
 * is moved on for each event costs more than the event. The timer that runs is left to fire, and looks then whether the time has
 * moved on.
 */
export class Patience<T> {
  readonly #system: System;
  readonly #signal: AbortSignal | undefined;
  #waiter: ((news: IteratorResult<T> | 'late' | 'left') => void) | undefined;
  #untilMs = Number.POSITIVE_INFINITY;
  #wakesAtMs = Number.POSITIVE_INFINITY;
  #stopTimer = (): void => {};

  constructor(system: System, signal: AbortSignal | undefined) {
    this.#system = system;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#left);
  }

  /** The next event, unless the time is up or the caller leaves first: an SDK that ignores its signal holds nobody. */
  next(events: AsyncIterator<T>, untilMs: number): Promise<IteratorResult<T> | 'late' | 'left'> {
    if (this.#signal?.aborted) return Promise.resolve('left');
    return new Promise((resolve, reject) => {
      this.#waiter = resolve;
      this.#untilMs = untilMs;
      if (untilMs < this.#wakesAtMs) this.#setTimer();
      events.next().then(
        (result) => {
          if (this.#waiter === resolve) this.#tell(result);
        },
        (error) => {
          this.#waiter = undefined;
          reject(error);
        },
      );
    });
  }

  /** Nobody waits any more. */
  end(): void {
    this.#waiter = undefined;
    this.#stopTimer();
    this.#signal?.removeEventListener('abort', this.#left);
  }

  readonly #left = (): void => this.#tell('left');

  #tell(news: IteratorResult<T> | 'late' | 'left'): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.(news);
  }

  #setTimer(): void {
    this.#stopTimer();
    this.#wakesAtMs = this.#untilMs;
    this.#stopTimer = this.#system.schedule(this.#untilMs - this.#system.nowMs(), () => {
      this.#wakesAtMs = Number.POSITIVE_INFINITY;
      if (this.#waiter === undefined) return;
      if (this.#system.nowMs() < this.#untilMs) this.#setTimer();
      else this.#tell('late');
    });
  }
}
