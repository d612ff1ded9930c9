import { expect } from 'vitest';
import { as, endOf, type Feature, kept, leftOut, skipped } from '../feature.ts';
import { NO_WORD } from './why.ts';

const config = (generationConfig: object) => as({ generationConfig });

const STOPS = ['xx', 'yy', 'zz', 'No model', 'qq'];

const stopsShort: Feature['answer'] = ({ answer, status }, cell) => {
  if (status !== 200) return;
  expect(answer?.text).toContain('hi');
  expect(answer?.text).not.toContain('No model');
  // OpenAI and Gemini do not say which sequence it was, nor that it was one.
  const says = cell.format === 'messages' && (cell.tongue === 'anthropic' || cell.tongue === 'cohere');
  if (!says) expect(answer?.finish).toBe(endOf('stop', cell));
};

export const SAMPLING: readonly Feature[] = [
  {
    name: 'temperature 0',
    says: {
      chat: { temperature: 0 },
      messages: { temperature: 0 } as object,
      responses: { temperature: 0 },
      glide: { temperature: 0 },
    },
    at: {
      openai: as({ temperature: 0 }),
      responses: as({ temperature: 0 }),
      anthropic: as({ temperature: 0 }),
      cohere: as({ temperature: 0 }),
      gemini: config({ temperature: 0 }),
    },
  },
  {
    name: 'temperature above 1',
    says: { chat: { temperature: 1.5 }, responses: { temperature: 1.5 }, glide: { temperature: 1.5 } },
    at: {
      openai: as({ temperature: 1.5 }),
      responses: as({ temperature: 1.5 }),
      anthropic: skipped(
        'temperature outside 0 to 1',
        'Anthropic counts from 0 to 1, and a scaled value would mean something else.',
      ),
      cohere: as({ temperature: 1.5 }),
      gemini: config({ temperature: 1.5 }),
    },
  },
  {
    name: 'top_p',
    says: {
      chat: { top_p: 0.5 },
      messages: { top_p: 0.5 } as object,
      responses: { top_p: 0.5 },
      glide: { top_p: 0.5 },
    },
    at: {
      openai: as({ top_p: 0.5 }),
      responses: as({ top_p: 0.5 }),
      anthropic: as({ top_p: 0.5 }),
      cohere: as({ p: 0.5 }),
      gemini: config({ topP: 0.5 }),
    },
  },
  {
    name: 'top_p of 1',
    says: { chat: { top_p: 1 }, messages: { top_p: 1 } as object, responses: { top_p: 1 }, glide: { top_p: 1 } },
    at: {
      openai: as({ top_p: 1 }),
      responses: as({ top_p: 1 }),
      anthropic: as({ top_p: 1 }),
      cohere: leftOut('top_p of 1 (0.99 is sent)', 'Cohere stops at 0.99, and who says 1 does not care.', { p: 0.99 }),
      gemini: config({ topP: 1 }),
    },
  },
  {
    name: 'top_k',
    says: { messages: { top_k: 40 } as object },
    at: {
      openai: skipped('top_k', NO_WORD.openai),
      responses: skipped('top_k', NO_WORD.openai),
      anthropic: as({ top_k: 40 }),
      cohere: as({ k: 40 }),
      gemini: config({ topK: 40 }),
    },
  },
  {
    name: 'most tokens',
    says: {
      chat: { max_completion_tokens: 64 },
      messages: { max_tokens: 64 },
      responses: { max_output_tokens: 64 },
      glide: { max_tokens: 64 },
    },
    at: {
      openai: as({ max_completion_tokens: 64 }, 'max_tokens'),
      responses: as({ max_output_tokens: 64 }),
      anthropic: as({ max_tokens: 64 }),
      cohere: as({ max_tokens: 64 }),
      gemini: config({ maxOutputTokens: 64 }),
    },
  },
  {
    name: 'most tokens, by its older name',
    says: { chat: { max_tokens: 64 } },
    at: {
      openai: as({}),
      responses: as({ max_output_tokens: 64 }),
      anthropic: as({ max_tokens: 64 }),
      cohere: as({ max_tokens: 64 }),
      gemini: config({ maxOutputTokens: 64 }),
    },
  },
  {
    name: 'no limit of tokens',
    says: { chat: {}, responses: {}, glide: {} },
    at: {
      openai: as({}, 'max_'),
      responses: as({}, 'max_'),
      // Anthropic does not answer without one.
      anthropic: as({ max_tokens: 4_096 }),
      cohere: as({}, 'max_'),
      gemini: as({}, 'maxOutputTokens'),
    },
  },
  {
    name: 'one stop sequence',
    says: { chat: { stop: 'No model' }, messages: { stop_sequences: ['No model'] }, glide: { stop: 'No model' } },
    at: {
      openai: as({ stop: ['No model'] }),
      responses: skipped('stop', NO_WORD.responses),
      anthropic: as({ stop_sequences: ['No model'] }),
      cohere: as({ stop_sequences: ['No model'] }),
      gemini: config({ stopSequences: ['No model'] }),
    },
    answer(heard, cell) {
      stopsShort(heard, cell);
      if (cell.format !== 'messages' || heard.status !== 200) return;
      const whole = heard.answer?.whole as { stop_sequence: string | null };
      const isTold = cell.tongue === 'anthropic' || cell.tongue === 'cohere';
      expect(whole.stop_sequence).toBe(isTold ? 'No model' : null);
      expect(heard.answer?.finish).toBe(isTold ? 'stop_sequence' : 'end_turn');
    },
  },
  {
    name: 'four stop sequences',
    says: {
      chat: { stop: STOPS.slice(0, 4) },
      messages: { stop_sequences: STOPS.slice(0, 4) },
      glide: { stop: STOPS.slice(0, 4) },
    },
    at: {
      openai: as({ stop: STOPS.slice(0, 4) }),
      responses: skipped('stop', NO_WORD.responses),
      anthropic: as({ stop_sequences: STOPS.slice(0, 4) }),
      cohere: as({ stop_sequences: STOPS.slice(0, 4) }),
      gemini: config({ stopSequences: STOPS.slice(0, 4) }),
    },
    answer: stopsShort,
  },
  {
    name: 'five stop sequences',
    says: { chat: { stop: STOPS }, messages: { stop_sequences: STOPS }, glide: { stop: STOPS } },
    at: {
      openai: skipped('more than 4 stop sequences', 'OpenAI takes four at most.'),
      responses: skipped('stop', NO_WORD.responses),
      anthropic: as({ stop_sequences: STOPS }),
      cohere: as({ stop_sequences: STOPS }),
      gemini: config({ stopSequences: STOPS }),
    },
    // It is OpenAI's to say.
    except: { 'chat openai': kept(400) },
    answer: stopsShort,
  },
  {
    name: 'stop at white space',
    says: { chat: { stop: ['\n\n'] }, glide: { stop: ['\n\n'] } },
    at: {
      openai: as({ stop: ['\n\n'] }),
      responses: skipped('stop', NO_WORD.responses),
      anthropic: skipped('stop at white space', 'Anthropic refuses a sequence that has nothing else.'),
      cohere: as({ stop_sequences: ['\n\n'] }),
      gemini: config({ stopSequences: ['\n\n'] }),
    },
  },
  {
    name: 'seed',
    says: { chat: { seed: 7 }, glide: { seed: 7 } },
    at: {
      openai: as({ seed: 7 }),
      responses: skipped('seed', NO_WORD.responses),
      anthropic: skipped('seed', NO_WORD.anthropic),
      cohere: as({ seed: 7 }),
      gemini: config({ seed: 7 }),
    },
  },
  {
    name: 'frequency penalty',
    says: { chat: { frequency_penalty: 0.5 }, glide: { frequency_penalty: 0.5 } },
    at: {
      openai: as({ frequency_penalty: 0.5 }),
      responses: skipped('frequency_penalty', NO_WORD.responses),
      anthropic: skipped('frequency_penalty', NO_WORD.anthropic),
      cohere: as({ frequency_penalty: 0.5 }),
      gemini: config({ frequencyPenalty: 0.5 }),
    },
  },
  {
    name: 'presence penalty',
    says: { chat: { presence_penalty: 0.5 }, glide: { presence_penalty: 0.5 } },
    at: {
      openai: as({ presence_penalty: 0.5 }),
      responses: skipped('presence_penalty', NO_WORD.responses),
      anthropic: skipped('presence_penalty', NO_WORD.anthropic),
      cohere: as({ presence_penalty: 0.5 }),
      gemini: config({ presencePenalty: 0.5 }),
    },
  },
  {
    name: 'both penalties, one below 0',
    says: {
      chat: { frequency_penalty: 0.5, presence_penalty: -0.5 },
      glide: { frequency_penalty: 0.5, presence_penalty: -0.5 },
    },
    at: {
      openai: as({ frequency_penalty: 0.5, presence_penalty: -0.5 }),
      responses: skipped(['frequency_penalty', 'presence_penalty'], NO_WORD.responses),
      anthropic: skipped(['frequency_penalty', 'presence_penalty'], NO_WORD.anthropic),
      cohere: skipped('presence_penalty outside 0 to 1', 'Cohere counts from 0 to 1, and takes one of the two.'),
      gemini: config({ frequencyPenalty: 0.5, presencePenalty: -0.5 }),
    },
  },
  {
    name: 'penalties of 0',
    says: { chat: { frequency_penalty: 0, presence_penalty: 0 }, glide: { frequency_penalty: 0, presence_penalty: 0 } },
    at: {
      openai: as({ frequency_penalty: 0, presence_penalty: 0 }),
      responses: as({}, 'penalty'),
      anthropic: as({}, 'penalty'),
      cohere: as({}, 'penalty'),
      gemini: config({ frequencyPenalty: 0, presencePenalty: 0 }),
    },
  },
];
