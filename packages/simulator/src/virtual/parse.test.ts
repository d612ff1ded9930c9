import { expect, test } from 'vitest';
import { parseScenario } from './parse.ts';
import { SCENARIOS } from './scenarios/index.ts';

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s could be a JSON file', (_, scenario) => {
  expect(parseScenario(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario);
});

test('names are unique', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
});

const good = {
  name: 'mine',
  durationMs: 60_000,
  pool: [{ name: 'a', firstContentMs: { median: 800, sigma: 0.6 } }],
  arrivals: { perSecond: 1 },
};

test.each([
  [{ ...good, durationMs: 0 }, /^scenario\.durationMs: must be a number/],
  [{ ...good, pool: [] }, /^scenario\.pool: must be an array of at least 1/],
  [{ ...good, pools: [] }, /^scenario\.pools: unknown field; there are name, about/],
  [
    { ...good, pool: [{ name: 'a', firstContentMs: { median: '1s', sigma: 0 } }] },
    /^scenario\.pool\[0\]\.firstContentMs\.median/,
  ],
  [
    { ...good, faults: [{ vendor: 'b', kind: 'hang', fromMs: 0, toMs: 1 }] },
    /^scenario\.faults\[0\]\.vendor: must be one of 'a'/,
  ],
  [
    { ...good, faults: [{ vendor: 'a', kind: 'flood', fromMs: 0, toMs: 1 }] },
    /^scenario\.faults\[0\]\.kind: must be one of '5xx'/,
  ],
  [{ ...good, faults: [{ vendor: 'a', kind: 'slow', fromMs: 0, toMs: 1 }] }, /^scenario\.faults\[0\]\.factor: must be/],
])('%o is refused with the path of the field', (scenario, message) => {
  expect(() => parseScenario(scenario)).toThrow(message);
});
