import { execFile } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Fault } from './fault.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { VENDOR_NAMES, type VendorName } from './vendor.ts';

let simulator: Simulator;

beforeEach(async () => {
  simulator = await startSimulator({
    vendors: Object.fromEntries(VENDOR_NAMES.map((name) => [name, { firstTokenMs: 1, tokensPerSecond: 50_000 }])),
  });
});

afterEach(() => simulator.close());

const HEADERS = { authorization: 'Bearer key', 'x-goog-api-key': 'key', 'anthropic-version': '2026-10-21' };

/** The same small question, as each vendor wants it. */
const ask = (name: VendorName, stream: boolean): { readonly path: string; readonly body: object } => {
  const messages = [{ role: 'user', content: 'hello' }];
  const method = stream ? 'streamGenerateContent?alt=sse' : 'generateContent';
  const asked = {
    openai: { path: '/v1/chat/completions', body: { model: 'm', messages, stream } },
    anthropic: { path: '/v1/messages', body: { model: 'm', max_tokens: 100, messages, stream } },
    cohere: { path: '/v2/chat', body: { model: 'm', messages, stream } },
    google: { path: `/v1beta/models/m:${method}`, body: { contents: [{ role: 'user', parts: [{ text: 'hello' }] }] } },
  };
  return asked[name];
};

interface Received {
  readonly status?: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The code of the error, or `complete`, or `open` when the patience ran out. */
  readonly ending: string;
}

/** What is on the wire, without an SDK that tidies it up. */
const call = (name: VendorName, stream = false, patienceMs = 5_000): Promise<Received> =>
  new Promise((resolve) => {
    const { path, body } = ask(name, stream);
    let received: Received = { headers: {}, text: '', ending: 'open' };
    const done = (ending: string): void => {
      request.destroy();
      resolve({ ...received, ending });
    };
    const request = httpRequest(simulator.vendors[name].url + path, { method: 'POST', headers: HEADERS, agent: false });
    request.setTimeout(patienceMs, () => done('open'));
    request.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    request.on('response', (response) => {
      received = { ...received, status: response.statusCode ?? 0, headers: response.headers };
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        received = { ...received, text: received.text + text };
      });
      response.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
      response.on('end', () => done('complete'));
    });
    request.end(JSON.stringify(body));
  });

/** The events of a stream, without what comes after the last complete one. */
const eventsIn = ({ text }: Received): readonly string[] => text.split(/\r?\n\r?\n/).slice(0, -1);

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const lastCall = (name: VendorName) => simulator.vendors[name].lastCalls.at(-1);

