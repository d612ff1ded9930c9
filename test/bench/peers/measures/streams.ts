import { ADAPTERS, BARE, BUILT_IN_FETCH, HONO_FETCH, PEERS, SWITCHYARD, VENDORS } from '../candidates.ts';
import { interleaved, type Measure } from '../measure.ts';

/** Streams of 200 chunks, each chunk in a packet of its own, as fast as the vendor can write them. */
export const streams: Measure = {
  name: 'streams',
  what: 'streams of 200 chunks: 16 at once as fast as they come; and 20 a second, for the first word',
  run: (bench) =>
    interleaved(
      bench,
      [BARE, HONO_FETCH, ...PEERS, SWITCHYARD, BUILT_IN_FETCH, ...ADAPTERS, ...VENDORS],
      { 'chunks per second': '/s', 'CPU per chunk': 'µs', 'first word, p50': 'ms' },
      async (candidate) => {
        const running = await bench.warm(candidate);
        const target = running.target(true);
        await bench.vendor.ask('behave', {});
        const before = await running.usage();
        const { frames, tookMs } = await bench.load.ask('saturate', target, {
          connections: 16,
          forMs: bench.much(2_000),
        });
        const after = await running.usage();
        await bench.vendor.ask('behave', { delayMs: 20, chunks: 20, pauseMs: 5 });
        const { firstWordMs } = await bench.load.ask('arrive', target, { perSecond: 20, forMs: bench.much(2_000) });
        return {
          'chunks per second': (frames * 1_000) / tookMs,
          'CPU per chunk': (after.cpuUs - before.cpuUs) / frames,
          'first word, p50': firstWordMs.p50,
        };
      },
    ),
};
