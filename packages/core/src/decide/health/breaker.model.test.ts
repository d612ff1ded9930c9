import fc, { type Arbitrary, type Command } from 'fast-check';
import { expect, test } from 'vitest';
import { type Attempt, newAttempt } from '../attempt.ts';
import type { FailureKind } from '../failure.ts';
import { type Breaker, type BreakerSettings, isDue, shareOf, strikesAllowed, strikesOf } from './breaker.ts';
import { GATE_NAMES, HealthBook, type TargetHealth } from './health.ts';
import {
  type Ask,
  observeComplete,
  observeContent,
  observeEnd,
  observeFailure,
  observeLateness,
  observeSilence,
  observeStart,
} from './observe.ts';
import { proofMsFor, samplesOf } from './pace.ts';
import { addSample } from './quantiles.ts';
import { isBad } from './window.ts';

// A second breaker, written from the page on failures and as simply as can be, lives through the same random story as the
// real one: attempts that begin, fall silent, speak, end well and fail in every way, in any order and at any time. After
// each step the two have to agree, and what holds of every step is checked beside it.

/** Models of one vendor, under one key. */
const TARGETS = 3;
const SETTINGS: BreakerSettings = { longestCoolingMs: 30_000, rampMs: 20_000 };
const ASK: Ask = { load: { size: 0, streaming: true, reasoning: false }, need: [1, 10, 5, 5] };
/** A probe that is dropped has been in vain when it was silent for so long. */
const IN_VAIN_AFTER_MS = 1_000;

// What the page says, once more.
const SUSPECT_AFTER_SILENCES = 3;
const SLOW_OF_TWENTY = 8;
const COOLING_MS = { first: 5_000, longest: 30_000, forgivenAfter: 300_000 } as const;
const MOST_STRIKES = 8;
const FEWER_ON_THE_RAMP = 1;
const HALF_LIFE_MS = 60_000;
const TOGETHER_MS = 10_000;
const RAMP_MS = 20_000;

/** Whose fault a failure is: the model's, the key's, or nobody's here. */
const STRIKES: readonly FailureKind[] = ['server-error', 'overloaded', 'unreachable', 'timed-out', 'stalled', 'broken'];
const REFUSALS: readonly FailureKind[] = ['rate-limited', 'quota-exhausted', 'unauthorized', 'not-found'];
const BLAMELESS: readonly FailureKind[] = ['cut-short', 'unsupported', 'too-long', 'rejected', 'filtered', 'aborted'];

interface Real {
  readonly targets: readonly TargetHealth[];
  readonly attempts: Attempt[];
}

const newReal = (): Real => {
  const book = new HealthBook(SETTINGS);
  const targets = Array.from({ length: TARGETS }, (_, i) =>
    book.of({ endpoint: 'e', credential: 'k', model: `m${i}`, quotaGroup: undefined }),
  );
  for (const health of targets) for (let i = 0; i < 40; i++) learn(health, 0);
  return { targets, attempts: [] };
};

/** It is known to answer within about a second and a half, so that there is a time in which a probe has to. */
const learn = ({ pace }: TargetHealth, nowMs: number): void => {
  const samples = samplesOf(pace, ASK.load);
  if (samples !== undefined) addSample(samples, 1_500, nowMs);
};

const begin = (health: TargetHealth, role: Attempt['role'], nowMs: number): Attempt => {
  const terms = {
    target: 0,
    role,
    connectByMs: nowMs + 2_000,
    silentAtMs: nowMs,
    lateAtMs: nowMs,
    expiresAtMs: nowMs + 30_000,
    cutShort: false,
    hedgeAtMs: nowMs + IN_VAIN_AFTER_MS,
  };
  const attempt = newAttempt(terms, { state: 'sent', header: () => undefined }, nowMs);
  observeStart(health, attempt, ASK);
  return attempt;
};

