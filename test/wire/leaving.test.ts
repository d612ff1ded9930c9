import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { createRouter, type RouteConfig, type System, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/node';
import { type SimulatedVendor, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type RunningServer, running } from '../contracts/adapter.ts';
import { FORMATS, type FormatName, streamRequest } from '../contracts/callers.ts';
import { simulated } from './targets.ts';

// A caller who leaves stops the vendor within 100 ms, in every phase of a request and in every format. It is measured at
// the vendor, from when the caller closes its connection to when the vendor's is closed.

let simulators: readonly [Simulator, Simulator];
let first: SimulatedVendor;
let second: SimulatedVendor;
const open: RunningServer[] = [];

beforeAll(async () => {
  simulators = [await startSimulator({ seed: 1 }), await startSimulator({ seed: 2 })];
  [first, second] = [simulators[0].vendors.openai, simulators[1].vendors.openai];
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  for (const { vendors } of simulators) for (const vendor of Object.values(vendors)) vendor.heal();
});
afterAll(async () => {
  for (const simulator of simulators) await simulator.close();
});

/** The promise is 100 ms; a machine that is busy with other tests gets more than one try. */
const AT_ONCE_MS = 100;
const BUSY_MACHINE = { retry: 3 };

const serve = async (
  pool: readonly TargetSpec[],
  route: Partial<RouteConfig> = {},
  system?: System,
): Promise<string> => {
  const router = createRouter({ routes: { chat: { ...route, pool } }, ...(system && { system }) });
  const middleware = switchyard(router);
  const server = await running(
    createServer((request, response) => middleware(request, response, () => response.end())),
  );
  open.push(server);
  return `${server.url}/llm/chat`;
};

/** A caller with a socket of its own, so that to leave is to close it. */
class Caller {
  /** What it has read. */
  text = '';
  readonly #request;

  constructor(base: string, format: FormatName, { reads = true }: { readonly reads?: boolean } = {}) {
    const { path, body } = streamRequest(format);
    this.#request = httpRequest(base + path, { method: 'POST', headers: { 'content-type': 'application/json' } });
    this.#request.on('error', () => {});
    this.#request.on('response', (response: IncomingMessage) => {
      response.on('error', () => {});
      if (!reads) response.pause();
      else response.setEncoding('utf8').on('data', (piece: string) => (this.text += piece));
    });
    this.#request.end(JSON.stringify(body));
  }

  leave(): void {
    this.#request.destroy();
  }
}

const SOON = { interval: 2, timeout: 10_000 };

/** Leaves, and says how long the last call of each vendor went on after that. */
const leave = async (caller: Caller, ...vendors: readonly SimulatedVendor[]): Promise<readonly number[]> => {
  for (const vendor of vendors) expect(vendor.lastCalls.at(-1)?.outcome).toBe('open');
  const leftAtMs = performance.now();
  caller.leave();
  await vi.waitFor(() => {
    for (const vendor of vendors) expect(vendor.lastCalls.at(-1)?.outcome).toBe('aborted');
  }, SOON);
  return vendors.map(({ lastCalls }) => (lastCalls.at(-1)?.endedAtMs ?? Number.POSITIVE_INFINITY) - leftAtMs);
};

const expectAtOnce = (tookMs: readonly number[]): void => {
  for (const ms of tookMs) expect(ms).toBeLessThan(AT_ONCE_MS);
};

