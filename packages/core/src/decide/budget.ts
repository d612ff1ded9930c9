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
 * Tries of targets that should be left alone, when nothing else is left: an answer is worth more than a rule. One a second
 * for the pool, and fifteen at once: a total outage does not become a storm, and its end is found soon.
 */
export interface LastResorts {
  tokens: number;
  atMs: number;
}

const LAST_RESORTS = { most: 15, perMs: 1 / 1_000 } as const;

export const newLastResorts = (): LastResorts => ({ tokens: LAST_RESORTS.most, atMs: 0 });

const tokensAt = ({ tokens, atMs }: LastResorts, nowMs: number): number =>
  Math.min(LAST_RESORTS.most, tokens + (nowMs - atMs) * LAST_RESORTS.perMs);

export const mayTryLastResort = (lastResorts: LastResorts, nowMs: number): boolean => tokensAt(lastResorts, nowMs) >= 1;

export const takeLastResort = (lastResorts: LastResorts, nowMs: number): void => {
  lastResorts.tokens = tokensAt(lastResorts, nowMs) - 1;
  lastResorts.atMs = nowMs;
};
