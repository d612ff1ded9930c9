import {
  type ContentListUnion,
  type CountTokensParameters,
  type EmbedContentConfig,
  type GenerateContentConfig,
  type GenerateContentParameters,
  GoogleGenAI,
  type GoogleGenAIOptions,
  type HttpOptions,
} from '@google/genai';
import { transport } from '#transport';
import type { Failure } from '../decide/failure.ts';
import type { ChatRequest } from '../decide/request.ts';
import type { Call, Provider, TargetSpec, Wire } from '../provider.ts';
import { brokenAnswer, failureFromUnknown, isObject, ProviderFailure, splitOptions } from '../provider-kit.ts';
import type { TargetOptions } from '../target.ts';
import { streamOfFrames } from './frames.ts';
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

/** The SDK's client options, but for those that would make a second retry loop or a second clock. */
type ClientOptions = Omit<GoogleGenAIOptions, 'httpOptions'> & {
  readonly httpOptions?: Omit<HttpOptions, 'retryOptions' | 'timeout'>;
};

export type GoogleGenAITargetOptions = TargetOptions & ClientOptions & { readonly client?: GoogleGenAI };

// biome-ignore format: reads as a list
const CLIENT_KEYS = {
  apiKey: true, apiVersion: true, client: true, enterprise: true, googleAuthOptions: true, httpOptions: true, location: true, project: true,
  vertexai: true,
} as const satisfies Record<keyof ClientOptions | 'client', true>;

/**
 * A Gemini model through `@google/genai`: at the Gemini API, or at Vertex AI with `vertexai: true`. The base URL is in
 * `httpOptions.baseUrl`; the key defaults to `GOOGLE_API_KEY`, then `GEMINI_API_KEY`, as the SDK has it.
 */
export const googleGenAI = (model: string, options: GoogleGenAITargetOptions = {}): TargetSpec => {
  const { client, routing } = splitOptions<ClientOptions & { client?: GoogleGenAI }>(options, CLIENT_KEYS);
  return {
    vendor: 'google-genai',
    model,
    options: routing,
    connect: (name) => connect(client.client ?? createClient(client), name),
  };
};

const VENDOR = 'google-genai';
const decoder = new TextDecoder();

const createClient = ({ vertexai, enterprise, apiKey, apiVersion, ...options }: ClientOptions): GoogleGenAI => {
  // Said outright, since GOOGLE_GENAI_USE_VERTEXAI in the environment would send a target somewhere else.
  const cloud = vertexai ?? enterprise ?? false;
  const key = apiKey ?? (cloud ? undefined : keyFromEnvironment());
  // Where all fields are known, and what the older SDK speaks; this one's own default is v1.
  const isChosen = Boolean(apiVersion ?? options.httpOptions?.apiVersion ?? process.env.GOOGLE_GENAI_API_VERSION);
  return new GoogleGenAI({
    ...options,
    // A copy, since the SDK writes into it. The transport is ours, unless the user has another.
    httpOptions: { ...(transport !== undefined && { fetch: transport }), ...options.httpOptions },
    vertexai: cloud,
    ...(enterprise !== undefined && { enterprise }),
    ...(key !== undefined && { apiKey: key }),
    ...(apiVersion !== undefined && { apiVersion }),
    ...(!isChosen && !cloud && { apiVersion: 'v1beta' }),
  });
};

const keyFromEnvironment = (): string => {
  const key = process.env.GOOGLE_API_KEY || process.env.GEMINI_API_KEY;
  if (key) return key;
  throw new Error('google-genai: no API key; set GEMINI_API_KEY or GOOGLE_API_KEY, or pass apiKey');
};

/** Exactly one attempt and no clock, also through a client that was made otherwise. */
const ONE_ATTEMPT: HttpOptions = { retryOptions: { attempts: 1 }, timeout: 0 };

