import type { Dice } from '../dice.ts';
import type { FailureKind } from '../failure.ts';
import type { Domain } from './domain.ts';
import { endAt, failuresAround, failuresLately, forget, newStreak, type Streak } from './streak.ts';
import { clearWindow, type Entry, isBad, newWindow, record, type Verdict, type Window, worsen } from './window.ts';

/**
 * Whether a model at its vendor answers, in words of what happens to traffic: `ready`; `suspect`, asked after all ready
 * ones; `cooling`, left alone; `probing`, one attempt will tell; `ramping`, back with a share that grows.
 */
export type Standing = 'ready' | 'suspect' | 'cooling' | 'probing' | 'ramping';

/** Why a target is not ready: a kind of failure, or `slow`, when it answers and takes too long. */
export type BreakerReason = FailureKind | 'slow';

export interface Breaker {
  standing: Standing;
  /** How its attempts ended. */
  readonly streak: Streak;
  /** Attempts in a row that fell silent, with no first content from anybody in between. */
  silences: number;
  suspectedAtMs: number;
  /** What the last strike was. */
  reason: BreakerReason | undefined;
  /** `cooling` and `suspect`: until then. `probing`: until then another process probes; Infinity where we do. */
  untilMs: number;
  /** How long it was left alone the last time; 0 before the first. */
  coolingMs: number;
  probedAtMs: number;
  /** It fell with answers that had begun: only whole ones prove that it is back. */
  midway: boolean;
  /** Since it was cooled: probes that brought content in time, and such that brought it late. */
  proofs: number;
  misses: number;
  /** `ready`, `ramping`: since then. */
  sinceMs: number;
  /** Grows when the target is left alone and when it is back: what was started before says nothing about now. */
  epoch: number;
  readonly window: Window;
  /** Attempts and failures while it had traffic, halved each minute. */
  readonly history: { attempts: number; failures: number; atMs: number };
  readonly domain: Domain;
  readonly settings: BreakerSettings;
}

/** What users may set, in ms. */
export interface BreakerSettings {
  /** The longest that a target is left alone which fails again and again. */
  readonly longestCoolingMs: number;
  /** A target that is back takes over its traffic in this time. */
  readonly rampMs: number;
}

/** One attempt, as health sees it. */
export interface Evidence {
  /** In the order in which attempts were made. */
  readonly place: number;
  /** What it was counted as, if it was. */
  counted: Entry | undefined;
  /** It had content. */
  spoke: boolean;
}

/** A target is cooled by mistake about once in so many requests. */
const FALSE_ALARM = 1e-5;
const MOST_STRIKES = 8;
const LEAST_RATE = 0.01;
/** What is thought of a target's error rate before anything is known: 1 % of 20 attempts. */
const PRIOR = { attempts: 20, failures: 0.2 } as const;
/** Its error rate is that of the last minutes: what it was an hour ago would hide that it has become worse. */
const HALF_LIFE_MS = 60_000;
/**
 * Three silent ones of a healthy target in a row are one in eight thousand at the 95th percentile, and its next word takes
 * the suspicion back. In the simulator two at the 99th percentile saw a hang half a second later at 50 requests a second.
 */
const SILENCES = 3;
/** First cooling; it doubles up to the longest. A vendor's hiccup passes in seconds; an outage is probed twice a minute. */
const FIRST_COOLING_MS = 5_000;
/** After so long without trouble, the past is forgotten. */
const FORGIVEN_AFTER_MS = 5 * 60_000;
/** One probe may be luck, and one late one bad luck: of twenty healthy answers one is slower than the 95th percentile. */
const PROOFS = 2;
const MISSES = 2;
/** A target that is back begins with a tenth of its traffic: its caches are cold, and it may fall again. */
const RAMP_FROM = 0.1;

export const newBreaker = (domain: Domain, settings: BreakerSettings): Breaker => {
  const breaker: Breaker = {
    standing: 'ready',
    streak: newStreak(),
    silences: 0,
    suspectedAtMs: Number.NEGATIVE_INFINITY,
    reason: undefined,
    untilMs: 0,
    coolingMs: 0,
    probedAtMs: Number.NEGATIVE_INFINITY,
    midway: false,
    proofs: 0,
    misses: 0,
    sinceMs: Number.NEGATIVE_INFINITY,
    epoch: 0,
    window: newWindow(),
    history: { ...PRIOR, atMs: 0 },
    domain,
    settings,
  };
  domain.breakers.push(breaker);
  return breaker;
};

/**
 * Whether a target that was left alone may be probed now. A suspect that nobody has asked since is probed too, and one whose
 * probe is another process's that was not heard of again.
 */
export const isDue = ({ standing, untilMs }: Breaker, nowMs: number): boolean =>
  (standing === 'cooling' || standing === 'suspect' || standing === 'probing') && nowMs >= untilMs;

