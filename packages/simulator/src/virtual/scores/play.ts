import { type ChatRequest, createRouter, type Strategy, type TargetSpec } from '@switchyard/core';
import { failureFromUnknown } from '@switchyard/core/provider';
import { diceFor, drawExponential } from '../draw.ts';
import { World } from '../world.ts';
import type { ScoredStory } from './story.ts';

/** What a run has cost, in good answers. */
export interface Regret {
  /** Fewer good answers than from the one target that would have been best for the whole run; below 0, more. */
  readonly fixed: number;
  /** Fewer than from the best of each moment, which only an oracle knows. */
  readonly oracle: number;
  /** The oracle's again, by parts of the run, as it grows. */
  readonly growing: readonly number[];
  /** The part of the last tenth of the requests that went to whoever was best then. */
  readonly atTheEnd: number;
}

const PARTS = 50;
const ANSWERED_AFTER_MS = 800;

const HELLO: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }] };

/** Plays a story once, through a router with the strategy. Regret is of what could be expected, not of the luck of the draw. */
export const playScores = async (story: ScoredStory, strategy: Strategy, seed: number): Promise<Regret> => {
  const { quality, requests, gapMs } = story;
  const world = new World(seed);
  const router = createRouter({
    system: world,
    routes: { chat: { strategy, pool: quality.map((_, i) => answering(world, `t${i}`)) } },
  });
  const change = Math.floor(requests * story.changesAt);
  const qualityOf = (i: number, request: number): number => quality[i]?.[request < change ? 0 : 1] ?? 0;
  const bestAt = (request: number): number => Math.max(...quality.map((_, i) => qualityOf(i, request)));
  const dice = diceFor(seed, 'scores');
  const chosen = new Array<number>(requests).fill(0);
  let open = requests;

  const ask = async (request: number): Promise<void> => {
    // The same throws for all strategies, whomever they ask.
    const [luck, voice] = [dice(), dice()];
    const delay = drawExponential(1, dice);
    if (request + 1 < requests) world.schedule(gapMs, () => void ask(request + 1));
    const { served } = await router.chat('chat', HELLO);
    const target = quality.findIndex((_, i) => served.target.vendor === `t${i}`);
    chosen[request] = target;
    open -= 1;
    if (voice >= story.scored) return;
    const isGood = luck < qualityOf(target, request);
    const delayMs = delay * (isGood ? story.praisedAfterMs : story.complainedAfterMs);
    world.schedule(delayMs, () => void router.feedback(served.requestId, isGood ? 1 : 0));
  };
  world.schedule(0, () => void ask(0));
  await world.run(() => open === 0);

  const sumOf = (valueAt: (request: number) => number): number =>
    chosen.reduce((sum, _, request) => sum + valueAt(request), 0);
  const got = (request: number): number => qualityOf(chosen[request] ?? -1, request);
  const fixed = Math.max(...quality.map((_, i) => sumOf((request) => qualityOf(i, request)))) - sumOf(got);
  const growing: number[] = [];
  let oracle = 0;
  for (let request = 0; request < requests; request++) {
    oracle += bestAt(request) - got(request);
    if ((request + 1) % (requests / PARTS) === 0) growing.push(oracle);
  }
  const late = chosen.map((_, request) => request).slice(-requests / 10);
  const atTheEnd = late.filter((request) => got(request) === bestAt(request)).length / late.length;
  return { fixed, oracle, growing, atTheEnd };
};

const answering = (world: World, vendor: string): TargetSpec => ({
  vendor,
  model: 'm',
  options: {},
  connect: (model) => ({
    name: vendor,
    model,
    account: { endpoint: vendor, credential: vendor },
    gaps: () => [],
    send: () =>
      new Promise((resolve) => {
        const answer = { id: '', model, text: 'Hello.', toolCalls: [], finishReason: 'stop' } as const;
        world.schedule(ANSWERED_AFTER_MS, () => resolve(answer));
      }),
    // biome-ignore lint/correctness/useYield: nobody asks for a stream here
    async *stream() {
      throw new TypeError('a scored story has plain answers only');
    },
    explain: (error, wire) => failureFromUnknown(vendor, error, wire),
  }),
});