/** What its windows hold now. */
const heldBy = ({ window }: Breaker, nowMs: number): { attempts: number; failures: number; recent: number } => {
  // Asking rolls it.
  isBad(window, nowMs);
  const sum = (counts: Uint32Array): number => counts.reduce((total, count) => total + count, 0);
  const recent = window.recent.filter(({ atMs }) => nowMs - atMs <= 120_000).length;
  return { attempts: sum(window.attempts), failures: sum(window.failures), recent };
};

/** All of a breaker but what it shares with others, and its diary of ends, in which what blames nobody has a place too. */
const stateOf = ({ domain: _, streak: __, ...own }: Breaker): string => JSON.stringify(own);

const isClosed = ({ gates }: TargetHealth, nowMs: number): boolean =>
  GATE_NAMES.some((name) => gates[name].reason !== undefined && nowMs < gates[name].untilMs);

/** The gates that an attempt is trying. */
const triesOf = ({ gates }: TargetHealth, attempt: Attempt): string[] =>
  GATE_NAMES.filter((name) => gates[name].trial === attempt);

/** A gate's time has passed, and nobody tries it yet. */
const isGateDue = ({ gates }: TargetHealth, nowMs: number): boolean =>
  GATE_NAMES.some(
    (name) => gates[name].reason !== undefined && nowMs >= gates[name].untilMs && gates[name].trial === undefined,
  );

// The model.

interface Verdict {
  readonly atMs: number;
  verdict: 'good' | 'failed' | 'slow';
}

type End = 'pending' | 'failed' | 'answered' | 'nothing';

class ModelAttempt {
  readonly target: number;
  readonly role: Attempt['role'];
  readonly startedAtMs: number;
  readonly epoch: number;
  /** In the order of asking, at its target. */
  readonly place: number;
  state: 'waiting' | 'speaking' | 'over' = 'waiting';
  isSilent = false;
  isLate = false;
  spoke = false;
  counted: Verdict | undefined;
  /** Gates that it tries. */
  tries: readonly string[] = [];

  constructor(target: number, role: Attempt['role'], startedAtMs: number, epoch: number, place: number) {
    this.place = place;
    this.target = target;
    this.role = role;
    this.startedAtMs = startedAtMs;
    this.epoch = epoch;
  }
}

class ModelTarget {
  standing: 'ready' | 'suspect' | 'cooling' | 'probing' | 'ramping' = 'ready';
  epoch = 0;
  /** Every attempt's end, in the order of asking. */
  readonly ends: End[] = [];
  /** What it fell by broke off in the middle of an answer, so that only a whole one proves that this is over. */
  breaksOff = false;
  silences = 0;
  proofs = 0;
  misses = 0;
  /** The last cooling without its spread. */
  backOffMs = 0;
  /** Between these it is due: the dice are the real one's to throw. */
  dueMs: readonly [earliest: number, latest: number] = [0, 0];
  probedAtMs = Number.NEGATIVE_INFINITY;
  rampedAtMs = Number.NEGATIVE_INFINITY;
  cooledAtMs = Number.NEGATIVE_INFINITY;
  /** Every attempt and failure that was ever counted, and every verdict, since the last recovery. */
  tries: number[] = [];
  failures: number[] = [];
  verdicts: Verdict[] = [];
  rate = { attempts: 20, failures: 0.2, atMs: 0 };

  /** The row itself is judged by what was before it. */
  allowed(inARow: number): number {
    const rate = Math.min(0.5, Math.max(0.01, (this.rate.failures - inARow) / this.rate.attempts));
    let strikes = 3;
    while (strikes < MOST_STRIKES && rate ** strikes > 1e-5) strikes += 1;
    return strikes;
  }

  /** Failures in a row around a place: what says nothing of the model is passed over. */
  inARow(place: number): number {
    const telling = this.ends.map((end, i) => ({ end, i })).filter(({ end }) => end !== 'nothing');
    const before = telling.filter(({ i }) => i <= place).toReversed();
    const after = telling.filter(({ i }) => i > place);
    const row = [before, after].map((side) => {
      const stop = side.findIndex(({ end }) => end !== 'failed');
      return stop < 0 ? side.length : stop;
    });
    return Math.min(MOST_STRIKES, (row[0] ?? 0) + (row[1] ?? 0));
  }

