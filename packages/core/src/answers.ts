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
 * The answers of a day, by the ids that callers know them by; the newest of them, where there are too many. Most are never asked
 * for: they are only written down in a row, and looked through when somebody asks. The rows are kept in two generations, and the
 * older one is forgotten whole.
 */
export class AnswerBook {
  #young = new Generation();
  #old = new Generation();
  readonly #ids: number;

  /** `ids`: how many are kept at least; twice as many at most. */
  constructor(ids: number = IDS) {
    this.#ids = ids;
  }

  note(id: string, answered: Answered): void {
    if (this.#young.size >= this.#ids) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(id, answered);
  }

  find(id: string, nowMs: number): Answered | undefined {
    const answered = this.#young.find(id) ?? this.#old.find(id);
    return answered !== undefined && nowMs - answered.atMs <= DAY_MS ? answered : undefined;
  }
}

class Generation {
  readonly #ids: string[] = [];
  readonly #answers: Answered[] = [];
  /** Of the row until `#indexed`. */
  readonly #byId = new Map<string, Answered>();
  #indexed = 0;

  get size(): number {
    return this.#ids.length;
  }

  add(id: string, answered: Answered): void {
    this.#ids.push(id);
    this.#answers.push(answered);
  }

  find(id: string): Answered | undefined {
    for (; this.#indexed < this.#ids.length; this.#indexed++) {
      // Some servers give all of their answers one id; it then means the last of them.
      this.#byId.set(this.#ids[this.#indexed] as string, this.#answers[this.#indexed] as Answered);
    }
    return this.#byId.get(id);
  }
}
