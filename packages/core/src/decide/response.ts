import type { ToolCall, WireFormat } from './request.ts';

/** What is answered: one whole answer in neutral words. */
export interface ChatResponse {
  /** The vendor's id of the answer, or one of ours where the vendor gives none. */
  readonly id: string;
  /** The model that answered, as its vendor names it. */
  readonly model: string;
  readonly text: string;
  /** What the model thought aloud, where the vendor shows it. */
  readonly reasoning?: string;
  /** What the model said instead of the schema output it was asked for. */
  readonly refusal?: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  /** The stop sequence that ended it, where the vendor says which. */
  readonly stopSequence?: string;
  readonly usage?: Usage;
  /** The vendor's body, byte for byte, when the request was passed through in this format. */
  readonly source?: { readonly format: WireFormat; readonly body: string };
}

/** Why the model stopped. */
export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter';

/** Tokens of one answer. */
export interface Usage {
  /** All tokens of the prompt, cached ones included. */
  readonly inputTokens: number;
  /** All tokens of the answer, reasoning included. */
  readonly outputTokens: number;
  /** The part of the input that the vendor's prompt cache served. */
  readonly cachedInputTokens: number;
  /** The part of the input that was written to the vendor's prompt cache, where it says so. */
  readonly cacheWriteInputTokens?: number;
  /** The part of the output that went into thinking. */
  readonly reasoningTokens: number;
  /** Some of it was counted here, since a vendor whose answer broke off had not told what it took. */
  readonly isEstimate?: true;
}

/**
 * One step of a streamed answer.
 *
 * When the request was passed through, `bytes` are the vendor's own: put one after the other they are its stream, byte
 * for byte. Where one frame of the vendor means several events, the first of them carries the bytes.
 */
export type ChatEvent = ChatEventBody & { readonly bytes?: Uint8Array };

type ChatEventBody =
  /** The vendor has taken the request on. Not content: the request may still fail. */
  | { readonly type: 'start'; readonly id: string; readonly model: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'refusal'; readonly text: string }
  /** A piece of a tool call: the first piece of each `index` has id and name, later ones extend `arguments`. */
  | {
      readonly type: 'tool-call';
      readonly index: number;
      readonly id?: string;
      readonly name?: string;
      readonly arguments: string;
      readonly extra?: Readonly<Record<string, unknown>>;
    }
  /** Content that only the format of the bytes has a word for: an encrypted thought, or a tool that runs at the vendor. */
  | { readonly type: 'unknown'; readonly name: string }
  | { readonly type: 'finish'; readonly reason: FinishReason; readonly stopSequence?: string }
  | { readonly type: 'usage'; readonly usage: Usage }
  /**
   * Another target answers from here on, since the stream of the one before broke: it carries on with the text so far, or
   * begins anew, and then nothing of what came before counts. No second `start` and no `bytes` follow. By target ids.
   */
  | { readonly type: 'seam'; readonly mode: 'continue' | 'restart'; readonly from: string; readonly to: string }
  /** Lifecycle frames, pings, markers: they prove a connection, not progress. */
  | { readonly type: 'other' };

/**
 * Whether an event is an answer already. Roles, lifecycle frames, pings and empty deltas are not: a vendor sends them
 * before it knows whether the request will fail.
 */
export const isContent = (event: ChatEvent): boolean => {
  switch (event.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return event.text !== '';
    case 'tool-call':
    case 'unknown':
      return true;
    default:
      return false;
  }
};

/** How much of an answer an event is, as far as it can be read. */
export const charactersOf = (event: ChatEvent): number => {
  switch (event.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return event.text.length;
    case 'tool-call':
      return event.arguments.length;
    default:
      return 0;
  }
};