  /** Up to now. */
  strikes(): number {
    return this.inARow(this.ends.findLastIndex((end) => end !== 'pending'));
  }

  isBad(nowMs: number): boolean {
    const bucket = (atMs: number): number => Math.floor(atMs / 3_000);
    const lately = (atMs: number): boolean => bucket(atMs) > bucket(nowMs) - 10;
    const last = this.verdicts.slice(-20).filter(({ atMs }) => nowMs - atMs <= 120_000);
    let tries = this.tries.filter(lately).length;
    let failures = this.failures.filter(lately).length;
    if (tries < 10) {
      tries = last.length;
      failures = last.filter(({ verdict }) => verdict === 'failed').length;
    }
    if (tries >= 10 && failures / tries >= 0.5) return true;
    if (tries >= 20 && failures / tries >= 0.3) return true;
    return last.filter(({ verdict }) => verdict === 'slow').length >= SLOW_OF_TWENTY;
  }

  count(verdict: Verdict['verdict'], nowMs: number): Verdict {
    this.tries.push(nowMs);
    if (verdict === 'failed') this.failures.push(nowMs);
    const keep = 0.5 ** ((nowMs - this.rate.atMs) / HALF_LIFE_MS);
    this.rate = {
      attempts: 20 + (this.rate.attempts - 20) * keep + 1,
      failures: 0.2 + (this.rate.failures - 0.2) * keep,
      atMs: nowMs,
    };
    const counted = { atMs: nowMs, verdict };
    this.verdicts.push(counted);
    return counted;
  }

  look(nowMs: number): void {
    if (this.standing === 'ramping' && nowMs - this.rampedAtMs >= RAMP_MS) this.standing = 'ready';
  }

  isDue(nowMs: number): boolean {
    return (this.standing === 'cooling' || this.standing === 'suspect') && nowMs >= this.dueMs[0];
  }

  suspect(nowMs: number): void {
    this.standing = 'suspect';
    this.dueMs = spread(COOLING_MS.first, nowMs);
  }
}

/** When a target is due that is left alone from now on: a fifth sooner or later, and never after the longest time. */
const spread = (ms: number, nowMs: number): readonly [earliest: number, latest: number] => [
  nowMs + 0.8 * ms,
  nowMs + Math.min(1.2 * ms, COOLING_MS.longest),
];

class Model {
  nowMs = 0;
  readonly targets: ModelTarget[] = Array.from({ length: TARGETS }, () => new ModelTarget());
  readonly attempts: ModelAttempt[] = [];

  targetOf({ target }: ModelAttempt): ModelTarget {
    return this.targets[target] as ModelTarget;
  }

  isCurrent(attempt: ModelAttempt): boolean {
    return attempt.epoch === this.targetOf(attempt).epoch;
  }

  cool(target: ModelTarget): void {
    const { nowMs } = this;
    const { first, longest, forgivenAfter } = COOLING_MS;
    if (target.standing === 'probing') target.backOffMs = Math.min(longest, Math.max(first, 2 * target.backOffMs));
    else if (target.standing !== 'ramping' && nowMs - target.rampedAtMs >= forgivenAfter) target.backOffMs = first;
    else target.backOffMs = Math.max(first, target.backOffMs);
    target.dueMs = spread(target.backOffMs, nowMs);
    target.standing = 'cooling';
    target.epoch += 1;
    target.proofs = target.misses = target.silences = 0;
    target.cooledAtMs = nowMs;
    if (this.targets.filter(({ cooledAtMs }) => nowMs - cooledAtMs <= TOGETHER_MS).length < 2) return;
    for (const other of this.targets) if (other.standing === 'ready') other.suspect(nowMs);
  }

  fallSilent(attempt: ModelAttempt): void {
    const target = this.targetOf(attempt);
    attempt.isSilent = true;
    if (!this.isCurrent(attempt) || (target.standing !== 'ready' && target.standing !== 'ramping')) return;
    target.silences += 1;
    if (target.silences >= SUSPECT_AFTER_SILENCES) target.suspect(this.nowMs);
  }

