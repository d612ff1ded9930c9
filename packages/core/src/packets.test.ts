import { describe, expect, test } from 'vitest';
import type { ChatEvent } from './decide/response.ts';
import { behind, EndingPackets, eventsOf, OVER, type Packets, packetsOf } from './packets.ts';

const text = (said: string): ChatEvent => ({ type: 'text', text: said });
const [A, B, C] = [text('a'), text('b'), text('c')];

async function* given(...packets: (readonly ChatEvent[])[]): AsyncGenerator<readonly ChatEvent[], void> {
  yield* packets;
}

test('a stream that knows of no packets has each event in one of its own', async () => {
  const stream = (async function* () {
    yield* [A, B];
  })();
  expect(await Array.fromAsync(packetsOf(stream))).toEqual([[A], [B]]);
});

test('a stream that knows its packets is read by them', async () => {
  const packets = given([A, B], [C]);
  const stream = { packets, [Symbol.asyncIterator]: () => eventsOf(packets) };
  expect(await Array.fromAsync(packetsOf(stream))).toEqual([[A, B], [C]]);
});

test('packets are read event by event', async () => {
  expect(await Array.fromAsync(eventsOf(given([A, B], [C])))).toEqual([A, B, C]);
});

test('some events come before others, and who leaves them leaves those too', async () => {
  const left: string[] = [];
  const packets: Packets = {
    next: async () => ({ done: false, value: [B] }),
    return: async () => {
      left.push('left');
      return OVER;
    },
    [Symbol.asyncIterator]: () => packets,
  };
  for await (const packet of behind([A], packets)) {
    expect(packet).toEqual([A]);
    break;
  }
  expect(left).toEqual(['left']);
});

describe('the end', () => {
  const watched = (packets: Packets) => {
    const heard: string[] = [];
    const watching = new EndingPackets(packets, {
      broken: (error) => new Error(`broken: ${(error as Error).message}`),
      over: () => heard.push('over'),
    });
    return { heard, watching };
  };

  test('is told once, where they have ended', async () => {
    const { heard, watching } = watched(given([A]));
    expect(await Array.fromAsync(watching)).toEqual([[A]]);
    await watching.next();
    await watching.return();
    expect(heard).toEqual(['over']);
  });

  test('is told where they are left', async () => {
    const { heard, watching } = watched(given([A], [B]));
    for await (const _ of watching) break;
    expect(heard).toEqual(['over']);
  });

  test('is told where they break, and another error is thrown', async () => {
    const packets = (async function* (): AsyncGenerator<readonly ChatEvent[], void> {
      yield [A];
      throw new Error('cut');
    })();
    const { heard, watching } = watched(packets);
    await watching.next();
    await expect(watching.next()).rejects.toThrow('broken: cut');
    expect(heard).toEqual(['over']);
  });
});