describe.each(VENDOR_NAMES)('%s', (name) => {
  const struck = (fault: Fault, stream: boolean, patienceMs?: number): Promise<Received> => {
    simulator.vendors[name].break(fault);
    return call(name, stream, patienceMs);
  };

  test('answers when nothing is broken', async () => {
    expect(await call(name)).toMatchObject({ status: 200, ending: 'complete', text: expect.stringContaining('heard') });
    expect(lastCall(name)).toMatchObject({ outcome: 'answered', status: 200, stream: false });
    expect(await call(name, true)).toMatchObject({ status: 200, ending: 'complete' });
    expect(lastCall(name)).toMatchObject({ outcome: 'answered', status: 200, stream: true });
    expect(simulator.vendors[name].calls).toBe(2);
  });

  test.each([400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529])(
    'status %i comes with a body of the vendor',
    async (status) => {
      const received = await struck({ kind: 'status', status }, false);
      expect(received).toMatchObject({ status, ending: 'complete' });
      const body = JSON.parse(received.text);
      expect(body.error?.message ?? body.message).toEqual(expect.any(String));
      expect(lastCall(name)).toMatchObject({ outcome: 'fault:status', status });
    },
  );

  test('a status may bring its own headers and body', async () => {
    const received = await struck(
      { kind: 'status', status: 502, headers: { 'X-Proxy': 'yes' }, body: 'bad gateway' },
      true,
    );
    expect(received).toMatchObject({
      status: 502,
      text: 'bad gateway',
      headers: { 'x-proxy': 'yes', 'content-type': 'text/plain' },
    });
    expect((await struck({ kind: 'status', status: 500, body: { a: 1 } }, true)).text).toBe('{"a":1}');
  });

  test('refuse: nobody listens, until it is healed on the same port', async () => {
    expect(await struck({ kind: 'refuse' }, false)).toMatchObject({ ending: 'ECONNREFUSED' });
    expect(simulator.vendors[name].calls).toBe(0);
    simulator.vendors[name].heal();
    expect(await call(name)).toMatchObject({ status: 200 });
  });

  test.each([true, false])('reset: not one byte of an answer (stream: %s)', async (stream) => {
    const received = await struck({ kind: 'reset' }, stream);
    expect(received).toMatchObject({ ending: 'ECONNRESET', text: '' });
    expect(received.status).toBeUndefined();
    expect(lastCall(name)).toMatchObject({ outcome: 'fault:reset', endedAtMs: expect.any(Number) });
  });

  test.each([true, false])('hang-before-headers: not even a status (stream: %s)', async (stream) => {
    const received = await struck({ kind: 'hang-before-headers' }, stream, 100);
    expect(received.status).toBeUndefined();
    expect(received.ending).toBe('open');
  });

  test.each([true, false])('hang-after-headers: a status and nothing else (stream: %s)', async (stream) => {
    const received = await struck({ kind: 'hang-after-headers' }, stream, 100);
    expect(received).toMatchObject({ status: 200, text: '', ending: 'open' });
    expect(received.headers['content-type']).toContain(stream ? 'text/event-stream' : 'application/json');
  });

  test.each([true, false])('slow-first-token and slow: late, but whole (stream: %s)', async (stream) => {
    for (const fault of [
      { kind: 'slow-first-token', ms: 40 },
      { kind: 'slow', factor: 30 },
    ] as const) {
      await struck(fault, stream);
      const record = lastCall(name);
      expect(record).toMatchObject({ outcome: 'answered', fault: fault.kind });
      expect((record?.endedAtMs ?? 0) - (record?.atMs ?? 0)).toBeGreaterThanOrEqual(25);
    }
  });

  test.each([true, false])(
    'error-before-content: an error under a 200, and no content (stream: %s)',
    async (stream) => {
      const received = await struck({ kind: 'error-before-content' }, stream);
      expect(received).toMatchObject({ status: 200, ending: 'complete' });
      expect(received.text).toMatch(/error/i);
      expect(received.text).not.toContain('simulated');
      if (!stream) expect(isJson(received.text)).toBe(true);
    },
  );

  test('error-after-content: an error after some content', async () => {
    const received = await struck({ kind: 'error-after-content' }, true);
    expect(received.text).toContain('simulated');
    expect(received.text).not.toContain('tokens nor time');
    expect(eventsIn(received).at(-1)).toMatch(/error/i);
    expect(received.ending).toBe('complete');
  });

  test('cut: a reset after so many events, or inside the next', async () => {
    const between = await struck({ kind: 'cut', afterEvents: 4 }, true);
    expect(eventsIn(between)).toHaveLength(4);
    expect(between).toMatchObject({ status: 200, ending: 'ECONNRESET' });
    expect(between.text).toMatch(/\n\r?\n$/);
    const inside = await struck({ kind: 'cut', insideEvent: true }, true);
    expect(eventsIn(inside)).toHaveLength(3);
    expect(inside.text).not.toMatch(/\n\r?\n$/);
    expect(lastCall(name)).toMatchObject({ outcome: 'fault:cut', status: 200 });
  });

  test('cut, unary: half the body, then a reset', async () => {
    const received = await struck({ kind: 'cut' }, false);
    expect(received).toMatchObject({ status: 200, ending: 'ECONNRESET' });
    expect(received.text.length).toBeLessThan(Number(received.headers['content-length']));
    expect(received.text.length).toBeGreaterThan(0);
  });

  test('stall: some events, then nothing', async () => {
    const received = await struck({ kind: 'stall', afterEvents: 2 }, true, 100);
    expect(eventsIn(received)).toHaveLength(2);
    expect(received.ending).toBe('open');
    expect(await struck({ kind: 'stall' }, false, 100)).toMatchObject({ status: 200, ending: 'open' });
  });

  test('malformed-chunk: one event that is not JSON among good ones', async () => {
    const whole = eventsIn(await call(name, true)).length;
    const received = await struck({ kind: 'malformed-chunk' }, true);
    const data = eventsIn(received).map((event) => event.replace(/^event: .*\n/, '').replace(/^data: /, ''));
    expect(data).toHaveLength(whole + 1);
    expect(data.map((text) => text === '[DONE]' || isJson(text)).indexOf(false)).toBe(3);
    expect(data.filter((text) => text !== '[DONE]' && !isJson(text))).toHaveLength(1);
    const unary = await struck({ kind: 'malformed-chunk' }, false);
    expect(unary).toMatchObject({ status: 200, ending: 'complete' });
    expect(isJson(unary.text)).toBe(false);
  });

  test.each([true, false])(
    'no-end-marker: all content, but not a word on why it ended (stream: %s)',
    async (stream) => {
      const received = await struck({ kind: 'no-end-marker' }, stream);
      expect(received).toMatchObject({ status: 200, ending: 'complete', text: expect.stringContaining('time.') });
      expect(received.text).not.toMatch(/COMPLETE|STOP|end_turn|"stop"|message_stop|message-end|DONE/);
    },
  );

  test.each([true, false])('empty: a 200 without a byte (stream: %s)', async (stream) => {
    expect(await struck({ kind: 'empty' }, stream)).toMatchObject({ status: 200, text: '', ending: 'complete' });
  });

  test.each([true, false])('truncated-json: complete for HTTP, not for JSON (stream: %s)', async (stream) => {
    const received = await struck({ kind: 'truncated-json' }, stream);
    expect(received).toMatchObject({ status: 200, ending: 'complete' });
    if (stream) expect(received.text).toMatch(/data: \{[^\n]*$/);
    else expect(isJson(received.text)).toBe(false);
  });

  test.each([true, false])('html: the page of a proxy under a 200 (stream: %s)', async (stream) => {
    const received = await struck({ kind: 'html' }, stream);
    expect(received).toMatchObject({ status: 200, text: expect.stringContaining('<html>'), ending: 'complete' });
    expect(received.headers['content-type']).toBe('text/html');
  });

  test('context-length: the 400 of the vendor', async () => {
    const received = await struck({ kind: 'context-length' }, true);
    expect(received.status).toBe(400);
    expect(received.text).toMatch(/context_length_exceeded|prompt is too long|too many tokens|input token count/);
  });

  test.each([true, false])('content-filter: the refusal of the vendor (stream: %s)', async (stream) => {
    const received = await struck({ kind: 'content-filter' }, stream);
    expect(received.status).toBe(name === 'cohere' ? 422 : 200);
    expect(received.text).toMatch(/"content_filter"|"refusal"|"SAFETY"|was blocked/);
    expect(received.text).not.toContain('simulated');
  });

  test('flap: broken, then well, then broken', async () => {
    const becomes = (status: number): Promise<void> =>
      vi.waitFor(async () => expect((await call(name)).status).toBe(status), { interval: 5 });
    simulator.vendors[name].break({ kind: 'flap', onMs: 60, offMs: 60 });
    await becomes(503);
    await becomes(200);
    await becomes(503);
  });

  test('a fault with times heals by itself', async () => {
    const vendor = simulator.vendors[name];
    vendor.break({ kind: 'status', status: 503, times: 2 });
    const statuses = [
      (await call(name)).status,
      vendor.fault?.times,
      (await call(name)).status,
      vendor.fault,
      (await call(name)).status,
    ];
    expect(statuses).toEqual([503, 1, 503, null, 200]);
  });
});

describe('a 429 says how long to wait', () => {
  test.each([
    ['openai', 'seconds', 'retry-after', /^2$/],
    ['anthropic', 'http-date', 'retry-after', / GMT$/],
    ['openai', 'retry-after-ms', 'retry-after-ms', /^1500$/],
    ['openai', 'x-ms-retry-after-ms', 'x-ms-retry-after-ms', /^1500$/],
    ['openai', 'reset-headers', 'x-ratelimit-reset-requests', /^1\.5s$/],
    ['anthropic', 'reset-headers', 'anthropic-ratelimit-requests-reset', /Z$/],
    ['cohere', 'reset-headers', 'x-ratelimit-reset', /^\d{10}$/],
  ] as const)('%s, by %s', async (name, form, header, value) => {
    simulator.vendors[name].break({ kind: 'status', status: 429, retryAfter: { form, ms: 1_500 } });
    expect((await call(name)).headers[header]).toMatch(value);
  });

  test('google, in the body', async () => {
    simulator.vendors.google.break({ kind: 'status', status: 429, retryAfter: { form: 'retry-info', ms: 17_000 } });
    const { error } = JSON.parse((await call('google')).text);
    expect(error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay: '17s' }] });
  });
});

