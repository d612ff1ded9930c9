import { idealShares, strategyOf } from './ideal.ts';
import { greatest, least, mean } from './numbers.ts';
import { isServing, type Recorder, type RequestRecord } from './record.ts';
import type { Scenario } from './scenario.ts';
import { type Span, spanOf, wastedOf } from './span.ts';
import { measureTarget, type TargetMeasures } from './target-measures.ts';
import type { VirtualVendor } from './vendor.ts';

/** What one run showed. Times are in ms; a number is NaN, null in JSON, where there is nothing to measure. */
export interface Measures {
  readonly all: Span;
  /** Up to the first fault. */
  readonly before: Span;
  /** From the first fault to the end of the last. */
  readonly during: Span;
  readonly after: Span;
  /** From the first fault until a faulty target was asked for the last time in the ordinary way: not as a trial. */
  readonly lastOrdinaryMs: number;
  /** From the first fault until the router did anything about a faulty target: put it last, or left it alone. */
  readonly noticedMs: number;
  /** Attempts at a faulty target that served nobody. */
  readonly wastedOnFaulty: number;
  /** From the end of the last fault to the first answer. */
  readonly firstAnswerMs: number;
  /** From the end of the last fault until the faulty targets serve nine tenths of what they served before it. */
  readonly recoveredMs: number;
  /** Attempts per request in the worst minute. */
  readonly worstMinute: number;
  /** Attempts that began in the worst second, per request that did; in a second of few requests per request of the average one. */
  readonly worstSecond: number;
  readonly trials: Trials;
  readonly hedges: Hedges;
  /** Attempts that ended in a 429, per thousand requests. */
  readonly refusedPerThousand: number;
  /**
   * The part of the answers that came from another target than a strategy would have had them that knew who was up: half
   * of the sum of the differences. NaN where the strategy's choice does not follow from the pool alone, or limits are in its way.
   */
  readonly shareError: number;
  /** Times per minute that a target's share of the answers rose or fell by half, for the one that swung most. */
  readonly swingsPerMinute: number;
  /** Times per hour that a router left a target alone although nothing was wrong with it. */
  readonly falseTripsPerHour: number;
  /** The part of all tokens billed, prompts included, that was for answers nobody got whole: of losers, or broken off. */
  readonly lostTokens: number;
  readonly cost: CostMeasures;
  readonly targets: readonly TargetMeasures[];
}

/** US dollars; NaN where a vendor has no price. */
export interface CostMeasures {
  readonly perThousandRequestsUsd: number;
  /**
   * What was paid above what an oracle would have, as a part of that: each whole answer at the usual length of its vendor's,
   * so that luck is in neither, and what was for nobody as it was billed.
   */
  readonly aboveOracle: number;
}

/** Requests that carried a trial of a target that may be back. */
export interface Trials {
  readonly requests: number;
  readonly failures: number;
  /** The longest that one of them took to its first content. */
  readonly worstMs: number;
  /** How long nobody else was asked because of the trial: on average, and at worst. 0 where the trial served. */
  readonly delayMs: { readonly mean: number; readonly worst: number };
}

/** Attempts beside one that was late. */
export interface Hedges {
  readonly attempts: number;
  /** The part of them that served. */
  readonly won: number;
  /** As a part of 10 + 5 % of the requests, which is what a budget would allow; those that are free of it are counted too. */
  readonly ofBudget: number;
}

interface Run {
  readonly recorder: Recorder;
  readonly vendors: readonly VirtualVendor[];
  readonly scenario: Scenario;
  readonly inputTokens: number;
  /** What an oracle would have paid. Default: not known. */
  readonly oracleUsd?: number;
}

