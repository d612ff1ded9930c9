import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { ReadHeader } from '../decide/retry-after.ts';
import type { Wire, WireListener } from '../provider.ts';

/**
 * What becomes of the requests that an attempt makes. A transport of our own tells it. For all others undici does, which is
 * under the built-in fetch: the same for every SDK, also for those that keep the headers of an error or the code of a socket
 * to themselves, and nothing has to be patched for it. On a runtime whose fetch is not undici the log stays empty, and the
 * SDK's own word has to do.
 */
export class WireLog implements Wire, WireListener {
  state: Wire['state'] = 'idle';
  status: number | undefined;
  errorCode: string | undefined;
  #header: ReadHeader = () => undefined;

  readonly header: ReadHeader = (name) => this.#header(name);

  connecting(): void {
    // Once it has answered it can be reached: an attempt may take several requests, and the time to connect is that of the first.
    if (this.status === undefined) this.state = 'connecting';
  }

  sent(): void {
    this.state = 'sent';
  }

  answered(status: number, header: ReadHeader): void {
    this.status = status;
    this.#header = header;
  }

  failed(code: string | undefined): void {
    this.errorCode ??= code;
  }

  follow<T>(start: () => T): T {
    listen();
    return current.run(this, start);
  }
}

interface UndiciMessage {
  readonly request: object;
  readonly response?: { readonly statusCode: number; readonly headers: readonly Uint8Array[] };
  readonly error?: { readonly code?: string };
}

const current = new AsyncLocalStorage<WireLog>();
const logs = new WeakMap<object, WireLog>();
let isListening = false;

/** Not before there is somebody to listen for: undici puts a message together for each step of each request then. */
const listen = (): void => {
  if (isListening) return;
  isListening = true;
  subscribe('undici:request:create', (message) => {
    const log = current.getStore();
    if (log === undefined) return;
    logs.set((message as UndiciMessage).request, log);
    log.connecting();
  });
  hear('client:sendHeaders', (log) => log.sent());
  hear('request:headers', (log, { response }) => {
    if (response !== undefined) log.answered(response.statusCode, headersIn(response.headers));
  });
  hear('request:error', (log, { error }) => log.failed(error?.code));
};

const hear = (channel: string, tell: (log: WireLog, message: UndiciMessage) => void): void =>
  subscribe(`undici:${channel}`, (message) => {
    const log = logs.get((message as UndiciMessage).request);
    if (log !== undefined) tell(log, message as UndiciMessage);
  });

/** Names and values alternate, as they came from the socket. Of a header that comes twice, the first counts. */
const headersIn = (raw: readonly Uint8Array[]): ReadHeader => {
  let headers: Map<string, string> | undefined;
  return (name) => {
    if (headers === undefined) {
      headers = new Map();
      for (let i = 0; i + 1 < raw.length; i += 2) {
        const each = String(raw[i]).toLowerCase();
        if (!headers.has(each)) headers.set(each, String(raw[i + 1]));
      }
    }
    return headers.get(name);
  };
};
