import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRouter, type TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import { switchyard } from '@switchyard/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, running } from '../contracts/adapter.ts';
import { FORMATS, readStream } from '../contracts/callers.ts';
import { PROVIDERS, type ProviderName } from './targets.ts';

// One event of a mebibyte, from every vendor to the client of every format: as text, and as the arguments of a tool. On
// the wire it comes in pieces that cut characters, after lines and comments in every form that the vendor's SDK reads.

const MiB = 1024 * 1024;
/** Characters of one to four bytes, so that pieces of any odd size cut some. */
const LONG = 'grüße, 世界 🚂 '.repeat(Math.ceil(MiB / 20));
const ARGUMENTS = { text: LONG };

type Frame = readonly [type: string, data: object];

const openaiFrames = (tool: boolean): readonly Frame[] => {
  const chunk = (delta: object, finish_reason: string | null = null): Frame => [
    '',
    { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] },
  ];
  const called = { name: 'f', arguments: JSON.stringify(ARGUMENTS) };
  return [
    chunk({ role: 'assistant', content: tool ? null : '' }),
    chunk(tool ? { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: called }] } : { content: LONG }),
    chunk({}, tool ? 'tool_calls' : 'stop'),
  ];
};

const responsesFrames = (tool: boolean): readonly Frame[] => {
  let sequence_number = 0;
  const frame = (type: string, data: object): Frame => [type, { type, sequence_number: sequence_number++, ...data }];
  const head = { id: 'resp_1', object: 'response', created_at: 1, model: 'm', error: null, incomplete_details: null };
  const json = JSON.stringify(ARGUMENTS);
  const call = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'f' };
  const message = { type: 'message', id: 'msg_1', role: 'assistant' };
  const part = { type: 'output_text', annotations: [], logprobs: [] };
  const [empty, whole] = tool
    ? [
        { ...call, arguments: '' },
        { ...call, arguments: json, status: 'completed' },
      ]
    : [
        { ...message, content: [] },
        { ...message, content: [{ ...part, text: LONG }], status: 'completed' },
      ];
  const at = { item_id: tool ? 'fc_1' : 'msg_1', output_index: 0 };
  const inPart = { ...at, content_index: 0 };
  return [
    frame('response.created', { response: { ...head, status: 'in_progress', output: [] } }),
    frame('response.output_item.added', { output_index: 0, item: { ...empty, status: 'in_progress' } }),
    ...(tool
      ? [
          frame('response.function_call_arguments.delta', { ...at, delta: json }),
          frame('response.function_call_arguments.done', { ...at, name: 'f', arguments: json }),
        ]
      : [
          frame('response.content_part.added', { ...inPart, part: { ...part, text: '' } }),
          frame('response.output_text.delta', { ...inPart, delta: LONG, logprobs: [] }),
          frame('response.output_text.done', { ...inPart, text: LONG, logprobs: [] }),
          frame('response.content_part.done', { ...inPart, part: { ...part, text: LONG } }),
        ]),
    frame('response.output_item.done', { output_index: 0, item: whole }),
    frame('response.completed', { response: { ...head, status: 'completed', output: [whole] } }),
  ];
};

const anthropicFrames = (tool: boolean): readonly Frame[] => {
  const frame = (type: string, data: object = {}): Frame => [type, { type, ...data }];
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null };
  const usage = { input_tokens: 1, output_tokens: 1 };
  const block = tool ? { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} } : { type: 'text', text: '' };
  const delta = tool
    ? { type: 'input_json_delta', partial_json: JSON.stringify(ARGUMENTS) }
    : { type: 'text_delta', text: LONG };
  return [
    frame('message_start', { message: { ...message, usage } }),
    frame('content_block_start', { index: 0, content_block: block }),
    frame('content_block_delta', { index: 0, delta }),
    frame('content_block_stop', { index: 0 }),
    frame('message_delta', { delta: { stop_reason: tool ? 'tool_use' : 'end_turn', stop_sequence: null }, usage }),
    frame('message_stop'),
  ];
};

const cohereFrames = (tool: boolean): readonly Frame[] => {
  const frame = (type: string, message: object, more: object = { index: 0 }): Frame => [
    type,
    { type, ...more, delta: { message } },
  ];
  const json = JSON.stringify(ARGUMENTS);
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } };
  return [
    frame('message-start', { role: 'assistant', content: [], tool_calls: [] }, { id: 'm' }),
    ...(tool
      ? [
          frame('tool-call-start', { tool_calls: call }),
          frame('tool-call-delta', { tool_calls: { function: { arguments: json } } }),
          frame('tool-call-end', {}),
        ]
      : [
          frame('content-start', { content: { type: 'text', text: '' } }),
          frame('content-delta', { content: { text: LONG } }),
          frame('content-end', {}),
        ]),
    ['message-end', { type: 'message-end', delta: { finish_reason: tool ? 'TOOL_CALL' : 'COMPLETE' } }],
  ];
};

