import * as z from 'zod/mini';
import { type Duration, durationMs } from './decide/duration.ts';
import { type Group, grouped } from './decide/groups.ts';
import type { BreakerSettings } from './decide/health/breaker.ts';
import type { TimeoutsMs } from './decide/pool.ts';
import type { TargetPrice } from './decide/price.ts';
import type { Recovery } from './decide/recovery.ts';
import type { ChatRequest, ChatSettings } from './decide/request.ts';
import type { Supports } from './decide/requirements.ts';
import type { RetryPolicy } from './decide/retry.ts';
import type { SpendingCap } from './decide/spending.ts';
import { bestPerformance } from './decide/strategies/best-performance.ts';
import { leastCost } from './decide/strategies/least-cost.ts';
import { leastLatency } from './decide/strategies/least-latency.ts';
import { priority } from './decide/strategies/priority.ts';
import { ranked } from './decide/strategies/ranked.ts';
import { roundRobin } from './decide/strategies/round-robin.ts';
import { weightedRoundRobin } from './decide/strategies/weighted-round-robin.ts';
import { MOST_TARGETS, type Strategy } from './decide/strategy.ts';
import { RouterError } from './errors.ts';
import type { RouterEvent } from './events.ts';
import type { ExperimentConfig, ExperimentMetric } from './experiment.ts';
import type { TargetGroup } from './group.ts';
import { listPrice } from './prices.ts';
import type { Provider, TargetSpec } from './provider.ts';
import type { Rank } from './rank.ts';
import { hasFiles } from './run/state-file.ts';
import type { System } from './run/system.ts';
import { SIGNALS, type Signal } from './signals.ts';
import { checkSpaces } from './space.ts';
import { isRouterState, type RouterState } from './state.ts';
import type { Store } from './store.ts';
import type { SpendingBudget } from './target.ts';

/** What `createRouter` takes. Every key that is not named here is an error, with its path. */
export interface RouterConfig {
  /** By name: the name is the first segment of the path under the mount point. */
  readonly routes: Readonly<Record<string, RouteConfig>>;
  /** How targets that fail are left alone and taken back, in all routes. */
  readonly health?: HealthConfig;
  /** Hears of everything that happens. What it throws is ignored. */
  readonly onEvent?: (event: RouterEvent) => void;
  /**
   * What the strategies of an earlier router have learned, from `saveState()`. It is taken by routes of the same name and
   * strategy, for targets of the same ids; the rest is passed over.
   */
  readonly state?: RouterState;
  /**
   * A file to keep that in: read at the start, where it goes before `state`, and written within about a second of each
   * change. One that cannot be used is kept as `….broken`, and the event `state-failed` tells. One process for each file.
   */
  readonly stateFile?: string;
  /**
   * What several routers share: who is down, and which limits and keys are closed. `clusterStore()` of `@switchyard/core/cluster` for
   * the workers of `node:cluster`. Default: each router learns for itself.
   */
  readonly store?: Store;
  /** The clock and the dice; the real ones by default. */
  readonly system?: System;
}

export interface HealthConfig {
  /**
   * The longest time that a target which fails again and again is left alone before it is tried once more: first 5 s, then
   * twice as long each time. Shorter finds the end of an outage sooner and costs more trials. Default: 30 s.
   */
  readonly longestCooling?: Duration;
  /** In what time a target that is back takes over its traffic, beginning with a tenth of it. Default: 20 s. */
  readonly ramp?: Duration;
}

