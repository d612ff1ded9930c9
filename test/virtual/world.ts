import { channel } from 'node:diagnostics_channel';
import type { ChatEvent, ChatRequest, Failure, System, TargetSpec, Usage } from '@switchyard/core';
import type { Call, Provider, TargetOptions } from '@switchyard/core/provider';

/**
 * A clock that moves only when nothing is left to do, and seeded dice. Every timer that anybody sets is on record, so
 * that "no timer in between" can be counted.
 */
export class World implements System {
  #nowMs = 0;
  #seed: number;
  #timers: { atMs: number; callback: () => void }[] = [];
  /** When timers were set, and for how long. */
  readonly timersSet: { readonly atMs: number; readonly delayMs: number }[] = [];

  constructor(seed = 1) {
    this.#seed = seed;
  }

  nowMs = (): number => this.#nowMs;

  /** mulberry32. */
  dice = (): number => {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  schedule = (delayMs: number, callback: () => void): (() => void) => {
    this.timersSet.push({ atMs: this.#nowMs, delayMs });
    return this.#at(delayMs, callback);
  };

  /** Resolves after `delayMs` of virtual time: for the vendors' side, so it is not on record. */
  sleep = (delayMs: number): Promise<void> => new Promise((resolve) => void this.#at(delayMs, resolve));

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Lets virtual time pass until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    for (;;) {
      await idle();
      if (settled) return promise;
      if (!this.#step(Number.POSITIVE_INFINITY))
        throw new Error('Nothing is left to happen, and the promise is pending.');
    }
  }

  /** Lets virtual time pass, whatever happens in it. */
  async pass(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    do await idle();
    while (this.#step(untilMs));
    this.#nowMs = untilMs;
    await idle();
  }

  #at(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  #step(untilMs: number): boolean {
    const [first] = this.#timers.toSorted((a, b) => a.atMs - b.atMs);
    if (first === undefined || first.atMs > untilMs) return false;
    this.#timers = this.#timers.filter((each) => each !== first);
    this.#nowMs = first.atMs;
    first.callback();
    return true;
  }
}

/** Until every promise that can go on has gone on. */
const idle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What a scripted target does with a call. */
export type Act =
  | {
      readonly answerAfterMs: number;
      readonly thenEvents?: readonly StreamAct[];
      /** All of a stream but its start, in place of a first content and `thenEvents`. */
      readonly says?: (request: ChatRequest) => readonly StreamAct[];
      readonly headers?: Headers;
      /** Of a plain answer. */
      readonly usage?: Usage;
    }
  | { readonly failAfterMs: number; readonly failure: Failure; readonly headers?: Headers }
  /** Never answers. With `deaf` it does not even notice that it is aborted. */
  | { readonly hang: true; readonly deaf?: boolean };

type Headers = Readonly<Record<string, string>>;

/** What happens in a stream after its first content. */
export type StreamAct = { readonly afterMs: number; readonly event: ChatEvent } | { readonly fail: Failure } | 'hang';

export interface Scripted {
  readonly target: (options?: TargetOptions & { readonly credential?: string }) => TargetSpec;
  /** When calls came in, and what they asked. */
  readonly callsAtMs: number[];
  readonly requests: ChatRequest[];
  /** When calls were aborted. */
  readonly abortsAtMs: number[];
  act: Act;
}

/** A target that does as it is told, in virtual time. It stands for a provider, not for a vendor. */
export const scripted = (world: World, name: string, act: Act = { answerAfterMs: 100 }): Scripted => {
  const script: Scripted = {
    act,
    callsAtMs: [],
    requests: [],
    abortsAtMs: [],
    target: ({ credential = name, ...options } = {}) => ({
      vendor: name,
      model: 'm',
      options,
      connect: (model) => provider(world, script, name, model, credential),
    }),
  };
  return script;
};

const provider = (world: World, script: Scripted, name: string, model: string, credential: string): Provider => ({
  name,
  model,
  account: { endpoint: name, credential },
  gaps: (request: ChatRequest) => (request.seed === undefined ? [] : [{ what: 'seed' }]),
  async send(request, call) {
    script.requests.push(request);
    const { usage } = await perform(world, script, call);
    return { id: 'id', model, text: name, toolCalls: [], finishReason: 'stop', ...(usage !== undefined && { usage }) };
  },
  async *stream(request, call) {
    script.requests.push(request);
    const act = await perform(world, script, call);
    yield { type: 'start', id: 'id', model };
    if (act.says === undefined) yield { type: 'text', text: name };
    for (const next of act.says?.(request) ?? act.thenEvents ?? [{ afterMs: 10, event: FINISH }]) {
      if (next === 'hang') await forever(world, script, call, false);
      else if ('fail' in next) throw new Told(next.fail);
      else {
        await world.sleep(next.afterMs);
        yield next.event;
      }
    }
  },
  embeddings: {
    gaps: () => [],
    async embed({ inputs }, call) {
      await perform(world, script, call);
      return { model: name, vectors: inputs.map(() => [1, 0, 0]) };
    },
  },
  explain: (error) =>
    error instanceof Told ? error.failure : { kind: 'broken', message: `${name} threw ${String(error)}` },
});

const FINISH: ChatEvent = { type: 'finish', reason: 'stop' };

class Told extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

const perform = async (
  world: World,
  script: Scripted,
  call: Call,
): Promise<Extract<Act, { answerAfterMs: number }>> => {
  const { act } = script;
  script.callsAtMs.push(world.nowMs());
  call.signal.addEventListener('abort', () => script.abortsAtMs.push(world.nowMs()));
  if ('hang' in act) return forever(world, script, call, act.deaf === true);
  if ('failAfterMs' in act) {
    await world.sleep(act.failAfterMs);
    show(act.headers);
    throw new Told(act.failure);
  }
  await world.sleep(act.answerAfterMs);
  show(act.headers);
  return act;
};

/** Shows the headers of an answer in the way that the router hears of them: as undici tells it. */
const show = (headers: Headers | undefined): void => {
  if (headers === undefined) return;
  const request = {};
  const raw = Object.entries(headers).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
  channel('undici:request:create').publish({ request });
  channel('undici:request:headers').publish({ request, response: { statusCode: 200, headers: raw } });
};

const forever = (_world: World, _script: Scripted, { signal }: Call, deaf: boolean): Promise<never> =>
  new Promise((_, reject) => {
    if (!deaf) signal.addEventListener('abort', () => reject(new Error('aborted')));
  });

export const failure = (kind: Failure['kind'], more: Partial<Failure> = {}): Failure => ({
  kind,
  message: `a vendor's ${kind}`,
  ...more,
});

export const hello: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }] };
