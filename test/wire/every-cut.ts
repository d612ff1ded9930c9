import type { Recovery } from '@switchyard/core';
import { expect, test } from 'vitest';
import { type Cut, FAULTS, type Outcome, play, STORIES, type Story, VENDORS, type Vendor } from './cut.ts';
import { judged } from './cut-truth.ts';
import { FORMATS, type FormatName } from './heard.ts';

// Every place where a recorded stream can be cut, by every fault.

export const RECOVERIES: readonly [Recovery, ...Recovery[]] = ['error', 'continue', 'restart', 'buffer'];

/** The format whose frames a vendor sends. */
const OWN: Readonly<Partial<Record<Vendor, FormatName>>> = {
  openai: 'chat',
  'openai-responses': 'responses',
  anthropic: 'messages',
};

/**
 * How much is run. By default there is one cut behind each byte, and where frames meet each fault with each recovery.
 * `EVERY_CUT=faults`: behind each byte each fault, and where frames meet all of it in each format, which takes ten minutes
 * or so. `EVERY_CUT=all`: behind each byte each fault, each recovery and each format, which takes hours.
 */
const { EVERY_CUT } = process.env;

/** What takes turns is written in the same order each time, each at its own pace. */
const inTurn = <T>(of: readonly [T, ...T[]], turn: number): T => of[turn % of.length] ?? of[0];

/**
 * The cuts of one vendor's stream of one story. What is not combined takes turns, with the vendor's own format, in which
 * the stream passes through, every second time.
 */
function* cutsOf(one: Vendor, story: Story, { length, seams }: Measures): Generator<Cut, void> {
  const formats = FORMATS.flatMap((format) => [OWN[one] ?? format, format]) as [FormatName, ...FormatName[]];
  let turn = 0;
  for (let at = 0; at <= length; at++) {
    const isSeam = seams.has(at);
    const faults = isSeam || EVERY_CUT !== undefined ? FAULTS : [inTurn(FAULTS, turn)];
    for (const fault of faults) {
      turn += 1;
      // Coprime steps, so that in the end each meets each.
      const cut = { one, two: inTurn(VENDORS, turn + Math.floor(at / 7)), story, at, fault };
      const recoveries = isSeam || EVERY_CUT === 'all' ? RECOVERIES : [inTurn(RECOVERIES, turn + Math.floor(at / 5))];
      for (const recovery of recoveries) {
        const isAll = EVERY_CUT === 'all' || (EVERY_CUT === 'faults' && isSeam);
        for (const format of isAll ? FORMATS : [inTurn(formats, turn++ + Math.floor(at / 3))]) {
          yield { ...cut, recovery, format };
        }
      }
    }
  }
}

interface Measures {
  /** In bytes. */
  readonly length: number;
  /** Behind which bytes a frame ends, or is about to. */
  readonly seams: ReadonlySet<number>;
}

const measured = async (one: Vendor, story: Story): Promise<Measures> => {
  const format = OWN[one] ?? 'chat';
  const whole = {
    one,
    two: one,
    format,
    recovery: 'error',
    story,
    at: Number.POSITIVE_INFINITY,
    fault: 'end',
  } as const;
  const { traffic } = await play(whole);
  const { bytes } = traffic.recording ?? { bytes: new Uint8Array(0) };
  const seams = new Set<number>();
  for (const { index, 0: end } of new TextDecoder('latin1').decode(bytes).matchAll(/\n\n|\r\n\r\n/g)) {
    seams.add(index + end.length - 1).add(index + end.length);
  }
  return { length: bytes.length, seams };
};

interface Tally {
  runs: number;
  /** How many ended whole, and how many in an error; and in how many another target took over in the middle. */
  whole: number;
  errors: number;
  seams: number;
  /** The first few that were wrong. */
  readonly wrong: string[];
}

export const describeCut = (cut: Cut, wrong: readonly string[]): string =>
  `${JSON.stringify(cut)}: ${wrong.join('; ')}`;

/** Cuts a vendor's streams everywhere: a test for each story. */
export const testsEveryCut = (one: Vendor, stories: readonly (keyof typeof STORIES)[]): void => {
  const timeout = EVERY_CUT === undefined ? 120_000 : 6 * 3_600_000;
  test.each(stories)('a stream of %s, cut everywhere', { timeout }, async (name) => {
    const tally: Tally = { runs: 0, whole: 0, errors: 0, seams: 0, wrong: [] };
    const story = STORIES[name];
    for (const cut of cutsOf(one, story, await measured(one, story))) count(tally, cut, await play(cut));
    const { wrong, ...counts } = tally;
    if (EVERY_CUT !== undefined) console.info(one, name, counts);
    expect(wrong).toEqual([]);
    for (const many of Object.values(counts)) expect(many, JSON.stringify(counts)).toBeGreaterThan(50);
  });
};

const MOST_TOLD = 5;

const count = (tally: Tally, cut: Cut, outcome: Outcome): void => {
  const { heard, wrong } = judged(cut, outcome);
  if (wrong.length > 0 && tally.wrong.length < MOST_TOLD) tally.wrong.push(describeCut(cut, wrong));
  tally.runs += 1;
  if (heard.closedBy === 'end') tally.whole += 1;
  else tally.errors += 1;
  if (heard.seams.length > 0) tally.seams += 1;
};
