// The primary, as test/wire/cluster.test.ts starts it. It reads commands as lines: `fork`, `kill <worker>`, `noise`, `end`; and prints
// a line of JSON for each worker that listens, and for each that is gone.

import cluster, { type Worker } from 'node:cluster';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { relayClusterNews } from '@switchyard/core/cluster';
import { NOISE, type Setting } from './setting.ts';

const setting = JSON.parse(process.env.CLUSTER_TEST ?? '') as Setting;

const print = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

cluster.setupPrimary({ exec: fileURLToPath(new URL('./worker.ts', import.meta.url)), args: [] });
if (setting.sharing) relayClusterNews();
// A second call changes nothing.
if (setting.sharing) relayClusterNews();
cluster.on('message', (worker: Worker, message: { url?: string } | null) => {
  if (typeof message?.url === 'string') print({ worker: worker.id, url: message.url });
});
cluster.on('exit', (worker, code, signal) => print({ worker: worker.id, gone: signal ?? code }));
const commands = createInterface(process.stdin);
commands.on('line', (line) => {
  const [command, id = ''] = line.split(' ');
  const workers = Object.values(cluster.workers ?? {}).flatMap((worker) => worker ?? []);
  if (command === 'fork') cluster.fork();
  if (command === 'kill') cluster.workers?.[id]?.process.kill('SIGKILL');
  if (command === 'noise') for (const worker of workers) for (const each of NOISE) worker.send(each as object);
  if (command === 'end') {
    commands.close();
    process.stdin.destroy();
    for (const worker of workers) worker.disconnect();
  }
});
