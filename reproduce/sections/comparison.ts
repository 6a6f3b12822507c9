import { type DefenceName, defences } from "../../src/engine/defences/index.ts";
import type { Measurement } from "../../src/engine/evaluation/protocol.ts";
import { type Count, rate } from "../../src/engine/evaluation/rate.ts";
import type { Parameters } from "../../src/engine/parameters.ts";
import { type DefenceChoice, defendCell, measureCell } from "../cells.ts";
import { titleOf } from "../defences.ts";
import { brief, image, table, told } from "../document.ts";
import { SERIES } from "../figures/palette.ts";
import { type Series, told as short, xyChart } from "../figures/xy-chart.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import { figure, type Results, type Section } from "./section.ts";

/** In the order in which readers meet them. */
export const COMPARED = [
  "none",
  "coop",
  "ft",
  "cleanclip",
  "par",
  "cbpt-published",
  "cbpt-universal",
] as const;

interface Entrant {
  readonly defence: DefenceName;
  /** Of those that change weights; prompts have their defaults. */
  readonly learningRate?: number;
}

/** Every defence on the same models, with curves over the learning rate of those that change weights. */
export const comparison: Section = {
  name: "comparison",
  cells: (lab) =>
    subjects(lab).flatMap((suspect) => entrants(lab).map((entrant) => cellOf(lab, suspect, entrant))),

  async write(lab, results) {
    const found = subjects(lab)
      .map((suspect) => ({ suspect, rows: rowsOf(lab, results, suspect) }))
      .filter(({ rows }) =>
        rows.some(({ entrant: { defence } }) => defence !== "none" && !defence.startsWith("cbpt")),
      );
    if (found.length === 0) return undefined;
    const parts = found.map(({ suspect, rows }, index) => ({ ...partOf(suspect, rows, index), suspect }));
    const text = [
      "## Against other defences",
      "The same suspects, the same shots, the same test images. FT, CleanCLIP and PAR change the model's weights and depend on their learning rate, so each has a curve and not its best point: to choose the point one would have to know the attack. The upper left is a model that answers well and has forgotten its backdoor.",
      ...parts.map(({ text }) => text),
    ];
    return { text: text.join("\n\n"), figures: Object.assign({}, ...parts.map(({ figures }) => figures)) };
  },
};

const subjects = ({ suspects, size }: Lab): readonly Suspect[] => suspects.slice(0, size.comparison.suspects);

const entrants = ({ size }: Lab): Entrant[] =>
  COMPARED.flatMap((defence): Entrant[] =>
    defences[defence].makes === "weights"
      ? ratesOf(defence, size.comparison.learningRates).map((learningRate) => ({ defence, learningRate }))
      : [{ defence }],
  );

const ratesOf = (defence: DefenceName, chosen: readonly number[]): readonly number[] =>
  chosen.length > 0 ? chosen : [usualRate(defence)];

function usualRate(defence: DefenceName): number {
  const { learningRate }: Parameters = defences[defence].parameters;
  return learningRate.default as number;
}

/** At its default a learning rate is no parameter, so that it is the same cell as everywhere else. */
function choiceOf({ defence, learningRate }: Entrant): DefenceChoice {
  const usual = learningRate === undefined || learningRate === usualRate(defence);
  return usual ? { defence } : { defence, parameters: { learningRate } };
}

const cellOf = (lab: Lab, suspect: Suspect, entrant: Entrant) => measureCell(lab, suspect, choiceOf(entrant));

interface Row {
  readonly entrant: Entrant;
  readonly measured: Measurement;
  readonly seconds: number;
}

const rowsOf = (lab: Lab, results: Results, suspect: Suspect): Row[] =>
  entrants(lab).flatMap((entrant) => {
    const measured = results.get(cellOf(lab, suspect, entrant));
    const made = results.get(defendCell(lab, suspect, choiceOf(entrant)));
    return measured && made ? [{ entrant, measured, seconds: made.seconds }] : [];
  });

function partOf(suspect: Suspect, rows: readonly Row[], index: number) {
  const content = table(
    [
      { title: "Defence" },
      { title: "Learning rate", align: "right" },
      { title: "CA", align: "right" },
      { title: "ASR", align: "right" },
      { title: "Recall %", align: "right" },
      { title: "True label %", align: "right" },
      { title: "s", align: "right" },
    ],
    rows.map(({ entrant: { defence, learningRate }, measured, seconds }) => [
      titleOf(defence),
      learningRate === undefined ? "" : short(learningRate),
      told(measured.ca),
      told(measured.asr),
      brief(measured.targetRecall),
      brief(measured.trueLabelUnderTrigger),
      seconds.toFixed(0),
    ]),
  );
  const file = `comparison-${index + 1}.svg`;
  const words = `Clean accuracy over attack success of every defence on ${suspect.name}`;
  return {
    text: [`### ${suspect.attack} (\`${suspect.name}\`)`, image(figure(file), words), content].join("\n\n"),
    figures: { [file]: tradeOff(suspect, rows) },
  };
}

function tradeOff(suspect: Suspect, rows: readonly Row[]): string {
  const share = ({ k, n }: Count): number => (100 * k) / n;
  const lowest = Math.min(...rows.map(({ measured }) => share(measured.ca)));
  const from = Math.min(90, 10 * Math.floor(lowest / 10));
  const step = from < 50 ? 20 : from < 80 ? 10 : from < 90 ? 5 : 2;
  const ticks = Array.from(
    { length: Math.floor((100 - from) / step) + 1 },
    (_, index) => from + step * index,
  );
  const series = COMPARED.flatMap((defence, index): Series[] => {
    const own = rows.filter(({ entrant }) => entrant.defence === defence);
    if (own.length === 0) return [];
    return [
      {
        name: titleOf(defence),
        colour: SERIES[(index + SERIES.length - 1) % SERIES.length],
        points: own.map(({ entrant, measured }) => {
          const { low95, high95 } = rate(measured.ca);
          const { learningRate } = entrant;
          return {
            x: share(measured.asr as Count),
            y: share(measured.ca),
            interval: [100 * low95, 100 * high95],
            ...(learningRate === undefined ? {} : { note: short(learningRate) }),
          };
        }),
      },
    ];
  });
  return xyChart({
    title: `${suspect.attack}: clean accuracy over attack success`,
    x: { title: "attack success, %", ticks: [0, 20, 40, 60, 80, 100] },
    y: { title: "clean accuracy, %", ticks },
    series,
  });
}
