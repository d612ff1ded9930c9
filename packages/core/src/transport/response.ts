import type { Dispatcher } from 'undici';
import type { WireBody } from './body.ts';

type IncomingHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

/** The headers of a response, as they were parsed; as much of `Headers` as anybody reads. */
export class WireHeaders {
  readonly #headers: IncomingHeaders;

  constructor(headers: IncomingHeaders) {
    this.#headers = headers;
  }

  get(name: string): string | null {
    // Those of the SDKs are in lower case already, as the parsed ones are.
    const value = this.#headers[name] ?? this.#headers[name.toLowerCase()];
    return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  getSetCookie(): string[] {
    const value = this.#headers['set-cookie'] ?? [];
    return Array.isArray(value) ? value : [value];
  }

  forEach(callback: (value: string, name: string, headers: WireHeaders) => void): void {
    for (const [name, value] of this) callback(value, name, this);
  }

  entries(): ArrayIterator<[string, string]> {
    return Object.keys(this.#headers)
      .map((name): [string, string] => [name, this.get(name) ?? ''])
      .values();
  }

  *keys(): Generator<string, undefined> {
    yield* Object.keys(this.#headers);
  }

  *values(): Generator<string, undefined> {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator](): ArrayIterator<[string, string]> {
    return this.entries();
  }
}

/** A response as it comes off the socket. What the SDKs use of it is cheap; all else makes it a `Response`. */
export class WireResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: WireHeaders;
  /** Nobody reads it but the logs of SDKs, which take it apart for each answer, whether or not it is logged. */
  readonly url = '';
  readonly type = 'default';
  readonly redirected = false;
  readonly #body: WireBody;
  #native: Response | undefined;

  constructor(status: number, statusText: string, headers: WireHeaders, body: WireBody) {
    this.status = status;
    this.statusText = statusText;
    this.headers = headers;
    this.#body = body;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get body(): WireBody | ReadableStream | null {
    if (BODILESS.has(this.status)) return null;
    return this.#native === undefined ? this.#body : this.#native.body;
  }

  get bodyUsed(): boolean {
    return this.#native?.bodyUsed ?? this.#body.locked;
  }

  async text(): Promise<string> {
    return this.#native === undefined ? this.#body.text() : this.#native.text();
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#toNative().arrayBuffer();
  }

  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.arrayBuffer());
  }

  async blob(): Promise<Blob> {
    return this.#toNative().blob();
  }

  async formData(): Promise<unknown> {
    return this.#toNative().formData();
  }

  clone(): Response {
    return this.#toNative().clone();
  }

  #toNative(): Response {
    this.#native ??= new Response(BODILESS.has(this.status) ? null : this.#body.stream, {
      status: this.status,
      statusText: this.statusText,
      headers: [...this.headers],
    });
    return this.#native;
  }
}

/** A Response with one of these and a body is an error. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);
