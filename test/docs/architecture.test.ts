import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

// What docs/architecture.md says about who imports whom.

const ROOT = join(import.meta.dirname, '../..');

const filesOf = (pattern: string): string[] =>
  globSync(pattern, { cwd: ROOT }).filter((file) => !/\.test(-kit)?\.ts$/.test(file) && !file.includes('node_modules'));

/** What a file imports: paths from the root for its neighbours, names for packages. */
const importsOf = (file: string): string[] =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';$/gm)].map(
    ([, name = '']) => (name.startsWith('.') ? normalize(join(dirname(file), name)) : name),
  );

const strangers = (pattern: string, allowed: RegExp): string[] => {
  const files = filesOf(pattern);
  expect(files.length).toBeGreaterThan(0);
  return files.flatMap((file) =>
    importsOf(file)
      .filter((name) => !allowed.test(name))
      .map((name) => `${file} imports ${name}`),
  );
};

describe('imports point one way', () => {
  test.each([
    [
      'decide/ imports nothing but decide/, and an estimator of tokens',
      'packages/core/src/decide/**/*.ts',
      /^(packages\/core\/src\/decide\/|tokenx$)/,
    ],
    [
      'run/ imports decide/, the contracts of providers, ranks, streams and stores, events and errors, and a count of tokens',
      'packages/core/src/run/*.ts',
      /^(packages\/core\/src\/(decide|run)\/|packages\/core\/src\/(provider|rank|packets|store|events|errors)\.ts$|node:|tokenx$)/,
    ],
    [
      'what is above run/ imports it, decide/ and the contracts, and no vendor',
      'packages/core/src/{router,route,demands,subject,way,snapshot,space,explanation,experiment}.ts',
      /^packages\/core\/src\/((decide|run)\/|(answers|config|demands|digest|errors|events|experiment|explanation|packets|provider|rank|route|signals|snapshot|space|state|subject|way)\.ts$)/,
    ],
    [
      'the store of a cluster imports how news are merged, and nothing that decides or runs',
      'packages/core/src/{cluster,store}.ts',
      /^(packages\/core\/src\/(decide\/health\/news|store)\.ts|node:cluster)$/,
    ],
    [
      'a provider imports the kit, the transport and its SDK, and nothing of run/',
      'packages/core/src/providers/*.ts',
      /^(packages\/core\/src\/(decide|providers)\/|packages\/core\/src\/(packets|provider|provider-kit|target|sse|transport\/fixed-headers)\.ts$|node:crypto$|#transport$|openai$|@anthropic-ai\/|cohere-ai|@google\/)/,
    ],
    [
      'the transport imports undici and the contract of a call, and nothing of the rest',
      'packages/core/src/transport/*.ts',
      /^(packages\/core\/src\/(transport\/|provider\.ts$)|node:|undici$|undici\/)/,
    ],
    ['http imports core, and no server', 'packages/http/src/**/*.ts', /^(packages\/http\/|@switchyard\/core$)/],
    [
      'an adapter imports core, http and its framework',
      'packages/{hono,node,express,koa}/src/*.ts',
      /^(@switchyard\/(core|http|node)|hono|hono\/route|@hono\/node-server|express|koa|node:(http|stream))$/,
    ],
    [
      'the simulated vendors import nothing of the rest',
      'packages/simulator/src/{*,wires/*}.ts',
      /^(packages\/simulator\/|node:)/,
    ],
  ] as const)('%s', (_, pattern, allowed) => {
    expect(strangers(pattern, allowed)).toEqual([]);
  });
});

test('each file that docs/architecture.md names exists', () => {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const named = [...page.matchAll(/`((?:packages|test|apps|docs)\/[^`\s*]+)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => globSync(path, { cwd: ROOT }).length === 0)).toEqual([]);
});
