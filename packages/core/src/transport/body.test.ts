import type { Dispatcher } from 'undici';
import { expect, test } from 'vitest';
import { WireBody } from './body.ts';

const newBody = () => {
  const socket = { paused: false, aborted: false };
  const body = new WireBody({
    get paused() {
      return socket.paused;
    },
    pause() {
      socket.paused = true;
    },
    resume() {
      socket.paused = false;
    },
    abort() {
      socket.aborted = true;
    },
  } as unknown as Dispatcher.DispatchController);
  return { body, socket };
};

const chunk = (text: string) => new TextEncoder().encode(text);
const textOf = ({ value }: { value?: Uint8Array | undefined }): string => new TextDecoder().decode(value);

test('what came at once is read at once, by somebody who waited for it and by somebody who did not', async () => {
  const { body } = newBody();
  const waiting = body.read();
  for (const text of ['a', 'b', 'c']) body.push(chunk(text));
  expect(textOf(await waiting)).toBe('abc');
  for (const text of ['d', 'e']) body.push(chunk(text));
  expect(textOf(await body.read())).toBe('de');
});

test('one chunk is handed on as it is', async () => {
  const { body } = newBody();
  const waiting = body.read();
  const bytes = chunk('a');
  body.push(bytes);
  expect((await waiting).value).toBe(bytes);
});

test('the end, or an error, comes behind what came with it', async () => {
  const ended = newBody().body;
  const waiting = ended.read();
  ended.push(chunk('a'));
  ended.end();
  expect(textOf(await waiting)).toBe('a');
  expect(await ended.read()).toEqual({ done: true, value: undefined });

  const failed = newBody().body;
  const reading = failed.read();
  failed.push(chunk('b'));
  failed.fail(new Error('cut'));
  expect(textOf(await reading)).toBe('b');
  await expect(failed.read()).rejects.toThrow('cut');
});

test('whoever waits hears of an end and of an error', async () => {
  const { body } = newBody();
  const waiting = body.read();
  body.end();
  expect((await waiting).done).toBe(true);

  const failed = newBody().body;
  const reading = failed.read();
  failed.fail(new Error('cut'));
  await expect(reading).rejects.toThrow('cut');
});

test('a reader who does not come stops the socket, and lets it go on when he does', async () => {
  const { body, socket } = newBody();
  for (let i = 0; i < 65; i++) body.push(new Uint8Array(1_024));
  expect(socket.paused).toBe(true);
  expect((await body.read()).value?.length).toBe(65 * 1_024);
  expect(socket.paused).toBe(false);
});

test('who leaves closes the connection, and gets nothing more', async () => {
  const { body, socket } = newBody();
  const waiting = body.read();
  body.push(chunk('a'));
  await body.cancel();
  expect(socket.aborted).toBe(true);
  expect((await waiting).done).toBe(true);
});
