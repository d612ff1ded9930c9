import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, Server } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { serve } from '@hono/node-server';
import { createRouter } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/hono';
import { type Simulator, startSimulator, VENDOR_NAMES } from '@switchyard/simulator';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { commandsOf, requestOfCurl } from './shell.ts';

// Every block of code in a page is checked, and says in the comment before it how:
//
//   <!-- snippet: router.ts -->           the text of test/docs/snippets/router.ts, which is run below
//   <!-- snippet: a.ts#name -->           of its part between `// #region name` and `// #endregion`; a path with a
//                                         slash starts at the root of the repository
//   <!-- curl: 200 from openai/… -->      run against a server like the demo; each must answer so
//   <!-- output -->                       what the last command of the block before it answers: headers, then the body
//   <!-- not run -->                      every command is one of NOT_RUN
//
// UPDATE_DOCS=1 (`npm run docs`) writes the snippets into the pages.

const ROOT = join(import.meta.dirname, '../..');
const SNIPPETS = join(import.meta.dirname, 'snippets');
const UPDATE = process.env.UPDATE_DOCS === '1';

const PAGES = ['README.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'packages/*/README.md']
  .flatMap((pattern) => globSync(pattern, { cwd: ROOT }))
  .sort();

// ── snippets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const snippetOf = (name: string): string => {
  const [file = '', region] = name.split('#', 2);
  const source = readFileSync(join(file.includes('/') ? ROOT : SNIPPETS, file), 'utf8');
  if (region === undefined) return source;
  const [, code] = new RegExp(`// #region ${region}\n([^]*?)// #endregion`).exec(source) ?? [];
  if (code === undefined) throw new Error(`${file} has no region ${region}`);
  return code;
};

// ── reading pages ────────────────────────────────────────────────────────────────────────────────────────────────────

interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** What the comment before it says, if there is one. */
  readonly marker: string | undefined;
  readonly code: string;
}

const FENCE = /^(?:<!-- ((?:snippet|curl|output|not run)[^\n]*?) -->\n+)?```(\S*)[^\n]*\n([\s\S]*?)^```$/gm;

const blocksOf = (page: string): Block[] => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(FENCE)].map(({ index, 1: marker, 2: language = '', 3: code = '' }) => ({
    page,
    line: text.slice(0, index).split('\n').length,
    language,
    marker,
    code,
  }));
};

if (UPDATE) {
  for (const page of PAGES) {
    const text = readFileSync(join(ROOT, page), 'utf8');
    const updated = text.replaceAll(FENCE, (block, marker?: string, language?: string) => {
      const [, name] = /^snippet: (\S+)$/.exec(marker ?? '') ?? [];
      return name === undefined ? block : `<!-- ${marker} -->\n\n\`\`\`${language}\n${snippetOf(name)}\`\`\``;
    });
    if (updated !== text) writeFileSync(join(ROOT, page), updated);
  }
}

const blocks = PAGES.flatMap(blocksOf);
const where = ({ page, line }: Block): string => `${page}:${line}`;

const nameOf = ({ marker = '' }: Block): string | undefined => /^snippet: (\S+)$/.exec(marker)?.[1];

