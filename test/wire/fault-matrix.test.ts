import { createRouter, type FailureKind, type RouterEvent, type System } from '@switchyard/core';
import { createHandler, type Handler } from '@switchyard/http';
import { type Fault, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, describe, expect, test } from 'vitest';
import { expectPage } from '../docs/page.ts';
import { PROVIDERS, type ProviderName, simulated, vendorOf } from './targets.ts';

// Every fault × every provider × plain and streamed, over real HTTP through the real SDKs: the first target of a pool
// of two is broken, and a caller asks. What came of it is printed in docs/fault-matrix.md.

/** What the caller sees. */
type Seen =
  /** The second target's answer, unseen that the first failed. */
  | 'second'
  /** The first target's answer. */
  | 'first'
  /** The first target's answer, that it will not answer. */
  | 'first: content_filter'
  /** The vendor's own error, with its status. */
  | `error ${number}`
  /** Content, then the error event of the format, and no normal end. */
  | 'error event';

interface Expected {
  readonly seen: Seen;
  /** What the first attempt was; undefined when it answered. */
  readonly kind?: FailureKind | undefined;
}

interface Row {
  readonly name: string;
  readonly fault: Fault;
  readonly plain: Expected;
  readonly stream: Expected;
  readonly except?: Partial<Record<ProviderName, { readonly plain?: Expected; readonly stream?: Expected }>>;
}

const moves = (kind: FailureKind): Expected => ({ seen: 'second', kind });
const both = (expected: Expected): Pick<Row, 'plain' | 'stream'> => ({ plain: expected, stream: expected });
const status = (code: number, kind: FailureKind, more: object = {}): Row => ({
  name: `status ${code}`,
  fault: { kind: 'status', status: code, ...more },
  ...both(moves(kind)),
});
const limited = (form: 'seconds' | 'http-date' | 'retry-after-ms' | 'x-ms-retry-after-ms'): Row => ({
  ...status(429, 'rate-limited', { retryAfter: { form, ms: 20_000 } }),
  name: `status 429, ${form}`,
});
const cutShort: Expected = { seen: 'error event', kind: 'broken' };

