import type { Gap } from '../provider.ts';
import { isObject } from '../provider-kit.ts';
import type { Body } from './body.ts';

// Each vendor takes a part of JSON Schema, and each another one. What it would refuse is known before it is asked, so that
// a target that takes it is asked instead. Where the vendor's documents leave a rule open, the schema is sent: a 400 that
// says so falls back as well, only later.

/**
 * What becomes of a keyword at a vendor. `refused`: the vendor answers 400, and a target that drops what it cannot express
 * gets the schema without it. `ignored`: it is sent, and the vendor reads past it.
 */
type Verdict = 'refused' | 'ignored' | undefined;

type Rule = Verdict | ((value: unknown, schema: Body) => Verdict);

/** What a vendor takes of JSON Schema. */
export interface SchemaDialect {
  readonly keywords: Readonly<Record<string, Rule>>;
  /** What every other keyword is. Default: taken, or at least tried. */
  readonly others?: Verdict;
  /** Looks at a schema as a whole, and returns it as this vendor wants it said. `tell` names what is wrong with it. */
  readonly shape?: (schema: Body, at: { readonly isRoot: boolean; readonly tell: Tell }) => Body;
  /** Looks at what all of it comes to. */
  readonly total?: (tally: Tally, tell: (what: string) => void) => void;
}

type Tell = (what: string, harmless?: 'harmless') => void;

/** What of a schema adds up. */
interface Tally {
  properties: number;
  optional: number;
  unions: number;
  enumValues: number;
  /** Of the names of properties and definitions, and of the values that are spelled out. */
  characters: number;
  /** Objects within objects, the outermost counted. */
  objectLevels: number;
  readonly refs: { readonly from: string; readonly to: string }[];
}

/** A schema as a vendor wants it, and what had to be left out of it. */
export interface FittedSchema {
  readonly schema: Body;
  readonly gaps: readonly Gap[];
}

/** Deeper than any schema of use: one that contains itself, which no JSON can say. */
const DEEPEST = 64;

/**
 * Puts a schema into a vendor's dialect; `where` begins the name of each gap: `output schema: minLength at
 * /properties/name`. One gap for each keyword, with the place where it stands first.
 */
export const fitSchema = (dialect: SchemaDialect, schema: Body, where: string): FittedSchema => {
  const found = new Map<string, { readonly path: string; more: number; readonly harmless: boolean }>();
  const tally: Tally = {
    properties: 0,
    optional: 0,
    unions: 0,
    enumValues: 0,
    characters: 0,
    objectLevels: 0,
    refs: [],
  };
  const tellAt =
    (path: string): Tell =>
    (what, harmless) => {
      const known = found.get(what);
      if (known !== undefined) known.more += 1;
      else found.set(what, { path: path === '' ? '/' : path, more: 0, harmless: harmless !== undefined });
    };

  const walk = (given: unknown, path: string, depth: number, levels: number): unknown => {
    if (!isObject(given) || depth > DEEPEST) return given;
    const tell = tellAt(path);
    const level = isObjectSchema(given) ? levels + 1 : levels;
    count(given, path, level, tally);
    // From entries, since a keyword of a caller's may be `__proto__`.
    const kept: [string, unknown][] = [];
    for (const [keyword, value] of Object.entries(given)) {
      const rule = Object.hasOwn(dialect.keywords, keyword) ? dialect.keywords[keyword] : dialect.others;
      const verdict = typeof rule === 'function' ? rule(value, given) : ANNOTATIONS.has(keyword) ? undefined : rule;
      if (verdict !== undefined) tell(keyword);
      if (verdict === 'refused') continue;
      kept.push([keyword, walkInto(keyword, value, (inner, step) => walk(inner, `${path}/${step}`, depth + 1, level))]);
    }
    const said: Body = Object.fromEntries(kept);
    return dialect.shape?.(said, { isRoot: path === '', tell }) ?? said;
  };

  const fitted = walk(schema, '', 0, 0) as Body;
  dialect.total?.(tally, (what) => tellAt('')(what));
  const gaps = [...found].map(([what, { path, more, harmless }]): Gap => {
    const others = more === 0 ? '' : ` and ${more} more`;
    return { what: `${where}: ${what} at ${path}${others}`, ...(harmless && { harmless: true }) };
  });
  return { schema: fitted, gaps };
};

type Step = (inner: unknown, step: string) => unknown;

const walkInto = (keyword: string, value: unknown, step: Step): unknown => {
  if (MAPS.has(keyword) && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, step(inner, `${keyword}/${escaped(name)}`)]),
    );
  }
  if (!SCHEMAS.has(keyword)) return value;
  return Array.isArray(value) ? value.map((inner, i) => step(inner, `${keyword}/${i}`)) : step(value, keyword);
};

