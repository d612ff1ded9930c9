import type { AnswerBook, Answered } from './answers.ts';
import type { CheckedRoute, CheckedTarget } from './config.ts';
import { conversationOf, newAffinity } from './decide/affinity.ts';
import { type Attempt, newAttempt } from './decide/attempt.ts';
import { deposit, depositLastResort, hedgeBudget, newFailureRate, newLastResorts } from './decide/budget.ts';
import { type Cost, costOf } from './decide/cost.ts';
import { type Course, reopen } from './decide/course.ts';
import { type EmbeddingRequest, type EmbeddingResponse, isEmbedding, type VectorSpace } from './decide/embedding.ts';
import { FAILURE_RULES, type Failure } from './decide/failure.ts';
import { newHabits } from './decide/habits.ts';
import { type HealthBook, healthKeys } from './decide/health/health.ts';
import { idleFor, sizeOf } from './decide/health/pace.ts';
import { termsFor } from './decide/plan.ts';
import { choose, type Member, newScratch, type Pool, releaseLargest } from './decide/pool.ts';
import type { ChatRequest } from './decide/request.ts';
import type { ChatEvent, ChatResponse, Usage } from './decide/response.ts';
import type { Delivered } from './decide/seam.ts';
import { isSpent, newSpending } from './decide/spending.ts';
import { has } from './decide/strategy.ts';
import { inputTokensOf } from './decide/tokens.ts';
import {
  askedOf,
  checkSubstance,
  demandsOfChat,
  demandsOfEmbedding,
  isAble,
  SMALL_TALK,
  SMALL_TEXT,
  thinks,
} from './demands.ts';
import { RouterError } from './errors.ts';
import type { RouterEvent } from './events.ts';
import { type Arms, armsOf, type ExperimentBook, type ExperimentReadout, experimentOf } from './experiment.ts';
import type { Explanation, Ranked } from './explanation.ts';
import type { Packets } from './packets.ts';
import type { Call, Wire } from './provider.ts';
import type { RankContext } from './rank.ts';
import { countTokens } from './run/count-tokens.ts';
import { type Driven, drive, type Flight } from './run/drive.ts';
import { askForVectors, WrongVectors } from './run/embed.ts';
import { asStreamed, gathered, gatheredBeside } from './run/gather.ts';
import { changeEvent, Journal } from './run/journal.ts';
import type { Peers } from './run/peers.ts';
import { BackgroundProbes } from './run/probe.ts';
import { askRank, askRankNow, type RankResult } from './run/rank.ts';
import { type Answering, commit, type Leg, relayAnswer } from './run/recover.ts';
import { ofSuccessor, type Resumed, resume } from './run/resume.ts';
import { BrokeOff, openStream, RelayedStream } from './run/stream.ts';
import type { System } from './run/system.ts';
import { scoreBySignals } from './signals.ts';
import { believed, described, nameOf, type RouteSnapshot, snapshotOf, type TargetName } from './snapshot.ts';
import { spaceOf, unfitFor } from './space.ts';
import type { RouteState } from './state.ts';
import { subjectOf, taskOf } from './subject.ts';
import { brokenOff, givenUp, refusal, type Served, servedBy, skippedOf, targetAt, type Way } from './way.ts';

export interface CallOptions {
  /** Aborting it stops all upstream work at once, and harms no target's health. */
  readonly signal?: AbortSignal | undefined;
  /** How long this caller waits, in ms, instead of the route's `deadline`. */
  readonly deadlineMs?: number | undefined;
  /** Who the request belongs to, such as a user: the same subject meets the same target. In the place of `stickyBy`. */
  readonly subject?: string | undefined;
  /** The request as it came over HTTP, for the route's `stickyBy`. */
  readonly httpRequest?: Request | undefined;
}

export interface StreamOptions extends CallOptions {
  /**
   * Whether an event is shown to whoever gets the stream; all are by default. Until one with content is, nothing is handed
   * out, and a stream that breaks is followed by the next target unseen.
   */
  readonly forwards?: ((event: ChatEvent) => boolean) | undefined;
}

/** What `createRouter` itself adds: who wants to know the id of a request before it is answered. */
interface OwnOptions extends StreamOptions {
  readonly begun?: (requestId: string) => void;
  /** Nothing more comes of a stream that has begun. */
  readonly over?: () => void;
}

