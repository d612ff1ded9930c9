import type { ChatEvent, ChatRequest, ChatResponse, TargetOptions, TargetSpec } from '@switchyard/core';
import {
  type Call,
  type Failure,
  failureFromUnknown,
  failureFromVendor,
  type Provider,
  ProviderFailure,
} from '@switchyard/core/provider';
import type { Dice } from '../dice.ts';
import { type Allowances, type Buckets, fullBuckets, look, type RateLimit, take } from '../limit.ts';
import type { VendorName } from '../vendor.ts';
import type { Headers, Wire } from '../wire.ts';
import { anthropic } from '../wires/anthropic.ts';
import { cohere } from '../wires/cohere.ts';
import { google } from '../wires/google.ts';
import { openai } from '../wires/openai.ts';
import { type Billing, billedOf, meanTokens, usdOf } from './bill.ts';
import { Books } from './books.ts';
import { type Complaint, complaintOf, tooManyOf } from './complaint.ts';
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
import { isOn, isOutage, strikes, tokensBefore, type VirtualFault } from './fault.ts';
import { Transport } from './undici.ts';
import type { World } from './world.ts';

/** A vendor in virtual time, and its place in the pool. Times are in ms. */
export interface VirtualVendorOptions {
  /** The first half of the target's id, and what faults call it. Models of one name fail together. */
  readonly name: string;
  /** Default: `model`. */
  readonly model?: string;
  /** Whose headers it speaks in when it tells of its limits. Default: `openai`. */
  readonly wire?: VendorName;
  /** Time to the first content: for every prompt, or by its size, smallest first. */
  readonly firstContentMs: LogNormal | readonly (LogNormal & { readonly upToTokens: number })[];
  /** Time to the status and the headers of an answer, if they come before its first content. Default: they come with it. */
  readonly headMs?: number;
  /** What follows the first content. By default nothing does: enough where only the first content is of interest. */
  readonly answer?: { readonly tokens: number | Zipf; readonly msPerToken: number | Gamma };
  readonly rateLimit?: VirtualRateLimit;
  /** How it counts what it bills. Its prices are the `price` of `target`, and are true. */
  readonly billing?: Billing;
  /** Spells in which everything takes `factor` times as long, by chance: calm and slow for so long on average. */
  readonly spells?: { readonly calmMs: number; readonly slowMs: number; readonly factor: number };
  /** The router's options for this target: weight, time-outs, context window … */
  readonly target?: TargetOptions;
}

/** What a virtual vendor allows one key, and what it tells of it. */
export interface VirtualRateLimit extends RateLimit {
  /** So many calls at once, streams that still run included. */
  readonly atOnce?: number;
  /** What a call beyond `atOnce` is answered with: 429, which is the default, or 529. It never says how long to wait. */
  readonly atOnceStatus?: 429 | 529;
  /** Whether every answer shows in headers what is left of requests and tokens. Default: true. */
  readonly shown?: boolean;
  /**
   * What a 429 says: how long to wait, in the form of the vendor's `wire`, which is the default; only the headers of the
   * limits; or nothing at all.
   */
  readonly refusal?: 'retry-after' | 'reset-headers' | 'no-hint';
}

const WIRES: Readonly<Record<VendorName, Wire>> = { openai, anthropic, cohere, google };

/** An error answer, as measured at vendors: so long at least, and an exponential bit on top. */
const ERROR_MS = { least: 150, mean: 100 } as const;
const TOO_MANY_MS = { least: 120, mean: 50 } as const;
const REFUSED_MS = 2;
const RESET_MS = 100;
/** A vendor that takes a call on and then hangs says so as quickly as its error answers come. */
const HEAD_MS = 100;

/** Tokens that come in one event: as in real streams a handful, so that a long answer is not thousands of events. */
const TOKENS_PER_EVENT = 32;

/** One vendor: how it is, what is wrong with it and when, and a provider that calls it. */
export class VirtualVendor {
  readonly name: string;
  readonly books: Books = new Books();
  readonly #options: VirtualVendorOptions;
  readonly #wire: Wire;
  readonly #faults: readonly VirtualFault[];
  readonly #world: World;
  readonly #dice: Dice;
  #buckets: Buckets;
  readonly #meanOutputTokens: number;
  #spell = { slow: false, untilMs: 0 };

