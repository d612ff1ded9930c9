import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FramePackets, readServerSentEvents, type ServerSentEvent } from './sse.ts';

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
};

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function* chunks(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

const read = (...parts: readonly (string | Uint8Array)[]): Promise<ServerSentEvent[]> =>
  collect(readServerSentEvents(chunks(parts.map((part) => (typeof part === 'string' ? bytesOf(part) : part)))));

const dataOf = (events: readonly ServerSentEvent[]): (string | undefined)[] => events.map(({ data }) => data);

/** Frames with their bytes as plain numbers, so that two readings can be compared. */
const plain = (events: readonly ServerSentEvent[]): unknown[] =>
  events.map(({ event, data, bytes }) => ({ event, data, bytes: [...bytes] }));

const cutAt = (bytes: Uint8Array, positions: readonly number[]): Uint8Array[] => {
  const sorted = [0, ...positions.toSorted((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((to, i) => bytes.subarray(sorted[i], to));
};

describe('frames', () => {
  test.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('lines may end in %s', async (_, end) => {
    const events = await read(`event: one${end}data: 1${end}${end}data: 2${end}${end}`);
    expect(events.map(({ event, data }) => [event, data])).toEqual([
      ['one', '1'],
      [undefined, '2'],
    ]);
  });

  test('several data lines are one text with line feeds', async () => {
    expect(dataOf(await read('data: a\ndata:b\ndata\ndata:  c\n\n'))).toEqual(['a\nb\n\n c']);
  });

  test('a comment is a frame without data', async () => {
    expect(dataOf(await read(': ping\n\ndata: 1\n\n:\n\n'))).toEqual([undefined, '1', undefined]);
  });

  test('fields that are neither data nor event are passed over', async () => {
    expect(dataOf(await read('id: 7\nretry: 10\nmetadata: x\ndata: 1\n\n'))).toEqual(['1']);
  });

  test.each(['', '\n', '\r\n', '\r\n\r'])(
    'what follows the last blank line is a frame too, and gets one: %j',
    async (end) => {
      const events = await read(`data: 1\n\ndata: 2${end}`);
      expect(dataOf(events)).toEqual(['1', '2']);
      const handedOn = Buffer.concat([...events.map(({ bytes }) => bytes), bytesOf('data: 3\n\n')]);
      expect(dataOf(await read(handedOn)).filter((data) => data !== undefined)).toEqual(['1', '2', '3']);
    },
  );

  test.each(['d', 'event: a', 'event: a\n', 'event: a\ndat', 'event: a\ndata:', ': pi'])(
    'but not where it says nothing yet: %j',
    async (left) => {
      expect(dataOf(await read(`data: 1\n\n${left}`))).toEqual(['1']);
    },
  );

  test('an event without data is none', async () => {
    expect(dataOf(await read('event: a\n\nevent: a\ndata: 1\n\n'))).toEqual(['1']);
  });

  test('an empty stream has no frames', async () => {
    expect(await read()).toEqual([]);
    expect(await read('', '')).toEqual([]);
  });

  test('a frame arrives with its last byte, not with the next frame', async () => {
    let sent = 0;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (const text of ['data: 1\n\n', 'data: 2\r\n\r\n', 'data: 3\n\n']) {
        sent++;
        yield bytesOf(text);
      }
    };
    let seen = 0;
    for await (const { data } of readServerSentEvents(body())) {
      seen++;
      expect(data).toBe(String(seen));
      expect(sent).toBe(seen);
    }
    expect(seen).toBe(3);
  });

  test('leaving the frames leaves the bytes', async () => {
    let left = false;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield bytesOf('data: 1\n\n');
      } finally {
        left = true;
      }
    };
    for await (const _ of readServerSentEvents(body())) break;
    expect(left).toBe(true);
  });
});

/** Where a frame is in a text; a last one without the blank line that it got. */
const whereIn = (text: string, frame: string): readonly [at: number, length: number] => {
  const at = text.indexOf(frame);
  if (at >= 0) return [at, frame.length];
  expect(text.endsWith(frame.slice(0, -2)), `${JSON.stringify(frame)} in ${JSON.stringify(text)}`).toBe(true);
  return [text.length - frame.length + 2, frame.length - 2];
};

const SAYS_DATA = /(?:^|[\r\n])data:(?! ?(?:[\r\n]|$))/;

describe('chunks', () => {
  const recorded = bytesOf(
    ': hi\r\n\r\nevent: a\r\ndata: {"x":"äß€😀"}\r\n\r\ndata: 1\ndata: 2\n\n\r\r\ndata: 3\r\rdata: [DONE]\n\n',
  );

  test('a cut at any byte leaves the frames as they are', async () => {
    const whole = plain(await read(recorded));
    for (let at = 0; at <= recorded.length; at++) {
      expect(plain(await read(...cutAt(recorded, [at]))), `cut at ${at}`).toEqual(whole);
    }
  });

  test('bytes that come one by one are the same frames', async () => {
    const single = cutAt(recorded, [...recorded.keys()]);
    expect(plain(await read(...single))).toEqual(plain(await read(recorded)));
  });

  test('any text in any chunks gives the frames of the whole, and their bytes are those of the stream that say anything', async () => {
    // Few letters and many line ends: where two line ends meet is where frames go wrong.
    const text = fc.string({
      unit: fc.constantFrom('\r', '\n', '\r\n', 'data:', 'event:', ':', ' ', 'x', '€', '😀'),
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(200), { maxLength: 8 }), async (stream, cuts) => {
        const bytes = bytesOf(stream);
        const events = await read(
          ...cutAt(
            bytes,
            cuts.map((cut) => cut % (bytes.length + 1)),
          ),
        );
        expect(plain(events)).toEqual(plain(await read(bytes)));
        let rest = stream;
        for (const { bytes: some } of events) {
          const [at, length] = whereIn(rest, Buffer.from(some).toString());
          expect(rest.slice(0, at)).not.toMatch(SAYS_DATA);
          rest = rest.slice(at + length);
        }
        expect(rest).not.toMatch(SAYS_DATA);
      }),
      { numRuns: 2_000 },
    );
  });

  test('frames that were handed out do not change when more bytes come', async () => {
    const events = await read('data: 1\n\nda', 'ta: 2\n\n', 'data: 3\n\n', 'data: 4\n', '\n');
    expect(events.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      'data: 1\n\n',
      'data: 2\n\n',
      'data: 3\n\n',
      'data: 4\n\n',
    ]);
  });

  test('an event of 1 MiB in chunks of 100 bytes is read in linear time', async () => {
    const text = 'x'.repeat(2 ** 20);
    const bytes = bytesOf(`data: ${text}\r\n\r\ndata: after\r\n\r\n`);
    const startedAt = performance.now();
    const events = await read(
      ...cutAt(
        bytes,
        Array.from({ length: Math.floor(bytes.length / 100) }, (_, i) => i * 100),
      ),
    );
    expect(dataOf(events)).toEqual([text, 'after']);
    // Copying the rest with every chunk takes seconds; this takes about 20 ms.
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe('frames in packets', () => {
  const packets = (parts: readonly string[], end = (): readonly string[] => []): FramePackets<string> =>
    new FramePackets(async () => chunks(parts.map(bytesOf)), {
      read({ data = '' }) {
        if (data === 'bad') throw new Error('not to be read');
        return data === 'nothing' ? [] : [data];
      },
      isLast: ({ data }) => data === 'last',
      end(broken) {
        if (broken !== undefined) throw broken.error;
        return end();
      },
    });

  test('those of one read are one packet, and half a frame waits for its other half', async () => {
    const read = packets(['data: 1\n\ndata: 2\n\nda', 'ta: 3\n\n', 'data: nothing\n\n', 'data: 4']);
    expect(await collect(read)).toEqual([['1', '2'], ['3'], ['4']]);
  });

  test('what cannot be read is thrown behind what came before it', async () => {
    const read = packets(['data: 1\n\ndata: bad\n\ndata: 2\n\n']);
    expect(await read.next()).toEqual({ done: false, value: ['1'] });
    await expect(read.next()).rejects.toThrow('not to be read');
    expect(await read.next()).toEqual({ done: true, value: undefined });
  });

  test('behind the last frame nothing is read, and what is left to say is said', async () => {
    const read = packets(['data: 1\n\ndata: last\n\ndata: 2\n\n'], () => ['the end']);
    expect(await collect(read)).toEqual([['1', 'last'], ['the end']]);
  });

  test('who leaves while the stream is opened cancels it', async () => {
    let cancelled = false;
    const body = (async function* () {
      try {
        yield bytesOf('data: 1\n\n');
      } finally {
        cancelled = true;
      }
    })();
    const started = body.next();
    let open = (_: AsyncIterable<Uint8Array>): void => {};
    const opening = new Promise<AsyncIterable<Uint8Array>>((resolve) => {
      open = resolve;
    });
    const read = new FramePackets(() => opening, { read: () => [], isLast: () => false, end: () => [] });
    const waiting = read.next();
    await read.return();
    await started;
    open(body);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(cancelled).toBe(true);
  });
});
