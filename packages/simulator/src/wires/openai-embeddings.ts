import type { Question } from '../answer.ts';
import { embeddingQuestion, mostDimensions, toBase64, unknownFields, vectorsOf } from '../embedding.ts';
import type { JsonObject } from '../json.ts';
import { optional } from '../reader.ts';
import type { Wire } from '../wire.ts';
import { checkEnvelope, read, reject } from './openai-reader.ts';

export const EMBEDDINGS_PATH = '/v1/embeddings';

/** What is different in OpenAI's Embeddings. */
export const embeddings: Pick<Wire, 'read' | 'print' | 'tooLong'> = {
  read: (request) => readBody(checkEnvelope(request, EMBEDDINGS_PATH)),
  print: ({ model, usage: { inputTokens } }, question) => ({
    object: 'list',
    data: vectorsOf(question).map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: question.embed?.base64 === true ? toBase64(vector) : vector,
    })),
    model,
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
  }),
  tooLong: ({ window, tokens } = { window: 8_192, tokens: 10_000 }) => ({
    status: 400,
    message: `This model's maximum context length is ${window} tokens, however you requested ${tokens} tokens.`,
  }),
};

const PARAMETERS = ['dimensions', 'encoding_format', 'input', 'model', 'user'];

const readBody = (body: JsonObject): Question => {
  for (const field of unknownFields(body, PARAMETERS)) {
    reject(`Unrecognized request argument supplied: ${field}`, field, 'unknown_parameter');
  }
  const model = String(body.model);
  const range = { min: 1, max: mostDimensions(model), integer: true };
  optional(body.user, (value) => read.text(value, 'user'));
  return embeddingQuestion(model, {
    texts: readInput(body.input),
    dimensions: optional(body.dimensions, (value) => read.number(value, 'dimensions', range)),
    base64:
      optional(body.encoding_format, (value) => read.oneOf(value, 'encoding_format', ['float', 'base64'])) === 'base64',
  });
};

const readInput = (input: unknown): readonly string[] => {
  if (typeof input === 'string') return [readText(input, 'input')];
  const items = read.list(input, 'input', { min: 1, max: 2_048 });
  if (typeof items[0] === 'number') return [readTokens(items, 'input')];
  return items.map((item, i) =>
    Array.isArray(item) ? readTokens(item, `input[${i}]`) : readText(item, `input[${i}]`),
  );
};

const readText = (value: unknown, path: string): string => {
  const text = read.text(value, path);
  return text === '' ? reject(`'${path}' cannot be an empty string.`, path) : text;
};

/** Tokens stand for a text of their own. */
const readTokens = (value: readonly unknown[], path: string): string =>
  read
    .list(value, path, { min: 1 })
    .map((token, i) => read.number(token, `${path}[${i}]`, { min: 0, integer: true }))
    .join(' ');
