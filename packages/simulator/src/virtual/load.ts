import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseScenario } from './parse.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';

/** A scenario by its name, or from a file: JSON, or a module whose default export it is. */
export const loadScenario = async (nameOrPath: string): Promise<Scenario> => {
  const known = SCENARIOS.find(({ name }) => name === nameOrPath);
  if (known !== undefined) return known;
  if (nameOrPath.endsWith('.json')) return parseScenario(JSON.parse(await readFile(nameOrPath, 'utf8')));
  if (/\.[cm]?[jt]s$/.test(nameOrPath)) {
    const module: { readonly default?: unknown } = await import(pathToFileURL(resolve(nameOrPath)).href);
    return parseScenario(module.default);
  }
  throw new TypeError(
    `There is no scenario '${nameOrPath}'; there is ${SCENARIOS.map(({ name }) => name).join(', ')}.`,
  );
};
