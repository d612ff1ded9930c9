import type { Dice } from '../dice.ts';
import { type Breaker, suspect } from './breaker.ts';

/** What fails together: the models of one vendor at one address. */
export interface Domain {
  readonly breakers: Breaker[];
  /** When its members were cooled last. */
  readonly cooledAtMs: Map<Breaker, number>;
}

/** Two of one vendor's models that fall within this time are no coincidence. */
const TOGETHER_MS = 10_000;

export const newDomain = (): Domain => ({ breakers: [], cooledAtMs: new Map() });

/** A member was cooled. When it was not the only one lately, the members that are still ready become suspect. */
export const noteCooled = (domain: Domain, cooled: Breaker, nowMs: number, dice: Dice): void => {
  domain.cooledAtMs.set(cooled, nowMs);
  let lately = 0;
  for (const atMs of domain.cooledAtMs.values()) if (nowMs - atMs <= TOGETHER_MS) lately += 1;
  if (lately < 2) return;
  for (const breaker of domain.breakers) {
    if (breaker.standing === 'ready') suspect(breaker, cooled.reason ?? 'server-error', nowMs, dice);
  }
};

/** Whether two or more of the vendor's models are in trouble now. */
export const isTroubled = ({ breakers }: Domain, nowMs: number): boolean => {
  let down = 0;
  for (const { standing, untilMs } of breakers) {
    if ((standing === 'cooling' || standing === 'suspect') && nowMs < untilMs) down += 1;
  }
  return down >= 2;
};
