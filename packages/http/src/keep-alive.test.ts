import {
  type CallOptions,
  type ChatEvent,
  type ChatRequest,
  type ChatStream,
  type Router,
  RouterError,
  type Served,
} from '@switchyard/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHandler } from './handler.ts';

const EVERY_MS = 10_000;

const SERVED: Served = {
  requestId: 'sw-1',
  route: 'chat',
  strategy: 'priority',
  target: { id: 'acme/m', vendor: 'acme', model: 'm' },
  attempts: [
    { target: 'other/m', role: 'first', outcome: 'overloaded', tookMs: 5 },
    { target: 'acme/m', role: 'fallback', outcome: 'answered', tookMs: 5 },
  ],
  skipped: [],
  tookMs: 10,
};

const FAILED = new RouterError('all-targets-failed', 'No target of route chat can answer now.', {
  requestId: 'sw-1',
  attempts: SERVED.attempts,
  skipped: [],
});

const TEXT: ChatEvent = { type: 'text', text: 'Hello' };

/** A stream whose every step a test takes by hand. */
class Steps implements ChatStream {
  readonly requestId = 'sw-1';
  readonly keepAliveMs: number | undefined;
  readonly #opened = Promise.withResolvers<Served>();
  #next = Promise.withResolvers<ChatEvent | undefined>();
  readonly opened = this.#opened.promise;
  signal: AbortSignal | undefined;

  constructor(keepAliveMs: number | undefined) {
    this.keepAliveMs = keepAliveMs;
  }

  open(): void {
    this.#opened.resolve(SERVED);
  }

  fail(error: unknown): void {
    this.#opened.reject(error);
  }

  /** Nothing is the end. */
  say(event?: ChatEvent): void {
    this.#next.resolve(event);
  }

