import { defaultConfig, type Mode } from "../../src/engine/cbpt/config.ts";
import { rate } from "../../src/engine/evaluation/rate.ts";
import type { Cell } from "../cell.ts";
import { type DefenceChoice, measureCell } from "../cells.ts";
import { titleOf } from "../defences.ts";
import { brief, image, table, told } from "../document.ts";
import { COLOURS } from "../figures/palette.ts";
import { type Series, xyChart } from "../figures/xy-chart.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import { figure, type Results, type Section } from "./section.ts";

const MODES = ["cbpt-universal", "cbpt-published"] as const;
type ModeName = (typeof MODES)[number];

const CONFIG_MODES = {
  "cbpt-universal": "UNIVERSAL",
  "cbpt-published": "PUBLISHED",
} as const satisfies Record<ModeName, Mode>;

interface Setting {
  /** In a table; on an axis it is a number. */
  readonly value: string | number;
  readonly choice: Omit<DefenceChoice, "defence">;
}

/** One thing that is varied while all else stays at its default. */
interface Ablation {
  readonly name: string;
  readonly title: string;
  readonly words: string;
  readonly modes: readonly ModeName[];
  settings(lab: Lab): readonly Setting[];
}

const ABLATIONS: readonly Ablation[] = [
  {
    name: "shots",
    title: "Clean shots of each class",
    words: "The first so many of the same 16 shots.",
    modes: MODES,
    settings: ({ size: { ablations } }) =>
      (ablations?.shots ?? []).map((perClass) => ({ value: perClass, choice: { perClass } })),
  },
  {
    name: "length",
    title: "Context vectors of each class",
    words: "M in the paper.",
    modes: MODES,
    settings: (lab) => chosen(lab, "contextTokens", lab.size.ablations?.lengths ?? []),
  },
  {
    name: "position",
    title: "Position of the context vectors",
    words: "Before the class's name (end, as in the paper), around it, or after it.",
    modes: MODES,
    settings: (lab) => chosen(lab, "position", ["END", "MIDDLE", "FRONT"]),
  },
  {
    name: "positive",
    title: "Positive sample of the published inversion",
    words: "Which shot of the simulated class attracts a dummy's feature.",
    modes: ["cbpt-published"],
    settings: (lab) => chosen(lab, "positive", ["FARTHEST", "NEAREST", "RANDOM"]),
  },
  {
    name: "margin",
    title: "Margin of unlearning in logits",
    words: "By how much a dummy is to be further from the suspected class than it has to.",
    modes: ["cbpt-universal"],
    settings: (lab) => chosen(lab, "margin", [0, 2, 4, 8]),
  },
  {
    name: "recovery-weight",
    title: "Weight of a dummy's own label in recovery prompts",
    words:
      "Of the prompts that answer where purified and undefended ones disagree; 0 learns none, and the purified ones answer everything.",
    modes: ["cbpt-universal"],
    settings: (lab) => chosen(lab, "recovery", [0, 0.5, 2, 8]),
  },
  {
    name: "true-label",
    title: "Weight of a dummy's own label in purified prompts",
    words:
      "The cross-entropy of dummies where no other prompts recover: one set of prompts pays for true labels with clean accuracy.",
    modes: ["cbpt-universal"],
    settings: (lab) => chosen(lab, "gammaDummy", [0, 0.02, 0.1, 0.4], { recovery: 0 }),
  },
];

const chosen = (
  { size }: Lab,
  parameter: string,
  values: readonly (string | number)[],
  beside: Readonly<Record<string, number>> = {},
): Setting[] =>
  size.ablations === undefined
    ? []
    : values.map((value) => ({
        value: typeof value === "string" ? value.toLowerCase() : value,
        choice: { parameters: { ...beside, [parameter]: value } },
      }));

