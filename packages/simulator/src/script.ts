import { type Answer, filtered, type Question, unfinished } from './answer.ts';
import type { FaultEffect, FaultKind, RetryAfter } from './fault.ts';
import { exhausted } from './limit.ts';
import { answerMs, type Pace } from './vendor.ts';
import type { Headers, Problem, Stamp, StreamEvent, Wire } from './wire.ts';

/** A whole response, and when each part of it is sent, in ms from the arrival of the request. Plain data. */
export interface Script {
  /** Left out when not even a status is sent. */
  readonly head?: { readonly atMs: number; readonly status: number; readonly headers: Headers };
  readonly writes: readonly Write[];
  /** How it ends: as HTTP has it, by a reset of the connection, or not at all. */
  readonly ending: 'end' | 'reset' | 'hang';
}

interface Write {
  readonly atMs: number;
  readonly text: string;
}

/** All that an answer depends on. */
export interface Scene {
  readonly wire: Wire;
  readonly question: Question;
  readonly answer: Answer;
  readonly pace: Pace;
  readonly stamp: Stamp;
  /** Headers about the limits. */
  readonly limits: Headers;
}

/** After how many events `cut`, `stall` and the like strike, if they do not say. */
const DEFAULT_EVENTS = 3;

/** The vendor's error, sent at once. */
export const errorScript = (wire: Wire, problem: Problem, stamp: Stamp, headers: Headers = {}): Script =>
  whole(problem.status, 0, JSON.stringify(wire.printError(problem, stamp)), {
    'content-type': wire.contentType.json,
    ...wire.headers(stamp, 0),
    ...headers,
  });

/** The response of a fault that strikes before anybody reads the question; undefined if it lets the question through. */
export const faultScript = (wire: Wire, effect: FaultEffect, stamp: Stamp): Script | undefined => {
  switch (effect.kind) {
    case 'status':
      return statusScript(wire, effect, stamp);
    case 'reset':
      return { writes: [], ending: 'reset' };
    case 'hang-before-headers':
      return { writes: [], ending: 'hang' };
    case 'html':
      return whole(200, 0, HTML_PAGE, { 'content-type': 'text/html' });
    case 'context-length':
      return errorScript(wire, wire.tooLong(), stamp);
    case 'content-filter':
      return wire.declined && errorScript(wire, wire.declined, stamp);
    default:
      return undefined;
  }
};

/** The response to a question that is in order, with whatever the fault does to it. */
export const answerScript = (scene: Scene, effect: FaultEffect | null): Script => {
  const changed = effect === null ? scene : change(scene, effect);
  return scene.question.stream ? streamScript(changed, effect) : unaryScript(changed, effect);
};

/** Faults that a call survives: the answer is slow, but whole. */
export const isHarmless = (kind: FaultKind): boolean => kind === 'slow' || kind === 'slow-first-token';

/** The faults that change what is said, or how fast, rather than how it is sent. */
const change = (scene: Scene, effect: FaultEffect): Scene => {
  const { answer, pace } = scene;
  switch (effect.kind) {
    case 'slow-first-token':
      return { ...scene, pace: { ...pace, firstTokenMs: effect.ms } };
    case 'slow': {
      const { factor } = effect;
      return {
        ...scene,
        pace: { firstTokenMs: pace.firstTokenMs * factor, msPerToken: pace.msPerToken * factor },
      };
    }
    case 'content-filter':
      return { ...scene, answer: filtered(answer) };
    case 'no-end-marker':
      return { ...scene, answer: unfinished(answer) };
    default:
      return scene;
  }
};

const unaryScript = (scene: Scene, effect: FaultEffect | null): Script => {
  const { wire, question, answer, pace, stamp, limits } = scene;
  const atMs = answerMs(pace, answer.usage.outputTokens);
  const headers = { 'content-type': wire.contentType.json, ...wire.headers(stamp, atMs), ...limits };
  const body = JSON.stringify(wire.print(answer, question, stamp));
  const half = body.slice(0, body.length / 2);
  switch (effect?.kind) {
    case 'hang-after-headers':
      return { head: { atMs: 0, status: 200, headers }, writes: [], ending: 'hang' };
    case 'error-before-content':
    case 'error-after-content':
      return whole(200, pace.firstTokenMs, JSON.stringify(wire.printError(wire.midway, stamp)), headers);
    case 'cut':
      return { ...whole(200, atMs, body, headers), writes: [{ atMs, text: half }], ending: 'reset' };
    case 'stall':
      return { ...whole(200, atMs, body, headers), writes: [{ atMs, text: half }], ending: 'hang' };
    case 'malformed-chunk':
      return whole(200, atMs, body.replace(':', '='), headers);
    case 'truncated-json':
      return whole(200, atMs, half, headers);
    case 'empty':
      return whole(200, atMs, '', headers);
    default:
      return whole(200, atMs, body, headers);
  }
};

