import type { Attempt } from '../attempt.ts';
import type { Dice } from '../dice.ts';
import { FAILURE_RULES, type Failure } from '../failure.ts';
import { type Need, readAllowance, spend, takesSmaller } from './allowance.ts';
import { beginProbe, dropProbe, isDue, noteContent, noteLateness, noteSilence, noteWhole, strike } from './breaker.ts';
import { lower, raise } from './concurrency.ts';
import { noteCooled } from './domain.ts';
import { closeGate, gateState, passGate } from './gate.ts';
import { GATE_NAMES, type TargetHealth } from './health.ts';
import { learnFromRefusal, type Prompt, unlearnBySuccess } from './learned-window.ts';
import { type Load, proofMsFor, samplesOf } from './pace.ts';
import { addSample } from './quantiles.ts';
import { endAt, takePlace } from './streak.ts';
import { isUsual } from './window.ts';

/** What an observation changed, for whoever wants to know. */
export type HealthChange = 'suspected' | 'cooled' | 'gated' | 'recovered' | undefined;

/** What an attempt asks of its target. */
export interface Ask {
  readonly load: Load;
  readonly need: Need;
  /** How much it is asked to hold. */
  readonly prompt?: Prompt | undefined;
}

/** An attempt begins, and takes its places: that of a probe, of which there is one, and one among those under way. */
export const observeStart = (health: TargetHealth, attempt: Attempt, { need }: Ask): void => {
  const { breaker, gates, concurrency, allowance } = health;
  const nowMs = attempt.startedAtMs;
  if (attempt.role === 'probe') {
    if (isDue(breaker, nowMs)) beginProbe(breaker, nowMs);
    for (const name of GATE_NAMES) {
      if (gateState(gates[name], tokensOf(need), nowMs) === 'due') gates[name].trial = attempt;
    }
  }
  attempt.epoch = breaker.epoch;
  attempt.place = takePlace(breaker.streak);
  attempt.sentThen = spend(allowance, need, nowMs);
  attempt.underWay = true;
  concurrency.inFlight += 1;
};

/** An attempt is over, with all that it had to say; nothing happens when it is said twice. */
export const observeEnd = (health: TargetHealth, attempt: Attempt, nowMs: number, dice: Dice): void => {
  if (!attempt.underWay) return;
  attempt.underWay = false;
  health.concurrency.inFlight -= 1;
  // A probe that had content and was not read to its end, where only that would have told.
  if (isProbing(health, attempt)) dropProbe(health.breaker, false, nowMs, dice);
};

const isProbing = ({ breaker }: TargetHealth, { role, epoch }: Attempt): boolean =>
  role === 'probe' && breaker.standing === 'probing' && epoch === breaker.epoch;

/** An attempt has been silent for longer than most: evidence, until it or another one speaks. */
export const observeSilence = (
  { breaker }: TargetHealth,
  attempt: Attempt,
  nowMs: number,
  dice: Dice,
): HealthChange => {
  attempt.silent = true;
  return attempt.epoch === breaker.epoch && noteSilence(breaker, nowMs, dice) ? 'suspected' : undefined;
};

/** An attempt is late. */
export const observeLateness = (health: TargetHealth, attempt: Attempt, nowMs: number, dice: Dice): HealthChange => {
  const { breaker } = health;
  attempt.late = true;
  if (attempt.epoch !== breaker.epoch || !noteLateness(breaker, attempt, nowMs, dice)) return undefined;
  return afterTrouble(health, nowMs, dice);
};

/** The first content of an attempt arrived, or the whole of a plain answer. */
export const observeContent = (
  health: TargetHealth,
  attempt: Attempt,
  { load, need, prompt }: Ask,
  nowMs: number,
  dice: Dice,
): HealthChange => {
  const { breaker, pace, gates, concurrency, allowance } = health;
  if (prompt !== undefined) unlearnBySuccess(health.window, prompt);
  readAllowance(allowance, attempt.wire.header, attempt, nowMs);
  raise(concurrency);
  let recovered = false;
  for (const name of GATE_NAMES) {
    recovered = passGate(gates[name], attempt.startedAtMs, tokensOf(need)) || recovered;
  }
  releaseTrials(health, attempt);
  if (attempt.epoch !== breaker.epoch) return recovered ? 'recovered' : undefined;
  const tookMs = nowMs - attempt.startedAtMs;
  const before = breaker.standing;
  // Slower than all but one in twenty of a healthy target: not back yet.
  const tooSlow = before === 'probing' && tookMs > proofMsFor(pace, load, nowMs);
  if (noteContent(breaker, attempt, tooSlow, nowMs, dice)) {
    if (breaker.standing === 'cooling') return afterTrouble(health, nowMs, dice);
    recovered = true;
  }
  if (before === 'ready') learn(health, attempt, load, nowMs);
  return recovered ? 'recovered' : undefined;
};