describe('code in the pages', () => {
  const code = blocks.filter(({ language }) =>
    /^(tsx?|typescript|m?jsx?|javascript|sh|bash|shell|zsh|console)$/.test(language),
  );

  test('there is some', () => {
    expect(code.length).toBeGreaterThan(20);
  });

  test.each(code.map((block) => [where(block), block] as const))('%s is checked', (_, block) => {
    expect(['ts', 'js', 'sh'], 'one word for each language').toContain(block.language);
    const allowed = block.language === 'sh' ? /^(not run$|curl: )/ : /^snippet: /;
    expect(block.marker ?? 'no comment before it', 'see test/docs/snippets.test.ts').toMatch(allowed);
  });

  const snippets = blocks.flatMap((block) => (nameOf(block) === undefined ? [] : [[where(block), block] as const]));

  test.each(snippets)('%s is the snippet it names; if not: npm run docs', (_, block) => {
    expect(block.code).toBe(snippetOf(nameOf(block) ?? ''));
  });

  test('every snippet is on a page, and is run', () => {
    const files = globSync('*.ts', { cwd: SNIPPETS }).sort();
    const shown = new Set(blocks.map((block) => nameOf(block)?.replace(/#.*$/, '')));
    expect(files.filter((file) => !shown.has(file))).toEqual([]);
    expect(Object.keys(RUNS).sort()).toEqual(files);
  });
});

// ── a world for them to run in ───────────────────────────────────────────────────────────────────────────────────────

let simulator: Simulator;
/** Every server that was started meanwhile, and those of them that wanted a port by its number. */
const servers = new Set<Server>();
const byPort = new Map<number, Server>();
const printed: string[] = [];
const print = (text: unknown): true => {
  printed.push(String(text));
  return true;
};

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Servers take a free port in place of the one they ask for, so that nothing else on the machine can be in the way. */
const listenAnywhere = (): void => {
  const { listen } = Server.prototype;
  vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
    servers.add(this);
    const [first, ...rest] = args;
    const wanted = typeof first === 'object' && first !== null && 'port' in first ? first.port : first;
    // The first one keeps the name: the ten lines are the server that the pages speak of.
    if (typeof wanted === 'number' && wanted !== 0 && !byPort.has(wanted)) byPort.set(wanted, this);
    const given = typeof first === 'object' ? { ...first, port: 0 } : 0;
    return Reflect.apply(listen, this, [given, ...rest]);
  });
};

/** Requests to vendors go to the simulator, and those to a port by its number go to who asked for it. */
const leadAstray = (): void => {
  const { fetch } = globalThis;
  const astray = (url: URL): URL => {
    const vendor = VENDOR_NAMES.find((name) => url.hostname.includes(`.${name}`) || url.hostname.includes(`${name}.`));
    if (vendor !== undefined) return new URL(url.pathname + url.search, simulator.vendors[vendor].url);
    const asked = byPort.get(Number(url.port));
    if (asked !== undefined) return new URL(url.pathname + url.search, `http://127.0.0.1:${portOf(asked)}`);
    if (url.hostname !== '127.0.0.1') throw new Error(`nothing stands in for ${url}`);
    return url;
  };
  vi.stubGlobal('fetch', (input: string | URL | Request, init?: RequestInit) => {
    if (!(input instanceof Request)) return fetch(astray(new URL(input)), init);
    const to = astray(new URL(input.url));
    return fetch(
      new Request(to, {
        ...input,
        method: input.method,
        headers: input.headers,
        body: input.body,
        duplex: 'half',
      } as RequestInit),
      init,
    );
  });
};

beforeAll(async () => {
  simulator = await startSimulator();
  listenAnywhere();
  leadAstray();
  for (const name of ['OPENAI', 'ANTHROPIC', 'GEMINI', 'OPENAI_EU', 'OPENAI_SECOND']) {
    vi.stubEnv(`${name}_${name.includes('_') ? 'KEY' : 'API_KEY'}`, `key-of-${name.toLowerCase()}`);
  }
  vi.stubEnv('CO_API_KEY', 'key-of-cohere');
  vi.stubEnv('TEAM_KEY', 'secret');
  for (const name of ['GOOGLE_API_KEY', 'OPENAI_BASE_URL', 'ANTHROPIC_BASE_URL', 'GOOGLE_GEMINI_BASE_URL']) {
    vi.stubEnv(name, undefined);
  }
  vi.spyOn(process.stdout, 'write').mockImplementation(print);
  for (const method of ['log', 'warn', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((...all) => void print(all.join(' ')));
  await import('./snippets/ten-lines.ts');
});

afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  for (const server of servers) {
    server.close();
    if ('closeAllConnections' in server) (server as HttpServer).closeAllConnections();
  }
  await simulator.close();
});

const ask = (base: string, route = 'chat', headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${base}/llm/${route}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] }),
  });

/** Who answers, by id. */
const servedBy = async (response: Response): Promise<string | null> => {
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('Hello')]);
  return response.headers.get('x-switchyard-target');
};

/** Runs what starts a server, and asks that server. */
const mounts = async (run: () => Promise<unknown>): Promise<void> => {
  const before = new Set(servers);
  await run();
  const [server] = [...servers].filter((each) => !before.has(each));
  if (server === undefined) throw new Error('no server was started');
  if (!server.listening) await once(server, 'listening');
  const base = `http://127.0.0.1:${portOf(server)}`;
  expect(await servedBy(await ask(base))).toBe('openai/gpt-5-mini');
  expect((await fetch(`${base}/llm/health`)).status).toBe(200);
  expect((await fetch(`${base}/elsewhere`)).status).toBe(404);
};

