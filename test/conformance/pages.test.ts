import { expect, test } from 'vitest';
import { expectPage } from '../docs/page.ts';
import { CALLERS, type CallerFormat } from './callers.ts';
import { type Expected, expectedOf, type Feature } from './feature.ts';
import { GROUPS } from './features/index.ts';
import { TONGUES, WAYS, type Way } from './ways.ts';

// Prints what the cells have to come to. That they do, is for the tests of each format to say.

test('docs/conformance.md has every cell of the matrix, and the reason for each gap', () => {
  expectPage(
    'docs/conformance.md',
    Object.fromEntries(CALLERS.map((format) => [format, [matrixOf(format), gapsOf(format)].join('\n\n')])),
  );
});

test('no gap is without a reason, and none without a name', () => {
  for (const format of CALLERS) {
    for (const { expected, feature } of cellsOf(format)) {
      if (!('why' in expected)) continue;
      expect(expected.why, feature.name).toMatch(/\S.*\.$/);
      if ('what' in expected) expect(expected.what.length, feature.name).toBeGreaterThan(0);
    }
  }
});

const matrixOf = (format: CallerFormat): string => {
  const lines = Object.entries(GROUPS).flatMap(([group, features]) => {
    const rows = features
      .filter(({ says }) => says[format] !== undefined)
      .map((feature) => [feature.name, ...WAYS.map((way) => verdictOf(expectedOf(feature, format, TONGUES[way])))]);
    return rows.length === 0 ? [] : [[`**${group}**`, ...WAYS.map(() => '')], ...rows];
  });
  return table(['Feature', ...WAYS], lines);
};

const verdictOf = (expected: Expected | undefined): string => {
  if (expected === undefined) return '—';
  switch (expected.verdict) {
    case 'kept':
      return expected.status === undefined ? 'kept' : `kept, ${expected.status}`;
    case 'failed':
      return String(expected.status);
    default:
      return expected.verdict;
  }
};

/** One line for each reason, with the ways that share it. */
const gapsOf = (format: CallerFormat): string => {
  const lines = new Map<string, { readonly cells: readonly string[]; readonly ways: Way[]; readonly why: string }>();
  for (const { feature, way, expected } of cellsOf(format)) {
    const why = feature.unread?.[`${format} ${TONGUES[way]}`] ?? ('why' in expected ? expected.why : undefined);
    if (why === undefined) continue;
    const cells = [feature.name, `${verdictOf(expected)}${nameOf(expected)}`];
    const key = JSON.stringify([cells, why]);
    const line = lines.get(key) ?? { cells, ways: [], why };
    line.ways.push(way);
    lines.set(key, line);
  }
  return table(
    ['Feature', 'Cell', 'On the way to', 'Because'],
    [...lines.values()].map(({ cells, ways, why }) => [
      ...cells,
      ways.length === WAYS.length ? 'all' : ways.join(', '),
      why,
    ]),
  );
};

const nameOf = (expected: Expected): string => {
  switch (expected.verdict) {
    case 'left out':
    case 'skipped':
      return `: \`${expected.what.join('`, `')}\``;
    case 'refused':
      return `: \`${expected.path}\``;
    default:
      return '';
  }
};

const cellsOf = (
  format: CallerFormat,
): { readonly feature: Feature; readonly way: Way; readonly expected: Expected }[] =>
  Object.values(GROUPS)
    .flat()
    .flatMap((feature) =>
      WAYS.flatMap((way) => {
        const expected = expectedOf(feature, format, TONGUES[way]);
        return expected === undefined ? [] : [{ feature, way, expected }];
      }),
    );

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
