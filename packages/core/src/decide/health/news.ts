import { FAILURE_RULES, type FailureKind } from '../failure.ts';
import { acquit, type Breaker, type BreakerReason, recover, type Standing, suspect } from './breaker.ts';
import type { Gate } from './gate.ts';
import type { HealthChange } from './observe.ts';

/**
 * What one router tells others of a model at its vendor, or of a gate: not what happened, but how it stands since. So news may
 * be lost, repeated or late: the next says all that there is to say. Plain JSON; of no news the address, the key or the model
 * can be read.
 */
export type News = ModelNews | GateNews;

interface Told {
  /** Of this form. What has another is not understood, and passed over. */
  readonly v: 1;
  /** What it is about: the same in all processes, and a digest of the address, the model and, of a gate, the key. */
  readonly key: string;
  /** Grows with each change of what it is about, whoever tells it: of two, the greater is the later. */
  readonly version: number;
  /**
   * In ms from when it is told, never a time of day: clocks differ. How long it is left alone, asked last or closed, or how
   * long whoever probes it needs at the most. 0 where it is `due`, `back` or `open`.
   */
  readonly forMs: number;
}

export interface ModelNews extends Told {
  readonly about: 'model';
  readonly standing: 'suspect' | 'cooling' | 'probing' | 'back';
  /** Of what is not back: a kind of failure, or `slow`. */
  readonly reason?: BreakerReason;
  /** How long it was left alone the last time, in ms, from which the next time follows. */
  readonly coolingMs: number;
  /** Probes that brought content, of the two that it owes. */
  readonly proofs: number;
  /** It fell with answers that had begun, so that only whole ones are proofs. */
  readonly midway: boolean;
  /** For how long it has been back, in ms. */
  readonly ageMs: number;
}

export interface GateNews extends Told {
  readonly about: 'gate';
  /** `closed`, also when its time has passed and nobody has tried it yet. */
  readonly standing: 'closed' | 'probing' | 'open';
  /** Of what is not open. */
  readonly reason?: FailureKind;
  /** Closings in a row, for the doubling. */
  readonly closings: number;
  /** Only requests of so many tokens are kept out: 0 for all. */
  readonly leastTokens: number;
}

/**
 * How far a peer's word goes. `evidence`: peers reach vendors by the same way as this process, such as from the same host; what one
 * has seen holds for all. `advice`: the trouble may be the peer's own, such as its network's.
 */
export type Trust = 'evidence' | 'advice';

/** A model's breaker, with what was told of it last. */
export interface SharedModel {
  readonly key: string;
  readonly breaker: Breaker;
  version: number;
  standing: Standing;
  epoch: number;
  /** When the probe of this process ends at the latest. */
  probeEndsAtMs: number;
}

/** A gate, with what was told of it last. */
export interface SharedGate {
  readonly key: string;
  readonly gate: Gate;
  version: number;
  reason: FailureKind | undefined;
  closedUntilMs: number;
  trial: Gate['trial'];
  probeEndsAtMs: number;
}

export const shareModel = (key: string, breaker: Breaker): SharedModel => ({
  key,
  breaker,
  version: 0,
  standing: breaker.standing,
  epoch: breaker.epoch,
  probeEndsAtMs: 0,
});

export const shareGate = (key: string, gate: Gate): SharedGate => ({
  key,
  gate,
  version: 0,
  reason: gate.reason,
  closedUntilMs: gate.untilMs,
  trial: gate.trial,
  probeEndsAtMs: 0,
});

/**
 * A fall begins a new thousand of versions, about: so whoever takes back a suspicion, and has not heard of the fall yet, does not
 * take back the fall.
 */
const FALL = 2 ** 20;

/** Nobody is kept out for longer because somebody else said so. */
const LONGEST_MS = 24 * 60 * 60_000;

