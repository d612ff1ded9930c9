import { BARE, HONO_OPENAI, PORTKEY, SWITCHYARD } from '../candidates.ts';
import { interleaved, type Measure, spreadOf } from '../measure.ts';

const FAULTS = ['status-500', 'status-429', 'reset'] as const;

/**
 * From the vendor's failure to the arrival of the next request, both seen at the vendor. Every fourth request fails, so that
 * nobody stops asking the first target. The AI SDK is left out: ai-fallback stays with the second.
 */
export const failover: Measure = {
  name: 'failover',
  what: 'one request of four fails at the first target: the gap until the next target is asked',
  run: (bench) =>
    interleaved(
      bench,
      [BARE, HONO_OPENAI, PORTKEY, SWITCHYARD],
      Object.fromEntries(FAULTS.map((fault) => [`gap after ${fault}, p50`, 'ms'])),
      async (candidate) => {
        const running = await bench.warm(candidate);
        const gaps: Record<string, number> = {};
        for (const fault of FAULTS) {
          // After a 429 Switchyard asks nobody there for half a second, so that each of its requests to it may fail.
          const isLimit = fault === 'status-429';
          await bench.vendor.ask('behave', { fault, faultEvery: isLimit ? 1 : 4 });
          await bench.load.ask('saturate', running.target(false), {
            connections: 1,
            forMs: bench.much(5_000),
            most: isLimit ? 10_000 : bench.much(400),
          });
          const { gapsMs } = await bench.vendor.ask('counted');
          gaps[`gap after ${fault}, p50`] = spreadOf(gapsMs).median;
        }
        await bench.vendor.ask('behave', {});
        return gaps;
      },
    ),
};