describe.each(FORMATS)('in %s, a caller who leaves stops the vendor at once', (format) => {
  const pool = (): TargetSpec[] => simulators.map((simulator, i) => simulated(simulator, 'openai', { id: `${i}` }));
  const called = (vendor: SimulatedVendor, before: number): Promise<void> =>
    vi.waitFor(() => expect(vendor.calls).toBe(before + 1), SOON);

  test('before the head of its answer', BUSY_MACHINE, async () => {
    first.break({ kind: 'hang-before-headers' });
    const [before, others] = [first.calls, second.calls];
    const caller = new Caller(await serve(pool()), format);
    await called(first, before);
    expectAtOnce(await leave(caller, first));
    expect(second.calls).toBe(others);
  });

  test('after the head, before any content', BUSY_MACHINE, async () => {
    first.break({ kind: 'hang-after-headers' });
    const [before, others] = [first.calls, second.calls];
    const caller = new Caller(await serve(pool()), format);
    await called(first, before);
    await vi.waitFor(() => expect(first.lastCalls.at(-1)?.status).toBe(200), SOON);
    expectAtOnce(await leave(caller, first));
    expect(second.calls).toBe(others);
  });

  test.each(['openai', 'openai-responses', 'anthropic', 'cohere', 'google'] as const)(
    'in the middle of a stream of %s',
    BUSY_MACHINE,
    async (provider) => {
      const vendor = simulators[0].vendors[provider === 'openai-responses' ? 'openai' : provider];
      vendor.break({ kind: 'stall', afterEvents: 7 });
      const caller = new Caller(await serve([simulated(simulators[0], provider)]), format);
      await vi.waitFor(() => expect(caller.text).toContain(provider.replace('-responses', '')), SOON);
      expectAtOnce(await leave(caller, vendor));
    },
  );

  test('while two attempts run', BUSY_MACHINE, async () => {
    first.break({ kind: 'hang-before-headers' });
    second.break({ kind: 'hang-after-headers' });
    const [before, others] = [first.calls, second.calls];
    // A clock on which a second is ten milliseconds: the first is late soon.
    const fast: System = {
      nowMs: () => 100 * performance.now(),
      dice: () => 0.5,
      schedule: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs / 100);
        return () => clearTimeout(timer);
      },
    };
    const targets = simulators.map((simulator, i) =>
      simulated(simulator, 'openai', { id: `${i}`, timeouts: { connect: '1h', firstContent: '1h' } }),
    );
    const caller = new Caller(await serve(targets, { deadline: '2h' }, fast), format);
    await called(first, before);
    await called(second, others);
    expectAtOnce(await leave(caller, first, second));
  });

  test('while comments keep its connection open, before and after content', BUSY_MACHINE, async () => {
    for (const fault of [{ kind: 'hang-before-headers' }, { kind: 'stall', afterEvents: 7 }] as const) {
      first.break(fault);
      const caller = new Caller(await serve(pool(), { keepAlive: '10ms' }), format);
      const [comment, hasContent] = [': keep-alive\n\n', fault.kind === 'stall'];
      await vi.waitFor(() => {
        if (hasContent) expect(caller.text).toContain('openai');
        expect(caller.text.endsWith(comment)).toBe(true);
      }, SOON);
      expectAtOnce(await leave(caller, first));
    }
  });
});

/** A vendor that speaks for as long as anybody takes it, and counts what was taken. */
const flood = async (
  begin: string,
  event: string,
): Promise<{ readonly url: string; readonly sent: () => number; readonly closed: () => boolean }> => {
  let sent = 0;
  let closed = false;
  const server = await running(
    createServer(async (request, response) => {
      request.resume();
      const gone = once(response, 'close').then(() => {
        closed = true;
      });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(begin);
      while (!response.destroyed && sent < 4 * MOST_BYTES) {
        sent += event.length;
        if (!response.write(event)) await Promise.race([once(response, 'drain'), gone]);
      }
    }),
  );
  open.push(server);
  return { url: server.url, sent: () => sent, closed: () => closed };
};

/**
 * What the sockets' buffers may hold together, on both sides of the router: the kernel lets them grow to some megabytes
 * each. All that is on the way has been sent, so that this is also the most that the router can hold.
 */
const MOST_BYTES = 32 * 1024 * 1024;

const WORDS = 'words and more words '.repeat(3_000);

const FLOODS: Readonly<
  Record<string, () => Promise<Awaited<ReturnType<typeof flood>> & { readonly target: TargetSpec }>>
> = {
  async openai() {
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
    const delta = { choices: [{ index: 0, delta: { content: WORDS }, finish_reason: null }] };
    const vendor = await flood('', `data: ${JSON.stringify({ ...chunk, ...delta })}\n\n`);
    return { ...vendor, target: openai('m', { apiKey: 'k', baseURL: `${vendor.url}/v1` }) };
  },
  async 'openai, through Responses'() {
    const delta = { item_id: 'i', output_index: 0, content_index: 0, delta: WORDS, logprobs: [], sequence_number: 1 };
    const event = (type: string, data: object): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
    const response = { id: 'r', object: 'response', status: 'in_progress', model: 'm', output: [] };
    const begin = event('response.created', { response, sequence_number: 0 });
    const vendor = await flood(begin, event('response.output_text.delta', delta));
    return { ...vendor, target: openai('m', { apiKey: 'k', baseURL: `${vendor.url}/v1`, api: 'responses' }) };
  },
  async anthropic() {
    const event = (type: string, data: object): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
    const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: {} };
    const block = { type: 'text', text: '' };
    const begin =
      event('message_start', { message }) + event('content_block_start', { index: 0, content_block: block });
    const delta = { type: 'text_delta', text: WORDS };
    const vendor = await flood(begin, event('content_block_delta', { index: 0, delta }));
    return { ...vendor, target: anthropic('m', { apiKey: 'k', baseURL: vendor.url }) };
  },
  async cohere() {
    const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;
    const begin = event({ type: 'message-start', id: 'm', delta: { message: { role: 'assistant', content: [] } } });
    const message = { content: { text: WORDS } };
    const vendor = await flood(begin, event({ type: 'content-delta', index: 0, delta: { message } }));
    return { ...vendor, target: cohere('m', { token: 'k', baseUrl: vendor.url }) };
  },
  async 'google-genai'() {
    const vendor = await flood('', GEMINI);
    return { ...vendor, target: googleGenAI('m', { apiKey: 'k', httpOptions: { baseUrl: vendor.url } }) };
  },
};

