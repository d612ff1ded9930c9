import type { Rank, RankContext } from '../rank.ts';
import type { System } from './system.ts';

/** The ids that a function of the user's own has named; or why there are none, in words that quote nothing of its own. */
export type RankResult = readonly string[] | { readonly problem: string };

/** Asks it, and waits no longer than that. Resolves at once where it answers at once, or nobody waits any more. */
export const askRank = async (
  rank: Rank,
  context: RankContext,
  timeoutMs: number,
  system: System,
  callerSignal: AbortSignal | undefined,
): Promise<RankResult> => {
  let ids: ReturnType<Rank>;
  try {
    ids = rank(context);
    if (isPromise(ids)) ids = await beforeTimeout(ids, timeoutMs, system, callerSignal);
  } catch (error) {
    return { problem: error === SLOW ? `no answer within ${Math.round(timeoutMs)} ms` : threw(error) };
  }
  return checked(ids);
};

/** The same for a question that waits for nobody: undefined where the answer comes later. */
export const askRankNow = (rank: Rank, context: RankContext): RankResult | undefined => {
  try {
    const ids = rank(context);
    if (!isPromise(ids)) return checked(ids);
    ids.catch(() => {});
    return undefined;
  } catch (error) {
    return { problem: threw(error) };
  }
};

const checked = (ids: readonly string[]): RankResult =>
  Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : { problem: 'its answer is no list of ids' };

const isPromise = (ids: ReturnType<Rank>): ids is Promise<readonly string[]> =>
  typeof (ids as Promise<readonly string[]> | undefined)?.then === 'function';

const SLOW = Symbol('slow');

const beforeTimeout = (
  ids: Promise<readonly string[]>,
  timeoutMs: number,
  system: System,
  callerSignal: AbortSignal | undefined,
): Promise<readonly string[]> =>
  new Promise((resolve, reject) => {
    const stop = system.schedule(timeoutMs, () => settle(() => reject(SLOW)));
    // The driver sees by itself that its caller has left.
    const left = (): void => settle(() => resolve([]));
    const settle = (then: () => void): void => {
      stop();
      callerSignal?.removeEventListener('abort', left);
      then();
    };
    callerSignal?.addEventListener('abort', left);
    if (callerSignal?.aborted) left();
    ids.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });

/** Only the error's kind: its message is the user's, and may quote what must not be logged. */
const threw = (error: unknown): string => `threw ${error instanceof Error ? error.name : typeof error}`;
