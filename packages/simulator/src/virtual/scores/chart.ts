import type { ScoredResult } from './compare.ts';

const WIDTH = 960;
const HEIGHT = 320;
const MARGIN = { left: 56, right: 24, top: 44, bottom: 32 } as const;
const COLORS = ['#2563eb', '#0891b2', '#9333ea', '#d97706', '#059669', '#9ca3af'] as const;

/** How the regret against an oracle grows over one story, as an SVG picture: a line for each strategy. */
export const regretChart = (title: string, results: readonly ScoredResult[]): string => {
  const most = Math.max(1, ...results.flatMap(({ growing }) => growing));
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const x = (part: number): number => round(MARGIN.left + part * (right - MARGIN.left));
  const y = (regret: number): number => round(bottom - (regret / most) * (bottom - MARGIN.top));
  const grid = [0, 0.5, 1].map(
    (part) =>
      `<line x1="${MARGIN.left}" x2="${right}" y1="${y(part * most)}" y2="${y(part * most)}" stroke="#e5e7eb"/>${label(MARGIN.left - 8, y(part * most) + 4, String(Math.round(part * most)), 'end')}`,
  );
  const lines = results.map(({ strategy, growing }, i) => {
    const color = COLORS[i % COLORS.length] ?? COLORS[0];
    const path = growing.map((regret, at) => `L${x((at + 1) / growing.length)} ${y(regret)}`).join('');
    const name = label(MARGIN.left + 12, MARGIN.top + 16 + i * 18, strategy, 'start', color);
    return `<path d="M${x(0)} ${y(0)}${path}" fill="none" stroke="${color}" stroke-width="1.5"/>${name}`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => label(x(part), bottom + 18, `${100 * part} %`, 'middle'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12"><title>${title}</title><rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>${label(MARGIN.left, 20, title)}${[...grid, ...lines, ...ticks].join('')}</svg>\n`;
};

const label = (x: number, y: number, text: string, anchor = 'start', color = '#374151'): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${color}">${text}</text>`;

const round = (value: number): number => Math.round(value * 10) / 10;