/** Left alone for being slow, or probed after that: it answers, if late. */
export const isSlow = ({ standing, reason }: Breaker): boolean =>
  reason === 'slow' && (standing === 'cooling' || standing === 'probing');

/** The share of its usual traffic that a target gets, 0 to 1. Ends the ramp when its time is over. */
export const shareOf = (breaker: Breaker, nowMs: number): number => {
  if (breaker.standing !== 'ramping') return 1;
  const share = (nowMs - breaker.sinceMs) / breaker.settings.rampMs;
  if (share < 1) return Math.max(RAMP_FROM, share);
  breaker.standing = 'ready';
  breaker.reason = undefined;
  return 1;
};

/** One attempt will tell; until it has, the others go elsewhere. */
export const beginProbe = (breaker: Breaker, nowMs: number): void => {
  breaker.standing = 'probing';
  breaker.probedAtMs = nowMs;
  // Its attempt ends by itself.
  breaker.untilMs = Number.POSITIVE_INFINITY;
  breaker.epoch += 1;
};

/**
 * The probe ended without telling anything: its caller left, or the request was at fault. The next request may probe at
 * once, unless this one had waited in vain for a while: then not before the first cooling has passed again.
 */
export const dropProbe = (breaker: Breaker, inVain: boolean, nowMs: number, dice: Dice): void => {
  breaker.standing = 'cooling';
  breaker.untilMs = inVain ? nowMs + spreadFirst(breaker, dice) : nowMs;
  breaker.epoch += 1;
};

/** An attempt has fallen silent. True when that made the target suspect. */
export const noteSilence = (breaker: Breaker, nowMs: number, dice: Dice): boolean => {
  if (breaker.standing !== 'ready' && breaker.standing !== 'ramping') return false;
  breaker.silences += 1;
  if (breaker.silences < SILENCES) return false;
  suspect(breaker, 'slow', nowMs, dice);
  return true;
};

/** An attempt is late, and so slow. True when that cooled the target. */
export const noteLateness = (breaker: Breaker, evidence: Evidence, nowMs: number, dice: Dice): boolean => {
  if (breaker.standing === 'cooling' || breaker.standing === 'probing') return false;
  evidence.counted = note(breaker, 'slow', nowMs);
  if (isBad(breaker.window, nowMs) === undefined) return false;
  breaker.midway = false;
  cool(breaker, 'slow', nowMs, dice);
  return true;
};

/**
 * Counts a failure, of an attempt that may have been counted as silent, or as good, before. True when it cooled the
 * target: after so many in a row that chance is out of the question, one fewer on a ramp, or at a bad share of what was
 * tried lately; at once on a probe.
 */
export const strike = (
  breaker: Breaker,
  reason: FailureKind,
  evidence: Evidence,
  nowMs: number,
  dice: Dice,
): boolean => {
  // A last resort: that it fails is what was expected, and no reason to leave the target alone for longer.
  if (breaker.standing === 'cooling') return false;
  const { streak, history } = breaker;
  endAt(streak, evidence.place, 'failed');
  breaker.midway = evidence.spoke;
  breaker.reason = reason;
  if (breaker.standing !== 'probing') {
    if (evidence.counted === undefined) evidence.counted = note(breaker, 'failed', nowMs);
    else worsen(breaker.window, evidence.counted, nowMs);
    history.failures += 1;
    const inARow = failuresAround(streak, evidence.place, MOST_STRIKES);
    const allowed = strikesAllowed(breaker, inARow) - (breaker.standing === 'ramping' ? 1 : 0);
    if (inARow < allowed && isBad(breaker.window, nowMs) === undefined) return false;
    // An outage is no part of what this target does while it works, or the next one would be found later.
    history.failures = Math.max(0, history.failures - inARow);
  }
  cool(breaker, reason, nowMs, dice);
  return true;
};

/**
 * Failures in a row until chance is out of the question: more for a target that fails often while it works. At 1 % three,
 * at 5 % four, at 10 % five; a target whose rate is unknown counts as 1 %.
 */
export const strikesAllowed = ({ history }: Breaker, inARow: number): number => {
  // Without those in question: they are to be judged by what was before them.
  const rate = Math.min(0.5, Math.max(LEAST_RATE, (history.failures - inARow) / history.attempts));
  return Math.min(MOST_STRIKES, Math.max(3, Math.ceil(Math.log(FALSE_ALARM) / Math.log(rate))));
};

/** Failures in a row up to now. */
export const strikesOf = ({ streak }: Breaker): number => failuresLately(streak, MOST_STRIKES);

