import type { FailureKind, StrategyName, Timeouts } from '@switchyard/core';
import fc, { type Arbitrary } from 'fast-check';

/** What a target does with a call. Times are in ms. */
export type Act =
  /** Its first content after `afterMs`, more after each gap, and then an end, a cut, or nothing any more. */
  | {
      readonly does: 'answer';
      readonly afterMs: number;
      readonly gapsMs: readonly number[];
      readonly ends: 'finish' | 'cut' | 'hang';
      /** Does not notice that it is aborted, and goes on. */
      readonly deaf: boolean;
    }
  | {
      readonly does: 'fail';
      readonly afterMs: number;
      readonly kind: FailureKind;
      /** In what form it asks to be left alone, and for how long. */
      readonly asks?: { readonly as: 'ms' | 'seconds' | 'date'; readonly ms: number } | undefined;
      /** After the answer has begun, before its content. */
      readonly inStream: boolean;
      readonly deaf: boolean;
    }
  /** Never says anything; `connecting` does not even come to a connection. */
  | { readonly does: 'hang'; readonly connecting: boolean; readonly deaf: boolean };

/** One act after the other, by the time at which a call comes in; the last one stays. */
export interface Phase {
  readonly forMs: number;
  readonly act: Act;
}

export interface TargetPlan {
  readonly endpoint: string;
  readonly model: string;
  readonly key: string;
  readonly quotaGroup: string | undefined;
  readonly contextWindow: number | undefined;
  readonly weight: number;
  readonly timeouts: Timeouts | undefined;
  readonly phases: readonly Phase[];
}

export interface RequestPlan {
  /** After the request before it. */
  readonly afterMs: number;
  readonly stream: boolean;
  readonly deadlineMs: number | undefined;
  readonly abortAfterMs: number | undefined;
  /** Leaves the loop after so many events. */
  readonly leaveAfter: number | undefined;
  /** What the caller takes to read an event. */
  readonly readMs: number;
}

/** Everything that a run depends on. */
export interface Plan {
  readonly seed: number;
  readonly strategy: StrategyName;
  readonly pool: readonly TargetPlan[];
  readonly requests: readonly RequestPlan[];
  /** Of the wall clock. */
  readonly wallJumps: readonly { readonly atMs: number; readonly byMs: number }[];
}

/** Kinds by whose fault they are. */
export const STRIKES = ['server-error', 'overloaded', 'unreachable', 'broken'] as const satisfies FailureKind[];
export const REFUSALS = [
  'rate-limited',
  'quota-exhausted',
  'unauthorized',
  'not-found',
] as const satisfies FailureKind[];
export const REQUESTS_OWN = ['unsupported', 'too-long', 'rejected', 'filtered'] as const satisfies FailureKind[];

const seldom = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | undefined> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** Mostly quick, now and then slow enough to be late. */
const latency: Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 900 }) },
  { weight: 1, arbitrary: fc.integer({ min: 900, max: 20_000 }) },
);

export const answers = (changes: Partial<Extract<Act, { does: 'answer' }>> = {}): Act => ({
  does: 'answer',
  afterMs: 100,
  gapsMs: [],
  ends: 'finish',
  deaf: false,
  ...changes,
});

export const fails = (kind: FailureKind, changes: Partial<Extract<Act, { does: 'fail' }>> = {}): Act => ({
  does: 'fail',
  kind,
  afterMs: 20,
  inStream: false,
  deaf: false,
  ...changes,
});

export const anAnswer = (ms: Arbitrary<number> = latency): Arbitrary<Act> =>
  fc.record({
    does: fc.constant('answer' as const),
    afterMs: ms,
    gapsMs: fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 3 }),
    ends: fc.constant('finish' as const),
    deaf: fc.constant(false),
  });

export const aHang: Arbitrary<Act> = fc.record({
  does: fc.constant('hang' as const),
  connecting: fc.boolean(),
  deaf: fc.boolean(),
});

const anAnswerThatBreaksOff: Arbitrary<Act> = fc.record({
  does: fc.constant('answer' as const),
  afterMs: latency,
  gapsMs: fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 3 }),
  ends: fc.constantFrom('cut', 'hang'),
  deaf: fc.boolean(),
});

const asks: Arbitrary<Extract<Act, { does: 'fail' }>['asks']> = fc.option(
  fc.record({
    as: fc.constantFrom('ms', 'seconds', 'date'),
    ms: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(0, 1, 3_600_000, 2_000_000_000) },
    ),
  }),
  { nil: undefined, freq: 2 },
);

export const aFailure = (kinds: readonly FailureKind[], asking: typeof asks = asks): Arbitrary<Act> =>
  fc.record({
    does: fc.constant('fail' as const),
    afterMs: latency,
    kind: fc.constantFrom(...kinds),
    asks: asking,
    inStream: fc.boolean(),
    deaf: fc.boolean(),
  });

/** Failures that ask for no time. */
export const aFailureThatAsksNothing = (kinds: readonly FailureKind[]): Arbitrary<Act> =>
  aFailure(kinds, fc.constant(undefined));

