import { HONO_OPENAI, SWITCHYARD } from '../candidates.ts';
import type { Finding, Measure } from '../measure.ts';

const MB = 1_048_576;

/** What stays: once, since it takes long, and does not depend on who else is at work. */
export const memory: Measure = {
  name: 'memory',
  what: 'resident memory after 50 000 plain answers, and after as many again',
  run: async (bench) => {
    const findings: Finding[] = [];
    const most = bench.much(50_000);
    for (const candidate of [HONO_OPENAI, SWITCHYARD]) {
      await bench.vendor.ask('behave', {});
      const running = await bench.fresh(candidate);
      const many = async (): Promise<number> => {
        await bench.load.ask('saturate', running.target(false), { connections: 64, forMs: 90_000, most });
        return (await running.usage()).rssBytes / MB;
      };
      const first = await many();
      const second = await many();
      await running.stop();
      findings.push(
        { quantity: 'memory after 50 000', unit: 'MB', candidate: candidate.name, values: [first] },
        {
          quantity: 'growth over the next 50 000',
          unit: '%',
          candidate: candidate.name,
          values: [(second / first - 1) * 100],
        },
      );
    }
    return findings;
  },
};
