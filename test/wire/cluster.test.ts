import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type SimulatedVendor, type Simulator, startSimulator } from '@switchyard/simulator';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Asked, Page, Setting } from './cluster/setting.ts';

// Workers of node:cluster, in processes of their own, with the vendors' real SDKs over HTTP: what one of them has seen, the others need
// not see. It is counted at the vendor. Where nothing may happen by itself, the workers' clock is slow; where something has to, fast.

const SLOW = 0.1;
const FAST = 5;
const SOON = { timeout: 20_000, interval: 10 };
/** A busy machine takes its time to start four processes. */
const STARTED = { timeout: 120_000, interval: 20 };
const PATIENT = { timeout: 180_000 };

let simulator: Simulator;
let first: SimulatedVendor;
const running: Primary[] = [];

beforeEach(async () => {
  simulator = await startSimulator();
  first = simulator.vendors.openai;
});
afterEach(async () => {
  for (const primary of running.splice(0)) await primary.stop();
  await simulator.close();
});

/** A primary and its workers. */
class Primary {
  readonly #child: ChildProcess;
  /** By id, in the order in which they were forked. */
  readonly urls = new Map<number, string>();
  readonly gone: { readonly worker: number; readonly gone: unknown }[] = [];

  constructor(setting: Setting) {
    this.#child = spawn(
      process.execPath,
      ['--conditions=@switchyard/source', new URL('./cluster/process.ts', import.meta.url).pathname],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { PATH: process.env.PATH, CLUSTER_TEST: JSON.stringify(setting) },
      },
    );
    createInterface(this.#child.stdout as NonNullable<ChildProcess['stdout']>).on('line', (line) => {
      const { worker, url, gone } = JSON.parse(line);
      if (url !== undefined) this.urls.set(worker, url);
      else this.gone.push({ worker, gone });
    });
  }

  command(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async fork(workers: number): Promise<void> {
    const expected = this.urls.size + workers;
    for (let i = 0; i < workers; i++) this.command('fork');
    await vi.waitFor(() => expect(this.urls.size).toBe(expected), STARTED);
  }

  async kill(worker: number): Promise<void> {
    this.command(`kill ${worker}`);
    await vi.waitFor(() => expect(this.gone).toContainEqual({ worker, gone: 'SIGKILL' }), SOON);
  }

  ask(worker: number): Promise<Asked> {
    return this.#get(worker, '/ask') as Promise<Asked>;
  }

  page(worker: number): Promise<Page> {
    return this.#get(worker, '/page') as Promise<Page>;
  }

  /** Asks one after the other, and expects an answer each time. */
  async askOften(worker: number, times: number): Promise<Asked[]> {
    const answers: Asked[] = [];
    for (let i = 0; i < times; i++) {
      const answer = await this.ask(worker);
      expect(answer).toMatchObject({ target: expect.any(String) });
      answers.push(answer);
    }
    return answers;
  }

  /** Its exit code: it ends when all workers have disconnected, if nothing of ours holds them. */
  async end(): Promise<unknown> {
    const exit = once(this.#child, 'exit');
    this.command('end');
    return (await exit)[0];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    // Its workers leave with it.
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #get(worker: number, path: string): Promise<unknown> {
    const response = await fetch(`${this.urls.get(worker)}${path}`);
    return response.json();
  }
}

const start = async (workers: number, setting: Partial<Setting> = {}): Promise<Primary> => {
  const { openai, anthropic } = simulator.vendors;
  const primary = new Primary({
    openaiUrl: openai.url,
    anthropicUrl: anthropic.url,
    sharing: true,
    speed: SLOW,
    ...setting,
  });
  running.push(primary);
  await primary.fork(workers);
  return primary;
};

const stands = (primary: Primary, worker: number, page: Partial<Page>): Promise<void> =>
  vi.waitFor(async () => expect(await primary.page(worker)).toMatchObject(page), SOON);

/** How often the vendor is asked while it is down: by the first worker until it has seen so, and then by each of the others. */
const outage = async (sharing: boolean): Promise<readonly number[]> => {
  const primary = await start(3, { sharing });
  first.break({ kind: 'status', status: 503 });
  const calls: number[] = [];
  for (const worker of [1, 2, 3]) {
    const before = first.calls;
    await primary.askOften(worker, 10);
    calls.push(first.calls - before);
    if (sharing)
      for (const other of [2, 3]) await stands(primary, other, { standing: 'cooling', reason: 'overloaded' });
  }
  return calls;
};

describe('an outage', PATIENT, () => {
  test('that one worker has met is met by no other', async () => {
    expect(await outage(true)).toEqual([3, 0, 0]);
    expect(await running[0]?.page(2)).toMatchObject({ events: ['target-cooled heard'] });
  });

  test('is met by each of them without a store', async () => {
    expect(await outage(false)).toEqual([3, 3, 3]);
  });

  test('that is over for one is over for all, and only one of them has probed', async () => {
    const primary = await start(3, { speed: FAST });
    first.break({ kind: 'status', status: 503 });
    await primary.askOften(1, 4);
    for (const worker of [2, 3]) {
      await vi.waitFor(async () => expect((await primary.page(worker)).events).toContain('target-cooled heard'), SOON);
    }
    first.heal();
    const pages = (): Promise<Page[]> => Promise.all([1, 2, 3].map((worker) => primary.page(worker)));
    await vi.waitFor(async () => {
      await primary.ask(1);
      for (const { standing } of await pages()) expect(['ramping', 'ready']).toContain(standing);
    }, SOON);
    for (const { events } of (await pages()).slice(1)) expect(events.at(-1)).toBe('target-recovered heard');
    for (const worker of [2, 3]) {
      await vi.waitFor(async () => expect(await primary.ask(worker)).toMatchObject({ target: 'openai' }), SOON);
    }
  });
});

/** How often the vendor refuses, of ten requests to each of two workers. */
const refusals = async (sharing: boolean): Promise<number> => {
  const primary = await start(2, { sharing });
  first.break({ kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 40_000 } });
  const [answer] = await primary.askOften(1, 1);
  expect(answer).toEqual({ target: 'anthropic', outcomes: ['rate-limited', 'answered'] });
  if (sharing) await stands(primary, 2, { standing: 'cooling', reason: 'rate-limited' });
  for (const worker of [1, 2]) await primary.askOften(worker, 10);
  return first.calls;
};

