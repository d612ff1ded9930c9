/**
 * What is asked: one chat request in neutral words, which every provider can translate for its vendor.
 *
 * A request that arrived in a vendor's own wire format also carries the body it came as (`source`), so that a target
 * that speaks the same format receives it untouched.
 */
export interface ChatRequest {
  readonly messages: readonly Message[];
  /** Most tokens the answer may have. Absent: the vendor decides, or the provider's default where one is required. */
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  /** How many of the likeliest tokens the next one is drawn from. */
  readonly topK?: number;
  readonly stop?: readonly string[];
  readonly seed?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly tools?: readonly Tool[];
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
  /** The form of the answer. Absent: text. */
  readonly output?: OutputFormat;
  /**
   * How long the model may think: `none`, `minimal`, `low`, `medium`, `high`, `auto` for as long as it sees fit, or a word
   * that a vendor adds later.
   */
  readonly reasoningEffort?: string;
  /** Most tokens that go into thinking. They count as tokens of the answer too. */
  readonly maxReasoningTokens?: number;
  /** The caller wants to see what the model thinks. Some vendors show it unasked, some only then, and some never. */
  readonly showReasoning?: boolean;
  /** Fields of the caller's format that have no neutral name, under the names they came with. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** The request as it came. */
  readonly source?: Source;
  /**
   * Set by the router where the model is to carry on with an answer that broke off elsewhere. Its turns are at the end of
   * `messages`, and of the body of `source`, already: a provider looks at this only where its vendor wants more to be said.
   */
  readonly continuation?: Continuation;
  /** What single targets are asked instead, by the id of the target or the name of its model; the id wins. */
  readonly overrides?: Readonly<Record<string, Omit<ChatRequest, 'overrides'>>>;
}

/** How a model is asked to carry on with an answer. */
export type Continuation =
  /** `text` is the beginning of the model's own turn, which the request ends with. */
  | { readonly how: 'prefill'; readonly text: string }
  /** `text` is the model's last turn, and the user asks it to go on, beginning with the words of `anchor`. */
  | { readonly how: 'instruction'; readonly text: string; readonly anchor: string };

/** A wire format that callers and vendors share, so that bodies can pass through. */
export type WireFormat = 'openai-chat' | 'openai-responses' | 'anthropic-messages';

export interface Source {
  readonly format: WireFormat;
  readonly body: Readonly<Record<string, unknown>>;
  /** What the format says in headers, by names in lower case; for example `anthropic-beta`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The settings of a request: all of it but what was said. A target's `params` are laid over these. */
export type ChatSettings = Omit<
  ChatRequest,
  'messages' | 'showReasoning' | 'extra' | 'source' | 'overrides' | 'continuation'
>;

export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage;

export interface SystemMessage {
  readonly role: 'system';
  readonly content: readonly TextPart[];
}

export interface UserMessage {
  readonly role: 'user';
  readonly content: readonly UserPart[];
}

export interface AssistantMessage {
  readonly role: 'assistant';
  readonly content: readonly TextPart[];
  readonly toolCalls?: readonly ToolCall[];
}

/** What a tool returned for one call. */
export interface ToolMessage {
  readonly role: 'tool';
  readonly toolCallId: string;
  /** Most tools return texts; some show an image, or hand out a file. */
  readonly content: readonly UserPart[];
  /** The tool failed, and the content says how. */
  readonly isError?: boolean;
}

export type UserPart = TextPart | ImagePart | AudioPart | FilePart | UnknownPart;

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

export interface ImagePart {
  readonly type: 'image';
  /** An `https:` or a `data:` URL. */
  readonly url: string;
  readonly detail?: string;
}

export interface AudioPart {
  readonly type: 'audio';
  /** Base64. */
  readonly data: string;
  /** `wav`, `mp3` … */
  readonly format: string;
}

export interface FilePart {
  readonly type: 'file';
  /** A `data:` URL. Absent when the file lives at the vendor under `fileId`, or on the web under `url`. */
  readonly data?: string;
  readonly fileId?: string;
  /** An `https:` URL. */
  readonly url?: string;
  readonly filename?: string;
}

/** A part that this version does not know: only a target of the caller's own format can take it. */
export interface UnknownPart {
  readonly type: 'unknown';
  readonly name: string;
  readonly value: unknown;
}

export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly strict?: boolean;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly tool: string };

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, as the model wrote it; it need not parse. */
  readonly arguments: string;
  /** What a vendor wants back with the call, by vendor; for example Google's thought signature. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export type OutputFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | {
      readonly type: 'json-schema';
      readonly name: string;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly description?: string;
      readonly strict?: boolean;
    };
