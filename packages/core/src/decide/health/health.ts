import { type Allowance, newAllowance } from './allowance.ts';
import { type Breaker, type BreakerReason, type BreakerSettings, isDue, newBreaker, type Standing } from './breaker.ts';
import { type Concurrency, isFull, newConcurrency } from './concurrency.ts';
import { type Domain, newDomain } from './domain.ts';
import { type Gate, gateState, openGate } from './gate.ts';
import { type LearnedWindow, newLearnedWindow } from './learned-window.ts';
import { newPace, type Pace } from './pace.ts';

/**
 * What is known of one target. The parts are shared with every target that shares the cause: a key that is refused is
 * refused for all its models, and a model that is down is down for all keys, in every route.
 */
export interface TargetHealth {
  /** Of the model at its vendor. */
  readonly breaker: Breaker;
  /** Of the model at its vendor. */
  readonly pace: Pace;
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
  /** Of the key's limit pool. */
  readonly concurrency: Concurrency;
  /** Of the key's limit pool. */
  readonly allowance: Allowance;
  /** Of the key's use of this model. */
  readonly window: LearnedWindow;
}

/** What a target shares its fate with. */
export interface HealthScope {
  readonly endpoint: string;
  readonly credential: string;
  readonly model: string;
  readonly quotaGroup: string | undefined;
}

/** What each part of a target's health is filed under: what has one key has one fate. The credential is in some of them. */
export interface HealthKeys {
  /** Of the breaker, and of what else belongs to the model at its vendor. */
  readonly model: string;
  readonly gates: { readonly [Name in keyof TargetHealth['gates']]: string };
  readonly window: string;
}

export const healthKeys = ({ endpoint, credential, model, quotaGroup }: HealthScope): HealthKeys => {
  // JSON keeps the parts apart whatever characters are in them.
  const key = (...parts: string[]): string => JSON.stringify([endpoint, ...parts]);
  return {
    model: key(model),
    gates: {
      limit: key('limit', credential, quotaGroup === undefined ? 'model' : 'group', quotaGroup ?? model),
      key: key('key', credential),
      access: key('access', credential, model),
      model: key('model', model),
    },
    window: key(credential, model),
  };
};

/** Hands out health by scope, one object for each thing that can fail. */
export class HealthBook {
  readonly #domains = new Map<string, Domain>();
  readonly #breakers = new Map<string, Breaker>();
  readonly #paces = new Map<string, Pace>();
  readonly #gates = new Map<string, Gate>();
  readonly #concurrencies = new Map<string, Concurrency>();
  readonly #allowances = new Map<string, Allowance>();
  readonly #windows = new Map<string, LearnedWindow>();
  readonly #settings: BreakerSettings;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  of(scope: HealthScope): TargetHealth {
    const keys = healthKeys(scope);
    const gate = (name: keyof HealthKeys['gates']): Gate => entry(this.#gates, keys.gates[name], openGate);
    const domain = entry(this.#domains, scope.endpoint, newDomain);
    return {
      breaker: entry(this.#breakers, keys.model, () => newBreaker(domain, this.#settings)),
      pace: entry(this.#paces, keys.model, newPace),
      gates: { limit: gate('limit'), key: gate('key'), access: gate('access'), model: gate('model') },
      concurrency: entry(this.#concurrencies, keys.gates.limit, newConcurrency),
      allowance: entry(this.#allowances, keys.gates.limit, newAllowance),
      window: entry(this.#windows, keys.window, newLearnedWindow),
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

/** How a target may be used now, by a request of so many tokens. */
export type Access =
  | 'ready'
  /** Well, but it has as many requests under way as it took lately. */
  | 'full'
  /** Only after all that are ready. */
  | 'suspect'
  /** Left alone for long enough: the next attempt is a probe. */
  | 'due'
  /** One attempt is about to tell whether it is back. */
  | 'probing'
  /** Only when nothing else is left. */
  | 'last-resort'
  | 'closed';

export const accessOf = ({ breaker, gates, concurrency }: TargetHealth, tokens: number, nowMs: number): Access => {
  let access = accessOfBreaker(breaker, nowMs);
  for (const name of GATE_NAMES) {
    const state = gateState(gates[name], tokens, nowMs);
    if (state === 'closed') return 'closed';
    if (state === 'on-trial' && access !== 'last-resort') access = 'probing';
    else if (state === 'due' && access !== 'last-resort' && access !== 'probing') access = 'due';
  }
  return access === 'ready' && isFull(concurrency, nowMs) ? 'full' : access;
};

const accessOfBreaker = (breaker: Breaker, nowMs: number): Access => {
  if (breaker.standing === 'ready' || breaker.standing === 'ramping') return 'ready';
  if (isDue(breaker, nowMs)) return 'due';
  if (breaker.standing === 'probing') return 'probing';
  // One that is slow still answers: whoever has nothing better takes it, without any budget.
  return breaker.standing === 'suspect' || breaker.reason === 'slow' ? 'suspect' : 'last-resort';
};

/** When the attempt began that is about to tell whether a probing target is back. */
export const probedAtMs = ({ breaker, gates }: TargetHealth): number => {
  let atMs = breaker.standing === 'probing' ? breaker.probedAtMs : Number.NEGATIVE_INFINITY;
  for (const name of GATE_NAMES) atMs = Math.max(atMs, gates[name].trial?.startedAtMs ?? atMs);
  return atMs;
};

export const GATE_NAMES: readonly ['limit', 'key', 'access', 'model'] = ['limit', 'key', 'access', 'model'];

/** The gate that keeps everybody out for longest, if one does. */
export const closedGateOf = ({ gates }: TargetHealth, nowMs: number): Gate | undefined => {
  let last: Gate | undefined;
  for (const name of GATE_NAMES) {
    const gate = gates[name];
    const isClosed = gateState(gate, Number.POSITIVE_INFINITY, nowMs) === 'closed';
    if (isClosed && (last === undefined || gate.untilMs > last.untilMs)) last = gate;
  }
  return last;
};

/** What a target's page says. */
export interface Condition {
  readonly standing: Standing;
  /** Why it is left alone. */
  readonly reason: BreakerReason | undefined;
  /** When it may be used again, if it is left alone now. */
  readonly untilMs: number | undefined;
}

/** What a request of so many tokens meets; by default the largest. */
export const conditionOf = (
  { breaker, gates }: TargetHealth,
  nowMs: number,
  tokens: number = Number.POSITIVE_INFINITY,
): Condition => {
  let { standing } = breaker;
  let reason = standing === 'ready' || standing === 'ramping' ? undefined : breaker.reason;
  let untilMs = standing === 'cooling' || standing === 'suspect' ? breaker.untilMs : undefined;
  for (const name of GATE_NAMES) {
    const gate = gates[name];
    const state = gateState(gate, tokens, nowMs);
    if (state === 'open') continue;
    if (state === 'closed' && gate.untilMs > (untilMs ?? 0)) {
      standing = 'cooling';
      reason = gate.reason;
      untilMs = gate.untilMs;
    } else if (standing === 'ready' || standing === 'ramping') {
      standing = state === 'on-trial' ? 'probing' : 'cooling';
      reason = gate.reason;
      untilMs = gate.untilMs;
    }
  }
  return { standing, reason, untilMs };
};
