import { isObject, type JsonObject } from '../json.ts';
import { type Reader, reader, show } from '../reader.ts';
import { BAD_KEY, bearer, MISSING_MODEL, Rejection, type WireRequest } from '../wire.ts';

// How OpenAI reads a request, and what it says of one that is wrong, in both of its formats.

export const reject = (message: string, param?: string, code?: string, status = 400): never => {
  throw new Rejection({ status, message, ...(param && { param }), ...(code && { code }) });
};

export const read: Reader = reader((path, expected, got) =>
  got === undefined
    ? reject(`Missing required parameter: '${path}'.`, path, 'missing_required_parameter')
    : reject(`Invalid value for '${path}': expected ${expected}, but got ${show(got)}.`, path, 'invalid_value'),
);

/** What has to be right before anybody looks at the question. */
export const checkEnvelope = ({ method, path, headers, body }: WireRequest, own: string): JsonObject => {
  if (path !== own) return reject(`Invalid URL (${method} ${path})`, undefined, undefined, 404);
  if (method !== 'POST') return reject(`Not allowed to ${method} on ${path}.`, undefined, 'method_not_supported', 405);
  const key = bearer(headers);
  if (key === undefined) return reject("You didn't provide an API key.", undefined, 'invalid_api_key', 401);
  if (key === BAD_KEY) return reject(`Incorrect API key provided: ${key}.`, undefined, 'invalid_api_key', 401);
  if (!isObject(body)) return reject('We could not parse the JSON body of your request.');
  const model = read.text(body.model, 'model');
  return model === MISSING_MODEL
    ? reject(
        `The model \`${model}\` does not exist or you do not have access to it.`,
        undefined,
        'model_not_found',
        404,
      )
    : body;
};

export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;

const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

export const readToolName = (value: unknown, path: string): string => {
  const name = read.text(value, path);
  if (TOOL_NAME.test(name)) return name;
  return reject(
    `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
    path,
    'invalid_value',
  );
};
