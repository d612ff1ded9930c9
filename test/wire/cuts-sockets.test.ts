import { createServer, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { createRouter } from '@switchyard/core';
import { switchyard } from '@switchyard/node';
import fc from 'fast-check';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningServer, running } from '../contracts/adapter.ts';
import {
  bodyFor,
  type Cut,
  FAULTS,
  type Outcome,
  PATHS,
  STORIES,
  sentFor,
  type Traffic,
  targetAt,
  VENDORS,
} from './cut.ts';
import { judged } from './cut-truth.ts';
import { describeCut, RECOVERIES } from './every-cut.ts';
import { FORMATS } from './heard.ts';

// Some of the cuts over sockets: the vendors are servers that write bytes, the router is in a server, and callers read its
// bytes, or use the vendors' own clients.

let vendors: RunningServer;
let server: RunningServer;
let answering: RequestListener = () => {};
let serving: ReturnType<typeof switchyard> = () => {};

beforeAll(async () => {
  vendors = await running(createServer((request, response) => answering(request, response)));
  server = await running(createServer((request, response) => serving(request, response, () => response.end())));
});
afterAll(async () => {
  await server.close();
  await vendors.close();
});

/** Sets vendors and router up for one request. */
const prepare = (cut: Cut): Traffic => {
  const traffic: Traffic = { asked: { one: 0, two: 0 }, recording: undefined };
  answering = async (request, response) => {
    const { pieces, ending } = sentFor(cut, traffic, request.url ?? '', await text(request));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    response.socket?.setNoDelay();
    for (const piece of pieces) {
      await new Promise((resolve) => response.write(piece, resolve));
      await setImmediate();
    }
    if (ending === 'end') response.end();
    if (ending === 'reset') response.destroy();
  };
  // Only silence may be taken for it: a machine that is busy with other tests pauses, too.
  const more = cut.fault === 'stall' ? { timeouts: { idle: 400, firstContent: 600 } } : {};
  const pool = [targetAt(cut.one, 'one', vendors.url, more), targetAt(cut.two, 'two', vendors.url, more)];
  serving = switchyard(createRouter({ routes: { chat: { recovery: cut.recovery, pool } } }));
  return traffic;
};

const read = async (cut: Cut): Promise<Outcome> => {
  const traffic = prepare(cut);
  const response = await fetch(`${server.url}/llm/chat/${PATHS[cut.format]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(bodyFor(cut.format, cut.story)),
  });
  return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()), traffic, tookMs: 0 };
};

/** What a vendor's own client takes for the answer; undefined where it says that there was an error. */
const readByClient = async (cut: Cut): Promise<{ text: string; args: readonly unknown[] } | undefined> => {
  prepare(cut);
  const options = { baseURL: `${server.url}/llm/chat/v1`, apiKey: 'any', maxRetries: 0 };
  const body = { model: 'chat', ...bodyFor(cut.format, cut.story) };
  try {
    switch (cut.format) {
      case 'messages': {
        const client = new Anthropic({ ...options, baseURL: `${server.url}/llm/chat` });
        const { content } = await client.messages.stream(body as never).finalMessage();
        return {
          text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
          args: content.flatMap((block) => (block.type === 'tool_use' ? [block.input] : [])),
        };
      }
      case 'responses': {
        const { output } = await new OpenAI(options).responses.stream(body as never).finalResponse();
        return {
          text: output
            .flatMap((item) => (item.type === 'message' ? item.content : []))
            .map((part) => (part.type === 'output_text' ? part.text : ''))
            .join(''),
          args: output.flatMap((item) => (item.type === 'function_call' ? [JSON.parse(item.arguments)] : [])),
        };
      }
      default: {
        const { choices } = await new OpenAI(options).chat.completions.stream(body as never).finalChatCompletion();
        const message = choices[0]?.message;
        return {
          text: message?.content ?? '',
          args: (message?.tool_calls ?? []).map((call) =>
            call.type === 'function' ? JSON.parse(call.function.arguments) : undefined,
          ),
        };
      }
    }
  } catch (error) {
    if (error instanceof OpenAI.OpenAIError || error instanceof Anthropic.AnthropicError) return undefined;
    throw error;
  }
};

const cuts = fc.record({
  one: fc.constantFrom(...VENDORS),
  two: fc.constantFrom(...VENDORS),
  recovery: fc.constantFrom(...RECOVERIES),
  story: fc.constantFrom(STORIES.text, STORIES.text, STORIES.thinking, STORIES.calls),
  at: fc.nat(3_000),
  // Silence takes its time, here.
  fault: fc.constantFrom(...FAULTS, ...FAULTS.filter((fault) => fault !== 'stall')),
  pieces: fc.array(fc.integer({ min: 50, max: 2_000 }), { minLength: 1, maxLength: 6 }),
});

test('a reader of bytes gets the whole answer or one error', { timeout: 60_000 }, async () => {
  const asks = fc.record({ cut: cuts, format: fc.constantFrom(...FORMATS) });
  await fc.assert(
    fc.asyncProperty(asks, async ({ cut, format }) => {
      const asked: Cut = { ...cut, format };
      const { wrong } = judged(asked, await read(asked));
      expect(wrong, describeCut(asked, wrong)).toEqual([]);
    }),
    { numRuns: 200, endOnFailure: true },
  );
});

test("the vendors' own clients have the whole answer, or throw", { timeout: 60_000 }, async () => {
  // What a client makes of an answer that begins anew is in the contract of seams.
  const recovery = fc.constantFrom(...RECOVERIES.filter((mode) => mode !== 'restart'));
  const format = fc.constantFrom(...FORMATS.filter((name) => name !== 'glide'));
  let answers = 0;
  await fc.assert(
    fc.asyncProperty(cuts, recovery, format, async (cut, mode, name) => {
      const asked: Cut = { ...cut, recovery: mode, format: name };
      const heard = await readByClient(asked);
      if (heard === undefined) {
        expect(mode, describeCut(asked, [])).not.toBe('buffer');
        return;
      }
      answers += 1;
      const { story } = asked;
      expect(heard.args, describeCut(asked, [])).toEqual(story.calls.map(({ args }) => args));
      if (story.calls.length === 0) expect(heard.text, describeCut(asked, [])).toBe(story.text);
    }),
    { numRuns: 200, endOnFailure: true },
  );
  expect(answers).toBeGreaterThan(20);
});
