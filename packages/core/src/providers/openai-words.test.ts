import { expect, test } from 'vitest';
import { withPrefill } from './openai-words.ts';

const body = {
  model: 'm',
  messages: [
    { role: 'user', content: 'Tell me.' },
    { role: 'assistant', content: 'Once' },
  ],
};

test('vLLM and its like are told beside the conversation that its last turn is open', () => {
  expect(withPrefill(body, 'http://localhost:8000/v1')).toEqual({
    ...body,
    continue_final_message: true,
    add_generation_prompt: false,
  });
});

test.each(['https://api.mistral.ai/v1', 'https://api.deepseek.com/beta'])('%s is told with the turn', (baseURL) => {
  expect(withPrefill(body, baseURL)).toEqual({
    ...body,
    messages: [body.messages[0], { role: 'assistant', content: 'Once', prefix: true }],
  });
});
