import { type RequestRecord, rehearse, type Scenario } from '@switchyard/simulator/virtual';
import { ascending, quantile } from '../../packages/simulator/src/virtual/quantile.ts';

const SECOND = 1_000;

/** How an outage went, over all seeds. Times are in ms. */
export interface Detection {
  readonly what: string;
  readonly mode: Mode['name'];
  readonly perSecond: number;
  /** From the fault's begin until its target was put last: the median of the seeds, and the worst. */
  readonly noticedMs: { readonly median: number; readonly worst: number };
  /** Requests that were sent to the target meanwhile, on average. */
  readonly sentToIt: number;
  /** How long callers whose request met the fault waited until somebody else was asked. */
  readonly waitedMs: { readonly p50: number; readonly p95: number; readonly worst: number };
  /** Whole answers of all requests that began during the fault; NaN where some of these are streams. */
  readonly wholeMs: { readonly p50: number; readonly p99: number };
  /** Attempts per request while all was well. */
  readonly attemptsWhileWell: number;
  readonly failures: number;
}

// About as long as answers were measured to be: half of them under 45 tokens, one in four over 290, at most 2000.
const answer = { tokens: { most: 2_000, exponent: 1 }, msPerToken: { mean: 12, shape: 4 } };

const POOL: Scenario['pool'] = [
  { name: 'a', firstContentMs: { median: 800, sigma: 0.6 }, answer },
  { name: 'b', firstContentMs: { median: 900, sigma: 0.6 }, answer },
  { name: 'c', firstContentMs: { median: 1_100, sigma: 0.6 }, answer },
];

const plain = { inputTokens: 500, stream: false };

const MODES = [
  { name: 'match', upstream: 'match', requests: [{ share: 1, ...plain }] },
  // What streams of the same route tell of a target is known to all its requests.
  {
    name: 'match, one in ten a stream',
    upstream: 'match',
    requests: [
      { share: 9, ...plain },
      { share: 1, ...plain, stream: true },
    ],
  },
  { name: 'stream', upstream: 'stream', requests: [{ share: 1, ...plain }] },
] as const;

type Mode = (typeof MODES)[number];

const SILENT_MS = 300 * SECOND;

const STORIES = [
  { what: 'hangs', kind: 'hang', fromMs: 180 * SECOND },
  { what: 'hangs, nothing learned', kind: 'hang', fromMs: 5 * SECOND },
  // The first word comes, and no other.
  { what: 'stalls', kind: 'stall', fromMs: 180 * SECOND },
] as const;

type Story = (typeof STORIES)[number];

/** Plain requests while the first vendor is silent for five minutes. */
export const measureDetection = async (seeds: number): Promise<Detection[]> => {
  const all: Detection[] = [];
  for (const story of STORIES) {
    for (const perSecond of [1, 10]) {
      for (const mode of MODES) all.push(await detect(story, mode, perSecond, seeds));
    }
  }
  return all;
};

const detect = async (
  { what, kind, fromMs }: Story,
  { name: mode, upstream, requests }: Mode,
  perSecond: number,
  seeds: number,
): Promise<Detection> => {
  const toMs = fromMs + SILENT_MS;
  const scenario: Scenario = {
    name: `${what}, ${mode}`,
    durationMs: toMs + 60 * SECOND,
    pool: POOL,
    route: { upstream },
    arrivals: { perSecond },
    requests,
    faults: [{ vendor: 'a', kind, fromMs, toMs }],
  };
  const noticedMs: number[] = [];
  const waitedMs: number[] = [];
  const wholeMs: number[] = [];
  let sent = 0;
  let well = { requests: 0, attempts: 0 };
  let failures = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { requests: records, targetEvents } = await rehearse(scenario, seed);
    const noticed = targetEvents.find(
      ({ type, target, atMs }) => type !== 'target-recovered' && target === FAULTY && atMs >= fromMs,
    );
    noticedMs.push((noticed?.atMs ?? Number.POSITIVE_INFINITY) - fromMs);
    failures += records.filter(({ outcome }) => outcome !== 'answered').length;
    for (const request of records) {
      const { atMs, attempts, tookMs } = request;
      // Well enough before the fault that it has no part in them.
      if (atMs < fromMs - 60 * SECOND)
        well = { requests: well.requests + 1, attempts: well.attempts + attempts.length };
      if (atMs < fromMs || atMs >= toMs) continue;
      wholeMs.push(requests.length > 1 ? Number.NaN : tookMs);
      const waited = waitedFor(request);
      if (waited === undefined) continue;
      sent += 1;
      waitedMs.push(waited);
    }
  }
  const [noticed, waited, whole] = [ascending(noticedMs), ascending(waitedMs), ascending(wholeMs)];
  return {
    what,
    mode,
    perSecond,
    noticedMs: { median: quantile(noticed, 0.5), worst: quantile(noticed, 1) },
    sentToIt: sent / seeds,
    waitedMs: { p50: quantile(waited, 0.5), p95: quantile(waited, 0.95), worst: quantile(waited, 1) },
    wholeMs: { p50: quantile(whole, 0.5), p99: quantile(whole, 0.99) },
    attemptsWhileWell: well.attempts / well.requests,
    failures,
  };
};

const FAULTY = 'a/model';

/** How long a request that went to the faulty target first waited until another was asked; undefined for all others. */
const waitedFor = ({ attempts }: RequestRecord): number | undefined => {
  const [first, second] = attempts;
  if (first?.target !== FAULTY) return undefined;
  return (second?.atMs ?? Number.POSITIVE_INFINITY) - first.atMs;
};
