import {
  type Answer,
  type Choice,
  type Finish,
  type Piece,
  piecesOf,
  type Question,
  type Tool,
  type Turn,
  tokensOf,
} from '../answer.ts';
import { isObject, type JsonObject } from '../json.ts';
import { optional, type Reader, reader, show } from '../reader.ts';
import {
  BAD_KEY,
  MISSING_MODEL,
  Rejection,
  type Stamp,
  type StreamEvent,
  type Wire,
  type WireRequest,
} from '../wire.ts';
import { printBatch, printOne, readEmbed } from './google-embed.ts';

const PATH =
  /^\/v1(?:beta)?\/models\/([^/:]+):(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)$/;

/** Google's Gemini: generateContent, streamGenerateContent with `alt=sse`, embedContent and batchEmbedContents. */
export const google: Wire = {
  name: 'google',
  contentType: { json: 'application/json; charset=UTF-8', stream: 'text/event-stream' },
  at(path) {
    const [, , action] = PATH.exec(path) ?? [];
    if (action === 'countTokens') return counting;
    if (action !== 'embedContent' && action !== 'batchEmbedContents') return google;
    const batch = action === 'batchEmbedContents';
    return {
      ...google,
      read(request) {
        const { model, body } = checkEnvelope(request);
        return readEmbed(model, body, batch, read);
      },
      print: batch ? printBatch : printOne,
    };
  },
  read: (request) => readBody(checkEnvelope(request)),

  print: (answer, question, stamp) => ({
    ...(answer.choices[0].finish === 'filtered'
      ? BLOCKED
      : {
          candidates: answer.choices.map((choice, index) => ({
            content: { role: 'model', parts: parts(answer, choice, question, stamp).map(({ part }) => part) },
            finishReason: FINISH_REASONS[choice.finish],
            index,
          })),
        }),
    usageMetadata: usage(answer, answer.usage.outputTokens - answer.usage.reasoningTokens),
    ...envelope(answer, stamp),
  }),

  stream(answer, question, stamp) {
    const event = (part: StreamEvent['part'], tokens: number, body: JsonObject): StreamEvent => ({
      part,
      tokens,
      bytes: serverSent({ ...body, ...envelope(answer, stamp) }),
    });
    const candidate = (index: number, parts: readonly JsonObject[], finish: Finish): JsonObject => ({
      candidates: [{ content: { role: 'model', parts }, finishReason: FINISH_REASONS[finish], index }],
    });
    const { outputTokens, reasoningTokens } = answer.usage;
    const whole = usage(answer, outputTokens - reasoningTokens);
    if (answer.choices[0].finish === 'filtered') return [event('end', 0, { ...BLOCKED, usageMetadata: whole })];
    let soFar = 0;
    return [
      ...answer.choices.flatMap((choice, index) =>
        parts(answer, choice, question, stamp, piecesOf).map(({ part, tokens }) => {
          if (part.thought !== true) soFar += tokens;
          const usageMetadata = usage(answer, soFar);
          return event('content', tokens, { ...candidate(index, [part], 'unsaid'), usageMetadata });
        }),
      ),
      ...answer.choices.map((choice, index) =>
        event('end', 0, { ...candidate(index, [{ text: '' }], choice.finish), usageMetadata: whole }),
      ),
    ];
  },

  printError({ status, message, code, retryDelayMs }) {
    const usual = ERRORS[status] ?? { status: status < 500 ? 'INVALID_ARGUMENT' : 'UNKNOWN' };
    const details = [
      ...(code === undefined ? [] : [{ '@type': `${TYPES}.ErrorInfo`, reason: code, domain: 'googleapis.com' }]),
      ...(retryDelayMs === undefined
        ? []
        : [{ '@type': `${TYPES}.RetryInfo`, retryDelay: `${Math.ceil(retryDelayMs) / 1_000}s` }]),
    ];
    return {
      error: {
        code: status,
        message: message ?? usual.message ?? `The server answered with status ${status}.`,
        status: usual.status,
        ...(details.length > 0 && { details }),
      },
    };
  },
  streamError: (problem, stamp) => serverSent(google.printError(problem, stamp)),
  streamGarbage: () => 'data: {"candidates":[{"content":{"role":"model","parts":[\r\n\r\n',

  headers: () => ({}),
  limitHeaders: () => ({}),
  tooMany: (waitMs) => ({ problem: { status: 429, retryDelayMs: waitMs }, headers: {} }),

  midway: { status: 503 },
  tooLong: ({ window, tokens } = { window: 1_048_576, tokens: 1_050_000 }) => ({
    status: 400,
    message: `The input token count (${tokens}) exceeds the maximum number of tokens allowed (${window}).`,
  }),
  declined: undefined,
};

