import type { ChatRequest } from '@switchyard/core';
import type { Dice } from '../dice.ts';
import { drawGamma, drawLogNormal, type LogNormal, meanOf } from './draw.ts';

/** When requests come. */
export interface Arrivals {
  /** Requests per second on average. */
  readonly perSecond: number;
  /**
   * Shape of the gaps' Gamma distribution: 1, the default, is a Poisson process; 0.25 comes in bursts, as traffic of
   * LLMs was measured to do (BurstGPT).
   */
  readonly shape?: number;
}

/** One kind of request, as a share of all. */
export interface RequestKind {
  /** Relative to the other shares. */
  readonly share: number;
  readonly inputTokens: number | LogNormal;
  /** Default: true. */
  readonly stream?: boolean;
  /** How long its caller waits, instead of the route's deadline. */
  readonly deadlineMs?: number;
  /** Its caller leaves after this time, whether there is an answer or not. */
  readonly leavesAfterMs?: number | LogNormal;
}

export const drawGapMs = ({ perSecond, shape = 1 }: Arrivals, dice: Dice): number =>
  drawGamma({ mean: 1_000 / perSecond, shape }, dice);

export const drawKind = (kinds: readonly RequestKind[], dice: Dice): RequestKind => {
  let left = dice() * kinds.reduce((sum, { share }) => sum + share, 0);
  for (const kind of kinds) {
    left -= kind.share;
    if (left < 0) return kind;
  }
  return kinds.at(-1) as RequestKind;
};

export const drawInputTokens = ({ inputTokens }: RequestKind, dice: Dice): number =>
  typeof inputTokens === 'number' ? inputTokens : Math.max(1, Math.round(drawLogNormal(inputTokens, dice)));

export const drawLeavesAfterMs = ({ leavesAfterMs }: RequestKind, dice: Dice): number | undefined =>
  typeof leavesAfterMs === 'object' ? drawLogNormal(leavesAfterMs, dice) : leavesAfterMs;

export const meanInputTokens = (kinds: readonly RequestKind[]): number => {
  let tokens = 0;
  let shares = 0;
  for (const { share, inputTokens } of kinds) {
    tokens += share * (typeof inputTokens === 'number' ? inputTokens : meanOf(inputTokens));
    shares += share;
  }
  return tokens / shares;
};

/** A request whose prompt is so long, give or take: sizes are rounded to steps of 20 %, and requests of a size shared. */
export const requestOf = (inputTokens: number): ChatRequest => {
  const step = Math.round(Math.log(inputTokens) / Math.log(1.2));
  let request = requests.get(step);
  if (request === undefined) {
    const text = 'word'.repeat(Math.round(1.2 ** step));
    request = { messages: [{ role: 'user', content: [{ type: 'text', text }] }] };
    requests.set(step, request);
  }
  return request;
};

const requests = new Map<number, ChatRequest>();
