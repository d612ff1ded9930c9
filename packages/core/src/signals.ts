import { fromJSONSchema, type ZodType } from 'zod';
import type { ChatRequest } from './decide/request.ts';
import type { ChatResponse } from './decide/response.ts';

/**
 * What shows by itself how good an answer is. `schema`: whether its text is the JSON that was asked for; `refusal`: that the
 * model, or its vendor's filter, would not answer; `truncated`: that it ended at a limit of tokens.
 */
export type Signal = (typeof SIGNALS)[number];

export const SIGNALS = ['schema', 'refusal', 'truncated'] as const;

/** 0 where one of the signals speaks against an answer, 1 where none does, undefined where none can tell. */
export const scoreBySignals = (
  signals: readonly Signal[],
  request: ChatRequest,
  response: ChatResponse,
): 0 | 1 | undefined => {
  const passed = signals.flatMap((signal) => PASSES[signal](request, response) ?? []);
  return passed.length === 0 ? undefined : passed.every(Boolean) ? 1 : 0;
};

const PASSES: Readonly<Record<Signal, (request: ChatRequest, response: ChatResponse) => boolean | undefined>> = {
  schema: ({ output }, { text, toolCalls }) => {
    // Who calls a tool has not answered yet.
    if (output === undefined || output.type === 'text' || toolCalls.length > 0) return undefined;
    return output.type === 'json' ? parsed(text) !== undefined : fits(text, output.schema);
  },
  refusal: (_, { refusal, finishReason }) => (refusal ?? '') === '' && finishReason !== 'content-filter',
  truncated: (_, { finishReason }) => finishReason !== 'length',
};

const fits = (text: string, schema: Schema): boolean | undefined => {
  const check = validatorOf(schema);
  if (check === undefined) return undefined;
  const json = parsed(text);
  return json !== undefined && check.safeParse(json.value).success;
};

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

type Schema = Readonly<Record<string, unknown>>;

/** Undefined for a schema with words that the validator does not know: then nothing is said of the answer. */
const validatorOf = (schema: Schema): ZodType | undefined => {
  try {
    return fromJSONSchema(withoutPatterns(schema) as Parameters<typeof fromJSONSchema>[0]);
  } catch {
    return undefined;
  }
};

/** Values, in which `pattern` is a field like any other. */
const VALUES = new Set(['const', 'enum', 'default', 'examples']);

/**
 * A regular expression of the caller's, put to a text of a model's choice, could keep the process busy for hours. What is
 * told by one is left unsaid; property names that go by one cannot be.
 */
const withoutPatterns = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(withoutPatterns);
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('patternProperties' in schema) throw new TypeError('patternProperties');
  return Object.fromEntries(
    Object.entries(schema).flatMap(([name, value]) => {
      if (name === 'pattern' && typeof value === 'string') return [];
      return [[name, VALUES.has(name) ? value : withoutPatterns(value)]];
    }),
  );
};
