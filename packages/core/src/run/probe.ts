import { isDue } from '../decide/health/breaker.ts';
import { accessOf } from '../decide/health/health.ts';
import type { Pool } from '../decide/pool.ts';
import type { RouterEvent } from '../events.ts';
import type { System } from './system.ts';

/** A pool that nobody asked for so long is not worth a token. */
const IDLE_MS = 5 * 60_000;

/**
 * Tries targets that were left alone when they are due, without waiting for a request that would have to. It is the first
 * of the two answers that bring a target back, never both: the second comes from a request that matters.
 */
export class BackgroundProbes {
  readonly #pool: Pool;
  readonly #system: System;
  readonly #probe: (target: number) => Promise<void>;
  #trafficAtMs = Number.NEGATIVE_INFINITY;

  constructor(pool: Pool, system: System, probe: (target: number) => Promise<void>) {
    this.#pool = pool;
    this.#system = system;
    this.#probe = probe;
  }

  noteTraffic(): void {
    this.#trafficAtMs = this.#system.nowMs();
  }

  hear(event: RouterEvent): void {
    // Whoever has seen it fall probes it, so that not all routers of a store do at once.
    if (event.type !== 'target-cooled' || event.heard) return;
    const i = this.#pool.members.findIndex(({ id }) => id === event.target);
    this.#system.schedule(event.untilMs - this.#system.nowMs(), () => void this.#try(i), 'background');
  }

  async #try(i: number): Promise<void> {
    const health = this.#pool.members[i]?.health;
    const nowMs = this.#system.nowMs();
    if (health === undefined || nowMs - this.#trafficAtMs > IDLE_MS) return;
    // A request may have been quicker, or the target was cooled again: then it will be heard of again.
    if (!isDue(health.breaker, nowMs) || health.breaker.proofs > 0 || accessOf(health, 0, nowMs) !== 'due') return;
    await this.#probe(i);
  }
}
