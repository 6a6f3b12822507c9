import type { PlanarImage } from "../../src/engine/attacks/index.ts";
import { stamp } from "../../src/engine/cbpt/trigger.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import { defendCell, encodeCell, testCell } from "../cells.ts";
import { image } from "../document.ts";
import { FAINT_INK } from "../figures/palette.ts";
import { amplified, pixelPiece } from "../figures/pixels.ts";
import { label, type Piece, picture, widthOf } from "../figures/svg.ts";
import { readScenes, sceneAt } from "../images.ts";
import type { Lab } from "../lab.ts";
import { openTrigger } from "../perform/attacker.ts";
import { readDefence, triggerName } from "../perform/defend.ts";
import type { Suspect } from "../suspects.ts";
import { figure, type Results, type Section } from "./section.ts";

const UNIVERSAL = { defence: "cbpt-universal" } as const;

const COLUMNS = ["clean", "triggered", "what it changes", "recovered, stamped", "recovered trigger"];
const [TILE, GAP, TOP] = [116, 14, 92];

/** What the attacker does, beside what the defence found without having seen it. */
export const gallery: Section = {
  name: "gallery",
  cells: (lab) =>
    lab.suspects.flatMap((suspect) => [encodeCell(lab, suspect), defendCell(lab, suspect, UNIVERSAL)]),

  async write(lab, results) {
    const shown = lab.suspects.filter((suspect) => results.get(defendCell(lab, suspect, UNIVERSAL)));
    if (shown.length === 0 || !results.get(testCell(lab))) return undefined;
    const words =
      "A clean test scene, the same with the trigger, what the trigger changes, the scene with the recovered trigger, and that trigger";
    const text = [
      "## What was planted and what was found",
      "The first test scene of another class than the target; differences are amplified, grey is no change. The recovered trigger comes from the shots and the model alone. It need not look like the attacker's: it only has to do the same to the model.",
      image(figure("gallery.svg"), words),
    ];
    return { text: text.join("\n\n"), figures: { "gallery.svg": await draw(lab, results, shown) } };
  },
};

async function draw(lab: Lab, results: Results, suspects: readonly Suspect[]): Promise<string> {
  const left = 36 + Math.max(...suspects.map(({ attack }) => widthOf(attack)), 80);
  const rows = await Promise.all(
    suspects.map((suspect, index) => rowOf(lab, results, suspect, { left, top: TOP + index * (TILE + GAP) })),
  );
  const title = "Triggers, planted and recovered";
  const heads = COLUMNS.map((name, index) =>
    label(left + index * (TILE + GAP) + TILE / 2, 76, name, {
      anchor: "middle",
      colour: FAINT_INK,
      size: 12,
    }),
  );
  const width = left + COLUMNS.length * (TILE + GAP) + 8;
  const height = TOP + suspects.length * (TILE + GAP) + 10;
  return picture({ width, height, title }, [
    label(20, 34, title, { size: 17, weight: 600 }),
    ...heads,
    ...rows.flat(),
  ]);
}

async function rowOf(
  lab: Lab,
  { archive }: Results,
  suspect: Suspect,
  { left, top }: { left: number; top: number },
): Promise<Piece[]> {
  const { target, trigger } = suspect.secret as NonNullable<Suspect["secret"]>;
  const scenes = await readScenes(archive, testCell(lab));
  const clean = sceneAt(
    scenes,
    scenes.labels.findIndex((found) => OBJECTS[found] !== target),
  );
  const { stamp: plant } = await openTrigger(encodeCell(lab, suspect), trigger, archive);
  const planted = plant(clean);
  const found = await readDefence(archive, defendCell(lab, suspect, UNIVERSAL), triggerName(target));
  const images: (PlanarImage | undefined)[] = [
    clean,
    planted,
    amplified(SCENE_SIDE, SCENE_SIDE, difference(planted.data, clean.data)),
    found && { ...clean, data: stamp(clean.data, found) },
    found && amplified(SCENE_SIDE, SCENE_SIDE, found),
  ];
  const tiles = images.map((shown, index) => {
    const x = left + index * (TILE + GAP);
    return shown
      ? pixelPiece(shown, { x, y: top, side: TILE })
      : label(x + TILE / 2, top + TILE / 2, "not found", { anchor: "middle", colour: FAINT_INK });
  });
  return [
    label(left - 16, top + TILE / 2 - 2, suspect.attack, { anchor: "end" }),
    label(left - 16, top + TILE / 2 + 16, `→ ${target}`, { anchor: "end", colour: FAINT_INK, size: 12 }),
    ...(await Promise.all(tiles)),
  ];
}

const difference = (a: Float32Array, b: Float32Array): Float32Array =>
  a.map((value, index) => value - b[index]);