describe('what a vendor records', () => {
  test('requests as they came over the wire', async () => {
    await call('google', true);
    const { path, body } = ask('google', true);
    expect(simulator.vendors.google.requests).toEqual([
      { method: 'POST', path, body, headers: expect.objectContaining({ 'x-goog-api-key': 'key' }) },
    ]);
  });

  test('the last fifty calls, and how many there were', async () => {
    for (let i = 0; i < 55; i += 1) await call('openai');
    expect(simulator.vendors.openai.calls).toBe(55);
    expect(simulator.vendors.openai.lastCalls).toHaveLength(50);
    expect(simulator.vendors.openai.requests).toHaveLength(50);
  });

  test.each(['hang-before-headers', 'hang-after-headers', 'stall'] as const)(
    'when a client leaves: at once, while the call is open (%s)',
    async (kind) => {
      simulator.vendors.openai.break({ kind });
      const client = new AbortController();
      const { path, body } = ask('openai', true);
      const asked = fetch(simulator.vendors.openai.url + path, {
        method: 'POST',
        headers: HEADERS,
        body: JSON.stringify(body),
        signal: client.signal,
      }).then((response) => response.text());
      await vi.waitFor(() => expect(lastCall('openai')).toMatchObject({ outcome: 'open', fault: kind }));
      await wait(20);
      const leftAtMs = performance.now();
      client.abort();
      await expect(asked).rejects.toThrow('abort');
      await vi.waitFor(() => expect(lastCall('openai')?.outcome).toBe('aborted'));
      expect((lastCall('openai')?.endedAtMs ?? 0) - leftAtMs).toBeLessThan(100);
    },
  );

  test('a call that is under way when connections are refused', async () => {
    simulator.vendors.openai.break({ kind: 'hang-before-headers' });
    const asked = call('openai');
    await vi.waitFor(() => expect(simulator.vendors.openai.calls).toBe(1));
    simulator.vendors.openai.break({ kind: 'refuse' });
    expect(await asked).toMatchObject({ ending: 'ECONNRESET' });
    await vi.waitFor(() => expect(lastCall('openai')?.outcome).toBe('fault:refuse'));
  });

  test('the end of one call before the start of the next, whichever vendor has it', async () => {
    await call('openai');
    await call('google');
    expect(lastCall('google')?.atMs ?? 0).toBeGreaterThanOrEqual(lastCall('openai')?.endedAtMs ?? Number.NaN);
  });
});