/** What counts the tokens of a prompt: of contents alone, or of all that a whole request says. */
const counting: Wire = {
  ...google,
  read(request) {
    const { model, body } = checkEnvelope(request);
    checkNames(body, COUNT_PARAMETERS, '');
    const { contents, generateContentRequest } = body;
    if (!isPresent(generateContentRequest)) return readBody({ model, stream: false, body: { contents } });
    const asked = read.object(generateContentRequest, 'generate_content_request');
    // With it, contents are not looked at.
    if (read.text(asked.model, 'generate_content_request.model') !== `models/${model}`) {
      return reject('The model in the generate_content_request is not the one that is asked.');
    }
    return readBody({ model, stream: false, body: asked });
  },
  print: ({ usage: { inputTokens } }) => ({ totalTokens: inputTokens }),
};

const TYPES = 'type.googleapis.com/google.rpc';

// biome-ignore format: reads as a table
const ERRORS: Readonly<Record<number, { readonly status: string; readonly message?: string }>> = {
  400: { status: 'INVALID_ARGUMENT',   message: 'Request contains an invalid argument.' },
  401: { status: 'UNAUTHENTICATED',    message: 'Request had invalid authentication credentials.' },
  402: { status: 'RESOURCE_EXHAUSTED', message: 'Your prepaid credit is used up.' },
  403: { status: 'PERMISSION_DENIED',  message: 'The caller does not have permission' },
  404: { status: 'NOT_FOUND',          message: 'Requested entity was not found.' },
  429: { status: 'RESOURCE_EXHAUSTED', message: 'You exceeded your current quota, please check your plan and billing details.' },
  499: { status: 'CANCELLED',          message: 'The operation was cancelled.' },
  500: { status: 'INTERNAL',           message: 'An internal error has occurred. Please retry or report.' },
  503: { status: 'UNAVAILABLE',        message: 'The model is overloaded. Please try again later.' },
  504: { status: 'DEADLINE_EXCEEDED',  message: 'Deadline expired before operation could complete.' },
};

const FINISH_REASONS: Readonly<Record<Finish, string | undefined>> = {
  stop: 'STOP',
  'stop-sequence': 'STOP',
  length: 'MAX_TOKENS',
  'tool-calls': 'STOP',
  filtered: 'SAFETY',
  refused: 'STOP',
  unsaid: undefined,
};

const BLOCKED: JsonObject = {
  promptFeedback: {
    blockReason: 'SAFETY',
    safetyRatings: [{ category: 'HARM_CATEGORY_DANGEROUS_CONTENT', probability: 'HIGH' }],
  },
};

/**
 * Google ends its lines as HTTP does, and escapes what JavaScript takes for a line end, without which its older SDK reads
 * no further.
 */
const serverSent = (body: JsonObject): string =>
  `data: ${JSON.stringify(body).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\r\n\r\n`;

const envelope = ({ model }: Answer, { id }: Stamp): JsonObject => ({ modelVersion: model, responseId: id });

/** What a signature of ours begins with, before base64; a signature without it comes from elsewhere. */
const SIGNED = 'simulated thought ';

