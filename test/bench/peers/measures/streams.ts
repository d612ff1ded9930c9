import { ADAPTERS, BARE, BUILT_IN_FETCH, HONO_FETCH, PEERS, SWITCHYARD, VENDORS } from '../candidates.ts';
import { interleaved, type Measure, saturated } from '../measure.ts';

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
        const { cpuUs, perSecond } = await saturated(bench, candidate, { stream: true, forMs: 2_000 });
        const target = (await bench.warm(candidate)).target(true);
        await bench.vendor.ask('behave', { delayMs: 20, chunks: 20, pauseMs: 5 });
        const { firstWordMs } = await bench.load.ask('arrive', target, { perSecond: 20, forMs: bench.much(2_000) });
        return {
          'chunks per second': perSecond,
          'CPU per chunk': cpuUs,
          'first word, p50': firstWordMs.p50,
        };
      },
    ),
};
