import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { answerTo, type Question, type Turn } from './answer.ts';
import type { Manners } from './manners.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts';

const turn = (role: Turn['role'], text: string): Turn => ({ role, text, images: 0 });

const question = (turns: readonly Turn[]): Question => ({
  model: 'm-1',
  stream: false,
  turns,
  tools: [],
  toolChoice: 'auto',
  parallelToolCalls: true,
  format: { type: 'text' },
  maxOutputTokens: undefined,
  stop: [],
  reasoning: 'none',
  choices: 1,
  streamUsage: true,
});

const says = (turns: readonly Turn[], manners: Manners = {}, vendor: 'openai' | 'anthropic' = 'openai'): string =>
  answerTo(vendor, question(turns), [], manners).choices[0].text;

const hello = turn('user', 'hello');
const WHOLE = says([hello]);
const SAID = WHOLE.slice(0, 60);
const REST = WHOLE.slice(60);
const please = turn(
  'user',
  'Your answer was cut off. Please carry on with it, and begin with these words:\n<last_words>No model was</last_words>',
);

describe('a model that finds the beginning of its answer', () => {
  test('says the rest where the turn is its own', () => {
    expect(says([hello, turn('assistant', SAID)])).toBe(REST);
    expect(says([hello, turn('assistant', SAID)], { prefill: 'anew' })).toBe(WHOLE);
  });

  test('is told of it in several turns, and says the rest of them all', () => {
    expect(says([hello, turn('assistant', SAID.slice(0, 9)), turn('assistant', SAID.slice(9))])).toBe(REST);
  });

  test('carries on for another model from the last words that are its own too', () => {
    const other = says([hello], {}, 'anthropic');
    const said = other.slice(0, other.indexOf('heard') + 8);
    expect(said + says([hello, turn('assistant', said)])).toBe(other);
  });

  test('would say the same as another of its name', () => {
    const speaker = 'a model';
    expect(says([hello], { speaker }, 'anthropic')).toBe(says([hello], { speaker }, 'openai'));
  });

  test.each<[Manners['carriesOn'], string]>([
    [undefined, `No model was${REST}`],
    ['anchor', `No model was${REST}`],
    ['bare', REST],
    ['anew', WHOLE],
  ])('is asked to carry on, and does it %s', (carriesOn, expected) => {
    expect(says([hello, turn('assistant', SAID), please], { ...(carriesOn && { carriesOn }) })).toBe(expected);
  });

  test('or says something else, which begins alike', () => {
    const other = says([hello, turn('assistant', SAID), please], { carriesOn: 'otherwise' });
    expect(other.slice(0, 30)).toBe(WHOLE.slice(0, 30));
    expect(WHOLE.startsWith(other)).toBe(false);
  });

  test('is not asked to carry on by a user who only speaks of it', () => {
    expect(says([hello, turn('assistant', SAID), turn('user', 'Why were you cut off?')])).toContain(
      'Why were you cut off?',
    );
  });
});

describe('over the wire', () => {
  let simulator: Simulator | undefined;
  afterEach(() => simulator?.close());

  const start = async (vendors: SimulatorOptions['vendors'] = {}): Promise<Simulator> => {
    simulator = await startSimulator({ vendors });
    return simulator;
  };
  const ask = (url: string, said: string): Promise<Anthropic.Message> =>
    new Anthropic({ apiKey: 'any-key', baseURL: url, maxRetries: 0 }).messages.create({
      model: 'm-1',
      max_tokens: 100,
      messages: [
        { role: 'user', content: 'hello' },
        { role: 'assistant', content: said },
      ],
    });

  test('Anthropic goes on from a turn that is not finished, but not from white space', async () => {
    const { vendors } = await start({ anthropic: { speaker: 'openai/m-1' } });
    const { content } = await ask(vendors.anthropic.url, SAID.trimEnd());
    expect(content).toMatchObject([{ type: 'text', text: WHOLE.slice(SAID.trimEnd().length) }]);
    await expect(ask(vendors.anthropic.url, 'hello ')).rejects.toThrow(/cannot end with trailing whitespace/);
  });

  test('a model that takes no such turn refuses it in the words of Anthropic', async () => {
    const { vendors } = await start({ anthropic: { prefill: 'refuses' } });
    await expect(ask(vendors.anthropic.url, SAID.trimEnd())).rejects.toThrow(
      /400.*does not support assistant message prefill/,
    );
  });

  test('OpenAI does not know the words of vLLM for it, and vLLM does', async () => {
    const { vendors } = await start();
    const client = (url: string): OpenAI => new OpenAI({ apiKey: 'any-key', baseURL: `${url}/v1`, maxRetries: 0 });
    const body = {
      model: 'm-1',
      messages: [
        { role: 'user', content: 'hello' },
        { role: 'assistant', content: SAID },
      ],
      continue_final_message: true,
      add_generation_prompt: false,
    } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
    await expect(client(vendors.openai.url).chat.completions.create(body)).rejects.toThrow(/continue_final_message/);
    await simulator?.close();
    const vllm = await start({ openai: { prefill: 'continues' } });
    const { choices } = await client(vllm.vendors.openai.url).chat.completions.create(body);
    expect(choices[0]?.message.content).toBe(REST);
  });
});
