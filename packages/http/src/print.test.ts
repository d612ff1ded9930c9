import type { ChatEvent, Packets } from '@switchyard/core';
import { expect, test } from 'vitest';
import { PrintedStream, type StreamPrinter } from './print.ts';

const text = (said: string): ChatEvent => ({ type: 'text', text: said });
const bytes = (said: string): Uint8Array => new TextEncoder().encode(said);
const printError = (error: unknown): Uint8Array => bytes(`error: ${(error as Error).message}`);

const printer: StreamPrinter = {
  print: (event) => (event.type === 'text' ? [bytes(event.text), bytes('.')] : []),
  end: () => [bytes('end')],
};

async function* packets(...given: (readonly ChatEvent[] | Error)[]): AsyncGenerator<readonly ChatEvent[], void> {
  for (const packet of given) {
    if (packet instanceof Error) throw packet;
    yield packet;
  }
}

const read = async (from: Packets, by = printer): Promise<string[]> =>
  (await Array.fromAsync(new PrintedStream(from, by, printError))).map((piece) => new TextDecoder().decode(piece));

test('a packet is one piece, and one of which the caller gets nothing is none', async () => {
  expect(await read(packets([text('a'), text('b')], [{ type: 'other' }], [text('c')]))).toEqual(['a.b.', 'c.', 'end']);
});

test('an error is the last piece, in the words of the printer where it has some', async () => {
  expect(await read(packets([text('a')], new Error('cut')))).toEqual(['a.', 'error: cut']);
  const broken = () => [bytes('it '), bytes('broke')];
  expect(await read(packets(new Error('cut')), { ...printer, broken })).toEqual(['it broke']);
});

test('what cannot be printed is an error', async () => {
  const print = (): never => {
    throw new Error('no words');
  };
  expect(await read(packets([text('a')], [text('b')]), { ...printer, print })).toEqual(['error: no words']);
});

test('who leaves without having read anything is heard of', async () => {
  const asked: string[] = [];
  const from: Packets = {
    next: async () => {
      asked.push('next');
      throw new Error('the caller left');
    },
    return: async () => {
      asked.push('return');
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => from,
  };
  const stream = new PrintedStream(from, printer, printError);
  await stream.return();
  expect(asked).toEqual(['next', 'return']);
  expect((await stream.next()).done).toBe(true);
});