  beLate(attempt: ModelAttempt): void {
    const target = this.targetOf(attempt);
    attempt.isLate = true;
    if (!this.isCurrent(attempt) || target.standing === 'cooling' || target.standing === 'probing') return;
    attempt.counted = target.count('slow', this.nowMs);
    if (!target.isBad(this.nowMs)) return;
    target.breaksOff = false;
    this.cool(target);
  }

  speak(attempt: ModelAttempt, tooSlow: boolean): void {
    const target = this.targetOf(attempt);
    attempt.state = 'speaking';
    if (!this.isCurrent(attempt)) return;
    attempt.spoke = true;
    target.silences = 0;
    if (target.standing === 'cooling' || target.standing === 'probing') {
      if (!target.breaksOff) this.prove(target, tooSlow && target.standing === 'probing');
      return;
    }
    attempt.counted ??= target.count('good', this.nowMs);
    target.ends[attempt.place] = 'answered';
    if (target.standing === 'suspect') target.standing = this.nowMs - target.rampedAtMs < RAMP_MS ? 'ramping' : 'ready';
  }

  prove(target: ModelTarget, tooSlow: boolean): void {
    if (tooSlow) target.misses += 1;
    else target.proofs += 1;
    if (target.misses === 2) {
      this.cool(target);
      return;
    }
    target.epoch += 1;
    if (target.proofs < 2) {
      target.standing = 'cooling';
      target.dueMs = [this.nowMs, this.nowMs];
      return;
    }
    target.standing = 'ramping';
    target.rampedAtMs = this.nowMs;
    target.proofs = target.misses = 0;
    target.backOffMs /= 2;
    target.tries = [];
    target.failures = [];
    target.verdicts = [];
    target.ends.fill('nothing');
  }

  complete(attempt: ModelAttempt): void {
    const target = this.targetOf(attempt);
    attempt.state = 'over';
    if (!this.isCurrent(attempt)) return;
    const isProof = target.standing === 'cooling' || target.standing === 'probing';
    if (isProof && target.breaksOff) this.prove(target, false);
  }

  fail(attempt: ModelAttempt, kind: FailureKind): void {
    const target = this.targetOf(attempt);
    attempt.state = 'over';
    // Of an older epoch too: it makes no row longer.
    if (!STRIKES.includes(kind) && !attempt.spoke) target.ends[attempt.place] = 'nothing';
    if (!this.isCurrent(attempt)) return;
    if (STRIKES.includes(kind)) this.strike(target, attempt);
    else this.drop(attempt, !attempt.spoke && this.nowMs - attempt.startedAtMs >= IN_VAIN_AFTER_MS);
  }

  /** Nobody reads on. */
  stop(attempt: ModelAttempt): void {
    attempt.state = 'over';
    if (this.isCurrent(attempt)) this.drop(attempt, false);
  }

  drop(attempt: ModelAttempt, inVain: boolean): void {
    const target = this.targetOf(attempt);
    if (attempt.role !== 'probe' || target.standing !== 'probing') return;
    target.standing = 'cooling';
    target.epoch += 1;
    target.dueMs = inVain ? spread(COOLING_MS.first, this.nowMs) : [this.nowMs, this.nowMs];
  }

  strike(target: ModelTarget, attempt: ModelAttempt): void {
    if (target.standing === 'cooling') return;
    if (target.standing === 'probing' && attempt.role === 'last-resort') return;
    target.ends[attempt.place] = 'failed';
    target.breaksOff = attempt.spoke;
    if (target.standing !== 'probing') {
      if (attempt.counted === undefined) attempt.counted = target.count('failed', this.nowMs);
      else {
        attempt.counted.verdict = 'failed';
        target.failures.push(this.nowMs);
        if (this.nowMs - attempt.counted.atMs >= 30_000) target.tries.push(this.nowMs);
      }
      target.rate.failures += 1;
      const inARow = target.inARow(attempt.place);
      const allowed = target.allowed(inARow) - (target.standing === 'ramping' ? FEWER_ON_THE_RAMP : 0);
      if (inARow < allowed && !target.isBad(this.nowMs)) return;
      // What cooled it is no part of what it does while it works.
      target.rate.failures = Math.max(0, target.rate.failures - inARow);
    }
    this.cool(target);
  }
}

