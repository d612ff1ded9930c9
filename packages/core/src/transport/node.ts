/// <reference path="./undici-agent.d.ts" />
import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Dispatcher } from 'undici';
// Not from 'undici': that puts an Agent of its own under the built-in fetch of the whole process.
import Agent from 'undici/lib/dispatcher/agent.js';
import type { Call, WireListener } from '../provider.ts';
import { WireBody } from './body.ts';
import { FixedHeaders } from './fixed-headers.ts';
import { createLookup } from './lookup.ts';
import { WireHeaders, WireResponse } from './response.ts';

/**
 * One pool for all targets of the process, with as many connections as there are requests under way. It has no clock of its
 * own but that of connecting: how long an answer may take is the router's to say. HTTP/1.1 only: a connection for each request
 * costs less CPU than streams that share one, and a broken one takes nobody else with it.
 */
const agent = new Agent({
  allowH2: false,
  pipelining: 1,
  headersTimeout: 0,
  bodyTimeout: 0,
  // Vendors keep idle connections for a minute and more, and say so where they do not; a new one costs two round trips or three.
  keepAliveTimeout: 30_000,
  // The router gives an attempt up sooner; this is when the socket is.
  connect: { timeout: 10_000, lookup: createLookup() },
});

/**
 * A `fetch` for the SDKs on Node, at a fraction of what the built-in one costs: no Request and Response, and no stream in
 * between. It takes what the SDKs ask of it, and hands anything else to the built-in fetch: bodies that are not text,
 * redirects, and everything in a process in which somebody has put something in the place of fetch, or of the
 * dispatcher under it: a proxy, a recorder, a mock.
 */
export const transport: typeof fetch | undefined = (input, init: TransportInit = {}) => {
  const { body } = init;
  const isOurs = (typeof input === 'string' || input instanceof URL) && (typeof body === 'string' || body == null);
  if (!isOurs || isReplaced()) return fetchInstead(input, init);
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(String(input), init, resolve, reject);
    exchange.start();
  });
};

/** What our own providers say beyond what fetch is told: see `directly`. */
interface TransportInit extends RequestInit {
  readonly call?: Call;
}

const fetchInstead = (input: Parameters<typeof fetch>[0], { call, ...init }: TransportInit): Promise<Response> => {
  if (call === undefined) return fetch(input, init);
  const start = (): Promise<Response> => fetch(input, { ...init, signal: call.signal });
  return call.wire === undefined ? start() : call.wire.follow(start);
};

// ── who else is there ────────────────────────────────────────────────────────────────────────────────────────────────

/** Where undici keeps the dispatcher of the built-in fetch, and of its own later versions. */
const [BUILT_IN, LATER] = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')];

const builtInFetch: typeof fetch = globalThis.fetch;

/** What was last looked at, since it hardly ever changes. */
const seen: { builtIn: unknown; later: unknown; isReplaced: boolean } = {
  builtIn: undefined,
  later: undefined,
  isReplaced: false,
};

const isReplaced = (): boolean => {
  const builtIn: unknown = Reflect.get(globalThis, BUILT_IN);
  const later: unknown = Reflect.get(globalThis, LATER);
  if (builtIn !== seen.builtIn || later !== seen.later) {
    Object.assign(seen, { builtIn, later, isReplaced: !isUsual(builtIn) || !isUsual(later) });
  }
  return seen.isReplaced || globalThis.fetch !== builtInFetch;
};

/** None yet, or the Agent that undici makes for itself, without a setting. Around it, later versions put a wrapper for earlier ones. */
const isUsual = (dispatcher: unknown): boolean => {
  if (typeof dispatcher !== 'object' || dispatcher === null) return true;
  const { name } = dispatcher.constructor;
  if (name === 'Dispatcher1Wrapper') return true;
  const key = Object.getOwnPropertySymbols(dispatcher).find(({ description }) => description === 'options');
  const options: object = (key && Reflect.get(dispatcher, key)) ?? {};
  return name === 'Agent' && Object.values(options).every((value) => value === undefined || value === Infinity);
};

// ── one request and its response ─────────────────────────────────────────────────────────────────────────────────────

