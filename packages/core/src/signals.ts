import { type Schema, validate } from '@cfworker/json-schema';
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

/** Undefined for a schema that the validator cannot read: then nothing is said of the answer. */
const fits = (text: string, schema: Readonly<Record<string, unknown>>): boolean | undefined => {
  const json = parsed(text);
  try {
    const checked = withoutWhatIsSlow(schema) as Schema;
    // A text that is no JSON says nothing of a schema that is none.
    return validate(json?.value ?? null, checked, '2020-12').valid && json !== undefined;
  } catch {
    return undefined;
  }
};

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

/** Values, in which `pattern` is a field like any other. */
const VALUES = new Set(['const', 'enum', 'default', 'examples']);

/** Those that vendors' structured outputs know. The validator's expressions for some others take time without end. */
const FORMATS = new Set<unknown>([
  'date',
  'time',
  'date-time',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
]);

/**
 * A regular expression of the caller's, put to a text of a model's choice, could keep the process busy for hours, and to
 * compare each item of a long list with all others for seconds. What is told by these is left unsaid; property names that go by
 * an expression cannot be.
 */
const withoutWhatIsSlow = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(withoutWhatIsSlow);
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('patternProperties' in schema) throw new TypeError('patternProperties');
  return Object.fromEntries(
    Object.entries(schema).flatMap(([name, value]) => {
      if (isSlow(name, value)) return [];
      return [[name, VALUES.has(name) ? value : withoutWhatIsSlow(value)]];
    }),
  );
};

/** Under the same names a schema may have properties, whose values are schemas. */
const isSlow = (name: string, value: unknown): boolean =>
  (name === 'pattern' && typeof value === 'string') ||
  (name === 'format' && typeof value === 'string' && !FORMATS.has(value)) ||
  (name === 'uniqueItems' && value === true);
