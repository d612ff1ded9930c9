import { parseArgs } from 'node:util';
import { barsOf } from './bars.ts';
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
import { barTable, isBusy, machine, reasons, tableOf, writePage } from './report.ts';

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
  --quick          a tenth of the effort, in one round: whether it all works
  --dry            writes no page`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    dry: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const main = async (): Promise<void> => {
  const names = values.only?.split(',') ?? MEASURES.map(({ name }) => name);
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
  const measures: { measure: Measure; findings: readonly Finding[] }[] = [];
  try {
    for (const measure of MEASURES.filter(({ name }) => names.includes(name))) {
      const startMs = performance.now();
      const findings = await measure.run(bench);
      measures.push({ measure, findings });
      const seconds = Math.round((performance.now() - startMs) / 1_000);
      console.log(`${measure.name}: ${measure.what} (${seconds} s)\n\n${tableOf(findings)}\n`);
    }
  } finally {
    await bench.stop();
  }
  const bars = barsOf(measures.flatMap(({ findings }) => findings));
  console.log([barTable(bars), reasons(bars)].join('\n\n'));
  if (values.only === undefined && !values.quick && !values.dry) writePage({ on, busy, rounds, measures, bars });
};

await main();
