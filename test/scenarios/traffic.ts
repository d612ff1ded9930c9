import { once } from 'node:events';
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** How a caller's request ended, as the caller saw it. */
export type Ending =
  /** A whole answer, or a stream with its `[DONE]`. */
  | 'answered'
  /** Another status than 200. */
  | 'refused'
  /** An answer that had begun, and then the error event of the format. */
  | 'broke-off'
  /** The caller hung up before the end. */
  | 'left'
  /** Anything else, which no caller should ever see: a cut connection, a body that is no answer. */
  | 'mangled';

/** One request of a caller. Times are in ms; instants are those of `performance.now()`. */
export interface Asked {
  readonly stream: boolean;
  readonly startedAtMs: number;
  readonly ending: Ending;
  readonly status: number | undefined;
  /** Who served it; undefined when nobody did, or the caller left before that was known. */
  readonly target: string | undefined;
  /** From the start to the first content of a stream, or to the whole of a plain answer; NaN without any. */
  readonly firstContentMs: number;
}

interface AskOptions {
  readonly stream: boolean;
  readonly agent: Agent;
  /** The caller hangs up after so many ms. */
  readonly leaveAfterMs?: number | undefined;
}

/** Asks a route over HTTP. Never rejects: what went wrong is the ending. */
export const ask = async (url: string, { stream, agent, leaveAfterMs }: AskOptions): Promise<Asked> => {
  const startedAtMs = performance.now();
  const headers = { 'content-type': 'application/json' };
  const outgoing = httpRequest(`${url}/llm/chat/v1/chat/completions`, { method: 'POST', agent, headers });
  // What is said after the end; until then whoever awaits hears of it too.
  outgoing.on('error', () => {});
  outgoing.end(
    JSON.stringify({ model: 'chat', stream, max_tokens: 12, messages: [{ role: 'user', content: 'hello' }] }),
  );
  let left = false;
  const leaving =
    leaveAfterMs === undefined
      ? undefined
      : setTimeout(() => {
          left = true;
          outgoing.destroy();
        }, leaveAfterMs);
  let status: number | undefined;
  let target: string | undefined;
  let firstContentMs = Number.NaN;
  let ending: Ending = 'mangled';
  try {
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    status = response.statusCode;
    target = response.headers['x-switchyard-target']?.toString();
    let body = '';
    for await (const bytes of response.setEncoding('utf8')) {
      body += bytes;
      if (stream && Number.isNaN(firstContentMs) && CONTENT.test(body))
        firstContentMs = performance.now() - startedAtMs;
    }
    ending = endingOf(status, stream, body);
    if (!stream && ending === 'answered') firstContentMs = performance.now() - startedAtMs;
  } catch {
    if (left) ending = 'left';
  } finally {
    clearTimeout(leaving);
  }
  return { stream, startedAtMs, ending, status, target, firstContentMs };
};

const CONTENT = /"content":"[^"]/;

const endingOf = (status: number | undefined, stream: boolean, body: string): Ending => {
  if (status !== 200) return 'refused';
  if (!CONTENT.test(body)) return 'mangled';
  if (!stream) return isJson(body) ? 'answered' : 'mangled';
  const last = body.trimEnd().split('\n\n').at(-1) ?? '';
  if (last === 'data: [DONE]') return 'answered';
  return last.startsWith('data: {"error"') ? 'broke-off' : 'mangled';
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** Starts one call after another at an even rate, however long each takes. Resolves when the last has ended. */
export const steadily = async <T>(
  perSecond: number,
  durationMs: number,
  call: (i: number) => Promise<T>,
): Promise<T[]> => {
  const startMs = performance.now();
  const calls: Promise<T>[] = [];
  for (let i = 0; i < (perSecond * durationMs) / 1_000; i++) {
    await wait(Math.max(0, startMs + (i * 1_000) / perSecond - performance.now()));
    calls.push(call(i));
  }
  return Promise.all(calls);
};

/** Makes so many calls, with as many under way at any time as `inFlight` says while calls are left. */
export const crowd = async <T>(count: number, inFlight: number, call: (i: number) => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      const i = next++;
      results[i] = await call(i);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return results;
};