export interface RouteConfig {
  /** Default: `priority`. */
  readonly strategy?: StrategyName | Strategy | Rank;
  /** How long a strategy that is a function is awaited, before the pool's order serves. Default: 50 ms. */
  readonly rankTimeout?: Duration;
  /**
   * Who a request belongs to, such as a user: a strategy with weights gives the same subject to the same target each time, or
   * to the same substitute while that one is out. Asked with the request as it came over HTTP, whose body has been read; without
   * HTTP there is `CallOptions.subject`, which wins. Where it throws, or names nobody, the request is shared out by the plain
   * weights, and is no part of an experiment.
   */
  readonly stickyBy?: (request: Request) => string | null | undefined;
  /** What the arms of a weighted pool are compared by. On a route with `stickyBy` there is an experiment by latency unless this says otherwise. */
  readonly experiment?: ExperimentConfig;
  /**
   * `prompt-cache`: a conversation stays at the target that has its prompt in its cache, whatever the strategy, as long as that
   * saves more than the target's state costs, and until its first failure there. Only prompts of 1024 tokens and more, and not
   * where a subject has an arm. Default: each request by itself.
   */
  readonly affinity?: 'prompt-cache';
  /** How long after its last turn a conversation is kept so. Default: 5 min, for which vendors keep their caches. */
  readonly affinityLife?: Duration;
  /** Targets that can stand in for one another, and groups of them; 32 targets at most over all. */
  readonly pool: readonly (TargetSpec | TargetGroup)[];
  /**
   * How long a caller waits: for the first content of a stream (default 60 s), or for a whole plain answer
   * (default 3 min); 4 min for both where a model thinks first. It is shared out over the attempts.
   */
  readonly deadline?: Duration;
  /**
   * Whether a second attempt may start beside one that is late, or whose target is in doubt: the first to answer serves,
   * the other is stopped. At most 5 % of requests, and where a ready target stands in for one in doubt. `false`: no two run
   * at once, and an attempt that is late makes way where its target is in doubt; one that timed out is still followed by
   * another, and its vendor may have done its work. Default: true.
   */
  readonly hedging?: boolean;
  /** What becomes of a request that no target of the pool could answer. */
  readonly retry?: RetryConfig;
  /**
   * How plain answers are fetched: `match` asks for a plain answer, `stream` for a stream that is put together here, so that
   * a vendor's silence shows in seconds and not only when the whole answer is late. Default: `match`.
   */
  readonly upstream?: 'match' | 'stream';
  /**
   * What becomes of a stream that breaks after its caller has seen some of it. `error`: it ends there, with an error event.
   * `continue`: the next target carries on from the delivered text; where it cannot, as in the middle of a tool call, it is
   * as with `error`. `restart`: the caller is told to forget what it has, and gets the next target's answer from its
   * beginning. `buffer`: nothing is handed out before the answer is whole, so that every break is unseen, and nothing
   * streams; longer than 8 MiB it streams after all. Before the first content every break is unseen. Default: `error`.
   */
  readonly recovery?: Recovery;
  /**
   * Also tries targets that were left alone without waiting for a request: a prompt of one word and an answer of one token,
   * which costs that much. Only while the route has traffic. Default: false.
   */
  readonly backgroundProbes?: boolean;
  /**
   * Over HTTP: a caller of a stream who has been sent nothing for so long is sent a comment, which clients do not notice.
   * Choose it where a proxy between callers and here gives up on silent connections earlier than models answer; half of the
   * proxy's time-out is a good value. A comment before the first content fixes the status at 200 while no target is known:
   * then headers name none, and a failure of all targets is an error event in the stream. Default: off.
   */
  readonly keepAlive?: Duration;
  /**
   * What kind of work a chat request is: a short name, one of a hundred at most, such as `'summary'`. A strategy that learns
   * from scores keeps the kinds apart. Where it throws, or names nothing, the request has none. It must be quick. Default:
   * no request has one.
   */
  readonly taskBy?: (request: ChatRequest) => string | undefined;
  /**
   * Scores every answer by what it shows by itself: 0 where one of these speaks against it, else 1. For strategies that learn from
   * scores, where few people give any; a score that somebody gives takes its place. Default: none.
   */
  readonly signals?: readonly Signal[];
  /**
   * The most that is spent on all of the route, failed attempts included; every target needs a price then. A route that has
   * spent it answers with an error, `budget-spent`. Default: no limit.
   */
  readonly budget?: SpendingBudget;
}

/**
 * Further passes over the pool, after every target has failed for a reason that may pass, or was left alone. Only where
 * the deadline leaves room, never for a target that refused the request or the key, and not when the first target is due
 * back later than `maxDelay`.
 */
export interface RetryConfig {
  /** Default: 0, so that the caller hears at once that nobody can answer, and when to come back. */
  readonly passes?: number;
  /** The rest before the first further pass. Default: 250 ms. */
  readonly minDelay?: Duration;
  /** The longest rest. Default: 2 s. */
  readonly maxDelay?: Duration;
  /** Each rest is so many times the one before. Default: 2. */
  readonly multiplier?: number;
  /** The part of a rest that is left to chance, 0 to 1. Default: 0.5. */
  readonly jitter?: number;
}

