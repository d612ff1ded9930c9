import type { Failure } from '@switchyard/core';
import { expect, test } from 'vitest';
import type { FaultTimes, VirtualEffect } from './fault.ts';
import { requestOf } from './traffic.ts';
import { VirtualVendor, type VirtualVendorOptions } from './vendor.ts';
import { World } from './world.ts';

interface Call {
  readonly atMs: number;
  outcome: 'answered' | 'open' | Failure['kind'];
  /** To the first content, or to the failure. */
  tookMs: number;
  retryAfterMs?: number | undefined;
}

const WIRE = { state: 'sent', status: undefined, header: () => undefined, errorCode: undefined } as const;

/** Calls a vendor once a second for `seconds`, and says what became of each call. */
const callEverySecond = async (
  seconds: number,
  faults: readonly (VirtualEffect & Omit<FaultTimes, 'vendor'>)[],
  options: Partial<VirtualVendorOptions> = {},
): Promise<Call[]> => {
  const world = new World(1);
  const steady = { name: 'a', firstContentMs: { median: 400, sigma: 0 }, ...options };
  const vendor = new VirtualVendor(
    steady,
    faults.map((fault) => ({ ...fault, vendor: 'a' })),
    world,
  );
  const provider = vendor.target().connect('model', undefined);
  const calls: Call[] = [];
  const call = async (): Promise<void> => {
    const record: Call = { atMs: world.nowMs(), outcome: 'open', tookMs: Number.NaN };
    calls.push(record);
    const took = (): number => world.nowMs() - record.atMs;
    try {
      for await (const event of provider.stream(requestOf(500), { signal: new AbortController().signal })) {
        if (event.type === 'text' && Number.isNaN(record.tookMs)) record.tookMs = took();
      }
      record.outcome = 'answered';
    } catch (error) {
      const failure = provider.explain(error, WIRE);
      record.outcome = failure.kind;
      record.retryAfterMs = failure.retryAfterMs;
      record.tookMs = took();
    }
  };
  for (let i = 0; i < seconds; i++) world.schedule(i * 1_000, () => void call());
  await world.run(() => false);
  return calls;
};

const outcomes = (calls: readonly Call[]): string[] => calls.map(({ outcome }) => outcome);

test.each([
  [{ kind: '5xx' }, 'server-error'],
  [{ kind: '5xx', status: 503 }, 'overloaded'],
  [{ kind: 'rate-limit' }, 'rate-limited'],
  [{ kind: 'status', status: 401 }, 'unauthorized'],
  [{ kind: 'status', status: 404 }, 'not-found'],
  [{ kind: 'refuse' }, 'unreachable'],
  [{ kind: 'no-connection' }, 'open'],
  [{ kind: 'hang' }, 'open'],
  [{ kind: 'error-in-stream' }, 'server-error'],
  [{ kind: 'stall' }, 'open'],
  [{ kind: 'cut' }, 'broken'],
] as const)('%o strikes from its first moment to its last, and not a second longer', async (effect, outcome) => {
  const calls = await callEverySecond(6, [{ ...effect, fromMs: 2_000, toMs: 4_000 }]);
  expect(outcomes(calls)).toEqual(['answered', 'answered', outcome, outcome, 'answered', 'answered']);
});

test('a hang also holds what was under way, and another fault does not', async () => {
  const hang = await callEverySecond(3, [{ kind: 'hang', fromMs: 1_300, toMs: 1_900 }]);
  expect(outcomes(hang)).toEqual(['answered', 'open', 'answered']);
  const down = await callEverySecond(3, [{ kind: '5xx', fromMs: 1_300, toMs: 1_900 }]);
  expect(outcomes(down)).toEqual(['answered', 'answered', 'answered']);
});

test('a vendor that is slow is slow by the factor', async () => {
  const calls = await callEverySecond(3, [{ kind: 'slow', factor: 4, fromMs: 1_000, toMs: 2_000 }]);
  expect(calls.map(({ tookMs }) => tookMs)).toEqual([400, 1_600, 400]);
});

test('a fault that flaps comes and goes, and one with a probability strikes that part, ± 0.05', async () => {
  const flapping = await callEverySecond(8, [
    { kind: '5xx', fromMs: 0, toMs: 60_000, flap: { onMs: 2_000, offMs: 2_000 } },
  ]);
  expect(outcomes(flapping).map((outcome) => outcome === 'answered')).toEqual([
    false,
    false,
    true,
    true,
    false,
    false,
    true,
    true,
  ]);
  const partial = await callEverySecond(2_000, [{ kind: '5xx', fromMs: 0, toMs: 2_000_000, probability: 0.3 }]);
  expect(partial.filter(({ outcome }) => outcome !== 'answered').length / 2_000).toBeCloseTo(0.3, 1);
});

test('errors are as quick as measured: a 500 after 0.15 s and a tenth on average, a 429 after 0.12 s and a twentieth', async () => {
  const meanMs = async (kind: '5xx' | 'rate-limit'): Promise<number> => {
    const calls = await callEverySecond(2_000, [{ kind, fromMs: 0, toMs: 2_000_000 }]);
    return calls.reduce((sum, { tookMs }) => sum + tookMs, 0) / calls.length;
  };
  expect(Math.abs((await meanMs('5xx')) - 250)).toBeLessThan(10);
  expect(Math.abs((await meanMs('rate-limit')) - 170)).toBeLessThan(5);
});

test('a vendor that allows 30 requests per minute refuses the 60th in a row, and says how long to wait', async () => {
  const calls = await callEverySecond(61, [], { rateLimit: { requestsPerMinute: 30 } });
  const refused = calls.filter(({ outcome }) => outcome !== 'answered');
  expect(refused).toMatchObject([{ atMs: 59_000, outcome: 'rate-limited', retryAfterMs: 1_000 }]);
});

test('larger prompts take longer', async () => {
  const firstContentMs = [
    { upToTokens: 100, median: 100, sigma: 0 },
    { upToTokens: 1_000, median: 900, sigma: 0 },
  ];
  const calls = await callEverySecond(1, [], { firstContentMs });
  expect(calls[0]?.tookMs).toBe(900);
});
