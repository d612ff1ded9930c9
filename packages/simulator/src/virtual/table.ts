/** Lines up rows of cells: the first column to the left, the others to the right. The first row is the head. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...body.map(line)].join('\n');
};

/** Three digits that mean something, and no more than two after the point unless it is small. */
export const digits = (value: number): string => {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return String(value);
  return value < 2 ? value.toFixed(3) : value < 100 ? value.toFixed(1) : value.toFixed(0);
};

/** The same rows for a page. */
export const markdownTable = ([head = [], ...body]: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
