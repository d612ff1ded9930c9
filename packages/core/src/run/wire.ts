import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Wire } from '../provider.ts';

/**
 * What undici, which is under the built-in fetch, tells of the requests that an attempt makes. It tells the same for
 * every SDK, also for those that keep the headers of an error or the code of a socket to themselves, and nothing has to
 * be patched for it. On a runtime whose fetch is not undici the log stays empty, and the SDK's own word has to do.
 */
export class WireLog implements Wire {
  state: Wire['state'] = 'idle';
  status: number | undefined;
  errorCode: string | undefined;
  #rawHeaders: readonly Uint8Array[] = [];
  #headers: Map<string, string> | undefined;

  readonly header = (name: string): string | undefined => {
    this.#headers ??= decoded(this.#rawHeaders);
    return this.#headers.get(name);
  };

  /** Runs `start`, whose requests this log then follows. */
  follow<T>(start: () => T): T {
    return current.run(this, start);
  }

  answered(status: number, rawHeaders: readonly Uint8Array[]): void {
    this.status = status;
    this.#rawHeaders = rawHeaders;
    this.#headers = undefined;
  }
}

/** Names and values alternate, as they came from the socket. Of a header that comes twice, the first counts. */
const decoded = (raw: readonly Uint8Array[]): Map<string, string> => {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]).toLowerCase();
    if (!headers.has(name)) headers.set(name, String(raw[i + 1]));
  }
  return headers;
};

interface UndiciMessage {
  readonly request: object;
  readonly response?: { readonly statusCode: number; readonly headers: readonly Uint8Array[] };
  readonly error?: { readonly code?: string };
}

const current = new AsyncLocalStorage<WireLog>();
const logs = new WeakMap<object, WireLog>();

const listen = (channel: string, hear: (log: WireLog, message: UndiciMessage) => void): void =>
  subscribe(`undici:${channel}`, (message) => {
    const log = logs.get((message as UndiciMessage).request);
    if (log !== undefined) hear(log, message as UndiciMessage);
  });

subscribe('undici:request:create', (message) => {
  const log = current.getStore();
  if (log === undefined) return;
  logs.set((message as UndiciMessage).request, log);
  // Once it has answered it can be reached: an attempt may take several requests, and the time to connect is that of the first.
  if (log.status === undefined) log.state = 'connecting';
});
listen('client:sendHeaders', (log) => {
  log.state = 'sent';
});
listen('request:headers', (log, { response }) => {
  if (response !== undefined) log.answered(response.statusCode, response.headers);
});
listen('request:error', (log, { error }) => {
  log.errorCode ??= error?.code;
});
