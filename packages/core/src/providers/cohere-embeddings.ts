import type { EmbeddingRequest, EmbeddingResponse, Vector } from '../decide/embedding.ts';
import type { Embeddings } from '../provider.ts';
import { brokenAnswer, extraEmbeddingGaps, isObject } from '../provider-kit.ts';
import { inBatches, textsIn } from './batches.ts';
import { type Body, countOf, withoutUndefined } from './body.ts';

// Cohere's Embed, version 2.

/** Texts that one call takes. Source: docs.cohere.com/reference/embed. */
const MOST_TEXTS = 96;

/**
 * Cohere does not answer without being told what the vectors are for. Where the caller does not say, they are for a store:
 * what is searched is embedded more often than what is searched for, and wrongly embedded it stays wrong.
 */
const DEFAULT_INPUT_TYPE = 'search_document';

/** Fields of the caller's that Cohere knows under the same name. */
const MAPPED = ['input_type', 'truncate'];

export const cohereEmbeddings = (
  model: string,
  ask: (body: Body, signal: AbortSignal) => Promise<Body>,
): Embeddings => ({
  gaps: (request) => [
    ...(request.inputs.some((input) => typeof input !== 'string') ? [{ what: 'tokens as input' }] : []),
    ...extraEmbeddingGaps(request, MAPPED),
  ],
  embed: (request, call) =>
    inBatches('cohere', textsIn('cohere', request), MOST_TEXTS, call, async (texts, signal) =>
      fromCohere(await ask({ ...toCohere(request, texts), model }, signal), model),
    ),
});

const toCohere = ({ dimensions, extra = {} }: EmbeddingRequest, texts: readonly string[]): Body =>
  withoutUndefined({
    texts,
    input_type: extra.input_type ?? DEFAULT_INPUT_TYPE,
    truncate: extra.truncate ?? undefined,
    embedding_types: ['float'],
    output_dimension: dimensions,
  });

const fromCohere = ({ embeddings, meta }: Body, model: string): EmbeddingResponse => {
  const vectors = isObject(embeddings) ? embeddings.float : undefined;
  if (!Array.isArray(vectors) || !vectors.every((vector) => Array.isArray(vector))) {
    throw brokenAnswer('cohere', 'a body without vectors');
  }
  const billed = isObject(meta) && isObject(meta.billed_units) ? meta.billed_units : undefined;
  return {
    model,
    vectors: vectors as readonly Vector[],
    ...(billed !== undefined && { usage: { inputTokens: countOf(billed.input_tokens) } }),
  };
};
