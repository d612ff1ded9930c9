import { type Belief, deviationOf, keptAfter, type Memory, PRIOR_SAMPLES, recall, samplesOf } from '../belief.ts';
import { type Duration, durationMs } from '../duration.ts';
import {
  type ExpectedOutput,
  expectedTokens,
  newExpectedOutput,
  noteOutput,
  visibleTokens,
} from '../expected-output.ts';
import { sizeOf } from '../health/pace.ts';
import { copySpeed, knownOf, learnPerToken, learnTime, newSpeed, type Speed, usualMs, type Work } from '../speed.ts';
import { has, type Observation, type PickContext, type Picker, type Strategy } from '../strategy.ts';

export interface LeastLatencyOptions {
  /**
   * In this time a measured latency loses half of its weight. Shorter follows targets that change, and asks the slower ones
   * more often to see whether they have. Default: 2 min.
   */
  readonly halfLife?: Duration;
  /** Measured latencies of one target that count at once, so that under heavy traffic the last seconds decide. Default: 50. */
  readonly cap?: number;
  /**
   * What is to be short, for callers of streams: the time to the `first-content`, or to the `whole` answer. A plain answer
   * is there only when it is whole. Default: `first-content`.
   */
  readonly goal?: 'first-content' | 'whole';
  /** With the goal `first-content`: up to this many tokens, say a sentence that is read aloud. Default: 1. */
  readonly firstTokens?: number;
  /**
   * A target that nobody has asked for as long as `every` is asked again, one such target at a time, by at most this `share`
   * of requests, 0 to 1. `false`: chance alone decides when. Default: `{ every: '60s', share: 0.02 }`.
   */
  readonly refresh?: { readonly every?: Duration; readonly share?: number } | false;
}

/**
 * Serves each request from the target that is likely to answer it soonest, by what it measured itself.
 *
 * Choose it where callers wait and the targets are of like quality: several vendors or regions of one model, or models
 * that change their speed with the time of day. For each request it predicts, for each target, the time to the first
 * content, plus a time for each token that the answer is expected to have, where the caller waits for those; a target that
 * fails now and then is charged what its failures take. What it predicts with is drawn by chance from what it believes:
 * narrowly of targets that it knows, widely of those that it has not asked for long, so that it keeps looking
 * (Thompson sampling, 1933; in logarithms, discounted by time). A failure never improves a number, and silence counts
 * while it lasts.
 *
 * O(n) per pick, no allocation. Throws a TypeError where an option is out of its range.
 */
export const leastLatency = (options: LeastLatencyOptions = {}): Strategy => {
  const settings = settingsOf(options);
  return {
    name: 'least-latency',
    forPool: ({ targets }) => pickerOf(newState(targets.length), settings),
  };
};

interface Settings {
  readonly memory: Memory;
  readonly goal: 'first-content' | 'whole';
  readonly firstTokens: number;
  readonly everyMs: number;
  /** 0 where targets are not refreshed. */
  readonly share: number;
}

const settingsOf = ({ halfLife = '2m', cap = 50, goal = 'first-content', ...rest }: LeastLatencyOptions): Settings => {
  const { firstTokens = 1, refresh = {} } = rest;
  const { every = '60s', share = 0.02 } = refresh === false ? { share: 0 } : refresh;
  if (!(cap >= 1)) throw wrong('cap', 'a number from 1', cap);
  if (goal !== 'first-content' && goal !== 'whole') throw wrong('goal', "'first-content' or 'whole'", goal);
  if (!(firstTokens >= 1)) throw wrong('firstTokens', 'a number from 1', firstTokens);
  if (!(share >= 0 && share <= 1)) throw wrong('refresh.share', 'a number from 0 to 1', share);
  return {
    memory: { halfLifeMs: inMs('halfLife', halfLife), cap },
    goal,
    firstTokens,
    everyMs: inMs('refresh.every', every),
    share,
  };
};

const inMs = (option: string, value: Duration): number => {
  const ms = durationMs(value);
  if (ms === undefined) throw wrong(option, "a duration above 0 such as '120s' or milliseconds", value);
  return ms;
};

const wrong = (option: string, expected: string, value: unknown): TypeError =>
  new TypeError(`leastLatency: ${option}: expected ${expected}, and got ${JSON.stringify(value)}`);