const ROWS: readonly Row[] = [
  status(500, 'server-error'),
  status(502, 'server-error'),
  status(503, 'overloaded'),
  status(504, 'server-error'),
  status(529, 'overloaded'),
  status(429, 'rate-limited'),
  limited('seconds'),
  limited('http-date'),
  limited('retry-after-ms'),
  limited('x-ms-retry-after-ms'),
  status(401, 'unauthorized'),
  status(402, 'quota-exhausted'),
  status(403, 'unauthorized'),
  status(404, 'not-found'),
  { name: 'status 400', fault: { kind: 'status', status: 400 }, ...both({ seen: 'error 400', kind: 'rejected' }) },
  { name: 'status 422', fault: { kind: 'status', status: 422 }, ...both({ seen: 'error 422', kind: 'rejected' }) },
  { name: 'refuse', fault: { kind: 'refuse' }, ...both(moves('unreachable')) },
  { name: 'reset', fault: { kind: 'reset' }, ...both(moves('unreachable')) },
  { name: 'hang-before-headers', fault: { kind: 'hang-before-headers' }, ...both(moves('timed-out')) },
  { name: 'hang-after-headers', fault: { kind: 'hang-after-headers' }, ...both(moves('timed-out')) },
  {
    name: 'slow-first-token, longer than the timeout',
    fault: { kind: 'slow-first-token', ms: 5_000 },
    ...both(moves('timed-out')),
  },
  {
    name: 'slow-first-token, within the timeout',
    fault: { kind: 'slow-first-token', ms: 50 },
    ...both({ seen: 'first' }),
  },
  { name: 'slow', fault: { kind: 'slow', factor: 3 }, ...both({ seen: 'first' }) },
  // The simulator says what each vendor would say: "overloaded", or "internal error" at OpenAI and Cohere.
  {
    name: 'error-before-content',
    fault: { kind: 'error-before-content' },
    ...both(moves('overloaded')),
    except: {
      cohere: both(moves('server-error')),
      openai: both(moves('server-error')),
      'openai-responses': both(moves('server-error')),
      // Its SDK drops the error object of a 200.
      'google-genai': { plain: moves('broken') },
    },
  },
  {
    name: 'error-after-content',
    fault: { kind: 'error-after-content' },
    plain: moves('overloaded'),
    stream: { seen: 'error event', kind: 'overloaded' },
    except: {
      cohere: { plain: moves('server-error'), stream: { seen: 'error event', kind: 'server-error' } },
      openai: { plain: moves('server-error'), stream: { seen: 'error event', kind: 'server-error' } },
      'openai-responses': { plain: moves('server-error'), stream: { seen: 'error event', kind: 'server-error' } },
      'google-genai': { plain: moves('broken') },
    },
  },
  { name: 'cut before content', fault: { kind: 'cut', afterEvents: 0 }, ...both(moves('broken')) },
  { name: 'cut after content', fault: { kind: 'cut', afterEvents: 6 }, plain: moves('broken'), stream: cutShort },
  {
    name: 'cut inside an event',
    fault: { kind: 'cut', afterEvents: 6, insideEvent: true },
    plain: moves('broken'),
    stream: cutShort,
  },
  { name: 'stall before content', fault: { kind: 'stall', afterEvents: 0 }, ...both(moves('timed-out')) },
  {
    name: 'stall after content',
    fault: { kind: 'stall', afterEvents: 6 },
    plain: moves('timed-out'),
    stream: { seen: 'error event', kind: 'stalled' },
  },
  {
    name: 'malformed-chunk before content',
    fault: { kind: 'malformed-chunk', afterEvents: 0 },
    ...both(moves('broken')),
  },
  {
    name: 'malformed-chunk after content',
    fault: { kind: 'malformed-chunk', afterEvents: 6 },
    plain: moves('broken'),
    stream: cutShort,
  },
  { name: 'no-end-marker', fault: { kind: 'no-end-marker' }, plain: moves('broken'), stream: cutShort },
  { name: 'empty', fault: { kind: 'empty' }, ...both(moves('broken')) },
  { name: 'truncated-json', fault: { kind: 'truncated-json' }, plain: moves('broken'), stream: cutShort },
  { name: 'html', fault: { kind: 'html' }, ...both(moves('broken')) },
  { name: 'context-length, second has a larger window', fault: { kind: 'context-length' }, ...both(moves('too-long')) },
  {
    name: 'content-filter',
    fault: { kind: 'content-filter' },
    ...both({ seen: 'first: content_filter' }),
    except: { cohere: both({ seen: 'error 422', kind: 'filtered' }) },
  },
  { name: 'flap, while it is on', fault: { kind: 'flap', onMs: 60_000, offMs: 1 }, ...both(moves('overloaded')) },
];

/** The real clock, which can be put forward: coolings pass at once, while sockets take the time they take. */
class PutForward implements System {
  aheadMs = 0;
  nowMs = (): number => performance.now() + this.aheadMs;
  dice = (): number => 0.5;
  schedule = (delayMs: number, callback: () => void): (() => void) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  };
}

const TIMEOUTS = { connect: '500ms', firstContent: '600ms', answer: '600ms', idle: '400ms' } as const;

interface Answer {
  readonly seen: Seen;
  /** What the first attempt was in the end. */
  readonly kind: string | undefined;
}

const ask = async (handler: Handler, stream: boolean, ended: RouterEvent[]): Promise<Answer> => {
  ended.length = 0;
  const response = await handler(
    new Request('http://localhost/llm/chat/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chat', stream, messages: [{ role: 'user', content: 'hello' }] }),
    }),
  );
  if (response === undefined) throw new Error('the handler did not know its own path');
  const body = await response.text();
  const served = response.headers.get('x-switchyard-target');
  const seenOf = (): Seen => {
    if (response.status !== 200) return `error ${response.status}`;
    const whole = stream ? body.trimEnd().endsWith('data: [DONE]') : true;
    if (!whole) {
      // One error event, at the very end, after content.
      const events = body.trim().split('\n\n');
      expect(events.filter((event) => event.startsWith('data: {"error"'))).toHaveLength(1);
      expect(events.at(-1)).toContain('"error"');
      expect(body).toMatch(/"content":"[^"]/);
      return 'error event';
    }
    if (stream) expect(body).not.toContain('"error"');
    if (served !== 'first') return 'second';
    return /"finish_reason":"content_filter"/.test(body) ? 'first: content_filter' : 'first';
  };
  const outcomes = ended.flatMap((event) =>
    event.type === 'attempt-ended' && event.attempt.target === 'first' ? [event.attempt.outcome] : [],
  );
  return { seen: seenOf(), kind: outcomes.findLast((outcome) => outcome !== 'answered') };
};

