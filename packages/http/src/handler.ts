import { isRouterError, type Router, RouterError } from '@switchyard/core';
import { readJson } from './body.ts';
import {
  type ChatCall,
  errorEvent,
  parseChat,
  printAnswer,
  printError,
  printStream,
} from './formats/chat-completions.ts';
import { servedHeaders } from './headers.ts';

export interface HandlerOptions {
  /** The path that the router is mounted at. Default: `/llm`. */
  readonly basePath?: string;
  /** Longest request body, in bytes. Default: 32 MiB, which leaves room for images. */
  readonly bodyLimit?: number;
  /**
   * Guards the model routes: false answers 401, a Response is the answer. Off by default, since the server that the
   * router is mounted in has its own way to know its callers.
   */
  readonly authorize?: (request: Request) => boolean | Response | Promise<boolean | Response>;
}

/** Answers a request that is the router's, and gives undefined for every other, which it leaves untouched. */
export interface Handler {
  (request: Request): Promise<Response | undefined>;
  /** Whether a URL, or a path with its query, is one that the handler answers. */
  serves(url: string): boolean;
}

const BODY_LIMIT = 32 * 1024 * 1024;

/**
 * The router as a web-standard fetch handler. Every failure is an answer in the caller's format: the handler never
 * rejects. Aborting `request.signal`, or cancelling the response's body, stops all upstream work at once.
 */
export const createHandler = (router: Router, options: HandlerOptions = {}): Handler => {
  const { basePath = '/llm', bodyLimit = BODY_LIMIT, authorize } = options;
  const base = basePath.replace(/\/+$/, '');
  const since = Math.floor(Date.now() / 1_000);

  const find = (url: string): Endpoint | undefined => {
    const path = pathUnder(base, url);
    return path === undefined ? undefined : match(path);
  };

  const handle = async (request: Request): Promise<Response | undefined> => {
    const endpoint = find(request.url);
    if (endpoint === undefined) return undefined;
    const method = endpoint.type === 'chat' ? 'POST' : 'GET';
    if (request.method !== method && !(method === 'GET' && request.method === 'HEAD')) {
      return Response.json(printError(new RouterError('invalid-request', `This path takes ${method}.`)).body, {
        status: 405,
        headers: { allow: method },
      });
    }
    switch (endpoint.type) {
      case 'models':
        return models(router, endpoint.route, since);
      case 'routes':
        return Response.json({ routes: router.snapshot() });
      case 'health':
        return health(router);
      case 'chat':
        return (await refusal(request, authorize)) ?? chat(router, request, endpoint.route, bodyLimit);
    }
  };

  return Object.assign(handle, { serves: (url: string) => find(url) !== undefined });
};

type Endpoint =
  | { readonly type: 'chat' | 'models'; readonly route: string | undefined }
  | { readonly type: 'routes' | 'health' };

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
  const [, route, name] = /^(?:\/([^/]+))?\/v1\/(chat\/completions|models)$/.exec(path) ?? [];
  return name === undefined ? undefined : { type: name === 'models' ? 'models' : 'chat', route };
};

const chat = async (
  router: Router,
  request: Request,
  named: string | undefined,
  bodyLimit: number,
): Promise<Response> => {
  // Ours, since a body that is cancelled must stop the vendor too, and nobody but the runtime aborts request.signal.
  const caller = new AbortController();
  const leave = (): void => caller.abort();
  if (request.signal.aborted) leave();
  request.signal.addEventListener('abort', leave, { once: true });
  const done = (): void => request.signal.removeEventListener('abort', leave);
  try {
    const call = parseChat(await readJson(request, bodyLimit));
    const route = named ?? call.model;
    if (route === undefined) throw new RouterError('invalid-request', 'model: expected the name of a route');
    if (call.stream) return await streamed(router, route, call, caller, done);
    const answer = await router.chat(route, call.request, { signal: caller.signal });
    done();
    return new Response(printAnswer(answer), {
      headers: { 'content-type': 'application/json', ...servedHeaders(answer.served) },
    });
  } catch (error) {
    done();
    return failed(error);
  }
};

const streamed = async (
  router: Router,
  route: string,
  call: ChatCall,
  caller: AbortController,
  done: () => void,
): Promise<Response> => {
  const stream = router.stream(route, call.request, { signal: caller.signal });
  // Nothing is sent before this: until a target has produced content, the status is still open.
  const served = await stream.opened;
  const chunks = printStream(stream, call, served);
  const body = new ReadableStream<Uint8Array>(
    {
      // One event at a time, and only when it is asked for: a slow caller slows the vendor down, and no buffer grows.
      async pull(controller) {
        try {
          const { done: over, value } = await chunks.next();
          if (!over) return controller.enqueue(value);
        } catch (error) {
          controller.enqueue(errorEvent(error));
        }
        done();
        controller.close();
      },
      cancel() {
        done();
        caller.abort();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      // Proxies such as nginx would hold events back.
      'x-accel-buffering': 'no',
      ...servedHeaders(served),
    },
  });
};

const failed = (error: unknown): Response => {
  const { status, body, retryAfterSeconds } = printError(error);
  const headers = new Headers({ 'content-type': 'application/json' });
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  if (isRouterError(error)) {
    for (const [name, value] of Object.entries(servedHeaders(error))) headers.set(name, value);
  }
  return new Response(JSON.stringify(body), { status, headers });
};

/** The answer to a caller who may not pass. A guard that throws lets nobody pass. */
const refusal = async (request: Request, authorize: HandlerOptions['authorize']): Promise<Response | undefined> => {
  if (authorize === undefined) return undefined;
  try {
    const allowed = await authorize(request);
    if (allowed instanceof Response) return allowed;
    return allowed ? undefined : unauthorized();
  } catch (error) {
    return failed(error);
  }
};

const unauthorized = (): Response =>
  Response.json(
    { error: { message: 'This request was not authorized.', type: 'authentication_error', param: null, code: null } },
    { status: 401 },
  );

const models = (router: Router, only: string | undefined, since: number): Response => {
  const routes = router.snapshot().filter(({ name }) => only === undefined || name === only);
  if (routes.length === 0) return failed(new RouterError('unknown-route', `There is no route '${only}'.`));
  const owners = new Map<string, string>(routes.map(({ name }) => [name, 'switchyard']));
  for (const { targets } of routes) for (const { id, vendor } of targets) owners.set(id, vendor);
  const data = [...owners].map(([id, owned_by]) => ({ id, object: 'model', created: since, owned_by }));
  return Response.json({ object: 'list', data });
};

/** 200 only when every route has a target that would be tried now. */
const health = (router: Router): Response => {
  const down = router
    .snapshot()
    .filter(({ targets }) => !targets.some((t) => t.enabled && (t.standing === 'ready' || t.dueInMs === 0)))
    .map(({ name }) => name);
  return down.length === 0
    ? Response.json({ status: 'ok' })
    : Response.json({ status: 'unavailable', routes: down }, { status: 503 });
};
