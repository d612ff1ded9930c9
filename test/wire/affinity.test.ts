import { type ChatRequest, createRouter, type RouteConfig, type Router, type RouterEvent } from '@switchyard/core';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { simulated } from './targets.ts';

// Conversations over real HTTP, through the real SDKs, at vendors that remember prompts for five minutes.

let simulator: Simulator;
let events: RouterEvent[];
beforeEach(async () => {
  simulator = await startSimulator();
  events = [];
});
afterEach(() => simulator.close());

const price = { inputUsdPerMTok: 1, cachedInputUsdPerMTok: 0.1, outputUsdPerMTok: 4 };

const start = (options: Partial<RouteConfig> = {}): Router => {
  const pool = (['openai', 'anthropic', 'cohere'] as const).map((name) =>
    simulated(simulator, name, { id: name, price }),
  );
  return createRouter({
    routes: { chat: { strategy: 'round-robin', pool, hedging: false, ...options } },
    onEvent: (event) => events.push(event),
  });
};

/** Instructions of about 2,000 tokens, which no two conversations share. */
const opening = (name: string): ChatRequest['messages'] => [
  {
    role: 'system',
    content: [{ type: 'text', text: `${name}. ${'Be brief, and say only what you know. '.repeat(210)}` }],
  },
  { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
];

interface Talk {
  messages: ChatRequest['messages'];
  /** Who served each turn. */
  readonly at: string[];
  inputTokens: number;
  cachedTokens: number;
}

const talkOf = (name: string): Talk => ({ messages: opening(name), at: [], inputTokens: 0, cachedTokens: 0 });

const turn = async (router: Router, talk: Talk, stream = false): Promise<void> => {
  const request = { messages: talk.messages };
  let text = '';
  const before = events.length;
  if (stream) {
    for await (const event of router.stream('chat', request)) if (event.type === 'text') text += event.text;
  } else ({ text } = await router.chat('chat', request));
  const completed = events.slice(before).find(({ type }) => type === 'request-completed');
  if (completed?.type !== 'request-completed') throw new Error('not completed');
  talk.at.push(completed.target);
  talk.inputTokens += completed.usage?.inputTokens ?? 0;
  talk.cachedTokens += completed.usage?.cachedInputTokens ?? 0;
  talk.messages = [
    ...talk.messages,
    { role: 'assistant', content: [{ type: 'text', text }] },
    { role: 'user', content: [{ type: 'text', text: `And then? ${talk.at.length}` }] },
  ];
};

/** Some conversations side by side, whose turns come in another order each time. */
const talk = async (
  router: Router,
  stream: boolean,
): Promise<{ readonly share: number; readonly talks: readonly Talk[] }> => {
  const talks = Array.from({ length: 5 }, (_, i) => talkOf(`Conversation ${i}`));
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < talks.length; i++) await turn(router, talks[(i * 2 + round) % talks.length] as Talk, stream);
  }
  const sum = (of: (talk: Talk) => number): number => talks.reduce((all, each) => all + of(each), 0);
  return { share: sum(({ cachedTokens }) => cachedTokens) / sum(({ inputTokens }) => inputTokens), talks };
};

test.each([false, true])('caches serve four fifths of the prompts, and half without (streams: %s)', async (stream) => {
  const without = await talk(start(), stream);
  await simulator.close();
  simulator = await startSimulator();
  const kept = await talk(start({ affinity: 'prompt-cache' }), stream);
  // Five of six turns could be served by a cache, all but their last words.
  expect(kept.share).toBeGreaterThan(0.8);
  expect(without.share).toBeLessThan(0.6);
  for (const { at } of kept.talks) expect(new Set(at).size).toBe(1);
  for (const { at } of without.talks) expect(new Set(at).size).toBeGreaterThan(1);
  // First turns are shared out as ever.
  expect(new Set(kept.talks.map(({ at }) => at[0])).size).toBe(3);
});
