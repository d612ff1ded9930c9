import { type ChatRequest, createRouter, type RouterError } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';
import { type Simulator, startSimulator } from '@switchyard/simulator';
import { afterEach, describe, expect, test } from 'vitest';
import { PROVIDERS, simulated, vendorOf } from './targets.ts';

// Through the real SDKs: what vendors say as they refuse, and what reaches them.

const WINDOW = 2_000;

let simulator: Simulator;
afterEach(() => simulator.close());

const prompt = (tokens: number): ChatRequest => ({
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'once upon a time there was a fox '.repeat(tokens / 8) }] },
  ],
});

// Through Responses OpenAI names no number: see below.
describe.each(PROVIDERS.filter((provider) => provider !== 'openai-responses'))('%s', (provider) => {
  test("a refusal teaches its window from the vendor's own words, and the next prompt goes elsewhere at once", async () => {
    const vendor = vendorOf(provider);
    const other = provider === 'anthropic' ? 'openai' : 'anthropic';
    simulator = await startSimulator({ vendors: { [vendor]: { contextWindow: WINDOW } } });
    const router = createRouter({
      routes: {
        chat: {
          pool: [
            simulated(simulator, provider, { id: 'small' }),
            simulated(simulator, other, { id: 'large', contextWindow: 200_000 }),
          ],
        },
      },
    });
    const first = await router.chat('chat', prompt(3_000));
    expect(first.served.attempts.map(({ target, outcome }) => `${target}: ${outcome}`)).toEqual([
      'small: too-long',
      'large: answered',
    ]);
    const second = await router.chat('chat', prompt(3_000));
    expect(second.served.attempts.map(({ target }) => target)).toEqual(['large']);
    expect(second.served.skipped[0]?.reason).toMatch(/ \(estimate\)/);
    expect(simulator.vendors[vendor].calls).toBe(1);
    expect(router.snapshot()[0]?.targets[0]?.learnedWindow?.tokens).toBe(WINDOW);
    expect((await router.chat('chat', prompt(500))).served.target.id).toBe('small');
  });
});

test('a window that was told in other words than numbers is kept in mind by the prompt that was refused', async () => {
  simulator = await startSimulator({ vendors: { openai: { contextWindow: WINDOW } } });
  const { url } = simulator.vendors.openai;
  const small = openai('gpt-5-mini', { id: 'small', api: 'responses', apiKey: 'any-key', baseURL: `${url}/v1` });
  const router = createRouter({
    routes: { chat: { pool: [small, simulated(simulator, 'anthropic', { contextWindow: 200_000 })] } },
  });
  for (let i = 0; i < 3; i++) await router.chat('chat', prompt(3_000));
  expect(simulator.vendors.openai.calls).toBe(1);
  expect(router.snapshot()[0]?.targets[0]?.learnedWindow).toEqual({ refusedEstimatedTokens: expect.any(Number) });
});

describe('a schema that a vendor would refuse', () => {
  const request: ChatRequest = {
    ...prompt(16),
    output: {
      type: 'json-schema',
      name: 'person',
      strict: true,
      schema: {
        type: 'object',
        properties: { name: { type: 'string', minLength: 1 } },
        required: ['name'],
        additionalProperties: false,
      },
    },
  };
  const REASON = 'cannot express output schema: minLength at /properties/name';

  test.each(['anthropic', 'google', 'google-genai', 'cohere'] as const)(
    'does not reach %s; who takes it answers',
    async (provider) => {
      simulator = await startSimulator();
      const pool = [simulated(simulator, provider, { id: 'first' }), simulated(simulator, 'openai', { id: 'second' })];
      const answer = await createRouter({ routes: { chat: { pool } } }).chat('chat', request);
      expect(answer.served).toMatchObject({ target: { id: 'second' }, skipped: [{ target: 'first', reason: REASON }] });
      expect(JSON.parse(answer.text)).toEqual({ name: expect.any(String) });
      expect(simulator.vendors[vendorOf(provider)].calls).toBe(0);
    },
  );

  test('is an error that names keyword and path where nobody takes it', async () => {
    simulator = await startSimulator();
    const router = createRouter({ routes: { chat: { pool: [simulated(simulator, 'anthropic')] } } });
    const error: RouterError = await router.chat('chat', request).then(
      () => Promise.reject(new Error('it was answered')),
      (thrown) => thrown,
    );
    expect(error.code).toBe('no-capable-target');
    expect(error.message).toContain(REASON);
  });

  test('reaches a target that drops what it cannot express without the keyword, and the trace says so', async () => {
    simulator = await startSimulator();
    const router = createRouter({
      routes: { chat: { pool: [simulated(simulator, 'anthropic', { unsupported: 'drop' })] } },
    });
    const { served } = await router.chat('chat', request);
    expect(served.attempts[0]?.dropped).toEqual(['output schema: minLength at /properties/name']);
    expect(simulator.vendors.anthropic.requests[0]?.body).toMatchObject({
      output_config: { format: { schema: { properties: { name: { type: 'string' } } } } },
    });
    expect(JSON.stringify(simulator.vendors.anthropic.requests[0]?.body)).not.toContain('minLength');
  });
});
