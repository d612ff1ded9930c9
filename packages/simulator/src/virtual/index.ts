/** Outages of a pool played in virtual time, with the router itself in the middle: an hour of traffic in seconds. */

export { BAR_RATES, type Result } from './bars.ts';
export type { Billing } from './bill.ts';
export { chart } from './chart.ts';
export type { AskOptions, Client, Design, Ending, Scene } from './designs/design.ts';
export { DESIGNS, LATENCY_DESIGNS } from './designs/index.ts';
export { switchyardWith } from './designs/switchyard.ts';
export type { Gamma, LogNormal, Zipf } from './draw.ts';
export type { VirtualEffect, VirtualFault } from './fault.ts';
export { type HoldOptions, holdBars, type Verdict } from './hold.ts';
export { type Job, runJob } from './job.ts';
export { compareLatency, holdsLatencyBars, LATENCY_BARS, type LatencyScore, latencyRows } from './latency.ts';
export type { CostMeasures, Hedges, Measures, Trials } from './measure.ts';
export { parseScenario } from './parse.ts';
export type { AttemptRecord, RequestRecord, TargetRecord } from './record.ts';
export { type Rehearsal, rehearse } from './rehearse.ts';
export type { Scenario } from './scenario.ts';
export { SCENARIOS } from './scenarios/index.ts';
export { compareScores, SCORED_STRATEGIES, type ScoredResult } from './scores/compare.ts';
export { SCORED_STORIES, type ScoredStory } from './scores/story.ts';
export { type Slice, seriesOf } from './series.ts';
export type { Span, Waits } from './span.ts';
export type { TargetMeasures } from './target-measures.ts';
export type { Arrivals, RequestKind } from './traffic.ts';
export type { VirtualRateLimit, VirtualVendorOptions } from './vendor.ts';
export { type ClockJump, World } from './world.ts';
