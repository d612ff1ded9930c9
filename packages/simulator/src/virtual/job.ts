import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Result } from './bars.ts';
import { DESIGNS, LATENCY_DESIGNS } from './designs/index.ts';
import { rehearse } from './rehearse.ts';
import type { Scenario } from './scenario.ts';

/** One run to make; plain data, so that another thread can make it. */
export interface Job {
  readonly scenario: Scenario;
  readonly design: string;
  readonly seed: number;
}

export const runJob = async ({ scenario, design: name, seed }: Job): Promise<Result> => {
  const design = [...DESIGNS, ...LATENCY_DESIGNS].find((each) => each.name === name);
  if (design === undefined) throw new TypeError(`There is no design '${name}'.`);
  const { measures, brokeOff, lost } = await rehearse(scenario, seed, design);
  return { measures, brokeOff, lost };
};

/** Makes all runs, one thread for each processor; the results are in the order of the jobs. */
export const runJobs = async (jobs: readonly Job[], onDone: (done: number) => void = () => {}): Promise<Result[]> => {
  const results: Result[] = new Array(jobs.length);
  let next = 0;
  let done = 0;
  const work = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      let index = -1;
      const give = (): void => {
        index = next++;
        if (index < jobs.length) worker.postMessage(jobs[index]);
        else resolve();
      };
      worker.on('message', (result: Result) => {
        results[index] = result;
        onDone(++done);
        give();
      });
      worker.on('error', reject);
      give();
    });
  const workers = Array.from(
    { length: Math.min(availableParallelism(), jobs.length) },
    () => new Worker(new URL('./worker.js', import.meta.url)),
  );
  try {
    await Promise.all(workers.map(work));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
};