/** The parts of an answer; a stream cuts its texts into pieces, a function call is always whole. */
const parts = (
  { thought }: Answer,
  { text, toolCalls }: Choice,
  { reasoning }: Question,
  { id }: Stamp,
  split: (text: string) => readonly Piece[] = (text) => [{ text, tokens: tokensOf(text) }],
): readonly { readonly part: JsonObject; readonly tokens: number }[] => [
  ...(reasoning === 'shown' && thought !== '' ? split(thought) : []).map(({ text, tokens }) => ({
    part: { text, thought: true },
    tokens,
  })),
  ...(toolCalls.length > 0 ? [] : split(text)).map(({ text, tokens }) => ({ part: { text }, tokens })),
  ...toolCalls.map(({ name, args }, i) => ({
    part: {
      functionCall: { id: `${name}_${id}_${i}`, name, args },
      thoughtSignature: Buffer.from(SIGNED + id).toString('base64'),
    },
    tokens: tokensOf(name) + tokensOf(JSON.stringify(args)),
  })),
];

const usage = (
  { usage: { inputTokens, cachedTokens, reasoningTokens } }: Answer,
  candidatesTokens: number,
): JsonObject => ({
  promptTokenCount: inputTokens,
  candidatesTokenCount: candidatesTokens,
  totalTokenCount: inputTokens + candidatesTokens + reasoningTokens,
  thoughtsTokenCount: reasoningTokens,
  cachedContentTokenCount: cachedTokens,
});

const reject = (message: string, status = 400, code?: string): never => {
  throw new Rejection({ status, message, ...(code && { code }) });
};

const read: Reader = reader((path, expected, got) =>
  reject(
    got === undefined
      ? `* GenerateContentRequest.${path}: must be specified`
      : `Invalid value at '${path}': expected ${expected}, got ${show(got)}`,
  ),
);

interface Envelope {
  readonly model: string;
  readonly stream: boolean;
  readonly body: JsonObject;
}

/** What has to be right before anybody looks at the question. */
const checkEnvelope = ({ method, path, query, headers, body }: WireRequest): Envelope => {
  const [, name, action] = PATH.exec(path) ?? [];
  if (name === undefined) return reject(`Path not found: ${path}`, 404);
  if (method !== 'POST') return reject(`Method not allowed: ${method}`, 405);
  const stream = action === 'streamGenerateContent';
  if (stream && query.get('alt') !== 'sse') return reject('The simulator streams with alt=sse only.');
  const key = headers['x-goog-api-key'] ?? query.get('key');
  if (key === null) return reject("Method doesn't allow unregistered callers. Please use API Key.", 403);
  if (key === BAD_KEY) return reject('API key not valid. Please pass a valid API key.', 400, 'API_KEY_INVALID');
  if (!isObject(body)) return reject('Invalid JSON payload received. Expected an object.');
  const model = decodeURIComponent(name);
  if (model === MISSING_MODEL) return reject(`models/${model} is not found for API version v1beta.`, 404);
  return { model, stream, body };
};

// biome-ignore format: one word after the other
const PARAMETERS = new Set([
  'cachedContent', 'contents', 'continuationToken', 'generationConfig', 'labels', 'model', 'safetySettings',
  'serviceTier', 'store', 'systemInstruction', 'toolConfig', 'tools',
]);

const COUNT_PARAMETERS = new Set(['contents', 'generateContentRequest']);

// biome-ignore format: one word after the other
const GENERATION_PARAMETERS = new Set([
  'audioTranscriptionConfig', 'candidateCount', 'enableEnhancedCivicAnswers', 'frequencyPenalty', 'imageConfig',
  'logprobs', 'maxOutputTokens', 'mediaResolution', 'presencePenalty', 'responseJsonSchema', 'responseLogprobs',
  'responseMimeType', 'responseModalities', 'responseSchema', 'seed', 'speechConfig', 'stopSequences', 'temperature',
  'thinkingConfig', 'topK', 'topP',
]);

const checkNames = (given: JsonObject, known: ReadonlySet<string>, path: string): void => {
  for (const name of Object.keys(given)) {
    if (!known.has(name)) reject(`Invalid JSON payload received. Unknown name "${name}"${path}: Cannot find field.`);
  }
};

