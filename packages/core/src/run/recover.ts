import { estimateTokenCount } from 'tokenx';
import type { Attempt } from '../decide/attempt.ts';
import type { Failure } from '../decide/failure.ts';
import {
  addUsage,
  canBeginAnew,
  canContinue,
  nothingShown,
  type Recovery,
  type Shown,
  show,
} from '../decide/recovery.ts';
import type { ChatRequest } from '../decide/request.ts';
import { type ChatEvent, isContent, type Usage } from '../decide/response.ts';
import { type Delivered, deliveredOf, newSeam, type Seam, type SeamKind } from '../decide/seam.ts';
import { contentsOf } from '../decide/tokens.ts';
import { isRouterError, type RouterError } from '../errors.ts';
import { behind, EndingPackets, type Packets } from '../packets.ts';
import { BrokeOff, MOST_HELD_BYTES, type OpenedStream, sizeOfEvent, TOO_MUCH_HELD } from './stream.ts';

/** One target's part of an answer, from its first content on. */
export interface Leg {
  /** Its id. */
  readonly target: string;
  readonly attempt: Attempt;
  /** What the target was asked. */
  readonly asked: ChatRequest;
  readonly opened: OpenedStream;
  /** How it was asked to go on from what was delivered. */
  readonly seam: SeamKind;
  /** Throw BrokeOff; leaving them stops the vendor. */
  readonly packets: Packets;
  /** Notes that its answer cannot be used, for a reason that is not its target's. */
  reject(failure: Failure): void;
  /** The error of an answer that broke off here. */
  brokenOff(failure: Failure): RouterError;
  /** Nothing of it is read any more. `usage`: of the whole answer, where others had a part in it. */
  close(usage?: Usage): void;
}

/** An answer of which the caller has nothing yet. */
export interface Answering {
  readonly mode: Recovery;
  /** Whether the caller gets an event to see. */
  readonly forwards: (event: ChatEvent) => boolean;
  /** Asks the targets that are left, to carry on with what was delivered or from the beginning. Throws a RouterError. */
  ask(delivered: Delivered | undefined): Promise<Leg>;
  /** Another target's answer goes on where the caller's text has so many characters. */
  resumed(seam: Extract<ChatEvent, { type: 'seam' }>, deliveredCharacters: number): void;
  /** The caller gets the answer from here on. */
  committed(): void;
  /** Nothing more comes of it. */
  over(): void;
}

/** An answer that the caller gets from here on: what was held back of it, and the rest. */
export interface Committed {
  readonly leg: Leg;
  readonly held: readonly ChatEvent[];
}

/** Longer answers are not held back until they are whole. */
const MOST_BUFFERED_BYTES = 8 * 1024 * 1024;

/**
 * Asks targets until there is something that the caller gets to see; until then every break is unseen, and followed by
 * the next target. A target may have shown life long before: by thoughts that this caller does not get, for example.
 */
export const commit = async (answering: Answering): Promise<Committed> => {
  for (;;) {
    const leg = await answering.ask(undefined);
    const held = await holdBack(leg, answering);
    if (held !== undefined) {
      answering.committed();
      return { leg, held };
    }
    leg.close();
  }
};

/** What came before the first event that the caller gets to see, with it; undefined where the stream broke before. */
const holdBack = async (leg: Leg, { mode, forwards }: Answering): Promise<readonly ChatEvent[] | undefined> => {
  const isShown = (event: ChatEvent): boolean => isContent(event) && forwards(event);
  const { held: first, rest } = leg.opened;
  // As a rule the first content of a target is what the caller is waiting for: then nothing more is to be read here.
  if (mode !== 'buffer' && (rest === undefined || first.some(isShown))) return [];
  const held: ChatEvent[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const { done, value: packet } = await leg.packets.next();
      if (done) return held;
      held.push(...packet);
      for (const event of packet) bytes += sizeOfEvent(event);
      if (mode === 'buffer') {
        if (bytes > MOST_BUFFERED_BYTES) return held;
      } else if (packet.some(isShown)) return held;
      else if (bytes > MOST_HELD_BYTES) {
        leg.reject(TOO_MUCH_HELD);
        await leg.packets.return();
        return undefined;
      }
    }
  } catch (error) {
    if (!(error instanceof BrokeOff)) throw error;
    if (error.failure.kind !== 'aborted') return undefined;
    leg.close();
    throw leg.brokenOff(error.failure);
  }
};

