import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRouter, type Router, type RouterEvent } from '@switchyard/core';
import { switchyard } from '@switchyard/node';
import { type Fault, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simulated } from '../wire/targets.ts';
import { type Asked, ask, crowd, steadily } from './traffic.ts';

// What callers see of an outage of the first vendor, on the wire from end to end: callers over HTTP, a server, the
// router, the vendors' own SDKs, and vendors that fail on command.

interface Story {
  readonly name: string;
  /** Befalls the first vendor, while the second is well. */
  readonly fault: Fault;
}

/** Down until it is healed: ordinary traffic has to leave. */
const DOWN: readonly Story[] = [
  { name: 'the first vendor hangs', fault: { kind: 'hang-before-headers' } },
  { name: 'the first vendor answers 500', fault: { kind: 'status', status: 500 } },
  {
    name: 'the first vendor answers 429 and asks for 20 s',
    fault: { kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 20_000 } },
  },
];

/** Still answers, late or now and then: who may be sent there is a matter of taste, what callers wait is not. */
const UNSTEADY: readonly Story[] = [
  { name: 'the first vendor takes four times as long', fault: { kind: 'slow', factor: 4 } },
  { name: 'the first vendor comes and goes every 3 s', fault: { kind: 'flap', onMs: 3_000, offMs: 3_000 } },
];

/** Three rounds of the one that comes and goes; for the others, long enough for several probes. */
const FAULT_MS = 18_000;
const PER_SECOND = 5;
/** Late is what takes longer than a second, or two for a plain answer: twice that, for a machine that is busy. */
const LEFT_WITHIN_MS = 4_000;
/**
 * How much longer the median caller may wait than the second vendor takes by itself. Chance moves a median of so many
 * answers by 2 %, and the few that were late move it by 5 %; the rest is 80 ms, for a machine that is busy. It is too
 * little as soon as half of the callers wait for the first vendor.
 */
const MEDIAN_RATIO = 1.25;
/**
 * The longest that any caller waits. A router that has not learned what is late takes 8 s to look for another target
 * for a stream, and 20 s for a plain answer; one that has takes 2 s at most, and then 0.4 s for the answer.
 */
const LONGEST_MS = 6_000;
/** Each fifth caller wants a plain answer. */
const isStream = (i: number): boolean => i % 5 !== 4;

/**
 * Both vendors take about 0.4 s to the first token. The more, the less a busy machine adds to it; and four times as much
 * is well beyond the second that the router always has patience for.
 */
const VENDOR = { firstTokenMs: { median: 400, sigma: 0.1 } };

/** What happened from the fault's onset until its end. */
interface Told {
  readonly asked: readonly Asked[];
  readonly first: {
    /** Requests that reached the first vendor. */
    readonly calls: number;
    /** Attempts on it that the router reported, in ms from the onset. */
    readonly ordinaryAtMs: readonly number[];
    readonly othersAtMs: readonly number[];
  };
  /** The second vendor's own time to first content, through a server and a router of its own, in ms. */
  readonly ownMedianMs: number;
}

const open: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all(open.map((close) => close()));
});

