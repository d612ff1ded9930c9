import type { ChatEvent, ChatRequest, ChatResponse, TargetOptions, TargetSpec } from '@switchyard/core';
import {
  type Call,
  failureFromUnknown,
  failureFromVendor,
  type Provider,
  ProviderFailure,
} from '@switchyard/core/provider';
import type { Dice } from '../dice.ts';
import { type Buckets, fullBuckets, type RateLimit, take } from '../limit.ts';
import type { Headers } from '../wire.ts';
import { openai } from '../wires/openai.ts';
import {
  diceFor,
  drawExponential,
  drawGamma,
  drawLogNormal,
  drawZipf,
  type Gamma,
  type LogNormal,
  meanOf,
  type Zipf,
} from './draw.ts';
import { isOn, isOutage, strikes, type VirtualFault } from './fault.ts';
import { Transport } from './undici.ts';
import type { World } from './world.ts';

/** A vendor in virtual time, and its place in the pool. Times are in ms. */
export interface VirtualVendorOptions {
  /** The first half of the target's id, and what faults call it. */
  readonly name: string;
  /** Default: `model`. */
  readonly model?: string;
  /** Time to the first content: for every prompt, or by its size, smallest first. */
  readonly firstContentMs: LogNormal | readonly (LogNormal & { readonly upToTokens: number })[];
  /** What follows the first content. By default nothing does: enough where only the first content is of interest. */
  readonly answer?: { readonly tokens: number | Zipf; readonly msPerToken: number | Gamma };
  readonly rateLimit?: RateLimit;
  /** Spells in which everything takes `factor` times as long, by chance: calm and slow for so long on average. */
  readonly spells?: { readonly calmMs: number; readonly slowMs: number; readonly factor: number };
  /** The router's options for this target: weight, time-outs, context window … */
  readonly target?: TargetOptions;
}

/** An error answer, as measured at vendors: so long at least, and an exponential bit on top. */
const ERROR_MS = { least: 150, mean: 100 } as const;
const TOO_MANY_MS = { least: 120, mean: 50 } as const;
const REFUSED_MS = 2;

/** Tokens that come in one event: as in real streams a handful, so that a long answer is not thousands of events. */
const TOKENS_PER_EVENT = 32;

/** One vendor: how it is, what is wrong with it and when, and a provider that calls it. */
export class VirtualVendor {
  readonly name: string;
  readonly #options: VirtualVendorOptions;
  readonly #faults: readonly VirtualFault[];
  readonly #world: World;
  readonly #dice: Dice;
  #buckets: Buckets;
  #spell = { slow: false, untilMs: 0 };

  constructor(options: VirtualVendorOptions, faults: readonly VirtualFault[], world: World) {
    this.name = options.name;
    this.#options = options;
    this.#faults = faults.filter(({ vendor }) => vendor === options.name);
    this.#world = world;
    this.#dice = diceFor(world.seed, options.name);
    this.#buckets = fullBuckets(options.rateLimit, 0);
  }

  /** What goes into a router's pool. */
  target(): TargetSpec {
    const { name, model = 'model', target: options = {} } = this.#options;
    return { vendor: name, model, options: { ...options }, connect: () => this.#provider(model) };
  }

  get id(): string {
    const { name, model = 'model', target } = this.#options;
    return target?.id ?? `${name}/${model}`;
  }

  /** The truth, which no router knows: whether a call made now would be answered. */
  isUp(atMs: number): boolean {
    return !this.#faults.some((fault) => isOutage(fault) && isOn(fault, atMs));
  }

  /** The truth: how long the first content takes on average. */
  meanFirstContentMs(atMs: number, inputTokens: number): number {
    return meanOf(this.#firstContentMs(inputTokens)) * this.#faultFactor(atMs);
  }

  #provider(model: string): Provider {
    return {
      name: this.name,
      model,
      account: { endpoint: this.name, credential: this.name },
      gaps: () => [],
      send: (request, call) => this.#send(request, call, model),
      stream: (request, call) => this.#stream(request, call, model),
      explain: (error, wire) => failureFromUnknown(this.name, error, wire),
    };
  }

  async #send(request: ChatRequest, call: Call, model: string): Promise<ChatResponse> {
    let finished: ChatResponse['finishReason'] = 'stop';
    for await (const event of this.#stream(request, call, model)) {
      if (event.type === 'finish') finished = event.reason;
    }
    return { id: 'virtual', model, text: this.name, toolCalls: [], finishReason: finished };
  }