/** Hands the answer on, and recovers it where it breaks and the mode is to recover it. */
export const relayAnswer = (committed: Committed, answering: Answering): Packets =>
  answering.mode === 'continue' || answering.mode === 'restart'
    ? recovering(committed, answering, answering.mode)
    : relaying(committed, answering);

const relaying = ({ leg, held }: Committed, answering: Answering): Packets =>
  new EndingPackets(held.length === 0 ? leg.packets : behind(held, leg.packets), {
    broken: (error) => (error instanceof BrokeOff ? leg.brokenOff(error.failure) : error),
    over() {
      leg.close();
      answering.over();
    },
  });

/** What a target says may not be what can follow what the caller has. */
const UNFIT: Failure = { kind: 'unsupported', message: 'its answer does not carry on with the one that broke off' };

async function* recovering(
  first: Committed,
  answering: Answering,
  mode: 'continue' | 'restart',
): AsyncGenerator<readonly ChatEvent[], void> {
  let shown = nothingShown();
  let spent: Usage | undefined;
  let { leg } = first;
  let hop: Hop = newFirstHop(shown, leg);
  let packets: Packets = first.held.length === 0 ? leg.packets : behind(first.held, leg.packets);
  /** Whose part the caller saw last, and why that ended. */
  let last: { readonly leg: Leg; readonly failure: Failure } | undefined;
  try {
    for (;;) {
      let failure: Failure | undefined;
      try {
        for await (const packet of packets) {
          const { news, fits } = taken(hop, packet);
          if (news.length > 0) yield news;
          if (fits) continue;
          failure = UNFIT;
          leg.reject(UNFIT);
          break;
        }
        if (failure === undefined) {
          const last = hop.end();
          if (last.length > 0) yield last;
          return;
        }
      } catch (error) {
        if (!(error instanceof BrokeOff)) throw error;
        failure = error.failure;
        if (failure.kind === 'aborted') throw leg.brokenOff(failure);
      }
      leg.close();
      if (last === undefined || hop.isShown()) last = { leg, failure };
      spent = addUsage(spent, hop.usage());
      if (mode === 'continue' ? !canContinue(shown, leg.asked) : !canBeginAnew(leg.asked)) {
        throw last.leg.brokenOff(last.failure);
      }
      const { leg: from } = last;
      const delivered = mode === 'continue' ? deliveredOf(shown.text) : undefined;
      try {
        leg = await answering.ask(delivered);
      } catch (error) {
        // That nobody is left is no news to a caller whose answer broke off.
        throw isRouterError(error) && error.code !== 'aborted' ? last.leg.brokenOff(last.failure) : error;
      }
      packets = leg.packets;
      hop = newLaterHop({
        leg,
        mode,
        spent,
        seam: newSeam(delivered ?? NOTHING, leg.seam),
        forwards: answering.forwards,
        begin: () => {
          const seam = { type: 'seam', mode, from: from.target, to: leg.target } as const;
          answering.resumed(seam, shown.text.length);
          if (mode === 'restart') shown = nothingShown();
          return seam;
        },
        show: (event) => show(shown, event, leg.asked),
      });
    }
  } finally {
    leg.close(spent && addUsage(spent, hop.usage()));
    answering.over();
  }
}

/** What the caller gets of a packet; where an event of it does not fit, of what came before that. */
const taken = (
  hop: Hop,
  packet: readonly ChatEvent[],
): { readonly news: readonly ChatEvent[]; readonly fits: boolean } => {
  const news: ChatEvent[] = [];
  for (const event of packet) {
    const said = hop.take(event);
    if (said === undefined) return { news, fits: false };
    news.push(...said);
  }
  return { news, fits: true };
};

