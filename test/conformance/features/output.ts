import { expect } from 'vitest';
import { as, endOf, everywhere, type Feature } from '../feature.ts';

const SCHEMA = {
  type: 'object' as const,
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};

const isJson: Feature['answer'] = ({ answer, status }) => {
  if (status === 200) expect(JSON.parse(answer?.text ?? '')).toBeTypeOf('object');
};

const question = 'Answer in JSON.';

export const OUTPUT: readonly Feature[] = [
  {
    name: 'JSON mode',
    says: {
      chat: { messages: [{ role: 'user', content: question }], response_format: { type: 'json_object' } },
      responses: { input: [{ role: 'user', content: question }], text: { format: { type: 'json_object' } } },
      glide: { message: { role: 'user', content: question }, response_format: { type: 'json_object' } },
    },
    at: {
      openai: as({ response_format: { type: 'json_object' } }),
      responses: as({ text: { format: { type: 'json_object' } } }),
      // It has no such mode: it is asked in the system prompt.
      anthropic: as({ system: [{ type: 'text', text: expect.stringContaining('one JSON object') }] }),
      cohere: as({ response_format: { type: 'json_object' } }),
      gemini: as({ generationConfig: { responseMimeType: 'application/json' } }),
    },
    answer(heard, cell) {
      // A simulated model does not read its system prompt.
      if (cell.tongue !== 'anthropic') isJson(heard, cell);
    },
  },
  {
    name: 'JSON schema',
    says: {
      chat: {
        response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: SCHEMA, strict: true } },
      },
      messages: { output_config: { format: { type: 'json_schema', schema: SCHEMA } } },
      responses: { text: { format: { type: 'json_schema', name: 'weather', schema: SCHEMA, strict: true } } },
      glide: {
        response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: SCHEMA, strict: true } },
      },
    },
    at: {
      openai: as({
        response_format: { type: 'json_schema', json_schema: { name: expect.any(String), schema: SCHEMA } },
      }),
      responses: as({ text: { format: { type: 'json_schema', name: expect.any(String), schema: SCHEMA } } }),
      anthropic: as({
        output_config: { format: { type: 'json_schema', schema: { type: 'object', required: ['city'] } } },
      }),
      cohere: as({ response_format: { type: 'json_object', json_schema: { type: 'object', required: ['city'] } } }),
      gemini: as({ generationConfig: { responseMimeType: 'application/json' } }),
    },
    answer({ answer }) {
      expect(JSON.parse(answer?.text ?? '')).toEqual({ city: 'some city' });
    },
  },
  {
    name: 'an answer that the model refuses',
    says: {
      chat: {
        messages: [{ role: 'user', content: 'Please refuse.' }],
        response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: SCHEMA, strict: true } },
      },
      messages: {
        messages: [{ role: 'user', content: 'Please refuse.' }],
        output_config: { format: { type: 'json_schema', schema: SCHEMA } },
      },
      responses: {
        input: 'Please refuse.',
        text: { format: { type: 'json_schema', name: 'weather', schema: SCHEMA, strict: true } },
      },
      glide: {
        message: { role: 'user', content: 'Please refuse.' },
        response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: SCHEMA, strict: true } },
      },
    },
    at: everywhere(as({})),
    unread: {
      'chat anthropic':
        'Plain only: Anthropic tells at the end that what it said is a refusal, and the client’s helper for streams reads as JSON whatever is not marked as one from the start.',
    },
    answer({ answer }, cell) {
      const { format, tongue } = cell;
      // Cohere and Gemini have no word for it: what they say is the answer.
      if (tongue === 'cohere' || tongue === 'gemini') return expect(answer?.finish).toBe(endOf('stop', cell));
      const words = 'I will not say that';
      // OpenAI sets a refusal apart from the text; for Anthropic it is how the text ended.
      if (tongue !== 'anthropic' && (format === 'chat' || format === 'responses')) {
        expect(answer).toMatchObject({ refusal: expect.stringContaining(words), text: '' });
        expect(answer?.finish).toBe(endOf('stop', cell));
      } else {
        expect(answer?.text).toContain(words);
        expect(answer?.finish).toBe(endOf('filtered', cell));
      }
    },
  },
];
