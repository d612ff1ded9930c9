/**
 * What a provider is made of, for the five that ship with Switchyard and for your own: the contract, the neutral
 * request and answer, and the helpers that fold an SDK's errors into one kind of failure.
 */

import { classify } from './decide/classify.ts';
import type { EmbeddingRequest } from './decide/embedding.ts';
import type { Failure, VendorError } from './decide/failure.ts';
import type { ChatRequest, WireFormat } from './decide/request.ts';
import { type ReadHeader, retryAfterMs } from './decide/retry-after.ts';
import type { Gap, TargetSpec, Wire } from './provider.ts';
import { wallNowMs } from './run/system.ts';
import type { TargetOptions } from './target.ts';

export type { EmbeddingInput, EmbeddingRequest, EmbeddingResponse, Vector } from './decide/embedding.ts';
export type * from './decide/failure.ts';
export type * from './decide/request.ts';
export type { ChatEvent, ChatResponse, FinishReason, Usage } from './decide/response.ts';
export type { ReadHeader } from './decide/retry-after.ts';
export type { EventStream, Packets } from './packets.ts';
export type {
  Call,
  ConnectProvider,
  Embeddings,
  Gap,
  Provider,
  TargetSpec,
  Wire,
  WireListener,
} from './provider.ts';
export { readServerSentEvents, type ServerSentEvent } from './sse.ts';
export type { TargetOptions } from './target.ts';

/** Thrown by a provider that can already say what went wrong; `explain` hands its failure on. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** An answer that is none: `what` completes the sentence "openai sent …". */
export const brokenAnswer = (vendor: string, what: string): ProviderFailure =>
  new ProviderFailure({ kind: 'broken', message: `${vendor} sent ${what}` });

/** What can be read off a vendor's error, whatever class its SDK has for it. */
export interface VendorComplaint {
  readonly vendor: string;
  /** Absent for an error inside a stream or inside a 200. */
  readonly status?: number | undefined;
  readonly header?: ReadHeader | undefined;
  readonly message?: string | undefined;
  readonly type?: string | undefined;
  readonly code?: string | undefined;
  readonly param?: string | undefined;
  /** Google's `RetryInfo.retryDelay`. */
  readonly retryDelay?: string | undefined;
}

const noHeader: ReadHeader = () => undefined;

/** The failure that a vendor's error is. */
export const failureFromVendor = (complaint: VendorComplaint): Failure => {
  const { vendor, status, type, code, param } = complaint;
  const kind = classify(complaint);
  const waitMs = retryAfterMs(complaint.header ?? noHeader, wallNowMs(), complaint.retryDelay);
  const word = wordOf(code) ?? wordOf(type);
  const said = status === undefined ? 'sent an error inside its answer' : `answered ${status}`;
  const vendorError: VendorError = {
    message: complaint.message ?? `${vendor} ${said}`,
    ...(type !== undefined && { type }),
    ...(param !== undefined && { param }),
    ...(code !== undefined && { code }),
  };
  return {
    kind,
    message: word === undefined ? `${vendor} ${said}` : `${vendor} ${said} (${word})`,
    ...(status !== undefined && { status }),
    ...(word !== undefined && { code: word }),
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    vendorError,
  };
};

/** A vendor's word for an error goes into messages that are logged; a whole sentence in its place might quote a prompt. */
const wordOf = (text: string | undefined): string | undefined =>
  text !== undefined && /^[\w.-]{1,64}$/.test(text) ? text : undefined;

/**
 * The failure behind an error that is no answer of the vendor: the connection, the body, or our own translation.
 * `wire` decides where the SDK has lost what happened.
 */
export const failureFromUnknown = (vendor: string, error: unknown, wire: Wire): Failure => {
  if (error instanceof ProviderFailure) return error.failure;
  const { status } = wire;
  // Some SDKs lose the status when the error body is not the JSON it claims to be.
  if (status !== undefined && status >= 400) return failureFromVendor({ vendor, status, header: wire.header });
  if (status !== undefined) {
    const how = error instanceof SyntaxError ? 'that is not JSON' : 'that broke off';
    return { kind: 'broken', message: `${vendor} sent an answer ${how}` };
  }
  const code = wire.errorCode ?? socketCode(error);
  if (code !== undefined || wire.state !== 'idle') {
    return {
      kind: 'unreachable',
      message: `${vendor} could not be reached${code === undefined ? '' : ` (${code})`}`,
      ...(code !== undefined && { code }),
    };
  }
  const name = error instanceof Error ? error.constructor.name : typeof error;
  if (isTransport(error)) return { kind: 'unreachable', message: `${vendor} could not be reached (${name})` };
  // Nothing left this process: the SDK, or we, could not put the request into the vendor's form.
  return { kind: 'unsupported', message: `the request could not be put to ${vendor} (${name})` };
};

