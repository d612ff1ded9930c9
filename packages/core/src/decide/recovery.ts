import type { ChatRequest } from './request.ts';
import type { ChatEvent, Usage } from './response.ts';

/** What becomes of a stream that breaks after its caller has seen some of it. */
export type Recovery =
  /** It ends there, with an error event. */
  | 'error'
  /** The next target carries on from the text that was delivered. */
  | 'continue'
  /** The caller is told to forget what it has, and the next target's answer follows from its beginning. */
  | 'restart'
  /** Nothing is handed out before the answer is whole, so that the caller sees none of it. */
  | 'buffer';

/** What a caller has of an answer. */
export interface Shown {
  text: string;
  /** Something else than text, which no other model can go on from: a call, a refusal, a signed thought. */
  beyondText: boolean;
}

export const nothingShown = (): Shown => ({ text: '', beyondText: false });

/** Takes in an event that is handed out. */
export const show = (shown: Shown, event: ChatEvent, request: ChatRequest): void => {
  switch (event.type) {
    case 'text':
      shown.text += event.text;
      break;
    case 'reasoning':
      shown.beyondText ||= isSigned(event, request);
      break;
    case 'refusal':
      shown.beyondText ||= event.text !== '';
      break;
    case 'tool-call':
    case 'unknown':
      shown.beyondText = true;
      break;
  }
};

/**
 * Where a thought passes through from a vendor that signs, or encrypts, what its models think, the signature stands for
 * this thought and no other.
 */
const isSigned = ({ bytes }: ChatEvent, { source }: ChatRequest): boolean =>
  bytes !== undefined && source?.format !== 'openai-chat';

/** Whether another model can carry on from what was shown. A form that has to hold for the whole cannot be left halfway. */
export const canContinue = (shown: Shown, request: ChatRequest): boolean =>
  canBeginAnew(request) && !shown.beyondText && (request.output === undefined || request.output.type === 'text');

/**
 * Whether what follows a seam says all that was asked for. It is told in neutral events, which know one choice, and
 * neither sound nor probabilities.
 */
export const canBeginAnew = ({ extra, source }: ChatRequest): boolean =>
  !asksForMore(extra ?? {}) && !asksForMore(source?.body ?? {});

const asksForMore = ({ n, logprobs, top_logprobs, modalities, include }: Readonly<Record<string, unknown>>): boolean =>
  (typeof n === 'number' && n > 1) ||
  logprobs === true ||
  (typeof top_logprobs === 'number' && top_logprobs > 0) ||
  (Array.isArray(modalities) && modalities.includes('audio')) ||
  (Array.isArray(include) && include.includes('message.output_text.logprobs'));

/** What two parts of one answer took together. */
export const addUsage = (a: Usage | undefined, b: Usage): Usage => {
  if (a === undefined) return b;
  const written = (a.cacheWriteInputTokens ?? 0) + (b.cacheWriteInputTokens ?? 0);
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
    ...(written > 0 && { cacheWriteInputTokens: written }),
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    ...((a.isEstimate === true || b.isEstimate === true) && { isEstimate: true }),
  };
};
