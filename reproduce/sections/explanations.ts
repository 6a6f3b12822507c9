import type { DefenceName } from "../../src/engine/defences/index.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import type { Cell, CellKinds, Heat } from "../cell.ts";
import { encodeCell, explainCell, testCell } from "../cells.ts";
import { titleOf } from "../defences.ts";
import { image } from "../document.ts";
import { FAINT_INK, INK } from "../figures/palette.ts";
import { heated, pixelPiece } from "../figures/pixels.ts";
import { label, type Piece, picture } from "../figures/svg.ts";
import { readScenes, sceneAt } from "../images.ts";
import type { Lab } from "../lab.ts";
import { openTrigger } from "../perform/attacker.ts";
import type { Suspect } from "../suspects.ts";
import { COMPARED } from "./comparison.ts";
import { figure, type Results, type Section } from "./section.ts";

/** The defences that are compared. */
const defended = ({ size }: Lab): readonly DefenceName[] =>
  size.comparison.suspects > 0
    ? COMPARED
    : COMPARED.filter((defence) => defence === "none" || CBPT.test(defence));

const CBPT = /^cbpt-/;

/** The second stage's map has 8 × 8 places for 64 × 64 pixels; the last one's, with 2 × 2, shows no place at all. */
const STAGE = 2;
/** Test scenes that are shown, in the order of the test set. */
const IMAGES = 2;

const [TILE, GAP, LEFT, TOP] = [96, 10, 96, 96];
const ROW = TILE + 30;

/** Where the same image is seen as what, under each defence. */
export const explanations: Section = {
  name: "explanations",
  cells: (lab) => defended(lab).flatMap((defence) => cellOf(lab, defence) ?? []),

  async write(lab, results) {
    const shown = defended(lab).flatMap((defence) => {
      const cell = cellOf(lab, defence);
      const result = cell && results.get(cell);
      return result ? [{ defence, result }] : [];
    });
    if (shown.length < 2) return undefined;
    const text = [
      "## Where the model looks",
      `Grad-CAM at stage ${STAGE} of \`${lab.suspects[0].name}\`'s image tower for the class that each defence answers at one look (without a [second](audit.md#a-second-look)), on the first ${IMAGES} test scenes that are not of the target. Prompt tuning leaves the image tower as it is: what changes is the question that it is asked. Weight-changing defences are shown at their default learning rate.`,
      image(figure("explanations.svg"), "Grad-CAM of clean and triggered scenes under each defence"),
    ];
    return { text: text.join("\n\n"), figures: { "explanations.svg": await draw(lab, results, shown) } };
  },
};

function cellOf(lab: Lab, defence: DefenceName): Cell<"explain"> | undefined {
  return explainCell(lab, lab.suspects[0], defence, { stage: STAGE, images: chosen(lab.suspects[0]) });
}

/** Test images come in turns of the classes, so the first of them are of the first classes. */
const chosen = ({ secret }: Suspect): number[] =>
  OBJECTS.map((_, index) => index)
    .filter((index) => OBJECTS[index] !== secret?.target)
    .slice(0, IMAGES);

interface Shown {
  readonly defence: DefenceName;
  readonly result: CellKinds["explain"]["result"];
}

async function draw(lab: Lab, { archive }: Results, shown: readonly Shown[]): Promise<string> {
  const [suspect] = lab.suspects;
  const { target, trigger } = suspect.secret as NonNullable<Suspect["secret"]>;
  const scenes = await readScenes(archive, testCell(lab));
  const { stamp } = await openTrigger(encodeCell(lab, suspect), trigger, archive);
  const rows = chosen(suspect).flatMap((index) => [false, true].map((triggered) => ({ index, triggered })));
  const pieces = rows.flatMap(({ index, triggered }, place) => {
    const scene = sceneAt(scenes, index);
    const seen = triggered ? stamp(scene) : scene;
    const y = TOP + place * ROW;
    const truth = OBJECTS[scenes.labels[index]];
    return [
      label(LEFT - 14, y + TILE / 2, truth, { anchor: "end" }),
      label(LEFT - 14, y + TILE / 2 + 17, triggered ? "triggered" : "clean", {
        anchor: "end",
        size: 12,
        colour: FAINT_INK,
      }),
      pixelPiece(seen, { x: LEFT, y, side: TILE }),
      ...shown.flatMap(({ result }, column) => {
        const heat = result.heats.find((one) => one.image === index && one.triggered === triggered);
        return heat ? tile(heat, result.side, { seen, truth, target, x: columnAt(column + 1), y }) : [];
      }),
    ];
  });
  const heads = [{ title: "image" }, ...shown.map(({ defence }) => ({ title: titleOf(defence) }))];
  const title = "Grad-CAM of the answer, under each defence";
  const width = columnAt(shown.length + 1) + 10;
  return picture({ width, height: TOP + rows.length * ROW + 8, title }, [
    label(20, 34, title, { size: 17, weight: 600 }),
    label(20, 56, "the answer below each picture: right in black, the target in red, another in grey", {
      size: 12,
      colour: FAINT_INK,
    }),
    ...heads.map(({ title }, column) =>
      label(columnAt(column) + TILE / 2, 84, title, { anchor: "middle", size: 11 }),
    ),
    ...(await Promise.all(pieces)),
  ]);
}

const columnAt = (column: number): number => LEFT + column * (TILE + GAP);

const RED = "#b3261e";

function tile(
  { values, answer }: Heat,
  side: number,
  {
    seen,
    truth,
    target,
    x,
    y,
  }: { seen: Parameters<typeof heated>[0]; truth: string; target: string; x: number; y: number },
): (Piece | Promise<Piece>)[] {
  const right = answer === truth;
  const colour = right ? INK : answer === target ? RED : FAINT_INK;
  return [
    pixelPiece(heated(seen, side, values), { x, y, side: TILE }),
    label(x + TILE / 2, y + TILE + 16, answer, {
      anchor: "middle",
      size: 12,
      colour,
      weight: right ? 400 : 600,
    }),
  ];
}
