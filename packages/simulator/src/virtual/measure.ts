import type { VirtualFault } from './fault.ts';
import { ascending, quantile } from './quantile.ts';
import type { AttemptRecord, Recorder, RequestRecord } from './record.ts';
import type { VirtualVendor } from './vendor.ts';

/** What one run showed. Times are in ms; a number is NaN, null in JSON, where there is nothing to measure. */
export interface Measures {
  readonly all: Span;
  /** Up to the first fault. */
  readonly before: Span;
  /** From the first fault to the end of the last. */
  readonly during: Span;
  readonly after: Span;
  /** From the first fault until a faulty target was asked for the last time in the ordinary way: not as a trial. */
  readonly lastOrdinaryMs: number;
  /** From the first fault until the router did anything about a faulty target: put it last, or left it alone. */
  readonly noticedMs: number;
  /** Attempts at a faulty target that served nobody. */
  readonly wastedOnFaulty: number;
  /** From the end of the last fault to the first answer. */
  readonly firstAnswerMs: number;
  /** From the end of the last fault until the faulty targets serve nine tenths of what they served before it. */
  readonly recoveredMs: number;
  /** Attempts per request in the worst minute. */
  readonly worstMinute: number;
  /** Requests that carried a trial, and the longest that one of them took. */
  readonly trials: { readonly requests: number; readonly worstMs: number };
  readonly targets: readonly TargetMeasures[];
}

/** The requests that began in a span of time. */
export interface Span {
  readonly requests: number;
  /** By reason. */
  readonly failed: Readonly<Record<string, number>>;
  readonly failures: number;
  readonly attemptsPerRequest: number;
  /** Attempts that served nobody, by how they ended. */
  readonly wasted: Readonly<Record<string, number>>;
  readonly firstContentMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** Mean time to the first content above the mean of the fastest vendor that was up. */
  readonly regretMs: number;
  /** The part of the answers that did not come from the first vendor of the pool that was up. */
  readonly strayed: number;
  /** The part of the answers, by target. */
  readonly servedBy: Readonly<Record<string, number>>;
}

export interface TargetMeasures {
  readonly target: string;
  readonly attempts: number;
  readonly served: number;
  /** Attempts by how they ended. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Times it was left alone although nothing was wrong with it. */
  readonly falseTrips: number;
  /** Times it was put last although nothing was wrong with it. */
  readonly falseSuspicions: number;
  /** How long it was left alone although nothing was wrong with it. */
  readonly awayWhileUpMs: number;
  readonly peakInFlight: number;
}

interface Run {
  readonly recorder: Recorder;
  readonly vendors: readonly VirtualVendor[];
  readonly faults: readonly VirtualFault[];
  readonly durationMs: number;
  readonly inputTokens: number;
}

export const measure = (run: Run): Measures => {
  const { faults, recorder, durationMs } = run;
  const { requests } = recorder;
  const onsetMs = Math.min(durationMs, ...faults.map(({ fromMs }) => fromMs));
  const healMs = Math.min(durationMs, Math.max(onsetMs, ...faults.map(({ toMs }) => toMs)));
  const faulty = new Set(
    run.vendors.filter(({ name }) => faults.some(({ vendor }) => vendor === name)).map(({ id }) => id),
  );
  const inFault = (atMs: number): boolean => atMs >= onsetMs && atMs < healMs;
  const between = (fromMs: number, toMs: number): RequestRecord[] =>
    requests.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  const toFaulty: AttemptRecord[] = requests.flatMap((request) =>
    request.attempts.filter(
      (attempt) => faulty.has(attempt.target) && inFault(attempt.atMs) && !served(request, attempt),
    ),
  );
  const ordinary = requests
    .flatMap(({ attempts }) => attempts)
    .filter(
      ({ target, role, atMs }) => faulty.has(target) && inFault(atMs) && (role === 'first' || role === 'fallback'),
    );
  const noticed = recorder.targetEvents.find(
    ({ type, target, atMs }) => type !== 'target-recovered' && faulty.has(target) && inFault(atMs),
  );
  const answersMs = requests
    .filter(({ outcome, atMs, tookMs }) => outcome === 'answered' && atMs + tookMs >= healMs)
    .map(({ atMs, tookMs }) => atMs + tookMs);
  const carriers = requests.filter(({ attempts }) => attempts.some(({ role }) => role === 'probe'));
  return {
    all: spanOf(requests, run),
    before: spanOf(between(0, onsetMs), run),
    during: spanOf(between(onsetMs, healMs), run),
    after: spanOf(between(healMs, durationMs), run),
    lastOrdinaryMs: greatest(ordinary.map(({ atMs }) => atMs - onsetMs)),
    noticedMs: (noticed?.atMs ?? Number.NaN) - onsetMs,
    wastedOnFaulty: toFaulty.length,
    firstAnswerMs: least(answersMs) - healMs,
    recoveredMs: recoveredAtMs(between(0, onsetMs), between(healMs, durationMs), faulty) - healMs,
    worstMinute: worstMinute(requests, durationMs),
    trials: { requests: carriers.length, worstMs: greatest(carriers.map(({ tookMs }) => tookMs)) },
    targets: run.vendors.map((vendor) => targetMeasures(vendor, run)),
  };
};

