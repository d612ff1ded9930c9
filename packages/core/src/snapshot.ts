import type { CheckedRoute, CheckedTarget } from './config.ts';
import { lastResortsLeft } from './decide/budget.ts';
import { type Group, groupsOf } from './decide/groups.ts';
import { shareLeft } from './decide/health/allowance.ts';
import { type BreakerReason, type Standing, shareOf, strikesOf } from './decide/health/breaker.ts';
import { conditionOf } from './decide/health/health.ts';
import { forgetOld, type LearnedWindow } from './decide/health/learned-window.ts';
import { type Load, type Patience, patienceFor, type Usual, usualFor } from './decide/health/pace.ts';
import type { Member, Pool } from './decide/pool.ts';
import type { TargetPrice } from './decide/price.ts';
import { isSpent, leftAgainAtMs, type Spending, type SpentReason, spentReason, spentUsd } from './decide/spending.ts';
import type { Picker, StrategyReport, StrategyTarget } from './decide/strategy.ts';

/** What the router knows of a route now, without secrets. */
export interface RouteSnapshot {
  readonly name: string;
  readonly strategy: string;
  /** What is left for extra attempts: beside one that is late, and at targets that should be left alone. */
  readonly budget: { readonly hedges: number; readonly lastResorts: number };
  /** Each before those in it. Absent where the pool has none. */
  readonly groups?: readonly GroupSnapshot[];
  readonly spending: SpendingSnapshot;
  readonly targets: readonly TargetSnapshot[];
}

export interface GroupSnapshot {
  readonly id: string;
  readonly strategy: string;
  readonly weight: number;
}

/** In US dollars. */
export interface SpendingSnapshot {
  /** Since the router was made. */
  readonly usd: number;
  /** What attempts under way are expected to cost. */
  readonly reservedUsd: number;
  /** What the budget has left, where there is one, less what is reserved; from 0. */
  readonly leftUsd?: number;
}

export interface TargetName {
  readonly id: string;
  readonly vendor: string;
  readonly model: string;
}

export interface TargetSnapshot extends TargetName {
  /** The ids of the groups that it is in, the outermost first. Absent where it is in none. */
  readonly group?: readonly string[];
  readonly enabled: boolean;
  readonly weight: number;
  readonly contextWindow?: number;
  /** Its own, or its vendor's list price. Absent: unknown. */
  readonly price?: TargetPrice;
  readonly spending: SpendingSnapshot;
  /** The vector space that it makes embeddings in. */
  readonly space?: string;
  /** What refusals have taught about it; for an hour, or until a larger prompt is answered. */
  readonly learnedWindow?: LearnedWindowSnapshot;
  readonly standing: Standing;
  /** Why it is left alone. */
  readonly reason?: BreakerReason | SpentReason;
  /** In how many ms it may be used again; 0 when it is due. */
  readonly dueInMs?: number;
  /** The share of its traffic that a ramping target gets, 0 to 1. */
  readonly share?: number;
  /** Failures in a row. */
  readonly strikes: number;
  /** Attempts under way, streams until their end. */
  readonly inFlight: number;
  /** As many as it takes at once, once it has refused some for their number. */
  readonly concurrencyLimit?: number;
  /** What is left of its scarcest rate limit, 0 to 1, where the vendor's headers tell. */
  readonly headroom?: number;
  /** How long short prompts take: to the first content of a stream, and to a whole plain answer. */
  readonly pace: { readonly stream: PaceSnapshot; readonly plain: PaceSnapshot };
  /** What the route's strategy believes of it, where it has a belief. */
  readonly strategy?: StrategyReport;
}

export interface LearnedWindowSnapshot {
  /** The window, as the vendor told it. */
  readonly tokens?: number;
  /** The smallest prompt that it refused. */
  readonly refusedEstimatedTokens?: number;
}

/** In ms. The usual times are absent before the first answer. */
export interface PaceSnapshot extends Partial<Usual> {
  /** Silent for so long, it is evidence against the target. */
  readonly lateAfterMs: number;
  /** Silent for so long, it is given up. */
  readonly givenUpAfterMs: number;
}

export const nameOf = ({ id, vendor, provider }: CheckedTarget): TargetName => ({ id, vendor, model: provider.model });

/** A target, as strategies know it. */
export const described = (target: CheckedTarget): StrategyTarget => {
  const { weight, price, contextWindow } = target;
  return { ...nameOf(target), weight, price, contextWindow };
};

/** What a strategy says of a target; one of the user's own may throw. */
export const believed = (picker: Picker, target: number, nowMs: number): { readonly strategy?: StrategyReport } => {
  try {
    const strategy = picker.report?.(target, nowMs);
    return strategy === undefined ? {} : { strategy };
  } catch {
    return {};
  }
};

