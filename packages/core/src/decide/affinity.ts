import { hashOf } from './hash.ts';
import type { TargetPrice } from './price.ts';
import { Recent } from './recent.ts';
import type { ChatRequest, Message, UserPart } from './request.ts';
import type { Usage } from './response.ts';

/**
 * Where the prompts of conversations are cached: a vendor that has read the beginning of a prompt lately charges less for it,
 * and answers sooner, so that the next turn of a conversation is best asked where the last one was.
 */
export interface Affinity {
  /** So long after its last turn a conversation has no home any more. */
  readonly lifeMs: number;
  /** By the hash of a prompt that was answered. */
  readonly homes: Recent<number, Home>;
  /**
   * By target: the part of what could have been read from its cache that was, 0 to 1, as its vendor tells. 1 until it does: some
   * cache only what is marked for it, and some nothing.
   */
  readonly hits: Float64Array;
}

interface Home {
  readonly target: number;
  /** Of the prompt that it has read. */
  readonly tokens: number;
  readonly atMs: number;
}

/** A request, as the next turn of something. */
export interface Conversation {
  /** The hash of its whole prompt, and of the part of it that `home` has read. */
  readonly key: number;
  readonly homeKey: number;
  /** Undefined: it has just begun, or its home has failed. */
  home: Home | undefined;
  /** The target that it was sent to for the sake of its cache. */
  stayedAt: number | undefined;
}

/** Prompts; a conversation has one for each of its turns. Of 100 bytes each. */
const MOST_HOMES = 20_000;
/** Vendors cache no shorter prompts. Sources: OpenAI and Anthropic, "Prompt caching"; Google, "Context caching". */
const LEAST_TOKENS = 1_024;
/** Vendors take 50 to 90 % off; where nobody says what a target costs, it is the least of that. */
const USUAL_DISCOUNT = 0.5;
/** How much the last answer says about the next. */
const NEWEST = 0.2;

export const newAffinity = (targets: number, lifeMs: number): Affinity => ({
  lifeMs,
  homes: new Recent(MOST_HOMES),
  hits: new Float64Array(targets).fill(1),
});

/**
 * Finds the longest prompt that this one begins with, of those that were answered within the life of an affinity. Only whole
 * prompts are remembered, and not what many have in common, such as instructions: all of them would go to one target.
 */
export const conversationOf = ({ homes, lifeMs }: Affinity, request: ChatRequest, nowMs: number): Conversation => {
  let key = 0;
  let homeKey = 0;
  let home: Home | undefined;
  for (const { name } of request.tools ?? []) key = hashOf(name, key);
  for (const message of request.messages) {
    key = hashOfMessage(message, key);
    const found = homes.get(key);
    if (found === undefined || nowMs - found.atMs > lifeMs) continue;
    home = found;
    homeKey = key;
  }
  return { key, homeKey, home, stayedAt: undefined };
};

/** A target has answered: it has read this prompt, of so many tokens. */
export const settle = (
  { homes, hits }: Affinity,
  { key, home }: Conversation,
  target: number,
  estimatedTokens: number,
  usage: Usage | undefined,
  nowMs: number,
): void => {
  if (home?.target === target && usage !== undefined) {
    const hit = Math.min(1, usage.cachedInputTokens / home.tokens);
    hits[target] = (1 - NEWEST) * (hits[target] ?? 1) + NEWEST * hit;
  }
  const tokens = usage?.inputTokens ?? estimatedTokens;
  if (tokens >= LEAST_TOKENS) homes.set(key, { target, tokens, atMs: nowMs });
};

/** A target has failed: whoever is at home there moves on. */
export const leave = ({ homes }: Affinity, conversation: Conversation, target: number): void => {
  if (conversation.home?.target !== target) return;
  homes.delete(conversation.homeKey);
  conversation.home = undefined;
};

/** The part of what a prompt costs at its home that the cache there is likely to save, 0 to 1. */
export const savingOf = (
  { hits }: Affinity,
  { target, tokens }: Home,
  price: TargetPrice | undefined,
  inputTokens: number,
): number => Math.min(1, tokens / Math.max(1, inputTokens)) * (hits[target] ?? 1) * discountOf(price);

const discountOf = (price: TargetPrice | undefined): number => {
  if (price === undefined) return USUAL_DISCOUNT;
  const { inputUsdPerMTok, cachedInputUsdPerMTok = inputUsdPerMTok } = price;
  return inputUsdPerMTok === 0 ? 0 : Math.max(0, 1 - cachedInputUsdPerMTok / inputUsdPerMTok);
};

/** A role, then each part. */
const hashOfMessage = (message: Message, seed: number): number => {
  let key = hashOf(message.role, seed);
  for (const part of message.content as readonly UserPart[]) key = hashOf(sampleOf(textOf(part)), key);
  if (message.role !== 'assistant') return key;
  for (const call of message.toolCalls ?? []) key = hashOf(sampleOf(call.arguments), hashOf(call.name, key));
  return key;
};

const textOf = (part: UserPart): string => {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'image':
      return part.url;
    case 'audio':
      return part.data;
    case 'file':
      return part.data ?? part.url ?? part.fileId ?? '';
    default:
      return part.name;
  }
};

/**
 * Of a long text its length and its two ends: a prompt of megabytes costs no more than one of a page. Two that differ only in
 * between are taken for one, and then a request goes where it saves nothing.
 */
const sampleOf = (text: string): string =>
  text.length <= 2 * SAMPLED ? text : `${text.length} ${text.slice(0, SAMPLED)}${text.slice(-SAMPLED)}`;

const SAMPLED = 1_024;
