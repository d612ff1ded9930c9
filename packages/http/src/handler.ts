import {
  type CallOptions,
  isRouterError,
  packetsOf,
  type Router,
  RouterError,
  type Served,
  type TargetSnapshot,
} from '@switchyard/core';
import { BodyError, readJson } from './body.ts';
import type { Format, FormatCall } from './format.ts';
import { chatCompletions } from './formats/chat-completions.ts';
import { parseEmbeddings, printEmbeddings } from './formats/embeddings.ts';
import { glide } from './formats/glide.ts';
import { messages, parseCount } from './formats/messages.ts';
import { responses } from './formats/responses.ts';
import { costComment, countHeaders, requestHeaders, servedHeaders } from './headers.ts';
import { Heartbeat, KEEP_ALIVE, openedWithin, printLate } from './keep-alive.ts';
import { answerModels, formatOfModels, type ModelsEndpoint, matchModels } from './models.ts';
import { PrintedStream } from './print.ts';
import { isObject, number, object, string } from './read.ts';

export interface HandlerOptions {
  /** The path that the router is mounted at. Default: `/llm`. */
  readonly basePath?: string;
  /** Longest request body, in bytes. Default: 32 MiB, which leaves room for images. */
  readonly bodyLimit?: number;
  /**
   * Guards the model routes: false answers 401, a Response is the answer. Off by default, since the server that the
   * router is mounted in has its own way to know its callers. What only operators may see, `explain`, is there only where
   * this is given.
   */
  readonly authorize?: (request: Request) => boolean | Response | Promise<boolean | Response>;
}

/**
 * Answers a request that is the router's, and gives undefined for every other, which it leaves untouched. `mountedAt`
 * stands in for `basePath` in servers where only a request tells where the handler is mounted.
 */
export interface Handler {
  (request: Request, mountedAt?: string): Promise<Response | undefined>;
  /** Whether a URL, or a path with its query, is one that the handler answers. */
  serves(url: string, mountedAt?: string): boolean;
}

/** By their paths. */
const FORMATS: ReadonlyMap<string, Format> = new Map(
  [chatCompletions, messages, responses].map((format) => [format.path, format]),
);

const BODY_LIMIT = 32 * 1024 * 1024;

/**
 * The router as a web-standard fetch handler. Every failure is an answer in the caller's format: the handler never
 * rejects. Aborting `request.signal`, or cancelling the response's body, stops all upstream work at once.
 */
export const createHandler = (router: Router, options: HandlerOptions = {}): Handler => {
  const { basePath = '/llm', bodyLimit = BODY_LIMIT, authorize } = options;
  const base = trimmed(basePath);
  const since = Math.floor(Date.now() / 1_000);

  const look = (url: string, mountedAt: string | undefined): Endpoint | undefined => {
    const path = pathUnder(mountedAt === undefined ? base : trimmed(mountedAt), url);
    const endpoint = path === undefined ? undefined : match(path);
    return endpoint?.type === 'explain' && authorize === undefined ? undefined : endpoint;
  };

  /** What was found last: servers ask first whether a request is ours, and then for its answer. */
  let last: [url: string, mountedAt: string | undefined, endpoint: Endpoint | undefined] = ['', undefined, undefined];
  const find = (url: string, mountedAt: string | undefined): Endpoint | undefined => {
    if (last[0] !== url || last[1] !== mountedAt) last = [url, mountedAt, look(url, mountedAt)];
    return last[2];
  };

  const answer = async (request: Request, endpoint: Endpoint): Promise<Response> => {
    const methods = POSTED.has(endpoint.type) ? ['POST'] : ['GET', 'HEAD'];
    if (!methods.includes(request.method)) return wrongMethod(methods, formatOf(endpoint, request));
    if (authorize !== undefined && !OPEN.has(endpoint.type)) {
      const refused = await refusal(request, authorize, formatOf(endpoint, request));
      if (refused !== undefined) return refused;
    }
    switch (endpoint.type) {
      case 'models':
        return answerModels(router, endpoint, request, since);
      case 'routes':
        return Response.json({ routes: router.snapshot() });
      case 'health':
        return health(router);
      case 'explain':
        return explain(router, request, endpoint, bodyLimit);
      case 'experiment':
        return Response.json(router.experiment(endpoint.route));
      case 'feedback':
        return feedback(router, request, endpoint, bodyLimit);
      case 'embeddings':
        return embed(router, request, endpoint, bodyLimit);
      case 'count':
        return countTokens(router, request, endpoint, bodyLimit);
      case 'chat':
        return chat(router, request, endpoint, bodyLimit);
    }
  };

  const handle = async (request: Request, mountedAt?: string): Promise<Response | undefined> => {
    const endpoint = find(request.url, mountedAt);
    if (endpoint === undefined) return undefined;
    try {
      const response = await answer(request, endpoint);
      return request.method === 'HEAD' ? new Response(null, response) : response;
    } catch (error) {
      return failed(error, formatOf(endpoint, request));
    }
  };

  return Object.assign(handle, { serves: (url: string, mountedAt?: string) => find(url, mountedAt) !== undefined });
};

