import type { AttemptRole, ChatRequest, Failure, RouterErrorCode, RouterEvent } from '@switchyard/core';
import type { Provider } from '@switchyard/core/provider';
import type { AskOptions, Ending, Scene } from './design.ts';

/** What the hand-made designs are built of: a chain of vendors, asked one after the other. */
export class Chain {
  readonly vendors: readonly Link[];
  readonly #scene: Scene;
  #requests = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.vendors = scene.targets.map(({ vendor, model, options, connect }) => ({
      id: typeof options.id === 'string' ? options.id : `${vendor}/${model}`,
      provider: connect(model, undefined),
    }));
  }

  begin(request: ChatRequest, options: AskOptions): Errand {
    this.#requests += 1;
    return new Errand(this.#scene, request, `chain-${this.#requests}`, options);
  }
}

/** As the router has it for streams. */
const USUAL_DEADLINE_MS = 60_000;

interface Link {
  readonly id: string;
  readonly provider: Provider;
}

/** One request on its way through a chain, reported in the router's words so that all designs are measured alike. */
export class Errand {
  readonly #scene: Scene;
  readonly #request: ChatRequest;
  readonly #names: { readonly requestId: string; readonly route: string };
  readonly #startedAtMs: number;
  readonly #deadlineAtMs: number;
  readonly #callerSignal: AbortSignal | undefined;
  #attempts = 0;

  constructor(scene: Scene, request: ChatRequest, requestId: string, { deadlineMs, signal }: AskOptions) {
    this.#scene = scene;
    this.#request = request;
    this.#names = { requestId, route: 'pool' };
    this.#startedAtMs = scene.world.nowMs();
    this.#deadlineAtMs = this.#startedAtMs + (deadlineMs ?? USUAL_DEADLINE_MS);
    this.#callerSignal = signal;
    this.#emit({ type: 'request-started', atMs: this.#startedAtMs, ...this.#names });
  }

  get leftMs(): number {
    return this.#deadlineAtMs - this.#scene.world.nowMs();
  }

  /** Asks one vendor. Answers with why it failed, or with how the whole request ended. */
  async attempt({ id, provider }: Link, timeoutMs: number): Promise<Failure | Ending> {
    if (this.#callerSignal?.aborted) return this.#left();
    const { world } = this.#scene;
    const startedAtMs = world.nowMs();
    const role: AttemptRole = this.#attempts === 0 ? 'first' : 'fallback';
    this.#attempts += 1;
    this.#emit({ type: 'attempt-started', atMs: startedAtMs, ...this.#names, target: id, role });
    const end = (outcome: 'answered' | Failure): void => {
      const atMs = world.nowMs();
      const report = { target: id, role, tookMs: atMs - startedAtMs };
      const attempt = { ...report, outcome: outcome === 'answered' ? outcome : outcome.kind };
      this.#emit({ type: 'attempt-ended', atMs, ...this.#names, attempt });
    };
    const controller = new AbortController();
    const stop = world.schedule(Math.min(timeoutMs, this.leftMs), () => controller.abort(TIMED_OUT));
    const leave = (): void => controller.abort(LEFT);
    this.#callerSignal?.addEventListener('abort', leave);
    const explain = (error: unknown): Failure =>
      error === TIMED_OUT || error === LEFT ? (error as Failure) : provider.explain(error, NO_WIRE);
    let begun = false;
    try {
      for await (const event of provider.stream(this.#request, { signal: controller.signal })) {
        if (begun || event.type !== 'text') continue;
        begun = true;
        stop();
        end('answered');
        this.#emit({ type: 'request-answered', ...this.#tally(), target: id });
      }
      return 'answered';
    } catch (error) {
      const failure = explain(error);
      end(failure);
      if (failure === LEFT) return begun ? 'left' : this.#left();
      return begun ? 'broke-off' : failure;
    } finally {
      this.#callerSignal?.removeEventListener('abort', leave);
      stop();
    }
  }

  fail(): Ending {
    const code: RouterErrorCode = this.leftMs <= 0 ? 'deadline-exceeded' : 'all-targets-failed';
    this.#emit({ type: 'request-failed', ...this.#tally(), code });
    return 'failed';
  }

  #left(): Ending {
    this.#emit({ type: 'request-failed', ...this.#tally(), code: 'aborted' });
    return 'left';
  }

  /** Waits, but no longer than the caller does. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#scene.world.schedule(Math.min(delayMs, this.leftMs), resolve));
  }

  #tally(): { atMs: number; requestId: string; route: string; attempts: number; tookMs: number } {
    const atMs = this.#scene.world.nowMs();
    return { atMs, ...this.#names, attempts: this.#attempts, tookMs: atMs - this.#startedAtMs };
  }

  #emit(event: RouterEvent): void {
    this.#scene.onEvent(event);
  }
}

const TIMED_OUT: Failure = { kind: 'timed-out', message: 'no content in time' };
const LEFT: Failure = { kind: 'aborted', message: 'the caller left' };

/** Nothing has to be asked of the transport: virtual vendors explain their own errors. */
const NO_WIRE = { state: 'sent', status: undefined, header: () => undefined, errorCode: undefined } as const;
