// Everything that is checked without running it: format and lint, types, unused code, and what would be published.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const packages = readdirSync(join(root, 'packages')).filter(
  (name) => !JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).private,
);

const checks = [
  ['format and lint', 'biome', ['ci', '--colors=off', '--error-on-warnings', '.']],
  ['types and build', 'tsc', ['-b']],
  ['types of the tests', 'tsc', ['-p', 'test/tsconfig.json']],
  ['unused code', 'knip', []],
  ...packages.flatMap((name) => [
    [`package ${name}`, 'publint', ['--strict', '--pack', 'npm', join('packages', name)]],
    // ESM only, so `require` of older Nodes is not what is promised.
    [
      `types of package ${name}`,
      'attw',
      ['--pack', join('packages', name), '--profile', 'esm-only', '--format', 'ascii'],
    ],
  ]),
];

let failed = 0;
for (const [name, command, args] of checks) {
  const startMs = performance.now();
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules', '.bin', command), args, {
    cwd: root,
    encoding: 'utf8',
  });
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  console.log(`${status === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failed += 1;
  console.log(stdout, stderr);
}
process.exit(failed === 0 ? 0 : 1);
