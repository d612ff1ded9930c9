import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import OpenAI from 'openai';
import { setup } from './setup.ts';

// The vendor's own SDK in a handler, and the next client when a call has failed.

const clients = setup.urls.map((url) => new OpenAI({ apiKey: 'any-key', baseURL: `${url}/v1`, maxRetries: 0 }));

const encoder = new TextEncoder();

const printed = (chunks: AsyncIterable<OpenAI.ChatCompletionChunk>): ReadableStream<Uint8Array> => {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (!done) {
        controller.enqueue(encoder.encode(`data: ${JSON.stringify(value)}\n\n`));
        return;
      }
      controller.enqueue(encoder.encode('data: [DONE]\n\n'));
      controller.close();
    },
    async cancel() {
      await iterator.return?.();
    },
  });
};

const app = new Hono();
app.post('/v1/chat/completions', async (c) => {
  const body = await c.req.json<OpenAI.ChatCompletionCreateParams>();
  let last: unknown;
  for (const client of clients) {
    try {
      if (body.stream !== true) return c.json(await client.chat.completions.create({ ...body, stream: false }));
      const chunks = await client.chat.completions.create({ ...body, stream: true });
      return new Response(printed(chunks), { headers: { 'content-type': 'text/event-stream' } });
    } catch (error) {
      last = error;
    }
  }
  throw last;
});
serve({ fetch: app.fetch, port: setup.port, hostname: setup.host });
