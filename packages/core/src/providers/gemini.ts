/**
 * What Gemini says and hears, for both of Google's SDKs: they differ in how they are called and in what they throw, but
 * hand the same objects through.
 */

import { randomUUID } from 'node:crypto';
import { classify } from '../decide/classify.ts';
import type { Failure } from '../decide/failure.ts';
import type {
  AssistantMessage,
  ChatRequest,
  Message,
  TextPart,
  ToolCall,
  ToolMessage,
  UserPart,
} from '../decide/request.ts';
import type { ChatEvent, ChatResponse, FinishReason, Usage } from '../decide/response.ts';
import type { ReadHeader } from '../decide/retry-after.ts';
import type { Gap } from '../provider.ts';
import { brokenAnswer, extraGaps, failureFromVendor, isObject, ProviderFailure } from '../provider-kit.ts';
import type { Broken } from '../sse.ts';
import { type Body, callIdOf, countOf, describedSchema, textOf } from './body.ts';
import { fitSchema, GEMINI } from './json-schema.ts';
import { textsOf, withTextResults } from './tool-results.ts';

/** A request in Gemini's words. Fields that are undefined are not sent. */
export interface GeminiRequest {
  readonly contents: readonly GeminiContent[];
  readonly systemInstruction: { readonly parts: readonly Body[] } | undefined;
  readonly tools: readonly Body[] | undefined;
  readonly toolConfig: Body | undefined;
  readonly generationConfig: Body;
}

interface GeminiContent {
  readonly role: 'user' | 'model';
  readonly parts: Body[];
}

// ── to the vendor ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Notes what Gemini has no words for. */
type Miss = (what: string, harmless?: 'harmless') => void;

/** Translates a request for a model, and names what was left out of it: one walk for both, so that they cannot disagree. */
export const toGemini = (
  request: ChatRequest,
  model: string,
): { readonly body: GeminiRequest; readonly gaps: readonly Gap[] } => {
  const shows = showsThoughts(request, model);
  const gaps = extraGaps(request, shows ? SHOWN : []);
  const miss: Miss = (what, harmless) => {
    if (!gaps.some((gap) => gap.what === what)) gaps.push({ what, ...(harmless && { harmless: true }) });
  };
  const body = {
    ...toContents(withTextResults(request.messages), miss),
    tools: toTools(request, miss),
    toolConfig: toToolConfig(request, miss),
    generationConfig: toGenerationConfig(request, shows, miss),
  };
  return { body, gaps };
};

const toContents = (
  messages: readonly Message[],
  miss: Miss,
): Pick<GeminiRequest, 'contents' | 'systemInstruction'> => {
  // Later system messages go into the user's turn, and so do all of them when nobody else has spoken.
  const asked = Math.max(
    0,
    messages.findIndex(({ role }) => role !== 'system'),
  );
  const system = messages.slice(0, asked).flatMap((message) => toParts(message, new Map(), miss));
  const toolNames = new Map<string, string>();
  const contents: GeminiContent[] = [];
  for (const message of messages.slice(asked)) {
    const role = message.role === 'assistant' ? 'model' : 'user';
    const parts = toParts(message, toolNames, miss);
    const last = contents.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    // A content without parts is an error at the vendor.
    else if (parts.length > 0) contents.push({ role, parts });
  }
  return { contents, systemInstruction: system.length > 0 ? { parts: system } : undefined };
};

const toParts = (message: Message, toolNames: Map<string, string>, miss: Miss): Body[] => {
  switch (message.role) {
    case 'system':
      return message.content.flatMap(toTextParts);
    case 'user':
      return message.content.flatMap((part) => toUserParts(part, miss));
    case 'assistant':
      for (const { id, name } of message.toolCalls ?? []) toolNames.set(id, name);
      return [...message.content.flatMap(toTextParts), ...toFunctionCalls(message, miss)];
    case 'tool': {
      // Gemini knows a result by its function's name, which only the call tells.
      const name = toolNames.get(message.toolCallId);
      if (name !== undefined) {
        return [{ functionResponse: { id: message.toolCallId, name, response: toFunctionResult(message) } }];
      }
      miss('tool message without its call');
      return [];
    }
  }
};

/** Gemini refuses empty texts, which other vendors send and accept. */
const toTextParts = ({ text }: TextPart): Body[] => (text === '' ? [] : [{ text }]);