/** An attempt gives way to another that has answered. */
export const observeLoss = (health: TargetHealth, attempt: Attempt, { load }: Ask, nowMs: number): void => {
  if (attempt.late) learn(health, attempt, load, nowMs);
};

/** The whole answer arrived: the proof that a target owes which fell with answers that had begun. */
export const observeComplete = (health: TargetHealth, attempt: Attempt, nowMs: number, dice: Dice): HealthChange =>
  attempt.epoch === health.breaker.epoch && noteWhole(health.breaker, nowMs, dice) ? 'recovered' : undefined;

/** The attempt failed, before its content or after. Only what the failure is charged to hears of it. */
export const observeFailure = (
  health: TargetHealth,
  attempt: Attempt,
  failure: Failure,
  { need, prompt }: Ask,
  nowMs: number,
  dice: Dice,
): HealthChange => {
  const { breaker, gates, concurrency, allowance } = health;
  const { startedAtMs, wire } = attempt;
  const rule = FAILURE_RULES[failure.kind];
  const current = attempt.epoch === breaker.epoch;
  let change: HealthChange;
  if (prompt !== undefined) learnFromRefusal(health.window, prompt, failure, nowMs);
  readAllowance(allowance, wire.header, attempt, nowMs);
  if (failure.kind === 'rate-limited' || failure.kind === 'overloaded') lower(concurrency, startedAtMs, nowMs);
  if (rule.effect !== 'strike' && !attempt.spoke) endAt(breaker.streak, attempt.place, 'nothing');
  // A last resort that joined a probe and failed leaves it to the probe to tell.
  const tells = current && !(attempt.role === 'last-resort' && breaker.standing === 'probing');
  if (rule.effect === 'strike' && tells && strike(breaker, failure.kind, attempt, nowMs, dice)) {
    change = afterTrouble(health, nowMs, dice);
  }
  // An overloaded model is gated only for a time that the vendor named; strikes see to the rest.
  if (rule.gate !== undefined && (rule.effect === 'gate' || failure.retryAfterMs !== undefined)) {
    // Refused for its size alone, it says nothing of smaller ones.
    const leastTokens = rule.gate === 'limit' && takesSmaller(wire.header) ? tokensOf(need) : 0;
    closeGate(gates[rule.gate], failure, { startedAtMs, leastTokens }, nowMs, dice);
    change ??= 'gated';
  }
  // A probe that was refused for its key or its request has told nothing about the model, and makes room for the next.
  if (rule.effect !== 'strike' && isProbing(health, attempt)) {
    dropProbe(breaker, !attempt.spoke && nowMs >= attempt.hedgeAtMs, nowMs, dice);
  }
  releaseTrials(health, attempt);
  return change;
};

/** What a request weighs at a gate that keeps out large ones. */
export const tokensOf = ([, tokens]: Need): number => tokens;

/**
 * Takes an attempt's time for a sample of what is usual. Only while the target is well: a brown-out must not teach that
 * being slow is usual. One that was late and gave way to another counts with the time it had: without it the tail would
 * be cut off where we stop waiting, and we would stop waiting sooner and sooner. A hedge teaches nothing: only the quick
 * ones win.
 */
const learn = ({ breaker, pace }: TargetHealth, attempt: Attempt, load: Load, nowMs: number): void => {
  const samples = samplesOf(pace, load);
  if (
    samples === undefined ||
    attempt.role === 'hedge' ||
    breaker.standing !== 'ready' ||
    !isUsual(breaker.window, nowMs)
  )
    return;
  addSample(samples, nowMs - attempt.startedAtMs, nowMs);
};

const afterTrouble = ({ breaker }: TargetHealth, nowMs: number, dice: Dice): HealthChange => {
  if (breaker.standing !== 'cooling') return 'suspected';
  noteCooled(breaker.domain, breaker, nowMs, dice);
  return 'cooled';
};

/** Whatever became of it, a trial that has ended holds no place any more. */
const releaseTrials = ({ gates }: TargetHealth, attempt: Attempt): void => {
  for (const name of GATE_NAMES) if (gates[name].trial === attempt) gates[name].trial = undefined;
};
