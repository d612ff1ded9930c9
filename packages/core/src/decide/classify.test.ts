import { expect, test } from 'vitest';
import { classify } from './classify.ts';

test.each([
  [{ status: 500 }, 'server-error'],
  [{ status: 502 }, 'server-error'],
  [{ status: 504 }, 'server-error'],
  [{ status: 520 }, 'server-error'],
  [{ status: 408 }, 'server-error'],
  [{ status: 503 }, 'overloaded'],
  [{ status: 529, type: 'overloaded_error' }, 'overloaded'],
  [{ status: 429, code: 'rate_limit_exceeded' }, 'rate-limited'],
  [{ status: 429, type: 'insufficient_quota', code: 'credit_balance_exhausted' }, 'quota-exhausted'],
  [{ status: 429, code: 'organization_usage_limit_exceeded' }, 'quota-exhausted'],
  [{ status: 429, code: 'enforced_spend_limit_reached' }, 'quota-exhausted'],
  [{ status: 429, message: 'GenerateRequestsPerDayPerProjectPerModel' }, 'quota-exhausted'],
  [{ status: 429, code: 'ramp_limit_exceeded' }, 'rate-limited'],
  [{ status: 429, message: 'trial keys are limited to 1000 API calls / month' }, 'quota-exhausted'],
  [{ status: 402 }, 'quota-exhausted'],
  [{ status: 401 }, 'unauthorized'],
  [{ status: 403 }, 'unauthorized'],
  [{ status: 400, code: 'API_KEY_INVALID' }, 'unauthorized'],
  [{ status: 404 }, 'not-found'],
  [{ status: 413 }, 'too-long'],
  [{ status: 400, code: 'context_length_exceeded' }, 'too-long'],
  [{ status: 400, message: 'prompt is too long: 210000 tokens > 200000 maximum' }, 'too-long'],
  [{ status: 400, message: 'too many tokens: the prompt has 300000' }, 'too-long'],
  [
    { status: 400, message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).' },
    'too-long',
  ],
  [
    { status: 400, message: 'The input token count exceeds the maximum number of tokens allowed (1048576).' },
    'too-long',
  ],
  [
    {
      status: 400,
      message: 'input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease it',
    },
    'too-long',
  ],
  [
    { status: 400, message: "Invalid schema for response_format 'x': In context=(), 'oneOf' is not permitted." },
    'unsupported',
  ],
  [{ status: 400, code: 'invalid_function_parameters' }, 'unsupported'],
  [
    {
      status: 400,
      message: "output_config.format.schema: For 'integer' type, properties maximum, minimum are not supported",
    },
    'unsupported',
  ],
  [{ status: 400, code: 'content_filter' }, 'filtered'],
  [{ status: 422, message: 'the request was blocked because its content violates the usage policy' }, 'filtered'],
  [{ status: 400, code: 'unsupported_parameter' }, 'unsupported'],
  [{ status: 400, message: '`temperature` is not supported with this model' }, 'unsupported'],
  [{ status: 400 }, 'rejected'],
  [{ status: 422 }, 'rejected'],
  [{ status: 415 }, 'rejected'],
  [{ status: 302 }, 'broken'],
  // Inside a stream there is no status, only words.
  [{ type: 'overloaded_error' }, 'overloaded'],
  [{ type: 'api_error' }, 'server-error'],
  [{ code: 'UNAVAILABLE' }, 'overloaded'],
  [{ type: 'TIMEOUT' }, 'server-error'],
  [{ code: 'RESOURCE_EXHAUSTED' }, 'rate-limited'],
  [{ type: 'insufficient_quota' }, 'quota-exhausted'],
  [{ message: 'something else' }, 'broken'],
  [{}, 'broken'],
] as const)('%j is %s', (words, kind) => {
  expect(classify(words)).toBe(kind);
});