/** Runs something while a vendor answers with a status. */
const whileDown = async (vendor: 'openai' | 'anthropic', run: () => Promise<void>): Promise<void> => {
  simulator.vendors[vendor].break({ kind: 'status', status: 503 });
  await run().finally(() => simulator.vendors[vendor].heal());
};

const hello = { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] } as const;

/** What proves that a snippet does what its page says. */
const RUNS: Readonly<Record<string, () => Promise<void>>> = {
  'ten-lines.ts': async () => {
    expect(await servedBy(await ask('http://localhost:3000'))).toBe('anthropic/claude-sonnet-5-5');
  },
  'router.ts': async () => {
    const { router } = await import('./snippets/router.ts');
    for (const { name } of router.snapshot()) expect((await router.chat(name, hello)).text).toContain('Hello');
  },
  'mount-hono.ts': () => mounts(() => import('./snippets/mount-hono.ts')),
  'mount-express.ts': () => mounts(() => import('./snippets/mount-express.ts')),
  'mount-koa.ts': () => mounts(() => import('./snippets/mount-koa.ts')),
  'mount-node.ts': () => mounts(() => import('./snippets/mount-node.ts')),
  'mount-fetch.ts': () =>
    mounts(async () => {
      const app = await import('./snippets/mount-fetch.ts');
      serve({ fetch: app.default.fetch, port: 3000 });
    }),
  'openai-client.ts': async () => {
    printed.length = 0;
    await import('./snippets/openai-client.ts');
    expect(printed.join('')).toContain('Hello');
    expect(printed.length).toBeGreaterThan(2);
  },
  'anthropic-client.ts': async () => {
    printed.length = 0;
    await import('./snippets/anthropic-client.ts');
    expect(printed.join('')).toContain('Hello');
    expect(printed.length).toBeGreaterThan(2);
  },
  'route-options.ts': async () => {
    const { router } = await import('./snippets/route-options.ts');
    const once = { kind: 'status', status: 500, times: 1 } as const;
    for (const vendor of [simulator.vendors.openai, simulator.vendors.anthropic]) vendor.break(once);
    const { served, text } = await router.chat('reports', hello);
    expect(text).toContain('Hello');
    expect(served.attempts.map(({ target, outcome }) => [target, outcome])).toEqual([
      ['openai/gpt-5-mini', 'server-error'],
      ['anthropic/claude-sonnet-5-5', 'server-error'],
      ['openai/gpt-5-mini', 'answered'],
    ]);
    expect(simulator.vendors.openai.requests.at(-1)?.body).toMatchObject({ stream: true });
  },
  'target-options.ts': async () => {
    const { router } = await import('./snippets/target-options.ts');
    const { served } = await router.chat('chat', hello);
    expect(served.target.id).toBe('eu');
    expect(simulator.vendors.openai.requests.at(-1)?.headers.authorization).toBe('Bearer key-of-openai_eu');
    await whileDown('openai', async () => {
      const { served } = await router.chat('chat', { ...hello, seed: 7 });
      expect(served.target.id).toBe('anthropic/claude-sonnet-5-5');
      expect(served.attempts[1]?.dropped).toEqual(['seed']);
    });
  },
  'without-http.ts': async () => {
    printed.length = 0;
    await import('./snippets/without-http.ts');
    expect(printed[0]).toMatch(/^openai\/gpt-5-mini .*Hello/);
    expect(printed.slice(1).join('')).toContain('Hello');
  },
  'embeddings.ts': async () => {
    printed.length = 0;
    const { router } = await import('./snippets/embeddings.ts');
    expect(printed).toEqual(['openai/text-embedding-3-small 2']);
    await whileDown('openai', async () => {
      const { attempts } = await router.embed('vectors', { inputs: ['Hello'] }).catch((error) => error);
      expect(attempts.map(({ target }: { target: string }) => target)).toEqual(['openai/text-embedding-3-small', 'eu']);
    });
  },
  'explain.ts': async () => {
    printed.length = 0;
    await import('./snippets/explain.ts');
    expect(printed.slice(0, 3)).toEqual([
      'first: openai/gpt-5-mini, late after 20000 ms',
      'fallback: anthropic/claude-sonnet-5-5, late after 20000 ms',
      'fallback: google-genai/gemini-2.5-flash, late after 20000 ms',
    ]);
    expect(printed).toContain('chat: openai/gpt-5-mini is ready, 1 left');
    expect(printed).toHaveLength(3 + 3 + 2);
  },
  'events.ts': async () => {
    const { router } = await import('./snippets/events.ts');
    printed.length = 0;
    await whileDown('openai', async () => {
      for (let i = 0; i < 10; i++) await router.chat('chat', hello);
    });
    expect(printed[0]).toMatch(/^openai\/gpt-5-mini: overloaded after \d+ ms$/);
    expect(printed.at(-1)).toMatch(/^openai\/gpt-5-mini is left alone for \d+ ms: overloaded$/);
  },
  'many-cores.ts': async () => {
    // In processes of its own, which take a free port too, and print it.
    const preload = `import cluster from 'node:cluster';
      import { Server } from 'node:net';
      const { listen } = Server.prototype;
      Server.prototype.listen = function (port, ...rest) {
        if (cluster.isWorker) this.once('listening', () => console.log(this.address().port));
        return listen.call(this, 0, ...rest);
      };`;
    const args = ['--conditions=@switchyard/source', `--import=data:text/javascript,${encodeURIComponent(preload)}`];
    const { openai, anthropic } = simulator.vendors;
    const primary = spawn(process.execPath, [...args, join(SNIPPETS, 'many-cores.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        OPENAI_API_KEY: 'any',
        OPENAI_BASE_URL: `${openai.url}/v1`,
        ANTHROPIC_API_KEY: 'any',
        ANTHROPIC_BASE_URL: anthropic.url,
      },
    });
    try {
      const ports: string[] = [];
      createInterface(primary.stdout).on('line', (port) => ports.push(port));
      await vi.waitFor(() => expect(ports).toHaveLength(availableParallelism()), 20_000);
      expect(await servedBy(await ask(`http://127.0.0.1:${ports[0]}`))).toBe('openai/gpt-5-mini');
    } finally {
      primary.kill();
    }
  },
  'guard.ts': async () => {
    const { app } = await import('./snippets/guard.ts');
    const server = serve({ fetch: app.fetch, port: 3000 }) as HttpServer;
    if (!server.listening) await once(server, 'listening');
    const base = `http://127.0.0.1:${portOf(server)}`;
    expect((await ask(base)).status).toBe(401);
    expect((await ask(base, 'chat', { authorization: 'Bearer secret' })).status).toBe(200);
  },
  'priority.ts': async () => {
    const { router } = await import('./snippets/priority.ts');
    simulator.vendors.openai.break({ kind: 'status', status: 429, times: 1 });
    expect((await router.chat('chat', hello)).served.target.id).toBe('second-key');
    simulator.vendors.openai.heal();
  },
  'best-performance.ts': async () => {
    // The file that it names is of the folder that it runs in.
    const cwd = process.cwd();
    const folder = mkdtempSync(join(tmpdir(), 'switchyard-'));
    process.chdir(folder);
    try {
      const { router } = await import('./snippets/best-performance.ts');
      const { served } = await router.chat('chat', hello);
      expect(router.feedback(served.requestId, 1)).toMatchObject({ target: served.target.id, replaced: false });
      await vi.waitFor(() => expect(readdirSync(folder)).toEqual(['learned.json']), 5_000);
    } finally {
      process.chdir(cwd);
      rmSync(folder, { recursive: true });
    }
  },
  'feedback.ts': async () => {
    printed.length = 0;
    await import('./snippets/feedback.ts');
    expect(printed).toEqual([expect.stringMatching(/^\S+ has learned$/)]);
  },
  'round-robin.ts': async () => {
    const { router } = await import('./snippets/round-robin.ts');
    const served: string[] = [];
    for (let i = 0; i < 20; i++) served.push((await router.chat('chat', hello)).served.target.id);
    expect(served.filter((id) => id === 'first-key')).toHaveLength(10);
    expect(served.filter((id) => id === 'second-key')).toHaveLength(10);
  },
  'groups.ts': async () => {
    const { router } = await import('./snippets/groups.ts');
    const served = new Set<string>();
    for (let i = 0; i < 4; i++) served.add((await router.chat('chat', hello)).served.target.id);
    expect([...served].sort()).toEqual(['first-key', 'second-key']);
    simulator.vendors.openai.break({ kind: 'status', status: 500 });
    expect((await router.chat('chat', hello)).served.target.id).toBe('anthropic/claude-sonnet-5-5');
    simulator.vendors.openai.heal();
  },
  'own-rank.ts': async () => {
    const { router } = await import('./snippets/own-rank.ts');
    expect((await router.chat('chat', hello)).served.target.id).toBe('quick');
    const text = 'word '.repeat(2_000);
    const long = { messages: [{ role: 'user', content: [{ type: 'text', text }] }] } as const;
    expect((await router.chat('chat', long)).served.target.id).toBe('large');
  },
  'ab-tests.ts': async () => {
    const { router } = await import('./snippets/ab-tests.ts');
    const httpRequest = new Request('http://localhost/', { headers: { 'x-user-id': 'user-1' } });
    const { assigned } = router.explain('experiment', hello, { httpRequest });
    for (let i = 0; i < 5; i++) {
      const { served } = await router.chat('experiment', hello, { httpRequest });
      expect([served.assigned, served.target.id]).toEqual([assigned, assigned]);
    }
    expect(router.experiment('experiment')).toMatchObject({ control: 'openai/gpt-5-mini', alpha: 0.05 });
  },
  'affinity.ts': async () => {
    const { router } = await import('./snippets/affinity.ts');
    const user = { role: 'user', content: [{ type: 'text', text: 'word '.repeat(2_000) }] } as const;
    const { served, text } = await router.chat('chat', { messages: [user] });
    const said = { role: 'assistant', content: [{ type: 'text', text }] } as const;
    const next = await router.chat('chat', { messages: [user, said, ...hello.messages] });
    expect(next.served.target).toEqual(served.target);
    expect(next.served.attempts[0]?.affinity).toBe(true);
  },
  'least-cost.ts': async () => {
    const { router } = await import('./snippets/least-cost.ts');
    const [{ ranking }] = [router.explain('summaries', hello)];
    expect(ranking.map(({ target }) => target)).toEqual([
      'openai/llama-4',
      'anthropic/claude-haiku-5-5',
      'google-genai/gemini-2.5-flash',
      'openai/gpt-5-mini',
    ]);
  },
  'weighted-round-robin.ts': async () => {
    const { router } = await import('./snippets/weighted-round-robin.ts');
    const served: string[] = [];
    for (let i = 0; i < 50; i++) served.push((await router.chat('experiment', hello)).served.target.vendor);
    expect(served.filter((vendor) => vendor === 'anthropic')).toHaveLength(10);
    expect(served).not.toContain('google-genai');
  },
  'least-latency.ts': async () => {
    const { router } = await import('./snippets/least-latency.ts');
    for (let i = 0; i < 20; i++) expect((await router.chat('summaries', hello)).text).not.toBe('');
    const [, summaries] = router.snapshot();
    expect(summaries?.strategy).toBe('least-latency');
    const asked = summaries?.targets.filter(({ strategy }) => Number(strategy?.plainSamples) > 0) ?? [];
    expect(asked.length).toBeGreaterThan(0);
    for (const { strategy } of asked) expect(Number(strategy?.plainMs)).toBeGreaterThan(0);
  },
  'own-strategy.ts': async () => {
    const { random, router } = await import('./snippets/own-strategy.ts');
    expect(router.snapshot()[0]?.strategy).toBe(random().name);
    const served = new Set<string>();
    for (let i = 0; i < 40; i++) served.add((await router.chat('chat', hello)).served.target.vendor);
    expect([...served].sort()).toEqual(['anthropic', 'openai']);
  },
  'own-provider.ts': async () => {
    const { acme } = await import('./snippets/own-provider.ts');
    let status = 200;
    const app = new Hono().post('/', async (c) => {
      const { prompt } = (await c.req.json()) as { prompt: string };
      return c.json({ text: `Acme: ${prompt}` }, status as 200);
    });
    const server = serve({ fetch: app.fetch, port: 3000 }) as HttpServer;
    if (!server.listening) await once(server, 'listening');
    const pool = [acme('a1', { url: `http://127.0.0.1:${portOf(server)}/` }), openai('gpt-5-mini')];
    const router = createRouter({ routes: { chat: { pool } } });
    expect((await router.chat('chat', hello)).text).toBe('Acme: Hello');
    let streamed = '';
    for await (const event of router.stream('chat', hello)) if (event.type === 'text') streamed += event.text;
    expect(streamed).toBe('Acme: Hello');
    const skipped = await router.chat('chat', { ...hello, tools: [{ name: 'weather' }] });
    expect(skipped.served.skipped).toEqual([{ target: 'acme/a1', reason: 'cannot express tools' }]);
    status = 429;
    const { served } = await router.chat('chat', hello);
    expect(served.attempts.map(({ outcome }) => outcome)).toEqual(['rate-limited', 'answered']);
  },
  'own-adapter.ts': async () => {
    const { switchyard: mount } = await import('./snippets/own-adapter.ts');
    const { router } = await import('./snippets/router.ts');
    const middleware = mount(router);
    const next = async (): Promise<Response> => new Response('not here', { status: 404 });
    await mounts(async () => {
      serve({ fetch: (request: Request) => middleware({ request }, next), port: 3000 });
    });
  },
  'simulator-options.ts': async () => {
    await import('./snippets/simulator-options.ts');
    expect(byPort.has(4013)).toBe(true);
  },
};

