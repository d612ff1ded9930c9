import type { FailureKind } from '../failure.ts';
import { type Breaker, isDue, mayTryAsLastResort, newBreaker, type Standing } from './breaker.ts';
import { type Gate, gateState, openGate } from './gate.ts';

/**
 * What is known of one target. The parts are shared with every target that shares the cause: a key that is refused is
 * refused for all its models, and a model that is down is down for all keys, in every route.
 */
export interface TargetHealth {
  /** Of the model at its vendor. */
  readonly breaker: Breaker;
  readonly gates: {
    /** Of the key's limit pool: one model, or a `quotaGroup`. */
    readonly limit: Gate;
    /** Of the key. */
    readonly key: Gate;
    /** Of the key's use of this model. */
    readonly access: Gate;
    /** Of the model at its vendor. */
    readonly model: Gate;
  };
}

/** What a target shares its fate with. */
export interface HealthScope {
  readonly endpoint: string;
  readonly credential: string;
  readonly model: string;
  readonly quotaGroup: string | undefined;
}

/** Hands out health by scope, one object for each thing that can fail. */
export class HealthBook {
  readonly #breakers = new Map<string, Breaker>();
  readonly #gates = new Map<string, Gate>();

  of({ endpoint, credential, model, quotaGroup }: HealthScope): TargetHealth {
    // JSON keeps the parts apart whatever characters are in them.
    const gate = (...parts: string[]): Gate => entry(this.#gates, JSON.stringify([endpoint, ...parts]), openGate);
    return {
      breaker: entry(this.#breakers, JSON.stringify([endpoint, model]), newBreaker),
      gates: {
        limit: gate('limit', credential, quotaGroup === undefined ? 'model' : 'group', quotaGroup ?? model),
        key: gate('key', credential),
        access: gate('access', credential, model),
        model: gate('model', model),
      },
    };
  }
}

const entry = <T>(map: Map<string, T>, key: string, make: () => T): T => {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
};

/** How a target may be used now. */
export type Access =
  | 'ready'
  /** Left alone for long enough: the next attempt is a probe. */
  | 'due'
  /** Only when nothing else is left. */
  | 'last-resort'
  | 'closed';

export const accessOf = ({ breaker, gates }: TargetHealth, nowMs: number): Access => {
  let due = isDue(breaker, nowMs);
  let lastResort = breaker.standing !== 'ready' && !due;
  for (const name of GATE_NAMES) {
    const state = gateState(gates[name], nowMs);
    if (state === 'closed') return 'closed';
    if (state === 'due') due = true;
    else if (state === 'on-trial') lastResort = true;
  }
  if (lastResort) return mayTryAsLastResort(breaker, nowMs) ? 'last-resort' : 'closed';
  return due ? 'due' : 'ready';
};

export const GATE_NAMES: readonly ['limit', 'key', 'access', 'model'] = ['limit', 'key', 'access', 'model'];

/** What a target's page says. */
export interface Condition {
  readonly standing: Standing;
  /** Why it is left alone. */
  readonly reason: FailureKind | undefined;
  /** When it may be used again, if it is left alone now. */
  readonly untilMs: number | undefined;
}

export const conditionOf = ({ breaker, gates }: TargetHealth, nowMs: number): Condition => {
  let { standing } = breaker;
  let reason = standing === 'ready' ? undefined : breaker.reason;
  let untilMs = standing === 'cooling' ? breaker.untilMs : undefined;
  for (const name of GATE_NAMES) {
    const gate = gates[name];
    const state = gateState(gate, nowMs);
    if (state === 'open') continue;
    if (state === 'closed' && gate.untilMs > (untilMs ?? 0)) {
      standing = 'cooling';
      reason = gate.reason;
      untilMs = gate.untilMs;
    } else if (standing === 'ready') {
      standing = state === 'on-trial' ? 'probing' : 'cooling';
      reason = gate.reason;
      untilMs = gate.untilMs;
    }
  }
  return { standing, reason, untilMs };
};
