import type { Observation, PickContext } from './strategy.ts';

export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A context to be filled anew for each pick, so that none allocates. */
export const newPickContext = (): Writable<PickContext> => ({
  candidates: 0,
  able: 0,
  health: undefined,
  order: undefined,
  request: { messages: [] },
  attempt: 0,
  streaming: false,
  inputTokens: 0,
  maxOutputTokens: undefined,
  subject: undefined,
  task: undefined,
  // Infinite at first, here and below: a fraction from the start, which needs no box later.
  nowMs: Number.NEGATIVE_INFINITY,
  dice: () => 0,
});

/** Likewise for what a strategy is told. */
export const newObservation = (): Writable<Observation> => ({
  type: 'started',
  target: 0,
  role: 'first',
  nowMs: Number.NEGATIVE_INFINITY,
  ageMs: Number.NEGATIVE_INFINITY,
  contentMs: undefined,
  readMs: 0,
  streaming: false,
  inputTokens: 0,
  maxOutputTokens: undefined,
  subject: undefined,
  task: undefined,
  usage: undefined,
  failure: undefined,
});
