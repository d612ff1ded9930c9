// Brings a fresh clone to the point where everything runs, on a machine that has only Node 20 and npm:
// pnpm comes through npx, and a current Node comes from the npm registry as an ordinary package, so that
// `node` in a package script means node_modules/.bin/node. A second run compares one hash and returns.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PNPM = 'pnpm@12.21.0';
const OLDEST_NODE = [22, 19];

const root = join(import.meta.dirname, '..');
const stamp = join(root, 'node_modules', '.switchyard-setup');
const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'pnpm-lock.yaml')))
  .update(readFileSync(join(root, 'pnpm-workspace.yaml')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash) {
  const install = spawnSync('npx', ['--yes', PNPM, 'install', '--frozen-lockfile'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (install.status !== 0) process.exit(install.status ?? 1);
  writeFileSync(stamp, lockHash);
}

// The Node package is optional, and an optional package that has no build for this machine is left out in silence.
const bin = join(root, 'node_modules', '.bin', 'node');
const version = execFileSync(existsSync(bin) ? bin : 'node', ['--version'], { encoding: 'utf8' }).trim();
const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  console.error(`Switchyard needs Node ${OLDEST_NODE.join('.')} or newer, and this is ${version}.`);
  console.error('There is no Node package on npm for this machine: install Node 24 and run the command again.');
  process.exit(1);
}
