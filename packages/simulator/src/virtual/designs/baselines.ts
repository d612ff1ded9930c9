import type { Failure } from '@switchyard/core';
import { Chain } from './chain.ts';
import type { Design, Ending } from './design.ts';

const isEnding = (result: Failure | Ending): result is Ending => typeof result === 'string';

/** Failures that an SDK tries again by itself: 408, 409, 429 and 5xx, connections that failed, and time-outs. */
const RETRIED: ReadonlySet<Failure['kind']> = new Set([
  'server-error',
  'overloaded',
  'unreachable',
  'timed-out',
  'rate-limited',
]);

/**
 * Vendors one after the other, each through its SDK as it comes: two retries on the same vendor after 0.5 s to 8 s, or
 * after what Retry-After says if that is at most a minute, and 60 s for an attempt. Source: openai-node.
 */
export const sdkDefaults: Design = {
  name: 'sdk-defaults',
  connect(scene) {
    const chain = new Chain(scene);
    return {
      async ask(request, options) {
        const errand = chain.begin(request, options);
        for (const vendor of chain.vendors) {
          for (let retries = 0; errand.leftMs > 0; retries++) {
            const result = await errand.attempt(vendor, 60_000);
            if (isEnding(result)) return result;
            if (retries === 2 || !RETRIED.has(result.kind)) break;
            const { retryAfterMs = Number.POSITIVE_INFINITY } = result;
            const backoffMs = Math.min(500 * 2 ** retries, 8_000) * (1 - 0.25 * scene.world.dice());
            await errand.sleep(retryAfterMs <= 60_000 ? retryAfterMs : backoffMs);
          }
        }
        return errand.fail();
      },
    };
  },
};

/** Vendors one after the other, 15 s for each, and every request begins with the first again. */
export const chainWithoutMemory: Design = {
  name: 'chain',
  connect(scene) {
    const chain = new Chain(scene);
    return {
      async ask(request, options) {
        const errand = chain.begin(request, options);
        for (const vendor of chain.vendors) {
          if (errand.leftMs <= 0) break;
          const result = await errand.attempt(vendor, 15_000);
          if (isEnding(result)) return result;
        }
        return errand.fail();
      },
    };
  },
};

/**
 * The same chain, but a vendor of whose answers more than half failed in this minute, and more than one, is left out for
 * 5 s. Source: LiteLLM's cool-downs, which count by the minute of the clock.
 */
export const fixedCooldown: Design = {
  name: 'cool-down',
  connect(scene) {
    const { world } = scene;
    const chain = new Chain(scene);
    const counts = chain.vendors.map(() => ({ minute: 0, failed: 0, all: 0, coolUntilMs: 0 }));
    const note = (index: number, failed: boolean): void => {
      const count = counts[index];
      if (count === undefined) return;
      const minute = Math.floor(world.nowMs() / 60_000);
      if (minute !== count.minute) Object.assign(count, { minute, failed: 0, all: 0 });
      count.all += 1;
      if (failed) count.failed += 1;
      if (failed && count.all > 1 && count.failed / count.all > 0.5) count.coolUntilMs = world.nowMs() + 5_000;
    };
    return {
      async ask(request, options) {
        const errand = chain.begin(request, options);
        for (const [index, vendor] of chain.vendors.entries()) {
          if (errand.leftMs <= 0) break;
          if (world.nowMs() < (counts[index]?.coolUntilMs ?? 0)) continue;
          const result = await errand.attempt(vendor, 15_000);
          // A caller who leaves says nothing about the vendor.
          if (result === 'left') return result;
          note(index, result !== 'answered');
          if (isEnding(result)) return result;
        }
        return errand.fail();
      },
    };
  },
};
