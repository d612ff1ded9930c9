import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { createRouter, type Router } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';
import type { HandlerOptions } from '@switchyard/http';
import { type SimulatedVendor, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

/** A server that listens. */
export interface RunningServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts an app on a socket, with the router mounted in it at `at`, or, without `at`, put before the whole app.
 *
 * Of the app itself the contract expects: a middleware before the router that sets `x-before: app`; POST on any path
 * that ends in `/echo`, which answers the JSON that it got; GET `/hello`, which answers `hello`; and a 404 for the rest.
 * What it answers itself carries `x-answered-by: app`.
 */
export type StartServer = (router: Router, options?: HandlerOptions, at?: string) => Promise<RunningServer>;

/** A server on a free port, as the contract wants it. */
export const running = async (server: Server): Promise<RunningServer> => {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
};

interface Chunk {
  readonly model?: string;
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
  readonly error?: { readonly message: string; readonly code: string };
}

interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: string | null };
}

const KEY = 'sk-secret-of-the-team';
const PROMPT = 'the-words-of-the-caller';
const MiB = 1024 * 1024;

/** The promise is 100 ms; a machine that is busy with other tests gets more than one try. */
const AT_ONCE_MS = 100;
const BUSY_MACHINE = { retry: 3 };

/** What every adapter must do, on a live socket. */
export const adapterContract = (
  name: string,
  start: StartServer,
  /** Whether the app's own parser has read the body before the router gets the request. */
  { parsedBefore = false }: { readonly parsedBefore?: boolean } = {},
): void => {
  describe(name, () => {
    let simulators: readonly [Simulator, Simulator];
    let first: SimulatedVendor;
    let second: SimulatedVendor;
    const open: { close(): Promise<void> }[] = [];

    beforeAll(async () => {
      simulators = [await startSimulator({ seed: 1 }), await startSimulator({ seed: 2 })];
      [first, second] = [simulators[0].vendors.openai, simulators[1].vendors.openai];
    });
    afterEach(async () => {
      for (const each of open.splice(0)) await each.close();
      first.heal();
      second.heal();
    });
    afterAll(async () => {
      for (const simulator of simulators) await simulator.close();
    });

    const targetAt = (url: string, model: string) => openai(model, { apiKey: KEY, baseURL: `${url}/v1` });

    const router = (): Router =>
      createRouter({ routes: { chat: { pool: [targetAt(first.url, 'first'), targetAt(second.url, 'second')] } } });

    const serve = async (options: HandlerOptions = {}, at = '/llm', served = router()): Promise<string> => {
      const server = await start(served, options, at);
      open.push(server);
      return server.url;
    };

    const serveBeforeAll = async (options: HandlerOptions = {}): Promise<string> => {
      const server = await start(router(), options);
      open.push(server);
      return server.url;
    };

    const ask = (url: string, body: object, init: RequestInit = {}): Promise<Response> =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ role: 'user', content: PROMPT }], ...body }),
        ...init,
      });
    const chat = (base: string, body: object = {}, init: RequestInit = {}): Promise<Response> =>
      ask(`${base}/llm/chat/v1/chat/completions`, body, init);

    const standings = async (base: string): Promise<readonly string[]> => {
      const { routes } = (await (await fetch(`${base}/llm/routes`)).json()) as {
        routes: { targets: { standing: string }[] }[];
      };
      return routes.flatMap(({ targets }) => targets.map(({ standing }) => standing));
    };

    /** That nobody, but for what `act` does itself, called a vendor meanwhile. */
    const withoutACall = async (act: () => Promise<void>): Promise<void> => {
      const before = first.calls + second.calls;
      await act();
      expect(first.calls + second.calls).toBe(before);
    };

    describe('what is not the router’s', () => {
      test('paths of the app reach the app, those under the mount point included', async () => {
        const base = await serve();
        const paths = [
          '/hello',
          '/',
          '/llm',
          '/llm/',
          '/llm/unknown',
          '/llm/chat',
          '/llmx/health',
          '/health',
          '/routes',
        ];
        for (const path of [...paths, '/v1/models', '/other/llm/health', '/hello?next=/llm/health']) {
          const response = await fetch(base + path);
          expect([path, response.headers.get('x-answered-by')]).toEqual([path, 'app']);
          expect(response.status).toBe(path.startsWith('/hello') ? 200 : 404);
        }
      });

      test('the app can still read a body that was sent to a route of its own', async () => {
        const base = await serve();
        for (const path of ['/echo', '/llm/echo', '/llm/chat/v1/echo']) {
          const response = await ask(base + path, { of: 'the app' });
          expect(response.headers.get('x-answered-by')).toBe('app');
          expect(await response.json()).toMatchObject({ of: 'the app' });
        }
      });

      test('headers that the app has set before are kept', async () => {
        const base = await serve();
        const answers = [await chat(base), await chat(base, { stream: true }), await fetch(`${base}/llm/health`)];
        for (const response of answers) {
          expect(response.headers.get('x-before')).toBe('app');
          await response.text();
        }
      });
    });

    describe('where it is mounted', () => {
      const isThere = async (base: string, at: string): Promise<void> => {
        expect((await ask(`${base}${at}/chat/v1/chat/completions`, {})).status).toBe(200);
        expect((await fetch(`${base}${at}/health`)).status).toBe(200);
        expect((await fetch(`${base}/elsewhere/health`)).headers.get('x-answered-by')).toBe('app');
      };

      test('under another path', async () => {
        await isThere(await serve({}, '/api/ai'), '/api/ai');
      });

      test('before the whole app it takes /llm and nothing else', async () => {
        const base = await serveBeforeAll();
        await isThere(base, '/llm');
        expect((await fetch(`${base}/health`)).headers.get('x-answered-by')).toBe('app');
        expect((await ask(`${base}/echo`, { of: 'the app' })).headers.get('x-answered-by')).toBe('app');
      });

      test.each(['/v2/ai', '/v2/ai/'])('before the whole app with basePath %s', async (basePath) => {
        const base = await serveBeforeAll({ basePath });
        await isThere(base, '/v2/ai');
        expect((await fetch(`${base}/llm/health`)).headers.get('x-answered-by')).toBe('app');
      });
    });

    describe('answers', () => {
      test('an answer says who gave it', async () => {
        const base = await serve();
        const response = await chat(base);
        const text = await response.text();
        expect(response.status).toBe(200);
        expect(response.headers.get('content-type')).toBe('application/json');
        expect(response.headers.get('x-switchyard-target')).toBe('openai/first');
        expect(response.headers.get('x-switchyard-attempts')).toBe('1');
        expect(response.headers.get('x-switchyard-trace')).toMatch(/^openai\/first;outcome=answered;ms=\d+$/);
        expect(response.headers.get('server-timing')).toMatch(/^upstream;dur=[\d.]+, switchyard;dur=[\d.]+$/);
        expect(JSON.parse(text)).toMatchObject({
          object: 'chat.completion',
          model: 'first',
          choices: [{ message: { content: expect.stringContaining(PROMPT) }, finish_reason: 'stop' }],
        });
      });

      test('without a route in the path, model names it', async () => {
        const base = await serve();
        const response = await ask(`${base}/llm/v1/chat/completions?from=test`, { model: 'chat' });
        expect(await response.json()).toMatchObject({ model: 'first' });
        expect(first.requests.at(-1)?.body).toMatchObject({ model: 'first' });
      });

      test('a stream arrives event by event, while the vendor still speaks', async () => {
        first.break({ kind: 'slow', factor: 8 });
        const base = await serve();
        const response = await chat(base, { stream: true });
        expect(response.status).toBe(200);
        expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
        expect(response.headers.get('x-switchyard-target')).toBe('openai/first');
        const events = eventsOf(response);
        let seen = 0;
        let last: string | undefined;
        for await (const event of events) {
          // The role chunk came first; the second event is content, and there is much more to come.
          if (++seen === 2) expect(first.lastCalls.at(-1)?.outcome).toBe('open');
          last = event;
        }
        expect(seen).toBeGreaterThan(10);
        expect(last).toBe('[DONE]');
      });

      test('compression in the app or a proxy before it is told to leave a stream alone', async () => {
        const response = await chat(await serve(), { stream: true });
        expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
        await response.text();
      });

      test('a caller does not notice that the first target failed, but for the headers', async () => {
        first.break({ kind: 'status', status: 503 });
        const response = await chat(await serve());
        expect(response.status).toBe(200);
        expect(await response.json()).toMatchObject({ model: 'second' });
        expect(response.headers.get('x-switchyard-target')).toBe('openai/second');
        expect(response.headers.get('x-switchyard-attempts')).toBe('2');
        expect(response.headers.get('x-switchyard-trace')).toMatch(
          /^openai\/first;outcome=overloaded;status=503;ms=\d+, openai\/second;outcome=answered;ms=\d+$/,
        );
      });

      test('a stream that fails before its content comes whole from the next target', async () => {
        first.break({ kind: 'error-before-content' });
        const response = await chat(await serve(), { stream: true });
        const events = await allEvents(response);
        expect(response.status).toBe(200);
        expect(events.at(-1)).toBe('[DONE]');
        const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as Chunk);
        expect(new Set(chunks.map(({ model }) => model))).toEqual(new Set(['second']));
        expect(textOf(chunks)).toContain(PROMPT);
      });

      test('a stream that fails after content ends in one error event, and never in [DONE]', async () => {
        const base = await serve();
        for (const fault of [{ kind: 'error-after-content' }, { kind: 'cut' }, { kind: 'no-end-marker' }] as const) {
          first.break(fault);
          const response = await chat(base, { stream: true });
          const events = await allEvents(response);
          expect(response.status).toBe(200);
          expect(events).not.toContain('[DONE]');
          const chunks = events.map((event) => JSON.parse(event) as Chunk);
          expect(chunks.filter(({ error }) => error !== undefined)).toHaveLength(1);
          expect(chunks.at(-1)?.error?.code).toBe('answer_broke_off');
          expect(chunks.length).toBeGreaterThan(1);
        }
      });

      test('characters that are split between packets arrive whole, both ways', async () => {
        const vendor = await vendorThat(open, (_request, response) => {
          const bytes = Buffer.from(`${chunkOf('grüße, 世界 🚂')}${chunkOf('', 'stop')}data: [DONE]\n\n`);
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          void inPieces(bytes, (piece) => response.write(piece)).then(() => response.end());
        });
        const served = createRouter({ routes: { chat: { pool: [targetAt(vendor.url, 'raw')] } } });
        const base = await serve({}, '/llm', served);
        const body = Buffer.from(
          JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'schön 🚃 世界' }] }),
        );
        const request = post(`${base}/llm/chat/v1/chat/completions`);
        const [[response]] = await Promise.all([
          once(request, 'response') as Promise<[IncomingMessage]>,
          inPieces(body, (piece) => request.write(piece)).then(() => request.end()),
        ]);
        const events = (await textOfMessage(response)).split('\n\n').filter((event) => event !== '');
        expect(events[0]).toContain('grüße, 世界 🚂');
        expect(events.at(-1)).toBe('data: [DONE]');
        expect(vendor.bodies[0]).toContain('schön 🚃 世界');
      });

      test('a message of a mebibyte goes through, and so does an event', async () => {
        const long = 'ü'.repeat(MiB / 2);
        const vendor = await vendorThat(open, (_request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.end(`${chunkOf(long)}${chunkOf('', 'stop')}data: [DONE]\n\n`);
        });
        const served = createRouter({ routes: { chat: { pool: [targetAt(vendor.url, 'raw')] } } });
        const base = await serve({}, '/llm', served);
        const response = await chat(base, { stream: true, messages: [{ role: 'user', content: long }] });
        const events = await allEvents(response);
        expect(textOf(events.slice(0, -1).map((event) => JSON.parse(event) as Chunk)) === long).toBe(true);
        expect(vendor.bodies[0]?.includes(long)).toBe(true);
      });
    });

    describe('what it shows', () => {
      test('the models are the routes and their targets', async () => {
        const base = await serve();
        for (const path of ['/llm/v1/models', '/llm/chat/v1/models']) {
          const { object, data } = (await (await fetch(base + path)).json()) as {
            object: string;
            data: { id: string }[];
          };
          expect(object).toBe('list');
          expect(data.map(({ id }) => id)).toEqual(['chat', 'openai/first', 'openai/second']);
        }
        expect((await fetch(`${base}/llm/nowhere/v1/models`)).status).toBe(404);
      });

      test('the routes are shown without secrets', async () => {
        const text = await (await fetch(`${await serve()}/llm/routes`)).text();
        expect(JSON.parse(text)).toMatchObject({ routes: [{ name: 'chat', targets: [{ id: 'openai/first' }, {}] }] });
        expect(text).not.toContain(KEY);
        expect(text).not.toContain(new URL(first.url).port);
      });

      test('health is 200 while a target may be tried, and 503 when none may', async () => {
        const base = await serve();
        expect((await fetch(`${base}/llm/health`)).status).toBe(200);
        first.break({ kind: 'status', status: 401 });
        await chat(base);
        expect((await fetch(`${base}/llm/health`)).status).toBe(200);
        second.break({ kind: 'status', status: 401 });
        await chat(base);
        const response = await fetch(`${base}/llm/health`);
        expect(response.status).toBe(503);
        expect(await response.json()).toEqual({ status: 'unavailable', routes: ['chat'] });
      });

      test('HEAD says what GET would, without the body', async () => {
        const base = await serve();
        for (const path of ['/llm/health', '/llm/routes', '/llm/v1/models']) {
          const response = await fetch(base + path, { method: 'HEAD' });
          expect(response.status).toBe(200);
          expect(response.headers.get('content-type')).toMatch(/^application\/json/);
          expect(await response.text()).toBe('');
        }
        expect((await fetch(`${base}/llm/nowhere/v1/models`, { method: 'HEAD' })).status).toBe(404);
      });
    });

    describe('requests that are wrong', () => {
      const isRefused = async (response: Response, status: number, message: RegExp): Promise<void> => {
        const { error } = (await response.json()) as ErrorBody;
        expect([response.status, error.message]).toEqual([status, expect.stringMatching(message)]);
        expect(response.headers.get('content-type')).toMatch(/^application\/json/);
        expect(error.type).toBe('invalid_request_error');
      };

      test('a route that does not exist is a 404', () =>
        withoutACall(async () => {
          const base = await serve();
          await isRefused(await ask(`${base}/llm/nowhere/v1/chat/completions`, {}), 404, /no route 'nowhere'.*chat/);
          await isRefused(await ask(`${base}/llm/v1/chat/completions`, { model: 'gpt-5' }), 404, /no route 'gpt-5'/);
        }));

      test('another method is a 405 that names the right one', () =>
        withoutACall(async () => {
          const base = await serve();
          const get = await fetch(`${base}/llm/chat/v1/chat/completions`);
          expect(get.headers.get('allow')).toBe('POST');
          await isRefused(get, 405, /POST/);
          const post = await ask(`${base}/llm/health`, {});
          expect(post.headers.get('allow')).toBe('GET, HEAD');
          await isRefused(post, 405, /GET/);
          expect((await ask(`${base}/llm/chat/v1/chat/completions`, {}, { method: 'PUT' })).status).toBe(405);
        }));

      test('a body over the limit is a 413, whether or not it names its length', () =>
        withoutACall(async () => {
          const base = await serve({ bodyLimit: 1_000 });
          const tooLong = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(3 * MiB) }] });
          await isRefused(await chat(base, {}, { body: tooLong }), 413, /1000 bytes/);
          const chunked = { body: new Blob([tooLong]).stream(), duplex: 'half' } as RequestInit;
          await isRefused(await chat(base, {}, chunked), 413, /1000 bytes/);
        }));

      test('the connection of a body over the limit serves the next request', async () => {
        const base = await serve({ bodyLimit: 1_000 });
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (let i = 0; i < 3; i++) {
          const refused = post(`${base}/llm/chat/v1/chat/completions`, { agent });
          refused.write('{"messages":"');
          refused.write('x'.repeat(100_000));
          refused.end('"}');
          const [response] = (await once(refused, 'response')) as [IncomingMessage];
          expect(response.statusCode).toBe(413);
          await textOfMessage(response);
        }
        const next = post(`${base}/llm/chat/v1/chat/completions`, { agent });
        next.end(JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] }));
        const [response] = (await once(next, 'response')) as [IncomingMessage];
        expect(response.statusCode).toBe(200);
        await textOfMessage(response);
        agent.destroy();
      });

      test('a body that is not labelled JSON is a 415', () =>
        withoutACall(async () => {
          const base = await serve();
          for (const type of ['text/plain', 'application/jsonp', 'application/x-www-form-urlencoded']) {
            await isRefused(await chat(base, {}, { headers: { 'content-type': type } }), 415, /application\/json/);
          }
        }));

      test('a body that is not JSON is a 400', () =>
        withoutACall(async () => {
          const base = await serve();
          for (const body of ['{"messages":', 'hello', '{"a":1}}']) {
            expect((await chat(base, {}, { body })).status).toBe(400);
          }
        }));

      test.skipIf(parsedBefore)('what is said of a body that is not JSON does not quote it', () =>
        withoutACall(async () => {
          const base = await serve();
          for (const body of ['', PROMPT, `{"messages": ${PROMPT}}`]) {
            const response = await chat(base, {}, { body });
            const text = await response.clone().text();
            await isRefused(response, 400, /not JSON/);
            expect(text).not.toContain(PROMPT);
          }
        }),
      );

      test('a field of the wrong kind is a 400 that names its path, and nobody is called', () =>
        withoutACall(async () => {
          const base = await serve();
          for (const [body, path] of WRONG_FIELDS) {
            const response = await chat(base, body);
            const { error } = (await response.json()) as ErrorBody;
            expect([response.status, error.message]).toEqual([400, expect.stringContaining(`${path}: expected`)]);
            expect(error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_request' });
          }
          const response = await ask(`${base}/llm/v1/chat/completions`, {});
          expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('model: expected')]);
        }));
    });

    describe('failures', () => {
      test('when every target is down, the answer is a 503 with each cause, and no secret', async () => {
        const body = { error: { message: `${KEY} ${PROMPT}`, type: 'server_error' } };
        first.break({ kind: 'status', status: 500, body });
        second.break({ kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 7_000 } });
        const base = await serve();
        for (const stream of [false, true]) {
          const response = await chat(base, { stream });
          const text = await response.text();
          expect(response.status).toBe(503);
          expect(response.headers.get('content-type')).toMatch(/^application\/json/);
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
          expect(Number(response.headers.get('retry-after'))).toBeLessThanOrEqual(8);
          expect(response.headers.get('x-switchyard-trace')).toContain('openai/first;outcome=server-error;status=500');
          expect(JSON.parse(text)).toMatchObject({
            error: {
              code: 'all_targets_failed',
              attempts: expect.arrayContaining([
                expect.objectContaining({ target: 'openai/first', outcome: 'server-error', status: 500 }),
              ]),
            },
          });
          expect(text).not.toContain(PROMPT);
          expect(text).not.toContain(KEY);
        }
      });

      test('what a vendor says of the caller’s own mistake is passed on, after one call', async () => {
        const base = await serve();
        const [before, others] = [first.calls, second.calls];
        const response = await chat(base, { temperature: 9 });
        expect(response.status).toBe(400);
        expect(await response.json()).toMatchObject({
          error: {
            message: expect.stringContaining('temperature'),
            type: 'invalid_request_error',
            param: 'temperature',
          },
        });
        expect([first.calls - before, second.calls - others]).toEqual([1, 0]);
        expect(await standings(base)).toEqual(['ready', 'ready']);
      });
    });

    describe('a caller who leaves', () => {
      /** Leaves once `ready` resolves, and says how long the vendor's call went on after that. */
      const leave = async (
        base: string,
        body: object,
        ready: (response: Promise<Response>) => Promise<unknown>,
      ): Promise<number> => {
        const [before, others] = [first.calls, second.calls];
        const caller = new AbortController();
        const response = chat(base, body, { signal: caller.signal });
        response.catch(() => {});
        await ready(response);
        await vi.waitFor(() => expect(first.calls).toBe(before + 1), { interval: 2, timeout: 5_000 });
        expect(first.lastCalls.at(-1)?.outcome).toBe('open');
        const leftAtMs = performance.now();
        caller.abort();
        await vi.waitFor(() => expect(first.lastCalls.at(-1)?.outcome).toBe('aborted'), {
          interval: 2,
          timeout: 5_000,
        });
        expect(second.calls).toBe(others);
        expect(await standings(base)).toEqual(['ready', 'ready']);
        return (first.lastCalls.at(-1)?.endedAtMs ?? Number.POSITIVE_INFINITY) - leftAtMs;
      };
      const soon = () => wait(50);

      test('while a plain answer is awaited, stops the vendor at once, and harms nobody', BUSY_MACHINE, async () => {
        first.break({ kind: 'hang-before-headers' });
        expect(await leave(await serve(), {}, soon)).toBeLessThan(AT_ONCE_MS);
      });

      test('before the content of a stream, stops the vendor at once, and harms nobody', BUSY_MACHINE, async () => {
        first.break({ kind: 'hang-after-headers' });
        expect(await leave(await serve(), { stream: true }, soon)).toBeLessThan(AT_ONCE_MS);
      });

      test('in the middle of a stream, stops the vendor at once, and harms nobody', BUSY_MACHINE, async () => {
        first.break({ kind: 'slow', factor: 100 });
        const reading = async (response: Promise<Response>): Promise<void> => {
          await eventsOf(await response).next();
        };
        expect(await leave(await serve(), { stream: true }, reading)).toBeLessThan(AT_ONCE_MS);
      });

      test('while a stream has stalled, stops the vendor at once, and harms nobody', BUSY_MACHINE, async () => {
        first.break({ kind: 'stall' });
        const reading = async (response: Promise<Response>): Promise<void> => {
          const events = eventsOf(await response);
          for (let i = 0; i < 3; i++) await events.next();
        };
        expect(await leave(await serve(), { stream: true }, reading)).toBeLessThan(AT_ONCE_MS);
      });
    });

    test.each([
      ['in the vendor’s own format', '/v1/chat/completions', {}],
      ['in another format', '/v1/messages', { max_tokens: 10 }],
    ])(
      'a caller who does not read, %s, is not read for, and can still leave',
      BUSY_MACHINE,
      async (_in, path, more) => {
        let sent = 0;
        let stopped = false;
        const event = chunkOf('x'.repeat(64 * 1024));
        const vendor = await vendorThat(open, async (_request, response) => {
          const gone = once(response, 'close');
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          for (; !response.destroyed; sent += event.length) {
            // Far more than the buffers of all sockets hold: who gets here would read for ever.
            if (sent > 200 * MiB) response.destroy();
            else if (!response.write(event)) await Promise.race([once(response, 'drain'), gone]);
          }
          stopped = true;
        });
        const served = createRouter({ routes: { chat: { pool: [targetAt(vendor.url, 'raw')] } } });
        const base = await serve({}, '/llm', served);
        const request = post(`${base}/llm/chat${path}`);
        request.end(JSON.stringify({ ...more, stream: true, messages: [{ role: 'user', content: 'hi' }] }));
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        expect(response.statusCode).toBe(200);
        for (let before = -1; before !== sent && !stopped; await wait(200)) before = sent;
        expect(stopped).toBe(false);
        // Whatever is on the way has been sent: the router holds less than that, and the sockets hold most of it.
        expect(sent).toBeLessThan(32 * MiB);
        response.destroy();
        const leftAtMs = performance.now();
        await vi.waitFor(() => expect(stopped).toBe(true), { interval: 2, timeout: 5_000 });
        expect(performance.now() - leftAtMs).toBeLessThan(AT_ONCE_MS);
        expect(await standings(base)).toEqual(['ready']);
      },
    );

    describe('a guard', () => {
      test('that says no keeps a caller out', () =>
        withoutACall(async () => {
          const response = await chat(await serve({ authorize: () => false }));
          expect(response.status).toBe(401);
          expect(await response.json()).toMatchObject({ error: { type: 'authentication_error' } });
        }));

      test('sees the request, and lets callers pass', async () => {
        const base = await serve({
          authorize: async (request) =>
            request.method === 'POST' && request.headers.get('authorization') === 'Bearer me',
        });
        const headers = { 'content-type': 'application/json', authorization: 'Bearer me' };
        expect((await chat(base, {}, { headers })).status).toBe(200);
        expect((await chat(base)).status).toBe(401);
      });

      test('may answer itself, as it likes', () =>
        withoutACall(async () => {
          const answers: (() => Response)[] = [
            () => Response.json({ why: 'no credit' }, { status: 402, headers: { 'x-why': 'credit' } }),
            () => new Response(null, { status: 403, headers: { 'x-why': 'credit' } }),
          ];
          for (const [i, answer] of answers.entries()) {
            const response = await chat(await serve({ authorize: answer }));
            expect([response.status, response.headers.get('x-why')]).toEqual([[402, 403][i], 'credit']);
            expect(await response.text()).toBe(['{"why":"no credit"}', ''][i]);
          }
        }));

      // Servers may put a Response class of their own in place of the built-in one, of which fetch knows nothing.
      test('may answer with what another server said', () =>
        withoutACall(async () => {
          const guard = await vendorThat(open, (_request, response) => {
            response.writeHead(403, { 'x-why': 'credit' }).end('no credit');
          });
          const response = await chat(await serve({ authorize: () => fetch(guard.url) }));
          expect([response.status, response.headers.get('x-why')]).toEqual([403, 'credit']);
          expect(await response.text()).toBe('no credit');
        }));

      test('that throws lets nobody pass, and tells nobody why', () =>
        withoutACall(async () => {
          const authorize = (): never => {
            throw new Error(`no database, ${KEY}`);
          };
          const response = await chat(await serve({ authorize }));
          expect(response.status).toBe(500);
          expect(await response.text()).not.toContain(KEY);
        }));
    });
  });
};

