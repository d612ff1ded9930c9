import { describe, expect, test } from 'vitest';
import type { Failure } from '../failure.ts';
import {
  forgetOld,
  type LearnedWindow,
  learnFromRefusal,
  misfitOf,
  newLearnedWindow,
  numbersIn,
  type Prompt,
  unlearnBySuccess,
  windowOf,
} from './learned-window.ts';

const HOUR = 3_600_000;
const prompt = (estimatedTokens: number, more: Partial<Prompt> = {}): Prompt => ({
  estimatedTokens,
  countedAnswerTokens: 0,
  hasMedia: false,
  ...more,
});
const refusal = (message: string, code?: string): Failure => ({
  kind: 'too-long',
  message: 'openai answered 400',
  vendorError: { message, ...(code !== undefined && { code }) },
});
const after = (asked: Prompt, failure: Failure, nowMs = 0): LearnedWindow => {
  const learned = newLearnedWindow();
  learnFromRefusal(learned, asked, failure, nowMs);
  return learned;
};

const ANTHROPIC = refusal('prompt is too long: 208310 tokens > 200000 maximum');
const WORDLESS = refusal('Your input exceeds the context window of this model.', 'context_length_exceeded');

describe('the numbers in a refusal', () => {
  test.each([
    [
      "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. Please reduce the length of the messages.",
      8_192,
      10_000,
    ],
    [
      "This model's maximum context length is 8192 tokens. However, you requested 10000 tokens (6000 in the messages, 4000 in the completion).",
      8_192,
      6_000,
    ],
    ["This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.", 4_096, 5_000],
    ["This endpoint's maximum context length is 4096 tokens. Shorten it.", 4_096, undefined],
    ['prompt is too long: 208310 tokens > 200000 maximum', 200_000, 208_310],
    [
      'input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again',
      200_000,
      188_240,
    ],
    ['The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).', 1_048_576, 1_048_577],
    ['The input token count exceeds the maximum number of tokens allowed (1,048,576).', 1_048_576, undefined],
    ['too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 130172.', 128_000, 130_172],
    [
      'Prompt contains 33000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
      32_768,
      33_000,
    ],
  ])('%s', (message, window, billed) => {
    expect(numbersIn(message)).toEqual({ window, billed });
  });

  test.each([
    'too many tokens: size limit exceeded by 11326 tokens.',
    'Your input exceeds the context window of this model.',
    '',
    `${'x'.repeat(2_000)} maximum context length is 8192 tokens`,
  ])('none in %j', (message) => {
    expect(numbersIn(message)).toBeUndefined();
  });
});

describe('what a refusal teaches', () => {
  test('the window, how this vendor counts, and the smallest prompt that it refused', () => {
    expect(after(prompt(190_000), ANTHROPIC, 5)).toEqual({
      tokens: 200_000,
      refusedEstimatedTokens: 190_000,
      billedPerEstimated: 208_310 / 190_000,
      learnedAtMs: 5,
    });
  });

  test('without numbers, the prompt that was refused; of several the smallest', () => {
    const learned = after(prompt(9_000), WORDLESS);
    learnFromRefusal(learned, prompt(8_000), WORDLESS, 1);
    learnFromRefusal(learned, prompt(8_500), WORDLESS, 2);
    expect(learned).toMatchObject({ tokens: undefined, refusedEstimatedTokens: 8_000, learnedAtMs: 2 });
  });

  test('of pictures only what the vendor says of its window: how many tokens they have is a guess', () => {
    const learned = after(prompt(3_000, { hasMedia: true }), ANTHROPIC);
    expect(learned).toMatchObject({
      tokens: 200_000,
      refusedEstimatedTokens: Number.POSITIVE_INFINITY,
      billedPerEstimated: 1,
    });
    expect(after(prompt(9_000, { hasMedia: true }), WORDLESS)).toEqual(newLearnedWindow());
  });

  test.each<[string, Prompt, Failure]>([
    ['a count that no estimate could miss so far', prompt(10), ANTHROPIC],
    ['a window of nothing', prompt(9_000), refusal('maximum context length is 0 tokens')],
    ['a window that the prompt would fit into', prompt(1_000), refusal('maximum context length is 900000 tokens')],
    ['a number too large for any', prompt(9_000), refusal(`maximum context length is ${'9'.repeat(400)} tokens`)],
    [
      'a body that is too large in bytes',
      prompt(9_000),
      refusal('Request exceeds the maximum size', 'request_too_large'),
    ],
    ['a prompt so short that its length was not the matter', prompt(100), WORDLESS],
    ['no words at all', prompt(9_000), { kind: 'too-long', message: 'x answered 413' }],
    ['another kind of failure', prompt(9_000), { ...ANTHROPIC, kind: 'rejected' }],
  ])('nothing: %s', (_, asked, failure) => {
    expect(after(asked, failure)).toEqual(newLearnedWindow());
  });

  test('no number from anything but what the vendor said', () => {
    const failure: Failure = { ...WORDLESS, message: 'prompt is too long: 208310 tokens > 200000 maximum' };
    expect(after(prompt(190_000), failure).tokens).toBeUndefined();
  });
});

