import { describe, expect, test } from 'vitest';
import { ANTHROPIC, COHERE, fitSchema, GEMINI, OPENAI_STRICT, type SchemaDialect } from './json-schema.ts';

type Schema = Record<string, unknown>;

const closed = (properties: Schema, more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});
const text = { type: 'string' };
/** A schema that every dialect takes, with one property that may not be. */
const having = (property: Schema): Schema => closed({ name: property });
const gapsOf = (dialect: SchemaDialect, schema: Schema): string[] =>
  fitSchema(dialect, schema, 'output schema').gaps.map(({ what, harmless }) =>
    harmless ? `${what} (harmless)` : what,
  );
const nested = (levels: number): Schema => closed({ a: levels === 1 ? text : nested(levels - 1) });

const DIALECTS = { OPENAI_STRICT, ANTHROPIC, GEMINI, COHERE };

describe.each(Object.entries(DIALECTS))('%s', (_, dialect) => {
  test('takes what all of them take, as it is', () => {
    const schema = closed(
      {
        name: { type: 'string', description: 'Minimum of words', title: 'maxLength' },
        // Names are no keywords.
        minLength: { type: ['integer', 'null'] },
        tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
        when: { anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }] },
        at: { $ref: '#/$defs/place' },
      },
      { $defs: { place: closed({ city: text }) } },
    );
    expect(fitSchema(dialect, schema, 'output schema')).toEqual({ schema, gaps: [] });
  });

  test('comes to an end on a schema that contains itself as an object', () => {
    const schema: Schema = closed({});
    (schema.properties as Schema).self = schema;
    expect(() => fitSchema(dialect, schema, 'output schema')).not.toThrow();
  });

  test('leaves the schema of the caller as it was', () => {
    const schema = { type: 'object', properties: { n: { type: 'integer', minimum: 1, const: 3 } } };
    const before = structuredClone(schema);
    fitSchema(dialect, schema, 'output schema');
    expect(schema).toEqual(before);
  });
});

