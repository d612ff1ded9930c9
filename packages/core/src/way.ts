import type { CheckedRoute, CheckedTarget } from './config.ts';
import type { Attempt } from './decide/attempt.ts';
import { type Cost, costOf } from './decide/cost.ts';
import type { Course } from './decide/course.ts';
import type { Failure } from './decide/failure.ts';
import type { GiveUp } from './decide/plan.ts';
import { firstBackAtMs, isAbove, type Member, type Pool, whyNot } from './decide/pool.ts';
import type { Lack } from './decide/requirements.ts';
import { isSpent, leftAgainAtMs, spentReason } from './decide/spending.ts';
import { has } from './decide/strategy.ts';
import { type AttemptReport, RouterError, type SkippedTarget } from './errors.ts';
import type { Gap } from './provider.ts';
import { isCallersOwn, type Journal } from './run/journal.ts';
import { nameOf, type TargetName } from './snapshot.ts';
import { unfitFor, wrongRouteFor } from './space.ts';

/** The way of one request through a route: everything that belongs to it alone. */
export interface Way {
  readonly requestId: string;
  readonly route: CheckedRoute;
  readonly pool: Pool;
  readonly course: Course;
  /** By target. */
  readonly gaps: readonly (readonly Gap[])[];
  /** By target: what it lacks of what the request requires. */
  readonly lacks: readonly (Lack | undefined)[];
  readonly journal: Journal;
  /** The arm that its subject belongs to. */
  readonly assigned: string | undefined;
  readonly callerSignal: AbortSignal | undefined;
}

/** Who served a request, and what it took. */
export interface Served {
  readonly requestId: string;
  readonly route: string;
  readonly strategy: string;
  readonly target: TargetName;
  /**
   * The arm that the request's subject belongs to: the id of a target, or of a group. Another one has served where that one
   * could not. Absent where nobody said whose request it is, or the strategy assigns nobody.
   */
  readonly assigned?: string;
  /** Every attempt, oldest first. */
  readonly attempts: readonly AttemptReport[];
  readonly skipped: readonly SkippedTarget[];
  /** From the request's start to its first content. */
  readonly tookMs: number;
  /** In US dollars, where a target that was asked has a price. Of a stream it is known at its end: see `ChatStream.cost`. */
  readonly cost?: Cost;
}

export const servedBy = (way: Way, attempt: Attempt, nowMs: number): Served => {
  const { requestId, route, journal, course, assigned } = way;
  const cost = attempt.finished ? costOf(course.attempts, [attempt]) : undefined;
  return {
    requestId,
    route: route.name,
    strategy: route.strategy.name,
    target: nameOf(targetAt(way.route, attempt.target)),
    ...(assigned !== undefined && { assigned }),
    attempts: course.attempts.map((each) => journal.report(each)),
    skipped: skippedOf(way, nowMs),
    tookMs: (attempt.endedAtMs ?? attempt.startedAtMs) - course.startedAtMs,
    ...(cost !== undefined && { cost }),
  };
};

/** The targets that were not tried, and why; those that nobody had to try are left out. */
export const skippedOf = (
  { route, pool, course, gaps, lacks }: Pick<Way, 'route' | 'pool' | 'course' | 'gaps' | 'lacks'>,
  nowMs: number,
): readonly SkippedTarget[] =>
  route.targets.flatMap((target, i): SkippedTarget[] => {
    if (has(course.tried, i) || course.attempts.some((attempt) => attempt.target === i)) return [];
    if (!target.enabled) return [{ target: target.id, reason: 'disabled' }];
    if (!has(course.able, i)) {
      const reason = unfitFor(target, course.request) ?? inability(gaps[i], lacks[i]);
      return [{ target: target.id, reason }];
    }
    const lack = lacks[i];
    if (lack !== undefined && !has(course.released, i)) return [{ target: target.id, reason: lack.reason }];
    const member = pool.members[i] as Member;
    if (!isAbove(course.windowAbove, member)) return [{ target: target.id, reason: 'no larger context window' }];
    const { cap } = pool.spending;
    // A request that was begun while something was left is finished.
    if (cap !== undefined && isSpent(pool.spending, nowMs) && course.attempts.length === 0)
      return [{ target: target.id, reason: `route: ${spentReason(cap)}` }];
    const reason = whyNot(member, course.need, nowMs);
    return reason === undefined ? [] : [{ target: target.id, reason }];
  });

