import { expect } from 'vitest';
import type { Body } from '../callers.ts';
import { as, endOf, type Feature } from '../feature.ts';

type Turn = readonly [role: 'system' | 'user' | 'assistant', ...texts: string[]];

const texts = (type: string, said: readonly string[]): Body[] => said.map((text) => ({ type, text }));

const inChat = (turns: readonly Turn[]): Body => ({
  messages: turns.map(([role, ...said]) => ({ role, content: texts('text', said) })),
});

/** What a conversation looks like at each vendor. `merged` where neighbours of one role have to be one turn. */
const conversation = (
  turns: readonly Turn[],
  { instructions, merged = turns }: { readonly instructions?: string; readonly merged?: readonly Turn[] } = {},
): Feature['at'] => {
  const spoken = instructions === undefined ? turns : [['system', instructions] as const, ...turns];
  return {
    openai: as(inChat(spoken)),
    responses: as({
      ...(instructions !== undefined && { instructions }),
      input: turns.map(([role, ...said]) => ({
        type: 'message',
        role,
        content: texts(role === 'assistant' ? 'output_text' : 'input_text', said),
      })),
    }),
    anthropic: as({
      ...(instructions !== undefined && { system: texts('text', [instructions]) }),
      ...inChat(merged),
    }),
    cohere: as(inChat(spoken)),
    gemini: as({
      ...(instructions !== undefined && { systemInstruction: { parts: [{ text: instructions }] } }),
      contents: merged.map(([role, ...said]) => ({
        role: role === 'assistant' ? 'model' : 'user',
        parts: said.map((text) => ({ text })),
      })),
    }),
  };
};

const answersHi: Feature['answer'] = ({ answer }, cell) => {
  expect(answer?.text).toContain('hi');
  expect(answer?.text).toContain('No model was asked');
  expect(answer?.finish).toBe(endOf('stop', cell));
  expect(answer?.usage.input).toBeGreaterThan(0);
  expect(answer?.usage.output).toBeGreaterThan(0);
};

export const CONVERSATION: readonly Feature[] = [
  {
    name: 'plain text',
    says: { chat: {}, messages: {}, responses: {}, glide: {} },
    at: conversation([['user', 'hi']]),
    answer: answersHi,
  },
  {
    name: 'several turns',
    says: {
      chat: {
        messages: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'user', content: 'hi' },
        ],
      },
      messages: {
        messages: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'user', content: 'hi' },
        ],
      },
      responses: {
        input: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'user', content: 'hi' },
        ],
      },
      glide: {
        message_history: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
        ],
        message: { role: 'user', content: 'hi' },
      },
    },
    at: conversation([
      ['user', 'one'],
      ['assistant', 'two'],
      ['user', 'hi'],
    ]),
    answer: answersHi,
  },
  {
    name: 'system first',
    says: {
      chat: {
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'hi' },
        ],
      },
      messages: { system: 'Be brief.' },
      responses: { instructions: 'Be brief.' },
      glide: { message_history: [{ role: 'system', content: 'Be brief.' }] },
    },
    at: conversation([['user', 'hi']], { instructions: 'Be brief.' }),
    answer: answersHi,
  },
  {
    name: 'developer role',
    says: {
      chat: {
        messages: [
          { role: 'developer', content: 'Be brief.' },
          { role: 'user', content: 'hi' },
        ],
      },
      responses: {
        input: [
          { role: 'developer', content: 'Be brief.' },
          { role: 'user', content: 'hi' },
        ],
      },
      glide: { message_history: [{ role: 'developer', content: 'Be brief.' }] },
    },
    at: conversation([['user', 'hi']], { instructions: 'Be brief.' }),
    answer: answersHi,
  },
  {
    name: 'system later',
    says: {
      chat: {
        messages: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'system', content: 'Now in rhyme.' },
          { role: 'user', content: 'hi' },
        ],
      },
      responses: {
        input: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'system', content: 'Now in rhyme.' },
          { role: 'user', content: 'hi' },
        ],
      },
      glide: {
        message_history: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'system', content: 'Now in rhyme.' },
        ],
      },
    },
    // Anthropic and Gemini know the system only at the beginning: later, the user says it where it stands.
    at: conversation(
      [
        ['user', 'one'],
        ['assistant', 'two'],
        ['system', 'Now in rhyme.'],
        ['user', 'hi'],
      ],
      {
        merged: [
          ['user', 'one'],
          ['assistant', 'two'],
          ['user', 'Now in rhyme.', 'hi'],
        ],
      },
    ),
    answer: answersHi,
  },
  {
    name: 'neighbours of one role',
    says: {
      chat: {
        messages: [
          { role: 'user', content: 'one' },
          { role: 'user', content: 'hi' },
        ],
      },
      messages: {
        messages: [
          { role: 'user', content: 'one' },
          { role: 'user', content: 'hi' },
        ],
      },
      responses: {
        input: [
          { role: 'user', content: 'one' },
          { role: 'user', content: 'hi' },
        ],
      },
      glide: { message_history: [{ role: 'user', content: 'one' }] },
    },
    at: conversation(
      [
        ['user', 'one'],
        ['user', 'hi'],
      ],
      { merged: [['user', 'one', 'hi']] },
    ),
    answer: answersHi,
  },
];
