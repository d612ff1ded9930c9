// One program for the primary and its workers, as servers with node:cluster are: test/wire/cluster.test.ts starts it.
//
// The primary reads commands as lines: `fork`, `kill <worker>`, `noise`, `end`. It prints a line of JSON for each worker that listens,
// and for each that is gone. A worker has a router and serves it on a port of its own, so that a test can choose whom it asks.

import cluster, { type Worker } from 'node:cluster';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { createRouter, isRouterError, type RouterEvent, type System } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { clusterStore, relayClusterNews } from '@switchyard/core/cluster';
import { openai } from '@switchyard/core/openai';

/** What the test decides. */
export interface Setting {
  readonly openaiUrl: string;
  readonly anthropicUrl: string;
  readonly sharing: boolean;
  /** How fast the workers' clock goes: below 1, so that nothing is over before a busy machine has come to it. */
  readonly speed: number;
}

/** What a worker says of its first target. */
export interface Page {
  readonly standing: string;
  readonly reason?: string;
  readonly dueInMs?: number;
  /** Events of targets, such as `target-cooled heard`. */
  readonly events: readonly string[];
}

export interface Asked {
  readonly target?: string;
  readonly code?: string;
  readonly outcomes: readonly string[];
}

const setting = JSON.parse(process.env.CLUSTER_TEST ?? '') as Setting;

const print = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

/** Messages that are not the store's, or not understood. */
const NOISE = [
  null,
  'switchyard',
  { switchyard: 'weather' },
  { switchyard: 'news', news: 'none' },
  { switchyard: 'news', news: [null, { v: 2 }, { v: 1, about: 'model', key: 'x' }] },
];

const lead = (): void => {
  if (setting.sharing) relayClusterNews();
  // A second call changes nothing.
  if (setting.sharing) relayClusterNews();
  cluster.on('message', (worker: Worker, message: { url?: string } | null) => {
    if (typeof message?.url === 'string') print({ worker: worker.id, url: message.url });
  });
  cluster.on('exit', (worker, code, signal) => print({ worker: worker.id, gone: signal ?? code }));
  const commands = createInterface(process.stdin);
  commands.on('line', (line) => {
    const [command, id = ''] = line.split(' ');
    const workers = Object.values(cluster.workers ?? {}).flatMap((worker) => worker ?? []);
    if (command === 'fork') cluster.fork();
    if (command === 'kill') cluster.workers?.[id]?.process.kill('SIGKILL');
    if (command === 'noise') for (const worker of workers) for (const each of NOISE) worker.send(each as object);
    if (command === 'end') {
      commands.close();
      process.stdin.destroy();
      for (const worker of workers) worker.disconnect();
    }
  });
};

const work = (): void => {
  const { speed, sharing, openaiUrl, anthropicUrl } = setting;
  const system: System = {
    nowMs: () => speed * performance.now(),
    dice: Math.random,
    schedule(delayMs, callback) {
      const timer = setTimeout(callback, delayMs / speed);
      return () => clearTimeout(timer);
    },
  };
  const events: string[] = [];
  const onEvent = (event: RouterEvent): void => {
    if ('heard' in event || event.type.startsWith('target-'))
      events.push(`${event.type}${'heard' in event ? ' heard' : ''}`);
  };
  const router = createRouter({
    system,
    onEvent,
    health: { longestCooling: '5s', ramp: '1s' },
    ...(sharing && { store: clusterStore() }),
    routes: {
      chat: {
        pool: [
          openai('gpt-5-mini', { apiKey: 'secret-key', baseURL: `${openaiUrl}/v1` }),
          anthropic('claude-sonnet-5-5', { apiKey: 'secret-key', baseURL: anthropicUrl }),
        ],
      },
    },
  });
  const ask = async (): Promise<Asked> => {
    try {
      const { served } = await router.chat('chat', {
        messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }],
      });
      return { target: served.target.vendor, outcomes: served.attempts.map(({ outcome }) => outcome) };
    } catch (error) {
      if (!isRouterError(error)) throw error;
      return { code: error.code, outcomes: error.attempts.map(({ outcome }) => outcome) };
    }
  };
  const page = (): Page => {
    const [target] = router.snapshot()[0]?.targets ?? [];
    const { standing = '', reason, dueInMs } = target ?? {};
    return { standing, ...(reason && { reason }), ...(dueInMs !== undefined && { dueInMs }), events };
  };
  const server = createServer((request: IncomingMessage, response) => {
    void (async () => {
      const answer = request.url === '/ask' ? await ask() : page();
      response.setHeader('connection', 'close').end(JSON.stringify(answer));
    })();
  });
  // Not the port that all workers share; so nobody closes it for us.
  process.once('disconnect', () => server.close());
  server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
    for (const each of NOISE) process.send?.(each);
    process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  });
};

if (cluster.isPrimary) lead();
else work();
