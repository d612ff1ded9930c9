/** Traffic whose answers somebody scores: targets that answer well or not, and when one hears of it. Times are in ms. */
export interface ScoredStory {
  readonly name: string;
  readonly about: string;
  /** By target: the part of its answers that are good, from the start, and from the moment of the change. */
  readonly quality: readonly (readonly [before: number, after: number])[];
  /** Where in the run it changes, 0 to 1. */
  readonly changesAt: number;
  readonly requests: number;
  readonly gapMs: number;
  /** The part of the answers that anybody scores. */
  readonly scored: number;
  /** Until a good answer is praised, and until a bad one is complained of, on average: the time is exponential. */
  readonly praisedAfterMs: number;
  readonly complainedAfterMs: number;
}

const MINUTE = 60_000;

/** Four models over a week, a request every two minutes; one answer in three is scored, after half an hour. */
const STEADY: ScoredStory = {
  name: 'steady',
  about: 'four targets, 60 to 80 % of whose answers are good',
  quality: [
    [0.65, 0.65],
    [0.8, 0.8],
    [0.6, 0.6],
    [0.7, 0.7],
  ],
  changesAt: 1,
  requests: 5_000,
  gapMs: 2 * MINUTE,
  scored: 0.33,
  praisedAfterMs: 30 * MINUTE,
  complainedAfterMs: 30 * MINUTE,
};

export const SCORED_STORIES: readonly ScoredStory[] = [
  STEADY,
  {
    ...STEADY,
    name: 'changed',
    about: 'after half of four weeks the best becomes the worst, and the worst the best',
    quality: [
      [0.65, 0.65],
      [0.8, 0.5],
      [0.5, 0.8],
      [0.7, 0.7],
    ],
    changesAt: 0.5,
    gapMs: 8 * MINUTE,
  },
  {
    ...STEADY,
    name: 'complaints-first',
    about: 'the same, but busy: a request every two seconds; complaints come after 20 s, praise after 4 min',
    gapMs: 2_000,
    complainedAfterMs: MINUTE / 3,
    praisedAfterMs: 4 * MINUTE,
  },
];
