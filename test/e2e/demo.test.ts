import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

// The demo as `npm start` runs it: built, in a process of its own, without a key, over real HTTP and in a real browser.

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'node_modules/.bin');
const START = join(ROOT, 'apps/demo/dist/start.js');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const VENDORS = ['openai', 'anthropic', 'google', 'cohere'] as const;
type Vendor = (typeof VENDORS)[number];

const FIRST = 'openai/gpt-5-mini';
const SECOND = 'anthropic/claude-sonnet-5-5';
const ALL = [FIRST, SECOND, 'google/gemini-2.5-flash', 'cohere/command-a-03-2025'];
const OVERLOADED = { kind: 'status', status: 503 };
const ONCE = { ...OVERLOADED, times: 1 };

/** A process of the demo, and what it has printed. */
interface Demo {
  readonly child: ChildProcess;
  readonly printed: () => string;
}

/** Nothing of our environment reaches it, so that no key does. */
const spawnDemo = (port: string, ...args: readonly string[]): Demo => {
  const child = spawn(join(BIN, 'node'), [START, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, PORT: port },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      printed += String(bytes);
    });
  }
  return { child, printed: () => printed };
};

const urlOf = ({ child, printed }: Demo): Promise<string> =>
  vi.waitFor(
    () => {
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed()) ?? [];
      if (url === undefined) throw new Error(`The demo (exit ${child.exitCode}) printed no URL:\n${printed()}`);
      return url;
    },
    { timeout: 10_000, interval: 20 },
  );

let demo: Demo;
let url: string;

beforeAll(async () => {
  execFileSync(join(BIN, 'tsc'), ['-b', join(ROOT, 'apps/demo')], { stdio: 'inherit' });
  demo = spawnDemo('0');
  url = await urlOf(demo);
}, 60_000);

afterAll(() => {
  demo?.child.kill();
});

const setFault = async (vendor: Vendor, fault: object | null): Promise<void> => {
  const response = await fetch(`${url}/_simulator/${vendor}`, { method: 'PUT', body: JSON.stringify({ fault }) });
  expect(response.status).toBe(200);
};

const calls = async (vendor: Vendor): Promise<number> => {
  const response = await fetch(`${url}/_simulator`);
  const { vendors } = (await response.json()) as { vendors: Record<Vendor, { calls: number }> };
  return vendors[vendor].calls;
};

interface Answer {
  readonly status: number;
  readonly target: string | null;
  readonly attempts: number;
  readonly trace: string;
  readonly requestId: string;
  readonly assigned: string | null;
  readonly costUsd: number;
  readonly body: string;
}

type RouteName = 'chat' | 'experiment' | 'turns' | 'fastest' | 'cheapest' | 'best' | 'levels';

