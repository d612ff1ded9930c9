import { setTimeout as pause } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { ascending, quantile } from '../../../packages/simulator/src/virtual/quantile.ts';
import { serveParent } from './process.ts';

// The callers. `dispatch` is the least that undici can do for a request: no promise, no stream.

export interface Target {
  readonly origin: string;
  /** Asked in turn. */
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** Where answers are not what they should be, the run is worth nothing, and fails. */
interface Answered {
  readonly bytes: number;
  readonly frames: number;
  readonly firstWordMs: number;
  readonly tookMs: number;
}

const pools = new Map<string, Pool>();

const poolOf = (origin: string, connections: number): Pool => {
  const key = `${origin} ${connections}`;
  let pool = pools.get(key);
  if (pool === undefined) {
    pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
    pools.set(key, pool);
  }
  return pool;
};

const LF = 10;
/** Of every answer: frames without content may be handed on sooner or later, and nobody can read them. */
const FIRST_WORD = 'every';

let asked = 0;

const ask = (pool: Pool, { paths, headers, body }: Target): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const path = paths[asked++ % paths.length] ?? '/';
    const startMs = performance.now();
    let firstWordMs = Number.NaN;
    let status = 0;
    let bytes = 0;
    let frames = 0;
    let last = 0;
    let said = '';
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart(_, statusCode) {
        status = statusCode;
      },
      onResponseData(_, chunk) {
        if (Number.isNaN(firstWordMs) && chunk.includes(FIRST_WORD)) firstWordMs = performance.now() - startMs;
        bytes += chunk.length;
        if (status !== 200 && said.length < 500) said += chunk.toString();
        // A frame ends with a blank line.
        for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
          if ((at === 0 ? last : chunk[at - 1]) === LF) frames += 1;
        }
        last = chunk[chunk.length - 1] ?? 0;
      },
      onResponseEnd() {
        if (status === 200) resolve({ bytes, frames, firstWordMs, tookMs: performance.now() - startMs });
        else reject(new Error(`${path} answered ${status}: ${said}`));
      },
      onResponseError(_, error) {
        reject(error);
      },
    };
    pool.dispatch({ path, method: 'POST', headers: { ...headers }, body }, handler);
  });

const timesOf = (values: readonly number[]): Times => {
  const sorted = ascending(values);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
};

/** Twice as many requests under way as there are requests in one second: a server that cannot keep up is not measured further. */
const MOST_UNDER_WAY = 2_000;

interface Saturation {
  readonly connections: number;
  readonly forMs: number;
  readonly most?: number;
  /** While a vendor is down, some callers get an error. */
  readonly mayFail?: boolean;
}

const skills = {
  /** Asks until the time is up, or so many requests are answered: each connection the next request as soon as it has the answer. */
  saturate: async (
    target: Target,
    { connections, forMs, most = Number.POSITIVE_INFINITY, mayFail = false }: Saturation,
  ): Promise<{ answers: number; failures: number; frames: number; tookMs: number }> => {
    const pool = poolOf(target.origin, connections);
    const startMs = performance.now();
    const untilMs = startMs + forMs;
    let [begun, answers, frames, failures] = [0, 0, 0, 0];
    const caller = async (): Promise<void> => {
      while (performance.now() < untilMs && begun < most) {
        begun += 1;
        try {
          const answered = await ask(pool, target);
          frames += answered.frames;
          answers += 1;
        } catch (error) {
          failures += 1;
          // A candidate that fails where nothing is wrong is not one.
          if (!mayFail) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: connections }, caller));
    return { answers, failures, frames, tookMs: performance.now() - startMs };
  },

  /** Asks at a fixed rate, whether or not there are answers: what a request waits for its turn is a part of what it takes. */
  arrive: async (
    target: Target,
    { perSecond, forMs }: { perSecond: number; forMs: number },
  ): Promise<{ tookMs: Times; firstWordMs: Times; answers: number; failures: number }> => {
    const pool = poolOf(target.origin, 512);
    const startMs = performance.now();
    const [took, first]: [number[], number[]] = [[], []];
    let [underWay, failures] = [0, 0];
    const pending: Promise<void>[] = [];
    const total = Math.round((perSecond * forMs) / 1_000);
    for (let i = 0; i < total; ) {
      const nowMs = performance.now() - startMs;
      for (; i < total && (i * 1_000) / perSecond <= nowMs; i++) {
        if (underWay >= MOST_UNDER_WAY) {
          failures += 1;
          continue;
        }
        const lateMs = nowMs - (i * 1_000) / perSecond;
        underWay += 1;
        pending.push(
          ask(pool, target)
            .then(({ tookMs, firstWordMs }) => {
              took.push(tookMs + lateMs);
              first.push(firstWordMs + lateMs);
            })
            .catch(() => {
              failures += 1;
            })
            .finally(() => {
              underWay -= 1;
            }),
        );
      }
      await pause(1);
    }
    await Promise.all(pending);
    return { tookMs: timesOf(took), firstWordMs: timesOf(first), answers: took.length, failures };
  },

  /** So many requests at once, and each of them once. */
  atOnce: async (target: Target, count: number): Promise<{ frames: number; firstWordMs: Times; tookMs: number }> => {
    const pool = poolOf(target.origin, count);
    const startMs = performance.now();
    const all = await Promise.all(Array.from({ length: count }, () => ask(pool, target)));
    return {
      frames: all.reduce((sum, { frames }) => sum + frames, 0),
      firstWordMs: timesOf(all.map(({ firstWordMs }) => firstWordMs)),
      tookMs: performance.now() - startMs,
    };
  },

  /** Asks every 2 ms until there is an answer. */
  untilAnswered: async (target: Target): Promise<void> => {
    for (let tries = 0; tries < 5_000; tries++) {
      try {
        await ask(poolOf(target.origin, 1), target);
        return;
      } catch (error) {
        if (tries === 4_999) throw error;
        await pause(2);
      }
    }
  },
};

export type LoadSkills = typeof skills;

serveParent(skills);
