import {
  type ChatEvent,
  type ChatRequest,
  createRouter,
  isRouterError,
  type Recovery,
  type RouterError,
  type RouterEvent,
  type TargetSpec,
} from '@switchyard/core';
import type { Simulator, SimulatorOptions } from '@switchyard/simulator';
import { expect } from 'vitest';

// What a caller makes of a stream, whatever was done to it on its way: the whole answer, or one error.

/** Vendors that say the same words to the same question, so that one can carry on for another to the letter; and at once. */
export const oneVoice = (more: SimulatorOptions['vendors'] = {}): SimulatorOptions => {
  const model = { speaker: 'a model', firstTokenMs: 0, tokensPerSecond: 1_000_000 };
  return {
    vendors: {
      openai: { ...model, ...more.openai },
      anthropic: { ...model, ...more.anthropic },
      cohere: { ...model, ...more.cohere },
      google: { ...model, ...more.google },
    },
  };
};

/** Words that are easily lost or said twice at a seam. */
export const HARD_WORDS =
  'row, row, row your “boat”\n\n  gently: 😀😀 日本語のテキスト —\tna\u0308ive "la la la la la la la la"\n';

export const asking = (text: string): ChatRequest => ({
  messages: [{ role: 'user', content: [{ type: 'text', text }] }],
  maxOutputTokens: 1_000,
});

/** What the simulated models say to a text of the user, all of it. */
export const answerOf = async (simulator: Simulator, request: ChatRequest, target: TargetSpec): Promise<string> => {
  for (const vendor of Object.values(simulator.vendors)) vendor.heal();
  const router = createRouter({ routes: { chat: { pool: [target] } } });
  return (await router.chat('chat', request)).text;
};

/** What a caller has got of a stream. */
export interface Seen {
  readonly events: readonly ChatEvent[];
  /** What is left after a restart told it to forget what was before. */
  readonly text: string;
  readonly error: RouterError | undefined;
  readonly reports: readonly RouterEvent[];
}

export interface Case {
  readonly recovery: Recovery;
  readonly pool: readonly TargetSpec[];
  readonly request: ChatRequest;
}

/** Asks through a router that knows nothing yet, so that no earlier fault counts. */
export const askOnce = async ({ recovery, pool, request }: Case): Promise<Seen> => {
  const reports: RouterEvent[] = [];
  const router = createRouter({ onEvent: (event) => reports.push(event), routes: { chat: { recovery, pool } } });
  const events: ChatEvent[] = [];
  let text = '';
  let error: RouterError | undefined;
  try {
    for await (const event of router.stream('chat', request)) {
      events.push(event);
      if (event.type === 'text') text += event.text;
      if (event.type === 'seam' && event.mode === 'restart') text = '';
    }
  } catch (thrown) {
    if (!isRouterError(thrown)) throw thrown;
    error = thrown;
  }
  return { events, text, error, reports };
};

/**
 * The bar: all of the answer and its end, or one error and a part of the answer. Never a cut answer that looks whole,
 * never a character twice, never a second beginning.
 */
export const expectTruth = ({ events, text, error }: Seen, whole: string): void => {
  expect(events.filter(({ type }) => type === 'start').length).toBeLessThanOrEqual(1);
  const seam = events.findIndex(({ type }) => type === 'seam');
  if (seam >= 0) {
    expect(events.slice(seam).some(({ type, bytes }) => type === 'start' || bytes !== undefined)).toBe(false);
  }
  if (error === undefined) {
    expect(text).toBe(whole);
    expect(events.filter(({ type }) => type === 'finish')).toHaveLength(1);
  } else expect(whole.startsWith(text), `a part of the answer: ${JSON.stringify(text)}`).toBe(true);
};

export const seamsOf = ({ events }: Seen): readonly string[] =>
  events.flatMap((event) => (event.type === 'seam' ? [event.mode] : []));
