import { describe, expect, test } from 'vitest';
import { instanceOf } from './instance.ts';

describe('an instance of a schema', () => {
  test('has all properties, named after themselves', () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' }, warm: { type: 'boolean' } },
      required: ['city'],
    };
    expect(instanceOf(schema)).toEqual({ city: 'some city', days: 1, warm: true });
  });

  test('takes constants, first choices and defaults as they are', () => {
    expect(instanceOf({ const: 7 })).toBe(7);
    expect(instanceOf({ enum: ['c', 'f'] })).toBe('c');
    expect(instanceOf({ anyOf: [{ type: 'null' }, { type: 'string' }] })).toBeNull();
    expect(instanceOf({ oneOf: [{ type: 'boolean' }] })).toBe(true);
    expect(instanceOf({ type: 'number', default: 3 })).toBe(3);
  });

  test('stays within bounds', () => {
    expect(instanceOf({ type: 'integer', minimum: 5 })).toBe(5);
    expect(instanceOf({ type: 'integer', maximum: -5 })).toBe(-5);
    expect(instanceOf({ type: 'integer', exclusiveMinimum: 5 })).toBe(6);
    expect(instanceOf({ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 })).toBe(0.5);
    expect(instanceOf({ type: 'integer', minimum: 1, multipleOf: 4 })).toBe(4);
    expect(instanceOf({ type: 'string', minLength: 12, maxLength: 12 })).toHaveLength(12);
    expect(instanceOf({ type: 'string', maxLength: 3 })).toHaveLength(3);
    expect(instanceOf({ type: 'array', minItems: 2, items: { type: 'null' } })).toEqual([null, null]);
    expect(instanceOf({ type: 'array', maxItems: 0, items: { type: 'null' } })).toEqual([]);
  });

  test('follows references, and comes to an end when they go in circles', () => {
    const node = {
      type: 'object',
      properties: { next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
      required: ['next'],
    };
    const deep = JSON.stringify(instanceOf({ $ref: '#/$defs/node', $defs: { node } }));
    expect(deep).toMatch(/"next":null\}+$/);
    const tree = {
      type: 'object',
      properties: { children: { type: 'array', items: { $ref: '#' } } },
      required: ['children'],
    };
    expect(JSON.stringify(instanceOf(tree))).toContain('"children":[]');
  });

  test('puts together what allOf takes apart', () => {
    const parts = { allOf: [{ type: 'object', properties: { a: { const: 1 } } }, { properties: { b: { const: 2 } } }] };
    expect(instanceOf(parts)).toEqual({ a: 1, b: 2 });
  });

  test('understands the types as Google spells them, lists of types, and tuples', () => {
    expect(instanceOf({ type: 'OBJECT', properties: { n: { type: 'INTEGER' } } })).toEqual({ n: 1 });
    expect(instanceOf({ type: ['null', 'boolean'] })).toBe(true);
    expect(instanceOf({ prefixItems: [{ const: 1 }, { const: 2 }] })).toEqual([1, 2]);
  });

  test('knows the usual formats', () => {
    expect(instanceOf({ type: 'string', format: 'date' })).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(instanceOf({ type: 'string', format: 'email' })).toContain('@');
  });
});
