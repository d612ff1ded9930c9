import type { System } from './system.ts';

/** The next event, or why nobody waits for it any more. */
export type News<T> = IteratorResult<T, void> | 'late' | 'left';

/**
 * Waits for one event after another, each until a time of its own. One timer and one listener serve a whole stream: a timer that
 * is moved on for each event costs more than the event. The timer that runs is left to fire, and looks then whether the time has
 * moved on.
 */
export class Patience<T> {
  readonly #system: System;
  readonly #signal: AbortSignal | undefined;
  #waiter: { readonly resolve: (news: News<T>) => void; readonly reject: (error: unknown) => void } | undefined;
  #untilMs = Number.POSITIVE_INFINITY;
  #wakesAtMs = Number.POSITIVE_INFINITY;
  #stopTimer = (): void => {};

  constructor(system: System, signal: AbortSignal | undefined) {
    this.#system = system;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#left);
  }

  /**
   * The next event, unless the time is up or the caller leaves first: an SDK that ignores its signal holds nobody. Nothing
   * more can be asked for then, since the event may still come.
   */
  next(events: AsyncIterator<T, void>, untilMs: number): Promise<News<T>> {
    if (this.#signal?.aborted) return Promise.resolve('left');
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#untilMs = untilMs;
      if (untilMs < this.#wakesAtMs) this.#setTimer();
      events.next().then(this.#tell, this.#fail);
    });
  }

  /** Nobody waits any more. */
  end(): void {
    this.#waiter = undefined;
    this.#stopTimer();
    this.#signal?.removeEventListener('abort', this.#left);
  }

  readonly #left = (): void => this.#tell('left');

  readonly #tell = (news: News<T>): void => {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.resolve(news);
  };

  readonly #fail = (error: unknown): void => {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(error);
  };

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
