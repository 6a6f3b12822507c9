import type { Count } from "../../src/engine/evaluation/rate.ts";
import type { RecoveryResult } from "../cell.ts";
import { recoveryCell } from "../cells.ts";
import { brief, image, table, told } from "../document.ts";
import { barChart } from "../figures/bars.ts";
import { COLOURS } from "../figures/palette.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import { mean, resultsOf } from "./outcomes.ts";
import { figure, type Section } from "./section.ts";

/** What triggered images are given instead of the target. */
export const recovery: Section = {
  name: "recovery",
  cells: (lab) => lab.suspects.map((suspect) => cellOf(lab, suspect)),

  async write(lab, results) {
    const rows = resultsOf(lab, results, (suspect) => cellOf(lab, suspect));
    if (rows.length === 0) return undefined;
    const average = (of: (result: RecoveryResult) => Count) =>
      `${mean(rows.map(({ result }) => share(of(result)))).toFixed(1)} %`;
    const text = [
      "## The class under the trigger",
      `To keep an image from the attacker's class is not yet to find its own again. Of triggered images of other classes, the purified prompts alone give ${average(({ purified }) => purified)} their own on average; with the recovery prompts, which answer the images that purified and undefended prompts disagree on, it is **${average(({ recovered }) => recovered)}**. A linear classifier that is *trained on half of these very embeddings with their true labels* gets ${average(({ linear }) => linear)} of the other half: text features are a linear classifier of the embedding too, so what it does not find is hardly there for prompts to find. A defender has no such images; he has dummies, and the further they are from the attacker's own trigger, the less they teach.`,
      image(figure("recovery.svg"), "Triggered images that are given their own class, for every suspect"),
      table(
        [
          "Model",
          "Undefended %",
          "Purified alone %",
          "With recovery",
          "Linear, trained on triggered %",
          "Answered, triggered %",
          "Answered, clean %",
          "CA alone %",
          "CA with %",
        ].map((title, index) => ({ title, align: index > 0 ? "right" : "left" })),
        rows.map(({ suspect, result: { undefended, purified, recovered, linear, answered, ca } }) => [
          suspect.name,
          brief(undefended),
          brief(purified),
          told(recovered),
          brief(linear),
          brief(answered.triggered),
          brief(answered.clean),
          brief(ca.purified),
          brief(ca.recovered),
        ]),
      ),
    ];
    return { text: text.join("\n\n"), figures: { "recovery.svg": bars(rows) } };
  },
};

const share = ({ k, n }: Count): number => (100 * k) / n;

const cellOf = (lab: Lab, suspect: Suspect) => recoveryCell(lab, suspect, suspect.secret?.target ?? "");

interface Row {
  readonly suspect: Suspect;
  readonly result: RecoveryResult;
}

const bars = (rows: readonly Row[]): string =>
  barChart({
    title: "Triggered images that are given their own class",
    axis: "of triggered images of other classes, % (whiskers: 95 % intervals)",
    series: [
      { name: "purified prompts alone", colour: COLOURS.sky },
      { name: "with recovery prompts", colour: COLOURS.blue },
      { name: "linear classifier that has seen such images", colour: COLOURS.grey },
    ],
    groups: rows.map(({ suspect, result: { purified, recovered, linear } }) => ({
      name: `${suspect.attack} → ${suspect.secret?.target}`,
      counts: [purified, recovered, linear],
    })),
  });