const image = (image_url: unknown) => ({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url }] }] });
const message = (fields: object) => ({ messages: [{ role: 'user', content: 'hi' }, fields] });
const toolCall = (fields: object) =>
  message({ role: 'assistant', tool_calls: [{ id: 'c', type: 'function', ...fields }] });
const tool = (fields: object) => ({ tools: [{ type: 'function', function: { name: 'f', ...fields } }] });
const schema = (json_schema: unknown) => ({ response_format: { type: 'json_schema', json_schema } });

/** Bodies with one field of the wrong kind, and the path of that field. */
// biome-ignore format: reads as a table
const WRONG_FIELDS: readonly (readonly [body: object, path: string])[] = [
  [{ messages: null }, 'messages'],
  [{ messages: 'hi' }, 'messages'],
  [{ messages: [] }, 'messages'],
  [{ messages: ['hi'] }, 'messages[0]'],
  [message({ content: 'hi' }), 'messages[1].role'],
  [message({ role: 'robot', content: 'hi' }), 'messages[1].role'],
  [message({ role: 'user' }), 'messages[1].content'],
  [message({ role: 'user', content: 5 }), 'messages[1].content'],
  [message({ role: 'user', content: 'hi', name: 5 }), 'messages[1].name'],
  [message({ role: 'user', content: [5] }), 'messages[1].content[0]'],
  [message({ role: 'user', content: [{}] }), 'messages[1].content[0].type'],
  [message({ role: 'user', content: [{ type: 'text' }] }), 'messages[1].content[0].text'],
  [message({ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 1 } }] }), 'messages[1].content[0].input_audio.data'],
  [message({ role: 'user', content: [{ type: 'file', file: { file_id: 1 } }] }), 'messages[1].content[0].file.file_id'],
  [image('https://example.com/a.png'), 'messages[0].content[0].image_url'],
  [image({}), 'messages[0].content[0].image_url.url'],
  [image({ url: 'https://example.com/a.png', detail: 1 }), 'messages[0].content[0].image_url.detail'],
  [message({ role: 'assistant' }), 'messages[1].content'],
  [message({ role: 'assistant', tool_calls: {} }), 'messages[1].tool_calls'],
  [message({ role: 'assistant', refusal: 1 }), 'messages[1].refusal'],
  [toolCall({ id: 5, function: { name: 'f', arguments: '{}' } }), 'messages[1].tool_calls[0].id'],
  [toolCall({}), 'messages[1].tool_calls[0].function'],
  [toolCall({ function: { arguments: '{}' } }), 'messages[1].tool_calls[0].function.name'],
  [toolCall({ function: { name: 'f', arguments: {} } }), 'messages[1].tool_calls[0].function.arguments'],
  [message({ role: 'tool', content: 'hi' }), 'messages[1].tool_call_id'],
  [message({ role: 'tool', tool_call_id: 'c' }), 'messages[1].content'],
  [{ model: 5 }, 'model'],
  [{ stream: 'yes' }, 'stream'],
  [{ stream: true, stream_options: true }, 'stream_options'],
  [{ stream: true, stream_options: { include_usage: 1 } }, 'stream_options.include_usage'],
  [{ max_tokens: '10' }, 'max_tokens'],
  [{ max_completion_tokens: '10' }, 'max_completion_tokens'],
  [{ temperature: 'hot' }, 'temperature'],
  [{ top_p: true }, 'top_p'],
  [{ stop: 5 }, 'stop'],
  [{ stop: ['a', 5] }, 'stop[1]'],
  [{ seed: 'x' }, 'seed'],
  [{ frequency_penalty: [] }, 'frequency_penalty'],
  [{ presence_penalty: {} }, 'presence_penalty'],
  [{ parallel_tool_calls: 'no' }, 'parallel_tool_calls'],
  [{ reasoning_effort: 3 }, 'reasoning_effort'],
  [{ tools: {} }, 'tools'],
  [{ tools: ['f'] }, 'tools[0]'],
  [{ tools: [{}] }, 'tools[0].type'],
  [{ tools: [{ type: 'function' }] }, 'tools[0].function'],
  [tool({ name: 5 }), 'tools[0].function.name'],
  [tool({ description: 5 }), 'tools[0].function.description'],
  [tool({ parameters: 'none' }), 'tools[0].function.parameters'],
  [tool({ strict: 'yes' }), 'tools[0].function.strict'],
  [{ tool_choice: 'some' }, 'tool_choice'],
  [{ tool_choice: { type: 'function' } }, 'tool_choice.function'],
  [{ tool_choice: { type: 'function', function: {} } }, 'tool_choice.function.name'],
  [{ response_format: 'json' }, 'response_format'],
  [{ response_format: {} }, 'response_format.type'],
  [schema(undefined), 'response_format.json_schema'],
  [schema({}), 'response_format.json_schema.name'],
  [schema({ name: 'n', schema: [] }), 'response_format.json_schema.schema'],
  [schema({ name: 'n', strict: 1 }), 'response_format.json_schema.strict'],
];