const toUserParts = (part: UserPart, miss: Miss): Body[] => {
  switch (part.type) {
    case 'text':
      return toTextParts(part);
    case 'image':
      if (part.detail !== undefined && part.detail !== 'auto') miss('image detail', 'harmless');
      return toInlineData(part.url, 'image', miss);
    case 'audio':
      if (AUDIO_FORMATS.has(part.format)) {
        return [{ inlineData: { mimeType: `audio/${part.format}`, data: part.data } }];
      }
      miss(`audio as ${part.format}`);
      return [];
    case 'file':
      if (part.data !== undefined) return toInlineData(part.data, 'file', miss);
      miss(part.url === undefined ? 'file by id' : 'file by URL');
      return [];
    case 'unknown':
      miss(`${part.name} part`);
      return [];
  }
};

/** Source: ai.google.dev/gemini-api/docs/audio. */
const AUDIO_FORMATS: ReadonlySet<string> = new Set(['wav', 'mp3', 'aiff', 'aac', 'ogg', 'flac']);

const toInlineData = (url: string, what: string, miss: Miss): Body[] => {
  const comma = url.indexOf(',');
  const [, mimeType] = /^data:([^;,]+)(?:;[^,]*)?;base64$/i.exec(url.slice(0, Math.max(0, comma))) ?? [];
  if (mimeType !== undefined) return [{ inlineData: { mimeType, data: url.slice(comma + 1) } }];
  // `fileData` takes only URLs of files that were uploaded to Google before.
  miss(url.startsWith('data:') ? `${what} that is not base64` : `${what} by URL`);
  return [];
};

/**
 * Gemini 3 and later refuse a call without its thought signature, and one with a signature from elsewhere. Of calls that
 * were made together only the first is signed. For a message of another vendor this word, which Google's documents name,
 * stands in for the signature.
 */
const FOREIGN_CALL = 'skip_thought_signature_validator';

const toFunctionCalls = ({ toolCalls = [] }: AssistantMessage, miss: Miss): Body[] => {
  const foreign = toolCalls.every((call) => signatureOf(call) === undefined);
  return toolCalls.map((call) => ({
    functionCall: { id: call.id, name: call.name, args: toArgs(call.arguments, miss) },
    thoughtSignature: foreign ? FOREIGN_CALL : signatureOf(call),
  }));
};

const signatureOf = ({ extra }: ToolCall): string | undefined =>
  isObject(extra?.google) ? textOf(extra.google.thought_signature) : undefined;

const toArgs = (text: string, miss: Miss): Body => {
  // What a call without arguments looks like at some vendors.
  if (text.trim() === '') return {};
  const args = parse(text);
  if (isObject(args)) return args;
  miss('tool call arguments that are not JSON');
  return {};
};

/** A result must be an object, of which Google reserves two keys: for what a tool returned, and for how it failed. */
const toFunctionResult = ({ content, isError }: ToolMessage): Body => {
  const output = textsOf(content)
    .map(({ text }) => text)
    .join('');
  if (isError === true) return { error: output };
  const result = parse(output);
  return isObject(result) ? result : { output };
};

const toTools = ({ tools = [] }: ChatRequest, miss: Miss): Body[] | undefined => {
  if (tools.some(({ strict }) => strict)) miss('strict tools', 'harmless');
  if (tools.length === 0) return undefined;
  const functionDeclarations = tools.map(({ name, description, parameters }) => ({
    name,
    description,
    parametersJsonSchema: parameters,
  }));
  return [{ functionDeclarations }];
};

const MODES = { auto: 'AUTO', none: 'NONE', required: 'ANY' } as const;

const toToolConfig = ({ toolChoice, parallelToolCalls }: ChatRequest, miss: Miss): Body | undefined => {
  if (parallelToolCalls === false) miss('parallel_tool_calls');
  if (toolChoice === undefined) return undefined;
  const functionCallingConfig =
    typeof toolChoice === 'object'
      ? { mode: 'ANY', allowedFunctionNames: [toolChoice.tool] }
      : { mode: MODES[toolChoice] };
  return { functionCallingConfig };
};

const MOST_STOPS = 5;

