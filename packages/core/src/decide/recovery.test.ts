import { describe, expect, test } from 'vitest';
import { addUsage, canBeginAnew, canContinue, nothingShown, type Shown, show } from './recovery.ts';
import type { ChatRequest } from './request.ts';
import type { ChatEvent } from './response.ts';

const asked: ChatRequest = { messages: [] };
const bytes = new Uint8Array();
const shownOf = (events: readonly ChatEvent[], request = asked): Shown => {
  const shown = nothingShown();
  for (const event of events) show(shown, event, request);
  return shown;
};

describe('another model can carry on', () => {
  test.each<[string, readonly ChatEvent[], ChatRequest, boolean]>([
    ['with text', [{ type: 'text', text: 'a' }], asked, true],
    ['behind thoughts that anybody may have had', [{ type: 'reasoning', text: 'hm' }], asked, true],
    [
      'behind thoughts that pass through without a signature',
      [{ type: 'reasoning', text: 'hm', bytes }],
      { ...asked, source: { format: 'openai-chat', body: {} } },
      true,
    ],
    [
      'not behind thoughts that their vendor signs',
      [{ type: 'reasoning', text: 'hm', bytes }],
      { ...asked, source: { format: 'anthropic-messages', body: {} } },
      false,
    ],
    ['not in a tool call, nor behind one', [{ type: 'tool-call', index: 0, arguments: '' }], asked, false],
    ['not with a refusal', [{ type: 'refusal', text: 'No' }], asked, false],
    ['not with what only a vendor has words for', [{ type: 'unknown', name: 'search' }], asked, false],
    ['not with JSON', [{ type: 'text', text: '{"a' }], { ...asked, output: { type: 'json' } }, false],
  ])('%s', (_, events, request, can) => {
    expect(canContinue(shownOf(events, request), request)).toBe(can);
  });
});

describe('an answer can begin anew', () => {
  test.each<[string, ChatRequest, boolean]>([
    ['as a rule', asked, true],
    ['with JSON', { ...asked, output: { type: 'json' } }, true],
    ['with one choice', { ...asked, extra: { n: 1 } }, true],
    ['not with several choices', { ...asked, extra: { n: 2 } }, false],
    ['not with log probabilities', { ...asked, extra: { logprobs: true } }, false],
    ['not with sound', { ...asked, extra: { modalities: ['text', 'audio'] } }, false],
    [
      'not with log probabilities of Responses',
      { ...asked, source: { format: 'openai-responses', body: { include: ['message.output_text.logprobs'] } } },
      false,
    ],
  ])('%s', (_, request, can) => {
    expect(canBeginAnew(request)).toBe(can);
    expect(canContinue(nothingShown(), request)).toBe(can && request.output === undefined);
  });
});

test('usage adds up over the hops, and is an estimate where one of them is', () => {
  const a = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 4, reasoningTokens: 1, isEstimate: true } as const;
  const b = { inputTokens: 20, outputTokens: 6, cachedInputTokens: 0, reasoningTokens: 2, cacheWriteInputTokens: 3 };
  expect(addUsage(undefined, b)).toBe(b);
  expect(addUsage(b, b)).not.toHaveProperty('isEstimate');
  expect(addUsage(a, b)).toEqual({
    inputTokens: 30,
    outputTokens: 11,
    cachedInputTokens: 4,
    cacheWriteInputTokens: 3,
    reasoningTokens: 3,
    isEstimate: true,
  });
});