const readBody = ({ model, stream, body }: Envelope): Question => {
  checkNames(body, PARAMETERS, '');
  const config = optional(body.generationConfig, (value) => read.object(value, 'generation_config')) ?? {};
  checkNames(config, GENERATION_PARAMETERS, " at 'generation_config'");
  const number = (field: string, min: number, max: number, integer = false): number | undefined =>
    optional(config[field], (value) => read.number(value, `generation_config.${field}`, { min, max, integer }));
  number('temperature', 0, 2);
  number('topP', 0, 1);
  const system = optional(body.systemInstruction, readSystem) ?? [];
  const contents = read.list(body.contents, 'contents', { min: 1 });
  const tools = optional(body.tools, readTools) ?? [];
  return {
    model,
    stream,
    turns: [...system, ...readContents(contents, needsSignatures(model))],
    tools,
    toolChoice: optional(body.toolConfig, (value) => readToolConfig(value, tools)) ?? 'auto',
    parallelToolCalls: true,
    format: readFormat(config),
    maxOutputTokens: number('maxOutputTokens', 1, Number.MAX_SAFE_INTEGER, true),
    stop: optional(config.stopSequences, readStop) ?? [],
    reasoning: optional(config.thinkingConfig, readThinking) ?? 'none',
    choices: number('candidateCount', 1, 8, true) ?? 1,
    streamUsage: true,
  };
};

/** Gemini 3 and later insist on getting their thought signatures back. */
const needsSignatures = (model: string): boolean => Number(/^gemini-(\d+)/.exec(model)?.[1] ?? 0) >= 3;

const readSystem = (value: unknown): readonly Turn[] => {
  const given = read.list(read.object(value, 'system_instruction').parts, 'system_instruction.parts');
  return given.map((item, i) => {
    const path = `system_instruction.parts[${i}]`;
    return { role: 'system', text: read.text(read.object(item, path).text, `${path}.text`), images: 0 };
  });
};

const readContents = (contents: readonly unknown[], signed: boolean): readonly Turn[] => {
  let calls = 0;
  return contents.flatMap((item, i) => {
    const path = `contents[${i}]`;
    const content = read.object(item, path);
    const role = content.role ?? 'user';
    if (role !== 'user' && role !== 'model' && role !== 'function') reject('Please use a valid role: user, model.');
    const given = read.list(content.parts, `${path}.parts`, { min: 1 }).map((part, j) => {
      return read.object(part, `${path}.parts[${j}]`);
    });
    const responses = given.filter((part) => isPresent(part.functionResponse)).length;
    if (responses !== calls) {
      reject(
        'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
      );
    }
    const called = given.filter((part) => isPresent(part.functionCall));
    calls = called.length;
    // Parallel calls come from one thought, which signs the first of them.
    if (signed && called[0] !== undefined) checkSignature(called[0].thoughtSignature);
    return given.map((part, j) => readPart(part, role === 'model' ? 'assistant' : 'user', `${path}.parts[${j}]`));
  });
};

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

const checkSignature = (signature: unknown): void => {
  // The word with which Google lets a call from another vendor pass.
  if (signature === 'skip_thought_signature_validator') return;
  if (!signature) {
    reject(
      'Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly.',
    );
  }
  if (!Buffer.from(String(signature), 'base64').toString().startsWith(SIGNED))
    reject('Thought signature is not valid.');
};

const DATA = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
] as const;

const readPart = (part: JsonObject, role: 'user' | 'assistant', path: string): Turn => {
  const [kind, second] = DATA.filter((field) => isPresent(part[field]));
  if (kind === undefined || second !== undefined) {
    return reject(`* GenerateContentRequest.${path}.data: required oneof field 'data' must have one initialized field`);
  }
  const says = (text: string, images = 0): Turn => ({ role, text, images });
  if (kind === 'text') return says(read.text(part.text, `${path}.text`));
  const data = read.object(part[kind], `${path}.${kind}`);
  switch (kind) {
    case 'inlineData':
    case 'fileData':
      return says('', String(data.mimeType).startsWith('image/') ? 1 : 0);
    case 'functionCall': {
      const name = read.text(data.name, `${path}.function_call.name`);
      const args = optional(data.args, (value) => read.object(value, `${path}.function_call.args`)) ?? {};
      return says(`${name}(${JSON.stringify(args)})`);
    }
    case 'functionResponse': {
      read.text(data.name, `${path}.function_response.name`);
      const { response } = data;
      if (isObject(response)) return { role: 'tool', text: JSON.stringify(response), images: 0 };
      return reject(
        `Invalid value at '${path}.function_response.response' (type.googleapis.com/google.protobuf.Struct), ${show(response)}`,
      );
    }
    default:
      return says(JSON.stringify(data));
  }
};

