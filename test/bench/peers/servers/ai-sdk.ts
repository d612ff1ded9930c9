import { createOpenAI } from '@ai-sdk/openai';
import { serve } from '@hono/node-server';
import { generateText, type ModelMessage, streamText } from 'ai';
import { createFallback } from 'ai-fallback';
import { Hono } from 'hono';
import { setup } from './setup.ts';

// The AI SDK in a handler, over models that ai-fallback switches between. One for all requests, as its README has it.

const model = createFallback({
  models: setup.urls.map((url) => createOpenAI({ apiKey: 'any-key', baseURL: `${url}/v1` }).chat('mock-model')),
});

const encoder = new TextEncoder();

const app = new Hono();
app.post('/v1/chat/completions', async (c) => {
  const { messages: all, stream } = await c.req.json<{ messages: ModelMessage[]; stream?: boolean }>();
  // It takes no system message among the others.
  const instructions = all.flatMap(({ role, content }) => (role === 'system' ? [content] : [])).join('\n');
  const messages = all.filter(({ role }) => role !== 'system');
  if (stream !== true) {
    const { text } = await generateText({ model, instructions, messages, maxRetries: 0 });
    return c.json({ choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] });
  }
  const { textStream } = streamText({ model, instructions, messages, maxRetries: 0 });
  const chunks = textStream.pipeThrough(
    new TransformStream<string, Uint8Array>({
      transform(content, controller) {
        const choices = [{ index: 0, delta: { content }, finish_reason: null }];
        controller.enqueue(encoder.encode(`data: ${JSON.stringify({ choices })}\n\n`));
      },
    }),
  );
  return new Response(chunks, { headers: { 'content-type': 'text/event-stream' } });
});
serve({ fetch: app.fetch, port: setup.port, hostname: setup.host });
