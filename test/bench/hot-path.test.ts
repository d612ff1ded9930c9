import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Cost } from './hot-path.ts';

const SCRIPT = join(import.meta.dirname, 'hot-path.ts');

// Counts do not depend on how busy a machine is, and so they can be held here; times are for `pnpm bench`. A process of its own:
// a test runner's workers instrument what they run. A bound is what was measured, and a tenth: one that no longer holds was
// either broken by mistake, or is to be raised on purpose.
describe('the hot path, OpenAI in and out, over the SDK and our own transport', () => {
  let measured: { plain: Cost; stream: Cost; chunk: Cost; heard: boolean };

  beforeAll(() => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--conditions=@switchyard/source', SCRIPT], {
      encoding: 'utf8',
      timeout: 110_000,
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    measured = JSON.parse(stdout);
  }, 120_000);

  test('a plain request takes 55 promises, two timers and 67 kB at most', () => {
    const { promises, timers, bytes } = measured.plain;
    expect(promises).toBeGreaterThan(10);
    expect(promises).toBeLessThanOrEqual(60);
    expect(timers).toBeLessThanOrEqual(2.1);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThanOrEqual(74_000);
  });

  test('a chunk of a stream takes 13 promises, no timer and 6.2 kB at most', () => {
    const { promises, timers, bytes } = measured.chunk;
    expect(promises).toBeGreaterThan(5);
    expect(promises).toBeLessThanOrEqual(14);
    expect(timers).toBeLessThanOrEqual(0.05);
    expect(bytes).toBeGreaterThan(500);
    expect(bytes).toBeLessThanOrEqual(6_900);
  });

  test('somebody listened to the events meanwhile', () => {
    expect(measured.heard).toBe(true);
  });
});
