import type { Scenario } from '../scenario.ts';
import type { VirtualRateLimit, VirtualVendorOptions } from '../vendor.ts';
import { TALKING } from './outage.ts';

const MINUTE = 60_000;

/** Six requests per second. */
const SIX: VirtualRateLimit = { requestsPerMinute: 360 };

const limited = (rateLimit: VirtualRateLimit, more: Partial<VirtualVendorOptions> = {}): VirtualVendorOptions => ({
  name: 'a',
  firstContentMs: { median: 800, sigma: 0.6 },
  rateLimit,
  ...more,
});

const BIG: VirtualVendorOptions = { name: 'b', firstContentMs: { median: 900, sigma: 0.6 } };

const tenMinutes = (
  name: string,
  about: string,
  pool: readonly VirtualVendorOptions[],
  perSecond: number,
  more: Partial<Scenario> = {},
): Scenario => ({ name, about, durationMs: 10 * MINUTE, pool, arrivals: { perSecond }, ...more });

const four = { instances: 4 };

/** Vendors that allow less than they are asked for. */
// biome-ignore format: reads as a table
export const LIMITS: readonly Scenario[] = [
  tenMinutes('limit-10',        'ten requests per second at a first vendor that allows six and shows it in headers', [limited(SIX), BIG], 10),
  tenMinutes('limit-30',        'thirty requests per second at a first vendor that allows six and shows it in headers', [limited(SIX), BIG], 30),
  tenMinutes('limit-10-x4',     'the same ten per second, from four routers that know nothing of one another', [limited(SIX), BIG], 10, four),
  tenMinutes('limit-30-x4',     'the same thirty per second, from four routers that know nothing of one another', [limited(SIX), BIG], 30, four),
  tenMinutes('limit-anthropic', 'the same thirty per second, with headers in the form of Anthropic', [limited(SIX, { wire: 'anthropic' }), BIG], 30),
  tenMinutes('limit-tokens',    'ten requests of very different sizes per second at a first vendor that allows 150 000 tokens per minute', [limited({ tokensPerMinute: 150_000 }), BIG], 10, { requests: [{ share: 9, inputTokens: 200 }, { share: 1, inputTokens: { median: 4_000, sigma: 0.5 } }] }),
  tenMinutes('limit-hidden',    'ten per second at a first vendor that allows six, and shows nothing of it until it answers 429 with a Retry-After', [limited({ ...SIX, shown: false }), BIG], 10),
  tenMinutes('limit-reset',     'the same, but its 429 says only when the limit is whole again, which is long after it can be used', [limited({ ...SIX, shown: false, refusal: 'reset-headers' }), BIG], 10),
  tenMinutes('limit-silent',    'the same, but its 429 says nothing at all', [limited({ ...SIX, shown: false, refusal: 'no-hint' }), BIG], 10),
  tenMinutes('concurrency',     'ten requests per second, 3 s each, at a first vendor that allows eight at once and answers 429 beyond', TALKING.map((vendor, i) => (i === 0 ? { ...vendor, rateLimit: { atOnce: 8 } } : vendor)), 10),
  tenMinutes('concurrency-529', 'the same, but it answers 529', TALKING.map((vendor, i) => (i === 0 ? { ...vendor, rateLimit: { atOnce: 8, atOnceStatus: 529 } } : vendor)), 10),
  tenMinutes('half-the-capacity', 'the first vendor is down, and the second, the only other, allows six of the ten requests per second', [{ ...BIG, name: 'a' }, { ...BIG, rateLimit: SIX }], 10, { faults: [{ vendor: 'a', kind: '5xx', fromMs: 2 * MINUTE, toMs: 7 * MINUTE }] }),
];