const connect = (client: GoogleGenAI, model: string): Provider => {
  const ask = (request: ChatRequest, how: GenerateContentConfig): GenerateContentParameters => {
    const { contents, generationConfig, ...rest } = toGemini(request, model).body;
    const config = {
      ...generationConfig,
      ...rest,
      // The SDK would ask again by itself for the rest of a long answer; requests are the engine's to count.
      automaticContinuation: false,
      ...how,
    };
    return { model, contents, config } as unknown as GenerateContentParameters;
  };

  // The SDK makes the request, and throws what is no 200. Its stream makes a Response of each event, which costs more than all
  // the rest of the way, and so it is left alone: what it would read is read here.
  const fetchStream = async (request: ChatRequest, signal: AbortSignal): Promise<Response> => {
    let response: Response | undefined;
    const keep: typeof fetch = async (input, init) => {
      // The SDK would leave a listener at the signal.
      response = await fetchOf(client)(input, { ...init, signal });
      return response;
    };
    await client.models.generateContentStream(ask(request, { httpOptions: { ...ONE_ATTEMPT, fetch: keep } }));
    if (response === undefined) throw brokenAnswer(VENDOR, 'nothing');
    return response;
  };

  // The SDK lets the Gemini API count contents alone; the rest goes in a field that it does not know.
  const count = async (request: ChatRequest, { signal }: Call): Promise<number> => {
    const extraBody = { generateContentRequest: toCounted(model, request) };
    const config = { abortSignal: signal, httpOptions: { ...ONE_ATTEMPT, extraBody } };
    return countedByGemini(
      VENDOR,
      await client.models.countTokens({ model, config } as unknown as CountTokensParameters),
    );
  };

  return {
    name: VENDOR,
    model,
    // At Vertex AI there is no such field.
    ...(!client.vertexai && { countTokens: count }),
    account: accountOf(client),
    gaps: (request) => toGemini(request, model).gaps,
    async send(request, { signal }) {
      const asked = ask(request, { abortSignal: signal, httpOptions: ONE_ATTEMPT });
      return fromGemini(VENDOR, model, await client.models.generateContent(asked));
    },
    stream(request, { signal }) {
      const reader = createReplyReader(VENDOR, model, signal);
      return streamOfFrames(VENDOR, () => fetchStream(request, signal), {
        ...reader,
        read: ({ data }) => (data ? reader.read(parse(data)) : []),
        end(broken, left) {
          // Google may say an error in the middle of a stream without a frame around it.
          const error = errorIn(decoder.decode(left));
          if (error !== undefined) throw new ProviderFailure(failureFromGoogle(VENDOR, error));
          return reader.end(broken);
        },
        isLast: () => false,
      });
    },
    embeddings: geminiEmbeddings(VENDOR, model, mostTexts(client, model), ({ contents, ...config }, signal) =>
      client.models.embedContent({
        model,
        contents: [...contents] as ContentListUnion,
        config: { ...config, abortSignal: signal, httpOptions: ONE_ATTEMPT } as EmbedContentConfig,
      }),
    ),
    explain,
  };
};

/** At Vertex AI the SDK asks the Gemini models through a method that takes one content. */
const mostTexts = ({ vertexai }: GoogleGenAI, model: string): number =>
  vertexai && /gemini|maas/.test(model) ? 1 : MOST_GEMINI_TEXTS;

/** What is protected in the SDK's types, and known to nobody else. */
interface ApiClient {
  getBaseUrl(): string;
  getApiKey(): string | undefined;
  getBaseResourcePath(): string;
  readonly clientOptions?: { readonly httpOptions?: HttpOptions };
}

const apiClientOf = (client: GoogleGenAI): ApiClient =>
  (client as unknown as { readonly apiClient: ApiClient }).apiClient;

/** A client's own. For one without, the SDK takes the built-in one without its time-outs; ours has none. */
const fetchOf = (client: GoogleGenAI): typeof fetch =>
  apiClientOf(client).clientOptions?.httpOptions?.fetch ?? transport ?? fetch;

const parse = (data: string): unknown => {
  try {
    return JSON.parse(data);
  } catch {
    throw brokenAnswer(VENDOR, 'an event that is not JSON');
  }
};

/** Where a client sends its requests, and as whom. */
const accountOf = (client: GoogleGenAI): Provider['account'] => {
  const apiClient = apiClientOf(client);
  return {
    endpoint: apiClient.getBaseUrl().replace(/\/+$/, ''),
    credential: apiClient.getApiKey() ?? apiClient.getBaseResourcePath(),
  };
};

const explain = (error: unknown, wire: Wire): Failure => {
  const status = httpStatusOf(error);
  if (status === undefined || !(error instanceof Error)) return failureFromUnknown(VENDOR, error, wire);
  return failureFromGoogle(VENDOR, errorIn(error.message) ?? {}, status, wire.header);
};

/**
 * The vendor's error in a message of the SDK, which is the body as JSON, with some words before it when it came in a
 * stream. A body that was not labelled as JSON is there as a text inside an error that the SDK has made up.
 */
const errorIn = (message: string): Record<string, unknown> | undefined => {
  let body: unknown;
  try {
    body = JSON.parse(message.slice(Math.max(0, message.search(/[[{]/))));
  } catch {
    return undefined;
  }
  const { error } = isObject(body) ? body : Array.isArray(body) && isObject(body[0]) ? body[0] : {};
  if (!isObject(error)) return undefined;
  if (typeof error.message !== 'string') return error;
  const inner = errorIn(error.message);
  if (inner !== undefined) return inner;
  // A made-up error has the status line's words for a status, and perhaps a web page for a message.
  const isGoogles = typeof error.status === 'string' && /^[A-Z_]+$/.test(error.status);
  return isGoogles ? error : { message: error.message.startsWith('<') ? undefined : error.message };
};
