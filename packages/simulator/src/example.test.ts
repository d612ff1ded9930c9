import { readFile } from 'node:fs/promises';
// #region example
import { type Simulator, startSimulator } from '@switchyard/simulator';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

test('the second try succeeds when OpenAI is overloaded once', async () => {
  const { openai } = simulator.vendors;
  const client = new OpenAI({ apiKey: 'any-key', baseURL: `${openai.url}/v1`, maxRetries: 1 });

  openai.break({ kind: 'status', status: 503, retryAfter: { form: 'retry-after-ms', ms: 10 }, times: 1 });
  const answer = await client.chat.completions.create({
    model: 'gpt-5',
    messages: [{ role: 'user', content: 'hello' }],
  });

  expect(answer.choices[0]?.message.content).toContain('hello');
  expect(openai.lastCalls.map((call) => call.outcome)).toEqual(['fault:status', 'answered']);
});
// #endregion

test('the example in the README is this one', async () => {
  const [source, readme] = await Promise.all(
    ['./example.test.ts', '../README.md'].map((file) => readFile(new URL(file, import.meta.url), 'utf8')),
  );
  const [, example] = /\/\/ #region example\n(.*)\/\/ #endregion/s.exec(source ?? '') ?? [];
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
});
