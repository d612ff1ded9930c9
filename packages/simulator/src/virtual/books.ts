/**
 * What a vendor has on its books when a run is over: the truth, which no router knows. Kept in arrays of numbers, since
 * an hour of traffic is a few hundred thousand calls.
 */
export class Books {
  /** Calls that it refused because of its own limits. */
  refused = 0;
  /** What its token buckets let through, and when last. */
  readonly admitted: { requests: number; tokens: number; lastMs: number } = { requests: 0, tokens: 0, lastMs: 0 };
  /** Tokens of prompts it took on and of answers it made, and the part of them that was for nobody: left, or broken off. */
  readonly tokens: { billed: number; lost: number } = { billed: 0, lost: 0 };
  /**
   * US dollars. `billed` is the bill; `expected` is what it would be if each whole answer had been of the usual length: it
   * depends on who was asked, and not on luck.
   */
  readonly usd: { billed: number; expected: number } = { billed: 0, expected: 0 };
  readonly #beganMs: number[] = [];
  readonly #endedMs: number[] = [];
  #atOnce = 0;

  /** Calls under way, streams that still run included. */
  get atOnce(): number {
    return this.#atOnce;
  }

  begin(atMs: number): void {
    this.#beganMs.push(atMs);
    this.#atOnce += 1;
  }

  end(atMs: number): void {
    this.#endedMs.push(atMs);
    this.#atOnce -= 1;
  }

  /** Most calls at once, of those that began between these times and whoever was under way then. */
  peakAtOnce(fromMs: number, toMs: number): number {
    let now = 0;
    let peak = 0;
    let ended = 0;
    // Both lists are in the order of time, since that is how they were written.
    for (const beganMs of this.#beganMs) {
      if (beganMs >= toMs) break;
      for (let endMs = this.#endedMs[ended]; endMs !== undefined && endMs <= beganMs; endMs = this.#endedMs[ended]) {
        now -= 1;
        ended += 1;
      }
      now += 1;
      if (beganMs >= fromMs && now > peak) peak = now;
    }
    return peak;
  }

  /** Calls at once on average, up to `untilMs`. */
  meanAtOnce(untilMs: number): number {
    let sumMs = 0;
    for (const beganMs of this.#beganMs) sumMs += untilMs - Math.min(beganMs, untilMs);
    for (const endedMs of this.#endedMs) sumMs -= untilMs - Math.min(endedMs, untilMs);
    return sumMs / untilMs;
  }
}