interface State {
  readonly stream: Speed;
  readonly plain: Speed;
  /** Attempts that ended, by target, with less and less weight, and the time that those took that failed. */
  readonly ended: {
    readonly well: Float64Array;
    readonly failed: Float64Array;
    readonly failedMs: Float64Array;
    readonly atMs: Float64Array;
  };
  /** Attempts without content, by target, oldest first. */
  readonly waiting: readonly Waiting[][];
  readonly output: ExpectedOutput;
  /** By target; NaN until the first pick. */
  readonly askedAtMs: Float64Array;
  /** By target: until then one that was never measured, and failed, is not asked first. */
  readonly heldUntilMs: Float64Array;
  readonly refresh: {
    /** Who is asked only to see how fast it is, or -1. */
    target: number;
    sinceMs: number;
    /** One number, in an array since a field would be put in a box by each pick: requests that others have paid for, 1 at most. */
    readonly credit: Float64Array;
  };
  /** Scratch: by target, the ms that were drawn for this request. */
  readonly drawnMs: Float64Array;
  /** Scratch: by target, a normal number that is left of the throw for its lead. */
  readonly spare: Float64Array;
  /** Scratch: by target, what its silence adds to the logarithm of its time. A result would be put in a box. */
  readonly silence: Float64Array;
}

/** What is waited for is the first content of a stream, or the whole of a plain answer. */
interface Waiting extends Work {
  readonly sinceMs: number;
  readonly streaming: boolean;
}

/** A target of fewer samples, for being new or for being old, is as good as unknown. */
const COLD = 0.1;
/** Attempts of one target whose silence is looked at in a pick; where so many are silent it is clear. */
const MOST_WAITING = 16;
/** Tokens of the prompt for which a report says what is expected. */
const USUAL_PROMPT = 500;
/** A pace is no pace when it is of so few tokens: they come in one packet. */
const LEAST_TOKENS = 8;
/** A caller who took more than this part of the time to read has set the pace. */
const MOST_READ = 0.2;

const newState = (count: number): State => ({
  stream: newSpeed(count),
  plain: newSpeed(count),
  ended: {
    well: new Float64Array(count),
    failed: new Float64Array(count),
    failedMs: new Float64Array(count),
    atMs: new Float64Array(count),
  },
  waiting: Array.from({ length: count }, () => []),
  output: newExpectedOutput(),
  askedAtMs: new Float64Array(count).fill(Number.NaN),
  heldUntilMs: new Float64Array(count),
  refresh: { target: -1, sinceMs: 0, credit: new Float64Array(1) },
  drawnMs: new Float64Array(count),
  spare: new Float64Array(count),
  silence: new Float64Array(count),
});

const copyOf = ({ stream, plain, ended, ...state }: State): State => ({
  stream: copySpeed(stream),
  plain: copySpeed(plain),
  ended: {
    well: ended.well.slice(),
    failed: ended.failed.slice(),
    failedMs: ended.failedMs.slice(),
    atMs: ended.atMs.slice(),
  },
  waiting: state.waiting.map((list) => [...list]),
  output: { ...state.output },
  askedAtMs: state.askedAtMs.slice(),
  heldUntilMs: state.heldUntilMs.slice(),
  refresh: { ...state.refresh, credit: state.refresh.credit.slice() },
  drawnMs: state.drawnMs.slice(),
  spare: state.spare.slice(),
  silence: state.silence.slice(),
});

const pickerOf = (state: State, settings: Settings): Picker => ({
  pick: (context) => pick(state, settings, context),
  copy: () => pickerOf(copyOf(state), settings),
  observe: (observation) => observe(state, settings, observation),
  report(target, nowMs) {
    const { stream, plain, output } = state;
    const { memory } = settings;
    const ms = (speed: Speed, tokens: number): number | null =>
      samplesOf(speed.lead, target, nowMs, memory) < COLD
        ? null
        : Math.round(usualMs(speed, target, { inputTokens: USUAL_PROMPT, tokens }, nowMs, memory));
    const count = (belief: Belief): number => round(samplesOf(belief, target, nowMs, memory), 1);
    return {
      firstContentMs: ms(stream, 0),
      wholeStreamMs: samplesOf(stream.perToken, target, nowMs, memory) < COLD ? null : ms(stream, output.tokens - 1),
      plainMs: ms(plain, output.tokens - 1),
      samples: count(stream.lead),
      plainSamples: round(knownOf(plain, target, nowMs, memory), 1),
      failureRatio: round(failureRatioOf(state.ended, target, nowMs, memory), 3),
      expectedOutputTokens: Math.round(output.tokens),
    };
  },
});

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