  breakOff(error: unknown): void {
    this.#next.reject(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatEvent> {
    this.signal?.addEventListener('abort', () => this.#next.reject(this.signal?.reason));
    for (;;) {
      const event = await this.#next.promise;
      this.#next = Promise.withResolvers();
      if (event === undefined) return;
      yield event;
    }
  }
}

const asking = (steps: Steps, format: keyof typeof PATHS = 'chat', init: RequestInit = {}): Promise<Response> => {
  const router = {
    stream(_route: string, _request: ChatRequest, { signal }: CallOptions) {
      steps.signal = signal;
      signal?.addEventListener('abort', () => steps.fail(new RouterError('aborted', 'left')));
      return steps;
    },
  } as Partial<Router> as Router;
  const request = new Request(`http://localhost/llm/chat${PATHS[format]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...BODIES[format], stream: true }),
    ...init,
  });
  return createHandler(router)(request) as Promise<Response>;
};

const PATHS = { chat: '/v1/chat/completions', messages: '/v1/messages', responses: '/v1/responses', glide: '/chat' };
const BODIES = {
  chat: { messages: [{ role: 'user', content: 'hi' }] },
  messages: { max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] },
  responses: { input: 'hi' },
  glide: { id: 'mine', message: { role: 'user', content: 'hi' } },
};

/** Reads frame by frame. */
const reading = ({ body }: Response): (() => Promise<string | undefined>) => {
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  return async () => {
    const { value } = await reader.read();
    return value === undefined ? undefined : new TextDecoder().decode(value);
  };
};

const COMMENT = ': keep-alive\n\n';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a caller who waits for the first content', () => {
  test('hears nothing where the route says nothing of it: the status stays open', async () => {
    const steps = new Steps(undefined);
    const answer = asking(steps);
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    steps.fail(FAILED);
    expect((await answer).status).toBe(503);
  });

  test('gets the ordinary answer when it comes in time, and no comment before it', async () => {
    const steps = new Steps(EVERY_MS);
    const answer = asking(steps);
    await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
    steps.open();
    const response = await answer;
    expect(response.headers.get('x-switchyard-target')).toBe('acme/m');
    steps.say(TEXT);
    expect(await reading(response)()).toContain('Hello');
  });

  test('gets the ordinary error when everything fails in time', async () => {
    const steps = new Steps(EVERY_MS);
    const answer = asking(steps);
    await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
    steps.fail(FAILED);
    const response = await answer;
    expect([response.status, response.headers.get('content-type')]).toEqual([503, 'application/json']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('hears a comment each time so long has passed, and who answers once that is known', async () => {
    const steps = new Steps(EVERY_MS);
    const answer = asking(steps);
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    const response = await answer;
    expect(response.status).toBe(200);
    expect(response.headers.get('x-switchyard-request')).toBe('sw-1');
    expect(response.headers.has('x-switchyard-target')).toBe(false);
    expect(response.headers.has('x-switchyard-attempts')).toBe(false);
    const next = reading(response);
    expect(await next()).toBe(COMMENT);
    for (let i = 0; i < 3; i++) {
      const frame = next();
      await vi.advanceTimersByTimeAsync(EVERY_MS);
      expect(await frame).toBe(COMMENT);
    }
    steps.open();
    expect(await next()).toBe(': switchyard target=acme/m attempts=2\n\n');
    steps.say(TEXT);
    expect(await next()).toContain('Hello');
    steps.say({ type: 'finish', reason: 'stop' });
    expect(await next()).toContain('"finish_reason":"stop"');
    steps.say();
    expect([await next(), await next()]).toEqual(['data: [DONE]\n\n', undefined]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['chat', /^data: \{"error":.*"code":"all_targets_failed".*\n\n$/],
    ['messages', /^event: error\ndata: \{"type":"error".*"overloaded_error".*\n\n$/],
    ['responses', /^event: error\ndata: \{"type":"error".*"code":"all_targets_failed".*\n\n$/],
    ['glide', /^data: \{"id":"mine",.*"error":\{"name":"all_models_unavailable".*\n\n$/],
  ] as const)('in %s, hears of a total failure in one error event, and the stream is over', async (format, event) => {
    const steps = new Steps(EVERY_MS);
    const answer = asking(steps, format);
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    const next = reading(await answer);
    expect(await next()).toBe(COMMENT);
    steps.fail(FAILED);
    expect(await next()).toMatch(event);
    expect(await next()).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('in Messages, is told the id of the request where clients look for it', async () => {
    const answer = asking(new Steps(EVERY_MS), 'messages');
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect((await answer).headers.get('request-id')).toBe('sw-1');
  });
});

describe('a pause after content', () => {
  const begun = async (): Promise<{ steps: Steps; next: () => Promise<string | undefined> }> => {
    const steps = new Steps(EVERY_MS);
    const answer = asking(steps);
    steps.open();
    const next = reading(await answer);
    steps.say(TEXT);
    expect(await next()).toContain('Hello');
    return { steps, next };
  };

  test('is filled with comments, counted from the last frame', async () => {
    const { steps, next } = await begun();
    let heard: string | undefined;
    const frame = next().then((text) => {
      heard = text;
    });
    await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
    expect(heard).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    await frame;
    expect(heard).toBe(COMMENT);
    await vi.advanceTimersByTimeAsync(EVERY_MS / 2);
    steps.say(TEXT);
    expect(await next()).toContain('Hello');
    // Half of it had passed when the text came, which counts anew.
    const later = next();
    heard = undefined;
    void later.then((text) => {
      heard = text;
    });
    await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
    expect(heard).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await later).toBe(COMMENT);
  });

  test('of the caller’s own leaves one comment at most', async () => {
    const { steps, next } = await begun();
    await vi.advanceTimersByTimeAsync(20 * EVERY_MS);
    steps.say({ type: 'text', text: 'again' });
    expect(await next()).toBe(COMMENT);
    expect(await next()).toContain('again');
  });
});

describe('nothing is left running', () => {
  test.each([
    ['before anybody has answered', false],
    ['after content', true],
  ])('when the caller leaves %s, by cancelling or by aborting', async (_when, opens) => {
    for (const how of ['cancel', 'abort'] as const) {
      const steps = new Steps(EVERY_MS);
      const caller = new AbortController();
      const answer = asking(steps, 'chat', { signal: caller.signal });
      if (opens) {
        steps.open();
        steps.say(TEXT);
      } else await vi.advanceTimersByTimeAsync(EVERY_MS);
      const response = await answer;
      expect(vi.getTimerCount()).toBe(1);
      if (how === 'cancel') await response.body?.cancel();
      else caller.abort();
      expect(steps.signal?.aborted).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  test('when the stream breaks off', async () => {
    const steps = new Steps(EVERY_MS);
    const answer = asking(steps);
    steps.open();
    const next = reading(await answer);
    steps.say(TEXT);
    await next();
    const end = next();
    steps.breakOff(new RouterError('answer-broke-off', 'cut'));
    expect(await end).toContain('answer_broke_off');
    expect(await next()).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});
