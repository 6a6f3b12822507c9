import type { MapPoint } from "../cell.ts";
import { mapCell } from "../cells.ts";
import { image } from "../document.ts";
import { COLOURS, FAINT_INK, GRID } from "../figures/palette.ts";
import { element, label, type Piece, picture } from "../figures/svg.ts";
import { mark } from "../figures/xy-chart.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import { figure, type Section } from "./section.ts";

/** Most models that are shown. */
const SHOWN = 6;

/** In the order in which they are drawn: what is triggered lies on top of what was inverted. */
const KINDS = [
  { kind: "clean", name: "clean, other classes", colour: COLOURS.grey, size: 2.6, opacity: 0.8 },
  { kind: "target", name: "clean, the target's", colour: COLOURS.green, size: 4, opacity: 1 },
  { kind: "inverted", name: "with the recovered trigger", colour: COLOURS.sky, size: 5.5, opacity: 0.6 },
  { kind: "triggered", name: "triggered", colour: COLOURS.red, size: 3, opacity: 0.9 },
] as const satisfies readonly {
  kind: MapPoint["kind"];
  name: string;
  colour: string;
  size: number;
  opacity: number;
}[];

const [PANEL, GAP, TOP] = [380, 24, 92];

/** Where triggered and inverted images lie among clean ones. */
export const featureMaps: Section = {
  name: "feature-maps",
  cells: (lab) => subjects(lab).map((suspect) => cellOf(lab, suspect)),

  async write(lab, results) {
    const shown = subjects(lab).flatMap((suspect) => {
      const found = results.get(cellOf(lab, suspect));
      return found ? [{ suspect, points: found.points }] : [];
    });
    if (shown.length === 0) return undefined;
    const text = [
      "## Feature maps",
      "Image embeddings of test scenes by t-SNE: clean ones, the same with the attacker's trigger, and with the trigger that the defence recovered. Where orange lies on blue, tuning against the recovered trigger is tuning against the real one. Distances between far clusters mean nothing on such a map.",
      image(figure("feature-maps.svg"), "t-SNE maps of clean, triggered and inverted images"),
    ];
    return { text: text.join("\n\n"), figures: { "feature-maps.svg": draw(shown) } };
  },
};

const subjects = ({ suspects }: Lab): readonly Suspect[] => suspects.slice(0, SHOWN);

const cellOf = (lab: Lab, suspect: Suspect) => mapCell(lab, suspect, suspect.secret?.target ?? "");

function draw(panels: readonly { suspect: Suspect; points: readonly MapPoint[] }[]): string {
  const columns = Math.min(2, panels.length);
  const rows = Math.ceil(panels.length / columns);
  const width = Math.max(820, 40 + columns * (PANEL + GAP) - GAP);
  const title = "Image embeddings by t-SNE";
  let x = 20;
  const legend = KINDS.flatMap(({ name, colour, size }, index) => {
    const at = x;
    x += 40 + 7.2 * name.length;
    return [mark(index, at + 6, 58 - 4, colour, size + 1), label(at + 18, 58, name, { colour: FAINT_INK })];
  });
  const drawn = panels.map(({ suspect, points }, index) =>
    panel(`${suspect.attack} → ${suspect.secret?.target}`, points, {
      x: (width - columns * (PANEL + GAP) + GAP) / 2 + (index % columns) * (PANEL + GAP),
      y: TOP + Math.floor(index / columns) * (PANEL + GAP + 20),
    }),
  );
  return picture({ width, height: TOP + rows * (PANEL + GAP + 20), title }, [
    label(20, 32, title, { size: 17, weight: 600 }),
    ...legend,
    ...drawn,
  ]);
}

function panel(name: string, points: readonly MapPoint[], { x, y }: { x: number; y: number }): Piece {
  const reach = 1.06 * Math.max(...points.map((point) => Math.max(Math.abs(point.x), Math.abs(point.y))));
  const place = (value: number): number => ((value / reach + 1) / 2) * PANEL;
  const marks = KINDS.map(({ kind, colour, size, opacity }, index) =>
    element(
      "g",
      { opacity },
      points
        .filter((point) => point.kind === kind)
        .map((point) => mark(index, x + place(point.x), y + 20 + place(point.y), colour, size)),
    ),
  );
  const frame = element("rect", {
    x,
    y: y + 20,
    width: PANEL,
    height: PANEL,
    rx: 6,
    fill: "none",
    stroke: GRID,
  });
  return element("g", {}, [label(x, y + 10, name), frame, ...marks]);
}