/** Hears from undici what becomes of a request, and turns it into what fetch would say. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #url: string;
  readonly #init: TransportInit;
  readonly #resolve: (response: Response | Promise<Response>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #signal: AbortSignal | null | undefined;
  readonly #wire: WireListener | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #body: WireBody | undefined;
  /** The caller has left, or the built-in fetch has taken over. */
  #over = false;

  constructor(
    url: string,
    init: TransportInit,
    resolve: (response: Response | Promise<Response>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#url = url;
    this.#init = init;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = init.call?.signal ?? init.signal;
    this.#wire = init.call?.wire;
  }

  start(): void {
    const { method = 'GET', headers, body } = this.#init;
    if (this.#signal?.aborted) {
      this.#reject(this.#signal.reason);
      return;
    }
    this.#signal?.addEventListener('abort', this.#leave);
    const from = this.#url.indexOf('/', this.#url.indexOf('://') + 3);
    const hash = this.#url.indexOf('#', from);
    this.#wire?.connecting();
    try {
      agent.dispatch(
        {
          origin: from < 0 ? this.#url : this.#url.slice(0, from),
          path: from < 0 ? '/' : this.#url.slice(from, hash < 0 ? undefined : hash),
          method: method as Dispatcher.HttpMethod,
          headers: listOf(headers) as string[],
          body: (body ?? null) as string | null,
        },
        this,
      );
    } catch (error) {
      this.onResponseError(undefined, error as Error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#wire?.sent();
    // The caller left while the connection was made.
    if (this.#over) controller.abort(abortError(this.#signal?.reason));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: ConstructorParameters<typeof WireHeaders>[0],
    statusText = '',
  ): void {
    if (status < 200) return;
    this.#wire?.answered(status, (name) => firstOf(headers[name]));
    if (isForFetch(status, headers)) {
      this.#handOver(controller);
      return;
    }
    this.#body = new WireBody(controller);
    const given = new WireHeaders(headers);
    const response = new WireResponse(status, statusText, given, this.#body);
    const unpack = UNPACK[given.get('content-encoding') ?? ''];
    this.#resolve(unpack === undefined ? (response as unknown as Response) : unpacked(response, this.#body, unpack()));
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk as Uint8Array<ArrayBuffer>);
  }

  onResponseEnd(): void {
    this.#settle();
    this.#body?.end();
  }

  onResponseError(_: unknown, error: Error): void {
    this.#settle();
    this.#wire?.failed((error as NodeJS.ErrnoException).code);
    if (this.#over) return;
    // In the words of fetch, which the SDKs know.
    if (this.#body === undefined) this.#reject(new TypeError('fetch failed', { cause: error }));
    else this.#body.fail(new TypeError('terminated', { cause: error }));
  }

  /** Nobody waits for the socket, which may be slow to notice. */
  readonly #leave = (): void => {
    if (this.#over) return;
    const reason: unknown = this.#signal?.reason;
    if (this.#body === undefined) this.#reject(reason);
    else this.#body.fail(reason);
    this.#over = true;
    this.#settle();
    this.#controller?.abort(abortError(reason));
  };

  /** A vendor does no work for a redirect, so that asking again asks nobody twice. */
  #handOver(controller: Dispatcher.DispatchController): void {
    this.#over = true;
    this.#settle();
    controller.abort(new Error('handed over to fetch'));
    this.#resolve(fetchInstead(this.#url, this.#init));
  }

  #settle(): void {
    this.#signal?.removeEventListener('abort', this.#leave);
  }
}

/** Nobody asks for a compressed answer; who sends one all the same is understood as fetch does. */
const UNPACK: Readonly<Record<string, () => Transform>> = {
  br: createBrotliDecompress,
  deflate: createInflate,
  gzip: createGunzip,
  'x-gzip': createGunzip,
};

const unpacked = ({ status, statusText, headers }: WireResponse, body: WireBody, unpack: Transform): Response => {
  // Whoever reads hears of an error from the one that is read.
  pipeline(Readable.from(body, { objectMode: false }), unpack, () => {});
  return new Response(Readable.toWeb(unpack) as ReadableStream, { status, statusText, headers: [...headers] });
};

const firstOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

const isForFetch = (status: number, headers: ConstructorParameters<typeof WireHeaders>[0]): boolean =>
  status >= 300 && status < 400 && status !== 304 && headers.location !== undefined;

const abortError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new DOMException('This operation was aborted', 'AbortError');

/** Names and values by turns, as undici takes them without another look. */
const listOf = (headers: RequestInit['headers']): readonly string[] => {
  if (headers instanceof FixedHeaders) return headers.list;
  const list: string[] = [];
  if (headers === undefined) return list;
  if (typeof (headers as Headers).forEach === 'function' && !Array.isArray(headers)) {
    (headers as Headers).forEach((value, name) => {
      list.push(name, value);
    });
  } else if (Array.isArray(headers)) for (const [name = '', value = ''] of headers) list.push(name, value);
  else for (const [name, value] of Object.entries(headers as Record<string, string>)) list.push(name, value);
  return list;
};
