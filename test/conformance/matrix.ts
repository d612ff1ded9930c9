import { createServer } from 'node:http';
import { createRouter, type RouterConfig } from '@switchyard/core';
import { switchyard } from '@switchyard/node';
import { type SimulatedVendor, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, running } from '../contracts/adapter.ts';
import { ask, type CallerFormat, type Heard, type Said } from './callers.ts';
import { type Cell, type Expected, expectedOf, type Feature, isOwn } from './feature.ts';
import { FEATURES } from './features/index.ts';
import { TONGUES, targetOn, vendorOn, WAYS } from './ways.ts';

/** As fast as a vendor can be: what is looked at here is what is said, not when. */
const AT_ONCE = { firstTokenMs: 0, tokensPerSecond: 1_000_000 };

/** Runs all cells of one caller format, each plainly and as a stream, and compares the two answers. */
export const conform = (format: CallerFormat): void => {
  let simulator: Simulator;
  let server: RunningServer;

  beforeAll(async () => {
    simulator = await startSimulator({
      vendors: { openai: AT_ONCE, anthropic: AT_ONCE, cohere: AT_ONCE, google: AT_ONCE },
    });
    const routes: Record<string, RouterConfig['routes'][string]> = {};
    for (const way of WAYS) {
      routes[way] = { pool: [targetOn(simulator, way)] };
      // What fails once is left alone, so that each failure has a route and a key of its own.
      for (const mode of ['plain', 'stream']) {
        for (const [i, { fault }] of FEATURES.entries()) {
          const route = `${way}-${mode}-${i}`;
          if (fault !== undefined) routes[route] = { pool: [targetOn(simulator, way, `key-${route}`)] };
        }
      }
    }
    const middleware = switchyard(createRouter({ routes }));
    server = await running(
      createServer((request, response) => middleware(request, response, () => response.writeHead(404).end())),
    );
  });
  afterAll(async () => {
    await server.close();
    await simulator.close();
  });

  test('a route that there is none of is a 404, in the format', async () => {
    for (const stream of [false, true]) {
      const says: Said = { [format]: {} };
      const { status, complaint } = await ask(format, `${server.url}/llm/nowhere`, says, { stream });
      expect(status).toBe(404);
      expect(complaint?.message).toContain("There is no route 'nowhere'");
      expect(complaint?.body).toContain(NOT_FOUND[format]);
    }
  });

  describe.each(WAYS)('%s', (way) => {
    const tongue = TONGUES[way];
    const cells = FEATURES.flatMap((feature, i) => {
      const expected = expectedOf(feature, format, tongue);
      return expected === undefined ? [] : [{ feature, i, expected, name: feature.name, verdict: expected.verdict }];
    });

    test.each(cells)('$name: $verdict', async ({ feature, i, expected }) => {
      const vendor = vendorOn(simulator, way);
      const heard: Heard[] = [];
      // What a vendor remembers, it has to have read once.
      if (feature.warm) await ask(format, `${server.url}/llm/${way}`, feature.says, { stream: false });
      for (const mode of ['plain', 'stream'] as const) {
        const cell: Cell = { format, way, tongue, stream: mode === 'stream' };
        const route = feature.fault === undefined ? way : `${way}-${mode}-${i}`;
        if (cell.stream && feature.unread?.[`${format} ${tongue}`] !== undefined) {
          const asked = ask(format, `${server.url}/llm/${route}`, feature.says, { stream: true });
          await expect(asked).rejects.toThrow('structured output');
          continue;
        }
        if (feature.fault !== undefined) vendor.break(feature.fault);
        try {
          heard.push(await hear(feature, cell, expected, vendor, `${server.url}/llm/${route}`));
        } finally {
          if (feature.fault !== undefined) vendor.heal();
        }
      }
      const [plain, streamed] = heard.map(essence);
      if (heard.length === 2) expect(streamed, 'a stream adds up to what a plain answer says').toEqual(plain);
    });
  });
};

