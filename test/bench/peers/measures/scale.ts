import { SWITCHYARD, switchyardOn } from '../candidates.ts';
import { interleaved, type Measure, saturated } from '../measure.ts';

export const LARGE = switchyardOn('hono', { routes: 100, targets: 10 });

/** Each request goes to another route, so that none of them is warmer than the others. */
export const scale: Measure = {
  name: 'scale',
  what: 'plain answers and streams at saturation, with 100 routes of 10 targets beside one route of two',
  run: (bench) =>
    interleaved(
      bench,
      [SWITCHYARD, LARGE],
      { 'CPU per request at scale': 'µs', 'CPU per chunk at scale': 'µs', 'chunks per second at scale': '/s' },
      async (candidate) => {
        const plain = await saturated(bench, candidate, { stream: false, forMs: 2_500 });
        const streams = await saturated(bench, candidate, { stream: true, forMs: 2_500 });
        return {
          'CPU per request at scale': plain.cpuUs,
          'CPU per chunk at scale': streams.cpuUs,
          'chunks per second at scale': streams.perSecond,
        };
      },
    ),
};
