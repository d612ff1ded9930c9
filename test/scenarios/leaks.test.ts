import { type ChildProcess, fork } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { Agent, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createAdaptorServer } from '@hono/node-server';
import {
  type ChatRequest,
  createRouter,
  type Router,
  type RouterEvent,
  type RouteSnapshot,
  type System,
} from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { type Fault, startSimulator } from '@switchyard/simulator';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROVIDERS, type ProviderName, simulated, vendorOf } from '../wire/targets.ts';
import { ask, crowd, type Ending } from './traffic.ts';
import type { Order, Urls } from './vendors.ts';

// What is left of 10 000 requests, 500 of them under way at any time, while three vendors come and go: nothing. The
// vendors run in a process of their own; the callers, the server and the router in this one.

const REQUESTS = 10_000;
const IN_FLIGHT = 500;
/** One caller in so many hangs up: before there is an answer, or in the middle of it. */
const LEAVES_EACH = 33;
/** A caller who was refused comes back after so long, or a bad moment would use up all requests. */
const REFUSED_PAUSE_MS = 250;

const VENDORS = ['openai', 'anthropic', 'cohere'] as const;

/** One after the other befalls one vendor after the other. */
const FAULTS: readonly Fault[] = [
  { kind: 'status', status: 503 },
  { kind: 'hang-before-headers' },
  { kind: 'cut', afterEvents: 5 },
  { kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 1_000 } },
  { kind: 'refuse' },
  { kind: 'stall', afterEvents: 5 },
  { kind: 'hang-after-headers' },
  { kind: 'reset' },
];
const FAULT_MS = 1_200;
const CALM_MS = 1_300;

/** Short, so that whatever outlives its request is soon over: a hanging attempt, or a probe. */
const TIMEOUTS = { firstContent: '3s', answer: '3s', idle: '2s' } as const;
const SETTLED_WITHIN_MS = 10_000;
/** Time for the server to notice that callers have left. */
const GRACE_MS = 250;
/** A cooling, two probes, and a share that grows. */
const RECOVERED_WITHIN_MS = 20_000;
/** The built-in fetch keeps idle connections for 4 s. */
const IDLE_CLOSED_MS = 4_500;
const CLOSED_WITHIN_MS = 10_000;

/**
 * What the heap may grow by from the first half of the requests to the second: 400 bytes for each request of the second, which
 * the book of answers keeps for their scores, up to 20 MB; and 800 more, a fraction of what a request weighs that is kept with
 * its messages. By itself, as code is compiled and thrown away, the
 * heap moves by 2 MB either way.
 */
const HEAP_GROWTH_BYTES = 1_200 * (REQUESTS / 2);

/** Counts the timers that were set and have neither fired nor been taken back. */
class CountedSystem implements System {
  pendingTimers = 0;
  nowMs = (): number => performance.now();
  dice = (): number => Math.random();
  schedule = (delayMs: number, callback: () => void): (() => void) => {
    let pending = true;
    this.pendingTimers += 1;
    const over = (): void => {
      if (pending) this.pendingTimers -= 1;
      pending = false;
    };
    const timer = setTimeout(() => {
      over();
      callback();
    }, Math.ceil(delayMs));
    return () => {
      over();
      clearTimeout(timer);
    };
  };
}

/** How often a request was said to have ended, and by target how its attempt was said to have ended. */
interface Entry {
  ends: number;
  readonly outcomes: Map<string, string[]>;
}

/** The books on every request and every attempt, kept from the router's events. */
class Books {
  #entries = new Map<string, Entry>();
  /** Events about what never began. */
  readonly strays: RouterEvent[] = [];
  attempts = 0;
  /** Answers to ordinary first attempts, by target. */
  readonly answeredFirst = new Map<string, number>();

