import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Call } from '../provider.ts';
import { WireLog } from '../run/wire.ts';
import { transport as own } from './node.ts';

const transport = own as typeof fetch;
const servers: Server[] = [];

afterEach(() => {
  vi.unstubAllGlobals();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const bodyOf = async (request: IncomingMessage): Promise<string> => Buffer.concat(await request.toArray()).toString();

const post = (url: string, init: RequestInit = {}): Promise<Response> =>
  transport(url, { method: 'POST', headers: new Headers({ 'x-given': 'yes' }), body: 'asked', ...init });

const causeOf = (error: unknown): unknown => (error as Error).cause;

/** What was read before the body ended or failed, and the failure. */
const drain = async (response: Response): Promise<{ text: string; error: unknown }> => {
  let text = '';
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString();
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
};

describe('what is asked and answered', () => {
  test('method, path, query, headers and body arrive as they were given, and nothing is added that fetch adds for browsers', async () => {
    const seen: { line: string; headers: IncomingMessage['headers']; body: string }[] = [];
    const url = await serve(async (request, response) => {
      seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body: await bodyOf(request) });
      response.setHeader('x-twice', ['a', 'b']).end('{"a":"ä"}');
    });
    const response = await post(`${url}/v1/x?y=1#z`);
    expect(response.status).toBe(200);
    expect(response.ok).toBe(true);
    expect(response.headers.get('X-Twice')).toBe('a, b');
    expect(await response.json()).toEqual({ a: 'ä' });
    expect(seen).toMatchObject([{ line: 'POST /v1/x?y=1', body: 'asked', headers: { 'x-given': 'yes' } }]);
    expect(Object.keys(seen[0]?.headers ?? {}).toSorted()).toEqual(['connection', 'content-length', 'host', 'x-given']);
  });

  test('headers may be a Headers, pairs or an object', async () => {
    const url = await serve((request, response) => response.end(request.headers['x-given']));
    for (const headers of [
      new Headers({ 'x-given': '1' }),
      [['x-given', '1'] as [string, string]],
      { 'x-given': '1' },
    ]) {
      expect(await (await post(url, { headers })).text()).toBe('1');
    }
  });

  test('connections are used again', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    });
    for (let i = 0; i < 9; i++) await (await post(url)).text();
    // Undici rests a connection for a turn of the loop, and the next request takes another.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  test('an error status is an answer', async () => {
    const url = await serve((_, response) => response.writeHead(429, { 'retry-after': '7' }).end('slow down'));
    const response = await post(url);
    expect([response.status, response.ok, response.headers.get('retry-after')]).toEqual([429, false, '7']);
    expect(await response.text()).toBe('slow down');
  });

  test('characters that are cut between two packets are put together, and a byte order mark is no text', async () => {
    const url = await serve((_, response) => {
      const bytes = Buffer.from('\uFEFFäöü');
      response.write(bytes.subarray(0, 4));
      setTimeout(() => response.end(bytes.subarray(4)), 20);
    });
    expect(await (await post(url)).text()).toBe('äöü');
  });

  test('what is not cheap is there all the same: clone, blob, tee, and a body of its own for each', async () => {
    const url = await serve((_, response) => response.end('whole'));
    const cloned = await post(url);
    const copy = cloned.clone();
    expect([await copy.text(), await cloned.text()]).toEqual(['whole', 'whole']);
    expect(await (await (await post(url)).blob()).text()).toBe('whole');
    const [left, right] = ((await post(url)).body as ReadableStream).tee();
    expect([await new Response(left).text(), await new Response(right).text()]).toEqual(['whole', 'whole']);
    expect((await transport(url, { method: 'HEAD' })).status).toBe(200);
  });

  test('a compressed answer, which nobody asked for, is read', async () => {
    const url = await serve((_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('packed')));
    expect(await (await post(url)).text()).toBe('packed');
  });

  test('a status without a body has none', async () => {
    const url = await serve((_, response) => response.writeHead(204).end());
    const response = await post(url);
    expect([response.status, response.body, await response.text()]).toEqual([204, null, '']);
  });
});

describe('streams', () => {
  test('each packet is handed on as it comes', async () => {
    let write = (_: string): void => {};
    const url = await serve((_, response) => {
      write = (text) => response.write(text);
      response.flushHeaders();
    });
    const reader = ((await post(url)).body as ReadableStream<Uint8Array>).getReader();
    for (const text of ['one', 'two']) {
      write(text);
      const { value } = await reader.read();
      expect(Buffer.from(value ?? []).toString()).toBe(text);
    }
  });

  test('a reader that is slow slows the vendor down', async () => {
    let vendor: ServerResponse | undefined;
    const url = await serve((_, response) => {
      vendor = response;
      for (let i = 0; i < 512; i++) response.write(Buffer.alloc(64 * 1_024));
      response.end();
    });
    const response = await post(url);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(vendor?.writableFinished).toBe(false);
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) bytes += chunk.length;
    expect(bytes).toBe(32 * 1_024 * 1_024);
  });

  test('leaving the body closes the connection', async () => {
    const url = await serve((request, response) => {
      request.socket.on('close', () => closed());
      response.write('one');
    });
    let closed = (): void => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    for await (const _ of (await post(url)).body as AsyncIterable<Uint8Array>) break;
    await gone;
  });

  test('what came before a cut is read, and then the cut is known by its code', async () => {
    const url = await serve((_, response) => {
      response.write('half', () => response.socket?.resetAndDestroy());
    });
    const { text, error } = await drain(await post(url));
    expect(['half', '']).toContain(text);
    expect(error).toMatchObject({ name: 'TypeError', message: 'terminated' });
    expect(causeOf(error)).toMatchObject({ code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) });
  });
});

