import { ascending, quantile } from './quantile.ts';
import type { RequestRecord } from './record.ts';

/** What happened in one slice of time. */
export interface Slice {
  readonly fromMs: number;
  /** The part of the requests that were answered; NaN without any. */
  readonly answered: number;
  /** Attempts per second, by target. */
  readonly attempts: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** Cuts a run into slices, by when things began. */
export const seriesOf = (requests: readonly RequestRecord[], durationMs: number, slices = 150): Slice[] => {
  const sliceMs = durationMs / slices;
  const bins = Array.from({ length: slices }, () => ({
    requests: 0,
    tookMs: [] as number[],
    attempts: {} as Record<string, number>,
  }));
  const binAt = (atMs: number): (typeof bins)[number] | undefined => bins[Math.floor(atMs / sliceMs)];
  for (const { atMs, tookMs, outcome, attempts } of requests) {
    const bin = binAt(atMs);
    if (bin !== undefined) bin.requests += 1;
    if (outcome === 'answered') bin?.tookMs.push(tookMs);
    for (const attempt of attempts) {
      const counts = binAt(attempt.atMs)?.attempts;
      if (counts) counts[attempt.target] = (counts[attempt.target] ?? 0) + 1_000 / sliceMs;
    }
  }
  return bins.map((bin, i) => {
    const sorted = ascending(bin.tookMs);
    return {
      fromMs: i * sliceMs,
      answered: bin.tookMs.length / bin.requests,
      attempts: bin.attempts,
      p50Ms: quantile(sorted, 0.5),
      p95Ms: quantile(sorted, 0.95),
    };
  });
};
