import { AI_SDK, BARE, HONO_OPENAI, PORTKEY, SWITCHYARD } from '../candidates.ts';
import { interleaved, type Measure } from '../measure.ts';

export const startUp: Measure = {
  name: 'start-up',
  what: 'from the start of the process to its first answer',
  run: (bench) =>
    interleaved(bench, [BARE, HONO_OPENAI, PORTKEY, AI_SDK, SWITCHYARD], { 'start-up': 'ms' }, async (candidate) => {
      await bench.vendor.ask('behave', {});
      const running = await bench.fresh(candidate);
      await running.stop();
      return { 'start-up': running.startedInMs };
    }),
};
