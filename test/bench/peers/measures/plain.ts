import { ADAPTERS, BARE, BUILT_IN_FETCH, HONO_FETCH, PEERS, SWITCHYARD, VENDORS } from '../candidates.ts';
import { interleaved, type Measure, saturated } from '../measure.ts';

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
        const { cpuUs, perSecond } = await saturated(bench, candidate, { stream: false, forMs: 2_000 });
        return { 'CPU per request': cpuUs, 'requests at saturation': perSecond };
      },
    ),
};