// What happens, to both.

/** One throw of the dice for a whole step: the spread is theirs, and nothing else. */
type Luck = number;

const agree = (model: Model, { targets, attempts }: Real, epochsBefore: readonly number[]): void => {
  const { nowMs } = model;
  model.targets.forEach((expected, i) => {
    const { breaker } = targets[i] as TargetHealth;
    const { standing, epoch } = breaker;
    expect(`${i}: ${standing}, epoch ${epoch}, ${strikesOf(breaker)} of ${strikesAllowed(breaker, 0)} strikes`).toBe(
      `${i}: ${expected.standing}, epoch ${expected.epoch}, ${expected.strikes()} of ${expected.allowed(0)} strikes`,
    );
    expect(epoch).toBeGreaterThanOrEqual(epochsBefore[i] ?? 0);
    if (expected.standing === 'cooling' || expected.standing === 'suspect') {
      const [earliest, latest] = expected.dueMs;
      expect(breaker.untilMs).toBeGreaterThanOrEqual(earliest - 1e-6);
      expect(breaker.untilMs).toBeLessThanOrEqual(latest + 1e-6);
      expect(breaker.untilMs - nowMs).toBeLessThanOrEqual(1.2 * COOLING_MS.longest);
      // From here on the model knows what was thrown.
      expected.dueMs = [breaker.untilMs, breaker.untilMs];
    }
    if (standing !== 'probing') return;
    const probes = model.attempts.filter(
      (each, n) => each.target === i && each.role === 'probe' && each.state !== 'over' && attempts[n]?.epoch === epoch,
    );
    expect(probes.length).toBeLessThanOrEqual(1);
  });
};

const epochsOf = ({ targets }: Real): number[] => targets.map(({ breaker }) => breaker.epoch);

type Happening = (model: Model, real: Real) => void;

class Step implements Command<Model, Real> {
  readonly #says: string;
  readonly #may: (model: Readonly<Model>) => boolean;
  readonly #happens: Happening;

  constructor(says: string, happens: Happening, may: (model: Readonly<Model>) => boolean = () => true) {
    this.#says = says;
    this.#may = may;
    this.#happens = happens;
  }

  check(model: Readonly<Model>): boolean {
    return this.#may(model);
  }

  run(model: Model, real: Real): void {
    const epochs = epochsOf(real);
    this.#happens(model, real);
    agree(model, real, epochs);
  }

  toString(): string {
    return this.#says;
  }
}

/** A request comes, and goes to this target if it may, in the role that its standing leaves. */
const ask = (model: Model, real: Real, i: number): ModelAttempt | undefined => {
  const health = real.targets[i] as TargetHealth;
  const target = model.targets[i] as ModelTarget;
  const { nowMs } = model;
  if (isClosed(health, nowMs)) return undefined;
  learn(health, nowMs);
  // The router looks before it picks.
  target.look(nowMs);
  shareOf(health.breaker, nowMs);
  const due = target.isDue(nowMs);
  expect(isDue(health.breaker, nowMs)).toBe(due);
  const role = roleOf(target, due || isGateDue(health, nowMs), nowMs);
  const attempt = begin(health, role, nowMs);
  if (due) {
    target.standing = 'probing';
    target.probedAtMs = nowMs;
    target.epoch += 1;
  }
  const own = new ModelAttempt(i, role, nowMs, target.epoch, target.ends.push('pending') - 1);
  own.tries = triesOf(health, attempt).map((gate) => (gate === 'key' ? gate : `${gate} of ${i}`));
  real.attempts.push(attempt);
  model.attempts.push(own);
  expect(attempt.epoch).toBe(target.epoch);
  for (const gate of own.tries) {
    const trials = model.attempts.filter(({ state, tries }) => state === 'waiting' && tries.includes(gate));
    expect(trials).toHaveLength(1);
  }
  return own;
};