/** Whether there is something to tell that was not told yet; counts it as told. Allocates nothing. */
export const noteModel = (shared: SharedModel, probeEndsAtMs: number): boolean => {
  const { breaker, standing, epoch } = shared;
  const isSame = isWell(breaker.standing) ? isWell(standing) : breaker.standing === standing;
  if (isSame && breaker.epoch === epoch) {
    // A ramp that ends is no news: everybody knows when.
    shared.standing = breaker.standing;
    return false;
  }
  const hasFallen = breaker.standing === 'cooling' && standing !== 'cooling' && standing !== 'probing';
  shared.version = hasFallen ? (Math.floor(shared.version / FALL) + 1) * FALL : shared.version + 1;
  settleModel(shared);
  shared.probeEndsAtMs = probeEndsAtMs;
  return true;
};

/** As `noteModel`. */
export const noteGate = (shared: SharedGate, probeEndsAtMs: number): boolean => {
  const { reason, untilMs, trial } = shared.gate;
  if (reason === shared.reason && untilMs === shared.closedUntilMs && trial === shared.trial) return false;
  shared.version += 1;
  settleGate(shared);
  shared.probeEndsAtMs = probeEndsAtMs;
  return true;
};

/** What a model's standing now is has been told, or need not be. */
const settleModel = (shared: SharedModel): void => {
  shared.standing = shared.breaker.standing;
  shared.epoch = shared.breaker.epoch;
};

const settleGate = (shared: SharedGate): void => {
  shared.reason = shared.gate.reason;
  shared.closedUntilMs = shared.gate.untilMs;
  shared.trial = shared.gate.trial;
};

/** How a model stands, for the others. */
export const newsOfModel = ({ key, version, breaker, probeEndsAtMs }: SharedModel, nowMs: number): ModelNews => {
  const { standing, reason, untilMs, coolingMs, proofs, midway, sinceMs, settings } = breaker;
  const about = { v: 1, about: 'model', key, version, coolingMs, proofs, midway, ageMs: 0 } as const;
  if (standing === 'ready' || standing === 'ramping') {
    return { ...about, standing: 'back', forMs: 0, ageMs: Math.min(LONGEST_MS, Math.max(0, nowMs - sinceMs)) };
  }
  // Should this process die meanwhile, the others wait for it no longer than for one more trial that failed.
  const untilThenMs = standing === 'probing' ? Math.min(probeEndsAtMs, nowMs + settings.longestCoolingMs) : untilMs;
  return { ...about, standing, ...(reason !== undefined && { reason }), forMs: Math.max(0, untilThenMs - nowMs) };
};

/** How a gate stands, for the others. */
export const newsOfGate = ({ key, version, gate, probeEndsAtMs }: SharedGate, nowMs: number): GateNews => {
  const { reason, untilMs, trial, closings, leastTokens } = gate;
  const about = { v: 1, about: 'gate', key, version, closings, leastTokens } as const;
  if (reason === undefined) return { ...about, standing: 'open', forMs: 0 };
  const isTried = trial !== undefined && nowMs >= untilMs;
  const forMs = Math.max(0, (isTried ? Math.min(probeEndsAtMs, nowMs + LONGEST_TRIAL_MS) : untilMs) - nowMs);
  return { ...about, standing: isTried ? 'probing' : 'closed', reason, forMs };
};

const LONGEST_TRIAL_MS = 30_000;

const isWell = (standing: Standing): boolean => standing === 'ready' || standing === 'ramping';

/**
 * Takes over what another router says of a model. Of two versions the later holds; where two routers changed it at once, what is
 * worse for the model, and then what lasts longer: so all end up with the same, in whatever order they hear it and however often.
 * Attempts that were under way belong to an older epoch afterwards, as when this router had seen the change itself.
 *
 * As `advice` a peer's word makes a well model suspect, to be asked last, and nothing else: neither does it bring one back.
 */