const inability = (gaps: readonly Gap[] | undefined, lack: Lack | undefined): string => {
  const inexpressible = missing(gaps);
  const reasons = lack === undefined || lack.isEstimate ? [] : [lack.reason];
  if (inexpressible.length > 0) reasons.push(`cannot express ${inexpressible.join(', ')}`);
  return reasons.join('; ');
};

/** Why nobody is asked for a request, if nobody is. */
export const refusal = (way: Way, nowMs: number): RouterError | undefined =>
  way.course.able === 0 ? incapable(way, nowMs) : spent(way, nowMs);

/** Why nobody may be asked, as its user has ordered: the route has spent its budget, or all who could take it have. */
const spent = (way: Way, nowMs: number): RouterError | undefined => {
  const { pool, course, route } = way;
  const { spending } = pool;
  const name = `route '${route.name}'`;
  if (spending.cap !== undefined && isSpent(spending, nowMs)) {
    const message = `The ${spentReason(spending.cap)}, of ${name}.`;
    const retryAfterMs = leftAgainAtMs(spending, nowMs) - nowMs;
    return new RouterError('budget-spent', message, { ...detailsOf(way, nowMs), retryAfterMs });
  }
  const able = pool.members.filter((_, i) => has(course.able, i));
  return able.every((member) => isSpent(member.spending, nowMs))
    ? new RouterError('budget-spent', `Every target of ${name} has spent its budget.`, detailsOf(way, nowMs))
    : undefined;
};

/** Nobody can put this request to their vendor. */
const incapable = (way: Way, nowMs: number): RouterError => {
  const wrongRoute = wrongRouteFor(way.route, way.course.request);
  if (wrongRoute !== undefined) return new RouterError('no-capable-target', wrongRoute, detailsOf(way, nowMs));
  const reasons = skippedOf(way, nowMs).map(({ target, reason }) => `${target}: ${reason}`);
  return new RouterError(
    'no-capable-target',
    `No target of route '${way.route.name}' can take this request: ${reasons.join('; ')}. Leave it out, add a target that takes it, or set unsupported: 'drop' on one that cannot express it.`,
    detailsOf(way, nowMs),
  );
};

/** The error that the caller gets. */
export const givenUp = (way: Way, because: GiveUp, nowMs: number): RouterError => {
  const name = `route '${way.route.name}'`;
  const { startedAtMs, deadlineAtMs } = way.course;
  switch (because.type) {
    case 'returned': {
      const { failure } = because;
      return new RouterError('request-refused', `${name}: ${failure.message}.`, detailsOf(way, nowMs, failure));
    }
    case 'aborted':
      return new RouterError('aborted', `${name}: the caller left.`, detailsOf(way, nowMs));
    case 'deadline':
      return new RouterError(
        'deadline-exceeded',
        `No target of ${name} answered within ${Math.round(deadlineAtMs - startedAtMs)} ms.`,
        detailsOf(way, nowMs),
      );
    case 'exhausted':
      return new RouterError('all-targets-failed', `No target of ${name} can answer now.`, detailsOf(way, nowMs));
  }
};

/** The error of an answer that had begun. */
export const brokenOff = (way: Way, target: number, failure: Failure, nowMs: number): RouterError =>
  failure.kind === 'aborted'
    ? givenUp(way, { type: 'aborted' }, nowMs)
    : new RouterError(
        'answer-broke-off',
        `${targetAt(way.route, target).id}: ${failure.message}.`,
        detailsOf(way, nowMs, failure),
      );

const detailsOf = (way: Way, nowMs: number, failure?: Failure): ConstructorParameters<typeof RouterError>[2] => {
  const backAtMs = firstBackAtMs(way.pool, nowMs);
  return {
    requestId: way.requestId,
    attempts: way.course.attempts.map((each) => way.journal.report(each)),
    skipped: skippedOf(way, nowMs),
    retryAfterMs: backAtMs === undefined ? undefined : Math.max(0, backAtMs - nowMs),
    failure: failure !== undefined && isCallersOwn(failure) ? failure : undefined,
  };
};

export const targetAt = ({ targets }: CheckedRoute, i: number): CheckedTarget => targets[i] as CheckedTarget;

/** What of a request a target's vendor cannot express, and must not be left out. */
export const missing = (gaps: readonly Gap[] = []): string[] =>
  gaps.flatMap(({ what, harmless }) => (harmless ? [] : [what]));