type Endpoint = ChatEndpoint | RoutedEndpoint | ModelsEndpoint | NamedEndpoint | { readonly type: 'routes' | 'health' };

interface ChatEndpoint {
  readonly type: 'chat';
  readonly format: Format;
  readonly route: string | undefined;
}

interface RoutedEndpoint {
  readonly type: 'count' | 'embeddings';
  readonly route: string | undefined;
}

/** What any caller may see. */
const OPEN: ReadonlySet<Endpoint['type']> = new Set(['models', 'routes', 'health']);

/** What is asked for with a body. */
const POSTED: ReadonlySet<Endpoint['type']> = new Set(['chat', 'count', 'embeddings', 'explain', 'feedback']);

interface NamedEndpoint {
  readonly type: 'explain' | 'experiment' | 'feedback';
  readonly route: string;
}

/** Embeddings are OpenAI's, and so are the lists and states of the router, where they are anybody's. */
const formatOf = (endpoint: Endpoint, { headers }: Request): Format => {
  switch (endpoint.type) {
    case 'chat':
      return endpoint.format;
    case 'count':
      return messages;
    case 'models':
      return formatOfModels(headers);
    default:
      return chatCompletions;
  }
};

/** With one slash before it and none behind; the root is ''. */
const trimmed = (path: string): string => path.replace(/^\/*(?=[^/])/, '/').replace(/\/+$/, '');

/** The path under the mount point, or undefined. Taken from the text: a URL object costs more than the whole routing. */
const pathUnder = (base: string, url: string): string | undefined => {
  const start = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0 || !url.startsWith(base, start)) return undefined;
  const query = url.indexOf('?', start);
  return url.slice(start + base.length, query < 0 ? undefined : query);
};

const match = (path: string): Endpoint | undefined => {
  if (path === '/routes') return { type: 'routes' };
  if (path === '/health') return { type: 'health' };
  const [, asked, about] = /^\/(?!v1\/)([^/.][^/]*)\/(explain|experiment|feedback)$/.exec(path) ?? [];
  if (asked !== undefined) return { type: about as NamedEndpoint['type'], route: asked };
  // Glide's own format has no version in its path, and is asked for by a route alone.
  const [, routed] = /^\/(?!v1\/)([^/.][^/]*)\/chat$/.exec(path) ?? [];
  if (routed !== undefined) return { type: 'chat', format: glide, route: routed };
  // No route begins with a dot, and servers resolve `..` before or after us.
  const [, route, name = ''] = /^(?:\/([^/.][^/]*))?\/v1\/(.+)$/.exec(path) ?? [];
  if (name === 'embeddings') return { type: name, route };
  if (name === 'messages/count_tokens') return { type: 'count', route };
  const format = FORMATS.get(name);
  return format === undefined ? matchModels(name, route) : { type: 'chat', format, route };
};

const chat = async (
  router: Router,
  request: Request,
  { format, route: named }: ChatEndpoint,
  bodyLimit: number,
): Promise<Response> => {
  const call = format.parse(await readJson(request, bodyLimit), request.headers);
  const route = routeOf(named, call.model);
  if (call.stream) return streamed(router, route, call, format, request);
  const answer = await router.chat(route, call.request, optionsOf(request));
  return new Response(call.printAnswer(answer), {
    headers: { 'content-type': 'application/json', ...servedHeaders(answer.served, format) },
  });
};