export const foldModel = (shared: SharedModel, news: ModelNews, trust: Trust, nowMs: number): HealthChange => {
  const { breaker } = shared;
  const untilMs = nowMs + Math.min(news.forMs, breaker.settings.longestCoolingMs);
  if (news.version < shared.version) return undefined;
  if (news.version === shared.version && !isWorse(news, breaker, untilMs, nowMs)) return undefined;
  const isOtherFall = Math.floor(news.version / FALL) > Math.floor(shared.version / FALL);
  shared.version = news.version;
  const change =
    trust === 'advice'
      ? foldAdvice(breaker, news, untilMs, nowMs)
      : adopt(breaker, news, { untilMs, isOtherFall }, nowMs);
  settleModel(shared);
  return change;
};

/** How long it lasts has been said. */
const evenly = (): number => 0.5;

const RANKS: Readonly<Record<ModelNews['standing'], number>> = { back: 0, suspect: 1, probing: 2, cooling: 3 };

const isWorse = ({ standing, ageMs }: ModelNews, breaker: Breaker, untilMs: number, nowMs: number): boolean => {
  const known = breaker.standing === 'ready' || breaker.standing === 'ramping' ? 'back' : breaker.standing;
  if (RANKS[standing] !== RANKS[known]) return RANKS[standing] > RANKS[known];
  return standing === 'back' ? nowMs - ageMs > breaker.sinceMs : untilMs > breaker.untilMs;
};

const adopt = (
  breaker: Breaker,
  news: ModelNews,
  { untilMs, isOtherFall }: { readonly untilMs: number; readonly isOtherFall: boolean },
  nowMs: number,
): HealthChange => {
  const before = breaker.standing;
  const { standing, reason, coolingMs, proofs, midway, forMs, ageMs } = news;
  switch (standing) {
    case 'back':
      if (before === 'cooling' || before === 'probing') breaker.epoch += 1;
      // Else a suspicion is taken back, and what is known of the model holds.
      if (before === 'cooling' || before === 'probing' || isOtherFall) recover(breaker, nowMs, coolingMs);
      breaker.sinceMs = nowMs - ageMs;
      acquit(breaker, nowMs);
      return isWell(before) ? undefined : 'recovered';
    case 'suspect':
      suspect(breaker, reason ?? 'slow', nowMs, evenly);
      breaker.untilMs = untilMs;
      return before === 'suspect' ? undefined : 'suspected';
    case 'cooling':
    case 'probing':
      breaker.standing = standing;
      breaker.probedAtMs = nowMs;
      breaker.untilMs = untilMs;
      breaker.reason = reason;
      breaker.coolingMs = Math.min(coolingMs, breaker.settings.longestCoolingMs);
      breaker.proofs = proofs;
      breaker.misses = 0;
      breaker.silences = 0;
      breaker.midway = midway;
      breaker.epoch += 1;
      // For whoever sees the vendor's next model fall.
      if (isOtherFall) breaker.domain.cooledAtMs.set(breaker, nowMs);
      // Else it is due: a probe has told something good, or nothing.
      return standing === 'cooling' && forMs > 0 ? 'cooled' : undefined;
  }
};

const foldAdvice = (
  breaker: Breaker,
  { standing, forMs, reason }: ModelNews,
  untilMs: number,
  nowMs: number,
): HealthChange => {
  if (standing !== 'cooling' || forMs === 0 || !isWell(breaker.standing)) return undefined;
  suspect(breaker, reason ?? 'server-error', nowMs, evenly);
  breaker.untilMs = untilMs;
  return 'suspected';
};

/**
 * Takes over what another router says of a gate; how far it is trusted is no question, since keys belong to accounts and not to
 * hosts. A closing never shortens another: the longer holds, whoever saw it, for 24 h at most. An opening counts if it is
 * later news than the closing, and the gate's time has passed here too.
 */
