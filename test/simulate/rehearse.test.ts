// #region example
import { rehearse, type Scenario } from '@switchyard/simulator/virtual';
import { expect, test } from 'vitest';

const outage: Scenario = {
  name: 'my-pool',
  durationMs: 600_000,
  pool: [
    { name: 'openai', model: 'gpt-5-mini', firstContentMs: { median: 600, sigma: 0.5 } },
    { name: 'anthropic', model: 'claude-sonnet-5', firstContentMs: { median: 900, sigma: 0.6 } },
  ],
  arrivals: { perSecond: 5 },
  faults: [{ vendor: 'openai', kind: 'hang', fromMs: 120_000, toMs: 420_000 }],
};

test('nobody notices when the first vendor hangs for five minutes', async () => {
  const { measures } = await rehearse(outage, 1);
  expect(measures.all.failures).toBe(0);
  expect(measures.during.servedBy['anthropic/claude-sonnet-5']).toBeGreaterThan(0.95);
});
// #endregion
