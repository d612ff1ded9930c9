import { parseArgs } from 'node:util';
import { digits, table } from '../../packages/simulator/src/virtual/table.ts';
import { type CpuTime, measureCpu, SIZES } from './upstream-cpu.ts';
import { type Detection, measureDetection } from './upstream-detection.ts';

const USAGE = `What it costs, and what it brings, to serve plain answers from streams.

  --only <part>    cpu: CPU time per answer; detection: how soon silence is found, in virtual time. Default: both
  --rounds <n>     of the CPU measures; default 5, of about 40 s each
  --seeds <n>      of the scenarios; default 20
  --json           numbers instead of tables`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seeds: { type: 'string', default: '20' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

/** By what answers, one column for each size: the median, the least and the most, and how it compares with the first way. */
const cpuTable = (times: readonly CpuTime[]): string => {
  const rows = [...new Set(times.map(({ what, how }) => `${what}: ${how}`))].map((name) => {
    const own = times.filter(({ what, how }) => `${what}: ${how}` === name);
    return [
      name,
      ...SIZES.flatMap((size) => {
        const time = own.find(({ chunks }) => chunks === size);
        const base = times.find(({ what, chunks }) => what === time?.what && chunks === size);
        if (time === undefined || base === undefined) return ['', '', ''];
        const range = `${digits(time.leastUs / 1_000)}–${digits(time.mostUs / 1_000)}`;
        return [digits(time.medianUs / 1_000), range, `${(time.medianUs / base.medianUs).toFixed(1)} ×`];
      }),
    ];
  });
  const head = ['CPU, ms an answer', ...SIZES.flatMap((size) => [`${size} chunks`, 'range', ''])];
  return table([head, ...rows]);
};

const seconds = (ms: number): string => (Number.isFinite(ms) ? (ms / 1_000).toFixed(1) : '–');

const detectionTable = (detections: readonly Detection[]): string =>
  table([
    [
      'the first vendor, requests/s, upstream',
      'noticed: median, worst, s',
      'sent to it',
      'waited: p50, p95, worst, s',
      'whole answer: p50, p99, s',
      'attempts while well',
      'failed',
    ],
    ...detections.map(({ what, mode, perSecond, ...it }) => [
      `${what}, ${perSecond}, ${mode}`,
      `${seconds(it.noticedMs.median)}, ${seconds(it.noticedMs.worst)}`,
      digits(it.sentToIt),
      `${seconds(it.waitedMs.p50)}, ${seconds(it.waitedMs.p95)}, ${seconds(it.waitedMs.worst)}`,
      `${seconds(it.wholeMs.p50)}, ${seconds(it.wholeMs.p99)}`,
      Number.isNaN(it.attemptsWhileWell) ? '–' : it.attemptsWhileWell.toFixed(3),
      String(it.failures),
    ]),
  ]);

if (values.help) console.log(USAGE);
else {
  const cpu = values.only === 'detection' ? undefined : await measureCpu(Number(values.rounds));
  const detection = values.only === 'cpu' ? undefined : await measureDetection(Number(values.seeds));
  if (values.json) console.log(JSON.stringify({ cpu, detection }, null, 2));
  else {
    if (cpu !== undefined) console.log(cpuTable(cpu));
    if (detection !== undefined) console.log(`${cpu === undefined ? '' : '\n'}${detectionTable(detection)}`);
  }
}
