import type { Dispatcher } from 'undici';

type Chunk = Uint8Array<ArrayBuffer>;
type Read = IteratorResult<Chunk, undefined>;

/** So many bytes wait for a reader at most before the socket is left alone: what a ReadableStream of fetch does, but for its size. */
const MOST_WAITING_BYTES = 64 * 1_024;

/**
 * The body of a response as it comes off the socket. It has what the SDKs use of a ReadableStream, and costs one promise for
 * each chunk that is read; for everything else there is `stream`, which is one.
 */
export class WireBody implements AsyncIterable<Chunk> {
  readonly #controller: Dispatcher.DispatchController;
  #chunks: Chunk[] = [];
  #waitingBytes = 0;
  #ended = false;
  #error: unknown;
  #failed = false;
  #reader: { readonly resolve: (read: Read) => void; readonly reject: (error: unknown) => void } | undefined;
  #stream: ReadableStream<Chunk> | undefined;
  locked = false;

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
  }

  // ── from the socket ────────────────────────────────────────────────────────────────────────────────────────────────

  push(chunk: Chunk): void {
    // What else came with it is pushed before anything else is done, and is read with it.
    if (this.#reader !== undefined && this.#chunks.length === 0) void NOW.then(this.#wake);
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    // A slow reader slows the vendor down.
    if (this.#waitingBytes > MOST_WAITING_BYTES) this.#controller.pause();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Comes after what was received before. */
  fail(error: unknown): void {
    if (this.#ended || this.#failed) return;
    this.#failed = true;
    this.#error = error;
    this.#wake();
  }

  readonly #wake = (): void => {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    if (this.#chunks.length > 0) reader.resolve(this.#take());
    else if (this.#failed) reader.reject(this.#error);
    else reader.resolve(DONE);
  };

  // ── to the reader ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** All that waits, in one piece. */
  read(): Promise<Read> {
    if (this.#chunks.length > 0) return Promise.resolve(this.#take());
    if (this.#failed) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  #take(): Read {
    const [first] = this.#chunks;
    const value = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks, this.#waitingBytes);
    this.#chunks = [];
    this.#waitingBytes = 0;
    if (this.#controller.paused) this.#controller.resume();
    return { done: false, value };
  }

  /** Closes the connection unless all is there. */
  async cancel(reason?: unknown): Promise<void> {
    this.#chunks = [];
    if (this.#ended || this.#failed) return;
    this.end();
    this.#controller.abort(reason instanceof Error ? reason : new DOMException('The body was cancelled', 'AbortError'));
  }

  async text(): Promise<string> {
    this.locked = true;
    const chunks: Chunk[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await this.read();
      if (done) break;
      chunks.push(value);
      size += value.length;
    }
    const [only] = chunks;
    return decoder.decode(chunks.length === 1 ? only : Buffer.concat(chunks, size));
  }

  // ── as a ReadableStream ────────────────────────────────────────────────────────────────────────────────────────────

  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined> & AsyncIterable<Chunk> {
    this.locked = true;
    return {
      next: () => this.read(),
      return: async () => {
        await this.cancel();
        return DONE;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  getReader(): { read(): Promise<Read>; cancel(reason?: unknown): Promise<void>; releaseLock(): void } {
    this.locked = true;
    return {
      read: () => this.read(),
      cancel: (reason) => this.cancel(reason),
      releaseLock: () => {
        this.locked = false;
      },
    };
  }

  /** What is not read yet, as a ReadableStream of the runtime's own. */
  get stream(): ReadableStream<Chunk> {
    this.#stream ??= new ReadableStream(
      {
        pull: async (controller) => {
          const { done, value } = await this.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => this.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    return this.#stream;
  }

  values(): AsyncIterator<Chunk, undefined> {
    return this[Symbol.asyncIterator]();
  }

  tee(): ReturnType<ReadableStream<Chunk>['tee']> {
    return this.stream.tee();
  }

  pipeTo(...args: Parameters<ReadableStream<Chunk>['pipeTo']>): Promise<void> {
    return this.stream.pipeTo(...args);
  }

  pipeThrough<T>(...[to, options]: Parameters<ReadableStream<Chunk>['pipeThrough']>): ReadableStream<T> {
    return this.stream.pipeThrough(to, options) as ReadableStream<T>;
  }
}

/** What is done then is done as soon as undici is through with what it has read; queueMicrotask of Node costs more. */
const NOW = Promise.resolve();

const DONE: Read = { done: true, value: undefined };
const decoder = new TextDecoder();
