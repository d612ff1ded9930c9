import type { Attempt, AttemptRole } from '../attempt.ts';
import type { Dice } from '../dice.ts';
import { FAILURE_RULES, type Failure } from '../failure.ts';
import { beginProbe, clearStrikes, dropProbe, isDue, noteContent, noteSilence, strike } from './breaker.ts';
import { noteCooled } from './domain.ts';
import { closeGate, gateState, passGate } from './gate.ts';
import { GATE_NAMES, type TargetHealth } from './health.ts';
import { type Load, proofMsFor, samplesOf } from './pace.ts';
import { addSample } from './quantiles.ts';
import { isUsual } from './window.ts';

/** What an observation changed, for whoever wants to know. */
export type HealthChange = 'suspected' | 'cooled' | 'gated' | 'recovered' | undefined;

/** An attempt begins: a probe takes the one place there is. */
export const observeStart = (health: TargetHealth, role: AttemptRole, nowMs: number): void => {
  if (role !== 'probe') return;
  if (isDue(health.breaker, nowMs)) beginProbe(health.breaker);
  for (const name of GATE_NAMES) {
    const gate = health.gates[name];
    if (gateState(gate, nowMs) === 'due') gate.onTrial = true;
  }
};

/** An attempt has been silent for the soft time: evidence, until it speaks. */
export const observeSilence = (health: TargetHealth, attempt: Attempt, nowMs: number, dice: Dice): HealthChange => {
  const { breaker } = health;
  attempt.silent = true;
  if (attempt.epoch !== breaker.epoch || !noteSilence(breaker, nowMs, dice)) return undefined;
  return afterTrouble(health, nowMs, dice);
};

/** The first content of an attempt arrived, or the whole of a plain answer. */
export const observeContent = (
  health: TargetHealth,
  attempt: Attempt,
  load: Load,
  nowMs: number,
  dice: Dice,
): HealthChange => {
  const { breaker, pace, gates } = health;
  let recovered = false;
  for (const name of GATE_NAMES) recovered = passGate(gates[name], attempt.startedAtMs) || recovered;
  if (attempt.epoch !== breaker.epoch) return recovered ? 'recovered' : undefined;
  const tookMs = nowMs - attempt.startedAtMs;
  const before = breaker.standing;
  // Slower than all but one in twenty of a healthy target: not back yet.
  const tooSlow = before === 'probing' && tookMs > proofMsFor(pace, load, nowMs);
  if (noteContent(breaker, { wasSilent: attempt.silent, tooSlow }, nowMs, dice)) {
    if (breaker.standing === 'cooling') return afterTrouble(health, nowMs, dice);
    recovered = true;
  }
  if (before === 'ready') learn(health, attempt, load, nowMs);
  return recovered ? 'recovered' : undefined;
};

/** An attempt gives way to another that has answered. */
export const observeLoss = (health: TargetHealth, attempt: Attempt, load: Load, nowMs: number): void => {
  if (attempt.silent) learn(health, attempt, load, nowMs);
};

/** The whole answer arrived. Content alone does not clear strikes: a stream that always breaks off would stay ready. */
export const observeComplete = ({ breaker }: TargetHealth, attempt: Attempt): void => {
  // An answer that began before the last failure says nothing about what comes after it.
  if (breaker.standing === 'ready' && attempt.startedAtMs >= breaker.struckAtMs) clearStrikes(breaker);
};

/** The attempt failed, before its content or after. Only what the failure is charged to hears of it. */
export const observeFailure = (
  health: TargetHealth,
  attempt: Attempt,
  failure: Failure,
  nowMs: number,
  dice: Dice,
): HealthChange => {
  const { breaker, gates } = health;
  const rule = FAILURE_RULES[failure.kind];
  const current = attempt.epoch === breaker.epoch;
  let change: HealthChange;
  // A last resort that joined a probe and failed leaves it to the probe to tell.
  const tells = current && !(attempt.role === 'last-resort' && breaker.standing === 'probing');
  if (rule.effect === 'strike' && tells && strike(breaker, failure.kind, attempt.silent, nowMs, dice)) {
    change = afterTrouble(health, nowMs, dice);
  }
  // An overloaded model is gated only for a time that the vendor named; strikes see to the rest.
  if (rule.gate !== undefined && (rule.effect === 'gate' || failure.retryAfterMs !== undefined)) {
    closeGate(gates[rule.gate], failure, attempt.startedAtMs, nowMs, dice);
    change = 'gated';
  }
  // A probe that was refused for its key or its request has told nothing about the model, and makes room for the next.
  if (rule.effect !== 'strike' && current && attempt.role === 'probe' && breaker.standing === 'probing') {
    dropProbe(breaker, nowMs >= attempt.hedgeAtMs, nowMs, dice);
  }
  releaseTrials(health, attempt);
  return change;
};

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
  if (attempt.role !== 'probe') return;
  for (const name of GATE_NAMES) gates[name].onTrial = false;
};
