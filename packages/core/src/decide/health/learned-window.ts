import type { Failure } from '../failure.ts';

/** What refusals have taught about the context window of a model: of one key's use of it, since tiers differ. */
export interface LearnedWindow {
  /** The window in tokens, as the vendor told it. */
  tokens: number | undefined;
  /** The smallest prompt that was refused, in estimated tokens. */
  refusedEstimatedTokens: number;
  /** Tokens that the vendor counted for each that was estimated. */
  billedPerEstimated: number;
  learnedAtMs: number;
}

/** How much a target was asked to hold, and whether the estimate is worth a comparison. */
export interface Prompt {
  readonly estimatedTokens: number;
  /** Tokens of the longest answer that is asked for, where this vendor counts them against its window; else 0. */
  readonly countedAnswerTokens: number;
  /** Images, files or sound, whose tokens are no better than guessed. */
  readonly hasMedia: boolean;
}

/** Vendors enlarge windows, keys are given other tiers: a refusal is no longer news after so long. */
const KEPT_MS = 60 * 60_000;
/** No model has a smaller window: what is refused below it was not refused for its length. */
const SMALLEST_WINDOW = 512;
const LARGEST_WINDOW = 1e9;
/** An estimate is not further off than this; a number that would say so is about something else. */
const FURTHEST_OFF = 3;
/** A prompt fits unless its estimate is more than this beyond the window: the library is within 5 % on average, its sample within 11 %. */
const MARGIN = 1.1;
/** The same where images, files or sound are in it. */
const MEDIA_MARGIN = 2;

export const newLearnedWindow = (): LearnedWindow => ({
  tokens: undefined,
  refusedEstimatedTokens: Number.POSITIVE_INFINITY,
  billedPerEstimated: 1,
  learnedAtMs: Number.NEGATIVE_INFINITY,
});

const NUMBER = String.raw`(\d[\d,]*)`;
const words = (text: string): RegExp => new RegExp(text.replaceAll('#', NUMBER), 'i');

/** What vendors say of a prompt that is too long, and which of the numbers is which. */
const COMPLAINTS: readonly { readonly words: RegExp; readonly window: number; readonly billed?: number }[] = [
  // OpenAI, and servers that resemble it; the prompt alone, apart from the answer that was asked for.
  {
    words: words(
      String.raw`maximum context length is # tokens.*?\(# (?:tokens )?(?:in|from) the (?:messages|input|prompt)`,
    ),
    window: 1,
    billed: 2,
  },
  {
    words: words('maximum context length is # tokens.*?(?:resulted in|request has) # (?:input )?tokens'),
    window: 1,
    billed: 2,
  },
  { words: words('maximum context length is # tokens'), window: 1 },
  { words: words('prompt contains # tokens.*? model with # maximum context length'), window: 2, billed: 1 },
  // Anthropic.
  { words: words('prompt is too long: # tokens > # maximum'), window: 2, billed: 1 },
  { words: words(String.raw`exceed context limit: # \+ \d[\d,]* > #`), window: 2, billed: 1 },
  // Gemini.
  {
    words: words(String.raw`token count \(#\) exceeds the maximum number of tokens allowed \(#\)`),
    window: 2,
    billed: 1,
  },
  { words: words(String.raw`exceeds the maximum number of tokens allowed \(#\)`), window: 1 },
  // Cohere.
  { words: words('cannot exceed # - received #'), window: 1, billed: 2 },
];

/** The numbers in a vendor's message about a prompt that is too long. */
export const numbersIn = (
  message: string,
): { readonly window: number; readonly billed: number | undefined } | undefined => {
  // A vendor's words are short; a proxy that quotes the prompt may not make us search it.
  const said = message.slice(0, 1_000);
  for (const { words, window, billed } of COMPLAINTS) {
    const found = words.exec(said);
    if (found === null) continue;
    const numberAt = (at: number): number => Number((found[at] ?? '').replaceAll(',', ''));
    return { window: numberAt(window), billed: billed === undefined ? undefined : numberAt(billed) };
  }
  return undefined;
};

