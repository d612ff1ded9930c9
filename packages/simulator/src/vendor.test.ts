import { expect, test } from 'vitest';
import { seededDice } from './dice.ts';
import { answerMs, drawPace } from './vendor.ts';

test('a vendor is as fast as it is told', () => {
  const pace = drawPace({ firstTokenMs: 300, tokensPerSecond: 80 }, seededDice(1));
  expect(pace).toEqual({ firstTokenMs: 300, msPerToken: 12.5 });
  expect(answerMs(pace, 100)).toBe(1_550);
});

test('the first token of half of 10 000 calls comes before the median, ± 0.02, and of 1 in 20 after 2.3 times that', () => {
  const dice = seededDice(1);
  const model = { firstTokenMs: { median: 300, sigma: 0.5 }, tokensPerSecond: 80 };
  const draws = Array.from({ length: 10_000 }, () => drawPace(model, dice).firstTokenMs);
  const share = (below: number): number => draws.filter((ms) => ms < below).length / draws.length;
  expect(share(300)).toBeCloseTo(0.5, 1.5);
  expect(share(300 * 2.276)).toBeCloseTo(0.95, 2);
});

test('the same seed draws the same numbers, another seed others', () => {
  const draw = (seed: number): readonly number[] => {
    const dice = seededDice(seed);
    return [dice(), dice(), dice()];
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});
