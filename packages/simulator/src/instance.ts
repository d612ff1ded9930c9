import { isObject, type JsonObject } from './json.ts';

/** Below this depth only what a schema insists on is filled in, so that a schema that contains itself comes to an end. */
const FULL_DEPTH = 3;

/**
 * The simplest value that a JSON schema allows: what a simulated model passes to a tool, or answers when it is held to
 * a schema. Knows the keywords that vendors accept, and Google's spelling of the types (`STRING`); not `pattern`, `not`
 * or `if`.
 */
export const instanceOf = (schema: unknown, root: unknown = schema, name = 'text', depth = 0): unknown => {
  if (!isObject(schema)) return name;
  const inner = (next: unknown): unknown => instanceOf(next, root, name, depth + 1);
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if ('default' in schema) return schema.default;
  if (typeof schema.$ref === 'string') return inner(resolve(schema.$ref, root));
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return inner(depth < FULL_DEPTH ? choices[0] : simplest(choices));
  if (Array.isArray(schema.allOf)) return inner(merge(schema.allOf, schema, root));
  switch (typeOf(schema)) {
    case 'object':
      return objectOf(schema, root, depth);
    case 'array':
      return arrayOf(schema, root, name, depth);
    case 'integer':
      return numberOf(schema, 1);
    case 'number':
      return numberOf(schema, schema.multipleOf ?? 0.5);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return stringOf(schema, name);
  }
};

const typeOf = (schema: JsonObject): string => {
  const { type } = schema;
  const one = Array.isArray(type) ? (type.find((option) => option !== 'null') ?? 'null') : type;
  if (typeof one === 'string') return one.toLowerCase();
  if ('properties' in schema) return 'object';
  return 'items' in schema || 'prefixItems' in schema ? 'array' : 'string';
};

/** What a pointer such as `#/$defs/City` stands for. */
const resolve = (pointer: string, root: unknown): unknown => {
  let found: unknown = root;
  for (const step of pointer.split('/').slice(1)) {
    const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    found = isObject(found) ? found[key] : undefined;
  }
  return found;
};

/** The choice that cannot nest any deeper, if there is one. */
const simplest = (choices: readonly unknown[]): unknown => {
  const flat = (choice: unknown): boolean =>
    isObject(choice) && !('$ref' in choice) && !['object', 'array'].includes(typeOf(choice));
  return choices.find(flat) ?? choices.at(-1);
};

/** One schema that asks for all that several ask for; enough for objects put together from parts. */
const merge = (parts: readonly unknown[], schema: JsonObject, root: unknown): JsonObject => {
  const { allOf: _, ...own } = schema;
  const properties: Record<string, unknown> = {};
  const required: unknown[] = [];
  let merged: JsonObject = {};
  for (const part of [...parts, own]) {
    const known = isObject(part) && typeof part.$ref === 'string' ? resolve(part.$ref, root) : part;
    if (!isObject(known)) continue;
    merged = { ...merged, ...known };
    if (isObject(known.properties)) Object.assign(properties, known.properties);
    if (Array.isArray(known.required)) required.push(...known.required);
  }
  return Object.keys(properties).length > 0 ? { ...merged, properties, required } : merged;
};

const objectOf = (schema: JsonObject, root: unknown, depth: number): JsonObject => {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  const wanted = Object.entries(properties).filter(([key]) => depth < FULL_DEPTH || required.includes(key));
  return Object.fromEntries(wanted.map(([key, value]) => [key, instanceOf(value, root, key, depth + 1)]));
};

const arrayOf = (schema: JsonObject, root: unknown, name: string, depth: number): readonly unknown[] => {
  const tuple = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  const atLeast = Number(schema.minItems ?? (depth < FULL_DEPTH ? 1 : 0));
  const length = Math.min(Math.max(tuple.length, atLeast), Number(schema.maxItems ?? Number.POSITIVE_INFINITY));
  return Array.from({ length }, (_, i) => instanceOf(tuple[i] ?? schema.items, root, name, depth + 1));
};

const numberOf = (schema: JsonObject, step: unknown): number => {
  const unit = Number(schema.multipleOf ?? step);
  const above = schema.exclusiveMinimum;
  const floor = Math.max(Number(schema.minimum ?? Number.NEGATIVE_INFINITY), Number(above ?? Number.NEGATIVE_INFINITY));
  const below = schema.exclusiveMaximum;
  const ceiling = Math.min(
    Number(schema.maximum ?? Number.POSITIVE_INFINITY),
    Number(below ?? Number.POSITIVE_INFINITY),
  );
  let value = Math.ceil(Math.max(floor, Math.min(1, ceiling)) / unit) * unit;
  if (value > ceiling) value = Math.floor(ceiling / unit) * unit;
  if (value === above) value += unit;
  if (value === below) value -= unit;
  return value;
};

// biome-ignore format: reads as a table
const FORMATS: Readonly<Record<string, string>> = {
  date:        '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  time:        '00:00:00Z',
  duration:    'P1D',
  email:       'someone@example.com',
  hostname:    'example.com',
  ipv4:        '192.0.2.1',
  ipv6:        '2001:db8::1',
  uri:         'https://example.com/',
  uuid:        '00000000-0000-4000-8000-000000000000',
};

/** A text that names its field, so that an argument is recognised wherever it turns up. */
const stringOf = (schema: JsonObject, name: string): string => {
  const text = FORMATS[String(schema.format)] ?? `some ${name}`;
  const longEnough = text.padEnd(Number(schema.minLength ?? 0), '.');
  return longEnough.slice(0, Number(schema.maxLength ?? longEnough.length));
};
