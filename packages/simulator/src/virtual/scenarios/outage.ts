import type { VirtualEffect, VirtualFault } from '../fault.ts';
import type { Scenario } from '../scenario.ts';
import type { VirtualVendorOptions } from '../vendor.ts';

// The form of most stories: ten minutes, three vendors that have nothing in common, and five bad minutes of the first
// from 2:00 on. Only the time to the first content is simulated.

export const VENDORS: readonly VirtualVendorOptions[] = [
  { name: 'a', firstContentMs: { median: 800, sigma: 0.6 } },
  { name: 'b', firstContentMs: { median: 900, sigma: 0.6 } },
  { name: 'c', firstContentMs: { median: 1_100, sigma: 0.6 } },
];

const FROM_MS = 120_000;
const TO_MS = 420_000;

interface Otherwise extends Pick<VirtualFault, 'probability' | 'flap'> {
  readonly forMs?: number;
  /** Default: the first vendor alone. */
  readonly vendors?: readonly string[];
  /** Whatever else is different. */
  readonly scenario?: Partial<Scenario>;
}

/** One story of this form. */
export const outage = (
  name: string,
  about: string,
  effect?: VirtualEffect,
  { vendors = ['a'], forMs = TO_MS - FROM_MS, scenario, ...when }: Otherwise = {},
): Scenario => ({
  name,
  about,
  durationMs: 600_000,
  pool: VENDORS,
  arrivals: { perSecond: 10 },
  faults:
    effect === undefined
      ? []
      : vendors.map((vendor) => ({ ...effect, ...when, vendor, fromMs: FROM_MS, toMs: FROM_MS + forMs })),
  ...scenario,
});

/** The same vendors, with answers that go on after their first content: 200 tokens, a hundredth of a second each. */
export const TALKING: readonly VirtualVendorOptions[] = VENDORS.map((vendor) => ({
  ...vendor,
  answer: { tokens: 200, msPerToken: { mean: 10, shape: 4 } },
}));
