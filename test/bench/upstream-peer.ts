import { setTimeout as wait } from 'node:timers/promises';
import { startSimulator } from '@switchyard/simulator';

// Another process, so that only the one that is measured is measured: it plays the vendors, and on demand the callers.

/** What it is told to do: to ask a server so many times, some at once. */
export interface Errand {
  readonly url: string;
  readonly body: string;
  readonly answers: number;
  readonly atOnce: number;
}

export type Report =
  | { readonly type: 'ready'; readonly urls: Readonly<Record<string, string>> }
  /** The shortest answer that came back, in characters. */
  | { readonly type: 'asked'; readonly least: number };

const report = (what: Report): void => {
  process.send?.(what);
};

/** Faster than any model, and slow enough that each token is a packet of its own. */
const PACE = { firstTokenMs: 5, tokensPerSecond: 1_000 };

const simulator = await startSimulator({
  vendors: { openai: PACE, anthropic: PACE, cohere: PACE, google: PACE },
});

process.on('message', async ({ url, body, answers, atOnce }: Errand) => {
  let left = answers;
  let least = Number.POSITIVE_INFINITY;
  const ask = async (): Promise<void> => {
    while (left-- > 0) {
      const headers = { 'content-type': 'application/json', authorization: 'Bearer any-key' };
      const response = await fetch(url, { method: 'POST', headers, body });
      const text = await response.text();
      if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
      least = Math.min(least, text.length);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, ask));
  // What the server still does when its answer is out is a part of it.
  await wait(50);
  report({ type: 'asked', least });
});
process.on('disconnect', () => void simulator.close());

const { openai, anthropic, cohere, google } = simulator.vendors;
report({
  type: 'ready',
  urls: { openai: openai.url, anthropic: anthropic.url, cohere: cohere.url, google: google.url },
});