const roleOf = (target: ModelTarget, isDue: boolean, nowMs: number): Attempt['role'] => {
  // A probe that has been silent for long is no company to seek: who comes then is a last resort.
  if (target.standing === 'probing') return nowMs - target.probedAtMs < 2_000 ? 'first' : 'last-resort';
  if (target.standing === 'cooling' && !target.isDue(nowMs)) return 'last-resort';
  return isDue ? 'probe' : 'first';
};

/** Two attempts of three are the newest ones, so that stories go on; any other comes late. */
const anAttempt: Arbitrary<number> = fc.oneof(
  { weight: 2, arbitrary: fc.nat(2) },
  { weight: 1, arbitrary: fc.nat(40) },
);

/** The nth attempt from the newest that is in one of these states. */
const find = (model: Readonly<Model>, n: number, states: readonly ModelAttempt['state'][]): number => {
  const open = model.attempts.flatMap(({ state }, i) => (states.includes(state) ? [i] : []));
  return open.length === 0 ? -1 : (open[open.length - 1 - (n % open.length)] as number);
};

/** Something befalls one attempt, in both. Results of an older epoch leave the breaker as it is, and so does what blames nobody. */
const befalls = (
  model: Model,
  real: Real,
  attempt: ModelAttempt,
  happens: (real: Attempt, health: TargetHealth) => 'blameless' | undefined,
): void => {
  const health = real.targets[attempt.target] as TargetHealth;
  const isOld = !model.isCurrent(attempt);
  const before = stateOf(health.breaker);
  const blame = happens(real.attempts[model.attempts.indexOf(attempt)] as Attempt, health);
  // A probe that told nothing makes room for the next.
  if (isOld || (blame === 'blameless' && attempt.role !== 'probe')) {
    expect(stateOf(health.breaker)).toBe(before);
  }
};

const fallSilent = (model: Model, real: Real, attempt: ModelAttempt, luck: Luck): void => {
  if (attempt.isSilent) return;
  befalls(model, real, attempt, (own, health) => {
    model.fallSilent(attempt);
    observeSilence(health, own, model.nowMs, () => luck);
    return undefined;
  });
};

const beLate = (model: Model, real: Real, attempt: ModelAttempt, luck: Luck): void => {
  if (attempt.isLate) return;
  befalls(model, real, attempt, (own, health) => {
    model.beLate(attempt);
    observeLateness(health, own, model.nowMs, () => luck);
    return undefined;
  });
};

const speak = (model: Model, real: Real, attempt: ModelAttempt, luck: Luck): void =>
  befalls(model, real, attempt, (own, health) => {
    const tooSlow = model.nowMs - attempt.startedAtMs > proofMsFor(health.pace, ASK.load, model.nowMs);
    model.speak(attempt, tooSlow);
    observeContent(health, own, ASK, model.nowMs, () => luck);
    return undefined;
  });

const complete = (model: Model, real: Real, attempt: ModelAttempt, luck: Luck): void =>
  befalls(model, real, attempt, (own, health) => {
    model.complete(attempt);
    observeComplete(health, own, model.nowMs, () => luck);
    observeEnd(health, own, model.nowMs, () => luck);
    return undefined;
  });

const stop = (model: Model, real: Real, attempt: ModelAttempt, luck: Luck): void =>
  befalls(model, real, attempt, (own, health) => {
    model.stop(attempt);
    observeEnd(health, own, model.nowMs, () => luck);
    return 'blameless';
  });

const fail = (
  model: Model,
  real: Real,
  attempt: ModelAttempt,
  kind: FailureKind,
  asksMs: number | undefined,
  luck: Luck,
): void =>
  befalls(model, real, attempt, (own, health) => {
    const { key, access, limit } = health.gates;
    const shut = (): string => JSON.stringify([key, access, limit].map(({ reason, untilMs }) => [reason, untilMs]));
    const before = shut();
    model.fail(attempt, kind);
    const failure = { kind, message: kind, ...(asksMs !== undefined && { retryAfterMs: asksMs }) };
    observeFailure(health, own, failure, ASK, model.nowMs, () => luck);
    observeEnd(health, own, model.nowMs, () => luck);
    // A model that fails, or a request that is at fault, is no reason to close a key.
    if (!REFUSALS.includes(kind)) expect(shut()).toBe(before);
    // A gate that closes anew forgets who tried it.
    else for (const each of model.attempts) each.tries = [];
    return STRIKES.includes(kind) ? undefined : 'blameless';
  });