const streamScript = (scene: Scene, effect: FaultEffect | null): Script => {
  const { wire, question, answer, pace, stamp, limits } = scene;
  const headers = {
    'content-type': wire.contentType.stream,
    'cache-control': 'no-cache',
    ...wire.headers(stamp, pace.firstTokenMs),
    ...limits,
  };
  const events = timed(wire.stream(answer, question, stamp), pace);
  return { head: { atMs: 0, status: 200, headers }, ...spoil(events, scene, effect) };
};

interface TimedEvent extends Write {
  readonly part: StreamEvent['part'];
}

/** The first content comes with the first token, and each event when the tokens before it are made. */
const timed = (events: readonly StreamEvent[], pace: Pace): readonly TimedEvent[] => {
  let tokens = 0;
  return events.map(({ part, bytes, tokens: own }) => {
    const atMs = part === 'open' ? 0 : answerMs(pace, tokens);
    tokens += own;
    return { part, text: bytes, atMs };
  });
};

/** What is left of a stream after the fault, and how it ends. */
const spoil = (
  events: readonly TimedEvent[],
  { wire, pace, stamp }: Scene,
  effect: FaultEffect | null,
): Pick<Script, 'writes' | 'ending'> => {
  const ends = (writes: readonly Write[]): Pick<Script, 'writes' | 'ending'> => ({ writes, ending: 'end' });
  const opening = events.filter(({ part }) => part === 'open');
  const content = events.filter(({ part }) => part === 'content');
  const beforeEnd = events.filter(({ part }) => part !== 'end');
  const error: Write = { atMs: pace.firstTokenMs, text: wire.streamError(wire.midway, stamp) };
  const halfOf = ({ atMs, text }: Write): Write => ({ atMs, text: text.slice(0, text.length / 2) });
  switch (effect?.kind) {
    case 'hang-after-headers':
      return { writes: [], ending: 'hang' };
    case 'error-before-content':
      return ends([...opening, error]);
    case 'error-after-content': {
      const some = content.slice(0, DEFAULT_EVENTS);
      return ends([...opening, ...some, { ...error, atMs: some.at(-1)?.atMs ?? error.atMs }]);
    }
    case 'cut': {
      const { afterEvents = DEFAULT_EVENTS, insideEvent = false } = effect;
      const next = insideEvent ? events.slice(afterEvents, afterEvents + 1).map(halfOf) : [];
      return { writes: [...events.slice(0, afterEvents), ...next], ending: 'reset' };
    }
    case 'stall':
      return { writes: events.slice(0, effect.afterEvents ?? DEFAULT_EVENTS), ending: 'hang' };
    case 'malformed-chunk': {
      // Never behind the content: what comes after an end marker is not read any more.
      const at = Math.min(effect.afterEvents ?? DEFAULT_EVENTS, beforeEnd.length);
      const garbage: Write = { atMs: events[at]?.atMs ?? 0, text: wire.streamGarbage() };
      return ends([...events.slice(0, at), garbage, ...events.slice(at)]);
    }
    case 'no-end-marker':
      return ends(beforeEnd);
    case 'empty':
      return ends([]);
    case 'truncated-json':
      return ends([...beforeEnd, ...events.slice(beforeEnd.length, beforeEnd.length + 1).map(halfOf)]);
    default:
      return ends(events);
  }
};

/** A response in one piece. */
const whole = (status: number, atMs: number, text: string, headers: Headers): Script => ({
  head: { atMs, status, headers: { ...headers, 'content-length': String(Buffer.byteLength(text)) } },
  writes: text === '' ? [] : [{ atMs, text }],
  ending: 'end',
});

const statusScript = (wire: Wire, effect: Extract<FaultEffect, { kind: 'status' }>, stamp: Stamp): Script => {
  const { status, body, retryAfter, headers = {} } = effect;
  const retryDelayMs = retryAfter?.form === 'retry-info' ? retryAfter.ms : undefined;
  const problem: Problem = { status, ...(retryDelayMs !== undefined && { retryDelayMs }) };
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return whole(status, 0, typeof body === 'string' ? body : JSON.stringify(body ?? wire.printError(problem, stamp)), {
    'content-type': typeof body === 'string' ? 'text/plain' : wire.contentType.json,
    ...wire.headers(stamp, 0),
    ...(retryAfter && retryAfterHeaders(wire, retryAfter, stamp)),
    ...own,
  });
};

const retryAfterHeaders = (wire: Wire, { form, ms }: RetryAfter, stamp: Stamp): Headers => {
  switch (form) {
    case 'seconds':
      return { 'retry-after': String(Math.ceil(ms / 1_000)) };
    case 'http-date':
      // A date has whole seconds: rounded up, so that nobody comes back too early.
      return { 'retry-after': new Date(Math.ceil((stamp.nowMs + ms) / 1_000) * 1_000).toUTCString() };
    case 'retry-after-ms':
      return { 'retry-after-ms': String(ms) };
    case 'x-ms-retry-after-ms':
      return { 'x-ms-retry-after-ms': String(ms) };
    case 'reset-headers':
      return wire.limitHeaders(exhausted(ms), stamp);
    case 'retry-info':
      return {};
  }
};

const HTML_PAGE = `<!doctype html>
<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center></body>
</html>
`;