/** In a JSON pointer. */
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

const MAPS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);

// biome-ignore format: reads as a list
const SCHEMAS: ReadonlySet<string> = new Set([
  'items', 'prefixItems', 'additionalItems', 'contains', 'unevaluatedItems', 'additionalProperties', 'unevaluatedProperties', 'propertyNames',
  'anyOf', 'oneOf', 'allOf', 'not', 'if', 'then', 'else',
]);

/** What restricts nothing. */
// biome-ignore format: reads as a list
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema', '$id', '$anchor', '$comment', 'title', 'description', 'default', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly',
]);

const isObjectSchema = ({ type, properties }: Body): boolean =>
  type === 'object' || (Array.isArray(type) && type.includes('object')) || properties !== undefined;

const namesOf = ({ properties }: Body): readonly string[] => (isObject(properties) ? Object.keys(properties) : []);

const requiredOf = ({ required }: Body): readonly unknown[] => (Array.isArray(required) ? required : []);

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const count = (schema: Body, path: string, level: number, tally: Tally): void => {
  const names = namesOf(schema);
  const required = requiredOf(schema);
  const values = listOf(schema.enum);
  tally.properties += names.length;
  tally.optional += names.filter((name) => !required.includes(name)).length;
  tally.unions += schema.anyOf !== undefined || Array.isArray(schema.type) ? 1 : 0;
  tally.enumValues += values.length;
  tally.objectLevels = Math.max(tally.objectLevels, level);
  for (const name of [...names, ...Object.keys(isObject(schema.$defs) ? schema.$defs : {})])
    tally.characters += name.length;
  for (const value of [...values, schema.const]) if (typeof value === 'string') tally.characters += value.length;
  if (typeof schema.$ref === 'string') tally.refs.push({ from: path, to: schema.$ref });
};

