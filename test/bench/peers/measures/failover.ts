import { BARE, HONO_OPENAI, PORTKEY, SWITCHYARD, switchyardOn } from '../candidates.ts';
import { interleaved, type Measure, spreadOf } from '../measure.ts';

/**
 * An account that has answered 429 is left alone for half a second: with one of them there would be two failovers a second, each
 * of them cold. With a hundred accounts they are as many as after any other fault, and as warm.
 */
const MANY_ACCOUNTS = switchyardOn('hono', { routes: 100 });

const FAULTS = ['status-500', 'status-429', 'reset'] as const;

/**
 * From the vendor's failure to the arrival of the next request, both seen at the vendor. Every fourth request fails, so that
 * nobody stops asking the first target. The AI SDK is left out: ai-fallback stays with the second.
 */
export const failover: Measure = {
  name: 'failover',
  what: 'one request of four fails at the first target: the gap until the next target is asked. After 429 that of Switchyard has 100 routes of an account each, since it leaves one that is over its limit alone for half a second',
  run: (bench) =>
    interleaved(
      bench,
      [BARE, HONO_OPENAI, PORTKEY, SWITCHYARD],
      Object.fromEntries(FAULTS.map((fault) => [`gap after ${fault}, p50`, 'ms'])),
      async (candidate) => {
        const gaps: Record<string, number> = {};
        for (const fault of FAULTS) {
          const isLimit = fault === 'status-429';
          const running = await bench.warm(isLimit && candidate === SWITCHYARD ? MANY_ACCOUNTS : candidate);
          await bench.vendor.ask('behave', { fault, faultEvery: isLimit ? 1 : 4 });
          await bench.load.ask('saturate', running.target(false), {
            connections: 1,
            forMs: bench.much(5_000),
            most: bench.much(isLimit ? 2_000 : 400),
          });
          const { gapsMs } = await bench.vendor.ask('counted');
          gaps[`gap after ${fault}, p50`] = spreadOf(gapsMs).median;
        }
        await bench.vendor.ask('behave', {});
        return gaps;
      },
    ),
};