  constructor(options: VirtualVendorOptions, faults: readonly VirtualFault[], world: World) {
    this.name = options.name;
    this.#options = options;
    this.#wire = WIRES[options.wire ?? 'openai'];
    this.#faults = faults.filter(({ vendor }) => vendor === options.name || vendor === this.id);
    this.#world = world;
    this.#dice = diceFor(world.seed, options.model === undefined ? options.name : `${options.name}/${options.model}`);
    this.#buckets = fullBuckets(options.rateLimit, 0);
    this.#meanOutputTokens = meanTokens(options.answer?.tokens ?? 1);
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

  get faults(): readonly VirtualFault[] {
    return this.#faults;
  }

  /** Its share of a weighted pool; 0 where it takes no part. */
  get weight(): number {
    const { enabled = true, weight = 1 } = this.#options.target ?? {};
    return enabled ? weight : 0;
  }

  get isEnabled(): boolean {
    return this.#options.target?.enabled ?? true;
  }

  get rateLimit(): VirtualRateLimit | undefined {
    return this.#options.rateLimit;
  }

  /** The truth, which no router knows: whether a call made now would be answered, if its limits allow it. */
  isUp(atMs: number): boolean {
    return !this.#faults.some((fault) => isOutage(fault) && isOn(fault, atMs));
  }

  /** The truth: how long the first content takes on average. */
  meanFirstContentMs(atMs: number, inputTokens: number): number {
    const connectMs = this.#faults.reduce(
      (sum, fault) => sum + (fault.kind === 'slow-connection' && isOn(fault, atMs) ? fault.ms : 0),
      0,
    );
    return connectMs + meanOf(this.#firstContentMs(inputTokens)) * this.#faultFactor(atMs);
  }

  /** The truth: what a request costs here on average; NaN where the vendor has no price. */
  meanUsd(request: ChatRequest): number {
    return this.#usdOf(inputTokensOf(request), this.#meanOutputTokens);
  }

  #usdOf(inputTokens: number, outputTokens: number): number {
    const { billing = {}, target } = this.#options;
    if (target?.price === undefined) return Number.NaN;
    return usdOf(target.price, { ...billedOf(billing, inputTokens), outputTokens });
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
    let used: ChatResponse['usage'];
    for await (const event of this.#stream(request, call, model)) {
      if (event.type === 'finish') finished = event.reason;
      if (event.type === 'usage') used = event.usage;
    }
    const usage = used !== undefined && { usage: used };
    return { id: 'virtual', model, text: this.name, toolCalls: [], finishReason: finished, ...usage };
  }

