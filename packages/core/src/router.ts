import { type CheckedRoute, type CheckedTarget, checkConfig, type RouterConfig } from './config.ts';
import { deposit, hedgeBudget, newLastResorts } from './decide/budget.ts';
import type { Course } from './decide/course.ts';
import { FAILURE_RULES, type Failure } from './decide/failure.ts';
import type { BreakerReason, Standing } from './decide/health/breaker.ts';
import { conditionOf, HealthBook } from './decide/health/health.ts';
import { sizeOf } from './decide/health/pace.ts';
import type { GiveUp } from './decide/plan.ts';
import { firstBackAtMs, type Pool, whyNot } from './decide/pool.ts';
import type { ChatRequest, ChatSettings, UserPart } from './decide/request.ts';
import type { ChatEvent, ChatResponse } from './decide/response.ts';
import { has } from './decide/strategy.ts';
import { type AttemptReport, RouterError, type SkippedTarget } from './errors.ts';
import type { RouterEvent } from './events.ts';
import type { Call, Gap, Wire } from './provider.ts';
import { type Driven, drive, type Flight } from './run/drive.ts';
import { isCallersOwn, Journal } from './run/journal.ts';
import { BrokeOff, type OpenedStream, openStream, relayStream } from './run/stream.ts';
import { realSystem, type System } from './run/system.ts';

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
   * first event when no target answered, and in its middle when the answer broke off. Leaving the loop stops the vendor.
   */
  stream(route: string, request: ChatRequest, options?: CallOptions): ChatStream;
  /** What the router knows now, without secrets: by route, the targets in pool order. */
  snapshot(): readonly RouteSnapshot[];
}

export interface CallOptions {
  /** Aborting it stops all upstream work at once, and harms no target's health. */
  readonly signal?: AbortSignal | undefined;
  /** How long this caller waits, in ms, instead of the route's `deadline`. */
  readonly deadlineMs?: number | undefined;
}

export type ChatAnswer = ChatResponse & { readonly served: Served };

export interface ChatStream extends AsyncIterable<ChatEvent> {
  /** Resolves at the first content, before any event is handed out; rejects when no target answered. */
  readonly opened: Promise<Served>;
}

/** Who served a request, and what it took. */
export interface Served {
  readonly requestId: string;
  readonly route: string;
  readonly strategy: string;
  readonly target: TargetName;
  /** Every attempt, oldest first. */
  readonly attempts: readonly AttemptReport[];
  readonly skipped: readonly SkippedTarget[];
  /** From the request's start to its first content. */
  readonly tookMs: number;
}

export interface TargetName {
  readonly id: string;
  readonly vendor: string;
  readonly model: string;
}

export interface RouteSnapshot {
  readonly name: string;
  readonly strategy: string;
  readonly targets: readonly TargetSnapshot[];
}

export interface TargetSnapshot extends TargetName {
  readonly enabled: boolean;
  readonly weight: number;
  readonly contextWindow?: number;
  readonly standing: Standing;
  /** Why it is left alone. */
  readonly reason?: BreakerReason;
  /** In how many ms it may be used again; 0 when it is due. */
  readonly dueInMs?: number;
}

