import type { FailureKind } from './failure.ts';

/** What a vendor's error says, as far as it says anything. */
export interface VendorWords {
  readonly status?: number | undefined;
  readonly type?: string | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

const TOO_LONG =
  /context_length|context length|context window|context limit|maximum context|prompt is too long|too many tokens|token count (\([\d,]+\) )?exceeds|request_too_large|string_above_max/i;
/**
 * Words, and not a pattern: engines compile patterns when they are needed, and forget them when they were not for a while, which a
 * request that has to fall back would wait for.
 */
// biome-ignore format: reads as a list
const QUOTA = [
  'insufficient_quota', 'credit_balance', 'credit balance', 'billing', 'spend_limit', 'usage_limit_exceeded',
  'per day', 'perday', 'per month', 'permonth', '/day', '/ day', '/month', '/ month',
];
const FILTERED =
  /content_filter|content_policy|content management policy|moderation_blocked|blocked\b.*(safety|content|policy)/i;
/** A schema among them: vendors take different parts of JSON Schema. */
const UNSUPPORTED =
  /unsupported_(parameter|value)|(is|are) not supported|not supported (by|with|for|in)|does not support|deprecated for this model|unrecognized request argument|unknown parameter|invalid schema for|invalid_json_schema|invalid_function_parameters|output_config\.format\.schema|schema is too complex|too many states/i;
const BAD_KEY = /API_KEY_INVALID|invalid_api_key|api key not valid|FAILED_PRECONDITION/i;

/**
 * The kind of failure that an error of a vendor is, read from its status first and from its words where one status
 * means several things. An error inside a stream has words only: the code that it names counts as if it were the status.
 */
export const classify = (words: VendorWords): FailureKind => {
  const text = `${words.type ?? ''} ${words.code ?? ''} ${words.message ?? ''}`;
  const status = words.status ?? statusOf(text);
  switch (status) {
    case undefined:
      return 'broken';
    case 401:
    case 403:
    case 498:
      return 'unauthorized';
    case 402:
      return 'quota-exhausted';
    case 404:
      return 'not-found';
    case 413:
      return 'too-long';
    case 429:
      return saysAny(text, QUOTA) ? 'quota-exhausted' : 'rate-limited';
    case 503:
    case 529:
      return 'overloaded';
    // A conflict, a time-out on their side, a request they cancelled: theirs, although numbered as ours.
    case 408:
    case 409:
    case 425:
    case 499:
      return 'server-error';
  }
  if (status >= 500) return 'server-error';
  if (status < 400) return 'broken';
  if (BAD_KEY.test(text)) return 'unauthorized';
  if (TOO_LONG.test(text)) return 'too-long';
  if (FILTERED.test(text)) return 'filtered';
  if (UNSUPPORTED.test(text)) return 'unsupported';
  return 'rejected';
};

const saysAny = (text: string, words: readonly string[]): boolean => {
  const said = text.toLowerCase();
  return words.some((word) => said.includes(word));
};

// biome-ignore format: reads as a table
const STATUS_OF_WORD: readonly (readonly [RegExp, number])[] = [
  [/overloaded|UNAVAILABLE|service_unavailable/i,                     503],
  [/insufficient_quota|rate_limit|RESOURCE_EXHAUSTED|slow_down/i,     429],
  [/authentication_error|UNAUTHENTICATED|invalid_api_key/i,           401],
  [/permission_error|PERMISSION_DENIED/i,                             403],
  [/billing_error/i,                                                  402],
  [/not_found/i,                                                      404],
  [/timeout|DEADLINE_EXCEEDED/i,                                504],
  [/api_error|server_error|internal/i,                                500],
  [/invalid_request|INVALID_ARGUMENT|FAILED_PRECONDITION/i,           400],
];

const statusOf = (text: string): number | undefined => STATUS_OF_WORD.find(([word]) => word.test(text))?.[1];
