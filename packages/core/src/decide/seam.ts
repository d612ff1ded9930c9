/**
 * Where one model's answer goes on from another's: what has been delivered, what the next model is told of it, and which
 * part of what it says is new. A seam is right when delivered and new text together are one text, in which nothing is said
 * twice and nothing is missing.
 */

/** Ends in the middle of a character of two code units. */
const HALF_CHARACTER = /[\uD800-\uDBFF]$/;

/** What was delivered, cut into what a model can be told of it and what is left over. */
export interface Delivered {
  /** Without what no model may be left with at the end of its turn: white space, which Anthropic refuses, and half a character. */
  readonly told: string;
  /** What the caller has beyond that. The model is likely to begin with it. */
  readonly tail: string;
}

export const deliveredOf = (text: string): Delivered => {
  const told = text.replace(HALF_CHARACTER, '').trimEnd();
  return { told, tail: text.slice(told.length) };
};

/** A few words: enough to be known again, and few to be paid for twice. */
const ANCHOR_WORDS = 6;

/**
 * The last words of a text, which a model is asked to begin with. As many as it takes for them to be nowhere else in the
 * text, so that a model that goes on from them cannot be taken for one that says it all again; in a text that repeats
 * itself they may be all of it. Words of languages without spaces count by characters.
 */
export const anchorOf = (told: string): string => {
  for (let words = ANCHOR_WORDS; ; words *= 2) {
    const anchor = lastWords(told, words);
    if (anchor.length === told.trimStart().length) return anchor;
    if (told.indexOf(anchor) === told.length - anchor.length) return anchor;
  }
};

/** The longest word that counts as one, in characters. */
const LONGEST_WORD = 12;

const lastWords = (text: string, words: number): string => {
  let at = text.length;
  for (let i = 0; i < words && at > 0; i++) {
    while (at > 0 && isSpace(text, at - 1)) at -= 1;
    const end = at;
    while (at > 0 && end - at < LONGEST_WORD && !isSpace(text, at - 1)) at -= 1;
  }
  // Not in the middle of a character.
  if (at > 0 && HALF_CHARACTER.test(text.slice(0, at))) at -= 1;
  return text.slice(at).trimStart();
};

const isSpace = (text: string, at: number): boolean => text.charAt(at).trim() === '';

/** How a model was asked to go on. */
export type SeamKind =
  /** It has the delivered text as the beginning of its own turn, so that all it says is new. */
  | { readonly how: 'prefill' }
  /** It was asked to begin with these last words of the delivered text. */
  | { readonly how: 'instruction'; readonly anchor: string }
  /** It was not told of any delivered text. */
  | { readonly how: 'anew' };

/** A model that says so much of the delivered text again, in characters, does not do so by chance. */
const BY_CHANCE = 12;

/** Joins the answer of the next model to what was delivered. */
export interface Seam {
  /**
   * The part of the next piece of its answer that is new: '' while that cannot be told yet, undefined when the answer does
   * not join what was delivered.
   */
  push(piece: string): string | undefined;
  /** What is still held back where the text ends, or something else follows it. */
  end(): string | undefined;
}

/**
 * A model that was asked to begin with an anchor may do so, may go on without it, or may begin its answer anew: then all
 * that was delivered is skipped, for as long as it says the same. What begins as either and departs from it is another
 * answer, and cannot be joined. White space at the seam counts once, whoever has said it.
 */
export const newSeam = (delivered: Delivered, kind: SeamKind): Seam => {
  const { told, tail } = delivered;
  const known = kind.how === 'instruction' ? [kind.anchor, told.trimStart()].filter((text) => text !== '') : [];
  /** What has been said before the seam is found. */
  let said = '';
  /** How much of the tail has been said again; undefined while the seam is not found. */
  let inTail: number | undefined = known.length === 0 ? 0 : undefined;

  /** What is new of a text behind the seam. */
  const behind = (text: string): string => {
    if (inTail === undefined) inTail = 0;
    let at = 0;
    while (at < text.length && inTail < tail.length && text[at] === tail[inTail]) {
      at += 1;
      inTail += 1;
    }
    // Where it departs from the tail, the tail is over.
    if (at < text.length) inTail = tail.length;
    return text.slice(at);
  };

  const found = (text: string): string => {
    said = '';
    return behind(text);
  };

  return {
    push(piece) {
      if (inTail !== undefined) return behind(piece);
      said += piece;
      const words = said.trimStart();
      const again = known.find((text) => words.startsWith(text));
      if (again !== undefined) return found(words.slice(again.length));
      if (known.some((text) => text.startsWith(words))) return '';
      return known.some((text) => sameLength(text, words) >= BY_CHANCE) ? undefined : found(said);
    },
    end() {
      if (inTail !== undefined) return '';
      return said.trimStart().length >= BY_CHANCE ? undefined : found(said);
    },
  };
};

/** How many characters two texts have in common at their start. */
const sameLength = (a: string, b: string): number => {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
};
