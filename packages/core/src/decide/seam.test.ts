import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anchorOf, deliveredOf, newSeam, type SeamKind } from './seam.ts';

/** What the caller gets of an answer that comes in these pieces; undefined where it cannot be joined. */
const joined = (delivered: string, kind: SeamKind['how'], pieces: readonly string[]): string | undefined => {
  const { told, tail } = deliveredOf(delivered);
  const seam = newSeam({ told, tail }, kind === 'instruction' ? { how: kind, anchor: anchorOf(told) } : { how: kind });
  let text = delivered;
  for (const piece of pieces) {
    const news = seam.push(piece);
    if (news === undefined) return undefined;
    text += news;
  }
  const last = seam.end();
  return last === undefined ? undefined : text + last;
};

const POEM = 'Whose woods these are I think I know.\n\nHis house is in the village though; he will not see me.';
const CUT = POEM.indexOf('village') + 3;
const BEFORE = POEM.slice(0, CUT);
const AFTER = POEM.slice(CUT);

describe('a model that has the delivered text as its own turn', () => {
  test('says only what is new', () => {
    expect(joined(BEFORE, 'prefill', [AFTER])).toBe(POEM);
  });

  test('is not told of the white space at its end, and may say it again, in part, or not at all', () => {
    expect(joined('One.\n\n', 'prefill', ['\n\nTwo.'])).toBe('One.\n\nTwo.');
    expect(joined('One.\n\n', 'prefill', ['\n', '\n', 'Two.'])).toBe('One.\n\nTwo.');
    expect(joined('One.\n\n', 'prefill', ['\nTwo.'])).toBe('One.\n\nTwo.');
    expect(joined('One.\n\n', 'prefill', ['Two.', '\n\nThree.'])).toBe('One.\n\nTwo.\n\nThree.');
    expect(joined('One.\n', 'prefill', ['\n', '\nTwo.'])).toBe('One.\n\nTwo.');
  });

  test('is not told of half a character, which it then says whole', () => {
    const [high = '', low = ''] = '😀'.split('');
    expect(deliveredOf(`so ${high}`)).toEqual({ told: 'so', tail: ` ${high}` });
    expect(joined(`so ${high}`, 'prefill', [' 😀', ' yes'])).toBe('so 😀 yes');
    expect(joined(`so${high}`, 'prefill', [high, `${low}!`])).toBe('so😀!');
  });
});

describe('a model that was asked to go on', () => {
  const anchor = anchorOf(BEFORE);

  test('begins with the last words, which are not said twice', () => {
    expect(joined(BEFORE, 'instruction', [anchor + AFTER])).toBe(POEM);
    expect(joined(BEFORE, 'instruction', ['\n', ...anchor, ...AFTER])).toBe(POEM);
  });

  test('goes on without them', () => {
    expect(joined(BEFORE, 'instruction', [AFTER])).toBe(POEM);
    expect(joined(BEFORE, 'instruction', [...AFTER])).toBe(POEM);
  });

  test('begins anew: all that was delivered is skipped', () => {
    expect(joined(BEFORE, 'instruction', [POEM])).toBe(POEM);
    expect(joined(BEFORE, 'instruction', [...POEM])).toBe(POEM);
  });

  test('begins anew and says something else: it cannot be joined', () => {
    expect(joined(BEFORE, 'instruction', ['Whose woods these were, I forgot.'])).toBeUndefined();
    expect(joined(BEFORE, 'instruction', [...'Whose woods these were'])).toBeUndefined();
  });

  test('begins anew and ends before it comes to anything new: it cannot be joined', () => {
    expect(joined(BEFORE, 'instruction', ['Whose woods these are'])).toBeUndefined();
  });

  test('has nothing to add', () => {
    expect(joined(POEM, 'instruction', [anchorOf(POEM)])).toBe(POEM);
    expect(joined(POEM, 'instruction', [])).toBe(POEM);
  });

  test('says the white space at the seam, or takes it as said', () => {
    const before = 'A list of things follows, in no order:\n\n';
    const words = anchorOf(before.trimEnd());
    expect(joined(before, 'instruction', [`${words}\n\n- one`])).toBe(`${before}- one`);
    expect(joined(before, 'instruction', [`${words}\n- one`])).toBe(`${before}- one`);
    expect(joined(before, 'instruction', [`${words}`, '- one'])).toBe(`${before}- one`);
  });
});