/** For the page, whose table is wide. */
const SHORT: Readonly<Record<string, string>> = {
  second: '→',
  first: 'first',
  'first: content_filter': 'declined',
  'error event': '✗',
};

const cells = new Map<string, string>();

describe.concurrent.each(PROVIDERS)('%s', (provider) => {
  for (const mode of ['plain', 'stream'] as const) {
    test.each(ROWS)(`${mode}: $name`, async (row) => {
      const expected = row.except?.[provider]?.[mode] ?? row[mode];
      const simulator = await startSimulator();
      try {
        cells.set(
          `${row.name}|${provider}|${mode}`,
          await strikeAndHeal(simulator, provider, mode === 'stream', row, expected),
        );
      } finally {
        await simulator.close();
      }
    });
  }
});

const strikeAndHeal = async (
  simulator: Simulator,
  provider: ProviderName,
  stream: boolean,
  { fault }: Row,
  expected: Expected,
): Promise<string> => {
  const system = new PutForward();
  const first = simulator.vendors[vendorOf(provider)];
  const second = vendorOf(provider) === 'openai' ? 'anthropic' : 'openai';
  const events: RouterEvent[] = [];
  const router = createRouter({
    system,
    onEvent: (event) => events.push(event),
    routes: {
      chat: {
        pool: [
          simulated(simulator, provider, { id: 'first', contextWindow: 1_000, timeouts: TIMEOUTS }),
          simulated(simulator, second, { id: 'second', contextWindow: 2_000 }),
        ],
      },
    },
  });
  const handler = createHandler(router);

  first.break(fault);
  const answer = await ask(handler, stream, events);
  expect(answer.seen).toBe(expected.seen);
  expect(answer.kind).toBe(expected.kind);
  // One attempt on the first: neither the SDK nor we try again. A refused call does not arrive.
  expect(first.calls).toBe(fault.kind === 'refuse' ? 0 : 1);
  if (expected.seen.startsWith('error 4')) expect(simulator.vendors[second].calls).toBe(0);

  const charged = expected.kind !== undefined && !['rejected', 'filtered', 'too-long'].includes(expected.kind);
  for (let i = 0; i < 3; i++) await ask(handler, stream, events);
  const callsBefore = first.calls;
  const fifth = await ask(handler, stream, events);
  if (charged) {
    // After three failures, or one refusal of the key, it is not called at all.
    expect(fifth.seen).toBe('second');
    expect(first.calls).toBe(callsBefore);
    expect(callsBefore).toBeLessThanOrEqual(3);
  } else {
    expect(fifth.seen).toBe(expected.seen);
    expect(first.calls).toBe(callsBefore + 1);
  }

  first.heal();
  // A day: longer than anything a vendor may ask for.
  system.aheadMs += 86_400_000;
  expect((await ask(handler, stream, events)).seen).toBe('first');
  return SHORT[expected.seen] === undefined
    ? expected.seen.replace('error ', '')
    : `${SHORT[expected.seen]} ${expected.kind ?? ''}`.trim();
};

afterAll(() => {
  const columns = PROVIDERS.flatMap((provider) => [`${provider}, plain`, `${provider}, stream`]);
  const lines = ROWS.map(({ name }) => {
    const row = PROVIDERS.flatMap((provider) =>
      (['plain', 'stream'] as const).map((mode) => cells.get(`${name}|${provider}|${mode}`) ?? 'FAILED'),
    );
    return `| ${name} | ${row.join(' | ')} |`;
  });
  expectPage('docs/fault-matrix.md', {
    matrix: [
      `| Fault of the first target | ${columns.join(' | ')} |`,
      `|${' --- |'.repeat(columns.length + 1)}`,
      ...lines,
    ].join('\n'),
  });
});