describe('a simulator', () => {
  test('keeps within the rate limits it was given', async () => {
    const limited = await startSimulator({ vendors: { openai: { rateLimit: { requestsPerMinute: 1 } } } });
    const { path, body } = ask('openai', false);
    const send = () =>
      fetch(limited.vendors.openai.url + path, { method: 'POST', headers: HEADERS, body: JSON.stringify(body) });
    const [first, second] = [await send(), await send()];
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(second.status).toBe(429);
    expect(Number(second.headers.get('retry-after-ms'))).toBeGreaterThan(50_000);
    expect(limited.vendors.openai.lastCalls.at(-1)?.outcome).toBe('rejected');
    await limited.close();
  });

  test('takes the ports it was given, and fails when one is taken', async () => {
    const port = Number(new URL(simulator.vendors.openai.url).port);
    await expect(startSimulator({ vendors: { cohere: { port } } })).rejects.toThrow('EADDRINUSE');
  });

  test('breaks nothing when the fault makes no sense', () => {
    const { openai } = simulator.vendors;
    expect(() => openai.break({ kind: 'status', status: 42 })).toThrow('fault.status');
    expect(openai.fault).toBeNull();
  });

  test('may refuse and accept many times over', async () => {
    const { openai } = simulator.vendors;
    for (let i = 0; i < 5; i += 1) {
      openai.break({ kind: 'refuse' });
      openai.heal();
    }
    await vi.waitFor(async () => expect((await call('openai')).status).toBe(200));
    openai.break({ kind: 'refuse' });
    openai.break({ kind: 'status', status: 500 });
    await vi.waitFor(async () => expect((await call('openai')).status).toBe(500));
  });

  test('waits for a client that reads slowly', async () => {
    const quick = await startSimulator({ vendors: { openai: { firstTokenMs: 0, tokensPerSecond: 1e9 } } });
    const { openai } = quick.vendors;
    const { path, body } = ask('openai', true);
    const long = JSON.stringify({ ...body, n: 128, messages: [{ role: 'user', content: 'x '.repeat(400) }] });
    const socket = connect(Number(new URL(openai.url).port), '127.0.0.1');
    const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key\r\ncontent-length: ${long.length}`;
    socket.pause();
    socket.write(`${head}\r\n\r\n${long}`);
    await wait(150);
    expect(openai.lastCalls.at(-1)?.outcome).toBe('open');
    socket.resume();
    await vi.waitFor(() => expect(openai.lastCalls.at(-1)?.outcome).toBe('answered'));
    socket.destroy();
    await quick.close();
  });

  test('leaves nothing behind when it is closed: a process with an open call ends by itself', async () => {
    const { path, body } = ask('openai', true);
    const source = `
      import { startSimulator } from ${JSON.stringify(new URL('./simulator.ts', import.meta.url))};
      const simulator = await startSimulator();
      const { openai } = simulator.vendors;
      openai.break({ kind: 'slow-first-token', ms: 60_000 });
      const init = ${JSON.stringify({ method: 'POST', headers: HEADERS, body: JSON.stringify(body) })};
      const response = await fetch(openai.url + ${JSON.stringify(path)}, init);
      await simulator.close();
      await simulator.close();
      await response.text().catch((error) => console.log(error.message));`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', source], { timeout: 10_000 });
    expect(stdout).toBe('terminated\n');
  });
});
