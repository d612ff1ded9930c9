import { setTimeout as pause } from 'node:timers/promises';
import { AI_SDK, type Candidate, HONO_OPENAI, PORTKEY, SWITCHYARD } from '../candidates.ts';
import { interleaved, type Measure, ONCE } from '../measure.ts';

const FAULTS = ['status-500', 'refuse', 'hang'] as const;

/**
 * An answer takes a while, and a failure does not. With 20 ms the 16 callers would ask 800 times a second, and so keep a slow
 * machine busy: all 16 would have asked before the first failure is read, whatever a router does about it then.
 */
const WELL = { delayMs: 100, isUneven: true };

/** Who has no clock would wait for ever. */
const FEELS_SILENCE: readonly Candidate[] = [SWITCHYARD];

/** What is still sent to a target that is down, after it was well for a while. */
export const wasted: Measure = {
  name: 'wasted',
  what: 'the first target is down: how many requests are sent to it until the second has had 1 000, 16 at once, and how many callers get an error',
  run: (bench) =>
    interleaved(
      ONCE,
      [HONO_OPENAI, PORTKEY, AI_SDK, SWITCHYARD],
      Object.fromEntries(
        FAULTS.flatMap((fault) => [
          [`wasted on ${fault}`, 'requests'],
          [`failed by ${fault}`, 'requests'],
        ]),
      ),
      async (candidate) => {
        const counts: Record<string, number> = {};
        for (const fault of FAULTS) {
          if (fault === 'hang' && !FEELS_SILENCE.includes(candidate)) continue;
          await bench.vendor.ask('behave', WELL);
          const running = await bench.fresh(candidate);
          try {
            const target = running.target(false);
            await bench.load.ask('saturate', target, { connections: 16, forMs: 5_000, most: 500 });
            // It goes down while requests are under way, as vendors do, and not between two of them.
            const asking = bench.load.ask('saturate', target, {
              connections: 16,
              forMs: 60_000,
              most: 1_500,
              mayFail: true,
            });
            await pause(100);
            await bench.vendor.ask('behave', { ...WELL, fault });
            const { failures } = await asking;
            const { arrivals } = await bench.vendor.ask('counted');
            counts[`wasted on ${fault}`] = arrivals[0];
            counts[`failed by ${fault}`] = failures;
          } finally {
            await running.stop();
          }
        }
        return counts;
      },
    ),
};
