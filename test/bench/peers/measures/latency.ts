import { ADAPTERS, BARE, PEERS, SWITCHYARD } from '../candidates.ts';
import { interleaved, type Measure } from '../measure.ts';

/** The part of what a candidate can do at most; for those that can do more than Switchyard, of what that can do. */
const LOAD = 0.3;

export const latency: Measure = {
  name: 'latency',
  what: 'plain answers at a fixed rate, 30 % of saturation, from a vendor that takes 20 ms',
  run: async (bench) => {
    const candidates = [BARE, ...PEERS, SWITCHYARD, ...ADAPTERS];
    const most = new Map<string, number>();
    for (const candidate of candidates) {
      const running = await bench.warm(candidate);
      await bench.vendor.ask('behave', {});
      const { answers, tookMs } = await bench.load.ask('saturate', running.target(false), {
        connections: 64,
        forMs: bench.much(1_500),
      });
      most.set(candidate.name, (answers * 1_000) / tookMs);
    }
    const rateOf = (name: string): number => LOAD * Math.min(most.get(name) ?? 0, most.get(SWITCHYARD.name) ?? 0);
    return interleaved(
      bench,
      candidates,
      { 'latency, p50': 'ms', 'latency, p99': 'ms', 'at a rate of': '/s' },
      async (candidate) => {
        const running = await bench.warm(candidate);
        await bench.vendor.ask('behave', { delayMs: 20 });
        const perSecond = rateOf(candidate.name);
        const { tookMs } = await bench.load.ask('arrive', running.target(false), {
          perSecond,
          forMs: bench.much(3_000),
        });
        return { 'latency, p50': tookMs.p50, 'latency, p99': tookMs.p99, 'at a rate of': perSecond };
      },
    );
  },
};