const onAttempt = (
  says: string,
  n: number,
  states: readonly ModelAttempt['state'][],
  happens: (model: Model, real: Real, attempt: ModelAttempt) => void,
): Step =>
  new Step(
    `${says} (${n} from the newest)`,
    (model, real) => happens(model, real, model.attempts[find(model, n, states)] as ModelAttempt),
    (model) => find(model, n, states) >= 0,
  );

const passes = (ms: number): Step =>
  new Step(`${ms} ms pass`, (model) => {
    model.nowMs += ms;
  });

/** What one of a row of calls comes to. */
type Fate = 'answered' | 'begun' | 'failed' | 'silent' | 'late' | 'broke off';

/** Calls one after the other, so that shares and rates come about that chance alone would not bring. */
const rowOf = (i: number, fates: readonly Fate[], everyMs: number, luck: Luck): Step =>
  new Step(`${i} is asked every ${everyMs} ms: ${fates.join(', ')} (${luck})`, (model, real) => {
    for (const fate of fates) {
      const epochs = epochsOf(real);
      model.nowMs += everyMs;
      const attempt = ask(model, real, i);
      if (attempt === undefined) return;
      if (fate === 'silent' || fate === 'late') fallSilent(model, real, attempt, luck);
      if (fate === 'late') beLate(model, real, attempt, luck);
      if (fate !== 'failed' && fate !== 'silent') speak(model, real, attempt, luck);
      if (fate === 'answered' || fate === 'late') complete(model, real, attempt, luck);
      if (fate === 'failed' || fate === 'broke off') fail(model, real, attempt, 'server-error', undefined, luck);
      agree(model, real, epochs);
    }
  });

/** What it says to a probe: it fails, answers in so many ms, or begins an answer that nobody reads to its end. */
type Reply = 'failed' | 'unread' | number;

/** While it is left alone it is asked again and again: when it is due, or before that, as a last resort. */
const isTried = (i: number, replies: readonly Reply[], early: boolean, luck: Luck): Step =>
  new Step(
    `${i} is tried${early ? ' early' : ''}: ${replies.join(', ')} (${luck})`,
    (model, real) => {
      const target = model.targets[i] as ModelTarget;
      for (const reply of replies) {
        if (target.standing !== 'cooling') return;
        const epochs = epochsOf(real);
        if (!early) model.nowMs = Math.max(model.nowMs, target.dueMs[1]);
        const attempt = ask(model, real, i);
        if (attempt === undefined) return;
        if (reply === 'failed') fail(model, real, attempt, 'server-error', undefined, luck);
        else {
          model.nowMs += reply === 'unread' ? 100 : reply;
          speak(model, real, attempt, luck);
          agree(model, real, epochs);
          if (reply === 'unread') stop(model, real, attempt, luck);
          else complete(model, real, attempt, luck);
        }
        agree(model, real, epochs);
      }
    },
    (model) => model.targets[i]?.standing === 'cooling',
  );

const idlesAndFails = (i: number): Step =>
  new Step(`an hour later, a failure of ${i}`, (model, real) => {
    model.nowMs += 3_600_000;
    const attempt = ask(model, real, i);
    if (attempt === undefined || model.targets[i]?.standing !== 'ready') return;
    fail(model, real, attempt, 'server-error', undefined, 0.5);
    const { breaker } = real.targets[i] as TargetHealth;
    expect(heldBy(breaker, model.nowMs)).toEqual({ attempts: 1, failures: 1, recent: 1 });
  });

