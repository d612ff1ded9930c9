import type { ErrorWords } from '../fault.ts';
import type { Scenario } from '../scenario.ts';
import { outage, VENDORS } from './outage.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

const limited = (name: string, about: string, words: ErrorWords, more: Parameters<typeof outage>[3] = {}): Scenario =>
  outage(name, `the first vendor answers 429 ${about}`, { kind: 'rate-limit', ...words }, more);

const date = { retryAfter: { form: 'http-date', ms: 20_000 } } as const;

/** An evening: the quota of the day is spent after 20 minutes, and comes back with the next day half an hour later. */
const evening = { forMs: 30 * MINUTE, scenario: { durationMs: HOUR } };

/** What a vendor may say when it refuses for a limit or a quota, and what it may not mean. */
// biome-ignore format: reads as a table
export const REFUSALS: readonly Scenario[] = [
  limited('limited-date',     'with a Retry-After that is a date 20 s ahead', date),
  limited('limited-ms',       'with a retry-after-ms of 1500', { headers: { 'retry-after-ms': '1500' } }),
  limited('limited-reset',    'with headers that say when the limit is whole again, in 20 s', { retryAfter: { form: 'reset-headers', ms: 20_000 } }),
  limited('limited-silent',   'and does not say for how long', {}),
  limited('limited-zero',     'with a Retry-After of 0', { headers: { 'retry-after': '0' } }),
  limited('limited-negative', 'with a Retry-After of -1', { headers: { 'retry-after': '-1' } }),
  limited('limited-huge',     'with a Retry-After of 1e9 s', { headers: { 'retry-after': '1000000000' } }),
  limited('limited-past',     'with a Retry-After that is a date an hour ago', { retryAfter: { form: 'http-date', ms: -HOUR } }),
  limited('clock-forward',    'with a Retry-After that is a date 20 s ahead, and the clock of the router is set an hour forward meanwhile', date, { scenario: { clock: [{ atMs: 4 * MINUTE, byMs: HOUR }] } }),
  limited('clock-back',       'with a Retry-After that is a date 20 s ahead, and the clock of the router is set an hour back meanwhile', date, { scenario: { clock: [{ atMs: 4 * MINUTE, byMs: -HOUR }] } }),
  limited('quota',            'since the quota of the day is spent, and says how long it is to midnight', { code: 'insufficient_quota', retryAfter: { form: 'seconds' } }, evening),
  limited('quota-silent',     'since the quota of the day is spent, and does not say that it comes back at midnight', { code: 'insufficient_quota' }, evening),
  outage('all-limited',       'every vendor answers 429 with a Retry-After of 1 to 2 s', undefined, {
    scenario: {
      faults: VENDORS.map(({ name }, i) => ({
        vendor: name,
        kind: 'rate-limit',
        retryAfter: { form: 'retry-after-ms', ms: 1_000 + 500 * i },
        fromMs: 2 * MINUTE,
        toMs: 7 * MINUTE,
      })),
    },
  }),
];