const embed = async (
  router: Router,
  request: Request,
  { route: named }: RoutedEndpoint,
  bodyLimit: number,
): Promise<Response> => {
  const call = parseEmbeddings(await readJson(request, bodyLimit));
  const answer = await router.embed(routeOf(named, call.model), call.request, optionsOf(request));
  return new Response(printEmbeddings(answer, call), {
    headers: { 'content-type': 'application/json', ...servedHeaders(answer.served) },
  });
};

/** What the router is told of who asks. */
const optionsOf = (httpRequest: Request): CallOptions => ({ signal: httpRequest.signal, httpRequest });

/** The route that the path names, or else the body. */
const routeOf = (named: string | undefined, model: string | undefined): string => {
  const route = named ?? model;
  if (route !== undefined) return route;
  throw new RouterError('invalid-request', 'model: expected the name of a route');
};

/** As Anthropic answers it; a header says where the number is no vendor's. */
const countTokens = async (
  router: Router,
  request: Request,
  { route: named }: RoutedEndpoint,
  bodyLimit: number,
): Promise<Response> => {
  const call = parseCount(await readJson(request, bodyLimit), request.headers);
  const { signal } = request;
  const { inputTokens, countedBy } = await router.countTokens(routeOf(named, call.model), call.request, { signal });
  return Response.json({ input_tokens: inputTokens }, { headers: countHeaders(countedBy) });
};

/** Takes what Chat Completions take, or what embeddings do, and asks nobody. */
const explain = async (
  router: Router,
  request: Request,
  { route }: NamedEndpoint,
  bodyLimit: number,
): Promise<Response> => {
  const body = await readJson(request, bodyLimit);
  if (isObject(body) && 'input' in body)
    return Response.json(router.explain(route, parseEmbeddings(body).request, { httpRequest: request }));
  const { request: asked, stream } = chatCompletions.parse(body, request.headers);
  return Response.json(router.explain(route, asked, { stream, httpRequest: request }));
};

/** A score for an answer, by its id: `{ "id": "sw-0c1f2a9be774", "score": 1 }`. */
const feedback = async (
  router: Router,
  request: Request,
  { route }: NamedEndpoint,
  bodyLimit: number,
): Promise<Response> => {
  const body = object(await readJson(request, bodyLimit), 'body');
  const unknown = Object.keys(body).find((name) => name !== 'id' && name !== 'score');
  if (unknown !== undefined) throw new RouterError('invalid-request', `${unknown}: unknown field`);
  return Response.json(router.feedback(string(body.id, 'id'), number(body.score, 'score'), { route }));
};

const streamed = async (
  router: Router,
  route: string,
  call: FormatCall,
  format: Format,
  request: Request,
): Promise<Response> => {
  const { signal } = request;
  // Ours, since a caller can also leave by cancelling the body.
  const caller = new AbortController();
  const leave = (): void => caller.abort();
  let heartbeat: Heartbeat | undefined;
  const over = (): void => {
    heartbeat?.stop();
    signal.removeEventListener('abort', leave);
  };
  signal.addEventListener('abort', leave);
  if (signal.aborted) leave();
  try {
    const stream = router.stream(route, call.request, {
      ...optionsOf(request),
      signal: caller.signal,
      forwards: call.forwards,
    });
    const { opened, keepAliveMs } = stream;
    // Nothing is sent before this: until a target has produced something to show, the status is still open.
    const served = await (keepAliveMs === undefined ? opened : openedWithin(opened, keepAliveMs));
    const printErrorEvent = call.printErrorEvent ?? format.printErrorEvent;
    const print = (by: Served): PrintedStream =>
      new PrintedStream(packetsOf(stream), call.printStream(by), printErrorEvent);
    const chunks = served === undefined ? printLate(stream, print, printErrorEvent) : print(served);
    if (keepAliveMs !== undefined) heartbeat = new Heartbeat(keepAliveMs);
    const closing = (): Uint8Array | undefined => stream.cost && costComment(stream.cost);
    const body = bodyOf(chunks, { over, leave, heartbeat, closing });
    const stop = (): void => {
      over();
      void end(chunks);
    };
    if (caller.signal.aborted) stop();
    else caller.signal.addEventListener('abort', stop);
    const about = served === undefined ? requestHeaders(stream.requestId, format) : servedHeaders(served, format);
    return new Response(body, { headers: { ...STREAM_HEADERS, ...about } });
  } catch (error) {
    over();
    throw error;
  }
};

