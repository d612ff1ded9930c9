import { type Fault, startSimulator, type VendorName } from '@switchyard/simulator';

// Simulated vendors in a process of their own, so that what they hold on to is not taken for the router's. It is told
// what to break, and says where the vendors are, over the channel to the process that started it.

/** What the process is told. */
export interface Order {
  readonly vendor: VendorName;
  /** Null heals. */
  readonly fault: Fault | null;
}

/** What it says once it is up. */
export type Urls = Readonly<Record<VendorName, string>>;

/** Long enough that 500 callers at once are not more than a processor can serve, short enough for a test. */
const MODEL = { firstTokenMs: { median: 900, sigma: 0.15 }, tokensPerSecond: 100 };

const { vendors } = await startSimulator({ vendors: { openai: MODEL, anthropic: MODEL, cohere: MODEL } });

process.on('message', ({ vendor, fault }: Order) => {
  if (fault === null) vendors[vendor].heal();
  else vendors[vendor].break(fault);
});
process.once('disconnect', () => process.exit());
const urls: Urls = {
  openai: vendors.openai.url,
  anthropic: vendors.anthropic.url,
  cohere: vendors.cohere.url,
  google: vendors.google.url,
};
process.send?.(urls);
