import type { RouteConfig, RouterConfig } from '@switchyard/core';
import type { VirtualFault } from './fault.ts';
import type { Arrivals, RequestKind } from './traffic.ts';
import type { VirtualVendorOptions } from './vendor.ts';
import type { ClockJump } from './world.ts';

/** A story to play: a pool, its traffic, and what goes wrong when. Plain data, so it may be a JSON file. */
export interface Scenario {
  readonly name: string;
  /** What it shows, in one sentence. */
  readonly about?: string;
  readonly durationMs: number;
  /** In pool order. */
  readonly pool: readonly VirtualVendorOptions[];
  /** The rest of the route: strategy, deadline … */
  readonly route?: Omit<RouteConfig, 'pool'>;
  /** The rest of the router's config: what is no part of a route. */
  readonly router?: Omit<RouterConfig, 'routes' | 'onEvent' | 'system'>;
  /** So many routers that know nothing of one another share the traffic, request by request at random. Default: 1. */
  readonly instances?: number;
  /** The wall clocks of the routers' machines are set meanwhile. */
  readonly clock?: readonly ClockJump[];
  readonly arrivals: Arrivals;
  /** What is asked; 500 input tokens, streamed, by default. */
  readonly requests?: readonly RequestKind[];
  readonly faults?: readonly VirtualFault[];
}

export const USUAL_REQUESTS: readonly RequestKind[] = [{ share: 1, inputTokens: 500 }];
