import OpenAI, { type ClientOptions } from 'openai';
import { transport } from '#transport';
import type { Call } from '../provider.ts';
import { isObject, NO_SDK_TIMEOUT_MS } from '../provider-kit.ts';
import { FixedHeaders } from '../transport/fixed-headers.ts';
import type { Body } from './body.ts';
import { bySignal, directly, type SdkCall, type Tell } from './sdk-call.ts';

/** The SDK's client options, but for those that would make a second retry loop or a second clock. */
export type OpenAIClientOptions = Omit<ClientOptions, 'maxRetries' | 'timeout'>;

type Path = '/chat/completions' | '/responses' | '/embeddings';

/** Asks one of OpenAI's APIs, by its path under the base URL. Rejects with the SDK's error for what is not a success. */
type Post = (path: Path, body: Body, call: Call) => Promise<Response>;

/** A client, and how it is asked. */
export interface Line {
  readonly client: OpenAI;
  readonly post: Post;
  /** As of a provider. */
  readonly tellsWire: boolean;
}

/** Over our own transport, unless there is a client already, or the user has said anything of transports. */
export const lineOf = (given: OpenAI | undefined, options: OpenAIClientOptions): Line => {
  if (given !== undefined || transport === undefined || OWN_TRANSPORT.some((key) => options[key] !== undefined)) {
    const client = given ?? new OpenAI(options);
    return { client, post: postBySdk(client, bySignal), tellsWire: false };
  }
  const client = new OpenAI({ ...options, fetch: transport });
  // Another cloud signs each request, after it is built, within the SDK's call.
  if (options.provider !== undefined) return { client, post: postBySdk(client, bySignal), tellsWire: false };
  const logs = client.logLevel === 'debug' || client.logLevel === 'info';
  const post = logs ? postBySdk(client, directly) : postByTransport(client, transport, options);
  return { client, post, tellsWire: true };
};

const OWN_TRANSPORT = ['credential', 'fetch', 'fetchOptions', 'workloadIdentity', 'x509Transport'] as const;

/** The raw response of the SDK's call. */
const postBySdk =
  (client: OpenAI, tell: Tell): Post =>
  (path, body, call) =>
    CALLS[path](client, body, tell(call)).asResponse();

/** The methods that tracers put themselves around. */
const CALLS: Readonly<Record<Path, SdkMethod>> = {
  '/chat/completions': (client, body, told) =>
    client.chat.completions.create(body as unknown as OpenAI.ChatCompletionCreateParams, told),
  '/responses': (client, body, told) =>
    client.responses.create(body as unknown as OpenAI.Responses.ResponseCreateParams, told),
  // Without a body of its own the SDK asks for base64 where the caller has asked for nothing.
  '/embeddings': (client, body, told) =>
    client.embeddings.create(body as unknown as OpenAI.EmbeddingCreateParams, { ...told, body }),
};

type SdkMethod = (client: OpenAI, body: Body, told: SdkCall) => { asResponse(): Promise<Response> };

/**
 * The SDK puts the request together, with its key, and makes the error; what lies between is our transport. The SDK's own call
 * would add a log, a clock and a second try, none of which is wanted, for as much as all the rest of a request costs.
 */
const postByTransport = (client: OpenAI, send: typeof fetch, options: OpenAIClientOptions): Post => {
  // URL and headers are the same each time, unless a function gives the key.
  const isSteady = typeof options.apiKey !== 'function';
  const heads = new Map<string, { readonly url: string; readonly headers: Headers }>();
  return async (path, body, call) => {
    let head = heads.get(path);
    if (head === undefined) {
      const { req, url } = await client.buildRequest({ method: 'post', path, body, timeout: NO_SDK_TIMEOUT_MS });
      head = { url, headers: isSteady ? new FixedHeaders(req.headers) : req.headers };
      if (isSteady) heads.set(path, head);
    }
    const asked: RequestInit = { method: 'POST', headers: head.headers, body: JSON.stringify(body) };
    const response = await send(head.url, Object.assign(asked, { call }));
    if (!response.ok) throw await statusError(response);
    return response;
  };
};

/** As the SDK makes it. */
const statusError = async (response: Response): Promise<Error> => {
  const { status, headers } = response;
  const text = await response.text().catch(String);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // A page of a proxy before the vendor, say.
  }
  return isObject(body)
    ? OpenAI.APIError.generate(status, body, undefined, headers)
    : OpenAI.APIError.generate(status, undefined, text, headers);
};
