import { describe, expect, test } from 'vitest';
import type { ChatRequest, OutputFormat } from './decide/request.ts';
import type { ChatResponse } from './decide/response.ts';
import { SIGNALS, scoreBySignals } from './signals.ts';

const request = (output?: OutputFormat): ChatRequest => ({ messages: [], ...(output && { output }) });
const answer = (given: Partial<ChatResponse> = {}): ChatResponse => ({
  id: 'a',
  model: 'm',
  text: 'Hello',
  toolCalls: [],
  finishReason: 'stop',
  ...given,
});
const schema = (schema: object): ChatRequest =>
  request({ type: 'json-schema', name: 'x', schema: schema as Record<string, unknown> });

const PERSON = schema({
  type: 'object',
  properties: { name: { type: 'string' }, tags: { type: 'array', items: { $ref: '#/$defs/tag' } } },
  required: ['name'],
  additionalProperties: false,
  $defs: { tag: { enum: ['a', 'b'] } },
});

describe('an answer is held against its schema, all of it', () => {
  test.each([
    ['{"name":"Ada","tags":["a"]}', 1],
    ['{"tags":["a"]}', 0],
    ['{"name":"Ada","tags":["c"]}', 0],
    ['{"name":"Ada","age":3}', 0],
    ['{"name":"Ada"', 0],
    ['Sure! {"name":"Ada"}', 0],
    ['', 0],
  ])('%s is worth %d', (text, score) => {
    expect(scoreBySignals(['schema'], PERSON, answer({ text }))).toBe(score);
  });

  test('of plain JSON only that it is JSON', () => {
    const asked = request({ type: 'json' });
    expect(scoreBySignals(['schema'], asked, answer({ text: '[1]' }))).toBe(1);
    expect(scoreBySignals(['schema'], asked, answer({ text: '[1' }))).toBe(0);
    expect(scoreBySignals(['schema'], asked, answer({ text: 'null' }))).toBe(1);
  });

  test('nothing is said where no JSON was asked for, or a tool is called first', () => {
    const call = { id: 'c', name: 'f', arguments: '{}' };
    for (const output of [undefined, { type: 'text' } as const]) {
      expect(scoreBySignals(['schema'], request(output), answer())).toBeUndefined();
    }
    expect(scoreBySignals(['schema'], PERSON, answer({ text: '', toolCalls: [call] }))).toBeUndefined();
  });

  test('a pattern of the caller’s is never run', () => {
    const evil = schema({ type: 'string', pattern: '^(a+)+$' });
    const text = JSON.stringify(`${'a'.repeat(60)}!`);
    expect(scoreBySignals(['schema'], evil, answer({ text }))).toBe(1);
    const byName = schema({ type: 'object', patternProperties: { '^(a+)+$': {} } });
    expect(scoreBySignals(['schema'], byName, answer({ text: '{}' }))).toBeUndefined();
  });

  test('nor a format whose expression may never end, while those of the vendors are looked at', () => {
    const url = schema({ type: 'string', format: 'url' });
    expect(scoreBySignals(['schema'], url, answer({ text: JSON.stringify(`http://${'a'.repeat(200)}!`) }))).toBe(1);
    const date = schema({ type: 'string', format: 'date' });
    expect(scoreBySignals(['schema'], date, answer({ text: '"2026-02-28"' }))).toBe(1);
    expect(scoreBySignals(['schema'], date, answer({ text: '"2026-02-30"' }))).toBe(0);
  });

  test('the items of a list are not compared with one another', () => {
    const unique = schema({ type: 'array', items: { type: 'number' }, uniqueItems: true });
    const text = JSON.stringify(Array.from({ length: 50_000 }, (_, i) => i));
    expect(scoreBySignals(['schema'], unique, answer({ text }))).toBe(1);
    expect(scoreBySignals(['schema'], unique, answer({ text: '["a"]' }))).toBe(0);
  });

  test('a schema within itself is followed as far as the answer goes', () => {
    const list = schema({
      type: 'object',
      properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
      required: ['next'],
    });
    expect(scoreBySignals(['schema'], list, answer({ text: '{"next":{"next":null}}' }))).toBe(1);
    expect(scoreBySignals(['schema'], list, answer({ text: '{"next":{"next":1}}' }))).toBe(0);
    expect(scoreBySignals(['schema'], schema({ $ref: '#' }), answer({ text: '{}' }))).toBeUndefined();
  });

  test('but a property of that name is one like any other', () => {
    const asked = schema({ type: 'object', properties: { pattern: { type: 'string' } }, required: ['pattern'] });
    expect(scoreBySignals(['schema'], asked, answer({ text: '{"pattern":"x"}' }))).toBe(1);
    expect(scoreBySignals(['schema'], asked, answer({ text: '{"pattern":1}' }))).toBe(0);
  });

  test('of a schema that the validator does not know nothing is said', () => {
    expect(
      scoreBySignals(['schema'], schema({ $ref: 'https://example.com/s' }), answer({ text: '1' })),
    ).toBeUndefined();
  });
});

test('a refusal, a filter and a limit speak against an answer; without them it is worth 1', () => {
  expect(scoreBySignals(['refusal'], request(), answer({ refusal: 'No.' }))).toBe(0);
  expect(scoreBySignals(['refusal'], request(), answer({ finishReason: 'content-filter' }))).toBe(0);
  expect(scoreBySignals(['truncated'], request(), answer({ finishReason: 'length' }))).toBe(0);
  expect(scoreBySignals(SIGNALS, request(), answer())).toBe(1);
  expect(scoreBySignals(['refusal'], request(), answer({ finishReason: 'length' }))).toBe(1);
  expect(scoreBySignals([], request(), answer())).toBeUndefined();
});
