import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

// Every part of a run is a process of its own, so that what one costs is not mistaken for what another does.

interface Question {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** What another process can be asked for: by name, functions of plain data. */
// biome-ignore lint/suspicious/noExplicitAny: each process says for itself what its functions take.
export type Skills = Readonly<Record<string, (...args: any[]) => unknown>>;

/** Answers what the process that forked this one asks, and ends with it. */
export const serveParent = (skills: Skills): void => {
  process.on('message', async ({ id, name, args }: Question) => {
    const skill = skills[name];
    if (skill === undefined) return;
    const reply = await Promise.resolve(skill(...args)).then(
      (result): Reply => ({ id, result }),
      (error: unknown): Reply => ({
        id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
    if (process.connected) process.send?.(reply);
  });
  process.on('disconnect', () => process.exit());
};

export interface Start {
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
  /** Whether what it says is of interest; a candidate whose vendor is down may say much. */
  readonly quiet?: boolean;
}

/** A process that can be asked. One that ends, or says nothing for two minutes, fails whoever waits for it. */
export class Process<S extends Skills> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #asked = 0;

  constructor(script: URL, { args = [], nodeArgs = [], quiet = false }: Start = {}) {
    this.#child = fork(script, args, {
      execArgv: [...nodeArgs],
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'ignore', quiet ? 'ignore' : 'inherit', 'ipc'],
    });
    this.#child.on('message', (reply: Reply) => this.#waiting.get(reply.id)?.(reply));
    this.#child.on('exit', () => {
      for (const [id, settle] of this.#waiting) settle({ id, error: `${script.pathname} has ended` });
    });
  }

  ask<Name extends keyof S & string>(name: Name, ...args: Parameters<S[Name]>): Promise<Awaited<ReturnType<S[Name]>>> {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle({ id, error: `${name}: no answer for two minutes` }), 120_000);
      const settle = ({ result, error }: Reply): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (error === undefined) resolve(result as Awaited<ReturnType<S[Name]>>);
        else reject(new Error(error));
      };
      this.#waiting.set(id, settle);
      this.#child.send({ id, name, args } satisfies Question);
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
