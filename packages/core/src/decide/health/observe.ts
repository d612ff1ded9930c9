import type { Attempt, AttemptRole } from '../attempt.ts';
import type { Dice } from '../dice.ts';
import { FAILURE_RULES, type Failure } from '../failure.ts';
import { beginProbe, clearStrikes, dropProbe, recover, spendLastResort, strike } from './breaker.ts';
import { closeGate, gateState, passGate } from './gate.ts';
import { GATE_NAMES, type TargetHealth } from './health.ts';

/** What an observation changed, for whoever wants to know. */
export type HealthChange = 'cooled' | 'gated' | 'recovered' | undefined;

/** An attempt begins: a probe or a last resort takes the one place there is. */
export const observeStart = (health: TargetHealth, role: AttemptRole, nowMs: number): void => {
  if (role === 'last-resort') spendLastResort(health.breaker, nowMs);
  if (role !== 'probe' && role !== 'last-resort') return;
  if (health.breaker.standing !== 'ready') beginProbe(health.breaker);
  for (const name of GATE_NAMES) {
    const gate = health.gates[name];
    if (gateState(gate, nowMs) === 'due') gate.onTrial = true;
  }
};

/** The first content of an attempt arrived. */
export const observeContent = (health: TargetHealth, attempt: Attempt, nowMs: number): HealthChange => {
  let recovered = false;
  for (const name of GATE_NAMES) recovered = passGate(health.gates[name], attempt.startedAtMs) || recovered;
  if (attempt.epoch === health.breaker.epoch) recovered = recover(health.breaker, nowMs) || recovered;
  return recovered ? 'recovered' : undefined;
};

/** The whole answer arrived. Content alone does not clear strikes: a stream that always breaks off would stay ready. */
export const observeComplete = (health: TargetHealth): void => {
  if (health.breaker.standing === 'ready') clearStrikes(health.breaker);
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
  if (rule.effect === 'strike' && current && strike(breaker, failure.kind, nowMs, dice)) change = 'cooled';
  // An overloaded model is gated only for a time that the vendor named; strikes see to the rest.
  if (rule.gate !== undefined && (rule.effect === 'gate' || failure.retryAfterMs !== undefined)) {
    closeGate(gates[rule.gate], failure, attempt.startedAtMs, nowMs, dice);
    change = 'gated';
  }
  // A probe that was refused for its key or its request has told nothing about the model, and makes room for the next.
  if (rule.effect !== 'strike' && current && breaker.standing === 'probing') dropProbe(breaker);
  releaseTrials(health, attempt);
  return change;
};

/** Whatever became of it, a trial that has ended holds no place any more. */
const releaseTrials = ({ gates }: TargetHealth, attempt: Attempt): void => {
  if (attempt.role !== 'probe' && attempt.role !== 'last-resort') return;
  for (const name of GATE_NAMES) gates[name].onTrial = false;
};
