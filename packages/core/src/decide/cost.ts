import type { Attempt } from './attempt.ts';
import type { FailureKind } from './failure.ts';
import { type TargetPrice, tariffFor, usdOf, usdOfTokens } from './price.ts';

/** What one attempt cost, in US dollars. */
export interface AttemptCost {
  readonly usd: number;
  /** Its vendor did not tell what it used: from the size of the prompt, and from what was heard of the answer. */
  readonly estimated: boolean;
}

/** What one answer cost, in US dollars, and what was paid beside it. Attempts at targets without a price count as nothing. */
export interface Cost {
  /** Of the answer itself. Absent where its target has no price. */
  readonly usd?: number;
  /** Of attempts that failed: those that vendors are known or likely to bill. */
  readonly failedUsd: number;
  /** Of attempts that another one was faster than. */
  readonly hedgedUsd: number;
  /** Whether any of it is an estimate. */
  readonly estimated: boolean;
}

/**
 * Failures behind which a vendor had begun to work, or may have: it was stopped, or broke off. What it refused, or
 * answered with an error, no vendor bills.
 */
const MAY_BE_BILLED: ReadonlySet<FailureKind> = new Set(['aborted', 'timed-out', 'cut-short', 'stalled', 'broken']);

/** Four characters a token, as for prompts. */
const CHARACTERS_PER_TOKEN = 4;

/** What an attempt cost that has ended, of a prompt that is likely billed as so many tokens. */
export const costOfAttempt = (attempt: Attempt, price: TargetPrice, inputTokens: number): AttemptCost => {
  const { usage, outcome, finished, wire, contentAtMs, heardCharacters, reservedUsd = 0 } = attempt;
  // What a vendor tells before its end is what it has billed so far.
  const toldUsd = usage === undefined ? 0 : usdOf(price, usage);
  if (usage !== undefined && finished) return { usd: toldUsd, estimated: false };
  // A transport that nobody can watch stays idle: then it may have been.
  const wasSent = wire.state !== 'connecting' || contentAtMs !== undefined;
  if (outcome?.type === 'failed' && !(wasSent && MAY_BE_BILLED.has(outcome.failure.kind))) return FREE;
  // A plain answer that is there was not heard by the character: what was expected of it.
  if (finished && heardCharacters === 0) return { usd: reservedUsd, estimated: true };
  const outputTokens = Math.ceil(heardCharacters / CHARACTERS_PER_TOKEN);
  return {
    usd: Math.max(toldUsd, usdOfTokens(tariffFor(price, inputTokens), inputTokens, 0, 0, outputTokens)),
    estimated: true,
  };
};

const FREE: AttemptCost = { usd: 0, estimated: false };

/**
 * What a request cost; undefined where no target asked has a price. `parts`: the attempts whose words the caller has, several
 * where one has gone on with the answer of another, and none where nobody answered.
 */
export const costOf = (attempts: readonly Attempt[], parts: readonly Attempt[]): Cost | undefined => {
  let usd: number | undefined;
  let failedUsd = 0;
  let hedgedUsd = 0;
  let estimated = false;
  let priced = false;
  for (const attempt of attempts) {
    const { cost, reservedUsd, outcome } = attempt;
    if (reservedUsd === undefined) continue;
    priced = true;
    // One that still runs, to tell whether its target is back: what it is expected to cost.
    const spent = cost?.usd ?? reservedUsd;
    estimated ||= cost?.estimated ?? true;
    if (parts.includes(attempt)) usd = (usd ?? 0) + spent;
    else if (outcome?.type === 'failed' && outcome.failure.kind !== 'aborted') failedUsd += spent;
    else hedgedUsd += spent;
  }
  return priced ? { ...(usd !== undefined && { usd }), failedUsd, hedgedUsd, estimated } : undefined;
};
