import { estimateTokenCount } from 'tokenx';
import { type EmbeddingRequest, isEmbedding } from './embedding.ts';
import type { Need } from './health/allowance.ts';
import type { ChatRequest, ChatSettings, FilePart, UserPart } from './request.ts';

// All of this is estimated: no vendor publishes the tokenizers of all its models, and the largest of those that are known
// weigh megabytes. Where a vendor says how many tokens a prompt had, that is learned (health/learned-window.ts).

/** What a prompt holds, found in one walk over it. */
export interface Contents {
  /** Of messages, tools and the schema of the answer together. */
  readonly estimatedTokens: number;
  readonly images: boolean;
  readonly files: boolean;
  readonly audio: boolean;
  /** Tool calls of earlier turns, or their results. */
  readonly toolTurns: boolean;
}

/** What a role and the marks around a message come to. Source: OpenAI cookbook, "How to count tokens with tiktoken". */
const MESSAGE_TOKENS = 4;
/** About the most that an image of usual size costs at Anthropic (width × height / 750), OpenAI and Gemini (258 a tile). */
const IMAGE_TOKENS = 1_500;
/** `detail: 'low'`. Source: OpenAI, "Images and vision". */
const SMALL_IMAGE_TOKENS = 85;
/** Gemini's count, the largest; OpenAI has 10 a second. Sources: ai.google.dev/gemini-api/docs/audio; OpenAI, "Managing costs". */
const AUDIO_TOKENS_PER_SECOND = 32;
/** Speech as it is usually sent: 128 kbit/s, and samples of 16 bits at 16 kHz. */
const AUDIO_BYTES_PER_SECOND = { compressed: 16_000, wav: 32_000 };
/** A page of PDF is 1,500 to 3,000 at Anthropic (docs, "PDF support"); how many bytes a page has is a guess. */
const PAGE_TOKENS = 2_000;
const PAGE_BYTES = 50_000;
const BYTES_PER_BASE64_CHARACTER = 3 / 4;
const CHARACTERS_PER_TOKEN = 4;

/**
 * Looks through a prompt once. Texts are sampled, so that a prompt of megabytes costs no more than one of a page; what
 * is base64 is counted by its length alone.
 */
export const contentsOf = (request: ChatRequest): Contents => {
  const texts: string[] = [];
  let tokens = request.messages.length * MESSAGE_TOKENS;
  let images = false;
  let files = false;
  let audio = false;
  let toolTurns = false;
  for (const message of request.messages) {
    toolTurns ||= message.role === 'tool';
    for (const part of message.content as readonly UserPart[]) {
      if (part.type === 'text') texts.push(part.text);
      else tokens += tokensOfPart(part);
      images ||= part.type === 'image';
      files ||= part.type === 'file';
      audio ||= part.type === 'audio';
    }
    if (message.role !== 'assistant') continue;
    for (const call of message.toolCalls ?? []) {
      toolTurns = true;
      texts.push(call.name, call.arguments);
    }
  }
  for (const tool of request.tools ?? []) texts.push(jsonOf(tool));
  // Vendors put it into the prompt.
  if (request.output?.type === 'json-schema') texts.push(jsonOf(request.output.schema));
  return { estimatedTokens: tokens + tokensOfTexts(texts), images, files, audio, toolTurns };
};

/** What code hands over may refer to itself; that cannot be sent either, and is for the provider to say. */
const jsonOf = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
};

const tokensOfPart = (part: Exclude<UserPart, { type: 'text' }>): number => {
  switch (part.type) {
    case 'image':
      return part.detail === 'low' ? SMALL_IMAGE_TOKENS : IMAGE_TOKENS;
    case 'audio': {
      const perSecond = AUDIO_BYTES_PER_SECOND[part.format === 'wav' ? 'wav' : 'compressed'];
      return Math.ceil((bytesOf(part.data) / perSecond) * AUDIO_TOKENS_PER_SECOND);
    }
    case 'file':
      return tokensOfFile(part);
    default:
      return IMAGE_TOKENS;
  }
};

const tokensOfFile = ({ data }: FilePart): number => {
  if (data === undefined) return PAGE_TOKENS;
  if (data.startsWith('data:text/')) return Math.ceil(bytesOf(data) / CHARACTERS_PER_TOKEN);
  return Math.ceil(bytesOf(data) / PAGE_BYTES) * PAGE_TOKENS;
};

const bytesOf = (base64: string): number => base64.length * BYTES_PER_BASE64_CHARACTER;

/**
 * So many characters are looked at, at most, in so many pieces from all over the texts: the library takes 50 to 150 µs for
 * each thousand. Eight pieces meet a mixture of prose, code and languages in about its proportions.
 */
const MOST_CHARACTERS = 1_024;
const PIECES = 8;
const PIECE_CHARACTERS = MOST_CHARACTERS / PIECES;

/**
 * Of plain English so short the length alone tells enough: no model has a window that it could fill, and the library would
 * cost more than all the rest that is decided about a request.
 */
const SHORT_CHARACTERS = 4_096;

/** An estimate of the tokens of several texts, whose cost does not grow with them. */
export const tokensOfTexts = (texts: readonly string[]): number => {
  let characters = 0;
  for (const text of texts) characters += text.length;
  if (characters <= SHORT_CHARACTERS && texts.every(isAscii)) return Math.round(characters / CHARACTERS_PER_TOKEN);
  if (characters <= MOST_CHARACTERS) {
    let tokens = 0;
    for (const text of texts) tokens += estimateTokenCount(text);
    return tokens;
  }
  const stride = (characters - PIECE_CHARACTERS) / (PIECES - 1);
  let tokens = 0;
  let text = 0;
  // Where the text begins, were they all one.
  let begins = 0;
  for (let piece = 0; piece < PIECES; piece++) {
    let from = Math.floor(piece * stride);
    const to = from + PIECE_CHARACTERS;
    while (from < to && text < texts.length) {
      const current = texts[text] ?? '';
      const ends = begins + current.length;
      if (ends > from) tokens += estimateTokenCount(current.slice(from - begins, to - begins));
      from = Math.max(from, Math.min(ends, to));
      if (ends > to) break;
      begins = ends;
      text += 1;
    }
  }
  return Math.ceil((tokens / MOST_CHARACTERS) * characters);
};

/** Other scripts have fewer characters to a token, down to less than one. */
const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text);

/** The estimate that a need was made of. */
export const inputTokensOf = ([, , inputTokens]: Need): number => inputTokens;

/** An estimate of what is to be embedded, in tokens. */
export const embeddingTokens = ({ inputs }: EmbeddingRequest): number => {
  const texts: string[] = [];
  let tokens = 0;
  for (const input of inputs) {
    if (typeof input === 'string') texts.push(input);
    else tokens += input.length;
  }
  return tokens + tokensOfTexts(texts);
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
