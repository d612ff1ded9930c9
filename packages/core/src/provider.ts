import type { EmbeddingRequest, EmbeddingResponse } from './decide/embedding.ts';
import type { Failure } from './decide/failure.ts';
import type { ChatRequest, ChatSettings } from './decide/request.ts';
import type { ChatResponse } from './decide/response.ts';
import type { ReadHeader } from './decide/retry-after.ts';
import type { EventStream } from './packets.ts';

/**
 * One model at one vendor, called through that vendor's SDK: two pure translations, one call, one explanation.
 *
 * A provider has no retry, no timeout and no fallback of its own. Whatever it throws is handed to `explain`; whatever
 * it returns is an answer, so it checks the shape of a 200 before it calls it one.
 */
export interface Provider {
  /** The vendor, for example `openai`. The first half of a target's id. */
  readonly name: string;
  /** The model, as the vendor names it. */
  readonly model: string;
  /** Where requests go, and with which key: what shares a fate, and so shares health. Never shown to anybody. */
  readonly account: { readonly endpoint: string; readonly credential: string };
  /** Whether the vendor refuses a prompt that fits when the longest answer asked for would not. Absent: it does not. */
  readonly countsAnswer?: boolean;
  /** Whether the model goes on from an assistant's turn that the request ends with. Default: false. */
  readonly prefill?: boolean;
  /**
   * Whether its transport tells `call.wire` how far each request has come. Default: false, and undici's diagnostics are
   * followed for it, which costs more.
   */
  readonly tellsWire?: boolean;
  /** What of this request the vendor cannot express; empty when it can take all of it. Pure. */
  gaps(request: ChatRequest): readonly Gap[];
  /** Asks for a whole answer. */
  send(request: ChatRequest, call: Call): Promise<ChatResponse>;
  /** Asks for a stream. It ends normally only after the vendor said why it finished; every other end throws. */
  stream(request: ChatRequest, call: Call): EventStream;
  /** How it makes embeddings; absent where the vendor has none. */
  readonly embeddings?: Embeddings;
  /**
   * Asks how many tokens the prompt of a request comes to. Only where the vendor counts all of it, tools and system prompt
   * included, and its client can ask; absent otherwise.
   */
  countTokens?(request: ChatRequest, call: Call): Promise<number>;
  /** Folds whatever the SDK threw into one kind of failure. */
  explain(error: unknown, wire: Wire): Failure;
}

/** The part of a provider that makes vectors of texts, held to the same as the rest of it. */
export interface Embeddings {
  /** What of this request the vendor cannot express; empty when it can take all of it. Pure. */
  gaps(request: EmbeddingRequest): readonly Gap[];
  /**
   * Asks for one vector for each input, in their order. Where the vendor takes fewer inputs at once than there are, it is
   * called as often as it takes, all within the one attempt.
   */
  embed(request: EmbeddingRequest, call: Call): Promise<EmbeddingResponse>;
}

/** Something a vendor has no words for. A target with a gap is skipped, and the gap is the reason given. */
export interface Gap {
  /** In the caller's words, for example `logit_bias` or `image by URL`. */
  readonly what: string;
  /** The answer is as good without it: it is left out and named in the trace, and the target is not skipped. */
  readonly harmless?: boolean;
}

/** What belongs to one attempt. */
export interface Call {
  /** Made for this attempt alone. Aborting it must close the connection. */
  readonly signal: AbortSignal;
  /** What a transport that can tell is to tell of the attempt's requests. */
  readonly wire?: WireListener | undefined;
}

/** Hears from a transport how far a request has come. Of several requests of one attempt, all may be told. */
export interface WireListener {
  /** It waits for a connection. */
  connecting(): void;
  /** It has one, and leaves. */
  sent(): void;
  /** The head of the response is there. `header` takes names in lower case. */
  answered(status: number, header: ReadHeader): void;
  /** It failed with a socket's error code. */
  failed(code: string | undefined): void;
  /** Runs `start`, whose requests go through a transport that cannot tell. */
  follow<T>(start: () => T): T;
}

/** What the transport saw of an attempt, also where the SDK keeps it to itself. */
export interface Wire {
  /** Whether a request was handed to the transport, and whether it has left on a connection. */
  readonly state: 'idle' | 'connecting' | 'sent';
  /** The status of the response, once its head has arrived. */
  readonly status: number | undefined;
  readonly header: ReadHeader;
  /** The socket's error code, for example `ECONNREFUSED`. */
  readonly errorCode: string | undefined;
}

/** Makes a provider; called once per target when the router is created. Throws when, say, the key is missing. */
export type ConnectProvider = (model: string, params: ChatSettings | undefined) => Provider;

/** A target as the user wrote it: what `openai('gpt-5-mini', { weight: 50 })` returns. Checked by `createRouter`. */
export interface TargetSpec {
  readonly vendor: string;
  readonly model: string;
  /** Routing options, unchecked. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly connect: ConnectProvider;
}
