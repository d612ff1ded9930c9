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
/** Two for most answers, at about 200 bytes each: 10 MB for a generation. */
const IDS = 50_000;

/**
 * The answers of a day, by the ids that callers know them by; the newest of them, where there are too many. They are kept in two
 * generations, and the older one is forgotten whole: to forget the oldest id of a Map each time costs more than all the rest.
 */
export class AnswerBook {
  #young = new Map<string, Answered>();
  #old: ReadonlyMap<string, Answered> = new Map();
  readonly #ids: number;

  /** `ids`: how many are kept at least; twice as many at most. */
  constructor(ids: number = IDS) {
    this.#ids = ids;
  }

  note(id: string, answered: Answered): void {
    if (this.#young.size >= this.#ids) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    // Some servers give all of their answers one id; it then means the last of them.
    this.#young.set(id, answered);
  }

  find(id: string, nowMs: number): Answered | undefined {
    const answered = this.#young.get(id) ?? this.#old.get(id);
    return answered !== undefined && nowMs - answered.atMs <= DAY_MS ? answered : undefined;
  }
}