export const snapshotOf = (
  { name, strategy, root, targets }: CheckedRoute,
  pool: Pool,
  nowMs: number,
): RouteSnapshot => ({
  name,
  strategy: strategy.name,
  budget: { hedges: pool.hedges.tokens, lastResorts: lastResortsLeft(pool.lastResorts, nowMs) },
  ...someOf('groups', groupsIn(root)),
  spending: spendingOf(pool.spending, nowMs),
  targets: targets.map((target, i) => ({
    ...snapshotOfTarget(target, pool.members[i] as Member, nowMs),
    ...someOf('group', groupsOf(root, i) ?? []),
    ...believed(pool.picker, i, nowMs),
  })),
});

const groupsIn = ({ entries }: Group): GroupSnapshot[] =>
  entries.flatMap((entry): GroupSnapshot[] =>
    typeof entry === 'number'
      ? []
      : [{ id: entry.id, strategy: entry.strategy.name, weight: entry.weight }, ...groupsIn(entry)],
  );

const someOf = <Name extends string, T>(name: Name, list: readonly T[]): { readonly [N in Name]?: readonly T[] } =>
  list.length === 0 ? {} : ({ [name]: list } as { readonly [N in Name]: readonly T[] });

const spendingOf = (spending: Spending, nowMs: number): SpendingSnapshot => {
  const { cap, usd, reservedUsd } = spending;
  return {
    usd,
    reservedUsd,
    ...(cap !== undefined && { leftUsd: Math.max(0, cap.usd - spentUsd(spending, cap, nowMs) - reservedUsd) }),
  };
};

/** A target without money is left alone like any other, until it has some again. */
const conditionOfMember = (
  { health, spending }: Member,
  nowMs: number,
): {
  readonly standing: Standing;
  readonly reason: TargetSnapshot['reason'] | undefined;
  readonly untilMs: number | undefined;
} =>
  spending.cap !== undefined && isSpent(spending, nowMs)
    ? { standing: 'cooling', reason: spentReason(spending.cap), untilMs: leftAgainAtMs(spending, nowMs) }
    : // As a small request meets it: a gate that keeps out large ones only is no trouble of the target's.
      conditionOf(health, nowMs, 0);

const snapshotOfTarget = (target: CheckedTarget, member: Member, nowMs: number): TargetSnapshot => {
  const { health, timeoutsMs, reasoning, spending } = member;
  const { breaker, concurrency, allowance, pace } = health;
  const { standing, reason, untilMs } = conditionOfMember(member, nowMs);
  const headroom = shareLeft(allowance, nowMs);
  const paceOf = (streaming: boolean, setMs: number | undefined): PaceSnapshot => {
    const load: Load = { size: 0, streaming, reasoning };
    const { softMs, hardMs }: Patience = patienceFor(pace, load, setMs, nowMs);
    return { ...usualFor(pace, load), lateAfterMs: softMs, givenUpAfterMs: hardMs };
  };
  return {
    ...nameOf(target),
    enabled: target.enabled,
    weight: target.weight,
    ...(target.contextWindow !== undefined && { contextWindow: target.contextWindow }),
    ...(target.price !== undefined && { price: target.price }),
    spending: spendingOf(spending, nowMs),
    ...(target.space !== undefined && { space: target.space }),
    ...learnedOf(health.window, nowMs),
    standing,
    ...(reason !== undefined && { reason }),
    ...(untilMs !== undefined && { dueInMs: Math.max(0, untilMs - nowMs) }),
    ...(standing === 'ramping' && { share: shareOf(breaker, nowMs) }),
    strikes: strikesOf(breaker),
    inFlight: concurrency.inFlight,
    ...(concurrency.limit !== Number.POSITIVE_INFINITY && { concurrencyLimit: concurrency.limit }),
    ...(headroom !== undefined && { headroom }),
    pace: { stream: paceOf(true, timeoutsMs.firstContent), plain: paceOf(false, timeoutsMs.answer) },
  };
};

const learnedOf = (window: LearnedWindow, nowMs: number): Pick<TargetSnapshot, 'learnedWindow'> => {
  forgetOld(window, nowMs);
  const { tokens, refusedEstimatedTokens } = window;
  if (tokens === undefined && refusedEstimatedTokens === Number.POSITIVE_INFINITY) return {};
  return {
    learnedWindow: {
      ...(tokens !== undefined && { tokens }),
      ...(refusedEstimatedTokens !== Number.POSITIVE_INFINITY && { refusedEstimatedTokens }),
    },
  };
};
