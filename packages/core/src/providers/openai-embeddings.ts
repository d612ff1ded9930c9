import type { EmbeddingRequest, EmbeddingResponse, Vector } from '../decide/embedding.ts';
import type { Embeddings } from '../provider.ts';
import { brokenAnswer, isObject } from '../provider-kit.ts';
import { type Body, countOf, textOf, withoutUndefined } from './body.ts';
import type { Line } from './openai-line.ts';
import { dialectOf, parseBody } from './openai-words.ts';

// OpenAI's Embeddings, which all vendors have that resemble it. Requests that arrived in this format pass through untouched
// but for `model`, and so do the answers.

type Encoding = 'float' | 'base64';

export const openaiEmbeddings = ({ client, post }: Line, model: string): Embeddings => {
  // A quarter of the bytes, and no numbers to parse; not every server that resembles OpenAI's has it.
  const preferred: Encoding = dialectOf(client.baseURL, model).isOwn ? 'base64' : 'float';

  return {
    // Everything can be said to the vendor whose format this is.
    gaps: () => [],
    async embed(request, call) {
      const body = { ...toOpenAI(request, preferred), model };
      const response = await post('/embeddings', body, call);
      return fromOpenAI(await response.text(), request, model);
    },
  };
};

const toOpenAI = ({ inputs, dimensions, extra, source }: EmbeddingRequest, preferred: Encoding): Body =>
  source === undefined
    ? { ...extra, ...withoutUndefined({ input: inputs, dimensions, encoding_format: preferred }) }
    : { ...source.body };

const fromOpenAI = (text: string, { source }: EmbeddingRequest, model: string): EmbeddingResponse => {
  const body = parseBody(text);
  if (!Array.isArray(body.data)) throw brokenAnswer('openai', 'a body without vectors');
  const items = body.data.map((item) => (isObject(item) ? item : {}));
  // Servers that know one encoding only answer in that one; a caller who asked for another gets it from us.
  const wanted = source?.body.encoding_format === 'base64' ? 'string' : 'object';
  const asAsked = source !== undefined && items.every(({ embedding }) => typeof embedding === wanted);
  return {
    model: textOf(body.model) ?? model,
    vectors: inOrder(items),
    ...(isObject(body.usage) && { usage: { inputTokens: countOf(body.usage.prompt_tokens) } }),
    ...(asAsked && { source: { format: 'openai-embeddings', body: text } }),
  };
};

/** By their `index`, where they have one. */
const inOrder = (items: readonly Body[]): readonly Vector[] => {
  const vectors: Vector[] = [];
  for (const [i, { index = i, embedding }] of items.entries()) {
    const place = typeof index === 'number' && index >= 0 && index < items.length ? index : -1;
    if (place < 0 || place in vectors) throw brokenAnswer('openai', 'vectors whose order cannot be told');
    vectors[place] = toVector(embedding);
  }
  return vectors;
};

const toVector = (embedding: unknown): Vector => {
  // Whether each is a number is looked at later, for all vendors.
  if (Array.isArray(embedding)) return embedding;
  if (typeof embedding !== 'string') throw brokenAnswer('openai', 'something in place of a vector');
  // A copy: a view of four bytes at a time must begin at a multiple of four, and pooled buffers do not.
  const bytes = new Uint8Array(Buffer.from(embedding, 'base64'));
  if (bytes.length % Float32Array.BYTES_PER_ELEMENT !== 0) throw brokenAnswer('openai', 'a vector that was cut');
  return new Float32Array(bytes.buffer);
};