export const measure = (run: Run): Measures => {
  const { recorder, vendors, scenario } = run;
  const { faults = [], durationMs, instances = 1 } = scenario;
  const { requests } = recorder;
  const onsetMs = Math.min(durationMs, ...faults.map(({ fromMs }) => fromMs));
  const healMs = Math.min(durationMs, Math.max(onsetMs, ...faults.map(({ toMs }) => toMs)));
  const faulty = new Set(vendors.filter((vendor) => vendor.faults.length > 0).map(({ id }) => id));
  const inFault = (atMs: number): boolean => atMs >= onsetMs && atMs < healMs;
  const between = (fromMs: number, toMs: number): RequestRecord[] =>
    requests.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  const isOnFaulty = ({ target, atMs }: { readonly target: string; readonly atMs: number }): boolean =>
    faulty.has(target) && inFault(atMs);
  const ordinary = requests
    .flatMap(({ attempts }) => attempts)
    .filter((attempt) => isOnFaulty(attempt) && (attempt.role === 'first' || attempt.role === 'fallback'));
  const noticed = recorder.targetEvents.find((event) => event.type !== 'target-recovered' && isOnFaulty(event));
  const answersMs = requests
    .filter(({ outcome, atMs, tookMs }) => outcome === 'answered' && atMs + tookMs >= healMs)
    .map(({ atMs, tookMs }) => atMs + tookMs);
  const targets = vendors.map((vendor) => measureTarget(vendor, { recorder, durationMs, instances }));
  const falseTrips = targets.reduce((sum, target) => sum + target.falseTrips, 0);
  return {
    all: spanOf(requests, run),
    before: spanOf(between(0, onsetMs), run),
    during: spanOf(between(onsetMs, healMs), run),
    after: spanOf(between(healMs, durationMs), run),
    lastOrdinaryMs: greatest(ordinary.map(({ atMs }) => atMs - onsetMs)),
    noticedMs: (noticed?.atMs ?? Number.NaN) - onsetMs,
    wastedOnFaulty: wastedOf(requests, isOnFaulty),
    firstAnswerMs: least(answersMs) - healMs,
    recoveredMs: recoveredAtMs(between(0, onsetMs), between(healMs, durationMs), faulty) - healMs,
    worstMinute: worstMinute(requests, durationMs),
    worstSecond: worstSecond(requests, durationMs),
    trials: trialsOf(requests),
    hedges: hedgesOf(requests),
    refusedPerThousand:
      (1_000 * countAttempts(requests, ({ outcome }) => outcome === 'rate-limited')) / requests.length,
    shareError: shareError(requests, vendors, scenario),
    swingsPerMinute: swingsPerMinute(requests, vendors, durationMs),
    falseTripsPerHour: falseTrips / instances / (durationMs / 3_600_000),
    lostTokens: lostTokens(vendors),
    cost: costOf(run),
    targets,
  };
};

const countAttempts = (
  requests: readonly RequestRecord[],
  isCounted: (attempt: RequestRecord['attempts'][number]) => boolean,
): number => requests.reduce((count, { attempts }) => count + attempts.filter(isCounted).length, 0);

const trialsOf = (requests: readonly RequestRecord[]): Trials => {
  const carriers = requests.filter(({ attempts }) => attempts.some(({ role }) => role === 'probe'));
  const delaysMs = carriers.flatMap((request) => {
    if (request.attempts.some((attempt) => attempt.role === 'probe' && isServing(request, attempt))) return 0;
    const other = request.attempts.find(({ role }) => role !== 'probe');
    return other === undefined ? [] : other.atMs - request.atMs;
  });
  return {
    requests: carriers.length,
    failures: carriers.filter(({ servedBy, outcome }) => servedBy === undefined && outcome !== 'aborted').length,
    worstMs: greatest(carriers.map(({ tookMs }) => tookMs)),
    delayMs: { mean: mean(delaysMs), worst: greatest(delaysMs) },
  };
};

const hedgesOf = (requests: readonly RequestRecord[]): Hedges => {
  const attempts = countAttempts(requests, ({ role }) => role === 'hedge');
  const won = requests.filter((request) =>
    request.attempts.some((attempt) => attempt.role === 'hedge' && isServing(request, attempt)),
  );
  return { attempts, won: won.length / attempts, ofBudget: attempts / (10 + 0.05 * requests.length) };
};

const lostTokens = (vendors: readonly VirtualVendor[]): number => {
  const sum = (what: 'billed' | 'lost'): number => vendors.reduce((all, { books }) => all + books.tokens[what], 0);
  return sum('lost') / sum('billed');
};

const costOf = ({ recorder, vendors, oracleUsd = Number.NaN }: Run): CostMeasures => {
  const sum = (what: 'billed' | 'expected'): number => vendors.reduce((all, { books }) => all + books.usd[what], 0);
  return {
    perThousandRequestsUsd: (1_000 * sum('billed')) / recorder.requests.length,
    aboveOracle: sum('expected') / oracleUsd - 1,
  };
};

