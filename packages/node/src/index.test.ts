import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Router } from '@switchyard/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { switchyard } from './index.ts';

/** The rest of what an adapter must do is in test/contracts; this is what only a raw socket can ask. */
const router = { snapshot: () => [] } as unknown as Router;

const middleware = switchyard(router);
const server = createServer((request, response) => middleware(request, response, () => response.end('the app')));

beforeEach(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  await once(server.close(), 'close');
});

const say = async (request: string): Promise<string> => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(request);
  return text(socket);
};

test('a caller that names no host, as HTTP/1.0 has it, gets an answer', async () => {
  expect(await say('GET /llm/health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 .*\{"status":"ok"\}$/s);
  expect(await say('GET /hello HTTP/1.0\r\n\r\n')).toMatch(/the app$/);
});

test('a request to a proxy, with a whole URL in its first line, gets an answer', async () => {
  const head = 'HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n';
  expect(await say(`GET http://api/llm/health ${head}`)).toContain('{"status":"ok"}');
  expect(await say(`GET http://api/hello ${head}`)).toContain('the app');
  expect(await say(`OPTIONS * ${head}`)).toContain('the app');
});

test('a path that climbs out of the mount point is the app’s', async () => {
  const head = 'HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n';
  for (const path of ['/llm/../health', '/llm/../v1/models', '/x/../llm/health']) {
    expect(await say(`GET ${path} ${head}`)).toContain('the app');
  }
});
