import { ADAPTERS, BARE, BUILT_IN_FETCH, HONO_FETCH, PEERS, SWITCHYARD, VENDORS } from '../candidates.ts';
import { interleaved, type Measure } from '../measure.ts';

/** Small JSON answers of a vendor that takes no time, as many as the candidate can hand on. */
export const plain: Measure = {
  name: 'plain',
  what: 'plain answers at saturation: 64 connections, a vendor without latency',
  run: (bench) =>
    interleaved(
      bench,
      [BARE, HONO_FETCH, ...PEERS, SWITCHYARD, BUILT_IN_FETCH, ...ADAPTERS, ...VENDORS],
      { 'CPU per request': 'µs', 'requests at saturation': '/s' },
      async (candidate) => {
        const running = await bench.warm(candidate);
        await bench.vendor.ask('behave', {});
        const before = await running.usage();
        const { answers, tookMs } = await bench.load.ask('saturate', running.target(false), {
          connections: 64,
          forMs: bench.much(2_000),
        });
        const after = await running.usage();
        return {
          'CPU per request': (after.cpuUs - before.cpuUs) / answers,
          'requests at saturation': (answers * 1_000) / tookMs,
        };
      },
    ),
};