  async *#stream(request: ChatRequest, { signal }: Call, model: string): AsyncGenerator<ChatEvent, void> {
    const transport = new Transport();
    const atMs = this.#world.nowMs();
    const inputTokens = inputTokensOf(request);
    const slowness = this.#faultFactor(atMs) * this.#spellFactor(atMs);
    const firstContentMs = drawLogNormal(this.#firstContentMs(inputTokens), this.#dice) * slowness;
    const struck = this.#faults.find((fault) => strikes(fault, atMs, atMs + firstContentMs, this.#dice));

    transport.connecting();
    if (struck?.kind === 'no-connection') await this.#hang(signal);
    if (struck?.kind === 'refuse') {
      await this.#wait(REFUSED_MS, signal);
      throw new ProviderFailure({ kind: 'unreachable', message: `${this.name} refused the connection` });
    }
    transport.sent();
    if (struck?.kind === 'hang') await this.#hang(signal);
    if (struck?.kind === '5xx' || struck?.kind === 'rate-limit' || struck?.kind === 'status') {
      throw await this.#refuse(transport, STATUS_OF[struck.kind] ?? 500, struck, signal);
    }
    const outputTokens = this.#drawOutputTokens();
    const taken = take(this.#buckets, inputTokens + outputTokens, atMs);
    this.#buckets = taken.buckets;
    const limits = this.#options.rateLimit && openai.limitHeaders(taken.allowances, { id: '', nowMs: atMs });
    if (taken.waitMs > 0) {
      throw await this.#refuse(
        transport,
        429,
        { headers: { ...limits, ...openai.tooMany(taken.waitMs).headers } },
        signal,
      );
    }
    await this.#wait(firstContentMs, signal);
    transport.answered(200, limits ?? {});
    yield { type: 'start', id: 'virtual', model };
    if (struck?.kind === 'error-in-stream')
      throw new ProviderFailure(failureFromVendor({ vendor: this.name, type: 'server_error' }));
    yield { type: 'text', text: 'virtual' };
    if (struck?.kind === 'stall') await this.#hang(signal);
    if (struck?.kind === 'cut')
      throw new ProviderFailure({ kind: 'broken', message: `${this.name} cut the connection` });
    for (let tokens = TOKENS_PER_EVENT; tokens < outputTokens; tokens += TOKENS_PER_EVENT) {
      await this.#wait(TOKENS_PER_EVENT * this.#drawMsPerToken() * slowness, signal);
      yield { type: 'text', text: 'virtual' };
    }
    yield { type: 'finish', reason: 'stop' };
    yield { type: 'usage', usage: { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 } };
  }

  /** The vendor's error answer, once it has arrived. */
  async #refuse(
    transport: Transport,
    usualStatus: number,
    how: { readonly status?: number; readonly code?: string; readonly headers?: Headers },
    signal: AbortSignal,
  ): Promise<ProviderFailure> {
    const { status = usualStatus, headers = {}, code } = how;
    const { least, mean } = status === 429 ? TOO_MANY_MS : ERROR_MS;
    await this.#wait(least + drawExponential(mean, this.#dice), signal);
    transport.answered(status, headers);
    return new ProviderFailure(failureFromVendor({ vendor: this.name, status, code, header: (name) => headers[name] }));
  }

  #firstContentMs(inputTokens: number): LogNormal {
    const { firstContentMs } = this.#options;
    if ('median' in firstContentMs) return firstContentMs;
    const bucket = firstContentMs.find(({ upToTokens }) => inputTokens <= upToTokens) ?? firstContentMs.at(-1);
    if (bucket === undefined) throw new TypeError(`${this.name}: firstContentMs has no entry`);
    return bucket;
  }

  #drawOutputTokens(): number {
    const tokens = this.#options.answer?.tokens ?? 1;
    return typeof tokens === 'number' ? tokens : drawZipf(tokens, this.#dice);
  }

  #drawMsPerToken(): number {
    const msPerToken = this.#options.answer?.msPerToken ?? 0;
    return typeof msPerToken === 'number' ? msPerToken : drawGamma(msPerToken, this.#dice);
  }

  #faultFactor(atMs: number): number {
    let factor = 1;
    for (const fault of this.#faults) if (fault.kind === 'slow' && isOn(fault, atMs)) factor *= fault.factor;
    return factor;
  }

  #spellFactor(atMs: number): number {
    const { spells } = this.#options;
    if (spells === undefined) return 1;
    // The first spell, drawn at time 0, is a calm one.
    while (atMs >= this.#spell.untilMs) {
      const slow = this.#spell.untilMs > 0 && !this.#spell.slow;
      const forMs = drawExponential(slow ? spells.slowMs : spells.calmMs, this.#dice);
      this.#spell = { slow, untilMs: this.#spell.untilMs + forMs };
    }
    return this.#spell.slow ? spells.factor : 1;
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.#world.schedule(delayMs, () => {
        signal.removeEventListener('abort', leave);
        resolve();
      });
      const leave = (): void => {
        stop();
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #hang(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }
}

const STATUS_OF: Readonly<Partial<Record<VirtualFault['kind'], number>>> = { '5xx': 500, 'rate-limit': 429 };

/** Four characters a token, as everywhere in this package. */
const inputTokensOf = ({ messages }: ChatRequest): number => {
  let characters = 0;
  for (const { content } of messages)
    for (const part of content) if (part.type === 'text') characters += part.text.length;
  return Math.ceil(characters / 4);
};
