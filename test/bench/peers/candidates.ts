import { createServer } from 'node:net';
import type { CpuProfile } from './flame/stacks.ts';
import type { LoadSkills, Target } from './load.ts';
import type { ProbeSkills } from './probe.ts';
import { Process } from './process.ts';
import type { Setup } from './servers/setup.ts';

/** What is measured: a server between callers and the mock vendor. */
export interface Candidate {
  readonly name: string;
  readonly script: URL;
  /** What it is told beyond its port and its vendor. */
  readonly setup?: Partial<Setup>;
  /** A program of somebody else's, which takes arguments of its own. */
  readonly args?: (port: number) => readonly string[];
  /** Paths that are asked in turn. Default: where OpenAI has it. */
  readonly paths?: readonly string[];
  readonly headers?: (urls: Setup['urls']) => Readonly<Record<string, string>>;
}

const HOST = '127.0.0.1';

const server = (name: string): URL => new URL(`./servers/${name}.ts`, import.meta.url);

const routesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `/llm/route-${i}/v1/chat/completions`);

export const switchyardOn = (adapter: 'hono' | 'node' | 'express' | 'koa', setup: Partial<Setup> = {}): Candidate => {
  const { provider, builtInFetch, routes = 1, targets = 2 } = setup;
  const fetch = builtInFetch ? ', built-in fetch' : '';
  const vendor = provider === undefined ? '' : `, to ${provider}`;
  const size = routes === 1 ? '' : `, ${routes} × ${targets}`;
  return {
    name: `Switchyard on ${adapter}${vendor}${fetch}${size}`,
    script: server(`switchyard-${adapter}`),
    setup,
    paths: routesOf(routes),
  };
};

export const BARE: Candidate = { name: 'bare proxy', script: server('bare') };
/** The same on the framework of each adapter. */
const BARE_HONO: Candidate = { name: 'bare proxy on hono', script: server('bare-hono') };
const BARE_EXPRESS: Candidate = { name: 'bare proxy on express', script: server('bare-express') };
const BARE_KOA: Candidate = { name: 'bare proxy on koa', script: server('bare-koa') };
export const HONO_FETCH: Candidate = { name: 'Hono + global fetch', script: server('hono-fetch') };
export const HONO_OPENAI: Candidate = { name: 'Hono + openai SDK', script: server('hono-openai') };
export const AI_SDK: Candidate = { name: 'AI SDK + ai-fallback', script: server('ai-sdk') };
export const PORTKEY: Candidate = {
  name: 'Portkey gateway',
  script: server('portkey'),
  args: (port) => [`--port=${port}`, '--headless'],
  headers: (urls) => ({
    'x-portkey-config': JSON.stringify({
      strategy: { mode: 'fallback' },
      targets: urls.map((url) => ({ provider: 'openai', api_key: 'any-key', custom_host: `${url}/v1` })),
    }),
  }),
};
export const SWITCHYARD: Candidate = switchyardOn('hono');

/** What the transport of its own brings. */
export const BUILT_IN_FETCH: Candidate = switchyardOn('hono', { builtInFetch: true });

const [ON_NODE, ON_EXPRESS, ON_KOA] = [switchyardOn('node'), switchyardOn('express'), switchyardOn('koa')];
export const ADAPTERS: readonly Candidate[] = [ON_NODE, ON_EXPRESS, ON_KOA];
/** Each adapter, and the bare proxy on its own framework. */
export const ADAPTERS_AND_BARE: readonly (readonly [Candidate, Candidate])[] = [
  [SWITCHYARD, BARE_HONO],
  [ON_NODE, BARE],
  [ON_EXPRESS, BARE_EXPRESS],
  [ON_KOA, BARE_KOA],
];
export const VENDORS: readonly Candidate[] = (['anthropic', 'cohere', 'google', 'google-genai'] as const).map(
  (provider) => switchyardOn('hono', { provider }),
);
export const PEERS: readonly Candidate[] = [HONO_OPENAI, PORTKEY, AI_SDK];

const MESSAGES = [
  { role: 'system', content: 'You are a helpful assistant that answers in one paragraph.' },
  { role: 'user', content: 'How far is the moon, and how long would it take to get there by train?' },
];

/** A candidate that runs. */
export class Running {
  readonly candidate: Candidate;
  /** From the start of the process to its first answer, in ms. */
  readonly startedInMs: number;
  readonly #probe: Process<ProbeSkills>;
  readonly #target: Omit<Target, 'body'>;

  private constructor(candidate: Candidate, probe: Process<ProbeSkills>, target: Omit<Target, 'body'>, tookMs: number) {
    this.candidate = candidate;
    this.#probe = probe;
    this.#target = target;
    this.startedInMs = tookMs;
  }

  static async start(candidate: Candidate, urls: Setup['urls'], load: Process<LoadSkills>): Promise<Running> {
    const { script, args, headers, paths = ['/v1/chat/completions'] } = candidate;
    const port = await freePort();
    const setup: Setup = {
      host: HOST,
      port,
      urls,
      provider: 'openai',
      builtInFetch: false,
      routes: 1,
      targets: 2,
      ...candidate.setup,
    };
    const startMs = performance.now();
    const probe = new Process<ProbeSkills>(script, {
      args: args?.(port) ?? [JSON.stringify(setup)],
      quiet: true,
      nodeArgs: ['--import', new URL('./probe.ts', import.meta.url).href],
    });
    const target = {
      origin: `http://${HOST}:${port}`,
      paths,
      headers: { 'content-type': 'application/json', ...headers?.(urls) },
    };
    const running = (tookMs: number): Running => new Running(candidate, probe, target, tookMs);
    await load.ask('untilAnswered', running(0).target(false));
    return running(performance.now() - startMs);
  }

  target(stream: boolean): Target {
    return {
      ...this.#target,
      body: JSON.stringify({ model: 'mock-model', messages: MESSAGES, ...(stream && { stream }) }),
    };
  }

  usage(): Promise<{ cpuUs: number; rssBytes: number }> {
    return this.#probe.ask('usage');
  }

  startProfile(): Promise<void> {
    return this.#probe.ask('startProfile');
  }

  stopProfile(): Promise<CpuProfile> {
    return this.#probe.ask('stopProfile');
  }

  stop(): Promise<void> {
    return this.#probe.stop();
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, HOST, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
