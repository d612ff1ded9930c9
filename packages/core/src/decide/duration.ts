/** `'250ms'`, `'10s'`, `'5m'`, `'1h'`, `'7d'`, or milliseconds. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: 24 * HOUR };
/** setTimeout cannot wait longer; it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A duration in ms, or undefined where it is none: not above 0, longer than a timer can wait, or in no form that is known. */
export const durationMs = (value: number | string): number | undefined => {
  const [, amount, unit = ''] = typeof value === 'string' ? (/^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) ?? []) : [];
  const ms = typeof value === 'number' ? value : Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  return ms > 0 && ms <= LONGEST_MS ? ms : undefined;
};
