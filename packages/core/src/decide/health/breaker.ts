import type { Dice } from '../dice.ts';
import type { FailureKind } from '../failure.ts';
import type { Domain } from './domain.ts';
import { clearWindow, isBad, newWindow, record, type Verdict, type Window, worsen } from './window.ts';

/**
 * Whether a model at its vendor answers, in words of what happens to traffic: `ready`; `suspect`, asked after all ready
 * ones; `cooling`, left alone; `probing`, one attempt will tell; `ramping`, back with a share that grows.
 */
export type Standing = 'ready' | 'suspect' | 'cooling' | 'probing' | 'ramping';

/** Why a target is not ready: a kind of failure, or `slow`, when it answers and takes too long. */
export type BreakerReason = FailureKind | 'slow';

export interface Breaker {
  standing: Standing;
  /** Failures in a row. */
  strikes: number;
  struckAtMs: number;
  /** Attempts in a row that were silent for the soft time, with no first content from anybody in between. */
  silences: number;
  /** What the last strike was. */
  reason: BreakerReason | undefined;
  /** `cooling` and `suspect`: until then. */
  untilMs: number;
  /** How long it was left alone the last time; 0 before the first. */
  coolingMs: number;
  /** Since it was cooled: probes that brought content in time, and such that brought it late. */
  proofs: number;
  misses: number;
  /** `ready`, `ramping`: since then. */
  sinceMs: number;
  /** Grows when the target is left alone and when it is back: what was started before says nothing about now. */
  epoch: number;
  readonly window: Window;
  /** Attempts and failures while ready, halved each half hour. */
  readonly history: { attempts: number; failures: number; atMs: number };
  readonly domain: Domain;
}

/** A target is cooled by mistake about once in so many requests. */
const FALSE_ALARM = 1e-5;
/** What is thought of a target's error rate before anything is known: 1 % of 20 attempts. */
const PRIOR = { attempts: 20, failures: 0.2 } as const;
const HALF_LIFE_MS = 30 * 60_000;
/**
 * Two silent ones of a healthy target in a row are one in ten thousand at the 99th percentile, and its next word takes the
 * suspicion back; in the simulator a third only made a hang half a second older before it was seen.
 */
const SILENCES = 2;
/** First cooling, and the longest after doublings. A vendor's hiccup passes in seconds; an outage is probed twice a minute. */
const COOLING_MS = { first: 5_000, most: 30_000 } as const;
/** After so long without trouble, the past is forgotten. */
const FORGIVEN_AFTER_MS = 5 * 60_000;
/** One probe may be luck, and one late one bad luck: of twenty healthy answers one is slower than the 95th percentile. */
const PROOFS = 2;
const MISSES = 2;
/** A target that is back takes its traffic over in 20 s, from a tenth: its caches are cold, and it may fall again. */
const RAMP = { ms: 20_000, from: 0.1 } as const;

export const newBreaker = (domain: Domain): Breaker => {
  const breaker: Breaker = {
    standing: 'ready',
    strikes: 0,
    struckAtMs: Number.NEGATIVE_INFINITY,
    silences: 0,
    reason: undefined,
    untilMs: 0,
    coolingMs: 0,
    proofs: 0,
    misses: 0,
    sinceMs: Number.NEGATIVE_INFINITY,
    epoch: 0,
    window: newWindow(),
    history: { ...PRIOR, atMs: 0 },
    domain,
  };
  domain.breakers.push(breaker);
  return breaker;
};

/** Whether a target that was left alone may be probed now. A suspect that nobody has asked since is probed too. */
export const isDue = ({ standing, untilMs }: Breaker, nowMs: number): boolean =>
  (standing === 'cooling' || standing === 'suspect') && nowMs >= untilMs;

/** The share of its usual traffic that a target gets, 0 to 1. Ends the ramp when its time is over. */
export const shareOf = (breaker: Breaker, nowMs: number): number => {
  if (breaker.standing !== 'ramping') return 1;
  const share = (nowMs - breaker.sinceMs) / RAMP.ms;
  if (share < 1) return Math.max(RAMP.from, share);
  breaker.standing = 'ready';
  breaker.reason = undefined;
  return 1;
};

/** One attempt will tell; until it has, the others go elsewhere. */
export const beginProbe = (breaker: Breaker): void => {
  breaker.standing = 'probing';
  breaker.epoch += 1;
};

/**
 * The probe ended without telling anything: its caller left, or the request was at fault. The next request may probe at
 * once, unless this one had waited in vain for a while: then not before the first cooling has passed again.
 */
export const dropProbe = (breaker: Breaker, inVain: boolean, nowMs: number, dice: Dice): void => {
  breaker.standing = 'cooling';
  breaker.untilMs = inVain ? nowMs + spread(COOLING_MS.first, dice) : nowMs;
  breaker.epoch += 1;
};

/** An attempt has been silent for the soft time. True when that changed the standing. */
export const noteSilence = (breaker: Breaker, nowMs: number, dice: Dice): boolean => {
  if (breaker.standing === 'cooling' || breaker.standing === 'probing') return false;
  breaker.silences += 1;
  note(breaker, 'slow', nowMs);
  if (isBad(breaker.window, nowMs) !== undefined) {
    cool(breaker, 'slow', nowMs, dice);
    return true;
  }
  if (breaker.silences < SILENCES || breaker.standing === 'suspect') return false;
  suspect(breaker, 'slow', nowMs, dice);
  return true;
};

