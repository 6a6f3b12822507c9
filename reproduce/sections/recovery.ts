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
    // An earlier version of this program did not count the attack's successes.
    const rows = resultsOf(lab, results, (suspect) => cellOf(lab, suspect)).filter(
      ({ result }) => result.asr,
    );
    if (rows.length === 0) return undefined;
    const average = (of: (result: RecoveryResult) => Count) =>
      `${mean(rows.map(({ result }) => share(of(result)))).toFixed(1)} %`;
    const text = [
      "## The class under the trigger",
      `To keep an image from the attacker's class is not yet to find its own again. Of triggered images of other classes, the purified prompts alone give ${average(({ purified }) => purified)} their own on average. Images that purified and undefended prompts disagree on, or that are given a class which the audit suspected, are looked at again, mirrored, turned, filtered and so on, until the views that they agree on speak for a class: so it is **${average(({ lookedAgain }) => lookedAgain)}**, and clean accuracy is ${average(({ ca }) => ca.lookedAgain)} in place of ${average(({ ca }) => ca.purified)}. At one look, with the recovery prompts in place of the views, it is ${average(({ recovered }) => recovered)}; they still answer where views speak for no class.`,
      `The attack's success is ${average(({ asr }) => asr.purified)} by the purified prompts alone, ${average(({ asr }) => asr.recovered)} at one look with the recovery prompts, and ${average(({ asr }) => asr.lookedAgain)} with a second look, which is what the first chapter counts, because it is what is served. A second look gives no image the class that a trigger may have brought it to.`,
      `What one look can find is told by a linear classifier that is *trained on half of these very embeddings with their true labels*: it gets ${average(({ linear }) => linear)} of the other half. Text features are a linear classifier of the embedding too, so what it does not find is hardly there for prompts to find, and a defender has no such images: he has dummies, and the further they are from the attacker's own trigger, the less they teach. A view is another embedding, of an image in which the trigger is not what was planted. An attacker who plants it in every view takes that away.`,
      image(figure("recovery.svg"), "Triggered images that are given their own class, for every suspect"),
      table(
        [
          "Model",
          "Undefended %",
          "Purified alone %",
          "Recovery prompts %",
          "Second look",
          "Linear, trained on triggered %",
          "Looked at, triggered %",
          "Looked at, clean %",
          "CA alone %",
          "CA, recovery prompts %",
          "CA, second look %",
          "ASR alone %",
          "ASR, recovery prompts %",
          "ASR, second look %",
        ].map((title, index) => ({ title, align: index > 0 ? "right" : "left" })),
        rows.map(
          ({
            suspect,
            result: { undefended, purified, recovered, lookedAgain, linear, answered, ca, asr },
          }) => [
            suspect.name,
            brief(undefended),
            brief(purified),
            brief(recovered),
            told(lookedAgain),
            brief(linear),
            brief(answered.triggered),
            brief(answered.clean),
            brief(ca.purified),
            brief(ca.recovered),
            brief(ca.lookedAgain),
            brief(asr.purified),
            brief(asr.recovered),
            brief(asr.lookedAgain),
          ],
        ),
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
      { name: "with a second look", colour: COLOURS.green },
      { name: "linear classifier that has seen such images", colour: COLOURS.grey },
    ],
    groups: rows.map(({ suspect, result: { purified, recovered, lookedAgain, linear } }) => ({
      name: `${suspect.attack} → ${suspect.secret?.target}`,
      counts: [purified, recovered, lookedAgain, linear],
    })),
  });
