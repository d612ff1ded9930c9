import { GATE_NAMES, type HealthKeys, type TargetHealth } from '../decide/health/health.ts';
import {
  foldGate,
  foldModel,
  isNews,
  type News,
  newsOfGate,
  newsOfModel,
  noteGate,
  noteModel,
  type SharedGate,
  type SharedModel,
  shareGate,
  shareModel,
} from '../decide/health/news.ts';
import type { HealthChange } from '../decide/health/observe.ts';
import type { Membership, Store } from '../store.ts';
import type { System } from './system.ts';

/** A target's part of what is shared. */
interface Watched {
  readonly model: Entry<SharedModel>;
  readonly gates: readonly Entry<SharedGate>[];
}

interface Entry<Shared> {
  readonly shared: Shared;
  /** Of the first target that has it: it reports what was heard. */
  readonly heard: (change: NonNullable<HealthChange>) => void;
}

/**
 * A router among others: tells a store how models and gates stand after each change, and folds in what it hears. Nothing waits for
 * it, and whatever the store does, it never throws.
 */
export class Peers {
  readonly #store: Store;
  readonly #system: System;
  readonly #digestOf: (key: string) => string;
  readonly #models = new Map<string, Entry<SharedModel>>();
  readonly #gates = new Map<string, Entry<SharedGate>>();
  readonly #watched = new Map<TargetHealth, Watched>();
  readonly #untold = new Set<Entry<SharedModel> | Entry<SharedGate>>();
  #membership: Membership | undefined;

  constructor(store: Store, system: System, digestOf: (key: string) => string) {
    this.#store = store;
    this.#system = system;
    this.#digestOf = digestOf;
  }

  /** A target belongs to it from now on. `heard` is called for what others have seen of it. */
  watch(health: TargetHealth, keys: HealthKeys, heard: (change: NonNullable<HealthChange>) => void): void {
    const model = entry(this.#models, `model-${this.#digestOf(keys.model)}`, heard, (key) =>
      shareModel(key, health.breaker),
    );
    const gates = GATE_NAMES.map((name) =>
      entry(this.#gates, `gate-${this.#digestOf(keys.gates[name])}`, heard, (key) =>
        shareGate(key, health.gates[name]),
      ),
    );
    this.#watched.set(health, { model, gates });
  }

  /** All targets are known: others may hear of them. */
  join(): void {
    try {
      this.#membership = this.#store.join((news) => this.#hear(news));
    } catch {
      // By itself, then.
    }
  }

  /** Something was observed of a target, by an attempt that ends at `endsAtMs` at the latest. */
  note(health: TargetHealth, endsAtMs: number): void {
    const watched = this.#watched.get(health);
    if (watched === undefined) return;
    const { model, gates } = watched;
    if (noteModel(model.shared, endsAtMs)) {
      this.#tell(model);
      // The vendor's other models may have become suspect by it.
      for (const other of this.#models.values()) {
        const isNeighbour = other.shared.breaker.domain === model.shared.breaker.domain;
        if (isNeighbour && noteModel(other.shared, endsAtMs)) this.#tell(other);
      }
    }
    for (let i = 0; i < gates.length; i++) {
      const gate = gates[i];
      if (gate !== undefined && noteGate(gate.shared, endsAtMs)) this.#tell(gate);
    }
  }

  #tell(entry: Entry<SharedModel> | Entry<SharedGate>): void {
    if (this.#untold.size === 0) queueMicrotask(() => this.#flush());
    this.#untold.add(entry);
  }

  #flush(): void {
    const nowMs = this.#system.nowMs();
    const news = Array.from(this.#untold, ({ shared }) =>
      'breaker' in shared ? newsOfModel(shared, nowMs) : newsOfGate(shared, nowMs),
    );
    this.#untold.clear();
    try {
      Promise.resolve(this.#membership?.tell(news)).catch(() => {});
    } catch {
      // The next change is told again; until then this router is ahead of the others.
    }
  }

  #hear(all: readonly unknown[]): void {
    const nowMs = this.#system.nowMs();
    for (const news of all) {
      if (!isNews(news)) continue;
      const heard = this.#fold(news, nowMs);
      if (heard !== undefined) heard.entry.heard(heard.change);
    }
  }

  #fold(
    news: News,
    nowMs: number,
  ): { readonly entry: Entry<unknown>; readonly change: NonNullable<HealthChange> } | undefined {
    const entry = news.about === 'model' ? this.#models.get(news.key) : this.#gates.get(news.key);
    if (entry === undefined) return undefined;
    const change =
      news.about === 'model'
        ? foldModel(entry.shared as SharedModel, news, this.#store.trust, nowMs)
        : foldGate(entry.shared as SharedGate, news, nowMs);
    return change && { entry, change };
  }
}

const entry = <Shared>(
  map: Map<string, Entry<Shared>>,
  key: string,
  heard: Entry<Shared>['heard'],
  make: (key: string) => Shared,
): Entry<Shared> => {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = { shared: make(key), heard };
  map.set(key, made);
  return made;
};
