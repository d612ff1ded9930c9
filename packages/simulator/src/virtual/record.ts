import type { AttemptRole, RouterEvent } from '@switchyard/core';

/** One request as its router reported it. Times are in ms. */
export interface RequestRecord {
  readonly atMs: number;
  /** Which of the routers it came to, from 0. */
  readonly instance: number;
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
export type TargetRecord = Extract<RouterEvent, { readonly type: `target-${string}` }> & { readonly instance: number };

/** Keeps what routers report, by request. */
export class Recorder {
  /** Oldest first. */
  readonly requests: RequestRecord[] = [];
  readonly targetEvents: TargetRecord[] = [];
  readonly #open = new Map<string, RequestRecord>();

  /** Hears one of the routers. */
  listener(instance: number): (event: RouterEvent) => void {
    return (event) => this.#hear(event, instance);
  }

  #hear(event: RouterEvent, instance: number): void {
    // Each router draws, or counts, ids of its own.
    const key = 'requestId' in event ? `${instance} ${event.requestId}` : '';
    switch (event.type) {
      case 'request-started': {
        const { atMs } = event;
        const nothing = { attempts: [], tookMs: Number.NaN, outcome: 'open', servedBy: undefined };
        const record: RequestRecord = { atMs, instance, ...nothing };
        this.requests.push(record);
        this.#open.set(key, record);
        break;
      }
      case 'attempt-started': {
        const { target, role, atMs } = event;
        this.#open.get(key)?.attempts.push({ target, role, atMs, outcome: 'open', tookMs: Number.NaN });
        break;
      }
      case 'attempt-ended': {
        const { target, outcome, tookMs } = event.attempt;
        const record = this.#open.get(key);
        const attempt = record?.attempts.find((each) => each.target === target && each.outcome === 'open');
        // An answer that breaks off ends its attempt a second time.
        if (record === undefined || attempt === undefined) break;
        attempt.outcome = outcome;
        attempt.tookMs = tookMs;
        this.#forget(key, record);
        break;
      }
      case 'request-answered':
      case 'request-failed': {
        const record = this.#open.get(key);
        if (record === undefined) break;
        record.tookMs = event.tookMs;
        record.outcome = event.type === 'request-answered' ? 'answered' : event.code;
        record.servedBy = event.type === 'request-answered' ? event.target : undefined;
        this.#forget(key, record);
        break;
      }
      case 'request-completed':
      case 'strategy-failed':
      case 'feedback-received':
      case 'state-failed':
      case 'request-resumed':
        // Its attempts say it all.
        break;
      default:
        this.targetEvents.push({ ...event, instance });
    }
  }

  /** Ids are drawn, so they may come again: one is forgotten as soon as nothing more can be said of it. */
  #forget(key: string, { outcome, attempts }: RequestRecord): void {
    if (outcome !== 'open' && attempts.every((each) => each.outcome !== 'open')) this.#open.delete(key);
  }
}

/** Whether it is the attempt that its request was answered by. */
export const isServing = ({ servedBy }: RequestRecord, { target, outcome }: AttemptRecord): boolean =>
  servedBy === target && outcome === 'answered';
