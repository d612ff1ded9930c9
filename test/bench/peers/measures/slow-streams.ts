import { BARE, HONO_OPENAI, PORTKEY, SWITCHYARD } from '../candidates.ts';
import { interleaved, type Measure, ONCE } from '../measure.ts';

/** What streams cost that do little: a chunk every 200 ms, for four seconds. */
export const slowStreams: Measure = {
  name: 'slow-streams',
  what: '1 000 slow streams at once, of 20 chunks each, one every 200 ms',
  run: (bench) => {
    const count = bench.much(1_000);
    return interleaved(
      ONCE,
      [BARE, HONO_OPENAI, PORTKEY, SWITCHYARD],
      { 'CPU of slow streams': '% of a core', 'memory per slow stream': 'kB' },
      async (candidate) => {
        // Memory that is there from earlier measures would hide what these take.
        await bench.vendor.ask('behave', {});
        const running = await bench.fresh(candidate);
        try {
          await bench.load.ask('saturate', running.target(false), {
            connections: 64,
            forMs: 5_000,
            most: bench.much(2_000),
          });
          await bench.vendor.ask('behave', { chunks: 20, pauseMs: 200 });
          const before = await running.usage();
          const streaming = bench.load.ask('atOnce', running.target(true), count);
          await new Promise((resolve) => setTimeout(resolve, 2_500));
          const midway = await running.usage();
          const { tookMs } = await streaming;
          const after = await running.usage();
          return {
            'CPU of slow streams': (after.cpuUs - before.cpuUs) / (tookMs * 10),
            'memory per slow stream': (midway.rssBytes - before.rssBytes) / 1_024 / count,
          };
        } finally {
          await running.stop();
        }
      },
    );
  },
};
