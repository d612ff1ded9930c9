import type { CheckedRoute } from './config.ts';
import {
  type Arm,
  differenceOf,
  type Experiment,
  newExperiment,
  noteRequest,
  noteValue,
  sampleOf,
  splitP,
} from './decide/experiment.ts';
import type { Group } from './decide/groups.ts';
import { hashOf } from './decide/hash.ts';
import { Recent } from './decide/recent.ts';
import type { ChatResponse } from './decide/response.ts';
import { FEWEST, type Interval, intervalOf } from './decide/sequential.ts';
import type { Picker } from './decide/strategy.ts';
import { RouterError } from './errors.ts';
import type { RouterEvent } from './events.ts';

/** An A/B test on a weighted pool: which of its arms is better, by a number of each answer. */
export interface ExperimentConfig {
  /**
   * What arms are compared by:
   *
   * - `latency`: from the request's start to its first content, or to the whole of a plain answer; failed attempts before it
   *   included. In logarithms, so that the comparison is a ratio and the slowest answers do not drown the others.
   * - `cost`: US dollars for an answer, of targets with a `price` at vendors that tell their usage.
   * - `feedback`: the scores that users or evaluators give to answers, 0 to 1.
   * - A function: any number for a whole chat answer, such as its length or an evaluator's score. It runs after the answer
   *   was given, and what it throws, or gives that is no number, is not counted.
   *
   * Default: `latency`.
   */
  readonly metric?: ExperimentMetric | undefined;
  /** The chance that the experiment may have of seeing a difference where there is none, over all looks and arms. Default: 0.05. */
  readonly alpha?: number | undefined;
  /** The id of the arm that the others are compared with. Default: the first of the pool with a weight. */
  readonly control?: string | undefined;
}

export type ExperimentMetric = 'latency' | 'cost' | 'feedback' | ((answer: ChatResponse) => number | undefined);

/** What an experiment says now. Plain data, without subjects and without prompts. */
export interface ExperimentReadout {
  readonly route: string;
  readonly metric: 'latency' | 'cost' | 'feedback' | 'own';
  readonly alpha: number;
  /** The id of the arm that the others are compared with. */
  readonly control: string;
  /** Whether subjects are split as the weights say; where `p` is below 0.001 something is wrong with the experiment. */
  readonly split: { readonly p: number; readonly isTrusted: boolean };
  /** In the order of the pool. */
  readonly arms: readonly ArmReadout[];
  /** Of each other arm with the control. */
  readonly comparisons: readonly Comparison[];
  /** All of it in plain words. */
  readonly says: string;
}

export interface ArmReadout {
  /** Of a target, or of a group. */
  readonly id: string;
  readonly weight: number;
  /** Subjects that are assigned to it; of them, those with a value. */
  readonly subjects: number;
  readonly measuredSubjects: number;
  /** Requests that are assigned to it. */
  readonly assigned: number;
  /** Requests of the experiment that it answered, whoever they were assigned to. */
  readonly served: number;
  /** Requests that were assigned to it, and answered by another arm. */
  readonly servedElsewhere: number;
  /** Requests that were assigned to it, and that nobody answered. */
  readonly failed: number;
  /** Answers that the metric has no number for. */
  readonly unmeasured: number;
  /**
   * By subjects that are assigned to it: ms (a geometric mean), US dollars, scores, or the metric's own unit. Absent before
   * 30 subjects have a value. `low` and `high` hold at any look.
   */
  readonly mean?: Interval;
}

/** Everything in it holds at any time, however often it is looked at. */
export interface Comparison {
  readonly arm: string;
  readonly control: string;
  /** Of `latency`: the arm's time as a multiple of the control's. Absent before both have 30 subjects with a value. */
  readonly ratio?: Interval;
  /** Of all other metrics: the arm's mean less the control's, in the same unit. Absent as above. */
  readonly difference?: Interval;
  /** How likely looks as telling as the most telling one were, if there were no difference. */
  readonly p: number;
  /** Whether `p` is at alpha, or below. */
  readonly isDecided: boolean;
  readonly says: string;
}

