import { RouterError } from '@switchyard/core';

// Reading the fields of a body. What is wrong is named by its path, and no target is asked then.

export type Body = Record<string, unknown>;

type Read<T> = (value: unknown, path: string) => T;

export const isObject = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Present, and not null, which vendors take for absent. */
export const isSet = (value: unknown): boolean => value !== undefined && value !== null;

export const wrong = (path: string, expected: string, value: unknown): RouterError => {
  const got =
    value === undefined ? 'nothing' : value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
  return new RouterError('invalid-request', `${path}: expected ${expected}, and got ${got}`);
};

export const wrongly = (path: string, expected: string, value: unknown): never => {
  throw wrong(path, expected, value);
};

export const string: Read<string> = (value, path) =>
  typeof value === 'string' ? value : wrongly(path, 'a text', value);
export const number: Read<number> = (value, path) =>
  // JSON has numbers that are too large for one of ours.
  Number.isFinite(value) ? (value as number) : wrongly(path, 'a number', value);
export const boolean: Read<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : wrongly(path, 'true or false', value);
export const array: Read<readonly unknown[]> = (value, path) =>
  Array.isArray(value) ? value : wrongly(path, 'an array', value);
export const object: Read<Body> = (value, path) => (isObject(value) ? value : wrongly(path, 'an object', value));

export const optional = <T>(body: Body, name: string, read: Read<T>, path = ''): T | undefined => {
  const value = body[name];
  return isSet(value) ? read(value, path === '' ? name : `${path}.${name}`) : undefined;
};

export const present = <Name extends string, T>(name: Name, value: T | undefined): { [K in Name]?: T } =>
  (value === undefined ? {} : { [name]: value }) as { [K in Name]?: T };