/** What a transport throws that has no code and is not seen by the wire: a fetch of the user's own, or of a runtime. */
const isTransport = (error: unknown): boolean => {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (/Connection|Timeout|Network/.test(at.constructor.name) || /fetch failed|network|socket/i.test(at.message))
      return true;
  }
  return false;
};

/** The first code in the chain of causes: fetch wraps socket errors, and the SDKs wrap fetch. */
const socketCode = (error: unknown): string | undefined => {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && /^(E[A-Z]|UND_|CERT_|ERR_(TLS|SSL))/.test(at.code))
      return at.code;
  }
  return undefined;
};

/** What of a caller's format does not change what an answer is. A vendor without it is asked all the same, and the trace names it. */
const HARMLESS: Readonly<Record<WireFormat, ReadonlySet<string>>> = {
  // Where an answer is billed, stored or cached, and what an earlier answer had beside its words.
  'openai-chat': new Set([
    'cache_control',
    'messages[].annotations',
    'messages[].reasoning',
    'messages[].reasoning_content',
    'messages[].reasoning_details',
    'metadata',
    'prompt_cache_breakpoint',
    'prompt_cache_key',
    'prompt_cache_retention',
    'safety_identifier',
    'service_tier',
    'store',
    'stream_options',
    'stream_options.include_obfuscation',
    'user',
  ]),
  // The same, and what tells of thoughts, of labels and of tools that run at OpenAI: each such tool is a gap of its own.
  'openai-responses': new Set([
    'include',
    'max_tool_calls',
    'metadata',
    'phase',
    'prompt_cache_breakpoint',
    'prompt_cache_key',
    'prompt_cache_options',
    'prompt_cache_retention',
    'reasoning item',
    'reasoning.generate_summary',
    'reasoning.summary',
    'safety_identifier',
    'service_tier',
    'store',
    'stream_options',
    'tool.defer_loading',
    'truncation',
    'user',
  ]),
  // How it is made, billed, cached or shown: thoughts and citations of earlier turns, hints for the cache, features that a
  // header switches on.
  'anthropic-messages': new Set([
    'anthropic-beta',
    'cache_control',
    'context_management',
    'diagnostics',
    'image.transformations',
    'metadata',
    'output_config.effort',
    'service_tier',
    'speed',
    'text.citations',
    'thinking',
    'thinking block',
    'thinking.display',
    'tool.defer_loading',
    'tool.eager_input_streaming',
    'tool.input_examples',
  ]),
};

/**
 * What clients send although it asks for nothing: the value, as JSON, that every vendor acts on without being told.
 * (An empty object does not always ask for nothing: `web_search_options: {}` switches the search on.)
 */
const ASKS_FOR_NOTHING: Readonly<Record<string, string>> = {
  functions: '[]',
  include: '[]',
  logit_bias: '{}',
  modalities: '["text"]',
  n: '1',
  top_logprobs: '0',
  truncation: '"disabled"',
  verbosity: '"medium"',
};

const asksForNothing = (name: string, value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (name in ASKS_FOR_NOTHING && JSON.stringify(value) === ASKS_FOR_NOTHING[name]);

/** The gaps that `request.extra` leaves at a vendor that maps only the fields in `mapped`. */
export const extraGaps = (request: ChatRequest, mapped: readonly string[] = []): Gap[] =>
  // A request without a format of its own, from code, is in OpenAI's words.
  gapsOf(request.extra, mapped, HARMLESS[request.source?.format ?? 'openai-chat']);

/** The same of a request for embeddings. */
export const extraEmbeddingGaps = ({ extra }: EmbeddingRequest, mapped: readonly string[] = []): Gap[] =>
  gapsOf(extra, mapped, HARMLESS['openai-chat']);

const gapsOf = (extra: ChatRequest['extra'] = {}, mapped: readonly string[], harmless: ReadonlySet<string>): Gap[] =>
  Object.entries(extra)
    .filter(([name, value]) => !mapped.includes(name) && !asksForNothing(name, value))
    .map(([what]) => (harmless.has(what) ? { what, harmless: true } : { what }));

/** Splits a target's options into those of the SDK's client, named in `clientKeys`, and those of the router. */
export const splitOptions = <Client extends object>(
  options: TargetOptions & Client,
  clientKeys: Readonly<Record<keyof Client, true>>,
): { readonly client: Client; readonly routing: TargetSpec['options'] } => {
  const client: Record<string, unknown> = {};
  const routing: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) (key in clientKeys ? client : routing)[key] = value;
  return { client: client as Client, routing };
};

/** For SDK calls that insist on a timeout of their own: so long (24 days) that only ours are felt. */
export const NO_SDK_TIMEOUT_MS: number = 2 ** 31 - 1;

/** An object, and not an array or null: the least that a body of a vendor must be. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
