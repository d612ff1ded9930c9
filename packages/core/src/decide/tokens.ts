import { type EmbeddingRequest, isEmbedding } from './embedding.ts';
import type { Need } from './health/allowance.ts';
import type { ChatRequest, ChatSettings, UserPart } from './request.ts';

/** English prose; near enough where a rate limit or the size of a prompt is guessed. */
const CHARACTERS_PER_TOKEN = 4;
/** What a tool's description, and an image, come to. */
const TOOL_TOKENS = 100;
const IMAGE_TOKENS = 1_500;

/** An estimate of a prompt's tokens. */
export const promptTokens = ({ messages, tools = [] }: ChatRequest): number => {
  let characters = 0;
  let tokens = tools.length * TOOL_TOKENS;
  for (const message of messages) {
    for (const part of message.content) {
      if (part.type === 'text') characters += part.text.length;
      else tokens += tokensOfPart(part);
    }
    if (message.role === 'assistant') for (const call of message.toolCalls ?? []) characters += call.arguments.length;
  }
  return tokens + Math.ceil(characters / CHARACTERS_PER_TOKEN);
};

const tokensOfPart = (part: UserPart): number => {
  if (part.type === 'image' || !('data' in part) || part.data === undefined) return IMAGE_TOKENS;
  return Math.max(IMAGE_TOKENS, Math.ceil(part.data.length / CHARACTERS_PER_TOKEN / 4));
};

/** The estimate that a need was made of. */
export const inputTokensOf = ([, , inputTokens]: Need): number => inputTokens;

/** An estimate of what is to be embedded, in tokens. */
export const embeddingTokens = ({ inputs }: EmbeddingRequest): number => {
  let tokens = 0;
  for (const input of inputs) {
    tokens += typeof input === 'string' ? Math.ceil(input.length / CHARACTERS_PER_TOKEN) : input.length;
  }
  return tokens;
};

/** The most that an answer may have; undefined where the request does not say. Vectors are made without any. */
export const mostOutputTokens = (request: ChatRequest | EmbeddingRequest): number | undefined =>
  isEmbedding(request) ? 0 : request.maxOutputTokens;

/**
 * What a request takes off each of a vendor's meters. Vendors count the longest answer that a request allows before they
 * let it in; where it names none, one token stands for an answer.
 */
export const needOf = (inputTokens: number, { maxOutputTokens = 1 }: Pick<ChatSettings, 'maxOutputTokens'>): Need => [
  1,
  inputTokens + maxOutputTokens,
  inputTokens,
  1,
];
