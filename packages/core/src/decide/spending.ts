/** The most that a target, or a route, may spend in any span of time of a length. */
export interface SpendingCap {
  readonly usd: number;
  readonly perMs: number;
  /** The length as its user wrote it. */
  readonly per: string;
}

/**
 * What a target, or a route, has spent, and what is set aside for its attempts under way: parallel requests would
 * otherwise all find the same dollar left.
 *
 * The span rolls: money comes back as the time passes in which it was spent, a sixtieth of the span at a time. A calendar
 * would let twice as much go around midnight, and somebody would have to say whose midnight.
 */
export interface Spending {
  readonly cap: SpendingCap | undefined;
  /** Since the router was made. */
  usd: number;
  reservedUsd: number;
  /** By slice of the span, the current one at `slice`; so much more than a span that none leaves it early. */
  readonly slices: Float64Array;
  slice: number;
}

const SLICES = 60;
const KEPT = SLICES + 1;

export const newSpending = (cap: SpendingCap | undefined): Spending => ({
  cap,
  usd: 0,
  reservedUsd: 0,
  slices: new Float64Array(cap === undefined ? 0 : KEPT),
  slice: 0,
});

/** An attempt begins that is expected to cost so much. */
export const reserve = (spending: Spending, usd: number): void => {
  spending.reservedUsd += usd;
};

/** An attempt for which so much was set aside has ended, and has cost so much. */
export const settle = (spending: Spending, reservedUsd: number, usd: number, nowMs: number): void => {
  spending.reservedUsd = Math.max(0, spending.reservedUsd - reservedUsd);
  spending.usd += usd;
  if (spending.cap === undefined) return;
  const at = turnTo(spending, spending.cap, nowMs);
  spending.slices[at] = (spending.slices[at] ?? 0) + usd;
};

/** Whether nothing is left. The request that spends the last cent is finished; the next one is not begun. */
export const isSpent = (spending: Spending, nowMs: number): boolean => {
  const { cap, reservedUsd } = spending;
  return cap !== undefined && spentUsd(spending, cap, nowMs) + reservedUsd >= cap.usd;
};

/** What was spent in the span that ends now, without what is set aside. */
export const spentUsd = (spending: Spending, cap: SpendingCap, nowMs: number): number => {
  turnTo(spending, cap, nowMs);
  let usd = 0;
  for (let i = 0; i < KEPT; i++) usd += spending.slices[i] ?? 0;
  return usd;
};

/** When something is left again, should nothing more be spent; now where something is. */
export const leftAgainAtMs = (spending: Spending, nowMs: number): number => {
  const { cap, slices } = spending;
  if (cap === undefined) return nowMs;
  let usd = spentUsd(spending, cap, nowMs);
  // What is only set aside may be less in the end: a moment from now is soon enough to look again.
  if (usd < cap.usd) return isSpent(spending, nowMs) ? nowMs + 1_000 : nowMs;
  for (let age = KEPT - 1; age >= 0; age--) {
    usd -= slices[(spending.slice + KEPT - age) % KEPT] ?? 0;
    if (usd < cap.usd) return (spending.slice + KEPT - age) * sliceMs(cap);
  }
  return nowMs + cap.perMs;
};

/** Why a target is not asked, or a route does not answer. */
export const spentReason = ({ usd, per }: SpendingCap): SpentReason => `budget of $${usd} per ${per} is spent`;

export type SpentReason = `budget of $${number} per ${string} is spent`;

/** Empties the slices that have left the span; answers with the place of the current one. */
const turnTo = (spending: Spending, cap: SpendingCap, nowMs: number): number => {
  const slice = Math.floor(nowMs / sliceMs(cap));
  const passed = Math.min(KEPT, slice - spending.slice);
  for (let i = 1; i <= passed; i++) spending.slices[(spending.slice + i) % KEPT] = 0;
  if (passed > 0) spending.slice = slice;
  return spending.slice % KEPT;
};

const sliceMs = ({ perMs }: SpendingCap): number => perMs / SLICES;