describe('a 429 with Retry-After', PATIENT, () => {
  test('that one worker was given holds for all, for as long', async () => {
    expect(await refusals(true)).toBe(1);
    const { dueInMs } = (await running[0]?.page(2)) ?? {};
    // Of 40 s, and a tenth more at most, some have passed on a slow clock.
    expect(dueInMs).toBeGreaterThan(30_000);
    expect(dueInMs).toBeLessThanOrEqual(44_000);
  });

  test('is given to each of them without a store', async () => {
    expect(await refusals(false)).toBe(2);
  });

  test('holds for a worker that starts later', async () => {
    const primary = await start(1);
    first.break({ kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 4_000_000 } });
    await primary.askOften(1, 1);
    await primary.fork(1);
    await stands(primary, 2, { standing: 'cooling', reason: 'rate-limited' });
    await primary.kill(1);
    // Also when the one that was given it is gone.
    await primary.fork(1);
    await stands(primary, 3, { standing: 'cooling', reason: 'rate-limited' });
    for (const worker of [2, 3]) await primary.askOften(worker, 5);
    expect(first.calls).toBe(1);
  });
});

describe('a worker that is killed', PATIENT, () => {
  test('while it probes costs nobody an answer, and another probes in its place', async () => {
    const primary = await start(3, { speed: FAST });
    first.break({ kind: 'status', status: 503 });
    await primary.askOften(1, 4);
    for (const worker of [2, 3]) {
      await vi.waitFor(async () => expect((await primary.page(worker)).events).toContain('target-cooled heard'), SOON);
    }
    first.break({ kind: 'hang-before-headers' });
    // The probe's caller is answered by another target; the probe goes on.
    await vi.waitFor(async () => {
      await primary.ask(1);
      expect((await primary.page(1)).standing).toBe('probing');
    }, SOON);
    await primary.kill(1);
    first.heal();
    const deadline = performance.now() + SOON.timeout;
    for (const worker of [2, 3]) {
      for (;;) {
        const [answer] = await primary.askOften(worker, 1);
        if (answer?.target === 'openai') break;
        expect(performance.now()).toBeLessThan(deadline);
      }
    }
  });

  test('in the middle of requests to others harms none of them', async () => {
    const primary = await start(3);
    first.break({ kind: 'status', status: 503 });
    const asking = [2, 3].map((worker) => primary.askOften(worker, 40));
    await primary.askOften(1, 2);
    await primary.kill(1);
    const answers = (await Promise.all(asking)).flat();
    expect(answers).toHaveLength(80);
    expect(new Set(answers.map(({ target }) => target))).toEqual(new Set(['anthropic']));
  });
});

test('what others say over the channel is passed over, and nobody is kept alive', PATIENT, async () => {
  const primary = await start(2);
  primary.command('noise');
  for (const worker of [1, 2]) expect((await primary.askOften(worker, 1))[0]).toMatchObject({ target: 'openai' });
  first.break({ kind: 'status', status: 503 });
  await primary.askOften(1, 4);
  await stands(primary, 2, { standing: 'cooling' });
  expect(await primary.end()).toBe(0);
  expect(primary.gone.map(({ gone }) => gone)).toEqual([0, 0]);
});

test('a process that is no worker has a store too, and ends by itself', PATIENT, async () => {
  const script = `
    import { createRouter } from '@switchyard/core';
    import { clusterStore, relayClusterNews } from '@switchyard/core/cluster';
    import { openai } from '@switchyard/core/openai';
    relayClusterNews();
    createRouter({ store: clusterStore(), routes: { chat: { pool: [openai('gpt-5-mini', { apiKey: 'any' })] } } });
  `;
  const args = ['--conditions=@switchyard/source', '--input-type=module', '-e', script];
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'inherit', 'inherit'] });
  expect((await once(child, 'exit'))[0]).toBe(0);
});
