import { createHook } from 'node:async_hooks';
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { createRouter } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';
import { createHandler } from '../../packages/http/src/index.ts';
import { Process } from './peers/process.ts';
import type { VendorSkills } from './peers/vendor.ts';

// What a request puts on the heap, and how many promises and timers it takes: on every machine the same, and so a guard that
// holds in CI. All of a request counts, the SDK and the transport included, but not the server around the handler.

/** Of one request, or of one chunk of a stream. */
export interface Cost {
  readonly bytes: number;
  readonly promises: number;
  readonly timers: number;
}

const WARM_UP = 1_000;
const REQUESTS = 400;
const STREAMS = 10;
/** Of two streams of these lengths, the difference is what chunks cost. */
const [SHORT, LONG] = [20, 200] as const;

const vendor = new Process<VendorSkills>(new URL('./peers/vendor.ts', import.meta.url));
const urls = await vendor.ask('urls');
const pool = urls.map((url, i) => openai('mock-model', { id: `target-${i}`, apiKey: 'any-key', baseURL: `${url}/v1` }));
let events = 0;
const handler = createHandler(
  createRouter({
    routes: { chat: { pool } },
    onEvent: () => {
      events += 1;
    },
  }),
);

const MESSAGES = [{ role: 'user', content: 'How far is the moon?' }];

const ask = async (stream: boolean): Promise<void> => {
  const response = await handler(
    new Request('http://localhost/llm/chat/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chat', messages: MESSAGES, ...(stream && { stream }) }),
    }),
  );
  if (response?.status !== 200) throw new Error(`answered ${response?.status}: ${await response?.text()}`);
  for await (const _ of response.body ?? []);
};

const askMany = async (count: number, stream: boolean): Promise<void> => {
  for (let i = 0; i < count; i++) await ask(stream);
};

/** What is on the heap afterwards and was not before, and what collections took away in between. */
const bytesOf = async (count: number, stream: boolean): Promise<number> => {
  const profiler = new GCProfiler();
  profiler.start();
  const before = getHeapStatistics().used_heap_size;
  await askMany(count, stream);
  const after = getHeapStatistics().used_heap_size;
  let collected = 0;
  for (const { beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
    collected += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
  }
  return (after - before + collected) / count;
};

const countsOf = async (count: number, stream: boolean): Promise<{ promises: number; timers: number }> => {
  let [promises, timers] = [0, 0];
  const hook = createHook({
    init(_, type) {
      if (type === 'PROMISE') promises += 1;
      else if (type === 'Timeout') timers += 1;
    },
  });
  hook.enable();
  await askMany(count, stream);
  hook.disable();
  return { promises: promises / count, timers: timers / count };
};

const middleOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const costOf = async (count: number, stream: boolean): Promise<Cost> => {
  const bytes: number[] = [];
  for (let i = 0; i < 5; i++) bytes.push(await bytesOf(count, stream));
  // Last, since a process that counts promises is slower and allocates more.
  return { bytes: middleOf(bytes), ...(await countsOf(count, stream)) };
};

const perChunk = (long: Cost, short: Cost): Cost => ({
  bytes: (long.bytes - short.bytes) / (LONG - SHORT),
  promises: (long.promises - short.promises) / (LONG - SHORT),
  timers: (long.timers - short.timers) / (LONG - SHORT),
});

const streamOf = async (chunks: number): Promise<Cost> => {
  // A pause, so that each chunk comes by itself on a fast machine, too.
  await vendor.ask('behave', { chunks, pauseMs: 1 });
  return costOf(STREAMS, true);
};

await vendor.ask('behave', { chunks: SHORT });
await askMany(WARM_UP, false);
await askMany(WARM_UP / 4, true);
await vendor.ask('behave', {});
const plain = await costOf(REQUESTS, false);
const short = await streamOf(SHORT);
const chunk = perChunk(await streamOf(LONG), short);
await vendor.stop();
console.log(JSON.stringify({ plain, stream: short, chunk, heard: events > 0 }, null, 2));
