// Talks to /llm: one question, one streamed answer. Knows nothing of the page.

/**
 * @typedef {{ target: string, outcome?: string, status?: string, ms?: string, skipped?: string }} Step
 *   What became of one target: asked, with which outcome, or skipped, and why.
 * @typedef {{ target: string | null, attempts: number, trail: Step[] }} Served
 * @typedef {{ type: 'served', served: Served } | { type: 'text', text: string }} AnswerEvent
 */

/**
 * Asks a route. First comes who served it, then the text piece by piece. It returns only when the answer is whole, and
 * throws when no target answered or when the answer broke off.
 *
 * @param {string} route
 * @param {{ role: 'user' | 'assistant', content: string }[]} messages
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AnswerEvent, void>}
 */
export async function* ask(route, messages, signal) {
  const response = await fetch(`/llm/${encodeURIComponent(route)}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages, stream: true }),
    signal,
  });
  yield { type: 'served', served: readServed(response.headers) };
  if (!response.ok || response.body === null) throw new Error(await readError(response));
  for await (const data of readEvents(response.body)) {
    if (data === '[DONE]') return;
    const { error, choices = [] } = JSON.parse(data);
    if (error) throw new Error(error.message);
    const { content, refusal } = choices[0]?.delta ?? {};
    if (content || refusal) yield { type: 'text', text: content || refusal };
  }
  // Whatever was said until here, nobody has said that it was all.
  throw new Error('The answer stopped before its end.');
}

/** @param {Headers} headers @returns {Served} */
const readServed = (headers) => ({
  target: headers.get('x-switchyard-target'),
  attempts: Number(headers.get('x-switchyard-attempts') ?? 0),
  trail: readTrail(headers.get('x-switchyard-trace') ?? ''),
});

/**
 * `openai/gpt-5-mini;outcome=overloaded;status=503;ms=12, cohere/command-a;skipped="rate-limited"`
 *
 * @param {string} trace @returns {Step[]}
 */
const readTrail = (trace) =>
  [...trace.matchAll(/([^\s;,]+)((?:;\w+=(?:"[^"]*"|[^;,]*))+)/g)].map(([, target = '', fields = '']) => {
    const pairs = [...fields.matchAll(/;(\w+)=(?:"([^"]*)"|([^;,]*))/g)];
    return { target, ...Object.fromEntries(pairs.map(([, name, quoted, plain]) => [name, quoted ?? plain])) };
  });

/** @param {Response} response */
const readError = async (response) => {
  const body = await response.json().catch(() => undefined);
  const retryAfter = response.headers.get('retry-after');
  const later = retryAfter === null ? '' : ` Try again in ${retryAfter} s.`;
  return `${body?.error?.message ?? `The server answered ${response.status}.`}${later}`;
};

/**
 * The data of each server-sent event.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<string, void>}
 */
async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      text = events.pop() ?? '';
      for (const event of events) {
        const data = event.split(/\r?\n/).filter((line) => line.startsWith('data:'));
        if (data.length > 0) yield data.map((line) => line.slice(5).trimStart()).join('\n');
      }
    }
  } finally {
    // Leaving early lets the server know, which then stops the vendor.
    reader.cancel().catch(() => {});
  }
}