const toGenerationConfig = (request: ChatRequest, shows: boolean, miss: Miss): Body => {
  const { temperature, stop, output } = request;
  const tooHot = temperature !== undefined && (temperature < 0 || temperature > 2);
  if (tooHot) miss('temperature outside 0–2');
  const tooMany = stop !== undefined && stop.length > MOST_STOPS;
  if (tooMany) miss(`more than ${MOST_STOPS} stop sequences`);
  return {
    maxOutputTokens: request.maxOutputTokens,
    temperature: tooHot ? undefined : temperature,
    topP: request.topP,
    topK: request.topK,
    stopSequences: tooMany ? undefined : stop,
    seed: request.seed,
    frequencyPenalty: request.frequencyPenalty,
    presencePenalty: request.presencePenalty,
    responseMimeType: output === undefined || output.type === 'text' ? undefined : 'application/json',
    responseJsonSchema: toSchema(output, miss),
    thinkingConfig: shows ? { ...toThinking(request, miss), includeThoughts: true } : toThinking(request, miss),
  };
};

/** Gemini reads past what it does not know: no matter to who takes a schema for a hint, and a gap to who insists on it. */
const toSchema = (output: ChatRequest['output'], miss: Miss): Body | undefined => {
  if (output?.type !== 'json-schema') return undefined;
  const { schema, gaps } = fitSchema(GEMINI, describedSchema(output), 'output schema');
  for (const { what } of gaps) miss(what, output.strict === true ? undefined : 'harmless');
  return schema;
};

/** Gemini 3 cannot be told not to think: `none` is the least that there is. */
const THINKING_LEVELS: Readonly<Record<string, string>> = {
  none: 'MINIMAL',
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
};

/** The largest budget that all models take which can be given one. Fewer tokens are within any larger limit. */
const MOST_THINKING_TOKENS = 24_576;

/** Models that think even when nothing is said. Others refuse to be asked for their thoughts. */
const THINKS = /gemini-(2\.5|[3-9]|\d\d)/;

/** What Responses say to see thoughts: a summary is all that Gemini shows. */
const SHOWN = ['reasoning.summary', 'reasoning.generate_summary'];

const showsThoughts = (
  { showReasoning, reasoningEffort = 'auto', maxReasoningTokens }: ChatRequest,
  model: string,
): boolean => {
  if (showReasoning !== true || reasoningEffort === 'none') return false;
  return reasoningEffort !== 'auto' || maxReasoningTokens !== undefined || THINKS.test(model);
};

const toThinking = ({ reasoningEffort, maxReasoningTokens }: ChatRequest, miss: Miss): Body | undefined => {
  // Of words and tokens Gemini takes one.
  if (maxReasoningTokens !== undefined && reasoningEffort !== 'none') {
    return { thinkingBudget: Math.min(maxReasoningTokens, MOST_THINKING_TOKENS) };
  }
  // What it does when nothing is said.
  if (reasoningEffort === undefined || reasoningEffort === 'auto') return undefined;
  const thinkingLevel = THINKING_LEVELS[reasoningEffort];
  if (thinkingLevel !== undefined) return { thinkingLevel };
  miss(`reasoning_effort ${reasoningEffort}`);
  return undefined;
};

// ── from the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────

/** `undefined` stands for an answer that went wrong, and so for a failed attempt. */
// biome-ignore format: reads as a table
const FINISH_REASONS: Readonly<Record<string, FinishReason | undefined>> = {
  STOP:                     'stop',
  MAX_TOKENS:               'length',
  CONTINUATION:             'length',
  SAFETY:                   'content-filter',
  RECITATION:               'content-filter',
  LANGUAGE:                 'content-filter',
  BLOCKLIST:                'content-filter',
  PROHIBITED_CONTENT:       'content-filter',
  SPII:                     'content-filter',
  IMAGE_SAFETY:             'content-filter',
  IMAGE_PROHIBITED_CONTENT: 'content-filter',
  IMAGE_RECITATION:         'content-filter',
  MALFORMED_FUNCTION_CALL:  undefined,
  MALFORMED_RESPONSE:       undefined,
  UNEXPECTED_TOOL_CALL:     undefined,
  TOO_MANY_TOOL_CALLS:      undefined,
  NO_IMAGE:                 undefined,
  IMAGE_OTHER:              undefined,
  OTHER:                    undefined,
};

const toFinishReason = (vendor: string, reason: string): FinishReason => {
  // A reason that this version does not know still means that the model finished.
  const known = reason in FINISH_REASONS ? FINISH_REASONS[reason] : 'stop';
  if (known === undefined) throw brokenAnswer(vendor, `an answer that went wrong (${reason})`);
  return known;
};