describe('a snippet does what it says', () => {
  test.each(Object.entries(RUNS))('%s', (_, run) => run());
});

// ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const json = (path: string): Record<string, Record<string, string>> =>
  JSON.parse(readFileSync(join(ROOT, path), 'utf8'));

const isPackage = (name: string): boolean =>
  globSync('packages/*/package.json', { cwd: ROOT }).some((path) => String(json(path).name) === name) ||
  name in (json('test/package.json').dependencies ?? {});

/** Commands that are not run here, and why; what can be said about them without running them is checked. */
const NOT_RUN: readonly { readonly command: RegExp; readonly check: (match: readonly string[]) => void }[] = [
  {
    // They download packages. Each has to be one of ours, or one that the tests depend on.
    command: /^npm install (?:--save-dev )?(.+)$/,
    check: ([, names = '']) => {
      for (const name of names.split(' ')) expect([name, isPackage(name)]).toEqual([name, true]);
    },
  },
  {
    // They run this very test, or serve until they are stopped; test/e2e runs what `npm start` starts.
    command: /^npm (?:run )?(\S+)(?: -- --workers (?:\d|all))?$/,
    check: ([, script = '']) => expect(Object.keys(json('package.json').scripts ?? {})).toContain(script),
  },
  {
    // They build, and take from seconds to minutes; test/simulate plays scenarios.
    command: /^pnpm (simulate) (--(?:bars|latency|scores|strategies)|[a-z0-9-]+)$/,
    check: ([, script = '', what = '']) => {
      expect(Object.keys(json('package.json').scripts ?? {})).toContain(script);
      const known = globSync('packages/simulator/src/virtual/{main,scenarios/*}.ts', { cwd: ROOT });
      const sources = known.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\n');
      expect(sources).toContain(what.startsWith('--') ? `simulate ${what}` : `'${what}'`);
    },
  },
  {
    // It takes minutes, and wants the machine for itself.
    command: /^pnpm bench(?: --only (\S+)| --profile)?(?: --rounds \d+| --quick)*$/,
    check: ([, names = '']) => {
      expect(Object.keys(json('package.json').scripts ?? {})).toContain('bench');
      const files = globSync('test/bench/peers/measures/*.ts', { cwd: ROOT }).map((path) => basename(path, '.ts'));
      for (const name of names.split(',').filter((each) => each !== '')) expect(files).toContain(name);
    },
  },
  {
    // It asks questions.
    command: /^npx changeset$/,
    check: () => expect(json('package.json').devDependencies).toHaveProperty('@changesets/cli'),
  },
  {
    // It runs until it is stopped, and is there only once it is built.
    command: /^PORT=\d+ node node_modules\/@switchyard\/simulator\/dist\/(\w+)\.js$/,
    check: ([, name]) => expect(existsSync(join(ROOT, `packages/simulator/src/${name}.ts`))).toBe(true),
  },
];

