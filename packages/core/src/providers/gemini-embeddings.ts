import type { EmbeddingRequest, EmbeddingResponse, Vector } from '../decide/embedding.ts';
import type { Embeddings, Gap } from '../provider.ts';
import { brokenAnswer, extraEmbeddingGaps, isObject } from '../provider-kit.ts';
import { inBatches, textsIn } from './batches.ts';
import { countOf, textOf } from './body.ts';
import { checkedBody } from './gemini.ts';

// Embeddings of Gemini, for both of Google's SDKs.

/** Texts that one call takes. Source: ai.google.dev/api/embeddings, batchEmbedContents. */
export const MOST_GEMINI_TEXTS = 100;

/** One call in Gemini's words. Fields that are undefined are not sent. */
export interface GeminiEmbedding {
  /** One for each text: texts by themselves are parts of one content to the newer models, and get one vector together. */
  readonly contents: readonly { readonly role: 'user'; readonly parts: readonly [{ readonly text: string }] }[];
  readonly taskType: string | undefined;
  readonly outputDimensionality: number | undefined;
}

export const geminiEmbeddings = (
  vendor: string,
  model: string,
  most: number,
  ask: (asked: GeminiEmbedding, signal: AbortSignal) => Promise<unknown>,
): Embeddings => ({
  gaps,
  embed: (request, call) =>
    inBatches(vendor, textsIn(vendor, request), most, call, async (texts, signal) =>
      fromGemini(vendor, model, await ask(toGemini(request, texts), signal)),
    ),
});

const gaps = (request: EmbeddingRequest): readonly Gap[] => {
  const purpose = request.extra?.input_type ?? undefined;
  return [
    ...(request.inputs.some((input) => typeof input !== 'string') ? [{ what: 'tokens as input' }] : []),
    ...(purpose !== undefined && taskTypeOf(request) === undefined ? [{ what: `input_type ${purpose}` }] : []),
    ...extraEmbeddingGaps(request, ['input_type', 'task_type']),
  ];
};

const toGemini = (request: EmbeddingRequest, texts: readonly string[]): GeminiEmbedding => ({
  contents: texts.map((text) => ({ role: 'user', parts: [{ text }] })),
  taskType: taskTypeOf(request),
  outputDimensionality: request.dimensions,
});

/** What the vectors are for, from the words that Cohere has for it. Source: ai.google.dev/gemini-api/docs/embeddings. */
const TASK_TYPES: ReadonlyMap<unknown, string> = new Map([
  ['search_document', 'RETRIEVAL_DOCUMENT'],
  ['search_query', 'RETRIEVAL_QUERY'],
  ['classification', 'CLASSIFICATION'],
  ['clustering', 'CLUSTERING'],
]);

/** Gemini's own word for it wins. Without either the model decides. */
const taskTypeOf = ({ extra = {} }: EmbeddingRequest): string | undefined =>
  textOf(extra.task_type) ?? TASK_TYPES.get(extra.input_type);

const fromGemini = (vendor: string, model: string, answer: unknown): EmbeddingResponse => {
  const { embeddings, usageMetadata } = checkedBody(vendor, answer, 'a body that is no answer');
  if (!Array.isArray(embeddings)) throw brokenAnswer(vendor, 'a body without vectors');
  return {
    model,
    vectors: embeddings.map((embedding): Vector => {
      if (isObject(embedding) && Array.isArray(embedding.values)) return embedding.values;
      throw brokenAnswer(vendor, 'something in place of a vector');
    }),
    ...(isObject(usageMetadata) && { usage: { inputTokens: countOf(usageMetadata.promptTokenCount) } }),
  };
};
