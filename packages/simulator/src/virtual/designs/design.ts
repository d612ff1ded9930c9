import type { ChatRequest, RouterEvent, TargetSpec } from '@switchyard/core';
import type { Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

/** A way to get a request answered by a pool: the router, or what people do without one. */
export interface Design {
  readonly name: string;
  connect(scene: Scene): Client;
}

/** What a design has to work with: the same vendors, at the same seed, for every design. */
export interface Scene {
  readonly world: World;
  readonly targets: readonly TargetSpec[];
  readonly route: Scenario['route'];
  readonly router: Scenario['router'];
  onEvent(event: RouterEvent): void;
}

export interface Client {
  /** Settles when the whole answer is there, or never will be. */
  ask(request: ChatRequest, options: AskOptions): Promise<Ending>;
}

export interface AskOptions {
  readonly stream: boolean;
  readonly deadlineMs: number | undefined;
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal | undefined;
}

/** `broke-off`: the answer had begun. `left`: the caller had. Why a request failed is in the events. */
export type Ending = 'answered' | 'failed' | 'broke-off' | 'left';