describe('an anchor', () => {
  test('is the last words', () => {
    expect(anchorOf('one two three four five six seven eight')).toBe('three four five six seven eight');
    expect(anchorOf('one')).toBe('one');
  });

  test('grows until it is nowhere else in the text, so that it cannot be the beginning', () => {
    const refrain = 'row row row your boat, gently';
    const text = `${refrain} down the stream ${refrain}`;
    expect(anchorOf(text).length).toBeGreaterThan(refrain.length);
    expect(text.indexOf(anchorOf(text))).toBe(text.length - anchorOf(text).length);
  });

  test('is the whole text where that only repeats itself', () => {
    expect(anchorOf('la la la la la la la la la')).toBe('la la la la la la la la la');
  });

  test('is short where words have no spaces between them', () => {
    expect(
      anchorOf(Array.from({ length: 500 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('')).length,
    ).toBeLessThan(100);
  });

  test('never begins with white space or half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        const { told } = deliveredOf(text);
        const anchor = anchorOf(told);
        expect(told.endsWith(anchor)).toBe(true);
        expect(anchor.trimStart()).toBe(anchor);
        if (/^[\uDC00-\uDFFF]/.test(anchor)) expect(told.slice(0, -anchor.length)).not.toMatch(/[\uD800-\uDBFF]$/);
      }),
    );
  });
});

// A text, where it is cut, and into which pieces the rest comes.
const word = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }),
  fc.constantFrom('the', 'a', '\n', 'la', '😀'),
);
const refrain = fc.constantFrom('la', 'row', 'your boat', 'gently down the stream');
const prose = fc
  .oneof(fc.array(word, { minLength: 1, maxLength: 60 }), fc.array(refrain, { minLength: 1, maxLength: 40 }))
  .map((words) => words.join(' '));
const split = fc.record({
  text: prose,
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  sizes: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
});

const piecesOf = (text: string, sizes: readonly number[]): string[] => {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
};

describe('wherever a text is cut, and however the rest comes, delivered and new text are the text', () => {
  const parts = ({ text, at }: { text: string; at: number }): { before: string; told: string } => {
    const before = text.slice(0, Math.floor(at * (text.length + 1)));
    return { before, told: deliveredOf(before).told };
  };

  test('from a model that goes on from its own turn', () => {
    fc.assert(
      fc.property(split, (given) => {
        const { before, told } = parts(given);
        const says = given.text.slice(told.length);
        expect(joined(before, told === '' ? 'anew' : 'prefill', piecesOf(says, given.sizes))).toBe(given.text);
      }),
    );
  });

  test('from a model that begins with the anchor', () => {
    fc.assert(
      fc.property(split, (given) => {
        const { before, told } = parts(given);
        const says = anchorOf(told) + given.text.slice(told.length);
        expect(joined(before, 'instruction', piecesOf(says, given.sizes))).toBe(given.text);
      }),
    );
  });

  test('from a model that begins anew', () => {
    fc.assert(
      fc.property(split, (given) => {
        const { before } = parts(given);
        expect(joined(before, 'instruction', piecesOf(given.text, given.sizes))).toBe(given.text);
      }),
    );
  });

  test('from a model that goes on without the anchor, unless what is new begins like what is not', () => {
    fc.assert(
      fc.property(split, (given) => {
        const { before, told } = parts(given);
        const says = given.text.slice(told.length);
        const begins = says.trimStart();
        // What nobody can know: whether a model repeats the text, or the text itself does.
        for (const known of [anchorOf(told), told.trimStart()]) {
          fc.pre(known === '' || !(begins.startsWith(known) || begins.slice(0, 12) === known.slice(0, 12)));
        }
        expect(joined(before, 'instruction', piecesOf(says, given.sizes))).toBe(given.text);
      }),
    );
  });
});