/** Everything that can go wrong but for what is the request's own fault. */
export const aFault: Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: anAnswer() },
  { weight: 3, arbitrary: aFailure(STRIKES) },
  { weight: 2, arbitrary: aFailure(REFUSALS) },
  { weight: 2, arbitrary: aHang },
  { weight: 1, arbitrary: anAnswerThatBreaksOff },
);

const anyAct: Arbitrary<Act> = fc.oneof(
  { weight: 10, arbitrary: aFault },
  { weight: 1, arbitrary: aFailureThatAsksNothing(REQUESTS_OWN) },
);

/** What no gate hears of. */
export const anUngatedAct: Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: anAnswer() },
  { weight: 3, arbitrary: aFailureThatAsksNothing(STRIKES) },
  { weight: 2, arbitrary: aHang },
  { weight: 1, arbitrary: anAnswerThatBreaksOff },
);

export const phasesOf = (act: Arbitrary<Act>, { atLeast = 1, longestMs = 60_000 } = {}): Arbitrary<Phase[]> =>
  fc.array(fc.record({ forMs: fc.nat(longestMs), act }), { minLength: atLeast, maxLength: 3 + atLeast });

/** A target that shares its fate with nobody. */
export const alone = (name: string, phases: readonly Phase[], changes: Partial<TargetPlan> = {}): TargetPlan => ({
  endpoint: name,
  model: 'm',
  key: name,
  quotaGroup: undefined,
  contextWindow: undefined,
  weight: 1,
  timeouts: undefined,
  phases,
  ...changes,
});

export const always = (act: Act): Phase[] => [{ forMs: 0, act }];

const aWeight = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(0, 0.1, 1));

const someTimeouts: Arbitrary<Timeouts | undefined> = seldom(
  fc.record(
    {
      connect: fc.integer({ min: 1, max: 5_000 }),
      firstContent: fc.integer({ min: 1, max: 20_000 }),
      answer: fc.integer({ min: 1, max: 20_000 }),
      idle: fc.integer({ min: 1, max: 20_000 }),
      total: fc.integer({ min: 1, max: 20_000 }),
    },
    { requiredKeys: [] },
  ),
);

/** Targets of which some share an address, a model, a key or a limit. */
export const aTarget = (act: Arbitrary<Act> = anyAct): Arbitrary<TargetPlan> =>
  fc.record({
    endpoint: fc.constantFrom('e0', 'e1', 'e2'),
    model: fc.constantFrom('m0', 'm1'),
    key: fc.constantFrom('k0', 'k1'),
    quotaGroup: fc.constantFrom(undefined, undefined, 'g'),
    contextWindow: fc.constantFrom(undefined, undefined, 1_000, 2_000),
    weight: aWeight,
    timeouts: someTimeouts,
    phases: phasesOf(act),
  });

/** Bursts, traffic, and quiet minutes. */
const aPause: Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 8_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 8_000, max: 400_000 }) },
);

/** Callers who stream or do not, and who wait, read and leave as they like. */
export const aRequest: Arbitrary<RequestPlan> = fc.record({
  afterMs: aPause,
  stream: fc.boolean(),
  deadlineMs: seldom(fc.integer({ min: 1, max: 30_000 })),
  abortAfterMs: seldom(fc.integer({ min: 0, max: 15_000 })),
  leaveAfter: seldom(fc.integer({ min: 1, max: 4 })),
  readMs: fc.constantFrom(0, 0, 0, 1_500),
});

/** Callers who wait for their answer to the end. */
export const aPatientRequest: Arbitrary<RequestPlan> = fc.record({
  afterMs: aPause,
  stream: fc.boolean(),
  deadlineMs: fc.constant(undefined),
  abortAfterMs: fc.constant(undefined),
  leaveAfter: fc.constant(undefined),
  readMs: fc.constant(0),
});

const aStrategy: Arbitrary<StrategyName> = fc.constantFrom('priority', 'weighted-round-robin', 'round-robin');

const aSeed: Arbitrary<number> = fc.integer({ min: 1, max: 2 ** 30 });

/** Whole seconds, as dates in headers have no more. */
const aJump = fc.record({
  atMs: fc.nat(300_000),
  byMs: fc.integer({ min: -86_400, max: 86_400 }).map((seconds) => seconds * 1_000),
});

interface PlanOptions {
  readonly target?: Arbitrary<TargetPlan>;
  readonly request?: Arbitrary<RequestPlan>;
  readonly targets?: readonly [least: number, most: number];
  readonly requests?: number;
  /** Each target with an address and a key to itself, so that nobody's trouble is another's. */
  readonly apart?: boolean;
}

export const aPlan = ({
  target = aTarget(),
  request = aRequest,
  targets: [least, most] = [1, 6],
  requests = 25,
  apart = false,
}: PlanOptions = {}): Arbitrary<Plan> =>
  fc.record({
    seed: aSeed,
    strategy: aStrategy,
    pool: fc
      .array(target, { minLength: least, maxLength: most })
      .map((pool) => (apart ? pool.map((each, i) => ({ ...each, endpoint: `e${i}`, key: `k${i}` })) : pool)),
    requests: fc.array(request, { minLength: 1, maxLength: requests, size: 'max' }),
    wallJumps: fc.array(aJump, { maxLength: 4 }),
  });
