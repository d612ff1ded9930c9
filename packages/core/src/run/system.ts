/**
 * The real clock and the real dice; nothing else reads them. Whoever drives a router in virtual time passes its own.
 */
export interface System {
  /** Monotonic, in ms: a wall clock that is set back must not make a target wait an hour. */
  nowMs(): number;
  /** A number in [0, 1). */
  dice(): number;
  /** Calls back once after `delayMs`; the result cancels. */
  schedule(delayMs: number, callback: () => void): () => void;
}

export const realSystem: System = {
  nowMs: () => performance.now(),
  dice: Math.random,
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** The time of day, in ms since 1970: only for reading dates that vendors send. */
export const wallNowMs = (): number => Date.now();
