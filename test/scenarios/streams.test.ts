import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createAdaptorServer } from '@hono/node-server';
import { createRouter, type Router, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Course, Places } from './streams-vendors.ts';

// A thousand streams of 200 chunks at once: a tenth is cut, a tenth stalls, a tenth is left by its caller. Half are relayed
// as the vendor's bytes, half are mapped from another vendor's. Vendors run in a process of their own.

const STREAMS = 1_000;
/** Two hundred words of one letter are two hundred chunks. */
const PROMPT = Array.from({ length: 200 }, (_, i) => String.fromCharCode(97 + (i % 26))).join(' ');
/**
 * What compiled code, the book of answers and a thousand closed sockets leave behind, once: 5 MB, which a second thousand
 * hardly add to. A stream that is kept with its buffers weighs 60 kB, so that one in six would show.
 */
const HEAP_GROWTH_BYTES = 9_000_000;
const VENDORS_GONE_MS = 1_000;
const CLOSED_WITHIN_MS = 10_000;

/** What becomes of a stream: what its vendor does to it, or that its caller leaves. */
type Fate = Course | 'left';

const FATES: readonly Fate[] = ['cut', 'stalled', 'left', 'well', 'well', 'well', 'well', 'well', 'well', 'well'];
const VENDORS = ['openai', 'anthropic'] as const;

interface Heard {
  readonly fate: Fate;
  readonly vendor: (typeof VENDORS)[number];
  /** What was said, held against the answer that nothing happened to. */
  readonly said: 'all of it' | 'its beginning' | 'something else';
  readonly chunks: number;
  readonly errors: number;
  readonly done: boolean;
}

setFlagsFromString('--expose_gc');
const gc = runInNewContext('gc') as () => void;

const heapBytes = async (): Promise<number> => {
  for (let i = 0; i < 6; i++) {
    gc();
    await wait(20);
  }
  return process.memoryUsage().heapUsed;
};

const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

/** Asks for a stream and reads it to whatever end it has; who is to leave hangs up after a hundred chunks. */
const listen = async (url: string, fate: Fate, vendor: Heard['vendor'], agent: Agent): Promise<Heard> => {
  const route = `${fate === 'left' ? 'well' : fate}-${vendor}`;
  const outgoing = httpRequest(`${url}/llm/${route}/v1/chat/completions`, {
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json' },
  });
  outgoing.on('error', () => {});
  outgoing.end(JSON.stringify({ stream: true, messages: [{ role: 'user', content: PROMPT }] }));
  const said: string[] = [];
  const heard = { chunks: 0, errors: 0, done: false };
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let rest = '';
  try {
    for await (const bytes of response.setEncoding('utf8')) {
      rest += bytes;
      const frames = rest.split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) hear(heard, said, frame);
      if (fate === 'left' && heard.chunks >= 100) outgoing.destroy();
    }
  } catch (error) {
    if (fate !== 'left') throw error;
  }
  const text = said.join('');
  whole[vendor] ??= text;
  const isBeginning = whole[vendor]?.startsWith(text);
  return {
    fate,
    vendor,
    said: text === whole[vendor] ? 'all of it' : isBeginning ? 'its beginning' : 'something else',
    ...heard,
  };
};

type Counts = { -readonly [Name in 'chunks' | 'errors' | 'done']: Heard[Name] };

const hear = (heard: Counts, said: string[], frame: string): void => {
  if (!frame.startsWith('data: ')) return;
  if (frame === 'data: [DONE]') {
    heard.done = true;
    return;
  }
  const { error, choices = [] } = JSON.parse(frame.slice(6));
  if (error !== undefined) heard.errors += 1;
  const text: unknown = choices[0]?.delta?.content;
  if (typeof text === 'string' && text !== '') {
    said.push(text);
    heard.chunks += 1;
  }
};

let vendors: ChildProcess;
let router: Router;
let server: Server;
let all: readonly Heard[];
/** What each vendor answers when nothing is wrong; its first answer. */
const whole: Partial<Record<Heard['vendor'], string>> = {};
let leftInFlight: number;
let leftSockets: number;
let heap: readonly [number, number];
const outcomes = new Map<string, number>();

