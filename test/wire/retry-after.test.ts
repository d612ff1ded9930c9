import { createRouter } from '@switchyard/core';
import { type RetryAfter, startSimulator } from '@switchyard/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROVIDERS, type ProviderName, simulated, vendorOf } from './targets.ts';

// Each form in which a vendor says how long to leave it alone, through each SDK: also those that drop the headers.

type Form = RetryAfter['form'];

const HEADERS: readonly Form[] = ['seconds', 'http-date', 'retry-after-ms', 'x-ms-retry-after-ms'];

const formsOf = (provider: ProviderName): readonly Form[] =>
  vendorOf(provider) === 'google' ? [...HEADERS, 'retry-info'] : [...HEADERS, 'reset-headers'];

let simulator: Awaited<ReturnType<typeof startSimulator>>;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

test.each(PROVIDERS.flatMap((provider) => formsOf(provider).map((form) => ({ provider, form }))))(
  '$provider: a 429 with 40 s as $form rests the target for that time, and a tenth more at most',
  async ({ provider, form }) => {
    const vendor = simulator.vendors[vendorOf(provider)];
    const spare = vendorOf(provider) === 'openai' ? 'anthropic' : 'openai';
    const router = createRouter({
      routes: { chat: { pool: [simulated(simulator, provider), simulated(simulator, spare)] } },
    });
    vendor.break({ kind: 'status', status: 429, retryAfter: { form, ms: 40_000 } });
    try {
      const answer = await router.chat('chat', {
        messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      });
      expect(answer.served.attempts.map(({ outcome }) => outcome)).toEqual(['rate-limited', 'answered']);
    } finally {
      vendor.heal();
    }
    const [target] = router.snapshot()[0]?.targets ?? [];
    expect(target).toMatchObject({ standing: 'cooling', reason: 'rate-limited' });
    // Dates have whole seconds, of which the vendor's own may be one less; and the test itself takes some time.
    expect(target?.dueInMs).toBeGreaterThan(37_000);
    expect(target?.dueInMs).toBeLessThanOrEqual(46_500);
  },
);
