import { duration, type ReadHeader } from './retry-after.ts';

/** What vendors meter. `tokens` are prompt and answer together. */
export const METERED = ['requests', 'tokens', 'input-tokens', 'output-tokens'] as const;
export type Metered = (typeof METERED)[number];

/** One meter of a rate limit, as the headers of an answer show it. */
export interface MeterReading {
  readonly limit: number;
  readonly remaining: number;
  /** How much comes back each ms. */
  readonly perMs: number;
}

const MINUTE_MS = 60_000;

/**
 * The meters that an answer's headers show, by what they count; undefined where one is not shown. OpenAI's
 * `x-ratelimit-{limit,remaining,reset}-*` and Anthropic's `anthropic-ratelimit-*-{limit,remaining}`.
 *
 * Limits are by the minute, unless the vendor names a longer reset, which is the time until the meter is full again:
 * then what is missing comes back over that time.
 */
export const readMeter = (header: ReadHeader, what: Metered): MeterReading | undefined => {
  const names = HEADERS[what];
  const limit = count(header(names.limit)) ?? count(header(names.otherLimit));
  // Azure says 0 or -1 where it does not know.
  if (limit === undefined || limit === 0) return undefined;
  const remaining = count(header(names.remaining)) ?? count(header(names.otherRemaining));
  if (remaining === undefined || remaining > limit) return undefined;
  const resetMs = duration(header(names.reset)) ?? 0;
  const perMs = resetMs > MINUTE_MS && remaining < limit ? (limit - remaining) / resetMs : limit / MINUTE_MS;
  return { limit, remaining, perMs };
};

/** Put together once: a name that is made for each look-up has to be hashed again each time. */
const headersOf = (what: Metered) =>
  ({
    limit: `x-ratelimit-limit-${what}`,
    remaining: `x-ratelimit-remaining-${what}`,
    reset: `x-ratelimit-reset-${what}`,
    otherLimit: `anthropic-ratelimit-${what}-limit`,
    otherRemaining: `anthropic-ratelimit-${what}-remaining`,
  }) as const;

const HEADERS = {
  requests: headersOf('requests'),
  tokens: headersOf('tokens'),
  'input-tokens': headersOf('input-tokens'),
  'output-tokens': headersOf('output-tokens'),
};

const count = (text: string | null | undefined): number | undefined =>
  text !== null && text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