describe('what goes wrong', () => {
  test('a vendor that is not there is known by its code', async () => {
    const error = await post('http://127.0.0.1:1').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'TypeError', message: 'fetch failed' });
    expect(causeOf(error)).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('aborting ends a request that has no answer yet, closes its connection, and says why', async () => {
    const controller = new AbortController();
    let closed = (): void => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const url = await serve((request) => {
      request.socket.on('close', () => closed());
      controller.abort();
    });
    await expect(post(url, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await gone;
  });

  test('aborting ends the reading of a body', async () => {
    const controller = new AbortController();
    const url = await serve((_, response) => response.write('one'));
    const response = await post(url, { signal: controller.signal });
    const drained = drain(response);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    expect(await drained).toMatchObject({ text: 'one', error: { message: 'enough' } });
  });

  test('aborting before the call sends nothing', async () => {
    let asked = 0;
    const url = await serve(() => {
      asked += 1;
    });
    await expect(post(url, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(asked).toBe(0);
  });

  test('aborting while a connection is made does not wait for it', async () => {
    const controller = new AbortController();
    // An address that nobody answers at.
    const asked = post('http://192.0.2.1:81', { signal: controller.signal });
    controller.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('a signal that outlives a request remembers nothing of it', async () => {
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const url = await serve((_, response) => response.end('ok'));
    await (await post(url, { signal })).text();
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });

  test('an URL that is none is refused', async () => {
    await expect(post('nowhere')).rejects.toBeInstanceOf(TypeError);
  });
});

describe('a call that is to be told of', () => {
  const calling = (call: Call): RequestInit => ({ call }) as RequestInit;

  test('is told when it waits, leaves and is answered', async () => {
    const wire = new WireLog();
    const states: string[] = [];
    const url = await serve((_, response) => {
      states.push(wire.state);
      response.setHeader('x-twice', ['a', 'b']).writeHead(429, { 'Retry-After': '7' }).end();
    });
    const asked = post(url, calling({ signal: new AbortController().signal, wire }));
    states.unshift(wire.state);
    await asked;
    expect(states).toEqual(['connecting', 'sent']);
    expect(wire).toMatchObject({ status: 429, errorCode: undefined });
    expect([wire.header('retry-after'), wire.header('x-twice'), wire.header('x-none')]).toEqual(['7', 'a', undefined]);
  });

  test('is told why nobody is there', async () => {
    const wire = new WireLog();
    await post('http://127.0.0.1:1', calling({ signal: new AbortController().signal, wire })).catch(() => {});
    expect(wire).toMatchObject({ state: 'connecting', status: undefined, errorCode: 'ECONNREFUSED' });
  });

  test('ends by its own signal, whatever the SDK has made of another', async () => {
    const controller = new AbortController();
    const url = await serve((_, response) => response.write('one'));
    const response = await post(url, {
      ...calling({ signal: controller.signal }),
      signal: new AbortController().signal,
    });
    const drained = drain(response);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    expect(await drained).toMatchObject({ text: 'one', error: { message: 'enough' } });
  });

  test('is followed, and ends, where fetch takes over', async () => {
    const controller = new AbortController();
    const wire = new WireLog();
    const url = await serve((request, response) => {
      if (request.url === '/old') response.writeHead(307, { location: '/new' }).end();
      else response.writeHead(200, { 'x-at': String(request.url) }).write('one');
    });
    const response = await post(`${url}/old`, calling({ signal: controller.signal, wire }));
    expect(wire).toMatchObject({ state: 'sent', status: 200 });
    expect(wire.header('x-at')).toBe('/new');
    const drained = drain(response);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    expect(await drained).toMatchObject({ text: 'one', error: { message: 'enough' } });
  });
});

describe('what is left to the built-in fetch', () => {
  test('a redirect is followed', async () => {
    const url = await serve(async (request, response) => {
      const body = await bodyOf(request);
      if (request.url === '/old') response.writeHead(307, { location: '/new' }).end();
      else response.end(`${request.url} ${body}`);
    });
    expect(await (await post(`${url}/old`)).text()).toBe('/new asked');
  });

  test('a body that is not text', async () => {
    const url = await serve(async (request, response) => response.end(await bodyOf(request)));
    expect(await (await post(url, { body: new TextEncoder().encode('bytes') })).text()).toBe('bytes');
    expect(await (await transport(new Request(url, { method: 'POST', body: 'request' }))).text()).toBe('request');
  });

  test('everything, while somebody has put another fetch in its place', async () => {
    vi.stubGlobal('fetch', async () => new Response('recorded'));
    expect(await (await post('http://127.0.0.1:1')).text()).toBe('recorded');
  });

  test('everything, while there is a dispatcher of the user’s own under it', async () => {
    const key = Symbol.for('undici.globalDispatcher.1');
    const url = await serve((_, response) => response.end('direct'));
    // The first call makes the usual one.
    await (await fetch(url)).text();
    const usual: unknown = Reflect.get(globalThis, key);
    class UsersProxy {
      dispatched = 0;
      dispatch(): never {
        this.dispatched += 1;
        throw new Error('through the proxy');
      }
    }
    const proxy = new UsersProxy();
    Reflect.set(globalThis, key, proxy);
    try {
      await expect(post(url)).rejects.toThrow();
      expect(proxy.dispatched).toBe(1);
    } finally {
      Reflect.set(globalThis, key, usual);
    }
    expect(await (await post(url)).text()).toBe('direct');
  });
});