/** Makes a router of a config. Throws a RouterError that names every wrong field by its path. */
export const createRouter = (config: RouterConfig): Router => {
  const { routes: checked } = checkConfig(config);
  const system = config.system ?? realSystem;
  const health = new HealthBook();
  const routes = new Map(checked.map((route) => [route.name, new Route(route, health, system, emitter(config))]));

  const find = (name: string): Route => {
    const route = routes.get(name);
    if (route !== undefined) return route;
    throw new RouterError('unknown-route', `There is no route '${name}'; there is ${[...routes.keys()].join(', ')}.`);
  };

  return {
    chat: async (route, request, options = {}) => find(route).chat(request, options),
    stream(route, request, { signal, deadlineMs } = {}) {
      // Ours, so that leaving the loop is leaving in every phase: also while the next event, or the first, is awaited.
      const caller = new AbortController();
      const leave = (): void => caller.abort();
      if (signal?.aborted) leave();
      signal?.addEventListener('abort', leave);
      const opening = Promise.resolve().then(() => find(route).open(request, { signal: caller.signal, deadlineMs }));
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
        [Symbol.asyncIterator]: () => ({
          next: () => events.next(),
          return(value) {
            leave();
            return events.return(value);
          },
        }),
      };
    },
    snapshot: () => [...routes.values()].map((route) => route.snapshot()),
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

/** A pool with its strategy, and the way of a request through it. */
class Route {
  readonly #route: CheckedRoute;
  readonly #pool: Pool;
  readonly #system: System;
  readonly #emit: (event: RouterEvent) => void;

  constructor(route: CheckedRoute, health: HealthBook, system: System, emit: (event: RouterEvent) => void) {
    this.#route = route;
    this.#system = system;
    this.#emit = emit;
    this.#pool = {
      members: route.targets.map(({ id, provider, quotaGroup, contextWindow, timeoutsMs, reasoning, params }) => ({
        id,
        health: health.of({ ...provider.account, model: provider.model, quotaGroup }),
        contextWindow,
        timeoutsMs,
        reasoning: reasoning || thinks(params),
      })),
      hedges: hedgeBudget(),
      lastResorts: newLastResorts(),
      picker: route.strategy.forPool({ weights: route.targets.map(({ weight }) => weight), dice: system.dice }),
    };
  }

  async chat(request: ChatRequest, options: CallOptions): Promise<ChatAnswer> {
    const way = this.#begin(request, options, false);
    const driven = await this.#drive(way, ({ provider }, asked, call) => provider.send(asked, call));
    way.journal.completed(driven.flight.attempt);
    return { ...driven.value, served: this.#served(way, driven.flight) };
  }

  async open(
    request: ChatRequest,
    options: CallOptions,
  ): Promise<{ served: Served; events: AsyncIterable<ChatEvent> }> {
    const way = this.#begin(request, options, true);
    const { flight, value } = await this.#drive(way, ({ provider }, asked, call) =>
      openStream(provider.stream(asked, call)),
    );
    // Also while nobody waits for the next event: a caller who leaves stops the vendor at once.
    way.callerSignal?.addEventListener('abort', flight.stop);
    if (way.callerSignal?.aborted) flight.stop();
    return { served: this.#served(way, flight), events: this.#relay(way, flight, value) };
  }

  snapshot(): RouteSnapshot {
    const nowMs = this.#system.nowMs();
    return {
      name: this.#route.name,
      strategy: this.#route.strategy.name,
      targets: this.#route.targets.map((target, i) => {
        const { standing, reason, untilMs } = conditionOf(this.#member(i).health, nowMs);
        return {
          ...nameOf(target),
          enabled: target.enabled,
          weight: target.weight,
          ...(target.contextWindow !== undefined && { contextWindow: target.contextWindow }),
          standing,
          ...(reason !== undefined && { reason }),
          ...(untilMs !== undefined && { dueInMs: Math.max(0, untilMs - nowMs) }),
        };
      }),
    };
  }

  /** Everything that belongs to one request. */
  #begin(request: ChatRequest, { signal, deadlineMs }: CallOptions, streaming: boolean): Way {
    if (!Array.isArray(request.messages) || request.messages.length === 0) {
      throw new RouterError('invalid-request', 'messages: expected at least one message');
    }
    if (deadlineMs !== undefined && !(deadlineMs > 0)) {
      throw new RouterError('invalid-request', `deadlineMs: expected more than 0 ms, and got ${deadlineMs}`);
    }
    const startedAtMs = this.#system.nowMs();
    const requestId = `sw-${Math.floor(this.#system.dice() * 2 ** 48)
      .toString(16)
      .padStart(12, '0')}`;
    const gaps = this.#route.targets.map((target) => target.provider.gaps(withParams(request, target)));
    const reasoning = thinks(request);
    const waitMs = deadlineMs ?? this.#deadlineMs(streaming, reasoning);
    const course: Course = {
      request,
      streaming,
      size: sizeOf(promptLength(request)),
      reasoning,
      startedAtMs,
      deadlineAtMs: startedAtMs + waitMs,
      able: this.#route.targets.reduce((mask, target, i) => (isAble(target, gaps[i]) ? mask | (1 << i) : mask), 0),
      tried: 0,
      windowAbove: undefined,
      attempts: [],
    };
    deposit(this.#pool.hedges);
    this.#emit({ type: 'request-started', atMs: startedAtMs, requestId, route: this.#route.name });
    const dropped = (i: number): readonly string[] => (gaps[i] ?? []).map(({ what }) => what);
    const names = { route: this.#route.name, requestId };
    const journal = new Journal(this.#pool, names, course, this.#system, this.#emit, dropped);
    return { requestId, course, gaps, journal, callerSignal: signal };
  }

  /** Who may think for minutes needs them, wherever nobody has set another deadline. */
  #deadlineMs(streaming: boolean, reasoning: boolean): number {
    const { stream, plain, thinking } = this.#route.deadlineMs;
    if (reasoning || this.#pool.members.some((member) => member.reasoning)) return thinking;
    return streaming ? stream : plain;
  }

  async #drive<T>(
    way: Way,
    ask: (target: CheckedTarget, request: ChatRequest, call: Call) => Promise<T>,
  ): Promise<Extract<Driven<T>, { type: 'answered' }>> {
    const { course, journal, callerSignal } = way;
    if (course.able === 0) throw this.#failed(way, this.#incapable(way));
    const driven = await drive<T>({
      course,
      journal,
      callerSignal,
      pool: this.#pool,
      system: this.#system,
      call: async (i, call) => {
        const target = this.#target(i);
        return ask(target, withParams(course.request, target), call);
      },
      explain: (i, error, wire) => this.#explain(i, error, wire),
    });
    if (driven.type === 'gave-up') throw this.#failed(way, this.#error(way, driven.because));
    const target = this.#target(driven.flight.attempt.target).id;
    this.#emit({ type: 'request-answered', ...this.#tally(way), target });
    return driven;
  }

  async *#relay(way: Way, flight: Flight<OpenedStream>, opened: OpenedStream): AsyncGenerator<ChatEvent, void> {
    const { journal, callerSignal } = way;
    const { target } = flight.attempt;
    try {
      yield* relayStream(opened, {
        flight,
        journal,
        callerSignal,
        system: this.#system,
        timeoutsMs: this.#member(target).timeoutsMs,
        pace: this.#member(target).health.pace,
        explain: (error) => this.#explain(target, error, flight.wire),
      });
    } catch (error) {
      if (!(error instanceof BrokeOff)) throw error;
      const { failure } = error;
      throw failure.kind === 'aborted'
        ? this.#error(way, { type: 'aborted' })
        : new RouterError(
            'answer-broke-off',
            `${this.#target(target).id}: ${failure.message}.`,
            this.#details(way, failure),
          );
    } finally {
      callerSignal?.removeEventListener('abort', flight.stop);
    }
  }

  /** A provider's own explanation must not be able to fail the request. */
  #explain(i: number, error: unknown, wire: Wire): Failure {
    const { provider, vendor } = this.#target(i);
    try {
      const failure = provider.explain(error, wire);
      if (failure?.kind in FAILURE_RULES) return failure;
    } catch {
      // Said below.
    }
    return { kind: 'broken', message: `${vendor} failed in a way that its provider cannot explain` };
  }

  #served(way: Way, { attempt }: Flight<unknown>): Served {
    const { requestId, journal, course } = way;
    return {
      requestId,
      route: this.#route.name,
      strategy: this.#route.strategy.name,
      target: nameOf(this.#target(attempt.target)),
      attempts: course.attempts.map((each) => journal.report(each)),
      skipped: this.#skipped(way),
      tookMs: (attempt.endedAtMs ?? attempt.startedAtMs) - course.startedAtMs,
    };
  }

  #skipped({ course, gaps }: Way): readonly SkippedTarget[] {
    const nowMs = this.#system.nowMs();
    return this.#route.targets.flatMap((target, i): SkippedTarget[] => {
      if (has(course.tried, i)) return [];
      if (!target.enabled) return [{ target: target.id, reason: 'disabled' }];
      if (!has(course.able, i)) return [{ target: target.id, reason: `cannot express ${missing(gaps[i]).join(', ')}` }];
      if (course.windowAbove !== undefined) return [{ target: target.id, reason: 'no larger context window' }];
      const left = whyNot(this.#member(i), nowMs);
      return left === undefined ? [] : [{ target: target.id, reason: left.reason }];
    });
  }

  #incapable(way: Way): RouterError {
    const reasons = this.#skipped(way).map(({ target, reason }) => `${target}: ${reason}`);
    return new RouterError(
      'no-capable-target',
      `No target of route '${this.#route.name}' can take this request: ${reasons.join('; ')}. Leave the fields out, or set unsupported: 'drop' on a target.`,
      this.#details(way),
    );
  }

  #error(way: Way, because: GiveUp): RouterError {
    const name = `route '${this.#route.name}'`;
    switch (because.type) {
      case 'returned':
        return new RouterError(
          'request-refused',
          `${name}: ${because.failure.message}.`,
          this.#details(way, because.failure),
        );
      case 'aborted':
        return new RouterError('aborted', `${name}: the caller left.`, this.#details(way));
      case 'deadline':
        return new RouterError(
          'deadline-exceeded',
          `No target of ${name} answered within ${Math.round(way.course.deadlineAtMs - way.course.startedAtMs)} ms.`,
          this.#details(way),
        );
      case 'exhausted':
        return new RouterError('all-targets-failed', `No target of ${name} can answer now.`, this.#details(way));
    }
  }

  #details(way: Way, failure?: Failure): ConstructorParameters<typeof RouterError>[2] {
    const nowMs = this.#system.nowMs();
    const backAtMs = firstBackAtMs(this.#pool, nowMs);
    return {
      requestId: way.requestId,
      attempts: way.course.attempts.map((each) => way.journal.report(each)),
      skipped: this.#skipped(way),
      retryAfterMs: backAtMs === undefined ? undefined : Math.max(0, backAtMs - nowMs),
      failure: failure !== undefined && isCallersOwn(failure) ? failure : undefined,
    };
  }

  #failed(way: Way, error: RouterError): RouterError {
    this.#emit({ type: 'request-failed', ...this.#tally(way), code: error.code });
    return error;
  }

  #tally({
    requestId,
    course,
  }: Way): Pick<RouterEvent & { type: 'request-answered' }, 'atMs' | 'requestId' | 'route' | 'attempts' | 'tookMs'> {
    const atMs = this.#system.nowMs();
    const tookMs = atMs - course.startedAtMs;
    return { atMs, requestId, route: this.#route.name, attempts: course.attempts.length, tookMs };
  }

  #target(i: number): CheckedTarget {
    return this.#route.targets[i] as CheckedTarget;
  }

  #member(i: number): Pool['members'][number] {
    return this.#pool.members[i] as Pool['members'][number];
  }
}

