import type { Answer, Question } from './answer.ts';
import type { JsonObject } from './json.ts';
import type { Allowances } from './limit.ts';
import type { VendorName } from './vendor.ts';

export type Headers = Readonly<Record<string, string>>;

/** A request as it came in, parsed as far as HTTP goes. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** The parsed JSON; `undefined` when it was none. */
  readonly body: unknown;
}

/** Why a vendor does not answer, before it is put into that vendor's words. */
export interface Problem {
  readonly status: number;
  /** The vendor's usual message for the status if left out. */
  readonly message?: string;
  /** The vendor's machine-readable name for the problem, where it has one beyond the status. */
  readonly code?: string;
  /** The field that is wrong. */
  readonly param?: string;
  /** How long to wait, for the vendor that says so in the body. */
  readonly retryDelayMs?: number;
}

/** Thrown by `Wire.read` for a request that the vendor would refuse. */
export class Rejection extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.name = 'Rejection';
    this.problem = problem;
  }
}

/** A prompt, and the window that it does not fit into. In tokens. */
interface Counted {
  readonly window: number;
  readonly tokens: number;
}

/** What an answer says about itself, beyond its content. */
export interface Stamp {
  /** Unique for each call to the simulator; every id in the answer is made from it. */
  readonly id: string;
  /** Unix time in ms. */
  readonly nowMs: number;
}

/** One server-sent event, with the bytes it is on the wire. */
export interface StreamEvent {
  /** `open` comes before any content, `end` says that the answer is complete and why. */
  readonly part: 'open' | 'content' | 'end';
  readonly bytes: string;
  /** Tokens that have to be made before the event can be sent. */
  readonly tokens: number;
}

/** How one vendor talks: everything about its protocol that differs from the others', and nothing else. Pure. */
export interface Wire {
  readonly name: VendorName;
  readonly contentType: { readonly json: string; readonly stream: string };
  /** What is spoken at a path, for the vendor that has two formats. */
  at?(path: string): Wire;
  /** What is asked. Checks as much as the vendor checks, and throws a `Rejection` for what it would refuse. */
  read(request: WireRequest): Question;
  /** The body of an answer in one piece. */
  print(answer: Answer, question: Question, stamp: Stamp): JsonObject;
  /** The same answer as a stream. */
  stream(answer: Answer, question: Question, stamp: Stamp): readonly StreamEvent[];
  /** The body of an error. */
  printError(problem: Problem, stamp: Stamp): JsonObject;
  /** An error that turns up inside a stream. */
  streamError(problem: Problem, stamp: Stamp): string;
  /** An event whose data is broken JSON. */
  streamGarbage(): string;
  /** Headers on each response; `processingMs` is what the vendor says its work took. */
  headers(stamp: Stamp, processingMs: number): Headers;
  /** Headers that tell what is left of the limits. */
  limitHeaders(allowances: Allowances, stamp: Stamp): Headers;
  /** The vendor's own 429, when a limit is exceeded. */
  tooMany(waitMs: number): { readonly problem: Problem; readonly headers: Headers };
  /** What goes wrong inside an answer that had begun well. */
  readonly midway: Problem;
  /** A prompt of so many tokens, which is too long for this window; some that is, if left out. */
  tooLong(counted?: Counted): Problem;
  /** How the vendor declines, if it does so with an error; by an answer with finish `filtered` if undefined. */
  readonly declined: Problem | undefined;
}

/** A server-sent event; `event` for the vendors that name theirs. */
export const serverSentEvent = (data: string, event?: string): string =>
  event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;

/** The key in `authorization: Bearer …`. */
export const bearer = (headers: Headers): string | undefined => headers.authorization?.match(/^Bearer +(\S+)$/i)?.[1];

/** The key that every vendor refuses, and the model that none has, so that tests can ask for either. */
export const BAD_KEY = 'bad-key';
export const MISSING_MODEL = 'missing-model';
