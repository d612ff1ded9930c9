import { channel } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import {
  type ChatEvent,
  createRouter,
  type Failure,
  isRouterError,
  type RouterEvent,
  type Store,
  type System,
  type TargetSnapshot,
  type TargetSpec,
} from '@switchyard/core';
import { type Call as Asked, failureFromVendor, type Provider, ProviderFailure } from '@switchyard/core/provider';
import { vi } from 'vitest';
import { failure, hello, World } from '../virtual/world.ts';
import type { Act, Plan, RequestPlan, TargetPlan } from './arbitraries.ts';

/** A call that reached a target. */
interface Call {
  readonly target: number;
  readonly atMs: number;
  readonly signal: AbortSignal;
  /** When the target had nothing more to say, or was told to stop and did. */
  overAtMs: number | undefined;
  /** The target's last word, where it was a failure. */
  failure: Failure | undefined;
  /** For how long the target asked to be left alone, when it did, in ms from then. */
  askedMs: number | undefined;
  /** What it said, in order. */
  readonly said: ChatEvent[];
}

/** An event of the router, and the targets as its own page showed them at that moment. */
interface Step {
  readonly event: RouterEvent;
  readonly page: readonly TargetSnapshot[];
}

export interface Attempt {
  readonly requestId: string;
  readonly target: number;
  readonly role: string;
  readonly startedAtMs: number;
  /** Where in the trace's steps it starts and ends: several may share an instant. */
  readonly startStep: number;
  endedAtMs: number;
  endStep: number;
  /** `pending` until its first content or its failure. */
  outcome: string;
  /** What broke it off after its first content. */
  brokeOffBy: string | undefined;
  readonly call: Call;
}

export interface Request {
  readonly plan: RequestPlan;
  readonly startedAtMs: number;
  id: string;
  /** The first content was handed out, or could have been. */
  openedAtMs: number | undefined;
  endedAtMs: number;
  /** `answered`, `left` for a caller who broke off the loop, or the code of the error. */
  outcome: string;
  readonly heard: ChatEvent[];
  readonly attempts: Attempt[];
  /** Steps at which it began and was settled. */
  startStep: number;
  readonly settledSteps: number[];
}

/** All that happened while a plan was played. */
export interface Trace {
  readonly plan: Plan;
  readonly requests: readonly Request[];
  readonly attempts: readonly Attempt[];
  readonly steps: readonly Step[];
  readonly calls: readonly Call[];
  /** The router's timers when the last caller had gone, and the attempts that still ran then: probes that outlive theirs. */
  readonly atTheEnd: { readonly timers: number; readonly running: number };
  /** What was still held ten minutes after that. */
  readonly leftOver: { readonly timers: number; readonly listeners: number; readonly calls: number };
}

/** The time of day at which virtual time begins. */
const WALL_AT_ZERO_MS = Date.UTC(2026, 0, 1);

/** Plays a plan with the router in the middle, in virtual time; and a store beside it, if there is one. */
export const play = async (plan: Plan, storeIn?: (world: World) => Store): Promise<Trace> => {
  const world = new World(plan.seed);
  const wall = vi.spyOn(Date, 'now').mockImplementation(() => {
    let atMs = WALL_AT_ZERO_MS + world.nowMs();
    for (const jump of plan.wallJumps) if (jump.atMs <= world.nowMs()) atMs += jump.byMs;
    return atMs;
  });
  try {
    return await playIn(world, plan, storeIn?.(world));
  } finally {
    wall.mockRestore();
  }
};

