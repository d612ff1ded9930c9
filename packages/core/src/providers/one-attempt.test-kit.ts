import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest, UserPart } from '../decide/request.ts';
import type { ChatEvent, ChatResponse } from '../decide/response.ts';
import type { Provider } from '../provider.ts';
import { WireLog } from '../run/wire.ts';

// ── a vendor that says what it is told to ────────────────────────────────────────────────────────────────────────────

export interface Vendor {
  readonly url: string;
  /** The parsed bodies, oldest first. */
  readonly asked: unknown[];
  /** The headers that came with them. */
  readonly headers: IncomingHttpHeaders[];
  /** How many connections were ever made. */
  readonly connections: () => number;
  /** Resolves with the first connection that is gone. */
  readonly hungUp: Promise<unknown>;
}

const running: (() => void)[] = [];

export const startVendor = async (answer: (response: ServerResponse) => unknown): Promise<Vendor> => {
  const asked: unknown[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push(JSON.parse(body));
    headers.push(request.headers);
    await answer(response);
  });
  let connections = 0;
  const hungUp = new Promise((resolve) =>
    server.on('connection', (socket) => {
      connections += 1;
      socket.on('close', resolve);
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked, headers, connections: () => connections, hungUp };
};

/** Closes every vendor that was started. */
export const stopVendors = (): void => {
  for (const stop of running.splice(0)) stop();
};

type Answer = (response: ServerResponse) => ServerResponse;

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Answer => {
  return (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

export const raw = (body: string, contentType = 'application/json', status = 200): Answer => {
  return (response: ServerResponse) => response.writeHead(status, { 'content-type': contentType }).end(body);
};

export const frames = (events: readonly Record<string, unknown>[]): string =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');

export const sse = (...events: Record<string, unknown>[]): Answer => raw(frames(events), 'text/event-stream');

// ── one attempt, as the driver makes it ──────────────────────────────────────────────────────────────────────────────

const never = new AbortController().signal;

export const send = async (
  provider: Provider,
  request: ChatRequest,
  signal = never,
): Promise<ChatResponse | Failure> => {
  const wire = new WireLog();
  try {
    return await wire.follow(() => provider.send(request, { signal, wire }));
  } catch (error) {
    return provider.explain(error, wire);
  }
};

/** All events, and the failure that ended them, if one did. */
export const stream = async (
  provider: Provider,
  request: ChatRequest,
  signal = never,
): Promise<{ events: ChatEvent[]; failure?: Failure }> => {
  const events: ChatEvent[] = [];
  const wire = new WireLog();
  try {
    await wire.follow(async () => {
      for await (const event of provider.stream(request, { signal, wire })) events.push(event);
    });
    return { events };
  } catch (error) {
    return { events, failure: provider.explain(error, wire) };
  }
};

export const says = (...content: UserPart[]): ChatRequest => ({ messages: [{ role: 'user', content }] });
export const hi: ChatRequest = says({ type: 'text', text: 'hi' });
