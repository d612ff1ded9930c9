import type { ChatRequest } from '@switchyard/core';
import type { Client, Design, Ending } from './designs/design.ts';
import { switchyard } from './designs/switchyard.ts';
import { diceFor } from './draw.ts';
import { type Measures, measure } from './measure.ts';
import { least } from './numbers.ts';
import { Recorder, type RequestRecord, type TargetRecord } from './record.ts';
import { type Scenario, USUAL_REQUESTS } from './scenario.ts';
import { drawGapMs, drawInputTokens, drawKind, drawLeavesAfterMs, meanInputTokens, requestOf } from './traffic.ts';
import { VirtualVendor } from './vendor.ts';
import { World } from './world.ts';

/** One run of a scenario. */
export interface Rehearsal {
  readonly scenario: Scenario;
  readonly design: string;
  readonly seed: number;
  readonly measures: Measures;
  /** Every request, oldest first. */
  readonly requests: readonly RequestRecord[];
  /** What the router made of its targets meanwhile, oldest first. */
  readonly targetEvents: readonly TargetRecord[];
  /** Answers that began and did not end well. */
  readonly brokeOff: number;
  /** Requests that nobody ever heard of again: a bug of the design. */
  readonly lost: number;
}

/** Plays a scenario once, with the router in the middle unless another design is given. */
export const rehearse = async (scenario: Scenario, seed: number, design: Design = switchyard): Promise<Rehearsal> => {
  const { durationMs, arrivals, faults = [], requests: kinds = USUAL_REQUESTS, instances = 1 } = scenario;
  const world = new World(seed, scenario.clock);
  const vendors = scenario.pool.map((options) => new VirtualVendor(options, faults, world));
  const recorder = new Recorder();
  const clients = Array.from({ length: instances }, (_, instance) =>
    design.connect({
      world,
      targets: vendors.map((vendor) => vendor.target()),
      route: scenario.route,
      router: scenario.router,
      onEvent: recorder.listener(instance),
    }),
  );
  const dice = diceFor(seed, 'traffic');
  const balancer = diceFor(seed, 'instances');
  const endings: Record<Ending, number> = { answered: 0, failed: 0, 'broke-off': 0, left: 0 };
  let oracleUsd = 0;
  let open = 0;
  let arriving = true;
  let crash: { readonly error: unknown } | undefined;

  const arrive = (): void => {
    const kind = drawKind(kinds, dice);
    const request = requestOf(drawInputTokens(kind, dice));
    oracleUsd += leastUsd(vendors, request, world.nowMs());
    const leavesAfterMs = drawLeavesAfterMs(kind, dice);
    const caller = leavesAfterMs === undefined ? undefined : new AbortController();
    const stay = caller && world.schedule(leavesAfterMs ?? 0, () => caller.abort());
    const client = clients[Math.floor(balancer() * instances)] as Client;
    open += 1;
    const options = { stream: kind.stream ?? true, deadlineMs: kind.deadlineMs, signal: caller?.signal };
    client.ask(request, options).then(
      (ending) => {
        stay?.();
        open -= 1;
        endings[ending] += 1;
      },
      (error) => {
        crash = { error };
      },
    );
    awaitNext();
  };
  const awaitNext = (): void => {
    const gapMs = drawGapMs(arrivals, dice);
    arriving = world.nowMs() + gapMs < durationMs;
    if (arriving) world.schedule(gapMs, arrive);
  };

  awaitNext();
  await world.run(() => crash !== undefined || (!arriving && open === 0));
  if (crash !== undefined) throw crash.error;
  return {
    scenario,
    design: design.name,
    seed,
    measures: measure({ recorder, vendors, scenario, inputTokens: meanInputTokens(kinds), oracleUsd }),
    requests: recorder.requests,
    targetEvents: recorder.targetEvents,
    brokeOff: endings['broke-off'],
    lost: open,
  };
};

/** What an oracle would pay on average, that knows who is up, how each vendor counts and how long its answers are. */
const leastUsd = (vendors: readonly VirtualVendor[], request: ChatRequest, atMs: number): number =>
  least(vendors.filter((vendor) => vendor.isEnabled && vendor.isUp(atMs)).map((vendor) => vendor.meanUsd(request)));
