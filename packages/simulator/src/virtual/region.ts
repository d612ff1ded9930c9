import { readFileSync, writeFileSync } from 'node:fs';

/** Writes what stands in a page between `<!-- name -->` and `<!-- /name -->`. */
export const writeRegion = (file: string, name: string, content: string): void => {
  const page = readFileSync(file, 'utf8');
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(open), page.indexOf(close)];
  if (from < 0 || to < from) throw new TypeError(`${file} has no region ${open} … ${close}.`);
  writeFileSync(file, `${page.slice(0, from + open.length)}\n\n${content}\n\n${page.slice(to)}`);
};
