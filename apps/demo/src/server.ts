import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

export interface RunningServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Takes no more requests, gives those under way a moment to end, and then cuts them off. */
  close(): Promise<void>;
}

/** The server could not start. The message says what to do. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
}

/** What an answer under way gets to end by itself, in ms. */
const GRACE_MS = 500;

/** Serves an app on 127.0.0.1; port 0 takes a free one. */
export const listen = async (app: Hono, port: string): Promise<RunningServer> => {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new ServerError(`PORT: expected a number from 0 to 65535, and got '${port}'.`);
  }
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), '127.0.0.1', resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw new ServerError(
      error.code === 'EADDRINUSE'
        ? `Port ${port} is in use. Stop what listens there, or choose another: PORT=8081 npm start`
        : `Cannot listen on port ${port}: ${error.message}`,
    );
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : port}`,
    close: () =>
      new Promise((resolve) => {
        const cutOff = setTimeout(() => server.closeAllConnections(), GRACE_MS);
        server.close(() => {
          clearTimeout(cutOff);
          resolve();
        });
      }),
  };
};
