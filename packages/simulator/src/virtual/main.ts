import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { chart } from './chart.ts';
import { DESIGNS } from './designs/index.ts';
import { holdBars } from './hold.ts';
import { type Job, runJobs } from './job.ts';
import { compareLatency, holdsLatencyBars, latencyRows } from './latency.ts';
import { loadScenario } from './load.ts';
import { parseScenario } from './parse.ts';
import { writeRegion } from './region.ts';
import { type Rehearsal, rehearse } from './rehearse.ts';
import { barsTable, scenarioTable, targetLog } from './report.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { regretChart } from './scores/chart.ts';
import { compareScores, scoredRows } from './scores/compare.ts';
import { seriesOf } from './series.ts';
import { COMPARED, choicesWith, compareStrategies, strategyRows } from './strategies.ts';
import { markdownTable, table } from './table.ts';

const USAGE = `Plays the outages of a pool in virtual time, with the router itself in the middle.

  simulate <scenario>   a name from below, a JSON file, or a module whose default export is a scenario
  simulate --bars       every bar, measured: exit code 1 when one does not hold
  simulate --scores     strategies that learn from scores, by what they cost in good answers
  simulate --latency    strategies that choose by latency, on a pool that changes: the same
  simulate --strategies all strategies that need no scores, on one pool beside one another

  --seeds <n>           runs of each kind, seeded 1 to n; default 3, for the bars and for strategies 15, and 3 of what is only compared with
  --seed <n>            this seed alone, and a log of what the router made of its targets
  --rate <n>            requests per second, instead of the scenario's
  --instances <n>       routers that share the traffic and know nothing of one another, instead of the scenario's
  --rates <n,n,…>       the same for the bars; default 1,10,50
  --no-baselines        the router alone
  --chart <file>        where the picture of the first run goes; default rehearsal-<scenario>.svg
  --write <page>        with --latency and --strategies: puts the table into a page, between <!-- measured --> and
                        <!-- /measured -->; with --strategies also a picture of each beside the page
  --json                numbers instead of a table

${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(20)}  ${about}`).join('\n')}`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    bars: { type: 'boolean' },
    scores: { type: 'boolean' },
    latency: { type: 'boolean' },
    strategies: { type: 'boolean' },
    write: { type: 'string' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
    rate: { type: 'string' },
    instances: { type: 'string' },
    rates: { type: 'string', default: '1,10,50' },
    baselines: { type: 'boolean', default: true },
    chart: { type: 'string' },
    json: { type: 'boolean' },
  },
});
/** The other designs are far from the bars: more seeds would move the last digit. */
const SEEDS_OF_OTHERS = 3;

const designs = DESIGNS.slice(0, values.baselines ? undefined : 1).map(({ name }) => name);

const runAll = (jobs: readonly Job[]): ReturnType<typeof runJobs> => {
  const show = process.stderr.isTTY ? (text: string) => process.stderr.write(text) : () => {};
  return runJobs(jobs, (done) => show(`\r${done === jobs.length ? '\x1b[K' : `${done} of ${jobs.length} runs`}`));
};

const bars = async (): Promise<void> => {
  const seeds = Number(values.seeds ?? 15);
  const rates = values.rates.split(',').map(Number);
  const seedsOfOthers = Math.min(seeds, SEEDS_OF_OTHERS);
  const verdicts = await holdBars({ seeds, seedsOfOthers, rates, designs, run: runAll });
  const runs = { ours: seeds, others: seedsOfOthers };
  console.log(values.json ? JSON.stringify(verdicts, null, 2) : barsTable(verdicts, designs, runs));
  if (verdicts.some(({ holds }) => holds === false)) process.exitCode = 1;
};

const latency = async (): Promise<void> => {
  const seeds = Number(values.seeds ?? 15);
  const scores = await compareLatency(seeds, runAll);
  const rows = latencyRows(scores);
  const about = `Mean time to the first content, as a multiple of the best target's of each moment, over ${seeds} seeds; in brackets the best target's share of the answers before anything changed.`;
  console.log(values.json ? JSON.stringify(scores, null, 2) : `${about}\n\n${table(rows)}`);
  if (values.write !== undefined) writeRegion(values.write, 'measured', `${about}\n\n${markdownTable(rows)}`);
  if (!holdsLatencyBars(scores)) process.exitCode = 1;
};

const strategies = async (): Promise<void> => {
  const seeds = Number(values.seeds ?? 15);
  const scores = await compareStrategies(seeds, runAll);
  const rows = strategyRows(scores);
  const about = `Means over ${seeds} seeds; behind the costs each vendor's part of the answers.`;
  console.log(values.json ? JSON.stringify(scores, null, 2) : `${about}\n\n${table(rows)}`);
  if (values.write === undefined) return;
  writeRegion(values.write, 'measured', `${about}\n\n${markdownTable(rows)}`);
  for (const strategy of COMPARED)
    await picture(choicesWith(strategy), join(dirname(values.write), `choices-${strategy}.svg`));
};

/** One run of a scenario as an SVG. */
const picture = async (scenario: Scenario, file: string, seed = 1): Promise<Rehearsal> => {
  const { name, durationMs, faults = [] } = scenario;
  const rehearsal = await rehearse(scenario, seed);
  const { requests, measures } = rehearsal;
  const targets = measures.targets.map(({ target }) => target);
  writeFileSync(file, chart({ title: name, slices: seriesOf(requests, durationMs), targets, faults, durationMs }));
  return rehearsal;
};

const play = async (nameOrPath: string): Promise<void> => {
  const loaded = await loadScenario(nameOrPath);
  const scenario = parseScenario({
    ...loaded,
    ...(values.rate !== undefined && { arrivals: { ...loaded.arrivals, perSecond: Number(values.rate) } }),
    ...(values.instances !== undefined && { instances: Number(values.instances) }),
  });
  const first = Number(values.seed ?? 1);
  const seeds = Array.from({ length: values.seed === undefined ? Number(values.seeds ?? 3) : 1 }, (_, i) => first + i);
  const results = await runAll(designs.flatMap((design) => seeds.map((seed) => ({ scenario, design, seed }))));
  const byDesign = designs.map((name, i) => ({
    name,
    results: results.slice(i * seeds.length, (i + 1) * seeds.length),
  }));
  console.log(values.json ? JSON.stringify(byDesign, null, 2) : scenarioTable(scenario, byDesign));

  const file = values.chart ?? `rehearsal-${scenario.name}.svg`;
  const { targetEvents } = await picture(scenario, file, first);
  if (values.seed !== undefined && !values.json) console.log(`\n${targetLog(targetEvents)}`);
  if (!values.json) console.log(`\nThe first run as a picture: ${file}`);
};

const scores = async (): Promise<void> => {
  const results = await compareScores(Number(values.seeds ?? 15));
  console.log(values.json ? JSON.stringify(results, null, 2) : table(scoredRows(results)));
  const file = values.chart ?? 'rehearsal-scores.svg';
  const changed = results.filter(({ story }) => story === 'changed');
  writeFileSync(file, regretChart('good answers lost against an oracle, as the story goes on: changed', changed));
  if (!values.json) console.log(`\nHow it grows where the best changes: ${file}`);
};

const [scenario] = positionals;
try {
  if (values.bars) await bars();
  else if (values.scores) await scores();
  else if (values.latency) await latency();
  else if (values.strategies) await strategies();
  else if (scenario !== undefined) await play(scenario);
  else console.log(USAGE);
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