export type StrategyName =
  | 'priority'
  | 'round-robin'
  | 'weighted-round-robin'
  | 'least-latency'
  | 'least-cost'
  | 'best-performance';

const STRATEGIES: Readonly<Record<StrategyName, () => Strategy>> = {
  priority,
  'least-latency': leastLatency,
  'round-robin': roundRobin,
  'weighted-round-robin': weightedRoundRobin,
  'best-performance': bestPerformance,
  'least-cost': leastCost,
};

/** A checked config: every default filled in, every duration in ms, every provider made. */
export interface CheckedConfig {
  readonly health: BreakerSettings;
  readonly routes: readonly CheckedRoute[];
}

export interface CheckedRoute {
  readonly name: string;
  /** Of the whole pool, groups and all. */
  readonly strategy: Strategy;
  /** The pool as its user wrote it; the numbers are places in `targets`. */
  readonly root: Group;
  /** Where the strategy is a function, which has to be asked for each request. */
  readonly rank: { readonly ask: Rank; readonly timeoutMs: number } | undefined;
  readonly stickyBy: RouteConfig['stickyBy'];
  readonly experiment: ExperimentConfig | undefined;
  /** Undefined: it keeps no conversations together. */
  readonly affinityLifeMs: number | undefined;
  readonly deadlineMs: { readonly stream: number; readonly plain: number; readonly thinking: number };
  readonly hedging: boolean;
  readonly retry: RetryPolicy;
  readonly upstream: 'match' | 'stream';
  readonly recovery: Recovery;
  readonly backgroundProbes: boolean;
  readonly keepAliveMs: number | undefined;
  readonly taskBy: ((request: ChatRequest) => string | undefined) | undefined;
  readonly signals: readonly Signal[];
  readonly budget: SpendingCap | undefined;
  readonly targets: readonly CheckedTarget[];
}

