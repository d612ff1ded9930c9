import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChatRequest, UserPart } from './request.ts';
import { contentsOf, tokensOfTexts } from './tokens.ts';

const says = (...content: UserPart[]): ChatRequest => ({ messages: [{ role: 'user', content }] });
const text = (of: string): UserPart => ({ type: 'text', text: of });
const tokensOf = (request: ChatRequest): number => contentsOf(request).estimatedTokens;

const PROSE = 'The quick brown fox jumps over the lazy dog, and nobody has asked it why it did so. ';

describe('an estimate of tokens', () => {
  test('of prose is about one for four or five characters, however long it is', () => {
    for (const times of [10, 100, 10_000]) {
      const prompt = PROSE.repeat(times);
      expect(tokensOfTexts([prompt]) / prompt.length).toBeGreaterThan(1 / 5.5);
      expect(tokensOfTexts([prompt]) / prompt.length).toBeLessThan(1 / 3.5);
    }
  });

  test('of a long mixture is about that of its parts', () => {
    const chinese = '他们在公园里散步，然后去了图书馆。'.repeat(600);
    const english = PROSE.repeat(120);
    const apart = tokensOfTexts([chinese]) + tokensOfTexts([english]);
    expect(tokensOfTexts([chinese, english]) / apart).toBeGreaterThan(0.8);
    expect(tokensOfTexts([chinese, english]) / apart).toBeLessThan(1.25);
  });

  test('does not depend on how a text is cut into parts', () => {
    const prompt = PROSE.repeat(200);
    const lines = prompt.match(/.{1,700}/gs) ?? [];
    expect(tokensOfTexts(lines) / tokensOfTexts([prompt])).toBeCloseTo(1, 1);
  });

  test('is a whole number that grows with the prompt, whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 400 })),
        fc.integer({ min: 1, max: 40 }),
        (texts, times) => {
          const once = tokensOfTexts(texts);
          const often = tokensOfTexts(Array.from({ length: times }, () => texts).flat());
          expect(Number.isInteger(once) && Number.isInteger(often)).toBe(true);
          expect(once).toBeGreaterThanOrEqual(0);
          // Within what a sample of eight pieces may miss.
          expect(often).toBeGreaterThanOrEqual(Math.floor(once * 0.7));
        },
      ),
    );
  });

  test('looks at no more of megabytes than of a page', () => {
    // 10 MB in 10 000 messages: it would take a second to look at all of it. No clock: what is sliced is counted.
    let looked = 0;
    const sliced = String.prototype.slice;
    const piece = new Proxy(new String('x'.repeat(1_000)), {
      get: (target, name) =>
        name === 'slice'
          ? (from: number, to: number) => {
              const cut = sliced.call(target.valueOf(), from, to);
              looked += cut.length;
              return cut;
            }
          : Reflect.get(target, name),
    }) as unknown as string;
    expect(tokensOfTexts(Array.from({ length: 10_000 }, () => piece))).toBeGreaterThan(1_000_000);
    expect(looked).toBe(1_024);
  });

  test('counts tools and the schema of the answer by their JSON', () => {
    const bare = tokensOf(says(text('hi')));
    const parameters = {
      type: 'object',
      properties: Object.fromEntries(['a', 'b', 'c'].map((name) => [name, { description: PROSE }])),
    };
    const withTool = tokensOf({ ...says(text('hi')), tools: [{ name: 'f', parameters }] });
    const withSchema = tokensOf({
      ...says(text('hi')),
      output: { type: 'json-schema', name: 'n', schema: parameters },
    });
    expect(withTool - bare).toBeGreaterThan(60);
    expect(withSchema - bare).toBeGreaterThan(60);
  });

  test('never reads base64: a picture of any weight costs the same, sound by its length, a PDF by its pages', () => {
    const megabyte = 'A'.repeat(1_048_576);
    const bare = tokensOf(says());
    expect(tokensOf(says({ type: 'image', url: `data:image/png;base64,${megabyte}` })) - bare).toBe(1_500);
    expect(tokensOf(says({ type: 'image', url: 'https://a/b.png', detail: 'low' })) - bare).toBe(85);
    // A minute at 128 kbit/s is 960 000 bytes, 1 280 000 characters: 32 tokens a second.
    expect(tokensOf(says({ type: 'audio', format: 'mp3', data: 'A'.repeat(1_280_000) })) - bare).toBe(60 * 32);
    expect(tokensOf(says({ type: 'file', data: `data:application/pdf;base64,${megabyte}` })) - bare).toBe(16 * 2_000);
    expect(tokensOf(says({ type: 'file', url: 'https://a/b.pdf' })) - bare).toBe(2_000);
  });

  test('of what cannot be JSON is still a number', () => {
    const parameters: Record<string, unknown> = {};
    parameters.self = parameters;
    expect(tokensOf({ ...says(text('hi')), tools: [{ name: 'f', parameters }] })).toBeGreaterThan(0);
    expect(tokensOf({ messages: [{ role: 'user', content: 'hello' as never }] })).toBeGreaterThan(0);
  });
});

test('the walk over a prompt says what is in it', () => {
  expect(contentsOf(says(text('hi')))).toMatchObject({ images: false, files: false, audio: false, toolTurns: false });
  const shown = contentsOf({
    messages: [
      { role: 'assistant', content: [], toolCalls: [{ id: '1', name: 'look', arguments: '{}' }] },
      { role: 'tool', toolCallId: '1', content: [{ type: 'image', url: 'https://a/b.png' }] },
    ],
  });
  expect(shown).toMatchObject({ images: true, toolTurns: true });
});
