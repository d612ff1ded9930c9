/**
 * The real clock and the real dice; nothing else reads them. Whoever drives a router in virtual time passes its own.
 */
export interface System {
  /** Monotonic, in ms: a wall clock that is set back must not make a target wait an hour. */
  nowMs(): number;
  /** A number in [0, 1). */
  dice(): number;
  /**
   * Calls back once after `delayMs`; the result cancels. `background` for what nobody waits for: it must not keep a process
   * alive.
   */
  schedule(delayMs: number, callback: () => void, background?: 'background'): () => void;
}

export const realSystem: System = {
  nowMs: () => performance.now(),
  dice: Math.random,
  schedule(delayMs, callback, background) {
    // Whole ms, rounded up so that nobody wakes before the time; longer than 24 days would fire at once.
    const timer = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), 2 ** 31 - 1));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** The time of day, in ms since 1970: only for reading dates that vendors send. */
export const wallNowMs = (): number => Date.now();
