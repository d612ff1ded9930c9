/** An answer that may still be scored. */
export interface Answered {
  readonly requestId: string;
  readonly route: string;
  /** Index of the target in its pool; where another has gone on with a stream, of the last. */
  target: number;
  readonly task: string | undefined;
  readonly atMs: number;
  /** Several targets have had a part in it, so that a score is no one's. */
  isMixed: boolean;
  /** The last score that it got. */
  scored: { readonly score: number; readonly isAutomatic: boolean } | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Two for most answers, at about 200 bytes each: 20 MB at most. */
const MOST_IDS = 100_000;

/** The answers of a day, by the ids that callers know them by; the newest of them, where there are too many. */
export class AnswerBook {
  readonly #byId = new Map<string, Answered>();
  /** In the order in which they came, round and round: to forget the oldest of a Map means to look for it. */
  readonly #ids: string[] = [];
  readonly #mostIds: number;
  #next = 0;

  constructor(mostIds: number = MOST_IDS) {
    this.#mostIds = mostIds;
  }

  note(id: string, answered: Answered): void {
    // Some servers give all of their answers one id; it then means the last of them.
    if (!this.#byId.has(id)) {
      const oldest = this.#ids[this.#next];
      if (oldest !== undefined) this.#byId.delete(oldest);
      this.#ids[this.#next] = id;
      this.#next = (this.#next + 1) % this.#mostIds;
    }
    this.#byId.set(id, answered);
  }

  find(id: string, nowMs: number): Answered | undefined {
    const answered = this.#byId.get(id);
    return answered !== undefined && nowMs - answered.atMs <= DAY_MS ? answered : undefined;
  }
}
