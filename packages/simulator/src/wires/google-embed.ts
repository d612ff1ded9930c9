import type { Question } from '../answer.ts';
import { embeddingQuestion, mostDimensions, vectorsOf } from '../embedding.ts';
import type { JsonObject } from '../json.ts';
import { optional, type Reader } from '../reader.ts';
import type { Wire } from '../wire.ts';

const TASK_TYPES = [
  'TASK_TYPE_UNSPECIFIED',
  'RETRIEVAL_QUERY',
  'RETRIEVAL_DOCUMENT',
  'SEMANTIC_SIMILARITY',
  'CLASSIFICATION',
  'CLUSTERING',
  'QUESTION_ANSWERING',
  'FACT_VERIFICATION',
  'CODE_RETRIEVAL_QUERY',
] as const;

/** What batchEmbedContents answers. */
export const printBatch: Wire['print'] = ({ usage: { inputTokens } }, question) => ({
  embeddings: vectorsOf(question).map((values) => ({ values })),
  usageMetadata: { promptTokenCount: inputTokens },
});

/** What embedContent answers, which embeds one content. */
export const printOne: Wire['print'] = (answer, question) => ({
  embedding: { values: vectorsOf(question)[0] },
  usageMetadata: { promptTokenCount: answer.usage.inputTokens },
});

/** Reads the body of batchEmbedContents, or of embedContent, which is one of its requests. */
export const readEmbed = (model: string, body: JsonObject, batch: boolean, read: Reader): Question => {
  const requests = batch
    ? read.list(body.requests, 'requests', { min: 1, max: 100 }).map((request, i) => {
        const path = `requests[${i}]`;
        const given = read.object(request, path);
        // Each says once more whom it is for.
        read.oneOf(given.model, `${path}.model`, [`models/${model}`]);
        return readRequest(given, path, model, read);
      })
    : [readRequest(body, 'embed_content_request', model, read)];
  return embeddingQuestion(model, {
    texts: requests.map(({ text }) => text),
    // The simulator takes them to be alike, as all clients make them.
    dimensions: requests[0]?.dimensions,
    base64: false,
  });
};

const readRequest = (
  given: JsonObject,
  path: string,
  model: string,
  read: Reader,
): { readonly text: string; readonly dimensions: number | undefined } => {
  const content = read.object(given.content, `${path}.content`);
  const parts = read.list(content.parts, `${path}.content.parts`, { min: 1 });
  optional(given.taskType, (value) => read.oneOf(value, `${path}.task_type`, TASK_TYPES));
  const range = { min: 1, max: mostDimensions(model), integer: true };
  return {
    text: parts
      .map((part, i) => read.object(part, `${path}.content.parts[${i}]`))
      .map(({ text }, i) => read.text(text, `${path}.content.parts[${i}].text`))
      .join(' '),
    dimensions: optional(given.outputDimensionality, (value) =>
      read.number(value, `${path}.output_dimensionality`, range),
    ),
  };
};