describe('what was learned is forgotten', () => {
  test('after an hour', () => {
    const learned = after(prompt(190_000), ANTHROPIC, 0);
    forgetOld(learned, HOUR);
    expect(learned.tokens).toBe(200_000);
    forgetOld(learned, HOUR + 1);
    expect(learned).toEqual(newLearnedWindow());
  });

  test('when as large a prompt is answered, and not when a smaller one is', () => {
    const learned = after(prompt(9_000), WORDLESS);
    unlearnBySuccess(learned, prompt(8_999));
    expect(learned.refusedEstimatedTokens).toBe(9_000);
    unlearnBySuccess(learned, prompt(50_000, { hasMedia: true }));
    expect(learned.refusedEstimatedTokens).toBe(9_000);
    unlearnBySuccess(learned, prompt(9_000));
    expect(learned).toEqual(newLearnedWindow());
  });
});

describe('whether a prompt fits', () => {
  const fresh = newLearnedWindow();

  test('into a window that is known: unless the estimate is a tenth beyond it', () => {
    expect(misfitOf(prompt(210_000), 200_000, fresh)).toBeUndefined();
    expect(misfitOf(prompt(230_000), 200_000, fresh)).toBe(
      'needs about 230000 tokens (estimate), and its window has 200000',
    );
    expect(misfitOf(prompt(1e9), undefined, fresh)).toBeUndefined();
  });

  test('beside the answer, where the vendor counts it: that number is no estimate', () => {
    expect(misfitOf(prompt(4_000, { countedAnswerTokens: 5_000 }), 8_000, fresh)).toMatch(/^needs about 9000 tokens/);
    expect(misfitOf(prompt(4_000, { countedAnswerTokens: 4_000 }), 8_000, fresh)).toBeUndefined();
  });

  test('with pictures: unless it is twice as much', () => {
    expect(misfitOf(prompt(15_000, { hasMedia: true }), 8_000, fresh)).toBeUndefined();
    expect(misfitOf(prompt(17_000, { hasMedia: true }), 8_000, fresh)).toBeDefined();
  });

  test('into a window that the vendor told, by how this vendor counts', () => {
    const learned = after(prompt(160_000), ANTHROPIC);
    expect(windowOf(1_000_000, learned)).toBe(200_000);
    expect(windowOf(100_000, learned)).toBe(100_000);
    expect(misfitOf(prompt(150_000), undefined, learned)).toBeUndefined();
    // 175 000 by our estimate, 228 000 by their count.
    expect(misfitOf(prompt(175_000), undefined, learned)).toBe(
      'needs about 227839 tokens (estimate), and its window has 200000, as it has told',
    );
  });

  test('where as much was refused', () => {
    const learned = after(prompt(9_000), WORDLESS);
    expect(misfitOf(prompt(8_999), undefined, learned)).toBeUndefined();
    expect(misfitOf(prompt(9_500), undefined, learned)).toBe(
      'needs about 9500 tokens (estimate), and it has refused about 9000',
    );
  });
});
