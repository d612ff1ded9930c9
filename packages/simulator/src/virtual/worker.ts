import { parentPort } from 'node:worker_threads';
import { type Job, runJob } from './job.ts';

// A thread of `runJobs`: a job comes in, its result goes out.

parentPort?.on('message', (job: Job) => {
  runJob(job).then(
    (result) => parentPort?.postMessage(result),
    (error) => {
      // Ends the thread with the error, which its parent then hears of.
      setImmediate(() => {
        throw error;
      });
    },
  );
});
