// Where a function belongs, by the file it is from.

/** Who wrote what runs. The order is that of legends. */
export const PARTS = [
  'Switchyard',
  'vendor’s SDK',
  'undici',
  'framework',
  'Node',
  'garbage collection',
  'other',
] as const;
export type Part = (typeof PARTS)[number];

const PARTS_BY_PACKAGE: Readonly<Record<string, Part>> = {
  openai: 'vendor’s SDK',
  '@anthropic-ai/sdk': 'vendor’s SDK',
  'cohere-ai': 'vendor’s SDK',
  '@google/genai': 'vendor’s SDK',
  '@google/generative-ai': 'vendor’s SDK',
  undici: 'undici',
  hono: 'framework',
  '@hono/node-server': 'framework',
  express: 'framework',
  koa: 'framework',
};

const INSTALLED = 'node_modules/';

/** The package that a file is from: `openai`, `@switchyard/core`, `node:net`; empty for what is a part of V8. */
export const packageOf = (url: string): string => {
  if (url === '' || url.startsWith('node:')) return url;
  if (url.startsWith('wasm:')) return 'wasm';
  const at = url.lastIndexOf(INSTALLED);
  if (at >= 0) {
    const [scope = '', name = ''] = url.slice(at + INSTALLED.length).split('/');
    return scope.startsWith('@') ? `${scope}/${name}` : scope;
  }
  const own = /\/packages\/([^/]+)\//.exec(url)?.[1];
  return own === undefined ? (url.split('/').at(-1) ?? url) : `@switchyard/${own}`;
};

/** `caller` is the part of who calls it: what has no file, such as `JSON.parse` and the parser of undici, belongs to who uses it. */
export const partOf = (name: string, url: string, caller: Part): Part => {
  if (name === '(garbage collector)') return 'garbage collection';
  if (url === '' || url.startsWith('wasm:')) return caller;
  // Node's fetch is undici as well, built in.
  if (url.startsWith('node:')) return url.startsWith('node:internal/deps/undici') ? 'undici' : 'Node';
  const from = packageOf(url);
  return from.startsWith('@switchyard/') ? 'Switchyard' : (PARTS_BY_PACKAGE[from] ?? 'other');
};
