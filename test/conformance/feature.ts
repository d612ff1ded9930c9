import type { Fault } from '@switchyard/simulator';
import type { Answer, Body, CallerFormat, Heard, Said } from './callers.ts';
import type { Tongue, Way } from './ways.ts';

/** What one feature comes to on each of the ways, from each of the formats that have a word for it. */
export interface Feature {
  readonly name: string;
  /** How each format says it. A format that is missing has no word for it. */
  readonly says: Said;
  /** What a caller says in headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What becomes of it where the vendor does not speak the caller's format; where it does, everything is kept. */
  readonly at: Readonly<Record<Tongue, Expected>>;
  /** Where one pair differs from what `at` says, or from being kept. */
  readonly except?: { readonly [pair in `${CallerFormat} ${Tongue}`]?: Expected };
  /** Where the client's own helper for streams cannot read the answer, and why. */
  readonly unread?: { readonly [pair in `${CallerFormat} ${Tongue}`]?: string };
  /** It is asked once beforehand. */
  readonly warm?: boolean;
  /** What breaks the vendor. */
  readonly fault?: Fault;
  /** What the caller says next, with the client's own object given back as it came. */
  goesOn?(answer: Answer, format: CallerFormat): Said;
  /** What must hold of that: what the client got, and what the vendor received. */
  holds?(heard: Heard, cell: Cell, received: unknown): void;
  /** What the caller's client must have got, plainly and in a stream. */
  answer?(heard: Heard, cell: Cell): void;
}

export interface Cell {
  readonly format: CallerFormat;
  readonly way: Way;
  readonly tongue: Tongue;
  readonly stream: boolean;
}

export type Expected =
  /** The body went to the vendor as it came. `status` where the vendor itself refuses it. */
  | { readonly verdict: 'kept'; readonly status?: number }
  /** It was said in the vendor's words: the body that the vendor received matches `body`. */
  | { readonly verdict: 'mapped'; readonly body: Body; readonly lacks?: readonly string[] }
  /** The vendor was asked without it, and the trace names it. */
  | {
      readonly verdict: 'left out';
      readonly what: readonly string[];
      readonly why: string;
      readonly body: Body;
      readonly lacks?: readonly string[];
    }
  /** The target cannot take it: with no other target, the caller gets a 400 that names it. */
  | { readonly verdict: 'skipped'; readonly what: readonly string[]; readonly why: string }
  /** Nobody is asked: the caller gets a 400 that names the path. */
  | { readonly verdict: 'refused'; readonly path: string; readonly why: string }
  /** The vendor was asked, and failed; the caller gets this status, and a body in which each of the words is. */
  | { readonly verdict: 'failed'; readonly status: number; readonly says: readonly string[]; readonly why: string };

export const kept = (status?: number): Expected => ({ verdict: 'kept', ...(status !== undefined && { status }) });

/** `lacks`: what must not be in the vendor's body, as JSON. */
export const as = (body: Body, ...lacks: readonly string[]): Expected => ({ verdict: 'mapped', body, lacks });

export const leftOut = (
  what: string | readonly string[],
  why: string,
  body: Body = {},
  ...lacks: readonly string[]
): Expected => ({ verdict: 'left out', what: [what].flat(), why, body, lacks });

export const skipped = (what: string | readonly string[], why: string): Expected => ({
  verdict: 'skipped',
  what: [what].flat(),
  why,
});

export const refused = (path: string, why: string): Expected => ({ verdict: 'refused', path, why });

export const failed = (status: number, why: string, ...says: readonly string[]): Expected => ({
  verdict: 'failed',
  status,
  says,
  why,
});

/** The format that a vendor speaks itself. */
const OWN: Readonly<Record<Tongue, CallerFormat | undefined>> = {
  openai: 'chat',
  responses: 'responses',
  anthropic: 'messages',
  cohere: undefined,
  gemini: undefined,
};

export const isOwn = (format: CallerFormat, tongue: Tongue): boolean => OWN[tongue] === format;

/** What a cell must come to; undefined where the format has no word for the feature. */
export const expectedOf = (
  { says, at, except = {} }: Feature,
  format: CallerFormat,
  tongue: Tongue,
): Expected | undefined => {
  if (says[format] === undefined) return undefined;
  return except[`${format} ${tongue}`] ?? (isOwn(format, tongue) ? kept() : at[tongue]);
};

/** The same for every vendor. */
export const everywhere = (expected: Expected): Feature['at'] => ({
  openai: expected,
  responses: expected,
  anthropic: expected,
  cohere: expected,
  gemini: expected,
});

/** How an answer ended, as each format says it. */
const ENDS = {
  stop: { chat: 'stop', messages: 'end_turn', responses: 'completed', glide: 'complete' },
  length: { chat: 'length', messages: 'max_tokens', responses: 'incomplete: max_output_tokens', glide: 'max_tokens' },
  calls: { chat: 'tool_calls', messages: 'tool_use', responses: 'completed', glide: 'tool_calls' },
  filtered: {
    chat: 'content_filter',
    messages: 'refusal',
    responses: 'incomplete: content_filter',
    glide: 'content_filtered',
  },
} as const satisfies Record<string, Record<CallerFormat, string>>;

export const endOf = (end: keyof typeof ENDS, { format }: Cell): string => ENDS[end][format];
