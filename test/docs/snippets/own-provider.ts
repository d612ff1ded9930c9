import {
  brokenAnswer,
  type Call,
  type ChatRequest,
  type ChatResponse,
  failureFromUnknown,
  failureFromVendor,
  isObject,
  ProviderFailure,
  type TargetOptions,
  type TargetSpec,
} from '@switchyard/core/provider';

const VENDOR = 'acme';

/** A model of Acme, whose API takes `{ model, prompt }` and answers `{ text }`. */
export const acme = (model: string, { url, ...options }: TargetOptions & { readonly url: string }): TargetSpec => {
  const send = async (request: ChatRequest, { signal }: Call): Promise<ChatResponse> => {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(toAcme(model, request)), signal });
    const { status, headers } = response;
    if (!response.ok) {
      throw new ProviderFailure(failureFromVendor({ vendor: VENDOR, status, header: (name) => headers.get(name) }));
    }
    const body: unknown = await response.json();
    if (!isObject(body) || typeof body.text !== 'string') throw brokenAnswer(VENDOR, 'a body without text');
    return { id: '', model, text: body.text, toolCalls: [], finishReason: 'stop' };
  };
  return {
    vendor: VENDOR,
    model,
    options,
    connect: () => ({
      name: VENDOR,
      model,
      account: { endpoint: url, credential: 'none' },
      // Acme has no tools: a request with tools skips this target, and the trace says why.
      gaps: ({ tools }) => (tools === undefined ? [] : [{ what: 'tools' }]),
      send,
      async *stream(request, call) {
        const { text } = await send(request, call);
        yield { type: 'text', text };
        yield { type: 'finish', reason: 'stop' };
      },
      explain: (error, wire) => failureFromUnknown(VENDOR, error, wire),
    }),
  };
};

const toAcme = (model: string, { messages }: ChatRequest): object => ({
  model,
  prompt: messages.flatMap(({ content }) => content.map((part) => (part.type === 'text' ? part.text : ''))).join('\n'),
});
