import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Canned, cannedAnswers } from './answers.ts';
import { serveParent } from './process.ts';

// The mock vendor: two servers, of which a candidate asks the first, and the second when the first has failed.

/** How a server behaves from now on. */
export interface Manner {
  /** From the request to the first byte, in ms. */
  readonly delayMs?: number;
  /** Whether that is half as long or one and a half times as long as often, so that callers do not move in step. */
  readonly isUneven?: boolean;
  /** Words of a stream. */
  readonly chunks?: number;
  /** Between two words of a stream, in ms. 0: each in a packet of its own, as fast as they can be written. */
  readonly pauseMs?: number;
  /**
   * `reset` breaks the connection off when it is asked something. `refuse` does so too, and resets new ones as soon as they are
   * made: so every request that is made from then on is counted once, on a connection that was kept or on a new one, and
   * answers that are under way still come. One that the system refuses nobody could count.
   */
  readonly fault?: 'status-500' | 'status-429' | 'reset' | 'refuse' | 'hang';
  /** Only each n-th request fails. */
  readonly faultEvery?: number;
}

interface Side {
  readonly url: string;
  manner: Manner;
  /** Requests, and connections that were refused. */
  arrivals: number;
}

const answersByChunks = new Map<number, ReadonlyMap<string, Canned>>();

const answerFor = (path: string, chunks: number): Canned | undefined => {
  let answers = answersByChunks.get(chunks);
  if (answers === undefined) {
    answers = cannedAnswers(chunks);
    answersByChunks.set(chunks, answers);
  }
  for (const [end, answer] of answers) if (path.endsWith(end)) return answer;
  return undefined;
};

/** When the first server last failed a request; until the next request arrives at the second. */
let failedAtMs: number | undefined;
let gapsMs: number[] = [];

const fail = (side: Side, response: ServerResponse): void => {
  const { fault } = side.manner;
  failedAtMs = performance.now();
  if (fault === 'reset' || fault === 'refuse') response.socket?.resetAndDestroy();
  else if (fault === 'status-500' || fault === 'status-429') {
    const status = fault === 'status-500' ? 500 : 429;
    // The shortest wait that can be said, so that the next request is tried here again.
    const headers = { 'content-type': 'application/json', ...(status === 429 && { 'retry-after-ms': '1' }) };
    response.writeHead(status, headers).end('{"error":{"message":"down","type":"server_error","code":null}}');
  }
};

const answer = async (side: Side, path: string, asked: string, response: ServerResponse): Promise<void> => {
  const { delayMs = 0, isUneven = false, chunks = 200, pauseMs = 0 } = side.manner;
  const found = answerFor(path, chunks);
  if (found === undefined) {
    response.writeHead(404).end();
    return;
  }
  if (delayMs > 0) await pause(isUneven ? delayMs * (0.5 + Math.random()) : delayMs);
  if (!path.includes(':stream') && !/"stream": ?true/.test(asked)) {
    response.writeHead(200, { 'content-type': found.contentType.json, 'content-length': found.body.length });
    response.end(found.body);
    return;
  }
  response.writeHead(200, { 'content-type': found.contentType.stream });
  for (const frame of found.frames) {
    if (response.destroyed) return;
    response.write(frame);
    if (pauseMs > 0) await pause(pauseMs);
    // Out with it: what is written in one turn of the loop would leave in one packet.
    else await new Promise(setImmediate);
  }
  response.end();
};

const listen = async (isFirst: boolean): Promise<Side> => {
  let requests = 0;
  const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (request, response) => {
    arrive(side);
    if (!isFirst && failedAtMs !== undefined) {
      gapsMs.push(performance.now() - failedAtMs);
      failedAtMs = undefined;
    }
    const { fault, faultEvery = 1 } = side.manner;
    requests += 1;
    const fails = fault !== undefined && requests % faultEvery === 0;
    read(request, (asked) => {
      if (fails) fail(side, response);
      else void answer(side, (request.url ?? '').replace(/\?.*/, ''), asked, response);
    });
  });
  server.on('connection', (socket) => {
    if (side.manner.fault !== 'refuse') return;
    arrive(side);
    socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const side: Side = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    manner: {},
    arrivals: 0,
  };
  return side;
};

/** The second server has seen a thousand requests: what else reaches the first one is not counted. */
const ENOUGH = 1_000;

const arrive = (side: Side): void => {
  if (sides[1].arrivals < ENOUGH) side.arrivals += 1;
};

const read = (request: IncomingMessage, then: (body: string) => void): void => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => then(body));
};

const sides = [await listen(true), await listen(false)] as const;

const skills = {
  urls: (): readonly [string, string] => [sides[0].url, sides[1].url],
  /** Sets how the first server behaves, and forgets what was counted. The second one has no faults. */
  behave: (manner: Manner): void => {
    const { fault: _, faultEvery: __, ...well } = manner;
    sides[0].manner = manner;
    sides[1].manner = well;
    sides[0].arrivals = 0;
    sides[1].arrivals = 0;
    gapsMs = [];
    failedAtMs = undefined;
  },
  /** What has arrived since then at each server, until the second had a thousand; and from each failure to the request that followed it, in ms. */
  counted: (): { arrivals: readonly [number, number]; gapsMs: readonly number[] } => ({
    arrivals: [sides[0].arrivals, sides[1].arrivals],
    gapsMs,
  }),
};

export type VendorSkills = typeof skills;

serveParent(skills);