  readonly hear = (event: RouterEvent): void => {
    if (!('requestId' in event)) return;
    if (event.type === 'request-started') {
      this.#entries.set(event.requestId, { ends: 0, outcomes: new Map() });
      return;
    }
    const entry = this.#entries.get(event.requestId);
    if (entry === undefined) {
      this.strays.push(event);
      return;
    }
    if (event.type === 'attempt-started') {
      this.attempts += 1;
      // A target is asked once for a request, so that it names the attempt.
      if (entry.outcomes.has(event.target)) this.strays.push(event);
      entry.outcomes.set(event.target, []);
    } else if (event.type === 'attempt-ended') {
      const { target, role, outcome } = event.attempt;
      if (role === 'first' && outcome === 'answered') {
        this.answeredFirst.set(target, (this.answeredFirst.get(target) ?? 0) + 1);
      }
      const outcomes = entry.outcomes.get(target);
      if (outcomes === undefined) this.strays.push(event);
      else outcomes.push(outcome);
    } else if (event.type === 'request-answered' || event.type === 'request-failed') entry.ends += 1;
  };

  /** Whether something that began has not ended. */
  get isOpen(): boolean {
    return this.#entries
      .values()
      .some(({ ends, outcomes }) => ends === 0 || outcomes.values().some((told) => told.length === 0));
  }

  /** Begins anew, and gives back how many requests there were, and those that are not in order. */
  close(): { readonly requests: number; readonly wrong: readonly Entry[] } {
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    return { requests: entries.length, wrong: entries.filter((entry) => !isInOrder(entry)) };
  }
}

/** An attempt ends once. One that was answered with a stream may also break off after that. */
const isInOrder = ({ ends, outcomes }: Entry): boolean =>
  ends === 1 &&
  outcomes
    .values()
    .every(
      ([end, breakOff, ...more]) =>
        end !== undefined &&
        more.length === 0 &&
        (breakOff === undefined || (end === 'answered' && breakOff !== 'answered')),
    );

setFlagsFromString('--expose_gc');
const gc = runInNewContext('gc') as () => void;

const alive = (refs: readonly WeakRef<object>[]): number => refs.filter((ref) => ref.deref() !== undefined).length;

/** Collects garbage until nobody holds on to any of them, or for a second: sockets that are being closed need a moment. */
const letGo = async (refs: readonly WeakRef<object>[]): Promise<void> => {
  for (let i = 0; i < 20; i++) {
    // To look at a reference keeps it until the next turn, so that garbage is collected in one, and looked for in another.
    await wait(50);
    gc();
    await wait(0);
    if (alive(refs) === 0) return;
  }
};

/** Bytes in use when all garbage has been collected. */
const heapBytes = async (): Promise<number> => {
  // What one round finalizes lets the next one free more.
  for (let i = 0; i < 4; i++) {
    gc();
    await wait(0);
  }
  return process.memoryUsage().heapUsed;
};

/** What keeps the process awake, by its name: idle connections do not. */
const active = (name: 'TCPSocketWrap' | 'Timeout'): number =>
  process.getActiveResourcesInfo().filter((each) => each === name).length;

/** Waits until it is so, at most so long; whether it is. */
const until = async (isSo: () => boolean, withinMs: number): Promise<boolean> => {
  const endMs = performance.now() + withinMs;
  while (!isSo() && performance.now() < endMs) await wait(20);
  return isSo();
};

/** What is left after one half of the requests. */
interface Left {
  readonly endings: Readonly<Record<Ending, number>>;
  readonly attempts: number;
  readonly requests: number;
  readonly wrong: readonly Entry[];
  readonly settled: boolean;
  readonly timers: number;
  /** Callers' signals, the listeners on them, and how many of them somebody still holds on to. */
  readonly signals: number;
  readonly listeners: number;
  readonly signalsKept: number;
  readonly heapBytes: number;
}

const socketsBefore = active('TCPSocketWrap');
const timeoutsBefore = active('Timeout');
const system = new CountedSystem();
const books = new Books();
/** The signals of all callers: as the server makes them, and as the router gets them. */
let signals: AbortSignal[] = [];

let vendors: ChildProcess;
let router: Router;
let server: Server;
let url: string;
let faultsSoFar = 0;
/** Whose turn it is to fail, next first. */
let turns: readonly (typeof VENDORS)[number][] = VENDORS;

