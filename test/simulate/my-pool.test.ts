// #region example
import { readFileSync } from 'node:fs';
import { parseScenario, rehearse } from '@switchyard/simulator/virtual';
import { expect, test } from 'vitest';

const file = new URL('my-pool.json', import.meta.url);
const myPool = parseScenario(JSON.parse(readFileSync(file, 'utf8')));

test('the pool of my-pool.json stands its bad ten minutes', async () => {
  const { measures } = await rehearse(myPool, 1);
  expect(measures.all.failures / measures.all.requests).toBeLessThan(0.001);
  expect(measures.worstMinute).toBeLessThan(1.2);
});
// #endregion

test('everything that the file asks for happens', async () => {
  const { measures, requests, lost } = await rehearse(myPool, 1);
  expect(lost).toBe(0);
  expect(measures.all.failed.aborted).toBeGreaterThan(20);
  expect(new Set(requests.map(({ instance }) => instance))).toEqual(new Set([0, 1]));
  const [openai, anthropic, google] = measures.targets;
  expect(openai?.rateUse).toBeGreaterThan(0.3);
  expect(openai?.outcomes.answered).toBeGreaterThan(1_000);
  expect(anthropic?.outcomes.overloaded).toBeGreaterThan(5);
  expect(anthropic?.atOnceUse).toBeGreaterThan(0.05);
  expect(google?.served).toBeGreaterThan(0);
});
