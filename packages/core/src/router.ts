import { checkConfig, type RouterConfig } from './config.ts';
import type { EmbeddingRequest } from './decide/embedding.ts';
import { HealthBook } from './decide/health/health.ts';
import type { ChatRequest } from './decide/request.ts';
import type { ChatEvent } from './decide/response.ts';
import { RouterError } from './errors.ts';
import type { RouterEvent } from './events.ts';
import type { ExperimentReadout } from './experiment.ts';
import type { Explanation } from './explanation.ts';
import {
  type CallOptions,
  type ChatAnswer,
  type EmbeddingAnswer,
  Route,
  type StreamOptions,
  type TokenCount,
} from './route.ts';
import { realSystem } from './run/system.ts';
import type { RouteSnapshot } from './snapshot.ts';
import { spacesOf } from './space.ts';
import type { Served } from './way.ts';

/** Takes requests, picks targets, and falls back. Made by `createRouter`; used through an adapter, or directly. */
export interface Router {
  /**
   * Asks for a whole answer.
   *
   * @throws RouterError when no target answered; its `attempts` say what became of each.
   */
  chat(route: string, request: ChatRequest, options?: CallOptions): Promise<ChatAnswer>;
  /**
   * Asks for a stream: `for await (const event of router.stream('chat', request))`. It throws a RouterError before the
   * first event when no target answered, and in its middle when the answer broke off and the route's `recovery` could not
   * mend it. Leaving the loop stops the vendor.
   */
  stream(route: string, request: ChatRequest, options?: StreamOptions): ChatStream;
  /**
   * Asks for one vector for each input, of a route whose targets declare a vector space (`space`). It falls back within that
   * space and never into another; vectors that cannot be right, by their number or their length, are a failure like any other.
   *
   * @throws RouterError when no target answered, or the route makes no embeddings.
   */
  embed(route: string, request: EmbeddingRequest, options?: CallOptions): Promise<EmbeddingAnswer>;
  /**
   * How many tokens the prompt of a request comes to: as the vendor counts them whose target would be asked now, or, where
   * none of the pool's vendors counts, as an estimate, which `countedBy` tells. Touches no target's health.
   *
   * @throws RouterError when there is no such route, or the caller has left.
   */
  countTokens(route: string, request: ChatRequest, options?: Pick<CallOptions, 'signal'>): Promise<TokenCount>;
  /** What the router knows now, without secrets: by route, the targets in pool order. */
  snapshot(): readonly RouteSnapshot[];
  /**
   * How a route would go about a request that came now: who would be tried, in which order, and why the others would not.
   * Asks nobody and changes nothing.
   *
   * @throws RouterError when there is no such route.
   */
  explain(route: string, request: ChatRequest | EmbeddingRequest, options?: ExplainOptions): Explanation;
  /**
   * What a route's experiment says now: who was assigned to which arm, and which arm is better. It may be asked as often as
   * one likes, and acted on at once.
   *
   * @throws RouterError when there is no such route, or it has no experiment.
   */
  experiment(route: string): ExperimentReadout;
}

export interface ExplainOptions extends Pick<CallOptions, 'subject' | 'httpRequest'> {
  /** Whether a stream would be asked for. Default: false. */
  readonly stream?: boolean;
}

export interface ChatStream extends AsyncIterable<ChatEvent> {
  /**
   * Resolves at the first content that is shown, before any event is handed out, or where the route's `recovery` is `buffer`
   * when the answer is whole; rejects when no target answered.
   */
  readonly opened: Promise<Served>;
  /** As in events; undefined until the request has begun, which is before anything else happens. */
  readonly requestId: string | undefined;
  /** The route's `keepAlive`, in ms, for whoever hands the stream on to a caller; undefined where it is off. */
  readonly keepAliveMs: number | undefined;
}

/** Makes a router of a config. Throws a RouterError that names every wrong field by its path. */
export const createRouter = (config: RouterConfig): Router => {
  const { routes: checked, health: settings } = checkConfig(config);
  const system = config.system ?? realSystem;
  const health = new HealthBook(settings);
  const spaces = spacesOf(checked);
  const routes = new Map(
    checked.map((route) => [route.name, new Route(route, { health, spaces }, system, emitter(config))]),
  );

  const find = (name: string): Route => {
    const route = routes.get(name);
    if (route !== undefined) return route;
    throw new RouterError('unknown-route', `There is no route '${name}'; there is ${[...routes.keys()].join(', ')}.`);
  };

  return {
    chat: async (route, request, options = {}) => find(route).chat(request, options),
    embed: async (route, request, options = {}) => find(route).embed(request, options),
    stream(route, request, { signal, ...options } = {}) {
      // Ours, so that leaving the loop is leaving in every phase: also while the next event, or the first, is awaited.
      const caller = new AbortController();
      const leave = (): void => caller.abort();
      if (signal?.aborted) leave();
      signal?.addEventListener('abort', leave);
      let requestId: string | undefined;
      const begun = (id: string): void => {
        requestId = id;
      };
      const opening = Promise.resolve().then(() =>
        find(route).open(request, { ...options, signal: caller.signal, begun }),
      );
      const opened = opening.then(({ served }) => served);
      // Whoever iterates gets the error there; nobody has to look at `opened`.
      opened.catch(() => signal?.removeEventListener('abort', leave));
      const events = (async function* () {
        try {
          yield* (await opening).events;
        } finally {
          signal?.removeEventListener('abort', leave);
        }
      })();
      return {
        opened,
        get requestId() {
          return requestId;
        },
        keepAliveMs: routes.get(route)?.keepAliveMs,
        [Symbol.asyncIterator]: () => ({
          next: () => events.next(),
          return(value) {
            leave();
            return events.return(value);
          },
        }),
      };
    },
    countTokens: async (route, request, options = {}) => find(route).countTokens(request, options),
    snapshot: () => [...routes.values()].map((route) => route.snapshot()),
    explain: (route, request, { stream = false, ...options } = {}) => find(route).explain(request, stream, options),
    experiment: (route) => find(route).experiment(),
  };
};

/** A hook that throws must not cost anybody an answer. */
const emitter =
  ({ onEvent }: RouterConfig) =>
  (event: RouterEvent): void => {
    try {
      const heard: unknown = onEvent?.(event);
      if (heard instanceof Promise) heard.catch(() => {});
    } catch {
      // The hook is the user's, and so is its error; there is nobody here to tell.
    }
  };
