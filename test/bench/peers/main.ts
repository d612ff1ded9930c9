import { parseArgs } from 'node:util';
import { barsOf } from './bars.ts';
import { type Picture, picturesInPage, record, writePictures } from './flame/record.ts';
import { Bench, type Finding, type Measure } from './measure.ts';
import { adapters } from './measures/adapters.ts';
import { bundle } from './measures/bundle.ts';
import { failover } from './measures/failover.ts';
import { latency } from './measures/latency.ts';
import { memory } from './measures/memory.ts';
import { plain } from './measures/plain.ts';
import { scale } from './measures/scale.ts';
import { slowStreams } from './measures/slow-streams.ts';
import { startUp } from './measures/start-up.ts';
import { streams } from './measures/streams.ts';
import { wasted } from './measures/wasted.ts';
import { barTable, isBusy, machine, reasons, tableOf, updateProfile, writePage } from './report.ts';

const MEASURES: readonly Measure[] = [
  plain,
  streams,
  adapters,
  latency,
  failover,
  wasted,
  slowStreams,
  memory,
  scale,
  startUp,
  bundle,
];

const USAGE = `What Switchyard costs, beside a bare proxy and its peers. A whole run writes docs/performance.md.

  --only <names>   some of ${MEASURES.map(({ name }) => name).join(', ')}
  --rounds <n>     default 3
  --profile        only CPU profiles of Switchyard under load, as flame graphs: docs/performance/*.svg
  --quick          a tenth of the effort, in one round: whether it all works
  --dry            writes no page`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    profile: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    dry: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const main = async (): Promise<void> => {
  const names = values.profile ? [] : (values.only?.split(',') ?? MEASURES.map(({ name }) => name));
  const unknown = names.filter((name) => !MEASURES.some((measure) => measure.name === name));
  if (values.help || unknown.length > 0) {
    console.log(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE);
    process.exitCode = values.help ? 0 : 1;
    return;
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const [on, busy] = [machine(), isBusy()];
  console.log(`${on}\n`);
  const bench = new Bench({ rounds, quick: values.quick });
  const writes = !values.quick && !values.dry;
  const measures: { measure: Measure; findings: readonly Finding[] }[] = [];
  let pictures: readonly Picture[] = [];
  try {
    for (const measure of MEASURES.filter(({ name }) => names.includes(name))) {
      const startMs = performance.now();
      const findings = await measure.run(bench);
      measures.push({ measure, findings });
      const seconds = Math.round((performance.now() - startMs) / 1_000);
      console.log(`${measure.name}: ${measure.what} (${seconds} s)\n\n${tableOf(findings)}\n`);
    }
    if (values.only === undefined) {
      pictures = await record(bench);
      console.log(`${picturesInPage(pictures)}\n`);
      if (writes) writePictures(pictures);
    }
  } finally {
    await bench.stop();
  }
  if (values.profile) {
    if (writes) updateProfile(pictures);
    return;
  }
  const bars = barsOf(measures.flatMap(({ findings }) => findings));
  console.log([barTable(bars), reasons(bars)].join('\n\n'));
  if (values.only === undefined && writes) writePage({ on, busy, rounds, measures, bars, pictures });
};

await main();