export interface CheckedTarget {
  readonly id: string;
  readonly vendor: string;
  readonly provider: Provider;
  readonly enabled: boolean;
  readonly weight: number;
  readonly contextWindow: number | undefined;
  readonly price: TargetPrice | undefined;
  readonly supports: Supports;
  readonly budget: SpendingCap | undefined;
  readonly quotaGroup: string | undefined;
  readonly timeoutsMs: TimeoutsMs;
  readonly params: ChatSettings | undefined;
  readonly unsupported: 'skip' | 'drop';
  readonly reasoning: boolean;
  /** The vector space that it makes embeddings in; undefined for a target that chats. */
  readonly space: string | undefined;
  /** Undefined: as the provider has it. */
  readonly prefill: boolean | undefined;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

// zod/mini brings no texts for what is wrong. These say what was expected, and what stands there.

/** A text is repeated where a text was expected: anywhere else it may be a key that went astray. */
const shown = (value: unknown, isQuoted: boolean): string => {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return isQuoted ? JSON.stringify(value) : 'a text';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return 'a function';
  return isObject(value) ? 'an object' : String(value);
};

const expected = (what: string, { isQuoted = false } = {}) => ({
  error: ({ input }: { readonly input?: unknown }): string => `expected ${what}, and got ${shown(input, isQuoted)}`,
});

const text = z.string(expected('a text'));
const someText = z.string(expected('a text that is not empty', { isQuoted: true })).check(z.minLength(1));
const matching = (pattern: RegExp, what: string) =>
  z.string(expected(what, { isQuoted: true })).check(z.regex(pattern));
const flag = z.boolean(expected('true or false'));
const anyNumber = z.number(expected('a number'));
const numberFrom = (least: number, most = Number.POSITIVE_INFINITY) =>
  z
    .number(expected(most < Number.POSITIVE_INFINITY ? `a number from ${least} to ${most}` : `a number from ${least}`))
    .check(z.gte(least), z.lte(most));
const wholeFrom = (least: number) => z.int(expected(`a whole number from ${least}`)).check(z.gte(least));
const oneOf = <const T extends readonly [string, ...string[]]>(names: T) =>
  z.enum(names, expected(names.length === 1 ? `'${names[0]}'` : `one of ${names.join(', ')}`, { isQuoted: true }));
const object = <T extends z.core.$ZodShape>(fields: T) => z.strictObject(fields, expected('an object'));
const listOf = <T extends z.core.$ZodType>(entry: T) => z.array(entry, expected('an array'));
const functionOf = <T>(what = 'a function') => z.custom<T>((value) => typeof value === 'function', expected(what));
/** What `from` makes of a value, undefined where it is wrong. */
const made = <T>(what: string, from: (value: unknown) => T | undefined) =>
  z.pipe(
    z.custom<unknown>((value) => from(value) !== undefined, expected(what, { isQuoted: true })),
    z.transform((value) => from(value) as T),
  );

const duration = made("a duration above 0 such as '10s', '250ms' or milliseconds", (value) =>
  typeof value === 'number' || typeof value === 'string' ? durationMs(value) : undefined,
);

const jsonObject = z.record(z.string(), z.unknown(), expected('an object'));

const params = object({
  maxOutputTokens: z.optional(wholeFrom(1)),
  temperature: z.optional(numberFrom(0)),
  topP: z.optional(numberFrom(0, 1)),
  stop: z.optional(listOf(text)),
  seed: z.optional(z.int(expected('a whole number'))),
  frequencyPenalty: z.optional(anyNumber),
  presencePenalty: z.optional(anyNumber),
  tools: z.optional(
    listOf(
      object({
        name: text,
        description: z.optional(text),
        parameters: z.optional(jsonObject),
        strict: z.optional(flag),
      }),
    ),
  ),
  toolChoice: z.optional(
    z.union(
      [z.enum(['auto', 'none', 'required']), object({ tool: text })],
      expected("one of auto, none, required, or { tool: 'its name' }", { isQuoted: true }),
    ),
  ),
  parallelToolCalls: z.optional(flag),
  output: z.optional(
    z.discriminatedUnion(
      'type',
      [
        object({ type: z.literal('text') }),
        object({ type: z.literal('json') }),
        object({
          type: z.literal('json-schema'),
          name: text,
          schema: jsonObject,
          description: z.optional(text),
          strict: z.optional(flag),
        }),
      ],
      {
        error: (issue) =>
          isObject(issue.input) ? 'expected one of text, json, json-schema' : expected('an object').error(issue),
      },
    ),
  ),
  reasoningEffort: z.optional(text),
  maxReasoningTokens: z.optional(wholeFrom(1)),
  topK: z.optional(wholeFrom(1)),
});

const usd = z.number(expected('US dollars for a million tokens, 0 if free')).check(z.gte(0));

const id = z.optional(
  matching(/^[\w./:@-]+$/, 'letters, digits and any of . / : @ _ -, since the id is sent in a header'),
);

const weight = z._default(numberFrom(0), 1);

const tariff = {
  inputUsdPerMTok: usd,
  cachedInputUsdPerMTok: z.optional(usd),
  cacheWriteInputUsdPerMTok: z.optional(usd),
  outputUsdPerMTok: usd,
};

const price = object({ ...tariff, longPrompts: z.optional(object({ aboveInputTokens: wholeFrom(1), ...tariff })) });

/** Nothing waits for it, so that it may be longer than a timer. */
const span = made("a minute at least, such as '1h', '1d' or '30d'", (value) => {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const [, days] = typeof value === 'string' ? (/^(\d+(?:\.\d+)?)d$/.exec(value) ?? []) : [];
  const perMs = days === undefined ? durationMs(value) : Number(days) * DAY;
  if (perMs === undefined || perMs < MINUTE) return undefined;
  return { perMs, per: typeof value === 'number' ? `${value}ms` : value };
});

const budget = z.optional(
  z.pipe(
    object({ usd: z.number(expected('US dollars, above 0')).check(z.positive()), per: span }),
    z.transform(({ usd, per }): SpendingCap => ({ usd, ...per })),
  ),
);

const targetOptions = object({
  id,
  enabled: z._default(flag, true),
  weight,
  contextWindow: z.optional(wholeFrom(1)),
  price: z.optional(price),
  budget,
  supports: z._default(
    object({
      tools: z.optional(flag),
      vision: z.optional(flag),
      files: z.optional(flag),
      audio: z.optional(flag),
      schema: z.optional(flag),
      streaming: z.optional(flag),
    }),
    {},
  ),
  timeouts: z.prefault(
    object({
      connect: z._default(duration, 2 * SECOND),
      firstContent: z.optional(duration),
      answer: z.optional(duration),
      idle: z.optional(duration),
      total: z._default(duration, 10 * MINUTE),
    }),
    {},
  ),
  quotaGroup: z.optional(someText),
  params: z.optional(params),
  unsupported: z._default(oneOf(['skip', 'drop']), 'skip'),
  reasoning: z._default(flag, false),
  space: z.optional(someText),
  prefill: z.optional(flag),
});

const entry = z.custom<TargetSpec | TargetGroup>(
  (value) => isObject(value) && (('connect' in value && typeof value.connect === 'function') || 'pool' in value),
  expected("a target, such as openai('gpt-5-mini'), or a group: { strategy, pool }"),
);
const pool = listOf(entry).check(z.minLength(1, 'expected at least one target'));

const NAMES = Object.keys(STRATEGIES).join(', ');

const strategyOf = (value: unknown): Strategy | undefined => {
  if (typeof value === 'string' && Object.hasOwn(STRATEGIES, value)) return STRATEGIES[value as StrategyName]();
  return isObject(value) && 'forPool' in value ? (value as Strategy) : undefined;
};
/** Those that make one of ours are functions too; they want to be called, or named. */
const rankOf = (value: unknown): Rank | undefined =>
  typeof value === 'function' && !Object.values(STRATEGIES).includes(value as () => Strategy)
    ? (value as Rank)
    : undefined;
const strategyOfRoute = made(
  `one of ${NAMES}, a strategy of your own, or a function that ranks targets`,
  (value) => strategyOf(value) ?? rankOf(value),
);
const strategyOfGroup = made(
  `one of ${NAMES}, or a strategy of your own; only a route can have a function for it`,
  strategyOf,
);

const group = object({ id, weight, strategy: z.prefault(strategyOfGroup, 'priority'), pool });

const retry = object({
  passes: z._default(wholeFrom(0), 0),
  minDelay: z._default(duration, 250),
  maxDelay: z._default(duration, 2 * SECOND),
  multiplier: z._default(numberFrom(1), 2),
  jitter: z._default(numberFrom(0, 1), 0.5),
}).check(
  z.refine(({ minDelay, maxDelay }) => minDelay <= maxDelay, {
    path: ['minDelay'],
    error: 'expected no more than maxDelay',
  }),
);

const METRICS: readonly unknown[] = ['latency', 'cost', 'feedback'];

const experiment = object({
  metric: z._default(
    z.custom<ExperimentMetric>(
      (value) => typeof value === 'function' || METRICS.includes(value),
      expected('latency, cost, feedback, or a function of an answer', { isQuoted: true }),
    ),
    'latency',
  ),
  alpha: z._default(z.number(expected('a number above 0 and below 1')).check(z.gt(0), z.lt(1)), 0.05),
  control: z.optional(text),
});

const route = object({
  strategy: z.prefault(strategyOfRoute, 'priority'),
  rankTimeout: z._default(duration, 50),
  stickyBy: z.optional(
    functionOf<NonNullable<RouteConfig['stickyBy']>>('a function of a request that names its subject'),
  ),
  experiment: z.optional(experiment),
  affinity: z.optional(oneOf(['prompt-cache'])),
  affinityLife: z._default(duration, 5 * MINUTE),
  pool,
  deadline: z.optional(duration),
  hedging: z._default(flag, true),
  retry: z.prefault(retry, {}),
  upstream: z._default(oneOf(['match', 'stream']), 'match'),
  recovery: z._default(oneOf(['error', 'continue', 'restart', 'buffer']), 'error'),
  backgroundProbes: z._default(flag, false),
  keepAlive: z.optional(duration),
  taskBy: z.optional(functionOf<NonNullable<RouteConfig['taskBy']>>()),
  signals: z._default(listOf(oneOf(SIGNALS)), []),
  budget,
});

/** `v1`, `routes` and `health` are paths of their own under the mount point. */
const RESERVED = ['v1', 'routes', 'health', 'events', 'metrics', 'dashboard'];

const routeName = matching(
  /^[A-Za-z0-9][\w.-]*$/,
  'a route name of letters, digits, and . _ -, since it is a path segment',
).check(z.refine((name) => !RESERVED.includes(name), 'this name is a path of its own; choose another'));

const config = object({
  routes: z
    .record(routeName, route, expected('an object'))
    .check(z.refine((routes) => Object.keys(routes).length > 0, 'expected at least one route')),
  health: z.prefault(
    object({ longestCooling: z._default(duration, 30 * SECOND), ramp: z._default(duration, 20 * SECOND) }),
    {},
  ),
  onEvent: z.optional(functionOf<NonNullable<RouterConfig['onEvent']>>()),
  state: z.optional(z.custom<RouterState>(isRouterState, expected('what saveState() gave'))),
  stateFile: z.optional(
    someText.check(
      z.refine(hasFiles, 'there are no files here; keep what saveState() gives, and hand it over as state'),
    ),
  ),
  store: z.optional(
    z.custom<Store>(
      (value) =>
        isObject(value) &&
        'join' in value &&
        typeof value.join === 'function' &&
        'trust' in value &&
        (value.trust === 'evidence' || value.trust === 'advice'),
      expected('a store, such as clusterStore()'),
    ),
  ),
  system: z.optional(z.custom<System>(isObject, expected('a clock and dice'))),
});

/** Checks a config and makes its providers. Throws a RouterError that lists every wrong field with its path. */
export const checkConfig = (raw: RouterConfig): CheckedConfig => {
  const problems: string[] = [];
  const checked = check(config, raw, '', problems);
  const routes = Object.entries(checked?.routes ?? {}).map(
    ([name, { strategy, rankTimeout, stickyBy, experiment, affinity, affinityLife, ...checked }]): CheckedRoute => {
      const { pool, deadline, retry, keepAlive, budget, ...rest } = checked;
      const path = `routes.${name}.pool`;
      const found: Found = { targets: [], ids: [], spaces: [] };
      const entries = checkEntries(pool, path, found, problems);
      const { targets } = found;
      if (targets.length > MOST_TARGETS) problems.push(`${path}: expected at most ${MOST_TARGETS} targets`);
      checkIds(found, path, problems);
      checkSpaces(found.spaces, problems);
      if (budget !== undefined) checkPrices(targets, `routes.${name}.budget`, problems);
      const isFunction = typeof strategy === 'function';
      const own = isFunction ? ranked(strategy.name || 'own') : strategy;
      const root: Group = { id: name, weight: 1, strategy: own, entries };
      return {
        name,
        // A function names targets, not groups: it ranks them all, whatever they are in.
        strategy: isFunction ? own : grouped(root),
        root,
        rank: isFunction ? { ask: strategy, timeoutMs: rankTimeout } : undefined,
        stickyBy,
        experiment,
        affinityLifeMs: affinity === undefined ? undefined : affinityLife,
        deadlineMs: { stream: deadline ?? MINUTE, plain: deadline ?? 3 * MINUTE, thinking: deadline ?? 4 * MINUTE },
        retry: {
          passes: retry.passes,
          minDelayMs: retry.minDelay,
          maxDelayMs: retry.maxDelay,
          multiplier: retry.multiplier,
          jitter: retry.jitter,
        },
        keepAliveMs: keepAlive,
        ...rest,
        taskBy: rest.taskBy,
        budget,
        targets,
      };
    },
  );
  if (problems.length > 0) {
    throw new RouterError(
      'invalid-config',
      `The config of the router is wrong:\n${problems.map((p) => `  ${p}`).join('\n')}`,
    );
  }
  // A config without health is wrong, and has been thrown for.
  const { longestCooling = 0, ramp = 0 } = checked?.health ?? {};
  return { health: { longestCoolingMs: longestCooling, rampMs: ramp }, routes };
};

/** Targets as they are found in a pool and its groups, and every id with the path that has it. */
interface Found {
  readonly targets: CheckedTarget[];
  readonly ids: { readonly id: string; readonly path: string }[];
  readonly spaces: { readonly path: string; readonly space: string | undefined }[];
}

const checkEntries = (
  specs: readonly (TargetSpec | TargetGroup)[],
  path: string,
  found: Found,
  problems: string[],
  places: readonly number[] = [],
): Group['entries'] =>
  specs.flatMap((spec, i): number | Group | [] => {
    const at = `${path}[${i}]`;
    if ('connect' in spec) {
      const { space } = spec.options;
      found.spaces.push({ path: at, space: isText(space) ? space : undefined });
      const target = checkTarget(spec, at, problems);
      if (target === undefined) return [];
      found.ids.push({ id: target.id, path: at });
      return found.targets.push(target) - 1;
    }
    const checked = check(group, spec, at, problems);
    if (checked === undefined) return [];
    const { id = `group-${[...places, i].join('.')}`, weight, strategy, pool } = checked;
    found.ids.push({ id, path: at });
    return { id, weight, strategy, entries: checkEntries(pool, `${at}.pool`, found, problems, [...places, i]) };
  });

const checkTarget = (spec: TargetSpec, path: string, problems: string[]): CheckedTarget | undefined => {
  for (const key of ['maxRetries', 'timeout', 'timeoutInSeconds', 'retryOptions']) {
    if (key in spec.options) {
      problems.push(`${path}.${key}: retries and time-outs are the router's; leave it out, or set timeouts`);
    }
  }
  const options = check(targetOptions, spec.options, path, problems);
  if (options === undefined) return undefined;
  const { id = `${spec.vendor}/${spec.model}`, timeouts, ...rest } = options;
  if (rest.space !== undefined && rest.params !== undefined) {
    problems.push(`${path}.params: they are settings of a chat, and a target with a space takes none`);
  }
  try {
    const provider = spec.connect(spec.model, options.params as ChatSettings | undefined);
    if (rest.space !== undefined && provider.embeddings === undefined) {
      problems.push(`${path}.space: ${spec.vendor} has no embeddings; leave it out, or take a model of another vendor`);
    }
    const price = rest.price ?? listPrice(provider.account.endpoint, spec.model);
    if (rest.budget !== undefined && price === undefined) {
      problems.push(`${path}.budget: what ${id} costs is not known; give it a price, which may be 0`);
    }
    return {
      id,
      vendor: spec.vendor,
      provider,
      ...rest,
      contextWindow: rest.contextWindow,
      price,
      budget: rest.budget,
      quotaGroup: rest.quotaGroup,
      space: rest.space,
      prefill: rest.prefill,
      params: rest.params as ChatSettings | undefined,
      timeoutsMs: {
        ...timeouts,
        firstContent: timeouts.firstContent,
        answer: timeouts.answer,
        idle: timeouts.idle,
      },
    };
  } catch (error) {
    // An SDK that finds no key says which variable it looked for.
    problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
};

const isText = (value: unknown): value is string => typeof value === 'string';

const checkIds = ({ ids }: Found, path: string, problems: string[]): void => {
  ids.forEach(({ id, path: at }, i) => {
    const first = ids.findIndex((other) => other.id === id);
    if (first >= i) return;
    const there = ids[first]?.path.slice(path.length);
    problems.push(`${at}.id: '${id}' is the id of ${there} already; give one of them another id`);
  });
};

/** What an unpriced target spends would be missing from the sum. */
const checkPrices = (targets: readonly CheckedTarget[], path: string, problems: string[]): void => {
  for (const { id, price } of targets) {
    if (price === undefined) problems.push(`${path}: what ${id} costs is not known; give it a price, which may be 0`);
  }
};

const check = <T>(schema: z.ZodMiniType<T>, value: unknown, path: string, problems: string[]): T | undefined => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) problems.push(describe(issue, path));
  return undefined;
};

const describe = (issue: z.core.$ZodIssue, prefix: string): string => {
  const path = issue.path.reduce<string>(
    (at, key) => (typeof key === 'number' ? `${at}[${key}]` : at === '' ? String(key) : `${at}.${String(key)}`),
    prefix,
  );
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${path === '' ? '' : `${path}.`}${key}: unknown key`).join('\n  ');
  }
  const reason = issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join('; ') : issue.message;
  return `${path === '' ? 'config' : path}: ${reason}`;
};
