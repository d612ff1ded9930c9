import { expect, test } from 'vitest';
import { parseScenario } from './parse.ts';
import { SCENARIOS } from './scenarios/index.ts';

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s could be a JSON file', (_, scenario) => {
  expect(parseScenario(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario);
});

test('names are unique', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
});

const vendor = { name: 'a', firstContentMs: { median: 800, sigma: 0.6 } };

const good = {
  name: 'mine',
  durationMs: 60_000,
  pool: [vendor],
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
  [
    { ...good, faults: [{ vendor: 'a', kind: 'hang', fromMs: 5, toMs: 5 }] },
    /^scenario\.faults\[0\]\.toMs: must be later than fromMs, which is 5, got 5$/,
  ],
  [
    { ...good, faults: [{ vendor: 'a', kind: 'rate-limit', retryAfter: { form: 'soon' }, fromMs: 0, toMs: 1 }] },
    /^scenario\.faults\[0\]\.retryAfter\.form: must be one of 'seconds', 'http-date'/,
  ],
  [
    { ...good, faults: [{ vendor: 'a', kind: 'hang', afterTokens: 3, fromMs: 0, toMs: 1 }] },
    /^scenario\.faults\[0\]\.afterTokens: unknown field; there are kind, vendor/,
  ],
  [{ ...good, pool: [{ ...vendor, wire: 'acme' }] }, /^scenario\.pool\[0\]\.wire: must be one of 'openai'/],
  [
    { ...good, pool: [{ ...vendor, rateLimit: { atOnceStatus: 503 } }] },
    /^scenario\.pool\[0\]\.rateLimit\.atOnceStatus: must be 429 or 529, got 503$/,
  ],
  [
    { ...good, pool: [{ ...vendor, rateLimit: { refusal: 'rudely' } }] },
    /^scenario\.pool\[0\]\.rateLimit\.refusal: must be one of 'retry-after'/,
  ],
  [{ ...good, instances: 1.5 }, /^scenario\.instances: must be an integer of at least 1, got 1.5$/],
  [{ ...good, clock: [{ atMs: 5 }] }, /^scenario\.clock\[0\]\.byMs: must be a number/],
  [
    { ...good, requests: [{ share: 1, inputTokens: 5, leavesAfterMs: 'soon' }] },
    /^scenario\.requests\[0\]\.leavesAfterMs: must be an object/,
  ],
  // What the router itself finds, by the path that it has here.
  [{ ...good, route: { strategy: 'best' } }, /^scenario\.route\.strategy: expected one of priority/],
  [{ ...good, route: { dedline: '5s' } }, /^scenario\.route\.dedline: unknown key$/],
  [{ ...good, router: { health: { ramp: 'slow' } } }, /^scenario\.router\.health\.ramp: expected a duration/],
  [{ ...good, router: { heath: {} } }, /^scenario\.router\.heath: unknown key$/],
  [
    { ...good, pool: [vendor, { ...vendor, name: 'b', target: { weight: -1 } }] },
    /^scenario\.pool\[1\]\.target\.weight: /,
  ],
  [{ ...good, pool: [vendor, vendor] }, /^scenario\.pool\[1\]\.target\.id: 'a\/model' is the id of \[0\] already/],
])('%o is refused with the path of the field', (scenario, message) => {
  expect(() => parseScenario(scenario)).toThrow(message);
});

test('a fault may name a vendor, or one of its models', () => {
  const pool = ['large', 'small'].map((model) => ({ ...vendor, model }));
  for (const name of ['a', 'a/small']) {
    const faults = [{ vendor: name, kind: 'hang', fromMs: 0, toMs: 1 }];
    expect(parseScenario({ ...good, pool, faults }).faults?.[0]?.vendor).toBe(name);
  }
  const faults = [{ vendor: 'a/tiny', kind: 'hang', fromMs: 0, toMs: 1 }];
  expect(() => parseScenario({ ...good, pool, faults })).toThrow(/must be one of 'a', 'a\/large', 'a\/small', got/);
});
