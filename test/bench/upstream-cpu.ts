import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ChatRequest, createRouter } from '@switchyard/core';
import type { Provider } from '@switchyard/core/provider';
import { switchyard } from '@switchyard/node';
import type { Simulator } from '@switchyard/simulator';
import { addEvent, asStreamed, newWhole, responseOf } from '../../packages/core/src/run/gather.ts';
import { ascending, quantile } from '../../packages/simulator/src/virtual/quantile.ts';
import { PROVIDERS, simulated } from '../wire/targets.ts';
import type { Errand, Report } from './upstream-peer.ts';

/** One way to come by an answer, of so many chunks. */
interface Way {
  readonly what: string;
  readonly how: string;
  readonly chunks: number;
}

/** CPU time of this process for one answer, in µs: user and system, all threads. */
export interface CpuTime extends Way {
  readonly medianUs: number;
  readonly leastUs: number;
  readonly mostUs: number;
}

interface Measure extends Way {
  ask(answers: number, atOnce: number): Promise<void>;
}

/** Answers of one batch, and how many of them at once, by chunks: enough that a batch is no matter of one garbage collection. */
const BATCHES: Readonly<Record<number, { readonly answers: number; readonly atOnce: number }>> = {
  20: { answers: 96, atOnce: 16 },
  200: { answers: 48, atOnce: 16 },
  1000: { answers: 16, atOnce: 16 },
};

export const SIZES: readonly number[] = Object.keys(BATCHES).map(Number);

/**
 * All measures, one after another within each round, so that a noisy minute on a busy machine falls on all alike. The
 * order turns about from round to round.
 */
export const measureCpu = async (rounds: number): Promise<readonly CpuTime[]> => {
  const peer = await Peer.start();
  const servers: Server[] = [];
  try {
    const measures = [...providerMeasures(peer), ...(await serverMeasures(peer, servers))];
    const timesUs = new Map(measures.map((measure) => [measure, [] as number[]]));
    for (const measure of measures) await batchUs(measure);
    for (let round = 0; round < rounds; round++) {
      for (const measure of round % 2 === 0 ? measures : measures.toReversed()) {
        timesUs.get(measure)?.push(await batchUs(measure));
      }
    }
    return measures.map((measure) => {
      const { what, how, chunks } = measure;
      const sorted = ascending(timesUs.get(measure) ?? []);
      const [medianUs, leastUs, mostUs] = [quantile(sorted, 0.5), quantile(sorted, 0), quantile(sorted, 1)];
      return { what, how, chunks, medianUs, leastUs, mostUs };
    });
  } finally {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    peer.stop();
  }
};

const batchUs = async (measure: Measure): Promise<number> => {
  const { answers, atOnce } = BATCHES[measure.chunks] as { answers: number; atOnce: number };
  const before = process.cpuUsage();
  await measure.ask(answers, atOnce);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / answers;
};

// ── the answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

const WORDS = ['every', 'word', 'of', 'an', 'answer', 'comes', 'in', 'a', 'chunk', 'of', 'its', 'own'];

/** The simulator answers a schema with an instance of it, and sends each word of that in an event of its own. */
const schemaOf = (chunks: number): { readonly [name: string]: unknown } => ({
  type: 'object',
  properties: { answer: { const: Array.from({ length: chunks }, (_, i) => WORDS[i % WORDS.length]).join(' ') } },
  required: ['answer'],
  additionalProperties: false,
});

const requestOf = (chunks: number): ChatRequest => ({
  messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  output: { type: 'json-schema', name: 'answer', schema: schemaOf(chunks) },
});

const bodyOf = (chunks: number): Readonly<Record<string, unknown>> => ({
  model: 'route',
  messages: [{ role: 'user', content: 'hi' }],
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: schemaOf(chunks) } },
});

const passingOf = (chunks: number): ChatRequest => ({
  ...requestOf(chunks),
  source: { format: 'openai-chat', body: bodyOf(chunks) },
});

// ── a provider by itself ─────────────────────────────────────────────────────────────────────────────────────────────

const providerMeasures = (peer: Peer): Measure[] =>
  SIZES.flatMap((chunks) => [
    ...PROVIDERS.flatMap((name) => waysOf(name, peer.provider(name), requestOf(chunks), chunks)),
    ...waysOf('openai, passing through', peer.provider('openai'), passingOf(chunks), chunks),
  ]);

