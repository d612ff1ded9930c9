import type { AttemptRole, RouterEvent } from '@switchyard/core';

/** One request as its router reported it. Times are in ms. */
export interface RequestRecord {
  readonly atMs: number;
  readonly attempts: AttemptRecord[];
  /** To the first content, or to the failure. */
  tookMs: number;
  /** `open` until it is over, then `answered`, or why it failed. */
  outcome: string;
  /** Who answered. */
  servedBy: string | undefined;
}

export interface AttemptRecord {
  readonly target: string;
  readonly role: AttemptRole;
  readonly atMs: number;
  /** `open` until it is over, then `answered`, or the kind of failure. */
  outcome: string;
  tookMs: number;
}

/** What a router made of a target: that it should be left alone, say. */
export type TargetRecord = Extract<RouterEvent, { readonly type: `target-${string}` }>;

/** Keeps what a router reports, by request. */
export class Recorder {
  /** Oldest first. */
  readonly requests: RequestRecord[] = [];
  readonly targetEvents: TargetRecord[] = [];
  readonly peakInFlight: Map<string, number> = new Map();
  readonly #inFlight = new Map<string, number>();
  readonly #open = new Map<string, RequestRecord>();

  readonly onEvent = (event: RouterEvent): void => {
    switch (event.type) {
      case 'request-started': {
        const { atMs } = event;
        const record: RequestRecord = { atMs, attempts: [], tookMs: Number.NaN, outcome: 'open', servedBy: undefined };
        this.requests.push(record);
        this.#open.set(event.requestId, record);
        break;
      }
      case 'attempt-started': {
        const { target, role, atMs } = event;
        this.#open.get(event.requestId)?.attempts.push({ target, role, atMs, outcome: 'open', tookMs: Number.NaN });
        this.#count(target, 1);
        break;
      }
      case 'attempt-ended': {
        const { target, outcome, tookMs } = event.attempt;
        const record = this.#open.get(event.requestId);
        const attempt = record?.attempts.find((each) => each.target === target && each.outcome === 'open');
        // An answer that breaks off ends its attempt a second time.
        if (record === undefined || attempt === undefined) break;
        attempt.outcome = outcome;
        attempt.tookMs = tookMs;
        this.#count(target, -1);
        this.#forget(event.requestId, record);
        break;
      }
      case 'request-answered':
      case 'request-failed': {
        const record = this.#open.get(event.requestId);
        if (record === undefined) break;
        record.tookMs = event.tookMs;
        record.outcome = event.type === 'request-answered' ? 'answered' : event.code;
        record.servedBy = event.type === 'request-answered' ? event.target : undefined;
        this.#forget(event.requestId, record);
        break;
      }
      default:
        this.targetEvents.push(event);
    }
  };

  /** Ids are drawn, so they may come again: one is forgotten as soon as nothing more can be said of it. */
  #forget(requestId: string, { outcome, attempts }: RequestRecord): void {
    if (outcome !== 'open' && attempts.every((each) => each.outcome !== 'open')) this.#open.delete(requestId);
  }

  #count(target: string, change: 1 | -1): void {
    const now = (this.#inFlight.get(target) ?? 0) + change;
    this.#inFlight.set(target, now);
    if (now > (this.peakInFlight.get(target) ?? 0)) this.peakInFlight.set(target, now);
  }
}
