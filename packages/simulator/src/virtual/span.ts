import { increment, least } from './numbers.ts';
import { ascending, quantile } from './quantile.ts';
import { type AttemptRecord, isServing, type RequestRecord } from './record.ts';
import type { VirtualVendor } from './vendor.ts';

/** The requests that began in a span of time. Times are in ms. */
export interface Span {
  readonly requests: number;
  /** By reason. */
  readonly failed: Readonly<Record<string, number>>;
  /** Without those whose caller had left. */
  readonly failures: number;
  readonly attemptsPerRequest: number;
  /** Attempts that served nobody, by how they ended. */
  readonly wasted: Readonly<Record<string, number>>;
  readonly firstContentMs: Waits;
  /** How long those waited who got no answer. */
  readonly failedAfterMs: Waits;
  /** Mean time to the first content above the mean of the fastest vendor that was up. */
  readonly regretMs: number;
  /** Mean time to the first content, as a multiple of the mean of the fastest vendor that was up. */
  readonly ofBest: number;
  /** The part of the answers that came from the fastest vendor that was up. */
  readonly servedByBest: number;
  /** The part of the answers that did not come from the first vendor of the pool that was up. */
  readonly strayed: number;
  /** The part of the answers, by target. */
  readonly servedBy: Readonly<Record<string, number>>;
}

export interface Waits {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly worst: number;
}

/** How the router names a request whose caller left. */
const LEFT = 'aborted';

export const spanOf = (
  requests: readonly RequestRecord[],
  { vendors, inputTokens }: { readonly vendors: readonly VirtualVendor[]; readonly inputTokens: number },
): Span => {
  const failed: Record<string, number> = {};
  const wasted: Record<string, number> = {};
  const servedBy: Record<string, number> = {};
  let attempts = 0;
  let regretMs = 0;
  let bestSumMs = 0;
  let byBest = 0;
  let strayed = 0;
  const answeredMs: number[] = [];
  const failedMs: number[] = [];
  for (const request of requests) {
    attempts += request.attempts.length;
    for (const attempt of request.attempts) if (!isServing(request, attempt)) increment(wasted, attempt.outcome);
    if (request.servedBy === undefined) {
      increment(failed, request.outcome);
      if (request.outcome !== LEFT) failedMs.push(request.tookMs);
      continue;
    }
    answeredMs.push(request.tookMs);
    increment(servedBy, request.servedBy);
    const up = vendors.filter((vendor) => vendor.isUp(request.atMs));
    if (up[0] !== undefined && request.servedBy !== up[0].id) strayed += 1;
    const means = up.map((vendor) => vendor.meanFirstContentMs(request.atMs, inputTokens));
    const bestMs = least(means);
    if (!(bestMs >= 0)) continue;
    regretMs += request.tookMs - bestMs;
    bestSumMs += bestMs;
    if (up[means.indexOf(bestMs)]?.id === request.servedBy) byBest += 1;
  }
  const answers = answeredMs.length;
  return {
    requests: requests.length,
    failed,
    failures: requests.length - answers - (failed[LEFT] ?? 0),
    attemptsPerRequest: attempts / requests.length,
    wasted,
    firstContentMs: waitsOf(answeredMs),
    failedAfterMs: waitsOf(failedMs),
    regretMs: regretMs / answers,
    ofBest: (bestSumMs + regretMs) / bestSumMs,
    servedByBest: byBest / answers,
    strayed: strayed / answers,
    servedBy: Object.fromEntries(Object.entries(servedBy).map(([target, count]) => [target, count / answers])),
  };
};

const waitsOf = (tookMs: readonly number[]): Waits => {
  const sorted = ascending(tookMs);
  const at = (q: number): number => quantile(sorted, q);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), worst: at(1) };
};

/** Attempts that served nobody. */
export const wastedOf = (requests: readonly RequestRecord[], isCounted: (attempt: AttemptRecord) => boolean): number =>
  requests.reduce(
    (count, request) =>
      count + request.attempts.filter((attempt) => isCounted(attempt) && !isServing(request, attempt)).length,
    0,
  );