const hear = async (
  feature: Feature,
  cell: Cell,
  expected: Expected,
  vendor: SimulatedVendor,
  url: string,
): Promise<Heard> => {
  const before = vendor.calls;
  const { stream } = cell;
  const heard = await ask(cell.format, url, feature.says, { stream, headers: feature.headers ?? {} });
  const received = vendor.calls > before ? vendor.requests.at(-1) : undefined;
  const where = `${cell.stream ? 'stream' : 'plain'}: ${heard.complaint?.message ?? 'answered'}`;
  const wire = received?.body as Record<string, unknown> | undefined;
  expect(vendor.calls - before, where).toBe(['refused', 'skipped'].includes(expected.verdict) ? 0 : 1);
  const trace = heard.headers.get('x-switchyard-trace') ?? '';
  const [, dropped = ''] = /;dropped="([^"]*)"/.exec(trace) ?? [];
  switch (expected.verdict) {
    case 'kept': {
      expect(heard.status, where).toBe(expected.status ?? 200);
      expect(wire, where).toEqual(ownBody(heard, cell, wire));
      expect(received?.headers, 'headers of the format').toMatchObject(feature.headers ?? {});
      expect(dropped).toBe('');
      break;
    }
    case 'mapped':
    case 'left out':
      expect(heard.status, where).toBe(200);
      expect(wire, where).toMatchObject(expected.body);
      for (const text of expected.lacks ?? []) expect(JSON.stringify(wire)).not.toContain(text);
      expect(dropped, 'what the trace names').toBe(expected.verdict === 'left out' ? expected.what.join(' ') : '');
      break;
    case 'skipped':
      expect(heard.status, where).toBe(400);
      expect(trace).toBe(`${cell.way};skipped="cannot express ${expected.what.join(', ')}"`);
      expect(heard.complaint?.message).toContain(expected.what.join(', '));
      expect(heard.complaint?.body).toMatch(/no_capable_target|no_model_configured/);
      break;
    case 'refused':
      expect(heard.status, where).toBe(400);
      expect(heard.complaint?.message).toContain(`${expected.path}:`);
      break;
    case 'failed':
      expect(heard.status, where).toBe(expected.status);
      for (const words of expected.says) expect(heard.complaint?.body).toContain(words);
      break;
  }
  if (heard.status === 200 && isOwn(cell.format, cell.tongue)) expect(dropped).toBe('');
  feature.answer?.(heard, cell);
  if (heard.answer !== undefined && feature.goesOn !== undefined) {
    const says = feature.goesOn(heard.answer, cell.format);
    const next = await ask(cell.format, url, says, { stream });
    expect(next.status, next.complaint?.message).toBe(200);
    const { body } = vendor.requests.at(-1) ?? {};
    if (isOwn(cell.format, cell.tongue)) expect(body).toEqual(ownBody(next, cell, body));
    feature.holds?.(next, cell, body);
  }
  return heard;
};

/** The caller's body as its own vendor gets it: nothing is changed but the model, and that nothing is stored unasked. */
const ownBody = ({ sent }: Heard, { tongue }: Cell, received: unknown): unknown => {
  const { model } = received as { readonly model: unknown };
  expect(model).toMatch(/^(gpt|claude)-/);
  return { ...(tongue === 'responses' && { store: false }), ...sent, model };
};

/** What an answer says, but for names that are made anew for each. */
const essence = ({ status, answer, complaint }: Heard): unknown => ({
  status,
  ...(answer && {
    ...answer,
    whole: undefined,
    calls: answer.calls.map(({ id, ...call }) => ({ ...call, named: id !== '' })),
  }),
  ...(complaint && { complaint: complaint.message.replace(NAMES, '') }),
});

/** What each format calls it. */
const NOT_FOUND: Readonly<Record<CallerFormat, string>> = {
  chat: 'unknown_route',
  messages: 'not_found_error',
  responses: 'unknown_route',
  glide: 'router_not_found',
};

/** What differs from one request to the next: its id, how long it took, and the route that was made for its mode. */
const NAMES = /"?sw-\w+"?|"request_id":\S+?(?=[,}])|"ms":\d+|-(plain|stream)-\d+/g;