test.each<[keyof typeof DIALECTS, Schema, readonly string[]]>([
  // OpenAI: its strict schemas.
  ['OPENAI_STRICT', having({ allOf: [text] }), ['allOf at /properties/name']],
  ['OPENAI_STRICT', having({ oneOf: [text] }), ['oneOf at /properties/name']],
  ['OPENAI_STRICT', having({ not: text }), ['not at /properties/name']],
  ['OPENAI_STRICT', having({ type: 'string', format: 'uri' }), ['format at /properties/name']],
  ['OPENAI_STRICT', having({ type: 'string', format: 'uuid', pattern: '^a$' }), []],
  ['OPENAI_STRICT', having({ type: 'integer', minimum: 1, multipleOf: 2 }), []],
  ['OPENAI_STRICT', having({ type: 'array', items: text, minItems: 2, maxItems: 3 }), []],
  ['OPENAI_STRICT', having({ $ref: '#' }), []],
  [
    'OPENAI_STRICT',
    { ...having(text), additionalProperties: undefined },
    ['additionalProperties other than false at /'],
  ],
  ['OPENAI_STRICT', { ...having(text), required: [] }, ['properties that are not required at /']],
  ['OPENAI_STRICT', { anyOf: [having(text)] }, ['anyOf at /']],
  ['OPENAI_STRICT', { type: 'array', items: having(text) }, ['type other than object at /']],
  ['OPENAI_STRICT', nested(10), []],
  ['OPENAI_STRICT', nested(11), ['more than 10 levels of objects at /']],
  [
    'OPENAI_STRICT',
    closed(Object.fromEntries(Array.from({ length: 5_001 }, (_, i) => [`p${i}`, text]))),
    ['more than 5000 properties at /'],
  ],
  ['OPENAI_STRICT', having({ enum: Array.from({ length: 1_001 }, (_, i) => i) }), ['more than 1000 enum values at /']],
  [
    'OPENAI_STRICT',
    having({ enum: Array.from({ length: 251 }, (_, i) => `${i}`.padEnd(60)) }),
    ['enum at /properties/name'],
  ],
  ['OPENAI_STRICT', having({ const: 'x'.repeat(120_000) }), ['more than 120000 characters of names and values at /']],
  // Anthropic.
  [
    'ANTHROPIC',
    having({ type: 'string', minLength: 1, maxLength: 2 }),
    ['minLength at /properties/name', 'maxLength at /properties/name'],
  ],
  ['ANTHROPIC', having({ type: 'integer', exclusiveMinimum: 1 }), ['exclusiveMinimum at /properties/name']],
  ['ANTHROPIC', having({ type: 'array', items: text, minItems: 1 }), []],
  ['ANTHROPIC', having({ type: 'array', items: text, minItems: 2 }), ['minItems at /properties/name']],
  [
    'ANTHROPIC',
    having({ type: 'array', items: { type: 'integer', minimum: 1 } }),
    ['minimum at /properties/name/items'],
  ],
  ['ANTHROPIC', having({ enum: [{ a: 1 }] }), ['enum at /properties/name']],
  ['ANTHROPIC', having({ $ref: 'https://a.example/b' }), ['$ref at /properties/name']],
  ['ANTHROPIC', having({ allOf: [{ $ref: '#/$defs/x' }] }), ['allOf at /properties/name']],
  ['ANTHROPIC', having({ type: 'string', format: 'uri', pattern: '^[a-z]{1,3}$' }), []],
  ['ANTHROPIC', having({ type: 'string', pattern: '(?=a)' }), ['pattern at /properties/name']],
  ['ANTHROPIC', having({ $ref: '#' }), ['recursion at /']],
  [
    'ANTHROPIC',
    closed(
      { a: { $ref: '#/$defs/a' } },
      { $defs: { a: closed({ b: { $ref: '#/$defs/b' } }), b: closed({ a: { $ref: '#/$defs/a' } }) } },
    ),
    ['recursion at /'],
  ],
  [
    'ANTHROPIC',
    closed({ a: { $ref: '#/$defs/a' }, b: { $ref: '#/$defs/a' } }, { $defs: { a: closed({ c: text }) } }),
    [],
  ],
  ['ANTHROPIC', { ...having(text), required: [] }, []],
  ['ANTHROPIC', { type: 'object', properties: { a: text } }, ['additionalProperties left open at / (harmless)']],
  ['ANTHROPIC', { type: 'object' }, ['additionalProperties other than false at /']],
  [
    'ANTHROPIC',
    { type: 'object', properties: { a: text }, additionalProperties: text },
    ['additionalProperties other than false at /'],
  ],
  [
    'ANTHROPIC',
    closed(Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`p${i}`, text])), { required: [] }),
    ['more than 24 optional properties at /'],
  ],
  [
    'ANTHROPIC',
    closed(Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`p${i}`, { anyOf: [text] }]))),
    ['more than 16 unions at /'],
  ],
  [
    'ANTHROPIC',
    closed({ a: { minLength: 1 }, b: { minLength: 1 }, 'c/d': { minLength: 1 } }),
    ['minLength at /properties/a and 2 more'],
  ],
  // Gemini: what it reads past.
  ['GEMINI', having({ type: 'string', pattern: 'a' }), ['pattern at /properties/name']],
  ['GEMINI', having({ type: 'integer', minimum: 1, exclusiveMaximum: 3 }), ['exclusiveMaximum at /properties/name']],
  ['GEMINI', having({ const: 'a', examples: ['a'], default: 'a' }), []],
  ['GEMINI', having({ const: null }), ['const at /properties/name']],
  ['GEMINI', having({ oneOf: [text] }), []],
  // Cohere.
  ['COHERE', having({ anyOf: [text] }), []],
  ['COHERE', having({ oneOf: [text] }), ['oneOf at /properties/name']],
  ['COHERE', having({ type: 'integer', minimum: 1 }), ['minimum at /properties/name']],
  ['COHERE', having({ type: 'string', format: 'email' }), ['format at /properties/name']],
  ['COHERE', having({ type: 'string', pattern: '^a' }), ['pattern at /properties/name']],
  ['COHERE', having({ type: 'string', pattern: '[^a]\\$' }), []],
  ['COHERE', { ...having(text), required: [] }, ['an object of which nothing is required at /']],
  ['COHERE', { type: 'array', items: text }, ['type other than object at /']],
])('%s: %j', (name, schema, gaps) => {
  expect(gapsOf(DIALECTS[name], JSON.parse(JSON.stringify(schema)))).toEqual(
    gaps.map((gap) => `output schema: ${gap}`),
  );
});

describe('who drops what it cannot express gets the schema', () => {
  test('without the keyword that is refused, wherever it stands', () => {
    const { schema } = fitSchema(ANTHROPIC, closed({ a: { type: 'string', minLength: 1, description: 'd' } }), 's');
    expect(schema).toEqual(closed({ a: { type: 'string', description: 'd' } }));
  });

  test('closed, where the vendor insists on it', () => {
    const { schema } = fitSchema(
      ANTHROPIC,
      { type: 'object', properties: { a: { type: 'object', properties: { b: text } } } },
      's',
    );
    expect(schema).toEqual({
      type: 'object',
      properties: { a: { type: 'object', properties: { b: text }, additionalProperties: false } },
      additionalProperties: false,
    });
  });

  test('with a constant as an enum of one, where the vendor knows no constants', () => {
    expect(fitSchema(GEMINI, closed({ a: { const: 'x' }, b: { const: null } }), 's').schema).toMatchObject({
      properties: { a: { enum: ['x'] }, b: { const: null } },
    });
  });
});
