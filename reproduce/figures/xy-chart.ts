import { FAINT_INK, GRID } from "./palette.ts";
import { element, label, line, type Piece, picture, widthOf } from "./svg.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
  /** From and to of the 95 % interval of y. */
  readonly interval?: readonly [number, number];
  /** Written beside it. */
  readonly note?: string;
}

export interface Axis {
  readonly title: string;
  readonly ticks: readonly number[];
  /** Ticks stand at equal distances, whatever their values: for 1, 2, 4, 8, … */
  readonly even?: boolean;
}

export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly Point[];
  /** For what is less important. */
  readonly dashed?: boolean;
}

export interface XyChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [820, 460];
const [LEFT, RIGHT, TOP, BOTTOM] = [76, 36, 84, 62];

/** What the first and the last tick keep from the edges, so that their marks are whole. */
const INSET = 18;

type Scale = (value: number) => number;

/** Lines through points with whiskers, over two axes that begin and end at their ticks. */
export function xyChart({ title, x, y, series }: XyChart): string {
  const across = scaleOf(x, LEFT + INSET, WIDTH - RIGHT - INSET);
  const up = scaleOf(y, HEIGHT - BOTTOM - INSET / 2, TOP + INSET / 2);
  return picture({ width: WIDTH, height: HEIGHT, title }, [
    label(20, 32, title, { size: 17, weight: 600 }),
    legendOf(series),
    ...gridOf(x, y, across, up),
    // Where series meet at a tick, their whiskers stand side by side.
    ...series.flatMap((one, index) =>
      drawn(one, index, { across, up, aside: x.even ? 3 * (index - (series.length - 1) / 2) : 0 }),
    ),
    ...notesOf(series, across, up),
  ]);
}

/** The marks of the series with their names, one after the other. */
function legendOf(series: readonly Series[]): Piece {
  let x = 20;
  const pieces = series.flatMap(({ name, colour }, index) => {
    const at = x;
    x += 36 + widthOf(name);
    return [mark(index, at + 7, 54, colour, 5.5), label(at + 19, 58, name, { colour: FAINT_INK })];
  });
  return element("g", {}, pieces);
}

function scaleOf({ ticks, even = false }: Axis, from: number, to: number): Scale {
  const place = (value: number): number => {
    if (!even) return (value - ticks[0]) / (ticks[ticks.length - 1] - ticks[0]);
    const next = ticks.findIndex((tick, index) => index > 0 && tick >= value);
    const above = next < 0 ? ticks.length - 1 : next;
    const [low, high] = [ticks[above - 1], ticks[above]];
    return (above - 1 + (value - low) / (high - low)) / (ticks.length - 1);
  };
  return (value) => from + (to - from) * Math.min(1, Math.max(0, place(value)));
}

function gridOf(x: Axis, y: Axis, across: Scale, up: Scale): Piece[] {
  const [bottom, top] = [HEIGHT - BOTTOM, TOP];
  const words = { size: 12, colour: FAINT_INK };
  return [
    ...x.ticks.flatMap((tick) => [
      line([across(tick), bottom], [across(tick), top], GRID),
      label(across(tick), bottom + 19, told(tick), { ...words, anchor: "middle" }),
    ]),
    ...y.ticks.flatMap((tick) => [
      line([LEFT, up(tick)], [WIDTH - RIGHT, up(tick)], GRID),
      label(LEFT - 9, up(tick) + 4, told(tick), { ...words, anchor: "end" }),
    ]),
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, x.title, { ...words, size: 13, anchor: "middle" }),
    label(24, (TOP + bottom) / 2, y.title, { ...words, size: 13, anchor: "middle", turn: -90 }),
  ];
}

/** Small numbers as powers of ten, which is how learning rates are written. */
export const told = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.01 ? value.toExponential().replace("e-", "e−") : `${value}`;

interface Placing {
  readonly across: Scale;
  readonly up: Scale;
  /** By how much whiskers stand to the right of their marks. */
  readonly aside: number;
}

function drawn({ colour, points, dashed }: Series, index: number, { across, up, aside }: Placing): Piece[] {
  const place = ({ x, y }: Point): string => `${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
  return [
    element("path", {
      d: `M${points.map(place).join("L")}`,
      fill: "none",
      stroke: colour,
      "stroke-width": 2,
      "stroke-dasharray": dashed ? "5 4" : undefined,
    }),
    ...points.flatMap(({ x, interval }) =>
      interval ? [whisker(across(x) + aside, up(interval[0]), up(interval[1]), colour)] : [],
    ),
    ...points.map(({ x, y }) => mark(index, across(x), up(y), colour)),
  ];
}

/** The notes of points, each where no other one stands yet; one without room is left out. */
function notesOf(series: readonly Series[], across: Scale, up: Scale): Piece[] {
  const taken: { x: number; y: number }[] = [];
  return series.flatMap(({ points, colour }) =>
    points.flatMap((point) => {
      if (point.note === undefined) return [];
      const [left, middle] = [across(point.x), up(point.y)];
      const turned = left > WIDTH - RIGHT - 70;
      const places = [-9, 17, -23, 31].map((step) => ({ x: left + (turned ? -9 : 9), y: middle + step }));
      const free = places.find(
        ({ x, y }) =>
          y > TOP &&
          y < HEIGHT - BOTTOM &&
          taken.every((other) => Math.abs(other.x - x) > 50 || Math.abs(other.y - y) > 12),
      );
      if (free === undefined) return [];
      taken.push(free);
      return [label(free.x, free.y, point.note, { size: 11, colour, anchor: turned ? "end" : "start" })];
    }),
  );
}

const whisker = (x: number, from: number, to: number, colour: string): Piece =>
  element("path", {
    d: `M${x.toFixed(1)} ${from.toFixed(1)}V${to.toFixed(1)}m-3 0h6M${(x - 3).toFixed(1)} ${from.toFixed(1)}h6`,
    stroke: colour,
    "stroke-width": 1.2,
    fill: "none",
    opacity: 0.75,
  });

/** Series differ in shape as well as in colour. */
export function mark(index: number, x: number, y: number, fill: string, size = 4.5): Piece {
  const [s, common] = [size, { fill, stroke: "#fff", "stroke-width": 0.8 }];
  switch (index % 4) {
    case 0:
      return element("circle", { cx: x, cy: y, r: s, ...common });
    case 1:
      return element("rect", { x: x - s * 0.9, y: y - s * 0.9, width: 1.8 * s, height: 1.8 * s, ...common });
    case 2:
      return element("path", {
        d: corners([
          [x, y - 1.2 * s],
          [x + 1.1 * s, y + 0.8 * s],
          [x - 1.1 * s, y + 0.8 * s],
        ]),
        ...common,
      });
    default:
      return element("path", {
        d: corners([
          [x, y - 1.25 * s],
          [x + 1.25 * s, y],
          [x, y + 1.25 * s],
          [x - 1.25 * s, y],
        ]),
        ...common,
      });
  }
}

const corners = (points: readonly (readonly [number, number])[]): string =>
  `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`;
