import type { ChatRequest, TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import { describe, expect, test } from 'vitest';

// Which schemas each provider holds against its vendor's subset: those of answers, and those of strict tools.

const KEY = { apiKey: 'any-key' };
const open = { type: 'object', properties: { a: { type: 'string', minLength: 1 } }, required: ['a'] };

const asking = (more: Partial<ChatRequest>): ChatRequest => ({
  messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }],
  ...more,
});
const output = (strict?: boolean): ChatRequest =>
  asking({ output: { type: 'json-schema', name: 'n', schema: open, ...(strict !== undefined && { strict }) } });
const tools = (strict?: boolean, count = 1): ChatRequest =>
  asking({
    tools: Array.from({ length: count }, (_, i) => ({
      name: `f${i}`,
      parameters: { ...open, additionalProperties: false, properties: { a: { type: 'string' } } },
      ...(strict !== undefined && { strict }),
    })),
  });
const openTool: ChatRequest = asking({ tools: [{ name: 'f', parameters: open, strict: true }] });

const gapsOf = (target: TargetSpec, request: ChatRequest): string[] =>
  target
    .connect(target.model, undefined)
    .gaps(request)
    .map(({ what, harmless }) => (harmless ? `(${what})` : what));

const OPEN = 'additionalProperties other than false at /';
const LENGTH = 'minLength at /properties/a';

test.each<[string, TargetSpec, readonly string[], readonly string[], readonly string[]]>([
  // An answer that is strict; one that is not; and a strict tool.
  ['openai', openai('gpt-5-mini', KEY), [`output schema: ${OPEN}`], [], [`schema of tool f: ${OPEN}`]],
  [
    'openai, Responses',
    openai('gpt-5-mini', { ...KEY, api: 'responses' }),
    [`output schema: ${OPEN}`],
    [],
    [`schema of tool f: ${OPEN}`],
  ],
  ['a server that resembles openai', openai('m', { ...KEY, baseURL: 'http://localhost:8000/v1' }), [], [], []],
  [
    'anthropic',
    anthropic('claude-sonnet-5-5', KEY),
    [`output schema: ${LENGTH}`, '(output schema: additionalProperties left open at /)'],
    [`output schema: ${LENGTH}`, '(output schema: additionalProperties left open at /)'],
    [`schema of tool f: ${LENGTH}`, '(schema of tool f: additionalProperties left open at /)'],
  ],
  [
    'google',
    google('gemini-2.5-flash', KEY),
    [`output schema: ${LENGTH}`],
    [`(output schema: ${LENGTH})`],
    ['(strict tools)'],
  ],
  [
    'google-genai',
    googleGenAI('gemini-2.5-flash', KEY),
    [`output schema: ${LENGTH}`],
    [`(output schema: ${LENGTH})`],
    ['(strict tools)'],
  ],
  [
    'cohere',
    cohere('command-a-03-2025', { token: 'any-key' }),
    [`output schema: ${LENGTH}`],
    [`output schema: ${LENGTH}`],
    [`schema of tool f: ${LENGTH}`],
  ],
])('%s', (_, target, strictAnswer, answer, strictTool) => {
  expect(gapsOf(target, output(true))).toEqual(strictAnswer);
  expect(gapsOf(target, output())).toEqual(answer);
  expect(gapsOf(target, openTool)).toEqual(strictTool);
  // What nobody asked to be strict is a hint to every vendor.
  expect(gapsOf(target, tools())).toEqual([]);
});

describe('anthropic', () => {
  test('takes twenty strict tools', () => {
    const target = anthropic('claude-sonnet-5-5', KEY);
    expect(gapsOf(target, tools(true, 20))).toEqual([]);
    expect(gapsOf(target, tools(true, 21))).toEqual(['more than 20 strict tools']);
  });
});

describe('openai', () => {
  test.each(['chat', 'responses'] as const)(
    '%s: a target that drops gets the whole schema, and strict is off',
    async (api) => {
      let body: unknown;
      const fetch = async (_url: unknown, init?: { readonly body?: unknown }): Promise<Response> => {
        body = JSON.parse(String(init?.body));
        return new Response('{}', { status: 500 });
      };
      const target = openai('gpt-5-mini', { ...KEY, api, fetch: fetch as typeof globalThis.fetch });
      const provider = target.connect(target.model, undefined);
      await provider
        .send(
          { ...output(true), ...openTool, output: output(true).output ?? { type: 'text' } },
          { signal: new AbortController().signal },
        )
        .catch(() => {});
      const described = { name: 'n', schema: open, strict: false };
      expect(body).toMatchObject(
        api === 'chat'
          ? { response_format: { json_schema: described }, tools: [{ function: { parameters: open, strict: false } }] }
          : { text: { format: described }, tools: [{ parameters: open, strict: false }] },
      );
    },
  );

  test('a body in its own format is not held against anything: OpenAI says itself what it thinks of it', () => {
    const body = { messages: [], response_format: { type: 'json_schema' } };
    expect(gapsOf(openai('gpt-5-mini', KEY), { ...output(true), source: { format: 'openai-chat', body } })).toEqual([]);
  });
});
