import { Recent } from './recent.ts';
import { type Interval, lookAt, type Sample, sharesP } from './sequential.ts';

/** An arm as its user wrote it. */
export interface ArmTerms {
  readonly id: string;
  /** Above 0. */
  readonly weight: number;
}

/** What is known of an experiment. By arm, in the order of the pool. */
export interface Experiment {
  readonly arms: readonly Arm[];
  /** The arm that the others are compared with. */
  readonly control: number;
  /** The chance that all comparisons together may have of seeing what is not there. */
  readonly alpha: number;
  readonly subjects: Recent<number, Subject>;
  /** The first value of all: sums are of what lies above it, so that they do not drown small differences. */
  origin: number | undefined;
}

export interface Arm extends ArmTerms {
  /** Subjects that are assigned to it, and requests of theirs. */
  subjects: number;
  requests: number;
  /** Requests of the experiment that it has answered, and such that were assigned to it and answered by another. */
  served: number;
  servedElsewhere: number;
  failed: number;
  /** Values that the metric did not have a number for. */
  unmeasured: number;
  /** Over subjects with a value: their number, and of their means the sum and the sum of squares. */
  measured: number;
  sum: number;
  squares: number;
  /** Against the control. */
  readonly evidence: Evidence;
}

/** What all looks at one comparison together say. */
interface Evidence {
  /** The smallest of all looks. */
  p: number;
  /** What no look has refused. */
  low: number;
  high: number;
  estimate: number | undefined;
  /** No difference would fit all looks: it has changed in the meantime, and `low` and `high` are those of the last one. */
  hasMoved: boolean;
}

/** The mean of one subject's values, less the origin. */
interface Subject {
  values: number;
  mean: number;
}

/** Of 100 bytes each. Whoever is away while half as many others come counts as another subject when it is back. */
const MOST_SUBJECTS = 100_000;

export const newExperiment = (
  arms: readonly ArmTerms[],
  control: number,
  alpha: number,
  mostSubjects: number = MOST_SUBJECTS,
): Experiment => ({
  arms: arms.map(({ id, weight }) => ({
    id,
    weight,
    subjects: 0,
    requests: 0,
    served: 0,
    servedElsewhere: 0,
    failed: 0,
    unmeasured: 0,
    measured: 0,
    sum: 0,
    squares: 0,
    evidence: {
      p: 1,
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      estimate: undefined,
      hasMoved: false,
    },
  })),
  control,
  alpha,
  subjects: new Recent(mostSubjects),
  origin: undefined,
});

/** A subject, by its hash, has made a request and was assigned to an arm. */
export const noteRequest = ({ arms, subjects }: Experiment, key: number, index: number): void => {
  const arm = armAt(arms, index);
  arm.requests += 1;
  const known = subjects.get(key);
  if (known === undefined) arm.subjects += 1;
  subjects.set(key, known ?? { values: 0, mean: 0 });
};

/**
 * A value of a subject's request, counted for the arm that it was assigned to, whoever has answered: those who fall back
 * are not those who do not, and to compare them would compare something else. Source: "intention to treat".
 *
 * Requests of one subject resemble each other, so that they are no independent evidence: each subject counts once, with
 * the mean of its values.
 */
export const noteValue = (experiment: Experiment, key: number, index: number, value: number): void => {
  const { arms, subjects, control } = experiment;
  const arm = armAt(arms, index);
  experiment.origin ??= value;
  const shifted = value - experiment.origin;
  const subject = subjects.get(key) ?? { values: 0, mean: 0 };
  if (subject.values === 0) arm.measured += 1;
  else {
    arm.sum -= subject.mean;
    arm.squares -= subject.mean ** 2;
  }
  subject.values += 1;
  subject.mean += (shifted - subject.mean) / subject.values;
  arm.sum += subject.mean;
  arm.squares += subject.mean ** 2;
  subjects.set(key, subject);
  if (index !== control) compare(experiment, arm);
  else for (const [i, other] of arms.entries()) if (i !== control) compare(experiment, other);
};

/** Looks at the difference of an arm to the control, and keeps what holds after all looks. */
const compare = (experiment: Experiment, arm: Arm): void => {
  const { arms, control, alpha } = experiment;
  const { evidence } = arm;
  const comparisons = arms.length - 1;
  const look = lookAt(
    sampleOf(experiment, arm),
    sampleOf(experiment, armAt(arms, control)),
    // Each of several gets its part, so that one of them errs with a chance of alpha. Source: Bonferroni.
    alpha / comparisons,
  );
  if (look === undefined) return;
  const { difference } = look;
  evidence.p = Math.min(evidence.p, look.p * comparisons);
  evidence.estimate = difference.estimate;
  const low = Math.max(evidence.low, difference.low);
  const high = Math.min(evidence.high, difference.high);
  evidence.hasMoved ||= low > high;
  evidence.low = evidence.hasMoved ? difference.low : low;
  evidence.high = evidence.hasMoved ? difference.high : high;
};

/** Where the difference to the control is, by all looks; undefined before the first. */
export const differenceOf = ({ evidence }: Arm): Interval | undefined => {
  const { estimate, low, high } = evidence;
  // What earlier looks have refused stays refused.
  return estimate === undefined ? undefined : { estimate: Math.min(high, Math.max(low, estimate)), low, high };
};

/** The means of an arm's subjects. */
export const sampleOf = (
  { origin = 0 }: Pick<Experiment, 'origin'>,
  { measured, sum, squares }: Pick<Arm, 'measured' | 'sum' | 'squares'>,
): Sample => {
  const mean = measured === 0 ? 0 : sum / measured;
  const variance = measured < 2 ? 0 : Math.max(0, (squares - sum * mean) / (measured - 1));
  return { count: measured, mean: origin + mean, variance };
};

/**
 * How likely it is that subjects are split as they are, were each assigned by the weights. Assignment is by hash alone, so
 * that an outage does not shift it: what does is a mistake in the experiment.
 */
export const splitP = ({ arms }: Experiment): number =>
  sharesP(
    arms.map(({ subjects }) => subjects),
    arms.map(({ weight }) => weight),
  );

const armAt = (arms: readonly Arm[], index: number): Arm => arms[index] as Arm;