  async *#stream(request: ChatRequest, { signal }: Call, model: string): AsyncGenerator<ChatEvent, void> {
    const transport = new Transport();
    const inputTokens = inputTokensOf(request);
    const slowness = this.#slowness();
    const firstContentMs = drawLogNormal(this.#firstContentMs(inputTokens), this.#dice) * slowness;
    const struck = this.#strike(firstContentMs);

    transport.connecting();
    await this.#connect(struck, signal);
    transport.sent();
    await this.#receive(struck, transport, signal);
    const outputTokens = this.#drawOutputTokens();
    const shown = await this.#admit(inputTokens + outputTokens, transport, signal);

    let madeTokens = 0;
    let isWhole = false;
    const spoilAt = tokensBefore(struck);
    const spoil = async (): Promise<void> => {
      if (spoilAt !== undefined && madeTokens >= spoilAt) await this.#spoil(struck, signal);
    };
    // What was never answered at all is not billed; what broke off, or was left, is.
    const isDeaf = struck?.kind === 'hang' || struck?.kind === 'hang-after-headers';
    const close = this.#open(() => {
      const billedUsd = isDeaf ? 0 : this.#usdOf(inputTokens, madeTokens);
      const expectedUsd = isWhole ? this.#usdOf(inputTokens, this.#meanOutputTokens) : billedUsd;
      return { billed: isDeaf ? 0 : inputTokens + madeTokens, isWhole, billedUsd, expectedUsd };
    });
    // A client that leaves closes its connection, also while nobody asks for the next event.
    signal.addEventListener('abort', close);
    try {
      if (struck?.kind === 'hang') await this.#hang(signal);
      const headMs = struck?.kind === 'hang-after-headers' ? HEAD_MS : (this.#options.headMs ?? firstContentMs);
      await this.#wait(Math.min(headMs, firstContentMs), signal);
      transport.answered(200, shown);
      yield { type: 'start', id: 'virtual', model };
      if (struck?.kind === 'hang-after-headers') await this.#hang(signal);
      if (headMs < firstContentMs) await this.#wait(firstContentMs - headMs, signal);
      await spoil();
      madeTokens = Math.min(TOKENS_PER_EVENT, outputTokens);
      yield { type: 'text', text: 'virtual' };
      await spoil();
      while (madeTokens < outputTokens) {
        await this.#wait(TOKENS_PER_EVENT * this.#drawMsPerToken() * slowness, signal);
        madeTokens = Math.min(madeTokens + TOKENS_PER_EVENT, outputTokens);
        yield { type: 'text', text: 'virtual' };
        await spoil();
      }
      if (struck?.kind === 'no-end') throw this.#broken('an answer without its end');
      isWhole = true;
      yield { type: 'finish', reason: 'stop' };
      const billed = billedOf(this.#options.billing ?? {}, inputTokens);
      yield { type: 'usage', usage: { ...billed, outputTokens, reasoningTokens: 0 } };
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  /** Puts a call on the books; the result closes it, once. */
  #open(result: () => Bill): () => void {
    const { books } = this;
    books.begin(this.#world.nowMs());
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      books.end(this.#world.nowMs());
      const { billed, isWhole, billedUsd, expectedUsd } = result();
      books.tokens.billed += billed;
      books.usd.billed += billedUsd;
      books.usd.expected += expectedUsd;
      if (!isWhole) books.tokens.lost += billed;
    };
  }

  /** The way to the vendor. */
  async #connect(struck: VirtualFault | undefined, signal: AbortSignal): Promise<void> {
    switch (struck?.kind) {
      case 'no-connection':
        return this.#hang(signal);
      case 'slow-connection':
        return this.#wait(struck.ms, signal);
      case 'refuse':
        await this.#wait(REFUSED_MS, signal);
        throw new ProviderFailure({ kind: 'unreachable', message: `${this.name} refused the connection` });
    }
  }

  /** What a vendor says, or does, instead of an answer. */
  async #receive(struck: VirtualFault | undefined, transport: Transport, signal: AbortSignal): Promise<void> {
    switch (struck?.kind) {
      case 'reset': {
        await this.#wait(RESET_MS, signal);
        const message = `${this.name} could not be reached (ECONNRESET)`;
        throw new ProviderFailure({ kind: 'unreachable', message, code: 'ECONNRESET' });
      }
      case '5xx':
      case 'rate-limit':
      case 'status': {
        const status = struck.kind === 'rate-limit' ? 429 : (struck.status ?? 500);
        await this.#wait(struck.afterMs ?? this.#drawErrorMs(status), signal);
        const timeOfDayMs = this.#world.timeOfDayMs();
        const leftMs = Math.max(0, struck.toMs - this.#world.nowMs());
        throw this.#refuse(complaintOf(this.#wire, status, struck, { timeOfDayMs, leftMs }), transport);
      }
    }
  }

  /** Counts a call against the limits; answers with the headers that show what is left, or not at all. */
  async #admit(tokens: number, transport: Transport, signal: AbortSignal): Promise<Headers> {
    const { rateLimit = {} } = this.#options;
    const { shown = true, refusal = 'retry-after', atOnce = Number.POSITIVE_INFINITY, atOnceStatus = 429 } = rateLimit;
    const { books } = this;
    const nowMs = this.#world.nowMs();
    if (books.atOnce >= atOnce) {
      // Turned away at the door: nothing is taken from the buckets.
      const levels = this.#limitHeaders(look(this.#buckets, nowMs));
      const told = refusal === 'no-hint' || !shown ? {} : levels;
      throw await this.#turnAway(tooManyOf(this.#wire, atOnceStatus, told, undefined), transport, signal);
    }
    const { buckets, allowances, waitMs } = take(this.#buckets, tokens, nowMs);
    this.#buckets = buckets;
    const levels = this.#limitHeaders(allowances);
    if (waitMs > 0) {
      const told = refusal === 'reset-headers' || (shown && refusal === 'retry-after') ? levels : {};
      const askedMs = refusal === 'retry-after' ? waitMs : undefined;
      throw await this.#turnAway(tooManyOf(this.#wire, 429, told, askedMs), transport, signal);
    }
    books.admitted.requests += 1;
    books.admitted.tokens += tokens;
    books.admitted.lastMs = nowMs;
    return shown ? levels : {};
  }

  async #turnAway(complaint: Complaint, transport: Transport, signal: AbortSignal): Promise<ProviderFailure> {
    this.books.refused += 1;
    await this.#wait(this.#drawErrorMs(complaint.status), signal);
    return this.#refuse(complaint, transport);
  }

  /** The levels of the buckets, if there are any, as the vendor's headers. */
  #limitHeaders(allowances: Allowances): Headers {
    const { requestsPerMinute, tokensPerMinute } = this.#options.rateLimit ?? {};
    if (requestsPerMinute === undefined && tokensPerMinute === undefined) return {};
    return this.#wire.limitHeaders(allowances, { id: '', nowMs: this.#world.timeOfDayMs() });
  }

  /** The vendor's error answer, which has arrived, as a provider throws it. */
  #refuse({ status, code, headers, retryDelay }: Complaint, transport: Transport): ProviderFailure {
    transport.answered(status, headers);
    const header = (name: string): string | undefined => headers[name];
    const read = (): Failure => failureFromVendor({ vendor: this.name, status, code, header, retryDelay });
    return new ProviderFailure(atTimeOfDay(this.#world.wallNowMs(), read));
  }

  /** An answer that had begun, at the point where it goes wrong. */
  async #spoil(struck: VirtualFault | undefined, signal: AbortSignal): Promise<void> {
    switch (struck?.kind) {
      case 'stall':
        return this.#hang(signal);
      case 'cut':
        throw this.#broken('an answer that broke off');
      case 'malformed':
        throw this.#broken('an answer that is not JSON');
      case 'empty':
        throw this.#broken('an answer without content');
      case 'error-in-stream':
        throw new ProviderFailure(failureFromVendor({ vendor: this.name, type: 'server_error' }));
    }
  }

  #broken(what: string): ProviderFailure {
    return new ProviderFailure({ kind: 'broken', message: `${this.name} sent ${what}` });
  }

  /** The fault that a call made now meets, if any. */
  #strike(firstContentMs: number): VirtualFault | undefined {
    const atMs = this.#world.nowMs();
    return this.#faults.find((fault) => strikes(fault, atMs, atMs + firstContentMs, this.#dice));
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

  #drawErrorMs(status: number): number {
    const { least, mean } = status === 429 ? TOO_MANY_MS : ERROR_MS;
    return least + drawExponential(mean, this.#dice);
  }

  #slowness(): number {
    const atMs = this.#world.nowMs();
    return this.#faultFactor(atMs) * this.#spellFactor(atMs);
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

/** What a call came to. */
interface Bill {
  /** Tokens. */
  readonly billed: number;
  readonly isWhole: boolean;
  readonly billedUsd: number;
  readonly expectedUsd: number;
}

/**
 * Reads an error with the wall clock of this world. The router compares dates that vendors send with `Date.now()`, and a
 * run that depended on the real one would never be the same twice. Nothing else runs meanwhile: reading waits for nothing.
 */
const atTimeOfDay = <T>(timeOfDayMs: number, read: () => T): T => {
  const { now } = Date;
  Date.now = () => timeOfDayMs;
  try {
    return read();
  } finally {
    Date.now = now;
  }
};

/** Four characters a token, as everywhere in this package. */
const inputTokensOf = ({ messages }: ChatRequest): number => {
  let characters = 0;
  for (const { content } of messages)
    for (const part of content) if (part.type === 'text') characters += part.text.length;
  return Math.ceil(characters / 4);
};