const playIn = async (world: World, plan: Plan, store: Store | undefined): Promise<Trace> => {
  const calls: Call[] = [];
  const steps: Step[] = [];
  let timers = 0;
  const system: System = {
    nowMs: world.nowMs,
    dice: world.dice,
    schedule(delayMs, callback) {
      let isSet = true;
      const unset = (): void => {
        if (isSet) timers -= 1;
        isSet = false;
      };
      timers += 1;
      const stop = world.schedule(delayMs, () => {
        unset();
        callback();
      });
      return () => {
        unset();
        stop();
      };
    },
  };
  const router = createRouter({
    system,
    ...(store && { store }),
    routes: { pool: { strategy: plan.strategy, pool: plan.pool.map((target, i) => spec(world, target, i, calls)) } },
    onEvent: (event) => steps.push({ event, page: router.snapshot()[0]?.targets ?? [] }),
  });

  const callers: AbortController[] = [];
  const ask = async (asked: RequestPlan): Promise<Request> => {
    const caller = new AbortController();
    callers.push(caller);
    if (asked.abortAfterMs !== undefined) world.schedule(asked.abortAfterMs, () => caller.abort());
    const request = newRequest(asked, world.nowMs());
    const options = { signal: caller.signal, deadlineMs: asked.deadlineMs };
    try {
      if (asked.stream) {
        const stream = router.stream('pool', hello, options);
        stream.opened.then(
          ({ requestId }) => {
            request.id = requestId;
            request.openedAtMs = world.nowMs();
          },
          () => {},
        );
        for await (const event of stream) {
          request.heard.push(event);
          if (request.heard.length === asked.leaveAfter) {
            request.outcome = 'left';
            break;
          }
          if (asked.readMs > 0) await world.sleep(asked.readMs);
        }
      } else {
        const { text, served } = await router.chat('pool', hello, options);
        request.id = served.requestId;
        request.openedAtMs = world.nowMs();
        request.heard.push({ type: 'text', text });
      }
      if (request.outcome !== 'left') request.outcome = 'answered';
    } catch (error) {
      if (!isRouterError(error)) throw error;
      request.id = error.requestId ?? '';
      request.outcome = error.code;
    }
    request.endedAtMs = world.nowMs();
    return request;
  };

  const asking: Promise<Request>[] = [];
  for (const request of plan.requests) {
    await world.pass(request.afterMs);
    asking.push(ask(request));
  }
  const requests = await world.run(Promise.all(asking));
  const then = { steps: steps.length, timers };
  // Long enough for every probe that outlives its caller.
  await world.pass(600_000);
  const attempts = attemptsIn(steps, calls, plan);
  assign(requests, attempts, steps);
  const listeners = callers.reduce((sum, { signal }) => sum + getEventListeners(signal, 'abort').length, 0);
  const open = calls.filter(({ overAtMs, signal }) => overAtMs === undefined && !signal.aborted);
  return {
    plan,
    requests,
    attempts,
    steps,
    calls,
    atTheEnd: { timers: then.timers, running: attempts.filter(({ endStep }) => endStep >= then.steps).length },
    leftOver: { timers: world.pendingTimers, listeners, calls: open.length },
  };
};

const newRequest = (plan: RequestPlan, startedAtMs: number): Request => ({
  plan,
  startedAtMs,
  id: '',
  openedAtMs: undefined,
  endedAtMs: Number.NaN,
  outcome: 'open',
  heard: [],
  attempts: [],
  startStep: -1,
  settledSteps: [],
});

/** The router's attempts, put together from its events and from the calls that came in: the nth of a target is its nth call. */
const attemptsIn = (steps: readonly Step[], calls: readonly Call[], plan: Plan): Attempt[] => {
  const attempts: Attempt[] = [];
  const started = plan.pool.map(() => 0);
  const running = new Map<string, Attempt>();
  steps.forEach(({ event }, step) => {
    if (event.type === 'attempt-started') {
      const target = targetOf(event.target);
      const nth = started[target] ?? 0;
      started[target] = nth + 1;
      const call = calls.filter((each) => each.target === target)[nth];
      if (call === undefined) throw new Error(`${event.target}: an attempt, and no call`);
      const attempt: Attempt = {
        requestId: event.requestId,
        target,
        role: event.role,
        startedAtMs: event.atMs,
        startStep: step,
        endedAtMs: Number.POSITIVE_INFINITY,
        endStep: Number.POSITIVE_INFINITY,
        outcome: 'pending',
        brokeOffBy: undefined,
        call,
      };
      attempts.push(attempt);
      running.set(`${event.requestId} ${target}`, attempt);
    } else if (event.type === 'attempt-ended') {
      const attempt = running.get(`${event.requestId} ${targetOf(event.attempt.target)}`);
      if (attempt === undefined) throw new Error(`${event.attempt.target}: an end without a start`);
      if (attempt.outcome === 'pending') {
        attempt.endedAtMs = event.atMs;
        attempt.endStep = step;
        attempt.outcome = event.attempt.outcome;
      } else if (attempt.outcome === 'answered' && attempt.brokeOffBy === undefined) {
        attempt.brokeOffBy = event.attempt.outcome;
      } else throw new Error(`${event.attempt.target}: ended twice`);
    }
  });
  if (attempts.length !== calls.length) throw new Error('a call that no attempt asked for');
  return attempts;
};

const assign = (requests: readonly Request[], attempts: readonly Attempt[], steps: readonly Step[]): void => {
  const byId = new Map(requests.map((request) => [request.id, request]));
  for (const attempt of attempts) byId.get(attempt.requestId)?.attempts.push(attempt);
  steps.forEach(({ event }, step) => {
    if (event.type === 'request-started') {
      const request = byId.get(event.requestId);
      if (request !== undefined) request.startStep = step;
    } else if (event.type === 'request-answered' || event.type === 'request-failed') {
      byId.get(event.requestId)?.settledSteps.push(step);
    }
  });
};

/** The place in the pool of the target with this id. */
export const targetOf = (id: string): number => Number(id.slice(1));

