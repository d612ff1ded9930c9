import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { createLookup } from './lookup.ts';

const V4: LookupAddress = { address: '192.0.2.1', family: 4 };
const V6: LookupAddress = { address: '2001:db8::1', family: 6 };

/** A system whose answers are given by the test, and a clock. */
const system = () => {
  const asked: { hostname: string; settle: (answer: LookupAddress[] | Error) => void }[] = [];
  const clock = { nowMs: 0 };
  const lookup = createLookup(
    (hostname, _, callback) => {
      asked.push({
        hostname,
        settle: (answer) => (answer instanceof Error ? callback(answer, []) : callback(null, answer)),
      });
    },
    () => clock.nowMs,
  );
  const all = (hostname: string): Promise<unknown> =>
    new Promise((resolve, reject) =>
      lookup(hostname, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error))),
    );
  return { lookup, all, asked, clock };
};

test('many connections at once are one question', async () => {
  const { all, asked } = system();
  const answers = [all('a.example'), all('a.example'), all('b.example'), all('a.example')];
  expect(asked.map(({ hostname }) => hostname)).toEqual(['a.example', 'b.example']);
  asked[0]?.settle([V6, V4]);
  asked[1]?.settle([V4]);
  expect(await Promise.all(answers)).toEqual([[V6, V4], [V6, V4], [V4], [V6, V4]]);
});

test('an answer holds for ten seconds', async () => {
  const { all, asked, clock } = system();
  const first = all('a.example');
  asked[0]?.settle([V4]);
  await first;
  clock.nowMs = 9_999;
  expect(await all('a.example')).toEqual([V4]);
  expect(asked).toHaveLength(1);
  clock.nowMs = 10_000;
  const second = all('a.example');
  asked[1]?.settle([V6]);
  expect(await second).toEqual([V6]);
});

test('the last answer holds while a name cannot be looked up, and without one the error is told', async () => {
  const { all, asked, clock } = system();
  const lost = Object.assign(new Error('queryA ESERVFAIL'), { code: 'ESERVFAIL' });
  const never = all('a.example');
  asked[0]?.settle(lost);
  await expect(never).rejects.toBe(lost);
  const first = all('a.example');
  asked[1]?.settle([V4]);
  await first;
  clock.nowMs = 20_000;
  const later = all('a.example');
  asked[2]?.settle(lost);
  expect(await later).toEqual([V4]);
  // And is not asked for again by each connection.
  expect(await all('a.example')).toEqual([V4]);
  expect(asked).toHaveLength(3);
});

test('whoever wants one address gets the first', async () => {
  const { lookup, asked } = system();
  const one = new Promise((resolve) =>
    lookup('a.example', { all: false }, (_, address, family) => resolve({ address, family })),
  );
  asked[0]?.settle([V6, V4]);
  expect(await one).toEqual(V6);
});

test('a socket connects by it', async () => {
  const server = createServer().listen(0, 'localhost');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const lookup = createLookup();
  for (let i = 0; i < 2; i++) {
    const socket = connect({ host: 'localhost', port, lookup, autoSelectFamily: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.destroy();
  }
  server.close();
});
