import type { Turn } from './answer.ts';

/** How a vendor's models take it when they are to carry on with an answer that is there in part. */
export interface Manners {
  /**
   * What a model calls itself at the beginning of its answers. Vendors that are given one name answer one question in the
   * same words, so that one can carry on for another to the letter. Default: `vendor/model`.
   */
  readonly speaker?: string;
  /**
   * What becomes of a conversation that ends with a turn of the model's own: it is carried on with, it is answered anew as
   * if that turn were over, or it is refused with a 400. Default: `anew` at OpenAI, `continues` elsewhere.
   */
  readonly prefill?: 'continues' | 'anew' | 'refuses';
  /**
   * What a model does that is asked to carry on, and to begin with the last words: so, without those words, with all of its
   * answer again, or with another answer that begins alike. Default: `anchor`.
   */
  readonly carriesOn?: 'anchor' | 'bare' | 'anew' | 'otherwise';
}

/** What a conversation asks for: an answer, or the rest of one. */
export interface Hearing {
  /** Without the answer that is there in part, and without what was said of it. */
  readonly turns: readonly Turn[];
  /** The part that is there. */
  readonly said: string;
  /** The last words of it that the answer is to begin with; undefined where the model's own turn is open. */
  readonly anchor: string | undefined;
}

/** How people ask a model to carry on whose answer was cut off. */
const CARRY_ON = /\bcut off\b.*\bcarry on\b.*<last_words>(.*)<\/last_words>/is;

/** Undefined where nothing is to be carried on with. */
export const hearingOf = (turns: readonly Turn[]): Hearing | undefined => {
  const last = turns.at(-1);
  const anchor = last?.role === 'user' ? CARRY_ON.exec(last.text)?.[1] : undefined;
  const end = anchor === undefined ? turns.length : turns.length - 1;
  const start = turns.slice(0, end).findLastIndex(({ role }) => role !== 'assistant') + 1;
  const said = turns
    .slice(start, end)
    .map(({ text }) => text)
    .join('');
  return said === '' ? undefined : { turns: turns.slice(0, start), said, anchor };
};

/** What a model says that would have said `text`, and finds that `said` is there. */
export const carryOn = (
  text: string,
  { said, anchor }: Hearing,
  { prefill, carriesOn = 'anchor' }: Manners,
): string => {
  if (anchor === undefined) return prefill === 'anew' ? text : restOf(text, said);
  switch (carriesOn) {
    case 'anchor':
      return anchor + restOf(text, said);
    case 'bare':
      return restOf(text, said);
    case 'anew':
      return text;
    case 'otherwise':
      return `${text.slice(0, Math.ceil(said.length / 2))}… no, I would rather say something else.`;
  }
};

/** Fewer characters than these are in any text. */
const TELLING = 8;

/** Where a text goes on from what was said. Of words that are another model's, the longest end that is in it counts. */
const restOf = (text: string, said: string): string => {
  if (text.startsWith(said)) return text.slice(said.length);
  for (let from = 1; from <= said.length - TELLING; from++) {
    const at = text.indexOf(said.slice(from));
    if (at >= 0) return text.slice(at + said.length - from);
  }
  return text;
};