/** What a prompt comes to. */
export interface TokenCount {
  readonly inputTokens: number;
  /** The target whose vendor counted; undefined where none did, and `inputTokens` is an estimate. */
  readonly countedBy: TargetName | undefined;
}

export type ChatAnswer = ChatResponse & { readonly served: Served };

export type EmbeddingAnswer = EmbeddingResponse & { readonly served: Served };

/** What became of a score. */
export interface FeedbackReceipt {
  readonly requestId: string;
  readonly route: string;
  /** Who gave the answer. */
  readonly target: string;
  readonly score: number;
  /** It takes the place of an earlier score of the same answer. */
  readonly replaced: boolean;
}

/** A stream that has begun. */
interface Opened {
  readonly served: Served;
  readonly packets: Packets;
  /** So far. */
  cost(): Cost | undefined;
}

/** What the routes of a router share. */
export interface Shared {
  readonly health: HealthBook;
  /** By name. */
  readonly spaces: ReadonlyMap<string, VectorSpace>;
  readonly answers: AnswerBook;
  /** Where it has a store. */
  readonly peers: Peers | undefined;
}

/** A pool with its strategy, and the seven steps of a request through it. */
export class Route {
  readonly #route: CheckedRoute;
  readonly #pool: Pool;
  readonly #system: System;
  readonly #emit: (event: RouterEvent) => void;
  readonly #probes: BackgroundProbes | undefined;
  /** Where its targets make embeddings. */
  readonly #space: VectorSpace | undefined;
  /** Whose models have refused to go on from a turn that is not finished. */
  readonly #refusesPrefill = new Set<CheckedTarget>();
  /** Where its strategy assigns subjects to arms. */
  readonly #arms: Arms | undefined;
  readonly #experiment: ExperimentBook | undefined;
  readonly #answers: AnswerBook;
  readonly #peers: Peers | undefined;

