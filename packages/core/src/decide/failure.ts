/** What went wrong with one attempt, as a value. */
export interface Failure {
  readonly kind: FailureKind;
  /** One sentence of ours. It names no key and quotes no prompt, so it may be logged and shown to any caller. */
  readonly message: string;
  /** The vendor's HTTP status, when it answered with one. */
  readonly status?: number;
  /** The vendor's own word for the error, for example `insufficient_quota`. */
  readonly code?: string;
  /** How long the vendor asks to be left alone, in ms from when the failure was seen. */
  readonly retryAfterMs?: number;
  /** The vendor's error, for the caller whose request caused it. It may quote the prompt: never logged. */
  readonly vendorError?: VendorError;
}

export interface VendorError {
  readonly message: string;
  readonly type?: string;
  readonly param?: string;
  readonly code?: string;
}

export type FailureKind =
  | 'server-error'
  | 'overloaded'
  | 'unreachable'
  | 'timed-out'
  | 'cut-short'
  | 'stalled'
  | 'broken'
  | 'rate-limited'
  | 'quota-exhausted'
  | 'unauthorized'
  | 'not-found'
  | 'unsupported'
  | 'too-long'
  | 'rejected'
  | 'filtered'
  | 'aborted';

export interface FailureRule {
  /** What becomes of the request. */
  readonly next: /** The next candidate, at once. */
    | 'fallback'
    /** The next candidate whose context window is known to be larger. */
    | 'larger-window'
    /** The caller gets the vendor's answer: every target would say the same. */
    | 'return'
    /** Nothing: nobody waits any more. */
    | 'stop';
  /** Whose fault it is. Only that is left alone. */
  readonly chargedTo: 'model' | 'key' | 'request' | 'nobody';
  /** What health remembers: a strike counts towards cooling, a gate closes at once until a given time. */
  readonly effect: 'strike' | 'gate' | 'none';
  /** Which gate closes: that of the limit pool, of the key, of the key's use of one model, of the model at its vendor. */
  readonly gate?: 'limit' | 'key' | 'access' | 'model';
  /** How long the gate stays closed when the vendor gives no time: the first time, and the most after doublings. */
  readonly gateMs?: { readonly first: number; readonly most: number };
  /** Whether it may be over soon, so that a further pass over the pool asks again. */
  readonly passing?: true;
  /** When it happens, for the page. */
  readonly when: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The whole line from a failure to what happens next. A kind without a row does not compile. */
// biome-ignore format: reads as a table
export const FAILURE_RULES: Readonly<Record<FailureKind, FailureRule>> = {
  'server-error':    { next: 'fallback',      passing: true, chargedTo: 'model',   effect: 'strike', when: '408, 409, 500, 502, 504, 520–524 and every other 5xx; Anthropic `api_error`, Gemini `INTERNAL`' },
  overloaded:        { next: 'fallback',      passing: true, chargedTo: 'model',   effect: 'strike', gate: 'model',  when: '503, 529, `overloaded_error`, `UNAVAILABLE`; with a `Retry-After` the model is also left alone for that time, 60 s at most' },
  unreachable:       { next: 'fallback',      passing: true, chargedTo: 'model',   effect: 'strike', when: 'DNS, refused, reset or TLS before an answer began; no connection within the connect timeout' },
  'timed-out':       { next: 'fallback',      passing: true, chargedTo: 'model',   effect: 'strike', when: 'no content within the first-content timeout, no whole plain answer within the answer timeout' },
  'cut-short':       { next: 'fallback',      chargedTo: 'nobody',  effect: 'none',   when: 'no content in the time that the deadline, or those after it, left for it: less than its timeout' },
  stalled:           { next: 'fallback',      passing: true, chargedTo: 'model',   effect: 'strike', when: 'an answer that began, then nothing for the idle timeout, or not done by the total timeout' },
  broken:            { next: 'fallback',      passing: true, chargedTo: 'model',   effect: 'strike', when: '200 with an error inside, without content, without its end, cut, not JSON, or a web page; vectors that cannot be right, by their number or their length' },
  'rate-limited':    { next: 'fallback',      passing: true, chargedTo: 'key',     effect: 'gate',   gate: 'limit',  gateMs: { first: SECOND, most: MINUTE }, when: '429' },
  'quota-exhausted': { next: 'fallback',      chargedTo: 'key',     effect: 'gate',   gate: 'key',    gateMs: { first: 5 * MINUTE, most: HOUR }, when: '402; 429 that says quota, credit, billing or spend limit' },
  unauthorized:      { next: 'fallback',      chargedTo: 'key',     effect: 'gate',   gate: 'key',    gateMs: { first: 5 * MINUTE, most: HOUR }, when: '401, 403; Gemini 400 `API_KEY_INVALID`, `FAILED_PRECONDITION`' },
  'not-found':       { next: 'fallback',      chargedTo: 'key',     effect: 'gate',   gate: 'access', gateMs: { first: 10 * MINUTE, most: 6 * HOUR }, when: '404: the model does not exist, is retired, or this key may not use it' },
  unsupported:       { next: 'fallback',      chargedTo: 'request', effect: 'none',   when: '400 that says this vendor or model does not take a parameter, or a schema, which others may take; vectors of another length than was asked for' },
  'too-long':        { next: 'larger-window', chargedTo: 'request', effect: 'none',   when: '413; 400 that says the prompt exceeds the context window' },
  rejected:          { next: 'return',        chargedTo: 'request', effect: 'none',   when: '400, 405, 415, 422 and every other 4xx' },
  filtered:          { next: 'return',        chargedTo: 'request', effect: 'none',   when: 'an error that says the prompt was refused for its content (an answer that ends in a refusal is an answer)' },
  aborted:           { next: 'stop',          chargedTo: 'nobody',  effect: 'none',   when: 'the caller left, or another attempt of the same request answered first' },
};
