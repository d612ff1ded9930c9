import { describe, expect, test } from 'vitest';
import type { RouterConfig } from './config.ts';
import { isRouterError } from './errors.ts';
import { openai } from './providers/openai.ts';
import { createRouter } from './router.ts';

const key = { apiKey: 'sk-secret' };

const problemsOf = (config: unknown): string => {
  try {
    createRouter(config as RouterConfig);
    return 'none';
  } catch (error) {
    if (!isRouterError(error) || error.code !== 'invalid-config') throw error;
    return error.message;
  }
};

const pool = (options: object): unknown => ({ routes: { chat: { pool: [openai('m', { ...key, ...options })] } } });

test('the config of the README is taken', () => {
  expect(problemsOf(pool({}))).toBe('none');
});

describe('a wrong field is named by its path (P1, N7)', () => {
  test.each([
    ['no routes', {}, 'routes: '],
    ['an empty config', { routes: {} }, 'routes: expected at least one route'],
    ['an unknown key at the top', { routes: { chat: { pool: [openai('m', key)] } }, route: 1 }, 'route: unknown key'],
    [
      'an unknown key of a route',
      { routes: { chat: { pool: [openai('m', key)], strategie: 'x' } } },
      'routes.chat.strategie: unknown key',
    ],
    ['an empty pool', { routes: { chat: { pool: [] } } }, 'routes.chat.pool: expected at least one target'],
    [
      'a pool of strings',
      { routes: { chat: { pool: ['gpt'] } } },
      "routes.chat.pool[0]: expected a target, such as openai('gpt-5-mini')",
    ],
    [
      'an unknown strategy',
      { routes: { chat: { strategy: 'fastest', pool: [openai('m', key)] } } },
      'routes.chat.strategy: expected one of priority',
    ],
    [
      'a route name that is no path segment',
      { routes: { 'a/b': { pool: [openai('m', key)] } } },
      'routes.a/b: expected a route name',
    ],
    [
      'a route name that is taken',
      { routes: { v1: { pool: [openai('m', key)] } } },
      'routes.v1: this name is a path of its own',
    ],
    [
      'a signal that nobody knows',
      { routes: { chat: { signals: ['tone'], pool: [openai('m', key)] } } },
      'routes.chat.signals[0]: ',
    ],
    [
      'a task that is no function',
      { routes: { chat: { taskBy: 'user', pool: [openai('m', key)] } } },
      'routes.chat.taskBy: expected a function',
    ],
    ['a state file without a name', { stateFile: '', routes: { chat: { pool: [openai('m', key)] } } }, 'stateFile: '],
    [
      'a deadline that is none',
      { routes: { chat: { deadline: 'soon', pool: [openai('m', key)] } } },
      'routes.chat.deadline: expected a duration',
    ],
    [
      'a keep-alive without a time',
      { routes: { chat: { keepAlive: true, pool: [openai('m', key)] } } },
      'routes.chat.keepAlive: ',
    ],
    [
      'a keep-alive of no time',
      { routes: { chat: { keepAlive: '0s', pool: [openai('m', key)] } } },
      'routes.chat.keepAlive: expected a duration above 0',
    ],
    ['an unknown key of a target', pool({ wieght: 2 }), 'routes.chat.pool[0].wieght: unknown key'],
    ['a negative weight', pool({ weight: -1 }), 'routes.chat.pool[0].weight: '],
    [
      'a timeout of 0',
      pool({ timeouts: { idle: 0 } }),
      'routes.chat.pool[0].timeouts.idle: expected a duration above 0',
    ],
    ['an unknown timeout', pool({ timeouts: { read: '1s' } }), 'routes.chat.pool[0].timeouts.read: unknown key'],
    ['an id that would break a header', pool({ id: 'a b' }), 'routes.chat.pool[0].id: expected letters'],
    [
      'retries of the SDK',
      pool({ maxRetries: 2 }),
      "routes.chat.pool[0].maxRetries: retries and time-outs are the router's",
    ],
    ['two unknown keys', pool({ wieght: 2, nam: 'x' }), 'routes.chat.pool[0].nam: unknown key'],
    ['a number that is a text', pool({ weight: '2' }), 'weight: expected a number from 0, and got a text'],
    ['a number that is none', pool({ weight: Number.NaN }), 'weight: expected a number from 0, and got NaN'],
    ['half a token', pool({ contextWindow: 0.5 }), 'contextWindow: expected a whole number from 1, and got 0.5'],
    ['a word that is none of a few', pool({ unsupported: 'skpi' }), 'expected one of skip, drop, and got "skpi"'],
    ['a price of nothing', pool({ price: {} }), 'price.inputUsdPerMTok: expected US dollars for a million tokens'],
    ['a text for a switch', pool({ enabled: 'no' }), 'enabled: expected true or false, and got a text'],
    ['null', pool({ timeouts: null }), 'timeouts: expected an object, and got null'],
    [
      'a tool’s field',
      pool({ params: { tools: [{ name: 'a' }, { name: 1 }] } }),
      'params.tools[1].name: expected a text, and got 1',
    ],
    [
      'a tool choice',
      pool({ params: { toolChoice: 'any' } }),
      'toolChoice: expected one of auto, none, required, or {',
    ],
    [
      'a tool choice by another name',
      pool({ params: { toolChoice: { name: 'f' } } }),
      "toolChoice: expected one of auto, none, required, or { tool: 'its name' }, and got an object",
    ],
    ['a text for an output', pool({ params: { output: 'json' } }), 'output: expected an object, and got a text'],
    ['a whole number that is none', pool({ params: { seed: '1' } }), 'seed: expected a whole number, and got a text'],
    ['more than all', pool({ params: { topP: 2 } }), 'topP: expected a number from 0 to 1, and got 2'],
    ['nothing in a name', pool({ quotaGroup: '' }), 'quotaGroup: expected a text that is not empty, and got ""'],
    ['an output of no kind', pool({ params: { output: { type: 'xml' } } }), 'output.type: expected one of text, json'],
    [
      'an output’s field',
      pool({ params: { output: { type: 'json-schema', name: 'x' } } }),
      'output.schema: expected an object, and got nothing',
    ],
    [
      'rests in the wrong order',
      { routes: { chat: { retry: { minDelay: '3s' }, pool: [openai('m', key)] } } },
      'routes.chat.retry.minDelay: expected no more than maxDelay',
    ],
    [
      'a budget for too short a time',
      { routes: { chat: { budget: { usd: 1, per: '10s' }, pool: [openai('m', key)] } } },
      `routes.chat.budget.per: expected a minute at least, such as '1h', '1d' or '30d', and got "10s"`,
    ],
    ['an unknown setting', pool({ params: { temprature: 0 } }), 'routes.chat.pool[0].params.temprature: unknown key'],
  ])('%s', (_, config, expected) => {
    expect(problemsOf(config)).toContain(expected);
  });

  test.each([undefined, null, 3, 'x', []])('%j is no config', (config) => {
    expect(problemsOf(config)).toContain('config: expected an object, and got ');
  });

  test('a text in the place of something else may be a key, and is not quoted', () => {
    for (const options of [{ weight: 'sk-1' }, { reasoning: 'sk-1' }, { price: 'sk-1' }, { supports: 'sk-1' }]) {
      expect(problemsOf(pool(options))).toMatch(/and got a text$/);
    }
  });

  test('two targets of one id', () => {
    const config = { routes: { chat: { pool: [openai('m', key), openai('m', key)] } } };
    expect(problemsOf(config)).toContain("routes.chat.pool[1].id: 'openai/m' is the id of [0] already");
  });

  test('two vector spaces in one pool, by the paths of both (N13)', () => {
    const target = (id: string, space?: string) => openai('m', { ...key, id, ...(space !== undefined && { space }) });
    const poolOf = (...pool: readonly unknown[]) => problemsOf({ routes: { vectors: { pool } } });
    expect(poolOf(target('a'), target('b', 'one'), target('c', 'one'))).toBe('none');
    const problems = poolOf(
      target('a', 'one'),
      target('b'),
      target('c', 'two'),
      openai('m', { ...key, id: '?', space: '' }),
    );
    expect(problems).toContain(
      "routes.vectors.pool[2].space: 'two' is another vector space than 'one' of routes.vectors.pool[0].space",
    );
    expect(problems).toContain('routes.vectors.pool[3].space: ');
    // Of two routes each has its own.
    expect(problemsOf({ routes: { a: { pool: [target('a', 'one')] }, b: { pool: [target('b', 'two')] } } })).toBe(
      'none',
    );
  });

  test('settings of a chat on a target that makes embeddings', () => {
    expect(problemsOf(pool({ space: 'one', params: { temperature: 0 } }))).toContain('routes.chat.pool[0].params: ');
  });

  test('all of them at once, and none of them quotes a key', () => {
    const problems = problemsOf(pool({ weight: -1, wieght: 1, timeouts: { idle: 'x' } }));
    expect(problems.split('\n')).toHaveLength(4);
    expect(problems).not.toContain('secret');
  });

  test('a key that is missing, with the variable that would hold it', () => {
    const before = process.env.OPENAI_API_KEY;
    delete process.env.OPENAI_API_KEY;
    try {
      expect(problemsOf({ routes: { chat: { pool: [openai('m')] } } })).toMatch(
        /routes\.chat\.pool\[0\]: .*OPENAI_API_KEY/s,
      );
    } finally {
      if (before !== undefined) process.env.OPENAI_API_KEY = before;
    }
  });
});

test.each(['10s', '250ms', '1.5m', '1h', 1_000])('%j is a duration', (deadline) => {
  expect(problemsOf({ routes: { chat: { deadline, pool: [openai('m', key)] } } })).toBe('none');
});

test('weights may be 0 and fractions, and a target can be switched off', () => {
  const router = createRouter({
    routes: {
      chat: { pool: [openai('a', { ...key, weight: 0 }), openai('b', { ...key, weight: 0.5, enabled: false })] },
    },
  });
  expect(router.snapshot()[0]?.targets).toMatchObject([
    { id: 'openai/a', weight: 0, enabled: true },
    { id: 'openai/b', weight: 0.5, enabled: false },
  ]);
});

test('what a router tells of itself has no secret in it', () => {
  const router = createRouter({ routes: { chat: { pool: [openai('a', key)] } } });
  expect(JSON.stringify(router.snapshot())).not.toContain('secret');
});
