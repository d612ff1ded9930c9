import {
  type BatchEmbedContentsRequest,
  type GenerateContentRequest,
  GoogleGenerativeAI,
  type RequestOptions,
} from '@google/generative-ai';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest } from '../decide/request.ts';
import type { Provider, TargetSpec, Wire } from '../provider.ts';
import { failureFromUnknown, splitOptions } from '../provider-kit.ts';
import type { Broken } from '../sse.ts';
import type { TargetOptions } from '../target.ts';
import {
  countedByGemini,
  createReplyReader,
  failureFromGoogle,
  fromGemini,
  httpStatusOf,
  toCounted,
  toGemini,
} from './gemini.ts';
import { geminiEmbeddings, MOST_GEMINI_TEXTS } from './gemini-embeddings.ts';

/** What the SDK can be told; its `timeout` is missing since each call would leave a timer behind. */
interface GoogleClientOptions {
  /** Default: `GEMINI_API_KEY`, then `GOOGLE_API_KEY`. */
  readonly apiKey?: string;
  /** Default: `https://generativelanguage.googleapis.com`. */
  readonly baseURL?: string;
  /** Default: `v1beta`. */
  readonly apiVersion?: string;
  /** Sent with every request. */
  readonly headers?: Headers | Record<string, string>;
  /** A client of yours, in place of `apiKey`. */
  readonly client?: GoogleGenerativeAI;
}

export type GoogleTargetOptions = TargetOptions & GoogleClientOptions;

const CLIENT_KEYS = {
  apiKey: true,
  apiVersion: true,
  baseURL: true,
  client: true,
  headers: true,
} as const satisfies Record<keyof GoogleClientOptions, true>;

/**
 * A Gemini model through `@google/generative-ai`. Google has stopped developing that SDK: choose `googleGenAI` for new
 * code, and this where the older one is in use already. It reads a stream as fast as Google sends it, and holds what a slow
 * caller has not taken yet, which is at most one answer; every other provider makes the vendor wait.
 */
export const google = (model: string, options: GoogleTargetOptions = {}): TargetSpec => {
  const { client, routing } = splitOptions<GoogleClientOptions>(options, CLIENT_KEYS);
  return {
    vendor: 'google',
    model,
    options: routing,
    connect: (name) => connect(client, name),
  };
};

const VENDOR = 'google';
const DEFAULT_URL = 'https://generativelanguage.googleapis.com';

const connect = (options: GoogleClientOptions, model: string): Provider => {
  const client = options.client ?? new GoogleGenerativeAI(keyOf(options));
  // The SDK puts a slash of its own behind it.
  const baseUrl = (options.baseURL ?? DEFAULT_URL).replace(/\/+$/, '');
  const requestOptions: RequestOptions = {
    baseUrl,
    ...(options.apiVersion !== undefined && { apiVersion: options.apiVersion }),
    ...(options.headers !== undefined && { customHeaders: options.headers }),
  };
  const gemini = client.getGenerativeModel({ model }, requestOptions);
  // The SDK is older than some of the fields; it sends what it does not know as it is.
  const bodyOf = (request: ChatRequest): GenerateContentRequest =>
    toGemini(request, model).body as unknown as GenerateContentRequest;

  return {
    name: VENDOR,
    model,
    account: { endpoint: baseUrl, credential: client.apiKey },
    gaps: (request) => toGemini(request, model).gaps,
    async send(request, { signal }) {
      // The SDK listens for an abort that is still to come, and would send the request.
      signal.throwIfAborted();
      const { response } = await gemini.generateContent(bodyOf(request), { signal });
      return fromGemini(VENDOR, model, response);
    },
    async *stream(request, { signal }) {
      signal.throwIfAborted();
      // The SDK does not close the connection when its stream is left early.
      const connection = new AbortController();
      const abort = (): void => connection.abort(signal.reason);
      signal.addEventListener('abort', abort);
      const reader = createReplyReader(VENDOR, model, signal);
      try {
        const { stream, response } = await gemini.generateContentStream(bodyOf(request), { signal: connection.signal });
        // The SDK also puts the whole answer together. Nobody waits for it, and when the stream breaks, a rejection that
        // nobody handles ends the process.
        response.catch(() => {});
        let broken: Broken | undefined;
        try {
          for await (const body of stream) for (const event of reader.read(body)) yield event;
        } catch (error) {
          broken = { error };
        }
        for (const event of reader.end(broken)) yield event;
      } finally {
        signal.removeEventListener('abort', abort);
        connection.abort();
      }
    },
    embeddings: geminiEmbeddings(VENDOR, model, MOST_GEMINI_TEXTS, ({ contents, ...config }, signal) => {
      signal.throwIfAborted();
      const requests = contents.map((content) => ({ content, ...config }));
      // As above: the SDK sends what it does not know as it is.
      return gemini.batchEmbedContents({ requests } as unknown as BatchEmbedContentsRequest, { signal });
    }),
    async countTokens(request, { signal }) {
      signal.throwIfAborted();
      const generateContentRequest = toCounted(model, request) as unknown as GenerateContentRequest;
      return countedByGemini(VENDOR, await gemini.countTokens({ generateContentRequest }, { signal }));
    },
    explain,
  };
};

const keyOf = ({ apiKey = process.env.GEMINI_API_KEY || process.env.GOOGLE_API_KEY }: GoogleClientOptions): string => {
  if (apiKey) return apiKey;
  throw new Error('google: no API key; set GEMINI_API_KEY or GOOGLE_API_KEY, or pass apiKey');
};

const explain = (error: unknown, wire: Wire): Failure => {
  const status = httpStatusOf(error);
  if (status === undefined || !(error instanceof Error)) return failureFromUnknown(VENDOR, error, wire);
  const details = 'errorDetails' in error ? error.errorDetails : undefined;
  const message = messageOf(error.message, details);
  return failureFromGoogle(VENDOR, { message, details, status: wordFor(status, message) }, status, wire.header);
};

/** The SDK wraps what the vendor said: `…: [429 Too Many Requests] what it said [{"@type":…}]`. */
const messageOf = (wrapped: string, details: unknown): string | undefined => {
  const [, said = ''] = /: \[\d{3} [^\]]*\] (.*)$/s.exec(wrapped) ?? [];
  const tail = Array.isArray(details) ? JSON.stringify(details) : '';
  return (said.endsWith(tail) ? said.slice(0, said.length - tail.length) : said).trim() || undefined;
};

/** The SDK loses the vendor's word for an error; a key that may not be used from this region is known by the message. */
const wordFor = (status: number, message = ''): string | undefined =>
  status === 400 && /location is not supported|free tier is not available/i.test(message)
    ? 'FAILED_PRECONDITION'
    : undefined;