const pick = (state: State, settings: Settings, context: PickContext): number => {
  const { candidates, streaming } = context;
  if (context.attempt === 0) {
    const stale = staleOf(state, settings, context);
    if (stale >= 0) return stale;
  }
  const { lead, perToken } = speedOf(state, streaming);
  const tokens = tokensFor(context, state.output, settings);
  recall(lead, context, settings.memory);
  if (tokens > 0 || !streaming) recall(perToken, context, settings.memory);
  const open = candidates & ~heldOf(state, context) || candidates;
  drawLead(state, context, open);
  if (tokens > 0) drawTokens(state, context, open, tokens);
  return leastOf(state, settings, context, open);
};

const speedOf = (state: State, streaming: boolean): Speed => (streaming ? state.stream : state.plain);

/** Draws, for each target that is open, the time to its first content, or its lead. */
const drawLead = (state: State, context: PickContext, open: number): void => {
  const { dice } = context;
  const { waiting, silence, drawnMs, spare } = state;
  const { lead, sizes } = speedOf(state, context.streaming);
  const added = sizes.added[sizeOf(context.inputTokens)] ?? 0;
  const deviation = deviationOf(lead);
  for (let i = 0; i < drawnMs.length; i++) {
    if (!has(open, i)) continue;
    if ((waiting[i] as readonly Waiting[]).length > 0) listen(state, i, context);
    else silence[i] = 0;
    // One throw of two dice gives two independent normal numbers. 1 - x, since the logarithm of 0 is infinite.
    const radius = Math.sqrt(-2 * Math.log(1 - dice()));
    const angle = 2 * Math.PI * dice();
    spare[i] = radius * Math.sin(angle);
    const noise = (deviation * radius * Math.cos(angle)) / Math.sqrt((lead.counting[i] ?? 0) + PRIOR_SAMPLES);
    drawnMs[i] = Math.exp((lead.expected[i] ?? 0) + added + (silence[i] ?? 0) + noise);
  }
};

/** Adds what the tokens after the first take, where the caller waits for them. */
const drawTokens = (state: State, { streaming }: PickContext, open: number, tokens: number): void => {
  const { silence, drawnMs, spare } = state;
  const { perToken } = speedOf(state, streaming);
  const deviation = deviationOf(perToken);
  for (let i = 0; i < drawnMs.length; i++) {
    if (!has(open, i)) continue;
    // A stream that is silent is late with its first content; a plain answer, with all of it.
    const silent = streaming ? 0 : (silence[i] ?? 0);
    const noise = (deviation * (spare[i] ?? 0)) / Math.sqrt((perToken.counting[i] ?? 0) + PRIOR_SAMPLES);
    drawnMs[i] = (drawnMs[i] ?? 0) + tokens * Math.exp((perToken.expected[i] ?? 0) + silent + noise);
  }
};

/** The target of the shortest time, where a failure costs what it takes, and then the next target's time. */
const leastOf = ({ drawnMs, ended }: State, { memory }: Settings, { nowMs }: PickContext, open: number): number => {
  let best = -1;
  let bestMs = Number.POSITIVE_INFINITY;
  let secondMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < drawnMs.length; i++) {
    if (!has(open, i)) continue;
    const ms = drawnMs[i] ?? 0;
    if (ms < bestMs) {
      secondMs = bestMs;
      bestMs = ms;
      best = i;
    } else if (ms < secondMs) secondMs = ms;
  }
  // Nobody else is left to go to.
  if (secondMs === Number.POSITIVE_INFINITY) return best;
  const quickest = best;
  let leastMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < drawnMs.length; i++) {
    if (!has(open, i)) continue;
    let ms = drawnMs[i] ?? 0;
    const failed = ended.failed[i] ?? 0;
    if (failed > 0) {
      const ratio = failureRatioOf(ended, i, nowMs, memory);
      ms = (1 - ratio) * ms + ratio * ((ended.failedMs[i] ?? 0) / failed + (i === quickest ? secondMs : bestMs));
    }
    if (ms < leastMs) {
      leastMs = ms;
      best = i;
    }
  }
  return best;
};

/** The part of its attempts that fails. One imagined answer more, so that a first failure is not the whole truth. */
const failureRatioOf = (ended: State['ended'], target: number, nowMs: number, memory: Memory): number => {
  const failed = ended.failed[target] ?? 0;
  // What is aged is the weight of both, beside the imagined one, which does not age.
  const kept = keptAfter(nowMs - (ended.atMs[target] ?? 0), memory);
  return (failed * kept) / ((failed + (ended.well[target] ?? 0)) * kept + 1);
};