/** The paper's ablations at our scale, on the bundled suspect. */
export const ablations: Section = {
  name: "ablations",
  cells: (lab) =>
    ABLATIONS.flatMap((ablation) =>
      ablation.modes.flatMap((mode) => ablation.settings(lab).map((setting) => cellOf(lab, mode, setting))),
    ),

  async write(lab, results) {
    const parts = ABLATIONS.map((ablation) => partOf(ablation, lab, results)).filter(
      (part) => part !== undefined,
    );
    if (parts.length === 0) return undefined;
    const text = [
      "## What the defence depends on",
      `The paper's ablations on \`${subject(lab).name}\`, one model and one seed: read differences within the intervals as none.`,
      ...parts.map(({ text }) => text),
    ];
    return { text: text.join("\n\n"), figures: Object.assign({}, ...parts.map(({ figures }) => figures)) };
  },
};

const subject = ({ suspects }: Lab): Suspect => suspects[0];

/** A parameter at its default is left out, so that it is the same cell as everywhere else. */
function cellOf(lab: Lab, defence: ModeName, { choice }: Setting): Cell<"measure"> {
  const defaults: Readonly<Record<string, unknown>> = defaultConfig(CONFIG_MODES[defence]);
  const unusual = Object.entries(choice.parameters ?? {}).filter(([name, value]) => value !== defaults[name]);
  return measureCell(lab, subject(lab), { ...choice, parameters: Object.fromEntries(unusual), defence });
}

function partOf(ablation: Ablation, lab: Lab, results: Results) {
  const rows = ablation.modes.flatMap((mode) =>
    ablation.settings(lab).flatMap((setting) => {
      const measured = results.get(cellOf(lab, mode, setting));
      return measured ? [{ mode, setting, measured }] : [];
    }),
  );
  if (rows.length === 0) return undefined;
  const content = table(
    [
      { title: ablation.title },
      { title: "Mode" },
      { title: "CA", align: "right" },
      { title: "ASR", align: "right" },
      { title: "Recall %", align: "right" },
      { title: "True label %", align: "right" },
    ],
    rows.map(({ mode, setting, measured }) => [
      `${setting.value}`,
      titleOf(mode),
      told(measured.ca),
      told(measured.asr),
      brief(measured.targetRecall),
      brief(measured.trueLabelUnderTrigger),
    ]),
  );
  const file = `${ablation.name}.svg`;
  const numeric = rows.every(({ setting }) => typeof setting.value === "number");
  const shown = numeric ? [image(figure(file), `CA and ASR by ${ablation.title.toLowerCase()}`)] : [];
  return {
    text: [`### ${ablation.title}`, ablation.words, ...shown, content].join("\n\n"),
    figures: numeric ? { [file]: curve(ablation, rows) } : {},
  };
}

const LOOKS: Record<ModeName, { readonly ca: string; readonly asr: string }> = {
  "cbpt-universal": { ca: COLOURS.blue, asr: COLOURS.red },
  "cbpt-published": { ca: COLOURS.sky, asr: COLOURS.orange },
};

type Row = { mode: ModeName; setting: Setting; measured: { ca: Counted; asr?: Counted } };
type Counted = { k: number; n: number };

function curve({ title, modes }: Ablation, rows: readonly Row[]): string {
  const series = modes.flatMap((mode) =>
    (["ca", "asr"] as const).map(
      (name): Series => ({
        name: `${name.toUpperCase()}, ${titleOf(mode)}`,
        colour: LOOKS[mode][name],
        dashed: name === "asr",
        points: rows.flatMap((row) => {
          const count = row.measured[name];
          if (row.mode !== mode || count === undefined) return [];
          const { value, low95, high95 } = rate(count);
          return [{ x: row.setting.value as number, y: 100 * value, interval: [100 * low95, 100 * high95] }];
        }),
      }),
    ),
  );
  const ticks = [...new Set(rows.map(({ setting }) => setting.value as number))].sort((a, b) => a - b);
  return xyChart({
    title: `Clean accuracy and attack success by ${title.toLowerCase()}`,
    x: { title: title.toLowerCase(), ticks, even: true },
    y: { title: "%", ticks: [0, 20, 40, 60, 80, 100] },
    series: series.filter(({ points }) => points.length > 0),
  });
}
