import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { answerTo, promptOf, type Question } from './answer.ts';
import { seededDice } from './dice.ts';
import { type FaultEffect, type FaultState, parseFault, strike } from './fault.ts';
import { parseJson } from './json.ts';
import { fullBuckets, take } from './limit.ts';
import { listen } from './listener.ts';
import type { Manners } from './manners.ts';
import { play } from './play.ts';
import { answerScript, errorScript, faultScript, isHarmless, type Script } from './script.ts';
import {
  type CallOutcome,
  type CallRecord,
  drawPace,
  QUICK,
  type RecordedRequest,
  type SimulatedVendor,
  type VendorOptions,
} from './vendor.ts';
import { type Problem, Rejection, type Stamp, type Wire, type WireRequest } from './wire.ts';

/** How many calls and requests are kept. */
const KEPT = 50;

/** How many long prompts a vendor remembers, to tell which part of the next one is cached. */
const REMEMBERED_PROMPTS = 20;

/** Prompts shorter than this are not worth remembering: no part of them would count as cached. */
const SHORTEST_REMEMBERED_TOKENS = 1_024;

/** How long a prompt is remembered, as vendors do it. */
const REMEMBERED_MS = 5 * 60_000;

export interface RunningVendor extends SimulatedVendor {
  close(): Promise<void>;
}

/** A vendor that serves its wire format over HTTP until it is closed. */
export const startVendor = async (wire: Wire, options: VendorOptions, seed: number): Promise<RunningVendor> => {
  const model = { ...QUICK, ...options };
  const manners: Manners = { prefill: wire.name === 'openai' ? 'anew' : 'continues', ...options };
  // Dice of their own, so that how often a fault strikes does not depend on how latencies are drawn.
  const paceDice = seededDice(seed);
  const faultDice = seededDice(seed + 1);
  let faultState: FaultState = { fault: null, sinceMs: 0 };
  let buckets = fullBuckets(options.rateLimit, performance.now());
  let calls = 0;
  const lastCalls: CallRecord[] = [];
  const requests: RecordedRequest[] = [];
  const remembered: { readonly prompt: string; readonly atMs: number }[] = [];

  /** What the vendor makes of a request: the response, and how the call ends if it is sent in full. */
  const decide = (
    wire: Wire,
    request: WireRequest,
    effect: FaultEffect | null,
    stamp: Stamp,
    record: Writable<CallRecord>,
  ): { readonly script: Script; readonly outcome: CallOutcome } => {
    const outcome = effect === null || isHarmless(effect.kind) ? 'answered' : (`fault:${effect.kind}` as const);
    const struck = effect && faultScript(wire, effect, stamp);
    if (struck) return { script: struck, outcome };
    try {
      const question = wire.read(request);
      record.stream = question.stream;
      checkManners(question, manners);
      const known = remembered.filter(({ atMs }) => record.atMs - atMs < REMEMBERED_MS).map(({ prompt }) => prompt);
      const answer = answerTo(wire.name, question, known, manners);
      const { inputTokens, outputTokens } = answer.usage;
      const window = options.contextWindow ?? Number.POSITIVE_INFINITY;
      if (inputTokens > window) throw new Rejection(wire.tooLong({ window, tokens: inputTokens }));
      if (inputTokens >= SHORTEST_REMEMBERED_TOKENS)
        keep(remembered, { prompt: promptOf(question), atMs: record.atMs }, REMEMBERED_PROMPTS);
      const taken = take(buckets, inputTokens + outputTokens, record.atMs);
      buckets = taken.buckets;
      const limits = wire.limitHeaders(taken.allowances, stamp);
      if (taken.waitMs > 0) {
        const { problem, headers } = wire.tooMany(taken.waitMs);
        return { script: errorScript(wire, problem, stamp, { ...limits, ...headers }), outcome: 'rejected' };
      }
      const pace = drawPace(model, paceDice);
      return { script: answerScript({ wire, question, answer, pace, stamp, limits }, effect), outcome };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      return { script: errorScript(wire, error.problem, stamp), outcome: 'rejected' };
    }
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const record: Writable<CallRecord> = {
      atMs: performance.now(),
      path: request.url ?? '/',
      outcome: 'open',
      stream: false,
    };
    calls += 1;
    const stamp: Stamp = { id: String(calls).padStart(6, '0'), nowMs: Date.now() };
    keep(lastCalls, record, KEPT);
    const struck = strike(faultState, record.atMs, faultDice);
    faultState = struck.state;
    if (struck.effect) record.fault = struck.effect.kind;

    const end = (outcome: CallOutcome): void => {
      if (record.outcome !== 'open') return;
      record.outcome = outcome;
      record.endedAtMs = performance.now();
    };
    const gone = new AbortController();
    response.once('close', () => {
      end(faultState.fault?.kind === 'refuse' ? 'fault:refuse' : 'aborted');
      gone.abort();
    });
    const body = await readText(request);
    if (body === undefined) return;
    const asked = parseRequest(request, body);
    keep(requests, { method: asked.method, path: record.path, headers: asked.headers, body: asked.body }, KEPT);
    const { script, outcome } = decide(wire.at?.(asked.path) ?? wire, asked, struck.effect, stamp, record);
    if (script.head) record.status = script.head.status;
    const played = await play(script, response, record.atMs, gone.signal);
    if (played && script.ending !== 'hang') end(outcome);
  };

  const listener = await listen(options.port ?? 0, (request, response) => void handle(request, response));
  return {
    name: wire.name,
    url: `http://127.0.0.1:${listener.port}`,
    get calls() {
      return calls;
    },
    get lastCalls() {
      return [...lastCalls];
    },
    get requests() {
      return [...requests];
    },
    get fault() {
      return faultState.fault;
    },
    break(fault) {
      const parsed = parseFault(fault, wire.name);
      faultState = { fault: parsed, sinceMs: performance.now() };
      if (parsed.kind === 'refuse') listener.refuse();
      else listener.accept();
    },
    heal() {
      faultState = { fault: null, sinceMs: performance.now() };
      listener.accept();
    },
    close: () => listener.close(),
  };
};

/** What not every model of a format takes. */
const checkManners = ({ turns, openTurn }: Question, { prefill }: Manners): void => {
  if (openTurn !== undefined && prefill !== 'continues') {
    throw new Rejection({
      status: 400,
      message: `Unrecognized request argument supplied: ${openTurn}`,
      param: openTurn,
    });
  }
  if (prefill === 'refuses' && turns.at(-1)?.role === 'assistant') throw new Rejection(NO_PREFILL);
};

/** Anthropic's words, of the models that have come to think for themselves. */
const NO_PREFILL: Problem = {
  status: 400,
  message: 'This model does not support assistant message prefill. The conversation must end with a user message.',
};

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Adds an item, and drops the oldest beyond `most`. */
const keep = <T>(items: T[], item: T, most: number): void => {
  items.push(item);
  if (items.length > most) items.shift();
};

/** The body of a request; undefined if the client leaves before it is whole. */
const readText = (request: IncomingMessage): Promise<string | undefined> => text(request).catch(() => undefined);

const parseRequest = ({ method = 'GET', url = '/', headers }: IncomingMessage, body: string): WireRequest => {
  const { pathname, searchParams } = new URL(url, 'http://vendor');
  const single = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return { method, path: pathname, query: searchParams, headers: Object.fromEntries(single), body: parseJson(body) };
};
