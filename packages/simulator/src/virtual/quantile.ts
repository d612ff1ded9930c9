/** The least value that the part `q` (0 to 1) of all do not exceed; NaN when there are none. `sorted` is ascending. */
export const quantile = (sorted: ArrayLike<number>, q: number): number =>
  sorted.length === 0 ? Number.NaN : (sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] as number);

/** NaN and Infinity last, so that a run without a value counts as the worst. */
export const ascending = (values: Iterable<number>): Float64Array => Float64Array.from(values).sort();