/** One event that Gemini could send again and again. */
const GEMINI = `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text: WORDS }] }, index: 0 }] })}\r\n\r\n`;

describe.each(FORMATS)('in %s, a caller who does not read', (format) => {
  test.each(Object.keys(FLOODS))('makes %s wait, and stops it by leaving', BUSY_MACHINE, async (name) => {
    const vendor = await (FLOODS[name] as (typeof FLOODS)[string])();
    const caller = new Caller(await serve([vendor.target]), format, { reads: false });
    await vi.waitFor(() => expect(vendor.sent()).toBeGreaterThan(100 * 1024), SOON);
    for (let before = -1; before !== vendor.sent(); await wait(150)) before = vendor.sent();
    expect(vendor.sent()).toBeLessThan(MOST_BYTES);
    expect(vendor.closed()).toBe(false);
    const leftAtMs = performance.now();
    caller.leave();
    await vi.waitFor(() => expect(vendor.closed()).toBe(true), SOON);
    expectAtOnce([performance.now() - leftAtMs]);
  });

  test('makes it wait also where comments would keep the connection open', BUSY_MACHINE, async () => {
    const vendor = await (FLOODS.openai as (typeof FLOODS)[string])();
    const caller = new Caller(await serve([vendor.target], { keepAlive: '5ms' }), format, { reads: false });
    await vi.waitFor(() => expect(vendor.sent()).toBeGreaterThan(100 * 1024), SOON);
    for (let before = -1; before !== vendor.sent(); await wait(150)) before = vendor.sent();
    expect(vendor.sent()).toBeLessThan(MOST_BYTES);
    caller.leave();
    await vi.waitFor(() => expect(vendor.closed()).toBe(true), SOON);
  });
});

// Google's older SDK reads all that it is sent, whoever takes it, and has no room for a fetch of ours.
test(
  'the older SDK of Google reads ahead of a caller who does not read, until that one leaves',
  BUSY_MACHINE,
  async () => {
    const vendor = await flood('', GEMINI);
    const target = google('m', { apiKey: 'k', baseURL: vendor.url });
    const caller = new Caller(await serve([target]), 'Chat Completions', { reads: false });
    await vi.waitFor(() => expect(vendor.sent()).toBeGreaterThan(100 * 1024), SOON);
    caller.leave();
    await vi.waitFor(() => expect(vendor.closed()).toBe(true), SOON);
  },
);

describe('while it connects', () => {
  let vendor: ChildProcess;
  let url: string;
  const asked: string[] = [];
  const queue: Socket[] = [];

  // With the shortest queue, stopped, and the queue filled, it answers no connection attempt until it is woken.
  const LISTEN = `require('node:http')
    .createServer((request, response) => { console.log(request.url); response.end(); })
    .listen(0, '127.0.0.1', 1, function () { console.log(this.address().port); })`;

  beforeAll(async () => {
    vendor = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (vendor.stdout === null) throw new Error('no output to read the port from');
    const lines = createInterface(vendor.stdout);
    const [port] = (await once(lines, 'line')) as [string];
    lines.on('line', (line) => asked.push(line));
    url = `http://127.0.0.1:${port}`;
    vendor.kill('SIGSTOP');
    for (let i = 0; i < 8; i++) queue.push(connect(Number(port), '127.0.0.1').on('error', () => {}));
    await wait(100);
  });
  afterAll(() => {
    for (const socket of queue) socket.destroy();
    vendor.kill('SIGKILL');
  });

  test('a caller who leaves is not asked for, not even when the vendor can be reached again', async () => {
    const ended: string[] = [];
    const router = createRouter({
      routes: { chat: { pool: [openai('m', { apiKey: 'k', baseURL: url, timeouts: { connect: '1m' } })] } },
      onEvent: (event) => {
        if (event.type === 'attempt-ended') ended.push(event.attempt.outcome);
      },
    });
    const middleware = switchyard(router);
    const server = await running(
      createServer((request, response) => middleware(request, response, () => response.end())),
    );
    open.push(server);
    const callers = FORMATS.map((format) => new Caller(`${server.url}/llm/chat`, format));
    const inFlight = () => router.snapshot()[0]?.targets[0]?.inFlight;
    await vi.waitFor(() => expect(inFlight()).toBe(callers.length), SOON);
    for (const caller of callers) caller.leave();
    await vi.waitFor(() => expect(inFlight()).toBe(0), { interval: 2, timeout: 5_000 });
    expect(ended).toEqual(FORMATS.map(() => 'aborted'));
    vendor.kill('SIGCONT');
    for (const socket of queue) socket.destroy();
    // Whoever still tried to connect would by now have done so: the kernel tries again after one second and three.
    await wait(1_500);
    await fetch(`${url}/last`);
    await vi.waitFor(() => expect(asked).toContain('/last'), SOON);
    expect(asked).toEqual(['/last']);
  });
});
