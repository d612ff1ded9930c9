import { AnswerBook } from './answers.ts';
import { checkConfig, type RouterConfig } from './config.ts';
import type { Cost } from './decide/cost.ts';
import type { EmbeddingRequest } from './decide/embedding.ts';
import { HealthBook } from './decide/health/health.ts';
import type { ChatRequest } from './decide/request.ts';
import { digestOf } from './digest.ts';
import { RouterError } from './errors.ts';
import type { RouterEvent } from './events.ts';
import type { ExperimentReadout } from './experiment.ts';
import type { Explanation } from './explanation.ts';
import { type EventStream, eventsOf, OVER, type Packets } from './packets.ts';
import {
  type CallOptions,
  type ChatAnswer,
  type EmbeddingAnswer,
  type FeedbackReceipt,
  Route,
  type StreamOptions,
  type TokenCount,
} from './route.ts';
import { Peers } from './run/peers.ts';
import { StateFile } from './run/state-file.ts';
import { realSystem, type System } from './run/system.ts';
import type { RouteSnapshot } from './snapshot.ts';
import { spacesOf } from './space.ts';
import { isRouterState, type RouterState, savedFor } from './state.ts';
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
  /**
   * Says how good an answer was, from 0, useless, to 1, as good as can be. The id is that of the request
   * (`served.requestId`), or the answer's own (`id`), for a day, of the newest 25 000 at least. A second score of one answer
   * takes the place of the first. With `route`, the answer has to be that route's.
   *
   * @throws RouterError `unknown-answer` when nobody remembers the answer, `invalid-request` when the score is none.
   */
  feedback(id: string, score: number, options?: { readonly route?: string | undefined }): FeedbackReceipt;
  /** What the strategies have learned, as small JSON: hand it to the next router as `state`. */
  saveState(): RouterState;
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

export interface ChatStream extends EventStream {
  /**
   * Resolves at the first content that is shown, before any event is handed out, or where the route's `recovery` is `buffer`
   * when the answer is whole; rejects when no target answered.
   */
  readonly opened: Promise<Served>;
  /** As in events; undefined until the request has begun, which is before anything else happens. */
  readonly requestId: string | undefined;
  /** The route's `keepAlive`, in ms, for whoever hands the stream on to a caller; undefined where it is off. */
  readonly keepAliveMs: number | undefined;
  /** In US dollars, where a target that was asked has a price. Undefined until the stream has ended, well or not. */
  readonly cost?: Cost | undefined;
}

/** Makes a router of a config. Throws a RouterError that names every wrong field by its path. */
export const createRouter = (config: RouterConfig): Router => {
  const { routes: checked, health: settings } = checkConfig(config);
  const system = config.system ?? realSystem;
  const health = new HealthBook(settings);
  const peers = config.store && new Peers(config.store, system, digestOf);
  const shared = { health, spaces: spacesOf(checked), answers: new AnswerBook(), peers };
  const emit = emitter(config);
  const file = stateFile(config.stateFile, system, emit, () => stateOf(routes));
  const state = file?.read() ?? config.state;
  const hear = (event: RouterEvent): void => {
    emit(event);
    if (file !== undefined && LEARNING.has(event.type) && 'route' in event && routes.get(event.route)?.keeps)
      file.changed();
  };
  const routes: ReadonlyMap<string, Route> = new Map(
    checked.map((route) => [route.name, new Route(route, shared, system, hear, savedFor(state, route))]),
  );
  peers?.join();

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
      let stream: Awaited<typeof opening> | undefined;
      let cost: Cost | undefined;
      const begun = (id: string): void => {
        requestId = id;
      };
      const over = (): void => {
        signal?.removeEventListener('abort', leave);
        cost = stream?.cost();
      };
      const opening = Promise.resolve().then(() =>
        find(route).open(request, { ...options, signal: caller.signal, begun, over }),
      );
      const opened = opening.then(({ served }) => served);
      // Whoever iterates gets the error there; nobody has to look at `opened`.
      opened.catch(() => signal?.removeEventListener('abort', leave));
      const begin = async (): Promise<Packets> => {
        stream = await opening;
        return stream.packets;
      };
      const packets: Packets = {
        next: () => stream?.packets.next() ?? begin().then((begun) => begun.next()),
        async return() {
          leave();
          await (stream?.packets ?? (await begin().catch(() => undefined)))?.return();
          return OVER;
        },
        [Symbol.asyncIterator]: () => packets,
      };
      const events = eventsOf(packets);
      return {
        opened,
        packets,
        get requestId() {
          return requestId;
        },
        keepAliveMs: routes.get(route)?.keepAliveMs,
        get cost() {
          return cost;
        },
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
    feedback(id, score, { route } = {}) {
      if (typeof id !== 'string' || id === '')
        throw new RouterError('invalid-request', 'id: expected the id of an answer');
      if (!(typeof score === 'number' && score >= 0 && score <= 1)) {
        throw new RouterError('invalid-request', 'score: expected a number from 0 to 1');
      }
      if (route !== undefined) find(route);
      const answered = shared.answers.find(id, system.nowMs());
      if (answered !== undefined && (route ?? answered.route) === answered.route)
        return find(answered.route).feedback(answered, score);
      const where = route === undefined ? 'No answer' : `No answer of route '${route}'`;
      throw new RouterError(
        'unknown-answer',
        `${where} with this id is remembered: it is not one of this process, or older than a day.`,
      );
    },
    saveState: () => stateOf(routes),
    snapshot: () => [...routes.values()].map((route) => route.snapshot()),
    explain: (route, request, { stream = false, ...options } = {}) => find(route).explain(request, stream, options),
    experiment: (route) => find(route).experiment(),
  };
};

const stateOf = (routes: ReadonlyMap<string, Route>): RouterState => ({
  version: 1,
  routes: Object.fromEntries(
    [...routes].flatMap(([name, route]) => {
      const state = route.save();
      return state === undefined ? [] : [[name, state]];
    }),
  ),
});

/** After these a strategy may know more than before. */
const LEARNING: ReadonlySet<RouterEvent['type']> = new Set([
  'feedback-received',
  'request-completed',
  'request-failed',
]);

const stateFile = (
  path: string | undefined,
  system: System,
  emit: (event: RouterEvent) => void,
  current: () => RouterState,
): StateFile<RouterState> | undefined => {
  if (path === undefined) return undefined;
  const onProblem = (problem: string): void => emit({ type: 'state-failed', atMs: system.nowMs(), problem });
  return new StateFile({ path, system, current, onProblem, isState: isRouterState });
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
