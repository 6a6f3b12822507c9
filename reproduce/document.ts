import { type Count, rate } from "../src/engine/evaluation/rate.ts";

/** A column of a table: numbers stand to the right. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** A Markdown table whose source is aligned too. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(3, ...lines.map((cells) => [...cells[index]].length)));
  const right = (index: number) => columns[index].align === "right";
  const pad = (text: string, index: number): string => {
    const space = " ".repeat(widths[index] - [...text].length);
    return right(index) ? space + text : text + space;
  };
  const rule = widths.map((width, index) => (right(index) ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(lines[0].map(pad)), row(rule), ...rows.map((cells) => row(cells.map(pad)))].join("\n");
}

/** `0.95 % (9/950; 0.50–1.79)`: the share, k of n, and the Wilson 95 % interval. */
export function told(count: Count | undefined): string {
  if (count === undefined || count.n === 0) return "–";
  const { value, low95, high95, k, n } = rate(count);
  const percent = (share: number): string => (100 * share).toFixed(2);
  return `${percent(value)} % (${k}/${n}; ${percent(low95)}–${percent(high95)})`;
}

/** A share in percent, without its interval: for what is told in full elsewhere. */
export const brief = (count: Count | undefined): string =>
  count === undefined || count.n === 0 ? "–" : `${(100 * (count.k / count.n)).toFixed(2)}`;

/** A figure with the words that stand for it. */
export const image = (path: string, words: string): string => `![${words}](${path})`;