/** A server like the one that `npm start` starts: the same routes, over vendors that can be broken. */
const startDemo = async (): Promise<{ readonly url: string; close(): Promise<void> }> => {
  const { vendors, control, close } = await startSimulator();
  const pool = [
    openai('gpt-5-mini', { apiKey: 'none', baseURL: `${vendors.openai.url}/v1`, weight: 50 }),
    anthropic('claude-sonnet-5-5', { apiKey: 'none', baseURL: vendors.anthropic.url, weight: 20 }),
    google('gemini-2.5-flash', { apiKey: 'none', baseURL: vendors.google.url, weight: 20 }),
    cohere('command-a-03-2025', { token: 'none', baseUrl: vendors.cohere.url, weight: 10 }),
  ];
  const router = createRouter({
    routes: { chat: { strategy: 'priority', pool }, experiment: { strategy: 'weighted-round-robin', pool } },
  });
  const app = new Hono();
  app.use('/llm/*', switchyard(router));
  app.use('/_simulator/*', async (c, next) => (await control(c.req.raw)) ?? next());
  const server = serve({ fetch: app.fetch, port: 0 }) as HttpServer;
  if (!server.listening) await once(server, 'listening');
  return { url: `http://127.0.0.1:${portOf(server)}`, close };
};

/** Times, ids and the dice differ from run to run. */
const steady = (text: string): string =>
  text
    .replaceAll(/\b(ms|dur)=[\d.]+/g, '$1=0')
    .replaceAll(/"(ms|created|dueInMs)": ?[\d.]+/g, '"$1":0')
    .replaceAll(/\bsw-[0-9a-f]{12}\b/g, 'sw-')
    .replaceAll(/"id": ?"(chatcmpl|msg)[^"]*"/g, '"id":"$1"');

