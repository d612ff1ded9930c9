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

  readonly header = (name: string): string | undefined => {
    // Names and values alternate, as they came from the socket.
    for (let i = 0; i + 1 < this.#rawHeaders.length; i += 2) {
      if (String(this.#rawHeaders[i]).toLowerCase() === name) return String(this.#rawHeaders[i + 1]);
    }
    return undefined;
  };

  /** Runs `start`, whose requests this log then follows. */
  follow<T>(start: () => T): T {
    return current.run(this, start);
  }

  answered(status: number, rawHeaders: readonly Uint8Array[]): void {
    this.status = status;
    this.#rawHeaders = rawHeaders;
  }
}

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
  log.state = 'connecting';
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
