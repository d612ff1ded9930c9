import { expect, test } from 'vitest';
import { Patience } from './patience.ts';
import type { System } from './system.ts';

/** A clock that is moved by hand, and counts the timers that were set. */
const newClock = () => {
  let timers: { atMs: number; callback: () => void }[] = [];
  const clock = {
    nowMs: 0,
    timersSet: 0,
    get timersLeft() {
      return timers.length;
    },
    to(atMs: number) {
      clock.nowMs = atMs;
      const due = timers.filter((timer) => timer.atMs <= atMs);
      timers = timers.filter((timer) => !due.includes(timer));
      for (const { callback } of due) callback();
    },
  };
  const system: System = {
    nowMs: () => clock.nowMs,
    dice: () => 0.5,
    schedule(delayMs, callback) {
      const timer = { atMs: clock.nowMs + delayMs, callback };
      timers.push(timer);
      clock.timersSet += 1;
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  return { clock, system };
};

const silent: AsyncIterator<string> = { next: () => new Promise(() => {}) };
const ready: AsyncIterator<string> = { next: async () => ({ done: false, value: 'event' }) };

test('one timer serves all the events of a stream', async () => {
  const { clock, system } = newClock();
  const patience = new Patience<string>(system, undefined);
  for (let ms = 0; ms < 900; ms += 10) {
    clock.to(ms);
    expect(await patience.next(ready, ms + 1_000)).toEqual({ done: false, value: 'event' });
  }
  expect(clock.timersSet).toBe(1);
  patience.end();
  expect(clock.timersLeft).toBe(0);
});

test('an event is late by its own time, although the timer was set for an earlier one', async () => {
  const { clock, system } = newClock();
  const patience = new Patience<string>(system, undefined);
  await patience.next(ready, 1_000);
  clock.to(600);
  let news: unknown;
  void patience.next(silent, 1_600).then((said) => {
    news = said;
  });
  clock.to(1_000);
  await Promise.resolve();
  expect(news).toBeUndefined();
  clock.to(1_600);
  await Promise.resolve();
  await Promise.resolve();
  expect(news).toBe('late');
});

test('a time that is sooner than the last one counts', async () => {
  const { clock, system } = newClock();
  const patience = new Patience<string>(system, undefined);
  await patience.next(ready, 1_000);
  const waiting = patience.next(silent, 200);
  clock.to(200);
  expect(await waiting).toBe('late');
});

test('whoever leaves is not kept, and leaves nothing behind', async () => {
  const { clock, system } = newClock();
  const caller = new AbortController();
  const patience = new Patience<string>(system, caller.signal);
  const waiting = patience.next(silent, 1_000);
  caller.abort();
  expect(await waiting).toBe('left');
  expect(await patience.next(ready, 1_000)).toBe('left');
  patience.end();
  expect(clock.timersLeft).toBe(0);
});

test('an error of the stream is thrown', async () => {
  const { system } = newClock();
  const broken: AsyncIterator<string> = { next: () => Promise.reject(new Error('cut')) };
  await expect(new Patience<string>(system, undefined).next(broken, 1_000)).rejects.toThrow('cut');
});
