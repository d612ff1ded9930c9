import { PARTS, type Part } from './parts.ts';
import { type Stack, sharesOf } from './stacks.ts';

// A flame graph without a script: callers below, what they call above, as wide as the CPU time that it takes.

/** A function in the picture. */
export interface Flame {
  readonly name: string;
  readonly part: Part;
  /** From the left, and how wide: of the whole, 0 to 1. */
  readonly from: number;
  readonly share: number;
  /** 0 for the outermost caller. */
  readonly depth: number;
}

/** Narrower ones are left out: they would be three pixels wide. */
const LEAST_SHARE = 0.003;

/** All that is wide enough to be seen, callers before what they call. */
export const flamesOf = (all: Stack): readonly Flame[] => {
  const flames: Flame[] = [];
  const place = ({ name, part, totalUs, calls }: Stack, from: number, depth: number): void => {
    const share = totalUs / all.totalUs;
    if (!(share >= LEAST_SHARE)) return;
    flames.push({ name, part, from, share, depth });
    let at = from;
    for (const call of calls) {
      place(call, at, depth + 1);
      at += call.totalUs / all.totalUs;
    }
  };
  place(all, 0, 0);
  return flames;
};

const COLORS: Readonly<Record<Part, string>> = {
  Switchyard: '#fb923c',
  'vendor’s SDK': '#facc15',
  undici: '#7dd3fc',
  framework: '#86efac',
  Node: '#d1d5db',
  'garbage collection': '#f9a8d4',
  other: '#c4b5fd',
};

const [WIDTH, MARGIN, ROW, TOP] = [1_200, 12, 17, 62];
/** Of one letter, in px, at the size of letters in the picture. */
const LETTER = 6;

export const flameGraph = (title: string, all: Stack): string => {
  const flames = flamesOf(all);
  const depth = Math.max(0, ...flames.map((flame) => flame.depth));
  const height = TOP + (depth + 1) * ROW + MARGIN;
  const scale = WIDTH - 2 * MARGIN;
  const boxes = flames.map(({ name, part, from, share, depth: row }) => {
    const [x, y, width] = [MARGIN + from * scale, height - MARGIN - (row + 1) * ROW, share * scale];
    const fits = Math.floor((width - 6) / LETTER);
    const text = fits < 3 ? '' : name.length <= fits ? name : `${name.slice(0, fits - 1)}…`;
    const label = text === '' ? '' : `<text x="${round(x + 3)}" y="${y + 12}">${escaped(text)}</text>`;
    return (
      `<g><title>${escaped(name)}: ${percent(share)}</title>` +
      `<rect x="${round(x)}" y="${y}" width="${round(width - 0.5)}" height="${ROW - 1}" fill="${COLORS[part]}"/>${label}</g>`
    );
  });
  let at = MARGIN;
  const legend = [...sharesOf(all)].map(([part, share]) => {
    const [x, text] = [at, `${part} ${percent(share)}`];
    at += 34 + text.length * LETTER;
    return `<rect x="${x}" y="36" width="12" height="12" fill="${COLORS[part]}"/><text x="${x + 17}" y="46">${text}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="10" fill="#111827">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${MARGIN}" y="22" font-size="14" font-weight="bold">${escaped(title)}</text>`,
    ...legend,
    ...boxes,
    '</svg>\n',
  ].join('\n');
};

/** By part, one column for each picture. */
export const shareTable = (pictures: readonly { readonly name: string; readonly all: Stack }[]): string => {
  const shares = pictures.map(({ all }) => sharesOf(all));
  const rows = PARTS.map((part) => [part, ...shares.map((each) => percent(each.get(part) ?? 0))]);
  const head = ['of the CPU time', ...pictures.map(({ name }) => name)];
  const line = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head, line, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
};

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const round = (value: number): number => Math.round(value * 10) / 10;

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
