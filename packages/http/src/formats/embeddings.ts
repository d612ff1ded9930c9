import {
  type EmbeddingAnswer,
  type EmbeddingInput,
  type EmbeddingRequest,
  RouterError,
  type Vector,
} from '@switchyard/core';
import { array, type Body, isObject, isSet, number, optional, present, string, wrong } from '../read.ts';

// OpenAI Embeddings, as callers speak it: parse the request, print the answer. Its errors are those of Chat Completions.

/** A request as it came, with what only the printing needs to know. */
export interface EmbeddingCall {
  readonly request: EmbeddingRequest;
  /** What the body names as its model; a route, where the path names none. */
  readonly model: string | undefined;
  readonly encoding: 'float' | 'base64';
}

/** What OpenAI takes in one request. Vendors that take fewer at once are called several times. */
const MOST_INPUTS = 2_048;

/** The fields that have neutral names, or are read here. Everything else goes on as `extra`. */
const KNOWN = new Set(['model', 'input', 'dimensions', 'encoding_format']);

/** Reads a body. Throws a RouterError `invalid-request` that names the field by its path; no target is asked then. */
export const parseEmbeddings = (body: unknown): EmbeddingCall => {
  if (!isObject(body)) throw wrong('body', 'an object', body);
  const request: EmbeddingRequest = {
    inputs: parseInput(body.input),
    ...present('dimensions', optional(body, 'dimensions', parseDimensions)),
    extra: Object.fromEntries(Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && isSet(value))),
    source: { format: 'openai-embeddings', body },
  };
  optional(body, 'user', string);
  return {
    request,
    model: optional(body, 'model', string),
    encoding: optional(body, 'encoding_format', parseEncoding) ?? 'float',
  };
};

const parseInput = (input: unknown): readonly EmbeddingInput[] => {
  if (typeof input === 'string') return [input];
  if (!Array.isArray(input) || input.length === 0) {
    throw wrong('input', 'a text, tokens, or an array of either with at least one', input);
  }
  // A list of numbers is the tokens of one text.
  if (typeof input[0] === 'number') return [parseTokens(input, 'input')];
  if (input.length > MOST_INPUTS) {
    throw new RouterError('invalid-request', `input: expected at most ${MOST_INPUTS}, and got ${input.length}`);
  }
  // All of one kind, as at OpenAI.
  const parse = typeof input[0] === 'string' ? string : parseTokens;
  return input.map((item, i) => parse(item, `input[${i}]`));
};

const parseTokens = (value: unknown, path: string): readonly number[] => {
  const tokens = array(value, path);
  if (tokens.length === 0) throw wrong(path, 'at least one token', value);
  return tokens.map((token, i) => {
    if (Number.isInteger(token) && (token as number) >= 0) return token as number;
    throw wrong(`${path}[${i}]`, 'a token, a whole number', token);
  });
};

const parseDimensions = (value: unknown, path: string): number => {
  const dimensions = number(value, path);
  if (Number.isInteger(dimensions) && dimensions > 0) return dimensions;
  throw wrong(path, 'a whole number above 0', value);
};

const parseEncoding = (value: unknown, path: string): 'float' | 'base64' => {
  if (value === 'float' || value === 'base64') return value;
  throw wrong(path, "'float' or 'base64'", value);
};

/** The body of an answer. What came in this format, in the encoding that was asked for, goes out as it came. */
export const printEmbeddings = (answer: EmbeddingAnswer, { encoding }: EmbeddingCall): string => {
  if (answer.source !== undefined) return answer.source.body;
  // Clients read it without looking; 0 where the vendor does not tell.
  const tokens = answer.usage?.inputTokens ?? 0;
  return JSON.stringify({
    object: 'list',
    data: answer.vectors.map(
      (vector, index): Body => ({ object: 'embedding', index, embedding: print(vector, encoding) }),
    ),
    model: answer.model === '' ? answer.served.target.model : answer.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
};

const print = (vector: Vector, encoding: 'float' | 'base64'): string | readonly number[] =>
  encoding === 'float' ? Array.from(vector) : toBase64(Float32Array.from(vector));

/** What OpenAI sends: 32-bit floats, the lowest byte first. */
const toBase64 = ({ buffer }: Float32Array<ArrayBuffer>): string => Buffer.from(buffer).toString('base64');
