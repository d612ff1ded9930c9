// Not Math.max(...values): an hour of requests is more than a call takes as arguments.

/** NaN without values. */
export const greatest = (values: readonly number[]): number =>
  values.reduce((most, value) => (value > most || Number.isNaN(most) ? value : most), Number.NaN);

/** NaN without values. */
export const least = (values: readonly number[]): number =>
  values.reduce((most, value) => (value < most || Number.isNaN(most) ? value : most), Number.NaN);

/** NaN without values. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const increment = (counts: Record<string, number>, key: string): void => {
  counts[key] = (counts[key] ?? 0) + 1;
};
