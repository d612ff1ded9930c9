import { ascending, quantile } from '../../../packages/simulator/src/virtual/quantile.ts';
import { BARE, type Candidate, Running } from './candidates.ts';
import type { LoadSkills } from './load.ts';
import { Process } from './process.ts';
import type { VendorSkills } from './vendor.ts';

/** One number of one candidate, round by round. NaN where there was nothing to measure. */
export interface Finding {
  readonly quantity: string;
  readonly unit: string;
  readonly candidate: string;
  readonly values: readonly number[];
  /** The candidate that it stands beside. Default: the bare proxy. */
  readonly beside?: string;
}

/** One thing that is measured, of all candidates that it makes sense of. */
export interface Measure {
  readonly name: string;
  readonly what: string;
  run(bench: Bench): Promise<readonly Finding[]>;
}

export interface Effort {
  readonly rounds: number;
  /** All that takes long is a tenth as long: to see whether everything works. */
  readonly quick: boolean;
}

/** The mock vendor, the callers, and the candidates that were started, each a process of its own. */
export class Bench {
  readonly vendor: Process<VendorSkills> = new Process<VendorSkills>(new URL('./vendor.ts', import.meta.url));
  readonly load: Process<LoadSkills> = new Process<LoadSkills>(new URL('./load.ts', import.meta.url));
  readonly #effort: Effort;
  readonly #running = new Map<string, Running>();

  constructor(effort: Effort) {
    this.#effort = effort;
  }

  get rounds(): number {
    return this.#effort.rounds;
  }

  /** `full`, or a tenth of it when there is no time. */
  much(full: number): number {
    return this.#effort.quick ? Math.ceil(full / 10) : full;
  }

  /** A process that nobody else uses; stop it. */
  async fresh(candidate: Candidate): Promise<Running> {
    return Running.start(candidate, await this.vendor.ask('urls'), this.load);
  }

  /** A candidate that has answered some thousand requests, plain and streamed: the first ones are slow everywhere. */
  async warm(candidate: Candidate): Promise<Running> {
    const known = this.#running.get(candidate.name);
    if (known !== undefined) return known;
    await this.vendor.ask('behave', {});
    const started = await this.fresh(candidate);
    this.#running.set(candidate.name, started);
    const [forMs, connections] = [this.much(8_000), 64];
    await this.load.ask('saturate', started.target(false), { connections, forMs, most: this.much(8_000) });
    await this.load.ask('saturate', started.target(true), { connections: 16, forMs: forMs / 2, most: this.much(300) });
    return started;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values(), this.vendor, this.load].map((each) => each.stop()));
  }
}

/** How much a candidate hands on when callers ask as soon as they are answered, and what each costs it. */
export interface Throughput {
  /** CPU time of the candidate for each answer, or each chunk of a stream, in µs. */
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** Plain answers over 64 connections, or the chunks of 16 streams at once, of a vendor that takes no time. */
export const saturated = async (
  bench: Bench,
  candidate: Candidate,
  { stream, forMs }: { readonly stream: boolean; readonly forMs: number },
): Promise<Throughput> => {
  const running = await bench.warm(candidate);
  await bench.vendor.ask('behave', {});
  const before = await running.usage();
  const { answers, frames, tookMs } = await bench.load.ask('saturate', running.target(stream), {
    connections: stream ? 16 : 64,
    forMs: bench.much(forMs),
  });
  const after = await running.usage();
  const count = stream ? frames : answers;
  return { cpuUs: (after.cpuUs - before.cpuUs) / count, perSecond: (count * 1_000) / tookMs };
};

/** For what takes long, and counts rather than times. */
export const ONCE: Pick<Effort, 'rounds'> = { rounds: 1 };

type Numbers = Readonly<Record<string, number>>;

/**
 * Measures each candidate once in each round, so that a noisy minute falls on all alike; the order turns about from round
 * to round. `units` names what `once` measures.
 */
export const interleaved = async (
  { rounds }: Pick<Effort, 'rounds'>,
  candidates: readonly Candidate[],
  units: Readonly<Record<string, string>>,
  once: (candidate: Candidate, round: number) => Promise<Numbers>,
): Promise<Finding[]> => {
  const found = new Map(candidates.map((candidate) => [candidate, [] as Numbers[]]));
  for (let round = 0; round < rounds; round++) {
    for (const candidate of round % 2 === 0 ? candidates : candidates.toReversed()) {
      found.get(candidate)?.push(await once(candidate, round));
    }
  }
  return candidates.flatMap((candidate) =>
    Object.entries(units).map(([quantity, unit]) => ({
      quantity,
      unit,
      candidate: candidate.name,
      values: (found.get(candidate) ?? []).map((numbers) => numbers[quantity] ?? Number.NaN),
    })),
  );
};

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export const spreadOf = (values: readonly number[]): Spread => {
  const sorted = ascending(values.filter((value) => !Number.isNaN(value)));
  return { median: quantile(sorted, 0.5), least: quantile(sorted, 0), most: quantile(sorted, 1) };
};

/** What was found of two candidates in the same round, one divided by the other. */
export const ratiosOf = ({ values }: Finding, base: Finding | undefined): readonly number[] =>
  values.map((value, round) => value / (base?.values[round] ?? Number.NaN));

export const find = (findings: readonly Finding[], quantity: string, { name }: Candidate = BARE): Finding | undefined =>
  findings.find((finding) => finding.quantity === quantity && finding.candidate === name);
