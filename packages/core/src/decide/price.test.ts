import { expect, test } from 'vitest';
import { listPrice } from '../prices.ts';
import { type TargetPrice, usdOf } from './price.ts';

const price: TargetPrice = {
  inputUsdPerMTok: 2,
  cachedInputUsdPerMTok: 0.2,
  cacheWriteInputUsdPerMTok: 2.5,
  outputUsdPerMTok: 10,
};
const usage = { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 0, reasoningTokens: 0 };

test('an answer costs its input and its output, of which thoughts are part', () => {
  expect(usdOf(price, usage)).toBeCloseTo(0.003, 12);
  expect(usdOf(price, { ...usage, reasoningTokens: 90 })).toBeCloseTo(0.003, 12);
});

test('what the cache serves, and what is written to it, have prices of their own, or that of other input', () => {
  const cached = { ...usage, cachedInputTokens: 600, cacheWriteInputTokens: 300 };
  expect(usdOf(price, cached)).toBeCloseTo((100 * 2 + 600 * 0.2 + 300 * 2.5 + 100 * 10) / 1e6, 12);
  expect(usdOf({ inputUsdPerMTok: 2, outputUsdPerMTok: 10 }, cached)).toBeCloseTo(0.003, 12);
});

test('a free target costs nothing', () => {
  expect(usdOf({ inputUsdPerMTok: 0, outputUsdPerMTok: 0 }, usage)).toBe(0);
});

test('a long prompt may make all of the request dearer', () => {
  const longPrompts = { aboveInputTokens: 1_000, inputUsdPerMTok: 4, outputUsdPerMTok: 15 };
  expect(usdOf({ ...price, longPrompts }, usage)).toBeCloseTo(0.003, 12);
  expect(usdOf({ ...price, longPrompts }, { ...usage, inputTokens: 1_001 })).toBeCloseTo((1_001 * 4 + 1_500) / 1e6, 12);
});

test('the table knows models at their vendors’ own addresses, dated ones too, and no others', () => {
  const at = 'https://api.openai.com/v1';
  expect(listPrice(at, 'gpt-5-mini')).toEqual({
    inputUsdPerMTok: 0.25,
    cachedInputUsdPerMTok: 0.025,
    outputUsdPerMTok: 2,
  });
  expect(listPrice(at, 'gpt-5-mini-2025-08-07')).toEqual(listPrice(at, 'gpt-5-mini'));
  expect(listPrice(`${at}/`, 'gpt-4o-2024-05-13')?.inputUsdPerMTok).toBe(5);
  for (const unknown of ['gpt-5-minimal', 'my-gpt-5-mini', 'gpt-5-mini-search', 'gpt-4X1']) {
    expect(listPrice(at, unknown), unknown).toBeUndefined();
  }
  expect(listPrice('https://my.azure.test/openai', 'gpt-5-mini')).toBeUndefined();
  expect(listPrice('https://api.anthropic.com', 'claude-sonnet-4-20250514')?.outputUsdPerMTok).toBe(15);
  expect(listPrice('https://api.anthropic.com', 'claude-haiku-5-5')?.longPrompts).toEqual({
    aboveInputTokens: 100_000,
    inputUsdPerMTok: 0.5,
    cachedInputUsdPerMTok: 0.05,
    cacheWriteInputUsdPerMTok: 0.625,
    outputUsdPerMTok: 2.5,
  });
});
