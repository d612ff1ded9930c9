import { expect, test } from 'vitest';
import { type Bar, barsOf } from './bars.ts';
import { AI_SDK, BARE, HONO_OPENAI, PORTKEY, SWITCHYARD, VENDORS } from './candidates.ts';
import type { Finding } from './measure.ts';
import { LARGE } from './measures/scale.ts';
import { barTable, reasons } from './report.ts';

const CANDIDATES = [BARE, HONO_OPENAI, PORTKEY, AI_SDK, SWITCHYARD, LARGE, ...VENDORS];
const QUANTITIES = [
  'CPU per request',
  'requests at saturation',
  'chunks per second',
  'first word, p50',
  'latency, p50',
  'latency, p99',
  'gap after status-500, p50',
  'gap after status-429, p50',
  'gap after reset, p50',
  'wasted on status-500',
  'wasted on refuse',
  'wasted on hang',
  'memory after 50 000',
  'growth over the next 50 000',
  'CPU per request at scale',
  'CPU per chunk at scale',
  'bundle, with all dependencies',
];

/** All alike, but for what is said of Switchyard. */
const findings = (own: Readonly<Record<string, readonly number[]>> = {}): readonly Finding[] =>
  QUANTITIES.flatMap((quantity) =>
    CANDIDATES.map(({ name }) => ({
      quantity,
      unit: '',
      candidate: name,
      values: (name === SWITCHYARD.name ? own[quantity] : undefined) ?? [2, 2, 2],
    })),
  );

const bar = (bars: readonly Bar[], what: string): Bar | undefined => bars.find((each) => each.what === what);

test('every bar is there once it is measured', () => {
  const promised = barsOf(findings()).map((each) => `${each.what}: ${each.promised}`);
  const toVendors = VENDORS.map(({ name }) => name);
  expect(promised).toEqual([
    'CPU per request, OpenAI in and out: at most 2.5 × bare proxy',
    'the same, beside Portkey: at most 0.25 × Portkey',
    'requests at saturation: at least 0.4 × bare proxy',
    'the same, beside Portkey: at least 4 × Portkey',
    'the same, beside the AI SDK: at least 3 × AI SDK',
    ...toVendors.map((name) => `CPU per request, ${name}: at most 4.5 × bare proxy`),
    'chunks per second, OpenAI in and out: at least 0.8 × bare proxy',
    'first word of a stream, p50: at most 0.5 ms more than bare',
    ...toVendors.flatMap((name) => [
      `chunks per second, ${name}: at least 0.35 × bare proxy`,
      `chunks per second, ${name}: at least 1.5 × AI SDK`,
    ]),
    'latency at 30 % of saturation, p50: at most 0.4 ms more than bare',
    'latency at 30 % of saturation, p99: at most 1.3 × bare proxy',
    ...['status-500', 'status-429', 'reset'].flatMap((fault) => [
      `gap after ${fault}, p50: at most 0.7 ms`,
      `gap after ${fault}, p50: at most 2.5 × bare proxy`,
    ]),
    'wasted on a target that answers 500: at most 10 of 1 000',
    'wasted on a target that is refused: at most 10 of 1 000',
    'wasted on a target that hangs: at most 48 of 1 000',
    'memory after 50 000 answers: at most 1.5 × Hono + openai SDK',
    'its growth over the next 50 000: at most 5 %',
    'CPU per request, 100 routes × 10 targets: at most 1.1 × 1 × 2',
    'CPU per chunk, 100 routes × 10 targets: at most 1.1 × 1 × 2',
    'core, http and an adapter, minified and gzipped: at most 40 kB',
  ]);
  expect(barsOf([])).toEqual([]);
});

test('a ratio is that of the same round, and the median of the rounds counts', () => {
  const bars = barsOf(findings({ 'CPU per request': [4, 40, 5] }));
  expect(bar(bars, 'CPU per request, OpenAI in and out')).toMatchObject({
    measured: { median: 2.5, least: 2, most: 20 },
    holds: true,
  });
});

test('why a bar does not hold is said only when it does not', () => {
  const held = barsOf(findings());
  expect(bar(held, 'core, http and an adapter, minified and gzipped')?.holds).toBe(true);
  expect(reasons(held)).toBe('');
  const broken = barsOf(findings({ 'bundle, with all dependencies': [77] }));
  expect(barTable(broken)).toContain('| 77 | **no** |');
  expect(reasons(broken)).toMatch(/^- core, http and an adapter, minified and gzipped: .*zod/);
});
