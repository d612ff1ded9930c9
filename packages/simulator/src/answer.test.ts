import { describe, expect, test } from 'vitest';
import { answerTo, piecesOf, type Question, tokensOf } from './answer.ts';

const question = (fields: Partial<Question> & { readonly text?: string }): Question => ({
  model: 'm-1',
  stream: false,
  turns: [{ role: 'user', text: fields.text ?? 'hello', images: 0 }],
  tools: [],
  toolChoice: 'auto',
  parallelToolCalls: true,
  format: { type: 'text' },
  maxOutputTokens: undefined,
  stop: [],
  reasoning: 'none',
  choices: 1,
  streamUsage: true,
  ...fields,
});

const weather = { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } };
const clock = { name: 'get_time', parameters: { type: 'object', properties: {} } };

const first = (fields: Parameters<typeof question>[0]) => answerTo('openai', question(fields)).choices[0];

describe('the simulated model', () => {
  test('names itself and quotes the user in a sentence of some thirty words', () => {
    const { text, finish } = first({ text: 'hello' });
    expect(text).toMatch(/^openai\/m-1 \(simulated\) heard: "hello"\./);
    expect(text.split(' ').length).toBeGreaterThanOrEqual(20);
    expect(text.split(' ').length).toBeLessThanOrEqual(30);
    expect(finish).toBe('stop');
  });

  test('stops at the limit, and says so', () => {
    const { choices, usage } = answerTo('openai', question({ maxOutputTokens: 5 }));
    expect(choices[0].finish).toBe('length');
    expect(choices[0].text).toHaveLength(20);
    expect(usage.outputTokens).toBe(5);
  });

  test('thinks within the same limit', () => {
    const { thought, choices, usage } = answerTo('openai', question({ reasoning: 'shown', maxOutputTokens: 5 }));
    expect(thought).not.toBe('');
    expect(choices[0]).toMatchObject({ text: '', finish: 'length' });
    expect(usage).toMatchObject({ outputTokens: 5, reasoningTokens: 5 });
  });

  test('stops before the stop sequence that comes first', () => {
    const choice = first({ text: 'one two three', stop: ['three', 'two'] });
    expect(choice).toMatchObject({ finish: 'stop-sequence', stoppedBy: 'two' });
    expect(choice.text).toMatch(/"one $/);
  });

  test('never cuts a character in two', () => {
    const halves = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])/;
    expect(first({ text: '🙂'.repeat(300) }).text).not.toMatch(halves);
    for (const room of [9, 10, 11]) {
      expect(first({ text: '🙂'.repeat(30), maxOutputTokens: room }).text).not.toMatch(halves);
    }
    for (const piece of piecesOf('🙂'.repeat(30))) expect(piece.text).not.toMatch(halves);
  });

  test.each([
    ['the weather in Paris?', 'get_weather'],
    ['please call GET_TIME', 'get_time'],
  ])('calls the tool that %j mentions', (text, name) => {
    const { toolCalls, finish } = first({ text, tools: [clock, weather] });
    expect(toolCalls.map((call) => call.name)).toEqual([name]);
    expect(finish).toBe('tool-calls');
  });

  test('calls no tool that nobody mentions, or that it must not call', () => {
    expect(first({ text: 'hi', tools: [clock, weather] }).toolCalls).toEqual([]);
    expect(first({ text: 'weather', tools: [weather], toolChoice: 'none' }).toolCalls).toEqual([]);
  });

  test('calls a tool when it is forced to', () => {
    expect(first({ tools: [clock, weather], toolChoice: [] }).toolCalls[0]?.name).toBe('get_time');
    expect(first({ tools: [clock, weather], toolChoice: ['get_weather'] }).toolCalls).toEqual([
      { name: 'get_weather', args: { city: 'some city' } },
    ]);
  });

  test('calls twice when it is told so and may', () => {
    expect(first({ text: 'the weather, twice', tools: [weather] }).toolCalls).toHaveLength(2);
    expect(first({ text: 'the weather, twice', tools: [weather], parallelToolCalls: false }).toolCalls).toHaveLength(1);
  });

  test('reads the result it asked for', () => {
    const turns = [
      { role: 'user', text: 'weather?', images: 0 },
      { role: 'assistant', text: '', images: 0 },
      { role: 'tool', text: '21 degrees', images: 0 },
    ] as const;
    const { text, toolCalls } = first({ turns, tools: [weather] });
    expect(toolCalls).toEqual([]);
    expect(text).toContain('read the tool\'s result: "21 degrees"');
  });

  test('answers in JSON, and to a schema', () => {
    expect(JSON.parse(first({ format: { type: 'json' } }).text)).toEqual({ answer: expect.stringContaining('hello') });
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } } };
    expect(JSON.parse(first({ format: { type: 'schema', schema } }).text)).toEqual({ ok: true });
  });

  test('counts the images it was shown', () => {
    const turns = [{ role: 'user', text: 'what is this?', images: 2 }] as const;
    expect(first({ turns }).text).toContain('It was shown 2 images.');
  });

  test('gives as many choices as it was asked for', () => {
    const { choices } = answerTo('openai', question({ choices: 3 }));
    expect(new Set(choices.map(({ text }) => text)).size).toBe(3);
  });

  test('reads from the cache what a long prompt begins with', () => {
    const start = 'x'.repeat(8_000);
    const { usage } = answerTo('openai', question({ text: `${start} and more` }), [`user: ${start}, else`]);
    expect(usage.cachedTokens).toBe(Math.floor((start.length + 'user: '.length) / 4));
    expect(answerTo('openai', question({ text: 'hi' }), ['user: hi']).usage.cachedTokens).toBe(0);
  });
});

test('the pieces of a text add up to it, and so do their tokens', () => {
  const text = `  some words, and a ${'very'.repeat(20)} long one\n`;
  const pieces = piecesOf(text);
  expect(pieces.map((piece) => piece.text).join('')).toBe(text);
  expect(pieces.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(tokensOf(text));
});
