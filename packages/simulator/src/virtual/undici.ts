import { channel } from 'node:diagnostics_channel';
import type { Headers } from '../wire.ts';

const created = channel('undici:request:create');
const sent = channel('undici:client:sendHeaders');
const answered = channel('undici:request:headers');

/**
 * Tells of a request as undici would, which is how a router learns what the transport saw: whether a connection came
 * about, the status, and the headers, also those of answers that went well.
 */
export class Transport {
  readonly #request = {};

  connecting(): void {
    created.publish({ request: this.#request });
  }

  sent(): void {
    sent.publish({ request: this.#request });
  }

  answered(statusCode: number, headers: Headers): void {
    const raw = Object.entries(headers).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
    answered.publish({ request: this.#request, response: { statusCode, headers: raw } });
  }
}