/** Below it, a split is no chance any more. */
const SPLIT_ALPHA = 0.001;

/** Requests whose answer is still awaited, and such whose score is; of 200 bytes each. */
const MOST_AWAITED = { answers: 10_000, scores: 100_000 } as const;

/** Whose request it was. */
interface Entry {
  /** A hash: nothing here keeps the names of subjects. */
  readonly subject: number;
  readonly arm: number;
}

/** The experiment of one route: hears the router's events, and says what they come to. */
export class ExperimentBook {
  readonly #route: CheckedRoute;
  readonly #metric: ExperimentMetric;
  readonly #experiment: Experiment;
  /** By target. */
  readonly #armOf: readonly number[];
  readonly #requests: Recent<string, Entry>;

  /** @throws RouterError `invalid-config` where the pool cannot carry an experiment. */
  constructor(route: CheckedRoute, arms: Arms, { metric = 'latency', alpha = 0.05, control }: ExperimentConfig = {}) {
    const { ids } = arms;
    const index = control === undefined ? 0 : ids.indexOf(control);
    const path = `routes.${route.name}.experiment`;
    if (index < 0) throw invalid(`${path}.control: expected one of ${ids.join(', ')}, and got '${control}'`);
    this.#route = route;
    this.#metric = metric;
    this.#requests = new Recent(MOST_AWAITED[metric === 'feedback' ? 'scores' : 'answers']);
    this.#armOf = arms.ofTarget;
    const terms = ids.map((id, i) => ({ id, weight: arms.weights[i] ?? 0 }));
    this.#experiment = newExperiment(terms, index, alpha);
  }

  /** Whether answers have to be handed over whole. */
  get wantsAnswers(): boolean {
    return typeof this.#metric === 'function';
  }

