import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { digits } from '../../../packages/simulator/src/virtual/table.ts';
import type { Bar } from './bars.ts';
import { BARE } from './candidates.ts';
import { type Picture, picturesInPage } from './flame/record.ts';
import { type Finding, type Measure, ratiosOf, type Spread, spreadOf } from './measure.ts';

const PAGE = join(import.meta.dirname, '../../../docs/performance.md');

/** Packages whose versions decide what is measured. */
const PACKAGES = [
  'openai',
  'undici',
  'hono',
  '@hono/node-server',
  'express',
  'koa',
  '@portkey-ai/gateway',
  'ai',
  'ai-fallback',
];

export const machine = (): string => {
  const [cpu] = cpus();
  const load = loadavg().map((each) => each.toFixed(1));
  return (
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}, ` +
    `Node ${process.versions.node}; load before: ${load.join(', ')}`
  );
};

/** When there was more to do before than a quiet machine has. */
export const isBusy = (): boolean => (loadavg()[0] ?? 0) > cpus().length / 2;

const BUSY =
  '**Others were at work on the machine while this was measured: the figures are provisional.** Numbers of a busy machine are too high,\n' +
  'and ratios swing.';

const versions = (): string =>
  PACKAGES.map((name) => {
    const file = join(import.meta.dirname, '../node_modules', name, 'package.json');
    return `${name} ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
  }).join(', ');

const written = ({ median, least, most }: Spread): string =>
  least === most ? digits(median) : `${digits(median)} (${digits(least)} to ${digits(most)})`;

type Row = readonly string[];

const markdown = (head: Row, rows: readonly Row[]): string =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** One row for each candidate, one column for each quantity, with what it is beside another, the bare proxy as a rule, where that was measured. */
export const tableOf = (findings: readonly Finding[]): string => {
  const quantities = [...new Set(findings.map(({ quantity }) => quantity))];
  const candidates = [...new Set(findings.map(({ candidate }) => candidate))];
  const unitOf = (quantity: string): string => findings.find((finding) => finding.quantity === quantity)?.unit ?? '';
  const cell = (quantity: string, candidate: string): string => {
    const finding = findings.find((each) => each.quantity === quantity && each.candidate === candidate);
    const spread = spreadOf(finding?.values ?? []);
    if (finding === undefined || Number.isNaN(spread.median)) return '–';
    const base = findings.find(
      (each) => each.quantity === quantity && each.candidate === (finding.beside ?? BARE.name),
    );
    if (base === undefined || base === finding) return written(spread);
    const ratio = spreadOf(ratiosOf(finding, base));
    return Number.isNaN(ratio.median) ? written(spread) : `${written(spread)} · ${ratio.median.toFixed(2)} ×`;
  };
  return markdown(
    ['', ...quantities.map((quantity) => `${quantity}, ${unitOf(quantity)}`)],
    candidates.map((candidate) => [candidate, ...quantities.map((quantity) => cell(quantity, candidate))]),
  );
};

export const barTable = (bars: readonly Bar[]): string =>
  markdown(
    ['', 'promised', 'measured', 'holds'],
    bars.map(({ what, promised, measured, holds }) => [what, promised, written(measured), holds ? 'yes' : '**no**']),
  );

/** Why those that do not hold do not, where that is known. */
export const reasons = (bars: readonly Bar[]): string =>
  bars
    .flatMap(({ what, holds, because }) => (holds || because === undefined ? [] : [`- ${what}: ${because}.`]))
    .join('\n');

export interface Run {
  readonly on: string;
  /** Whether others were at work there. */
  readonly busy: boolean;
  readonly rounds: number;
  readonly measures: readonly { readonly measure: Measure; readonly findings: readonly Finding[] }[];
  readonly bars: readonly Bar[];
  readonly pictures: readonly Picture[];
}

/** Around what a profile by itself writes anew. */
const [PROFILE, PROFILE_END] = ['<!-- profile -->', '<!-- /profile -->'];

const profilePart = (pictures: readonly Picture[]): string =>
  `${PROFILE}\n\n## Where the time goes\n\n${picturesInPage(pictures)}\n\n${PROFILE_END}`;

/** Only the pictures of the page, and what stands beside them. */
export const updateProfile = (pictures: readonly Picture[]): void => {
  const page = readFileSync(PAGE, 'utf8');
  const [from, to] = [page.indexOf(PROFILE), page.indexOf(PROFILE_END)];
  if (from < 0 || to < 0) throw new Error(`no ${PROFILE} in ${PAGE}: run all of it once`);
  writeFileSync(PAGE, page.slice(0, from) + profilePart(pictures) + page.slice(to + PROFILE_END.length));
};

export const writePage = ({ on, busy, rounds, measures, bars, pictures }: Run): void => {
  const parts = [
    '# Performance',
    'Written by `pnpm bench`; do not edit. What Switchyard costs beside the least that can stand between a caller and a vendor, and beside\n' +
      'its peers. A mock vendor, the callers and each candidate are processes of their own. Candidates take turns within each round, and the\n' +
      'order turns about, so that a noisy minute falls on all alike. Numbers are medians of the rounds, with the least and the most; × is\n' +
      'beside the bare proxy in the same round. The numbers of one machine mean little, and ratios more.',
    ...(busy ? [BUSY] : []),
    `Machine: ${on}. ${rounds} rounds. ${versions()}.`,
    '<!-- not run -->\n\n```sh\npnpm bench                                     # all of it, a quarter of an hour; writes this page\npnpm bench --only plain,streams --rounds 5    # some of it\npnpm bench --profile                           # only where the time goes: the pictures, and the table above them\npnpm bench --quick                             # whether it all works\n```',
    '## What was promised',
    barTable(bars),
    reasons(bars),
    profilePart(pictures),
    ...measures.flatMap(({ measure, findings }) => [
      `## ${measure.name}`,
      `${measure.what.charAt(0).toUpperCase()}${measure.what.slice(1)}.`,
      tableOf(findings),
    ]),
  ];
  writeFileSync(PAGE, `${parts.filter((part) => part !== '').join('\n\n')}\n`);
};
