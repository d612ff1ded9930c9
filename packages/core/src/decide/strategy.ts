import type { Dice } from './dice.ts';
import type { ChatRequest } from './request.ts';

/**
 * Puts candidates in order, one at a time; starts nothing. The order of a fallback is the same question asked again
 * with the tried ones left out, at the moment of the failure.
 */
export interface Strategy {
  readonly name: string;
  /** Called once for each pool, when the router is created. */
  forPool(pool: StrategyPool): Picker;
}

/** What a strategy knows of a pool from the start. */
export interface StrategyPool {
  /** One weight for each target, by index. */
  readonly weights: readonly number[];
  readonly dice: Dice;
}

/** Keeps what one pool's strategy remembers. */
export interface Picker {
  /** The index of a candidate, or -1 when there is none. */
  pick(context: PickContext): number;
  /** A picker that remembers the same, for a question that must change nothing. Absent: this one remembers nothing. */
  copy?(): Picker;
}

/** Only for the call: the pool's next pick fills the same object. */
export interface PickContext {
  /** A bit for each target that may be tried now: `1 << index`. */
  readonly candidates: number;
  readonly request: ChatRequest;
  readonly nowMs: number;
  readonly dice: Dice;
}

/** Targets in one pool: candidates are the bits of one number. */
export const MOST_TARGETS = 32;

/** The lowest index in a mask, or -1. */
export const firstOf = (mask: number): number => 31 - Math.clz32(mask & -mask);

export const has = (mask: number, index: number): boolean => (mask & (1 << index)) !== 0;
