import type { Question } from './answer.ts';
import { drawNormal, seededDice } from './dice.ts';
import type { JsonObject } from './json.ts';

/** What is to be made into vectors, in place of an answer. */
export interface Embedding {
  readonly texts: readonly string[];
  /** How long the vectors should be; as long as the model makes them if undefined. */
  readonly dimensions: number | undefined;
  /** 32-bit floats as base64 in place of numbers, at the vendor that has both. */
  readonly base64: boolean;
}

/** The question that a request for vectors is. */
export const embeddingQuestion = (model: string, embed: Embedding): Question => ({
  model,
  embed,
  stream: false,
  turns: embed.texts.map((text) => ({ role: 'user', text, images: 0 })),
  tools: [],
  toolChoice: 'none',
  parallelToolCalls: false,
  format: { type: 'text' },
  maxOutputTokens: undefined,
  stop: [],
  reasoning: 'none',
  choices: 1,
  streamUsage: false,
});

/**
 * How long the vectors of a model are, and how long they can be asked to be. Real models: 3072 of the large one of OpenAI's
 * and of Gemini's, 1536 of others.
 */
export const mostDimensions = (model: string): number => (/large|gemini/.test(model) ? 3_072 : 1_536);

/**
 * The vectors of a simulated model: of length 1, and the same for the same text and the same model, whoever serves it. A
 * shorter one is the beginning of the long one, as real models are trained to have it.
 */
export const vectorsOf = ({ model, embed }: Question): readonly (readonly number[])[] =>
  (embed?.texts ?? []).map((text) => {
    const dice = seededDice(hash(`${model}\n${text}`));
    const numbers = Array.from({ length: embed?.dimensions ?? mostDimensions(model) }, () => drawNormal(dice));
    const norm = Math.sqrt(numbers.reduce((sum, number) => sum + number ** 2, 0));
    return numbers.map((number) => number / norm);
  });

/** Source: FNV-1a, 32 bits. */
const hash = (text: string): number => {
  let hashed = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hashed = Math.imul(hashed ^ text.charCodeAt(i), 0x01000193);
  return hashed;
};

export const toBase64 = (vector: readonly number[]): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString('base64');

/** Fields of a body that a vendor does not know. */
export const unknownFields = (body: JsonObject, known: readonly string[]): readonly string[] =>
  Object.keys(body).filter((field) => !known.includes(field));