/** A server for what the simulator does not do: one that is told each byte. */
const vendorThat = async (
  open: { close(): Promise<void> }[],
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<RunningServer & { readonly bodies: readonly string[] }> => {
  const bodies: string[] = [];
  const server = await running(
    createServer(async (request, response) => {
      bodies.push(await textOfMessage(request));
      await answer(request, response);
    }),
  );
  open.push(server);
  return { ...server, bodies };
};

const chunkOf = (content: string, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'raw', choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`;

/** A few bytes at a time, each in a packet of its own, so that characters are cut. */
const inPieces = async (bytes: Buffer, write: (piece: Buffer) => unknown): Promise<void> => {
  for (let i = 0; i < bytes.length; i += 7) {
    write(bytes.subarray(i, i + 7));
    await wait(0);
  }
};

const post = (url: string, options: { readonly agent?: Agent } = {}) =>
  httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json' }, ...options });

const textOfMessage = async (incoming: IncomingMessage): Promise<string> => {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
};

/** The data of each event, as it arrives. */
async function* eventsOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end).replace(/^data: /, '');
      text = text.slice(end + 2);
    }
  }
  if (text !== '') throw new Error(`An event was not ended: ${text}`);
}

const allEvents = async (response: Response): Promise<readonly string[]> => Array.fromAsync(eventsOf(response));

const textOf = (chunks: readonly Chunk[]): string =>
  chunks.map(({ choices }) => choices?.[0]?.delta?.content ?? '').join('');
