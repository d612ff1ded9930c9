import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashOf } from './hash.ts';
import { meet, type Rendezvous, rendezvousOf } from './rendezvous.ts';
import { sharesP } from './sequential.ts';

const SUBJECTS = 10_000;

/** The forms that ids of users have: numbers in order, addresses, and what looks like a uuid. */
const FORMS: Readonly<Record<string, (i: number) => string>> = {
  numbers: (i) => String(i),
  addresses: (i) => `user.${i}@example.com`,
  uuids: (i) => {
    const hex = hashOf(String(i)).toString(16).padStart(14, '0');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(11, 14)}-8000-${i.toString(16).padStart(12, '0')}`;
  },
};

const arms = (weights: Readonly<Record<string, number>>, name = 'experiment'): Rendezvous =>
  rendezvousOf(
    name,
    Object.entries(weights).map(([id, weight]) => ({ id, weight })),
  );

const countsOf = (rendezvous: Rendezvous, subjectAt: (i: number) => string, subjects = SUBJECTS): number[] => {
  const counts = rendezvous.weights.map(() => 0);
  for (let i = 0; i < subjects; i++) {
    const met = meet(rendezvous, subjectAt(i), -1);
    counts[met] = (counts[met] ?? 0) + 1;
  }
  return counts;
};

describe.each(Object.entries(FORMS))('10 000 subjects that are %s', (_, subjectAt) => {
  test('are shared out as 50, 20 and 30, each share within 1 %', () => {
    const counts = countsOf(arms({ 'openai/gpt-5-mini': 50, 'anthropic/claude-sonnet-5-5': 20, cheap: 30 }), subjectAt);
    [0.5, 0.2, 0.3].forEach((share, i) => {
      expect(Math.abs((counts[i] ?? 0) / SUBJECTS - share)).toBeLessThanOrEqual(0.01);
    });
  });

  test.each([[[50, 50]], [[90, 10]], [[1, 1, 1, 1, 1]], [[0.2, 0.8]]])(
    'are shared out as %j, each share within 3.5 standard deviations of an honest coin',
    (weights) => {
      const sum = weights.reduce((all, weight) => all + weight, 0);
      const counts = countsOf(arms(Object.fromEntries(weights.map((weight, i) => [`arm-${i}`, weight]))), subjectAt);
      counts.forEach((count, i) => {
        const share = (weights[i] ?? 0) / sum;
        const deviation = Math.sqrt((share * (1 - share)) / SUBJECTS);
        expect(Math.abs(count / SUBJECTS - share)).toBeLessThanOrEqual(3.5 * deviation);
      });
    },
  );

  test('are within 1 % of 50 to 50 in 36 of 40 experiments at least: 38 are what chance leaves there', () => {
    let within = 0;
    for (let i = 0; i < 40; i++) {
      const [a = 0] = countsOf(arms({ a: 1, b: 1 }, `experiment ${i}`), subjectAt);
      if (Math.abs(a / SUBJECTS - 0.5) <= 0.01) within += 1;
    }
    expect(within).toBeGreaterThanOrEqual(36);
  });

  test('taking an arm away moves only its own subjects, each to the one that stood in for it', () => {
    const all = arms({ a: 50, b: 20, c: 30 });
    const without = arms({ a: 50, c: 30 });
    for (let i = 0; i < SUBJECTS; i++) {
      const subject = subjectAt(i);
      const before = meet(all, subject, -1);
      const after = ['a', 'c'][meet(without, subject, -1)];
      if (before !== 1) expect(after).toBe(['a', 'b', 'c'][before]);
      expect(after).toBe(['a', 'b', 'c'][meet(all, subject, 0b101)]);
    }
  });

  test('the subjects of an arm that is out are shared out by the weights of the others', () => {
    const all = arms({ a: 50, b: 20, c: 30 });
    const moved = [0, 0, 0];
    for (let i = 0; i < SUBJECTS; i++) {
      const subject = subjectAt(i);
      if (meet(all, subject, -1) !== 0) continue;
      const substitute = meet(all, subject, 0b110);
      moved[substitute] = (moved[substitute] ?? 0) + 1;
    }
    expect(moved[0]).toBe(0);
    const [, b = 0, c = 0] = moved;
    // 5000 of them, by 20 to 30; four standard deviations are 0.028.
    expect(Math.abs(b / (b + c) - 0.4)).toBeLessThan(0.028);
  });
});

test('arms in another order have the same subjects', () => {
  const one = arms({ a: 5, b: 3, c: 2 });
  const other = arms({ c: 2, a: 5, b: 3 });
  for (let i = 0; i < 1_000; i++) {
    expect('abc'[meet(one, `u${i}`, -1)]).toBe('cab'[meet(other, `u${i}`, -1)]);
  }
});

test('a larger weight takes subjects from the others and gives none away', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(100), fc.nat(100), fc.integer({ min: 1, max: 100 }), (subject, a, b, more) => {
      const before = meet(arms({ a: a + 1, b: b + 1 }), subject, -1);
      if (before === 0) expect(meet(arms({ a: a + 1 + more, b: b + 1 }), subject, -1)).toBe(0);
    }),
  );
});

test('weight 0 stands by, in order', () => {
  const rendezvous = arms({ a: 0, b: 1, c: 0 });
  for (let i = 0; i < 100; i++) {
    expect([
      meet(rendezvous, `u${i}`, 0b111),
      meet(rendezvous, `u${i}`, 0b101),
      meet(rendezvous, `u${i}`, 0b100),
    ]).toEqual([1, 0, 2]);
  }
  expect(meet(rendezvous, 'u', 0)).toBe(-1);
});

test('another experiment shares the same subjects out anew', () => {
  const one = arms({ a: 1, b: 1 }, 'one');
  const other = arms({ a: 1, b: 1 }, 'other');
  let same = 0;
  for (let i = 0; i < SUBJECTS; i++) if (meet(one, `u${i}`, -1) === meet(other, `u${i}`, -1)) same += 1;
  // Half of them; four standard deviations are 200.
  expect(Math.abs(same - SUBJECTS / 2)).toBeLessThan(200);
});

test('shares stray from the weights no more often than chance has it, over 400 experiments', () => {
  let strays = 0;
  for (let i = 0; i < 400; i++) {
    const counts = countsOf(arms({ a: 3, b: 2, c: 5 }, `experiment ${i}`), (n) => `user-${n}`, 1_000);
    if (sharesP(counts, [3, 2, 5]) < 0.05) strays += 1;
  }
  // 20 of 400 are expected; four standard deviations are 17.
  expect(strays).toBeLessThan(38);
  expect(strays).toBeGreaterThan(3);
});

describe('the hash', () => {
  test('is that of the source', () => {
    // From the page of cyrb53: https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js
    expect(hashOf('a')).toBe(7_929_297_801_672_961);
    expect(hashOf('b')).toBe(8_684_336_938_537_663);
    expect(hashOf('revenge')).toBe(4_051_478_007_546_757);
    expect(hashOf('revenue')).toBe(8_309_097_637_345_594);
  });

  test('is a whole number of 53 bits, and another seed gives another', () => {
    fc.assert(
      fc.property(fc.string(), fc.maxSafeNat(), (text, seed) => {
        const hash = hashOf(text, seed);
        expect(Number.isSafeInteger(hash) && hash >= 0).toBe(true);
        expect(hashOf(text, seed)).toBe(hash);
        expect(hashOf(text, seed === 0 ? 2 ** 40 : 0)).not.toBe(hash);
      }),
    );
  });
});
