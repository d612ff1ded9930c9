import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SWITCHYARD } from '../candidates.ts';
import { type Bench, saturated } from '../measure.ts';
import { type Stack, stacksOf } from './stacks.ts';
import { flameGraph, shareTable } from './svg.ts';

// What Switchyard's process does under load, as pictures for the page.

const DOCS = join(import.meta.dirname, '../../../../docs');
const FOLDER = 'performance';

/** One load, and what was seen under it. */
export interface Picture {
  readonly name: 'plain' | 'streams';
  readonly title: string;
  readonly all: Stack;
}

const LOADS = [
  { name: 'plain', stream: false, title: 'Switchyard on hono, plain answers at saturation, OpenAI in and out' },
  { name: 'streams', stream: true, title: 'Switchyard on hono, 16 streams at once, OpenAI in and out' },
] as const;

/** Not while anything else is measured: the profiler costs some time itself. */
export const record = async (bench: Bench): Promise<readonly Picture[]> => {
  const pictures: Picture[] = [];
  const running = await bench.warm(SWITCHYARD);
  for (const { name, stream, title } of LOADS) {
    // A tenth of a second of the other load would be in the picture otherwise, and the compiler at work on this one.
    await saturated(bench, SWITCHYARD, { stream, forMs: 2_000 });
    await running.startProfile();
    await saturated(bench, SWITCHYARD, { stream, forMs: 8_000 });
    pictures.push({ name, title, all: stacksOf(await running.stopProfile()) });
  }
  return pictures;
};

export const writePictures = (pictures: readonly Picture[]): void => {
  mkdirSync(join(DOCS, FOLDER), { recursive: true });
  for (const { name, title, all } of pictures) writeFileSync(join(DOCS, FOLDER, `${name}.svg`), flameGraph(title, all));
};

/** The part of the page that shows them. */
export const picturesInPage = (pictures: readonly Picture[]): string =>
  [
    'CPU profiles of the process of Switchyard on hono, sampled each 0.25 ms. A function is as wide as the time that it and what it calls\n' +
      'take of the whole, callers below; what is narrower than 0.3 % is left out. Functions that V8 has built in, such as `JSON.parse`,\n' +
      'count to who calls them; system calls and what else is no JavaScript to Node. Opened by themselves, the pictures say under\n' +
      'the pointer what has no room for its name.',
    shareTable(pictures),
    ...pictures.map(({ name, title }) => `![${title}](${FOLDER}/${name}.svg)`),
  ].join('\n\n');