const order = (told: Order): void => {
  vendors.send(told);
};

/** Vendors that the router makes use of now. */
const serving = (): ReadonlySet<string> => {
  const targets = router.snapshot().flatMap((route) => route.targets);
  return new Set(targets.filter(({ standing }) => standing === 'ready' || standing === 'ramping').map(({ id }) => id));
};

/**
 * Breaks one vendor after the other until it is stopped, and leaves all of them well. Another one always serves
 * meanwhile: what callers hear of a total outage is another story.
 */
const disturb = async (stop: AbortSignal): Promise<void> => {
  const pause = (ms: number): Promise<void> => wait(ms, undefined, { signal: stop }).catch(() => {});
  while (!stop.aborted) {
    const inUse = serving();
    const vendor = turns.find((name) => inUse.has(name));
    const fault = FAULTS[faultsSoFar % FAULTS.length];
    if (vendor === undefined || fault === undefined || inUse.size < 2) {
      await pause(50);
      continue;
    }
    turns = [...turns.filter((name) => name !== vendor), vendor];
    faultsSoFar += 1;
    order({ vendor, fault });
    await pause(FAULT_MS);
    order({ vendor, fault: null });
    await pause(CALM_MS);
  }
};

/** Puts half of the requests to the router, and looks at what is left. */
const half = async (): Promise<Left> => {
  const endings: Record<Ending, number> = { answered: 0, refused: 0, 'broke-off': 0, left: 0, mangled: 0 };
  const attemptsBefore = books.attempts;
  const agent = new Agent({ keepAlive: true, maxFreeSockets: IN_FLIGHT });
  const stop = new AbortController();
  const disturbing = disturb(stop.signal);
  await crowd(REQUESTS / 2, IN_FLIGHT, async (i) => {
    // The last of them find all vendors well, or everybody would wait for a few that hang.
    if (i === REQUESTS / 2 - IN_FLIGHT) stop.abort();
    // Anywhere from the first tenth of a second to the end of an answer.
    const leaveAfterMs = i % LEAVES_EACH === 0 ? 100 + ((i * 37) % 1_200) : undefined;
    const { ending } = await ask(url, { stream: i % 2 === 0, agent, leaveAfterMs });
    endings[ending] += 1;
    if (ending === 'refused') await wait(REFUSED_PAUSE_MS);
  });
  await disturbing;
  agent.destroy();
  const idleClosed = wait(IDLE_CLOSED_MS);
  const settled = await until(() => !books.isOpen, SETTLED_WITHIN_MS);
  await wait(GRACE_MS);
  const timers = system.pendingTimers;
  const listeners = signals.reduce((sum, signal) => sum + getEventListeners(signal, 'abort').length, 0);
  const refs = signals.map((signal) => new WeakRef(signal));
  signals = [];
  // Idle connections weigh as much as whatever might have been forgotten, and there are a thousand of them.
  await idleClosed;
  await letGo(refs);
  return {
    endings,
    attempts: books.attempts - attemptsBefore,
    ...books.close(),
    settled,
    timers,
    signals: refs.length,
    listeners,
    signalsKept: alive(refs),
    heapBytes: await heapBytes(),
  };
};

let halves: readonly [Left, Left];
let recovered: readonly RouteSnapshot[];
let servedAgain: ReadonlyMap<string, number>;
let socketsLeft: number;
let timeoutsLeft: number;