interface Way {
  readonly requestId: string;
  readonly course: Course;
  /** By target. */
  readonly gaps: readonly (readonly Gap[])[];
  readonly journal: Journal;
  readonly callerSignal: AbortSignal | undefined;
}

/** The length of a prompt in characters, near enough to tell a short one from a long one. */
const promptLength = ({ messages, tools = [] }: ChatRequest): number => {
  let length = tools.length * TOOL_LENGTH;
  for (const message of messages) {
    for (const part of message.content) length += partLength(part);
    if (message.role === 'assistant') for (const call of message.toolCalls ?? []) length += call.arguments.length;
  }
  return length;
};

/** What a tool's description, and an image, come to: some hundred and some thousand tokens. */
const TOOL_LENGTH = 400;
const IMAGE_LENGTH = 6_000;

const partLength = (part: UserPart): number => {
  switch (part.type) {
    case 'text':
      return part.text.length;
    case 'image':
      return IMAGE_LENGTH;
    default:
      return 'data' in part && part.data !== undefined ? Math.max(IMAGE_LENGTH, part.data.length / 4) : IMAGE_LENGTH;
  }
};

const thinks = ({ reasoningEffort = 'none' }: ChatSettings = {}): boolean =>
  reasoningEffort !== 'none' && reasoningEffort !== 'minimal';

const nameOf = ({ id, vendor, provider }: CheckedTarget): TargetName => ({ id, vendor, model: provider.model });

const withParams = (request: ChatRequest, { params }: CheckedTarget): ChatRequest =>
  params === undefined ? request : { ...request, ...params };

const missing = (gaps: readonly Gap[] = []): string[] => gaps.flatMap(({ what, harmless }) => (harmless ? [] : [what]));

const isAble = ({ enabled, unsupported }: CheckedTarget, gaps: readonly Gap[] = []): boolean =>
  enabled && (unsupported === 'drop' || missing(gaps).length === 0);