const luck: Arbitrary<Luck> = fc.oneof(
  fc.constantFrom(0, 0.5, 0.999_999),
  fc.double({ min: 0, max: 0.999, noNaN: true }),
);
const someTime = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 900 }) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 7_000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 900_000 }) },
);
const aTarget: Arbitrary<number> = fc.nat(TARGETS - 1);

const begins: Arbitrary<Step> = aTarget.map(
  (i) => new Step(`${i} is asked`, (model, real) => void ask(model, real, i)),
);
const fates = fc.oneof(
  fc.array(fc.constantFrom<Fate>('answered', 'failed', 'silent', 'late', 'broke off'), { minLength: 1, maxLength: 40 }),
  // Around the shares at which a window is bad.
  fc.array(fc.constantFrom<Fate>('answered', 'failed'), { minLength: 10, maxLength: 40 }),
  fc.array(fc.constantFrom<Fate>('answered', 'answered', 'failed'), { minLength: 20, maxLength: 60 }),
  fc.array(fc.constantFrom<Fate>('answered', 'late'), { minLength: 10, maxLength: 40 }),
  // Streams that break off, and such that go on meanwhile.
  fc.array(fc.constantFrom<Fate>('broke off', 'broke off', 'broke off', 'begun'), { minLength: 4, maxLength: 10 }),
  // Three in a row, and a word.
  fc.constant<Fate[]>(['silent', 'silent', 'silent', 'answered', 'failed']),
);
const replies = fc.array(fc.constantFrom<Reply>('failed', 'unread', 100, 100, 1_000, 3_000), {
  minLength: 1,
  maxLength: 4,
});
/** Left alone for longer and longer, and back again. */
const THERE_AND_BACK: readonly Reply[] = ['failed', 'failed', 'failed', 100, 100];
const pauses = fc.oneof(fc.nat(2_000), fc.nat(9_000));

const anyOf = (
  says: string,
  states: readonly ModelAttempt['state'][],
  happens: (model: Model, real: Real, attempt: ModelAttempt, luck: Luck) => void,
): Arbitrary<Step> =>
  fc
    .tuple(anAttempt, luck)
    .map(([n, luck]) => onAttempt(says, n, states, (model, real, attempt) => happens(model, real, attempt, luck)));

const ends = (kind: FailureKind, asksMs: number | undefined): Arbitrary<Step> =>
  anyOf(
    asksMs === undefined ? kind : `${kind}, asks for ${asksMs} ms`,
    ['waiting', 'speaking'],
    (model, real, attempt, luck) => fail(model, real, attempt, kind, asksMs, luck),
  );

/** Short, or most of a story would be spent before closed gates. */
const askedMs = fc.integer({ min: 0, max: 6_000 });

const story = fc.commands(
  [
    begins,
    begins,
    someTime.map(passes),
    fc.oneof({ weight: 5, arbitrary: someTime.map(passes) }, { weight: 1, arbitrary: aTarget.map(idlesAndFails) }),
    anyOf('silent', ['waiting'], fallSilent),
    anyOf('late', ['waiting'], beLate),
    anyOf('content', ['waiting'], speak),
    anyOf('whole', ['speaking'], complete),
    anyOf('not read on', ['speaking'], stop),
    ends('server-error', undefined),
    fc
      .tuple(fc.constantFrom(...STRIKES, ...BLAMELESS), fc.option(askedMs, { nil: undefined, freq: 2 }))
      .chain((args) => ends(...args)),
    fc.tuple(fc.constantFrom(...REFUSALS), askedMs).chain((args) => ends(...args)),
    fc.tuple(aTarget, fates, pauses, luck).map((args) => rowOf(...args)),
    fc.tuple(aTarget, replies, fc.boolean(), luck).map((args) => isTried(...args)),
    fc.tuple(aTarget, luck).map(([i, luck]) => isTried(i, THERE_AND_BACK, false, luck)),
  ],
  { maxCommands: 100, size: 'max' },
);

// When it fails, the story is made short: that takes longer than one that holds.
test('whatever happens in whatever order, the breaker does what its page says', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(story, (steps) => {
      fc.modelRun(() => ({ model: new Model(), real: newReal() }), steps);
    }),
    { numRuns: 300 },
  );
});
