import type { ChatAnswer, ChatEvent, ChatRequest, RouterError, RouterErrorCode, Served } from '@switchyard/core';
import type { StreamPrinter } from './print.ts';

/**
 * A wire format that callers speak: one file, which reads requests and prints answers, streams and errors.
 *
 * It knows nothing of targets. What a body says in words that all vendors share becomes a neutral request; the rest goes
 * along as `extra`, and the body itself as `source`, so that a target of the same format gets it whole.
 */
export interface Format {
  /** Where it is asked for, behind the route and `/v1/`; for example `chat/completions`. Glide's is behind the route alone. */
  readonly path: string;
  /** Reads a body. Throws a RouterError `invalid-request` that names the field by its path; no target is asked then. */
  parse(body: unknown, headers: Headers): FormatCall;
  /** Any error, also of the body or of our own, as the format's error body. */
  printError(error: unknown): PrintedError;
  /** The last event of a stream that broke off, from which clients know that it did. */
  printErrorEvent(error: unknown): Uint8Array;
  /** The body for a caller who may not pass. */
  readonly unauthorized: object;
  /** The header in which clients of the format look for the id of a request. */
  readonly requestIdHeader?: string;
}

/** A request as it came, and how to print what becomes of it. */
export interface FormatCall {
  readonly request: ChatRequest;
  /** What the body names as its model; a route, where the path names none. */
  readonly model: string | undefined;
  readonly stream: boolean;
  /** Whether the caller gets an event of a stream to see. Where it is left out, all of them are shown. */
  readonly forwards?: ((event: ChatEvent) => boolean) | undefined;
  /** The body of a plain answer. What came in this format goes out as it came. */
  printAnswer(answer: ChatAnswer): string;
  /**
   * The frames of a stream. Bytes that came in this format go out as they came; events of others are printed, as is all
   * that comes after a seam.
   */
  printStream(served: Served): StreamPrinter;
  /** In place of the format's own, where it names the caller's request. */
  printErrorEvent?(error: unknown): Uint8Array;
}

export interface PrintedError {
  readonly status: number;
  readonly body: object;
  readonly retryAfterSeconds: number | undefined;
}

// biome-ignore format: reads as a table
const STATUS: Readonly<Record<RouterErrorCode, number>> = {
  'invalid-config':     500,
  'invalid-request':    400,
  'unknown-route':      404,
  'unknown-answer':     404,
  'no-capable-target':  400,
  'request-refused':    400,
  'all-targets-failed': 503,
  // Not 429, which clients try again by themselves, as if it would pass in a moment.
  'budget-spent':       402,
  'deadline-exceeded':  504,
  'answer-broke-off':   502,
  aborted:              499,
};

/** The vendor's own, where an error tells what a vendor said of the request. */
export const statusOf = ({ code, failure }: RouterError): number =>
  // A second copy of the router, of another version, may have codes that this one does not know.
  failure?.status ?? STATUS[code] ?? STATUS['invalid-config'];

/** What became of each target, for the body of an error. It quotes neither keys nor prompts. */
export const causesOf = ({ attempts, skipped }: RouterError): Record<string, unknown> => ({
  ...(attempts.length > 0 && {
    attempts: attempts.map(({ target, outcome, status, message, tookMs }) => ({
      target,
      outcome,
      ...(status !== undefined && { status }),
      ...(message !== undefined && { message }),
      ms: Math.round(tookMs),
    })),
  }),
  ...(skipped.length > 0 && { skipped }),
});

/** When to come back, where every target is down, or no money is left. */
export const retryAfterSecondsOf = ({ code, retryAfterMs }: RouterError): number | undefined =>
  code === 'all-targets-failed' || code === 'budget-spent' || code === 'deadline-exceeded'
    ? // Whole seconds are all the header knows; rounded up, so that nobody comes back too early.
      Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000))
    : undefined;

/** As OpenAI, and Glide, tell the time. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);
