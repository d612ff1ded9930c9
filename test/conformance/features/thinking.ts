import { expect } from 'vitest';
import { as, type Feature, leftOut } from '../feature.ts';

/** What the simulated model thinks, where it is asked to show it. */
const THOUGHT = 'The user says something, and I am to make up an answer.';

const config = (thinkingConfig: object) => as({ generationConfig: { thinkingConfig } });

const shows: Feature['answer'] = ({ answer }, { format, tongue }) => {
  // Of OpenAI's two APIs one shows no thoughts, and neither of them unasked.
  const isShown = tongue === 'anthropic' || tongue === 'cohere' || tongue === 'gemini';
  expect(answer?.thoughts).toBe(isShown ? THOUGHT : '');
  if (format !== 'messages' || !isShown) return;
  const signature = expect.stringMatching(/./);
  expect(answer?.whole).toMatchObject({
    content: [{ type: 'thinking', thinking: THOUGHT, signature }, { type: 'text' }],
  });
};

export const THINKING: readonly Feature[] = [
  {
    name: 'a little reasoning effort',
    says: {
      chat: { reasoning_effort: 'low' },
      messages: { output_config: { effort: 'low' } },
      responses: { reasoning: { effort: 'low' } },
      glide: { reasoning_effort: 'low' },
    },
    at: {
      openai: as({ reasoning_effort: 'low' }),
      responses: as({ reasoning: { effort: 'low' } }),
      anthropic: as({ output_config: { effort: 'low' } }),
      cohere: as({ thinking: { type: 'enabled', token_budget: 2_048 } }),
      gemini: config({ thinkingLevel: 'LOW' }),
    },
  },
  {
    name: 'no reasoning',
    says: {
      chat: { reasoning_effort: 'none' },
      messages: { thinking: { type: 'disabled' } },
      responses: { reasoning: { effort: 'none' } },
      glide: { reasoning_effort: 'none' },
    },
    at: {
      openai: as({ reasoning_effort: 'none' }),
      responses: as({ reasoning: { effort: 'none' } }),
      anthropic: as({ thinking: { type: 'disabled' } }),
      cohere: as({ thinking: { type: 'disabled' } }),
      // Gemini 3 cannot be told not to think.
      gemini: config({ thinkingLevel: 'MINIMAL' }),
    },
    except: {
      // Not every model takes `none`, which callers of Messages mean in other words; all take `low`.
      'messages openai': as({ reasoning_effort: 'low' }),
      'messages responses': as({ reasoning: { effort: 'low' } }),
    },
  },
  {
    name: 'most reasoning effort',
    says: { messages: { output_config: { effort: 'max' } } },
    at: {
      openai: leftOut('output_config.effort', 'The step above `high` is Anthropic’s own; `high` is said.', {
        reasoning_effort: 'high',
      }),
      responses: leftOut('output_config.effort', 'The step above `high` is Anthropic’s own; `high` is said.', {
        reasoning: { effort: 'high' },
      }),
      anthropic: as({}),
      cohere: leftOut('output_config.effort', 'The step above `high` is Anthropic’s own; `high` is said.', {
        thinking: { type: 'enabled' },
      }),
      gemini: leftOut('output_config.effort', 'The step above `high` is Anthropic’s own; `high` is said.', {
        generationConfig: { thinkingConfig: { thinkingLevel: 'HIGH' } },
      }),
    },
  },
  {
    name: 'a budget of thought, shown',
    says: { messages: { max_tokens: 4_096, thinking: { type: 'enabled', budget_tokens: 2_048 } } },
    at: {
      openai: as({ reasoning_effort: 'low' }),
      responses: as({ reasoning: { effort: 'low' } }),
      anthropic: as({}),
      cohere: as({ thinking: { type: 'enabled', token_budget: 2_048 } }),
      gemini: config({ thinkingBudget: 2_048, includeThoughts: true }),
    },
    answer: shows,
  },
  {
    name: 'as much thought as it takes, shown',
    says: { messages: { thinking: { type: 'adaptive' } } },
    at: {
      openai: as({}, 'reasoning'),
      responses: as({}, 'effort'),
      anthropic: as({}),
      cohere: as({ thinking: { type: 'enabled' } }),
      gemini: config({ includeThoughts: true }),
    },
    answer(heard, cell) {
      // Unasked, the simulated Gemini does not think.
      if (cell.tongue === 'anthropic' || cell.tongue === 'cohere') shows(heard, cell);
    },
  },
  {
    name: 'thoughts that are summed up',
    says: { responses: { reasoning: { effort: 'low', summary: 'auto' } } },
    at: {
      openai: leftOut('reasoning.summary', 'Chat Completions show no thoughts.', { reasoning_effort: 'low' }),
      responses: as({}),
      anthropic: leftOut(
        'reasoning.summary',
        'Which models show their thoughts at an effort that is given in words, only they know.',
        {
          output_config: { effort: 'low' },
        },
      ),
      cohere: as({ thinking: { type: 'enabled', token_budget: 2_048 } }),
      gemini: config({ thinkingLevel: 'LOW', includeThoughts: true }),
    },
    answer({ answer }, { tongue }) {
      if (tongue === 'responses' || tongue === 'gemini' || tongue === 'cohere') expect(answer?.thoughts).toBe(THOUGHT);
    },
  },
  {
    name: 'thoughts of Anthropic that come back',
    says: {
      messages: {
        messages: [
          { role: 'user', content: 'one' },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Hm.', signature: 'c2lnbmVk' },
              { type: 'text', text: 'two' },
            ],
          },
          { role: 'user', content: 'hi' },
        ],
      },
    },
    at: {
      openai: leftOut(
        'thinking block',
        'Nobody but Anthropic can read it, and what was said is there.',
        {},
        'Hm.',
        'c2lnbmVk',
      ),
      responses: leftOut(
        'thinking block',
        'Nobody but Anthropic can read it, and what was said is there.',
        {},
        'Hm.',
        'c2lnbmVk',
      ),
      anthropic: as({}),
      cohere: leftOut(
        'thinking block',
        'Nobody but Anthropic can read it, and what was said is there.',
        {},
        'Hm.',
        'c2lnbmVk',
      ),
      gemini: leftOut(
        'thinking block',
        'Nobody but Anthropic can read it, and what was said is there.',
        {},
        'Hm.',
        'c2lnbmVk',
      ),
    },
  },
  {
    name: 'thoughts of OpenAI that come back',
    says: {
      responses: {
        input: [
          { role: 'user', content: 'one' },
          { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAAA-simulated-1' },
          { role: 'assistant', content: 'two' },
          { role: 'user', content: 'hi' },
        ],
      },
    },
    at: {
      openai: leftOut('reasoning item', 'Nobody but Responses can read it, and what was said is there.', {}, 'gAAAA'),
      responses: as({}),
      anthropic: leftOut(
        'reasoning item',
        'Nobody but Responses can read it, and what was said is there.',
        {},
        'gAAAA',
      ),
      cohere: leftOut('reasoning item', 'Nobody but Responses can read it, and what was said is there.', {}, 'gAAAA'),
      gemini: leftOut('reasoning item', 'Nobody but Responses can read it, and what was said is there.', {}, 'gAAAA'),
    },
  },
  {
    name: 'a signature of Gemini that comes back with its call',
    says: {
      chat: {
        messages: [
          { role: 'user', content: 'Weather?' },
          {
            role: 'assistant',
            tool_calls: [
              {
                id: 'call_1',
                type: 'function',
                function: { name: 'get_weather', arguments: '{}' },
                extra_content: { google: { thought_signature: 'c2ltdWxhdGVkIHRob3VnaHQgMQ==' } },
              } as never,
            ],
          },
          { role: 'tool', tool_call_id: 'call_1', content: '20 °C' },
        ],
      },
    },
    at: {
      openai: as({}),
      responses: as({}, 'c2ltdWxhdGVk'),
      anthropic: as({}, 'c2ltdWxhdGVk'),
      cohere: as({}, 'c2ltdWxhdGVk'),
      gemini: as({ contents: [{}, { parts: [{ thoughtSignature: 'c2ltdWxhdGVkIHRob3VnaHQgMQ==' }] }, {}] }),
    },
    answer: ({ answer }) => expect(answer?.text).toContain('20 °C'),
  },
  {
    name: 'tokens that went into thought',
    says: {
      chat: { reasoning_effort: 'high' },
      messages: { max_tokens: 8_192, output_config: { effort: 'high' }, thinking: { type: 'adaptive' } },
      responses: { reasoning: { effort: 'high' } },
    },
    at: {
      openai: as({ reasoning_effort: 'high' }),
      responses: as({ reasoning: { effort: 'high' } }),
      anthropic: as({ output_config: { effort: 'high' } }),
      cohere: as({ thinking: { type: 'enabled' } }),
      gemini: as({ generationConfig: { thinkingConfig: { thinkingLevel: 'HIGH' } } }),
    },
    answer({ answer }, { format, tongue }) {
      // Cohere does not tell; Anthropic’s simulator thinks only where it may show it.
      const isTold = tongue !== 'cohere' && (tongue !== 'anthropic' || format === 'messages');
      if (isTold) expect(answer?.usage.thought).toBeGreaterThan(0);
      else expect(answer?.usage.thought).toBe(0);
    },
  },
];