const waysOf = (what: string, provider: Provider, request: ChatRequest, chunks: number): Measure[] => {
  const call = (): { readonly signal: AbortSignal } => ({ signal: new AbortController().signal });
  const streamed = asStreamed(request) as ChatRequest;
  const way = (how: string, ask: () => Promise<void>): Measure => ({
    what,
    how,
    chunks,
    ask: async (answers, atOnce) => {
      let left = answers;
      const askSome = async (): Promise<void> => {
        while (left-- > 0) await ask();
      };
      await Promise.all(Array.from({ length: atOnce }, askSome));
    },
  });
  return [
    way('send', async () => {
      check((await provider.send(request, call())).text, chunks);
    }),
    way('stream', async () => {
      let texts = 0;
      for await (const event of provider.stream(streamed, call())) if (event.type === 'text') texts += 1;
      // A vendor that sent several words at once would make streams look cheap.
      if (Math.abs(texts - chunks) > 2) throw new Error(`${what} sent ${texts} chunks instead of ${chunks}`);
    }),
    way('stream, gathered', async () => {
      const whole = newWhole();
      for await (const event of provider.stream(streamed, call())) addEvent(whole, event);
      check(responseOf(whole).text, chunks);
    }),
  ];
};

const check = (text: string, chunks: number): void => {
  if (text.split(' ').length !== chunks) throw new Error(`this is no answer of ${chunks} words: ${text.slice(0, 80)}`);
};

// ── over HTTP, beside a bare proxy ───────────────────────────────────────────────────────────────────────────────────

const serverMeasures = async (peer: Peer, servers: Server[]): Promise<Measure[]> => {
  const pool = [simulated(peer.simulator, 'openai')];
  const llm = switchyard(createRouter({ routes: { match: { pool }, stream: { pool, upstream: 'stream' } } }));
  const ours: RequestListener = (request, response) => llm(request, response, () => response.writeHead(404).end());
  const url = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const bare = await url(bareProxy(`${peer.urls.openai}/v1/chat/completions`));
  const router = await url(ours);
  const ways = [
    ['bare proxy', bare],
    ["router, upstream: 'match'", `${router}/llm/match/v1/chat/completions`],
    ["router, upstream: 'stream'", `${router}/llm/stream/v1/chat/completions`],
  ] as const;
  return SIZES.flatMap((chunks) =>
    ways.map(([how, url]): Measure => {
      const body = JSON.stringify({ ...bodyOf(chunks), model: 'gpt-5-mini' });
      return {
        what: 'over HTTP',
        how,
        chunks,
        async ask(answers, atOnce) {
          const least = await peer.ask({ url, body, answers, atOnce });
          if (least < chunks) throw new Error(`${how}: this is no answer of ${chunks} words`);
        },
      };
    }),
  );
};

/** The least that can stand between a caller and a vendor. */
const bareProxy = (upstream: string): RequestListener => {
  const agent = new Agent({ keepAlive: true });
  return (incoming, outgoing) => {
    const { host, connection, ...headers } = incoming.headers;
    const asked = httpRequest(upstream, { method: 'POST', agent, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(asked);
  };
};

// ── the other process ────────────────────────────────────────────────────────────────────────────────────────────────

class Peer {
  readonly urls: Readonly<Record<string, string>>;
  readonly #process: ChildProcess;

  constructor(process: ChildProcess, urls: Readonly<Record<string, string>>) {
    this.#process = process;
    this.urls = urls;
  }

  static async start(): Promise<Peer> {
    const child = fork(new URL('./upstream-peer.ts', import.meta.url), {
      execArgv: ['--conditions=@switchyard/source'],
    });
    const [ready] = (await once(child, 'message')) as [Report];
    return new Peer(child, ready.type === 'ready' ? ready.urls : {});
  }

  /** All that a target has to know of the simulator in the other process is where its vendors are. */
  get simulator(): Simulator {
    const vendors = Object.entries(this.urls).map(([name, url]) => [name, { url }]);
    return { vendors: Object.fromEntries(vendors) } as Simulator;
  }

  provider(name: (typeof PROVIDERS)[number]): Provider {
    const { model, connect } = simulated(this.simulator, name);
    return connect(model, undefined);
  }

  async ask(errand: Errand): Promise<number> {
    this.#process.send(errand);
    const heard = new AbortController();
    const { signal } = heard;
    const gone = once(this.#process, 'exit', { signal }).then(() => {
      throw new Error('the other process has ended');
    });
    try {
      const [asked] = (await Promise.race([once(this.#process, 'message', { signal }), gone])) as [Report];
      return asked.type === 'asked' ? asked.least : 0;
    } finally {
      heard.abort();
    }
  }

  stop(): void {
    this.#process.disconnect();
  }
}