const TOOL_NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/;

const readTools = (value: unknown): readonly Tool[] =>
  read.list(value, 'tools').flatMap((item, i) => {
    const path = `tools[${i}].function_declarations`;
    // Any other entry is a tool that runs at Google, which a simulated model never calls.
    const declared = read.object(item, `tools[${i}]`).functionDeclarations;
    return (optional(declared, (list) => read.list(list, path)) ?? []).map((entry, j) => {
      const declaration = read.object(entry, `${path}[${j}]`);
      const name = read.text(declaration.name, `${path}[${j}].name`);
      if (!TOOL_NAME.test(name)) reject(`Invalid function name '${name}' at '${path}[${j}].name'.`);
      const schema = (field: string): JsonObject | undefined =>
        optional(declaration[field], (given) => read.object(given, `${path}[${j}].${field}`));
      const [parameters, jsonSchema] = [schema('parameters'), schema('parametersJsonSchema')];
      if (parameters && jsonSchema) reject(`${path}[${j}]: parameters and parameters_json_schema exclude each other.`);
      return { name, parameters: parameters ?? jsonSchema ?? {} };
    });
  });

const MODES = ['MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED'] as const;

const readToolConfig = (value: unknown, tools: readonly Tool[]): Question['toolChoice'] => {
  const path = 'tool_config.function_calling_config';
  const config = optional(read.object(value, 'tool_config').functionCallingConfig, (given) => read.object(given, path));
  const mode = optional(config?.mode, (given) => read.oneOf(given, `${path}.mode`, MODES)) ?? 'AUTO';
  const names = optional(config?.allowedFunctionNames, (list) =>
    read.list(list, `${path}.allowed_function_names`).map((name) => read.text(name, `${path}.allowed_function_names`)),
  );
  const unknown = names?.find((name) => !tools.some((tool) => tool.name === name));
  if (unknown !== undefined) reject(`${path}.allowed_function_names: '${unknown}' is not a declared function.`);
  if (names && names.length > 0 && mode !== 'ANY' && mode !== 'VALIDATED') {
    reject('Function calling config is set with allowed_function_names, which needs the mode ANY.');
  }
  if (mode === 'NONE') return 'none';
  if (mode !== 'ANY') return 'auto';
  return tools.length === 0 ? reject('Function calling mode ANY needs function declarations.') : (names ?? []);
};

const MIME_TYPES = ['text/plain', 'application/json', 'text/x.enum'] as const;

const readFormat = (config: JsonObject): Question['format'] => {
  const path = 'generation_config.response_mime_type';
  const type = optional(config.responseMimeType, (value) => read.oneOf(value, path, MIME_TYPES)) ?? 'text/plain';
  const schema = (field: string): JsonObject | undefined =>
    optional(config[field], (given) => read.object(given, `generation_config.${field}`));
  const asked = schema('responseSchema') ?? schema('responseJsonSchema');
  if (asked === undefined) return { type: type === 'application/json' ? 'json' : 'text' };
  if (type === 'text/plain') {
    reject("Response schema is only supported with the response mime type 'application/json' or 'text/x.enum'.");
  }
  return { type: 'schema', schema: asked };
};

const readStop = (value: unknown): readonly string[] => {
  const path = 'generation_config.stop_sequences';
  return read.list(value, path, { max: 5 }).map((item, i) => read.text(item, `${path}[${i}]`));
};

const readThinking = (value: unknown): Question['reasoning'] => {
  const path = 'generation_config.thinking_config';
  const thinking = read.object(value, path);
  const budget = optional(thinking.thinkingBudget, (given) =>
    read.number(given, `${path}.thinking_budget`, { min: -1 }),
  );
  const level = optional(thinking.thinkingLevel, (given) => read.text(given, `${path}.thinking_level`));
  if (budget !== undefined && level !== undefined) {
    reject('You can only set only one of thinking budget and thinking level.');
  }
  if (budget === 0) return 'none';
  return thinking.includeThoughts === true ? 'shown' : 'hidden';
};
