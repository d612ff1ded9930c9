import type { VirtualEffect, VirtualFault } from '../fault.ts';
import type { Scenario } from '../scenario.ts';
import type { VirtualVendorOptions } from '../vendor.ts';

// The stories behind the bars: ten minutes, three vendors that have nothing in common, and five bad minutes of the first
// from 2:00 on. Only the time to the first content is simulated.

const VENDORS: readonly VirtualVendorOptions[] = [
  { name: 'a', firstContentMs: { median: 800, sigma: 0.6 } },
  { name: 'b', firstContentMs: { median: 900, sigma: 0.6 } },
  { name: 'c', firstContentMs: { median: 1_100, sigma: 0.6 } },
];

const FROM_MS = 120_000;
const TO_MS = 420_000;

type When = Pick<VirtualFault, 'probability' | 'flap'>;

const outage = (name: string, about: string, effect?: VirtualEffect, when: When = {}, whose = ['a']): Scenario => ({
  name,
  about,
  durationMs: 600_000,
  pool: VENDORS,
  arrivals: { perSecond: 10 },
  faults:
    effect === undefined ? [] : whose.map((vendor) => ({ ...effect, ...when, vendor, fromMs: FROM_MS, toMs: TO_MS })),
});

const down = { kind: '5xx' } as const;
const limited = { kind: 'rate-limit', headers: { 'retry-after': '20' } } as const;

// biome-ignore format: reads as a table
export const OUTAGES: readonly Scenario[] = [
  outage('healthy',       'nothing is wrong'),
  outage('server-errors', 'the first vendor answers 500', down),
  outage('hang',          'the first vendor takes requests and never answers', { kind: 'hang' }),
  outage('rate-limited',  'the first vendor answers 429 with a Retry-After of 20 s', limited),
  outage('brown-out',     'the first vendor is four times as slow', { kind: 'slow', factor: 4 }),
  outage('all-down',      'every vendor answers 500', down, {}, ['a', 'b', 'c']),
  outage('refused',       'nobody listens at the first vendor', { kind: 'refuse' }),
  outage('no-connection', 'no connection to the first vendor comes about', { kind: 'no-connection' }),
  outage('partial-5',     'one in twenty calls to the first vendor ends in a 500', down, { probability: 0.05 }),
  outage('partial-30',    'three in ten calls to the first vendor end in a 500', down, { probability: 0.3 }),
  outage('partial-50',    'half of the calls to the first vendor end in a 500', down, { probability: 0.5 }),
  outage('flapping',      'the first vendor answers 500 for 10 s, well for 10 s, and so on', down, { flap: { onMs: 10_000, offMs: 10_000 } }),
  outage('late-error',    'the first vendor says 200, and then that it failed', { kind: 'error-in-stream' }),
  outage('two-down',      'the first two vendors answer 500', down, {}, ['a', 'b']),
  outage('bad-key',       'the first vendor refuses the key', { kind: 'status', status: 401 }),
  outage('retired',       'the model of the first vendor is gone', { kind: 'status', status: 404 }),
];