/** What a caller gets, piece by piece. */
type Chunks = PrintedStream | ReturnType<typeof printLate>;

interface StreamEnds {
  /** It has ended. */
  over(): void;
  /** The caller has left. */
  leave(): void;
  readonly heartbeat: Heartbeat | undefined;
  /** What is said behind the last chunk. */
  closing(): Uint8Array | undefined;
}

/** One chunk at a time, and only when it is asked for: a slow caller slows the vendor down, and no buffer grows. */
const bodyOf = (chunks: Chunks, { over, leave, heartbeat, closing }: StreamEnds): ReadableStream<Uint8Array> =>
  new ReadableStream(
    {
      start(controller) {
        // A caller who has not taken the last comment needs no other.
        heartbeat?.start(() => controller.desiredSize === 0 && controller.enqueue(KEEP_ALIVE));
      },
      pull: (controller) =>
        chunks.next().then(({ done, value }) => {
          if (!done) {
            heartbeat?.sent();
            controller.enqueue(value);
            return;
          }
          over();
          const last = closing();
          if (last !== undefined) controller.enqueue(last);
          controller.close();
        }),
      cancel: leave,
    },
    { highWaterMark: 0 },
  );

/** Ends a stream whose caller has left. */
const end = async (chunks: Chunks): Promise<void> => {
  // A generator that nobody has begun to read knows of nothing yet that it could stop, so it has to begin.
  if (!(chunks instanceof PrintedStream)) await chunks.next().catch(() => {});
  await chunks.return().catch(() => {});
};

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // A compressor in the app would hold events back until it has a block full of them.
  'cache-control': 'no-cache, no-transform',
  // And so would proxies such as nginx.
  'x-accel-buffering': 'no',
};

const failed = (error: unknown, format: Format): Response => {
  const { status, body, retryAfterSeconds } = format.printError(error);
  const headers = new Headers({ 'content-type': 'application/json' });
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  if (isRouterError(error)) {
    for (const [name, value] of Object.entries(servedHeaders(error, format))) headers.set(name, value);
  }
  return new Response(JSON.stringify(body), { status, headers });
};

const wrongMethod = (methods: readonly string[], format: Format): Response => {
  const { body } = format.printError(new BodyError(405, `This path takes ${methods.join(' and ')}.`));
  return Response.json(body, { status: 405, headers: { allow: methods.join(', ') } });
};

/** The answer to a caller who may not pass. A guard that throws, or says neither yes nor no, lets nobody pass. */
const refusal = async (
  request: Request,
  authorize: NonNullable<HandlerOptions['authorize']>,
  format: Format,
): Promise<Response | undefined> => {
  const allowed = await authorize(request);
  if (allowed === true) return undefined;
  return isResponse(allowed) ? allowed : Response.json(format.unauthorized, { status: 401 });
};

/**
 * By its tag, since `instanceof` is wrong about it: some servers put a Response of their own in the place of the
 * built-in one, which `fetch` goes on to return.
 */
const isResponse = (value: unknown): value is Response => Object.prototype.toString.call(value) === '[object Response]';

/** 200 only when every route has a target that would be tried now, and money to pay it. */
const health = (router: Router): Response => {
  const down = router
    .snapshot()
    .filter(
      ({ targets, spending }) => spending.leftUsd === 0 || !targets.some((target) => target.enabled && isOpen(target)),
    )
    .map(({ name }) => name);
  return down.length === 0
    ? Response.json({ status: 'ok' })
    : Response.json({ status: 'unavailable', routes: down }, { status: 503 });
};

/** Left alone are only targets that cool, until they are due, and those whose one probe is under way. */
const isOpen = ({ standing, reason, dueInMs }: TargetSnapshot): boolean =>
  (standing !== 'cooling' && standing !== 'probing') || reason === 'slow' || dueInMs === 0;
