import { createRouter } from '@switchyard/core';
import { createHandler, type Handler } from '@switchyard/http';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectPage } from '../docs/page.ts';
import { type Body, CALLERS, type CallerFormat } from './callers.ts';
import { isOwn } from './feature.ts';
import { FIELDS, type Field } from './fields.ts';
import { TONGUES, type Tongue, targetOn, vendorOn, type Way } from './ways.ts';

// What each field of each format becomes: a body is sent with it and without it, and what the vendor received is compared.
// A field that makes no difference, and is not named in the trace either, would be lost in silence: that fails here,
// unless `unsaid` says why there is nothing to say.

/** Google's two SDKs send the same. */
const COLUMNS = ['openai', 'openai-responses', 'anthropic', 'cohere', 'google-genai'] as const satisfies readonly Way[];

// biome-ignore format: reads as a table
const PLAIN: Readonly<Record<CallerFormat, { readonly path: string; readonly body: Body }>> = {
  chat:      { path: 'v1/chat/completions', body: { model: 'any', messages: [{ role: 'user', content: 'hi' }] } },
  messages:  { path: 'v1/messages',         body: { model: 'any', max_tokens: 512, messages: [{ role: 'user', content: 'hi' }] } },
  responses: { path: 'v1/responses',        body: { model: 'any', input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi' }] }] } },
  glide:     { path: 'chat',                body: { message: { role: 'user', content: 'hi' } } },
};

let simulator: Simulator;
let handler: Handler;

beforeAll(async () => {
  const atOnce = { firstTokenMs: 0, tokensPerSecond: 1_000_000 };
  simulator = await startSimulator({ vendors: { openai: atOnce, anthropic: atOnce, cohere: atOnce, google: atOnce } });
  const routes = COLUMNS.map((way) => [way, { pool: [targetOn(simulator, way)] }] as const);
  handler = createHandler(createRouter({ routes: Object.fromEntries(routes) }));
});
afterAll(() => simulator.close());

interface Outcome {
  /** What the vendor received; undefined when nobody was asked. */
  readonly received: unknown;
  /** What the trace names as left out, and why the target was skipped. */
  readonly leftOut: string;
  readonly skipped: string;
  readonly status: number;
}

const send = async (format: CallerFormat, way: Way, more: object): Promise<Outcome> => {
  const vendor = vendorOn(simulator, way);
  const before = vendor.calls;
  const { path, body } = PLAIN[format];
  const response = await handler(
    new Request(`http://localhost/llm/${way}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, ...more }),
    }),
  );
  await response?.text();
  const trace = response?.headers.get('x-switchyard-trace') ?? '';
  return {
    received: vendor.calls > before ? vendor.requests.at(-1)?.body : undefined,
    leftOut: /;dropped="([^"]*)"/.exec(trace)?.[1] ?? '',
    skipped: /;skipped="cannot express ([^"]*)"/.exec(trace)?.[1] ?? '',
    status: response?.status ?? 0,
  };
};

const cells = new Map<string, string>();

describe.each(CALLERS)('%s', (format) => {
  test.each(FIELDS[format])('$path', async (field) => {
    for (const way of COLUMNS) {
      const tongue = TONGUES[way];
      const without = await send(format, way, field.beside ?? {});
      const said = await send(format, way, { ...field.beside, ...field.says });
      const cell = cellOf(format, tongue, field, without, said);
      expect(cell, `${field.path} makes no difference on the way to ${way}, and nothing says so`).not.toBe('');
      cells.set(`${format} ${field.path} ${way}`, cell);
    }
  });
});

const cellOf = (
  format: CallerFormat,
  tongue: Tongue,
  { unsaid = {}, says }: Field,
  without: Outcome,
  said: Outcome,
): string => {
  if (said.received === undefined) return said.skipped === '' ? 'refused' : `skipped: \`${said.skipped}\``;
  if (isOwn(format, tongue)) {
    expect(said.received).toMatchObject(says);
    return 'kept';
  }
  const news = newsIn(
    without.received,
    said.received,
    leavesOf(says).map(([, value]) => value),
  );
  const lost = said.leftOut === '' || said.leftOut === without.leftOut ? [] : ['left out'];
  const parts = [...news, ...lost];
  expect(parts.length > 0 && unsaid[tongue] !== undefined, 'what is said is not unsaid').toBe(false);
  return parts.length === 0 ? (unsaid[tongue] ?? '') : parts.join(', ');
};

/** Where a vendor's body differs, by the shortest paths that tell; with the value where it is not the caller's own. */
const newsIn = (before: unknown, after: unknown, callers: readonly string[]): string[] => {
  const known = new Set(leavesOf(before).map((leaf) => JSON.stringify(leaf)));
  const news = leavesOf(after).filter((leaf) => !known.has(JSON.stringify(leaf)));
  const told = news.filter(([path]) => !path.endsWith('.type') && !path.endsWith('.role'));
  const paths = (told.length > 0 ? told : news).map(([path, value]) =>
    isOf(callers, value) || value.length > 20 || /[[{ ]/.test(value) ? `\`${path}\`` : `\`${path}\` = \`${value}\``,
  );
  return [...new Set(paths)];
};

/** Whether a value is the caller's own, or the part of one that the vendor wants apart. */
const isOf = (callers: readonly string[], value: string): boolean =>
  callers.some((said) => said === value || (value.length > 6 && said.includes(value)));

/** Schemas, and what a call was made with, are the caller's: they are one value. */
const WHOLE = /(schema|parameters|input|args|arguments|parametersJsonSchema|responseJsonSchema|responseSchema)$/i;

const leavesOf = (value: unknown, path = ''): readonly (readonly [path: string, value: string])[] => {
  const isWhole = path.includes('.') && WHOLE.test(path);
  if (isWhole || typeof value !== 'object' || value === null)
    return [[path, JSON.stringify(value)?.replace(/^"|"$/g, '') ?? '']];
  if (Array.isArray(value)) {
    const inner = value.flatMap((item) => leavesOf(item, `${path}[]`));
    return inner.length === 0 ? [[path, '[]']] : inner;
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  if (entries.length === 0) return [[path, '{}']];
  return entries.flatMap(([name, each]) => leavesOf(each, path === '' ? name : `${path}.${name}`));
};

afterAll(() => {
  const table = (format: CallerFormat): string =>
    [
      `| Field | ${COLUMNS.join(' | ')} |`,
      `|${' --- |'.repeat(COLUMNS.length + 1)}`,
      ...FIELDS[format].map(({ path }) => {
        const row = COLUMNS.map((way) => cells.get(`${format} ${path} ${way}`) ?? 'FAILED');
        return `| \`${path}\` | ${row.join(' | ')} |`;
      }),
    ].join('\n');
  expectPage('docs/mapping.md', Object.fromEntries(CALLERS.map((format) => [format, table(format)])));
});