const ask = async (route: RouteName, body: object = {}, headers: Record<string, string> = {}): Promise<Answer> => {
  const response = await fetch(`${url}/llm/${route}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], ...body }),
  });
  return {
    status: response.status,
    target: response.headers.get('x-switchyard-target'),
    attempts: Number(response.headers.get('x-switchyard-attempts')),
    trace: response.headers.get('x-switchyard-trace') ?? '',
    requestId: response.headers.get('x-switchyard-request') ?? '',
    assigned: response.headers.get('x-switchyard-assigned'),
    costUsd: Number(response.headers.get('x-switchyard-cost') ?? Number.NaN),
    body: await response.text(),
  };
};

/** All vendors well, and a router that remembers no trouble: a demo that does is started anew. */
const startOver = async (): Promise<void> => {
  for (const vendor of VENDORS) await setFault(vendor, null);
  const { routes } = (await (await fetch(`${url}/llm/routes`)).json()) as {
    routes: { targets: { standing: string }[] }[];
  };
  if (routes.every(({ targets }) => targets.every(({ standing }) => standing === 'ready'))) return;
  demo.child.kill();
  demo = spawnDemo('0');
  url = await urlOf(demo);
};

describe('over HTTP', () => {
  beforeEach(startOver);

  test('the first target of the pool answers when all is well', async () => {
    const answer = await ask('chat');
    expect(answer).toMatchObject({ status: 200, target: FIRST, attempts: 1 });
    expect(JSON.parse(answer.body).choices[0].message.content).toContain('heard: "Hello"');
  });

  test('each vendor answers a stream, asked through its own SDK', async () => {
    for (const [i, id] of ALL.entries()) {
      for (const vendor of VENDORS.slice(0, i)) await setFault(vendor, ONCE);
      const answer = await ask('chat', { stream: true });
      expect(answer).toMatchObject({ status: 200, target: id, attempts: i + 1 });
      // What it cost is told in a comment behind the end.
      expect(answer.body).toMatch(/data: \[DONE\]\n\n: switchyard cost=0\.\d+[^\n]*\n\n$/);
      // A whole answer in between keeps the failures of the first from adding up.
      await ask('chat');
    }
  });

  test('a broken target costs one attempt, then none, and comes back by itself', async () => {
    await setFault('openai', OVERLOADED);
    const before = await calls('openai');
    for (let i = 1; i <= 3; i += 1) {
      const answer = await ask('chat');
      expect(answer).toMatchObject({ status: 200, target: SECOND, attempts: 2 });
      expect(answer.trace).toMatch(/^openai\/gpt-5-mini;outcome=overloaded;status=503;ms=\d+, anthropic/);
      expect(await calls('openai')).toBe(before + i);
    }
    for (let i = 0; i < 3; i += 1) {
      expect(await ask('chat')).toMatchObject({ status: 200, target: SECOND, attempts: 1 });
    }
    expect(await calls('openai')).toBe(before + 3);

    await setFault('openai', null);
    await vi.waitFor(async () => expect(await ask('chat')).toMatchObject({ target: FIRST, attempts: 1 }), {
      timeout: 15_000,
      interval: 250,
    });
  }, 30_000);

  test('a vendor that never answers is given up after two seconds', async () => {
    await setFault('openai', { kind: 'hang-before-headers' });
    const startedAtMs = performance.now();
    const answer = await ask('chat', { stream: true });
    expect(answer).toMatchObject({ status: 200, target: SECOND, attempts: 2 });
    expect(performance.now() - startedAtMs).toBeLessThan(3_500);
  });

  test('a prompt that is too long moves on to a larger window only', async () => {
    await setFault('openai', { kind: 'context-length' });
    expect(await ask('chat')).toMatchObject({ status: 200, target: 'google/gemini-2.5-flash', attempts: 2 });
  });

  test('a stream that is cut ends with an error event and without [DONE]', async () => {
    await setFault('openai', { kind: 'cut', afterEvents: 8 });
    const { status, body } = await ask('chat', { stream: true });
    expect(status).toBe(200);
    expect(body).not.toContain('[DONE]');
    const events = body.split('\n').filter((line) => line.startsWith('data: '));
    expect(JSON.parse(events.at(-1)?.slice('data: '.length) ?? '')).toHaveProperty('error.message');
  });

  test('the experiment shares ten requests 5 : 2 : 2 : 1', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask('experiment')));
    const shares = ALL.map((id) => answers.filter(({ target }) => target === id).length);
    expect(shares).toEqual([5, 2, 2, 1]);
  }, 30_000);

  test('who says who they are meets the same target each time, and the experiment can be read', async () => {
    for (const user of ['ada', 'bert', 'cleo', 'dora']) {
      const answers = await Promise.all([1, 2, 3].map(() => ask('experiment', {}, { 'x-user-id': user })));
      expect(new Set(answers.map(({ target }) => target)).size).toBe(1);
      expect(answers.map(({ target, assigned }) => target === assigned)).toEqual([true, true, true]);
    }
    const readout = await (await fetch(`${url}/llm/experiment/experiment`)).json();
    expect(readout).toMatchObject({ metric: 'latency', control: FIRST });
  }, 30_000);

  test('taking turns shares eight requests alike', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask('turns')));
    expect(ALL.map((id) => answers.filter(({ target }) => target === id).length)).toEqual([2, 2, 2, 2]);
  }, 30_000);

  test('every answer says what it cost, and the dear targets are not asked', async () => {
    for (let i = 0; i < 5; i++) {
      const { target, costUsd, trace } = await ask('cheapest');
      // Of like prices one has to learn whose answers are shorter; the others cost five times as much.
      expect([FIRST, ALL[2]]).toContain(target);
      expect(costUsd).toBeGreaterThan(0);
      expect(trace).toContain(`usd=${costUsd}`);
    }
  }, 30_000);

  test('the route that goes by latency says what it expects of each target', async () => {
    for (let i = 0; i < 4; i++) await ask('fastest');
    const { routes } = (await (await fetch(`${url}/llm/routes`)).json()) as {
      routes: { name: string; targets: { id: string; strategy?: { samples?: number } }[] }[];
    };
    const targets = routes.find(({ name }) => name === 'fastest')?.targets ?? [];
    expect(targets.map(({ id }) => id).toSorted()).toEqual(ALL.toSorted());
    for (const { strategy } of targets) expect(Object.keys(strategy ?? {}).length).toBeGreaterThan(0);
  }, 30_000);

  test('answers of the route that learns from scores take them', async () => {
    const score = async (id: string, value: number): Promise<void> => {
      const response = await fetch(`${url}/llm/best/feedback`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, score: value }),
      });
      expect(response.status).toBe(200);
    };
    for (let i = 0; i < 4; i++) {
      const { target, requestId } = await ask('best');
      await score(requestId, target === SECOND ? 1 : 0);
    }
    expect((await ask('best')).status).toBe(200);
  }, 60_000);

  test('of two levels the second serves when the first is down', async () => {
    expect([FIRST, ALL[2]]).toContain((await ask('levels')).target);
    await setFault('openai', OVERLOADED);
    await setFault('google', OVERLOADED);
    expect((await ask('levels')).target).toBe(SECOND);
  }, 30_000);

  test('the log has a line for each request, one for what becomes of a target, and no prompt', async () => {
    await setFault('openai', OVERLOADED);
    // Three failures in a row cool a target of which nothing is known; what the tests before this one did is known.
    for (let i = 0; i < 8; i++) await ask('chat', { messages: [{ role: 'user', content: 'my secret' }] });
    await ask('experiment', { messages: [{ role: 'user', content: 'my secret' }] });
    await vi.waitFor(() => expect(demo.printed()).toMatch(/experiment: \S+ answered after \d+ ms, \d attempt/));
    expect(demo.printed()).toMatch(/chat: anthropic\/\S+ answered after \d+ ms, 2 attempts/);
    expect(demo.printed()).toContain('openai/gpt-5-mini is left alone for');
    expect(demo.printed()).not.toContain('my secret');
  });
});

describe('on several cores', () => {
  let many: Demo;
  let base: string;

  beforeAll(async () => {
    many = spawnDemo('0', '--workers', '2');
    base = await urlOf(many);
  });
  afterAll(() => {
    many.child.kill('SIGKILL');
  });

  /** On a connection of its own, since workers take turns by connections. */
  const askAnew = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = request(`${base}/llm/chat/v1/chat/completions`, {
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json' },
      });
      asked.on('error', reject);
      asked.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)));
      asked.end('{"messages": [{"role": "user", "content": "Hello"}]}');
    });

  test('what one worker has seen, the other need not see; one that dies is replaced, and all end together', async () => {
    const body = JSON.stringify({ fault: OVERLOADED });
    expect((await fetch(`${base}/_simulator/openai`, { method: 'PUT', body })).status).toBe(200);
    const heard = 'openai/gpt-5-mini is left alone for';
    for (let i = 0; i < 8; i++) expect(await askAnew()).toBe(200);
    await vi.waitFor(() => {
      expect(many.printed()).toMatch(new RegExp(`${heard} .*overloaded\n`));
      expect(many.printed()).toMatch(new RegExp(`${heard} .*overloaded, as another worker has seen\n`));
    });

    const [, worker] = /worker \d serves, as process (\d+)/.exec(many.printed()) ?? [];
    process.kill(Number(worker), 'SIGKILL');
    await vi.waitFor(() => expect(many.printed()).toMatch(/worker \d is gone; another starts/), 10_000);
    for (let i = 0; i < 4; i++) expect(await askAnew()).toBe(200);

    const exit = once(many.child, 'exit');
    many.child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  }, 60_000);

  test('says what --workers takes', async () => {
    const { child, printed } = spawnDemo('0', '--workers', 'many');
    expect((await once(child, 'close'))[0]).toBe(1);
    expect(printed()).toContain("expected --workers and a number, or all, and got '--workers many'");
  });

  test('says so when its port is taken, and does not try again', async () => {
    const { child, printed } = spawnDemo(new URL(url).port, '--workers', '2');
    expect((await once(child, 'close'))[0]).toBe(1);
    expect(printed()).toContain('is in use');
    expect(printed()).not.toContain('another starts');
  });
});

describe('as a process', () => {
  test('says so when its port is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const { child, printed } = spawnDemo(String(port));
    const [code] = await once(child, 'close');
    blocker.close();
    expect(code).toBe(1);
    expect(printed()).toContain(`Port ${port} is in use`);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it within a second or so, even in mid-answer', async (signal) => {
    const other = spawnDemo('0');
    const otherUrl = await urlOf(other);
    await fetch(`${otherUrl}/_simulator/openai`, { method: 'PUT', body: '{"fault": {"kind": "stall"}}' });
    const response = await fetch(`${otherUrl}/llm/chat/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
    });
    response.text().catch(() => {});
    const startedAtMs = performance.now();
    other.child.kill(signal);
    const [code] = await once(other.child, 'close');
    expect(code).toBe(0);
    expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  });
});

