// What `npm start` runs: the app, in this process; or with `--workers 4` in four, which share one port and what they know of vendors.

import { runWorkers, WorkersError, workersIn } from './workers.ts';

try {
  const workers = workersIn(process.argv.slice(2));
  if (workers === undefined) await import('./main.ts');
  else await runWorkers(workers);
} catch (error) {
  if (!(error instanceof WorkersError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