beforeAll(async () => {
  vendors = fork(new URL('./vendors.ts', import.meta.url), { execArgv: ['--conditions=@switchyard/source'] });
  const [urls] = (await once(vendors, 'message')) as [Urls];
  router = createRouter({
    system,
    onEvent: books.hear,
    routes: {
      chat: {
        strategy: 'weighted-round-robin',
        pool: [
          openai('gpt-5-mini', { apiKey: 'any-key', baseURL: `${urls.openai}/v1`, id: 'openai', timeouts: TIMEOUTS }),
          anthropic('claude-sonnet-5-5', {
            apiKey: 'any-key',
            baseURL: urls.anthropic,
            id: 'anthropic',
            timeouts: TIMEOUTS,
          }),
          cohere('command-a-03-2025', { token: 'any-key', baseUrl: urls.cohere, id: 'cohere', timeouts: TIMEOUTS }),
        ],
      },
    },
  });
  const watched: Router = {
    ...router,
    stream(route, request, { signal, ...options } = {}) {
      // The server's side listens to the signal that it hands over; to this one nobody but the router does.
      const caller = new AbortController();
      if (signal?.aborted) caller.abort();
      signal?.addEventListener('abort', () => caller.abort());
      signals.push(caller.signal);
      return router.stream(route, request, { ...options, signal: caller.signal });
    },
  };
  const app = new Hono();
  app.use((c, next) => {
    signals.push(c.req.raw.signal);
    return next();
  });
  app.use('/llm/*', switchyard(watched));
  server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  halves = [await half(), await half()];

  const agent = new Agent({ keepAlive: true });
  books.answeredFirst.clear();
  const isBack = (): boolean =>
    VENDORS.every((vendor) => books.answeredFirst.has(vendor)) &&
    router
      .snapshot()
      .every(({ targets }) => targets.every(({ standing }) => standing === 'ready' || standing === 'ramping'));
  for (let i = 0; i < RECOVERED_WITHIN_MS / 100 && !isBack(); i++) {
    await Promise.all([ask(url, { stream: i % 2 === 0, agent }), wait(100)]);
  }
  await until(() => !books.isOpen, SETTLED_WITHIN_MS);
  servedAgain = books.answeredFirst;
  recovered = router.snapshot();

  agent.destroy();
  await new Promise((resolve) => server.close(resolve));
  await until(() => active('TCPSocketWrap') <= socketsBefore, CLOSED_WITHIN_MS);
  socketsLeft = active('TCPSocketWrap') - socketsBefore;
  timeoutsLeft = active('Timeout') - timeoutsBefore;
  for (const { endings, attempts, signalsKept, heapBytes } of halves) {
    console.log(
      `${JSON.stringify(endings)}, ${attempts} attempts; ${signalsKept} signals and ${(heapBytes / 1e6).toFixed(1)} MB of heap left`,
    );
  }
}, 180_000);

afterAll(() => {
  server?.closeAllConnections();
  vendors?.kill();
});

describe('after 10 000 requests', () => {
  test('callers were answered while vendors came and went, but for streams that broke off', () => {
    for (const { endings, settled, requests } of halves) {
      expect(settled).toBe(true);
      expect(endings.mangled).toBe(0);
      expect(endings.left).toBeGreaterThan(0);
      // How many is another story: it is enough that what follows is not about refusals alone.
      expect(endings.answered).toBeGreaterThan(0.75 * requests);
    }
    // Otherwise nothing was broken, and nothing is shown.
    expect(faultsSoFar).toBeGreaterThan(VENDORS.length);
    expect(books.attempts).toBeGreaterThan(1.02 * REQUESTS);
  });

  test('every request and every attempt that began has ended once', () => {
    for (const { requests, wrong } of halves) {
      expect(wrong).toEqual([]);
      // Those who left at once may not have been heard.
      expect(requests).toBeGreaterThan(0.98 * (REQUESTS / 2));
    }
    expect(books.strays).toEqual([]);
  });

  test('no timer is left', () => {
    expect(halves.map(({ timers }) => timers)).toEqual([0, 0]);
    expect(timeoutsLeft).toBe(0);
  });

  test("no listener is left on a caller's signal", () => {
    for (const { signals, listeners } of halves) {
      // Each request's, and once more that of each stream.
      expect(signals).toBeGreaterThan(0.98 * 1.5 * (REQUESTS / 2));
      expect(listeners).toBe(0);
    }
  });

  test('no connection is left but idle ones', () => {
    expect(socketsLeft).toBe(0);
  });

  test('nothing is kept of callers, and memory does not grow', () => {
    const [first, second] = halves;
    expect([first.signalsKept, second.signalsKept]).toEqual([0, 0]);
    expect(second.heapBytes - first.heapBytes).toBeLessThan(HEAP_GROWTH_BYTES);
  });

  test('every target serves again once all vendors are well', () => {
    expect([...servedAgain.keys()].toSorted()).toEqual([...VENDORS].toSorted());
    const [route, ...others] = recovered;
    expect(others).toEqual([]);
    expect(route?.targets.map(({ id }) => id)).toEqual(VENDORS);
    for (const { standing, dueInMs, share = 1, inFlight } of route?.targets ?? []) {
      expect(['ready', 'ramping']).toContain(standing);
      expect(dueInMs).toBeUndefined();
      expect(share).toBeGreaterThan(0);
      expect(inFlight).toBe(0);
    }
    expect(route?.budget.hedges).toBeGreaterThanOrEqual(0);
    expect(route?.budget.lastResorts).toBeGreaterThanOrEqual(0);
  });
});

