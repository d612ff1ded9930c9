import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createRouter, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROVIDERS, type ProviderName, simulated } from './targets.ts';

// A host that does not answer a connection attempt at all, as behind a firewall that drops packets: a process that
// listens with the shortest queue, is stopped, and has its queue filled. The kernel then drops what else comes.

let blackHole: ChildProcess;
let url: string;
let simulator: Simulator;
const queue: Socket[] = [];

const LISTEN = `require('node:net').createServer().listen(0, '127.0.0.1', 1, function () { console.log(this.address().port) })`;

beforeAll(async () => {
  simulator = await startSimulator();
  blackHole = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (blackHole.stdout === null) throw new Error('no output to read the port from');
  const [port] = (await once(blackHole.stdout, 'data')) as [Buffer];
  blackHole.kill('SIGSTOP');
  for (let i = 0; i < 8; i++) queue.push(connect(Number(String(port)), '127.0.0.1').on('error', () => {}));
  await new Promise((resolve) => setTimeout(resolve, 100));
  url = `http://127.0.0.1:${String(port).trim()}`;
});

afterAll(async () => {
  for (const socket of queue) socket.destroy();
  blackHole.kill('SIGKILL');
  await simulator.close();
});

const unreachable = (provider: ProviderName): TargetSpec => {
  const timeouts = { connect: '200ms', answer: '20s' } as const;
  switch (provider) {
    case 'openai':
      return openai('m', { apiKey: 'k', baseURL: url, id: 'first', timeouts });
    case 'openai-responses':
      return openai('m', { apiKey: 'k', baseURL: url, api: 'responses', id: 'first', timeouts });
    case 'anthropic':
      return anthropic('m', { apiKey: 'k', baseURL: url, id: 'first', timeouts });
    case 'cohere':
      return cohere('m', { token: 'k', baseUrl: url, id: 'first', timeouts });
    case 'google':
      return google('m', { apiKey: 'k', baseURL: url, id: 'first', timeouts });
    case 'google-genai':
      return googleGenAI('m', { apiKey: 'k', httpOptions: { baseUrl: url }, id: 'first', timeouts });
  }
};

test.each(PROVIDERS)(
  '%s: without a connection within its connect timeout, the next target is asked',
  async (provider) => {
    const router = createRouter({
      routes: { chat: { pool: [unreachable(provider), simulated(simulator, 'openai')] } },
    });
    const answer = await router.chat('chat', {
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }],
    });
    const [first] = answer.served.attempts;
    expect(first).toMatchObject({ outcome: 'unreachable', message: expect.stringContaining('no connection within') });
    // Long before anything else would have given up.
    expect(first?.tookMs).toBeLessThan(5_000);
  },
);