/** Tokens after the first that the caller of this request waits for. */
const tokensFor = (
  { streaming, maxOutputTokens }: Pick<PickContext, 'streaming' | 'maxOutputTokens'>,
  output: ExpectedOutput,
  { goal, firstTokens }: Settings,
): number => {
  const tokens = expectedTokens(output, maxOutputTokens) - 1;
  return streaming && goal === 'first-content' ? Math.min(firstTokens - 1, tokens) : tokens;
};

/** Targets that are not to be asked now, for want of anything known: one attempt at a time has to tell. */
const heldOf = (state: State, { candidates, attempt, nowMs, streaming }: PickContext): number => {
  const { waiting, heldUntilMs } = state;
  const { lead, perToken } = speedOf(state, streaming);
  let held = 0;
  for (let i = 0; i < waiting.length; i++) {
    if (!has(candidates, i)) continue;
    const isAsked = (waiting[i] as readonly Waiting[]).length > 0;
    if (!isAsked && !(attempt === 0 && nowMs < (heldUntilMs[i] ?? 0))) continue;
    // A long plain answer tells of the tokens alone.
    const known = (lead.counting[i] ?? 0) + (streaming ? 0 : (perToken.counting[i] ?? 0));
    if (known < COLD) held |= 1 << i;
  }
  return held;
};

/**
 * Notes what attempts that have had no content for longer than is usual add to the logarithm of a target's time: as if
 * each had ended now.
 */
const listen = (state: State, target: number, { streaming, nowMs }: PickContext): void => {
  const { lead, perToken, sizes } = speedOf(state, streaming);
  const list = state.waiting[target] as readonly Waiting[];
  const samples = (lead.counting[target] ?? 0) + (streaming ? 0 : (perToken.counting[target] ?? 0));
  const leadMs = Math.exp(lead.expected[target] ?? 0);
  const perTokenMs = streaming ? 0 : Math.exp(perToken.expected[target] ?? 0);
  const most = Math.exp(deviationOf(lead));
  let count = 0;
  let excess = 0;
  for (let i = 0; i < list.length && i < MOST_WAITING; i++) {
    const attempt = list[i] as Waiting;
    if (attempt.streaming !== streaming) continue;
    const expectedMs = leadMs * Math.exp(sizes.added[sizeOf(attempt.inputTokens)] ?? 0) + perTokenMs * attempt.tokens;
    const ageMs = nowMs - attempt.sinceMs;
    if (ageMs <= expectedMs * most) continue;
    count += 1;
    excess += Math.log(ageMs / expectedMs);
  }
  state.silence[target] = count === 0 ? 0 : excess / (samples + PRIOR_SAMPLES + count);
};

/** A candidate that nobody has asked for long, if it is time to see how fast it is; else -1. */
const staleOf = (
  { askedAtMs, refresh, waiting }: State,
  { everyMs, share }: Settings,
  { candidates, nowMs }: PickContext,
): number => {
  const credit = Math.min(1, (refresh.credit[0] ?? 0) + share);
  refresh.credit[0] = credit;
  let stale = -1;
  let oldestMs = nowMs - everyMs;
  for (let i = 0; i < askedAtMs.length; i++) {
    const atMs = askedAtMs[i] ?? nowMs;
    if (Number.isNaN(atMs)) askedAtMs[i] = nowMs;
    else if (atMs <= oldestMs && has(candidates, i) && (waiting[i] as readonly Waiting[]).length === 0) {
      stale = i;
      oldestMs = atMs;
    }
  }
  if (stale < 0 || credit < 1) return -1;
  // One at a time; but one of which nothing was heard for so long was never asked.
  if (refresh.target >= 0 && nowMs - refresh.sinceMs < everyMs) return -1;
  refresh.credit[0] = credit - 1;
  refresh.target = stale;
  refresh.sinceMs = nowMs;
  return stale;
};