/** The first content arrived; `tooSlow` for one that proves nothing. True when it changed the standing. */
export const noteContent = (
  breaker: Breaker,
  evidence: Evidence,
  tooSlow: boolean,
  nowMs: number,
  dice: Dice,
): boolean => {
  breaker.silences = 0;
  evidence.spoke = true;
  if (breaker.standing === 'probing' || breaker.standing === 'cooling') {
    return !breaker.midway && noteProof(breaker, tooSlow, nowMs, dice);
  }
  evidence.counted ??= note(breaker, 'good', nowMs);
  endAt(breaker.streak, evidence.place, 'answered');
  if (breaker.standing !== 'suspect') return false;
  acquit(breaker, nowMs);
  return true;
};

/** Suspected no more: back to where it was, perhaps on its ramp. */
export const acquit = (breaker: Breaker, nowMs: number): void => {
  breaker.standing = nowMs - breaker.sinceMs < breaker.settings.rampMs ? 'ramping' : 'ready';
  breaker.reason = undefined;
  breaker.silences = 0;
};

/** The answer is whole. True when it changed the standing. */
export const noteWhole = (breaker: Breaker, nowMs: number, dice: Dice): boolean =>
  breaker.midway &&
  (breaker.standing === 'probing' || breaker.standing === 'cooling') &&
  noteProof(breaker, false, nowMs, dice);

/** Two of a vendor's models fell within seconds: the others are asked last for a while, unless they answer. */
export const suspect = (breaker: Breaker, reason: BreakerReason, nowMs: number, dice: Dice): void => {
  breaker.standing = 'suspect';
  breaker.suspectedAtMs = nowMs;
  breaker.reason = reason;
  breaker.untilMs = nowMs + spreadFirst(breaker, dice);
};

const noteProof = (breaker: Breaker, tooSlow: boolean, nowMs: number, dice: Dice): boolean => {
  if (tooSlow) breaker.misses += 1;
  else breaker.proofs += 1;
  if (breaker.misses >= MISSES) {
    cool(breaker, 'slow', nowMs, dice);
    return true;
  }
  breaker.epoch += 1;
  if (breaker.proofs < PROOFS) {
    // Due at once: the next request probes again.
    breaker.standing = 'cooling';
    breaker.untilMs = nowMs;
    return false;
  }
  // Halved, not forgotten: a target that comes and goes is not trusted at once.
  recover(breaker, nowMs, breaker.coolingMs / 2);
  return true;
};

/** It is back, since then, and begins anew. */
export const recover = (breaker: Breaker, sinceMs: number, coolingMs: number): void => {
  breaker.standing = 'ramping';
  breaker.sinceMs = sinceMs;
  breaker.proofs = 0;
  breaker.misses = 0;
  breaker.coolingMs = coolingMs;
  clearWindow(breaker.window);
  forget(breaker.streak);
};

const cool = (breaker: Breaker, reason: BreakerReason, nowMs: number, dice: Dice): void => {
  breaker.coolingMs = nextCoolingMs(breaker, nowMs);
  breaker.untilMs = nowMs + spread(breaker.coolingMs, breaker.settings.longestCoolingMs, dice);
  breaker.standing = 'cooling';
  breaker.reason = reason;
  breaker.proofs = 0;
  breaker.misses = 0;
  breaker.silences = 0;
  breaker.epoch += 1;
};

const nextCoolingMs = ({ standing, coolingMs, sinceMs, settings }: Breaker, nowMs: number): number => {
  const firstMs = Math.min(FIRST_COOLING_MS, settings.longestCoolingMs);
  if (standing === 'probing') return Math.min(settings.longestCoolingMs, Math.max(firstMs, coolingMs * 2));
  if (standing !== 'ramping' && nowMs - sinceMs >= FORGIVEN_AFTER_MS) return firstMs;
  return Math.max(firstMs, coolingMs);
};

/** The first cooling, spread. */
const spreadFirst = ({ settings: { longestCoolingMs } }: Breaker, dice: Dice): number =>
  spread(Math.min(FIRST_COOLING_MS, longestCoolingMs), longestCoolingMs, dice);

/** A fifth up or down, so that many processes do not probe together, and no longer than the longest. */
const spread = (ms: number, longestMs: number, dice: Dice): number => {
  const least = 0.8 * ms;
  return least + (Math.min(1.2 * ms, longestMs) - least) * dice();
};

const note = ({ window, history }: Breaker, verdict: Verdict, nowMs: number): Entry => {
  const entry = record(window, verdict, nowMs);
  const keep = 0.5 ** (Math.max(0, nowMs - history.atMs) / HALF_LIFE_MS);
  // What is unknown before comes back as what is known fades.
  history.attempts = PRIOR.attempts + (history.attempts - PRIOR.attempts) * keep + 1;
  history.failures = PRIOR.failures + (history.failures - PRIOR.failures) * keep;
  history.atMs = nowMs;
  return entry;
};