/** One response object: the whole answer, or the next step of a stream. */
interface Reply {
  readonly pieces: readonly Piece[];
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
}

type Piece =
  | { readonly type: 'text' | 'reasoning'; readonly text: string }
  | { readonly type: 'tool-call'; readonly call: ToolCall };

const readReply = (vendor: string, body: Body): Reply => {
  const candidate = Array.isArray(body.candidates) ? body.candidates[0] : undefined;
  const { finishReason, content } = isObject(candidate) ? candidate : {};
  const usage = isObject(body.usageMetadata) ? fromUsage(body.usageMetadata) : undefined;
  if (candidate === undefined && isObject(body.promptFeedback) && textOf(body.promptFeedback.blockReason)) {
    return { pieces: [], finishReason: 'content-filter', usage };
  }
  return {
    pieces:
      isObject(content) && Array.isArray(content.parts) ? content.parts.flatMap((part) => toPiece(part) ?? []) : [],
    finishReason: typeof finishReason === 'string' ? toFinishReason(vendor, finishReason) : undefined,
    usage,
  };
};

const toPiece = (part: unknown): Piece | undefined => {
  if (!isObject(part)) return undefined;
  if (isObject(part.functionCall)) return { type: 'tool-call', call: toToolCall(part.functionCall, part) };
  const text = textOf(part.text);
  return text ? { type: part.thought === true ? 'reasoning' : 'text', text } : undefined;
};

const toToolCall = ({ id, name, args }: Body, { thoughtSignature }: Body): ToolCall => ({
  id: callIdOf(id),
  name: textOf(name) ?? '',
  arguments: JSON.stringify(args ?? {}),
  // The model that made the call wants it back with the call.
  ...(typeof thoughtSignature === 'string' && { extra: { google: { thought_signature: thoughtSignature } } }),
});

const fromUsage = (usage: Body): Usage => ({
  inputTokens: countOf(usage.promptTokenCount) + countOf(usage.toolUsePromptTokenCount),
  outputTokens: countOf(usage.candidatesTokenCount) + countOf(usage.thoughtsTokenCount),
  cachedInputTokens: countOf(usage.cachedContentTokenCount),
  reasoningTokens: countOf(usage.thoughtsTokenCount),
});

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Gemini says STOP also where it waits for its tools. */
const sharpen = (reason: FinishReason, hasCalls: boolean): FinishReason =>
  reason === 'stop' && hasCalls ? 'tool-calls' : reason;

/** The id of an answer, which some models leave out. */
const idOf = (body: Body): string => textOf(body.responseId) ?? `resp_${randomUUID()}`;

/** Reads a whole answer. */
export const fromGemini = (vendor: string, model: string, answer: unknown): ChatResponse => {
  const body = checkedBody(vendor, answer, 'a body that is no answer');
  const { pieces, finishReason, usage } = readReply(vendor, body);
  if (finishReason === undefined) {
    const empty = !Array.isArray(body.candidates) || body.candidates.length === 0;
    throw brokenAnswer(vendor, empty ? 'a body without candidates' : 'an answer without its end');
  }
  const joined = (type: 'text' | 'reasoning'): string =>
    pieces.map((piece) => (piece.type === type ? piece.text : '')).join('');
  const toolCalls = pieces.flatMap((piece) => (piece.type === 'tool-call' ? [piece.call] : []));
  const reasoning = joined('reasoning');
  return {
    id: idOf(body),
    model: textOf(body.modelVersion) ?? model,
    text: joined('text'),
    ...(reasoning !== '' && { reasoning }),
    toolCalls,
    finishReason: sharpen(finishReason, toolCalls.length > 0),
    ...(usage !== undefined && { usage }),
  };
};

/** The request whose tokens Gemini is to count: all of it, which the SDKs' own parameters have no room for. */
export const toCounted = (model: string, request: ChatRequest): Body => ({
  model: model.includes('/') ? model : `models/${model}`,
  ...toGemini(request, model).body,
});

/** Reads what Gemini has counted. */
export const countedByGemini = (vendor: string, answer: unknown): number => {
  const { totalTokens } = checkedBody(vendor, answer, 'a count that is no answer');
  if (typeof totalTokens !== 'number') throw brokenAnswer(vendor, 'a count that is no number');
  return totalTokens;
};