const NOTHING: Delivered = { told: '', tail: '' };

/** What one target says, on its way to the caller. */
interface Hop {
  /** What the caller gets of an event; undefined where it cannot follow what the caller has. */
  take(event: ChatEvent): readonly ChatEvent[] | undefined;
  /** What is left to say when the answer is whole. */
  end(): readonly ChatEvent[];
  /** Whether the caller has seen any of it. */
  isShown(): boolean;
  usage(): Usage;
}

const newFirstHop = (shown: Shown, leg: Leg): Hop => {
  const meter = newMeter(leg.asked);
  return {
    take(event) {
      meter.note(event);
      show(shown, event, leg.asked);
      return [event];
    },
    end: () => [],
    isShown: () => true,
    usage: () => meter.usage(),
  };
};

interface LaterHop {
  readonly leg: Leg;
  readonly mode: 'continue' | 'restart';
  /** What the hops before it took. */
  readonly spent: Usage;
  readonly seam: Seam;
  readonly forwards: (event: ChatEvent) => boolean;
  /** Called before the first event that the caller gets. */
  begin(): ChatEvent;
  show(event: ChatEvent): void;
}

/** The seam is told only with something behind it, so that a target that breaks before leaves no trace in the answer. */
const newLaterHop = ({ leg, mode, spent, seam, forwards, begin, show }: LaterHop): Hop => {
  const meter = newMeter(leg.asked);
  let begun = false;
  let toldUsage = false;

  const hand = (event: ChatEvent): readonly ChatEvent[] => {
    const { bytes: _, ...plain } = event;
    const news = begun ? [plain] : [begin(), plain];
    begun = true;
    show(plain);
    return news;
  };
  const say = (text: string | undefined): readonly ChatEvent[] | undefined => {
    if (text === undefined) return undefined;
    return text === '' ? [] : hand({ type: 'text', text });
  };
  /** Behind what the seam still held back. */
  const after = (event: ChatEvent): readonly ChatEvent[] | undefined => {
    const rest = say(seam.end());
    return rest && [...rest, ...hand(event)];
  };

  return {
    take(event) {
      meter.note(event);
      switch (event.type) {
        case 'text':
          return say(seam.push(event.text));
        case 'reasoning':
          // Another model's thoughts are no continuation of those that the caller has.
          return mode === 'continue' || event.text === '' || !forwards(event) ? [] : hand(event);
        case 'refusal':
          return event.text === '' ? [] : after(event);
        case 'tool-call':
        case 'finish':
          return after(event);
        case 'usage':
          toldUsage ||= begun;
          return begun ? hand({ type: 'usage', usage: addUsage(spent, event.usage) }) : [];
        case 'unknown':
          // Only its bytes say what it is.
          return undefined;
        default:
          return [];
      }
    },
    end: () => (toldUsage ? [] : hand({ type: 'usage', usage: addUsage(spent, meter.usage()) })),
    isShown: () => begun,
    usage: () => meter.usage(),
  };
};

interface Meter {
  note(event: ChatEvent): void;
  /** As the vendor told it, or an estimate. */
  usage(): Usage;
}

const newMeter = (asked: ChatRequest): Meter => {
  let told: Usage | undefined;
  let said = '';
  let thought = '';
  return {
    note(event) {
      switch (event.type) {
        case 'text':
        case 'refusal':
          said += event.text;
          break;
        case 'reasoning':
          thought += event.text;
          break;
        case 'tool-call':
          said += `${event.name ?? ''}${event.arguments}`;
          break;
        case 'usage':
          told = event.usage;
          break;
      }
    },
    usage() {
      if (told !== undefined) return told;
      const reasoningTokens = estimateTokenCount(thought);
      const outputTokens = estimateTokenCount(said) + reasoningTokens;
      return {
        inputTokens: contentsOf(asked).estimatedTokens,
        outputTokens,
        cachedInputTokens: 0,
        reasoningTokens,
        isEstimate: true,
      };
    },
  };
};
