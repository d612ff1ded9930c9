import type { ChatRequest, Continuation, Message, Source } from './request.ts';
import type { SeamKind } from './seam.ts';

/**
 * The request that asks another model to carry on: the text that was delivered is the assistant's last turn, and unless
 * the model goes on from a turn that is not finished, it is asked to. A body that passes through gets the same turns.
 *
 * Limits shrink by what was said already, and by nothing less than leaves room for one token. `saidTokens` and
 * `anchorTokens` are estimates.
 */
export const continued = (
  request: ChatRequest,
  continuation: Continuation,
  saidTokens: number,
  anchorTokens: number,
): ChatRequest => {
  const { maxOutputTokens, maxReasoningTokens, source } = request;
  const less = continuation.how === 'prefill' ? saidTokens : saidTokens - anchorTokens;
  return {
    ...request,
    continuation,
    messages: [...request.messages, ...turnsOf(continuation)],
    ...(maxOutputTokens !== undefined && { maxOutputTokens: shrunk(maxOutputTokens, less, maxReasoningTokens ?? 0) }),
    ...(source !== undefined && { source: { ...source, body: bodyOf(source, continuation, less) } }),
  };
};

export const seamKindOf = (continuation: Continuation | undefined): SeamKind => continuation ?? { how: 'anew' };

const turnsOf = (continuation: Continuation): readonly Message[] => [
  { role: 'assistant', content: [{ type: 'text', text: continuation.text }] },
  ...(continuation.how === 'instruction'
    ? [{ role: 'user', content: [{ type: 'text', text: instructionFor(continuation.anchor) }] } as const]
    : []),
];

/** The words are between tags, since they may have any quotation marks in them. */
export const instructionFor = (anchor: string): string =>
  'Your answer above was cut off by the network. Carry on with it exactly where it stops: begin by repeating its last words, ' +
  'which are between the tags, character for character and without the tags, and go straight on from there. ' +
  'Say nothing before them, do not begin the answer again, and do not mention this message.\n' +
  `<last_words>${anchor}</last_words>`;

const bodyOf = ({ format, body }: Source, continuation: Continuation, less: number): Source['body'] => {
  const limits = shrunkLimits(body, less, format === 'openai-responses' ? LOWEST_LIMIT : 1);
  if (format === 'openai-responses') {
    return { ...body, ...limits, input: [...itemsOf(body.input), ...turnsOf(continuation).map(toItem)] };
  }
  const messages = Array.isArray(body.messages) ? body.messages : [];
  return { ...body, ...limits, messages: [...messages, ...turnsOf(continuation).map(toTurn)] };
};

/** Chat Completions and Messages have the same word for a turn of text. */
const toTurn = ({ role, content }: Message): object => ({ role, content: textOf(content) });

const toItem = ({ role, content }: Message): object => ({
  type: 'message',
  role,
  content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text: textOf(content) }],
});

const textOf = (content: Message['content']): string =>
  content.map((part) => (part.type === 'text' ? part.text : '')).join('');

/** What is put to Responses may be one text. */
const itemsOf = (input: unknown): readonly unknown[] => {
  if (Array.isArray(input)) return input;
  return typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : [];
};

/** OpenAI's Responses refuse a lower limit, in tokens. */
const LOWEST_LIMIT = 16;

const shrunkLimits = (body: Source['body'], less: number, least: number): Record<string, number> => {
  const limits: Record<string, number> = {};
  for (const name of ['max_tokens', 'max_completion_tokens', 'max_output_tokens']) {
    const limit = body[name];
    if (typeof limit === 'number') limits[name] = Math.max(least, shrunk(limit, less, thinkingOf(body)));
  }
  return limits;
};

/** What may go into thinking has to fit below the limit, and a limit does not grow. */
const shrunk = (limit: number, less: number, thinkingTokens: number): number =>
  Math.max(1, Math.min(limit, Math.max(limit - less, thinkingTokens + 1)));

const thinkingOf = ({ thinking }: Source['body']): number => {
  if (typeof thinking !== 'object' || thinking === null || !('budget_tokens' in thinking)) return 0;
  return typeof thinking.budget_tokens === 'number' ? thinking.budget_tokens : 0;
};
