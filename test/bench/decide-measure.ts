import { type HeapProfiler, Session } from 'node:inspector';
import { GCProfiler, getHeapStatistics } from 'node:v8';

/** Something that is called many times. */
export interface Measure {
  readonly name: string;
  /** Calls in one round. */
  readonly calls: number;
  /** Before each round, and not measured: makes what is then called, with the number of the call. */
  readonly prepare: (calls: number) => (i: number) => unknown;
  /** The most that the median may take, in ns. */
  readonly mostNs?: number;
  /** The most that a call may allocate. */
  readonly mostBytes?: number;
}

export interface Measured {
  readonly name: string;
  /** Per call: the median of the rounds, the fastest and the slowest. */
  readonly ns: { readonly median: number; readonly least: number; readonly most: number };
  readonly bytes: number;
  readonly mostNs: number | undefined;
  readonly mostBytes: number | undefined;
  /** Undefined where there is no bar. */
  readonly holds: boolean | undefined;
}

/** Before anything is measured, and twice: what one measure teaches the compiler, another may unteach. */
const WARM_UP: Effort = { calls: 10_000, mostRounds: 40 };
/** Five times; the median counts. Enough that a single byte for each call is seen. */
const COUNT: Effort = { calls: 4_000, mostRounds: 10 };
const COUNTS = 5;

interface Effort {
  readonly calls: number;
  /** For what costs more to prepare than to run. */
  readonly mostRounds: number;
}

const roundsFor = (effort: Effort, { calls }: Measure): number =>
  Math.min(effort.mostRounds, Math.ceil(effort.calls / calls));

/**
 * Measures all of them, one after another within each round, so that a noisy second on a busy machine falls on all alike.
 * All are warm before the first is measured: code that has only ever met one strategy is faster than what users run.
 */
export const measureAll = (measures: readonly Measure[], rounds: number): Measured[] => {
  for (let i = 0; i < 2; i++) for (const measure of measures) warmUp(measure);
  const times = measures.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    measures.forEach((measure, i) => {
      times[i]?.push(nsPerCall(measure));
    });
  }
  return measures.map((measure, i) => {
    const { name, mostNs, mostBytes } = measure;
    const sorted = (times[i] ?? []).toSorted((a, b) => a - b);
    const ns = { median: middleOf(sorted), least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
    const bytes = bytesPerCall(measure);
    const holds = ns.median <= (mostNs ?? Number.POSITIVE_INFINITY) && bytes <= (mostBytes ?? Number.POSITIVE_INFINITY);
    const hasBar = mostNs !== undefined || mostBytes !== undefined;
    return { name, ns, bytes, mostNs, mostBytes, holds: hasBar ? holds : undefined };
  });
};

/** Where results go: one that goes nowhere need not be made. */
const kept: { result: unknown } = { result: undefined };

const run = (call: (i: number) => unknown, calls: number): void => {
  for (let i = 0; i < calls; i++) kept.result = call(i);
};

const warmUp = (measure: Measure): void => {
  const { calls, prepare } = measure;
  for (let round = roundsFor(WARM_UP, measure); round > 0; round--) run(prepare(calls), calls);
};

const nsPerCall = ({ calls, prepare }: Measure): number => {
  const call = prepare(calls);
  const startMs = performance.now();
  run(call, calls);
  return ((performance.now() - startMs) * 1e6) / calls;
};

/** Everything that a call puts on the heap, also what is dropped at once. */
const bytesPerCall = (measure: Measure): number => {
  const { calls, prepare } = measure;
  const rounds = roundsFor(COUNT, measure);
  const counts: number[] = [];
  for (let i = 0; i < COUNTS; i++) {
    let bytes = 0;
    for (let round = 0; round < rounds; round++) bytes += allocatedBy(prepare(calls), calls) - allocatedBy(idle, calls);
    counts.push(bytes / (rounds * calls));
  }
  return Math.max(0, middleOf(counts.toSorted((a, b) => a - b)));
};

const idle = (): undefined => undefined;

/** What is on the heap afterwards and was not before, and what collections took away in between. In bytes. */
const allocatedBy = (call: (i: number) => unknown, calls: number): number => {
  const profiler = new GCProfiler();
  profiler.start();
  const before = getHeapStatistics().used_heap_size;
  run(call, calls);
  const after = getHeapStatistics().used_heap_size;
  let collected = 0;
  for (const { beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
    collected += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
  }
  return after - before + collected;
};

const middleOf = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;

/** A function that allocates, as the sampling heap profiler saw it. */
interface Allocator {
  /** Function, file and line. What the compiler has put into its caller counts as the caller's. */
  readonly where: string;
  /** Per call, of all calls of all measures. */
  readonly bytes: number;
}

/** Mean bytes between two samples: one for each ten or twenty small objects. */
const SAMPLE_BYTES = 1_024;

/** Who allocates while these are called, the largest share first; what is dropped at once counts too. */
export const allocatorsOf = (measures: readonly Measure[]): Allocator[] => {
  const rounds = measures.map((measure) => ({ measure, call: measure.prepare(measure.calls) }));
  const session = new Session();
  session.connect();
  const sampled = new Map<string, number>();
  session.post('HeapProfiler.startSampling', {
    samplingInterval: SAMPLE_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  let calls = 0;
  for (const { measure, call } of rounds) {
    for (let round = roundsFor(COUNT, measure); round > 0; round--) {
      run(call, measure.calls);
      calls += measure.calls;
    }
  }
  session.post('HeapProfiler.stopSampling', (error, result) => {
    if (error !== null) throw error;
    const visit = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): void => {
      const { functionName, url, lineNumber } = callFrame;
      const where = `${functionName || '(anonymous)'} ${url.replace(/^.*\/(?=\w+\/[^/]+$)/, '')}:${lineNumber + 1}`;
      if (url !== '') sampled.set(where, (sampled.get(where) ?? 0) + selfSize);
      children.forEach(visit);
    };
    visit(result.profile.head);
  });
  session.disconnect();
  return [...sampled]
    .map(([where, bytes]) => ({ where, bytes: bytes / calls }))
    .filter(({ bytes }) => bytes >= 0.1)
    .toSorted((a, b) => b.bytes - a.bytes);
};