export const foldGate = (shared: SharedGate, news: GateNews, nowMs: number): HealthChange => {
  const { gate } = shared;
  const isLater = news.version > shared.version;
  const isStale = news.version < shared.version;
  const { standing, reason = 'rate-limited', closings, leastTokens } = news;
  const untilMs = nowMs + Math.min(news.forMs, LONGEST_MS);
  const wasClosed = gate.reason !== undefined;
  let change: HealthChange;
  // It was tried since, and is open; or somebody here has heard more than that it is tried.
  if (isStale && (!wasClosed || standing !== 'closed')) return undefined;
  shared.version = Math.max(shared.version, news.version);
  switch (standing) {
    case 'closed':
      gate.leastTokens = wasClosed ? Math.min(gate.leastTokens, leastTokens) : leastTokens;
      gate.closings = Math.max(wasClosed ? gate.closings : 0, closings);
      if (!wasClosed || untilMs > gate.untilMs) {
        if (untilMs > nowMs) change = 'gated';
        gate.closedAtMs = nowMs;
        gate.untilMs = untilMs;
        gate.reason = reason;
      }
      if (isLater) endTrial(gate);
      break;
    case 'probing':
      if (!wasClosed) {
        gate.reason = reason;
        gate.leastTokens = leastTokens;
        gate.closings = closings;
      }
      if (gate.trial === undefined || gate.trial.untilMs !== undefined) gate.trial = { startedAtMs: nowMs, untilMs };
      break;
    case 'open':
      if (!isLater || !wasClosed || nowMs < gate.untilMs) break;
      gate.reason = undefined;
      gate.trial = undefined;
      change = 'recovered';
      break;
  }
  settleGate(shared);
  return change;
};

/** The other's trial has told. Our own tells by itself. */
const endTrial = (gate: Gate): void => {
  if (gate.trial?.untilMs !== undefined) gate.trial = undefined;
};

/** News as they are told on after so many ms. */
export const aged = <T extends News>(news: T, ms: number): T => ({
  ...news,
  forMs: Math.max(0, news.forMs - ms),
  ...(news.about === 'model' && news.standing === 'back' && { ageMs: Math.min(LONGEST_MS, news.ageMs + ms) }),
});

/** Of two news of one key, what a store has to remember. */
export const laterOf = (known: News | undefined, news: News): News => {
  if (known === undefined || news.version > known.version) return news;
  if (news.version < known.version) return known;
  const [one, other] = [rankOf(known), rankOf(news)];
  return other > one || (other === one && lengthOf(news) > lengthOf(known)) ? news : known;
};

/** What is back for less long is on its ramp for longer. */
const lengthOf = (news: News): number => (news.about === 'model' ? news.forMs - news.ageMs : news.forMs);

const rankOf = (news: News): number => (news.about === 'model' ? RANKS[news.standing] : GATE_RANKS[news.standing]);

const GATE_RANKS: Readonly<Record<GateNews['standing'], number>> = { open: 0, probing: 1, closed: 2 };

/** Whether somebody else's message is news of a form that is understood here. */
export const isNews = (value: unknown): value is News => {
  if (typeof value !== 'object' || value === null) return false;
  const news = value as Readonly<Record<string, unknown>>;
  if (news.v !== 1 || typeof news.key !== 'string') return false;
  if (!isAmount(news.version) || !isAmount(news.forMs)) return false;
  if (news.reason !== undefined && news.reason !== 'slow' && !Object.hasOwn(FAILURE_RULES, String(news.reason))) {
    return false;
  }
  if (news.about === 'gate') {
    return (
      Object.hasOwn(GATE_RANKS, String(news.standing)) &&
      news.reason !== 'slow' &&
      isAmount(news.closings) &&
      isAmount(news.leastTokens)
    );
  }
  return (
    news.about === 'model' &&
    Object.hasOwn(RANKS, String(news.standing)) &&
    isAmount(news.coolingMs) &&
    isAmount(news.proofs) &&
    isAmount(news.ageMs) &&
    typeof news.midway === 'boolean'
  );
};

const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value);