  /** `saved`: what its strategy has left in an earlier process. */
  constructor(
    route: CheckedRoute,
    { health, spaces, answers, peers }: Shared,
    system: System,
    emit: (event: RouterEvent) => void,
    saved?: unknown,
  ) {
    this.#route = route;
    this.#answers = answers;
    this.#peers = peers;
    this.#space = spaces.get(spaceOf(route) ?? '');
    this.#system = system;
    this.#pool = {
      members: route.targets.map(
        ({ id, provider, quotaGroup, contextWindow, supports, timeoutsMs, price, budget, ...target }) => ({
          id,
          plainOnly: supports.streaming === false,
          health: health.of({ ...provider.account, model: provider.model, quotaGroup }),
          contextWindow,
          timeoutsMs,
          reasoning: target.reasoning || thinks(target.params),
          price,
          spending: newSpending(budget),
        }),
      ),
      hedging: route.hedging,
      hedges: hedgeBudget(),
      failureRate: newFailureRate(),
      lastResorts: newLastResorts(),
      retry: route.retry,
      affinity:
        route.affinityLifeMs === undefined ? undefined : newAffinity(route.targets.length, route.affinityLifeMs),
      spending: newSpending(route.budget),
      habits: newHabits(route.targets.length),
      scratch: newScratch(),
      picker: route.strategy.forPool({
        route: route.name,
        targets: route.targets.map(described),
        dice: system.dice,
        saved,
      }),
    };
    this.#arms = armsOf(route, this.#pool.picker);
    this.#experiment = experimentOf(route, this.#arms);
    if (route.backgroundProbes) this.#probes = new BackgroundProbes(this.#pool, system, (i) => this.#probe(i));
    this.#emit = (event) => {
      emit(event);
      this.#probes?.hear(event);
      this.#experiment?.hear(event);
    };
    if (peers !== undefined) this.#watch(peers);
  }

  async chat(request: ChatRequest, options: CallOptions): Promise<ChatAnswer> {
    const streamed = this.#route.upstream === 'stream' ? asStreamed(request) : undefined;
    const way = this.#begin(streamed ?? request, options, { plain: true, streaming: streamed !== undefined });
    if (this.#route.rank !== undefined) await this.#rank(way, this.#route.rank);
    const ask: Ask<ChatResponse> = (target, call, heard) =>
      streamed === undefined || target.supports.streaming === false
        ? target.provider.send(askedOf(request, target), call)
        : gathered(target.provider.stream(askedOf(streamed, target), call), heard);
    const driven = await this.#drive(way, usageOf, ask);
    this.#completed(way, driven.flight);
    this.#experiment?.answered(way.requestId, driven.value);
    const answered = this.#answered(way, driven.flight.attempt.target, driven.value.id);
    this.#scoreBySignals(answered, request, driven.value);
    return { ...driven.value, served: servedBy(way, driven.flight.attempt, this.#system.nowMs()) };
  }

  async embed(request: EmbeddingRequest, options: CallOptions): Promise<EmbeddingAnswer> {
    const way = this.#begin(request, options, { plain: true, streaming: false });
    if (this.#route.rank !== undefined) await this.#rank(way, this.#route.rank);
    const driven = await this.#drive(way, usageOfEmbedding, this.#embedding(request));
    this.#completed(way, driven.flight);
    this.#answered(way, driven.flight.attempt.target);
    return { ...driven.value, served: servedBy(way, driven.flight.attempt, this.#system.nowMs()) };
  }

  async open(request: ChatRequest, options: OwnOptions): Promise<Opened> {
    const way = this.#begin(request, options, { plain: false, streaming: true });
    if (this.#route.rank !== undefined) await this.#rank(way, this.#route.rank);
    const answering = this.#answering(way, request, options);
    const committed = await commit(answering);
    const served = servedBy(way, committed.leg.attempt, this.#system.nowMs());
    const start = committed.leg.opened.held.find((event) => event.type === 'start');
    const answered = this.#answered(way, committed.leg.attempt.target, start?.id);
    return {
      served,
      packets: this.#measured(way, answered, request, relayAnswer(committed, answering)),
      cost: () => costOf(way.course.attempts, answering.parts),
    };
  }

  /** How many tokens a prompt comes to: as the vendor counts them who would be asked now, else as an estimate. */
  async countTokens(request: ChatRequest, { signal }: Pick<CallOptions, 'signal'>): Promise<TokenCount> {
    checkSubstance(request);
    const { course } = this.#plan(request, undefined, { plain: true, streaming: false });
    const { targets, name, rank } = this.#route;
    const { picker } = this.#pool;
    const able = course.able & maskOf(targets, ({ provider }) => provider.countTokens !== undefined);
    if (rank !== undefined && able !== 0) {
      const named = await askRank(rank.ask, this.#rankContext(course), rank.timeoutMs, this.#system, signal);
      course.order = orderOf(this.#route, named).order;
    }
    const counted = await countTokens({
      course: { ...course, able },
      pool: { ...this.#pool, picker: picker.copy?.() ?? picker },
      system: this.#system,
      callerSignal: signal,
      ask: async (i, call) => {
        const target = targetAt(this.#route, i);
        return target.provider.countTokens?.(askedOf(request, target), call) ?? Number.NaN;
      },
    });
    if (signal?.aborted) throw new RouterError('aborted', `route '${name}': the caller left.`);
    return counted === undefined
      ? { inputTokens: inputTokensOf(course.need), countedBy: undefined }
      : { inputTokens: counted.tokens, countedBy: nameOf(targetAt(this.#route, counted.target)) };
  }

  get keepAliveMs(): number | undefined {
    return this.#route.keepAliveMs;
  }

  /** Somebody says how good an answer was; of two scores the later counts. */
  feedback(answered: Answered, score: number): FeedbackReceipt {
    const atMs = this.#system.nowMs();
    const { requestId, route } = answered;
    const target = targetAt(this.#route, answered.target).id;
    const replaced = answered.scored?.isAutomatic === false;
    this.#learn(answered, { score, isAutomatic: false }, atMs);
    this.#emit({
      type: 'feedback-received',
      atMs,
      requestId,
      route,
      target,
      score,
      ageMs: atMs - answered.atMs,
      replaced,
    });
    return { requestId, route, target, score, replaced };
  }

  /** What its strategy wants kept for the next process, if anything. */
  save(): RouteState | undefined {
    try {
      const saved = this.#pool.picker.save?.();
      return saved === undefined ? undefined : { strategy: this.#route.strategy.name, saved };
    } catch {
      // A strategy of the user's own; what it has not kept costs nobody an answer.
      return undefined;
    }
  }

  /** Whether its strategy has anything to keep. */
  get keeps(): boolean {
    return this.#pool.picker.save !== undefined;
  }

  snapshot(): RouteSnapshot {
    return snapshotOf(this.#route, this.#pool, this.#system.nowMs());
  }

  experiment(): ExperimentReadout {
    if (this.#experiment !== undefined) return this.#experiment.readOut();
    const message = `Route '${this.#route.name}' has no experiment; it takes a weighted pool, and stickyBy or experiment.`;
    throw new RouterError('unknown-route', message);
  }

  /** The order in which a request would try the targets if it came now and all of them failed. Changes nothing. */
  explain(request: Course['request'], stream: boolean, options: CallOptions): Explanation {
    const streaming = stream && !isEmbedding(request);
    const subject = subjectOf(this.#route, options);
    const { course, gaps, lacks, assigned } = this.#plan(request, undefined, { plain: !streaming, streaming }, subject);
    const { picker, lastResorts } = this.#pool;
    const pool = { ...this.#pool, picker: picker.copy?.() ?? picker, lastResorts: { ...lastResorts } };
    const nowMs = this.#system.nowMs();
    const { rank } = this.#route;
    const named = rank && askRankNow(rank.ask, this.#rankContext(course));
    if (named !== undefined) course.order = orderOf(this.#route, named).order;
    const ranking: Ranked[] = [];
    while (!isSpent(pool.spending, nowMs)) {
      const choice = choose(pool, course, nowMs, this.#system.dice, 'anybody');
      if (choice === undefined) {
        if (ranking.length === 0 && releaseLargest(course, pool)) continue;
        break;
      }
      const terms = termsFor(choice, course, pool, nowMs, true);
      ranking.push({
        target: targetAt(this.#route, choice.target).id,
        role: choice.role,
        lateAfterMs: terms.lateAtMs - nowMs,
        givenUpAfterMs: terms.expiresAtMs - nowMs,
        ...believed(picker, choice.target, nowMs),
      });
      // The next one is asked for as after a failure of this one.
      course.attempts.push(newAttempt(terms, UNSENT, nowMs));
      course.tried |= 1 << choice.target;
    }
    return {
      route: this.#route.name,
      strategy: this.#route.strategy.name,
      ...(assigned !== undefined && { assigned }),
      estimatedTokens: course.need[2],
      ranking,
      skipped: skippedOf({ route: this.#route, pool, course, gaps, lacks }, nowMs),
    };
  }

  #begin(request: Course['request'], options: OwnOptions, mode: Mode): Way {
    const { signal, deadlineMs, begun } = options;
    checkSubstance(request);
    if (deadlineMs !== undefined && !(deadlineMs > 0)) {
      throw new RouterError('invalid-request', `deadlineMs: expected more than 0 ms, and got ${deadlineMs}`);
    }
    const subject = subjectOf(this.#route, options);
    const way = this.#wayOf(`sw-${this.#newId()}`, this.#plan(request, deadlineMs, mode, subject), signal);
    begun?.(way.requestId);
    deposit(this.#pool.hedges);
    depositLastResort(this.#pool.lastResorts);
    this.#probes?.noteTraffic();
    const { requestId, assigned } = way;
    if (subject !== undefined && assigned !== undefined) this.#experiment?.enter(requestId, subject, assigned);
    const { startedAtMs: atMs } = way.course;
    this.#emit({ type: 'request-started', atMs, requestId, route: this.#route.name, ...(assigned && { assigned }) });
    return way;
  }

  /** What others tell of its targets is reported like what it sees itself. */
  #watch(peers: Peers): void {
    this.#route.targets.forEach(({ provider, quotaGroup }, i) => {
      const member = this.#pool.members[i] as Member;
      const keys = healthKeys({ ...provider.account, model: provider.model, quotaGroup });
      peers.watch(member.health, keys, (change) => {
        const event = changeEvent(change, this.#route.name, member, this.#system.nowMs());
        if (event !== undefined) this.#emit({ ...event, heard: true });
      });
    });
  }

  /** What is known of a request before anybody is asked. */
  #plan(
    request: Course['request'],
    deadlineMs: number | undefined,
    { plain, streaming }: Mode,
    subject?: string,
  ): Planned {
    const startedAtMs = this.#system.nowMs();
    const { gaps, lacks, prompts, reasoning, inputTokens, need } = isEmbedding(request)
      ? demandsOfEmbedding(this.#route, request)
      : demandsOfChat(this.#route, this.#pool, request, !plain, startedAtMs);
    let able = 0;
    let tooSmall = 0;
    this.#route.targets.forEach((target, i) => {
      const lack = lacks[i];
      if (unfitFor(target, request) !== undefined || !isAble(target, gaps[i]) || lack?.isEstimate === false) return;
      able |= 1 << i;
      if (lack !== undefined) tooSmall |= 1 << i;
    });
    const course: Course = {
      request,
      streaming,
      size: sizeOf(inputTokens),
      need,
      subject,
      task: taskOf(this.#route, request),
      conversation: this.#conversationOf(request, subject, startedAtMs),
      order: undefined,
      reasoning,
      startedAtMs,
      deadlineAtMs: startedAtMs + (deadlineMs ?? this.#deadlineMs(plain, reasoning)),
      able,
      tooSmall,
      released: 0,
      prompts,
      tried: 0,
      pass: 0,
      windowAbove: undefined,
      attempts: [],
    };
    const assigned = subject === undefined ? undefined : this.#arms?.assign(subject);
    return { course, gaps, lacks, assigned };
  }

  #conversationOf(request: Course['request'], subject: string | undefined, nowMs: number): Course['conversation'] {
    const { affinity } = this.#pool;
    const isAssigned = subject !== undefined && this.#arms !== undefined;
    // A target with a prompt of its own has another cached.
    return affinity === undefined || isAssigned || isEmbedding(request) || request.overrides !== undefined
      ? undefined
      : conversationOf(affinity, request, nowMs);
  }

  /** Asks the user's own function for the order, where the strategy is one. */
  async #rank({ requestId, course, callerSignal }: Way, rank: NonNullable<CheckedRoute['rank']>): Promise<void> {
    const { name: route, strategy } = this.#route;
    // Where nobody can take the request, there is nothing to wait for.
    if (course.able === 0) return;
    const timeoutMs = Math.min(rank.timeoutMs, course.deadlineAtMs - this.#system.nowMs());
    const named = await askRank(rank.ask, this.#rankContext(course), timeoutMs, this.#system, callerSignal);
    const { order, problem } = orderOf(this.#route, named);
    course.order = order;
    if (problem === undefined) return;
    const atMs = this.#system.nowMs();
    this.#emit({ type: 'strategy-failed', atMs, requestId, route, strategy: strategy.name, problem });
  }

  #rankContext({ request, streaming, need, able }: Course): RankContext {
    const { name: route, targets } = this.snapshot();
    const inputTokens = inputTokensOf(need);
    return { route, request, streaming, inputTokens, targets: targets.filter((_, i) => has(able, i)) };
  }

  #wayOf(requestId: string, { course, gaps, lacks, assigned }: Planned, callerSignal: AbortSignal | undefined): Way {
    const dropped = (i: number): readonly string[] => (gaps[i] ?? []).map(({ what }) => what);
    const names = { route: this.#route.name, requestId };
    const journal = new Journal(this.#pool, names, course, this.#system, this.#emit, dropped, this.#peers);
    return { requestId, route: this.#route, pool: this.#pool, course, gaps, lacks, journal, assigned, callerSignal };
  }

  /** Who may think for minutes needs them, wherever nobody has set another deadline. */
  #deadlineMs(plain: boolean, reasoning: boolean): number {
    const { deadlineMs } = this.#route;
    if (reasoning || this.#pool.members.some((member) => member.reasoning)) return deadlineMs.thinking;
    return plain ? deadlineMs.plain : deadlineMs.stream;
  }

  async #drive<T>(way: Way, usageOf: UsageOf<T>, ask: Ask<T>): Promise<Extract<Driven<T>, { type: 'answered' }>> {
    const refused = refusal(way, this.#system.nowMs());
    if (refused !== undefined) throw this.#failed(way, refused);
    const driven = await drive<T>(this.#job(way, usageOf, ask));
    if (driven.type === 'gave-up') throw this.#failed(way, givenUp(way, driven.because, this.#system.nowMs()));
    const target = targetAt(this.#route, driven.flight.attempt.target).id;
    this.#emit({ type: 'request-answered', ...this.#tally(way), target });
    return driven;
  }

  #job<T>({ course, journal, callerSignal }: Way, usageOf: UsageOf<T>, ask: Ask<T>): Parameters<typeof drive<T>>[0] {
    return {
      course,
      journal,
      callerSignal,
      usageOf,
      pool: this.#pool,
      system: this.#system,
      call: async (i, call, heard, wire) => ask(targetAt(this.#route, i), call, heard, wire),
      explain: (i, error, wire) => this.#explain(targetAt(this.#route, i), error, wire),
      tellsWire: (i) => targetAt(this.#route, i).provider.tellsWire === true,
      pausesOf: (i) => {
        const { health, timeoutsMs } = this.#pool.members[i] as Member;
        return { idleMs: idleFor(health.pace, timeoutsMs.idle), totalMs: timeoutsMs.total };
      },
    };
  }

  #answering(
    way: Way,
    request: ChatRequest,
    { forwards = () => true, over = () => {} }: OwnOptions,
  ): Answering & { readonly parts: readonly Attempt[] } {
    const lengthMs = way.course.deadlineAtMs - way.course.startedAtMs;
    let last: Leg | undefined;
    let isAnswered = false;
    /** Whose words the caller has. */
    const parts: Attempt[] = [];
    const failed = (error: RouterError): RouterError => (isAnswered ? error : this.#failed(way, error));
    return {
      mode: this.#route.recovery,
      forwards,
      over,
      parts,
      ask: async (delivered) => {
        // An answer that has begun is paid to its end.
        const refused = last === undefined ? refusal(way, this.#system.nowMs()) : undefined;
        if (refused !== undefined) throw failed(refused);
        if (last !== undefined) reopen(way.course, this.#system.nowMs(), lengthMs);
        const job = this.#job<Resumed>(way, undefined, (target, call, _, wire) =>
          this.#resume(target, askedOf(request, target), delivered, call, wire),
        );
        const driven = await drive(
          last === undefined ? job : { ...job, explain: (...args) => ofSuccessor(job.explain(...args)) },
        );
        if (driven.type === 'gave-up') throw failed(givenUp(way, driven.because, this.#system.nowMs()));
        last = this.#leg(way, driven.flight, driven.value, failed, parts);
        return last;
      },
      committed: () => {
        isAnswered = true;
        if (last !== undefined) parts.push(last.attempt);
        this.#emit({ type: 'request-answered', ...this.#tally(way), target: last?.target ?? '' });
      },
      resumed: ({ from, to, mode }, deliveredCharacters) => {
        // What begins anew makes void what came before.
        if (mode === 'restart') parts.length = 0;
        if (last !== undefined) parts.push(last.attempt);
        const { attempts: _, tookMs: __, ...names } = this.#tally(way);
        this.#handOver(way, to, mode);
        this.#emit({ type: 'request-resumed', ...names, from, to, mode, deliveredCharacters });
      },
    };
  }

  #resume(
    target: CheckedTarget,
    asked: ChatRequest,
    delivered: Delivered | undefined,
    call: Call,
    wire: Wire,
  ): Promise<Resumed> {
    const { provider } = target;
    const prefill = (target.prefill ?? provider.prefill ?? false) && !this.#refusesPrefill.has(target);
    return resume(asked, delivered, {
      // A thought of the model's own would have to come before it.
      prefill: prefill && !thinks(asked) && asked.maxReasoningTokens === undefined,
      stream: (request) => provider.stream(request, call),
      explain: (error) => this.#explain(target, error, wire),
      refusesPrefill: () => this.#refusesPrefill.add(target),
    });
  }

  #leg(
    way: Way,
    flight: Flight<Resumed>,
    value: Resumed,
    failed: (error: RouterError) => RouterError,
    parts: readonly Attempt[],
  ): Leg {
    const { journal, callerSignal } = way;
    const { target: i } = flight.attempt;
    const target = targetAt(this.#route, i);
    const { health, timeoutsMs } = this.#pool.members[i] as Member;
    // Also while nobody waits for the next event: a caller who leaves stops the vendor at once.
    callerSignal?.addEventListener('abort', flight.stop);
    if (callerSignal?.aborted) flight.stop();
    return {
      target: target.id,
      attempt: flight.attempt,
      asked: value.asked,
      opened: value,
      seam: value.seam,
      packets: new RelayedStream(value, {
        flight,
        journal,
        callerSignal,
        timeoutsMs,
        system: this.#system,
        pace: health.pace,
        explain: (error) => this.#explain(target, error, flight.wire),
      }),
      reject: (failure) => journal.brokeOff(flight.attempt, failure),
      brokenOff: (failure) => failed(brokenOff(way, i, failure, this.#system.nowMs())),
      close: (usage = flight.attempt.usage) => {
        callerSignal?.removeEventListener('abort', flight.stop);
        this.#completed(way, flight, usage, parts);
      },
    };
  }

  /** Asks one target that nobody asks for, as little as it takes to see an answer begin. */
  async #probe(i: number): Promise<void> {
    if (isSpent(this.#pool.spending, this.#system.nowMs())) return;
    const { space, supports } = targetAt(this.#route, i);
    const embeds = space !== undefined;
    const streaming = !embeds && supports.streaming !== false;
    const planned = this.#plan(embeds ? SMALL_TEXT : SMALL_TALK, undefined, { plain: !streaming, streaming });
    const course = { ...planned.course, able: planned.course.able & (1 << i) };
    const way = this.#wayOf(`probe-${this.#newId()}`, { ...planned, course }, undefined);
    const driven = embeds
      ? await drive(this.#job(way, usageOfEmbedding, this.#embedding(SMALL_TEXT)))
      : streaming
        ? await drive(
            this.#job(way, undefined, (target, call) =>
              openStream(target.provider.stream(askedOf(SMALL_TALK, target), call)),
            ),
          )
        : await drive(
            this.#job(way, usageOf, (target, call) => target.provider.send(askedOf(SMALL_TALK, target), call)),
          );
    if (driven.type === 'answered') driven.flight.stop();
  }

  #embedding(request: EmbeddingRequest): Ask<EmbeddingResponse> {
    return ({ provider, vendor }, call) => {
      // Who has no part in it is skipped: see `unfitFor` and `checkConfig`.
      if (provider.embeddings === undefined || this.#space === undefined)
        throw new TypeError(`${vendor} has no embeddings`);
      return askForVectors(provider.embeddings, request, call, { space: this.#space, vendor });
    };
  }

  /** Hands on a stream, and its whole answer to whoever measures it or scores it. */
  #measured({ requestId, assigned }: Way, answered: Answered, request: ChatRequest, packets: Packets): Packets {
    const experiment = assigned !== undefined && this.#experiment?.wantsAnswers ? this.#experiment : undefined;
    if (experiment === undefined && this.#route.signals.length === 0) return packets;
    return gatheredBeside(packets, experiment === undefined ? 'its words' : 'its body too', (answer) => {
      experiment?.answered(requestId, answer);
      this.#scoreBySignals(answered, request, answer);
    });
  }

  /** A provider's own explanation must not be able to fail the request. */
  #explain({ provider, vendor }: CheckedTarget, error: unknown, wire: Wire): Failure {
    if (error instanceof WrongVectors || error instanceof BrokeOff) return error.failure;
    try {
      const failure = provider.explain(error, wire);
      if (failure?.kind in FAILURE_RULES) return failure;
    } catch {
      // Said below.
    }
    return { kind: 'broken', message: `${vendor} failed in a way that its provider cannot explain` };
  }

  /** Somebody may say of it later how good it was. */
  #answered({ requestId, course }: Way, target: number, id = ''): Answered {
    const { name: route } = this.#route;
    const answered: Answered = {
      requestId,
      route,
      target,
      task: course.task,
      atMs: this.#system.nowMs(),
      scored: undefined,
      isMixed: false,
    };
    this.#answers.note(requestId, answered);
    if (id !== '') this.#answers.note(id, answered);
    return answered;
  }

  /** Another target goes on: of an answer that begins anew it gets the score; what two have written says nothing of either. */
  #handOver({ requestId }: Way, to: string, mode: 'continue' | 'restart'): void {
    const answered = this.#answers.find(requestId, this.#system.nowMs());
    if (answered === undefined) return;
    if (mode === 'continue' || answered.scored !== undefined) answered.isMixed = true;
    answered.target = this.#route.targets.findIndex(({ id }) => id === to);
  }

  #scoreBySignals(answered: Answered, request: ChatRequest, response: ChatResponse): void {
    const { signals } = this.#route;
    if (signals.length === 0 || answered.scored !== undefined) return;
    const score = scoreBySignals(signals, askedOf(request, targetAt(this.#route, answered.target)), response);
    if (score !== undefined) this.#learn(answered, { score, isAutomatic: true }, this.#system.nowMs());
  }

  #learn(answered: Answered, scored: NonNullable<Answered['scored']>, nowMs: number): void {
    const { target, task, atMs, scored: replaces } = answered;
    answered.scored = scored;
    if (answered.isMixed) return;
    try {
      this.#pool.picker.feedback?.({ target, ...scored, replaces, task, ageMs: nowMs - atMs, nowMs });
    } catch {
      // A strategy of the user's own; what it has not learned costs nobody an answer.
    }
  }

  /** Says so where the whole answer is there; it may be there although its caller has left. */
  #completed(
    way: Way,
    { attempt }: Flight<unknown>,
    usage = attempt.usage,
    parts: readonly Attempt[] = [attempt],
  ): void {
    const { target, finished, outcome } = attempt;
    if (!finished || (outcome?.type === 'failed' && outcome.failure.kind !== 'aborted')) return;
    const { id } = targetAt(this.#route, target);
    const cost = costOf(way.course.attempts, parts);
    const paid = { ...(usage !== undefined && { usage }), ...(cost !== undefined && { cost }) };
    this.#emit({ type: 'request-completed', ...this.#tally(way), target: id, ...paid });
  }

  #failed(way: Way, error: RouterError): RouterError {
    const cost = costOf(way.course.attempts, []);
    this.#emit({ type: 'request-failed', ...this.#tally(way), code: error.code, ...(cost !== undefined && { cost }) });
    return error;
  }

  #tally({ requestId, course, assigned }: Way): Omit<RouterEvent & { type: 'request-answered' }, 'type' | 'target'> {
    const atMs = this.#system.nowMs();
    const tookMs = atMs - course.startedAtMs;
    const { length: attempts } = course.attempts;
    return { atMs, requestId, route: this.#route.name, ...(assigned && { assigned }), attempts, tookMs };
  }

  #newId(): string {
    return Math.floor(this.#system.dice() * 2 ** 48)
      .toString(16)
      .padStart(12, '0');
  }
}

/** The order that a list of ids stands for, or why it stands for none. */
const orderOf = (
  { targets }: CheckedRoute,
  named: RankResult,
): { readonly order?: readonly number[]; readonly problem?: string } => {
  if ('problem' in named) return named;
  const order = named.map((id) => targets.findIndex((target) => target.id === id));
  const stranger = order.indexOf(-1);
  return stranger < 0 ? { order } : { problem: `id ${stranger + 1} of its list is no target of this route` };
};

const usageOf = ({ usage }: ChatResponse): Usage | undefined => usage;

/** A vector is no token. */
const usageOfEmbedding = ({ usage }: EmbeddingResponse): Usage | undefined =>
  usage && { inputTokens: usage.inputTokens, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

type UsageOf<T> = Parameters<typeof drive<T>>[0]['usageOf'];

type Planned = Pick<Way, 'course' | 'gaps' | 'lacks' | 'assigned'>;

/** Whether the caller wants a plain answer, and whether it is streamed upstream. */
interface Mode {
  readonly plain: boolean;
  readonly streaming: boolean;
}

type Ask<T> = (target: CheckedTarget, call: Call, heard: (hasContent: boolean) => void, wire: Wire) => Promise<T>;

const maskOf = (targets: readonly CheckedTarget[], is: (target: CheckedTarget) => boolean): number =>
  targets.reduce((mask, target, i) => (is(target) ? mask | (1 << i) : mask), 0);

const UNSENT = { state: 'idle', header: () => undefined } as const;
