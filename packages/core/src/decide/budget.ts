/**
 * Extra work that ordinary traffic has paid for: each request deposits a share of an attempt, each extra attempt takes
 * a whole one. So extra attempts stay a fixed share of traffic, whatever breaks, with a reserve for the first moments.
 */
export interface Budget {
  tokens: number;
  readonly perRequest: number;
  readonly most: number;
}

/** Second attempts beside one that is late: 5 % of requests, and ten at once. Source: Dean and Barroso, "The tail at scale", 2013. */
export const hedgeBudget = (): Budget => ({ tokens: 10, perRequest: 0.05, most: 10 });

export const deposit = (budget: Budget): void => {
  budget.tokens = Math.min(budget.most, budget.tokens + budget.perRequest);
};

export const mayTake = (budget: Budget): boolean => budget.tokens >= 1;

export const take = (budget: Budget): void => {
  budget.tokens -= 1;
};

/**
 * Tries of targets that should be left alone, when nothing else is left: an answer is worth more than a rule. Four in
 * five seconds and one for each forty requests of the pool, and fifteen at once: a total outage does not become a storm,
 * and its end is found soon.
 *
 * One that is answered pays for two: while half of them are, none is held back. Source of the two: "Handling overload" in
 * Beyer and others, Site Reliability Engineering, 2016, whose clients throttle themselves when less than half of their
 * requests are accepted.
 */
export interface LastResorts {
  /** Of time and traffic. */
  tokens: number;
  /** Of answers, beyond those. */
  earned: number;
  atMs: number;
}

const LAST_RESORTS = { most: 15, perMs: 0.8 / 1_000, perRequest: 1 / 40, perAnswer: 2, mostEarned: 500 } as const;

export const newLastResorts = (): LastResorts => ({ tokens: LAST_RESORTS.most, earned: 0, atMs: 0 });

/** What is left of the bucket. */
export const lastResortsLeft = (lastResorts: LastResorts, nowMs: number): number =>
  tokensLeft(lastResorts, nowMs) + lastResorts.earned;

const tokensLeft = ({ tokens, atMs }: LastResorts, nowMs: number): number =>
  Math.min(LAST_RESORTS.most, tokens + (nowMs - atMs) * LAST_RESORTS.perMs);

export const mayTryLastResort = (lastResorts: LastResorts, nowMs: number): boolean =>
  lastResortsLeft(lastResorts, nowMs) >= 1;

/** A request came. */
export const depositLastResort = (lastResorts: LastResorts): void => {
  lastResorts.tokens += LAST_RESORTS.perRequest;
};

/** A last resort was answered. */
export const earnLastResorts = (lastResorts: LastResorts): void => {
  lastResorts.earned = Math.min(LAST_RESORTS.mostEarned, lastResorts.earned + LAST_RESORTS.perAnswer);
};

export const takeLastResort = (lastResorts: LastResorts, nowMs: number): void => {
  const fromEarned = Math.min(1, lastResorts.earned);
  lastResorts.earned -= fromEarned;
  lastResorts.tokens = tokensLeft(lastResorts, nowMs) - (1 - fromEarned);
  lastResorts.atMs = nowMs;
};

/** The share of failures among a pool's last attempts, about fifty of them. */
export interface FailureRate {
  value: number;
}

const WEIGHT = 1 / 50;

export const newFailureRate = (): FailureRate => ({ value: 0 });

export const noteOutcome = (rate: FailureRate, failed: boolean): void => {
  rate.value += WEIGHT * ((failed ? 1 : 0) - rate.value);
};

/** Above it, extra attempts would be load for vendors that already fail under theirs. Source: gRPC's retry throttling. */
const TOO_MANY_FAILURES = 0.2;

export const isFailing = ({ value }: FailureRate): boolean => value > TOO_MANY_FAILURES;
