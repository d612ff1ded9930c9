import { FAILURE_RULES, type FailureKind, type FailureRule } from '@switchyard/core';
import { test } from 'vitest';
import { expectPage } from './page.ts';

const NEXT: Readonly<Record<FailureRule['next'], string>> = {
  fallback: 'next target',
  'larger-window': 'next target with a larger window',
  return: "the caller gets the vendor's error",
  stop: 'nothing',
};

const durationOf = (ms: number): string => {
  const [amount, unit] =
    ms < 60_000 ? [ms / 1_000, 's'] : ms < 3_600_000 ? [ms / 60_000, 'min'] : [ms / 3_600_000, 'h'];
  return `${amount} ${unit}`;
};

const waitOf = ({ gate, gateMs }: FailureRule): string => {
  if (gate === undefined) return '–';
  if (gateMs === undefined) return 'only where the vendor names a time';
  return `${durationOf(gateMs.first)}, doubling up to ${durationOf(gateMs.most)}`;
};

test('docs/failures.md has the table that the router works by', () => {
  const rules = Object.entries(FAILURE_RULES) as [FailureKind, FailureRule][];
  expectPage('docs/failures.md', {
    rules: [
      '',
      '| Kind | When | What becomes of the request | A further pass asks again | Charged to | Effect | Gate | Wait where the vendor names no time |',
      '| --- | --- | --- | --- | --- | --- | --- | --- |',
      ...rules.map(([kind, rule]) => {
        const { when, next, passing, chargedTo, effect, gate = '–' } = rule;
        const again = passing ? 'yes' : 'no';
        return `| \`${kind}\` | ${when} | ${NEXT[next]} | ${again} | ${chargedTo} | ${effect} | ${gate} | ${waitOf(rule)} |`;
      }),
      '',
    ].join('\n'),
  });
});
