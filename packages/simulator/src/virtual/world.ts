import type { System } from '@switchyard/core';
import type { Dice } from '../dice.ts';
import { diceFor } from './draw.ts';
import { Heap } from './heap.ts';

/** So many events are played before the real event loop gets a turn, so that the process stays responsive. */
const EVENTS_PER_TURN = 2_048;

/** The time of day at which every run begins, in ms since 1970: any will do, if it is always the same. */
const START_OF_DAY_MS = Date.UTC(2026, 0, 1);

/** The wall clock of the router's machine is set forward, or back where `byMs` is below 0. */
export interface ClockJump {
  readonly atMs: number;
  readonly byMs: number;
}

/**
 * A clock that jumps from event to event, and seeded dice: what a router takes as its `system`. An hour of traffic
 * takes seconds, and the same seed gives the same hour.
 */
export class World implements System {
  readonly seed: number;
  readonly dice: Dice;
  readonly #clockJumps: readonly ClockJump[];
  readonly #heap = new Heap();
  #nowMs = 0;

  constructor(seed: number, clockJumps: readonly ClockJump[] = []) {
    this.seed = seed;
    this.dice = diceFor(seed, 'router');
    this.#clockJumps = clockJumps;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** The time of day, in whole ms since 1970: what vendors' clocks show. */
  timeOfDayMs(): number {
    return START_OF_DAY_MS + Math.floor(this.#nowMs);
  }

  /** What the clock on the wall of the router's machine shows now. It may be wrong; `nowMs` never is. */
  wallNowMs(): number {
    let offMs = 0;
    for (const { atMs, byMs } of this.#clockJumps) if (atMs <= this.#nowMs) offMs += byMs;
    return this.timeOfDayMs() + offMs;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const appointment = this.#heap.add(this.#nowMs + Math.max(0, delayMs), callback);
    return () => {
      appointment.run = undefined;
    };
  }

  /** Lets time pass until `isOver`, or until nothing is left that could happen. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let events = 0;
      const playNext = (): void => {
        const next = isOver() ? undefined : this.#heap.take();
        if (next === undefined) {
          resolve();
          return;
        }
        this.#nowMs = next.atMs;
        try {
          next.run?.();
        } catch (error) {
          reject(error);
          return;
        }
        events += 1;
        if (events % EVENTS_PER_TURN === 0) setImmediate(playNext);
        else afterPromises(playNext);
      };
      afterPromises(playNext);
    });
  }
}

/**
 * Calls back once every promise that can go on has gone on. Node empties the queue of promise jobs before it looks at
 * the ticks, so a tick that is asked for by a promise job comes after all of them: 0.3 µs, where `setImmediate`, which
 * goes once around the event loop, takes 1.3 µs.
 */
const afterPromises = (callback: () => void): void => queueMicrotask(() => process.nextTick(callback));