/** What becomes of an answer that has begun. */
const ENDS: Readonly<Record<string, Fault | 'the caller leaves' | null>> = {
  'comes to its end': null,
  'is left by its caller': 'the caller leaves',
  'is cut': { kind: 'cut', afterEvents: 6 },
  stalls: { kind: 'stall', afterEvents: 6 },
  'ends in an error': { kind: 'error-after-content' },
  'stops before its end': { kind: 'no-end-marker' },
};
const AT_ONCE = 10;

/** Asks for an answer and waits until that is over, whatever becomes of it. */
const hear = async (
  one: Router,
  request: ChatRequest,
  stream: boolean,
  leave: Promise<void> | undefined,
): Promise<void> => {
  const caller = new AbortController();
  const { signal } = caller;
  void leave?.then(() => caller.abort());
  try {
    if (stream) for await (const _ of one.stream('chat', request, { signal }));
    else await one.chat('chat', request, { signal });
  } catch {
    // That it ends badly is the point.
  }
};

/** Asks so many times for an answer that ends that way. Returns the prompts, which nobody needs any more. */
const askForEnd = async (
  provider: ProviderName,
  end: string,
  stream: boolean,
): Promise<readonly WeakRef<ChatRequest>[]> => {
  // A second until the answer is whole, half of it until the first token.
  const pace = { firstTokenMs: 500, tokensPerSecond: 80 };
  const simulator = await startSimulator({ vendors: { [vendorOf(provider)]: pace } });
  const fault = ENDS[end] ?? null;
  const vendor = simulator.vendors[vendorOf(provider)];
  if (fault !== null && fault !== 'the caller leaves') vendor.break(fault);
  const leave = async (): Promise<void> => {
    await until(() => vendor.calls === AT_ONCE, 10_000);
    // In the midst of a stream, and before the end of a plain answer.
    await wait(700);
  };
  const left = fault === 'the caller leaves' ? leave() : undefined;
  const prompts = await crowd(AT_ONCE, AT_ONCE, async () => {
    // A router for each: one that remembers would not ask a vendor again that fails.
    const pool = [simulated(simulator, provider, { timeouts: { connect: '10s', idle: '500ms', answer: '2s' } })];
    const request: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }] };
    const one = createRouter({ routes: { chat: { pool } } });
    await hear(one, request, stream, left);
    return new WeakRef(request);
  });
  // On a busy machine the time of some may be up before they are sent.
  expect(vendor.calls).toBeGreaterThan(AT_ONCE / 2);
  await simulator.close();
  return prompts;
};

// The requests above are too many to tell which end it was that left something, and all their prompts are short.
describe.concurrent.each(PROVIDERS)('%s: nobody holds on to the prompt', (provider) => {
  test.each([
    ['a streamed', true],
    ['a plain', false],
  ])('of %s answer that is over, whatever its end', async (_, stream) => {
    const prompts = await Promise.all(
      Object.keys(ENDS).map(async (end) => [end, await askForEnd(provider, end, stream)] as const),
    );
    await letGo(prompts.flatMap(([, refs]) => refs));
    expect(prompts.map(([end, refs]) => [end, alive(refs)])).toEqual(Object.keys(ENDS).map((end) => [end, 0]));
  });
});
