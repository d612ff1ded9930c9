import { ADAPTERS_AND_BARE } from '../candidates.ts';
import { interleaved, type Measure, saturated } from '../measure.ts';

/** What the framework costs by itself is in both. */
export const adapters: Measure = {
  name: 'adapters',
  what: 'each adapter at saturation, beside a bare proxy on the same framework',
  run: async (bench) => {
    const findings = await interleaved(
      bench,
      ADAPTERS_AND_BARE.flatMap(([adapter, bare]) => [bare, adapter]),
      { 'CPU per request on the framework': 'µs', 'CPU per chunk on the framework': 'µs' },
      async (candidate) => ({
        'CPU per request on the framework': (await saturated(bench, candidate, { stream: false, forMs: 1_500 })).cpuUs,
        'CPU per chunk on the framework': (await saturated(bench, candidate, { stream: true, forMs: 1_500 })).cpuUs,
      }),
    );
    const besides = new Map(
      ADAPTERS_AND_BARE.flatMap(([{ name }, bare]) => [
        [name, bare.name],
        [bare.name, bare.name],
      ]),
    );
    return findings.map((finding) => ({ ...finding, beside: besides.get(finding.candidate) ?? finding.candidate }));
  },
};
