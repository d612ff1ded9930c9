import type { Answer, Question } from '../../../packages/simulator/src/answer.ts';
import type { Wire } from '../../../packages/simulator/src/wire.ts';
import { anthropic } from '../../../packages/simulator/src/wires/anthropic.ts';
import { cohere } from '../../../packages/simulator/src/wires/cohere.ts';
import { google } from '../../../packages/simulator/src/wires/google.ts';
import { openai } from '../../../packages/simulator/src/wires/openai.ts';

// What the mock vendor says, made once, so that it costs it nothing while others are measured.

/** An answer on the wire, whole and in its frames. */
export interface Canned {
  readonly contentType: Wire['contentType'];
  readonly body: Buffer;
  readonly frames: readonly Buffer[];
}

const WORDS = ['every', 'word', 'of', 'an', 'answer', 'comes', 'in', 'a', 'chunk', 'of', 'its', 'own'];

const textOf = (words: number): string => Array.from({ length: words }, (_, i) => WORDS[i % WORDS.length]).join(' ');

const QUESTION: Question = {
  model: 'mock-model',
  stream: false,
  turns: [{ role: 'user', text: 'How far is the moon?', images: 0 }],
  tools: [],
  toolChoice: 'auto',
  parallelToolCalls: true,
  format: { type: 'text' },
  maxOutputTokens: undefined,
  stop: [],
  reasoning: 'none',
  choices: 1,
  streamUsage: true,
};

const answerOf = (words: number): Answer => ({
  model: QUESTION.model,
  thought: '',
  choices: [{ text: textOf(words), toolCalls: [], finish: 'stop', stoppedBy: undefined }],
  usage: { inputTokens: 12, cachedTokens: 0, outputTokens: words, reasoningTokens: 0 },
});

const STAMP = { id: '000001', nowMs: 1_760_000_000_000 };

/** Words of a plain answer: about as long as a short chat answer is. */
const PLAIN_WORDS = 30;

const canned = (wire: Wire, chunks: number): Canned => ({
  contentType: wire.contentType,
  body: Buffer.from(JSON.stringify(wire.print(answerOf(PLAIN_WORDS), QUESTION, STAMP))),
  frames: wire.stream(answerOf(chunks), { ...QUESTION, stream: true }, STAMP).map(({ bytes }) => Buffer.from(bytes)),
});

/** By what the path ends in, which names the vendor's format; with a stream of so many words. */
export const cannedAnswers = (chunks: number): ReadonlyMap<string, Canned> =>
  new Map([
    ['/chat/completions', canned(openai, chunks)],
    ['/messages', canned(anthropic, chunks)],
    ['/chat', canned(cohere, chunks)],
    ['Content', canned(google, chunks)],
  ]);