/** A target has refused a prompt. Only what says that it was its length in tokens teaches something. */
export const learnFromRefusal = (learned: LearnedWindow, prompt: Prompt, failure: Failure, nowMs: number): void => {
  const { message = '', code = '' } = failure.vendorError ?? {};
  if (failure.kind !== 'too-long' || !/\btokens?\b|context/i.test(`${code} ${message}`)) return;
  const { estimatedTokens, hasMedia } = prompt;
  const estimate = sizeOf(prompt);
  const said = numbersIn(message);
  if (said !== undefined) {
    const { window, billed } = said;
    if (!(window >= SMALLEST_WINDOW && window <= LARGEST_WINDOW)) return;
    const ratio = (billed ?? estimatedTokens) / Math.max(1, estimatedTokens);
    if (!hasMedia && !(ratio >= 1 / FURTHEST_OFF && ratio <= FURTHEST_OFF)) return;
    // It was refused for being longer than this.
    if (window > (billed ?? estimate) * FURTHEST_OFF) return;
    forget(learned);
    learned.tokens = window;
    if (!hasMedia) learned.billedPerEstimated = ratio;
  } else if (hasMedia || estimate < SMALLEST_WINDOW) return;
  else forgetOld(learned, nowMs);
  if (!hasMedia && estimate < learned.refusedEstimatedTokens) learned.refusedEstimatedTokens = estimate;
  learned.learnedAtMs = nowMs;
};

/** A target has taken a prompt: if it is larger than what was refused, that no longer holds. */
export const unlearnBySuccess = (learned: LearnedWindow, prompt: Prompt): void => {
  if (prompt.hasMedia || learned.learnedAtMs === Number.NEGATIVE_INFINITY) return;
  const isRefuted =
    sizeOf(prompt) >= learned.refusedEstimatedTokens ||
    (learned.tokens !== undefined && isBeyond(prompt, learned.tokens, learned.billedPerEstimated));
  if (isRefuted) forget(learned);
};

/** Forgets what is too old to be true. */
export const forgetOld = (learned: LearnedWindow, nowMs: number): void => {
  if (nowMs - learned.learnedAtMs > KEPT_MS) forget(learned);
};

const forget = (learned: LearnedWindow): void => void Object.assign(learned, newLearnedWindow());

/** The window in tokens, as far as anybody has said: its user, or the vendor, who knows of the smaller one. */
export const windowOf = (set: number | undefined, { tokens }: LearnedWindow): number | undefined =>
  set === undefined || tokens === undefined ? (set ?? tokens) : Math.min(set, tokens);

/** Why a prompt is not likely to fit, in words for the caller; undefined when it may. */
export const misfitOf = (prompt: Prompt, set: number | undefined, learned: LearnedWindow): string | undefined => {
  const window = windowOf(set, learned);
  const { estimatedTokens, countedAnswerTokens, hasMedia } = prompt;
  if (window !== undefined && isBeyond(prompt, window, learned.billedPerEstimated)) {
    const needed = Math.round(estimatedTokens * learned.billedPerEstimated) + countedAnswerTokens;
    const how = window === set ? '' : ', as it has told';
    return `needs about ${needed} tokens (estimate), and its window has ${window}${how}`;
  }
  const refused = learned.refusedEstimatedTokens;
  if (hasMedia || sizeOf(prompt) < refused) return undefined;
  return `needs about ${sizeOf(prompt)} tokens (estimate), and it has refused about ${refused}`;
};

const sizeOf = ({ estimatedTokens, countedAnswerTokens }: Prompt): number => estimatedTokens + countedAnswerTokens;

const isBeyond = ({ estimatedTokens, countedAnswerTokens, hasMedia }: Prompt, window: number, ratio: number): boolean =>
  (estimatedTokens * ratio) / (hasMedia ? MEDIA_MARGIN : MARGIN) + countedAnswerTokens > window;
