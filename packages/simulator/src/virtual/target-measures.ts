import { useOf } from '../limit.ts';
import type { VirtualFault } from './fault.ts';
import { greatest, increment, least, mean } from './numbers.ts';
import type { Recorder, TargetRecord } from './record.ts';
import type { VirtualVendor } from './vendor.ts';

/** How one target fared. Times are in ms; a number is NaN, null in JSON, where there is nothing to measure. */
export interface TargetMeasures {
  readonly target: string;
  readonly attempts: number;
  readonly served: number;
  /** Attempts by how they ended. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** From its first fault until it was put last. With several routers this and the next are the mean of those that did so. */
  readonly suspectedMs: number;
  /** From its first fault until it was left alone. */
  readonly cooledMs: number;
  /** Times it was left alone although nothing was wrong with it, by all routers together. */
  readonly falseTrips: number;
  /** Times it was put last although nothing was wrong with it. */
  readonly falseSuspicions: number;
  /** How long it was left alone although nothing was wrong with it, by each router on average. */
  readonly awayWhileUpMs: number;
  /** Calls under way at once, streams that still run included. */
  readonly peakInFlight: number;
  /** The same for calls that came in the minute after its last fault. */
  readonly peakAtReturn: number;
  /** Calls that it refused because of its own limits. */
  readonly refused: number;
  /** The part of what its requests and tokens per minute allowed in the whole run that was used: of the scarcer one. */
  readonly rateUse: number;
  /** Calls at once on average, as a part of what it allows. */
  readonly atOnceUse: number;
}

interface Run {
  readonly recorder: Recorder;
  readonly durationMs: number;
  readonly instances: number;
}

export const measureTarget = (vendor: VirtualVendor, { recorder, durationMs, instances }: Run): TargetMeasures => {
  const { id: target, books, faults, rateLimit = {} } = vendor;
  const outcomes: Record<string, number> = {};
  let attempts = 0;
  let served = 0;
  for (const request of recorder.requests) {
    if (request.servedBy === target) served += 1;
    for (const attempt of request.attempts) {
      if (attempt.target !== target) continue;
      attempts += 1;
      increment(outcomes, attempt.outcome);
    }
  }
  const events = recorder.targetEvents.filter((event) => event.target === target);
  const byInstance = Array.from({ length: instances }, (_, i) => events.filter(({ instance }) => instance === i));
  const falsely = ({ atMs }: TargetRecord): boolean => !faults.some((fault) => wasOn(fault, atMs));
  const onsetMs = least(faults.map(({ fromMs }) => fromMs));
  const healMs = greatest(faults.map(({ toMs }) => toMs));
  const first = (is: (event: TargetRecord) => boolean): number =>
    mean(
      byInstance
        .flatMap((own) => own.find((event) => is(event) && event.atMs >= onsetMs && event.atMs < healMs) ?? [])
        .map(({ atMs }) => atMs - onsetMs),
    );
  return {
    target,
    attempts,
    served,
    outcomes,
    suspectedMs: first(({ type }) => type === 'target-suspected'),
    cooledMs: first(leavesAlone),
    falseTrips: events.filter((event) => event.type === 'target-cooled' && falsely(event)).length,
    falseSuspicions: events.filter((event) => event.type === 'target-suspected' && falsely(event)).length,
    awayWhileUpMs: mean(byInstance.map((own) => awayWhileUpMs(own, faults, durationMs))),
    peakInFlight: books.peakAtOnce(0, Number.POSITIVE_INFINITY),
    peakAtReturn: faults.length === 0 ? Number.NaN : books.peakAtOnce(healMs, healMs + 60_000),
    refused: books.refused,
    // Requests that came in time are still tried again after it.
    rateUse: useOf(rateLimit, books.admitted, Math.max(durationMs, books.admitted.lastMs)),
    atOnceUse: books.meanAtOnce(durationMs) / (rateLimit.atOnce ?? Number.NaN),
  };
};

const leavesAlone = ({ type }: TargetRecord): boolean => type === 'target-cooled' || type === 'target-gated';

/** `events` are those of one router. */
const awayWhileUpMs = (
  events: readonly TargetRecord[],
  faults: readonly VirtualFault[],
  durationMs: number,
): number => {
  let awayMs = 0;
  let sinceMs: number | undefined;
  const back = (atMs: number): void => {
    if (sinceMs !== undefined) awayMs += outside(sinceMs, atMs, faults);
    sinceMs = undefined;
  };
  for (const event of events) {
    if (event.type === 'target-recovered') back(event.atMs);
    else if (leavesAlone(event)) sinceMs ??= event.atMs;
  }
  back(durationMs);
  return awayMs;
};

/** What happens within a second of a fault's end is still its doing. */
const wasOn = ({ fromMs, toMs }: VirtualFault, atMs: number): boolean => atMs >= fromMs && atMs < toMs + 1_000;

/** How much of a time lies outside the faults; those of one vendor are taken not to overlap. */
const outside = (fromMs: number, toMs: number, faults: readonly VirtualFault[]): number =>
  faults.reduce(
    (rest, fault) => rest - Math.max(0, Math.min(toMs, fault.toMs) - Math.max(fromMs, fault.fromMs)),
    toMs - fromMs,
  );
