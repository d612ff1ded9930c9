import type { Embedding } from './embedding.ts';
import { instanceOf } from './instance.ts';
import type { JsonObject } from './json.ts';
import { carryOn, hearingOf, type Manners } from './manners.ts';
import type { VendorName } from './vendor.ts';

/** One entry of a conversation, the same for all vendors. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  readonly images: number;
}

export interface Tool {
  readonly name: string;
  /** The JSON schema of its arguments. */
  readonly parameters: unknown;
}

/** What a request asks for, the same for all vendors: all that the simulated model looks at. */
export interface Question {
  readonly model: string;
  readonly stream: boolean;
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  /** A list of names forces a call to one of them; an empty one, to any. */
  readonly toolChoice: 'auto' | 'none' | readonly string[];
  readonly parallelToolCalls: boolean;
  readonly format: { readonly type: 'text' | 'json' } | { readonly type: 'schema'; readonly schema: unknown };
  readonly maxOutputTokens: number | undefined;
  readonly stop: readonly string[];
  /** Does the model think first, and does it show what it thought? */
  readonly reasoning: 'none' | 'hidden' | 'shown';
  /** How many answers at once. */
  readonly choices: number;
  /** Does a stream tell its usage? */
  readonly streamUsage: boolean;
  /** Set where vectors are asked for, and no answer. */
  readonly embed?: Embedding;
  /** The field that says that the model's own turn at the end is open, which not every server of a format knows. */
  readonly openTurn?: string | undefined;
}

/** `filtered`: the vendor declined. `refused`: the model says why it will not. `unsaid`: the answer never says why it ended, which is a fault. */
export type Finish = 'stop' | 'stop-sequence' | 'length' | 'tool-calls' | 'filtered' | 'refused' | 'unsaid';

export interface Choice {
  readonly text: string;
  readonly toolCalls: readonly { readonly name: string; readonly args: JsonObject }[];
  readonly finish: Finish;
  /** The stop sequence that ended the text. */
  readonly stoppedBy: string | undefined;
}

interface Usage {
  /** Includes `cachedTokens`. */
  readonly inputTokens: number;
  readonly cachedTokens: number;
  /** Includes `reasoningTokens`. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

export interface Answer {
  readonly model: string;
  /** What the model thought before it answered; empty if it did not. */
  readonly thought: string;
  /** At least one. */
  readonly choices: readonly [Choice, ...Choice[]];
  readonly usage: Usage;
}

const CHARACTERS_PER_TOKEN = 4;

/** Four characters a token is the usual rule of thumb for English. */
export const tokensOf = (text: string): number => tokensIn(text.length);

const tokensIn = (characters: number): number => Math.ceil(characters / CHARACTERS_PER_TOKEN);

/** All that the model reads, in the order in which vendors put it together: tools first. */
export const promptOf = ({ tools, turns }: Question): string =>
  [...tools.map((tool) => JSON.stringify(tool)), ...turns.map((turn) => `${turn.role}: ${turn.text}`)].join('\n');

/** Vendors cache no prompt shorter than this. */
const SHORTEST_CACHED_TOKENS = 1_024;

/** How many tokens at the start of the prompt the vendor has read before, in one of the prompts it remembers. */
const cachedTokensOf = (prompt: string, remembered: readonly string[]): number => {
  let longest = 0;
  for (const earlier of remembered) {
    let same = 0;
    while (same < prompt.length && prompt[same] === earlier[same]) same += 1;
    longest = Math.max(longest, same);
  }
  const tokens = Math.floor(longest / CHARACTERS_PER_TOKEN);
  return tokens < SHORTEST_CACHED_TOKENS ? 0 : tokens;
};

/**
 * What the simulated model says. The same question always gets the same answer.
 *
 * It calls a tool when it is forced to or when the last user text names one ("weather" is enough for a tool whose name
 * has it), two at once when that text says "twice"; quotes what a tool returned; fills in a schema, or refuses to where
 * that text says "refuse" and the vendor has a word for it; and otherwise says one sentence with the user's own words in
 * it. Where its answer is there in part, at the end of the conversation or before a user who asks it to carry on, it says
 * what is left of it, as its manners are. `maxOutputTokens` cuts text, as does a stop sequence; tool calls are never cut.
 */