beforeAll(async () => {
  const socketsBefore = sockets();
  vendors = fork(new URL('./streams-vendors.ts', import.meta.url), { execArgv: ['--conditions=@switchyard/source'] });
  const [places] = (await once(vendors, 'message')) as [Places];
  const timeouts = { connect: '20s', firstContent: '60s', idle: '8s' } as const;
  const pool = (course: Course, vendor: Heard['vendor']): [TargetSpec] => [
    vendor === 'openai'
      ? openai('gpt-5-mini', { apiKey: 'any-key', baseURL: `${places[course].openai}/v1`, timeouts })
      : anthropic('claude-sonnet-5-5', { apiKey: 'any-key', baseURL: places[course].anthropic, timeouts }),
  ];
  const courses = ['well', 'cut', 'stalled'] as const;
  const routes = Object.fromEntries(
    courses.flatMap((course) =>
      VENDORS.map((vendor) => [`${course}-${vendor}`, { deadline: '90s', pool: pool(course, vendor) }] as const),
    ),
  );
  router = createRouter({
    routes,
    onEvent(event) {
      if (event.type !== 'attempt-ended') return;
      const { outcome } = event.attempt;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    },
  });
  const app = new Hono();
  app.use('/llm/*', switchyard(router));
  server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const crowd = async (): Promise<readonly Heard[]> => {
    const agent = new Agent({ keepAlive: false });
    const heard = await Promise.all(
      Array.from({ length: STREAMS }, (_, i) =>
        listen(
          url,
          FATES[i % FATES.length] as Fate,
          VENDORS[Math.floor(i / FATES.length) % 2] as Heard['vendor'],
          agent,
        ),
      ),
    );
    agent.destroy();
    return heard;
  };
  // One of each first: code that is compiled, and connections that are made, are no leak.
  const agent = new Agent();
  await Promise.all(VENDORS.map((vendor) => listen(url, 'well', vendor, agent)));
  agent.destroy();
  const before = await heapBytes();
  outcomes.clear();
  all = await crowd();
  leftInFlight = router
    .snapshot()
    .flatMap(({ targets }) => targets)
    .reduce((sum, { inFlight }) => sum + inFlight, 0);
  // Its idle connections weigh more than whatever might have been forgotten; they go with the vendors.
  vendors.kill();
  await once(vendors, 'exit');
  await wait(VENDORS_GONE_MS);
  heap = [before, await heapBytes()];
  await new Promise((resolve) => server.close(resolve));
  for (let i = 0; i < CLOSED_WITHIN_MS / 50 && sockets() > socketsBefore; i++) await wait(50);
  leftSockets = sockets() - socketsBefore;
  console.log(
    `heap ${heap.map((bytes) => (bytes / 1e6).toFixed(1)).join(' to ')} MB; ${JSON.stringify([...outcomes])}`,
  );
}, 180_000);

afterAll(() => {
  server?.closeAllConnections();
  vendors?.kill();
});

const of = (fate: Fate): readonly Heard[] => all.filter((heard) => heard.fate === fate);

describe('of a thousand streams of 200 chunks at once', () => {
  test('each that nothing happened to came whole, and was done once', () => {
    expect(of('well')).toHaveLength(700);
    for (const { said, chunks, errors, done } of of('well')) {
      expect(said).toBe('all of it');
      expect(chunks).toBeGreaterThanOrEqual(200);
      expect([errors, done]).toEqual([0, true]);
    }
  });

  test.each(['cut', 'stalled'] as const)('each that was %s said what it had, then one error, and no end', (fate) => {
    expect(of(fate)).toHaveLength(100);
    for (const { said, chunks, errors, done } of of(fate)) {
      expect(said).toBe('its beginning');
      expect(chunks).toBeGreaterThan(80);
      expect(chunks).toBeLessThan(95);
      expect([errors, done]).toEqual([1, false]);
    }
  });

  test('each whose caller left was stopped', () => {
    expect(of('left')).toHaveLength(100);
    for (const { said, done } of of('left')) {
      expect(said).toBe('its beginning');
      expect(done).toBe(false);
    }
    expect(outcomes.get('aborted')).toBe(100);
  });

  test('every attempt was told of as what it was', () => {
    // All began with content; a cut one and a stalled one ended once more.
    expect(Object.fromEntries(outcomes)).toEqual({ answered: STREAMS, broken: 100, stalled: 100, aborted: 100 });
  });

  test('nothing is left: no attempt, no socket, no heap', () => {
    expect(leftInFlight).toBe(0);
    expect(leftSockets).toBe(0);
    expect(heap[1] - heap[0]).toBeLessThan(HEAP_GROWTH_BYTES);
  });
});