describe('in the browser', () => {
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    if (!existsSync(CHROMIUM)) {
      throw new Error(
        `There is no ${CHROMIUM}: install it (apt-get install -y chromium), or set CHROMIUM to its path.`,
      );
    }
    // biome-ignore format: reads as a list
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    browser = await chromium.launch({ executablePath: CHROMIUM, args });
  });

  afterAll(() => browser?.close());

  beforeEach(async () => {
    await startOver();
    await page?.close();
    page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(url);
  });

  afterEach(() => {
    // What the page threw, if it threw.
    expect(errors.splice(0)).toEqual([]);
  });

  const askOnPage = async (text: string): Promise<void> => {
    await page.getByRole('button', { name: 'Send' }).waitFor();
    await page.getByLabel('Message').fill(text);
    await page.keyboard.press('Enter');
  };
  const lastAnswer = (): ReturnType<Page['locator']> => page.locator('.answer').last();

  test('an answer streams in, and says who gave it', async () => {
    await setFault('openai', { kind: 'slow', factor: 4 });
    await askOnPage('What is a <b>switchyard</b>?');
    await lastAnswer().locator('.text', { hasText: 'heard' }).waitFor();
    const begun = (await lastAnswer().locator('.text').textContent()) ?? '';
    await lastAnswer().locator('.text', { hasText: 'neither tokens nor time.' }).waitFor();
    const whole = (await lastAnswer().locator('.text').textContent()) ?? '';
    expect(whole.length).toBeGreaterThan(begun.length);
    expect(whole).toContain('heard: "What is a <b>switchyard</b>?"');
    await page.getByRole('button', { name: 'Send' }).waitFor();
    expect(await lastAnswer().locator('.summary').textContent()).toBe(`${FIRST} after 1 attempt`);
    expect(await lastAnswer().locator('.step').allTextContents()).toEqual([
      expect.stringMatching(/answered\s·\s\d+\sms$/),
    ]);
  });

  test('turning a vendor off sends the next answer elsewhere, and the trail says why', async () => {
    await page.getByLabel('OpenAI works').click();
    await page.locator('[data-vendor="openai"].broken').waitFor();
    await askOnPage('And now?');
    await lastAnswer().locator('.step').nth(1).waitFor();
    expect(await lastAnswer().locator('.summary').textContent()).toBe(`${SECOND} after 2 attempts`);
    expect(await lastAnswer().locator('.step').first().textContent()).toMatch(/overloaded 503\s·\s\d+\sms$/);
    await page.getByLabel('OpenAI works').click();
    await page.locator('[data-vendor="openai"]:not(.broken)').waitFor();
    await askOnPage('And again?');
    await page.locator('.answer').nth(1).locator('.summary').waitFor();
    expect(await lastAnswer().locator('.summary').textContent()).toBe(`${FIRST} after 1 attempt`);
  });

  test('an answer that breaks off is shown as an error', async () => {
    await page.getByLabel('OpenAI fails with').selectOption('cut in mid-answer');
    await page.getByLabel('OpenAI works').click();
    await page.locator('[data-vendor="openai"].broken').waitFor();
    await askOnPage('Go on');
    await lastAnswer().locator('.failure').waitFor();
    expect(await lastAnswer().locator('.failure').textContent()).toMatch(/^Not a whole answer\./);
    expect(await lastAnswer().locator('.text').textContent()).not.toBe('');
    expect(await lastAnswer().locator('.step').textContent()).toMatch(/, then broke off$/);
  });

  test('when no vendor answers, the page says so, and when to try again', async () => {
    for (const vendor of VENDORS) await setFault(vendor, ONCE);
    await askOnPage('Anybody?');
    await lastAnswer().locator('.failure').waitFor();
    expect(await lastAnswer().locator('.failure').textContent()).toMatch(/can answer now\. Try again in \d+ s\.$/);
    expect(await lastAnswer().locator('.step').count()).toBe(4);
  });

  test('the chosen route is the one that is asked', async () => {
    await page.getByLabel('experiment').check();
    const [asked] = await Promise.all([
      page.waitForRequest((request) => request.method() === 'POST'),
      askOnPage('A or B?'),
    ]);
    expect(new URL(asked.url()).pathname).toBe('/llm/experiment/v1/chat/completions');
  });

  test('Stop ends an answer, and the vendor hears of it', async () => {
    await setFault('openai', { kind: 'stall', afterEvents: 6 });
    await askOnPage('A long story');
    await lastAnswer().locator('.text', { hasText: 'heard' }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await lastAnswer().locator('.failure', { hasText: 'You stopped it.' }).waitFor();
    await vi.waitFor(() => expect(demo.printed()).toContain('openai/gpt-5-mini aborted, the caller left'));
  });

  test('a fault set elsewhere shows on the card, with the standing that it leads to', async () => {
    const card = page.locator('[data-vendor="openai"]');
    await setFault('openai', { kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 2_000 } });
    await ask('chat');
    await card.locator('.standing', { hasText: 'Left alone: rate-limited, due in' }).waitFor();
    expect(await card.getByLabel('OpenAI works').isChecked()).toBe(false);
  });

  test('it fits on a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await askOnPage('Averyveryveryveryveryveryveryveryveryveryveryverylongword');
    await page.getByRole('button', { name: 'Send' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  });
});
