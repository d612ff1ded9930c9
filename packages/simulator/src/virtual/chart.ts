import type { VirtualFault } from './fault.ts';
import type { Slice } from './series.ts';

/** A line over time, in one panel of a chart. */
interface Line {
  readonly name: string;
  readonly color: string;
  readonly values: readonly number[];
}

const WIDTH = 960;
const PANEL_HEIGHT = 150;
const MARGIN = { left: 56, right: 24, top: 58, between: 46 } as const;
const COLORS = ['#2563eb', '#d97706', '#059669', '#9333ea', '#dc2626', '#0891b2', '#65a30d', '#db2777'] as const;

/** Steps that a reader of clocks expects. */
const TICKS_MS: readonly number[] = [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400].map((step) => step * 1_000);

interface ChartOptions {
  readonly title: string;
  readonly slices: readonly Slice[];
  /** By target id, in pool order. */
  readonly targets: readonly string[];
  readonly faults: readonly VirtualFault[];
  readonly durationMs: number;
}

/** A run as an SVG picture: who was answered, who was asked, and how long the first content took. Faults are shaded. */
export const chart = ({ title, slices, targets, faults, durationMs }: ChartOptions): string => {
  const panels: readonly { readonly title: string; readonly lines: readonly Line[] }[] = [
    {
      title: 'requests answered, %',
      lines: [{ name: 'answered', color: '#374151', values: slices.map(({ answered }) => 100 * answered) }],
    },
    {
      title: 'attempts per second',
      lines: targets.map((target, i) => ({
        name: target,
        color: COLORS[i % COLORS.length] ?? COLORS[0],
        values: slices.map(({ attempts }) => attempts[target] ?? 0),
      })),
    },
    {
      title: 'time to the first content, s',
      lines: [
        { name: 'p50', color: COLORS[0], values: slices.map(({ p50Ms }) => p50Ms / 1_000) },
        { name: 'p95', color: COLORS[4], values: slices.map(({ p95Ms }) => p95Ms / 1_000) },
      ],
    },
  ];
  const height = MARGIN.top + panels.length * (PANEL_HEIGHT + MARGIN.between);
  const x = (atMs: number): number => MARGIN.left + (atMs / durationMs) * (WIDTH - MARGIN.left - MARGIN.right);
  const shades = (top: number): string =>
    faults
      .map(({ fromMs, toMs }) => {
        const width = x(Math.min(toMs, durationMs)) - x(fromMs);
        return `<rect x="${round(x(fromMs))}" y="${top}" width="${round(width)}" height="${PANEL_HEIGHT}" fill="#ef4444" opacity="0.08"/>`;
      })
      .join('');
  const drawn = panels.map((panel, i) => {
    const top = MARGIN.top + i * (PANEL_HEIGHT + MARGIN.between);
    const most = niceAbove(Math.max(...panel.lines.flatMap(({ values }) => values.filter(Number.isFinite)), 0));
    const y = (value: number): number => top + PANEL_HEIGHT * (1 - value / most);
    const grid = [0, 0.5, 1].map((part) => {
      const at = round(y(part * most));
      return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}" stroke="#e5e7eb"/>${label(MARGIN.left - 8, at + 4, String(part * most), 'end')}`;
    });
    const lines = panel.lines.map(({ color, values }) => {
      const path = pathOf(values.map((value, at) => [x(slices[at]?.fromMs ?? 0), y(value)]));
      return `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    });
    const legend = panel.lines.map(({ name, color }, at) =>
      label(WIDTH - MARGIN.right - at * 150, top - 8, name, 'end', color),
    );
    return [shades(top), ...grid, ...lines, label(MARGIN.left, top - 8, panel.title), ...legend].join('');
  });
  const stepMs = TICKS_MS.find((step) => durationMs / step <= 8) ?? durationMs / 6;
  const ticks = Array.from({ length: Math.floor(durationMs / stepMs) + 1 }, (_, i) =>
    label(x(i * stepMs), height - MARGIN.between + 18, clock(i * stepMs), 'middle'),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12"><title>${escaped(title)}</title><rect width="${WIDTH}" height="${height}" fill="#fff"/>${label(MARGIN.left, 18, title)}${drawn.join('')}${ticks.join('')}</svg>\n`;
};

/** Broken where there is no value. */
const pathOf = (points: readonly (readonly [number, number])[]): string => {
  let path = '';
  let pen = 'M';
  for (const [x, y] of points) {
    if (Number.isFinite(y)) path += `${pen}${round(x)} ${round(y)}`;
    pen = Number.isFinite(y) ? 'L' : 'M';
  }
  return path;
};

const label = (x: number, y: number, text: string, anchor = 'start', color = '#374151'): string =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${color}">${escaped(text)}</text>`;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const round = (value: number): number => Math.round(value * 10) / 10;

/** 1, 2 or 5 times a power of ten, at least the value. */
const niceAbove = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
};

const clock = (atMs: number): string => {
  const seconds = Math.round(atMs / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};
