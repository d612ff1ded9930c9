import { SWITCHYARD, switchyardOn } from '../candidates.ts';
import { interleaved, type Measure } from '../measure.ts';

export const LARGE = switchyardOn('hono', { routes: 100, targets: 10 });

/** Each request goes to another route, so that none of them is warmer than the others. */
export const scale: Measure = {
  name: 'scale',
  what: 'plain answers at saturation, with 100 routes of 10 targets beside one route of two',
  run: (bench) =>
    interleaved(bench, [SWITCHYARD, LARGE], { 'CPU per request at scale': 'µs' }, async (candidate) => {
      const running = await bench.warm(candidate);
      await bench.vendor.ask('behave', {});
      const before = await running.usage();
      const { answers } = await bench.load.ask('saturate', running.target(false), {
        connections: 64,
        forMs: bench.much(2_500),
      });
      const after = await running.usage();
      return { 'CPU per request at scale': (after.cpuUs - before.cpuUs) / answers };
    }),
};
