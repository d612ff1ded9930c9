import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, 'decide.ts');
/**
 * Nothing: but how soon the compiler takes numbers out of their boxes is its own affair, and in a short run two of 16 bytes
 * may be left for each target. An object for each target would be more than that.
 */
const mostBytesOf = (name: string): number => 40 * Number(/(\d+) targets/.exec(name)?.[1] ?? 1);

// Allocation is the same on every machine, and so it can be held here; how long a pick takes is for whoever runs the
// script on a quiet one. A process of its own: a test runner's workers instrument what they run.
describe('the script that times decisions', () => {
  let status: number | null;
  let complaints: string;
  let lines: readonly string[];
  /** By name of the measure: the cells after it. */
  let measured: ReadonlyMap<string, readonly string[]>;
  const bytesOf = (prefix: string): Record<string, number> =>
    Object.fromEntries(
      [...measured].filter(([name]) => name.startsWith(prefix)).map(([name, [, , bytes]]) => [name, Number(bytes)]),
    );

  beforeAll(() => {
    const run = spawnSync(process.execPath, [SCRIPT, '--rounds', '3'], { encoding: 'utf8', timeout: 110_000 });
    ({ status, stderr: complaints } = run);
    lines = run.stdout.split('\n');
    measured = new Map(
      lines
        .slice(2, lines.indexOf(''))
        .map((line) => line.split(/ {2,}/))
        .map(([name = '', ...cells]) => [name, cells]),
    );
  }, 120_000);

  test('prints what it measured, and says by its exit code whether all bars hold', () => {
    expect(complaints).toBe('');
    expect(lines[0]).toMatch(/^measure +ns +least … most +bytes +bar +holds$/);
    for (const kind of ['strategy alone', 'pick', 'nextStep', 'observe']) {
      expect(Object.values(bytesOf(kind)).length, kind).toBeGreaterThan(3);
    }
    for (const [name, [ns]] of measured) expect(Number(ns), name).toBeGreaterThan(0);
    expect(status).toBe([...measured.values()].some((cells) => cells.at(-1) === 'no') ? 1 : 0);
  });

  test('a strategy allocates nothing, in 20 000 picks from each pool', () => {
    for (const [name, bytes] of Object.entries(bytesOf('strategy alone'))) expect(bytes, name).toBe(0);
  });

  test('a pick makes no object for a target, in 20 000 picks of each situation', () => {
    for (const [name, bytes] of Object.entries(bytesOf('pick'))) {
      expect(bytes, name).toBeLessThanOrEqual(mostBytesOf(name));
    }
  });
});