export const answerTo = (
  vendor: VendorName,
  question: Question,
  remembered: readonly string[] = [],
  manners: Manners = {},
): Answer => {
  const { model, reasoning, maxOutputTokens = Number.POSITIVE_INFINITY } = question;
  if (question.embed !== undefined) return answerOfVectors(model, question.embed);
  const prompt = promptOf(question);
  const thought = cut(reasoning === 'none' ? '' : THOUGHT, maxOutputTokens);
  const room = maxOutputTokens - tokensOf(thought);
  const choice = (i: number): Choice => choose(vendor, question, i, room, manners);
  const choices: [Choice, ...Choice[]] = [choice(0)];
  while (choices.length < question.choices) choices.push(choice(choices.length));
  const reasoningTokens = tokensOf(thought);
  const outputTokens = choices.reduce((sum, { text, toolCalls }) => sum + tokensSaid(text, toolCalls), reasoningTokens);
  const cachedTokens = cachedTokensOf(prompt, remembered);
  return {
    model,
    thought,
    choices,
    usage: { inputTokens: tokensOf(prompt), cachedTokens, outputTokens, reasoningTokens },
  };
};

/** An answer that is all vectors: nothing is said, and no token is made. */
const answerOfVectors = (model: string, { texts }: Embedding): Answer => ({
  model,
  thought: '',
  choices: [{ text: '', toolCalls: [], finish: 'stop', stoppedBy: undefined }],
  usage: {
    inputTokens: texts.reduce((sum, text) => sum + tokensOf(text), 0),
    cachedTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
  },
});

/** The answer of a vendor that declined to give one. */
export const filtered = (answer: Answer): Answer => ({
  ...answer,
  thought: '',
  choices: [{ text: '', toolCalls: [], finish: 'filtered', stoppedBy: undefined }],
  usage: { ...answer.usage, outputTokens: 0, reasoningTokens: 0 },
});

/** The answer without a word on why it ended. */
export const unfinished = (answer: Answer): Answer => {
  const [first, ...rest] = answer.choices;
  const unsaid = (choice: Choice): Choice => ({ ...choice, finish: 'unsaid' });
  return { ...answer, choices: [unsaid(first), ...rest.map(unsaid)] };
};

/** A piece of a text, and how many tokens it adds. */
export interface Piece {
  readonly text: string;
  readonly tokens: number;
}

/** A text in the pieces in which a stream carries it: about a word each, and whole characters always. */
export const piecesOf = (text: string): readonly Piece[] => {
  let end = 0;
  return (text.match(/\s*\S{1,16}|\s+/gu) ?? []).map((piece) => {
    const before = tokensIn(end);
    end += piece.length;
    // Counted from the start of the text, so that the pieces add up to the tokens of the whole.
    return { text: piece, tokens: tokensIn(end) - before };
  });
};

const THOUGHT = 'The user says something, and I am to make up an answer.';

const choose = (vendor: VendorName, asked: Question, index: number, room: number, manners: Manners): Choice => {
  const hearing = hearingOf(asked.turns);
  const question = hearing === undefined ? asked : { ...asked, turns: hearing.turns };
  const toolCalls = callsFor(question);
  if (toolCalls.length > 0) return { text: '', toolCalls, finish: 'tool-calls', stoppedBy: undefined };
  if (refuses(vendor, question)) return { text: REFUSAL, toolCalls: [], finish: 'refused', stoppedBy: undefined };
  const whole = textFor(manners.speaker ?? `${vendor}/${question.model}`, question, index);
  const text = hearing === undefined ? whole : carryOn(whole, hearing, manners);
  const stop = firstStop(text, question.stop);
  const upToStop = stop === undefined ? text : text.slice(0, text.indexOf(stop));
  const upToLimit = cut(upToStop, room);
  if (upToLimit.length < upToStop.length) {
    return { text: upToLimit, toolCalls, finish: 'length', stoppedBy: undefined };
  }
  return { text: upToStop, toolCalls, finish: stop === undefined ? 'stop' : 'stop-sequence', stoppedBy: stop };
};