/** Reads the bodies of a stream in turn. */
export interface ReplyReader {
  /** The events of the next one. */
  read(body: unknown): readonly ChatEvent[];
  /**
   * What is left to say at the end. A stream that is cut between two events ends like any other: it is whole only once it has
   * said why it finished.
   */
  end(broken: Broken | undefined): readonly ChatEvent[];
}

export const createReplyReader = (vendor: string, model: string, signal: AbortSignal): ReplyReader => {
  let started = false;
  let calls = 0;
  let finishReason: FinishReason | undefined;
  /** Older models give a reason with each piece: then the next one may be missing. */
  let wentOn = false;
  let usage: Usage | undefined;
  return {
    read(said) {
      const body = checkedBody(vendor, said, 'an event that is no answer');
      const reply = readReply(vendor, body);
      const events: ChatEvent[] = [];
      if (!started) {
        started = true;
        events.push({ type: 'start', id: idOf(body), model: textOf(body.modelVersion) ?? model });
      }
      wentOn ||= finishReason !== undefined && reply.pieces.length > 0;
      for (const piece of reply.pieces) {
        if (piece.type === 'tool-call') events.push({ type: 'tool-call', index: calls++, ...piece.call });
        else events.push(piece);
      }
      finishReason = reply.finishReason ?? finishReason;
      // Each is the total so far.
      usage = reply.usage ?? usage;
      return events;
    },
    end(broken) {
      // What breaks behind its reason takes nothing from the answer.
      if (broken !== undefined && (finishReason === undefined || wentOn || signal.aborted)) throw broken.error;
      if (finishReason === undefined) {
        throw brokenAnswer(vendor, started ? 'a stream that stopped before its end' : 'a stream without an event');
      }
      return [
        { type: 'finish', reason: sharpen(finishReason, calls > 0) },
        ...(usage === undefined ? [] : [{ type: 'usage', usage } as const]),
      ];
    },
  };
};

/** The body of an answer; whatever has an error in it is none. */
export const checkedBody = (vendor: string, answer: unknown, what: string): Body => {
  if (!isObject(answer)) throw brokenAnswer(vendor, what);
  if (answer.error !== undefined && answer.error !== null) {
    throw new ProviderFailure(failureFromGoogle(vendor, isObject(answer.error) ? answer.error : {}));
  }
  return answer;
};

// ── what went wrong ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Every 429 of Google's says this, also where only a minute's worth of tokens is used up. */
const STOCK_PHRASE = /please check your plan and billing details/i;

/**
 * The failure behind an `error` object of Google's. Its `code` is the HTTP status, also inside a stream; what exactly
 * happened, and how long to wait, is in its `details`.
 */
export const failureFromGoogle = (
  vendor: string,
  error: Body,
  httpStatus?: number | undefined,
  header?: ReadHeader | undefined,
): Failure => {
  const details = Array.isArray(error.details) ? error.details.filter(isObject) : [];
  const detail = (type: string, field: string): unknown =>
    details.find((entry) => textOf(entry['@type'])?.endsWith(`.${type}`))?.[field];
  const violations = detail('QuotaFailure', 'violations');
  const quotas = Array.isArray(violations) ? violations.filter(isObject).map(({ quotaId }) => textOf(quotaId)) : [];
  const message = textOf(error.message) || undefined;
  const complaint = {
    vendor,
    status: httpStatus ?? statusOf(error.code),
    header,
    message,
    type: textOf(error.status),
    code: textOf(detail('ErrorInfo', 'reason')) ?? textOf(error.status),
    retryDelay: textOf(detail('RetryInfo', 'retryDelay')),
  };
  const failure = failureFromVendor(complaint);
  if (complaint.status !== 429) return failure;
  // Whether a minute or a day was used up, only the quota's id tells; the message would make a day of every minute.
  const words = quotas.length > 0 ? quotas.join(' ') : message?.replace(STOCK_PHRASE, '');
  return { ...failure, kind: classify({ ...complaint, message: words }) };
};

const statusOf = (code: unknown): number | undefined =>
  typeof code === 'number' && code >= 400 && code < 600 ? code : undefined;

/** The status on an error of either SDK. Asked of the object, not of its class: two copies of an SDK have two classes. */
export const httpStatusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'status' in error ? statusOf(error.status) : undefined;
