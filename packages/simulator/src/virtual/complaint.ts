import { exhausted } from '../limit.ts';
import type { Headers, Wire } from '../wire.ts';
import type { ErrorWords, RetryHint } from './fault.ts';

/** An error answer as it goes over the wire, as far as a router reads it. */
export interface Complaint {
  readonly status: number;
  readonly code?: string | undefined;
  readonly headers: Headers;
  /** Google's, which is in the body. */
  readonly retryDelay?: string | undefined;
}

/** When it is said, on the vendor's clock: the time of day, and until when the trouble lasts. */
export interface Moment {
  readonly timeOfDayMs: number;
  readonly leftMs: number;
}

/** The error answer of a fault. */
export const complaintOf = (
  wire: Wire,
  status: number,
  { code, headers = {}, retryAfter }: ErrorWords,
  { timeOfDayMs, leftMs }: Moment,
): Complaint => {
  const waitMs = retryAfter?.ms ?? leftMs;
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    status,
    code,
    headers: { ...(retryAfter && hintHeaders(wire, retryAfter.form, waitMs, timeOfDayMs)), ...own },
    retryDelay: retryAfter?.form === 'retry-info' ? seconds(waitMs) : undefined,
  };
};

/** The answer to a request beyond a limit. `waitMs` is undefined where the vendor itself does not know how long. */
export const tooManyOf = (wire: Wire, status: number, shown: Headers, waitMs: number | undefined): Complaint => {
  if (waitMs === undefined) return { status, headers: shown };
  const { problem, headers } = wire.tooMany(waitMs);
  const { retryDelayMs } = problem;
  return {
    status,
    headers: { ...shown, ...headers },
    retryDelay: retryDelayMs === undefined ? undefined : seconds(retryDelayMs),
  };
};

const hintHeaders = (wire: Wire, form: RetryHint['form'], ms: number, timeOfDayMs: number): Headers => {
  switch (form) {
    case 'seconds':
      return { 'retry-after': String(Math.ceil(ms / 1_000)) };
    case 'http-date':
      // A date has whole seconds: rounded up, so that nobody comes back too early.
      return { 'retry-after': new Date(Math.ceil((timeOfDayMs + ms) / 1_000) * 1_000).toUTCString() };
    case 'retry-after-ms':
      return { 'retry-after-ms': String(Math.ceil(ms)) };
    case 'x-ms-retry-after-ms':
      return { 'x-ms-retry-after-ms': String(Math.ceil(ms)) };
    case 'reset-headers':
      return wire.limitHeaders(exhausted(ms), { id: '', nowMs: timeOfDayMs });
    case 'retry-info':
      return {};
  }
};

/** Google's way to write a duration. */
const seconds = (ms: number): string => `${Math.ceil(ms) / 1_000}s`;
