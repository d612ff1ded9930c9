import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request } from 'undici';
import { setup } from './setup.ts';

// What has to be done by anything that stands between a caller and a vendor, and falls back.

const dispatcher = new Agent({ connections: 1_024, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });

/** Hands a request on, and the answer of the first server that has one. */
export const proxy = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => void handOn(incoming.url ?? '/', Buffer.concat(chunks), outgoing));
};

const handOn = async (path: string, body: Buffer, outgoing: ServerResponse): Promise<void> => {
  const headers = { 'content-type': 'application/json', authorization: 'Bearer any-key' };
  for (const url of setup.urls) {
    try {
      const {
        statusCode,
        headers: given,
        body: answer,
      } = await request(url + path, {
        method: 'POST',
        headers,
        body,
        dispatcher,
      });
      if (statusCode >= 400) {
        await answer.dump();
        continue;
      }
      outgoing.writeHead(statusCode, { 'content-type': String(given['content-type']) });
      answer.pipe(outgoing);
      return;
    } catch {
      // The next one.
    }
  }
  outgoing.writeHead(503).end();
};