/**
 * Counts a failure, of an attempt that may have been counted as silent before. True when it cooled the target: after so
 * many in a row that chance is out of the question, or at a bad share of what was tried lately; at once on a ramp or a
 * probe.
 */
export const strike = (
  breaker: Breaker,
  reason: FailureKind,
  wasSilent: boolean,
  nowMs: number,
  dice: Dice,
): boolean => {
  // A last resort: that it fails is what was expected, and no reason to leave the target alone for longer.
  if (breaker.standing === 'cooling') return false;
  breaker.strikes += 1;
  breaker.struckAtMs = nowMs;
  breaker.reason = reason;
  if (breaker.standing === 'ready' || breaker.standing === 'suspect') {
    if (wasSilent) worsen(breaker.window, nowMs);
    else note(breaker, 'failed', nowMs);
    if (breaker.strikes < strikesAllowed(breaker) && isBad(breaker.window, nowMs) === undefined) return false;
  }
  cool(breaker, reason, nowMs, dice);
  return true;
};

/**
 * Failures in a row until chance is out of the question: more for a target that fails often while it works. At 1 % three,
 * at 5 % four, at 10 % five; a target whose rate is unknown counts as 1 %.
 */
export const strikesAllowed = ({ history }: Breaker): number => {
  const rate = Math.min(0.5, history.failures / history.attempts);
  return Math.min(8, Math.max(3, Math.ceil(Math.log(FALSE_ALARM) / Math.log(rate))));
};

/** The first content arrived in `tookMs`. True when it changed the standing. */
export const noteContent = (
  breaker: Breaker,
  { wasSilent, tooSlow }: { readonly wasSilent: boolean; readonly tooSlow: boolean },
  nowMs: number,
  dice: Dice,
): boolean => {
  breaker.silences = 0;
  if (breaker.standing === 'probing' || breaker.standing === 'cooling') return noteProof(breaker, tooSlow, nowMs, dice);
  if (!wasSilent) note(breaker, 'good', nowMs);
  if (breaker.standing !== 'suspect') return false;
  // Back to where it was: perhaps on its ramp.
  breaker.standing = nowMs - breaker.sinceMs < RAMP.ms ? 'ramping' : 'ready';
  breaker.reason = undefined;
  return true;
};

/**
 * A whole answer arrived: failures are no longer in a row. Those that were are what this target does while it works; an
 * outage is no part of that, or the next one would be found later.
 */
export const clearStrikes = (breaker: Breaker): void => {
  breaker.history.failures += breaker.strikes;
  breaker.strikes = 0;
};

/** Two of a vendor's models fell within seconds: the others are asked last for a while, unless they answer. */
export const suspect = (breaker: Breaker, reason: BreakerReason, nowMs: number, dice: Dice): void => {
  breaker.standing = 'suspect';
  breaker.reason = reason;
  breaker.untilMs = nowMs + spread(COOLING_MS.first, dice);
};

const noteProof = (breaker: Breaker, tooSlow: boolean, nowMs: number, dice: Dice): boolean => {
  if (tooSlow) breaker.misses += 1;
  else breaker.proofs += 1;
  if (breaker.misses >= MISSES) {
    cool(breaker, 'slow', nowMs, dice);
    return true;
  }
  breaker.epoch += 1;
  breaker.strikes = 0;
  if (breaker.proofs < PROOFS) {
    // Due at once: the next request probes again.
    breaker.standing = 'cooling';
    breaker.untilMs = nowMs;
    return false;
  }
  breaker.standing = 'ramping';
  breaker.sinceMs = nowMs;
  breaker.proofs = 0;
  breaker.misses = 0;
  // Halved, not forgotten: a target that comes and goes is not trusted at once.
  breaker.coolingMs /= 2;
  clearWindow(breaker.window);
  return true;
};

const cool = (breaker: Breaker, reason: BreakerReason, nowMs: number, dice: Dice): void => {
  breaker.coolingMs = nextCoolingMs(breaker, nowMs);
  breaker.untilMs = nowMs + spread(breaker.coolingMs, dice);
  breaker.standing = 'cooling';
  breaker.reason = reason;
  breaker.proofs = 0;
  breaker.misses = 0;
  breaker.silences = 0;
  breaker.epoch += 1;
};

const nextCoolingMs = ({ standing, coolingMs, sinceMs }: Breaker, nowMs: number): number => {
  if (standing === 'probing') return Math.min(COOLING_MS.most, Math.max(COOLING_MS.first, coolingMs * 2));
  if (standing !== 'ramping' && nowMs - sinceMs >= FORGIVEN_AFTER_MS) return COOLING_MS.first;
  return Math.max(COOLING_MS.first, coolingMs);
};

/** A fifth up or down, so that many processes do not probe together. */
const spread = (ms: number, dice: Dice): number => ms * (0.8 + 0.4 * dice());

const note = (breaker: Breaker, verdict: Verdict, nowMs: number): void => {
  record(breaker.window, verdict, nowMs);
  const { history } = breaker;
  const keep = 0.5 ** (Math.max(0, nowMs - history.atMs) / HALF_LIFE_MS);
  // What is unknown before comes back as what is known fades.
  history.attempts = PRIOR.attempts + (history.attempts - PRIOR.attempts) * keep + 1;
  history.failures = PRIOR.failures + (history.failures - PRIOR.failures) * keep;
  history.atMs = nowMs;
};
