import { isObject, type JsonObject } from './json.ts';

/** Says, in the words of whoever reads, what a field should have been. Never returns: it throws. */
export type Complain = (path: string, expected: string, got: unknown) => never;

interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
}

/** Reads fields that came from outside: each function returns its value with a type, or complains. */
export interface Reader {
  object(value: unknown, path: string): JsonObject;
  list(value: unknown, path: string, length?: { readonly min?: number; readonly max?: number }): readonly unknown[];
  text(value: unknown, path: string): string;
  flag(value: unknown, path: string): boolean;
  number(value: unknown, path: string, range?: NumberRange): number;
  oneOf<T extends string>(value: unknown, path: string, options: readonly T[]): T;
}

export const reader = (complain: Complain): Reader => ({
  object(value, path) {
    return isObject(value) ? value : complain(path, 'an object', value);
  },
  list(value, path, { min = 0, max = Number.POSITIVE_INFINITY } = {}) {
    if (!Array.isArray(value)) return complain(path, 'an array', value);
    if (value.length < min) return complain(path, `an array of at least ${min}`, value);
    if (value.length > max) return complain(path, `an array of at most ${max}`, value);
    return value;
  },
  text(value, path) {
    return typeof value === 'string' ? value : complain(path, 'a string', value);
  },
  flag(value, path) {
    return typeof value === 'boolean' ? value : complain(path, 'a boolean', value);
  },
  number(value, path, range = {}) {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false } = range;
    const fits = typeof value === 'number' && value >= min && value <= max && (!integer || Number.isInteger(value));
    return fits ? value : complain(path, describeRange(range), value);
  },
  oneOf(value, path, options) {
    const found = options.find((option) => option === value);
    return found ?? complain(path, `one of ${options.map((option) => `'${option}'`).join(', ')}`, value);
  },
});

const describeRange = ({ min, max, integer }: NumberRange): string => {
  const kind = integer ? 'an integer' : 'a number';
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind} of at least ${min}`;
  return max === undefined ? kind : `${kind} of at most ${max}`;
};

/** Reads a field that may be left out; vendors take null for "left out". */
export const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === undefined || value === null ? undefined : read(value);

/** A value as an error message shows it: short, and as the sender would have written it. */
export const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};