  /** A request begins that belongs to a subject. */
  enter(requestId: string, subject: string, assigned: string): void {
    const arm = this.#experiment.arms.findIndex(({ id }) => id === assigned);
    const entry: Entry = { subject: hashOf(subject), arm };
    this.#requests.set(requestId, entry);
    noteRequest(this.#experiment, entry.subject, arm);
  }

  hear(event: RouterEvent): void {
    if (!('requestId' in event)) return;
    const entry = this.#requests.get(event.requestId);
    if (entry === undefined) return;
    const { arms } = this.#experiment;
    const arm = arms[entry.arm] as Arm;
    if (event.type === 'request-answered') {
      const servedBy = arms[this.#armOf[this.#indexOf(event.target)] ?? -1];
      if (servedBy !== undefined) servedBy.served += 1;
      if (servedBy !== arm) arm.servedElsewhere += 1;
      if (this.#metric === 'latency') this.#note(entry, Math.log(Math.max(event.tookMs, LEAST_MS)));
    } else if (event.type === 'request-completed') {
      if (this.#metric === 'cost') this.#note(entry, this.#usdOf(event));
    } else if (event.type === 'feedback-received') {
      // A later score of the same answer would count as one more request of its subject.
      if (this.#metric === 'feedback' && !event.replaced) this.#note(entry, event.score);
    } else if (event.type === 'request-failed') arm.failed += 1;
  }

  /** A whole answer is there. */
  answered(requestId: string, answer: ChatResponse): void {
    const entry = this.#requests.get(requestId);
    if (entry === undefined || typeof this.#metric !== 'function') return;
    let value: number | undefined;
    try {
      value = this.#metric(answer);
    } catch {
      // The function is the user's own; what it has not measured is counted as that.
    }
    this.#note(entry, value);
  }

  readOut(): ExperimentReadout {
    const { arms, control, alpha } = this.#experiment;
    const p = splitP(this.#experiment);
    const isTrusted = p >= SPLIT_ALPHA;
    const controlId = arms[control]?.id ?? '';
    const comparisons = arms.flatMap((arm, i) => (i === control ? [] : [this.#compare(arm)]));
    return {
      route: this.#route.name,
      metric: typeof this.#metric === 'function' ? 'own' : this.#metric,
      alpha,
      control: controlId,
      split: { p, isTrusted },
      arms: arms.map((arm) => this.#readOutOf(arm)),
      comparisons,
      says: isTrusted ? comparisons.map(({ says }) => says).join(' ') : sayMistrust(arms, p),
    };
  }

  #indexOf(target: string): number {
    return this.#route.targets.findIndex(({ id }) => id === target);
  }

  /** All that the request cost: what failed before it, and what ran beside it, is the price of its arm too. */
  #usdOf({ cost }: Extract<RouterEvent, { type: 'request-completed' }>): number | undefined {
    return cost?.usd === undefined ? undefined : cost.usd + cost.failedUsd + cost.hedgedUsd;
  }

  #note({ subject, arm }: Entry, value: number | undefined): void {
    if (typeof value === 'number' && Number.isFinite(value)) noteValue(this.#experiment, subject, arm, value);
    else (this.#experiment.arms[arm] as Arm).unmeasured += 1;
  }

  #readOutOf(arm: Arm): ArmReadout {
    const { id, weight, subjects, measured, requests, served, servedElsewhere, failed, unmeasured } = arm;
    const mean = intervalOf(sampleOf(this.#experiment, arm), this.#experiment.alpha);
    return {
      id,
      weight,
      subjects,
      measuredSubjects: measured,
      assigned: requests,
      served,
      servedElsewhere,
      failed,
      unmeasured,
      ...(mean !== undefined && { mean: this.#metric === 'latency' ? exp(mean) : mean }),
    };
  }

  #compare(arm: Arm): Comparison {
    const { arms, control, alpha } = this.#experiment;
    const against = arms[control] as Arm;
    const found = differenceOf(arm);
    const { p } = arm.evidence;
    const shown = found === undefined ? {} : this.#metric === 'latency' ? { ratio: exp(found) } : { difference: found };
    const isDecided = p <= alpha;
    return {
      arm: arm.id,
      control: against.id,
      ...shown,
      p,
      isDecided,
      says: this.#say(arm, against, found, isDecided),
    };
  }

  #say(arm: Arm, control: Arm, found: Interval | undefined, isDecided: boolean): string {
    if (found === undefined) return sayFew(arm, control);
    const { p, hasMoved } = arm.evidence;
    if (hasMoved)
      return `${this.#sayDifference(arm.id, control.id, found)} It has changed: earlier looks said something else.`;
    return isDecided
      ? `${this.#sayDifference(arm.id, control.id, found)} This may be read at any time: ${sayP(p)}.`
      : `Not enough to tell yet whether ${arm.id} differs from ${control.id}: ${sayP(p)}, after ${arm.measured} and ${control.measured} subjects.`;
  }

  #sayDifference(arm: string, control: string, found: Interval): string {
    const isMore = found.estimate > 0;
    const [near, far] = isMore ? [found.low, found.high] : [-found.high, -found.low];
    const size = Math.abs(found.estimate);
    if (this.#metric === 'latency') {
      // Quicker is so much less time, and slower so much more.
      const part = (log: number): number => (isMore ? Math.expm1(log) : -Math.expm1(-log));
      return `${arm} answers ${percent(part(size))} % ${isMore ? 'slower' : 'faster'} than ${control} (between ${percent(part(near))} and ${percent(part(far))} %).`;
    }
    const range = (unit: string): string => `(between ${unit}${digits(near)} and ${unit}${digits(far)})`;
    if (this.#metric === 'cost')
      return `An answer of ${arm} costs $${digits(size)} ${isMore ? 'more' : 'less'} than one of ${control} ${range('$')}.`;
    const what = this.#metric === 'feedback' ? 'scores' : 'measures';
    return `${arm} ${what} ${digits(size)} ${isMore ? 'higher' : 'lower'} than ${control} ${range('')}.`;
  }
}

/** The arms of a route, or undefined where its strategy assigns nobody. */
export interface Arms {
  readonly ids: readonly string[];
  readonly weights: readonly number[];
  /** By target: the arm that it is, or is in; -1 for one that stands by. */
  readonly ofTarget: readonly number[];
  /** The id of the arm that a subject belongs to. */
  assign(subject: string): string | undefined;
}

/**
 * Who may be assigned to whom: each entry of the route's own pool that is enabled and has a weight. Whether it is well, or
 * can take a request, has no say in it.
 */
export const armsOf = ({ root, targets }: CheckedRoute, picker: Picker): Arms | undefined => {
  const { assign } = picker;
  if (assign === undefined) return undefined;
  const isIn = (entry: number | Group, target: number): boolean =>
    typeof entry === 'number' ? entry === target : entry.entries.some((inner) => isIn(inner, target));
  const arms = root.entries.flatMap((entry, place) => {
    const { id, weight } = typeof entry === 'number' ? (targets[entry] as CheckedRoute['targets'][number]) : entry;
    const isEnabled = targets.some((target, i) => target.enabled && isIn(entry, i));
    return isEnabled && weight > 0 ? [{ id, weight, entry, place }] : [];
  });
  const places = arms.reduce((mask, { place }) => mask | (1 << place), 0);
  return {
    ids: arms.map(({ id }) => id),
    weights: arms.map(({ weight }) => weight),
    ofTarget: targets.map((_, i) => arms.findIndex(({ entry }) => isIn(entry, i))),
    assign(subject) {
      const place = assign.call(picker, subject, places);
      return arms.find((arm) => arm.place === place)?.id;
    },
  };
};

/**
 * The experiment of a route: where one is asked for, or where subjects are kept to their arms anyway.
 *
 * @throws RouterError `invalid-config` where one is asked for that cannot be.
 */
export const experimentOf = (route: CheckedRoute, arms: Arms | undefined): ExperimentBook | undefined => {
  const { name, experiment, stickyBy, strategy } = route;
  if (arms !== undefined && arms.ids.length > 1) {
    return experiment === undefined && stickyBy === undefined ? undefined : new ExperimentBook(route, arms, experiment);
  }
  if (experiment === undefined) return undefined;
  throw invalid(
    arms === undefined
      ? `routes.${name}.experiment: expected a strategy that assigns subjects to arms, such as weighted-round-robin, and got ${strategy.name}`
      : `routes.${name}.experiment: expected a pool of two arms at least that are enabled and have a weight`,
  );
};

const invalid = (problem: string): RouterError =>
  new RouterError('invalid-config', `The config of the router is wrong:\n  ${problem}`);

/** The logarithm of nothing is no number. */
const LEAST_MS = 0.01;

const exp = ({ estimate, low, high }: Interval): Interval => ({
  estimate: Math.exp(estimate),
  low: Math.exp(low),
  high: Math.exp(high),
});

const sayFew = (arm: Arm, control: Arm): string =>
  `Not enough to tell yet: ${arm.id} has ${arm.measured} subjects with a value, and ${control.id} ${control.measured}; it takes ${FEWEST} of each, and values that differ.`;

const sayMistrust = (arms: readonly Arm[], p: number): string => {
  const partsOf = (numbers: readonly number[]): string => {
    const sum = numbers.reduce((all, number) => all + number, 0);
    return numbers.map((number) => percent(number / sum)).join(':');
  };
  const found = partsOf(arms.map(({ subjects }) => subjects));
  const wanted = partsOf(arms.map(({ weight }) => weight));
  return `Do not trust this: subjects are split ${found} where ${wanted} was wanted (${sayP(p)}).`;
};

const sayP = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${digits(p)}`);

/** Two digits that say something. */
const digits = (value: number): string => String(Number(value.toPrecision(2)));

const percent = (part: number): string => String(Number((part * 100).toFixed(Math.abs(part) < 0.1 ? 1 : 0)));
