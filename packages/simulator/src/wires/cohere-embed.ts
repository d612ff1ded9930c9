import type { Question } from '../answer.ts';
import { embeddingQuestion, toBase64, vectorsOf } from '../embedding.ts';
import type { JsonObject } from '../json.ts';
import { optional, type Reader } from '../reader.ts';
import type { Wire } from '../wire.ts';

export const EMBED_PATH = '/v2/embed';

const INPUT_TYPES = ['search_document', 'search_query', 'classification', 'clustering', 'image'] as const;

/** What Cohere's Embed answers. */
export const printVectors: Wire['print'] = ({ usage: { inputTokens } }, question, { id }) => {
  const vectors = vectorsOf(question);
  return {
    id,
    embeddings: question.embed?.base64 === true ? { base64: vectors.map(toBase64) } : { float: vectors },
    texts: question.embed?.texts,
    meta: { api_version: { version: '2' }, billed_units: { input_tokens: inputTokens } },
    response_type: 'embeddings_by_type',
  };
};

/** Reads the body of a request for vectors. */
export const readEmbed = (body: JsonObject, read: Reader): Question => {
  read.oneOf(body.input_type, 'input_type', INPUT_TYPES);
  optional(body.truncate, (value) => read.oneOf(value, 'truncate', ['NONE', 'START', 'END']));
  const types = optional(body.embedding_types, (value) =>
    read.list(value, 'embedding_types', { min: 1, max: 1 }).map((type, i) => {
      return read.oneOf(type, `embedding_types[${i}]`, ['float', 'base64']);
    }),
  );
  return embeddingQuestion(String(body.model), {
    texts: read.list(body.texts, 'texts', { min: 1, max: 96 }).map((text, i) => read.text(text, `texts[${i}]`)),
    dimensions: optional(body.output_dimension, (value) => readDimension(value, read)),
    base64: types?.[0] === 'base64',
  });
};

const readDimension = (value: unknown, read: Reader): number => {
  const dimension = read.number(value, 'output_dimension');
  return Number(read.oneOf(String(dimension), 'output_dimension', ['256', '512', '1024', '1536']));
};