const REFUSAL = 'I am sorry, but I will not say that.';

/** Who is held to a schema has to have another way to say no, and not every vendor has. */
const refuses = (vendor: VendorName, { format, turns }: Question): boolean =>
  (vendor === 'openai' || vendor === 'anthropic') &&
  format.type === 'schema' &&
  /\brefuse\b/i.test(lastUserText(turns));

const callsFor = ({ tools, toolChoice, turns, parallelToolCalls }: Question): Choice['toolCalls'] => {
  if (tools.length === 0 || toolChoice === 'none') return [];
  const text = lastUserText(turns).toLowerCase();
  const forced = toolChoice === 'auto' ? undefined : toolChoice;
  // A model that may choose reads the results it asked for before it asks again.
  if (forced === undefined && turns.at(-1)?.role === 'tool') return [];
  const offered =
    forced === undefined || forced.length === 0 ? tools : tools.filter(({ name }) => forced.includes(name));
  const tool = offered.find(({ name }) => isMentioned(name.toLowerCase(), text)) ?? (forced && offered[0]);
  if (tool === undefined) return [];
  const args = instanceOf(tool.parameters);
  // A tool without a schema takes no arguments.
  const call = { name: tool.name, args: typeof args === 'object' ? (args as JsonObject) : {} };
  return parallelToolCalls && /\btwice\b/.test(text) ? [call, call] : [call];
};

const isMentioned = (tool: string, text: string): boolean =>
  text.includes(tool) || (text.includes('weather') && tool.includes('weather'));

const textFor = (speaker: string, { turns, format }: Question, index: number): string => {
  if (format.type === 'schema') return JSON.stringify(instanceOf(format.schema));
  const results = resultsAtEnd(turns);
  const heard =
    results.length > 0 ? `read the tool's result: ${quote(results)}` : `heard: ${quote(lastUserText(turns))}`;
  const images = turns.reduce((sum, turn) => sum + turn.images, 0);
  const seen = images === 0 ? '' : ` It was shown ${images} image${images === 1 ? '' : 's'}.`;
  const which = index === 0 ? '' : ` This is choice ${index + 1}.`;
  const sentence = `${speaker} (simulated) ${heard}.${seen}${which} ${REMARK}`;
  return format.type === 'json' ? JSON.stringify({ answer: sentence }) : sentence;
};

/** Brings an answer to some thirty words, about as many as a short chat answer has. */
const REMARK =
  'No model was asked: this sentence was made up on the spot, so that a test costs neither tokens nor time.';

/** The longest quote, in characters: an answer stays an answer however long the question was. */
const LONGEST_QUOTE = 400;

const quote = (text: string): string =>
  text.length > LONGEST_QUOTE ? `"${wellFormed(text.slice(0, LONGEST_QUOTE))}…"` : `"${text}"`;

const lastUserText = (turns: readonly Turn[]): string => turns.findLast((turn) => turn.role === 'user')?.text ?? '';

const resultsAtEnd = (turns: readonly Turn[]): string =>
  turns
    .slice(turns.findLastIndex((turn) => turn.role !== 'tool') + 1)
    .map((turn) => turn.text)
    .join('; ');

/** The stop sequence that the text comes upon first. */
const firstStop = (text: string, stops: readonly string[]): string | undefined => {
  const found = stops.filter((stop) => stop !== '' && text.includes(stop));
  return found.toSorted((a, b) => text.indexOf(a) - text.indexOf(b))[0];
};

const cut = (text: string, tokens: number): string =>
  wellFormed(text.slice(0, Math.max(0, tokens) * CHARACTERS_PER_TOKEN));

/** A text that was cut, without the half of a character that the cut may have left at its end. */
const wellFormed = (text: string): string => text.replace(/[\uD800-\uDBFF]$/, '');

const tokensSaid = (text: string, toolCalls: Choice['toolCalls']): number =>
  toolCalls.reduce((sum, { name, args }) => sum + tokensOf(name) + tokensOf(JSON.stringify(args)), tokensOf(text));