/** Whether a schema contains itself by its references. */
const isRecursive = ({ refs }: Tally): boolean => {
  const within = (to: string): typeof refs => {
    const path = to.replace(/^#/, '');
    return refs.filter(({ from }) => from === path || from.startsWith(`${path}/`));
  };
  return refs.some((start) => {
    const reached = new Set(within(start.to));
    for (const ref of reached) for (const next of within(ref.to)) reached.add(next);
    return reached.has(start);
  });
};

const isElsewhere = (ref: unknown): Verdict =>
  typeof ref === 'string' && !ref.startsWith('#') ? 'refused' : undefined;

const formatsBut = (...formats: readonly string[]): Rule => {
  const known = new Set<unknown>(formats);
  return (format) => (known.has(format) ? undefined : 'refused');
};

/** What an object may hold beyond its properties is said nowhere, which means anything. */
const isOpen = ({ additionalProperties }: Body): boolean => additionalProperties === undefined;

const without = (schema: Body, keyword: string): Body => {
  const { [keyword]: _, ...others } = schema;
  return others;
};

// ── OpenAI ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * With `strict: true`, in both APIs, for answers and tools. Without it anything is taken, and nothing promised.
 *
 * Source: developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas", of 2026. `oneOf` is not named
 * there, and is refused ("'oneOf' is not permitted"), as are other formats ("is not a valid format").
 */
export const OPENAI_STRICT: SchemaDialect = {
  keywords: {
    allOf: 'refused',
    oneOf: 'refused',
    not: 'refused',
    dependentRequired: 'refused',
    dependentSchemas: 'refused',
    if: 'refused',
    // biome-ignore lint/suspicious/noThenProperty: the name of a keyword.
    then: 'refused',
    else: 'refused',
    format: formatsBut('date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'),
    enum: (values) => {
      const texts = listOf(values).filter((value) => typeof value === 'string');
      const isTooLong = texts.length > 250 && texts.reduce((sum, text) => sum + text.length, 0) > 15_000;
      return isTooLong ? 'refused' : undefined;
    },
  },
  shape(schema, { isRoot, tell }) {
    if (isRoot && schema.anyOf !== undefined) tell('anyOf');
    else if (isRoot && schema.$ref === undefined && schema.type !== 'object') tell('type other than object');
    if (!isObjectSchema(schema)) return schema;
    if (schema.additionalProperties !== false) tell('additionalProperties other than false');
    const required = requiredOf(schema);
    if (namesOf(schema).some((name) => !required.includes(name))) tell('properties that are not required');
    return schema;
  },
  total({ properties, objectLevels, enumValues, characters }, tell) {
    if (properties > 5_000) tell('more than 5000 properties');
    // Whether arrays count as a level is left open.
    if (objectLevels > 10) tell('more than 10 levels of objects');
    if (enumValues > 1_000) tell('more than 1000 enum values');
    if (characters > 120_000) tell('more than 120000 characters of names and values');
  },
};

// ── Anthropic ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * For the form of an answer, and for tools with `strict: true`.
 *
 * Source: platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations", of 2026. Its limits
 * are for all schemas of a request together; here each is held to them by itself.
 */
export const ANTHROPIC: SchemaDialect = {
  keywords: {
    minimum: 'refused',
    maximum: 'refused',
    exclusiveMinimum: 'refused',
    exclusiveMaximum: 'refused',
    multipleOf: 'refused',
    minLength: 'refused',
    maxLength: 'refused',
    maxItems: 'refused',
    uniqueItems: 'refused',
    minItems: (least) => (least === 0 || least === 1 ? undefined : 'refused'),
    enum: (values) =>
      listOf(values).some((value) => typeof value === 'object' && value !== null) ? 'refused' : undefined,
    allOf: (schemas) =>
      listOf(schemas).some((schema) => isObject(schema) && '$ref' in schema) ? 'refused' : undefined,
    $ref: isElsewhere,
    format: formatsBut('date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'),
    // References back, looking around, and the ends of words.
    pattern: (pattern) => (/\\[1-9bB]|\(\?(?:[=!]|<[=!])/.test(String(pattern)) ? 'refused' : undefined),
  },
  shape(schema, { tell }) {
    if (!isObjectSchema(schema) || schema.additionalProperties === false) return schema;
    // An answer without further properties is one that an open object allows. Where it has none of its own, they are
    // all there is.
    if (isOpen(schema) && namesOf(schema).length > 0) tell('additionalProperties left open', 'harmless');
    else tell('additionalProperties other than false');
    return { ...schema, additionalProperties: false };
  },
  total(tally, tell) {
    if (tally.optional > 24) tell('more than 24 optional properties');
    if (tally.unions > 16) tell('more than 16 unions');
    if (isRecursive(tally)) tell('recursion');
  },
};

/** Source: as above. */
export const MOST_STRICT_TOOLS = 20;

// ── Gemini ───────────────────────────────────────────────────────────────────────────────────────────────────────────

// biome-ignore format: reads as a list
const GEMINI_KNOWS = [
  '$defs', 'definitions', '$ref', 'type', 'format', 'enum', 'items', 'prefixItems', 'minItems', 'maxItems', 'minimum', 'maximum', 'anyOf', 'oneOf',
  'properties', 'additionalProperties', 'required', 'propertyOrdering',
];

/**
 * For `responseJsonSchema`. Gemini refuses nothing that it does not know: it reads past it.
 *
 * Source: ai.google.dev/gemini-api/docs/structured-output, "Limitations", and the description of the field in
 * `@google/genai`, of 2026.
 */
export const GEMINI: SchemaDialect = {
  keywords: {
    ...Object.fromEntries(GEMINI_KNOWS.map((keyword) => [keyword, undefined])),
    const: (value) => (isName(value) ? undefined : 'ignored'),
  },
  others: 'ignored',
  // The one value of an enum is as constant.
  shape: (schema) => (isName(schema.const) ? { ...without(schema, 'const'), enum: [schema.const] } : schema),
};

/** Gemini's enums hold texts and numbers. */
const isName = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';

// ── Cohere ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * For the form of an answer, and with `strict_tools`.
 *
 * Source: docs.cohere.com/v2/docs/structured-outputs, "Specifying a schema" and "Unsupported schema features", of 2025.
 */
export const COHERE: SchemaDialect = {
  keywords: {
    allOf: 'refused',
    oneOf: 'refused',
    not: 'refused',
    minimum: 'refused',
    maximum: 'refused',
    exclusiveMinimum: 'refused',
    exclusiveMaximum: 'refused',
    minItems: 'refused',
    maxItems: 'refused',
    uniqueItems: 'refused',
    minLength: 'refused',
    maxLength: 'refused',
    format: formatsBut('date-time', 'uuid', 'date', 'time'),
    // Anchors and looking ahead; an escaped sign, or one that begins a set, is none.
    pattern: (pattern) => (/(?:^|[^\\[])[$^]|\(\?[=!]/.test(String(pattern)) ? 'refused' : undefined),
  },
  shape(schema, { isRoot, tell }) {
    if (isRoot && schema.$ref === undefined && schema.type !== 'object') tell('type other than object');
    if (namesOf(schema).length > 0 && requiredOf(schema).length === 0) tell('an object of which nothing is required');
    return schema;
  },
};
