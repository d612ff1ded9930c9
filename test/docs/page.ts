import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

const ROOT: string = join(import.meta.dirname, '../..');

/**
 * Checks the generated regions of a page, `<!-- name -->` to `<!-- /name -->`, against what they should say. With
 * UPDATE_DOCS=1 (`pnpm run docs`) it writes them instead.
 */
export const expectPage = (path: string, regions: Readonly<Record<string, string>>): void => {
  const file = join(ROOT, path);
  const page = readFileSync(file, 'utf8');
  let wanted = page;
  for (const [name, content] of Object.entries(regions)) {
    const region = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- /${name} -->)`);
    expect(wanted, `${path} has no region ${name}`).toMatch(region);
    wanted = wanted.replace(region, (_, open: string, close: string) => `${open}\n${content}\n${close}`);
  }
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, wanted);
  else expect(page, `${path} is not what the code says; run: pnpm run docs`).toBe(wanted);
};
