import { describe, expect, test } from 'vitest';
import { faultOf, learnLength, newVectorSpace, type Vector } from './embedding.ts';

const two = { inputs: ['one', 'two'] };

const faultWith = (
  vectors: readonly Vector[],
  { name = 'a', dimensions }: { name?: string; dimensions?: number } = {},
) => faultOf(vectors, { ...two, ...(dimensions !== undefined && { dimensions }) }, newVectorSpace(name), 'acme');

describe('the length of the vectors of a space', () => {
  test.each([
    ['text-embedding-3-small@1536', 1_536],
    ['a@b@3', 3],
    ['no-length', undefined],
    ['model@latest', undefined],
    ['model@0', undefined],
    ['3@x3', undefined],
  ])('in the name %s is %s', (name, length) => {
    expect(newVectorSpace(name)).toEqual({ name, length });
  });

  test('is that of the first answer, if nobody has said it, and stays so', () => {
    const space = newVectorSpace('a');
    learnLength(space, [[1, 2, 3]], two);
    learnLength(space, [[1, 2]], two);
    expect(space.length).toBe(3);
  });

  test('is not learned from a caller who asked for another', () => {
    const space = newVectorSpace('a');
    learnLength(space, [[1, 2]], { ...two, dimensions: 2 });
    expect(space.length).toBeUndefined();
  });
});

describe('vectors that must not be handed out', () => {
  const sound = [1, 0];

  test('are not those that are as they should be, listed or packed', () => {
    expect(faultWith([sound, sound])).toBeUndefined();
    expect(faultWith([Float32Array.of(1, 0), Float32Array.of(0, 1)], { name: 'a@2' })).toBeUndefined();
    expect(faultWith([sound, sound], { name: 'a@2', dimensions: 2 })).toBeUndefined();
    // A space may be asked for shorter vectors.
    expect(faultWith([sound, sound], { name: 'a@1536', dimensions: 2 })).toBeUndefined();
  });

  test.each<readonly [string, readonly Vector[], string]>([
    ['too few', [sound], '1 vectors for 2 inputs'],
    ['too many', [sound, sound, sound], '3 vectors for 2 inputs'],
    ['empty', [sound, []], 'an empty vector'],
    ['all empty', [[], []], 'an empty vector'],
    ['of two lengths', [sound, [1]], 'vectors of 2 and of 1 numbers in one answer'],
    ['infinite', [sound, [1, Number.POSITIVE_INFINITY]], 'no number'],
    ['not numbers', [sound, [1, Number.NaN]], 'no number'],
    ['packed, and not numbers', [Float32Array.of(1, Number.NaN), Float32Array.of(1, 0)], 'no number'],
  ])('%s', (_, vectors, message) => {
    expect(faultWith(vectors)).toMatchObject({ kind: 'broken', message: expect.stringContaining(message) });
  });

  test('are those of another length than the space has: the target is broken', () => {
    expect(faultWith([sound, sound], { name: 'a@3' })).toEqual({
      kind: 'broken',
      message: "acme sent vectors of 2 numbers; those of space 'a@3' have 3",
    });
  });

  test('are those of another length than was asked for: the target cannot do it, and is not to blame', () => {
    expect(faultWith([sound, sound], { dimensions: 3 })).toMatchObject({ kind: 'unsupported' });
  });
});
