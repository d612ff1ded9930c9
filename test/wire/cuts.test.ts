import fc, { type Arbitrary } from 'fast-check';
import { expect, test } from 'vitest';
import { type Cut, FAULTS, play, VENDORS } from './cut.ts';
import { judged } from './cut-truth.ts';
import { describeCut, RECOVERIES } from './every-cut.ts';
import { FORMATS } from './heard.ts';

// What the files beside do behind each byte of a few streams, of any text, cut anywhere by anything, in pieces of any length.

/** Where texts go wrong at a seam: white space, words said twice, characters of several bytes or of several characters. */
// biome-ignore format: one word after the other
const UNITS = [
  ' ', '\n', '\t', 'a', 'la ', 'la la ', 'é', 'n\u0308', '日', '😀', '👩‍🚀', '"', '\\', '</', '\u2028', 'data: ', '\n\n', '\r\n',
];
const words = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: fc.constantFrom(...UNITS), minLength: 1, maxLength: 40 }) },
  // Few spaces, nothing said twice, and longer than what the next model is told again: it cuts it into other pieces.
  { weight: 1, arbitrary: fc.string({ minLength: 90, maxLength: 200 }) },
);

const call = fc.record({
  name: fc.constant('look_up'),
  args: fc.dictionary(fc.constantFrom('where', 'when', '"'), fc.oneof(words, fc.nat(), fc.constant(null)), {
    noNullPrototype: true,
    maxKeys: 2,
  }),
});

const story = fc.oneof(
  { weight: 3, arbitrary: fc.record({ thought: fc.constant(''), text: words, calls: fc.constant([]) }) },
  { weight: 1, arbitrary: fc.record({ thought: words, text: words, calls: fc.constant([]) }) },
  { weight: 1, arbitrary: fc.record({ thought: fc.constant(''), text: fc.constant(''), calls: fc.tuple(call) }) },
);

const cuts: Arbitrary<Cut> = fc.record({
  one: fc.constantFrom(...VENDORS),
  two: fc.constantFrom(...VENDORS),
  format: fc.constantFrom(...FORMATS),
  recovery: fc.constantFrom(...RECOVERIES),
  story,
  at: fc.nat(3_500),
  fault: fc.constantFrom(...FAULTS),
  // A vendor's error event may be cut inside, too.
  most: fc.oneof(fc.constant(10_000), fc.nat(300)),
  pieces: fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 2_000 })), {
    minLength: 1,
    maxLength: 6,
  }),
});

test('any stream, cut anywhere in any pieces: the whole answer or one error', { timeout: 3_600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(cuts, async (cut) => {
      const { wrong } = judged(cut, await play(cut));
      expect(wrong, describeCut(cut, wrong)).toEqual([]);
    }),
    { numRuns: Number(process.env.CUTS ?? 2_000) },
  );
});
