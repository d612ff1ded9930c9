import { describe, expect, test } from 'vitest';
import { packageOf, partOf } from './parts.ts';
import { type CpuProfile, type Stack, sharesOf, stacksOf } from './stacks.ts';
import { flameGraph, flamesOf, shareTable } from './svg.ts';

type Call = readonly [name: string, url: string, selfUs: number, calls?: readonly Call[]];

const CORE = 'file:///repo/packages/core/dist/router.js';
const OPENAI = 'file:///repo/node_modules/.pnpm/openai@7/node_modules/openai/client.mjs';
const NET = 'node:net';

/** As V8 writes it: nodes by number, and one sample for each that took time. */
const profileOf = (calls: readonly Call[]): CpuProfile => {
  const nodes: { id: number; callFrame: CpuProfile['nodes'][number]['callFrame']; children: number[] }[] = [];
  const [samples, timeDeltas]: [number[], number[]] = [[], []];
  const add = ([functionName, url, selfUs, below = []]: Call): number => {
    const node = { id: nodes.length + 1, callFrame: { functionName, url, lineNumber: 6 }, children: [] as number[] };
    nodes.push(node);
    if (selfUs > 0) {
      samples.push(node.id);
      timeDeltas.push(selfUs);
    }
    node.children.push(...below.map(add));
    return node.id;
  };
  add(['(root)', '', 0, calls]);
  return { nodes, samples, timeDeltas };
};

const call = (all: Stack, ...names: readonly string[]): Stack | undefined =>
  names.reduce<Stack | undefined>((stack, name) => stack?.calls.find((each) => each.name === name), all);

describe('where a function belongs', () => {
  test('is said by its file, and for what V8 has built in by who calls it', () => {
    expect(partOf('send', CORE, 'Node')).toBe('Switchyard');
    expect(partOf('post', OPENAI, 'Switchyard')).toBe('vendor’s SDK');
    expect(partOf('emit', 'node:events', 'undici')).toBe('Node');
    expect(partOf('fetch', 'node:internal/deps/undici/undici', 'Node')).toBe('undici');
    expect(partOf('parse', '', 'vendor’s SDK')).toBe('vendor’s SDK');
    expect(partOf('wasm-function[20]', 'wasm://wasm/00034eea', 'undici')).toBe('undici');
    expect(partOf('(garbage collector)', '', 'Node')).toBe('garbage collection');
    expect(partOf('safeParse', 'file:///repo/node_modules/zod/v4/core.js', 'Node')).toBe('other');
  });

  test('its package is the innermost one that is installed', () => {
    expect(packageOf('file:///r/node_modules/.pnpm/hono@4/node_modules/@hono/node-server/dist/index.mjs')).toBe(
      '@hono/node-server',
    );
    expect(packageOf(OPENAI)).toBe('openai');
    expect(packageOf(CORE)).toBe('@switchyard/core');
    expect(packageOf('file:///repo/test/bench/peers/probe.ts')).toBe('probe.ts');
  });
});

describe('the stacks of a profile', () => {
  const all = stacksOf(
    profileOf([
      ['onRead', NET, 10, [['send', CORE, 20, [['parse', '', 5]]]]],
      // The same function again, compiled anew.
      ['onRead', NET, 30, [['send', CORE, 15]]],
      ['(garbage collector)', '', 20],
      ['(idle)', '', 900],
      ['startProfile', 'file:///repo/test/bench/peers/probe.ts', 70, [['post', 'node:inspector', 7]]],
    ]),
  );

  test('are one where the callers are the same, and leave out what is no work of the server', () => {
    expect(all.totalUs).toBe(100);
    expect(call(all, 'onRead node:net')).toMatchObject({ totalUs: 80, selfUs: 40 });
    expect(call(all, 'onRead node:net', 'send @switchyard/core')).toMatchObject({ totalUs: 40, selfUs: 35 });
    expect(all.calls.map(({ name }) => name)).toEqual(['onRead node:net', '(garbage collector)']);
  });

  test('give each part the time that it takes by itself', () => {
    const shares = sharesOf(all);
    expect(shares.get('Switchyard')).toBeCloseTo(0.4);
    expect(shares.get('Node')).toBeCloseTo(0.4);
    expect(shares.get('garbage collection')).toBeCloseTo(0.2);
    expect([...shares.values()].reduce((sum, share) => sum + share)).toBeCloseTo(1);
  });

  test('tell functions without a name apart by their place', () => {
    const { calls } = stacksOf(
      profileOf([
        ['', CORE, 1],
        ['', OPENAI, 2],
      ]),
    );
    expect(calls.map(({ name }) => name)).toEqual([
      '(anonymous) client.mjs:7 openai',
      '(anonymous) router.js:7 @switchyard/core',
    ]);
  });

  test('of nothing are nothing', () => {
    expect(flamesOf(stacksOf({ nodes: [] }))).toEqual([]);
    expect(flameGraph('nothing', stacksOf({ nodes: [] }))).not.toContain('NaN');
  });
});

describe('a flame graph', () => {
  const all = stacksOf(
    profileOf([
      ['a', CORE, 400, [['b', OPENAI, 200]]],
      ['c<d>', NET, 398],
      ['narrow', NET, 2],
    ]),
  );

  test('puts what is called above its caller, from its left on, as wide as its share', () => {
    expect(flamesOf(all)).toEqual([
      { name: 'all', part: 'Node', from: 0, share: 1, depth: 0 },
      { name: 'a @switchyard/core', part: 'Switchyard', from: 0, share: 0.6, depth: 1 },
      { name: 'b openai', part: 'vendor’s SDK', from: 0, share: 0.2, depth: 2 },
      { name: 'c<d> node:net', part: 'Node', from: 0.6, share: 0.398, depth: 1 },
    ]);
  });

  test('is a picture without a script, with the share of each part in words', () => {
    const svg = flameGraph('plain & simple', all);
    expect(svg).toContain('plain &amp; simple');
    expect(svg).toContain('<title>c&lt;d&gt; node:net: 39.8 %</title>');
    expect(svg).toContain('vendor’s SDK 20.0 %');
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('narrow');
  });

  test('has its shares in a table', () => {
    expect(shareTable([{ name: 'plain', all }])).toContain('| Switchyard | 40.0 % |');
  });
});
