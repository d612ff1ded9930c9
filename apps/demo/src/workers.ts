import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { relayClusterNews } from '@switchyard/core/cluster';
import { Hono } from 'hono';
import { listen } from './server.ts';
import { findVendors, whatToTry } from './vendors.ts';

/** The arguments are wrong. The message says what to do. */
export class WorkersError extends Error {
  override readonly name = 'WorkersError';
}

/** `--workers 4`, or `--workers all` for one on each core; undefined without. */
export const workersIn = (args: readonly string[]): number | undefined => {
  if (args.length === 0) return undefined;
  const [, given = ''] = /^--workers[= ](\S+)$/.exec(args.join(' ')) ?? [];
  if (given === 'all') return availableParallelism();
  const workers = Number(given);
  if (/^\d{1,3}$/.test(given) && workers > 0) return workers;
  throw new WorkersError(`expected --workers and a number, or all, and got '${args.join(' ')}'.`);
};

/** Runs the app in so many workers, and starts another for each that dies. The vendors are simulated here, once for all of them. */
export const runWorkers = async (workers: number): Promise<void> => {
  relayClusterNews();
  const vendors = await findVendors(process.env);
  const control = await listen(new Hono().use('/_simulator/*', vendors.control), '0');
  const env = { SIMULATED: JSON.stringify({ control: control.url, urls: vendors.urls }) };
  cluster.setupPrimary({ exec: fileURLToPath(new URL('./main.js', import.meta.url)), args: [] });

  const serving = new Set<Worker>();
  let isStopping = false;
  const stop = (): void => {
    isStopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);

  cluster.on('listening', (worker, { port }) => {
    if (serving.size === 0) console.log(whatToTry(`http://127.0.0.1:${port}`, vendors.simulated));
    serving.add(worker);
    console.log(`worker ${worker.id} serves, as process ${worker.process.pid}`);
  });
  cluster.on('exit', (worker) => {
    // One that could not even start has said why; the next could not either.
    if (!serving.has(worker) && !isStopping) {
      process.exitCode = 1;
      stop();
    }
    if (!isStopping) {
      console.log(`worker ${worker.id} is gone; another starts`);
      cluster.fork(env);
    } else if (Object.keys(cluster.workers ?? {}).length === 0) {
      void control.close().then(vendors.close);
    }
  });
  for (let i = 0; i < workers; i++) cluster.fork(env);
};
