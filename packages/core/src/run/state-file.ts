import type { System } from './system.ts';

type FileSystem = typeof import('node:fs');

/** Undefined where there is none. Asked for at run time, so that bundles for other places have no `node:fs` in them. */
const fileSystem = (): FileSystem | undefined => globalThis.process?.getBuiltinModule?.('node:fs');

export const hasFiles = (): boolean => fileSystem() !== undefined;

/** After a change so long, so that many make one write. */
const REST_MS = 1_000;

interface StateFileOptions<State> {
  readonly path: string;
  readonly system: System;
  readonly isState: (value: unknown) => value is State;
  readonly current: () => State;
  readonly onProblem: (problem: string) => void;
}

/** Keeps a state in a file: read once, and written whole a second after a change, in one step. It never throws. */
export class StateFile<State> {
  readonly #options: StateFileOptions<State>;
  #state: 'clean' | 'waiting' | 'writing' | 'changed-while-writing' = 'clean';
  /** Something is there that could be neither read nor put aside, and must not be lost. */
  #isForeign = false;

  constructor(options: StateFileOptions<State>) {
    this.#options = options;
  }

  /** What was written last; undefined where there is nothing, or nothing that can be used. Then it is kept aside. */
  read(): State | undefined {
    const { path, isState, onProblem } = this.#options;
    const files = fileSystem();
    if (files === undefined) return undefined;
    let text: string;
    try {
      text = files.readFileSync(path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      this.#isForeign = true;
      onProblem(`${path} cannot be read (${codeOf(error)}), and is left as it is`);
      return undefined;
    }
    try {
      const value: unknown = JSON.parse(text);
      if (isState(value)) return value;
    } catch {
      // Said below.
    }
    try {
      files.renameSync(path, `${path}.broken`);
      onProblem(`${path} is no state of this version; it is kept as ${path}.broken, and all is learned anew`);
    } catch (error) {
      this.#isForeign = true;
      onProblem(`${path} is no state of this version, cannot be moved (${codeOf(error)}), and is left as it is`);
    }
    return undefined;
  }

  /** There is something new to keep. */
  changed(): void {
    if (this.#isForeign) return;
    if (this.#state === 'writing') this.#state = 'changed-while-writing';
    if (this.#state !== 'clean') return;
    this.#state = 'waiting';
    // Not in the background: a process that has nothing else to do stays for this second, and loses nothing.
    this.#options.system.schedule(REST_MS, () => void this.#write());
  }

  async #write(): Promise<void> {
    const { path, current, onProblem } = this.#options;
    this.#state = 'writing';
    try {
      // Beside it, and then in its place: whoever reads it meets the old one or the new one, whole.
      const files = (fileSystem() as FileSystem).promises;
      const beside = `${path}.${process.pid}.tmp`;
      await files.writeFile(beside, `${JSON.stringify(current())}\n`, { flush: true });
      await files.rename(beside, path);
    } catch (error) {
      onProblem(`${path} could not be written (${codeOf(error)})`);
    }
    const isBehind = (this.#state as string) === 'changed-while-writing';
    this.#state = 'clean';
    if (isBehind) this.changed();
  }
}

/** Only the code: messages of the system repeat paths and more. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : error instanceof Error ? error.name : 'unknown';