const shareError = (
  requests: readonly RequestRecord[],
  vendors: readonly VirtualVendor[],
  scenario: Scenario,
): number => {
  const strategy = strategyOf(scenario);
  const owed = vendors.map(() => 0);
  let answers = 0;
  for (const { servedBy, atMs } of requests) {
    if (servedBy === undefined) continue;
    const shares = idealShares(strategy, vendors, atMs);
    // Nobody can be owed what nobody could have served.
    if (shares === undefined) continue;
    answers += 1;
    vendors.forEach(({ id }, i) => {
      owed[i] = (owed[i] ?? 0) + (shares[i] ?? 0) - (id === servedBy ? 1 : 0);
    });
  }
  return owed.reduce((sum, difference) => sum + Math.abs(difference), 0) / 2 / answers;
};

/**
 * The first request from which on, for 5 s of traffic and at least 10 requests, the faulty targets serve nine tenths of
 * their former share.
 */
const recoveredAtMs = (
  before: readonly RequestRecord[],
  after: readonly RequestRecord[],
  faulty: ReadonlySet<string>,
): number => {
  const isBack = ({ servedBy }: RequestRecord): boolean => servedBy !== undefined && faulty.has(servedBy);
  const spanMs = (after.at(-1)?.atMs ?? 0) - (after[0]?.atMs ?? 0);
  const window = Math.max(10, Math.round((after.length * 5_000) / spanMs));
  const wanted = 0.9 * window * (before.filter(isBack).length / before.length);
  let back = 0;
  for (let end = 0; end < after.length; end++) {
    if (isBack(after[end] as RequestRecord)) back += 1;
    const start = end - window + 1;
    if (start < 0) continue;
    if (wanted > 0 && back >= wanted) return (after[start] as RequestRecord).atMs;
    if (isBack(after[start] as RequestRecord)) back -= 1;
  }
  return Number.NaN;
};

const SLICE_MS = 10_000;

const worstMinute = (requests: readonly RequestRecord[], durationMs: number): number => {
  const slices = Array.from({ length: Math.ceil(durationMs / SLICE_MS) }, () => ({ requests: 0, attempts: 0 }));
  for (const { atMs, attempts } of requests) {
    const slice = slices[Math.floor(atMs / SLICE_MS)];
    if (slice === undefined) continue;
    slice.requests += 1;
    slice.attempts += attempts.length;
  }
  const minutes = slices.map((_, i) => {
    const minute = slices.slice(i, i + 6);
    return (
      minute.reduce((sum, slice) => sum + slice.attempts, 0) / minute.reduce((sum, slice) => sum + slice.requests, 0)
    );
  });
  return greatest(minutes.filter((ratio) => !Number.isNaN(ratio)));
};

const worstSecond = (requests: readonly RequestRecord[], durationMs: number): number => {
  const seconds = Array.from({ length: Math.ceil(durationMs / 1_000) }, () => ({ requests: 0, attempts: 0 }));
  for (const { atMs, attempts } of requests) {
    const second = seconds[Math.floor(atMs / 1_000)];
    if (second !== undefined) second.requests += 1;
    for (const attempt of attempts) {
      const then = seconds[Math.floor(attempt.atMs / 1_000)];
      if (then !== undefined) then.attempts += 1;
    }
  }
  const usual = Math.max(1, requests.length / seconds.length);
  return greatest(seconds.map((second) => second.attempts / Math.max(second.requests, usual)));
};

/** Fewer answers than this are no share. */
const ENOUGH = 5;

/** A target is up while its share is above 60 % of the largest it ever had, and down below 40 %: noise is no swing. */
const swingsPerMinute = (
  requests: readonly RequestRecord[],
  vendors: readonly VirtualVendor[],
  durationMs: number,
): number => {
  const slices = Array.from({ length: Math.ceil(durationMs / SLICE_MS) }, () => new Map<string, number>());
  for (const { servedBy, atMs } of requests) {
    const slice = slices[Math.floor(atMs / SLICE_MS)];
    if (servedBy !== undefined) slice?.set(servedBy, (slice.get(servedBy) ?? 0) + 1);
  }
  const swings = vendors.map(({ id }) => {
    const shares = slices.flatMap((slice) => {
      const answers = [...slice.values()].reduce((sum, count) => sum + count, 0);
      return answers < ENOUGH ? [] : (slice.get(id) ?? 0) / answers;
    });
    const most = greatest(shares);
    if (!(most > 0.1)) return 0;
    let times = 0;
    let isUp: boolean | undefined;
    for (const share of shares) {
      const now = share > 0.6 * most ? true : share < 0.4 * most ? false : isUp;
      if (isUp !== undefined && now !== isUp) times += 1;
      isUp = now;
    }
    return times;
  });
  return greatest(swings) / (durationMs / 60_000);
};
