/** Reads a response header by its lower-case name. */
export type ReadHeader = (name: string) => string | null | undefined;

/** A day: no vendor's window is longer, so anything above is a mistake and must not park a target for ever. */
const MOST_MS = 24 * 60 * 60 * 1_000;

/**
 * How long a vendor asks to be left alone, in ms, from every form in use: `retry-after` in seconds or as an HTTP date,
 * `retry-after-ms`, `x-ms-retry-after-ms`, and Google's `RetryInfo.retryDelay` from the body. The longest wins.
 *
 * Only where none of them is given do the rate-limit headers of an exhausted budget count. Returns undefined where
 * nothing usable is said; 0 where the time named is already past. Never more than a day.
 *
 * A time of day is held against the answer's own `Date`, since the vendor's clock and ours need not agree; `wallNowMs`
 * stands in where it has none.
 */
export const retryAfterMs = (
  header: ReadHeader,
  wallNowMs: number,
  retryDelay?: string | undefined,
): number | undefined => {
  const atMs = (): number => {
    const sentAtMs = Date.parse(header('date') ?? '');
    return Number.isNaN(sentAtMs) ? wallNowMs : sentAtMs;
  };
  const asked = longest([
    milliseconds(header('retry-after-ms')),
    milliseconds(header('x-ms-retry-after-ms')),
    secondsOrDate(header('retry-after'), atMs),
    duration(retryDelay),
  ]);
  return asked ?? longest([...exhausted(header, atMs), epochSeconds(header('x-ratelimit-reset'), atMs)]);
};

/** The time of day, in ms since 1970, that a time of day is held against; only asked for where one is. */
type Now = () => number;

/** The reset times of the budgets that are used up. */
function* exhausted(header: ReadHeader, now: Now): Generator<number | undefined> {
  for (const what of ['requests', 'tokens']) {
    // A remaining of -1 means unknown at Azure.
    if (header(`x-ratelimit-remaining-${what}`)?.trim() === '0') {
      const reset = header(`x-ratelimit-reset-${what}`);
      yield duration(reset) ?? seconds(reset);
    }
  }
  for (const what of ['requests', 'tokens', 'input-tokens', 'output-tokens']) {
    if (header(`anthropic-ratelimit-${what}-remaining`)?.trim() === '0') {
      yield date(header(`anthropic-ratelimit-${what}-reset`), now);
    }
  }
}

const longest = (waits: Iterable<number | undefined>): number | undefined => {
  let most: number | undefined;
  for (const wait of waits) {
    if (wait !== undefined && (most === undefined || wait > most)) most = wait;
  }
  return most === undefined ? undefined : Math.min(most, MOST_MS);
};

const number = (text: string | null | undefined): number | undefined => {
  if (text === null || text === undefined || !/^\s*\d+(\.\d+)?\s*$/.test(text)) return undefined;
  return Number(text);
};

const milliseconds = (text: string | null | undefined): number | undefined => number(text);

const seconds = (text: string | null | undefined): number | undefined => {
  const value = number(text);
  return value === undefined ? undefined : value * 1_000;
};

const date = (text: string | null | undefined, now: Now): number | undefined => {
  // Date.parse would read a bare number such as "-1" as a year.
  if (!text || !/[a-z]/i.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now());
};

const secondsOrDate = (text: string | null | undefined, now: Now): number | undefined =>
  seconds(text) ?? date(text, now);

const epochSeconds = (text: string | null | undefined, now: Now): number | undefined => {
  const value = number(text);
  return value === undefined ? undefined : Math.max(0, value * 1_000 - now());
};

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `17s`, `6m0s`, `12ms`, `1h2m3.5s`, in ms. */
export const duration = (text: string | null | undefined): number | undefined => {
  if (!text || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total;
};
