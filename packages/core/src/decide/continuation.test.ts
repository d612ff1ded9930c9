import { describe, expect, test } from 'vitest';
import { continued, instructionFor } from './continuation.ts';
import type { ChatRequest } from './request.ts';

const asked: ChatRequest = { messages: [{ role: 'user', content: [{ type: 'text', text: 'Tell me.' }] }] };
const prefill = { how: 'prefill', text: 'Once upon' } as const;
const instruction = { how: 'instruction', text: 'Once upon', anchor: 'Once upon' } as const;

describe('a request to carry on', () => {
  test('ends with the delivered text, as a turn that is not finished', () => {
    const { messages, continuation } = continued(asked, prefill, 2, 0);
    expect(messages.slice(1)).toEqual([{ role: 'assistant', content: [{ type: 'text', text: 'Once upon' }] }]);
    expect(continuation).toBe(prefill);
  });

  test('or with the words that ask to go on from it', () => {
    const { messages } = continued(asked, instruction, 2, 2);
    expect(messages.slice(1)).toEqual([
      { role: 'assistant', content: [{ type: 'text', text: 'Once upon' }] },
      { role: 'user', content: [{ type: 'text', text: instructionFor('Once upon') }] },
    ]);
    expect(instructionFor('Once upon')).toContain('<last_words>Once upon</last_words>');
  });

  test.each(['openai-chat', 'anthropic-messages'] as const)('has the same turns in a body of %s', (format) => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'Tell me.' }], temperature: 1 };
    const { source } = continued({ ...asked, source: { format, body } }, instruction, 2, 2);
    expect(source?.body).toEqual({
      ...body,
      messages: [
        { role: 'user', content: 'Tell me.' },
        { role: 'assistant', content: 'Once upon' },
        { role: 'user', content: instructionFor('Once upon') },
      ],
    });
  });

  test.each([
    ['a list', [{ role: 'user', content: 'Tell me.' }], [{ role: 'user', content: 'Tell me.' }]],
    ['one text', 'Tell me.', [{ type: 'message', role: 'user', content: 'Tell me.' }]],
    ['nothing', undefined, []],
  ])('has the same turns in a body of Responses whose input is %s', (_, input, before) => {
    const body = { model: 'm', input };
    const { source } = continued({ ...asked, source: { format: 'openai-responses', body } }, instruction, 2, 2);
    expect(source?.body.input).toEqual([
      ...before,
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Once upon' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: instructionFor('Once upon') }] },
    ]);
  });

  describe('has a limit that is less by what was said', () => {
    test('wherever the limit is', () => {
      const body = { max_tokens: 100, max_completion_tokens: 90, messages: [] };
      const request: ChatRequest = { ...asked, maxOutputTokens: 100, source: { format: 'openai-chat', body } };
      const { maxOutputTokens, source } = continued(request, prefill, 30, 0);
      expect(maxOutputTokens).toBe(70);
      expect(source?.body).toMatchObject({ max_tokens: 70, max_completion_tokens: 60 });
    });

    test('but not by the words that are to be said again', () => {
      expect(continued({ ...asked, maxOutputTokens: 100 }, instruction, 30, 8).maxOutputTokens).toBe(78);
    });

    test('never by all of it, and never below what is to go into thinking', () => {
      expect(continued({ ...asked, maxOutputTokens: 20 }, prefill, 30, 0).maxOutputTokens).toBe(1);
      const thinking = { type: 'enabled', budget_tokens: 1_024 };
      const body = { max_tokens: 1_100, thinking, messages: [] };
      const { source } = continued({ ...asked, source: { format: 'anthropic-messages', body } }, instruction, 200, 2);
      expect(source?.body.max_tokens).toBe(1_025);
      const low = { max_output_tokens: 40, input: [] };
      const responses = continued({ ...asked, source: { format: 'openai-responses', body: low } }, prefill, 39, 0);
      expect(responses.source?.body.max_output_tokens).toBe(16);
    });

    test('and where there is none, none', () => {
      expect(continued(asked, prefill, 30, 0)).not.toHaveProperty('maxOutputTokens');
    });
  });
});
