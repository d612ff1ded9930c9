import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';

test('a digest is the first half of SHA-256, of texts of every length and in every script', () => {
  const expected = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
  for (let length = 0; length < 200; length++) expect(digestOf('x'.repeat(length))).toBe(expected('x'.repeat(length)));
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      expect(digestOf(text)).toBe(expected(text));
    }),
  );
});
