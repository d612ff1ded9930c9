import OpenAI from 'openai';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest, ChatSettings } from '../decide/request.ts';
import type { Gap, Wire } from '../provider.ts';
import {
  brokenAnswer,
  extraGaps,
  failureFromUnknown,
  failureFromVendor,
  isObject,
  ProviderFailure,
} from '../provider-kit.ts';
import { type Body, textOf } from './body.ts';
import { fitSchema, OPENAI_STRICT, type SchemaDialect } from './json-schema.ts';

// What OpenAI's two APIs, Chat Completions and Responses, have in common: words, bodies and errors.

/**
 * OpenAI's models do not go on from a turn of theirs that is not finished. Those of others do, and want to be told: Mistral
 * and DeepSeek with the turn, vLLM and SGLang beside it.
 */
export const withPrefill = (body: Body, baseURL: string): Body => {
  const { messages } = body;
  if (!/\/\/[^/]*(mistral\.ai|deepseek\.com)/.test(baseURL)) {
    return { ...body, continue_final_message: true, add_generation_prompt: false };
  }
  if (!Array.isArray(messages)) return body;
  return { ...body, messages: messages.with(-1, { ...messages.at(-1), prefix: true }) };
};

/** Hears of everything that a translation leaves out, so that gaps and body cannot tell different stories. */
export type LeaveOut = (gap: Gap) => void;

/** What OpenAI's own servers, and those that only resemble them, have different words for. */
export interface Dialect {
  /** OpenAI itself, or Azure. */
  readonly isOwn: boolean;
  /** Reasoning models refuse `max_tokens`, and the others know nothing else. */
  readonly maxTokens: 'max_completion_tokens' | 'max_tokens';
  readonly user: 'safety_identifier' | 'user';
  readonly mostStops: number;
  /** What a strict schema may say; undefined where nobody has told, and it is tried. */
  readonly strict: SchemaDialect | undefined;
  /** The model is known to take `reasoning_effort`. The others refuse a request that has it. */
  readonly thinks: boolean;
}

export const dialectOf = (baseURL: string, model: string): Dialect => ({
  ...(/\/\/[^/]*(openai\.com|azure\.com)/.test(baseURL)
    ? {
        isOwn: true,
        maxTokens: 'max_completion_tokens',
        user: 'safety_identifier',
        mostStops: 4,
        strict: OPENAI_STRICT,
      }
    : { isOwn: false, maxTokens: 'max_tokens', user: 'user', mostStops: Number.POSITIVE_INFINITY, strict: undefined }),
  thinks: /(^|\/)(o\d|gpt-5|gpt-oss|codex)/.test(model),
});

/** OpenAI refuses a longer name of a user, in characters. */
const LONGEST_USER = 64;

/** What has a word here of the fields that only Anthropic's Messages have. */
export const fromMessages = (request: ChatRequest, { user }: Dialect, leaveOut: LeaveOut): Body => {
  const { metadata } = request.extra ?? {};
  const id = isObject(metadata) ? textOf(metadata.user_id) : undefined;
  const fits = id !== undefined && id.length <= LONGEST_USER;
  for (const gap of extraGaps(request, fits ? ['metadata'] : [])) leaveOut(gap);
  return fits ? { [user]: id } : {};
};

/**
 * Callers of Anthropic's Messages, and agents that speak Responses, say how much to think as a matter of course. A model
 * that cannot be told answers all the same; of those that can, not all take `none`, which callers of Messages mean in
 * other words, and all take `low`. What the target's own settings say is left alone.
 */
export const withKnownThinking = (
  request: ChatRequest,
  params: ChatSettings | undefined,
  { thinks }: Dialect,
  leaveOut: LeaveOut,
): ChatRequest => {
  const { reasoningEffort, maxReasoningTokens, ...others } = request;
  if (params?.reasoningEffort !== undefined || params?.maxReasoningTokens !== undefined) return request;
  const isMessages = request.source?.format === 'anthropic-messages';
  if (thinks) return isMessages && reasoningEffort === 'none' ? { ...others, reasoningEffort: 'low' } : request;
  if (reasoningEffort !== undefined && reasoningEffort !== 'none') {
    leaveOut({ what: isMessages ? 'thinking' : 'reasoning.effort', harmless: true });
  }
  return others;
};

/**
 * Whether a schema is to be strict, as its caller wants it. One that OpenAI would refuse is sent as a hint where that is
 * allowed: what is strict is only taken whole.
 */
export const toStrict = (
  { strict, schema }: { readonly strict: boolean | undefined; readonly schema: Body | undefined },
  where: string,
  dialect: SchemaDialect | undefined,
  leaveOut: LeaveOut,
): boolean | undefined => {
  if (strict !== true || schema === undefined || dialect === undefined) return strict;
  const { gaps } = fitSchema(dialect, schema, where);
  for (const gap of gaps) leaveOut(gap);
  return gaps.length === 0;
};

/** OpenAI counts thinking in words, not in tokens. The steps are ours. To leave the model to it is to say nothing. */
export const toEffort = ({ reasoningEffort, maxReasoningTokens }: ChatSettings): string | undefined => {
  if (reasoningEffort !== undefined && reasoningEffort !== 'auto') return reasoningEffort;
  if (maxReasoningTokens === undefined) return undefined;
  if (maxReasoningTokens <= 2_048) return 'low';
  return maxReasoningTokens <= 8_192 ? 'medium' : 'high';
};

/** The body of a plain answer; whatever has an error in it is none. */
export const parseBody = (text: string): Body => {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw brokenAnswer('openai', text.trim() === '' ? 'an empty body' : 'a body that is not JSON');
  }
  if (!isObject(body)) throw brokenAnswer('openai', 'a body that is no answer');
  if (isSet(body.error)) throw embeddedError(body.error);
  return body;
};

/** The data of one event of a stream. */
export const parseEvent = (data: string): Body => {
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    throw brokenAnswer('openai', 'an event that is not JSON');
  }
  if (!isObject(event)) throw brokenAnswer('openai', 'an event that is no object');
  if (isSet(event.error)) throw embeddedError(event.error);
  return event;
};

const isSet = (value: unknown): boolean => value !== undefined && value !== null;

/** What Responses find wrong with a request after they have begun to answer it: the caller's fault, and no target's. */
const FAULT_OF_REQUEST =
  /^(invalid_(prompt|image|base64)|image_|unsupported_image|empty_image|failed_to_download_image|bio_policy|misalignment_policy)/;

export const embeddedError = (error: unknown): ProviderFailure => {
  const { message, type, code, param } = isObject(error) ? error : { message: String(error) };
  return new ProviderFailure(
    failureFromVendor({
      vendor: 'openai',
      status: statusOf(code),
      message: textOf(message),
      type: textOf(type),
      code: textOf(code),
      param: textOf(param),
    }),
  );
};

const statusOf = (code: unknown): number | undefined => {
  if (typeof code === 'string' && FAULT_OF_REQUEST.test(code)) return 400;
  // Proxies such as OpenRouter put the status of the vendor behind them here.
  return typeof code === 'number' && code >= 400 && code < 600 ? code : undefined;
};

export const explain = (error: unknown, wire: Wire): Failure => {
  if (!(error instanceof OpenAI.APIError) || error.status === undefined)
    return failureFromUnknown('openai', error, wire);
  const { message, type, code, param } = isObject(error.error) ? error.error : {};
  return failureFromVendor({
    vendor: 'openai',
    status: error.status,
    header: (name) => error.headers?.get(name),
    message: textOf(message),
    type: textOf(type),
    code: textOf(code),
    param: textOf(param),
  });
};
