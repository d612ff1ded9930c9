import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { createRouter, type RouteConfig } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/node';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, running } from './adapter.ts';
import { FORMATS, readStream } from './callers.ts';

// Comments while a caller waits: real clients must not notice them. Between router and vendor stands a door that opens
// only when the caller has received what a test waits for, so that nothing depends on how long anything takes.

let simulator: Simulator;
let doors: Door;
const open: RunningServer[] = [];

beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});
afterAll(() => simulator.close());

const COMMENT = ': keep-alive\n\n';

/** What a caller has received so far, and who waits for it. */
class Received {
  text = '';
  headers = new Headers();
  readonly #waiting = new Set<() => void>();

  /** A fetch for a client, which hears all that it hears. */
  readonly fetch: typeof fetch = async (url, init) => {
    const response = await fetch(url, init);
    this.headers = response.headers;
    const decoder = new TextDecoder();
    const heard = new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, controller) => {
        this.text += decoder.decode(bytes, { stream: true });
        for (const check of this.#waiting) check();
        controller.enqueue(bytes);
      },
    });
    return new Response(response.body?.pipeThrough(heard) ?? null, response);
  };

  until(what: (text: string) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!what(this.text)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** When a vendor answers, and when it goes on after the first half of its answer. */
interface Door {
  readonly before: Promise<unknown>;
  readonly middle: Promise<unknown>;
}

const AJAR: Door = { before: Promise.resolve(), middle: Promise.resolve() };

/** A vendor behind a door. */
const behindDoor = async (url: string): Promise<string> => {
  const server = await running(
    createServer(async (request, response) => {
      const body = await text(request);
      await doors.before;
      const { authorization = '', 'x-api-key': key = '', 'anthropic-version': version = '' } = request.headers;
      const headers = { 'content-type': 'application/json', authorization, 'x-api-key': `${key}` };
      const answer = await fetch(url + request.url, {
        method: 'POST',
        body,
        headers: { ...headers, ...(version !== '' && { 'anthropic-version': `${version}` }) },
      });
      const frames = (await answer.text()).split(/(?<=\n\n)/);
      const half = Math.ceil(frames.length / 2);
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.write(frames.slice(0, half).join(''));
      await doors.middle;
      response.end(frames.slice(half).join(''));
    }),
  );
  open.push(server);
  return server.url;
};

const TARGETS = ['openai', 'openai, through Responses', 'anthropic'] as const;

const serve = async (target: (typeof TARGETS)[number], route: Partial<RouteConfig> = {}): Promise<string> => {
  const vendor = target === 'anthropic' ? 'anthropic' : 'openai';
  const url = await behindDoor(simulator.vendors[vendor].url);
  const api = target === 'openai' ? 'chat' : 'responses';
  const spec =
    vendor === 'anthropic'
      ? anthropic('m', { id: 'it', apiKey: 'k', baseURL: url })
      : openai('m', { id: 'it', apiKey: 'k', baseURL: `${url}/v1`, api });
  const router = createRouter({ routes: { chat: { keepAlive: '10ms', ...route, pool: [spec] } } });
  const middleware = switchyard(router);
  const server = await running(
    createServer((request, response) => middleware(request, response, () => response.end())),
  );
  open.push(server);
  return `${server.url}/llm/chat`;
};

const QUESTION = 'What do you think of grüße, 世界 🚂?';

describe.each(FORMATS)('%s', (format) => {
  const ask = async (base: string, { fetch }: Received): Promise<string> =>
    (await readStream(format, { base, question: QUESTION, fetch })).text;

  describe.each(TARGETS)('over %s', (target) => {
    test('reads an answer that was long in coming, and paused, and notices nothing', async () => {
      const received = new Received();
      doors = {
        before: received.until((text) => text.startsWith(COMMENT + COMMENT)),
        // After words of the vendor, not only after our own comment on who speaks.
        middle: received.until((text) => text.includes('data: ') && text.endsWith(COMMENT)),
      };
      expect(await ask(await serve(target), received)).toContain(QUESTION);
      expect(received.text).toContain('\n\n: switchyard target=it attempts=1\n\n');
      expect(received.headers.get('x-switchyard-request')).toMatch(/^sw-/);
      expect(received.headers.has('x-switchyard-target')).toBe(false);
      // Comments stand between whole frames.
      for (const frame of received.text.split('\n\n')) if (frame.startsWith(':')) expect(frame).not.toContain('\n');
      expect(received.text.split('\n\n').slice(0, -1).join('\n')).not.toMatch(/^(?!: |data: |event: )/m);
    });

    test('hears in headers who answers, where the answer comes in time', async () => {
      const received = new Received();
      doors = AJAR;
      expect(await ask(await serve(target, { keepAlive: '1h' }), received)).toContain(QUESTION);
      expect(received.text).not.toContain(COMMENT);
      expect(received.headers.get('x-switchyard-target')).toBe('it');
    });
  });

  test('hears comments for as long as a whole answer is held back', async () => {
    const received = new Received();
    doors = { ...AJAR, middle: received.until((text) => text.startsWith(COMMENT)) };
    expect(await ask(await serve('openai', { recovery: 'buffer' }), received)).toContain(QUESTION);
    expect(received.text).toContain('\n\n: switchyard target=it attempts=1\n\n');
  });

  test('throws when everything fails after the first comment: one error event, and no normal end', async () => {
    const received = new Received();
    doors = { ...AJAR, before: received.until((text) => text.startsWith(COMMENT)) };
    simulator.vendors.openai.break({ kind: 'status', status: 500, times: 1 });
    await expect(ask(await serve('openai'), received)).rejects.toThrow(
      /No target of route 'chat' can answer now|all_models_unavailable/,
    );
    const events = received.text.split('\n\n').filter((frame) => frame.includes('data: '));
    expect(events).toHaveLength(1);
    expect(events[0]).toContain('error');
    expect(received.text.trimEnd().endsWith(events[0] ?? '?')).toBe(true);
  });
});