const spanOf = (requests: readonly RequestRecord[], { vendors, inputTokens }: Run): Span => {
  const failed: Record<string, number> = {};
  const wasted: Record<string, number> = {};
  const servedBy: Record<string, number> = {};
  let attempts = 0;
  let regretMs = 0;
  let strayed = 0;
  const tookMs: number[] = [];
  for (const request of requests) {
    attempts += request.attempts.length;
    for (const attempt of request.attempts) if (!served(request, attempt)) increment(wasted, attempt.outcome);
    if (request.servedBy === undefined) {
      increment(failed, request.outcome);
      continue;
    }
    tookMs.push(request.tookMs);
    increment(servedBy, request.servedBy);
    const up = vendors.filter((vendor) => vendor.isUp(request.atMs));
    if (up[0] !== undefined && request.servedBy !== up[0].id) strayed += 1;
    const bestMs = least(up.map((vendor) => vendor.meanFirstContentMs(request.atMs, inputTokens)));
    if (bestMs >= 0) regretMs += request.tookMs - bestMs;
  }
  const sorted = ascending(tookMs);
  const answers = tookMs.length;
  return {
    requests: requests.length,
    failed,
    failures: requests.length - answers,
    attemptsPerRequest: attempts / requests.length,
    wasted,
    firstContentMs: { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), p99: quantile(sorted, 0.99) },
    regretMs: regretMs / answers,
    strayed: strayed / answers,
    servedBy: Object.fromEntries(Object.entries(servedBy).map(([target, count]) => [target, count / answers])),
  };
};

const targetMeasures = (vendor: VirtualVendor, { recorder, faults, durationMs }: Run): TargetMeasures => {
  const { id: target, name } = vendor;
  const outcomes: Record<string, number> = {};
  let attempts = 0;
  let answers = 0;
  for (const request of recorder.requests) {
    if (request.servedBy === target) answers += 1;
    for (const attempt of request.attempts) {
      if (attempt.target !== target) continue;
      attempts += 1;
      increment(outcomes, attempt.outcome);
    }
  }
  let falseTrips = 0;
  let falseSuspicions = 0;
  let awayWhileUpMs = 0;
  let awaySinceMs: number | undefined;
  const own = faults.filter((fault) => fault.vendor === name);
  const back = (atMs: number): void => {
    if (awaySinceMs !== undefined) awayWhileUpMs += outside(awaySinceMs, atMs, own);
    awaySinceMs = undefined;
  };
  for (const { type, atMs } of recorder.targetEvents.filter((event) => event.target === target)) {
    const faulty = own.some((fault) => wasOn(fault, atMs));
    if (type === 'target-recovered') back(atMs);
    else if (type === 'target-cooled' || type === 'target-gated') awaySinceMs ??= atMs;
    if (type === 'target-cooled' && !faulty) falseTrips += 1;
    if (type === 'target-suspected' && !faulty) falseSuspicions += 1;
  }
  back(durationMs);
  const peakInFlight = recorder.peakInFlight.get(target) ?? 0;
  return { target, attempts, served: answers, outcomes, falseTrips, falseSuspicions, awayWhileUpMs, peakInFlight };
};

const served = (request: RequestRecord, attempt: AttemptRecord): boolean =>
  request.servedBy === attempt.target && attempt.outcome === 'answered';

/** What happens within a second of a fault's end is still its doing. */
const wasOn = ({ fromMs, toMs }: VirtualFault, atMs: number): boolean => atMs >= fromMs && atMs < toMs + 1_000;

/** How much of a time lies outside the faults; those of one vendor are taken not to overlap. */
const outside = (fromMs: number, toMs: number, faults: readonly VirtualFault[]): number =>
  faults.reduce(
    (rest, fault) => rest - Math.max(0, Math.min(toMs, fault.toMs) - Math.max(fromMs, fault.fromMs)),
    toMs - fromMs,
  );

/**
 * The first request from which on, for 5 s of traffic and at least 10 requests, the faulty targets serve nine tenths of
 * their former share.
 */
const recoveredAtMs = (
  before: readonly RequestRecord[],
  after: readonly RequestRecord[],
  faulty: ReadonlySet<string>,
): number => {
  const isBack = ({ servedBy }: RequestRecord): boolean => servedBy !== undefined && faulty.has(servedBy);
  const spanMs = (after.at(-1)?.atMs ?? 0) - (after[0]?.atMs ?? 0);
  const window = Math.max(10, Math.round((after.length * 5_000) / spanMs));
  const wanted = 0.9 * window * (before.filter(isBack).length / before.length);
  let back = 0;
  for (let end = 0; end < after.length; end++) {
    if (isBack(after[end] as RequestRecord)) back += 1;
    const start = end - window + 1;
    if (start < 0) continue;
    if (wanted > 0 && back >= wanted) return (after[start] as RequestRecord).atMs;
    if (isBack(after[start] as RequestRecord)) back -= 1;
  }
  return Number.NaN;
};

const SLICE_MS = 10_000;

const worstMinute = (requests: readonly RequestRecord[], durationMs: number): number => {
  const slices = Array.from({ length: Math.ceil(durationMs / SLICE_MS) }, () => ({ requests: 0, attempts: 0 }));
  for (const { atMs, attempts } of requests) {
    const slice = slices[Math.floor(atMs / SLICE_MS)];
    if (slice === undefined) continue;
    slice.requests += 1;
    slice.attempts += attempts.length;
  }
  const minutes = slices.map((_, i) => {
    const minute = slices.slice(i, i + 6);
    return (
      minute.reduce((sum, slice) => sum + slice.attempts, 0) / minute.reduce((sum, slice) => sum + slice.requests, 0)
    );
  });
  return greatest(minutes.filter((ratio) => !Number.isNaN(ratio)));
};

const increment = (counts: Record<string, number>, key: string): void => {
  counts[key] = (counts[key] ?? 0) + 1;
};

// Not Math.max(...values): an hour of requests is more than a call takes as arguments.
const greatest = (values: readonly number[]): number =>
  values.reduce((most, value) => (value > most || Number.isNaN(most) ? value : most), Number.NaN);

const least = (values: readonly number[]): number =>
  values.reduce((most, value) => (value < most || Number.isNaN(most) ? value : most), Number.NaN);