const observe = (state: State, settings: Settings, observation: Observation): void => {
  const { type, target, nowMs, ageMs, streaming, contentMs } = observation;
  const waiting = state.waiting[target];
  if (waiting === undefined) return;
  if (type === 'started') {
    waiting.push({ ...workOf(state, observation), sinceMs: nowMs - ageMs, streaming });
    state.askedAtMs[target] = nowMs;
    return;
  }
  if (type === 'silent') return;
  // Whoever began at that time: two that began together waited equally long.
  const i = waiting.findIndex(({ sinceMs }) => Math.abs(nowMs - ageMs - sinceMs) < 0.01);
  if (i >= 0) waiting.splice(i, 1);
  if (state.refresh.target === target) state.refresh.target = -1;
  switch (type) {
    case 'content':
      // Of a plain answer, which is whole now, the tokens will be known in a moment.
      if (streaming && contentMs !== undefined) learnContent(state, settings, observation, contentMs);
      break;
    case 'completed':
      learnWhole(state, settings, observation);
      noteEnd(state, settings, observation, false);
      break;
    case 'failed':
      learnFailure(state, settings, observation);
      break;
    case 'cancelled':
      if (contentMs === undefined) learnAtLeast(state, settings, observation, ageMs);
      break;
  }
};

/** What an attempt is asked for until its content is there: of a plain answer, that is all of its tokens. */
const workOf = ({ output }: State, { streaming, inputTokens, maxOutputTokens, usage }: Observation): Work => {
  const tokens = visibleTokens(usage) ?? expectedTokens(output, maxOutputTokens);
  return { inputTokens, tokens: streaming ? 0 : Math.max(0, tokens - 1) };
};

const learnContent = (state: State, settings: Settings, observation: Observation, contentMs: number): void => {
  const { target, nowMs, streaming, role } = observation;
  // Only of quick hedges do we hear: they may not make a target look quicker than it is.
  if (role === 'hedge') learnAtLeast(state, settings, observation, contentMs);
  else learnTime(speedOf(state, streaming), target, workOf(state, observation), contentMs, nowMs, settings.memory);
};

/** It would have taken at least so long, which is news only where less was expected. */
const learnAtLeast = (state: State, { memory }: Settings, observation: Observation, tookMs: number): void => {
  const { target, nowMs } = observation;
  const speed = speedOf(state, observation.streaming);
  const work = workOf(state, observation);
  if (tookMs > usualMs(speed, target, work, nowMs, memory)) learnTime(speed, target, work, tookMs, nowMs, memory);
};

const learnWhole = (state: State, settings: Settings, observation: Observation): void => {
  const { target, nowMs, ageMs, readMs, contentMs, streaming, usage } = observation;
  const tokens = visibleTokens(usage);
  if (tokens !== undefined) noteOutput(state.output, tokens);
  if (contentMs === undefined) return;
  if (!streaming) {
    learnContent(state, settings, observation, contentMs);
    return;
  }
  const restMs = ageMs - contentMs;
  if (tokens === undefined || tokens < LEAST_TOKENS || !(restMs > 0) || readMs > MOST_READ * restMs) return;
  learnPerToken(state.stream, target, restMs / (tokens - 1), nowMs, settings.memory);
};

/** Silence that was given up on is a slow answer, and any other failure is none, however soon it came. */
const learnFailure = (state: State, settings: Settings, observation: Observation): void => {
  const { target, nowMs, ageMs, contentMs, failure, streaming } = observation;
  if (failure === undefined) return;
  const { kind, chargedTo } = failure;
  if (contentMs === undefined && (kind === 'timed-out' || kind === 'cut-short')) {
    learnAtLeast(state, settings, observation, ageMs);
  } else if (chargedTo === 'model' || chargedTo === 'key') noteEnd(state, settings, observation, true);
  else return;
  const { memory, everyMs } = settings;
  if (knownOf(speedOf(state, streaming), target, nowMs, memory) < COLD) {
    state.heldUntilMs[target] = nowMs - ageMs + everyMs;
  }
};

const noteEnd = ({ ended }: State, { memory }: Settings, observation: Observation, isFailure: boolean): void => {
  const { target, nowMs, ageMs } = observation;
  const { well, failed, failedMs, atMs } = ended;
  const before = (well[target] ?? 0) + (failed[target] ?? 0);
  const kept =
    keptAfter(nowMs - (atMs[target] ?? 0), memory) * Math.min(1, Math.max(0, memory.cap - 1) / (before || 1));
  well[target] = (well[target] ?? 0) * kept + (isFailure ? 0 : 1);
  failed[target] = (failed[target] ?? 0) * kept + (isFailure ? 1 : 0);
  failedMs[target] = (failedMs[target] ?? 0) * kept + (isFailure ? ageMs : 0);
  atMs[target] = Math.max(nowMs, atMs[target] ?? 0);
};
