import { createControl } from './control.ts';
import type { SimulatedVendor, VendorName, VendorOptions } from './vendor.ts';
import { type RunningVendor, startVendor } from './vendor-server.ts';
import type { Wire } from './wire.ts';
import { anthropic } from './wires/anthropic.ts';
import { cohere } from './wires/cohere.ts';
import { google } from './wires/google.ts';
import { openai } from './wires/openai.ts';

export interface SimulatorOptions {
  /** Seeds all dice: latencies, and faults with a probability. Default 1. */
  readonly seed?: number;
  /** What is to differ from the default: a free port, 5 ms to the first token, 2000 tokens per second, no limits. */
  readonly vendors?: { readonly [V in VendorName]?: VendorOptions };
}

/** Four vendors that are up, each on a port of its own. */
export interface Simulator {
  readonly vendors: { readonly [V in VendorName]: SimulatedVendor };
  /**
   * Answers requests to `/_simulator`, with which another process watches and breaks the vendors, and is undefined for
   * any other path. Mount it in a server of your own.
   */
  control(request: Request): Promise<Response | undefined>;
  /** Closes all ports and connections. */
  close(): Promise<void>;
}

/**
 * Starts simulated vendors, which the vendors' own SDKs can talk to and which fail on command.
 *
 * They listen on 127.0.0.1. Rejects if a port that was asked for is taken.
 */
export const startSimulator = async ({ seed = 1, vendors = {} }: SimulatorOptions = {}): Promise<Simulator> => {
  const up: RunningVendor[] = [];
  const start = async (wire: Wire): Promise<RunningVendor> => {
    // Far apart, because a vendor takes the seeds next to its own for its several dice.
    const vendor = await startVendor(wire, vendors[wire.name] ?? {}, seed + 1_000 * up.length);
    up.push(vendor);
    return vendor;
  };
  const close = async (): Promise<void> => {
    await Promise.all(up.map((vendor) => vendor.close()));
  };
  try {
    const byName = {
      openai: await start(openai),
      anthropic: await start(anthropic),
      cohere: await start(cohere),
      google: await start(google),
    };
    return { vendors: byName, control: createControl(byName), close };
  } catch (error) {
    await close();
    throw error;
  }
};