/** A server with a router in it; its URL. */
const serve = async (router: Router): Promise<string> => {
  const middleware = switchyard(router);
  const server = createServer((request, response) =>
    middleware(request, response, () => response.writeHead(404).end('not ours')),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  open.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const play = async ({ fault }: Story, seed: number): Promise<Told> => {
  const simulator: Simulator = await startSimulator({ seed, vendors: { openai: VENDOR, anthropic: VENDOR } });
  const agent = new Agent({ keepAlive: true });
  open.push(async () => {
    agent.destroy();
    await simulator.close();
  });
  const events: RouterEvent[] = [];
  const second = simulated(simulator, 'anthropic', { id: 'second' });
  const url = await serve(
    createRouter({
      routes: { chat: { pool: [simulated(simulator, 'openai', { id: 'first' }), second] } },
      onEvent: (event) => events.push(event),
    }),
  );
  const alone = await serve(createRouter({ routes: { chat: { pool: [second] } } }));

  // Until it has seen 30 answers of a kind a router does not know what is late. Live traffic has shown it those long ago.
  const seen = await crowd(120, 20, (i) => ask(url, { stream: i % 2 === 0, agent }));
  for (const kind of [true, false]) {
    const taught = seen.filter(
      ({ stream, ending, target }) => stream === kind && ending === 'answered' && target === 'first',
    );
    expect(taught.length).toBeGreaterThan(30);
  }
  await steadily(PER_SECOND, 2_000, (i) => ask(url, { stream: isStream(i), agent }));

  const { openai } = simulator.vendors;
  const callsBefore = openai.calls;
  events.length = 0;
  openai.break(fault);
  const onsetAtMs = performance.now();
  const [asked, own] = await Promise.all([
    steadily(PER_SECOND, FAULT_MS, (i) => ask(url, { stream: isStream(i), agent })),
    steadily(PER_SECOND / 2, FAULT_MS, (i) => ask(alone, { stream: isStream(i), agent })),
  ]);
  const started = events.filter((event) => event.type === 'attempt-started').filter(({ target }) => target === 'first');
  const atMs = (attempts: typeof started): number[] => attempts.map((attempt) => attempt.atMs - onsetAtMs);
  const isOrdinary = ({ role }: (typeof started)[number]): boolean => role === 'first' || role === 'fallback';
  return {
    asked,
    first: {
      calls: openai.calls - callsBefore,
      ordinaryAtMs: atMs(started.filter(isOrdinary)),
      othersAtMs: atMs(started.filter((attempt) => !isOrdinary(attempt))),
    },
    ownMedianMs: medianMs(own),
  };
};

const medianMs = (asked: readonly Asked[]): number =>
  asked.map(({ firstContentMs }) => firstContentMs).toSorted((a, b) => a - b)[asked.length >> 1] ?? Number.NaN;

const longestMs = (asked: readonly Asked[]): number => Math.max(...asked.map(({ firstContentMs }) => firstContentMs));

const told = new Map<Story, Told>();
const outageOf = (story: Story): Told => told.get(story) as Told;

beforeAll(async () => {
  // All at once, each with a router and vendors of its own: most of the time nothing happens in any of them.
  await Promise.all([...DOWN, ...UNSTEADY].map(async (story, i) => told.set(story, await play(story, i + 1))));
  for (const [{ name }, { asked, first, ownMedianMs }] of told) {
    console.log(
      `${name}: ${first.ordinaryAtMs.length} ordinary attempts on it, the last ${Math.round(first.ordinaryAtMs.at(-1) ?? 0)} ms ` +
        `after the onset, and ${first.othersAtMs.length} others; median ${Math.round(medianMs(asked))} ms, ` +
        `longest ${Math.round(longestMs(asked))} ms, the second vendor's own median ${Math.round(ownMedianMs)} ms`,
    );
  }
}, 60_000);

describe.each([...DOWN, ...UNSTEADY])('$name', (story) => {
  test('no caller hears of it', () => {
    const { asked } = outageOf(story);
    expect(asked).toHaveLength((PER_SECOND * FAULT_MS) / 1_000);
    expect(asked.filter(({ ending }) => ending !== 'answered')).toEqual([]);
  });

  test('the median caller waits little longer than for the second vendor alone, and nobody waits for long', () => {
    const { asked, ownMedianMs } = outageOf(story);
    expect(medianMs(asked)).toBeLessThanOrEqual(MEDIAN_RATIO * ownMedianMs);
    expect(longestMs(asked)).toBeLessThan(LONGEST_MS);
  });

  test('each attempt on it is one request on the wire', () => {
    const { calls, ordinaryAtMs, othersAtMs } = outageOf(story).first;
    expect(calls).toBe(ordinaryAtMs.length + othersAtMs.length);
  });
});

describe.each(DOWN)('$name', (story) => {
  test('ordinary traffic leaves it within 4 s', () => {
    const { ordinaryAtMs } = outageOf(story).first;
    expect(ordinaryAtMs.length).toBeGreaterThan(0);
    expect(ordinaryAtMs.at(-1)).toBeLessThan(LEFT_WITHIN_MS);
  });
});
