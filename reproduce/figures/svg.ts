import { CARD, INK } from "./palette.ts";

/** A piece of SVG. Everything in it is escaped already. */
export type Piece = string;

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element with its attributes and content. */
export function element(name: string, attributes: Attributes, content: readonly Piece[] = []): Piece {
  const words = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}="${typeof value === "number" ? short(value) : escaped(value as string)}"`,
    );
  return content.length === 0
    ? `<${name}${words.join("")}/>`
    : `<${name}${words.join("")}>${content.join("")}</${name}>`;
}

export interface TextStyle {
  readonly size?: number;
  readonly colour?: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: number;
  /** Degrees, clockwise, about the text's place. */
  readonly turn?: number;
}

export const label = (x: number, y: number, words: string, style: TextStyle = {}): Piece =>
  element(
    "text",
    {
      x,
      y,
      fill: style.colour ?? INK,
      "font-size": style.size ?? 13,
      "text-anchor": style.anchor,
      "font-weight": style.weight,
      transform: style.turn === undefined ? undefined : `rotate(${style.turn} ${short(x)} ${short(y)})`,
    },
    [escaped(words)],
  );

export const line = (
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  stroke: string,
  width = 1,
): Piece => element("line", { x1, y1, x2, y2, stroke, "stroke-width": width });

/** A whole picture on a card of its own, with a title for those who cannot see it. */
export function picture(
  { width, height, title }: { width: number; height: number; title: string },
  content: readonly Piece[],
): string {
  const card = element("rect", { width, height, rx: 10, fill: CARD });
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "font-family": "Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif",
    },
    [element("title", {}, [escaped(title)]), card, ...content],
  );
}

/** About how wide a text is; fonts differ, so leave room. */
export const widthOf = (words: string, size = 13): number => 0.56 * size * words.length;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** At most two decimals: the files stay small and the same on every machine. */
const short = (value: number): string => String(Math.round(100 * value) / 100);
