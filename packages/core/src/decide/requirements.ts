import { type LearnedWindow, misfitOf, type Prompt } from './health/learned-window.ts';
import type { ChatRequest } from './request.ts';
import type { Contents } from './tokens.ts';

/** What a model takes, where somebody has said. What is left out is tried. */
export interface Supports {
  /** Tools, and turns in which they were called. */
  readonly tools?: boolean | undefined;
  /** Images among what the user says, or a tool returns. */
  readonly vision?: boolean | undefined;
  /** Files, such as PDFs. */
  readonly files?: boolean | undefined;
  /** Sound, heard or spoken. */
  readonly audio?: boolean | undefined;
  /** A JSON schema for the answer. */
  readonly schema?: boolean | undefined;
  /** Answers in pieces. Without it the target serves plain requests only. */
  readonly streaming?: boolean | undefined;
}

/** What one target is asked. */
export interface Asked {
  readonly request: ChatRequest;
  readonly contents: Contents;
  readonly prompt: Prompt;
  /** The caller wants a stream. */
  readonly streams: boolean;
}

/** What one target has. */
export interface Offer {
  readonly supports: Supports;
  readonly contextWindow: number | undefined;
  readonly learned: LearnedWindow;
}

interface Requirement {
  /** Why a target does not meet it, in the caller's words; undefined when it does, or when nobody asks for it. */
  lack(asked: Asked, offer: Offer): string | undefined;
  /** Judged by an estimate, which may be wrong: if nobody else is left, the target is asked all the same. */
  readonly isEstimate?: boolean;
}

const supported = (name: keyof Supports, what: string, isAsked: (asked: Asked) => boolean): Requirement => ({
  lack: (asked, { supports }) => (supports[name] === false && isAsked(asked) ? `does not support ${what}` : undefined),
});

/** All that a request may require of a target, before it is asked: what a vendor's format has no word for is a gap. */
// biome-ignore format: reads as a table
const REQUIREMENTS: Readonly<Record<keyof Supports | 'contextWindow', Requirement>> = {
  tools:         supported('tools',     'tools',         ({ request, contents }) => (request.tools?.length ?? 0) > 0 || contents.toolTurns),
  vision:        supported('vision',    'images',        ({ contents }) => contents.images),
  files:         supported('files',     'files',         ({ contents }) => contents.files),
  audio:         supported('audio',     'audio',         ({ contents, request }) => contents.audio || speaks(request)),
  schema:        supported('schema',    'a JSON schema', ({ request }) => request.output?.type === 'json-schema'),
  streaming:     supported('streaming', 'streaming',     ({ streams }) => streams),
  contextWindow: { isEstimate: true, lack: ({ prompt }, { contextWindow, learned }) => misfitOf(prompt, contextWindow, learned) },
};

const speaks = ({ extra }: ChatRequest): boolean =>
  Array.isArray(extra?.modalities) && extra.modalities.includes('audio');

const ALL: readonly Requirement[] = Object.values(REQUIREMENTS);

/** What a target lacks of what it is asked. */
export interface Lack {
  readonly reason: string;
  /** All of it is estimated. */
  readonly isEstimate: boolean;
}

export const lackOf = (asked: Asked, offer: Offer): Lack | undefined => {
  let reason: string | undefined;
  for (const { lack, isEstimate } of ALL) {
    const why = lack(asked, offer);
    if (why === undefined) continue;
    // The table has what is certain first.
    if (isEstimate) return reason === undefined ? { reason: why, isEstimate } : { reason, isEstimate: false };
    reason = reason === undefined ? why : `${reason}; ${why}`;
  }
  return reason === undefined ? undefined : { reason, isEstimate: false };
};

/** The longest answer that is asked for, as far as a vendor counts it against its window. */
export const promptOf = (contents: Contents, { maxOutputTokens = 0 }: ChatRequest, countsAnswer: boolean): Prompt => ({
  estimatedTokens: contents.estimatedTokens,
  countedAnswerTokens: countsAnswer ? maxOutputTokens : 0,
  hasMedia: contents.images || contents.files || contents.audio,
});
