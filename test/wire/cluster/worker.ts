// A worker has a router and serves it on a port of its own, so that a test can choose whom it asks.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRouter, isRouterError, type RouterEvent, type System } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { clusterStore } from '@switchyard/core/cluster';
import { openai } from '@switchyard/core/openai';
import { type Asked, NOISE, type Page, type Setting } from './setting.ts';

const setting = JSON.parse(process.env.CLUSTER_TEST ?? '') as Setting;

/** To the primary, if it is still there. */
const say = (message: unknown): void => {
  process.send?.(message, undefined, undefined, () => {});
};

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
  for (const each of NOISE) say(each);
  say({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
