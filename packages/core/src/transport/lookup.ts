import { type LookupAddress, type LookupAllOptions, type LookupOptions, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

type AskAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Vendors move their traffic by DNS, within a minute or so; the system does not say how long an answer holds. */
const KEPT_MS = 10_000;

interface Known {
  readonly addresses: LookupAddress[];
  readonly untilMs: number;
}

/**
 * Looks up the addresses of vendors as the system does, but each name only once at a time, and keeps the answer for ten seconds:
 * the system looks up four names at once for the whole process, and a burst of new connections would queue there, before everybody
 * else's files. When a name cannot be looked up, the last answer holds: a vendor that is up is not down because its name server is.
 */
export const createLookup = (
  ask: AskAll = systemLookup,
  nowMs: () => number = () => performance.now(),
): LookupFunction => {
  const known = new Map<string, Known>();
  const waiting = new Map<string, Answer[]>();

  const find = (hostname: string, options: LookupOptions, answer: Answer): void => {
    const key = `${hostname} ${options.family ?? 0} ${options.hints ?? 0}`;
    const last = known.get(key);
    if (last !== undefined && nowMs() < last.untilMs) {
      // As the system would: not before whoever asks has returned.
      queueMicrotask(() => answer(null, last.addresses));
      return;
    }
    const others = waiting.get(key);
    if (others !== undefined) {
      others.push(answer);
      return;
    }
    const all = [answer];
    waiting.set(key, all);
    ask(hostname, { ...options, all: true }, (error, found) => {
      waiting.delete(key);
      const addresses = error === null && found.length > 0 ? found : known.get(key)?.addresses;
      if (addresses !== undefined) known.set(key, { addresses, untilMs: nowMs() + KEPT_MS });
      for (const each of all) each(addresses === undefined ? error : null, addresses ?? []);
    });
  };

  return (hostname, options, callback) =>
    find(hostname, options, (error, addresses) => {
      const [first] = addresses;
      if (error !== null || first === undefined) callback(error, '', 0);
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
};

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