const spec = (world: World, plan: TargetPlan, index: number, calls: Call[]): TargetSpec => ({
  vendor: plan.endpoint,
  model: plan.model,
  options: {
    id: `t${index}`,
    weight: plan.weight,
    ...(plan.quotaGroup !== undefined && { quotaGroup: plan.quotaGroup }),
    ...(plan.contextWindow !== undefined && { contextWindow: plan.contextWindow }),
    ...(plan.timeouts !== undefined && { timeouts: plan.timeouts }),
  },
  connect: (model) => provider(world, plan, index, model, calls),
});

const provider = (world: World, plan: TargetPlan, index: number, model: string, calls: Call[]): Provider => {
  const answer = ({ signal }: Asked): AsyncGenerator<ChatEvent, void> => {
    const call: Call = {
      target: index,
      atMs: world.nowMs(),
      signal,
      overAtMs: undefined,
      failure: undefined,
      askedMs: undefined,
      said: [],
    };
    calls.push(call);
    return perform(world, call, actAt(plan, world.nowMs()), `t${index}#${calls.length}`);
  };
  return {
    name: plan.endpoint,
    model,
    account: { endpoint: plan.endpoint, credential: plan.key },
    gaps: () => [],
    async send(_, call) {
      let text = '';
      for await (const event of answer(call)) if (event.type === 'text') text += event.text;
      return { id: 'id', model, text, toolCalls: [], finishReason: 'stop' };
    },
    async *stream(_, call) {
      yield* answer(call);
    },
    explain: (error) =>
      error instanceof ProviderFailure ? error.failure : { kind: 'broken', message: `${plan.endpoint}: ${error}` },
  };
};

/** What a target does with calls that come in at a time. */
const actAt = ({ phases }: Pick<TargetPlan, 'phases'>, atMs: number): Act => {
  let untilMs = 0;
  for (const { forMs, act } of phases) {
    untilMs += forMs;
    if (atMs < untilMs) return act;
  }
  const last = phases.at(-1);
  if (last === undefined) throw new Error('a target without a phase');
  return last.act;
};

async function* perform(world: World, call: Call, act: Act, name: string): AsyncGenerator<ChatEvent, void> {
  const say = (event: ChatEvent): ChatEvent => {
    call.said.push(event);
    return event;
  };
  const wait = (delayMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = world.schedule(delayMs, resolve);
      if (act.deaf) return;
      const leave = (): void => {
        stop();
        reject(new Error('told to stop'));
      };
      if (call.signal.aborted) leave();
      else call.signal.addEventListener('abort', leave);
    });
  const forever = (): Promise<never> =>
    new Promise((_, reject) => {
      if (!act.deaf) call.signal.addEventListener('abort', () => reject(new Error('told to stop')));
    });
  try {
    switch (act.does) {
      case 'hang':
        if (act.connecting) channel('undici:request:create').publish({ request: {} });
        await forever();
        break;
      case 'fail':
        await wait(act.afterMs);
        if (act.inStream) yield say({ type: 'start', id: name, model: 'm' });
        throw complain(call, act, name);
      case 'answer':
        await wait(act.afterMs);
        yield say({ type: 'start', id: name, model: 'm' });
        yield say({ type: 'text', text: `${name}:0 ` });
        for (const [i, gapMs] of act.gapsMs.entries()) {
          await wait(gapMs);
          yield say({ type: 'text', text: `${name}:${i + 1} ` });
        }
        if (act.ends === 'hang') await forever();
        if (act.ends === 'cut') throw new ProviderFailure(failure('broken', { message: `${name} cut the connection` }));
        yield say({ type: 'finish', reason: 'stop' });
    }
  } finally {
    call.overAtMs = world.nowMs();
  }
}

const STATUS = {
  'rate-limited': 429,
  overloaded: 503,
  unauthorized: 401,
  'quota-exhausted': 402,
  'not-found': 404,
} as const;

/** The failure of an act; one that asks for time does so in its headers, as vendors do. */
const complain = (call: Call, act: Extract<Act, { does: 'fail' }>, name: string): ProviderFailure => {
  const { kind, asks } = act;
  if (asks === undefined || !(kind in STATUS)) call.failure = failure(kind, { message: name });
  else {
    const status = STATUS[kind as keyof typeof STATUS];
    const [header, value] = sayLater(asks);
    call.askedMs = header === 'retry-after' && asks.as === 'date' ? Date.parse(value) - Date.now() : asks.ms;
    call.failure = failureFromVendor({ vendor: name, status, header: (each) => (each === header ? value : undefined) });
  }
  return new ProviderFailure(call.failure);
};

const sayLater = ({ as, ms }: NonNullable<Extract<Act, { does: 'fail' }>['asks']>): readonly [string, string] => {
  switch (as) {
    case 'ms':
      return ['retry-after-ms', String(ms)];
    case 'seconds':
      return ['retry-after', String(ms / 1_000)];
    case 'date':
      return ['retry-after', new Date(Date.now() + ms).toUTCString()];
  }
};
