/** What the test decides. */
export interface Setting {
  readonly openaiUrl: string;
  readonly anthropicUrl: string;
  readonly sharing: boolean;
  /** How fast the workers' clock goes: below 1, so that nothing is over before a busy machine has come to it. */
  readonly speed: number;
}

/** What a worker says of its first target. */
export interface Page {
  readonly standing: string;
  readonly reason?: string;
  readonly dueInMs?: number;
  /** Events of targets, such as `target-cooled heard`. */
  readonly events: readonly string[];
}

export interface Asked {
  readonly target?: string;
  readonly code?: string;
  readonly outcomes: readonly string[];
}

/** Messages that are not the store's, or not understood. */
export const NOISE: readonly unknown[] = [
  null,
  'switchyard',
  { switchyard: 'weather' },
  { switchyard: 'news', news: 'none' },
  { switchyard: 'news', news: [null, { v: 2 }, { v: 1, about: 'model', key: 'x' }] },
];