const expectOutput = async (shown: string, response: Response): Promise<void> => {
  const [head = '', ...rest] = shown.trimEnd().split('\n\n');
  const [status = '', ...headers] = head.split('\n');
  expect(status).toMatch(new RegExp(`^HTTP/1.1 ${response.status}\\b`));
  for (const line of headers) {
    const [name = '', value] = line.split(/: (.*)/);
    expect(`${name}: ${steady(response.headers.get(name) ?? 'none')}`).toBe(`${name}: ${steady(value ?? '')}`);
  }
  const body = rest.join('\n\n');
  if (body !== '') expect(JSON.parse(steady(await response.text()))).toEqual(JSON.parse(steady(body)));
};

describe('commands in the pages', () => {
  const unrun = blocks.filter(({ marker, language }) => marker === 'not run' && language === 'sh');

  test.each(unrun.map((block) => [where(block), block] as const))('%s: those that are not run', (_, { code }) => {
    for (const command of commandsOf(code)) {
      const known = NOT_RUN.find((each) => each.command.test(command));
      if (known === undefined) throw new Error(`${command}: run it here, or say in NOT_RUN why not`);
      known.check(known.command.exec(command) ?? []);
    }
  });

  const pages = PAGES.filter((page) => blocks.some((block) => block.page === page && block.marker?.startsWith('curl')));

  test.each(pages)('%s: one after the other, as a reader types them', async (page) => {
    const demo = await startDemo();
    let last: Response | undefined;
    for (const block of blocks.filter((each) => each.page === page)) {
      if (block.marker === 'output') {
        if (last === undefined) throw new Error(`${where(block)}: no command has answered`);
        await expectOutput(block.code, last);
      }
      const [, status, target] = /^curl: (\d{3})(?: from (\S+))?$/.exec(block.marker ?? '') ?? [];
      if (status === undefined) continue;
      for (const command of commandsOf(block.code)) {
        const { url, method, headers, body } = requestOfCurl(command);
        const to = url.replace('http://localhost:8080', demo.url);
        last = await fetch(to, { method, headers, ...(body !== null && { body: await new Response(body).text() }) });
        expect([where(block), command, last.status]).toEqual([where(block), command, Number(status)]);
        if (target !== undefined) expect(last.headers.get('x-switchyard-target')).toBe(target);
      }
    }
    await demo.close();
  });
});

// ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** As GitHub makes them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

test.each(PAGES)('%s: links lead somewhere', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(FENCE, '');
  for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(link)) continue;
    const [path = '', anchor] = link.split('#', 2);
    const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
    expect([link, existsSync(file)]).toEqual([link, true]);
    if (anchor === undefined) continue;
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      anchorOf(heading),
    );
    expect(headings, link).toContain(anchor);
  }
});
