import { type Count, rate } from "../../src/engine/evaluation/rate.ts";
import { FAINT_INK, GRID, INK } from "./palette.ts";
import { element, label, line, type Piece, picture, widthOf } from "./svg.ts";

export interface BarChart {
  readonly title: string;
  /** What the length of a bar means; it is a share in percent. */
  readonly axis: string;
  readonly series: readonly { readonly name: string; readonly colour: string }[];
  /** One count for each series; a bar that was not measured is absent. */
  readonly groups: readonly { readonly name: string; readonly counts: readonly (Count | undefined)[] }[];
}

const [BAR, GAP, GROUP_GAP] = [15, 3, 14];
const WIDTH = 820;
const [TOP, BOTTOM, RIGHT] = [84, 48, 76];

/** Groups of lying bars from 0 to 100 %, with whiskers for the 95 % intervals and the value at the end. */
export function barChart({ title, axis, series, groups }: BarChart): string {
  const left = 28 + Math.max(...groups.map(({ name }) => widthOf(name)));
  const plot = WIDTH - left - RIGHT;
  const groupHeight = series.length * (BAR + GAP) - GAP + GROUP_GAP;
  const bottom = TOP + groups.length * groupHeight;
  const x = (share: number): number => left + plot * share;
  const bars = groups.flatMap(({ name, counts }, place) => {
    const top = TOP + place * groupHeight + GROUP_GAP / 2;
    const middle = top + (groupHeight - GROUP_GAP) / 2;
    return [
      label(left - 12, middle + 4, name, { anchor: "end" }),
      ...counts.flatMap((count, index) =>
        count ? bar(top + index * (BAR + GAP), x, count, series[index].colour) : [],
      ),
    ];
  });
  return picture({ width: WIDTH, height: bottom + BOTTOM, title }, [
    label(20, 32, title, { size: 17, weight: 600 }),
    legend(series, 20, 58),
    ...axisOf(x, bottom, axis),
    ...bars,
  ]);
}

function bar(top: number, x: (share: number) => number, count: Count, colour: string): Piece[] {
  const { value, low95, high95 } = rate(count);
  const middle = top + BAR / 2;
  const end = Math.max(x(value), x(high95));
  return [
    element("rect", {
      x: x(0),
      y: top,
      width: Math.max(1, x(value) - x(0)),
      height: BAR,
      rx: 2,
      fill: colour,
    }),
    whisker(x(low95), x(high95), middle),
    label(end + 7, middle + 4, percent(value), { size: 12 }),
  ];
}

const whisker = (from: number, to: number, y: number): Piece =>
  element("path", {
    d: `M${from.toFixed(2)} ${y}H${to.toFixed(2)}M${from.toFixed(2)} ${y - 3.5}v7M${to.toFixed(2)} ${y - 3.5}v7`,
    stroke: INK,
    "stroke-width": 1.3,
    fill: "none",
  });

function axisOf(x: (share: number) => number, bottom: number, words: string): Piece[] {
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return [
    ...ticks.map((share) => line([x(share), TOP], [x(share), bottom], GRID)),
    ...ticks.map((share) =>
      label(x(share), bottom + 18, `${100 * share}`, { size: 12, colour: FAINT_INK, anchor: "middle" }),
    ),
    label(x(0.5), bottom + 37, words, { size: 12, colour: FAINT_INK, anchor: "middle" }),
  ];
}

/** Squares with names, one after the other. */
export function legend(series: BarChart["series"], left: number, y: number): Piece {
  let x = left;
  const pieces = series.flatMap(({ name, colour }) => {
    const at = x;
    x += 40 + widthOf(name);
    return [
      element("rect", { x: at, y: y - 11, width: 13, height: 13, rx: 2, fill: colour }),
      label(at + 19, y, name, { colour: FAINT_INK }),
    ];
  });
  return element("g", {}, pieces);
}

/** As many decimals as tell small shares apart. */
export const percent = (share: number): string =>
  `${(100 * share).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