const geminiFrames = (tool: boolean): readonly Frame[] => {
  const part = tool ? { functionCall: { name: 'f', args: ARGUMENTS } } : { text: LONG };
  const candidate = (parts: readonly object[], more: object = {}): Frame => [
    '',
    { candidates: [{ content: { role: 'model', parts }, index: 0, ...more }], modelVersion: 'm', responseId: 'r' },
  ];
  return [candidate([part]), candidate([], { finishReason: 'STOP' })];
};

interface Vendor {
  readonly frames: (tool: boolean) => readonly Frame[];
  /** What comes after the last frame. */
  readonly end?: string;
  /** Google sends lines of one form, and its SDKs read no other. */
  readonly strict?: boolean;
  target(url: string): TargetSpec;
}

const VENDORS: Readonly<Record<ProviderName, Vendor>> = {
  openai: {
    frames: openaiFrames,
    end: 'data: [DONE]\n\n',
    target: (url) => openai('m', { apiKey: 'k', baseURL: `${url}/v1` }),
  },
  'openai-responses': {
    frames: responsesFrames,
    target: (url) => openai('m', { apiKey: 'k', baseURL: `${url}/v1`, api: 'responses' }),
  },
  anthropic: { frames: anthropicFrames, target: (url) => anthropic('m', { apiKey: 'k', baseURL: url }) },
  cohere: { frames: cohereFrames, target: (url) => cohere('m', { token: 'k', baseUrl: url }) },
  google: { frames: geminiFrames, strict: true, target: (url) => google('m', { apiKey: 'k', baseURL: url }) },
  'google-genai': {
    frames: geminiFrames,
    strict: true,
    target: (url) => googleGenAI('m', { apiKey: 'k', httpOptions: { baseUrl: url } }),
  },
};

/** Frames in turn with LF, with CRLF behind a comment, and with their JSON over many lines. */
const bytesOf = ({ frames, end = '', strict = false }: Vendor, tool: boolean): Buffer => {
  const text = frames(tool).map(([type, data], i) => {
    if (strict) return `data: ${JSON.stringify(data)}\r\n\r\n`;
    const name = type === '' ? '' : `event: ${type}\n`;
    switch (i % 3) {
      case 0:
        return `${name}data: ${JSON.stringify(data)}\n\n`;
      case 1:
        return `: a comment, grüße 🚃\r\n\r\n${name.replace('\n', '\r\n')}data: ${JSON.stringify(data)}\r\n\r\n`;
      default:
        return `${name}${JSON.stringify(data, null, 1).replace(/^/gm, 'data: ')}\n\n`;
    }
  });
  return Buffer.from(text.join('') + end);
};

/** The beginning byte by byte or nearly so, where the small frames are, and the rest in pieces of an odd size. */
async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  const small = 400;
  for (let at = 0; at < small; at += 3) yield bytes.subarray(at, Math.min(at + 3, small));
  for (let at = small; at < bytes.length; at += 16_381) yield bytes.subarray(at, at + 16_381);
}

let vendor: RunningServer;
let server: RunningServer;

beforeAll(async () => {
  vendor = await running(
    createServer(async (request, response) => {
      const [, provider = '', ...path] = (request.url ?? '').split('/');
      let body = '';
      for await (const piece of request.setEncoding('utf8')) body += piece;
      if (path.length === 0) throw new Error('expected the name of a provider in the path');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for await (const piece of piecesOf(bytesOf(VENDORS[provider as ProviderName], body.includes('call_the_tool')))) {
        if (!response.write(piece)) await once(response, 'drain');
      }
      response.end();
    }),
  );
  const routes = PROVIDERS.map(
    (provider) => [provider, { pool: [VENDORS[provider].target(`${vendor.url}/${provider}`)] }] as const,
  );
  const middleware = switchyard(createRouter({ routes: Object.fromEntries(routes) }));
  server = await running(createServer((request, response) => middleware(request, response, () => response.end())));
});
afterAll(async () => {
  await server.close();
  await vendor.close();
});

describe.each(PROVIDERS)('one event of a mebibyte of %s', (provider) => {
  test.each(FORMATS)('is read whole in %s, as text and as a tool’s arguments', async (format) => {
    const base = `${server.url}/llm/${provider}`;
    // Compared outside of expect, which would print megabytes.
    const said = await readStream(format, { base });
    expect([said.text === LONG, said.text.length, said.calls.length]).toEqual([true, LONG.length, 0]);
    const { text, calls } = await readStream(format, { base, question: 'call_the_tool', tool: 'f' });
    expect([text, calls.length]).toEqual(['', 1]);
    expect((JSON.parse(calls[0] ?? '') as typeof ARGUMENTS).text === LONG).toBe(true);
  });
});
