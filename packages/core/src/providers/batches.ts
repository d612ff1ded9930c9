import type { EmbeddingRequest, EmbeddingResponse } from '../decide/embedding.ts';
import type { Call } from '../provider.ts';
import { brokenAnswer, ProviderFailure } from '../provider-kit.ts';

/** Calls under way at once for one attempt: enough that many inputs take no minutes, few enough that no limit is stormed. */
const AT_ONCE = 4;

/**
 * The inputs as texts, for the vendors that take nothing else. Tokens are a gap there, so that their targets are skipped; one
 * with `unsupported: 'drop'` is asked all the same, and an input cannot be left out.
 */
export const textsIn = (vendor: string, { inputs }: EmbeddingRequest): readonly string[] =>
  inputs.map((input) => {
    if (typeof input === 'string') return input;
    throw new ProviderFailure({ kind: 'unsupported', message: `${vendor} takes texts, and no tokens` });
  });

/**
 * Asks a vendor that takes at most so many texts at once: in one call where they fit, else in several, and puts the vectors
 * together in the order of the texts. When one call fails the others are of no use, and are stopped.
 */
export const inBatches = async (
  vendor: string,
  texts: readonly string[],
  most: number,
  { signal }: Call,
  ask: (texts: readonly string[], signal: AbortSignal) => Promise<EmbeddingResponse>,
): Promise<EmbeddingResponse> => {
  if (texts.length <= most) return ask(texts, signal);
  const parts = Array.from({ length: Math.ceil(texts.length / most) }, (_, i) => texts.slice(i * most, (i + 1) * most));
  const answers: EmbeddingResponse[] = [];
  // One for each call, since SDKs leave listeners behind on the signal that they are given.
  const running = new Set<AbortController>();
  let next = 0;
  const stop = (): void => {
    next = parts.length;
    for (const controller of running) controller.abort();
  };
  const work = async (): Promise<void> => {
    for (let i = next++; i < parts.length; i = next++) {
      const part = parts[i] ?? [];
      const controller = new AbortController();
      running.add(controller);
      const answer = await ask(part, controller.signal).finally(() => running.delete(controller));
      // Two wrong numbers can add up to the right one.
      if (answer.vectors.length !== part.length) {
        throw brokenAnswer(vendor, `${answer.vectors.length} vectors for ${part.length} inputs`);
      }
      answers[i] = answer;
    }
  };
  signal.throwIfAborted();
  signal.addEventListener('abort', stop);
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, parts.length) }, work));
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
  // A stopped worker may end without an error.
  signal.throwIfAborted();
  return joined(answers);
};

const joined = (answers: readonly EmbeddingResponse[]): EmbeddingResponse => {
  const usages = answers.flatMap(({ usage }) => usage ?? []);
  return {
    model: answers[0]?.model ?? '',
    vectors: answers.flatMap(({ vectors }) => vectors),
    // A sum of some of them would be no sum.
    ...(usages.length === answers.length && {
      usage: { inputTokens: usages.reduce((sum, { inputTokens }) => sum + inputTokens, 0) },
    }),
  };
};
