import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

const HOST = '127.0.0.1';

/** How soon to try again to get a port back that somebody else has taken while connections were refused. */
const RETRY_MS = 10;

/** An HTTP server on a port it keeps, that can refuse connections and accept them again. */
export interface Listener {
  readonly port: number;
  /** Stops listening and destroys all connections. */
  refuse(): void;
  /** Listens again, on the same port. */
  accept(): void;
  close(): Promise<void>;
}

/** Starts to listen; 0 takes a free port. Rejects when the port is taken. */
export const listen = async (wantedPort: number, handler: RequestListener): Promise<Listener> => {
  const sockets = new Set<Socket>();
  const create = (): Server => {
    const server = createServer(handler);
    // An idle connection stays open until the client closes it: a reset that nobody ordered would look like a fault.
    server.keepAliveTimeout = 0;
    server.requestTimeout = 0;
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    return server;
  };

  const first = create();
  await new Promise<void>((resolve, reject) => {
    first.once('error', reject);
    first.listen(wantedPort, HOST, () => {
      first.off('error', reject);
      resolve();
    });
  });
  const { port } = first.address() as AddressInfo;
  let current: Server | undefined = first;
  let retry: NodeJS.Timeout | undefined;

  const open = (): void => {
    const server = create();
    current = server;
    // To listen takes a moment; it may be unwanted when it comes to pass.
    server.once('listening', () => {
      if (current !== server) server.close();
    });
    server.once('error', () => {
      if (current === server) retry = setTimeout(open, RETRY_MS);
    });
    server.listen(port, HOST);
  };
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      clearTimeout(retry);
      const server = current;
      current = undefined;
      if (server === undefined) return resolve();
      // The error it may be called with says that it was not listening, which is what is wanted.
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });

  return {
    port,
    refuse: () => void stop(),
    accept() {
      if (current === undefined) open();
    },
    close: stop,
  };
};
